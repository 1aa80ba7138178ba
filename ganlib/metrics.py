"""Judging samples: each score is a formula on points, applied to images and stamped.

A Frechet distance over our digit network is not the FID, which looks through an Inception network trained on
ImageNet. It is called FD(digit-net) here, and its numbers compare with no paper's. The same holds for the
other scores over that network. ``log_likelihood`` looks at pixels, as the first GAN papers did.

A number alone says little, so every table has a row that judges real images in the same way::

    held_out, real = real_pair(mnist("test"), 5_000)
    rows = {"generated": made[:5_000], "real": held_out.images}
    print(table({name: judge(images, real.images) for name, images in rows.items()}))
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ganlib import points
from ganlib.data import Dataset, GaussianMixture, as_float, mnist
from ganlib.features import card, digit_net, extract, extractor_id, moments, test_moments


@dataclass(frozen=True)
class Score:
    """A number with all that is needed to compare it with another one.

    Attributes:
        value: the score.
        n: number of samples judged. A Frechet distance is biased upwards by a term of order 1/n, and most
            other scores depend on n too, so only scores of equal n compare.
        reference: number of real images behind it; 0 for a score that looks at none.
        extractor: id of the digit network's weights; empty for a score that does not use them.
        seed: of the draw of the samples, if it is known.
        name: of the score.
        over: what it looks through.
        counts: how the text says n and reference.
        form: how the text writes the value.
        error: standard error of the value, where it is a mean over the reference.
    """

    value: float
    n: int
    reference: int
    extractor: str
    seed: int | None = None
    name: str = "FD"
    over: str = "digit-net"
    counts: str = "{n:,} images against {reference:,} test images"
    form: str = ".2f"
    error: float | None = None

    def __float__(self) -> float:
        return self.value

    @property
    def text(self) -> str:
        """The value as it is printed, with its standard error if it has one."""
        error = "" if self.error is None else f" +- {self.error:{self.form}}"
        return f"{self.value:{self.form}}{error}"

    @property
    def stamp(self) -> str:
        """What scores that are compared must have in common, and the seed."""
        seed = "" if self.seed is None else f", seed {self.seed}"
        return self.counts.format(n=self.n, reference=self.reference) + seed

    def __str__(self) -> str:
        return f"{self.name}({f'{self.over} {self.extractor}'.rstrip()}) = {self.text} ({self.stamp})"


def frechet(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    r"""Squared Frechet distance between two Gaussians.

    .. math:: |m_1 - m_2|^2 + \operatorname{tr}\bigl(C_1 + C_2 - 2 (C_1^{1/2} C_2 C_1^{1/2})^{1/2}\bigr)

    It is the squared 2-Wasserstein distance of N(m1, C1) and N(m2, C2) (Dowson and Landau, 1982). The matrix
    under the outer root is symmetric, so the trace of the root is the sum of the roots of its eigenvalues.

    Args:
        mean1: (d,).
        cov1: (d, d), symmetric and positive semidefinite; it may be singular.
        mean2: (d,).
        cov2: (d, d).

    Raises:
        ValueError: shapes that do not fit, a covariance that is not symmetric, or not finite.
    """
    mean1, cov1, mean2, cov2 = (torch.as_tensor(t, dtype=torch.float64) for t in (mean1, cov1, mean2, cov2))
    shapes = [tuple(t.shape) for t in (mean1, cov1, mean2, cov2)]
    if mean1.ndim != 1 or shapes != [tuple(mean1.shape), (len(mean1),) * 2] * 2:
        raise ValueError(
            f"shapes {shapes} of mean, covariance, mean, covariance: expected (d,), (d, d), (d,), (d, d)"
        )
    if not all(t.isfinite().all() for t in (mean1, cov1, mean2, cov2)):
        raise ValueError("a mean or covariance is not finite: take the moments of 2 or more finite features")
    for cov in (cov1, cov2):
        if not torch.allclose(cov, cov.T, rtol=1e-6, atol=1e-9):
            raise ValueError("a covariance is not symmetric: pass torch.cov(features.T)")
    w, v = torch.linalg.eigh(cov1)
    root1 = (v * w.clamp(min=0).sqrt()) @ v.T
    inner = root1 @ cov2 @ root1
    cross = torch.linalg.eigvalsh((inner + inner.T) / 2).clamp(min=0).sqrt().sum()
    # Never negative, but for rounding.
    return max(((mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * cross).item(), 0.0)


def fd(images: Tensor, seed: int | None = None) -> Score:
    """Frechet distance of images to the MNIST test set, over the digit network's features. Never call it FID.

    Args:
        images: (n, 1, 28, 28) floats in [-1, 1], or (n, 28, 28) uint8. Take n = 10,000 where you can, and
            equal n where you compare.
        seed: of the draw of the images; only recorded.

    Raises:
        ValueError: fewer than two images, or images of another shape or range.
    """
    if len(images) < 2:
        raise ValueError(f"fd got {len(images)} images, expected at least 2, to have a covariance")
    features, _ = extract(digit_net(), images)
    return Score(
        frechet(*moments(features), *test_moments()), len(images), card()["reference"], extractor_id(), seed
    )


def real_images(data: Dataset, n: int, seed: int = 0) -> Tensor:
    """n different images drawn at random: (n, 28, 28) uint8.

    Raises:
        ValueError: there are no n images.
    """
    if not 1 <= n <= len(data):
        raise ValueError(f"cannot draw {n:,} different images from {len(data):,}")
    return data.images[torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))[:n]]


def real_row(n: int = 10_000, seed: int = 0) -> Score:
    """What real data scores: the FD of n random training images. Every table of FDs has this row.

    It is not 0, for two reasons. The moments of n images are not the test set's, and the digit network has
    seen the training images. Floors of common sizes are stored with the weights.

    Raises:
        DataError: this size is not stored and the full MNIST cannot be had.
        ValueError: MNIST has no n training images.
    """
    stored = card()["floors"].get(str(n), [])
    if 0 <= seed < len(stored):
        return Score(stored[seed], n, card()["reference"], extractor_id(), seed)
    return fd(real_images(mnist("train"), n, seed), seed)


def probabilities(images: Tensor) -> Tensor:
    """The class probabilities that the digit network gives: (n, 10), rows that add up to 1, in float64.

    Raises:
        ValueError: there is no image, or images have another shape or range.
    """
    if not len(images):
        raise ValueError("there are no images to judge: expected at least one")
    return extract(digit_net(), images)[1].double().softmax(1)


def inception_score(images: Tensor) -> float:
    r"""Inception Score, from 1 to the number of classes (Salimans et al., 2016, arXiv:1606.03498).

    .. math:: \exp\bigl(E_x\, KL(p(y \mid x) \,\Vert\, p(y))\bigr)

    It looks at no real image. One sharp picture of each class, repeated, scores as high as a score can.

    Args:
        images: what ``fd`` takes; or (n, k) class probabilities, rows that add up to 1.

    Raises:
        ValueError: rows that are no probabilities, no row, or images of another shape or range.
    """
    p = images if images.ndim == 2 else probabilities(images)
    if not len(p) or (p < 0).any() or not torch.allclose(p.sum(1), p.new_ones(len(p)), atol=1e-4):
        raise ValueError(
            f"class probabilities of shape {tuple(p.shape)}: expected rows that add up to 1, none negative"
        )
    p = p.double()
    marginal = p.mean(0)
    kl = (torch.special.xlogy(p, p) - torch.special.xlogy(p, marginal)).sum(1)
    return kl.mean().exp().item()


def class_histogram(images: Tensor) -> Tensor:
    """Share of the images that the digit network calls 0, ..., 9: (10,), adds up to 1.

    Raises:
        ValueError: there is no image, or images have another shape or range.
    """
    return torch.bincount(probabilities(images).argmax(1), minlength=10) / len(images)


def confidence(images: Tensor) -> float:
    """Mean of the largest class probability, from 0.1 to 1. Noise can score high too: look at it.

    Raises:
        ValueError: there is no image, or images have another shape or range.
    """
    return probabilities(images).amax(1).mean().item()


def class_spread(images: Tensor, least: int = 20) -> float:
    """How much images of one class differ: the variance of the features within a class.

    The variances of the 64 features among images that the digit network gives the same label are added up,
    and the sums averaged over the labels that at least ``least`` images have. It is half the mean squared
    distance of two such images. Divide by the value for real images: 1 is their variety, 0 is one image a
    class. Noise has a large spread too, so it is no score of quality.

    Raises:
        ValueError: no label has that many images.
    """
    features, logits = extract(digit_net(), images)
    label = logits.argmax(1)
    groups = [features[label == y].double() for y in range(10) if (label == y).sum() >= least]
    if not groups:
        raise ValueError(f"no class has {least} of the {len(images)} images: give more images")
    return sum(group.var(0).sum().item() for group in groups) / len(groups)


def class_accuracy(images: Tensor, labels: Tensor) -> float:
    """Share of the images that the digit network assigns to the label they were made for.

    Raises:
        ValueError: not one label for each image.
    """
    if labels.shape != (len(images),):
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, expected one for each of {len(images)} images"
        )
    predicted = probabilities(images).argmax(1)
    return (predicted == labels.to(predicted)).double().mean().item()


Row = dict[str, Score]
PIXELS = "pixels in [0, 1]"


def judge(images: Tensor, real: Tensor, labels: Tensor | None = None, seed: int | None = None) -> Row:
    """One row of a table: all scores of images against real ones, over the digit network.

    FD, KID, precision and recall (k = 3), density and coverage (k = 5), IS, and the KL of the class histogram
    to the uniform one. For 10,000 against 10,000 images it takes about 20 seconds on two cores. The KID grows
    with the sixth power of the features' scale and is large over this network: read it beside the real row.

    Args:
        images: what ``fd`` takes, more than 5.
        real: the real images, in the same form. The row for real data judges other real images against
            these: see ``real_pair``.
        labels: (n,) the classes the images were made for; with them comes the class accuracy.
        seed: of the draw of the images; only recorded.

    Raises:
        ValueError: too few images, images of another shape or range, or not one label for each image.
    """
    n, m = len(images), len(real)
    if min(n, m) <= 5:
        raise ValueError(
            f"judge got {n} images and {m} real ones, expected more than 5 of both, to have 5 neighbours"
        )
    accuracy = [] if labels is None else [("class accuracy", class_accuracy(images, labels), 0, ".3f")]
    (y, logits), (x, _) = extract(digit_net(), images), extract(digit_net(), real)
    p = logits.double().softmax(1)
    scores = [
        ("FD", frechet(*moments(y), *moments(x)), m, ".2f"),
        ("KID", points.kid(x, y), m, ".4g"),
        ("precision", points.precision(x, y), m, ".3f"),
        ("recall", points.recall(x, y), m, ".3f"),
        ("density", points.density(x, y), m, ".3f"),
        ("coverage", points.coverage(x, y), m, ".3f"),
        ("IS", inception_score(p), 0, ".3f"),
        ("class KL", points.kl(torch.bincount(p.argmax(1), minlength=10)), 0, ".4f"),
        *accuracy,
    ]
    counts = {m: "{n:,} images against {reference:,} real images", 0: "{n:,} images"}
    return {
        name: Score(value, n, used, extractor_id(), seed, name=name, counts=counts[used], form=form)
        for name, value, used, form in scores
    }


def modes(samples: Tensor, mixture: GaussianMixture, within: float = 3, seed: int | None = None) -> Row:
    """How samples spread over the modes of a Gaussian mixture whose modes lie far apart.

    A sample belongs to the nearest mode. It is of high quality if it is at most ``within`` standard
    deviations from it, and a mode is covered if such a sample belongs to it (Srivastava et al., 2017,
    arXiv:1705.07761). The reverse KL is that of the histogram of all samples over the modes to the mixture's
    weights (Lin et al., 2018, arXiv:1712.04086): modes that are left out cost little.

    The row for real data is ``modes(mixture.sample(n, rng), mixture)``. In the plane its high-quality share
    is 1 - exp(-9/2), or 0.989, on the average, and its reverse KL about (k - 1) / 2n.

    Args:
        samples: (n, d).
        mixture: with k modes in d dimensions.
        within: standard deviations.
        seed: of the draw of the samples; only recorded.

    Raises:
        ValueError: samples that are not finite, or of another dimension.
    """
    k = len(mixture.means)
    distance, mode = points.nearest(samples, mixture.means)
    good = distance <= within * mixture.std
    scores = [
        ("modes covered", float(len(mode[good].unique())), ".0f"),
        ("high quality", good.double().mean().item(), ".3f"),
        ("reverse KL", points.kl(torch.bincount(mode, minlength=k), mixture.weights), ".4f"),
    ]
    over, counts = f"within {within:g} std", f"{{n:,}} points, {k} modes"
    return {
        name: Score(value, len(samples), 0, "", seed, name=name, over=over, counts=counts, form=form)
        for name, value, form in scores
    }


def memorisation(images: Tensor, train: Tensor, held_out: Tensor, seed: int | None = None) -> dict[str, Row]:
    """Are the images copies of training images? Two rows, "generated" and, for the held-out images, "real".

    ``distance`` is the mean Euclidean distance from an image to its nearest training image, over pixels in
    [0, 1]. ``close`` is the share of images that are nearer to a training image than 99 of 100 held-out ones
    are: 0.01 for real images by construction, more where some are copied. A small distance is no proof of a
    copy, since the empty image has one too, and a copy that is shifted by a pixel is far from all.

    Args:
        images: (n, 1, 28, 28) floats in [-1, 1], or (n, 28, 28) uint8.
        train: all images that the generator was trained on, in the same form.
        held_out: real images that it was not trained on.
        seed: of the draw of the images; only recorded.

    Raises:
        ValueError: no images, or images of another shape or range.
    """
    known = _pixels(train)
    distances = {
        "generated": points.nearest(_pixels(images), known)[0],
        "real": points.nearest(_pixels(held_out), known)[0],
    }
    near = distances["real"].quantile(0.01)
    counts = f"{{n:,}} images against {{reference:,}} training images, {len(held_out):,} held out"

    def row(d: Tensor, seed: int | None) -> Row:
        values = {"distance": d.mean().item(), "close": (d <= near).double().mean().item()}
        return {
            name: Score(
                value, len(d), len(train), "", seed, name=name, over=PIXELS, counts=counts, form=".3f"
            )
            for name, value in values.items()
        }

    return {"generated": row(distances["generated"], seed), "real": row(distances["real"], None)}


def log_likelihood(images: Tensor, validation: Tensor, test: Tensor, seed: int | None = None) -> Score:
    """Mean log-likelihood of the test set under a Parzen window over the images, in nats.

    As in the first GAN paper (Goodfellow et al., 2014, arXiv:1406.2661): pixels in [0, 1], a Gaussian window,
    its width chosen on the validation set, and the standard error over the test images. It is no likelihood
    of the generator and ranks generators badly (Theis et al., 2016, arXiv:1511.01844). The row for real data
    takes as many training images for ``images``.

    Args:
        images: what ``memorisation`` takes; 10,000 in the paper. The score grows with their number.
        validation: real images from neither the generator's training set nor the test set; 1,000 will do.
        test: the real images whose likelihood is asked for.
        seed: of the draw of the images; only recorded.

    Raises:
        ValueError: no images, or images of another shape or range.
    """
    samples = _pixels(images)
    sigma = points.bandwidth(samples, _pixels(validation))
    density = points.parzen(samples, _pixels(test), sigma)
    return Score(
        density.mean().item(),
        len(images),
        len(test),
        "",
        seed,
        name="log-likelihood",
        over=PIXELS,
        counts=f"{{n:,}} images against {{reference:,}} test images, sigma {sigma:.3f}",
        error=density.std(correction=0).item() / math.sqrt(len(test)),
    )


def _pixels(images: Tensor) -> Tensor:
    """The images as points: (n, 784) float64 in [0, 1]."""
    x = as_float(images)
    if x.shape[1:] != (1, 28, 28) or not len(x) or not x.abs().amax() <= 1 + 1e-4:  # so that nan fails too
        raise ValueError(
            f"images of shape {tuple(images.shape)}: expected at least one, in (n, 1, 28, 28) floats in "
            f"[-1, 1] or (n, 28, 28) uint8"
        )
    return x.detach().flatten(1).to(torch.float64, copy=True).add_(1).div_(2)


def real_pair(data: Dataset, n: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Two sets of n different images each that share none: one to judge by, one for the row of real data.

    Raises:
        ValueError: there are no 2n images.
    """
    if not 1 <= n <= len(data) // 2:
        raise ValueError(f"cannot draw two sets of {n:,} different images from {len(data):,}")
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    a, b = order[:n], order[n : 2 * n]
    return Dataset(data.images[a], data.labels[a]), Dataset(data.images[b], data.labels[b])


def table(rows: dict[str, Row]) -> str:
    """The rows as text, a column for each score, with what they were measured on below.

    Raises:
        ValueError: there is no row "real", or two rows do not compare: they have other scores, another
            extractor, or other numbers of images.
    """
    if "real" not in rows:
        raise ValueError(f'rows {sorted(rows)}: expected one called "real", which judges real images alike')
    basis = {name: (s.n, s.reference, s.extractor, s.over) for name, s in rows["real"].items()}
    for row, scores in rows.items():
        if (other := {name: (s.n, s.reference, s.extractor, s.over) for name, s in scores.items()}) != basis:
            raise ValueError(
                f'row "{row}" does not compare with the real one: it has {other}, expected {basis} '
                f"(images, reference, extractor, looked through)"
            )
    cells = [["", *basis], *([row, *(s.text for s in scores.values())] for row, scores in rows.items())]
    width = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join([c[0].ljust(width[0]), *map(str.rjust, c[1:], width[1:])]) for c in cells]
    stamps = {f"{row}: {s.stamp}": None for row, scores in rows.items() for s in scores.values()}
    return "\n".join([*lines, *stamps])
