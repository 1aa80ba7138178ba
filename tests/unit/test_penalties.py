"""Penalties against exact values: the slope of <w, x> + b is w, everywhere."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from ganlib.penalties import gradient_penalty, r1, slope

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


def check_r1(penalty) -> None:
    real, fake = samples()
    D = Linear(weights())
    value = penalty(D, real, fake)
    torch.testing.assert_close(value, D.w.detach().square().sum().expand(5))
    value.mean().backward()
    torch.testing.assert_close(D.w.grad, 2 * D.w.detach())  # d|w|^2/dw
    torch.testing.assert_close(penalty(Quadratic(), real, fake), real.flatten(1).square().sum(1))


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


def test_slope_is_the_gradient_of_each_sample():
    real, _ = samples()
    torch.testing.assert_close(slope(Quadratic(), real), real.flatten(1))
    assert not real.requires_grad, "the caller's tensor is left as it was"
    assert slope(lambda x: x**2, torch.ones(3)).tolist() == [[2.0]] * 3  # samples that are numbers


def test_slope_at_a_generated_sample_keeps_its_tie_to_the_generator():
    theta = torch.tensor([[3.0]], requires_grad=True)
    value = slope(lambda x: x.square().sum(1) / 2, theta * 1).square().sum()
    assert torch.autograd.grad(value, theta)[0].item() == 6.0


def test_r1_exactly():
    check_r1(r1)


def test_gradient_penalty_exactly():
    check_gradient_penalty(gradient_penalty)
    check_gradient_penalty(partial(gradient_penalty, one_sided=True), one_sided=True)
    check_places(gradient_penalty)


def test_randomness_comes_from_the_generator_that_was_passed():
    real, fake = samples()
    draws = [
        gradient_penalty(Quadratic(), real, fake, rng=torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    state = torch.get_rng_state()
    gradient_penalty(Quadratic(), real, fake, rng=torch.Generator().manual_seed(0))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(state, torch.get_rng_state())


def test_a_flat_critic_has_finite_penalty_and_gradient():
    real, fake = samples()
    D = Linear(torch.zeros(SHAPE, dtype=torch.float64))
    gradient_penalty(D, real, fake, rng=torch.Generator().manual_seed(0)).mean().backward()
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


@pytest.mark.parametrize("name", BROKEN_R1)
def test_a_broken_r1_is_caught(name):
    with pytest.raises((AssertionError, RuntimeError)):
        check_r1(BROKEN_R1[name])


@pytest.mark.parametrize("name", BROKEN_NORM)
def test_a_broken_norm_is_caught(name):
    with pytest.raises((AssertionError, RuntimeError)):
        check_gradient_penalty(BROKEN_NORM[name])


@pytest.mark.parametrize("name", BROKEN_PLACE)
def test_a_broken_place_is_caught(name):
    with pytest.raises(AssertionError):
        check_places(BROKEN_PLACE[name])
