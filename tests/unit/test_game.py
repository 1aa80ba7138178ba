"""Each player moves its own parameters by its own loss; the game's field and Jacobian are those of theory."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from ganlib.game import Game, Player, gan
from ganlib.nets import mlp
from ganlib.objectives import Objective, nonsaturating, saturating
from ganlib.penalties import gradient_penalty, r1

BOTH = pytest.mark.parametrize("objective", [saturating, nonsaturating], ids=lambda o: o.name)
STEP = {"optimizer": torch.optim.SGD, "lr": (0.1, 0.1)}


class Point(nn.Module):
    """The generator of a point mass at theta."""

    def __init__(self, theta: float = 0.0):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([[theta]], dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta + 0 * z


class Slope(nn.Module):
    """The critic D(x) = psi x."""

    def __init__(self, psi: float = 0.0):
        super().__init__()
        self.psi = nn.Parameter(torch.tensor([[psi]], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.psi).squeeze(1)


ORIGIN = (torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))  # x = 0, z


def eigenvalues(game: Game) -> list[complex]:
    return sorted(torch.linalg.eigvals(game.jacobian(ORIGIN)).tolist(), key=lambda v: (v.real, v.imag))


def toy(seed: int = 0, n_classes: int = 0) -> tuple[nn.Module, nn.Module]:
    return mlp([2 + n_classes, 8, 2], seed=seed).double(), mlp(
        [2 + n_classes, 8, 1], nn.Tanh, seed + 1
    ).double()


def batch(seed: int = 0, n: int = 6) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(n, 2, generator=rng, dtype=torch.float64) for _ in range(2))


def snapshot(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def moved(module: nn.Module, before: list[Tensor]) -> bool:
    return not all(torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


def check_isolation(player: Player, own: nn.Module, other: nn.Module) -> None:
    of_own, of_other = snapshot(own), snapshot(other)
    for p in other.parameters():
        p.grad = torch.full_like(p, 7.0)
    player.move(batch(), torch.Generator().manual_seed(0))
    assert moved(own, of_own)
    assert not moved(other, of_other)
    assert all((p.grad == 7).all() for p in other.parameters()), "gradients of the other player are untouched"


# A player is parameters and a loss.


@BOTH
@pytest.mark.parametrize("penalties", [(), [(1.0, r1)], [(10.0, gradient_penalty)]])
def test_a_player_moves_its_own_parameters_only(objective, penalties):
    G, D = toy()
    d, g = gan(G, D, objective, penalties).players
    check_isolation(d, own=D, other=G)
    check_isolation(g, own=G, other=D)


class Careless(Player):
    """The usual mistake: backward() without inputs."""

    def move(self, batch, rng=None, step=0):
        self.opt.zero_grad()
        self.loss(batch, rng, step).backward()
        self.opt.step()


def test_a_player_that_moves_others_is_caught():
    G, D = toy()
    d, g = gan(G, D, nonsaturating).players
    everything = [*G.parameters(), *D.parameters()]
    greedy = Player("G", everything, g.loss, torch.optim.SGD(everything, 0.1))
    with pytest.raises(AssertionError):
        check_isolation(greedy, own=G, other=D)
    with pytest.raises(AssertionError):
        check_isolation(Careless(d.name, d.params, d.loss, d.opt), own=D, other=G)


@BOTH
def test_a_move_is_the_formula_theta_minus_eta_times_gradient(objective):
    """Written again with detach and by hand, one round of D then G gives the same parameters."""
    gamma, eta = 0.7, 0.1
    (G, D), (G2, D2) = toy(), toy()
    game = gan(G, D, objective, [(gamma / 2, r1)], **STEP)
    x, z = batch()
    for player in game.players:
        player.move((x, z))

    a_real, a_fake = D2(x), D2(G2(z).detach())
    points = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(D2(points).sum(), points, create_graph=True)
    loss = objective.d(a_real, a_fake).mean() + gamma / 2 * slope.square().sum(1).mean()
    gradients = torch.autograd.grad(loss, list(D2.parameters()), materialize_grads=True)
    with torch.no_grad():
        for p, gradient in zip(D2.parameters(), gradients, strict=True):
            p -= eta * gradient
    gradients = torch.autograd.grad(objective.g(a_real, D2(G2(z))).mean(), list(G2.parameters()))
    with torch.no_grad():
        for p, gradient in zip(G2.parameters(), gradients, strict=True):
            p -= eta * gradient
    for p, q in zip([*G.parameters(), *D.parameters()], [*G2.parameters(), *D2.parameters()], strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_one_player_and_three_players():
    """One player descends to its minimum; three in a ring keep the antisymmetric Jacobian of their game."""
    x = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    alone = Game([Player("x", [x], lambda batch, *_: (x - 3).square().sum() / 2, torch.optim.SGD([x], 0.5))])
    for _ in range(60):
        alone.players[0].move(())
    torch.testing.assert_close(x.detach(), torch.full((2,), 3.0, dtype=torch.float64))
    assert torch.equal(alone.jacobian(()), -torch.eye(2, dtype=torch.float64))

    p = [nn.Parameter(torch.tensor(float(i), dtype=torch.float64)) for i in range(3)]
    ring = Game(
        Player(f"p{i}", [p[i]], lambda batch, *_, i=i: p[i] * p[(i + 1) % 3], torch.optim.SGD([p[i]], 0.1))
        for i in range(3)
    )
    assert ring.field(()).tolist() == [-1.0, -2.0, 0.0]
    assert ring.jacobian(()).tolist() == [[0, -1, 0], [0, 0, -1], [-1, 0, 0]]


def test_a_constant_field_has_jacobian_zero():
    x = nn.Parameter(torch.ones(2))
    assert Game([Player("x", [x], lambda batch, *_: x.sum(), torch.optim.SGD([x], 1.0))]).jacobian(
        ()
    ).tolist() == [
        [0, 0],
        [0, 0],
    ]


# The code object is the theory object: the Dirac-GAN (Mescheder et al. 2018).


@BOTH
def test_dirac_gan_circles(objective):
    assert eigenvalues(gan(Point(), Slope(), objective)) == pytest.approx([-0.5j, 0.5j], abs=1e-12)


@BOTH
@pytest.mark.parametrize("gamma", [0.25, 0.5, 3.0])
def test_r1_damps_the_dirac_gan(objective, gamma):
    root = (gamma**2 / 4 - 1 / 4 + 0j) ** 0.5
    expected = sorted([-gamma / 2 - root, -gamma / 2 + root], key=lambda v: (v.real, v.imag))
    assert eigenvalues(gan(Point(), Slope(), objective, [(gamma / 2, r1)])) == pytest.approx(
        expected, abs=1e-12
    )
    unhalved = eigenvalues(gan(Point(), Slope(), objective, [(gamma, r1)]))
    assert unhalved != pytest.approx(expected, abs=1e-3)


def test_dirac_field_away_from_the_origin():
    """psi' = -sigma theta; theta' = sigma psi, or (1 - sigma) psi when non-saturating; sigma at psi theta."""
    theta, psi = 0.8, -1.5
    sigma = 1 / (1 + math.exp(-psi * theta))
    for objective, weight in ((saturating, sigma), (nonsaturating, 1 - sigma)):
        field = gan(Point(theta), Slope(psi), objective).field(ORIGIN)
        assert field.tolist() == pytest.approx([-sigma * theta, weight * psi], abs=1e-12)


def test_jacobian_equals_differences_of_the_field():
    """Cross terms included: a penalty at generated points depends on the generator."""
    G, D = mlp([2, 3, 2], nn.Tanh).double(), mlp([2, 3, 1], nn.Tanh, seed=1).double()
    game = gan(G, D, nonsaturating, [(10.0, gradient_penalty), (0.5, r1)])
    rng = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    J, h = game.jacobian(batch(), rng()), 1e-6
    params = [p for player in game.players for p in player.params]
    columns = []
    for p in params:
        for i in range(p.numel()):
            entry = p.data.view(-1)[i : i + 1]
            old = entry.clone()
            entry += h
            up = game.field(batch(), rng())
            entry.copy_(old - h)
            columns.append((up - game.field(batch(), rng())) / (2 * h))
            entry.copy_(old)
    numeric = torch.stack(columns, dim=1)
    torch.testing.assert_close(J, numeric, rtol=1e-6, atol=1e-7)

    def detached(D, real, fake, rng=None):
        return gradient_penalty(D, real, fake.detach(), rng=rng)

    broken = gan(G, D, nonsaturating, [(10.0, detached), (0.5, r1)]).jacobian(batch(), rng())
    assert not torch.allclose(broken, numeric, rtol=1e-3, atol=1e-4)


def test_field_and_jacobian_leave_the_game_as_it_was():
    G, D = toy()
    game = gan(G, D, saturating, [(1.0, r1)])
    before = snapshot(G), snapshot(D)
    game.field(batch())
    game.jacobian(batch())
    assert not moved(G, before[0])
    assert not moved(D, before[1])
    assert all(p.grad is None for p in [*G.parameters(), *D.parameters()])


# What gan() adds.


def test_lazy_penalties_come_every_kth_round_times_k():
    G, D = toy()
    plain, eager, lazy = (
        gan(G, D, nonsaturating, penalties, every=k).players[0]
        for penalties, k in (((), 1), ([(0.5, r1)], 1), ([(0.5, r1)], 4))
    )
    bare, penalty = (player.loss(batch(), step=0) for player in (plain, eager))
    for step in range(9):
        expected = bare + 4 * (penalty - bare) if step % 4 == 0 else bare
        torch.testing.assert_close(lazy.loss(batch(), step=step), expected)


def test_several_moves_of_the_discriminator_have_keys_of_their_own():
    G, D = toy()
    assert [p.keys for p in gan(G, D, nonsaturating).players] == [["D0"], ["G"]]
    assert [p.keys for p in gan(G, D, nonsaturating, n_critic=3).players] == [["D0", "D1", "D2"], ["G"]]


def test_a_conditional_game_gives_the_label_to_both_and_closes_the_penalty_over_it():
    class Joined(nn.Module):
        def __init__(self, body: nn.Module):
            super().__init__()
            self.body = body

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.body(torch.cat([x, nn.functional.one_hot(y, 3).to(x)], 1))

    G, D = (Joined(net) for net in toy(n_classes=3))
    (x, z), y = batch(), torch.tensor([0, 1, 2, 0, 1, 2])
    for penalty in (r1, gradient_penalty):
        d, g = gan(G, D, nonsaturating, [(1.0, penalty)]).players
        for player in (d, g):
            losses = [
                player.loss((x, z, labels), torch.Generator().manual_seed(0)).item() for labels in (y, 0 * y)
            ]
            assert losses[0] != losses[1]
        for labels in (y, 0 * y):
            rng = torch.Generator().manual_seed(0)
            by_hand = nonsaturating.d(D(x, labels), D(G(z, labels), labels)).mean()
            by_hand = by_hand + penalty(lambda x, y=labels: D(x, y), x, G(z, labels), rng=rng).mean()
            torch.testing.assert_close(d.loss((x, z, labels), torch.Generator().manual_seed(0)), by_hand)


def test_rates_are_given_generator_first():
    G, D = toy()
    d, g = gan(G, D, nonsaturating, lr=(1e-4, 4e-4), betas=(0.5, 0.9)).players
    assert (g.opt.param_groups[0]["lr"], d.opt.param_groups[0]["lr"]) == (1e-4, 4e-4)
    assert d.opt.param_groups[0]["betas"] == (0.5, 0.9)


def test_frozen_parameters_are_left_out():
    G, D = toy()
    D[0].requires_grad_(False)
    frozen = D[0].weight.clone()
    for player in gan(G, D, nonsaturating).players:
        player.move(batch())
    assert torch.equal(D[0].weight, frozen)


def test_ema_of_parameters_and_buffers():
    """By hand: decay min(ema, (1 + t) / (10 + t)) at round t; floats are averaged, counters copied."""
    G = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).double()
    game = gan(G, toy()[1], nonsaturating, ema=0.5, **STEP)
    by_hand = {name: value.clone() for name, value in G.state_dict().items()}
    wrong = copy.deepcopy(by_hand)
    for t in range(1, 20):
        for player in game.players:
            player.move(batch(t))
        game.end_round()
        decay = min(0.5, (1 + t) / (10 + t))
        for name, value in G.state_dict().items():
            for mean, w in ((by_hand, decay), (wrong, 0.5)):
                mean[name] = w * mean[name] + (1 - w) * value if value.is_floating_point() else value
    assert game.step == 19
    average = game.G_ema.state_dict()
    assert average["1.num_batches_tracked"] == 2 * 19  # G is called in D's move and in its own
    for name, value in average.items():
        torch.testing.assert_close(value, by_hand[name])
    for name in ("0.weight", "1.running_mean"):
        for broken in (wrong, G.state_dict()):  # no ramp; a verbatim copy
            assert not torch.allclose(average[name], broken[name], rtol=1e-9, atol=0)
    assert not game.G_ema.training
    assert not any(p.requires_grad for p in game.G_ema.parameters())
    assert gan(G, toy()[1], nonsaturating).G_ema is None


# One clear error each.


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_critic": 0}, "n_critic is 0, expected a whole number of at least 1"),
        ({"every": 0}, "every is 0, expected a whole number of at least 1"),
        ({"ema": 1.0}, r"ema is 1.0, expected a decay in \[0, 1\)"),
    ],
)
def test_bad_settings(bad, message):
    with pytest.raises(ValueError, match=message):
        gan(*toy(), nonsaturating, **bad)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_update(value):
    G, D = toy()
    broken = Objective(lambda real, fake: real * value, nonsaturating.g)
    d, _ = gan(G, D, broken).players
    before = snapshot(D)
    with pytest.raises(FloatingPointError, match=r"step 38: the loss of D is .*D did not move"):
        d.move(batch(), None, 37)
    assert not moved(D, before)
    assert not d.opt.state


def test_parameters_that_no_module_holds_cannot_be_saved():
    x = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="player x has parameters in none of the game's modules"):
        Game([Player("x", [x], lambda batch, *_: x.sum(), torch.optim.SGD([x], 1.0))]).state_dict()
