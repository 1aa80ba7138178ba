"""Penalties against exact values: the slope of <w, x> + b is w, everywhere."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from ganlib.penalties import dragan, gradient_penalty, r1, r2, slope

SHAPE = (2, 3, 4)  # one sample; three axes, so that a norm over the wrong ones shows


class Linear(nn.Module):
    """D(x) = <w, x> + 3, whose slope is w at each x."""

    def __init__(self, w: Tensor):
        super().__init__()
        self.w = nn.Parameter(w.clone())

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.w).flatten(1).sum(1) + 3


class Quadratic(nn.Module):
    """D(x) = |x|^2 / 2, whose slope at x is x."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().flatten(1).sum(1) / 2


def samples(n: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, *SHAPE, generator=rng, dtype=torch.float64) for _ in range(2))


def weights() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


RANDOM = pytest.mark.parametrize("penalty", [gradient_penalty, dragan])


def check_r1(penalty, at_fakes: bool = False) -> None:
    real, fake = samples()
    x = fake if at_fakes else real
    D = Linear(weights())
    value = penalty(D, real, fake)
    torch.testing.assert_close(value, D.w.detach().square().sum().expand(5))
    value.mean().backward()
    torch.testing.assert_close(D.w.grad, 2 * D.w.detach())  # d|w|^2/dw
    torch.testing.assert_close(penalty(Quadratic(), real, fake), x.flatten(1).square().sum(1))


def check_gradient_penalty(penalty, one_sided: bool = False) -> None:
    real, fake = samples()
    for scale in (0.1, 10.0):
        D = Linear(scale * weights() / weights().norm())
        value = penalty(D, real, fake, rng=torch.Generator().manual_seed(0))
        w = D.w.detach()
        excess = max(scale - 1, 0) if one_sided else scale - 1
        torch.testing.assert_close(value, torch.full((5,), excess**2, dtype=torch.float64))
        value.mean().backward()
        torch.testing.assert_close(D.w.grad, 2 * excess * w / w.norm())  # d(|w| - 1)^2/dw


def check_places(penalty) -> None:
    """For D = |x|^2 / 2 the norm of the slope is |x|: with fake = -real it shows where x lies."""
    real = torch.full((4000, *SHAPE), 1 / 24**0.5, dtype=torch.float64)  # norm 1
    value = penalty(Quadratic(), real, -real, rng=torch.Generator().manual_seed(0))
    place = 1 - value.sqrt()  # |1 - 2t|, uniform on [0, 1] when t is
    assert place.unique().numel() > 3900, "each sample has its own place"
    assert 0.48 < place.mean() < 0.52
    assert 0.30 < (place**2).mean() < 0.36


def check_noise(penalty, sigma: float = 0.5) -> None:
    """The points where the slope is taken: real samples plus N(0, sigma^2) in every coordinate of each."""
    points = []

    def spy(x: Tensor) -> Tensor:
        points.append(x.detach())
        return x.flatten(1).sum(1)

    real, fake = samples(400)
    penalty(spy, real, fake, rng=torch.Generator().manual_seed(0))
    (x,) = points
    delta = (x - real) / sigma
    assert delta.unique().numel() == delta.numel(), "each coordinate of each sample has its own noise"
    assert abs(delta.mean()) < 0.05
    assert 0.97 < delta.std() < 1.03
    assert 2.7 < (delta**4).mean() / (delta**2).mean() ** 2 < 3.3, "Gaussian"


def test_slope_is_the_gradient_of_each_sample():
    real, _ = samples()
    torch.testing.assert_close(slope(Quadratic(), real), real.flatten(1))
    assert not real.requires_grad, "the caller's tensor is left as it was"
    assert slope(lambda x: x**2, torch.ones(3)).tolist() == [[2.0]] * 3  # samples that are numbers


def test_slope_at_a_generated_sample_keeps_its_tie_to_the_generator():
    theta = torch.tensor([[3.0]], requires_grad=True)
    value = slope(lambda x: x.square().sum(1) / 2, theta * 1).square().sum()
    assert torch.autograd.grad(value, theta)[0].item() == 6.0


def test_r1_and_r2_exactly():
    check_r1(r1)
    check_r1(r2, at_fakes=True)


def test_r2_at_a_generated_sample_depends_on_the_generator():
    theta = torch.tensor([[3.0]], requires_grad=True)
    value = r2(lambda x: x.square().sum(1) / 2, torch.zeros(1, 1), theta * 1).sum()
    assert torch.autograd.grad(value, theta)[0].item() == 6.0


def test_dragan_exactly():
    check_gradient_penalty(dragan)
    check_noise(dragan)
    check_noise(partial(dragan, sigma=2.0), sigma=2.0)


def test_gradient_penalty_exactly():
    check_gradient_penalty(gradient_penalty)
    check_gradient_penalty(partial(gradient_penalty, one_sided=True), one_sided=True)
    check_places(gradient_penalty)


