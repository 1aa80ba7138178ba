"""The metrics are their definitions: closed forms, other people's code, twins that leave something out."""

import dataclasses
import math
import os
import textwrap
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from sklearn.neighbors import KernelDensity, NearestNeighbors

from ganlib import metrics, points
from ganlib.data import DataError, GaussianMixture, gaussian_grid, gaussian_ring, mnist
from ganlib.features import card, digit_net, extract, extractor_id
from ganlib.metrics import (
    Score,
    class_accuracy,
    class_histogram,
    class_spread,
    confidence,
    fd,
    frechet,
    inception_score,
    judge,
    log_likelihood,
    memorisation,
    modes,
    probabilities,
    real_images,
    real_pair,
    real_row,
    table,
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


def test_the_text_of_a_score():
    """The first line is as old as the score: logs and pages hold it."""
    assert str(Score(4.4567, 10_000, 10_000, "da0fc9ba50d9", 3)) == (
        "FD(digit-net da0fc9ba50d9) = 4.46 (10,000 images against 10,000 test images, seed 3)"
    )
    assert str(Score(4.4567, 50, 10_000, "id")) == (
        "FD(digit-net id) = 4.46 (50 images against 10,000 test images)"
    )
    other = {"name": "ll", "over": "pixels", "counts": "{n:,} images of {reference:,}", "form": ".1f"}
    assert str(Score(225.04, 1_000, 5, "", 1, error=2.02, **other)) == (
        "ll(pixels) = 225.0 +- 2.0 (1,000 images of 5, seed 1)"
    )


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


def test_spread_within_classes_is_half_the_mean_squared_distance(digits):
    from ganlib.features import digit_net, extract

    images = digits[0][:400]
    features, logits = extract(digit_net(), images)
    label, wanted = logits.argmax(1), []
    for y in range(10):
        group = features[label == y].double()
        if len(group) >= 20:
            n = len(group)
            wanted.append(torch.cdist(group, group).square().sum().item() / (2 * n * (n - 1)))
    assert len(wanted) > 1
    assert class_spread(images) == pytest.approx(sum(wanted) / len(wanted), rel=1e-9)


def test_spread_within_classes_sees_what_the_histogram_does_not(digits):
    images, labels = digits
    one_each = torch.stack([images[labels == y][0] for y in labels.unique()])
    repeated = one_each.repeat_interleave(40, 0)
    assert (class_histogram(repeated) > 0).sum() == len(one_each)
    assert class_spread(repeated) < 1e-9 * class_spread(images)
    with pytest.raises(ValueError, match="no class has 20 of the 12 images"):
        class_spread(images[:12])


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


# --- a row of scores


class Features(torch.nn.Module):
    """The digit network as torchmetrics wants it: its features (0) or its logits (1), in float64."""

    num_features = 64

    def __init__(self, layer: int):
        super().__init__()
        self.layer = layer

    def forward(self, images):
        return extract(digit_net(), images)[self.layer].double()


@pytest.fixture(scope="module")
def halves():
    """Two sets of 1,000 of the 5,000 digits, with their labels."""
    return real_pair(mnist(subset="5k"), 1_000)


@pytest.fixture(scope="module")
def real_scores(halves):
    a, b = halves
    return judge(a.images, b.images, a.labels)


def by_torchmetrics(outside, made, real) -> dict[str, float]:
    outside("torchmetrics")
    fid = outside("torchmetrics.image.fid").FrechetInceptionDistance(Features(0), normalize=True)
    kid = outside("torchmetrics.image.kid").KernelInceptionDistance(
        Features(0), subsets=1, subset_size=len(made)
    )
    score = outside("torchmetrics.image.inception").InceptionScore(Features(1), splits=1)
    for metric in (fid, kid):
        metric.update(real, real=True)
        metric.update(made, real=False)
    score.update(made)
    return {"FD": fid.compute().item(), "KID": kid.compute()[0].item(), "IS": score.compute()[0].item()}


def test_the_row_is_torchmetrics(outside, halves, real_scores):
    """Eight digits of FD, KID and IS over the same network."""
    a, b = (half.tensor() for half in halves)
    theirs = by_torchmetrics(outside, a, b)
    ours = {name: real_scores[name].value for name in theirs}
    assert ours == pytest.approx(theirs, rel=1e-8)
    for name, value in by_torchmetrics(outside, b[:900], a[:900]).items():
        assert value != pytest.approx(ours[name], rel=1e-4), "the control: other images"


def test_the_row_is_prdcs(outside, halves, real_scores):
    """All digits of the four counts: k is 3 for precision and recall, 5 for density and coverage."""
    made, real = (extract(digit_net(), half.images)[0].double().numpy() for half in halves)
    three, five = (outside("prdc").compute_prdc(real, made, nearest_k=k) for k in (3, 5))
    expected = {name: three[name] for name in ("precision", "recall")}
    expected |= {name: five[name] for name in ("density", "coverage")}
    ours = {name: real_scores[name].value for name in expected}
    assert ours == pytest.approx(expected, abs=1e-12)
    turned = outside("prdc").compute_prdc(made, real, nearest_k=3)
    assert ours["precision"] != pytest.approx(turned["precision"], abs=1e-12), "the control: sets exchanged"
    assert ours["density"] != pytest.approx(three["density"], abs=1e-12), "the control: another k"


def test_class_kl_is_scipys(digits):
    images, labels = digits
    some = images[labels < 7]
    value = judge(some, images)["class KL"].value
    expected = scipy.stats.entropy(class_histogram(some).numpy(), np.full(10, 0.1))
    assert value == pytest.approx(expected, rel=1e-5)
    assert value == pytest.approx(math.log(10 / 7), rel=0.01)
    assert judge(images, images)["class KL"].value < 1e-3, "the control: all classes"


def test_the_row_of_real_data(real_scores):
    """Two halves of one set: what the scores say of a perfect generator at this size. The bounds leave 4
    standard deviations or more, of 12 draws. Density's mean is 1 and coverage's 1 - 2^-5 for any law."""
    value = {name: score.value for name, score in real_scores.items()}
    assert 0 < value["FD"] < 85
    assert abs(value["KID"]) < 45_000
    assert value["precision"] == pytest.approx(0.89, abs=0.05)
    assert value["recall"] == pytest.approx(0.885, abs=0.05)
    assert value["density"] == pytest.approx(1, abs=0.15)
    assert value["coverage"] == pytest.approx(1 - 2**-5, abs=0.03)
    assert value["class accuracy"] > 0.98


def test_a_row_says_how_it_was_measured(halves):
    made, real = halves[0].images[:30], halves[1].images[:40]
    row = judge(made, real, halves[0].labels[:30], seed=3)
    for name, score in row.items():
        alone = name in ("IS", "class KL", "class accuracy")
        assert (score.name, score.n, score.reference) == (name, 30, 0 if alone else 40)
        assert (score.extractor, score.seed) == (extractor_id(), 3)
        against = "" if alone else " against 40 real images"
        assert str(score).startswith(f"{name}(digit-net {extractor_id()}) = ")
        assert str(score).endswith(f"(30 images{against}, seed 3)")
    assert "class accuracy" not in judge(made, real)


def test_judge_refuses_what_it_cannot_judge(halves):
    images, labels = halves[0].images, halves[0].labels
    with pytest.raises(ValueError, match="5 images and 1000 real ones"):
        judge(images[:5], images)
    with pytest.raises(ValueError, match="one for each of 10 images"):
        judge(images[:10], images, labels[:9])
    with pytest.raises(ValueError, match="expected values in"):
        judge(torch.full((9, 1, 28, 28), 2.0), images)


# --- counterexamples


def test_one_image_per_class_repeated(halves, real_scores):
    """The Inception Score is as high as real data's, the classes are even, all is precise: 10 images."""
    a, b = halves
    sure = probabilities(a.images).amax(1)
    best = torch.stack([torch.where(a.labels == c, sure, 0).argmax() for c in range(10)])
    row = judge(a.images[best].repeat(100, 1, 1), b.images, a.labels[best].repeat(100))
    assert row["IS"].value > max(real_scores["IS"].value, 9.9)
    assert row["class KL"].value < 1e-6
    assert row["class accuracy"].value == 1
    assert row["recall"].value < 0.05 < 0.8 < real_scores["recall"].value
    assert row["coverage"].value < 0.1 < 0.9 < real_scores["coverage"].value
    assert row["FD"].value > 20 * real_scores["FD"].value


@pytest.mark.parametrize("dropped", [0, 3, 8])
def test_one_class_dropped(halves, dropped):
    """Precision sees nothing: what is there is good. Coverage loses most of the class's share.

    Recall is no such judge: its balls grow into the gap, and over 12 draws it once rose. The bounds leave 4
    standard deviations. The control is the same set with all its classes.
    """
    a, b = halves
    some, every = judge(a.images[a.labels != dropped][:800], b.images), judge(a.images[:800], b.images)
    change = {name: some[name].value - every[name].value for name in every}
    assert abs(change["precision"]) < 0.025
    assert change["coverage"] < -0.04
    assert change["FD"] > 30
    assert change["class KL"] == pytest.approx(math.log(10 / 9), abs=0.02)
    again = judge(a.images[200:], b.images)
    assert abs(again["coverage"].value - every["coverage"].value) < 0.03, "the control: no class dropped"


def test_training_images_themselves(halves):
    """No score over the digit network minds a generator that has learned its training set by heart."""
    train, held_out = halves[0].images, halves[1].images
    copies = train[:200]
    rows = memorisation(copies, train, held_out[:200])
    assert rows["generated"]["distance"].value == 0
    assert rows["generated"]["close"].value == 1
    assert rows["real"]["distance"].value > 3
    assert rows["real"]["close"].value == 0.01
    fresh = memorisation(held_out[200:400], train, held_out[:200])
    assert fresh["generated"]["distance"].value == pytest.approx(rows["real"]["distance"].value, rel=0.1)
    assert fresh["generated"]["close"].value < 0.06, "the control: other real images"


def test_copies_count_where_held_out_images_are_copies_too(halves):
    """A held-out set that overlaps with the training set brings the threshold down to 0, and no lower."""
    train, held_out = halves[0].images, halves[1].images[:20]
    rows = memorisation(torch.cat([train[:20], held_out]), train, train[20:60])
    assert rows["generated"]["close"].value == 0.5


def test_a_tenth_of_copies_shows_in_close(halves):
    """The mean distance hardly moves."""
    train, held_out = halves[0].images, halves[1].images
    rows = memorisation(torch.cat([train[:50], held_out[:450]]), train, held_out[500:])
    assert rows["generated"]["close"].value >= 0.1
    assert rows["generated"]["distance"].value > 0.8 * rows["real"]["distance"].value


def test_a_small_distance_is_no_proof_of_a_copy(halves):
    train, held_out = halves[0].images, halves[1].images
    rows = memorisation(torch.full((200, 1, 28, 28), -1.0), train, held_out[:200])
    assert 0 < rows["generated"]["distance"].value < rows["real"]["distance"].value
    assert rows["generated"]["close"].value == 0


def test_memorisation_is_scikit_learns(halves):
    """Six digits of the mean distance, over pixels in [0, 1]: as_float rounds them to float32."""
    train, held_out = halves[0].images, halves[1].images[:100]
    flat = [x.flatten(1).double().numpy() / 255 for x in (train, held_out)]
    theirs = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(flat[0]).kneighbors(flat[1])[0].mean()
    rows = memorisation(held_out, train, held_out, seed=5)
    assert rows["real"]["distance"].value == pytest.approx(theirs, rel=1e-6)
    assert rows["real"]["distance"].value != pytest.approx(2 * theirs, rel=1e-2), "the control: [-1, 1]"
    assert str(rows["generated"]["distance"]) == (
        f"distance(pixels in [0, 1]) = {theirs:.3f} (100 images against 1,000 training images, 100 held out, "
        f"seed 5)"
    )
    assert rows["real"]["distance"].seed is None


# --- modes


def rng_points(mixture, n=2_500, seed=0):
    return mixture.sample(n, rng(seed))


def test_modes_of_the_mixture_itself():
    """The rows of real data: all modes, 1 - exp(-9/2) of high quality, a reverse KL near (k - 1) / 2n."""
    for mixture, k in ((gaussian_ring(8), 8), (gaussian_grid(5), 25)):
        rows = [modes(rng_points(mixture, seed=i), mixture) for i in range(20)]
        assert all(row["modes covered"].value == k for row in rows)
        share = [row["high quality"].value for row in rows]
        p = scipy.stats.chi2(2).cdf(9)
        assert p == pytest.approx(1 - math.exp(-4.5), rel=1e-12)
        assert np.mean(share) == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 50_000))
        kls = [row["reverse KL"].value for row in rows]
        assert np.mean(kls) == pytest.approx((k - 1) / 5_000, rel=0.4)
    one = modes(rng_points(mixture), mixture, within=1)["high quality"].value
    assert one == pytest.approx(1 - math.exp(-0.5), abs=0.05), "the control: another radius"


