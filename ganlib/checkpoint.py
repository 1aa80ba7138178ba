"""Save a game and take it up again, bit for bit.

A checkpoint is one safetensors file. Its tensors are those of ``game.state_dict()``; all else, such as the
rounds played and the optimisers' settings, stands as JSON in one metadata key, with a SHA-256 digest of that
text and of each tensor's name, dtype, shape and bytes. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from ganlib.game import Game, Player

__all__ = ["CheckpointError", "info", "load", "save"]

VERSION = 1
KEY = "ganlib"  # one key: safetensors writes several in random order
ADVICE = "Restore it from a copy, or train again."


class CheckpointError(ValueError):
    """A checkpoint cannot be used. The message names the file, what was expected and what to do."""


def save(path: str | os.PathLike[str], game: Game, **meta: Any) -> None:
    """Write a checkpoint, whole or not at all: a crash leaves the former file untouched.

    Args:
        path: Where to write.
        game: The game.
        **meta: Notes that ``load`` gives back, such as ``seed=0``; what JSON can hold.

    Raises:
        TypeError: A note is not what JSON can hold.
        OSError: The file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tree = _split(game.state_dict(), "", tensors)
    head = {"version": VERSION, "players": _players(game), "state": tree, "meta": meta}
    head = json.loads(json.dumps(head))  # as it will be read, so that the digests agree
    text = json.dumps({"head": head, "digest": _digest(head, tensors)})
    _write(Path(path), serialise(tensors, {KEY: text}))


def load(path: str | os.PathLike[str], game: Game) -> dict[str, Any]:
    """Take up the game stored at ``path``. All is checked before anything in ``game`` changes.

    Args:
        path: A file that ``save`` wrote.
        game: A game built like the stored one: same players, networks and kinds of optimiser.

    Returns:
        The notes given to ``save``.

    Raises:
        CheckpointError: The file is missing or damaged, or holds another game.
    """
    path = Path(path)
    head, tensors, _ = _read(path)
    expected = game.state_dict()
    try:
        state = _join(head["state"], tensors)
        _same_game(path, "players", head["players"], _players(game))
        _same_game(path, "tensors", _layout(state["modules"]), _layout(expected["modules"]))
        _same_game(path, "optimisers", _groups(state["optimizers"]), _groups(expected["optimizers"]))
        for player in game.players:  # JSON made text of the parameters' numbers
            slots = state["optimizers"][player.name]["state"]
            slots = {int(number): slot for number, slot in slots.items()}
            state["optimizers"][player.name]["state"] = slots
            _slots_fit(path, player, slots)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is damaged: expected the state of a game. {ADVICE}") from None
    game.load_state_dict(state)
    return head["meta"]


def info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a checkpoint holds, without a game to load it into. The whole file is checked.

    Returns:
        ``step``, the rounds played; ``meta``, the notes given to ``save``; ``parameters``, how many numbers
        each module has; ``digest``.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = Path(path)
    head, tensors, digest = _read(path)
    parameters: dict[str, int] = {}
    for name, tensor in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "modules":
            module = rest.partition("/")[0]
            parameters[module] = parameters.get(module, 0) + tensor.numel()
    return {
        "step": head["state"]["step"],
        "meta": head["meta"],
        "parameters": dict(sorted(parameters.items())),
        "digest": digest,
    }


def _split(node: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a tree into ``tensors`` and leave their names in their place."""
    match node:
        case Tensor():
            # Tied weights, views and channels-last copies become plain tensors of their own.
            tensors[path := path.removeprefix("/")] = node.detach().cpu().contiguous().clone()
            return {"tensor": path}
        case dict():
            return {str(key): _split(child, f"{path}/{key}", tensors) for key, child in node.items()}
        case list() | tuple():
            return [_split(child, f"{path}/{i}", tensors) for i, child in enumerate(node)]
        case _:
            return node


def _join(node: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo ``_split``."""
    match node:
        case {"tensor": str(name)}:
            return tensors[name]
        case dict():
            return {key: _join(child, tensors) for key, child in node.items()}
        case list():
            return [_join(child, tensors) for child in node]
        case _:
            return node


def _players(game: Game) -> dict[str, Any]:
    """What the optimisers' states belong to: each player's kind of optimiser and its parameters' shapes."""
    return {
        player.name: {"opt": type(player.opt).__name__, "shapes": [list(p.shape) for p in player.params]}
        for player in game.players
    }


def _layout(modules: dict[str, dict[str, Tensor]]) -> dict[str, str]:
    return {
        f"{module}/{name}": f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
        for module, tensors in modules.items()
        for name, tensor in tensors.items()
    }


def _groups(optimizers: dict[str, Any]) -> dict[str, str]:
    """What each optimiser's groups are made of; their values, such as the rate, come from the checkpoint."""
    return {
        f"{name}/{i}": f"{sorted(group)} of {group['params']}"
        for name, optimizer in optimizers.items()
        for i, group in enumerate(optimizer["param_groups"])
    }


def _slots_fit(path: Path, player: Player, slots: dict[int, dict[str, Any]]) -> None:
    """Adam's averages and the like: a tensor is a scalar or has its parameter's shape."""
    for number, slot in slots.items():
        expected = dict(enumerate(player.params))[number].shape
        for name, value in slot.items():
            if isinstance(value, Tensor) and value.shape not in (expected, torch.Size()):
                raise CheckpointError(
                    f"{path} holds another game: {name} of parameter {number} of {player.name} has shape "
                    f"{list(value.shape)}, expected {list(expected)}. Build the game as it was when it was "
                    f"saved."
                )


def _same_game(path: Path, what: str, stored: dict[str, Any], expected: dict[str, Any]) -> None:
    for name in sorted(expected.keys() | stored.keys()):
        if stored.get(name) != expected.get(name):
            raise CheckpointError(
                f"{path} holds another game: of its {what}, {name} is {stored.get(name, 'missing')}, "
                f"expected {expected.get(name, 'none')}. Build the game as it was when it was saved."
            )


def _digest(head: dict[str, Any], tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    """Head, tensors and digest of a checkpoint, once all of it has been checked."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}): expected a checkpoint. Check the path."
        ) from None
    except Exception as error:  # SafetensorError, and what torch says to a shape of 2^63
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({error}): expected safetensors. {ADVICE}"
        ) from None
    if text is None:
        raise CheckpointError(
            f"{path} has no {KEY!r} metadata: expected a file written by ganlib.checkpoint.save."
        )
    try:
        stored = json.loads(text)
        head, digest = stored["head"], stored["digest"]
        version = head["version"]
        if text != json.dumps(stored):  # 1E-08 for 1e-08: the same numbers, but not what was written
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CheckpointError(
            f"{path} is damaged: expected JSON with a head and a digest. {ADVICE}"
        ) from None
    if version != VERSION:
        raise CheckpointError(
            f"{path} has format {version}, expected {VERSION}: read it with the version that wrote it."
        )
    if digest != (found := _digest(head, tensors)):
        raise CheckpointError(f"{path} is damaged: its digest is {found}, expected {digest}. {ADVICE}")
    try:
        step, notes = head["state"]["step"], head["meta"]
    except (KeyError, TypeError):
        step = notes = None
    if type(step) is not int or step < 0 or not isinstance(notes, dict):
        raise CheckpointError(f"{path} is damaged: expected the state of a game and its notes. {ADVICE}")
    return head, tensors, digest


def _write(path: Path, blob: bytes) -> None:
    temporary = path.with_name(f".{path.name}.partial")  # same folder, so that the last step is one rename
    try:
        with open(temporary, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
