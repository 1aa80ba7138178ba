"""Measure what ganlib is worth: speed, quality, memory, and what each choice of the recipe adds.

    python tests/benchmarks/bench.py race         FD against seconds, beside the published configurations
    python tests/benchmarks/bench.py ours         the same for our recipe alone, nothing else running
    python tests/benchmarks/bench.py choices      the recipe with one choice changed at a time
    python tests/benchmarks/bench.py cost         overhead of train, memory, import time
    python tests/benchmarks/bench.py objectives   every objective over seeds
    python tests/benchmarks/bench.py --short      a minute of all of it, nothing stored

All but the last one store a table in book/results, with what it was made with. The full MNIST is needed
(GANLIB_DATA, or a download). Each run is a process of its own, with its own clock: it stops while samples
are judged. --lanes 2 runs two processes at a time, each with its share of the cores. A run on one thread is
timed in processor seconds, which a busy machine does not stretch; any other by the clock on the wall.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "book" / "results"
N = 10_000  # samples, against the 10,000 test images
Record = dict[str, Any]


# One run, in a process of its own


def lap(
    name: str, seed: int, marks: list[float], threads: int, n: int = N, subset: str | None = None
) -> Iterator[Record]:
    """Run one contender and judge it whenever its clock passes a mark."""
    import torch
    from contenders import CHOICES, CONTENDERS
    from referee import accuracy

    from ganlib.data import mnist
    from ganlib.metrics import class_accuracy, extractor_id, fd

    torch.set_num_threads(threads)
    rounds, draws = (CONTENDERS | CHOICES)[name](mnist(subset=subset), seed)
    now = time.process_time if threads == 1 else time.perf_counter
    clock, step = 0.0, 0
    for mark in marks:
        start = now() - clock
        while clock < mark:
            next(rounds)
            step += 1
            clock = now() - start
        made = {mode: draw(n, seed) for mode, draw in draws.items()}
        scores = {
            mode: fd(images).value if images.isfinite().all() else None for mode, images in made.items()
        }
        mode = min(scores, key=lambda m: float("inf") if scores[m] is None else scores[m])
        record = {"contender": name, "seed": seed, "mark": mark, "seconds": clock, "steps": step}
        record |= {"FD": scores[mode], "mode": mode, "extractor": extractor_id()}
        if conditional(name):
            labels = torch.arange(n) % 10
            record["digit-net"] = class_accuracy(made[mode], labels)
            if not subset:
                record["referee"] = accuracy(made[mode], labels)
        yield record


def conditional(name: str) -> bool:
    """Whether a contender is asked for digits. DCGAN is not."""
    return name.endswith((", conditional", " cgan"))


def laps(
    names: Iterable[str],
    seeds: Iterable[int],
    marks: list[float],
    lanes: int,
    threads: int,
    n: int = N,
    subset: str | None = None,
) -> list[Record]:
    """Every contender with every seed, each in its own process, `lanes` of them at a time."""

    def one(job: tuple[str, int]) -> list[Record]:
        name, seed = job
        command = [sys.executable, __file__, "lap", name, "--seed", str(seed), "--threads", str(threads)]
        command += ["--marks", *map(str, marks), "--n", str(n)]
        command += ["--subset", subset] if subset else []
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        records = []
        for line in child.stdout:
            records.append(record := json.loads(line))
            score = "not finite" if record["FD"] is None else f"{record['FD']:.1f}"
            print(f"{name}, seed {seed}: {record['mark']:g} s, FD {score}", file=sys.stderr, flush=True)
        if child.wait():
            raise SystemExit(f"{name} with seed {seed} failed: see above")
        return records

    with ThreadPoolExecutor(lanes) as pool:
        jobs = [(name, seed) for name in names for seed in seeds]
        return [record for records in pool.map(one, jobs) for record in records]


# Tables


def provenance(**more: Any) -> Record:
    import torch

    from ganlib.features import extractor_id

    name = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    made = {
        "command": " ".join([f"python tests/benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "data": "MNIST, 60,000 training images",
        "images": f"{N:,} against the 10,000 test images",
        "extractor": extractor_id(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": f"{name}, {os.cpu_count()} cores",
    }
    return made | more


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def options_of(doc: str, rounds: dict[str, tuple[int, str]], n: int = N) -> argparse.Namespace:
    """What a script of several seeds is asked for: seeds, lanes, its rounds by name, images judged, data."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lanes", type=int, default=2, help="processes at a time")
    for name, (default, what) in rounds.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=what)
    parser.add_argument("--n", type=int, default=n, help="images judged")
    parser.add_argument("--data", default="full", help="or 5k, which needs no download")
    return parser.parse_args()


def store(name: str, table: Record) -> None:
    path = RESULTS / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(table, indent=1) + "\n")
    part.replace(path)
    print(path.relative_to(ROOT))


