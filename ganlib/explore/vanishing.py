"""The live figure of chapter 6: the generator's two gradients while the discriminator gets better."""

import math
from itertools import pairwise

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import CRITIC, FAKE, OTHER, REAL, Figure, canvas, numbers


class VanishingGradients(Figure):
    """Both generator gradients against the discriminator's training, measured next to derived.

    The generator is a line at ``x = theta = 1``, the data a line at ``x = 0`` (Arjovsky, Chintala and Bottou
    2017, example 1). At each checkpoint of the discriminator the notebook measures both gradients with
    respect to theta. From the mean logit ``a`` and its mean slope ``a'`` at the generator the figure derives
    what they should be: ``sigmoid(a) |a'|`` for ``log(1 - D)`` and ``sigmoid(-a) |a'|`` for ``-log D``. A
    switch shows the exact toy ``D_k(x) = sigmoid(k (1/2 - x))``.

    Everything is a trait: ``steps, sat, ns, logit, slope, grid`` (data), ``index`` (checkpoint shown),
    ``mode`` ("trained" or "toy") and ``k`` (the toy's steepness) can be read, set and observed from Python.

    Args:
        steps: Discriminator steps at the checkpoints, increasing, (n,).
        sat: Measured ``|d/dtheta mean log(1 - D)|``, (n,), not negative.
        ns: Measured ``|d/dtheta mean -log D|``, (n,), not negative.
        logit: Mean logit at the generator, (n,).
        slope: Mean ``d logit / dx`` at the generator, (n,).
        grid: Values of x at which the discriminator is drawn, increasing, (m,).
        profile: ``D(x)`` on that grid at each checkpoint, (n, m), in [0, 1].
        **kwargs: ``index`` (default: where ``sat`` is largest), ``mode``, ``k``, and ipywidgets' own.

    Raises:
        ValueError: If the shapes disagree or a number is not finite or out of its range.
    """

    _esm = script("vanishing")

    _module = t.Unicode("vanishing").tag(sync=True)
    steps = t.List(t.Int()).tag(sync=True)
    sat = t.List(t.Float()).tag(sync=True)
    ns = t.List(t.Float()).tag(sync=True)
    logit = t.List(t.Float()).tag(sync=True)
    slope = t.List(t.Float()).tag(sync=True)
    grid = t.List(t.Float()).tag(sync=True)
    profile = t.Unicode(help="D(x) to four places, a line for each checkpoint").tag(sync=True)
    index = t.Int(0).tag(sync=True)
    mode = t.Enum(["trained", "toy"], "trained").tag(sync=True)
    k = t.Float(2.5, min=0.25, max=30.0).tag(sync=True)

    def __init__(self, *, steps, sat, ns, logit, slope, grid, profile, **kwargs):
        data = {"sat": sat, "ns": ns, "logit": logit, "slope": slope, "grid": grid}
        data = {name: numbers(name, values) for name, values in data.items()}
        steps = [int(s) for s in steps]
        rows = [numbers("profile", row) for row in profile]
        columns = {"steps": steps, "profile": rows, **data}
        lengths = {name: len(values) for name, values in columns.items() if name != "grid"}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Every column but grid needs one entry per checkpoint; got {lengths}.")
        m = len(data["grid"])
        if wrong := [len(row) for row in rows if len(row) != m]:
            raise ValueError(f"profile needs one D per grid point, {m} in a row; a row has {wrong[0]}.")
        for name, values in (("steps", steps), ("grid", data["grid"])):
            if any(a >= b for a, b in pairwise(values)):
                raise ValueError(f"{name} must increase; got {values[:8]}.")
        if not all(0 <= d <= 1 for row in rows for d in row):
            raise ValueError("profile holds probabilities in [0, 1]; pass sigmoid(logit), not the logit.")
        if min(data["sat"] + data["ns"]) < 0:
            raise ValueError("sat and ns are sizes of gradients; pass absolute values.")
        if not any(data["sat"]):
            raise ValueError("sat is zero at every checkpoint; begin to measure before D is trained.")
        kwargs.setdefault("index", max(range(len(steps)), key=data["sat"].__getitem__))
        profile = "\n".join(" ".join(f"{d:.4f}" for d in row) for row in rows)
        super().__init__(steps=steps, profile=profile, **data, **kwargs)

    @t.validate("index")
    def _index(self, proposal: dict) -> int:
        index = proposal["value"]
        if not 0 <= index < len(self.steps):
            raise t.TraitError(f"index counts checkpoints, 0 to {len(self.steps) - 1}; got {index}.")
        return index

    @property
    def step(self) -> int:
        """Discriminator steps at the checkpoint shown."""
        return self.steps[self.index]

    @property
    def alt(self) -> str:
        """What the still picture shows, in one sentence."""
        peak = max(self.sat)
        return (
            "Left: the discriminator turns from flat to a cliff between the data and the generator. "
            f"Right, on a logarithmic scale over {self.steps[-1]} discriminator steps: the saturating "
            f"gradient rises to {peak:.2g} and falls to {self.sat[-1]:.1e}, the non-saturating one grows to "
            f"{self.ns[-1]:.2g}."
        )

    def plot(self):
        last = len(self.steps) - 1
        fig, (left, right) = canvas(2)
        left.axvline(0, color=REAL, lw=3)
        left.axvline(1, color=FAKE, lw=3)
        lines = self.profile.split("\n")
        for share in (0.0, 0.4, 0.55, 0.7, 1.0):
            i = round(share * last)
            D = [float(d) for d in lines[i].split()]
            alpha, width = 0.3 + 0.7 * share, 1 + 1.2 * share
            left.plot(self.grid, D, color=CRITIC, alpha=alpha, lw=width, label=str(self.steps[i]))
        left.set(xlabel="x  (data at 0, generator at 1)", ylabel="D(x)", ylim=(-0.04, 1.04))
        left.set_xticks([0, 0.5, 1])
        left.legend(title="D-steps", fontsize=7, title_fontsize=7, frameon=False, loc="upper right")
        x = [s + 1 for s in self.steps]
        pairs = list(zip(self.logit, self.slope, strict=True))
        losses = (self.ns, 1, "none", OTHER, "non-saturating"), (self.sat, -1, FAKE, FAKE, "saturating")
        for y, sign, face, edge, name in losses:
            right.plot(x, y, "o", ms=4, mfc=face, mec=edge, label=f"{name}, measured")
            derived = [abs(s) / (1 + math.exp(sign * a)) for a, s in pairs]
            right.plot(x, derived, "--", color="black", lw=1, label="derived" if sign < 0 else None)
        right.set(xscale="log", yscale="log", xlabel="D-steps + 1", ylabel="size of G's gradient")
        right.legend(fontsize=7, frameon=False, loc="lower left")
        return fig

    def __repr__(self) -> str:
        first, last = self.steps[0], self.steps[-1]
        return f"VanishingGradients({len(self.steps)} checkpoints, D-steps {first} to {last})"
