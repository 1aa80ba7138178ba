"""Scores of two sets of points: other people's code, laws they must obey, twins that leave something out."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.neighbors import KernelDensity, NearestNeighbors

from ganlib import points
from ganlib.points import (
    SIGMAS,
    bandwidth,
    coverage,
    density,
    kid,
    kl,
    nearest,
    parzen,
    precision,
    radii,
    recall,
)

f64 = torch.float64


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return shift + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=f64)


# Sizes and dimensions differ, so that an exchange of the sets, or of n and m, shows.
PAIRS = {
    "plane": (normal(200, 2, 0), normal(150, 2, 1, 0.5)),
    "features": (normal(120, 64, 2), normal(180, 64, 3, 0.1)),
    "far from 0": (normal(150, 8, 4, 30.0), normal(100, 8, 5, 30.2)),
}
pairs = pytest.mark.parametrize(("real", "fake"), PAIRS.values(), ids=PAIRS)


# --- kernel distance


def kernel_means(x, y, degree=3, diagonal=False):
    """The definition, pair by pair: a loop in Python."""
    d = x.shape[1]

    def mean(a, b, skip):
        values = [
            (float(p @ q) / d + 1) ** degree
            for i, p in enumerate(a)
            for j, q in enumerate(b)
            if not (skip and i == j)
        ]
        return sum(values) / len(values)

    return mean(x, x, not diagonal) + mean(y, y, not diagonal) - 2 * mean(x, y, False)


def test_kid_is_its_definition():
    x, y = normal(7, 3, 0), normal(5, 3, 1, 1.0)
    assert kid(x, y) == pytest.approx(kernel_means(x, y), rel=1e-12)
    assert kid(y, x) == pytest.approx(kid(x, y), rel=1e-12)
    for twin in ({"degree": 2}, {"diagonal": True}):
        assert kernel_means(x, y, **twin) != pytest.approx(kid(x, y), rel=1e-2), "the control"


@pytest.mark.parametrize(("n", "d", "shift"), [(60, 2, 0.5), (300, 64, 0.1), (100, 8, 3.0)])
def test_kid_is_torchmetrics(outside, n, d, shift):
    """Nine digits. One subset of all points leaves nothing of torchmetrics' draw of subsets."""
    outside("torchmetrics")
    kid_of = outside("torchmetrics.image.kid").KernelInceptionDistance
    x, y = normal(n, d, 0), normal(n, d, 1, shift)
    theirs = kid_of(feature=torch.nn.Identity(), subsets=1, subset_size=n)
    theirs.inception.num_features = d
    theirs.update(x, real=True)
    theirs.update(y, real=False)
    assert kid(x, y) == pytest.approx(theirs.compute()[0].item(), rel=1e-9)
    assert kid(x, y + 1e-6) != pytest.approx(theirs.compute()[0].item(), rel=1e-9), "the control"


def test_kid_has_no_bias():
    """Its mean over samples of one law is 0, sizes 10 and 20; with the diagonal it is not."""
    draws = [(normal(10, 2, 2 * i), normal(20, 2, 2 * i + 1)) for i in range(400)]

    def in_errors(values):
        return abs(np.mean(values)) / (np.std(values) / math.sqrt(len(values)))

    assert in_errors([kid(x, y) for x, y in draws]) < 4
    k = [((x @ x.T / 2 + 1) ** 3, (y @ y.T / 2 + 1) ** 3, (x @ y.T / 2 + 1) ** 3) for x, y in draws]
    biased = [(xx.mean() + yy.mean() - 2 * xy.mean()).item() for xx, yy, xy in k]
    assert in_errors(biased) > 10, "the control"


# --- neighbours


@pairs
def test_nearest_is_scikit_learns(real, fake):
    """Twelve digits, and the same neighbours."""
    distance, index = nearest(fake, real)
    theirs, who = (
        NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(real.numpy()).kneighbors(fake.numpy())
    )
    np.testing.assert_allclose(distance.numpy(), theirs[:, 0], rtol=1e-12)
    assert (index.numpy() == who[:, 0]).all()
    assert len(nearest(real, fake)[0]) == len(real), "the control: the other way round is another number"


