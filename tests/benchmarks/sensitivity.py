"""What the recipe is sensitive to, on MNIST: `python tests/benchmarks/sensitivity.py`.

Three maps around the recipe, each cell with several seeds: the rates of both players, the batch size beside a
common factor of the rates, and the depth beside the activation. Every run sees as many images. Stores a table
for each map and one picture of all.
"""

from __future__ import annotations

import argparse
import math
import statistics
from concurrent.futures import ProcessPoolExecutor
from itertools import product

from bench import RESULTS, ROOT, Record, options_of, provenance, store

RATES_G = (2.5e-4, 1e-3, 4e-3, 1.6e-2, 6.4e-2)
RATES_D = (1.25e-4, 5e-4, 2e-3, 8e-3, 3.2e-2)
MAPS = {
    "rates": ("rate of G", RATES_G, "rate of D", RATES_D),
    "batch": ("batch size", (8, 32, 128), "rates times", (0.25, 1, 4)),
    "networks": ("activation", ("ReLU", "LeakyReLU", "SiLU", "Tanh"), "layers more", (0, 1, 2)),
}
"""Each map: what its rows are, and what its columns are. The recipe is a cell of the first two."""
FACTS = ("FD", "D's loss")


def pair(plan: Record, activation: str | None = None, more: int = 0):
    """The recipe's networks with another activation in both and more convolutions at 7x7 in each.

    Without changes these are the recipe's own networks, to the last weight.
    """
    from torch import nn

    from ganlib.nets import _seeded, conv_gan

    G, D = conv_gan(plan["z_dim"], tuple(plan["channels"]), plan["hidden"], seed=plan["seed"])
    wide = plan["channels"][0]

    def layers(of: nn.Module, normalised: bool) -> list[nn.Module]:
        like = next(m for m in of if isinstance(m, nn.ReLU | nn.LeakyReLU))
        norm = [nn.GroupNorm(1, wide)] if normalised else []
        return [layer for _ in range(more) for layer in (nn.Conv2d(wide, wide, 3, padding=1), *norm, like)]

    with _seeded(plan["seed"] + 1_000):
        g, d = list(G.body), list(D.body)
        flat = next(i for i, m in enumerate(d) if isinstance(m, nn.Flatten))
        g[4:4] = layers(G.body, True)
        d[flat:flat] = layers(D.body, False)
    made = {"LeakyReLU": lambda: nn.LeakyReLU(0.2)}.get(activation) or (
        activation and getattr(nn, activation)
    )
    for net, parts in ((G, g), (D, d)):
        if made:
            parts = [made() if isinstance(m, nn.ReLU | nn.LeakyReLU) else m for m in parts]
        net.body = nn.Sequential(*parts)
    return G, D


