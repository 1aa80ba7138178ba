"""Judging samples, all through one small digit network.

A Frechet distance over our digit network is not the FID, which looks through an Inception network trained on
ImageNet. It is called FD(digit-net) here, and its numbers compare with no paper's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganlib.data import Dataset, mnist
from ganlib.features import card, digit_net, extract, extractor_id, moments, test_moments


@dataclass(frozen=True)
class Score:
    """A number with all that is needed to compare it with another one.

    Attributes:
        value: the score.
        n: number of images judged. A Frechet distance is biased upwards by a term of order 1/n, so only
            scores of equal n compare.
        reference: number of real images behind the reference moments.
        extractor: id of the digit network's weights.
        seed: of the draw of the images, if it is known.
    """

    value: float
    n: int
    reference: int
    extractor: str
    seed: int | None = None

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        seed = "" if self.seed is None else f", seed {self.seed}"
        return (
            f"FD(digit-net {self.extractor}) = {self.value:.2f} "
            f"({self.n:,} images against {self.reference:,} test images{seed})"
        )


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
    """n different images drawn at random: (n, 28, 28) uint8."""
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
    """The class probabilities that the digit network gives: (n, 10), rows that add up to 1, in float64."""
    if not len(images):
        raise ValueError("there are no images to judge: expected at least one")
    return extract(digit_net(), images)[1].double().softmax(1)


def inception_score(images: Tensor) -> float:
    r"""Inception Score, from 1 to the number of classes (Salimans et al., 2016, arXiv:1606.03498).

    .. math:: \exp\bigl(E_x\, KL(p(y \mid x) \,\Vert\, p(y))\bigr)

    It looks at no real image. One sharp picture of each class, repeated, scores as high as a score can.

    Args:
        images: what ``fd`` takes; or (n, k) class probabilities, rows that add up to 1.
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
    """Share of the images that the digit network calls 0, ..., 9: (10,), adds up to 1."""
    return torch.bincount(probabilities(images).argmax(1), minlength=10) / len(images)


def confidence(images: Tensor) -> float:
    """Mean of the largest class probability, from 0.1 to 1. Noise can score high too: look at it."""
    return probabilities(images).amax(1).mean().item()


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
