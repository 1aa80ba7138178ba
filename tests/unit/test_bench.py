"""The benchmarks compare what they say they compare."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from ganlib.data import Dataset
from ganlib.recipe import recipe
from ganlib.train import keyed

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import bench  # noqa: E402, the folder is no package
import contenders  # noqa: E402


@pytest.fixture(scope="module")
def digits() -> Dataset:
    rng = torch.Generator().manual_seed(0)
    return Dataset(torch.randint(256, (200, 28, 28), generator=rng).to(torch.uint8), torch.arange(200) % 10)


@pytest.mark.parametrize("name", [*contenders.CONTENDERS, *contenders.CHOICES, *contenders.OBJECTIVES])
def test_everyone_can_run_and_be_judged(digits, name):
    start = (contenders.CONTENDERS | contenders.CHOICES | contenders.OBJECTIVES)[name]
    rounds, draws = start(digits, 0)
    next(rounds)
    for draw in draws.values():
        images = draw(70, 0)
        assert images.shape == (70, 1, 28, 28)
        assert images.abs().max() <= 1
        assert torch.equal(images, draw(70, 0)), "to look at a network does not change it"
        assert not torch.equal(images, draw(70, 1))


def test_the_bare_loop_does_the_work_of_train(digits):
    """Given the same batches it ends with the same weights, so its time is a fair measure."""
    mine = recipe(seed=3)
    draw = contenders.sampler(digits.images, mine["z_dim"], mine["batch_size"])

    def source(seed):
        for step in range(40):
            for name in ("D0", "G"):
                yield draw(keyed(seed, step, name))

    def images(rounds, draws):
        for _ in range(40):
            next(rounds)
        return draws["averaged"](5, 0)

    ours = images(*contenders.ours(digits, 3))
    assert torch.equal(ours, images(*contenders.bare(digits, 3, source(3))))
    assert not torch.equal(ours, images(*contenders.bare(digits, 3, source(4))))


@pytest.mark.parametrize("generator_first", [True, False])
def test_the_published_order_of_updates(digits, generator_first):
    """PyTorch-GAN moves G first and halves D's loss; the PyTorch example moves D first."""
    seen = []

    def loss(says, target):
        seen.append(target[0].item())
        return torch.nn.functional.mse_loss(says, target)

    start = partial(contenders.published, networks=contenders.gan_networks, generator_first=generator_first)
    rounds, _ = start(digits, 0, loss=loss)
    next(rounds)
    assert seen == ([1, 1, 0] if generator_first else [1, 0, 1])


def test_parameters_are_those_of_the_scripts():
    """Counted by hand from the layers' sizes."""

    def count(networks):
        return tuple(sum(p.numel() for p in net.parameters()) for net in networks())

    wide = 128 * 256 + 256 * 512 + 512 * 1024 + 256 + 512 + 1024 + 2 * (256 + 512 + 1024)
    assert count(contenders.gan_networks) == (
        100 * 128 + 128 + wide + 1024 * 784 + 784,
        784 * 512 + 512 + 512 * 256 + 256 + 256 + 1,
    )
    assert count(contenders.cgan_networks) == (
        100 + 110 * 128 + 128 + wide + 1024 * 1024 + 1024,
        100 + 1034 * 512 + 2 * 512 * 512 + 3 * 512 + 513,
    )
    assert count(contenders.example_networks) == (
        16 * (100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64) + 2 * (512 + 256 + 128 + 64),
        16 * (64 + 64 * 128 + 128 * 256 + 256 * 512 + 512) + 2 * (128 + 256 + 512),
    )


def test_resizing_there_and_back_keeps_the_images(digits):
    smooth = torch.nn.functional.avg_pool2d(digits.images[:, None].float(), 5, 1, 2)[:, 0].byte()
    there = contenders.there_and_back(smooth, 32)
    off = (there - contenders.as_float(smooth)).abs().mean()
    assert off < 0.05
    assert (there.flip(3) - contenders.as_float(smooth)).abs().mean() > 2 * off, "the control: mirrored"


def test_a_time_is_read_off_a_curve_by_a_power_law():
    records = [{"contender": "a", "mark": t, "FD": 100 / t, "seed": 0} for t in (1.0, 4.0, 16.0)]
    assert bench.when(records, "a", 12.5) == pytest.approx(8)
    assert bench.when(records, "a", 200) == 1.0, "reached before the first mark"
    assert bench.when(records, "a", 1) is None, "never reached"
    records.append({"contender": "a", "mark": 4.0, "FD": None, "seed": 1})  # diverged: not counted as a score
    assert bench.at(records, "a", 4.0) == [25.0]
    assert bench.cell(records, "a", 4.0) == "25, 1 of 2 not finite"
    assert bench.cell(records, "a", 1.0) == [100.0]


def test_a_failing_contender_is_an_error(capfd):
    with pytest.raises(SystemExit, match="nobody with seed 0 failed"):
        bench.laps(["nobody"], [0], [1.0], 1, 1, subset="5k")
    assert "KeyError: 'nobody'" in capfd.readouterr().err


def test_a_lap_stops_its_clock_while_samples_are_judged():
    """Two marks a tenth of a second apart, though to judge takes longer."""
    first, second = bench.lap("ours", 0, [0.2, 0.3], 1, n=200, subset="5k")
    assert 0.2 <= first["seconds"] < 0.3 <= second["seconds"] < 0.45
    assert second["steps"] > first["steps"] > 0
    assert first["FD"] > 100
    assert first.keys() >= {"contender", "seed", "mark", "mode", "extractor"}
