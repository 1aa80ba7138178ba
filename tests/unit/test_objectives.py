"""The objectives are functions of logits that neither overflow nor go flat where they must not."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganlib.objectives import Objective, nonsaturating, saturating

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
