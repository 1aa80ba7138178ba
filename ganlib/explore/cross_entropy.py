"""The live figure of chapter 1: what one sample costs a player, and how hard it pushes the logit."""

import math

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import CRITIC, FAKE, REAL, Figure, canvas

LOSSES = {
    "D on real": "The discriminator's loss of a real sample, -log D,",
    "D on fake": "The discriminator's loss of a generated sample, -log(1 - D),",
    "G saturating": "The generator's saturating loss log(1 - D)",
    "G non-saturating": "The generator's non-saturating loss -log D",
}
"""The losses, in the words of the still picture."""


class CrossEntropy(Figure):
    """One sample's loss against what the discriminator says, D, and against its logit a, D = sigmoid(a).

    The discriminator pays ``-log D`` for a real sample and ``-log(1 - D)`` for a generated one: the binary
    cross-entropy. The generator's saturating loss ``log(1 - D)`` is the sample's term of the value V, its
    non-saturating one ``-log D`` is the cross-entropy with the label swapped (Goodfellow et al. 2014,
    section 3). The slopes in the logit are D - 1, D, -D and D - 1; the figure shows them beside difference
    quotients of the loss.

    Everything is a trait that can be read, set and observed from Python.

    Args:
        loss: One of ``"D on real"``, ``"D on fake"``, ``"G saturating"``, ``"G non-saturating"``.
        a: The sample's logit, -6 to 6.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
    """

    _esm = script("cross_entropy")

    _module = t.Unicode("cross_entropy").tag(sync=True)
    loss = t.Enum(list(LOSSES), "D on real").tag(sync=True)
    a = t.Float(-1.0, min=-6.0, max=6.0).tag(sync=True)

    def at(self, logits):
        """The loss of each logit, as ``ganlib.objectives`` has it: a tensor of the shape of ``logits``."""
        from ganlib.objectives import nonsaturating, saturating

        never = logits.new_full((), math.inf)  # a pair whose other sample costs nothing
        return {
            "D on real": lambda: nonsaturating.d(logits, -never),
            "D on fake": lambda: nonsaturating.d(never, logits),
            "G saturating": lambda: saturating.g(never, logits),
            "G non-saturating": lambda: nonsaturating.g(never, logits),
        }[self.loss]()

    @property
    def slope(self) -> float:
        """The slope of the loss in the logit, from ``ganlib``'s loss by automatic differentiation."""
        import torch

        a = torch.tensor(self.a, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(self.at(a), a)[0].item()

    @property
    def alt(self) -> str:
        D = 1 / (1 + math.exp(-self.a))
        return (
            f"{LOSSES[self.loss]} left against D, right against the logit a. At a = {self.a:g}, where D is "
            f"{D:.3g}, the dashed tangent on the right has slope {self.slope:.3g}."
        )

    def plot(self):
        import torch
        from matplotlib.transforms import offset_copy

        fig, (left, right) = canvas(2)
        a = torch.linspace(-8, 8, 321, dtype=torch.float64)
        here = torch.tensor(self.a, dtype=torch.float64)
        value, slope = self.at(here).item(), self.slope
        colour = REAL if self.loss == "D on real" else FAKE
        D = here.sigmoid().item()
        for ax, across, x, tilt in ((left, a.sigmoid(), D, slope / (D * (1 - D))), (right, a, self.a, slope)):
            ax.axhline(0, color="black", lw=0.6, alpha=0.5)
            ax.plot(across, self.at(a), color=colour, lw=2.2)
            ax.axline((x, value), slope=tilt, color="black", ls="--", lw=1)
            ax.plot(x, value, "o", color=colour, ms=7, zorder=4)
            ax.set(ylim=(-6.5, 6.5), ylabel="loss (nats)")
        left.set(xlabel="D", xlim=(0, 1))
        right.set(xlabel="logit a", xlim=(-8, 8))
        # An arrow from the edge of the dot, which lies over the back of a head that is longer than its arrow.
        way = -math.copysign(1, slope)
        edge = offset_copy(right.transData, fig, x=5 * way, units="points")
        push = {"color": CRITIC if self.loss.startswith("D") else FAKE, "transform": edge, "zorder": 3}
        end = self.a - 2 * slope
        right.plot([self.a, end - min(0.4, 2 * abs(slope)) * way], [value, value], lw=2, **push)
        right.plot(end, value, marker=[(-way, 0.6), (0, 0), (-way, -0.6), (-way, 0.6)], ms=14, mew=0, **push)
        return fig

    def __repr__(self) -> str:
        return f"CrossEntropy({self.loss}, a={self.a:g})"
