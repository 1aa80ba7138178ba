"""The metrics are their definitions: closed forms, other people's code, twins that leave something out."""

import math
import os
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.linalg
import torch

from ganlib import metrics
from ganlib.data import DataError, mnist
from ganlib.features import card, extractor_id
from ganlib.metrics import (
    Score,
    class_accuracy,
    class_histogram,
    confidence,
    fd,
    frechet,
    inception_score,
    probabilities,
    real_images,
    real_row,
)

needs_mnist = pytest.mark.skipif(
    not os.environ.get("GANLIB_DATA"), reason="GANLIB_DATA is not set: the full MNIST is NOT tested"
)
f64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits():
    """1,000 images of the subset, 100 a class."""
    data = mnist(subset="5k")
    return data.images[::5], data.labels[::5]


def random_gaussian(d: int, seed: int, rank: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.randn(d, rank or d, generator=rng(seed), dtype=f64)
    return torch.randn(d, generator=rng(seed + 100), dtype=f64), a @ a.T


# --- Frechet distance


def by_scipy(m1, c1, m2, c2) -> float:
    cross = scipy.linalg.sqrtm(c1.numpy() @ c2.numpy())
    return ((m1 - m2).square().sum() + c1.trace() + c2.trace()).item() - 2 * np.trace(cross).real


def roots_apart(m1, c1, m2, c2) -> float:
    """A broken twin: tr(C1^1/2 C2^1/2), which is right only where the two commute."""
    r1, r2 = (torch.from_numpy(scipy.linalg.sqrtm(c.numpy()).real) for c in (c1, c2))
    return ((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * (r1 @ r2).trace()).item()


@pytest.mark.parametrize("d", [1, 2, 5, 64])
def test_frechet_is_scipys(d):
    pair = (*random_gaussian(d, 0), *random_gaussian(d, 1))
    expected = by_scipy(*pair)
    assert frechet(*pair) == pytest.approx(expected, rel=1e-9)
    assert frechet(*pair[2:], *pair[:2]) == pytest.approx(expected, rel=1e-9), "symmetric"
    if d > 1:
        assert roots_apart(*pair) != pytest.approx(expected, rel=1e-9), "the control"


def test_frechet_of_commuting_covariances():
    """For diagonal ones it is |m1 - m2|^2 + sum (s1 - s2)^2."""
    s1, s2 = torch.tensor([1.0, 2.0, 0.0], dtype=f64), torch.tensor([3.0, 0.5, 0.2], dtype=f64)
    m = torch.tensor([1.0, -2.0, 0.5], dtype=f64)
    expected = (m.square().sum() + (s1 - s2).square().sum()).item()
    args = (m, torch.diag(s1**2), torch.zeros(3), torch.diag(s2**2))
    assert frechet(*args) == pytest.approx(expected, rel=1e-12)
    assert frechet(m, torch.diag(s1), torch.zeros(3), torch.diag(s2)) != pytest.approx(expected, rel=1e-2)


def test_frechet_of_two_by_two():
    """tr (C1 C2)^1/2 = sqrt(tr C1 C2 + 2 sqrt(det C1 C2)), by Cayley and Hamilton."""
    (m1, c1), (m2, c2) = random_gaussian(2, 3), random_gaussian(2, 4)
    product = c1 @ c2
    cross = torch.sqrt(product.trace() + 2 * torch.linalg.det(product).sqrt())
    expected = ((m1 - m2).square().sum() + c1.trace() + c2.trace() - 2 * cross).item()
    assert frechet(m1, c1, m2, c2) == pytest.approx(expected, rel=1e-10)


def test_frechet_of_singular_covariances():
    """A rounding error eps in an eigenvalue that is 0 becomes an error sqrt(eps) in its root."""
    m, c = random_gaussian(20, 5, rank=3)
    assert frechet(m, c, m, c) == pytest.approx(0, abs=1e-6 * c.trace().item())
    assert frechet(m, c, m, 4 * c) == pytest.approx(c.trace().item(), rel=1e-6), "tr(C) (2 - 1)^2"


def test_frechet_of_two_samples_of_one_law():
    """In one dimension its mean is 3/n: 2/n from the means, 1/n from the deviations."""
    n, repeats = 100, 1_000
    samples = torch.randn(2, repeats, n, 1, generator=rng(), dtype=f64)
    values = [
        frechet(a.mean(0), torch.cov(a.T).reshape(1, 1), b.mean(0), torch.cov(b.T).reshape(1, 1))
        for a, b in zip(*samples, strict=True)
    ]
    assert n * sum(values) / repeats == pytest.approx(3, rel=0.2)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((torch.zeros(3), torch.eye(3), torch.zeros(2), torch.eye(2)), "shapes"),
        ((torch.zeros(3), torch.ones(3), torch.zeros(3), torch.ones(3)), "shapes"),
        (
            (torch.zeros(2), torch.tensor([[1.0, 0.5], [0.0, 1.0]]), torch.zeros(2), torch.eye(2)),
            "not symmetric",
        ),
        ((torch.zeros(2), torch.eye(2), torch.zeros(2), torch.full((2, 2), math.nan)), "finite"),
        ((torch.zeros(2), torch.eye(2), torch.tensor([0.0, math.inf]), torch.eye(2)), "finite"),
    ],
)
def test_frechet_refuses_what_is_no_gaussian(args, says):
    with pytest.raises(ValueError, match=says):
        frechet(*args)