def test_modes_of_known_samples():
    """Three of four modes hit, one of them only from afar."""
    corners = GaussianMixture([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]], std=0.5)
    samples = torch.tensor([[0.0, 0.0], [0.1, 0.0], [1.49, 0.0], [10.0, 1.4], [7.0, 0.0], [0.0, 12.0]])
    row = modes(samples, corners, seed=2)
    assert row["modes covered"].value == 2
    assert row["high quality"].value == pytest.approx(4 / 6)
    expected = scipy.stats.entropy([3 / 6, 2 / 6, 1 / 6, 0], [0.25] * 4)
    assert row["reverse KL"].value == pytest.approx(expected, rel=1e-12)
    assert expected != pytest.approx(scipy.stats.entropy([3 / 4, 1 / 4, 0, 0], [0.25] * 4)), (
        "all samples count"
    )
    assert modes(samples, corners, within=5)["modes covered"].value == 3, "the control"
    assert str(row["modes covered"]) == "modes covered(within 3 std) = 2 (6 points, 4 modes, seed 2)"


def test_reverse_kl_is_to_the_weights():
    uneven = GaussianMixture([[0.0], [100.0]], weights=torch.tensor([0.9, 0.1]))
    samples = torch.tensor([[0.0]] * 9 + [[100.0]])
    assert modes(samples, uneven)["reverse KL"].value == pytest.approx(0, abs=1e-7)
    even = GaussianMixture([[0.0], [100.0]])
    assert modes(samples, even)["reverse KL"].value > 0.3, "the control"


