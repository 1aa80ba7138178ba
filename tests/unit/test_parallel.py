"""Two processes play the game of one. This file is also what torchrun runs in each of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganlib import game as game_module
from ganlib import parallel
from ganlib.game import Game, gan
from ganlib.nets import conv_gan
from ganlib.objectives import nonsaturating
from ganlib.parallel import average, average_gradients, processes, rank, share, world_size
from ganlib.penalties import r1
from ganlib.train import train

ROOT = Path(__file__).parents[2]
STEPS = 12


def draw(rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    x = torch.rand(8, 1, 28, 28, generator=rng, dtype=torch.float64) * 2 - 1
    return x, torch.randn(8, 4, generator=rng, dtype=torch.float64), torch.randint(10, (8,), generator=rng)


def play(optimizer: type[torch.optim.Optimizer], draw=draw) -> Game:
    """A conditional game in float64 with R1 in every third round, two moves of D and an average."""
    G, D = conv_gan(4, (8, 4), 16, n_classes=10)
    penalties, lr = [(0.5, r1)], (1e-3, 1e-3)
    settings = {"every": 3, "n_critic": 2, "ema": 0.9, "optimizer": optimizer}
    game = gan(G.double(), D.double(), nonsaturating, penalties, lr, **settings)
    for _ in train(game, draw, STEPS):
        pass
    return game


def weights(game: Game) -> Tensor:
    return torch.cat([p.detach().flatten() for m in game.modules.values() for p in m.parameters()])


# (optimiser, what is broken). Adam does not see a factor in the gradient, so SGD is there for the sum.
VARIANTS = {
    "adam": (torch.optim.Adam, None),
    "sgd": (torch.optim.SGD, None),
    "gradients not averaged": (torch.optim.Adam, "average_gradients"),
    "gradients added up": (torch.optim.SGD, "sum"),
}


def added_up(params) -> None:
    average_gradients(params)
    for p in params:
        p.grad.mul_(world_size())


def worker(out: Path) -> None:
    torch.set_num_threads(1)
    with processes():
        results = {}
        for name, (optimizer, broken) in VARIANTS.items():
            game_module.average_gradients = {
                "average_gradients": lambda params: None,
                "sum": added_up,
            }.get(broken, average_gradients)
            results[name] = weights(play(optimizer))
        game_module.average_gradients = average_gradients
        save_file(results, out / f"{rank()}.safetensors")

        calls = 0

        def poisoned(rng):
            nonlocal calls
            calls += 1
            x, z, y = draw(rng)
            if calls == 10 and rank() == 1:  # D's first move in the fourth round, on one process only
                x = x * float("nan")
            return x, z, y

        try:
            play(torch.optim.Adam, poisoned)
            said = "nothing"
        except FloatingPointError as error:
            said = str(error)
        (out / f"{rank()}.json").write_text(json.dumps({"said": said, "ranks": world_size()}))


def torchrun(*arguments: str) -> subprocess.CompletedProcess:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        *arguments,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("ranks")
    result = torchrun(__file__, str(out))
    assert result.returncode == 0, result.stderr
    return out


def difference(ranks: Path, variant: str) -> float:
    """The largest difference of a weight between either of two processes and one, in float64."""
    alone = weights(play(VARIANTS[variant][0]))
    both = [load_file(ranks / f"{i}.safetensors")[variant] for i in range(2)]
    return max((weight - alone).abs().max().item() for weight in both)


@pytest.mark.parametrize("variant", ["adam", "sgd"])
def test_two_processes_equal_one(ranks, variant):
    assert difference(ranks, variant) < 1e-12
    first, second = (load_file(ranks / f"{i}.safetensors")[variant] for i in range(2))
    assert torch.equal(first, second)
    start = torch.cat(
        [p.flatten() for net in conv_gan(4, (8, 4), 16, n_classes=10) for p in net.parameters()]
    )
    assert (load_file(ranks / "0.safetensors")[variant][: len(start)] - start).abs().max() > 1e-4, "it moved"


@pytest.mark.parametrize("variant", ["gradients not averaged", "gradients added up"])
def test_a_wrong_average_is_caught(ranks, variant):
    assert difference(ranks, variant) > 1e-6


def test_a_loss_that_is_not_finite_stops_all(ranks):
    """Otherwise the others would wait for ever for the one that has stopped."""
    for i in range(2):
        found = json.loads((ranks / f"{i}.json").read_text())
        assert found["ranks"] == 2
        assert "step 4: the loss of D is nan" in found["said"]


def test_alone_nothing_happens():
    batch = draw(torch.Generator().manual_seed(0))
    assert share(batch) is batch
    assert average(batch[0]) is batch[0]
    assert (rank(), world_size()) == (0, 1)
    average_gradients([])
    with processes():
        assert world_size() == 1


def test_a_batch_that_cannot_be_shared(monkeypatch):
    monkeypatch.setattr(parallel, "_several", lambda: True)
    monkeypatch.setattr(parallel, "world_size", lambda: 3)
    monkeypatch.setattr(parallel, "rank", lambda: 2)
    with pytest.raises(ValueError, match="a batch of 8 cannot be shared equally by 3 processes"):
        share(draw(torch.Generator()))
    assert torch.equal(share([torch.arange(9)])[0], torch.tensor([6, 7, 8]))


def test_the_command_line_under_torchrun(tmp_path):
    """One log and one checkpoint for both, and the run can go on alone. An odd batch is one error."""
    from ganlib.__main__ import main

    small = ["--z-dim", "4", "--channels", "4", "2", "--hidden", "8", "--threads", "1"]
    run, alone, odd = (str(tmp_path / name) for name in ("two", "one", "odd"))
    threads = torch.get_num_threads()
    try:
        result = torchrun("-m", "ganlib", "train", run, *small, "--batch-size", "8", "--steps", "6")
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("6 steps. Look at") == 1
        assert main(["train", run, "--resume", "--steps", "8"]) == 0
        assert main(["train", alone, *small, "--batch-size", "8", "--steps", "8"]) == 0
    finally:
        torch.set_num_threads(threads)
    logs = [
        [json.loads(line) for line in (Path(r) / "log.jsonl").read_text().splitlines()] for r in (run, alone)
    ]
    for two, one in zip(*logs, strict=True):
        assert two["step"] == one["step"]
        assert (two["D"], two["G"]) == pytest.approx((one["D"], one["G"]), rel=1e-4)
    result = torchrun("-m", "ganlib", "train", odd, *small, "--batch-size", "9", "--steps", "6")
    assert result.returncode
    assert result.stderr.count("--batch-size 9 is no multiple of 2 processes") == 1


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
