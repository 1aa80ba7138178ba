"""The objectives are functions of logits, without overflow, and their optima are those of the theory."""

from dataclasses import replace

import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance
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

ALL = [saturating, nonsaturating, least_squares, hinge, wasserstein, relativistic, smoothed(nonsaturating)]
EACH = pytest.mark.parametrize("objective", ALL, ids=lambda o: o.name)
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


@EACH
def test_losses_are_per_sample_and_the_generator_sees_only_fakes_unless_relativistic(objective):
    assert objective.d(LOGITS, LOGITS).shape == objective.g(LOGITS, LOGITS).shape == LOGITS.shape
    only_fakes = torch.equal(objective.g(LOGITS, LOGITS), objective.g(LOGITS + 1, LOGITS))
    assert only_fakes is (objective is not relativistic)


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


# Values and finiteness of the others.


def check_formulas(objective: Objective, d, g) -> None:
    real, fake = LOGITS, LOGITS.flip(0) / 2
    torch.testing.assert_close(objective.d(real, fake), d(real, fake))
    torch.testing.assert_close(objective.g(real, fake), g(real, fake))


ZERO, ONE = torch.zeros(33, dtype=torch.float64), torch.ones(33, dtype=torch.float64)
FORMULAS = {
    "least squares": (
        least_squares,
        lambda real, fake: 0.5 * (real - 1) ** 2 + 0.5 * (fake - 0) ** 2,
        lambda real, fake: 0.5 * (fake - 1) ** 2,
    ),
    "hinge": (
        hinge,
        lambda real, fake: -torch.minimum(ZERO, -ONE + real) - torch.minimum(ZERO, -ONE - fake),
        lambda real, fake: -fake,
    ),
    "Wasserstein": (wasserstein, lambda real, fake: -(real - fake), lambda real, fake: -fake),
    "relativistic": (
        relativistic,
        lambda real, fake: -torch.sigmoid(real - fake).log(),
        lambda real, fake: -torch.sigmoid(fake - real).log(),
    ),
    "smoothed": (
        smoothed(nonsaturating, 0.8),
        lambda real, fake: (
            -0.8 * real.sigmoid().log() - 0.2 * (1 - real.sigmoid()).log() - (1 - fake.sigmoid()).log()
        ),
        lambda real, fake: -fake.sigmoid().log(),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_papers(name):
    objective, d, g = FORMULAS[name]
    check_formulas(objective, d, g)
    swapped = Objective(lambda real, fake: objective.d(fake, real), objective.g)
    negated = Objective(objective.d, lambda real, fake: -objective.g(real, fake))
    for broken in (swapped, negated):
        with pytest.raises(AssertionError):
            check_formulas(broken, d, g)


def check_finite(objective: Objective) -> None:
    a = torch.tensor([-200.0, 200.0])
    for loss in (objective.d, objective.g):
        for real, fake in ((a, a), (a, -a)):
            assert loss(real, fake).isfinite().all()
            assert all(part.isfinite().all() for part in gradient(loss, real, fake))


@EACH
def test_extreme_logits_have_finite_losses_and_slopes(objective):
    check_finite(objective)


def test_a_relativistic_loss_that_overflows_is_caught():
    with pytest.raises(AssertionError):
        check_finite(replace(relativistic, d=lambda real, fake: -torch.sigmoid(real - fake).log()))


# Where there is a pointwise minimum: the t that minimises p l(t, real) + q l(t, generated).

P = torch.tensor([0.30, 0.25, 0.20, 0.15, 0.07, 0.03], dtype=torch.float64)
Q = torch.tensor([0.05, 0.25, 0.40, 0.02, 0.01, 0.27], dtype=torch.float64)  # equal to P at the second atom
TV = (P - Q).abs().sum() / 2


def minimisers(objective: Objective, p: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
    """Both ends of the interval of the best t at each atom, by bisection of the loss's slope, which rises."""
    ends = []
    for sign_is_low in (torch.lt, torch.le):  # the first zero of the slope, and the last
        low, high = torch.full_like(p, -31.4), torch.full_like(p, 27.2)
        for _ in range(45):  # to 2e-12
            t = (low + high) / 2
            of_real, of_fake = gradient(objective.d, t, t)
            right = sign_is_low(p * of_real + q * of_fake, 0)
            low, high = torch.where(right, t, low), torch.where(right, high, t)
        ends.append(low)
    return tuple(ends)


def check_best(objective: Objective, expected: Tensor) -> None:
    for end in minimisers(objective, P, Q):
        torch.testing.assert_close(end, expected, rtol=0, atol=1e-9)


def smooth_by(d) -> Objective:
    return replace(nonsaturating, d=d)


@pytest.mark.parametrize("objective", [saturating, nonsaturating], ids=lambda o: o.name)
def test_the_best_logit_of_a_cross_entropy_is_the_log_ratio(objective):
    check_best(objective, (P / Q).log())


def test_the_best_value_of_least_squares_is_the_share_of_real_samples():
    check_best(least_squares, P / (P + Q))
    a = P / (P + Q)
    least = P * least_squares.d(a, torch.zeros_like(a)) + Q * least_squares.d(torch.ones_like(a), a)
    torch.testing.assert_close(least, P * Q / (P + Q) / 2)


@pytest.mark.parametrize("alpha", [0.6, 0.9, 1.0])
def test_one_sided_smoothing_multiplies_the_best_probability_by_its_target(alpha):
    best = alpha * P / (P + Q)
    check_best(smoothed(saturating, alpha), best.logit())
    check_best(smoothed(nonsaturating, alpha), best.logit())
    check_best(smoothed(least_squares, alpha), best)


BROKEN_BEST = {
    "labels -1 and 1": replace(least_squares, d=lambda real, fake: (real - 1) ** 2 / 2 + (fake + 1) ** 2 / 2),
    "labels swapped": replace(least_squares, d=lambda real, fake: real**2 / 2 + (fake - 1) ** 2 / 2),
    "squares of probabilities": replace(
        least_squares, d=lambda real, fake: (real.sigmoid() - 1) ** 2 / 2 + fake.sigmoid() ** 2 / 2
    ),
    "not the same weight": replace(least_squares, d=lambda real, fake: (real - 1) ** 2 + fake**2 / 2),
}
BROKEN_SMOOTHING = {
    "none": nonsaturating,
    "the other class forgotten": smooth_by(lambda real, fake: 0.9 * softplus(-real) + softplus(fake)),
    "of the generated samples": smooth_by(lambda real, fake: softplus(-real) + softplus(fake) - 0.1 * fake),
    "of both": smooth_by(lambda real, fake: softplus(-real) + 0.1 * real + softplus(fake) - 0.1 * fake),
    "upwards": smooth_by(lambda real, fake: softplus(-real) - 0.1 * real + softplus(fake)),
}


@pytest.mark.parametrize("name", BROKEN_BEST)
def test_broken_least_squares_are_caught(name):
    with pytest.raises(AssertionError):
        check_best(BROKEN_BEST[name], P / (P + Q))


@pytest.mark.parametrize("name", BROKEN_SMOOTHING)
def test_broken_smoothing_is_caught(name):
    with pytest.raises(AssertionError):
        check_best(BROKEN_SMOOTHING[name], (0.9 * P / (P + Q)).logit())


def best_response_flow(objective: Objective, start: float) -> float:
    """Two atoms, p = (3/4, 1/4): where q's first entry goes when each step meets the best D, frozen."""
    p, u = torch.tensor([0.75, 0.25], dtype=torch.float64), torch.tensor(start, dtype=torch.float64).logit()
    for _ in range(80):
        q = torch.stack([u.sigmoid(), 1 - u.sigmoid()])
        a, _ = minimisers(objective, p, q)
        loss = objective.g(a, a)
        u = u - 6 * (loss[0] - loss[1])
    return u.sigmoid().item()


@pytest.mark.parametrize("start", [0.2, 0.8])
@pytest.mark.parametrize("objective", [least_squares, smoothed(least_squares)], ids=lambda o: o.name)
def test_least_squares_leads_the_generator_to_the_data(objective, start):
    assert best_response_flow(objective, start) == pytest.approx(0.75, abs=1e-6)


def test_the_coding_of_the_least_squares_paper_that_leads_away_is_caught():
    """Theory T10.2: with labels (-1, 1) and G's target 0 the frozen best D sends q to a corner."""
    coding = Objective(
        lambda real, fake: ((real - 1) ** 2 + (fake + 1) ** 2) / 2, lambda real, fake: fake**2 / 2
    )
    assert best_response_flow(coding, 0.8) > 0.99
    assert best_response_flow(coding, 0.2) < 0.01


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, float("nan")])
def test_a_target_outside_its_range_gives_one_clear_error(alpha):
    with pytest.raises(ValueError, match=r"alpha is .*, expected the target of real samples in \(0, 1\]"):
        smoothed(nonsaturating, alpha)


@pytest.mark.parametrize("objective", [hinge, wasserstein, relativistic], ids=lambda o: o.name)
def test_an_objective_without_a_target_cannot_be_smoothed(objective):
    with pytest.raises(
        ValueError, match=rf"'{objective.name}' has no target to smooth, expected .*: give"
    ) as e:
        smoothed(objective)
    assert "\n" not in str(e.value)
    wrong = replace(
        objective, d=lambda real, fake: objective.d(real, fake) + 0.1 * real
    )  # what it would give
    with pytest.raises(AssertionError):
        check_best(wrong, (0.9 * P / (P + Q)).logit())


# Hinge: a set of minimisers where p = q.


def check_hinge(objective: Objective) -> None:
    low, high = minimisers(objective, P, Q)
    sign = (P - Q).sign()
    for end, at_equality in ((low, -1.0), (high, 1.0)):
        torch.testing.assert_close(end, torch.where(P == Q, at_equality, sign), rtol=0, atol=1e-9)
    loss = P * objective.d(sign, -torch.ones_like(P)) + Q * objective.d(torch.ones_like(P), sign)
    torch.testing.assert_close(loss, 2 * torch.minimum(P, Q))
    torch.testing.assert_close(loss.sum(), 2 - 2 * TV)
    torch.testing.assert_close(((Q - P) * objective.g(sign, sign)).sum(), 2 * TV)


BROKEN_HINGE = {
    "one margin for both": replace(hinge, d=lambda real, fake: (1 - real + fake).relu()),
    "half the margin": replace(hinge, d=lambda real, fake: (0.5 - real).relu() + (0.5 + fake).relu()),
    "squared": replace(hinge, d=lambda real, fake: (1 - real).relu() ** 2 + (1 + fake).relu() ** 2),
    "softplus": replace(hinge, d=lambda real, fake: softplus(1 - real) + softplus(1 + fake)),
    "no margin": wasserstein,
    "labels swapped": replace(hinge, d=lambda real, fake: (1 - fake).relu() + (1 + real).relu()),
    "the generator's sign": replace(hinge, g=lambda real, fake: fake),
    "a cross-entropy's generator": replace(hinge, g=nonsaturating.g),
}


def test_hinge_has_one_best_sign_and_an_interval_where_the_laws_agree():
    assert (P == Q).sum() == 1
    check_hinge(hinge)


@pytest.mark.parametrize("name", BROKEN_HINGE)
def test_a_broken_hinge_is_caught(name):
    with pytest.raises(AssertionError):
        check_hinge(BROKEN_HINGE[name])


# Wasserstein: no pointwise minimum; the dual over functions of slope at most one.

PLACES = torch.tensor([-2.0, -1.5, 0.0, 0.7, 2.0, 4.5], dtype=torch.float64)


def check_dual(objective: Objective) -> None:
    """The least expected loss over 1-Lipschitz critics is -W1, and there G's loss spans W1."""
    K = len(PLACES)

    def expected(f: Tensor) -> Tensor:
        pairs = objective.d(f[:, None].expand(K, K).reshape(-1), f[None, :].expand(K, K).reshape(-1))
        return (P[:, None] * Q[None, :]).reshape(-1) @ pairs

    def slope_at(f: Tensor) -> Tensor:
        f = f.clone().requires_grad_()
        return torch.autograd.grad(expected(f), f)[0]

    cost = slope_at(torch.zeros(K, dtype=torch.float64))
    torch.testing.assert_close(slope_at(PLACES**2), cost)  # linear in the critic
    rows = torch.eye(K, dtype=torch.float64)
    differences = (rows[:, None] - rows[None, :]).reshape(-1, K)  # f_i - f_j <= |x_i - x_j|
    distances = (PLACES[:, None] - PLACES[None, :]).abs().reshape(-1)
    best = linprog(cost, differences, distances, bounds=[(0, 0)] + [(None, None)] * (K - 1))
    assert best.status == 0
    W1, f = wasserstein_distance(PLACES, PLACES, P, Q), torch.tensor(best.x)
    assert -expected(f).item() == pytest.approx(W1, rel=1e-9)
    assert ((Q - P) * objective.g(f, f)).sum().item() == pytest.approx(W1, rel=1e-9)


BROKEN_WASSERSTEIN = {
    "the critic's sign": replace(wasserstein, d=lambda real, fake: real - fake),
    "the generator's sign": replace(wasserstein, g=lambda real, fake: fake),
    "doubled": replace(wasserstein, d=lambda real, fake: 2 * (fake - real)),
    "of probabilities": replace(wasserstein, d=lambda real, fake: fake.sigmoid() - real.sigmoid()),
    "hinge": hinge,
    "one side only": replace(wasserstein, d=lambda real, fake: -real),
}


def test_wasserstein_is_the_dual_over_critics_of_slope_one():
    check_dual(wasserstein)


@pytest.mark.parametrize("name", BROKEN_WASSERSTEIN)
def test_a_broken_wasserstein_is_caught(name):
    with pytest.raises(AssertionError):
        check_dual(BROKEN_WASSERSTEIN[name])


# Relativistic: pairs.


def check_pairs(objective: Objective) -> None:
    """Best are log(p / q) + c, and no others; the loss is then log 2 - JSD(p x q, q x p)."""
    K = len(P)

    def expected(a: Tensor) -> Tensor:
        pairs = objective.d(a[:, None].expand(K, K).reshape(-1), a[None, :].expand(K, K).reshape(-1))
        return (P[:, None] * Q[None, :]).reshape(-1) @ pairs

    joint = P[:, None] * Q[None, :]
    mean = (joint + joint.T) / 2
    JSD = ((joint * (joint / mean).log()).sum() + (joint.T * (joint.T / mean).log()).sum()) / 2
    for c in (-3.0, 0.0, 2.0):
        a = ((P / Q).log() + c).requires_grad_()
        torch.testing.assert_close(
            expected(a).detach(), torch.tensor(2.0).log().double() - JSD, rtol=1e-7, atol=0
        )
        assert torch.autograd.grad(expected(a), a)[0].abs().max() < 1e-12
        bend = torch.linalg.eigvalsh(torch.autograd.functional.hessian(expected, a.detach()))
        assert bend[0].abs() < 1e-12, "a common constant changes nothing"
        assert bend[1] > 1e-3, "anything else does"
    torch.testing.assert_close(
        objective.g(LOGITS, LOGITS**2), objective.d(LOGITS**2, LOGITS)
    )  # roles exchanged


BROKEN_PAIRS = {
    "not relative": nonsaturating,
    "against the mean": replace(
        relativistic,
        d=lambda real, fake: (softplus(fake.mean() - real) + softplus(fake - real.mean())) / 2,
    ),
    "swapped": replace(relativistic, d=relativistic.g),
    "linear": wasserstein,
    "doubled": replace(relativistic, d=lambda real, fake: 2 * softplus(fake - real)),
    "zero-sum generator": replace(relativistic, g=lambda real, fake: -softplus(fake - real)),
}


def test_relativistic_compares_pairs():
    check_pairs(relativistic)


@pytest.mark.parametrize("name", BROKEN_PAIRS)
def test_a_broken_relativistic_loss_is_caught(name):
    with pytest.raises(AssertionError):
        check_pairs(BROKEN_PAIRS[name])
