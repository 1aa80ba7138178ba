"""Decide every line of notebooks again, corrupt every line, print and store the score.

``python -m ganlib.derive notebooks/*.ipynb``
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from .collect import collect


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 1 if a false corruption was accepted or a line has no false corruption."""
    parser = argparse.ArgumentParser(prog="python -m ganlib.derive", description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--sample", type=int, default=None, help="false corruptions per line (default: all)")
    parser.add_argument("--json", type=Path, help="store the table here")
    args = parser.parse_args(argv)
    rows, bad = [], 0
    for path in args.notebooks:
        start = time.perf_counter()
        derivations = collect(path)
        verdicts: Counter[str] = Counter()
        row = {
            "notebook": path.stem,
            "lines": 0,
            "mutants": 0,
            "false": 0,
            "refused": 0,
            "survivors": [],
            "barren": [],
        }
        for d in derivations:
            d.complete()
            verdicts += Counter(d.verdicts)
            s = d.score(args.sample)
            for key in ("lines", "mutants", "false", "refused"):
                row[key] += getattr(s, key)
            row["survivors"] += s.survivors
            row["barren"] += s.barren
        row |= {"verdicts": dict(sorted(verdicts.items())), "seconds": round(time.perf_counter() - start, 1)}
        bad += len(row["survivors"]) + len(row["barren"])
        rows.append(row)
        print(
            f"{path.stem}: {dict(verdicts)}; {row['mutants']} corruptions, {row['false']} false, "
            f"{row['refused']} refused, {row['mutants'] - row['false']} still true, {row['seconds']} s",
            flush=True,
        )
        for label in row["survivors"]:
            print(f"  ACCEPTED THOUGH FALSE: {label}")
        for label in row["barren"]:
            print(f"  NO FALSE CORRUPTION: {label}")
    if args.json:
        args.json.write_text(json.dumps({"sample": args.sample, "notebooks": rows}, indent=1) + "\n", "utf-8")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
