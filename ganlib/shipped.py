"""Trained networks that come with the package: ``ganlib.pretrained("gan-mnist")``.

    gan-mnist     G(z), digits
    cgan-mnist    G(z, y), the digits that are asked for
    cgan-mnist-D  D(x, y), the discriminator it was trained against
    digit-net     the classifier that the metrics look through: see ganlib.features

Each is one safetensors file of float16 weights and a card: how it was made, on what, and what it scores,
measured on the rounded weights. One command makes a generator again, from the full MNIST:

    python -m ganlib.shipped gan-mnist
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganlib.data import FILES, as_float, mnist
from ganlib.features import digit_net, extractor_id
from ganlib.metrics import judge, memorisation
from ganlib.recipe import batches, build, generate, recipe
from ganlib.sealed import FOLDER, read, write
from ganlib.train import train

__all__ = ["NAMES", "card", "load", "make"]

# How their recipe differs, and after how many rounds they stop: by then the conditional one answers best.
GENERATORS = {"gan-mnist": ({}, 20_000), "cgan-mnist": ({"conditional": True}, 8_000)}
CRITICS = {"cgan-mnist-D": "cgan-mnist"}  # and the generators that they come from
NAMES = [*GENERATORS, *CRITICS, "digit-net"]
TERMS = "made from MNIST (LeCun, Cortes, Burges), whose terms are commonly given as CC BY-SA 3.0"


def load(name: str) -> nn.Module:
    """A shipped network, frozen and in eval mode. ``ganlib.pretrained`` is this function.

    Args:
        name: ``"gan-mnist"``, ``"cgan-mnist"``, ``"cgan-mnist-D"`` or ``"digit-net"``.

    Returns:
        A generator takes noise of shape ``(B, z_dim)``, and labels ``(B,)`` if it is conditional, and gives
        ``(B, 1, 28, 28)`` images in [-1, 1]. A discriminator takes images and labels and gives one logit
        each, ``(B,)``. The attribute ``card`` is what ``card(name)`` gives.

    Raises:
        ValueError: There is no network of that name.
        DataError: The file is missing or damaged.
    """
    if _known(name) == "digit-net":
        return digit_net()
    tensors, facts = read(FOLDER / f"{name}.safetensors", _advice(name))
    net = build(facts["recipe"]).modules["D" if name in CRITICS else "G"]
    net.load_state_dict({key: t.float() for key, t in tensors.items()})
    net.card = facts
    return net.eval().requires_grad_(False)


def card(name: str) -> dict[str, Any]:
    """How a shipped network came about and what it scores.

    Raises:
        ValueError: There is no network of that name.
        DataError: The file is missing or damaged.
    """
    return read(FOLDER / f"{_known(name)}.safetensors", _advice(name))[1]


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"no network {name!r} is shipped: expected one of {', '.join(NAMES)}")
    return name


def _advice(name: str) -> str:
    command = "ganlib.features" if name == "digit-net" else f"ganlib.shipped {CRITICS.get(name, name)}"
    return f"Reinstall ganlib, or train the network again: python -m {command}"


# Making a generator


def make(name: str, out: Path, steps: int | None = None, seed: int = 0, n: int = 10_000) -> dict[str, Any]:
    """Train a generator by the recipe on the full MNIST, judge it after rounding, write weights and card."""
    from tqdm import tqdm

    changes, enough = GENERATORS[name]
    mine, steps = recipe(data="full", seed=seed, **changes), steps or enough
    game = build(mine)
    for _ in tqdm(train(game, batches(mine), steps, seed), total=steps, unit="step", desc=name):
        pass
    tensors = {key: t.half() for key, t in game.G_ema.state_dict().items()}
    game.G_ema.load_state_dict({key: t.float() for key, t in tensors.items()})
    labels = torch.arange(n) % 10 if mine["conditional"] else None
    images = generate(game.G_ema, mine["z_dim"], n, seed, labels)
    data, test = mnist(), mnist("test").images[:n]
    scores = {key: round(s.value, 4) for key, s in judge(images, test, labels, seed).items()}
    copies = memorisation(images[:1_000], data.images, test[:1_000])["generated"]
    scores["nearer to a training image than 99 of 100 test images"] = round(copies["close"].value, 4)
    facts = {
        "command": f"python -m ganlib.shipped {name} --seed {seed} --steps {steps}",
        "data": {file: sha for file, (_, sha) in FILES.items()},
        "extractor": extractor_id(),
        "images": n,
        "name": name,
        "recipe": mine,
        "scores": scores,
        "seed": seed,
        "steps": steps,
        "terms": TERMS,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    facts = write(out, tensors, facts)
    for critic in (critic for critic, generator in CRITICS.items() if generator == name):
        D = game.modules["D"]
        halves = {key: t.half() for key, t in D.state_dict().items()}
        D.load_state_dict({key: t.float() for key, t in halves.items()})
        with torch.no_grad():
            digits = mnist("test")
            says = {
                "logit of test images": D(as_float(digits.images[:n]), digits.labels[:n]),
                "logit of generated images": D(images, labels),
            }
        mean = {key: round(logits.mean().item(), 4) for key, logits in says.items()}
        more = {"name": critic, "G": facts["digest"], "scores": mean}
        old = {key: value for key, value in facts.items() if key not in ("digest", "seal")}
        write(out.with_stem(f"{out.stem}-D"), halves, old | more)
    return facts


def main() -> None:
    """Train one of the shipped generators again."""
    parser = argparse.ArgumentParser(prog="python -m ganlib.shipped", description=main.__doc__)
    parser.add_argument("name", choices=list(GENERATORS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="rounds (default: those of the shipped file)")
    parser.add_argument("--out", type=Path, help="the file to write (default: the package's own)")
    args = parser.parse_args()
    torch.set_num_threads(1)  # the last bits depend on it, and not every machine has two
    out = args.out or FOLDER / f"{args.name}.safetensors"
    facts = make(args.name, out, args.steps, args.seed)
    print(f"{out}: {out.stat().st_size:,} bytes, id {facts['digest'][:12]}")
    for name, score in facts["scores"].items():
        print(f"  {name}: {score}")


if __name__ == "__main__":
    main()
