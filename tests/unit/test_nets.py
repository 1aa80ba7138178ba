"""The networks have the shapes they promise, and their weights come from their seed alone."""

from functools import partial

import pytest
import torch
from torch import nn

from ganlib.nets import conv_gan, mlp, mlp_gan

MAKERS = pytest.mark.parametrize("make", [mlp_gan, conv_gan])


def weights(*modules: nn.Module) -> torch.Tensor:
    return torch.cat([p.flatten() for module in modules for p in module.parameters()])


@MAKERS
@pytest.mark.parametrize("n_classes", [None, 10])
def test_shapes_and_range(make, n_classes):
    G, D = make(z_dim=16, n_classes=n_classes)
    y = () if n_classes is None else (torch.tensor([0, 5, 9]),)
    x = G(torch.randn(3, 16, generator=torch.Generator().manual_seed(0)), *y)
    assert x.shape == (3, 1, 28, 28)
    assert x.abs().max() <= 1
    assert D(x, *y).shape == (3,)
    assert D(1000 * x, *y).abs().max() > 1, "logits, not probabilities"


@MAKERS
def test_each_sample_is_judged_by_itself(make):
    """No BatchNorm: the other samples of a batch change nothing, for G and for D."""
    G, D = make()
    z = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    for f, batch in ((G, z), (D, G(z).detach())):
        torch.testing.assert_close(f(batch)[:1], f(batch[:1]))
    broken = nn.Sequential(nn.BatchNorm1d(64), G)
    assert not torch.allclose(broken(z)[:2], broken(z[:2]), rtol=1e-2)


@MAKERS
def test_labels_change_the_image_and_the_logit(make):
    G, D = make(n_classes=10)
    z, y = torch.randn(2, 64), torch.tensor([3, 3])
    assert not torch.equal(G(z, y), G(z, y + 1))
    nn.init.normal_(D.e.weight)
    x = G(z, y).detach()
    assert not torch.equal(D(x, y), D(x, y + 1))


@MAKERS
def test_missing_and_unwanted_labels_give_one_clear_error(make):
    z, y = torch.randn(2, 64), torch.tensor([0, 1])
    for f, batch in zip(make(n_classes=10), (z, torch.zeros(2, 1, 28, 28)), strict=True):
        with pytest.raises(ValueError, match=r"no labels, expected one of 10 classes: draw \(x, z, y\)"):
            f(batch)
    for f, batch in zip(make(), (z, torch.zeros(2, 1, 28, 28)), strict=True):
        with pytest.raises(ValueError, match=r"given labels, expected none: build it with n_classes"):
            f(batch, y)


@pytest.mark.parametrize("make", [mlp_gan, conv_gan, lambda seed: [mlp([2, 8, 1], seed=seed)]])
def test_weights_depend_on_the_seed_alone(make):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights(*make(seed=0))
    assert torch.equal(state, torch.get_rng_state()), "the global generator is left as it was"
    torch.rand(10)
    assert torch.equal(first, weights(*make(seed=0)))
    assert not torch.equal(first, weights(*make(seed=1)))
    unseeded = partial(nn.Linear, 4, 4)  # what the package must not do
    assert not torch.equal(weights(unseeded()), weights(unseeded()))


def test_mlp_has_an_activation_between_each_two_layers_and_none_at_the_end():
    kinds = [type(layer) for layer in mlp([2, 8, 4, 1], nn.Tanh)]
    assert kinds == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert mlp([2, 8, 1])(torch.zeros(5, 2)).shape == (5, 1)
