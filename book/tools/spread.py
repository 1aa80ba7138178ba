"""Measure how far each toleranced number moves from seed to seed: `make spread`.

    python book/tools/spread.py            every notebook that records one, seeds 0..9
    python book/tools/spread.py 03 --seeds 3

Each notebook runs once for each seed, its line `seed = 0` replaced. ganlib.tolerances appends what it
measures to the file that GANLIB_RECORD names. The result, book/results/spread.json, is what the margins in
ganlib/tolerances.json are tested against.
"""

import argparse
import datetime
import hashlib
import json
import platform
import re
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from canonical import ROOT, THREADS, notebooks, read
from execute import execute
from nbformat import NotebookNode

RESULT = ROOT / "book" / "results" / "spread.json"
SEED = re.compile(r"^seed = 0$", re.M)


def seeded(nb: NotebookNode, seed: int) -> NotebookNode:
    """`nb` with another seed.

    Raises:
        ValueError: no line of the notebook's code is `seed = 0`.
    """
    # Derivations hold no seed; without them a run takes half the time.
    nb.cells = [c for c in nb.cells if "derivation" not in c.metadata.get("tags", [])]
    code = [c for c in nb.cells if c.cell_type == "code"]
    if not any(SEED.search(c.source) for c in code):
        raise ValueError("no line of its code is 'seed = 0'")
    for cell in code:
        cell.source = SEED.sub(f"seed = {seed}", cell.source)
    return nb


def measure(path: Path, seeds: range, *, timeout: int = 1800) -> dict:
    """Run the notebook at `path` once for each seed.

    Returns:
        For each key of the tolerance table that the notebook uses, the seeds and the derived and measured
        values: one entry for each seed, itself a list where a run records the key more than once.
    """
    measured: dict[str, dict] = {}
    for seed in seeds:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            record = Path(folder) / "record.jsonl"
            # A seed beyond a tolerance raises; it has been recorded by then, and the other cells still count.
            execute(seeded(read(path), seed), timeout=timeout, keep_going=True, GANLIB_RECORD=str(record))
            lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        for key in {line["key"] for line in lines}:
            entry = measured.setdefault(key, {"seeds": [], "measured": [], "derived": []})
            entry["seeds"].append(seed)
            for part in ("measured", "derived"):
                values = [line.get(part) for line in lines if line["key"] == key]
                entry[part].append(values[0] if len(values) == 1 else values)
        seconds = time.perf_counter() - start
        print(f"{path.stem} seed {seed}: {len(lines)} values, {seconds:.0f} s", flush=True)
    return measured


def provenance() -> dict:
    """What the numbers were measured with."""
    source = hashlib.sha256()
    for file in sorted((ROOT / "ganlib").rglob("*.py")):
        source.update(file.read_bytes())
    return {
        "command": "make spread",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "processor": processor(),
        "threads": int(THREADS),
        "ganlib": source.hexdigest()[:16],
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.M) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("names", nargs="*", help="notebooks, by number or name")
    parser.add_argument("--seeds", type=int, default=10, help="how many seeds, from 0 on")
    options = parser.parse_args()
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {"provenance": {}, "values": {}}
    for path in notebooks(options.names):
        if not re.search(r"^from ganlib\.tolerances|^from ganlib import .*\btolerances\b", _code(path), re.M):
            continue
        try:
            result["values"].update(measure(path, range(options.seeds)))
            result["provenance"][path.stem] = provenance()
        except ValueError as error:
            print(f"{path.stem}: skipped, {error}")
            continue
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(RESULT.relative_to(ROOT))


def _code(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")


if __name__ == "__main__":
    main()
