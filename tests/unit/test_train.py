"""Training is the algorithm written out, its randomness is keyed, and a resumed game is the unbroken one."""

import time

import pytest
import torch
from torch import Tensor, nn

from ganlib.checkpoint import load, save
from ganlib.game import Game, Player, gan
from ganlib.nets import mlp, mlp_gan
from ganlib.objectives import nonsaturating
from ganlib.penalties import gradient_penalty, r1
from ganlib.train import keyed, train


def draw(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(16, 2, generator=rng)
    return x / x.norm(dim=1, keepdim=True), torch.randn(16, 2, generator=rng)


def draw_images(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Bars whose place is their class: conditional data that needs no file."""
    y = torch.randint(10, (8,), generator=rng)
    x = nn.functional.one_hot(y, 28).float()[:, None, None].expand(8, 1, 28, 28) * 2 - 1
    return x, torch.randn(8, 16, generator=rng), y


def new(**settings) -> Game:
    return gan(mlp([2, 16, 2]), mlp([2, 16, 1], seed=1), nonsaturating, **settings)


def new_conditional() -> Game:
    """All that could go wrong: labels, a lazy random penalty, several critic moves, an average."""
    G, D = mlp_gan(z_dim=16, hidden=32, n_classes=10)
    return gan(G, D, nonsaturating, [(10.0, gradient_penalty)], every=3, n_critic=2, ema=0.9)


def weights(game: Game) -> Tensor:
    return torch.cat([t.double().flatten() for m in game.modules.values() for t in m.state_dict().values()])


def test_training_is_the_loop_written_out():
    """Algorithm 1 by hand, with detach and a zero_grad each: the same losses and weights, bit for bit."""
    n_critic, gamma = 2, 0.5
    game = new(n_critic=n_critic, penalties=[(gamma / 2, r1)])
    recorded = list(train(game, draw, steps=12, seed=5))

    G, D = mlp([2, 16, 2]), mlp([2, 16, 1], seed=1)
    opt_G, opt_D = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99)) for net in (G, D))
    for t in range(12):
        for i in range(n_critic):
            x, z = draw(keyed(5, t, f"D{i}"))
            loss_D = nonsaturating.d(D(x), D(G(z).detach())).mean()
            points = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
            loss_D = loss_D + gamma / 2 * slope.square().sum(1).mean()
            opt_D.zero_grad()
            loss_D.backward()
            opt_D.step()
        x, z = draw(keyed(5, t, "G"))
        loss_G = nonsaturating.g(D(x), D(G(z))).mean()
        opt_G.zero_grad()
        loss_G.backward()
        opt_G.step()
        step, losses = recorded[t]
        assert step == t + 1
        assert losses == {"D": loss_D.item(), "G": loss_G.item()}
    for ours, by_hand in ((game.modules["G"], G), (game.modules["D"], D)):
        assert all(map(torch.equal, ours.parameters(), by_hand.parameters()))


def test_it_is_lazy_and_counts_rounds_in_all():
    game = new()
    rounds = train(game, draw, steps=3)
    assert game.step == 0, "nothing happens until it is asked for"
    assert [step for step, _ in rounds] == [1, 2, 3]
    assert list(train(game, draw, steps=3)) == []
    assert [step for step, _ in train(game, draw, steps=5)] == [4, 5]
    assert game.step == 5


def test_every_key_gives_its_own_numbers_and_always_the_same():
    keys = [(seed, step, name) for seed in (0, 1) for step in (0, 1, 10) for name in ("D0", "D1", "G")]
    numbers = {key: torch.rand(4, generator=keyed(*key)) for key in keys}
    assert len({tuple(n.tolist()) for n in numbers.values()}) == len(keys)
    for key, n in numbers.items():
        assert torch.equal(n, torch.rand(4, generator=keyed(*key)))


def test_each_move_has_its_fresh_batch():
    seen = []

    def spy(rng):
        seen.append(draw(rng)[0])
        return draw(rng)

    list(train(new(n_critic=2), spy, steps=2))
    assert len(seen) == 6
    assert len({tuple(x.flatten().tolist()) for x in seen}) == 6


def test_the_global_generator_is_neither_used_nor_moved():
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        game = new_conditional()
        list(train(game, draw_images, steps=4))
        assert torch.equal(state, torch.get_rng_state())
        results.append(weights(game))
    assert torch.equal(*results)


def test_the_seed_matters():
    a, b = new(), new()
    list(train(a, draw, steps=3, seed=0))
    list(train(b, draw, steps=3, seed=1))
    assert not torch.equal(weights(a), weights(b))


def forgets(name: str):
    """Broken ways to resume, each of which loses one thing."""

    def resume(path, game: Game) -> None:
        load(path, game)
        if name == "the round":
            game.step = 0
        elif name == "the optimisers":
            for player in game.players:
                player.opt.state.clear()
        elif name == "the average":
            game.G_ema.load_state_dict(game.modules["G"].state_dict())

    return resume


def run_with_a_break(path, resume, steps: int = 40, stop: int = 20) -> tuple[dict, Tensor]:
    first = new_conditional()
    list(train(first, draw_images, stop))
    save(path, first)
    second = new_conditional()
    resume(path, second)
    losses = dict(train(second, draw_images, steps))
    return losses, weights(second)


def test_resuming_is_bit_exact(tmp_path):
    unbroken = new_conditional()
    losses = dict(train(unbroken, draw_images, 40))
    resumed, end = run_with_a_break(tmp_path / "game.safetensors", load)
    assert list(resumed) == list(range(21, 41))
    assert resumed == {step: losses[step] for step in resumed}
    assert torch.equal(end, weights(unbroken))


@pytest.mark.parametrize("what", ["the round", "the optimisers", "the average"])
def test_a_resume_that_forgets_something_is_caught(tmp_path, what):
    unbroken = new_conditional()
    list(train(unbroken, draw_images, 40))
    _, end = run_with_a_break(tmp_path / "game.safetensors", forgets(what))
    assert not torch.equal(end, weights(unbroken))


def test_a_checkpoint_saved_inside_the_loop_is_of_a_finished_round(tmp_path):
    game, path = new(ema=0.9), tmp_path / "game.safetensors"
    for step, _ in train(game, draw, steps=6):
        if step == 3:
            save(path, game)
    other = new(ema=0.9)
    load(path, other)
    assert other.step == 3
    list(train(other, draw, steps=6))
    assert torch.equal(weights(game), weights(other))


def test_a_loss_that_is_not_finite_names_the_step_and_the_player():
    def poisoned(rng):
        x, z = draw(rng)
        return (x * float("nan") if game.step == 4 else x), z

    game = new()
    with pytest.raises(FloatingPointError, match="step 5: the loss of D is nan"):
        list(train(game, poisoned, steps=10))
    assert game.step == 4
    assert weights(game).isfinite().all()


def test_one_player_and_three_players_train():
    p = [nn.Linear(1, 1, bias=False) for _ in range(3)]
    players = []
    for i, net in enumerate(p):
        opt = torch.optim.SGD(net.parameters(), 0.1)
        players.append(Player(f"p{i}", net.parameters(), lambda batch, *_, net=net: net(*batch).mean(), opt))
    for count in (1, 3):
        game = Game(players[:count], dict(zip("abc", p, strict=True)))
        for _, losses in train(game, lambda rng: (torch.randn(8, 1, generator=rng),), steps=5):
            assert list(losses) == [f"p{i}" for i in range(count)]


@pytest.mark.full
def test_it_costs_almost_nothing_over_a_bare_loop():
    """Reading losses, making keyed generators and checking for nan: under 3% of an MNIST-sized step."""

    def bare() -> None:
        G, D = mlp_gan()
        opt_G, opt_D = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.0, 0.99)) for net in (G, D))
        rng = torch.Generator().manual_seed(0)
        for _ in range(60):
            for opt, params, loss in (
                (opt_D, list(D.parameters()), lambda x, z: nonsaturating.d(D(x), D(G(z)))),
                (opt_G, list(G.parameters()), lambda x, z: nonsaturating.g(D(x), D(G(z)))),
            ):
                value = loss(images, torch.randn(128, 64, generator=rng)).mean()
                opt.zero_grad()
                value.backward(inputs=params)
                opt.step()

    def ours() -> None:
        game = gan(*mlp_gan(), nonsaturating)
        list(train(game, lambda rng: (images, torch.randn(128, 64, generator=rng)), steps=60))

    images = torch.rand(128, 1, 28, 28)
    times = {bare: [], ours: []}
    for _ in range(12):
        for run in times:
            start = time.process_time()
            run()
            times[run].append(time.process_time() - start)
    assert min(times[ours]) < 1.03 * min(times[bare])