def check_keyed(penalty) -> None:
    real, fake = samples()
    state = torch.get_rng_state()
    draws = [penalty(Quadratic(), real, fake, rng=torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(state, torch.get_rng_state())


@RANDOM
def test_randomness_comes_from_the_generator_that_was_passed(penalty):
    check_keyed(penalty)
    with pytest.raises(AssertionError):
        check_keyed(lambda D, real, fake, rng: penalty(D, real, fake))  # torch's global generator


@RANDOM
def test_a_flat_critic_has_finite_penalty_and_gradient(penalty):
    real, fake = samples()
    D = Linear(torch.zeros(SHAPE, dtype=torch.float64))
    penalty(D, real, fake, rng=torch.Generator().manual_seed(0)).mean().backward()
    assert D.w.grad.isfinite().all()


def raw_slope(D, x, create_graph=True):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(D(x).sum(), x, create_graph=create_graph)[0]


def between(real, fake, rng, shape=None):
    t = torch.rand(shape or (len(real), 1, 1, 1), generator=rng, dtype=real.dtype)
    return real + t * (fake - real)


BROKEN_R1 = {
    "no create_graph": lambda D, real, fake, rng=None: raw_slope(D, real, False).flatten(1).square().sum(1),
    "mean over coordinates": lambda D, real, fake, rng=None: raw_slope(D, real).flatten(1).square().mean(1),
    "not squared": lambda D, real, fake, rng=None: raw_slope(D, real).flatten(1).norm(dim=1),
    "at the fakes": lambda D, real, fake, rng=None: r1(D, fake, real),
    "already halved": lambda D, real, fake, rng=None: r1(D, real, fake) / 2,
    "one number for the batch": lambda D, real, fake, rng=None: r1(D, real, fake).mean(),
}
BROKEN_R2 = {
    "at the reals": r1,
    "detached from D": lambda D, real, fake, rng=None: raw_slope(D, fake, False).flatten(1).square().sum(1),
    "not squared": lambda D, real, fake, rng=None: raw_slope(D, fake).flatten(1).norm(dim=1),
    "between": lambda D, real, fake, rng=None: r2(D, real, (real + fake) / 2),
}
BROKEN_NORM = {
    "norm over channels only": lambda D, real, fake, rng: (
        (raw_slope(D, between(real, fake, rng)).norm(dim=1) - 1).square().flatten(1).mean(1)
    ),
    "norm over the batch": lambda D, real, fake, rng: (
        (raw_slope(D, between(real, fake, rng)).norm() - 1).square().expand(len(real))
    ),
    "no create_graph": lambda D, real, fake, rng: (
        raw_slope(D, between(real, fake, rng), False).flatten(1).norm(dim=1) - 1
    ).square(),
    "squared norm": lambda D, real, fake, rng: (
        raw_slope(D, between(real, fake, rng)).flatten(1).square().sum(1) - 1
    ).square(),
    "one-sided": partial(gradient_penalty, one_sided=True),
}
BROKEN_PLACE = {
    "one place for the batch": lambda D, real, fake, rng: (
        raw_slope(D, between(real, fake, rng, (1, 1, 1, 1))).flatten(1).norm(dim=1) - 1
    ).square(),
    "a place for each pixel": lambda D, real, fake, rng: (
        raw_slope(D, between(real, fake, rng, real.shape)).flatten(1).norm(dim=1) - 1
    ).square(),
    "at the real samples": lambda D, real, fake, rng: (slope(D, real).norm(dim=1) - 1).square(),
}


def at(point):
    """(|slope| - 1)^2 where ``point(real, fake, rng)`` says."""
    return lambda D, real, fake, rng: (slope(D, point(real, fake, rng)).norm(dim=1) - 1).square()


def gaussian(rng, *shape) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=torch.float64)


BROKEN_NOISE = {
    "none": at(lambda real, fake, rng: real),
    "at the fakes": at(lambda real, fake, rng: fake + 0.5 * gaussian(rng, *real.shape)),
    "one for the batch": at(lambda real, fake, rng: real + 0.5 * gaussian(rng, 1, *SHAPE)),
    "one for all pixels": at(lambda real, fake, rng: real + 0.5 * gaussian(rng, len(real), 1, 1, 1)),
    "uniform": at(
        lambda real, fake, rng: real + 0.5 * 12**0.5 * (torch.rand(real.shape, generator=rng).double() - 0.5)
    ),
    "of variance sigma": at(lambda real, fake, rng: real + 0.5**0.5 * gaussian(rng, *real.shape)),
    "between real and fake": gradient_penalty,
}


@pytest.mark.parametrize("name", BROKEN_R1)
def test_a_broken_r1_is_caught(name):
    with pytest.raises((AssertionError, RuntimeError)):
        check_r1(BROKEN_R1[name])


@pytest.mark.parametrize("name", BROKEN_NORM)
def test_a_broken_norm_is_caught(name):
    with pytest.raises((AssertionError, RuntimeError)):
        check_gradient_penalty(BROKEN_NORM[name])


def test_a_one_sided_penalty_with_two_sides_is_caught():
    with pytest.raises(AssertionError):
        check_gradient_penalty(gradient_penalty, one_sided=True)


@pytest.mark.parametrize("name", BROKEN_PLACE)
def test_a_broken_place_is_caught(name):
    with pytest.raises(AssertionError):
        check_places(BROKEN_PLACE[name])


@pytest.mark.parametrize("name", BROKEN_R2)
def test_a_broken_r2_is_caught(name):
    with pytest.raises((AssertionError, RuntimeError)):
        check_r1(BROKEN_R2[name], at_fakes=True)


@pytest.mark.parametrize("name", BROKEN_NOISE)
def test_broken_noise_of_dragan_is_caught(name):
    with pytest.raises(AssertionError):
        check_noise(BROKEN_NOISE[name])
