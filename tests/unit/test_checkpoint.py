"""A checkpoint is whole or absent, is checked before it is used, and each failure says what to do."""

import gzip
import hashlib
import json
import os
import random
import resource
import signal
import struct
import sys
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load as safetensors_load
from safetensors.torch import save_file
from torch import nn

from ganlib import checkpoint, data
from ganlib.checkpoint import KEY, CheckpointError, info, load, save
from ganlib.game import Game, gan
from ganlib.nets import conv_gan, mlp
from ganlib.objectives import nonsaturating
from ganlib.train import train


def draw(rng):
    return torch.randn(8, 2, generator=rng), torch.randn(8, 2, generator=rng)


def new(width: int = 8, steps: int = 0, **settings) -> Game:
    G, D = mlp([2, width, 2]), mlp([2, width, 1], seed=1)
    game = gan(G, D, nonsaturating, **{"ema": 0.9, **settings})
    for _ in train(game, draw, steps):
        pass
    return game


def of(G: nn.Module, D: nn.Module) -> Game:
    return gan(G, D, nonsaturating, ema=0.9)


def tensors(game: Game) -> list[torch.Tensor]:
    state = game.state_dict()
    found = [t for module in state["modules"].values() for t in module.values()]
    for optimizer in state["optimizers"].values():
        found += [t for slots in optimizer["state"].values() for t in slots.values() if torch.is_tensor(t)]
    return [t.clone() for t in found]


def same(a: Game, b: Game) -> bool:
    ours, theirs = tensors(a), tensors(b)
    return a.step == b.step and len(ours) == len(theirs) and all(map(torch.equal, ours, theirs))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "game.safetensors"


def refused(path: Path, game: Game, message: str) -> None:
    """The error names the file, and the game is as it was."""
    before, step = tensors(game), game.step
    with pytest.raises(CheckpointError, match=message) as error:
        load(path, game)
    assert str(path) in str(error.value)
    assert error.value.__cause__ is None
    assert game.step == step
    assert len(before) == len(tensors(game))
    assert all(map(torch.equal, before, tensors(game)))


def rewrite(path: Path, change, honest: bool = False) -> None:
    """Change tensors and head of a checkpoint; with ``honest`` the digest is made to fit."""
    from ganlib.checkpoint import _digest

    with safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stored = json.loads(file.metadata()[KEY])
    change(found, stored)
    if honest:
        stored["digest"] = _digest(stored["head"], found)
    save_file(found, path, {KEY: json.dumps(stored)})


@pytest.mark.parametrize(
    "optimizer", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD]
)
def test_everything_comes_back(path, optimizer):
    game = new(steps=5, optimizer=optimizer)
    save(path, game, seed=3, note="five rounds", rates=(1, 2), by_round={1: 2, 10: 3})
    other = new(steps=2, optimizer=optimizer)
    assert not same(game, other)
    notes = load(path, other)
    assert notes == {"seed": 3, "note": "five rounds", "rates": [1, 2], "by_round": {"1": 2, "10": 3}}
    assert same(game, other)
    for ours, theirs in zip(game.players, other.players, strict=True):
        assert (
            ours.opt.state_dict()["param_groups"][0]["lr"] == theirs.opt.state_dict()["param_groups"][0]["lr"]
        )


def test_info_needs_no_game(path):
    game = new(steps=5)
    save(path, game, seed=3)
    facts = info(path)
    assert facts["step"] == 5
    assert facts["meta"] == {"seed": 3}
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in game.modules.items()}
    assert facts["parameters"] == counts
    assert len(counts) == 3
    first = facts["digest"]
    save(path, new(steps=6), seed=3)
    assert info(path)["digest"] != first


def test_a_game_that_has_not_begun_can_be_saved(path):
    save(path, new())
    other = new(steps=2)
    load(path, other)
    assert same(other, new())


