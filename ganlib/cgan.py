"""Four ways to tell a discriminator the label.

The projection is ``ganlib.nets.Discriminator``. The other three are here: the label joined to the image as
channels, the label as a learned picture beside the image, and a discriminator that is not told the label
but guesses it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils import parametrize

from ganlib.game import Batch, Game, Player, gan
from ganlib.nets import Discriminator, Generator, conv_gan

__all__ = ["WAYS", "Auxiliary", "Joined", "acgan", "conditional_gan", "constant_planes"]

WAYS = ("projection", "concatenation", "embedding", "auxiliary classifier")


def constant_planes(y: Tensor) -> Tensor:
    """One-hot labels (B,) as images (B, 10, 28, 28): ones in the plane of the label and zeros elsewhere."""
    return one_hot(y, 10).float()[:, :, None, None].expand(-1, -1, 28, 28)


class Joined(nn.Module):
    """``D(x, y)``: the label as further channels of the image (after Mirza and Osindero 2014).

    Args:
        D: A discriminator of images with 1 + c channels.
        planes: Makes c channels (B, c, 28, 28) of labels (B,).
    """

    def __init__(self, D: Discriminator, planes: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.D, self.planes = D, planes

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.D(torch.cat([x, self.planes(y).to(x)], dim=1))


class Auxiliary(nn.Module):
    """``D(x, y)`` that does not look at y, and ``classes(x)`` that guesses it (Odena, Olah and Shlens 2017).

    Args:
        D: A discriminator of images alone.
        width: Number of features that ``D.body`` gives.
    """

    def __init__(self, D: Discriminator, width: int) -> None:
        super().__init__()
        self.D, self.head = D, nn.Linear(width, 10)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.D(x)

    def classes(self, x: Tensor) -> Tensor:
        """Logits of the ten classes, (B, 10)."""
        return self.head(self.D.body(x))


def conditional_gan(
    way: str, z_dim: int = 16, hidden: int = 128, seed: int = 0
) -> tuple[Generator, nn.Module]:
    """The convolutional pair of ``ganlib.nets`` with one of the ``WAYS`` to tell D the label.

    G has the label's one-hot code joined to its noise in each of them.

    Args:
        way: ``"projection"``, ``"concatenation"`` (ten constant planes), ``"embedding"`` (one learned plane
            for each label) or ``"auxiliary classifier"``, to be played by ``acgan``.
        z_dim: Dimension of the noise.
        hidden: Width of the discriminator's hidden layer.
        seed: Seed of the weights.

    Returns:
        ``G(z, y)`` and ``D(x, y)``.

    Raises:
        ValueError: There is no such way.
    """
    if way not in WAYS:
        raise ValueError(f"there is no way {way!r} to tell D the label, expected one of: {', '.join(WAYS)}")
    G, D = conv_gan(z_dim, hidden=hidden, n_classes=10, seed=seed)
    if way == "projection":
        return G, D
    planes = {"concatenation": 10, "embedding": 1, "auxiliary classifier": 0}[way]
    _, D = conv_gan(z_dim, hidden=hidden, planes=planes, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if way == "concatenation":
            return G, Joined(D, constant_planes)
        if way == "embedding":
            return G, Joined(D, nn.Sequential(nn.Embedding(10, 28 * 28), nn.Unflatten(1, (1, 28, 28))))
        return G, Auxiliary(D, hidden)


def acgan(G: nn.Module, D: Auxiliary, *arguments: Any, weight: float = 1.0, **settings: Any) -> Game:
    """The game of ``ganlib.game.gan`` in which both players also lower the cross-entropy of a guessed class.

    D is asked for the class of real and of generated samples, G for that of its own (Odena, Olah and Shlens
    2017, equations 2 and 3, with D maximising L_S + L_C and G maximising L_C - L_S).

    Args:
        G: The generator, ``G(z, y)``.
        D: The discriminator.
        *arguments: Objective and penalties, as for ``gan``.
        weight: Of the cross-entropies, in nats.
        **settings: As for ``gan``. Classes are asked of samples without its ``noise``.
    """
    game = gan(G, D, *arguments, **settings)

    def also(player: Player, of_real: bool) -> None:
        plain = player.loss

        @parametrize.cached()  # as in gan
        def loss(batch: Batch, rng: torch.Generator | None = None, step: int = 0) -> Tensor:
            x, z, y = batch
            guessed = cross_entropy(D.classes(G(z, y)), y)
            if of_real:
                guessed = guessed + cross_entropy(D.classes(x), y)
            return plain(batch, rng, step) + weight * guessed

        player.loss = loss

    for player in game.players:
        also(player, of_real=player.name == "D")
    return game
