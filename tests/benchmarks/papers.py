"""The numbers of two papers' tables, on their protocol: `python tests/benchmarks/papers.py parzen | modes`.

parzen: the Parzen-window log-likelihood of MNIST's test set, as in Goodfellow et al. (2014) and Mirza and
Osindero (2014), beside real images and the centres of k-means, which show what the number is worth (Theis et
al. 2016 used them so).

modes: the ring of eight and the grid of twenty-five Gaussians that papers on mode collapse count on.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench import provenance, store

PUBLISHED = {
    "GAN": "225 +- 2 (Goodfellow et al. 2014)",
    "conditional GAN": "132 +- 1.8 (Mirza and Osindero 2014)",
}


def centres(images, k: int, seed: int):
    """The centres of k-means, a few rounds from random images: (k, 1, 28, 28) in [-1, 1]."""
    import torch
    from sklearn.cluster import KMeans

    x = images.reshape(len(images), -1).float().div(127.5).sub(1).numpy()
    found = KMeans(k, init="random", n_init=1, max_iter=5, random_state=seed).fit(x).cluster_centers_
    return torch.from_numpy(found).float().reshape(k, 1, 28, 28).clamp(-1, 1)


def parzen(options: argparse.Namespace) -> None:
    import torch

    import ganlib
    from ganlib.data import mnist
    from ganlib.metrics import log_likelihood, real_images
    from ganlib.recipe import generate

    data, test = mnist(), mnist("test")
    shuffled = data.images[torch.randperm(len(data), generator=torch.Generator().manual_seed(0))]
    validation, rest = shuffled[:1_000], shuffled[1_000:]
    n = options.n
    rows = []

    def add(what: str, images, published: str = "") -> None:
        score = log_likelihood(images, validation, test.images, seed=0)
        rows.append({"10,000 images": what, "nats": score.text, "published": published})
        print(rows[-1])

    for name, what in (("gan-mnist", "GAN"), ("cgan-mnist", "conditional GAN")):
        G = ganlib.pretrained(name)
        labels = torch.arange(n) % 10 if G.card["recipe"]["conditional"] else None
        images = generate(G, G.card["recipe"]["z_dim"], n, 0, labels)
        add(f"our {what} ({name})", images, PUBLISHED[what])
    add("real training images", real_images(type(data)(rest, torch.zeros(len(rest))), n))
    add("centres of k-means", centres(rest, n, 0), "")
    note = (
        "More is better, and the centres of k-means, which draw nothing new, are better than real images. "
        "The number does not rank generators."
    )
    store(
        "parzen",
        {
            "title": "Parzen-window log-likelihood of the MNIST test set",
            "columns": list(rows[0]),
            "rows": rows,
            "note": note,
            "provenance": provenance() | {"images": f"{n:,}"},
        },
    )


NETWORKS = {"hidden": 128, "layers": 3, "z_dim": 2}


def planar(kind: str, plain: bool, steps: int, seed: int) -> dict[str, float]:
    """Modes covered, high-quality share and reverse KL of one generator of points.

    The plain game is the non-saturating one as papers on mode collapse play it. The other adds R1 and R2 with
    a small weight, and its rates fall to nothing over the second half: while they are large, the generator
    keeps trembling over the narrow modes.
    """
    import torch
    from torch import nn

    from ganlib.data import gaussian_grid, gaussian_ring, sampler
    from ganlib.game import gan
    from ganlib.metrics import modes
    from ganlib.nets import Discriminator, mlp
    from ganlib.objectives import nonsaturating
    from ganlib.penalties import r1, r2
    from ganlib.train import train

    torch.set_num_threads(1)
    mixture = {"ring": gaussian_ring, "grid": gaussian_grid}[kind]()
    width, depth, z_dim = NETWORKS["hidden"], NETWORKS["layers"], NETWORKS["z_dim"]
    G = mlp([z_dim, *[width] * depth, 2], seed=seed)
    torch.manual_seed(seed)  # a Discriminator draws its last layer from here
    D = Discriminator(nn.Sequential(mlp([2, *[width] * depth], seed=seed + 1), nn.ReLU()), width)
    if plain:
        game = gan(G, D, nonsaturating, lr=(2e-4, 2e-4), betas=(0.5, 0.999), ema=0.0)
    else:
        game = gan(G, D, nonsaturating, [(0.005, r1), (0.005, r2)], lr=(1e-3, 1e-3), ema=0.999)
    for step, _ in train(game, sampler(mixture, z_dim, 256), steps, seed=seed):
        if not plain:
            for player in game.players:
                player.opt.param_groups[0]["lr"] = 1e-3 * min(1, 2 - 2 * step / steps)
    z = torch.randn(10_000, z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return {name: score.value for name, score in modes(game.G_ema(z), mixture, seed=seed).items()}


def counted(options: argparse.Namespace) -> None:
    import torch

    from ganlib.data import gaussian_grid, gaussian_ring
    from ganlib.metrics import modes

    rows = []
    for kind, mixture in (("ring", gaussian_ring()), ("grid", gaussian_grid())):
        real = [
            {
                k: s.value
                for k, s in modes(mixture.sample(10_000, torch.Generator().manual_seed(i)), mixture).items()
            }
            for i in range(options.seeds)
        ]
        found = {"real points": real}
        with ProcessPoolExecutor(options.lanes) as pool:
            for what, plain in (("the plain game", True), ("with R1, R2 and falling rates", False)):
                run = partial(planar, kind, plain, options.steps)
                found[what] = list(pool.map(run, range(options.seeds)))
        for what, scores in found.items():
            rows.append({"data": kind, "points": what} | {k: [s[k] for s in scores] for k in scores[0]})
            print(rows[-1])
    store(
        "modes",
        {
            "title": f"Modes of a ring of 8 and a grid of 25 Gaussians after {options.steps:,} rounds",
            "columns": list(rows[0]),
            "rows": rows,
            "provenance": provenance()
            | {"data": "Gaussians of std 0.1", "images": "10,000 points", "extractor": "none"},
        },
    )


def main() -> None:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["parzen", "modes"])
    parser.add_argument("--n", type=int, default=10_000, help="images in the window")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8_000, help="rounds of each planar game")
    parser.add_argument("--lanes", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    {"parzen": parzen, "modes": counted}[options.what](options)


if __name__ == "__main__":
    main()