def test_saving_twice_writes_the_same_bytes(path):
    game = new(steps=3)
    contents = set()
    for _ in range(8):
        save(path, game, seed=0, note="a")
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert b"pickle" not in contents.pop()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_loaded_tensors_are_the_games_own(path):
    """Training on after a load must not write into the file, nor the file into the game."""
    game = new(steps=3)
    save(path, game)
    content = path.read_bytes()
    other = new()
    load(path, other)
    list(train(other, draw, 6))
    assert path.read_bytes() == content


def test_tied_sliced_and_channels_last_tensors(path):
    class Tied(nn.Module):
        def __init__(self, value: float):
            super().__init__()
            self.a = self.b = nn.Linear(2, 2)
            self.register_buffer("view", torch.full((4, 6), value)[:, ::2])
            self.register_buffer("number", torch.tensor(value))
            self.register_buffer("small", torch.full((3,), value, dtype=torch.bfloat16))
            self.register_buffer("flag", torch.tensor([value > 1]))

        def forward(self, z):
            return self.b(self.a(z))

    game, other = (gan(Tied(v), mlp([2, 8, 1]), nonsaturating, ema=0.5) for v in (1.5, 0.5))
    list(train(game, draw, 2))
    save(path, game)
    load(path, other)
    assert same(game, other)
    assert other.modules["G"].a.weight is other.modules["G"].b.weight

    def convolutional() -> Game:
        G, D = (net.to(memory_format=torch.channels_last) for net in conv_gan(z_dim=2, channels=(8, 8)))
        return gan(G, D, nonsaturating)

    images = lambda rng: (torch.randn(4, 1, 28, 28, generator=rng), torch.randn(4, 2, generator=rng))  # noqa: E731
    game, other = convolutional(), convolutional()
    list(train(game, images, 2))
    save(path, game)
    load(path, other)
    assert same(game, other)


# What must be refused.


def test_every_flipped_byte_is_noticed(path):
    save(path, new(steps=2), seed=0)
    content = path.read_bytes()
    rng = torch.Generator().manual_seed(0)
    for place in torch.randint(len(content), (200,), generator=rng).tolist():
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(damaged))
        refused(path, new(), "damaged|no 'ganlib' metadata|has format|another game")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file(path, keep):
    save(path, new(steps=2))
    path.write_bytes(path.read_bytes()[:keep])
    refused(
        path, new(), "damaged or no checkpoint .*expected safetensors. Restore it from a copy, or train again"
    )


def test_files_that_are_no_checkpoint(path):
    refused(path, new(), "cannot be read .*Check the path")
    refused(path.parent, new(), "cannot be read|damaged or no checkpoint")
    path.write_text("<!DOCTYPE html><title>404</title>")
    refused(path, new(), "damaged or no checkpoint")
    save_file({"x": torch.zeros(1)}, path)
    refused(path, new(), "no 'ganlib' metadata: expected a file written by ganlib.checkpoint.save")
    save_file({"x": torch.zeros(1)}, path, {KEY: "{"})
    refused(path, new(), "damaged: expected JSON")


def test_another_format(path):
    save(path, new())
    rewrite(path, lambda found, stored: stored["head"].update(version=99), honest=True)
    refused(path, new(), "has format 99, expected 1")


@pytest.mark.parametrize("what", ["values", "shape", "dtype", "name", "step", "rate", "digest"])
def test_the_digest_covers_everything(path, what):
    def change(found, stored):
        name = next(iter(found))
        match what:
            case "values":
                found[name] = found[name] + 1
            case "shape":
                found[name] = found[name].reshape(1, -1)
            case "dtype":
                found[name] = found[name].view(torch.int32)
            case "name":
                found["other"] = found.pop(name)
            case "step":
                stored["head"]["state"]["step"] += 1
            case "rate":
                stored["head"]["state"]["optimizers"]["D"]["param_groups"][0]["lr"] *= 2
            case "digest":
                stored["digest"] = "0" * 64

    save(path, new(steps=2))
    rewrite(path, lambda found, stored: None)
    load(path, new())  # the rewriting itself does no harm
    rewrite(path, change)
    refused(path, new(), "damaged: its digest is [0-9a-f]{64}, expected [0-9a-f]{64}")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: new(width=9), r"of its players, D is .*\[8, 2\].*expected .*\[9, 2\]"),
        (lambda: new(optimizer=torch.optim.RMSprop), "D is .*Adam.*expected .*RMSprop"),
        (lambda: new(ema=None), "of its tensors, G_ema/0.bias is .*expected none"),
        (lambda: of(mlp([2, 8, 2]).double(), mlp([2, 8, 1])), "float32.*expected float64"),
        (lambda: of(mlp([2, 8, 2]), nn.Sequential(mlp([2, 8, 1]))), "D/0.0.bias is missing"),
        (lambda: Game(new().players[:1], {"D": new().modules["D"]}), "G is .*expected none"),
    ],
)
def test_another_game(path, other, message):
    save(path, new(steps=2))
    game = other()
    if len(game.players) == 1:
        game.modules["D"] = nn.ParameterList(game.players[0].params)
    refused(path, game, f"holds another game.*{message}.*Build the game as it was when it was saved")


