"""The objectives are functions of logits that neither overflow nor go flat where they must not."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganlib.objectives import (
    Objective,
    hinge,
    least_squares,
    nonsaturating,
    relativistic,
    saturating,
    smoothed,
    wasserstein,
)

BOTH = pytest.mark.parametrize("objective", [saturating, nonsaturating], ids=lambda o: o.name)
LOGITS = torch.linspace(-8, 8, 33, dtype=torch.float64)


def gradient(loss, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    return torch.autograd.grad(loss(real, fake).sum(), (real, fake), materialize_grads=True)


def check_values(objective: Objective, g_of_probability) -> None:
    real, fake = LOGITS, LOGITS.flip(0) / 2
    D_real, D_fake = real.sigmoid(), fake.sigmoid()
    torch.testing.assert_close(objective.d(real, fake), -D_real.log() - (1 - D_fake).log())
    torch.testing.assert_close(objective.g(real, fake), g_of_probability(D_fake))


def check_extremes(objective: Objective, slope_at_minus_200: float, slope_at_plus_200: float) -> None:
    """The generator's slope in the logit, T5.4: -sigma(a) when saturating, sigma(a) - 1 when not."""
    a = torch.tensor([-200.0, 200.0])
    for loss in (objective.d, objective.g):
        assert loss(a, a).isfinite().all()
        assert loss(a, -a).isfinite().all()
        assert all(part.isfinite().all() for part in gradient(loss, a, a))
    _, slope = gradient(objective.g, a, a)
    assert slope.tolist() == pytest.approx([slope_at_minus_200, slope_at_plus_200], abs=1e-30)


def test_values_are_those_of_the_formulas():
    check_values(saturating, lambda D: (1 - D).log())
    check_values(nonsaturating, lambda D: -D.log())


def test_the_minimax_game_has_zero_sum():
    """What G minimises of D's loss is its negative: their slopes in the fake logit cancel."""
    _, of_d = gradient(saturating.d, LOGITS, LOGITS)
    _, of_g = gradient(saturating.g, LOGITS, LOGITS)
    assert torch.equal(of_d, -of_g)
    assert not torch.allclose(gradient(nonsaturating.g, LOGITS, LOGITS)[1], -of_d)


@BOTH
def test_losses_are_per_sample_and_the_generator_sees_only_fakes(objective):
    assert objective.d(LOGITS, LOGITS).shape == objective.g(LOGITS, LOGITS).shape == LOGITS.shape
    assert torch.equal(objective.g(LOGITS, LOGITS), objective.g(LOGITS + 1, LOGITS))


@BOTH
def test_the_discriminator_is_at_rest_where_it_cannot_tell(objective):
    real, fake = gradient(objective.d, torch.zeros(1), torch.zeros(1))
    assert real.item() == -0.5
    assert fake.item() == 0.5


def test_extreme_logits():
    check_extremes(saturating, 0.0, -1.0)
    check_extremes(nonsaturating, -1.0, 0.0)


def test_slopes_of_the_two_generator_losses_have_ratio_e_to_the_a():
    _, saturates = gradient(saturating.g, LOGITS, LOGITS)
    _, does_not = gradient(nonsaturating.g, LOGITS, LOGITS)
    torch.testing.assert_close(saturates / does_not, LOGITS.exp())


