"""Train, sample and judge GANs of MNIST digits from the command line.

    python -m ganlib train runs/a            train; Ctrl-C stops, saves and says how to go on
    python -m ganlib train runs/a --resume   go on, bit for bit as if nothing had happened
    python -m ganlib sample runs/a           draw images into a PNG file
    python -m ganlib evaluate runs/a         Frechet distance and class shares, beside real digits
    python -m ganlib info runs/a             what the run is and where it stands
    python -m ganlib data                    fetch MNIST and check it

A run is a folder: checkpoint.safetensors, log.jsonl (the losses of every round) and samples/*.png. The
checkpoint holds the recipe, so no other command, nor --resume, needs a setting repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

# Nothing heavy is imported up here, so that --help answers at once.
from ganlib.recipe import RECIPE, RecipeError, batches, build, generate

if TYPE_CHECKING:
    from ganlib.game import Game

CHECKPOINT, LOG, SAMPLES = "checkpoint.safetensors", "log.jsonl", "samples"
NETWORKS = "conv_gan"  # of ganlib.nets; their arguments are in the recipe
# What is played stands in the checkpoint and cannot change within a run: see ganlib.recipe.
# How it is run: may change when a run is resumed.
SETTINGS: dict[str, tuple[Any, str]] = {
    "steps": (2000, "rounds in all"),
    "save_every": (200, "rounds from one checkpoint to the next"),
    "sample_every": (200, "rounds from one sheet of samples to the next"),
    "threads": (2, "threads of the CPU; another number changes the last bits of a run"),
    "device": ("cpu", "cpu, cuda or mps; so does another device"),
}
CONDITIONAL = {"steps": 1200}  # other defaults of a conditional run


class UsageError(ValueError):
    """A command cannot be done as it was given. The message says what to do instead."""


# What a run draws


def sheet(
    path: Path, game: Game, recipe: dict[str, Any], n: int, seed: int, label: int | None = None
) -> None:
    """Draw n images side by side into a PNG file; those of a conditional generator in columns 0 to 9."""
    import matplotlib
    import torch

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    from ganlib.plots import grid

    labels = columns = None
    if label is not None:
        labels = torch.full((n,), label)
    elif recipe["conditional"]:
        labels, columns = torch.arange(n) % 10, range(min(n, 10))
    figure = grid(generate(game.G_ema, recipe["z_dim"], n, seed, labels), columns=columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")
    plt.close(figure)


# Runs


def stored(run: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of a run, and what it says, once its recipe has been checked.

    Raises:
        CheckpointError: There is none, it is damaged, or it holds no recipe of this version.
    """
    from ganlib.checkpoint import CheckpointError, info

    advice = "it was not written by this version of python -m ganlib train."
    path = run / CHECKPOINT
    facts = info(path)
    if (networks := facts["meta"].get("networks")) != NETWORKS:
        raise CheckpointError(f"{path} is of the networks {networks}, expected {NETWORKS}: {advice}")
    for part, table in (("recipe", RECIPE), ("settings", SETTINGS)):
        found = facts["meta"].get(part)
        expected = {name: type(value) for name, (value, _) in table.items()}
        if not isinstance(found, dict) or {name: type(value) for name, value in found.items()} != expected:
            raise CheckpointError(
                f"{path} has the {part} {found}, expected values for {', '.join(table)}: {advice}"
            )
    return path, facts


def restored(run: Path, device: str = "cpu") -> tuple[Game, dict[str, Any], dict[str, Any]]:
    """The game of a run as it was saved, its recipe and its settings."""
    from ganlib.checkpoint import load

    path, facts = stored(run)
    game = build(facts["meta"]["recipe"], device)
    load(path, game)
    return game, facts["meta"]["recipe"], facts["meta"]["settings"]


def save(path: Path, game: Game, meta: dict[str, Any]) -> None:
    """Write a checkpoint, unless there is something in the game that would poison all that follows.

    Raises:
        FloatingPointError: A weight, or what its optimiser keeps, is not finite. The former file stays.
    """
    from ganlib import checkpoint

    kept = {name: module.state_dict().values() for name, module in game.modules.items()}
    for player in game.players:
        slots = [slot for state in player.opt.state.values() for slot in state.values()]
        kept[f"the optimiser of {player.name}"] = slots
    for name, tensors in kept.items():
        if not all(t.isfinite().all() for t in tensors):
            raise FloatingPointError(f"step {game.step}: a number of {name} is not finite. It was not saved.")
    checkpoint.save(path, game, **meta)