# Corruptions of every kind. A checkpoint is taken apart as the format says: the length of the header in eight
# bytes, the header in JSON, the tensors' bytes.


def parts(raw: bytes) -> tuple[dict, bytes]:
    n = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + n]), raw[8 + n :]


def whole(header: dict | bytes, body: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def bit_flip(raw: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << rng.randrange(8)]) + raw[place + 1 :]


def flip_in_the_header(raw: bytes, rng: random.Random) -> bytes:
    end = 8 + int.from_bytes(raw[:8], "little")
    return bit_flip(raw[:end], rng) + raw[end:]


def truncated(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(len(raw))]


def lengthened(raw: bytes, rng: random.Random) -> bytes:
    return raw + rng.randbytes(rng.randrange(1, 100))


def overwritten(raw: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(raw))
    return raw[:start] + rng.randbytes(64) + raw[start + 64 :]


def page_of_zeros(raw: bytes, rng: random.Random) -> bytes:
    """What a file system leaves that lost a block."""
    start = rng.randrange(len(raw) - 256)
    return raw[:start] + bytes(256) + raw[start + 256 :]


def swapped(raw: bytes, rng: random.Random) -> bytes:
    """The bytes of two tensors of one shape change places; nothing else does."""
    header, body = parts(raw)
    spans = [(v["shape"], *v["data_offsets"]) for k, v in header.items() if k != "__metadata__"]
    pairs = [
        (a, b) for a in spans for b in spans
        if a[0] == b[0] and a[1] < b[1] and body[a[1] : a[2]] != body[b[1] : b[2]]
    ]  # fmt: skip
    (_, i, j), (_, k, end) = rng.choice(pairs)
    body = body[:i] + body[k:end] + body[j:k] + body[i:j] + body[end:]
    return whole(header, body)


def renamed(raw: bytes, rng: random.Random) -> bytes:
    """Two tensors of one shape change names."""
    header, body = parts(raw)
    names = [n for n in header if n.startswith("modules/G/")]
    twins = {n: n.replace("modules/G/", "modules/G_ema/") for n in names}
    one = rng.choice([n for n in names if header[n] != header[twins[n]]])
    header[one], header[twins[one]] = header[twins[one]], header[one]
    return whole(header, body)


def false_length(raw: bytes, rng: random.Random) -> bytes:
    length = rng.choice([0, 1, 2**31, 2**32 + 8, 2**62, 2**63 - 1, 2**63, 2**64 - 1, len(raw), len(raw) - 8])
    return whole(*parts(raw), length=length)


def one_tensor(raw: bytes, rng: random.Random, **change) -> bytes:
    header, body = parts(raw)
    header[rng.choice([n for n in header if n != "__metadata__"])].update(change)
    return whole(header, body)


def oversized(raw: bytes, rng: random.Random) -> bytes:
    shape = [[2**40, 2**40], [2**63], [2**64], [-1], [10**30], [1.5], [[8]], "8", None, [2**20, 1024]]
    return one_tensor(raw, rng, shape=rng.choice(shape))


