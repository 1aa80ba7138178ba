"""Comparing two sets of points, real (n, d) and fake (m, d), each score by its definition.

Nothing here knows what a point is: features of images, pixels, or samples in the plane. All is computed in
float64. Distances are taken a block of rows at a time, so 10,000 x 10,000 of them never lie in memory.
``ganlib.metrics`` applies these functions to images and stamps what comes out.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

__all__ = [
    "bandwidth",
    "coverage",
    "density",
    "kid",
    "kl",
    "nearest",
    "parzen",
    "precision",
    "radii",
    "recall",
]

ENTRIES = 2**21  # of one block of distances or kernel values: 16 MiB in float64


def kid(real: Tensor, fake: Tensor) -> float:
    r"""Kernel distance (Binkowski et al., 2018, arXiv:1801.01401), without bias.

    .. math:: E\,k(x, x') + E\,k(y, y') - 2 E\,k(x, y),\qquad k(x, y) = (x \cdot y / d + 1)^3

    It is the squared maximum mean discrepancy; x and x' are different points of one set. The mean over draws
    is 0 for two samples of one law, whatever their sizes, so a single value can be negative. Called the KID
    where the points are features of an Inception network. The paper averages over subsets; here each set is
    used whole, which leaves the mean as it is and nothing to chance.

    Args:
        real: (n, d), n at least 2.
        fake: (m, d), m at least 2.

    Raises:
        ValueError: too few points, points of different dimensions, or not finite.
    """
    real, fake = _checked(real, fake, least=2)
    d = real.shape[1]

    def total(x: Tensor, y: Tensor) -> Tensor:
        return sum(((block @ y.T / d + 1) ** 3).sum() for block in _blocks(x, y))

    def among(x: Tensor) -> Tensor:
        diagonal = ((x.square().sum(1) / d + 1) ** 3).sum()
        return (total(x, x) - diagonal) / (len(x) * (len(x) - 1))

    return (among(real) + among(fake) - 2 * total(real, fake) / (len(real) * len(fake))).item()


def nearest(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """The distance from each point to the nearest of the others, and which one that is: (n,) and (n,).

    The distance of a point that is among the others is exactly 0.

    Args:
        points: (n, d).
        others: (m, d).

    Raises:
        ValueError: no points, points of different dimensions, or not finite.
    """
    points, others = _checked(points, others)
    index = _by_row(lambda d: d.argmin(1), points, others).long()
    # Taken again, since the fast distances carry a rounding error near 0.
    distance = [(x - others[i]).norm(dim=1) for x, i in zip(points.split(500), index.split(500), strict=True)]
    return torch.cat(distance), index


def radii(points: Tensor, k: int) -> Tensor:
    """The distance from each point to its k-th nearest neighbour in its own set: (n,).

    Raises:
        ValueError: not more than k points, or points that are not finite.
    """
    (points,) = _checked(points)
    if not 1 <= k < len(points):
        raise ValueError(
            f"k is {k} and the set has {len(points)} points: expected 1 <= k < points. Take more images."
        )
    # The nearest of all is the point itself, at distance 0.
    return _by_row(lambda d: d.topk(k + 1, largest=False).values[:, -1], points, points)


def precision(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Share of the fake points that lie in the real manifold: are they good?

    The manifold of a set is the union of closed balls round its points, each as large as the distance to the
    point's k-th nearest neighbour (Kynkaanniemi et al., 2019, arXiv:1904.06991, section 2).
    One real outlier has a large ball, and all that is in it counts.

    Raises:
        ValueError: not more than k real points, points of different dimensions, or not finite.
    """
    real, fake = _checked(real, fake)
    r = radii(real, k)
    return _by_row(lambda d: (d <= r).any(1), fake, real).mean().item()


def recall(real: Tensor, fake: Tensor, k: int = 3) -> float:
    """Share of the real points that lie in the fake manifold: is all there? The sets of precision, exchanged.

    Raises:
        ValueError: not more than k fake points, points of different dimensions, or not finite.
    """
    return precision(fake, real, k)