def test_nearest_of_a_copy_is_exactly_0():
    """Far from the origin |x|^2 + |y|^2 - 2 x.y leaves a rounding error, which the root makes a large one."""
    x = normal(300, 50, 0, 1000.0)
    distance, index = nearest(x[:100], x)
    assert (distance == 0).all()
    assert torch.equal(index, torch.arange(100))
    fast = points._by_row(lambda d: d.amin(1), x[:100], x)
    assert fast.max() > 0, "the control"


@pairs
@pytest.mark.parametrize("k", [1, 3, 5])
def test_radii_are_scikit_learns(real, fake, k):
    """Nine digits: scikit-learn counts a point among its own neighbours, so its k is one more."""
    theirs = NearestNeighbors(n_neighbors=k + 2, algorithm="brute").fit(real.numpy()).kneighbors()[0]
    np.testing.assert_allclose(radii(real, k).numpy(), theirs[:, k - 1], rtol=1e-9)
    assert not np.allclose(radii(real, k).numpy(), theirs[:, k], rtol=1e-9), "the control: one neighbour more"


# --- precision, recall, density, coverage

FOUR = (precision, recall, density, coverage)


@pairs
@pytest.mark.parametrize("k", [1, 3, 5])
def test_four_scores_are_prdcs(outside, real, fake, k):
    """All digits (1e-12): they are counts. prdc's balls are open and ours closed; random points tell no
    difference."""
    theirs = outside("prdc").compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)

    def ours(real, fake, k):
        return {score.__name__: score(real, fake, k) for score in FOUR}

    assert ours(real, fake, k) == pytest.approx(theirs, abs=1e-12)
    assert ours(fake, real, k) != pytest.approx(theirs, abs=1e-12), "the control: the sets exchanged"
    assert ours(real, fake, k + 1) != pytest.approx(theirs, abs=1e-12), "the control: another k"


def by_loops(real, fake, k):
    """The four definitions, ball by ball."""

    def d(p, q):
        return math.dist(p.tolist(), q.tolist())

    def balls(x):
        return [(p, sorted(d(p, q) for q in x)[k]) for p in x]

    def within(x, all_balls):
        return [[d(p, centre) <= r for centre, r in all_balls] for p in x]

    inside = within(fake, balls(real))
    columns = list(zip(*inside, strict=True))
    return {
        "precision": sum(map(any, inside)) / len(fake),
        "recall": sum(map(any, within(real, balls(fake)))) / len(real),
        "density": sum(map(sum, inside)) / (k * len(fake)),
        "coverage": sum(map(any, columns)) / len(real),
    }


def test_four_scores_are_their_definitions():
    real, fake = normal(25, 2, 0), normal(20, 2, 1, 0.7)
    expected = by_loops(real, fake, 2)
    assert {score.__name__: score(real, fake, 2) for score in FOUR} == pytest.approx(expected, abs=1e-12)
    assert len(set(expected.values())) == 4, "the control: no two are alike here"


def test_a_ball_is_closed():
    """Points on a line: the ball round 0 has radius 1, and a fake point at 1 lies in it."""
    real, fake = torch.tensor([[0.0], [-1.0], [-2.0]]), torch.tensor([[1.0], [1.0]])
    assert precision(real, fake, 1) == 1
    assert density(real, fake, 1) == 1
    assert coverage(real, fake, 1) == pytest.approx(1 / 3)
    assert precision(real, fake + 1e-6, 1) == 0, "the control"


def test_defaults_are_the_papers():
    real, fake = PAIRS["plane"]
    for score, k in zip(FOUR, (3, 3, 5, 5), strict=True):
        assert score(real, fake) == score(real, fake, k)
        assert score(real, fake) != score(real, fake, 8 - k), "the control"