def false_offsets(raw: bytes, rng: random.Random) -> bytes:
    offsets = [
        [8, 0],
        [0, 2**63],
        [2**64 - 4, 2**64 - 1],
        [-4, 0],
        [0, 0],
        [0],
        "0",
        [len(raw), len(raw) + 4],
    ]
    return one_tensor(raw, rng, data_offsets=rng.choice(offsets))


def false_dtype(raw: bytes, rng: random.Random) -> bytes:
    return one_tensor(raw, rng, dtype=rng.choice(["I32", "F4", "F8_E4M3", "O", "F64", "", 7, "F32\\u0000"]))


def empty_but_huge(raw: bytes, rng: random.Random) -> bytes:
    """No bytes, and a shape that torch cannot hold in a machine word."""
    header, body = parts(raw)
    shape = rng.choice([[0, 2**63], [2**63, 0], [0, 2**62, 2**62], [0] * 500])
    header["modules/D/more"] = {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
    return whole(header, body)


def other_metadata(raw: bytes, rng: random.Random) -> bytes:
    header, body = parts(raw)
    digest = json.loads(header["__metadata__"][KEY])["digest"]
    texts = ["", "{", "null", "[]", "1", "not JSON", '{"head": null, "digest": 1}', "\x00", "[" * 10**6,
             '{"a":' * 10**5, "9" * 10**5, json.dumps({"head": {"version": 1}, "digest": digest}),
             '{"head": {"version": 1e999}, "digest": ""}']  # fmt: skip
    entry = [{KEY: text} for text in texts]
    header["__metadata__"] = rng.choice(
        [*entry, *entry, None, "x", [], {KEY: 1}, {KEY: {}}, {}, {"other": ""}]
    )
    return whole(header, body)


def deep(raw: bytes, rng: random.Random) -> bytes:
    """Nesting without end, in the metadata's text or in the header itself."""
    header, body = parts(raw)
    n = rng.choice([1_000, 5_000, 100_000])
    inner = rng.choice(["[" * n + "]" * n, '{"a":' * n + "1" + "}" * n])
    if rng.random() < 0.3:
        return whole(b'{"__metadata__":' + inner.encode() + b"}", body)
    digest = json.loads(header["__metadata__"][KEY])["digest"]
    header["__metadata__"][KEY] = f'{{"head": {{"version": 1, "state": {inner}}}, "digest": "{digest}"}}'
    return whole(header, body)


def spelled_otherwise(raw: bytes, rng: random.Random) -> bytes:
    """The same JSON values in other letters, as after a flipped bit in the exponent of a number."""
    header, body = parts(raw)
    text = header["__metadata__"][KEY]
    header["__metadata__"][KEY] = rng.choice(
        [text.replace("1e-08", "1E-08"), text + " ", text.replace(": ", ":")]
    )
    return whole(header, body)


def honest_but_odd(raw: bytes, rng: random.Random) -> bytes:
    """Made by someone who knows the format and its digest, and describes no game."""
    header, body = parts(raw)
    stored = json.loads(header["__metadata__"][KEY])
    head, state = stored["head"], stored["head"]["state"]
    match rng.randrange(10):
        case 0:
            del head["state"]
        case 1:
            head["state"] = rng.choice([None, [], 3, {}])
        case 2:
            state["step"] = rng.choice([-1, "3", None, 2.5, True])
        case 3:
            head["meta"] = rng.choice([None, [], "seed"])
        case 4:
            del state["optimizers"]["D"]
        case 5:
            state["optimizers"]["D"]["param_groups"] = rng.choice([[], None, [{}], [{"params": [0]}]])
        case 6:
            del state["optimizers"]["G"]["param_groups"][0]["lr"]
        case 7:
            slots = state["optimizers"]["D"]["state"]
            slots["0"]["exp_avg"] = slots["1"]["exp_avg"]  # the average of a parameter of another shape
        case 8:
            state["optimizers"]["D"]["state"] = rng.choice([{"99": {}}, {"x": {}}, {"0": None}, []])
        case 9:
            state["modules"] = rng.choice([{}, None, {"G": {}}, {"G": None}])
    tensors = safetensors_load(raw)
    stored["digest"] = checkpoint._digest(head, tensors)
    header["__metadata__"][KEY] = json.dumps(stored)
    return whole(header, body)


DAMAGE = [
    bit_flip, flip_in_the_header, truncated, lengthened, overwritten, page_of_zeros, swapped, renamed,
    false_length, oversized, false_offsets, false_dtype, empty_but_huge, other_metadata, deep,
    spelled_otherwise, honest_but_odd,
]  # fmt: skip


def corrupted(raw: bytes, count: int):
    """So many corruptions, every kind in turn, no two alike and none equal to the file."""
    seen, rng = {raw}, random.Random(0)
    while len(seen) <= count:
        for damage in DAMAGE:
            if len(seen) > count:
                return
            found = damage(raw, rng)
            if found not in seen:
                seen.add(found)
                yield damage.__name__, found


def test_no_corrupted_checkpoint_is_loaded(path, full):
    """Each gives one CheckpointError, changes nothing in the game, and takes no memory to speak of."""
    save(path, new(steps=2), seed=0)
    raw, game = path.read_bytes(), new()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kinds = set()
    for kind, damaged in corrupted(raw, 210 if full else 42):
        path.write_bytes(damaged)
        refused(path, game, str(path))
        with pytest.raises(CheckpointError) if kind != "honest_but_odd" else suppress(CheckpointError):
            info(path)
        kinds.add(kind)
    assert kinds == {damage.__name__ for damage in DAMAGE}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < (200_000_000 if sys.platform == "darwin" else 200_000), "bytes there, kilobytes elsewhere"
    path.write_bytes(raw)  # the twin
    load(path, game)
    assert game.step == 2


def test_without_its_digest_corrupted_checkpoints_would_load(path, monkeypatch):
    """The control: the same files, and a reader that only parses them."""

    class Anything:
        def __ne__(self, other):
            return False

    save(path, new(steps=2), seed=0)
    files = list(corrupted(path.read_bytes(), 120))
    monkeypatch.setattr(checkpoint, "_digest", lambda *_: Anything())
    loaded = set()
    for kind, damaged in files:
        path.write_bytes(damaged)
        try:
            load(path, new())
            loaded.add(kind)
        except CheckpointError:
            pass
    assert {"bit_flip", "overwritten", "swapped", "renamed"} <= loaded


def test_the_guards_of_the_parser_are_needed(path):
    """The controls: nesting and shapes that Python's parser and torch answer with errors of their own."""
    with pytest.raises(RecursionError):
        json.loads("[" * 100_000)
    save_file({"x": torch.zeros(0)}, path)
    header = {"x": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}
    path.write_bytes(whole(header, b""))
    with pytest.raises(TypeError), safe_open(path, "pt") as file:
        file.get_tensor("x")
    refused(path, new(), "damaged or no checkpoint")


# The data files: twelve images and their labels under MNIST's names.

NAMES = {"train-images-idx3-ubyte": (12, 28, 28), "train-labels-idx1-ubyte": (12,)}


def idx(values: bytes, *shape: int) -> bytes:
    return struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape) + values


