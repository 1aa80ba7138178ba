"""Break the book at random and ask whether its tests notice: `python tests/random_edits.py --edits 30`.

Three kinds of edit, each in a throw-away copy of one notebook or of the ledger's data:

    sign      one + or - changed in a derivation cell
    verdict   the verdict of one statement changed, in a notebook's table or in book/claims.json
    number    the derived number of one within(...) moved by twice its tolerance

An edit of a sign counts as caught when the lines are refused, or the output of the derivation cells is not
what is stored (nbval compares the same outputs); of a verdict, when tests/test_ledger.py fails; of a
number, when the function that the notebook calls refuses what was measured. The last line says how many were
caught; the exit status is 1 if one was not.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ganlib.derive import Refused, Undecided, collect
from ganlib.tolerances import table

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
VERDICTS = ("right", "right under stated assumptions", "imprecise", "wrong")
ROW = re.compile(r"^(\| *\d+ *\|.*\| *)(" + "|".join(VERDICTS[::-1]) + r")( *\|.*)$", re.M)


def source(cell: dict) -> str:
    return "".join(cell["source"])


def shown(chains: list) -> list[str]:
    return [e.latex() for chain in chains for e in chain.entries]


def signs(nb: dict) -> list[tuple[int, int]]:
    """(cell, offset) of every + or - between two operands, or in front of one, in derivation cells."""
    places = []
    for i, cell in enumerate(nb["cells"]):
        if cell["cell_type"] == "code" and "derivation" in cell["metadata"].get("tags", []):
            text = source(cell)
            lines = [0]
            for line in text.splitlines(keepends=True):
                lines.append(lines[-1] + len(line))
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
                    end = lines[node.left.end_lineno - 1] + node.left.end_col_offset
                    sign = re.compile(r"[+-]").search(text, end)
                    if sign and sign.start() < lines[node.right.lineno - 1] + node.right.col_offset:
                        places.append((i, sign.start()))
    return places


def edit_sign(rng: random.Random, folder: Path) -> tuple[str, bool]:
    path = rng.choice(NOTEBOOKS)
    nb = json.loads(path.read_text())
    i, at = rng.choice(signs(nb))
    text = source(nb["cells"][i])
    broken = copy.deepcopy(nb)
    broken["cells"][i]["source"] = text[:at] + ("-" if text[at] == "+" else "+") + text[at + 1 :]
    target = folder / path.name
    target.write_text(json.dumps(broken))
    line = text[text.rfind("\n", 0, at) + 1 : text.find("\n", at)].strip()
    try:
        caught = shown(collect(target)) != shown(collect(path))
        how = "what is shown differs" if caught else "NOT NOTICED"
    except (Refused, Undecided, ValueError, AssertionError, TypeError) as error:
        caught, how = True, f"{type(error).__name__}"
    return f"{path.stem}: sign in `{line}`: {how}", caught


def edit_verdict(rng: random.Random, folder: Path) -> tuple[str, bool]:
    rows = [
        (p, m)
        for p in NOTEBOOKS
        for c in json.loads(p.read_text())["cells"]
        if c["cell_type"] == "markdown"
        for m in ROW.finditer(source(c))
    ]
    path, row = rng.choice(rows)
    number = int(re.search(r"\d+", row[1])[0])
    other = rng.choice([v for v in VERDICTS if v != row[2]])
    with tempfile.TemporaryDirectory(dir=folder) as copied:
        work = Path(copied)
        subprocess.run(["git", "worktree", "add", "--detach", "-q", str(work / "tree")], cwd=ROOT, check=True)
        try:
            tree = work / "tree"
            if rng.random() < 0.5:
                target, where = tree / "notebooks" / path.name, f"table of {path.stem}"
                text = target.read_text()
                plain = json.dumps(row[0], ensure_ascii=False)[1:-1]
                turned = json.dumps(row[1] + other + row[3], ensure_ascii=False)[1:-1]
                assert text.count(plain) == 1
                target.write_text(text.replace(plain, turned))
            else:
                target, where = tree / "book" / "claims.json", "ledger"
                data = json.loads(target.read_text())
                claim = next(c for c in data["claims"] if c["id"] == number)
                claim["verdict"] = other
                target.write_text(json.dumps(data, ensure_ascii=False, indent=1))
            run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider",
            "tests/test_ledger.py"],
                                 cwd=tree, capture_output=True, text=True)  # fmt: skip
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(work / "tree")], cwd=ROOT, check=True)
    what = "tests/test_ledger.py fails" if run.returncode else "NOT NOTICED"
    return f"{where}: statement {number}, {row[2]} -> {other}: {what}", run.returncode != 0


def edit_number(rng: random.Random, folder: Path) -> tuple[str, bool]:
    """Every derived number is compared by the function that the notebook calls, so that function is asked."""
    calls = []
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text())["cells"]:
            if cell["cell_type"] == "code":
                printed = "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")
                calls += [
                    (path, m)
                    for m in re.finditer(
                        r"^(\S+): measured within (\S+) of the derived (\S+)$", printed, re.M
                    )
                ]
    path, call = rng.choice(calls)
    key, value, derived = call[1], float(call[2]), float(call[3])
    assert value == table()[key]["value"]
    spread = json.loads((ROOT / "book" / "results" / "spread.json").read_text())["values"][key]
    measured = spread["measured"][0]
    moved = derived + rng.choice((-1, 1)) * 2 * value
    from ganlib.tolerances import within

    near = min(measured if isinstance(measured, list) else [measured], key=lambda m: abs(m - derived))
    try:
        within(key, near, moved)
        return f"{path.stem}: {key}, derived {derived:g} -> {moved:g}: NOT NOTICED", False
    except AssertionError:
        return f"{path.stem}: {key}, derived {derived:g} -> {moved:g}: AssertionError", True


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, caught = random.Random(options.seed), 0
    kinds = (edit_sign, edit_verdict, edit_number)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(options.edits):
            what, noticed = kinds[i % 3](rng, Path(folder))
            caught += noticed
            print(f"{i + 1:3d} {what}", flush=True)
    print(f"{caught} of {options.edits} edits caught")
    return caught != options.edits


if __name__ == "__main__":
    raise SystemExit(main())