def density(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """How many real balls a fake point lies in, over the k that are expected. It has no upper bound.

    Unlike precision it counts the balls, so one outlier's ball weighs little (Naeem et al., 2020,
    arXiv:2002.09797, section 3). For two samples of one law its mean is 1, whatever their sizes.

    Raises:
        ValueError: not more than k real points, points of different dimensions, or not finite.
    """
    real, fake = _checked(real, fake)
    r = radii(real, k)
    return _by_row(lambda d: (d <= r).sum(1), fake, real).mean().item() / k


def coverage(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """Share of the real balls that hold a fake point (Naeem et al., 2020, arXiv:2002.09797, section 3).

    Unlike recall it builds balls round real points alone, so a wild fake point covers nothing. For two
    samples of one law, n points each, its mean is 1 - (n-1) ... (n-k) / ((2n-1) ... (2n-k)), close to
    1 - 2^-k: a ball is empty when the k nearest of the 2n - 1 other points are all real.

    Raises:
        ValueError: not more than k real points, points of different dimensions, or not finite.
    """
    return (nearest(real, fake)[0] <= radii(real, k)).double().mean().item()


def kl(p: Tensor, q: Tensor | None = None) -> float:
    r"""KL(p, q) of two histograms in nats; q is uniform if it is left out. Both are scaled to add up to 1.

    .. math:: KL(p \Vert q) = \sum_i p_i \log(p_i / q_i)

    With p the samples' histogram this is the reverse KL of the literature: a mode left out costs little, and
    a mode that q does not have costs infinity.

    Args:
        p: (k,) counts or shares.
        q: (k,) counts or shares.

    Raises:
        ValueError: shapes that differ, a negative entry, or nothing counted.
    """
    p = torch.as_tensor(p).double()
    q = torch.ones_like(p) if q is None else torch.as_tensor(q).double()
    if (
        p.ndim != 1
        or p.shape != q.shape
        or not all((h >= 0).all() and 0 < h.sum() < math.inf for h in (p, q))
    ):
        raise ValueError(
            f"histograms of shapes {tuple(p.shape)} and {tuple(q.shape)}: expected two of (k,), with no "
            f"negative entry and a positive sum"
        )
    p, q = p / p.sum(), q / q.sum()
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum().item()


def parzen(samples: Tensor, x: Tensor, sigma: float) -> Tensor:
    r"""Log density of x under a Gaussian Parzen window over the samples, in nats: (n,).

    .. math:: \log \frac{1}{m} \sum_{i=1}^m N(x; s_i, \sigma^2 I)

    Args:
        samples: (m, d), the generator's.
        x: (n, d), the points whose density is asked for.
        sigma: standard deviation of the window, in the units of the points.

    Raises:
        ValueError: no points, points of different dimensions or not finite, a sigma that is not positive.
    """
    samples, x = _checked(samples, x)
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}, expected a positive number: choose one with bandwidth()")
    log_sum = _by_row(lambda d: torch.logsumexp(-(d / sigma).square() / 2, dim=1), x, samples)
    scale = math.log(len(samples)) + x.shape[1] * math.log(sigma * math.sqrt(2 * math.pi))
    return log_sum - scale


# What the authors of the first GAN paper tried: ten bandwidths from 0.1 to 1, evenly spaced in the logarithm.
SIGMAS = tuple(10 ** (i / 9 - 1) for i in range(10))


def bandwidth(samples: Tensor, validation: Tensor, sigmas: Iterable[float] = SIGMAS) -> float:
    """The sigma that makes the validation set most likely (Goodfellow et al., 2014, arXiv:1406.2661).

    Args:
        samples: (m, d), the generator's.
        validation: (n, d), real points that are neither the generator's training set nor the test set.
        sigmas: the candidates.
    """
    return max(sigmas, key=lambda sigma: parzen(samples, validation, sigma).mean().item())


def _checked(*sets: Tensor, least: int = 1) -> list[Tensor]:
    """The sets in float64, once they are known to be finite points of one dimension."""
    shapes = [tuple(x.shape) for x in sets]
    if any(len(s) != 2 or s[0] < least or s[1] < 1 or s[1] != shapes[0][1] for s in shapes):
        raise ValueError(
            f"points of shapes {shapes}: expected (points, d), one d and at least {least} in a set"
        )
    if not all(end.isfinite() for x in sets for end in x.aminmax()):  # without a copy of x
        raise ValueError("some points are not finite: the samples, or the network they come from, diverged")
    return [x.detach().double() for x in sets]


def _blocks(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """The rows of x in blocks that are small enough to be paired with all of y."""
    return x.split(max(1, ENTRIES // len(y)))


def _by_row(score: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """``score`` of the Euclidean distances from x to y, (rows, m) -> (rows,), for all rows of x.

    The distances have an error of about 1e-8 |x| near 0.
    """
    yy = y.norm(dim=1).square()
    out = x.new_empty(len(x))  # a list of parts would break up the heap and cost twice the memory
    for block, part in zip(_blocks(x, y), _blocks(out, y), strict=True):
        xx = block.norm(dim=1, keepdim=True).square()
        # In place, since a new block a term would double the time.
        part.copy_(score(torch.addmm(yy, block, y.T, alpha=-2).add_(xx).clamp_(min=0).sqrt_()))
    return out