def resume_command(run: Path) -> str:
    return f"python -m ganlib train {shlex.quote(str(run))} --resume"


def begin(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Recipe and settings: new ones, or those of the run to be resumed."""
    path = args.run / CHECKPOINT
    given = vars(args)
    if not args.resume and path.exists():
        raise UsageError(
            f"{args.run} holds a run already. Go on with it: {resume_command(args.run)}. "
            f"Or name another folder."
        )
    if args.resume:
        _, facts = stored(args.run)
        recipe, settings = facts["meta"]["recipe"], facts["meta"]["settings"]
        other = [name for name in RECIPE if name in given and given[name] != recipe[name]]
        if other:
            raise UsageError(
                f"{args.run} was begun with another recipe: "
                + ", ".join(f"{option(name)} is {recipe[name]}, now {given[name]}" for name in other)
                + ". Leave these out to go on as before, or name another folder to begin anew."
            )
    else:
        defaults = CONDITIONAL if given.get("conditional") else {}
        recipe, settings = (
            {name: given.get(name, defaults.get(name, value)) for name, (value, _) in table.items()}
            for table in (RECIPE, SETTINGS)
        )
    settings |= {name: given[name] for name in SETTINGS if name in given}
    check_device(settings["device"])
    return recipe, settings


def check_device(device: str) -> None:
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device):
        raise UsageError(f"there is no device {device} on this machine: use --device cpu")


def train(args: argparse.Namespace) -> int:
    """Train a GAN, or go on with a run that was stopped.

    Ctrl-C ends the run after the round in hand and saves it; a second one ends it at once. Under torchrun the
    processes share each batch.
    """
    from ganlib.parallel import processes

    recipe, settings = begin(args)
    with processes(settings["device"]):
        return play(args, recipe, settings)


def play(args: argparse.Namespace, recipe: dict[str, Any], settings: dict[str, Any]) -> int:
    """The loop of ``train``. Every process plays; the first one writes."""
    import torch
    from tqdm import tqdm

    from ganlib import checkpoint
    from ganlib.parallel import average, rank, world_size
    from ganlib.train import train as rounds

    if recipe["batch_size"] % world_size():
        raise UsageError(f"--batch-size {recipe['batch_size']} is no multiple of {world_size()} processes")
    meta = {"networks": NETWORKS, "recipe": recipe, "settings": settings}
    torch.set_num_threads(settings["threads"])
    game = build(recipe, settings["device"])
    draw = batches(recipe, settings["device"])
    path, first = args.run / CHECKPOINT, rank() == 0
    if args.resume:
        checkpoint.load(path, game)
    average(torch.zeros(1, device=settings["device"]))  # none writes before all have read
    if first and not args.resume:
        args.run.mkdir(parents=True, exist_ok=True)
        save(path, game, meta)  # from here on there is something to resume
    good, steps = game.step, settings["steps"]
    start = time.monotonic() - (cut_log(args.run / LOG, game.step) if first else 0)
    quiet = {} if first else {"disable": True}
    bar = tqdm(total=steps, initial=game.step, unit="step", dynamic_ncols=True, mininterval=0.5, **quiet)
    log = open(args.run / LOG if first else os.devnull, "a", buffering=1)  # noqa: SIM115, closed below
    with stopping() as signals, log, bar:
        try:
            for step, losses in rounds(game, draw, steps, recipe["seed"]):
                # One answer for this round and for all processes, whenever and wherever the signal came.
                stop = average(torch.tensor(float(len(signals)), device=settings["device"])).item() > 0
                record = {"step": step, **losses, "seconds": round(time.monotonic() - start, 3)}
                log.write(json.dumps(record) + "\n")
                bar.set_postfix({name: f"{loss:.3f}" for name, loss in losses.items()}, refresh=False)
                bar.update()
                # The sheet first: if the process dies between the two, the resumed run draws it again.
                if first and (step % settings["sample_every"] == 0 or step == steps):
                    sheet(args.run / SAMPLES / f"{step:06d}.png", game, recipe, n=100, seed=recipe["seed"])
                if step % settings["save_every"] == 0 or step == steps or stop:
                    if first:
                        save(path, game, meta)
                    good = step
                if stop:
                    break
        except FloatingPointError as error:
            raise UsageError(
                f"{error}\nThe last good checkpoint is {path}, of step {good}. To resume it would lead here "
                f"again: begin a new run, with lower rates, --lr, for example."
            ) from None
    if game.step < steps:
        if first:
            print(
                f"Stopped at step {game.step} of {steps}, and saved. Go on with: {resume_command(args.run)}"
            )
        return 128 + (signals or [signal.SIGTERM])[0]
    if first:
        print(
            f"{args.run}: {game.step} steps. Look at {args.run / SAMPLES}, or run: "
            f"python -m ganlib evaluate {shlex.quote(str(args.run))}"
        )
    return 0


def cut_log(path: Path, step: int) -> float:
    """Drop what a killed run logged after its last checkpoint. Return the seconds that the rest took."""
    kept, seconds = [], 0.0
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            if record["step"] > step:
                break
            seconds = float(record["seconds"])
        except (ValueError, KeyError, TypeError):  # the line in hand when the process died
            break
        kept.append(line + "\n")
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text("".join(kept))
    os.replace(temporary, path)
    return seconds


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Collect the signals that ask a process to stop, instead of stopping in the middle of a round."""
    caught: list[int] = []
    alone = "WORLD_SIZE" not in os.environ

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if alone:  # torchrun passes on the signal that the terminal has sent already
            signal.signal(number, former[number])
            print("\nStopping after this round. Once more to stop at once.", file=sys.stderr)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    former = {n: signal.getsignal(n) for n in numbers}
    former = {n: handler for n, handler in former.items() if handler != signal.SIG_IGN}  # nohup stays so
    for number in former:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


# The other commands


def sample(args: argparse.Namespace) -> int:
    """Draw images from a run's averaged generator into a PNG file."""
    game, recipe, _ = restored(args.run)
    if args.label is not None and not recipe["conditional"]:
        raise UsageError(f"{args.run} is not conditional, so no digit can be asked for: leave out --label")
    out = args.out or args.run / "samples.png"
    sheet(out, game, recipe, args.n, args.seed, args.label)
    print(f"{out}: {args.n} images, step {game.step}, seed {args.seed}")
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Judge images of a run's averaged generator through the digit network, beside real images."""
    import torch

    from ganlib import metrics
    from ganlib.data import DataError

    if args.n < 2:
        raise UsageError("a Frechet distance needs --n of at least 2, and is worth something from 1,000")
    game, recipe, _ = restored(args.run)
    labels = torch.arange(args.n) % 10 if recipe["conditional"] else None
    images = generate(game.G_ema, recipe["z_dim"], args.n, args.seed, labels)
    if not images.isfinite().all():
        raise UsageError(f"{args.run} draws pixels that are not finite: go back to an earlier checkpoint")
    print(f"{args.run}, step {game.step}")
    print(f"generated  {metrics.fd(images, args.seed)}")
    try:
        print(f"real       {metrics.real_row(args.n)}")
    except (DataError, ValueError) as error:  # a size without a stored floor needs the full MNIST
        print(f"real       not known for n = {args.n:,}: {str(error).splitlines()[0]}")
    print(f"confidence {metrics.confidence(images):.3f}")
    print(
        "classes    "
        + " ".join(f"{c}: {share:.1%}" for c, share in enumerate(metrics.class_histogram(images)))
    )
    if labels is not None:
        print(f"as asked   {metrics.class_accuracy(images, labels):.1%}")
    return 0


def data(args: argparse.Namespace) -> int:
    """Fetch MNIST where it is missing, and check every byte of it."""
    from ganlib.data import cache_folder, mnist

    if args.which == "5k":
        print(f"5k: {len(mnist(subset='5k')):,} training images, checksum as expected")
        return 0
    place = os.environ.get("GANLIB_DATA") or cache_folder()
    for split in ("train", "test"):
        print(f"{split}: {len(mnist(split)):,} images and labels in {place}, checksums as expected")
    return 0


def info(args: argparse.Namespace) -> int:
    """Say what a run is, where it stands, and how to go on."""
    path, facts = stored(args.run)
    recipe, settings = facts["meta"]["recipe"], facts["meta"]["settings"]
    print(f"{path}\nstep {facts['step']} of {settings['steps']}, digest {facts['digest'][:12]}")
    for name, value in {**recipe, **settings}.items():
        print(f"  {name:13} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    for name, count in facts["parameters"].items():
        print(f"  {name:13} {count:,} numbers")
    if facts["step"] < settings["steps"]:
        print(f"Go on with: {resume_command(path.parent)}")
    return 0


# The command line


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


def count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def rate(text: str) -> float:
    if not 0 <= (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number of at least 0")
    return value


def decay(text: str) -> float:
    if not 0 <= (value := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1)")
    return value


def add_option(parser: argparse._ActionsContainer, name: str, default: Any, text: str) -> None:
    """One option, absent from the result unless it is given, so that --resume knows what was said."""
    kinds = {"ema": {"type": decay}, "channels": {"type": count, "nargs": 2, "metavar": "N"}}
    kinds |= {"lr": {"type": rate, "nargs": 2, "metavar": "X"}}
    kinds |= {"data": {"choices": ["5k", "full"]}, "device": {"choices": ["cpu", "cuda", "mps"]}}
    kinds |= {"conditional": {"action": "store_true"}, "seed": {"type": int}, "objective": {}}
    kind = kinds.get(name, {"type": rate if isinstance(default, float) else count})
    if "action" not in kind:
        text += f" (default {' '.join(map(str, default)) if isinstance(default, list) else default}"
        text += f"; {CONDITIONAL[name]} if conditional)" if name in CONDITIONAL else ")"
        kind = {"metavar": "X"} | kind if "choices" not in kind else kind
    parser.add_argument(option(name), default=argparse.SUPPRESS, help=text, **kind)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m ganlib", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(metavar="command")

    def command(function: Any, run: bool = True) -> argparse.ArgumentParser:
        text = function.__doc__
        new = commands.add_parser(function.__name__, help=text.splitlines()[0], description=text)
        new.set_defaults(command=function)
        if run:
            new.add_argument(
                "run",
                nargs="?",
                type=Path,
                default=Path("runs/gan"),
                help="folder of the run (default runs/gan)",
            )
        return new

    new = command(train)
    new.add_argument("--resume", action="store_true", help="go on with the run in this folder")
    group = new.add_argument_group("the recipe, fixed for the whole run")
    for name, (default, text) in RECIPE.items():
        add_option(group, name, default, text)
    group = new.add_argument_group("settings, which may change when a run is resumed")
    for name, (default, text) in SETTINGS.items():
        add_option(group, name, default, text)

    new = command(sample)
    new.add_argument("--n", type=count, default=100, help="number of images (default 100)")
    new.add_argument("--label", type=int, choices=range(10), help="the digit to ask a conditional run for")
    new.add_argument(
        "--out", type=Path, help="the PNG file to write (default samples.png in the run's folder)"
    )
    new.add_argument("--seed", type=int, default=0, help="seed of the noise (default 0)")

    new = command(evaluate)
    new.add_argument("--n", type=count, default=10_000, help="number of images (default 10,000)")
    new.add_argument("--seed", type=int, default=0, help="seed of the noise (default 0)")

    new = command(data, run=False)
    new.add_argument(
        "which", nargs="?", choices=["5k", "full"], default="full", help="which images (default full)"
    )
    command(info)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status. What goes wrong is told in one message."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads sleep
    top = parser()
    args = top.parse_args(arguments)
    if "command" not in args:
        top.print_help()
        return 0
    from ganlib.checkpoint import CheckpointError
    from ganlib.data import DataError

    try:
        return args.command(args)
    except (UsageError, RecipeError, CheckpointError, DataError, OSError) as error:
        if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
            print(f"python -m ganlib: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("python -m ganlib: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