def damaged_data(raw: bytes, shape: tuple[int, ...], kind: int, rng: random.Random) -> bytes:
    """A data file, compressed or not, with one kind of damage; ``raw`` is the whole one, decompressed."""
    header, values = raw[: 4 + 4 * len(shape)], raw[4 + 4 * len(shape) :]
    packed, item = gzip.compress(raw, mtime=0), len(values) // 12
    match kind:
        case 0:
            return bit_flip(raw, rng)
        case 1:
            return gzip.compress(bit_flip(raw, rng))
        case 2:
            return packed[:10] + bit_flip(packed[10:], rng)  # the first ten are a date and the like
        case 3:
            return truncated(rng.choice([raw, packed]), rng)
        case 4:
            return raw + rng.randbytes(rng.randrange(1, 99))
        case 5:  # two images, or two labels, change places
            i, j = rng.sample(range(12), 2)
            items = [values[k * item : (k + 1) * item] for k in range(12)]
            items[i], items[j] = items[j], items[i]
            return header + b"".join(items)
        case 6:
            sizes = [rng.choice([0, 1, 13, 2**16, 2**31, 2**32 - 1]) for _ in shape]
            return struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *sizes) + values
        case 7:
            magic = rng.choice([0, 0x801, 0x802, 0x803, 0xD03, 0x8FF, 2**32 - 1])
            return struct.pack(">I", magic) + raw[4:]
        case 8:
            return gzip.compress(packed)
        case _:
            return rng.choice(
                [rng.randbytes(rng.randrange(9_999)), b"<html>403</html>", overwritten(raw, rng)]
            )