# --- FD(digit-net)


def test_fd_orders_what_it_should(digits):
    images, labels = digits
    n = 500
    real = fd(real_images(mnist(subset="5k"), n)).value
    nine = fd(images[labels != 3][:n]).value
    one_per_class = fd(images[::100].repeat(n // 10, 1, 1)).value
    noise = fd(torch.rand(n, 1, 28, 28, generator=rng()) * 2 - 1).value
    assert 0 < real < nine < one_per_class < noise
    assert nine > 1.3 * real
    assert one_per_class > 10 * real


def test_fd_takes_bytes_and_floats(digits):
    images, _ = digits
    floats = images[:100, None] / 127.5 - 1
    assert fd(images[:100]).value == pytest.approx(fd(floats).value, rel=1e-4)
    assert fd(floats.requires_grad_()).n == 100


def test_fd_says_how_it_was_measured(digits):
    score = fd(digits[0][:50], seed=7)
    assert (score.n, score.reference, score.extractor, score.seed) == (50, 10_000, extractor_id(), 7)
    for fact in (
        f"{score.value:.2f}",
        "50 images",
        "10,000 test images",
        extractor_id(),
        "seed 7",
        "FD(digit-net",
    ):
        assert fact in str(score)
    assert "FID" not in str(score)
    assert float(score) == score.value
    with pytest.raises(FrozenInstanceError):
        score.value = 0


def test_fd_refuses_too_few_images_and_wrong_ones():
    with pytest.raises(ValueError, match="at least 2"):
        fd(torch.zeros(1, 1, 28, 28))
    with pytest.raises(ValueError, match="expected \\(B, 1, 28, 28\\)"):
        fd(torch.zeros(4, 784))
    with pytest.raises(ValueError, match="expected values in"):
        fd(torch.full((4, 1, 28, 28), 255.0))


def test_real_row_falls_with_n():
    rows = [real_row(n) for n in (1_000, 2_000, 5_000, 10_000)]
    assert [r.n for r in rows] == [1_000, 2_000, 5_000, 10_000]
    values = [r.value for r in rows]
    assert values == sorted(values, reverse=True)
    assert isinstance(real_row(), Score)


def test_real_row_of_another_size_needs_the_full_set(monkeypatch):
    def offline(split):
        raise DataError("no network")

    monkeypatch.setattr(metrics, "mnist", offline)
    assert real_row(1_000, seed=4).value == card()["floors"]["1000"][4]
    for arguments in ((1_000, 5), (1_000, -1), (777, 0)):
        with pytest.raises(DataError, match="no network"):
            real_row(*arguments)


@needs_mnist
@pytest.mark.parametrize("seed", [0, 1])
def test_real_row_is_what_is_measured(seed):
    train = mnist("train")
    measured = fd(real_images(train, 1_000, seed), seed)
    assert measured.value == pytest.approx(real_row(1_000, seed).value, rel=1e-3)
    assert measured.value != pytest.approx(real_row(1_000, 2).value, rel=1e-3), "the control: draws differ"
    assert real_row(100, seed).n == 100


def test_real_images_are_different_ones():
    data = mnist(subset="5k")
    drawn = real_images(data, 5_000)
    assert torch.equal(drawn.sum((1, 2)).sort()[0], data.images.sum((1, 2)).sort()[0])
    assert torch.equal(real_images(data, 10), drawn[:10])
    with pytest.raises(ValueError, match="cannot draw 5,001"):
        real_images(data, 5_001)


# --- Inception Score

SHARP = torch.eye(10, dtype=f64)
MIXED = torch.tensor([[1.0, 0.0], [0.5, 0.5]], dtype=f64)  # one sure, one not: KL differs from row to row
TABLES = {
    "uniform": (torch.full((40, 10), 0.1, dtype=f64), 1),
    "one class": (SHARP[:1].repeat(40, 1), 1),
    "two classes": (SHARP[:2].repeat(20, 1), 2),
    "balanced and sharp": (SHARP.repeat(4, 1), 10),
    "one image per class": (SHARP, 10),
    "permuted labels": (SHARP[torch.randperm(10, generator=rng())].repeat(4, 1), 10),
    "mixed": (MIXED, math.exp(0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3) + 0.25 * math.log(2))),
}


def kl_rows(p, q):
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(1)


BROKEN = {
    "exp left out": lambda p: kl_rows(p, p.mean(0)).mean(),
    "mean of exp": lambda p: kl_rows(p, p.mean(0)).exp().mean(),
    "KL to uniform": lambda p: kl_rows(p, torch.full_like(p, 1 / p.shape[1])).mean().exp(),
    "entropy alone": lambda p: torch.special.entr(p.mean(0)).sum().exp(),
    "log with epsilon": lambda p: (p * ((p + 1e-3).log() - (p.mean(0) + 1e-3).log())).sum(1).mean().exp(),
}


def right(score) -> list[bool]:
    return [math.isclose(float(score(p)), value, abs_tol=1e-9) for p, value in TABLES.values()]


def test_inception_score_of_the_tables():
    assert all(right(inception_score))


@pytest.mark.parametrize("twin", BROKEN.values(), ids=BROKEN)
def test_the_tables_tell_a_broken_score(twin):
    assert not all(right(twin))


def test_inception_score_of_real_digits(digits):
    images, labels = digits
    assert 9.5 < inception_score(images) <= 10
    assert inception_score(images[labels == 4]) < 1.2
    assert inception_score(images) == pytest.approx(inception_score(probabilities(images)), rel=1e-12)


@pytest.mark.parametrize(
    "p",
    [torch.zeros(0, 10), torch.full((3, 10), 0.2), torch.tensor([[1.5, -0.5]]), torch.full((2, 2), math.nan)],
)
def test_inception_score_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="add up to 1"):
        inception_score(p)


