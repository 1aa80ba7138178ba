"""The recipe: a GAN of MNIST digits that two CPU cores train in a minute.

A recipe is a dictionary of plain values. It fits into a checkpoint, and it is all that the command line, the
benchmarks and the shipped generators need to play the same game. What each choice is worth is measured: see
the page on the recipe in the book, and tests/benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

# Nothing heavy is imported up here, so that --help of the command line answers at once.
if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from ganlib.game import Game

__all__ = ["RECIPE", "RecipeError", "batches", "build", "generate", "recipe"]

RECIPE: dict[str, tuple[Any, str]] = {
    "conditional": (False, "ask for digits: G(z, y) and D(x, y)"),
    "objective": ("non-saturating", "or saturating, least squares, hinge, Wasserstein, relativistic"),
    "data": ("5k", "5k, the images that need no download, or full, all 60,000"),
    "seed": (0, "seed of the weights and of every random number"),
    "z_dim": (16, "dimension of the noise"),
    "channels": ([32, 16], "channels at 7x7 and at 14x14"),
    "hidden": (128, "width of the discriminator's hidden layer"),
    "batch_size": (32, "images in a batch"),
    "lr": ([4e-3, 2e-3], "rates of G and of D"),
    "gamma": (1.0, "weight of the R1 penalty, which is multiplied by gamma/2"),
    "every": (16, "rounds from one penalty to the next"),
    "ema": (0.999, "decay of the generator's moving average, in [0, 1)"),
}
"""Each choice: its value and what it is."""


class RecipeError(ValueError):
    """A recipe names something that there is not."""


def recipe(**changes: Any) -> dict[str, Any]:
    """The recipe with some of its values changed.

    Raises:
        RecipeError: A name that no recipe has.
    """
    if unknown := changes.keys() - RECIPE.keys():
        raise RecipeError(f"a recipe has no {', '.join(sorted(unknown))}: expected {', '.join(RECIPE)}")
    return {name: changes.get(name, value) for name, (value, _) in RECIPE.items()}


def build(recipe: dict[str, Any], device: str = "cpu") -> Game:
    """The game that a recipe describes, not yet played.

    Raises:
        RecipeError: No objective has the recipe's name for it.
        ValueError: A number is outside its range; see ``ganlib.game.gan``.
    """
    from ganlib import objectives
    from ganlib.game import adam, gan
    from ganlib.nets import conv_gan
    from ganlib.penalties import r1

    known = {o.name: o for o in vars(objectives).values() if isinstance(o, objectives.Objective)}
    if recipe["objective"] not in known:
        raise RecipeError(f"no objective {recipe['objective']!r}: expected one of {', '.join(sorted(known))}")
    n_classes = 10 if recipe["conditional"] else None
    shape = recipe["z_dim"], tuple(recipe["channels"]), recipe["hidden"]
    G, D = conv_gan(*shape, n_classes=n_classes, seed=recipe["seed"])
    return gan(
        G.to(device),
        D.to(device),
        known[recipe["objective"]],
        penalties=[(recipe["gamma"] / 2, r1)] if recipe["gamma"] else [],
        lr=tuple(recipe["lr"]),
        every=recipe["every"],
        ema=recipe["ema"],
        optimizer=adam,
    )


def batches(recipe: dict[str, Any], device: str = "cpu") -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    """The batches that the game of a recipe is played on, as ``ganlib.data.sampler`` draws them.

    Raises:
        DataError: The images cannot be had.
    """
    from ganlib.data import mnist, sampler

    data = mnist(subset=None if recipe["data"] == "full" else recipe["data"])
    labels = data.labels if recipe["conditional"] else None
    return sampler(data.images, recipe["z_dim"], recipe["batch_size"], labels=labels, device=device)


def generate(G: nn.Module, z_dim: int, n: int, seed: int, labels: Tensor | None = None) -> Tensor:
    """Draw ``n`` images.

    Args:
        G: A generator ``G(z)``, or ``G(z, y)``.
        z_dim: Dimension of its noise.
        n: Number of images.
        seed: Seed of the noise.
        labels: (n,) labels, for a conditional generator.

    Returns:
        (n, 1, 28, 28) images in [-1, 1], on the CPU.
    """
    import torch

    from ganlib.train import keyed

    z = torch.randn(n, z_dim, generator=keyed(seed, 0, "sample"))
    device = next(G.parameters()).device
    parts = zip(*(t.to(device).split(500) for t in ([z] if labels is None else [z, labels])), strict=True)
    with torch.no_grad():
        return torch.cat([G(*part).cpu() for part in parts])
