"""Instance noise is keyed and seen by both players; a normalised D is one function in each move."""

import pytest
import torch
from torch import Tensor, nn

from ganlib.checkpoint import load, save
from ganlib.game import Game, Player, gan
from ganlib.nets import conv_gan, mlp, mlp_gan, spectral
from ganlib.objectives import Objective, hinge, nonsaturating, relativistic, wasserstein
from ganlib.penalties import gradient_penalty, r1, slope
from ganlib.train import keyed, train


def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(16, 2, generator=rng)
    return x / x.norm(dim=1, keepdim=True), torch.randn(16, 2, generator=rng)


def new(**settings) -> Game:
    G, D = mlp([2, 16, 2]), mlp([2, 16, 1], seed=1)
    return gan(G, nn.Sequential(D, nn.Flatten(0)), nonsaturating, **settings)


def weights(game: Game) -> Tensor:
    return torch.cat([t.flatten() for m in game.modules.values() for t in m.state_dict().values()])


# Instance noise.


def noise(rng: torch.Generator) -> Tensor:
    return torch.randn(16, 2, generator=rng)


def by_hand(sigma, real, fake, steps: int = 6) -> Tensor:
    """Training with noise, written out: ``real`` and ``fake`` draw the noise of the two kinds of sample."""
    game = new()
    G, D = (game.modules[name] for name in "GD")
    opt_D, opt_G = (player.opt for player in game.players)
    for t in range(steps):
        rng = keyed(0, t, "D0")
        x, z = draw(rng)
        x = x + sigma(t) * real(rng)
        generated = (G(z) + sigma(t) * fake(rng)).detach()
        loss = nonsaturating.d(D(x), D(generated)).mean()
        loss = loss + 10 * gradient_penalty(D, x, generated, rng=rng).mean()
        opt_D.zero_grad()
        loss.backward()
        opt_D.step()
        rng = keyed(0, t, "G")
        x, z = draw(rng)
        x = x + sigma(t) * real(rng)
        opt_G.zero_grad()
        nonsaturating.g(D(x), D(G(z) + sigma(t) * fake(rng))).mean().backward()
        opt_G.step()
    return weights(game)


def played(**settings) -> Tensor:
    game = new(penalties=[(10.0, gradient_penalty)], **settings)
    for _ in train(game, draw, steps=6):
        pass
    return weights(game)


def nothing(rng: torch.Generator) -> float:
    return 0.0


def without_key(rng: torch.Generator) -> Tensor:
    return torch.randn(16, 2)


def falling(step: int) -> float:
    return 0.3 * 0.5**step


def test_instance_noise_is_the_loop_written_out():
    assert torch.equal(played(noise=0.3), by_hand(lambda t: 0.3, noise, noise))
    assert torch.equal(played(noise=falling), by_hand(falling, noise, noise))


@pytest.mark.parametrize(
    ("real", "fake"),
    [(noise, nothing), (nothing, noise), (nothing, nothing), (without_key, noise), (noise, without_key)],
    ids=["real samples only", "generated only", "none", "unkeyed, real", "unkeyed, generated"],
)
def test_other_noise_is_caught(real, fake):
    assert not torch.equal(played(noise=0.3), by_hand(lambda t: 0.3, real, fake))


def test_noise_of_another_size_is_caught():
    assert not torch.equal(played(noise=0.3), by_hand(lambda t: 0.3**2, noise, noise))
    assert not torch.equal(played(noise=falling), by_hand(lambda t: falling(t + 1), noise, noise))


def test_no_noise_draws_no_numbers():
    """A penalty draws after the noise would: its places are those of a game that knows no noise."""
    plain = by_hand(lambda t: 0.0, nothing, nothing)
    for settings in ({}, {"noise": 0.0}, {"noise": lambda step: 0.0}):
        assert torch.equal(played(**settings), plain)
    assert not torch.equal(by_hand(lambda t: 0.0, noise, noise), plain), "drawn, and multiplied by 0"


def test_noise_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    first = played(noise=0.3)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    assert torch.equal(first, played(noise=0.3))


# Spectral normalisation.