# --- classes


def test_probabilities_are_such(digits):
    p = probabilities(digits[0][:20].clone())
    assert p.shape == (20, 10)
    torch.testing.assert_close(p.sum(1), torch.ones(20, dtype=f64))
    assert not p.requires_grad
    with pytest.raises(ValueError, match="no images"):
        probabilities(torch.zeros(0, 1, 28, 28))


def test_class_histogram_of_a_known_set(digits):
    images, labels = digits
    share = class_histogram(images[(labels == 7) | (labels == 2)])
    assert share.sum().item() == pytest.approx(1)
    assert share[[2, 7]].min() > 0.48
    assert class_histogram(images).min() > 0.09


def test_confidence_is_the_mean_of_the_largest(digits):
    images, _ = digits
    p = probabilities(images)
    assert confidence(images) == pytest.approx(p.amax(1).mean().item(), rel=1e-12)
    assert confidence(images) > 0.98
    assert p.mean(0).max() < 0.2, "the control: the largest of the mean is another number"


def test_confidence_is_no_judge_of_pictures(digits):
    """The network is as sure of the mean of twenty digits. The Frechet distance is not deceived."""
    images, _ = digits
    mixed = [images[torch.randperm(1_000, generator=rng(i))[:20]].float().mean(0) for i in range(100)]
    blurred = torch.stack(mixed)[:, None] / 127.5 - 1
    assert confidence(blurred) > 0.9
    assert fd(blurred).value > 10 * fd(images[::10]).value


def test_class_accuracy_sees_the_labels(digits):
    images, labels = digits
    assert class_accuracy(images, labels) > 0.98
    assert class_accuracy(images, (labels + 1) % 10) < 0.02, "the control"
    with pytest.raises(ValueError, match="one for each of 1000 images"):
        class_accuracy(images, labels[:-1])
