"""Each way to tell D the label is used by D; one that hides it is found out."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, softplus
from torch.nn.utils import parametrize

from ganlib.cgan import WAYS, Auxiliary, acgan, conditional_gan, constant_planes
from ganlib.data import as_float, mnist, sampler
from ganlib.game import gan
from ganlib.nets import spectral
from ganlib.objectives import nonsaturating
from ganlib.train import train


@pytest.fixture(scope="module")
def digits():
    data = mnist(subset="5k")
    return as_float(data.images), data.labels


def telling(D, digits, steps=120):
    """How often D, after some steps on right and wrong labels, tells them apart on images it has not seen."""
    images, labels = digits
    rng = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=rng)
    train_on, held_out = order[:4_000], order[4_000:]
    opt = torch.optim.Adam(D.parameters(), lr=2e-3)

    def logits(index):
        x, y = images[index], labels[index]
        wrong = (y + torch.randint(1, 10, y.shape, generator=rng)) % 10
        if isinstance(D, Auxiliary):
            log_p = D.classes(x).log_softmax(1)
            return tuple(log_p[torch.arange(len(y)), c] for c in (y, wrong))
        return D(x, y), D(x, wrong)

    for _ in range(steps):
        index = train_on[torch.randint(len(train_on), (64,), generator=rng)]
        right, wrong = logits(index)
        loss = softplus(wrong - right).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        right, wrong = logits(held_out)
    return (right > wrong).double().mean().item()


class Blind(nn.Module):
    """A broken twin: y is taken and dropped."""

    def __init__(self, D):
        super().__init__()
        self.D = D

    def forward(self, x, y):
        return self.D(x, torch.zeros_like(y))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_lets_D_tell_right_from_wrong_labels(digits, way):
    assert telling(conditional_gan(way, seed=0)[1], digits) > 0.85
    if way != "auxiliary classifier":
        assert telling(Blind(conditional_gan(way, seed=0)[1]), digits, steps=20) < 0.1, (
            "equal logits, no telling"
        )


@pytest.mark.parametrize("way", WAYS)
def test_logits_are_one_for_each_pair_and_G_is_the_same_in_all(way):
    G, D = conditional_gan(way, seed=3)
    z, y = torch.randn(5, 16), torch.arange(5)
    assert D(G(z, y), y).shape == (5,)
    other, again = conditional_gan("projection", seed=3)[0], conditional_gan(way, seed=3)[1]
    assert torch.equal(G(z, y), other(z, y))
    assert torch.equal(D(G(z, y), y), again(G(z, y), y))


def test_planes_of_a_label():
    planes = constant_planes(torch.tensor([3, 0]))
    assert planes.shape == (2, 10, 28, 28)
    assert (planes[0, 3] == 1).all()
    assert planes.sum() == 2 * 28 * 28


def test_a_way_that_does_not_exist():
    with pytest.raises(ValueError, match="there is no way 'hope' to tell D the label, expected one of: proj"):
        conditional_gan("hope")


def test_the_auxiliary_game_adds_the_cross_entropies(digits):
    images, labels = digits
    G, D = conditional_gan("auxiliary classifier", seed=0)
    x, y, z = images[::400], labels[::400], torch.randn(13, 16)
    plain = [player.loss((x, z, y)).item() for player in gan(G, D, nonsaturating).players]
    both = [player.loss((x, z, y)).item() for player in acgan(G, D, nonsaturating, weight=0.5).players]
    of_fake = cross_entropy(D.classes(G(z, y)), y).item()
    of_real = cross_entropy(D.classes(x), y).item()
    assert both[0] == pytest.approx(plain[0] + 0.5 * (of_real + of_fake), rel=1e-6)
    assert both[1] == pytest.approx(plain[1] + 0.5 * of_fake, rel=1e-6)
    assert both[1] != pytest.approx(plain[1] + 0.5 * of_real, rel=1e-6)


def test_the_auxiliary_game_trains(digits):
    data = mnist(subset="5k")
    G, D = conditional_gan("auxiliary classifier", seed=0)
    game = acgan(G, D, nonsaturating, lr=(4e-3, 2e-3), ema=0.9)
    draw = sampler(data.images, 16, 32, labels=data.labels)
    losses = [loss for _, loss in train(game, draw, 30, seed=0)]
    assert losses[-1]["D"] < losses[0]["D"] - 1


def test_a_normalised_discriminator_is_one_function_within_a_loss():
    """The power method steps once in a loss: both parts of it, and both batches, see the same weights."""
    G, D = conditional_gan("auxiliary classifier", seed=0)
    spectral(D.D.body)
    layer = next(m for m in D.D.body.modules() if parametrize.is_parametrized(m))
    x, z, y = torch.zeros(2, 1, 28, 28), torch.zeros(2, 16), torch.tensor([3, 4])

    def steps(loss):
        seen = []
        hook = layer.parametrizations.weight[0].register_forward_hook(lambda *_: seen.append(1))
        loss((x, z, y))
        hook.remove()
        return len(seen)

    game = acgan(G, D, nonsaturating)
    assert [steps(player.loss) for player in game.players] == [1, 1]
    assert steps(lambda batch: (D.classes(batch[0]), D(batch[0], y))) == 2, (
        "outside of a loss each call steps"
    )