def floor() -> list[float]:
    """The FD of 10,000 training images, over five draws."""
    from ganlib.features import card

    return card()["floors"][str(N)]


def at(records: list[Record], name: str, mark: float, key: str = "FD") -> list[float] | None:
    values = [
        r[key] for r in records if (r["contender"], r["mark"]) == (name, mark) and r.get(key) is not None
    ]
    return values or None


def cell(records: list[Record], name: str, mark: float) -> list[float] | str | None:
    """The scores of a contender at a mark, and how many of its runs had none."""
    runs = [r for r in records if (r["contender"], r["mark"]) == (name, mark)]
    found = at(records, name, mark)
    lost = len(runs) - len(found or [])
    if not lost:
        return found
    return (f"{statistics.mean(found):.4g}, " if found else "") + f"{lost} of {len(runs)} not finite"


def when(records: list[Record], name: str, score: float) -> float | None:
    """The seconds after which the mean curve of a contender is at a score, between marks by a power law."""
    import math

    marks = sorted({r["mark"] for r in records if r["contender"] == name})
    curve = [(m, statistics.mean(found)) for m in marks if (found := at(records, name, m))]
    for (t0, y0), (t1, y1) in pairwise(curve):
        if y0 > score >= y1:
            share = math.log(y0 / score) / math.log(y0 / y1)
            return t0 * (t1 / t0) ** share
    return curve[0][0] if curve and curve[0][1] <= score else None


def curves(title: str, records: list[Record], marks: list[float], made: Record, note: str = "") -> Record:
    """FD against seconds as a table: a contender a row, a mark a column."""
    names = list(dict.fromkeys(r["contender"] for r in records))
    last = {name: max(r["mark"] for r in records if r["contender"] == name) for name in names}
    rows = [{"what": "real training images", **dict.fromkeys((f"FD, {m:g} s" for m in marks), floor())}]
    for name in names:
        row: Record = {"what": name} | {f"FD, {m:g} s": cell(records, name, m) for m in marks}
        mine = [r for r in records if r["contender"] == name and r["mark"] == last[name]]
        row["steps/s"] = [r["steps"] / r["seconds"] for r in mine]
        if any("referee" in r for r in mine):
            row["as asked, %"] = [100 * r["referee"] for r in mine]
        rows.append(row)
    columns = list(dict.fromkeys(c for row in rows for c in row))
    rows = [{c: row.get(c) for c in columns} for row in rows]
    return {
        "title": title,
        "seeds": "mean and range over the seeds where there are several",
        "columns": columns,
        "rows": rows,
        "note": note,
        "curves": records,
        "provenance": made,
    }