def test_modes_left_out():
    """Uniform over m of k: KL = log k/m, while what is there is as good as real."""
    ring = gaussian_ring(8)
    half = GaussianMixture(ring.means[:4], ring.std)
    row = modes(rng_points(half), ring)
    assert row["modes covered"].value == 4
    assert row["reverse KL"].value == pytest.approx(math.log(2), abs=0.01)
    assert row["high quality"].value > 0.97
    with pytest.raises(ValueError, match="not finite"):
        modes(torch.full((5, 2), math.nan), ring)


# --- log-likelihood


def unit(images):
    return images.flatten(1).double().numpy() / 255


def test_log_likelihood_is_scikit_learns(halves):
    """Six digits, in nats, over pixels in [0, 1]; the window's width is the best on the validation set."""
    made, other = halves[0].images, halves[1].images
    validation, test = other[:200], other[200:500]
    score = log_likelihood(made, validation, test, seed=4)
    fits = [KernelDensity(bandwidth=s, leaf_size=1_000).fit(unit(made)) for s in points.SIGMAS]
    best = int(np.argmax([fit.score(unit(validation)) for fit in fits]))
    theirs = fits[best].score_samples(unit(test))
    assert 0 < best < 9
    assert score.value == pytest.approx(theirs.mean(), rel=1e-6)
    assert score.error == pytest.approx(theirs.std() / math.sqrt(300), rel=1e-6)
    assert score.value != pytest.approx(fits[best + 1].score(unit(test)), rel=1e-3), "the control: the next"
    assert score.value != pytest.approx(theirs.mean() - 784 * math.log(2), rel=1e-3), "the control: [-1, 1]"
    assert str(score) == (
        f"log-likelihood(pixels in [0, 1]) = {theirs.mean():.2f} +- {theirs.std() / math.sqrt(300):.2f} "
        f"(1,000 images against 300 test images, sigma {points.SIGMAS[best]:.3f}, seed 4)"
    )


