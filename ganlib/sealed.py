"""Files of trained weights that say if anything in them was changed.

A file is safetensors with one metadata key, a card in JSON: how the weights came about and what they score.
The card holds the digest of the tensors, which names them, and a seal over the rest of itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ganlib.data import DataError

__all__ = ["FOLDER", "read", "write"]

FOLDER = Path(__file__).parent / "weights"


def write(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> dict[str, Any]:
    """Write weights and their card, whole or not at all; the card with the digests that ``read`` checks."""
    facts = facts | {"digest": _digest(tensors)}
    facts["seal"] = _seal(facts)
    temporary = path.with_suffix(".tmp")
    # One key: safetensors writes several in random order.
    temporary.write_bytes(save(tensors, metadata={"ganlib": json.dumps(facts, sort_keys=True)}))
    os.replace(temporary, path)
    return facts


def read(path: Path, advice: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the card in a file of weights, once both have been checked.

    Raises:
        DataError: The file cannot be read, or something in it is not what was written.
    """
    try:
        with safe_open(path, framework="pt") as file:
            text = file.metadata()["ganlib"]
            facts = json.loads(text)
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118, no mapping
        expected, seal = facts["digest"], facts["seal"]
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}. {advice}") from None
    if (actual := _digest(tensors)) != expected:
        raise DataError(f"{path} is damaged: SHA-256 of its tensors {actual}, expected {expected}. {advice}")
    if seal != _seal(facts) or text != json.dumps(facts, sort_keys=True):
        raise DataError(f"{path} is damaged: its card is not the one that was written. {advice}")
    return tensors, facts


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and values."""
    sha = hashlib.sha256()
    for name, t in sorted(tensors.items()):
        sha.update(f"{name} {t.dtype} {tuple(t.shape)}\n".encode() + t.contiguous().numpy().tobytes())
    return sha.hexdigest()


def _seal(facts: dict[str, Any]) -> str:
    unsealed = {key: value for key, value in facts.items() if key != "seal"}
    return hashlib.sha256(json.dumps(unsealed, sort_keys=True).encode()).hexdigest()
