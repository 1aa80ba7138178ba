"""A collapse on MNIST, at will: `python tests/benchmarks/collapse.py`.

Trains the recipe on the full MNIST and goes on from there with the discriminator's rate as it was, ten and a
hundred times lower, and zero. Against a discriminator that stands still the best response is a point.
"""

from __future__ import annotations

import argparse
import copy
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench import Record, options_of, provenance, store

BRANCHES = {
    "as before": 1.0,
    "10 times slower": 10.0,
    "100 times slower": 100.0,
    "standing still": float("inf"),
}


def counted(images) -> Record:
    """What images hold."""
    from ganlib.metrics import class_histogram, class_spread, fd

    shares = class_histogram(images)
    return {
        "classes": float((shares > 0.01).sum()),
        "largest share, %": 100 * shares.max().item(),
        "spread within classes": class_spread(images),
        "FD": fd(images).value,
    }


def branches(before: int, after: int, n: int, data: str, seed: int) -> dict[str, Record]:
    """What n images of each branch hold, and what the images before them held."""
    import torch

    from ganlib.recipe import batches, build, generate, recipe
    from ganlib.train import train

    torch.set_num_threads(1)
    plan = recipe(seed=seed, data=data)
    start, draw = build(plan), batches(plan)
    for _ in train(start, draw, before, seed=seed):
        pass
    saved = copy.deepcopy(start.state_dict())

    def look(game) -> Record:
        return counted(generate(game.modules["G"], plan["z_dim"], n, seed))

    found = {f"after {before:,} rounds": look(start)}
    for name, slower in BRANCHES.items():
        game = build(plan)
        game.load_state_dict(copy.deepcopy(saved))
        for group in game.players[0].opt.param_groups:
            group["lr"] = group["lr"] / slower
        for _ in train(game, draw, before + after, seed=seed):
            pass
        found[f"{after:,} more, D {name}"] = look(game)
    return found


def real(n: int, data: str, seed: int) -> Record:
    from ganlib.data import mnist
    from ganlib.metrics import real_images

    return counted(real_images(mnist() if data == "full" else mnist(subset=data), n, seed))


def table(options: argparse.Namespace) -> Record:
    seeds = range(options.seeds)
    with ProcessPoolExecutor(options.lanes) as pool:
        run = partial(branches, options.before, options.after, options.n, options.data)
        runs = list(pool.map(run, seeds))
    reals = [real(options.n, options.data, seed) for seed in seeds]
    scale = sum(r["spread within classes"] for r in reals) / len(reals)
    scores = {"real training images": reals} | {name: [run[name] for run in runs] for name in runs[0]}
    for records in scores.values():
        for record in records:
            record["spread within classes"] /= scale
    rows = [{"images": name} | {k: [r[k] for r in rs] for k in rs[0]} for name, rs in scores.items()]
    return {
        "title": "A collapse at will: the recipe, then four speeds of the discriminator",
        "columns": list(rows[0]),
        "rows": rows,
        "note": "A class counts from one in a hundred images on. The spread within classes is over that of "
        "real images. The images are those of G itself, not of its average.",
        "provenance": provenance(rounds=options.before + options.after, threads=1)
        | {"images": f"{options.n:,}"},
    }


def main() -> None:
    rounds = {"before": (2_000, "rounds of the recipe"), "after": (400, "rounds of each branch")}
    store("collapse", table(options_of(__doc__, rounds)))


if __name__ == "__main__":
    main()
