"""The shipped digit network is whole, good enough, frozen, and what its card says."""

import os
import sys

import pytest
import torch
from safetensors import safe_open

from ganlib import features
from ganlib.data import DataError, Dataset, as_float, mnist
from ganlib.features import WEIGHTS, DigitNet, card, digit_net, extract, extractor_id, fit, moments

needs_mnist = pytest.mark.skipif(
    not os.environ.get("GANLIB_DATA"), reason="GANLIB_DATA is not set: the full MNIST is NOT tested"
)


@pytest.fixture(scope="module")
def subset() -> Dataset:
    return mnist(subset="5k")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def accuracy(net: DigitNet, data: Dataset) -> float:
    return (extract(net, data.images)[1].argmax(1) == data.labels).double().mean().item()


def test_card_and_file():
    assert card()["accuracy"] >= 0.99
    assert WEIGHTS.stat().st_size < 500_000
    with safe_open(WEIGHTS, framework="pt") as file:
        assert list(file.metadata()) == ["ganlib"], "several keys would be written in random order"
    readme = (WEIGHTS.parent / "README.md").read_text("utf-8")
    for fact in (f"{card()['accuracy']:.2%}".replace("%", " %"), extractor_id(), card()["command"]):
        assert fact in readme
    assert f"{sum(p.numel() for p in digit_net().parameters()):,} weights" in readme


def test_it_reads_the_subset(subset):
    assert accuracy(digit_net(), subset) >= 0.99
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert accuracy(DigitNet(), subset) < 0.3, "the control: an untrained network"


@needs_mnist
def test_card_is_true():
    """Accuracy, moments and a floor, measured again on the full set."""
    test = mnist("test")
    assert accuracy(digit_net(), test) == pytest.approx(card()["accuracy"], abs=2e-4)
    mean, cov = moments(extract(digit_net(), test.images)[0])
    shipped_mean, shipped_cov = features.test_moments()
    torch.testing.assert_close(mean, shipped_mean, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(cov, shipped_cov, rtol=1e-4, atol=1e-2)
    other = moments(extract(digit_net(), test.images[:5_000])[0])[0]
    assert (other - shipped_mean).abs().max() > 0.1, "the control: half of the test set has other moments"


def test_it_is_frozen_and_shared():
    net = digit_net()
    assert net is digit_net()
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    x = torch.zeros(2, 1, 28, 28, requires_grad=True)
    net.features(x).sum().backward()
    assert x.grad.abs().sum() > 0, "gradients pass through to the images, as feature matching needs"


def test_logits_come_from_the_features(subset):
    x = as_float(subset.images[::500])
    f, logits = extract(digit_net(), x)
    assert f.shape == (10, 64)
    assert f.min() < 0, "taken before the ReLU"
    torch.testing.assert_close(logits, digit_net()(x))


def test_batches_do_not_matter(subset):
    whole, _ = extract(digit_net(), subset.images[:50], batch_size=50)
    parts, _ = extract(digit_net(), as_float(subset.images[:50]).double(), batch_size=7)
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (torch.zeros(2, 28, 28), r"shape \(2, 28, 28\), expected \(B, 1, 28, 28\)"),
        (torch.zeros(2, 1, 32, 32), "expected"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), "uint8, expected floats"),
        (torch.full((2, 1, 28, 28), 1.5), "run from 1.5 to 1.5"),
        (torch.full((2, 1, 28, 28), -2.0), "expected values in"),
        (torch.full((2, 1, 28, 28), float("nan")), "expected values in"),
    ],
)
def test_it_refuses_what_is_no_image(x, says):
    with pytest.raises(ValueError, match=says):
        digit_net().features(x)
    digit_net().features(torch.full((2, 1, 28, 28), 1.0))


def test_damaged_weights_give_one_error(tmp_path):
    path = tmp_path / "digit-net.safetensors"
    whole = WEIGHTS.read_bytes()
    header = int.from_bytes(whole[:8], "little")

    def refused(says: str) -> None:
        features._shipped.cache_clear()
        with pytest.raises(DataError, match=says) as caught:
            features._shipped(path)
        assert str(path) in str(caught.value)
        assert "python -m ganlib.features" in str(caught.value)
        assert caught.value.__cause__ is None

    try:
        refused("cannot be read")  # missing
        for blob in (b"", whole[:-100], b"<!DOCTYPE html>" * 100, whole[:4]):
            path.write_bytes(blob)
            refused("cannot be read")
        at = 8 + header + 1_000
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        refused("SHA-256")
        path.write_bytes(whole)  # the twin
        tensors, _ = features._shipped(path)
        assert tensors["test.mean"].shape == (64,)
    finally:
        features._shipped.cache_clear()


def test_fit_is_a_function_of_the_seed(subset):
    pick = torch.randperm(5_000, generator=rng())[:256]
    images, labels = subset.images[pick], subset.labels[pick]

    def weights(seed: int) -> torch.Tensor:
        net = fit(images, labels, epochs=1, seed=seed, batch_size=64)
        return torch.cat([p.flatten() for p in net.parameters()])

    first = weights(0)
    torch.manual_seed(5)  # nothing outside decides
    assert torch.equal(first, weights(0))
    assert not torch.equal(first, weights(1))


def test_fit_learns(subset):
    """Five epochs of 1,500 images read a thousand others."""
    train, rest = torch.randperm(5_000, generator=rng())[:2_500].split((1_500, 1_000))
    net = fit(subset.images[train], subset.labels[train], epochs=5, batch_size=32)
    assert accuracy(net, Dataset(subset.images[rest], subset.labels[rest])) > 0.9


def test_the_command_writes_good_weights_or_none(tmp_path, monkeypatch, subset):
    """With the training itself left out, and the subset in place of both splits."""
    out = tmp_path / "net.safetensors"
    monkeypatch.setattr(sys, "argv", ["features", "--out", str(out), "--seed", "3"])
    monkeypatch.setattr(features, "mnist", lambda split: subset)
    monkeypatch.setattr(features, "FLOOR_SIZES", (1_000,))
    monkeypatch.setattr(features, "FLOOR_SEEDS", range(1))

    monkeypatch.setattr(features, "fit", lambda *_: DigitNet())
    with pytest.raises(SystemExit, match="expected at least 99%: nothing is written"):
        features.main()
    assert list(tmp_path.iterdir()) == []

    trained = DigitNet()
    trained.load_state_dict(digit_net().state_dict())
    monkeypatch.setattr(features, "fit", lambda *_: trained)
    features.main()
    assert list(tmp_path.iterdir()) == [out]
    try:
        features._shipped.cache_clear()
        tensors, meta = features._shipped(out)
    finally:
        features._shipped.cache_clear()
    assert meta["command"] == "python -m ganlib.features --seed 3 --epochs 10"
    assert len(meta["floors"]["1000"]) == 1
    for name, weight in digit_net().state_dict().items():
        assert torch.equal(tensors[name].float(), weight), (
            "float16 loses nothing of weights that were rounded before"
        )
