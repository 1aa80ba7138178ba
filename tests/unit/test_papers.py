"""The scripts behind two papers' tables: what they count is right, and a run too short does not pass."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from ganlib.cgan import WAYS
from ganlib.data import Dataset, as_float, mnist
from ganlib.metrics import log_likelihood, real_images
from ganlib.recipe import build, recipe

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import collapse
import conditional
import papers
import sensitivity


@pytest.fixture(scope="module")
def digits():
    data = mnist(subset="5k")  # which comes in the order of its labels
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    return Dataset(data.images[order], data.labels[order])


def nearest(images, centres):
    """Mean squared distance of an image to its nearest centre."""
    x, c = (t.flatten(1).double() for t in (images.float().div(127.5).sub(1), centres))
    return torch.cdist(x, c).amin(1).square().mean().item()


def test_centres_are_nearer_to_the_images_than_as_many_images_are(digits):
    centres = papers.centres(digits.images[:2_000], 100, seed=0)
    assert centres.shape == (100, 1, 28, 28)
    assert centres.abs().max() <= 1
    images = as_float(real_images(digits, 100, seed=0))
    assert nearest(digits.images[2_000:3_000], centres) < 0.9 * nearest(digits.images[2_000:3_000], images)


def test_the_window_prefers_centres_that_draw_nothing_new_to_real_digits(digits):
    """That is the point of the table. Blurred images are no way to win: their mean alone loses."""
    rest, validation, test = digits.images[:3_000], digits.images[3_000:4_000], digits.images[4_000:]

    def nats(images):
        return log_likelihood(images, validation, test, seed=0).value

    real = real_images(Dataset(rest, digits.labels[:3_000]), 300, seed=0)
    mean = rest.float().mean(0, keepdim=True).div(127.5).sub(1).reshape(1, 1, 28, 28).expand(300, -1, -1, -1)
    assert nats(papers.centres(rest, 300, seed=0)) > nats(real) + 50
    assert nats(mean) < nats(real) - 50


def test_a_ring_is_covered_after_some_rounds_and_not_after_one():
    scores = papers.planar("ring", plain=False, steps=500, seed=0)
    assert scores["modes covered"] == 8
    assert scores["high quality"] > 0.5
    assert papers.planar("ring", plain=False, steps=1, seed=0)["high quality"] < 0.2


def test_the_collapse_has_its_control_beside_it():
    """Few rounds and few images: the form of the table, and that the branches part."""
    options = argparse.Namespace(seeds=1, lanes=1, before=150, after=60, n=400, data="5k")
    rows = {row["images"]: row for row in collapse.table(options)["rows"]}
    assert list(rows)[:2] == ["real training images", "after 150 rounds"]
    assert rows["real training images"]["spread within classes"] == [1.0]
    as_before, still = rows["60 more, D as before"], rows["60 more, D standing still"]
    assert still["largest share, %"][0] > as_before["largest share, %"][0] + 10


def test_the_ways_to_tell_the_label_are_all_in_the_table():
    options = argparse.Namespace(seeds=1, lanes=1, steps=40, n=400, data="5k")
    rows = {row["D is told by"]: row for row in conditional.table(options)["rows"]}
    assert list(rows) == ["real training images", *WAYS, conditional.HIDDEN]
    assert rows["real training images"]["as asked, digit-net, %"][0] > 98
    assert all(row["FD"][0] > rows["real training images"]["FD"][0] for row in list(rows.values())[1:])


def test_the_unchanged_networks_of_the_map_are_those_of_the_recipe():
    plan = recipe(seed=3)
    G, D = sensitivity.pair(plan)
    game = build(plan)
    for ours, theirs in ((G, game.modules["G"]), (D, game.modules["D"])):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    z, x = torch.randn(4, plan["z_dim"]), torch.rand(4, 1, 28, 28)
    for activation, more in (("Tanh", 0), ("SiLU", 2)):
        other, critic = sensitivity.pair(plan, activation, more)
        assert other(z).shape == (4, 1, 28, 28)
        assert critic(x).shape == (4,)
        assert not torch.equal(other(z), G(z))


def test_the_maps_have_every_cell_and_tell_a_hopeless_rate(monkeypatch, tmp_path):
    small = {
        "rates": ("rate of G", (4e-3, 64.0), "rate of D", (2e-3,)),
        "networks": ("activation", ("ReLU",), "layers more", (0, 1)),
    }
    monkeypatch.setattr(sensitivity, "MAPS", small)
    monkeypatch.setattr(sensitivity, "ProcessPoolExecutor", ThreadPoolExecutor)
    options = argparse.Namespace(seeds=1, lanes=1, seen=32 * 60, n=300, data="5k")
    found, runs = sensitivity.tables(options)
    assert list(found) == ["sensitivity_rates", "sensitivity_networks"]
    good, bad = (row["rate of D 0.002"] for row in found["sensitivity_rates"]["rows"])
    assert bad == "not finite" or bad[0] > 2 * good[0]
    assert set(found["sensitivity_networks"]["rows"][0]) == {"activation", "layers more 0", "layers more 1"}
    assert len(runs) == 4


def test_ranks_are_ranks():
    assert sensitivity.ranks([0.3, -1.0, 7.0]) == [1, 0, 2]
