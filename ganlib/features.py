"""The digit network: a small classifier of MNIST digits that the metrics look through.

Its last hidden layer, 64 numbers, gives the features of ``ganlib.metrics.fd``. Its class probabilities give
the Inception Score. The weights are shipped with the package, and one command trains them again:

    python -m ganlib.features
"""

import argparse
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganlib.data import FILES, as_float, mnist
from ganlib.sealed import FOLDER, read, write

WEIGHTS = FOLDER / "digit-net.safetensors"


class DigitNet(nn.Module):
    """Four convolutions, one hidden layer of 64 features, ten logits. No normalisation layer, no dropout.

    The features are taken before the last ReLU. After it, many would be zero for every image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Conv2d(64, 64, 3, stride=2, padding=1), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(64 * 4 * 4, 64)),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(64, 10))

    def features(self, x: Tensor) -> Tensor:
        """The hidden layer before its ReLU.

        Args:
            x: (B, 1, 28, 28) images in [-1, 1], -1 is background.

        Returns:
            (B, 64).

        Raises:
            ValueError: another shape, or a pixel outside [-1, 1], or not a number.
        """
        if x.shape[1:] != (1, 28, 28):
            raise ValueError(f"images have shape {tuple(x.shape)}, expected (B, 1, 28, 28)")
        if not x.is_floating_point():
            raise ValueError(
                f"images are {x.dtype}, expected floats in [-1, 1]: use Dataset.tensor() or as_float()"
            )
        if len(x) and not x.abs().amax() <= 1 + 1e-4:  # written so that nan fails too
            low, high = x.min().item(), x.max().item()
            raise ValueError(f"pixels run from {low:.4g} to {high:.4g}, expected values in [-1, 1]")
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the ten classes: (B, 10)."""
        return self.head(self.features(x))


@lru_cache(maxsize=1)
def digit_net() -> DigitNet:
    """The shipped network, frozen. It is read at the first call and shared by all later ones.

    Raises:
        DataError: the weights are missing or damaged.
    """
    tensors, _ = _shipped()
    net = DigitNet()
    net.load_state_dict({name: t.float() for name, t in tensors.items() if not name.startswith("test.")})
    return net.eval().requires_grad_(False)


def test_moments() -> tuple[Tensor, Tensor]:
    """Mean (64,) and covariance (64, 64) of the features of the 10,000 test images, in float64."""
    tensors, _ = _shipped()
    return tensors["test.mean"], tensors["test.cov"]


test_moments.__test__ = False  # not a test, whatever pytest makes of the name


def card() -> dict:
    """How the shipped weights came about: accuracy, seed, command, checksums, real-versus-real floors."""
    return _shipped()[1]


def extractor_id() -> str:
    """Twelve hexadecimal digits that name the shipped weights: scores under another id do not compare."""
    return card()["digest"][:12]


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) and unbiased covariance (d, d) of features (N, d), in float64."""
    features = features.double()
    return features.mean(0), torch.cov(features.T)


@torch.no_grad()
def extract(net: nn.Module, images: Tensor, batch_size: int = 500) -> tuple[Tensor, Tensor]:
    """Features (N, 64) and logits (N, 10) of any number of images, a batch at a time."""
    weight = next(net.parameters())
    parts = [net.features(as_float(batch).to(weight)) for batch in images.split(batch_size)]
    features = torch.cat(parts)
    return features, net.head(features)


@lru_cache(maxsize=1)
def _shipped(path: Path = WEIGHTS) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the card in the weights' file, once they have been checked."""
    return read(path, "Reinstall ganlib, or train the network again: python -m ganlib.features")


def fit(images: Tensor, labels: Tensor, epochs: int = 10, seed: int = 0, batch_size: int = 128) -> DigitNet:
    """Train a digit network with Adam and a one-cycle rate.

    Every image is shifted, turned and stretched a little each time it is seen, by a random affine map near
    the identity: samples of a generator are less well centred than MNIST.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) int64.
        epochs: passes over the images.
        seed: of the first weights, the order and the affine maps.
        batch_size: images a step.
    """
    from tqdm import trange

    rng = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = DigitNet()
    steps = len(images) // batch_size
    opt = torch.optim.Adam(net.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=4e-3, total_steps=epochs * steps)
    for _ in (bar := trange(epochs, desc="digit-net")):
        for index in torch.randperm(len(images), generator=rng).split(batch_size)[:steps]:
            x = as_float(images[index])
            near_identity = torch.eye(2, 3) + 0.1 * torch.randn(len(x), 2, 3, generator=rng)
            grid = F.affine_grid(near_identity, list(x.shape), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
            loss = F.cross_entropy(net(x.clamp(-1, 1)), labels[index])
            opt.zero_grad()
            loss.backward()
            opt.step()
            rate.step()
        bar.set_postfix(loss=f"{loss.item():.4f}")
    return net.eval().requires_grad_(False)


FLOOR_SIZES, FLOOR_SEEDS = (1_000, 2_000, 5_000, 10_000), range(5)


def main() -> None:
    """Train on the 60,000, judge on the 10,000, write weights, test moments and card into one file."""
    from ganlib.metrics import frechet, real_images

    parser = argparse.ArgumentParser(prog="python -m ganlib.features", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()

    train, test = mnist("train"), mnist("test")
    net = fit(train.images, train.labels, args.epochs, args.seed)
    # Everything below is measured on the rounded weights, because those are shipped.
    tensors = {name: t.half() for name, t in net.state_dict().items()}
    net.load_state_dict({name: t.float() for name, t in tensors.items()})
    features, logits = extract(net, test.images)
    accuracy = (logits.argmax(1) == test.labels).float().mean().item()
    if accuracy < 0.99:
        raise SystemExit(f"test accuracy is {accuracy:.2%}, expected at least 99%: nothing is written")
    mean, cov = moments(features)
    floors = {
        str(n): [
            round(frechet(mean, cov, *moments(extract(net, real_images(train, n, seed))[0])), 6)
            for seed in FLOOR_SEEDS
        ]
        for n in FLOOR_SIZES
    }
    tensors |= {"test.mean": mean, "test.cov": cov}
    meta = {
        "accuracy": round(accuracy, 4),
        "command": f"python -m ganlib.features --seed {args.seed} --epochs {args.epochs}",
        "data": {name: digest for name, (_, digest) in FILES.items()},
        "floors": floors,
        "reference": len(test),
        "seed": args.seed,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    meta = write(args.out, tensors, meta)
    size = args.out.stat().st_size
    print(f"{args.out}: {size:,} bytes, test accuracy {accuracy:.2%}, id {meta['digest'][:12]}")
    for n, values in floors.items():
        print(f"  FD of {n} real images: {min(values):.4f} to {max(values):.4f} over {len(values)} draws")


if __name__ == "__main__":
    main()
