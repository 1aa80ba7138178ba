"""The live figure of chapter 2: noise pushed through a curve, and the density that comes out."""

from itertools import pairwise

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import FAKE, OTHER, Figure, canvas


class Pushforward(Figure):
    """The density of x = G(z) for a curve G with five control points, beside a histogram of samples.

    The control points stand over z = -2, -1, 0, 1, 2. The slope of G is that of the polygon through them at
    the middle of each edge, linear from one middle to the next and constant outside. So G is C1, and it rises
    everywhere exactly if the polygon does. The density of x is the sum of ``p_z(z) / |G'(z)|`` over the
    preimages of x: the change of variables, branch by branch. The figure also draws the sum without the
    absolute value, which is negative for a decreasing G.

    Everything is a trait that can be read, set and observed from Python.

    Args:
        heights: G's control points, five numbers from -3 to 3.
        noise: ``"normal"`` with variance 1, or ``"uniform"`` on (-2, 2).
        x: Where the preimages are shown, -3 to 3.
        point: The control point that the arrow keys move, 0 to 4.
        seed: Seed of the noise in the histogram, 0 to 999.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range or ``heights`` has not five numbers.
    """

    _esm = script("pushforward")

    _module = t.Unicode("pushforward").tag(sync=True)
    heights = t.List(t.Float(min=-3.0, max=3.0), [-2.2, 1.2, 0.4, -1.2, 1.8], 5, 5).tag(sync=True)
    noise = t.Enum(["normal", "uniform"], "normal").tag(sync=True)
    x = t.Float(0.2, min=-3.0, max=3.0).tag(sync=True)
    point = t.Int(1, min=0, max=4).tag(sync=True)
    seed = t.Int(0, min=0, max=999).tag(sync=True)

    def G(self, z):
        """The generator: a tensor of the shape of ``z``."""
        h = self.heights
        slopes = [b - a for a, b in pairwise(h)]
        x = h[0] + slopes[0] * (z + 2)
        for knot, (before, after) in enumerate(pairwise(slopes)):
            u = z - (knot - 1.5)  # here the slope begins to change, and has changed a unit later
            x = x + (after - before) * (u.clamp(0, 1).square() / 2 + (u - 1).clamp(min=0))
        return x

    def p_z(self, z):
        """The density of the noise: a tensor of the shape of ``z``."""
        import torch

        if self.noise == "uniform":
            return 0.25 * (z.abs() < 2)
        return torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5

    def preimages(self, x):
        """The points of noise between -9 and 9 that G sends to levels x, (n,), found by bisection.

        Returns:
            For each of m such points the number of its level, the point, and the slope of G there, (m,) each.
        """
        import torch

        x = torch.as_tensor(x, dtype=torch.float64)
        grid = torch.linspace(-9, 9, 7202, dtype=torch.float64)
        above = self.G(grid) > x[:, None]
        level, at = (above[:, 1:] != above[:, :-1]).nonzero(as_tuple=True)
        low, high, side = grid[at], grid[at + 1], above[level, at]
        for _ in range(50):
            middle = (low + high) / 2
            left = (self.G(middle) > x[level]) == side
            low, high = torch.where(left, middle, low), torch.where(left, high, middle)
        z = low.requires_grad_()
        (slope,) = torch.autograd.grad(self.G(z).sum(), z)
        return level, z.detach(), slope

    def density(self, x, signed: bool = False):
        """The density of G(z) at levels x, (n,): the sum of ``p_z(z) / |G'(z)|`` over preimages, (n,).

        With ``signed`` the absolute value is left out, and what comes out is no density unless G rises.
        """
        level, z, slope = self.preimages(x)
        share = self.p_z(z) / (slope if signed else slope.abs())
        return share.new_zeros(len(x)).index_add(0, level, share)

    @property
    def alt(self) -> str:
        _, z, _ = self.preimages([self.x])
        right, wrong = (self.density([self.x], signed).item() for signed in (False, True))
        return (
            f"Left: a curve x = G(z) over {self.noise} noise; x = {self.x:g} has {len(z)} "
            f"{'preimage' if len(z) == 1 else 'preimages'}. Right: the density of x from the formula, "
            f"{right:.3g} there, on a histogram of samples, and the formula without the "
            f"absolute value, {wrong:.3g}."
        )

    def plot(self):
        import torch

        fig, (left, right) = canvas(2, height=3.4)
        z = torch.linspace(-3, 3, 301, dtype=torch.float64)
        left.plot(z, self.G(z), color=FAKE, lw=2)
        left.plot(range(-2, 3), self.heights, "s-", color="black", alpha=0.4, lw=0.8, ms=5)
        left.axhline(self.x, color="black", lw=0.6, alpha=0.5)
        for e in self.preimages([self.x])[1].tolist():
            left.plot([e, e], [-3, self.x], ":", color="black", lw=1)
            left.plot(e, self.x, "o", color=FAKE)
        left.set(xlabel="noise z", ylabel="x = G(z)", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
        ranks = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
        noise = torch.special.ndtri(ranks) if self.noise == "normal" else 4 * ranks - 2
        bars = torch.histogram(self.G(noise), 60, range=(-3.0, 3.0))[0] / 20_000 / 0.1
        middles = torch.linspace(-2.95, 2.95, 60)
        right.barh(middles, bars, height=0.1, color=FAKE, alpha=0.35, label="samples")
        level = torch.linspace(-2.995, 2.995, 300)
        right.plot(self.density(level, signed=True), level, color=OTHER, lw=1.8, label="signed")
        right.plot(self.density(level), level, "--", color="black", lw=1, label="derived")
        right.axhline(self.x, color="black", lw=0.6, alpha=0.5)
        top = min(2.4, 1.1 * bars.sort().values[-4].item())  # a peak may leave the picture
        right.set(xlabel="density of x", xlim=(-top, top), ylim=(-3, 3))
        right.legend(fontsize=7, frameon=False, loc="lower left")
        return fig

    def __repr__(self) -> str:
        points = ", ".join(f"{h:g}" for h in self.heights)
        return f"Pushforward({self.noise} noise, control points {points})"