EPS = 1e-8
BROKEN = {
    "log(sigmoid + eps)": Objective(saturating.d, lambda real, fake: -(torch.sigmoid(fake) + EPS).log()),
    "log(sigmoid)": Objective(saturating.d, lambda real, fake: -torch.sigmoid(fake).log()),
    "clamped logit": Objective(saturating.d, lambda real, fake: softplus(-fake.clamp(-50, 50))),
    "the other loss": saturating,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_nonsaturating_loss_is_caught(name):
    with pytest.raises(AssertionError):
        check_extremes(BROKEN[name], -1.0, 0.0)


def test_swapped_labels_and_a_wrong_sign_are_caught():
    swapped = Objective(lambda real, fake: softplus(real) + softplus(-fake), nonsaturating.g)
    negated = Objective(nonsaturating.d, lambda real, fake: softplus(fake))
    for broken in (swapped, negated):
        with pytest.raises(AssertionError):
            check_values(broken, lambda D: -D.log())


# Each loss against its theory. p and q are masses of atoms; a critic is one number for each atom.

P = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
Q = torch.tensor([0.1, 0.3, 0.2, 0.4], dtype=torch.float64)
GRID = torch.linspace(-3, 3, 6001, dtype=torch.float64)


def best(objective: Objective) -> Tensor:
    """The critic's best number at each atom, by search: the expected loss splits into the atoms."""
    zero = torch.zeros_like(GRID)
    at_real = objective.d(GRID, zero) - objective.d(zero, zero)
    at_fake = objective.d(zero, GRID) - objective.d(zero, zero)
    return GRID[(P[:, None] * at_real + Q[:, None] * at_fake).argmin(1)]


def least(objective: Objective) -> float:
    """D's expected loss at its best critic."""
    critic = best(objective)
    return (
        P @ objective.d(critic, critic.new_zeros(4)) + Q @ objective.d(critic.new_zeros(4), critic)
    ).item()


def close(critic: Tensor, expected: Tensor) -> bool:
    return torch.allclose(critic, expected, atol=2e-3)


def test_cross_entropy_smoothed_and_not():
    assert close(best(nonsaturating).sigmoid(), P / (P + Q))
    assert close(best(smoothed(alpha=0.9)).sigmoid(), 0.9 * P / (P + Q))
    assert not close(best(nonsaturating).sigmoid(), 0.9 * P / (P + Q))
    real = LOGITS
    torch.testing.assert_close(
        smoothed(alpha=0.7).d(real, real),
        0.7 * softplus(-real) + 0.3 * softplus(real) + softplus(real),
    )
    assert smoothed(saturating).g is saturating.g
    for alpha in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="alpha is"):
            smoothed(alpha=alpha)


def test_smoothing_both_sides_moves_the_optimum_elsewhere():
    two_sided = Objective(lambda a, b: nonsaturating.d(a, b) + 0.1 * a - 0.1 * b, nonsaturating.g)
    assert close(best(two_sided).sigmoid(), (0.9 * P + 0.1 * Q) / (P + Q))
    assert not close(best(two_sided).sigmoid(), 0.9 * P / (P + Q))


def test_least_squares_says_the_share_and_other_codings_do_not():
    """D* = p/(p+q) as a value; the targets (-1, 1) give (p-q)/(p+q) (Mao et al. 2017, equation 5)."""
    other = Objective(lambda a, b: ((a - 1).square() + (b + 1).square()) / 2, lambda a, b: b.square() / 2)
    assert close(best(least_squares), P / (P + Q))
    assert close(best(other), (P - Q) / (P + Q))
    assert not close(best(other), P / (P + Q))


def frozen(objective: Objective, critic) -> float:
    """Where a generator of two atoms, p = (3/4, 1/4), ends by best responses from q = (0.8, 0.2)."""
    p, q = torch.tensor([0.75, 0.25], dtype=torch.float64), torch.tensor([0.8, 0.2], dtype=torch.float64)
    for _ in range(4000):
        loss = objective.g(critic(p, q), critic(p, q))
        q = q * torch.exp(-0.1 * loss)
        q = q / q.sum()
    return q[0].item()


def test_the_coding_decides_whether_the_generator_finds_the_data():
    other = Objective(least_squares.d, lambda a, b: b.square() / 2)
    assert frozen(least_squares, lambda p, q: p / (p + q)) == pytest.approx(0.75, abs=5e-3)
    assert frozen(other, lambda p, q: (p - q) / (p + q)) > 0.99