def test_the_width_is_not_chosen_on_the_test_set(halves):
    """Tested on the samples themselves, the narrowest window would be the best."""
    made, validation = halves[0].images, halves[1].images[:200]
    assert points.bandwidth(*(torch.from_numpy(unit(x)) for x in (made, made[:100]))) == points.SIGMAS[0]
    best = points.bandwidth(*(torch.from_numpy(unit(x)) for x in (made, validation)))
    assert best > points.SIGMAS[0]
    assert str(log_likelihood(made, validation, made[:100])).endswith(f"sigma {best:.3f})")


def test_log_likelihood_orders_what_it_should(halves):
    made, other = halves[0].images, halves[1].images
    real = log_likelihood(made, other[:100], other[100:400])
    noise = log_likelihood(torch.rand(1_000, 1, 28, 28, generator=rng()) * 2 - 1, other[:100], other[100:400])
    few = log_likelihood(made[:100], other[:100], other[100:400])
    assert noise.value < few.value < real.value
    assert real.value - few.value > 4 * real.error


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(0, 1, 28, 28),
        torch.zeros(4, 784),
        torch.full((4, 1, 28, 28), 255.0),
        torch.full((4, 1, 28, 28), math.nan),
    ],
)
def test_pixels_refuse_what_is_no_image(halves, images):
    good = halves[0].images[:10]
    with pytest.raises(ValueError, match="expected at least one"):
        memorisation(images, good, good)
    with pytest.raises(ValueError, match="expected at least one"):
        log_likelihood(good, good, images)


