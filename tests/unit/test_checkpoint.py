"""A checkpoint is whole or absent, is checked before it is used, and each failure says what to do."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ganlib.checkpoint import KEY, CheckpointError, load, save
from ganlib.game import Game, gan
from ganlib.nets import conv_gan, mlp
from ganlib.objectives import nonsaturating
from ganlib.train import train


def draw(rng):
    return torch.randn(8, 2, generator=rng), torch.randn(8, 2, generator=rng)


def new(width: int = 8, steps: int = 0, **settings) -> Game:
    G, D = mlp([2, width, 2]), mlp([2, width, 1], seed=1)
    game = gan(G, D, nonsaturating, **{"ema": 0.9, **settings})
    for _ in train(game, draw, steps):
        pass
    return game


def of(G: nn.Module, D: nn.Module) -> Game:
    return gan(G, D, nonsaturating, ema=0.9)


def tensors(game: Game) -> list[torch.Tensor]:
    state = game.state_dict()
    found = [t for module in state["modules"].values() for t in module.values()]
    for optimizer in state["optimizers"].values():
        found += [t for slots in optimizer["state"].values() for t in slots.values() if torch.is_tensor(t)]
    return [t.clone() for t in found]


def same(a: Game, b: Game) -> bool:
    ours, theirs = tensors(a), tensors(b)
    return a.step == b.step and len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "game.safetensors"


def refused(path: Path, game: Game, message: str) -> None:
    """The error names the file, and the game is as it was."""
    before, step = tensors(game), game.step
    with pytest.raises(CheckpointError, match=message) as error:
        load(path, game)
    assert str(path) in str(error.value)
    assert error.value.__cause__ is None
    assert game.step == step
    assert len(before) == len(tensors(game))
    assert all(map(torch.equal, before, tensors(game)))


def rewrite(path: Path, change, honest: bool = False) -> None:
    """Change tensors and head of a checkpoint; with ``honest`` the digest is made to fit."""
    from ganlib.checkpoint import _digest

    with safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stored = json.loads(file.metadata()[KEY])
    change(found, stored)
    if honest:
        stored["digest"] = _digest(stored["head"], found)
    save_file(found, path, {KEY: json.dumps(stored, sort_keys=True)})


@pytest.mark.parametrize(
    "optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD]
)
def test_everything_comes_back(path, optimizer):
    game = new(steps=5, optimizer=optimizer)
    save(path, game, seed=3, note="five rounds", rates=(1, 2), by_round={1: 2, 10: 3})
    other = new(steps=2, optimizer=optimizer)
    assert not same(game, other)
    notes = load(path, other)
    assert notes == {"seed": 3, "note": "five rounds", "rates": [1, 2], "by_round": {"1": 2, "10": 3}}
    assert same(game, other)
    for ours, theirs in zip(game.players, other.players, strict=True):
        assert (
            ours.opt.state_dict()["param_groups"][0]["lr"] == theirs.opt.state_dict()["param_groups"][0]["lr"]
        )


def test_a_game_that_has_not_begun_can_be_saved(path):
    save(path, new())
    other = new(steps=2)
    load(path, other)
    assert same(other, new())


def test_saving_twice_writes_the_same_bytes(path):
    game = new(steps=3)
    contents = set()
    for _ in range(8):
        save(path, game, seed=0, note="a")
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert b"pickle" not in contents.pop()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_loaded_tensors_are_the_games_own(path):
    """Training on after a load must not write into the file, nor the file into the game."""
    game = new(steps=3)
    save(path, game)
    content = path.read_bytes()
    other = new()
    load(path, other)
    list(train(other, draw, 6))
    assert path.read_bytes() == content


def test_tied_sliced_and_channels_last_tensors(path):
    class Tied(nn.Module):
        def __init__(self, value: float):
            super().__init__()
            self.a = self.b = nn.Linear(2, 2)
            self.register_buffer("view", torch.full((4, 6), value)[:, ::2])
            self.register_buffer("number", torch.tensor(value))
            self.register_buffer("small", torch.full((3,), value, dtype=torch.bfloat16))
            self.register_buffer("flag", torch.tensor([value > 1]))

        def forward(self, z):
            return self.b(self.a(z))

    game, other = (gan(Tied(v), mlp([2, 8, 1]), nonsaturating, ema=0.5) for v in (1.5, 0.5))
    list(train(game, draw, 2))
    save(path, game)
    load(path, other)
    assert same(game, other)
    assert other.modules["G"].a.weight is other.modules["G"].b.weight

    def convolutional() -> Game:
        G, D = (net.to(memory_format=torch.channels_last) for net in conv_gan(z_dim=2, channels=(8, 8)))
        return gan(G, D, nonsaturating)

    images = lambda rng: (torch.randn(4, 1, 28, 28, generator=rng), torch.randn(4, 2, generator=rng))  # noqa: E731
    game, other = convolutional(), convolutional()
    list(train(game, images, 2))
    save(path, game)
    load(path, other)
    assert same(game, other)


# What must be refused.


def test_every_flipped_byte_is_noticed(path):
    save(path, new(steps=2), seed=0)
    content = path.read_bytes()
    rng = torch.Generator().manual_seed(0)
    for place in torch.randint(len(content), (200,), generator=rng).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(damaged))
        refused(path, new(), "damaged|no 'ganlib' metadata|has format|another game")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file(path, keep):
    save(path, new(steps=2))
    path.write_bytes(path.read_bytes()[:keep])
    refused(
        path, new(), "damaged or no checkpoint .*expected safetensors. Restore it from a copy, or train again"
    )


def test_files_that_are_no_checkpoint(path):
    refused(path, new(), "cannot be read .*Check the path")
    refused(path.parent, new(), "cannot be read|damaged or no checkpoint")
    path.write_text("<!DOCTYPE html><title>404</title>")
    refused(path, new(), "damaged or no checkpoint")
    save_file({"x": torch.zeros(1)}, path)
    refused(path, new(), "no 'ganlib' metadata: expected a file written by ganlib.checkpoint.save")
    save_file({"x": torch.zeros(1)}, path, {KEY: "{"})
    refused(path, new(), "damaged: expected JSON")


def test_another_format(path):
    save(path, new())
    rewrite(path, lambda found, stored: stored["head"].update(version=99), honest=True)
    refused(path, new(), "has format 99, expected 1")


@pytest.mark.parametrize("what", ["values", "shape", "dtype", "name", "step", "rate", "digest"])
def test_the_digest_covers_everything(path, what):
    def change(found, stored):
        name = next(iter(found))
        match what:
            case "values":
                found[name] = found[name] + 1
            case "shape":
                found[name] = found[name].reshape(1, -1)
            case "dtype":
                found[name] = found[name].view(torch.int32)
            case "name":
                found["other"] = found.pop(name)
            case "step":
                stored["head"]["state"]["step"] += 1
            case "rate":
                stored["head"]["state"]["optimizers"]["D"]["param_groups"][0]["lr"] *= 2
            case "digest":
                stored["digest"] = "0" * 64

    save(path, new(steps=2))
    rewrite(path, lambda found, stored: None)
    load(path, new())  # the rewriting itself does no harm
    rewrite(path, change)
    refused(path, new(), "damaged: its digest is [0-9a-f]{64}, expected [0-9a-f]{64}")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: new(width=9), r"of its players, D is .*\[8, 2\].*expected .*\[9, 2\]"),
        (lambda: new(optimizer=torch.optim.RMSprop), "D is .*Adam.*expected .*RMSprop"),
        (lambda: new(ema=None), "of its tensors, G_ema/0.bias is .*expected none"),
        (lambda: of(mlp([2, 8, 2]).double(), mlp([2, 8, 1])), "float32.*expected float64"),
        (lambda: of(mlp([2, 8, 2]), nn.Sequential(mlp([2, 8, 1]))), "D/0.0.bias is missing"),
        (lambda: Game(new().players[:1], {"D": new().modules["D"]}), "G is .*expected none"),
    ],
)
def test_another_game(path, other, message):
    save(path, new(steps=2))
    game = other()
    if len(game.players) == 1:
        game.modules["D"] = nn.ParameterList(game.players[0].params)
    refused(path, game, f"holds another game.*{message}.*Build the game as it was when it was saved")


# Whole or not at all.


def test_a_failed_save_leaves_the_former_file(path, monkeypatch):
    save(path, new(steps=2), seed=0)
    former = path.read_bytes()
    with pytest.raises(TypeError):
        save(path, new(), note=torch.zeros(1))
    assert path.read_bytes() == former
    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, broken, lambda *_: (_ for _ in ()).throw(OSError("no space left on device")))
            with pytest.raises(OSError, match="no space left"):
                save(path, new())
        assert path.read_bytes() == former
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def atomic(path: Path, game: Game) -> None:
    save(path, game)


def in_place(path: Path, game: Game) -> None:
    """What must not be done: empty the former file, then write the new one."""
    whole = path.with_name("whole")
    save(whole, game)
    with open(path, "wb") as file:
        blob = whole.read_bytes()
        for start in range(0, len(blob), 4096):
            file.write(blob[start : start + 4096])
            file.flush()


def killed_while_saving(path: Path, write, kills: int) -> int:
    """How many of the kills left a file that cannot be loaded."""
    game, lost = new(width=2048, steps=1), 0
    save(path, game)
    for kill in range(kills):
        child = os.fork()  # saves for ever; a fork, because importing torch takes longer than all the rest
        if child == 0:
            torch.set_num_threads(1)
            while True:
                write(path, game)
        time.sleep(0.05 + 0.0037 * kill)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            load(path, game)
        except CheckpointError:
            lost += 1
    return lost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_while_saving_never_costs_the_former_file(path):
    assert killed_while_saving(path, atomic, kills=20) == 0
    assert killed_while_saving(path, in_place, kills=20) > 0
