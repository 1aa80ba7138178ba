"""Training is a plain iterator over the rounds of a game."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import torch

from ganlib.game import Batch, Game
from ganlib.parallel import rank, share

__all__ = ["keyed", "train"]


def keyed(seed: int, step: int, name: str) -> torch.Generator:
    """The random generator of one move. All randomness of training comes from here.

    It depends on the key alone, so a resumed run draws what an unbroken one would have drawn.
    """
    return torch.Generator().manual_seed(zlib.crc32(f"{seed}/{step}/{name}".encode()))


def train(
    game: Game, draw: Callable[[torch.Generator], Batch], steps: int, seed: int = 0
) -> Iterator[tuple[int, dict[str, float]]]:
    """Play a game until it has been played for ``steps`` rounds in all.

    In round ``t = 0, 1, ...`` each player moves in turn, each move on a fresh batch drawn by
    ``keyed(seed, t, "D0")``, ``keyed(seed, t, "D1")``, ..., ``keyed(seed, t, "G")``. Several processes (see
    ``ganlib.parallel``) share each batch and take the same steps.

    Args:
        game: The game. One that has been played before goes on where it stopped.
        draw: Makes a batch, ``(x, z)`` or ``(x, z, y)``, from a random generator.
        steps: The total number of rounds.
        seed: Seed of every batch and every random penalty.

    Yields:
        The number of rounds played, which ends with ``steps``, and each player's loss before its last update.

    Raises:
        FloatingPointError: A loss is not finite. Names the step and the player, which did not move.
        ValueError: Several processes cannot share the batch evenly.
    """
    while game.step < steps:
        losses = {}
        for player in game.players:
            for key in player.keys:
                rng = keyed(seed, game.step, key)
                batch = share(draw(rng))
                if rank():  # what is random in a loss differs between shares
                    rng = keyed(seed, game.step, f"{key}/{rank()}")
                losses[player.name] = player.move(batch, rng, game.step)
        game.end_round()
        yield game.step, losses