def test_images_are_left_as_they_were(halves):
    """What is changed in place is a copy, of float64 images too."""
    images = halves[0].tensor()[:20].double()
    before = images.clone()
    a = memorisation(images, images, halves[1].images[:20])
    assert torch.equal(images, before)
    assert a == memorisation(halves[0].images[:20], images.float(), halves[1].images[:20])


# --- tables


def test_real_pair_shares_no_image():
    data = mnist(subset="5k")
    a, b = real_pair(data, 2_500, seed=1)
    both = torch.cat([a.images, b.images])
    assert torch.equal(both.sum((1, 2)).sort()[0], data.images.sum((1, 2)).sort()[0])
    assert class_accuracy(a.images, a.labels) > 0.98
    assert torch.equal(real_pair(data, 2_500, seed=1)[0].images, a.images)
    assert not torch.equal(real_pair(data, 2_500, seed=2)[0].images, a.images), "the control"
    for n in (0, 2_501):
        with pytest.raises(ValueError, match="cannot draw two sets"):
            real_pair(data, n)


def test_a_table_shows_every_row_and_stamp():
    ring = gaussian_ring(8)
    rows = {name: modes(rng_points(ring, seed=i), ring, seed=i) for i, name in enumerate(["made", "real"])}
    head, made, real, *stamps = table(rows).splitlines()
    assert head.split() == ["modes", "covered", "high", "quality", "reverse", "KL"]
    for line, name in ((made, "made"), (real, "real")):
        assert line.split() == [name, *(score.text for score in rows[name].values())]
        assert len(line) == len(head)
    assert stamps == ["made: 2,500 points, 8 modes, seed 0", "real: 2,500 points, 8 modes, seed 1"]


def test_a_table_refuses_rows_that_do_not_compare():
    ring = gaussian_ring(8)
    real = modes(rng_points(ring), ring)
    with pytest.raises(ValueError, match='one called "real"'):
        table({"made": real})
    for other in (
        modes(rng_points(ring, 100), ring),
        modes(rng_points(ring), ring, within=2),
        {"reverse KL": real["reverse KL"]},
        {name: dataclasses.replace(score, extractor="other") for name, score in real.items()},
        {name: dataclasses.replace(score, reference=7) for name, score in real.items()},
    ):
        with pytest.raises(ValueError, match='row "made" does not compare'):
            table({"made": other, "real": real})
    assert table({"made": real, "real": real}), "the control"


def test_the_example_of_the_module_runs(capsys):
    example = textwrap.dedent(metrics.__doc__.split("::")[1]).replace(
        'mnist("test"), 5_000', 'mnist(subset="5k"), 60'
    )
    names = {"made": torch.rand(60, 1, 28, 28) * 2 - 1, "mnist": mnist, **vars(metrics)}
    exec(example, names)
    rows = capsys.readouterr().out
    assert "generated" in rows
    assert "real" in rows
    with pytest.raises(AttributeError):
        exec(example.replace(".images", ""), dict(names))