def draw(records: list[Record], path: Path) -> None:
    """FD against seconds, both on logarithmic scales, each curve named at its end."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from ganlib import plots

    plots.use_style()
    figure, ax = plt.subplots(figsize=(7.4, 4.2))
    names = list(dict.fromkeys(r["contender"] for r in records))
    shades = dict(
        zip(
            [n for n in names if not n.startswith("ours")],
            ["#555555", "#777777", "#999999", "#BBBBBB"],
            strict=False,
        )
    )
    markers = iter("so^vD*")
    for name in names:
        marks = sorted({r["mark"] for r in records if r["contender"] == name})
        found = [(m, values) for m in marks if (values := at(records, name, m))]
        x, y = [m for m, _ in found], [statistics.mean(values) for _, values in found]
        colour = shades.get(name, plots.FAKE)
        style = "--" if conditional(name) else "-"
        ax.plot(x, y, style, color=colour, marker=next(markers), markersize=4)
        ax.fill_between(
            x, [min(v) for _, v in found], [max(v) for _, v in found], color=colour, alpha=0.2, lw=0
        )
        ax.annotate(
            name,
            (x[-1], y[-1]),
            xytext=(6, -4 if name == "ours, conditional" else 4 if name == "ours" else 0),
            textcoords="offset points",
            va="center",
            color="black",
            fontsize=8,
        )
    ax.axhline(statistics.mean(floor()), color=plots.REAL, lw=1.2)
    ax.annotate(
        "real digits",
        (min(r["mark"] for r in records), statistics.mean(floor())),
        xytext=(0, 3),
        textcoords="offset points",
        color=plots.REAL,
        fontsize=8,
    )
    ax.set(xscale="log", yscale="log", xlabel="processor seconds of training", ylabel="FD(digit-net)")
    ax.set_xlim(None, 6 * max(r["mark"] for r in records))
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    print(path.relative_to(ROOT))


def race(options: argparse.Namespace) -> None:
    """Our recipe and the published configurations, the same threads for all, in one run."""
    from contenders import CONTENDERS

    marks = options.marks or [5, 10, 20, 40, 60, 120, 300, 600, 1200]
    theirs = [m for m in marks if m >= 60] or marks
    judge = _referee()  # trained before any clock runs
    threads = (os.cpu_count() or 1) // options.lanes
    mine = [name for name in CONTENDERS if name.startswith("ours")]
    records = laps([n for n in CONTENDERS if n not in mine], [0], theirs, options.lanes, threads)
    records += laps(mine, range(options.seeds), [m for m in marks if m <= 300], options.lanes, threads)
    end = max(theirs)
    sayings: list[str] = []
    for name in dict.fromkeys(r["contender"] for r in records):
        us = mine[1] if conditional(name) else mine[0]
        if name in mine or not (reached := at(records, name, end)):
            continue
        if seconds := when(records, us, reached[0]):
            first = seconds <= min(marks)
            sayings.append(
                f"the FD of {name} after {end:g} s is reached by {us} {'in the first' if first else 'after'} "
                f"{seconds:.0f} s, {'at least ' * first}{end / seconds:.0f} times sooner"
            )
    made = provenance(threads=threads, lanes=options.lanes, referee=judge)
    title = f"FD(digit-net) against seconds of training, {threads} thread{'s' * (threads > 1)} each"
    note = "; ".join(sayings)
    store("race", curves(title, records, marks, made, f"{note[:1].upper()}{note[1:]}."))
    draw(records, RESULTS / "race.png")


def ours(options: argparse.Namespace) -> None:
    """Our recipe alone, on all cores, with nothing else running."""
    marks = options.marks or [10, 30, 60, 120, 300]
    names = ["ours", "ours, conditional"]
    judge = _referee()
    records = laps(names, range(options.seeds), marks, 1, os.cpu_count() or 1)
    made = provenance(threads=os.cpu_count(), referee=judge)
    store("ours", curves("Our recipe on two cores, nothing else running", records, marks, made))


def choices(options: argparse.Namespace) -> None:
    """What each choice of the recipe is worth: the FD after equal seconds with that one choice changed."""
    from contenders import CHOICES

    marks = options.marks or [15, 30]
    threads = (os.cpu_count() or 1) // options.lanes
    records = laps(["ours", *CHOICES], range(options.seeds), marks, options.lanes, threads)
    made = provenance(threads=threads, lanes=options.lanes)
    title = f"The recipe with one choice changed, {threads} thread{'s' * (threads > 1)} each"
    store("choices", curves(title, records, marks, made))


def objectives(options: argparse.Namespace) -> None:
    """Every objective with the recipe's networks and penalty, for equal rounds, over seeds."""
    from contenders import OBJECTIVES

    steps, threads = options.steps or 2_000, (os.cpu_count() or 1) // options.lanes
    jobs = [(name, seed) for name in OBJECTIVES for seed in range(options.seeds)]

    def one(job: tuple[str, int]) -> Record:
        command = [sys.executable, __file__, "judge", job[0], "--seed", str(job[1])]
        command += ["--steps", str(steps), "--threads", str(threads)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(*job, done.stdout.strip()[:100], file=sys.stderr, flush=True)
        return {"objective": job[0], "seed": job[1], **json.loads(done.stdout)}

    with ThreadPoolExecutor(options.lanes) as pool:
        records = list(pool.map(one, jobs))
    records += [{"objective": "real training images", **row} for row in _real_rows(options.seeds)]
    keys = [key for key in records[0] if key not in ("objective", "seed", "classes")]
    rows = []
    for name in dict.fromkeys(r["objective"] for r in records):
        mine = [r for r in records if r["objective"] == name]
        shares = [100 * share for r in mine for share in r["classes"]]
        rows.append(
            {"objective": name}
            | {key: [r[key] for r in mine] for key in keys}
            | {"class shares, %": f"{min(shares):.1f} to {max(shares):.1f}"}
        )
    table = {
        "title": f"Every objective after {steps:,} rounds of the recipe",
        "columns": list(rows[0]),
        "rows": rows,
        "records": records,
        "provenance": provenance(threads=threads, rounds=steps),
    }
    store("objectives", table)


def _real_rows(seeds: int) -> list[Record]:
    from ganlib.data import mnist
    from ganlib.metrics import real_images

    return [_judged(real_images(mnist("train"), N, seed), seed) for seed in range(seeds)]


def _judged(images: Any, seed: int, n: int = N) -> Record:
    from ganlib.data import mnist
    from ganlib.metrics import class_histogram, judge

    scores = judge(images, mnist("test").images[:n], seed=seed)
    return {name: score.value for name, score in scores.items()} | {
        "classes": class_histogram(images).tolist()
    }


def judged(name: str, seed: int, steps: int, threads: int, n: int = N) -> Record:
    """Every score of one objective after so many rounds."""
    import torch
    from contenders import OBJECTIVES

    from ganlib.data import mnist

    torch.set_num_threads(threads)
    rounds, draws = OBJECTIVES[name](mnist(), seed)
    for _ in range(steps):
        next(rounds)
    (draw,) = draws.values()
    return _judged(draw(n, seed), seed, n)


def cost(options: argparse.Namespace) -> None:
    """The overhead of `train` over a bare loop, the memory of a full run, and what the import adds."""
    ratios = overhead(options.rounds)
    rows = [
        {"what": "a round of train over one of a bare loop: median", "value": ratios, "unit": ""},
        {"what": "peak memory of a run on the full MNIST", "value": memory(options.rounds), "unit": "MB"},
        {"what": "import ganlib and its training modules, after torch", "value": importing(), "unit": "s"},
    ]
    made = provenance(threads=os.cpu_count(), rounds=options.rounds)
    del made["images"], made["extractor"]
    store(
        "cost",
        {
            "title": "What ganlib costs",
            "columns": ["what", "value", "unit"],
            "rows": rows,
            "provenance": made,
        },
    )


def overhead(rounds: int, blocks: int = 60) -> str:
    """Median of the ratios of times, blocks of `train` and of a bare loop taking turns on one thread."""
    import torch
    from contenders import bare, ours

    from ganlib.data import mnist

    data = mnist(subset="5k")
    (mine, _), (theirs, _) = ours(data, 0), bare(data, 0)
    torch.set_num_threads(1)
    ratios = []
    for block in range(blocks + 1):
        seconds = {}
        for iterator in (mine, theirs) if block % 2 else (theirs, mine):
            start = time.process_time()
            for _ in range(rounds // blocks):
                next(iterator)
            seconds[iterator] = time.process_time() - start
        ratios.append(seconds[mine] / seconds[theirs])
    low, median, high = statistics.quantiles(ratios[1:])  # the first block warms up
    return f"{median:.3f} (quartiles {low:.3f} and {high:.3f})"


def memory(rounds: int) -> float:
    """Peak resident megabytes of `python -m ganlib train --data full`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ganlib", "train", f"{folder}/run", "--data", "full"]
        command += ["--steps", str(rounds), "--threads", str(os.cpu_count() or 1)]
        script = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, "
            "stdout=sys.stderr); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
        )
    return int(done.stdout) / 1024


def importing(times: int = 5) -> list[float]:
    """Seconds that ganlib adds to `import torch`, its training modules included."""
    script = (
        "import time, torch; start = time.perf_counter(); import ganlib, ganlib.data, ganlib.game, "
        "ganlib.nets, ganlib.objectives, ganlib.penalties, ganlib.recipe, ganlib.train; "
        "print(time.perf_counter() - start)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        for _ in range(times)
    ]
    return [float(run.stdout) for run in runs]


def _referee() -> str:
    from referee import described

    return described()


def short() -> None:
    """A look at everything in a minute or two, on 5,000 images: nothing is stored, numbers mean little."""
    from contenders import CONTENDERS

    records = laps(CONTENDERS, [0], [5], 2, 1, n=1_000, subset="5k")
    for row in curves("", records, [5], {})["rows"]:
        print({key: value for key, value in row.items() if value is not None})
    ratios = overhead(160)
    print(f"train over a bare loop: {statistics.median(ratios):.3f}; import: {importing(1)[0]:.3f} s")


def main() -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what", nargs="?", choices=["race", "ours", "choices", "cost", "objectives", "lap", "judge"]
    )
    parser.add_argument("name", nargs="?", help="of a contender, for lap and judge")
    parser.add_argument(
        "--short",
        action="store_true",
        help="a minute of the race, the overhead and the import; nothing is stored",
    )
    parser.add_argument("--lanes", type=int, default=1, help="processes at a time (default 1)")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on (default 3)")
    parser.add_argument("--marks", type=float, nargs="+", help="seconds after which to judge")
    parser.add_argument("--rounds", type=int, default=2_000, help="rounds that cost takes (default 2,000)")
    parser.add_argument("--steps", type=int, help="rounds of each objective")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--n", type=int, default=N)
    parser.add_argument("--subset", choices=["5k"])
    options = parser.parse_args()
    if options.short or not options.what:
        short()
    elif options.what == "lap":
        o = options
        for record in lap(o.name, o.seed, o.marks, o.threads, o.n, o.subset):
            print(json.dumps(record), flush=True)
    elif options.what == "judge":
        print(json.dumps(judged(options.name, options.seed, options.steps, options.threads, options.n)))
    else:
        commands = {"race": race, "ours": ours, "choices": choices, "cost": cost, "objectives": objectives}
        commands[options.what](options)


if __name__ == "__main__":
    main()
