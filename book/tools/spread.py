"""Measure how far each toleranced number moves from seed to seed: `make spread`.

    python book/tools/spread.py            every notebook that records one, seeds 0..9
    python book/tools/spread.py 03 --seeds 3

Each notebook runs once for each seed, its line `seed = 0` replaced. ganlib.tolerances appends what it
measures to the file that GANLIB_RECORD names. The result, book/results/spread.json, is what the margins in
ganlib/tolerances.json are tested against. It is written after every run; seeds that are there already, from
the same code, are not run again. The scores of the trained GANs in it are gathered in
book/results/mnist_gans.json, beside those of real digits.
"""

import argparse
import bisect
import datetime
import hashlib
import json
import platform
import re
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from canonical import ROOT, THREADS, meaning, notebooks, read, used
from execute import execute
from nbformat import NotebookNode

from ganlib.features import card, extractor_id

RESULT = ROOT / "book" / "results" / "spread.json"
GANS = RESULT.with_name("mnist_gans.json")
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


def measure(path: Path, seed: int, *, timeout: int = 1800) -> dict[str, dict[str, list]]:
    """Run the notebook at `path` with `seed`.

    Returns:
        For each key of the tolerance table that the notebook uses, lists of what was measured and derived:
        a run may record a key more than once.
    """
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.jsonl"
        # A seed beyond a tolerance raises; it has been recorded by then, and the other cells still count.
        execute(seeded(read(path), seed), timeout=timeout, keep_going=True, GANLIB_RECORD=str(record))
        lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    out: dict[str, dict[str, list]] = {}
    for line in lines:
        entry = out.setdefault(line["key"], {"measured": [], "derived": []})
        for part in entry:
            entry[part].append(line.get(part))
    return out


def add(result: dict, path: Path, seed: int, found: dict[str, dict[str, list]]) -> None:
    """Put what one run measured into `result`, in the order of the seeds."""
    for key, entry in found.items():
        row = result["values"].setdefault(key, {"seeds": [], "measured": [], "derived": []})
        at = bisect.bisect(row["seeds"], seed)
        row["seeds"].insert(at, seed)
        for part, values in entry.items():
            row[part].insert(at, values[0] if len(values) == 1 else values)
    result["provenance"][path.stem]["seeds"] = sorted({*result["provenance"][path.stem]["seeds"], seed})


def provenance(path: Path) -> dict:
    """What the numbers of one notebook are measured with; `code` hashes its cells and their ganlib."""
    text = "\n".join(c.source for c in seeded(read(path), 0).cells if c.cell_type == "code")
    code = hashlib.sha256(text.encode())
    for file in used(text):
        code.update(meaning(file))
    return {
        "command": "make spread",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "processor": processor(),
        "threads": int(THREADS),
        "code": code.hexdigest()[:16],
        "seeds": [],
    }


def processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", info.read_text(), re.M) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def gans(values: dict[str, dict]) -> dict:
    """The scores of the GANs that the notebooks train on MNIST, over the seeds, as one table of results."""

    def column(key: str, scale: float = 1) -> list[float] | None:
        return [scale * v for v in values[key]["measured"]] if key in values else None

    real = card()["floors"]["2000"]
    rows = [
        {"images": "real training images", "FD(digit-net)": real},
        {
            "images": "40 lines, chapter 1",
            "FD(digit-net)": column("01.fd"),
            "classes over 3%": column("01.classes"),
        },
        {
            "images": "convolutional, chapter 5",
            "FD(digit-net)": column("05.fd"),
            "classes over 3%": column("05.classes"),
            "mean confidence": column("05.confidence"),
        },
        {
            "images": "conditional, chapter 15",
            "FD(digit-net)": column("15.fd"),
            "as asked, %": column("15.accuracy", 100),
        },
        {"images": "conditional, y hidden from D", "as asked, %": column("15.accuracy-blind", 100)},
    ]
    columns = ["images", "FD(digit-net)", "classes over 3%", "mean confidence", "as asked, %"]
    return {
        "title": "The GANs that the notebooks train on MNIST, over seeds",
        "columns": columns,
        "rows": [{name: row.get(name) for name in columns} for row in rows],
        "provenance": {
            "command": "make spread",
            "images": "2,000 of each",
            "extractor": extractor_id(),
            "torch": version("torch"),
            "processor": processor(),
        },
    }


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
            made_with = provenance(path)
        except ValueError as error:
            print(f"{path.stem}: skipped, {error}")
            continue
        if result["provenance"].get(path.stem, {}).get("code") != made_with["code"]:
            chapter = path.stem[:2] + "."
            result["values"] = {k: v for k, v in result["values"].items() if not k.startswith(chapter)}
            result["provenance"][path.stem] = made_with
        for seed in range(options.seeds):
            if seed in result["provenance"][path.stem]["seeds"]:
                continue
            start = time.perf_counter()
            add(result, path, seed, found := measure(path, seed))
            seconds = time.perf_counter() - start
            print(f"{path.stem} seed {seed}: {len(found)} keys, {seconds:.0f} s", flush=True)
            _store(RESULT, result)
    _store(GANS, gans(result["values"]))
    print(f"{RESULT.relative_to(ROOT)} and {GANS.relative_to(ROOT)}")


def _store(path: Path, data: dict) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", "utf-8")
    part.replace(path)


def _code(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")


if __name__ == "__main__":
    main()
