"""Ways to tell a discriminator the label, on the full MNIST: `python tests/benchmarks/conditional.py`.

The recipe with each of the ways of ganlib.cgan, and with the label hidden from D, for equal rounds. Whether
an image is what was asked for is said by digit-net and, on the full MNIST, by a referee trained apart.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from bench import Record, options_of, provenance, store

HIDDEN = "label hidden from D"


def play(way: str, seed: int, steps: int, n: int, data: str) -> Record:
    """The scores of one run's averaged generator."""
    import torch
    from referee import accuracy
    from torch import nn

    from ganlib.cgan import acgan, conditional_gan
    from ganlib.data import mnist, sampler
    from ganlib.game import adam, gan
    from ganlib.objectives import nonsaturating
    from ganlib.penalties import r1
    from ganlib.recipe import generate, recipe
    from ganlib.train import train

    class Blind(nn.Module):
        """D(x, y) that is given one and the same label."""

        def __init__(self, D: nn.Module) -> None:
            super().__init__()
            self.D = D

        def forward(self, x, y):
            return self.D(x, torch.zeros_like(y))

    torch.set_num_threads(1)
    plan = recipe(seed=seed)
    G, D = conditional_gan("projection" if way == HIDDEN else way, plan["z_dim"], plan["hidden"], seed)
    game = (acgan if way == "auxiliary classifier" else gan)(
        G,
        Blind(D) if way == HIDDEN else D,
        nonsaturating,
        [(plan["gamma"] / 2, r1)],
        lr=tuple(plan["lr"]),
        every=plan["every"],
        ema=plan["ema"],
        optimizer=adam,
    )
    images = mnist() if data == "full" else mnist(subset=data)
    draw = sampler(images.images, plan["z_dim"], plan["batch_size"], labels=images.labels)
    for _ in train(game, draw, steps, seed=seed):
        pass
    labels = torch.arange(n) % 10
    made = generate(game.G_ema, plan["z_dim"], n, seed, labels)
    return judged(made, labels) | (
        {"as asked, referee, %": 100 * accuracy(made, labels)} if data == "full" else {}
    )


def judged(images, labels) -> Record:
    from ganlib.metrics import class_accuracy, class_spread, fd

    return {
        "FD": fd(images).value,
        "spread within classes": class_spread(images),
        "as asked, digit-net, %": 100 * class_accuracy(images, labels),
    }


def real(seed: int, n: int, data: str) -> Record:
    """Training images and their own labels."""
    import torch
    from referee import accuracy

    from ganlib.data import mnist

    images = mnist() if data == "full" else mnist(subset=data)
    index = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:n]
    x, y = images.images[index], images.labels[index]
    return judged(x, y) | ({"as asked, referee, %": 100 * accuracy(x, y)} if data == "full" else {})


def table(options: argparse.Namespace) -> Record:
    from ganlib.cgan import WAYS

    ways = [*WAYS, HIDDEN]
    jobs = list(product(ways, range(options.seeds)))
    if options.data == "full":
        from referee import described

        described()  # trained before the processes start
    with ProcessPoolExecutor(options.lanes) as pool:
        waiting = [pool.submit(play, *job, options.steps, options.n, options.data) for job in jobs]
        found = dict(zip(jobs, [run.result() for run in waiting], strict=True))
    runs = {"real training images": [real(seed, options.n, options.data) for seed in range(options.seeds)]}
    runs |= {way: [found[way, seed] for seed in range(options.seeds)] for way in ways}
    scale = sum(r["spread within classes"] for r in runs["real training images"]) / options.seeds
    for record in (record for records in runs.values() for record in records):
        record["spread within classes"] /= scale
    rows = [{"D is told by": way} | {k: [r[k] for r in rs] for k in rs[0]} for way, rs in runs.items()]
    return {
        "title": f"Ways to tell the discriminator the label, after {options.steps:,} rounds",
        "columns": list(rows[0]),
        "rows": rows,
        "note": "The spread within classes is over that of real images, by the labels that digit-net gives.",
        "provenance": provenance(rounds=options.steps, threads=1) | {"images": f"{options.n:,}"},
    }


def main() -> None:
    store("conditional", table(options_of(__doc__, {"steps": (4_000, "rounds of each run")})))


if __name__ == "__main__":
    main()
