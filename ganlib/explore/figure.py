"""What every live figure has in common on the Python side."""

import base64
import io
import math
from collections.abc import Iterable

import anywidget
import traitlets as t

REAL, FAKE, CRITIC, OTHER = "#0072B2", "#D55E00", "#009E73", "#7B4FA3"


class Figure(anywidget.AnyWidget):
    """A figure that is live in a notebook and in the book, and a picture everywhere else.

    A subclass sets ``_esm`` to ``script(name)`` and ``_module`` to the same name, declares what is shown as
    synchronised traits, and defines ``alt`` and ``plot``.
    """

    _ipython_display_ = None  # ipywidgets 7 would display without the still picture below

    _module = t.Unicode(help="the script that draws it, in ganlib/explore").tag(sync=True)

    def stored(self) -> dict:
        """The traits that a page without a kernel needs: what the script reads, as plain JSON."""
        ours = set(self.trait_names(sync=True)) - set(anywidget.AnyWidget.class_trait_names())
        kept = sorted(ours - {"_esm", "_anywidget_id", "_weights"})  # scripts and weights are the page's own
        return {name: getattr(self, name) for name in kept}

    @property
    def alt(self) -> str:
        """What the still picture shows, in one sentence."""
        raise NotImplementedError

    def plot(self):
        """The still picture as a Matplotlib figure."""
        raise NotImplementedError

    def still(self) -> bytes:
        """The figure as a PNG for paper, for readers without script and for viewers that show no widgets."""
        figure = self.plot()
        for ax in figure.axes:
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        png = base64.b64encode(self.still()).decode("ascii")
        return {**data, "image/png": png}, {**metadata, "image/png": {"alt": self.alt}}


def canvas(columns: int | tuple[int, int], width: float = 7.4, height: float = 2.9):
    """A white Matplotlib figure with panels side by side, or in rows and columns, and its axes."""
    from matplotlib.figure import Figure as Picture

    picture = Picture(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    return picture, picture.subplots(*(columns if isinstance(columns, tuple) else (1, columns)))


def numbers(name: str, values: Iterable) -> list[float]:
    """Plain finite floats of six significant digits, which is what a picture and a readout can use.

    Raises:
        ValueError: If there are none or one is not finite.
    """
    out = [float(f"{float(v):.6g}") for v in values]
    if not out or not all(map(math.isfinite, out)):
        raise ValueError(f"{name} must be a non-empty sequence of finite numbers; got {out[:5]}.")
    return out


class Stream:
    """The page's random numbers, all at once: a counter through the last mixing of MurmurHash3."""

    def __init__(self, seed: int) -> None:
        self.count = seed * 2**22

    def uniform(self, *shape: int):
        """Uniform float64 numbers in [0, 1), in the order of the last axis."""
        import numpy as np
        import torch

        first, self.count = self.count + 1, self.count + math.prod(shape)
        h = np.arange(first, self.count + 1, dtype=np.uint64).astype(np.uint32) * np.uint32(0x9E3779B9)
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
        return torch.from_numpy((h ^ (h >> np.uint32(16))) / 2.0**32).reshape(shape)

    def normal(self, *shape: int):
        """Standard normal numbers, two uniform ones for each."""
        return boxed(self.uniform(*shape[:-1], 2 * shape[-1]))


def boxed(u):
    """Box and Muller's normal numbers from pairs of uniform ones along the last axis."""
    first, second = u[..., 0::2], u[..., 1::2]
    return (-2 * (1 - first).log()).sqrt() * (2 * math.pi * second).cos()