def test_no_corrupted_data_file_is_read(tmp_path, monkeypatch, full):
    """Each gives one DataError that names the file; the control reads what the checksum would refuse."""
    rng = random.Random(0)
    files = {name: idx(rng.randbytes(12 * 28 * 28 if len(s) > 1 else 12), *s) for name, s in NAMES.items()}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
    digests = {name: (NAMES[name], hashlib.sha256(raw).hexdigest()) for name, raw in files.items()}
    monkeypatch.setattr(data, "FILES", digests)
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path))
    data.mnist()
    seen, trusted = set(files.values()), 0
    count = 90 if full else 20
    while len(seen) < len(files) + count:
        name = rng.choice(list(NAMES))
        damaged = damaged_data(files[name], NAMES[name], len(seen) % 10, rng)
        if damaged in seen or _decompressed(damaged) == files[name]:  # a bit that gzip does not use
            continue
        seen.add(damaged)
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(data.DataError) as error:
            data.mnist()
        assert str(tmp_path / name) in str(error.value)
        assert "Replace it by a whole copy" in str(error.value)
        with monkeypatch.context() as patch, suppress(data.DataError):
            patch.setattr(hashlib, "sha256", lambda _, right=digests[name][1]: _Digest(right))
            data._load(name)
            trusted += 1
        (tmp_path / name).write_bytes(files[name])
    data.mnist()
    assert trusted, "the control"


class _Digest:
    def __init__(self, value: str):
        self.value = value

    def hexdigest(self) -> str:
        return self.value


def _decompressed(blob: bytes) -> bytes:
    try:
        return gzip.decompress(blob)
    except (OSError, EOFError, zlib.error):
        return blob


# Whole or not at all.


def test_a_failed_save_leaves_the_former_file(path, monkeypatch):
    save(path, new(steps=2), seed=0)
    former = path.read_bytes()
    with pytest.raises(TypeError):
        save(path, new(), note=torch.zeros(1))
    assert path.read_bytes() == former
    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, broken, lambda *_: (_ for _ in ()).throw(OSError("no space left on device")))
            with pytest.raises(OSError, match="no space left"):
                save(path, new())
        assert path.read_bytes() == former
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def atomic(path: Path, game: Game) -> None:
    save(path, game)


def in_place(path: Path, game: Game) -> None:
    """What must not be done: empty the former file, then write the new one."""
    whole = path.with_name("whole")
    save(whole, game)
    with open(path, "wb") as file:
        blob = whole.read_bytes()
        for start in range(0, len(blob), 4096):
            file.write(blob[start : start + 4096])
            file.flush()


def killed_while_saving(path: Path, write, kills: int) -> int:
    """How many of the kills left a file that cannot be loaded."""
    game, lost = new(width=2048, steps=1), 0
    save(path, game)
    for kill in range(kills):
        child = os.fork()  # saves for ever; a fork, because importing torch takes longer than all the rest
        if child == 0:
            torch.set_num_threads(1)
            while True:
                write(path, game)
        time.sleep(0.05 + 0.0037 * kill)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            load(path, game)
        except CheckpointError:
            lost += 1
    return lost


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_kill_while_saving_never_costs_the_former_file(path):
    assert killed_while_saving(path, atomic, kills=20) == 0
    assert killed_while_saving(path, in_place, kills=20) > 0
