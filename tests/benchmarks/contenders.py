"""Who runs in the race: our recipe, and the configurations of the scripts that people start with.

The published configurations are facts (layers, rates, the order of updates), written here in our own words.
They get our data path, one tensor instead of a DataLoader, and none of their printing and saving, so that
they run faster here than they do at home. Two things about them are kept on purpose, since they are part of
what people run: 0.8 as the epsilon of BatchNorm, and the sigmoid before the cross-entropy.

A contender is ``start(images, labels, seed) -> (rounds, draws)``. Each ``next(rounds)`` is one round of
training; ``draws`` are ways to sample, each ``draw(n, seed) -> (n, 1, 28, 28)``. A network with BatchNorm
has two, one for each of its modes, and is given the better of the two scores.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganlib.data import Dataset, as_float, sampler
from ganlib.game import Game, adam, gan
from ganlib.nets import conv_gan, mlp_gan
from ganlib.objectives import nonsaturating
from ganlib.penalties import r1, r2
from ganlib.recipe import build, generate, recipe
from ganlib.train import keyed, train

Rounds = Iterator[object]
Draws = dict[str, Callable[[int, int], Tensor]]
Start = Callable[[Dataset, int], tuple[Rounds, Draws]]


def ours(data: Dataset, seed: int, **changes: object) -> tuple[Rounds, Draws]:
    """The recipe, with some of its values changed."""
    return play(build(mine := recipe(seed=seed, **changes)), data, mine)


def play(game: Game, data: Dataset, mine: dict) -> tuple[Rounds, Draws]:
    """The rounds of a game by the recipe's batches, and samples of its averaged generator."""
    labels = data.labels if mine["conditional"] else None
    draw = sampler(data.images, mine["z_dim"], mine["batch_size"], labels=labels)

    def images(n: int, seed: int) -> Tensor:
        asked = torch.arange(n) % 10 if mine["conditional"] else None
        return generate(game.G_ema, mine["z_dim"], n, seed, asked)

    return train(game, draw, steps=10**9, seed=mine["seed"]), {"averaged": images}