def play(name: str, row, column, seed: int, images: int, n: int, data: str) -> Record:
    """The FD of one run's averaged generator, and D's mean loss over the last sixth. None if not finite.

    The loss is what D descends, so its penalty is in it.
    """
    import torch

    from ganlib.game import adam, gan
    from ganlib.metrics import fd
    from ganlib.objectives import nonsaturating
    from ganlib.penalties import r1
    from ganlib.recipe import batches, generate, recipe
    from ganlib.train import train

    torch.set_num_threads(1)
    plan = recipe(seed=seed, data=data)
    if name == "rates":
        plan["lr"] = [row, column]
    elif name == "batch":
        plan |= {"batch_size": row, "lr": [rate * column for rate in plan["lr"]]}
    G, D = pair(plan, row, column) if name == "networks" else pair(plan)
    rounds = max(1, images // plan["batch_size"])
    game = gan(
        G, D, nonsaturating, [(plan["gamma"] / 2, r1)], lr=tuple(plan["lr"]), every=plan["every"],
        ema=1 - (1 - plan["ema"]) * plan["batch_size"] / 32, optimizer=adam,
    )  # fmt: skip
    last: list[float] = []
    for step, losses in train(game, batches(plan), rounds, seed=seed):
        if not all(map(math.isfinite, losses.values())):
            return dict.fromkeys(FACTS)
        if step > rounds * 5 / 6:
            last.append(losses["D"])
    made = generate(game.G_ema, plan["z_dim"], n, seed)
    score = fd(made).value if made.isfinite().all() else math.nan
    return {"FD": score if math.isfinite(score) else None, "D's loss": statistics.mean(last)}


def ranks(values: list[float]) -> list[int]:
    order = sorted(range(len(values)), key=values.__getitem__)
    return [order.index(i) for i in range(len(values))]


def tables(options: argparse.Namespace) -> tuple[dict[str, Record], dict[tuple, Record]]:
    """A table for each map, and every run by (map, row, column, seed)."""
    jobs = [
        (name, *cell, seed)
        for name, (_, rows, _, columns) in MAPS.items()
        for cell in product(rows, columns)
        for seed in range(options.seeds)
    ]
    with ProcessPoolExecutor(options.lanes) as pool:
        waiting = [pool.submit(play, *job, options.seen, options.n, options.data) for job in jobs]
        runs = dict(zip(jobs, [run.result() for run in waiting], strict=True))
    found = {}
    for name, (row_is, rows, column_is, columns) in MAPS.items():
        mine = [r for job, r in runs.items() if job[0] == name and r["FD"] is not None]
        rho = statistics.correlation(*(ranks([r[fact] for r in mine]) for fact in FACTS))
        cells = {
            (r, c): [v for s in range(options.seeds) if (v := runs[name, r, c, s]["FD"]) is not None]
            for r, c in product(rows, columns)
        }
        found[f"sensitivity_{name}"] = {
            "title": f"FD over {row_is} (rows) and {column_is} (columns)",
            "columns": [row_is, *(f"{column_is} {c:g}" for c in columns)],
            "rows": [
                {row_is: r if isinstance(r, str) else f"{r:g}"}
                | {f"{column_is} {c:g}": cells[r, c] or "not finite" for c in columns}
                for r in rows
            ],
            "note": f"Each run sees {options.seen:,} images. Over the finite runs of this table, {len(mine)} "
            f"of {len(rows) * len(columns) * options.seeds}, the rank correlation of D's last losses, "
            f"penalties included, with the FD is {rho:.2f}.",
            "provenance": provenance(threads=1) | {"images": f"{options.n:,}"},
        }
    return found, runs


def draw(runs: dict[tuple, Record], seeds: int, path) -> None:
    """The three maps side by side: a cell's colour and number are the geometric mean of its runs' FDs."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from ganlib import plots

    plots.use_style()
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), width_ratios=(5, 3.4, 3.4))
    for ax, (name, (row_is, rows, column_is, columns)) in zip(axes, MAPS.items(), strict=True):
        grid = []
        for r in rows:
            values = [[runs[name, r, c, s]["FD"] for s in range(seeds)] for c in columns]
            grid.append([statistics.mean(map(math.log10, v)) if None not in v else math.nan for v in values])
        ax.imshow(grid, cmap="cividis", vmin=1.8, vmax=4.3, origin="lower", aspect="auto")
        for i, j in product(range(len(rows)), range(len(columns))):
            dark = grid[i][j] < 3.2
            text = "fails" if math.isnan(grid[i][j]) else f"{10 ** grid[i][j]:,.0f}"
            ink = "white" if dark else "black"
            ax.text(j, i, text, ha="center", va="center", fontsize=8, color=ink)
        ax.set_xticks(range(len(columns)), [f"{c:g}" for c in columns], fontsize=8)
        ax.set_yticks(range(len(rows)), [r if isinstance(r, str) else f"{r:g}" for r in rows], fontsize=8)
        ax.set(xlabel=column_is, ylabel=row_is)
        ax.grid(False)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main() -> None:
    options = options_of(__doc__, {"seen": (19_200, "images that each run sees")}, n=5_000)
    found, runs = tables(options)
    for name, table in found.items():
        store(name, table)
    draw(runs, options.seeds, RESULTS / "sensitivity.png")


if __name__ == "__main__":
    main()