@pytest.mark.parametrize(("n", "m", "k"), [(30, 30, 5), (40, 20, 3)])
def test_density_and_coverage_of_one_law(n, m, k):
    """Which of the n - 1 + m other points are nearest is a matter of chance, so the means do not depend on
    the law: 1, and 1 - P(the k nearest are all real)."""
    draws = [(normal(n, 2, 2 * i), normal(m, 2, 2 * i + 1)) for i in range(400)]
    empty = math.prod((n - i) / (n + m - i) for i in range(1, k + 1))

    def in_errors(score, j, mean):
        values = np.array([score(x, y, j) for x, y in draws]) - mean
        return abs(values.mean()) / (values.std() / math.sqrt(len(values)))

    assert in_errors(density, k, 1) < 4
    assert in_errors(coverage, k, 1 - empty) < 4
    assert in_errors(coverage, k + 1, 1 - empty) > 6, "the control: the point counted as its own neighbour"
    halved = [density(x, y, k - 1) * (k - 1) / k for x, y in draws]
    assert abs(np.mean(halved) - 1) > 0.1, "the control: the same in density"


def test_precision_and_recall_tell_two_failures():
    """Two clusters. One of them dropped: recall falls. Half of the points thrown away: precision falls."""
    far = torch.cat([normal(200, 2, 0), normal(200, 2, 1, 20.0)])
    again = torch.cat([normal(200, 2, 2), normal(200, 2, 3, 20.0)])
    wild = torch.cat([again[100:300], normal(200, 2, 4, 100.0)])
    for good, diverse in ((precision, recall), (density, coverage)):
        assert good(far, again) > 0.85
        assert diverse(far, again) > 0.85
        assert good(far, again[:200]) > 0.85
        assert diverse(far, again[:200]) < 0.5
        assert good(far, wild) < 0.55
        assert diverse(far, wild) > 0.75


# --- memory


@pytest.mark.parametrize("score", [kid, *FOUR, lambda x, y: nearest(x, y)[0].sum().item(),
                                   lambda x, y: parzen(x, y, 0.5).sum().item()])  # fmt: skip
def test_blocks_do_not_show(score, monkeypatch):
    real, fake = PAIRS["plane"]
    whole = score(real, fake)
    monkeypatch.setattr(points, "ENTRIES", 1_000)  # five or six rows at a time
    assert len(points._blocks(real, fake)) > 30
    assert score(real, fake) == pytest.approx(whole, rel=1e-12)


def test_ten_thousand_distances_squared_never_lie_in_memory():
    x = torch.zeros(10_000, 1, dtype=f64)
    blocks = points._blocks(x, x)
    assert sum(map(len, blocks)) == 10_000
    assert max(map(len, blocks)) * 10_000 * 8 <= 16 * 2**20, "bytes of one block"
    assert len(points._blocks(x, torch.zeros(10**7, 1))) == 10_000, "at least a row"


# --- histograms


def test_kl_is_scipys():
    p, q = torch.tensor([5, 0, 3, 2]), torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=f64)
    assert kl(p, q) == pytest.approx(scipy.stats.entropy(p.numpy(), q.numpy()), rel=1e-12)
    assert kl(p) == pytest.approx(scipy.stats.entropy(p.numpy(), np.ones(4)), rel=1e-12)
    assert kl(q, p) != pytest.approx(kl(p, q)), "the control: the other direction"
    assert kl(q, p) == math.inf
    assert kl(p, p) == pytest.approx(0, abs=1e-12)
    assert kl(p, torch.tensor([1, 0, 1, 1])) == pytest.approx(kl(p[[0, 2, 3]]), rel=1e-12), "0 log 0/0 is 0"