def bare(
    data: Dataset, seed: int, source: Iterator[tuple[Tensor, ...]] | None = None
) -> tuple[Rounds, Draws]:
    """The unconditional recipe as a loop of torch alone: what `train` is timed against.

    Args:
        data: The images.
        seed: Seed of the weights and of the batches.
        source: Batches (x, z), one for each move; drawn here when ``None``.
    """
    mine = recipe(seed=seed)
    z_dim, B, every = mine["z_dim"], mine["batch_size"], mine["every"]
    G, D = conv_gan(z_dim, tuple(mine["channels"]), mine["hidden"], seed=seed)
    G_ema = copy.deepcopy(G)
    opt_G, opt_D = (
        adam(net.parameters(), lr=lr, betas=(0.0, 0.99)) for net, lr in zip((G, D), mine["lr"], strict=True)
    )
    weights_G, weights_D = list(G.parameters()), list(D.parameters())
    rng = torch.Generator().manual_seed(seed)

    def drawn() -> Iterator[tuple[Tensor, ...]]:
        while True:
            x = as_float(data.images[torch.randint(len(data), (B,), generator=rng)])
            yield x, torch.randn(B, z_dim, generator=rng)

    batches = source or drawn()

    def rounds() -> Rounds:
        step = 0
        while True:
            x, z = next(batches)
            fake = G(z)
            loss_D = (F.softplus(-D(x)) + F.softplus(D(fake))).mean()
            if step % every == 0:
                x.requires_grad_()
                (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
                loss_D = loss_D + every * mine["gamma"] / 2 * slope.flatten(1).square().sum(1).mean()
            opt_D.zero_grad()
            loss_D.backward(inputs=weights_D)
            opt_D.step()
            x, z = next(batches)
            loss_G = F.softplus(-D(G(z))).mean()
            opt_G.zero_grad()
            loss_G.backward(inputs=weights_G)
            opt_G.step()
            step += 1
            decay = min(mine["ema"], (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(G_ema.parameters()), weights_G, 1 - decay)
            yield step, {"D": loss_D.item(), "G": loss_G.item()}

    return rounds(), {"averaged": lambda n, seed: generate(G_ema, z_dim, n, seed)}


# One choice changed at a time


def other(
    data: Dataset,
    seed: int,
    networks: Callable[..., tuple[nn.Module, nn.Module]] = conv_gan,
    betas: tuple[float, float] = (0.0, 0.99),
    optimizer: Callable[..., torch.optim.Optimizer] = adam,
    penalty: Callable[..., Tensor] = r1,
) -> tuple[Rounds, Draws]:
    """The recipe with what no recipe can change."""
    mine = recipe(seed=seed)
    G, D = networks(mine["z_dim"], seed=seed)
    game = gan(
        G,
        D,
        nonsaturating,
        [(mine["gamma"] / 2, penalty)],
        lr=tuple(mine["lr"]),
        betas=betas,
        every=mine["every"],
        ema=mine["ema"],
        optimizer=optimizer,
    )
    return play(game, data, mine)


def normalised(kind: Callable[[int], nn.Module]) -> Callable[..., tuple[nn.Module, nn.Module]]:
    """Our networks with another layer in place of the generator's GroupNorm."""

    def networks(z_dim: int, seed: int) -> tuple[nn.Module, nn.Module]:
        G, D = conv_gan(z_dim, seed=seed)
        for i, layer in enumerate(G.body):
            if isinstance(layer, nn.GroupNorm):
                G.body[i] = kind(layer.num_channels)
        return G, D

    return networks


def transposed(z_dim: int, seed: int) -> tuple[nn.Module, nn.Module]:
    """The generator of Radford et al. in small: transposed convolutions."""
    G, D = conv_gan(z_dim, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        G.body = nn.Sequential(
            *(nn.Linear(z_dim, 32 * 49), nn.Unflatten(1, (32, 7, 7)), nn.GroupNorm(1, 32), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.GroupNorm(1, 16), nn.ReLU()),
            *(nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Tanh()),
        )
    return G, D


def patches(z_dim: int, seed: int) -> tuple[nn.Module, nn.Module]:
    """A discriminator that, like the generator, computes at 7 x 7 only, on patches of 4 x 4 pixels."""
    G, D = conv_gan(z_dim, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        D.body = nn.Sequential(
            *(nn.PixelUnshuffle(4), nn.Conv2d(16, 32, 3, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(32, 32, 3, padding=1), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(32 * 49, 128), nn.LeakyReLU(0.2)),
        )
    return G, D


class HalfPrecision(nn.Module):
    """A network whose convolutions and products are done in bfloat16."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(*inputs).float()


def half_precision(z_dim: int, seed: int) -> tuple[nn.Module, nn.Module]:
    G, D = conv_gan(z_dim, seed=seed)
    return HalfPrecision(G), HalfPrecision(D)


CHOICES: dict[str, Start] = {
    "transposed convolutions in G": partial(other, networks=transposed),
    "dense networks": partial(other, networks=lambda z_dim, seed: mlp_gan(z_dim, seed=seed)),
    "no normalisation in G": partial(other, networks=normalised(lambda _: nn.Identity())),
    "BatchNorm in G": partial(other, networks=normalised(nn.BatchNorm2d)),
    "D looks at patches": partial(other, networks=patches),
    "twice the channels": partial(ours, channels=[64, 32]),
    "hidden layer of D: 64": partial(ours, hidden=64),
    "z_dim 64": partial(ours, z_dim=64),
    "batch 16": partial(ours, batch_size=16),
    "batch 64": partial(ours, batch_size=64),
    "rates 3e-3 and 3e-3": partial(ours, lr=[3e-3, 3e-3]),
    "rates 2e-3 and 4e-3": partial(ours, lr=[2e-3, 4e-3]),
    "rates halved": partial(ours, lr=[2e-3, 1e-3]),
    "rates doubled": partial(ours, lr=[8e-3, 4e-3]),
    "rates of the papers, 2e-4": partial(ours, lr=[2e-4, 2e-4]),
    "Adam's averages 0.5 and 0.999": partial(other, betas=(0.5, 0.999)),
    "Adam parameter by parameter": partial(other, optimizer=torch.optim.Adam),
    "no penalty": partial(ours, gamma=0.0),
    "gamma 0.1": partial(ours, gamma=0.1),
    "gamma 10": partial(ours, gamma=10.0),
    "penalty in every round": partial(ours, every=1),
    "penalty at the generated images": partial(other, penalty=r2),
    "no average of G": partial(ours, ema=0.0),
    "bfloat16": partial(other, networks=half_precision),
    "hinge": partial(ours, objective="hinge"),
    "relativistic": partial(ours, objective="relativistic"),
}

OBJECTIVES: dict[str, Start] = {
    name: partial(ours, objective=name)
    for name in ("saturating", "non-saturating", "least squares", "hinge", "Wasserstein", "relativistic")
}


# The published configurations


def dense(sizes: list[int], norm: float | None = None, dropout: float = 0.0) -> list[nn.Module]:
    """Linear layers with leaky ReLU; from the second layer on with BatchNorm of this epsilon, or dropout."""
    layers: list[nn.Module] = []
    for i, (m, n) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(m, n))
        layers += [nn.BatchNorm1d(n, norm)] if norm and i else []
        layers += [nn.Dropout(dropout)] if dropout and i else []
        layers.append(nn.LeakyReLU(0.2))
    return layers


class Labelled(nn.Module):
    """A dense network that is told the label as a learned code of ten numbers, joined to its input."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.code, self.body = nn.Embedding(10, 10), nn.Sequential(*layers)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.body(torch.cat([x.flatten(1), self.code(y)], 1))


def small_normal(*networks: nn.Module) -> None:
    """The DCGAN start: convolutions N(0, 0.02^2), scales of BatchNorm N(1, 0.02^2), its shifts 0."""
    for layer in (layer for network in networks for layer in network.modules()):
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
            nn.init.zeros_(layer.bias)


def gan_networks() -> tuple[nn.Module, nn.Module]:
    """PyTorch-GAN's gan: 100 to 128, 256, 512, 1024 to 784; 784 to 512, 256 to 1."""
    G = nn.Sequential(
        *dense([100, 128, 256, 512, 1024], norm=0.8),
        *(nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),
    )
    D = nn.Sequential(nn.Flatten(), *dense([784, 512, 256]), nn.Linear(256, 1), nn.Sigmoid())
    return G, D


def cgan_networks() -> tuple[nn.Module, nn.Module]:
    """PyTorch-GAN's cgan, at 32 x 32: the same with a label; 512, 512, 512 with dropout 0.4 to 1."""
    G = Labelled(
        *dense([110, 128, 256, 512, 1024], norm=0.8),
        *(nn.Linear(1024, 1024), nn.Tanh(), nn.Unflatten(1, (1, 32, 32))),
    )
    D = Labelled(*dense([1034, 512, 512, 512], dropout=0.4), nn.Linear(512, 1))
    return G, D


def dcgan_networks() -> tuple[nn.Module, nn.Module]:
    """PyTorch-GAN's dcgan, at 32 x 32: upsampling and 3 x 3 convolutions; strides and dropout 0.25."""

    def up(m: int, n: int) -> list[nn.Module]:
        convolution = nn.Conv2d(m, n, 3, padding=1)
        return [nn.Upsample(scale_factor=2), convolution, nn.BatchNorm2d(n, 0.8), nn.LeakyReLU(0.2)]

    def down(m: int, n: int, norm: bool) -> list[nn.Module]:
        layers = [nn.Conv2d(m, n, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        return [*layers, nn.BatchNorm2d(n, 0.8)] if norm else layers

    G = nn.Sequential(
        *(nn.Linear(100, 128 * 8 * 8), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128)),
        *up(128, 128),
        *up(128, 64),
        *(nn.Conv2d(64, 1, 3, padding=1), nn.Tanh()),
    )
    D = nn.Sequential(
        *down(1, 16, False),
        *down(16, 32, True),
        *down(32, 64, True),
        *down(64, 128, True),
        *(nn.Flatten(), nn.Linear(128 * 2 * 2, 1), nn.Sigmoid()),
    )
    small_normal(G, D)
    return G, D


def example_networks() -> tuple[nn.Module, nn.Module]:
    """The official PyTorch DCGAN example, at 64 x 64 with 64 channels: 4 x 4 convolutions without bias."""

    def up(m: int, n: int, stride: int, padding: int) -> list[nn.Module]:
        return [nn.ConvTranspose2d(m, n, 4, stride, padding, bias=False), nn.BatchNorm2d(n), nn.ReLU()]

    def down(m: int, n: int) -> list[nn.Module]:
        return [nn.Conv2d(m, n, 4, 2, 1, bias=False), nn.BatchNorm2d(n), nn.LeakyReLU(0.2)]

    G = nn.Sequential(
        nn.Unflatten(1, (100, 1, 1)),
        *(*up(100, 512, 1, 0), *up(512, 256, 2, 1), *up(256, 128, 2, 1), *up(128, 64, 2, 1)),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh()),
    )
    D = nn.Sequential(
        *(nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)),
        *(*down(64, 128), *down(128, 256), *down(256, 512)),
        *(nn.Conv2d(512, 1, 4, 1, 0, bias=False), nn.Flatten(), nn.Sigmoid()),
    )
    small_normal(G, D)
    return G, D


def published(
    data: Dataset,
    seed: int,
    networks: Callable[[], tuple[nn.Module, nn.Module]],
    size: int = 28,
    loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy,
    conditional: bool = False,
    generator_first: bool = True,
) -> tuple[Rounds, Draws]:
    """A published configuration with its own update rule: batch 64, z_dim 100, Adam(2e-4; 0.5, 0.999).

    With the generator first, D learns from the very images that G has just been moved by, and its loss is
    halved. With the discriminator first, its two losses are added, and G is moved through the same images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        G, D = networks()
    opt_G, opt_D = (torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (G, D))
    images = resized(data.images, size)
    batch = sampler(images, 100, 64, labels=data.labels)

    def rounds() -> Rounds:
        torch.manual_seed(seed)  # of the dropout
        step = 0
        while True:
            rng = keyed(seed, step, "batch")
            x, z, y = batch(rng)
            asked = torch.randint(10, (64,), generator=rng)
            (real, made) = ((y,), (asked,)) if conditional else ((), ())
            fake = G(z, *made)

            def loss_D(x=x, fake=fake, real=real, made=made) -> list[Tensor]:
                on_real, on_fake = D(x, *real), D(fake.detach(), *made)
                return [loss(on_real, torch.ones_like(on_real)), loss(on_fake, torch.zeros_like(on_fake))]

            def loss_G(fake=fake, made=made) -> list[Tensor]:
                says = D(fake, *made)
                return [loss(says, torch.ones_like(says))]

            moves = [(opt_G, loss_G, 1.0), (opt_D, loss_D, 0.5)]
            if not generator_first:
                moves = [(opt_D, loss_D, 1.0), (opt_G, loss_G, 1.0)]
            for opt, losses, scale in moves:
                opt.zero_grad()
                (scale * sum(losses())).backward()
                opt.step()
            step += 1
            yield step

    def draw(n: int, seed: int, training: bool) -> Tensor:
        z = torch.randn(n, 100, generator=keyed(seed, 0, "sample"))
        parts = (z.split(64), (torch.arange(n) % 10).split(64)) if conditional else (z.split(64),)
        statistics = {name: t.clone() for name, t in G.state_dict().items()}
        with torch.no_grad():
            made = [G.train(training)(*part) for part in zip(*parts, strict=True)]
        G.train().load_state_dict(statistics)  # to look at a network does not change it
        made = torch.cat(made)
        return made if size == 28 else shrink(made).clamp(-1, 1)

    return rounds(), {
        "training mode": partial(draw, training=True),
        "eval mode": partial(draw, training=False),
    }


def resized(images: Tensor, size: int) -> Tensor:
    """(N, 28, 28) uint8 images at another size, bilinearly, as uint8."""
    if size == 28:
        return images
    parts = []
    for part in images.split(5_000):
        x = F.interpolate(part[:, None].float(), size=(size, size), mode="bilinear", align_corners=False)
        parts.append(x[:, 0].round().byte())
    return torch.cat(parts)


def shrink(x: Tensor) -> Tensor:
    """Images of any size at 28 x 28, bilinearly, without aliasing."""
    return F.interpolate(x, size=(28, 28), mode="bilinear", align_corners=False, antialias=True)


def there_and_back(images: Tensor, size: int) -> Tensor:
    """Real images as a network of another size would show them: what the resizing alone costs."""
    return shrink(as_float(resized(images, size))).clamp(-1, 1)


CONTENDERS: dict[str, Start] = {
    "ours": ours,
    "ours, conditional": partial(ours, conditional=True),
    "PyTorch-GAN gan": partial(published, networks=gan_networks),
    "PyTorch-GAN dcgan": partial(published, networks=dcgan_networks, size=32),
    "PyTorch-GAN cgan": partial(
        published, networks=cgan_networks, size=32, loss=F.mse_loss, conditional=True
    ),
    "PyTorch DCGAN example": partial(published, networks=example_networks, size=64, generator_first=False),
}