def draw_images(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return torch.rand(8, 1, 28, 28, generator=rng) * 2 - 1, torch.randn(8, 8, generator=rng)


def small() -> tuple[nn.Module, nn.Module]:
    return conv_gan(z_dim=8, channels=(8, 4), hidden=16)


def layers(D: nn.Module) -> list[nn.Module]:
    return [layer for layer in D.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def norms(D: nn.Module) -> list[float]:
    D.eval()  # looking takes no power step
    return [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in layers(D)]


def converge(D: nn.Module, x: Tensor) -> nn.Module:
    """Let the power method come to its end: each call is a step."""
    D.train()
    for _ in range(500):
        D(x)
    return D.eval()


def check_norms(D: nn.Module) -> None:
    """Late by at most some per cent (6 in 18 runs of 6 seeds), and then exact."""
    assert len(norms(D)) == 4
    assert all(1 - 1e-5 < norm < 1.15 for norm in norms(D))
    assert norms(converge(D, torch.zeros(1, 1, 28, 28))) == pytest.approx([1] * 4, abs=1e-3)


@pytest.mark.parametrize(
    "normalise",
    [spectral, lambda D: None, lambda D: spectral(D.body)],
    ids=["every", "none", "all but the last"],
)
def test_every_layer_has_norm_one_throughout_training(normalise):
    G, D = small()
    normalise(D)
    for _ in train(gan(G, D, hinge, lr=(1e-3, 1e-3)), draw_images, steps=60):
        pass
    if normalise is spectral:
        check_norms(D)
    else:
        with pytest.raises(AssertionError):
            check_norms(D)


def uncached(player: Player) -> Player:
    """The player as it would be without ``parametrize.cached``."""
    return Player(player.name, player.params, player.loss.__wrapped__, player.opt)


def power_step(layer: nn.Module) -> Tensor:
    """The left singular vector after one step of the power method, by hand."""
    W, v = layer.parametrizations.weight.original.detach().flatten(1), layer.parametrizations.weight[0]._v
    return nn.functional.normalize(W @ v, dim=0)


def check_one_power_step(player: Player, D: nn.Module) -> None:
    before = [power_step(layer) for layer in layers(D)]
    player.move(draw_images(keyed(0, 0, "D0")), keyed(0, 0, "noise"))
    for layer, u in zip(layers(D), before, strict=True):
        torch.testing.assert_close(layer.parametrizations.weight[0]._u, u)


@pytest.mark.parametrize("name", ["D", "G"])
def test_a_move_takes_one_power_step(name):
    for broken in (False, True):
        G, D = small()
        # Relativistic: both of the players' moves call D more than once.
        players = gan(G, spectral(D), relativistic, [(1.0, r1), (10.0, gradient_penalty)]).players
        (player,) = (p for p in players if p.name == name)
        if broken:
            with pytest.raises(AssertionError):
                check_one_power_step(uncached(player), D)
        else:
            check_one_power_step(player, D)


class Identity(nn.Module):
    """A generator whose samples are its noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        return z * self.weight


def test_real_and_generated_samples_meet_the_same_function():
    seen = []

    def record(real: Tensor, fake: Tensor) -> Tensor:
        seen.append((real - fake).abs().max().item())
        return hinge.d(real, fake)

    x, _ = draw_images(keyed(0, 0, "D0"))
    for player in gan(Identity(), spectral(small()[1]), Objective(record, record)).players:
        player.loss((x, x))
        uncached(player).loss((x, x))
    assert seen[0] == seen[2] == 0
    assert min(seen[1], seen[3]) > 0


def test_the_slope_of_a_normalised_mlp_is_at_most_one():
    """A critic that is asked for slope, and gives no more once the power method has converged."""
    slopes = []
    for normalise in (spectral, lambda D: D):
        D = normalise(mlp([2, 32, 32, 1], seed=1))
        d, _ = gan(mlp([2, 2]), nn.Sequential(D, nn.Flatten(0)), wasserstein, lr=(0.0, 1e-2)).players
        for step in range(200):
            d.move(draw(keyed(0, step, "D0")))
        converge(D, torch.zeros(1, 2))
        points = 3 * torch.randn(500, 2, generator=keyed(0, 0, "points"))
        slopes.append(slope(lambda x, D=D: D(x).squeeze(1), points).norm(dim=1).max().item())
    assert 0.5 < slopes[0] < 1.001
    assert slopes[1] > 2


def test_the_first_estimate_comes_from_the_seed_alone():
    state = torch.get_rng_state()
    buffers = [torch.cat(list(spectral(mlp([2, 8, 8, 4]), seed).buffers())) for seed in (0, 0, 1)]
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(buffers[0], buffers[1])
    assert not torch.equal(buffers[0], buffers[2])


def test_labels_at_zero_stay_at_zero():
    """An embedding of zeros divided by its norm would be 0 / 0."""
    for make in (mlp_gan, conv_gan):
        _, D = make(n_classes=10)
        x, y = torch.zeros(3, 1, 28, 28), torch.tensor([0, 5, 9])
        assert spectral(D)(x, y).isfinite().all()
    assert not nn.utils.parametrizations.spectral_norm(D.e)(y).isfinite().all()


def test_resuming_with_a_normalised_discriminator_is_bit_exact(tmp_path):
    def game() -> Game:
        G, D = small()
        return gan(G, spectral(D), hinge)

    unbroken, first, second, forgetful = (game() for _ in range(4))
    list(train(unbroken, draw_images, 8))
    list(train(first, draw_images, 4))
    save(tmp_path / "game.safetensors", first)
    for resumed in (second, forgetful):
        load(tmp_path / "game.safetensors", resumed)
    for old, new in zip(forgetful.modules["D"].buffers(), game().modules["D"].buffers(), strict=True):
        old.copy_(new)
    for resumed in (second, forgetful):
        list(train(resumed, draw_images, 8))
    assert torch.equal(weights(second), weights(unbroken))
    assert not torch.equal(weights(forgetful), weights(unbroken))