def test_kl_of_modes_left_out():
    """Uniform over m of k modes: log k/m."""
    for m in range(1, 10):
        counts = torch.zeros(10)
        counts[:m] = 7
        assert kl(counts) == pytest.approx(math.log(10 / m), abs=1e-12)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([], None),
        ([0, 0], None),
        ([1, -1], None),
        ([1, 2], [1, 2, 3]),
        ([1.0, math.nan], None),
        ([[1, 2]], None),
    ],
)
def test_kl_refuses_what_is_no_histogram(p, q):
    with pytest.raises(ValueError, match="expected two of"):
        kl(torch.tensor(p), None if q is None else torch.tensor(q))


# --- Parzen window


@pairs
@pytest.mark.parametrize("sigma", [0.1, 0.7])
def test_parzen_is_scikit_learns(real, fake, sigma):
    """Nine digits, in nats. All points lie in one leaf: over several, scikit-learn adds and subtracts bounds,
    and was seen hundreds of nats off where the window is narrow."""
    theirs = KernelDensity(bandwidth=sigma, leaf_size=1_000).fit(fake.numpy()).score_samples(real.numpy())
    np.testing.assert_allclose(parzen(fake, real, sigma).numpy(), theirs, rtol=1e-9)
    d = real.shape[1]
    for missing in (d * math.log(sigma), d / 2 * math.log(2 * math.pi), math.log(len(fake))):
        assert not np.allclose(parzen(fake, real, sigma).numpy() + missing, theirs, rtol=1e-3), "the control"


def test_parzen_is_a_density():
    x = torch.linspace(-10, 10, 20_001, dtype=f64)[:, None]
    mass = torch.trapezoid(parzen(normal(20, 1, 0), x, 0.3).exp(), x[:, 0]).item()
    assert mass == pytest.approx(1, abs=1e-9)


def test_bandwidth_is_the_best_on_the_validation_set():
    samples, validation = normal(300, 3, 0), normal(100, 3, 1)
    sigma = bandwidth(samples, validation)
    theirs = [KernelDensity(bandwidth=s).fit(samples.numpy()).score(validation.numpy()) for s in SIGMAS]
    assert sigma == SIGMAS[int(np.argmax(theirs))]
    assert 0.1 < sigma < 1
    assert bandwidth(samples, samples[:100]) < sigma, "the control: chosen on the samples, it collapses"


def test_sigmas_are_ten_from_a_tenth_to_one():
    np.testing.assert_allclose(SIGMAS, np.logspace(-1, 0, 10), rtol=1e-12)


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf])
def test_parzen_refuses_a_window_without_width(sigma):
    with pytest.raises(ValueError, match="expected a positive number"):
        parzen(normal(5, 2, 0), normal(5, 2, 1), sigma)


# --- what is refused


@pytest.mark.parametrize("score", [kid, *FOUR, nearest])
@pytest.mark.parametrize(
    ("fake", "says"),
    [
        (torch.zeros(0, 2), "expected \\(points, d\\)"),
        (torch.zeros(9, 3), "one d"),
        (torch.zeros(9), "expected \\(points, d\\)"),
        (torch.full((9, 2), math.nan), "not finite"),
        (torch.tensor([[math.inf, 0.0]] * 9), "not finite"),
    ],
)
def test_what_is_no_set_of_points_is_refused(score, fake, says):
    with pytest.raises(ValueError, match=says):
        score(normal(9, 2, 0), fake)


def test_more_neighbours_than_points_are_refused():
    for k in (0, 5, 6):
        with pytest.raises(ValueError, match=f"k is {k} and the set has 5 points"):
            radii(normal(5, 2, 0), k)
    assert radii(normal(5, 2, 0), 4).shape == (5,)
    with pytest.raises(ValueError, match="at least 2"):
        kid(normal(1, 2, 0), normal(5, 2, 1))


def test_points_with_gradients_and_of_half_precision_are_taken():
    real, fake = PAIRS["plane"]
    assert precision(real, fake.clone().requires_grad_()) == precision(real, fake)
    assert kid(real.half(), fake.half()) == pytest.approx(kid(real, fake), rel=1e-2)
