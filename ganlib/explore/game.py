"""The live figure of chapter 8: the game of two point masses, step by step, and the eigenvalues of a step."""

from functools import partial

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import FAKE, OTHER, REAL, Figure, canvas

LOSSES = ("saturating", "non-saturating", "least squares", "Wasserstein")
METHODS = ("simultaneous", "alternating", "implicit", "extragradient", "optimistic", "consensus")


class DiracGame(Figure):
    """The data is the point 0, the generator the point theta, the discriminator's logit psi x.

    With least squares the discriminator is 1/2 + psi x, so that (0, 0) is the equilibrium of each loss
    (Mescheder, Geiger and Nowozin 2018, section 2). The Wasserstein loss is the bilinear game. The figure
    shows a path in the plane of theta and psi, the eigenvalues of one step at the equilibrium, and the factor
    and the turn of a step, derived from them and measured on the game.

    Everything is a trait that can be read, set and observed from Python.

    Args:
        loss: One of ``"saturating"``, ``"non-saturating"``, ``"least squares"``, ``"Wasserstein"``.
        method: How both players step: ``"simultaneous"``, ``"alternating"`` (the discriminator first),
            ``"implicit"``, ``"extragradient"``, ``"optimistic"``, or ``"consensus"`` with weight 1.
        eta: Step size of both players, 0.01 to 1.5.
        gamma: Weight of R1, which is half of it times the squared slope of the logit, 0 to 3.
        steps: Rounds drawn, 1 to 400.
        theta0: Where the generator starts, -2.5 to 2.5.
        psi0: Where the discriminator starts, likewise.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
    """

    _esm = script("game")

    _module = t.Unicode("game").tag(sync=True)
    loss = t.Enum(LOSSES, "saturating").tag(sync=True)
    method = t.Enum(METHODS, "simultaneous").tag(sync=True)
    eta = t.Float(0.3, min=0.01, max=1.5).tag(sync=True)
    gamma = t.Float(0.0, min=0.0, max=3.0).tag(sync=True)
    steps = t.Int(100, min=1, max=400).tag(sync=True)
    theta0 = t.Float(1.0, min=-2.5, max=2.5).tag(sync=True)
    psi0 = t.Float(0.0, min=-2.5, max=2.5).tag(sync=True)

    def game(self):
        """The same game as ``ganlib`` plays it: a ``Game`` whose parameters come in the order psi, theta."""
        import torch
        from torch import nn

        from ganlib import objectives
        from ganlib.game import gan
        from ganlib.penalties import r1

        def number() -> nn.Parameter:
            return nn.Parameter(torch.zeros((), dtype=torch.float64))

        class Point(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.theta = number()

            def forward(self, z):
                return self.theta + 0 * z

        class Slope(nn.Module):
            def __init__(self, level: float) -> None:
                super().__init__()
                self.psi, self.level = number(), level

            def forward(self, x):
                return (self.level + self.psi * x).squeeze(1)

        objective = getattr(objectives, self.loss.replace("non-", "non").replace(" ", "_").lower())
        D = Slope(0.5 if self.loss == "least squares" else 0.0)
        rates, sgd = (self.eta, self.eta), torch.optim.SGD
        return gan(Point(), D, objective, [(self.gamma / 2, r1)], lr=rates, optimizer=sgd)

    def field(self):
        """Functions from a point (theta, psi) to its velocity, (2,), and to its Jacobian, (2, 2)."""
        import torch

        game, zero = self.game(), torch.zeros(1, 1, dtype=torch.float64)
        psi, theta = (p for player in game.players for p in player.params)

        def at(of, z):
            with torch.no_grad():
                theta.copy_(z[0])
                psi.copy_(z[1])
            return of((zero, zero)).flip(list(range(1 + (of == game.jacobian))))

        return partial(at, game.field), partial(at, game.jacobian)

    def path(self) -> list[list[float]]:
        """The points (theta, psi) from the start on, as ``ganlib``'s own game gives them."""
        import torch

        v, J = self.field()
        eta, one = self.eta, torch.eye(2, dtype=torch.float64)

        def implicit(z, old):
            w = z
            for _ in range(20):  # Newton's method for w = z + eta v(w)
                w = w - torch.linalg.solve(one - eta * J(w), w - z - eta * v(w))
            return w

        def alternating(z, old):
            z = z + eta * one[1] * v(z)
            return z + eta * one[0] * v(z)

        step = {
            "simultaneous": lambda z, old: z + eta * v(z),
            "alternating": alternating,
            "implicit": implicit,
            "extragradient": lambda z, old: z + eta * v(z + eta * v(z)),
            "optimistic": lambda z, old: z + eta * (2 * v(z) - v(old)),
            "consensus": lambda z, old: z + eta * (v(z) - J(z).T @ v(z)),
        }[self.method]
        z = old = torch.tensor([self.theta0, self.psi0], dtype=torch.float64)
        points = [z]
        for _ in range(self.steps):
            if z.norm() >= 1e3:
                break
            z, old = step(z, old), z
            points.append(z)
        return torch.stack(points).tolist()

    def eigenvalues(self) -> list[complex]:
        """The eigenvalues of one step at the equilibrium, from the Jacobian of ``ganlib``'s own game."""
        import torch

        J = self.field()[1](torch.zeros(2, dtype=torch.float64))
        one, none, eta = torch.eye(2, dtype=torch.float64), torch.zeros_like(J), self.eta
        step = {
            "simultaneous": lambda: one + eta * J,
            "alternating": lambda: (one + eta * one[0].diag() @ J) @ (one + eta * one[1].diag() @ J),
            "implicit": lambda: torch.linalg.inv(one - eta * J),
            "extragradient": lambda: one + eta * J @ (one + eta * J),
            "optimistic": lambda: torch.cat(
                [torch.cat([one + 2 * eta * J, -eta * J], 1), torch.cat([one, none], 1)]
            ),
            "consensus": lambda: one + eta * (J - J.T @ J),
        }[self.method]()
        return torch.linalg.eigvals(step).tolist()

    @property
    def radius(self) -> float:
        """The largest modulus of an eigenvalue: the factor of the distance in one step, in the long run."""
        return max(map(abs, self.eigenvalues()))

    @property
    def alt(self) -> str:
        radius = self.radius
        way = "away from" if radius > 1 + 1e-9 else "towards" if radius < 1 - 1e-9 else "round"
        return (
            f"Left: {self.steps} {self.method} steps of {self.eta:g} with the {self.loss} loss and penalty "
            f"{self.gamma:g} lead {way} the equilibrium in the plane of theta and psi. Right: eigenvalues "
            f"of one step beside the unit circle; the largest modulus is {radius:.4f}."
        )

    def plot(self):
        fig, (left, right) = canvas(2, height=3.2)
        theta, psi = zip(*self.path(), strict=True)
        left.plot(theta, psi, ".-", color=FAKE, lw=1, ms=3)
        left.plot(0, 0, "o", color=REAL, ms=5)
        left.plot(self.theta0, self.psi0, "o", color="black", ms=7)
        left.set(xlabel="theta (generator)", ylabel="psi (discriminator)", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
        values = self.eigenvalues()
        edge = max(1.3, 1.1 * max(map(abs, values)))
        from matplotlib.patches import Circle

        right.add_patch(Circle((0, 0), 1, fill=False, ls="--", color="black", lw=1))
        right.plot([e.real for e in values], [e.imag for e in values], "o", color=OTHER)
        right.set(xlabel="real part", ylabel="imaginary part", xlim=(-edge, edge), ylim=(-edge, edge))
        right.set_title("eigenvalues of one step", fontsize=9)
        for ax in (left, right):
            ax.set_aspect("equal")
        return fig

    def __repr__(self) -> str:
        return (
            f"DiracGame({self.loss}, {self.method}, eta={self.eta:g}, gamma={self.gamma:g}, "
            f"start ({self.theta0:g}, {self.psi0:g}))"
        )
