"""The playground: a GAN in the plane that trains in the page, and the same game in torch."""

import math
from functools import partial

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import FAKE, REAL, Figure, Stream, boxed, canvas

DATA = ("ring", "grid", "two moons", "spiral", "one cloud", "drawn")
LOSSES = ("saturating", "non-saturating", "least squares", "hinge", "Wasserstein", "relativistic")
PENALTIES = ("none", "R1", "R2", "gradient penalty", "one-sided", "DRAGAN")
SPEEDS = ("slow", "normal", "fast")
OVERLAYS = ("manifold", "gradients", "both", "neither")
HIDDEN, BATCH, NEAR = 32, 64, 0.25


class Gan2D(Figure):
    """A generator and a discriminator of two hidden layers with tanh, 32 units each, on points in the plane.

    Each data set is a mixture of equal round Gaussians. A round is ``n_critic`` Adam steps of D and one of G,
    with betas (0.5, 0.99) and batches of 64. All random numbers come from ``seed``, and torch draws the same:
    :meth:`play` gives the weights that the page has after as many rounds.

    Args:
        data: ``"ring"`` of 8, ``"grid"`` of 25, ``"two moons"``, ``"spiral"``, ``"one cloud"``, ``"drawn"``.
        points: Centres of the drawn data, pairs of coordinates in [-2.6, 2.6], at most 60.
        loss: The name of an objective of ``ganlib.objectives``.
        penalty: ``"none"``, or one of ``ganlib.penalties``: ``"R1"``, ``"R2"``, ``"gradient penalty"``,
            ``"one-sided"`` (the same for slopes above one only), ``"DRAGAN"`` with noise of 0.25.
        gamma: Its weight, 0 to 20; R1 and R2 are multiplied by half of it.
        rate_G: Rate of G, 1e-4 to 1e-2.
        rate_D: Rate of D, likewise.
        n_critic: Moves of D in a round, 1 to 5.
        seed: 0 to 999.
        rounds: Rounds played. The page counts them here, and plays on when it is set.
        speed: ``"slow"``, ``"normal"`` or ``"fast"``.
        overlay: What is drawn beside the points: the ``"manifold"``, which is a lattice of the noise pushed
            forward; the ``"gradients"``, where G's loss pulls its points; ``"both"``; or ``"neither"``.
        address: Keep the settings in the page's address.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
    """

    _esm = script("gan2d")

    _module = t.Unicode("gan2d").tag(sync=True)
    data = t.Enum(DATA, "ring").tag(sync=True)
    points = t.List(t.List(t.Float(min=-2.6, max=2.6), minlen=2, maxlen=2), maxlen=60).tag(sync=True)
    loss = t.Enum(LOSSES, "non-saturating").tag(sync=True)
    penalty = t.Enum(PENALTIES, "none").tag(sync=True)
    gamma = t.Float(1.0, min=0.0, max=20.0).tag(sync=True)
    rate_G = t.Float(2e-3, min=1e-4, max=1e-2).tag(sync=True)
    rate_D = t.Float(2e-3, min=1e-4, max=1e-2).tag(sync=True)
    n_critic = t.Int(1, min=1, max=5).tag(sync=True)
    seed = t.Int(0, min=0, max=999).tag(sync=True)
    rounds = t.Int(0, min=0, max=20_000).tag(sync=True)
    speed = t.Enum(SPEEDS, "normal").tag(sync=True)
    overlay = t.Enum(OVERLAYS, "manifold").tag(sync=True)
    address = t.Bool(False).tag(sync=True)

    def centres(self):
        """The mixture that the data is, as ``ganlib`` has it: a ``GaussianMixture``."""
        from ganlib.data import GaussianMixture, gaussian_grid, gaussian_ring

        def arc(k, f):
            return [f(i / (k - 1)) for i in range(k)]

        def moon(side):
            return arc(
                24,
                lambda u: [
                    side * (0.7 - 1.4 * math.cos(math.pi * u)),
                    side * (0.35 - 1.4 * math.sin(math.pi * u)),
                ],
            )

        def spiral(u):
            r, a = 0.3 + 1.8 * u, 9 * u
            return [r * math.cos(a), r * math.sin(a)]

        return {
            "ring": gaussian_ring,
            "grid": partial(gaussian_grid, 5, 1.0, 0.07),
            "two moons": lambda: GaussianMixture(moon(-1) + moon(1), 0.1),
            "spiral": lambda: GaussianMixture(arc(48, spiral), 0.09),
            "one cloud": lambda: GaussianMixture([[0.6, 0.4]], 0.5),
            "drawn": lambda: GaussianMixture(self.points or [[0.0, 0.0]], 0.12),
        }[self.data]()

    def play(self, rounds: int):
        """The game after some rounds from its start, in torch and float64: ``(game, draw)``.

        ``game.modules`` has G and D; ``draw(n)`` gives n real points and n of noise, later in the stream.
        """
        import torch
        from torch import nn

        from ganlib import objectives
        from ganlib.game import gan
        from ganlib.nets import Discriminator, Generator, mlp

        stream = Stream(self.seed)
        G = Generator(mlp([2, HIDDEN, HIDDEN, 2], nn.Tanh)).double()
        D = Discriminator(nn.Sequential(mlp([2, HIDDEN, HIDDEN], nn.Tanh), nn.Tanh()), HIDDEN).double()
        with torch.no_grad():
            for net in (G, D):
                for layer in (m for m in net.modules() if isinstance(m, nn.Linear)):
                    shape = layer.weight.shape
                    layer.weight.copy_(stream.normal(*shape) / math.sqrt(shape[1]))
                    layer.bias.zero_()
        mixture = self.centres()
        means = mixture.means.double()
        if self.data == "ring":  # the angles in double precision, as the page has them
            angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
            means = 2 * torch.stack([angle.cos(), angle.sin()], 1)

        def draw(n):
            u = stream.uniform(n, 5)
            index = (u[:, 0] * len(means)).long()
            return means[index] + mixture.std * boxed(u[:, 1:]), stream.normal(n, 2)

        known = (o for o in vars(objectives).values() if isinstance(o, objectives.Objective))
        objective = next(o for o in known if o.name == self.loss)
        rates, betas = (self.rate_G, self.rate_D), (0.5, 0.99)
        game = gan(G, D, objective, self.penalties(stream), lr=rates, betas=betas)
        critic, generator = game.players
        for _ in range(rounds):
            for _ in range(self.n_critic):
                critic.move(draw(BATCH))
            generator.move(draw(BATCH))
        return game, draw

    def penalties(self, stream: "Stream") -> list:
        """What D pays beside its loss: pairs ``(weight, penalty)`` with random numbers from the stream."""
        from ganlib import penalties

        def near(D, real, fake, *, rng=None):
            return (penalties.slope(D, real + NEAR * stream.normal(*real.shape)).norm(dim=1) - 1).square()

        def on_the_way(D, real, fake, *, rng=None, one_sided=False):
            x = real + stream.uniform(len(real), 1) * (fake - real)
            excess = penalties.slope(D, x).norm(dim=1) - 1
            return (excess.relu() if one_sided else excess).square()

        return {
            "none": [],
            "R1": [(self.gamma / 2, penalties.r1)],
            "R2": [(self.gamma / 2, penalties.r2)],
            "gradient penalty": [(self.gamma, on_the_way)],
            "one-sided": [(self.gamma, partial(on_the_way, one_sided=True))],
            "DRAGAN": [(self.gamma, near)],
        }[self.penalty]

    @property
    def alt(self) -> str:
        fence = "no penalty" if self.penalty == "none" else f"the penalty {self.penalty} at {self.gamma:g}"
        return (
            f"The plane after {self._still} rounds with the {self.loss} loss and {fence}: points of the data "
            f"({self.data}) in blue, generated points in vermilion, and the level lines of the discriminator."
        )

    @property
    def _still(self) -> int:
        """Rounds before the still picture: those played, or enough to see something."""
        return min(self.rounds or 400, 2_000)

    def plot(self):
        import torch

        fig, ax = canvas(1, 4.6, 4.2)
        game, draw = self.play(self._still)
        real, z = draw(400)
        axis = torch.linspace(-2.8, 2.8, 60, dtype=torch.float64)
        with torch.no_grad():
            fake = game.modules["G"](z)
            says = game.modules["D"](torch.cartesian_prod(axis, axis)).sigmoid().reshape(60, 60).T
        ax.contour(axis, axis, says, levels=[0.2, 0.5, 0.8], colors="#009E73", linewidths=0.9)
        ax.plot(*real.T, ".", color=REAL, markersize=3)
        ax.plot(*fake.T, ".", color=FAKE, markersize=3)
        ax.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal")
        return fig

    def __repr__(self) -> str:
        return f"Gan2D({self.data}, {self.loss}, {self.penalty}, seed {self.seed}, {self.rounds} rounds)"
