"""The Dirac-GAN (Mescheder et al. 2018): objectives, penalties and noise do what theory says they do.

The data are 0, the generator is the number theta, the critic is D(x) = psi x.
"""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from ganlib.game import Game, gan
from ganlib.objectives import hinge, nonsaturating, relativistic, saturating, wasserstein
from ganlib.penalties import gradient_penalty, r1, r2


class Point(nn.Module):
    def __init__(self, theta: float = 0.0):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[theta]], dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta + 0 * z


class Slope(nn.Module):
    def __init__(self, psi: float = 0.0):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([[psi]], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.psi).squeeze(1)


def batch(n: int = 1, x: float = 0.0) -> tuple[Tensor, Tensor]:
    return torch.full((n, 1), x, dtype=torch.float64), torch.zeros(n, 1, dtype=torch.float64)


def eigenvalues(game: Game, n: int = 1) -> list[complex]:
    J = game.jacobian(batch(n), torch.Generator().manual_seed(0))
    return in_order(torch.linalg.eigvals(J).tolist())


def in_order(values) -> list[complex]:
    return sorted(values, key=lambda v: (v.real, v.imag))


FORCE = [(saturating, 0.5), (nonsaturating, 0.5), (relativistic, 0.5), (hinge, 1.0), (wasserstein, 1.0)]
EACH = pytest.mark.parametrize(("objective", "force"), FORCE, ids=[o.name for o, _ in FORCE])


@EACH
def test_every_objective_circles_at_the_speed_of_its_force(objective, force):
    assert eigenvalues(gan(Point(), Slope(), objective)) == pytest.approx(
        [-1j * force, 1j * force], abs=1e-12
    )


@EACH
@pytest.mark.parametrize("penalty", [r1, r2])
@pytest.mark.parametrize("gamma", [0.4, 3.0])
def test_r1_and_r2_damp_every_objective(objective, force, penalty, gamma):
    root = (gamma**2 / 4 - force**2 + 0j) ** 0.5
    expected = in_order([-gamma / 2 - root, -gamma / 2 + root])
    assert eigenvalues(gan(Point(), Slope(), objective, [(gamma / 2, penalty)])) == pytest.approx(
        expected, abs=1e-12
    )
    for broken in ([(gamma, penalty)], []):
        assert eigenvalues(gan(Point(), Slope(), objective, broken)) != pytest.approx(expected, abs=1e-2)


def noise_damps(game: Game, sigma: float) -> None:
    """f'' sigma^2 +- sqrt(f''^2 sigma^4 - f'^2), with f' = 1/2 and f'' = -1/4 for a cross-entropy."""
    damping = -(sigma**2) / 4
    root = (damping**2 - 1 / 4 + 0j) ** 0.5
    assert eigenvalues(game, n=200_000) == pytest.approx(in_order([damping - root, damping + root]), rel=0.02)


@pytest.mark.parametrize("objective", [saturating, nonsaturating], ids=lambda o: o.name)
@pytest.mark.parametrize("sigma", [0.7, 1.0])
def test_instance_noise_damps(objective, sigma):
    noise_damps(gan(Point(), Slope(), objective, noise=sigma), sigma)
    for broken in (0.0, sigma**2 / 2, 2**0.5 * sigma):  # none, another unit, twice the variance
        with pytest.raises(AssertionError):
            noise_damps(gan(Point(), Slope(), objective, noise=broken), sigma)


def test_instance_noise_does_not_damp_a_linear_loss():
    """f'' = 0: the noise is there and cannot help."""
    assert eigenvalues(gan(Point(), Slope(), wasserstein, noise=1.0), n=1000) == pytest.approx(
        [-1j, 1j], abs=1e-12
    )


def settled_slope(penalty, theta: float, psi: float) -> float:
    """Where the critic of a Wasserstein game ends, with data at theta and the generator at 0."""
    D = Slope(psi)
    d, _ = gan(Point(), D, wasserstein, [(10.0, penalty)], lr=(0.01, 0.01), optimizer=torch.optim.SGD).players
    for step in range(200):
        d.move(batch(x=theta), torch.Generator().manual_seed(step), step)
    return D.psi.item()


def test_the_gradient_penalty_overshoots_and_has_a_well_on_the_wrong_side():
    """Slopes 1 + theta / (2 lambda), and -1 + theta / (2 lambda), which one-sidedness removes."""
    one_sided = partial(gradient_penalty, one_sided=True)
    for theta in (0.25, 4.0):
        for penalty in (gradient_penalty, one_sided):
            assert settled_slope(penalty, theta, 1.5) == pytest.approx(1 + theta / 20, abs=1e-9)
    assert settled_slope(gradient_penalty, 0.25, -0.5) == pytest.approx(-1 + 0.25 / 20, abs=1e-9)
    assert settled_slope(one_sided, 4.0, -0.5) == pytest.approx(1 + 4.0 / 20, abs=1e-9)
