"""The live figure of chapter 3: two densities, the best discriminator, and one that trains in the page."""

import math

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import CRITIC, FAKE, REAL, Figure, canvas

REACH, COARSE, FINE = 10.0, 1 / 4, 1 / 16  # half the line; distance of places to learn from and to read at
UNITS, RATE, EPS, MOST = 12, 0.08, 1e-3, 300


class OptimalDiscriminator(Figure):
    """A discriminator that learns, drawn over ``D* = p / (p + q)`` (Goodfellow et al. 2014, proposition 1).

    The data has density p, one normal bump or two that stand 3 apart. The generator stands still and has a
    normal density q. The discriminator's logit is a straight line plus 12 tanh units, or the line alone. It
    starts at ``D = 1/2`` and climbs ``V(D, G)`` by Adam on a grid of x: nothing is left to chance. The value
    it reaches stands beside that of the best one, ``-log 4 + 2 JSD(p, q)`` (theorems 3.1 and 4.1), and what
    it falls short of that beside the integral of ``(p + q) KL(D*, D)``, by line (3.4).

    Everything is a trait that can be read, set and observed from Python.

    Args:
        data: ``"normal"`` or ``"two bumps"``.
        critic: ``"network"``, or ``"logistic"`` for a straight logit, which sees means only (theorem 3.2).
        p_mean: Mean of the data, -2 to 2.
        p_width: Standard deviation of the data, of each bump if there are two, 0.5 to 1.5.
        q_mean: Mean of the generator, -2 to 2.
        q_width: Standard deviation of the generator, 0.5 to 1.5.
        steps: Steps of Adam that the discriminator has had, 0 to 300.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
    """

    _esm = script("optimal")

    _module = t.Unicode("optimal").tag(sync=True)
    data = t.Enum(("normal", "two bumps"), "normal").tag(sync=True)
    critic = t.Enum(("network", "logistic"), "network").tag(sync=True)
    p_mean = t.Float(-1.0, min=-2.0, max=2.0).tag(sync=True)
    p_width = t.Float(1.0, min=0.5, max=1.5).tag(sync=True)
    q_mean = t.Float(1.0, min=-2.0, max=2.0).tag(sync=True)
    q_width = t.Float(1.0, min=0.5, max=1.5).tag(sync=True)
    steps = t.Int(MOST, min=0, max=MOST).tag(sync=True)

    def log_densities(self, x):
        """``log p(x)`` and ``log q(x)`` of a tensor of places."""

        def normal(mean, width):
            return -(((x - mean) / width) ** 2) / 2 - math.log(width * math.sqrt(2 * math.pi))

        q = normal(self.q_mean, self.q_width)
        if self.data == "normal":
            return normal(self.p_mean, self.p_width), q
        left, right = (normal(self.p_mean + at, self.p_width) for at in (-1.5, 1.5))
        return left.logaddexp(right) - math.log(2), q

    def value(self, logit, h: float = FINE):
        """``V(D, G)`` of a function from places to logits, by the trapezoidal rule and ganlib's loss."""
        import torch

        from ganlib.objectives import nonsaturating

        x = torch.arange(-REACH, REACH + h / 2, h, dtype=torch.float64)
        p, q = (h * log.exp() for log in self.log_densities(x))
        a, none = logit(x), torch.full_like(x, 1e3)  # the loss of a pair, one logit at a time
        return -(p * nonsaturating.d(a, -none) + q * nonsaturating.d(none, a)).sum()

    def train(self):
        """The trained discriminator, a function from places to logits, and V before and after each step."""
        import torch

        n = UNITS if self.critic == "network" else 0
        line, v = (torch.zeros(k, dtype=torch.float64) for k in (2, n))
        u, c = torch.full_like(v, 1.5), -1.5 * torch.linspace(-4, 4, n, dtype=torch.float64)
        w = [each.requires_grad_() for each in (line, v, u, c)]

        def logit(x):
            return line[0] + line[1] * x + torch.tanh(x.unsqueeze(-1) * u + c) @ v

        adam, values = torch.optim.Adam(w, RATE, eps=EPS), []
        for _ in range(self.steps):
            values.append(self.value(logit, COARSE))
            adam.zero_grad()
            (-values[-1]).backward()
            adam.step()
        values.append(self.value(logit, COARSE))
        return torch.no_grad()(logit), [V.item() for V in values]

    def best(self, x):
        """The best discriminator's logit, ``log p(x) / q(x)``."""
        p, q = self.log_densities(x)
        return p - q

    @property
    def alt(self) -> str:
        measured, best = (self.value(f).item() for f in (self.train()[0], self.best))
        return (
            f"The densities of data and generator, the dashed curve D* = p/(p+q), and a {self.critic} "
            f"discriminator after {self.steps} steps. Its value V is {measured:.3f}; the best is {best:.3f}."
        )

    def plot(self):
        import torch

        fig, (left, right) = canvas(2)
        x, (logit, values) = torch.linspace(-5, 5, 201, dtype=torch.float64), self.train()
        for log, colour, name in zip(
            self.log_densities(x), (REAL, FAKE), ("data p", "generator q"), strict=True
        ):
            left.fill_between(x, log.exp(), color=colour, alpha=0.25, lw=0, label=name)
        left.plot(x, logit(x).sigmoid(), color=CRITIC, lw=2, label=f"D, {self.steps} steps")
        left.plot(x, self.best(x).sigmoid(), "--", color="black", lw=1, label="p / (p + q)")
        left.set(xlabel="x", xlim=(-5, 5), ylim=(0, 1.02))
        right.plot(range(1, len(values) + 1), values, color=CRITIC, lw=2, label="V(D, G), measured")
        best = self.value(self.best).item()
        right.axhline(best, ls="--", color="black", lw=1, label="-log 4 + 2 JSD, derived")
        right.axhline(-math.log(4), ls=":", color="black", lw=1, label="-log 4")
        right.set(xlabel="steps of D + 1", xscale="log", xlim=(1, MOST + 1), ylim=(-1.5, 0))
        for ax in (left, right):
            ax.legend(fontsize=7, frameon=False, loc="upper left" if ax is right else "upper right")
        return fig

    def __repr__(self) -> str:
        p, q = (f"N({m:g}, {s:g}²)" for m, s in ((self.p_mean, self.p_width), (self.q_mean, self.q_width)))
        return f"OptimalDiscriminator({self.data} data {p}, generator {q}, {self.critic}, {self.steps} steps)"
