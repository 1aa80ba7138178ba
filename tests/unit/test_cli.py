"""The command line never loses a run: stopped, killed or poisoned, it goes on bit for bit or says why not."""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ganlib import __main__ as cli
from ganlib import checkpoint, data
from ganlib.__main__ import CHECKPOINT, main
from ganlib.data import Dataset, sampler
from ganlib.game import Game, adam, gan
from ganlib.nets import conv_gan
from ganlib.objectives import nonsaturating, saturating
from ganlib.penalties import r1
from ganlib.train import train

SMALL = shlex.split("--z-dim 4 --channels 4 2 --hidden 8 --batch-size 8 --every 3 --threads 1")
TINY = [*SMALL, *shlex.split("--steps 12 --save-every 4 --sample-every 6")]


@pytest.fixture(autouse=True)
def _threads():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def digits(monkeypatch) -> Dataset:
    """A hundred random images in place of MNIST."""
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (100, 28, 28), generator=rng).to(torch.uint8)
    found = Dataset(images, torch.arange(100) % 10)
    monkeypatch.setattr(data, "mnist", lambda *_, **__: found)
    return found


@pytest.fixture
def run(tmp_path) -> Path:
    return tmp_path / "a run"  # with a space, as a folder may have


def content(run: Path) -> bytes:
    return (run / CHECKPOINT).read_bytes()


def log(run: Path) -> list[dict]:
    """The log, but for the seconds, which no two runs share."""
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert all(record.pop("seconds") >= 0 for record in records)
    return records


def weights(game: Game) -> list[torch.Tensor]:
    return [p for module in game.modules.values() for p in module.parameters()]


def unbroken(tmp_path: Path, *arguments: str) -> Path:
    other = tmp_path / "unbroken"
    assert main(["train", str(other), *arguments]) == 0
    return other


# What a run is


@pytest.mark.parametrize("conditional", [False, True])
def test_the_recipe_is_that_of_the_notebooks(digits, run, conditional):
    """Bit for bit, with the defaults of chapters 5 and 15; another rate is another run."""
    z_dim, batch = 16, 32
    labels = digits.labels if conditional else None

    def by_hand(*lr: float) -> Game:
        G, D = conv_gan(z_dim, n_classes=10 if conditional else None, seed=0)
        game = gan(G, D, nonsaturating, [(0.5, r1)], lr=lr, every=16, ema=0.999, optimizer=adam)
        list(train(game, sampler(digits.images, z_dim, batch, labels=labels), 2, seed=0))
        return game

    flags = ["--conditional"] if conditional else []
    assert main(["train", str(run), "--steps", "2", *flags]) == 0
    ours, recipe, _ = cli.restored(run)
    assert recipe["conditional"] is conditional

    def equal(theirs: Game) -> bool:
        return all(map(torch.equal, weights(ours), weights(theirs)))

    assert equal(by_hand(4e-3, 2e-3))
    assert not equal(by_hand(2e-3, 4e-3))