def test_hinge_has_a_set_of_minimisers_where_the_laws_agree():
    """sign(p - q); where p = q any number in [-1, 1] does. The least loss is 2 - 2 TV."""
    critic = best(hinge)
    assert torch.equal(critic[[0, 2, 3]].sign(), (P - Q)[[0, 2, 3]].sign())
    assert critic[[0, 2, 3]].abs().sub(1).abs().max() < 1e-3
    both = P[1] * (hinge.d(GRID, GRID))  # p = q at the second atom
    flat = GRID[both <= both.min() + 1e-9]
    assert flat.min().item() == pytest.approx(-1, abs=2e-3)
    assert flat.max().item() == pytest.approx(1, abs=2e-3)
    tv = (P - Q).abs().sum().item() / 2
    assert least(hinge) == pytest.approx(2 - 2 * tv + 2, abs=1e-2)  # the zeros beside add 1 + 1
    narrow = Objective(lambda a, b: torch.relu(0.5 - a) + torch.relu(0.5 + b), hinge.g)
    assert best(narrow)[0].item() == pytest.approx(0.5, abs=2e-3), "the control: another margin shows"


def test_wasserstein_is_the_distance_on_a_lipschitz_family():
    """Atoms at 0, 1, 2, 3: the dual over slopes of at most one is the summed difference of the cdfs."""
    cdf = (P - Q).cumsum(0)
    critic = torch.cat([torch.zeros(1).double(), -cdf[:-1].sign()]).cumsum(0)  # the best slope between atoms
    value = -(P @ wasserstein.d(critic, critic * 0) + Q @ wasserstein.d(critic * 0, critic)).item()
    assert value == pytest.approx(cdf.abs().sum().item(), abs=1e-12)
    rng = torch.Generator().manual_seed(0)
    for _ in range(200):
        other = torch.cat([torch.zeros(1), 2 * torch.rand(3, generator=rng) - 1]).double().cumsum(0)
        assert -(P @ -other + Q @ other).item() <= value + 1e-12
    steep = 2 * critic
    assert -(P @ -steep + Q @ steep).item() > value, (
        "the control: a steeper critic claims more than the distance"
    )


def test_relativistic_sees_differences_of_pairs_only():
    real, fake = LOGITS, LOGITS.flip(0) / 2
    for loss in (relativistic.d, relativistic.g):
        torch.testing.assert_close(loss(real + 5, fake + 5), loss(real, fake))
    torch.testing.assert_close(relativistic.d(real, fake), relativistic.g(fake, real))
    assert not torch.allclose(nonsaturating.d(real + 5, fake + 5), nonsaturating.d(real, fake))
    # At its best the difference is a log-odds: of pairs (i, j), drawn p_i q_j or p_j q_i, which order is it?
    i, j = 0, 3
    odds = P[i] * Q[j] / (P[j] * Q[i])
    loss = P[i] * Q[j] * relativistic.d(GRID, GRID * 0) + P[j] * Q[i] * relativistic.d(GRID * 0, GRID)
    assert GRID[loss.argmin()].item() == pytest.approx(min(odds.log().item(), 3), abs=2e-3)
    wrong = P[i] * Q[j] * relativistic.g(GRID, GRID * 0) + P[j] * Q[i] * relativistic.g(GRID * 0, GRID)
    assert GRID[wrong.argmin()].item() == -3, "the control: with the pair exchanged it runs the other way"


@pytest.mark.parametrize("objective", [hinge, least_squares, relativistic, wasserstein], ids=lambda o: o.name)
def test_the_others_give_a_loss_for_each_pair_and_stay_finite(objective):
    a = torch.tensor([-200.0, 0.0, 200.0])
    for loss in (objective.d, objective.g):
        assert loss(a, a.flip(0)).shape == (3,)
        assert all(part.isfinite().all() for part in gradient(loss, a, a.flip(0)))
