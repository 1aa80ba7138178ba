"""The derivations of a notebook, taken from the notebook itself."""

from __future__ import annotations

import json
from pathlib import Path

from .chain import Derivation, recording


def collect(path: str | Path) -> list[Derivation]:
    """Run the cells tagged ``derivation`` of a notebook and return the derivations they make.

    Args:
        path: an ``.ipynb`` file. Its tagged cells may import from ``ganlib.derive`` and ``sympy`` only.

    Raises:
        ValueError: the notebook has no tagged cell or makes no derivation.
        Refused: a line does not hold.
    """
    path = Path(path)
    cells = [
        c
        for c in json.loads(path.read_text("utf-8"))["cells"]
        if c["cell_type"] == "code" and "derivation" in c["metadata"].get("tags", [])
    ]
    namespace: dict[str, object] = {"__name__": path.stem}
    with recording() as made:
        for i, cell in enumerate(cells):
            exec(compile("".join(cell["source"]), f"{path.name}, derivation cell {i + 1}", "exec"), namespace)
    if not made:
        raise ValueError(f"{path.name}: no derivation found; tag its cells 'derivation'")
    return made