def test_a_run_leaves_a_checkpoint_a_log_and_sheets(digits, run, capsys):
    assert main(["train", str(run), *TINY]) == 0
    assert [record["step"] for record in log(run)] == list(range(1, 13))
    assert log(run)[0].keys() == {"step", "D", "G"}
    sheets = sorted(path.name for path in (run / "samples").iterdir())
    assert sheets == ["000006.png", "000012.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (run / "samples").iterdir())
    assert "12 steps" in capsys.readouterr().out
    assert not list(run.glob(".*")), "no half-written file is left"


def test_the_objective_is_chosen_by_name(digits, run, capsys):
    assert main(["train", str(run), *TINY, "--objective", "saturating", "--steps", "1"]) == 0
    game, recipe, _ = cli.restored(run)
    assert recipe["objective"] == "saturating"
    for objective, same in ((saturating, True), (nonsaturating, False)):
        G, D = conv_gan(4, (4, 2), 8, seed=0)
        other = gan(G, D, objective, [(0.5, r1)], lr=(4e-3, 2e-3), every=3, ema=0.999, optimizer=adam)
        list(train(other, sampler(digits.images, 4, 8), 1, seed=0))
        assert all(map(torch.equal, game.modules["G"].parameters(), G.parameters())) is same
    assert main(["train", str(run.parent / "b"), "--objective", "softer"]) == 1
    assert "no objective 'softer': expected one of" in capsys.readouterr().err
    assert not (run.parent / "b").exists()


# Stopping and going on


def stop_at(step: int, monkeypatch, number: int = signal.SIGINT) -> None:
    """Send this process a signal in the middle of a round, between D's move and G's."""
    whole = cli.batches

    def batches(*arguments):
        draw, calls = whole(*arguments), 0

        def interrupting(rng):
            nonlocal calls
            calls += 1
            if calls == 2 * step:
                os.kill(os.getpid(), number)
            return draw(rng)

        return interrupting

    monkeypatch.setattr(cli, "batches", batches)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_round_saves_and_says_how_to_go_on(
    digits, run, tmp_path, monkeypatch, capsys, number
):
    with monkeypatch.context() as patch:
        stop_at(5, patch, number)
        assert main(["train", str(run), *TINY]) == 128 + number
    assert f"Stopped at step 5 of 12, and saved. Go on with: python -m ganlib train '{run}' --resume" in (
        capsys.readouterr().out
    )
    assert signal.getsignal(number) == (
        signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    )
    assert checkpoint.info(run / CHECKPOINT)["step"] == 5
    assert main(["train", str(run), "--resume"]) == 0  # no setting is repeated
    whole = unbroken(tmp_path, *TINY)
    assert content(run) == content(whole)
    assert log(run) == log(whole)


def test_saving_in_the_middle_of_a_round_would_be_caught(digits, run, tmp_path):
    """The control: what a handler that saves at once would write is no state of the unbroken run."""
    whole = unbroken(tmp_path, *TINY)
    recipe = cli.stored(whole)[1]["meta"]["recipe"]
    game, calls, draw = cli.build(recipe), 0, cli.batches(recipe)

    def interrupting(rng):
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyboardInterrupt
        return draw(rng)

    with pytest.raises(KeyboardInterrupt):
        list(train(game, interrupting, 12, recipe["seed"]))
    list(train(game, draw, 12, recipe["seed"]))
    expected, *_ = cli.restored(whole)
    assert not all(map(torch.equal, game.modules["D"].parameters(), expected.modules["D"].parameters()))


def test_a_second_signal_stops_at_once_and_keeps_the_last_checkpoint(digits, run, monkeypatch, capsys):
    stop_at(6, monkeypatch)
    # A sheet is drawn in step 6 too, after the first signal.
    monkeypatch.setattr(cli, "sheet", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    assert main(["train", str(run), *TINY]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert checkpoint.info(run / CHECKPOINT)["step"] == 4


def test_what_nohup_ignores_stays_ignored(monkeypatch):
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cli.stopping() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGHUP, former)


def forgets(what: str):
    """Broken ways to resume, each of which loses one thing."""
    whole = checkpoint.load

    def load(path, game):
        meta = whole(path, game)
        if what == "the round":
            game.step -= 1
        elif what == "the optimisers":
            for player in game.players:
                player.opt.state.clear()
        elif what == "the average":
            game.G_ema.load_state_dict(game.modules["G"].state_dict())
        return meta

    return load


@pytest.mark.parametrize("what", [None, "the round", "the optimisers", "the average"])
def test_a_resumed_run_ends_in_the_same_bytes(digits, run, tmp_path, monkeypatch, what):
    assert main(["train", str(run), *TINY, "--steps", "6", "--conditional"]) == 0
    with monkeypatch.context() as patch:
        if what:
            patch.setattr(checkpoint, "load", forgets(what))
        assert main(["train", str(run), "--resume", "--steps", "12"]) == 0
    whole = unbroken(tmp_path, *TINY, "--conditional")
    assert (content(run) == content(whole)) is (what is None)


def test_ctrl_c_at_the_terminal(run, tmp_path):
    """The whole command in a process of its own, on real digits, with its progress bar."""
    command = [sys.executable, "-m", "ganlib", "train", str(run), *SMALL, "--steps", "100000"]
    process = subprocess.Popen(
        command,
        env={key: value for key, value in os.environ.items() if key != "TQDM_DISABLE"},
        cwd=Path(cli.__file__).parents[1],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored, where pytest runs with "&"
    )
    try:
        wait_for_rounds(run, 60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    step = checkpoint.info(run / CHECKPOINT)["step"]
    assert f"Stopped at step {step} of 100000, and saved. Go on with: python -m ganlib train" in out
    assert "step/s" in err, "a rate"
    assert "/100000 [" in err, "time spent and time left"
    assert "Traceback" not in err
    assert len(log(run)) == step
    assert main(["train", str(run), "--resume", "--steps", str(step + 3)]) == 0
    whole = unbroken(tmp_path, *SMALL, "--steps", str(step + 3))
    assert content(run) == content(whole)


# Kills


def warm_up(tmp_path: Path) -> None:
    """Have everything imported before the forks, and leave torch with one thread, for threads do not fork."""
    assert main(["train", str(tmp_path / "warm"), *TINY]) == 0


def spawn(arguments: list[str]) -> int:
    """The command in a fork, because importing torch takes longer than all the rest."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(main(arguments))
        finally:
            os._exit(99)
    return child


def wait_for_rounds(run: Path, step: int) -> None:
    """Return when that many rounds stand in the log."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)
        if (run / "log.jsonl").exists() and (run / "log.jsonl").read_text().count("\n") >= step:
            return


def wait_for_a_write(run: Path, name: str, least: int = 1) -> None:
    """Return when a checkpoint is being written: when a file of that name has some bytes."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if 0 < os.stat(run / name).st_size <= least:
                return
        except FileNotFoundError:
            pass


def killed(run: Path, arguments: list[str], kills: int, seed: int = 0) -> tuple[int, int]:
    """Kill a run, and what resumes it, this many times. How many kills hit a write, how many lost the run.

    Half of the kills come at a random time, half when a checkpoint is being written.
    """
    rng, hits, lost, done = random.Random(seed), 0, 0, 0
    partial = run / f".{CHECKPOINT}.partial"
    while done < kills or (hits == 0 and done < kills + 20):
        begun = (run / CHECKPOINT).exists()
        partial.unlink(missing_ok=True)
        child = spawn(["train", str(run), "--resume"] if begun else ["train", str(run), *arguments])
        if done % 2:
            time.sleep(rng.uniform(0, 1))
        else:
            wait_for_rounds(
                run, (checkpoint.info(run / CHECKPOINT)["step"] if begun else 0) + rng.randrange(5, 15)
            )
            wait_for_a_write(run, partial.name, least=2**30)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the run ended before it was killed: give it more steps"
        done += 1
        hits += partial.exists()
        if (run / CHECKPOINT).exists():
            try:
                checkpoint.info(run / CHECKPOINT)
            except checkpoint.CheckpointError:
                lost += 1
                (run / CHECKPOINT).unlink()
    return hits, lost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_cost_nothing(digits, run, tmp_path, full):
    warm_up(tmp_path)
    kills = 25 if full else 3
    arguments = [*SMALL, "--hidden", "256", "--save-every", "1", "--sample-every", "100000"]
    arguments += ["--steps", str(1_000 * kills)]
    hits, lost = killed(run, arguments, kills)
    assert lost == 0
    assert hits, "no kill hit a write"
    stopped = checkpoint.info(run / CHECKPOINT)["step"]
    assert stopped > kills, "the kills came before there was anything to lose"
    steps = str(stopped + 10)
    assert main(["train", str(run), "--resume", "--steps", steps]) == 0
    whole = unbroken(tmp_path, *arguments, "--steps", steps, "--save-every", "100000")
    ended, expected = cli.restored(run)[0], cli.restored(whole)[0]
    assert ended.step == expected.step
    assert all(map(torch.equal, weights(ended), weights(expected)))
    assert log(run) == log(whole)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_write_that_is_not_atomic_loses_the_run(digits, run, tmp_path, monkeypatch):
    """The control: the same kills, with checkpoints that are written in place."""

    def in_place(path: Path, blob: bytes) -> None:
        with open(path, "wb") as file:
            for start in range(0, len(blob), 4096):
                file.write(blob[start : start + 4096])
                file.flush()

    warm_up(tmp_path)
    monkeypatch.setattr(checkpoint, "_write", in_place)
    for _ in range(10):
        child = spawn(["train", str(run), *SMALL, "--hidden", "256", "--save-every", "1"])
        wait_for_a_write(run, CHECKPOINT, least=100_000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            checkpoint.info(run / CHECKPOINT)
        except checkpoint.CheckpointError:
            return
        (run / CHECKPOINT).unlink()
    pytest.fail("no kill hit a write, or a torn checkpoint was loaded")


def test_the_log_of_a_killed_run_is_cut_to_its_checkpoint(digits, run, tmp_path):
    assert main(["train", str(run), *TINY, "--steps", "8"]) == 0
    with open(run / "log.jsonl", "a") as file:
        file.write('{"step": 9, "D": 1.0, "G": 1.0, "seconds": 7}\n{"step": 10, "D": 1.')
    assert main(["train", str(run), "--resume", "--steps", "12"]) == 0
    assert log(run) == log(unbroken(tmp_path, *TINY))


# What is refused


def test_a_folder_with_a_run_is_not_overwritten(digits, run, capsys):
    assert main(["train", str(run), *TINY]) == 0
    before = content(run)
    assert main(["train", str(run), *TINY]) == 1
    assert f"holds a run already. Go on with it: python -m ganlib train '{run}' --resume" in (
        capsys.readouterr().err
    )
    assert content(run) == before


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--lr", "1e-3", "2e-3"], "--lr is [0.004, 0.002], now [0.001, 0.002]"),
        (["--conditional"], "--conditional is False, now True"),
        (["--objective", "saturating", "--seed", "3"], "--objective is non-saturating, now saturating"),
        (["--seed", "3", "--z-dim", "5"], "--seed is 0, now 3"),
        (["--channels", "8", "4"], "--channels is [4, 2], now [8, 4]"),
    ],
)
def test_another_recipe_is_one_error(digits, run, capsys, flags, says):
    assert main(["train", str(run), *TINY]) == 0
    before = content(run)
    assert main(["train", str(run), "--resume", "--steps", "16", *flags]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert says in error
    assert "Leave these out to go on as before, or name another folder to begin anew" in error
    assert content(run) == before
    assert main(["train", str(run), "--resume", *SMALL, "--steps", "16"]) == 0  # the same again is no other
    assert checkpoint.info(run / CHECKPOINT)["step"] == 16


@pytest.mark.parametrize("command", ["train", "sample", "evaluate", "info"])
def test_a_run_that_cannot_be_read_is_one_error(digits, run, capsys, command):
    arguments = [command, str(run), *(["--resume"] if command == "train" else [])]
    assert main(arguments) == 1
    assert f"{CHECKPOINT} cannot be read" in capsys.readouterr().err
    assert not run.exists()
    assert main(["train", str(run), *TINY]) == 0
    whole = content(run)
    (run / CHECKPOINT).write_bytes(whole[:-7])
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("python -m ganlib: ")
    assert error.count("\n") == 1
    assert "is damaged or no checkpoint" in error
    (run / CHECKPOINT).write_bytes(whole)  # the twin
    assert main([*arguments, *(["--n", "1000"] if command == "evaluate" else [])]) == 0


@pytest.mark.parametrize("part", ["networks", "recipe", "settings", "type"])
def test_a_checkpoint_without_its_recipe_is_one_error(digits, run, capsys, part):
    assert main(["train", str(run), *TINY]) == 0
    game, *_ = cli.restored(run)
    meta = checkpoint.info(run / CHECKPOINT)["meta"]
    meta["recipe"]["z_dim"] = "4" if part == "type" else 4
    meta.pop(part, None)
    checkpoint.save(run / CHECKPOINT, game, **meta)
    assert main(["info", str(run)]) == 1
    assert "was not written by this version of python -m ganlib train" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--z-dim", "0"],
        ["--lr", "nan", "1e-3"],
        ["--lr", "1e-3"],
        ["--ema", "1"],
        ["--data", "6k"],
        ["--steps", "many"],
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(run, capsys, flags):
    with pytest.raises(SystemExit) as refusal:
        main(["train", str(run), *flags])
    assert refusal.value.code == 2
    assert f"argument {flags[0]}" in capsys.readouterr().err


def test_a_device_that_is_not_there(digits, run, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["train", str(run), *TINY, "--device", "cuda"]) == 1
    assert "there is no device cuda on this machine: use --device cpu" in capsys.readouterr().err


# Poison


def test_a_loss_that_is_not_finite_names_the_step_and_the_last_good_checkpoint(
    digits, run, monkeypatch, capsys
):
    whole = cli.batches

    def poisoned(*arguments):
        draw, calls = whole(*arguments), 0

        def batch(rng):
            nonlocal calls
            calls += 1
            x, z = draw(rng)
            return (x * float("nan") if calls == 13 else x), z

        return batch

    monkeypatch.setattr(cli, "batches", poisoned)
    assert main(["train", str(run), *TINY]) == 1
    error = capsys.readouterr().err
    assert "step 7: the loss of D is nan" in error
    assert f"The last good checkpoint is {run / CHECKPOINT}, of step 4." in error
    assert "Traceback" not in error
    game, *_ = cli.restored(run)
    assert game.step == 4
    assert all(p.isfinite().all() for p in weights(game))


def test_a_rate_that_bursts_stops_too(digits, run, capsys):
    assert main(["train", str(run), *TINY, "--lr", "1e30", "1e30"]) == 1
    error = capsys.readouterr().err
    assert "step 1: the loss of G is" in error
    assert "of step 0." in error


@pytest.mark.parametrize("where", ["weights", "optimiser", None])
def test_a_poisoned_game_is_not_saved(digits, run, where):
    """Its losses were finite; only the next round would show it. The former checkpoint stays."""
    assert main(["train", str(run), *TINY]) == 0
    before = content(run)
    game, *_ = cli.restored(run)
    parameter = game.players[1].params[0]
    with torch.no_grad():
        if where == "weights":
            parameter[0] = float("nan")
        elif where == "optimiser":
            game.players[1].opt.state[parameter]["exp_avg_sq"][0] = float("inf")
    meta = checkpoint.info(run / CHECKPOINT)["meta"]
    if where:
        with pytest.raises(FloatingPointError, match=r"step 12: a number of .*G is not finite"):
            cli.save(run / CHECKPOINT, game, meta)
    else:
        cli.save(run / CHECKPOINT, game, meta)
    assert content(run) == before


# The other commands


def test_help_is_quick_and_tells_every_command():
    probe = (
        "import sys, ganlib.__main__ as cli; print(cli.parser().format_help()); "
        "print(sorted({'torch', 'numpy', 'matplotlib', 'tqdm'} & set(sys.modules)))"
    )
    root = Path(cli.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=root
    )
    text, loaded = result.stdout.rsplit("\n", 2)[0], result.stdout.strip().splitlines()[-1]
    assert loaded == "[]"
    assert all(f"    {name} " in text for name in ("train", "sample", "evaluate", "data", "info"))


def test_every_option_of_train_is_explained(capsys):
    for command in ("train", "sample", "evaluate", "data", "info"):
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0
    text = capsys.readouterr().out
    for name, (_, words) in {**cli.RECIPE, **cli.SETTINGS}.items():
        assert f"--{name.replace('_', '-')}" in text
        assert words.split()[0] in text
    assert main([]) == 0
    assert "--resume" in capsys.readouterr().out


def test_importing_ganlib_costs_little_beside_torch():
    """Under 0.3 s; the control is a module of ours that does cost something."""
    probe = (
        "import time, torch; a = time.perf_counter(); import ganlib, ganlib.__main__; "
        "b = time.perf_counter(); import ganlib.derive; print(b - a, time.perf_counter() - b)"
    )
    root = Path(cli.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=root
    )
    ours, control = map(float, result.stdout.split())
    assert ours < 0.3
    assert control > ours


def test_samples_follow_seed_and_label(digits, run, capsys):
    assert main(["train", str(run), *TINY, "--conditional"]) == 0

    def drawn(*flags: str) -> bytes:
        out = run.parent / "out.png"
        assert main(["sample", str(run), "--n", "20", "--out", str(out), *flags]) == 0
        return out.read_bytes()

    assert drawn() == drawn()
    assert len({drawn(), drawn("--seed", "1"), drawn("--label", "3"), drawn("--label", "4")}) == 4
    assert main(["sample", str(run)]) == 0
    assert (run / "samples.png").exists()
    plain = run.parent / "plain"
    assert main(["train", str(plain), *TINY]) == 0
    assert main(["sample", str(plain), "--label", "3"]) == 1
    assert "is not conditional, so no digit can be asked for" in capsys.readouterr().err


def test_evaluate_prints_scores_beside_real_digits(digits, run, capsys):
    from ganlib.metrics import fd

    assert main(["train", str(run), *TINY, "--conditional"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(run), "--n", "1000"]) == 0
    text = capsys.readouterr().out
    game, recipe, _ = cli.restored(run)
    images = cli.generate(game.G_ema, recipe["z_dim"], 1000, 0, torch.arange(1000) % 10)
    assert f"generated  {fd(images, 0)}" in text
    assert str(fd(cli.generate(game.G_ema, recipe["z_dim"], 1000, 1, torch.arange(1000) % 10), 0)) not in text
    assert "real       FD(digit-net" in text
    assert "as asked" in text
    shares = [float(part.rstrip("%")) for part in text.split("classes")[1].split("\n")[0].split()[1::2]]
    assert sum(shares) == pytest.approx(100, abs=0.6)
    assert main(["evaluate", str(run), "--n", "1"]) == 1
    assert "needs --n of at least 2" in capsys.readouterr().err


def test_info_tells_where_a_run_stands(digits, run, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(5, patch)
        main(["train", str(run), *TINY])
    capsys.readouterr()
    assert main(["info", str(run)]) == 0
    text = capsys.readouterr().out
    assert "step 5 of 12" in text
    assert "channels      4 2" in text
    G, _ = conv_gan(4, (4, 2), 8)
    assert f"G             {sum(p.numel() for p in G.parameters()):,} numbers" in text
    assert f"Go on with: python -m ganlib train '{run}' --resume" in text
    assert main(["train", str(run), "--resume"]) == 0
    capsys.readouterr()
    assert main(["info", str(run)]) == 0
    assert "Go on with" not in capsys.readouterr().out


def test_data_is_checked(monkeypatch, tmp_path, capsys):
    assert main(["data", "5k"]) == 0
    assert "5,000 training images, checksum as expected" in capsys.readouterr().out
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path))
    assert main(["data"]) == 1
    error = capsys.readouterr().err
    assert "GANLIB_DATA is" in error
    assert "Put the four MNIST files into that folder" in error
