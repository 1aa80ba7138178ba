"""Figures in one house style.

A colour has one meaning in the whole book: blue is data, vermilion is the generator, green is the
discriminator, a dashed black line is derived. The hues are Okabe and Ito's, which colour-blind readers can
tell apart, and no figure relies on hue alone. The ground is white in dark mode too, as on paper.

Every function draws into the axes ``ax``, or into a new figure if there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from torch import Tensor

from ganlib.data import as_float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REAL, FAKE, CRITIC, DERIVED = "#0072B2", "#D55E00", "#009E73", "#000000"
COLOURS = {"real": REAL, "G": FAKE, "fake": FAKE, "D": CRITIC, "discriminator": CRITIC}
DPI = 110

STYLE = {
    "figure.figsize": (6.0, 3.4),
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.facecolor": "white",
    "axes.prop_cycle": mpl.cycler(color=[REAL, FAKE, CRITIC, "#CC79A7", "#56B4E9", "#E69F00"]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}


def use_style() -> None:
    """Make the house style the default of all figures drawn from now on."""
    mpl.rcParams.update(STYLE)


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def grid(
    images: Tensor,
    nrow: int = 10,
    *,
    columns: Iterable[object] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw images side by side, dark ink on white, every pixel as four of the screen's.

    Args:
        images: (N, 1, H, W) floats in [-1, 1], or (N, H, W) uint8, filled in row by row.
        nrow: images in a row.
        columns: a heading for each column, such as the class asked for.
        title: of the whole.

    Raises:
        ValueError: no images, or another shape.
    """
    x = as_float(images.detach().cpu())
    if x.ndim != 4 or x.shape[1] != 1 or not len(x):
        raise ValueError(
            f"images have shape {tuple(images.shape)}, expected (N, 1, H, W) floats or (N, H, W) uint8"
        )
    _, _, h, w = x.shape
    nrow = min(nrow, len(x))
    rows = -(-len(x) // nrow)
    x = torch.cat([x, x.new_full((rows * nrow - len(x), 1, h, w), -1)])
    sheet = x.reshape(rows, nrow, h, w).transpose(1, 2).reshape(rows * h, nrow * w)
    if ax is None:
        headroom = 0.3 if title or columns is not None else 0
        _, ax = plt.subplots(figsize=(2 * nrow * w / DPI, 2 * rows * h / DPI + headroom))
    ax.imshow(sheet.numpy(), cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    for i, heading in enumerate(columns if columns is not None else ()):
        ax.text((i + 0.5) * w, -3, str(heading), ha="center", va="bottom")
    if title:
        ax.set_title(title, pad=16 if columns is not None else None)
    return ax.figure


def losses(
    history: Iterable[tuple[int, Mapping[str, float]]],
    *,
    smooth: int = 25,
    lines: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each player's loss against the step: the running mean, in a band from running least to greatest.

    Args:
        history: what ``ganlib.train.train`` yields, (step, {player: loss}).
        smooth: steps in the running window; its mean stands at the middle one.
        lines: derived values to compare with, such as ``{"log 4": math.log(4)}``.

    Raises:
        ValueError: there is no step to draw.
    """
    history = list(history)
    if not history:
        raise ValueError("the history is empty: expected the (step, losses) pairs that train() yields")
    ax = _axes(ax)
    step = np.array([s for s, _ in history])
    for name in history[0][1]:
        value = np.array([loss[name] for _, loss in history])
        k = max(1, min(smooth, len(value)))
        window = np.lib.stride_tricks.sliding_window_view(value, k)
        middle = step[(k - 1) // 2 :][: len(window)]
        (line,) = ax.plot(middle, window.mean(1), color=COLOURS.get(name), label=name)
        ax.fill_between(middle, window.min(1), window.max(1), color=line.get_color(), alpha=0.15, linewidth=0)
    for label, level in (lines or {}).items():
        ax.axhline(level, color=DERIVED, linestyle="--", linewidth=1, label=label)
    ax.set(xlabel="training step", ylabel="loss (nats)")
    ax.legend()
    return ax


def density_1d(
    x: Tensor,
    *,
    real: Tensor | Callable[[Tensor], Tensor] | None = None,
    fake: Tensor | Callable[[Tensor], Tensor] | None = None,
    discriminator: Callable[[Tensor], Tensor] | None = None,
    derived: Callable[[Tensor], Tensor] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw densities on the line, and if wanted the discriminator between them.

    Args:
        x: (n,) increasing points at which functions are drawn. Samples outside are not shown, but count.
        real: the data: a density as a function of x, or samples, which become a histogram.
        fake: the generator: the same.
        discriminator: the probability D(x), on an axis of its own at the right.
        derived: the D(x) that theory predicts, on the same axis, dashed.

    Returns:
        The axes of the densities. Those of the discriminator, if any, are the figure's last.
    """
    ax = _axes(ax)
    for what, label, colour in ((real, "data", REAL), (fake, "generator", FAKE)):
        if callable(what):
            ax.plot(x, what(x).detach(), color=colour, label=label)
        elif what is not None:
            count, edges = np.histogram(what.detach().flatten(), bins=60, range=(x[0].item(), x[-1].item()))
            height = count / what.numel() / np.diff(edges)
            ax.stairs(
                height, edges, color=colour, fill=True, alpha=0.35, label=f"{label}, {what.numel():,} samples"
            )
    ax.set(xlabel="x", ylabel="density", xlim=(x[0].item(), x[-1].item()), ylim=(0, None))
    if discriminator or derived:
        right = ax.twinx()
        right.grid(False)
        right.spines["right"].set_visible(True)
        right.set(ylabel="D(x)", ylim=(0, 1.02))
        if discriminator:
            right.plot(x, discriminator(x).detach(), color=CRITIC, label="discriminator")
        if derived:
            right.plot(x, derived(x).detach(), color=DERIVED, linestyle="--", linewidth=1.2, label="derived")
        handles = [*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
        right.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    else:
        ax.legend()
    return ax


def density_2d(
    *,
    real: Tensor | None = None,
    fake: Tensor | None = None,
    log_prob: Callable[[Tensor], Tensor] | None = None,
    limit: float = 3.0,
    ax: Axes | None = None,
) -> Axes:
    """Draw samples in the plane, over a density in grey.

    Args:
        real: (n, 2) samples of the data, crosses.
        fake: (n, 2) samples of the generator, dots.
        log_prob: log density of (m, 2) points; drawn over its own maximum, so only its shape shows.
        limit: the plane is shown from -limit to limit both ways.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(4, 4))
    if log_prob:
        axis = torch.linspace(-limit, limit, 160)
        points = torch.cartesian_prod(axis, axis)  # the first coordinate varies slowest: transposed below
        heat = log_prob(points).detach().reshape(160, 160).T
        extent = (-limit, limit, -limit, limit)
        ax.imshow((heat - heat.max()).exp(), cmap="Greys", vmin=0, vmax=1.6, origin="lower", extent=extent)
    for points, label, colour, marker in ((real, "data", REAL, "x"), (fake, "generator", FAKE, "o")):
        if points is not None:
            xy = points.detach()
            ax.scatter(
                xy[:, 0], xy[:, 1], s=8, c=colour, marker=marker, linewidths=0.6, alpha=0.6, label=label
            )
    ax.set(xlabel="first coordinate", ylabel="second coordinate", xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set_aspect("equal")
    ax.grid(False)
    if real is not None or fake is not None:
        ax.legend(loc="upper right")
    return ax


def measured_vs_derived(
    x: Sequence[float] | Tensor,
    measured: Sequence[float] | Tensor,
    derived: Sequence[float] | Tensor | Callable[[Tensor], Tensor],
    *,
    xlabel: str,
    ylabel: str,
    colour: str = FAKE,
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw what was measured as points, and what was derived as a dashed line through or past them.

    Args:
        x: (n,) where it was measured.
        measured: (n,) values.
        derived: (n,) values, or a function of x, which is then drawn finely.
        xlabel: name and unit of x.
        ylabel: name and unit of the value.
        colour: of the points.
        label: of the pair, for figures that show several.
    """
    ax = _axes(ax)
    x = torch.as_tensor(x, dtype=torch.float64)
    fine = torch.linspace(x.min(), x.max(), 200, dtype=torch.float64) if callable(derived) else x
    curve = derived(fine) if callable(derived) else torch.as_tensor(derived)
    of = f" {label}" if label else ""
    ax.plot(fine, curve, color=DERIVED, linestyle="--", linewidth=1.2, label=f"derived{of}", zorder=3)
    ax.plot(x, torch.as_tensor(measured), "o", color=colour, markersize=5, label=f"measured{of}")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()
    return ax
