"""Small generators and discriminators, initialised from a seed.

Images are ``(B, 1, 28, 28)`` in [-1, 1]. A generator is ``G(z)``, or ``G(z, y)`` with labels ``y`` of shape
``(B,)``; a discriminator is ``D(x)`` or ``D(x, y)`` and gives one logit for each sample, of shape ``(B,)``.
There is no sigmoid at its end and no BatchNorm in it: objectives want logits, and penalties want each sample
judged by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["Discriminator", "Generator", "conv_gan", "mlp", "mlp_gan", "spectral"]


class Generator(nn.Module):
    """``G(z)``, or ``G(z, y)``: the label's one-hot code is joined to the noise.

    Args:
        body: Maps ``(B, z_dim)``, or ``(B, z_dim + n_classes)``, to samples.
        n_classes: Number of classes; ``None`` for an unconditional generator.
    """

    def __init__(self, body: nn.Module, n_classes: int | None = None) -> None:
        super().__init__()
        self.body, self.n_classes = body, n_classes

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        _check_labels("G(z)", y, self.n_classes)
        if y is not None:
            z = torch.cat([z, nn.functional.one_hot(y, self.n_classes).to(z)], dim=1)
        return self.body(z)


class Discriminator(nn.Module):
    """``D(x) = psi(h(x))``, or ``D(x, y) = psi(h(x)) + <e(y), h(x)>`` (Miyato and Koyama 2018).

    The second form has the shape of its optimum: the log-ratio of the joint laws is that of the images plus
    that of the labels given the image.

    Args:
        body: ``h``; maps samples to ``(B, width)``.
        width: Number of features.
        n_classes: Number of classes; ``None`` for an unconditional discriminator.
    """

    def __init__(self, body: nn.Module, width: int, n_classes: int | None = None) -> None:
        super().__init__()
        self.body, self.n_classes = body, n_classes
        self.psi = nn.Linear(width, 1)
        if n_classes is not None:
            self.e = nn.Embedding(n_classes, width)
            nn.init.zeros_(self.e.weight)  # at first the label says nothing

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        _check_labels("D(x)", y, self.n_classes)
        h = self.body(x)
        logit = self.psi(h).squeeze(1)
        return logit if y is None else logit + (self.e(y) * h).sum(1)


def _check_labels(call: str, y: Tensor | None, n_classes: int | None) -> None:
    if y is not None and n_classes is None:
        raise ValueError(f"{call} was given labels, expected none: build it with n_classes, or draw (x, z)")
    if y is None and n_classes is not None:
        raise ValueError(f"{call} was given no labels, expected one of {n_classes} classes: draw (x, z, y)")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Initialise weights from ``seed`` and leave torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def mlp(sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, seed: int = 0) -> nn.Sequential:
    """Linear layers ``sizes[0] -> ... -> sizes[-1]`` with an activation between each two.

    Args:
        sizes: Widths, input and output included.
        activation: Makes an activation module.
        seed: Seed of the weights.
    """
    with _seeded(seed):
        layers = [layer for m, n in pairwise(sizes) for layer in (nn.Linear(m, n), activation())]
    return nn.Sequential(*layers[:-1])


def mlp_gan(
    z_dim: int = 64, hidden: int = 256, n_classes: int | None = None, seed: int = 0
) -> tuple[Generator, Discriminator]:
    """Two networks of two hidden layers each, as in the first GAN (Goodfellow et al. 2014).

    Args:
        z_dim: Dimension of the noise.
        hidden: Width of the hidden layers.
        n_classes: Number of classes of a conditional pair.
        seed: Seed of the weights.
    """
    inputs = z_dim + (n_classes or 0)
    with _seeded(seed):
        G = Generator(
            nn.Sequential(
                nn.Linear(inputs, hidden), nn.ReLU(),
                nn.Linear(hidden, hidden), nn.ReLU(),
                nn.Linear(hidden, 28 * 28), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)),
            ),
            n_classes,
        )  # fmt: skip
        D = Discriminator(
            nn.Sequential(
                nn.Flatten(),
                nn.Linear(28 * 28, hidden), nn.LeakyReLU(0.2),
                nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
            ),
            hidden,
            n_classes,
        )  # fmt: skip
    return G, D


def conv_gan(
    z_dim: int = 64,
    channels: tuple[int, int] = (32, 16),
    hidden: int = 128,
    n_classes: int | None = None,
    seed: int = 0,
    planes: int = 0,
) -> tuple[Generator, Discriminator]:
    """A convolutional pair, 7 to 14 to 28 and back, that a CPU trains quickly.

    The generator computes at a low resolution and then deals channels out to pixels (Shi et al. 2016), which
    is cheap. It normalises each image by itself (Wu and He 2018, one group), so no sample depends on its
    batch. The discriminator has strides (Radford et al. 2016) and no normalisation. Its hidden layer costs
    little beside its convolutions and gives it more to say.

    Args:
        z_dim: Dimension of the noise.
        channels: Channels at 7x7 and at 14x14, in both networks.
        hidden: Width of the discriminator's hidden layer.
        n_classes: Number of classes of a conditional pair.
        seed: Seed of the weights.
        planes: Channels that the discriminator sees beside the image.
    """
    wide, narrow = channels
    inputs = z_dim + (n_classes or 0)
    with _seeded(seed):
        G = Generator(
            nn.Sequential(
                nn.Linear(inputs, wide * 7 * 7), nn.Unflatten(1, (wide, 7, 7)),
                nn.GroupNorm(1, wide), nn.ReLU(),
                nn.Conv2d(wide, 4 * narrow, 3, padding=1), nn.PixelShuffle(2),
                nn.GroupNorm(1, narrow), nn.ReLU(),
                nn.Conv2d(narrow, 4, 3, padding=1), nn.PixelShuffle(2), nn.Tanh(),
            ),
            n_classes,
        )  # fmt: skip
        D = Discriminator(
            nn.Sequential(
                nn.Conv2d(1 + planes, narrow, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
                nn.Conv2d(narrow, wide, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
                nn.Flatten(),
                nn.Linear(wide * 7 * 7, hidden), nn.LeakyReLU(0.2),
            ),
            hidden,
            n_classes,
        )  # fmt: skip
    return G, D


def spectral(D: nn.Module, seed: int = 0) -> nn.Module:
    """Divide each weight of ``D`` by its largest singular value (Miyato et al. 2018).

    Linear and convolutional layers are normalised, in place; embeddings, which may be zero, are not. A chain
    of linear layers and activations of slope at most one then has slope at most one. The kernel of a
    convolution is a matrix of one row for each output channel, as in the paper; that gives no such bound.

    The singular value is estimated by the power method, which takes a step in each move of a game of ``gan``.
    It comes late: while the weights move, their largest singular value is a little above one.
    The losses of other games should run inside ``torch.nn.utils.parametrize.cached()``, as those of ``gan``
    do: else each call of ``D`` takes a step and changes ``D``. In eval mode ``D`` never changes.

    Args:
        D: The network.
        seed: Seed of the first estimate.

    Returns:
        ``D`` itself.
    """
    with _seeded(seed):
        for layer in D.modules():
            if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
                spectral_norm(layer)
    return D
