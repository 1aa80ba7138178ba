"""The live figure of chapter 9: the game of K atoms, its threshold, and what hops."""

import math

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import FAKE, OTHER, Figure, canvas

ORDERS = ("alternating", "simultaneous")
TILT = (0.770498, -0.146714, -1.089395, 0.284216, -0.542261, -0.699298, 0.201673, 0.419013)
"""The start of chapter 9: half of eight normal numbers, ``torch.randn`` with the seed 0."""
MOST = 8


class AtomGame(Figure):
    """The data is uniform on K atoms; the generator has the mass softmax(u), D a logit for each atom.

    The saturating game of definition 9.1, played from a start where the first atom leads. The figure shows
    the mass of each atom and D's answer over the rounds, the factor of a round against the rate of D, and the
    threshold of theorem 9.2, derived beside measured.

    Args:
        K: Atoms, 2 to 8.
        eta: Rate of the generator, 0.05 to 1.
        kappa: Rate of the discriminator, 0.01 to 3.
        order: ``"alternating"``, D first, or ``"simultaneous"``.
        lead: What the first u has more at the start, 0 to 6.
        tilt: The u at the start without it, eight numbers in [-2, 2], so that no two atoms are alike.
        rounds: Rounds played, 100 to 4,000.
        at: The round that the bars show.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
    """

    _esm = script("atoms")

    _module = t.Unicode("atoms").tag(sync=True)
    K = t.Int(4, min=2, max=MOST).tag(sync=True)
    eta = t.Float(0.5, min=0.05, max=1.0).tag(sync=True)
    kappa = t.Float(0.1, min=0.01, max=3.0).tag(sync=True)
    order = t.Enum(ORDERS, "alternating").tag(sync=True)
    lead = t.Float(3.0, min=0.0, max=6.0).tag(sync=True)
    tilt = t.List(t.Float(min=-2.0, max=2.0), TILT, minlen=MOST, maxlen=MOST).tag(sync=True)
    rounds = t.Int(1000, min=100, max=4_000).tag(sync=True)
    at = t.Int(0, min=0, max=4_000).tag(sync=True)

    def game(self):
        """The same game as ``ganlib`` plays it, at its start: players D with ``[a]`` and G with ``[u]``."""
        import torch
        from torch.nn.functional import logsigmoid

        from ganlib.game import Game, Player

        u = torch.tensor(self.tilt[: self.K], dtype=torch.float64)
        u[0] += self.lead
        a = torch.zeros(self.K, dtype=torch.float64).requires_grad_()
        u.requires_grad_()

        def loss_D(*_):
            return -(logsigmoid(a) / self.K + u.softmax(0) * logsigmoid(-a)).sum()

        def loss_G(*_):
            return (u.softmax(0) * logsigmoid(-a)).sum()

        critic = Player("D", [a], loss_D, torch.optim.SGD([a], self.kappa))
        return Game([critic, Player("G", [u], loss_G, torch.optim.SGD([u], self.eta))])

    def path(self, rounds: int | None = None) -> tuple[list, list]:
        """The masses and the logits after 0, 1, ... rounds, as ``ganlib``'s own game gives them."""
        import torch

        game = self.game()
        critic, generator = game.players
        [a], [u] = critic.params, generator.params
        rates = torch.tensor([self.kappa] * self.K + [self.eta] * self.K, dtype=torch.float64)
        masses, logits = [u.detach().softmax(0).tolist()], [a.tolist()]
        for _ in range(self.rounds if rounds is None else rounds):
            if self.order == "alternating":
                critic.move(())
                generator.move(())
            else:
                step = rates * game.field(())
                with torch.no_grad():
                    a += step[: self.K]
                    u += step[self.K :]
            masses.append(u.detach().softmax(0).tolist())
            logits.append(a.tolist())
        return masses, logits

    @property
    def threshold(self) -> float:
        """The rate of D below which a round turns (theorem 9.2)."""
        both = self.order == "alternating"
        return 4 * self.eta / ((1 + self.eta / (2 * self.K)) ** 2 if both else 1)

    @property
    def factor(self) -> float:
        """The factor of a round close to the equilibrium: the largest modulus of an eigenvalue."""
        return self._factor(self.kappa)

    def _factor(self, kappa: float) -> float:
        x, y = kappa / (2 * self.K), self.eta / (2 * self.K)
        both = self.order == "alternating"
        trace, det = 2 - x - (x * y if both else 0), 1 - x + (0 if both else x * y)
        d = trace * trace - 4 * det
        return math.sqrt(det) if d < 0 else (trace + math.sqrt(d)) / 2

    @property
    def alt(self) -> str:
        turns = "turns" if self.kappa < self.threshold else "does not turn"
        return (
            f"Left: the mass of each of {self.K} atoms over {self.rounds:,} {self.order} rounds at kappa = "
            f"{self.kappa:g} and eta = {self.eta:g}. Right: the factor of a round against kappa; the game "
            f"{turns}, its factor is {self.factor:.4f}, and the threshold is {self.threshold:.3f}."
        )

    def plot(self):
        fig, (left, right) = canvas(2, height=3.0)
        for mass in zip(*self.path()[0], strict=True):
            left.plot(mass, color=FAKE, lw=1)
        left.axhline(1 / self.K, color="black", ls="--", lw=0.8)
        left.set(xlabel="rounds", ylabel="mass of each atom", ylim=(0, 1))
        rates = [k / 50 for k in range(1, 151)]
        right.plot(rates, list(map(self._factor, rates)), "--", color="black", lw=1)
        right.plot(self.kappa, self.factor, "o", color=OTHER)
        right.axvline(self.threshold, color="grey", lw=0.8)
        right.set(xlabel="rate of the discriminator", ylabel="factor of a round", xlim=(0, 3))
        return fig

    def __repr__(self) -> str:
        rates = f"eta={self.eta:g}, kappa={self.kappa:g}"
        return f"AtomGame(K={self.K}, {rates}, {self.order}, {self.rounds} rounds)"
