"""The shipped generators are whole, small, what their cards say, and made again by their command."""

import json
import os
import random

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

import ganlib
from ganlib import data as data_module
from ganlib import shipped
from ganlib.data import DataError, Dataset, mnist
from ganlib.metrics import class_accuracy, fd, real_row
from ganlib.recipe import RECIPE, build, generate
from ganlib.sealed import FOLDER, read
from ganlib.shipped import GENERATORS, card

needs_mnist = pytest.mark.skipif(
    not os.environ.get("GANLIB_DATA"), reason="GANLIB_DATA is not set: the full MNIST is NOT tested"
)
EACH = pytest.mark.parametrize("name", list(GENERATORS))


def images(name: str, n: int, seed: int = 0, labels: torch.Tensor | None = None) -> torch.Tensor:
    G = ganlib.pretrained(name)
    if G.n_classes and labels is None:
        labels = torch.arange(n) % 10
    return generate(G, G.card["recipe"]["z_dim"], n, seed, labels)


@EACH
def test_it_is_small_frozen_and_has_a_card(name):
    path = FOLDER / f"{name}.safetensors"
    assert path.stat().st_size < 1_000_000
    with safe_open(path, framework="pt") as file:
        assert list(file.metadata()) == ["ganlib"], "several keys would be written in random order"
    G = ganlib.pretrained(name)
    assert not G.training
    assert not any(p.requires_grad for p in G.parameters())
    facts = G.card
    assert facts == card(name)
    assert facts["recipe"].keys() == RECIPE.keys()
    assert facts["command"].startswith(f"python -m ganlib.shipped {name} ")
    assert len(facts["data"]) == 4
    assert "MNIST" in facts["terms"]
    readme = (FOLDER / "README.md").read_text("utf-8")
    for fact in (facts["command"], facts["digest"][:12], f"{facts['scores']['FD']:.1f}"):
        assert fact in readme


@EACH
def test_its_score_is_that_of_its_card(name):
    """Measured again, where the noise is the same and only the processor may differ."""
    facts = card(name)
    score = fd(images(name, 10_000)).value
    assert score == pytest.approx(facts["scores"]["FD"], rel=0.02)
    assert score < 3 * real_row(10_000).value
    untrained = build(facts["recipe"]).modules["G"]
    labels = torch.arange(1_000) % 10 if facts["recipe"]["conditional"] else None
    control = generate(untrained, facts["recipe"]["z_dim"], 1_000, 0, labels)
    assert fd(control).value > 1_000, "the control: the same network untrained"


def test_the_conditional_one_answers():
    asked = torch.arange(2_000) % 10
    made = images("cgan-mnist", 2_000, labels=asked)
    assert class_accuracy(made, asked) >= 0.97
    assert class_accuracy(made, asked.roll(1)) < 0.1, "the control: another digit was asked for"


def test_an_unknown_name_gives_one_clear_error():
    for ask in (ganlib.pretrained, card):
        with pytest.raises(ValueError, match=r"no network 'gan-cifar' is shipped: expected one of gan-mnist"):
            ask("gan-cifar")
    assert ganlib.pretrained("digit-net").head[-1].out_features == 10


def test_damaged_files_give_one_clear_error(tmp_path):
    """Bit flips anywhere, truncations, and a card that was touched up."""
    whole = (FOLDER / "gan-mnist.safetensors").read_bytes()
    path = tmp_path / "gan-mnist.safetensors"
    rng = random.Random(0)

    def refused(blob: bytes) -> None:
        path.write_bytes(blob)
        with pytest.raises(DataError, match=r"gan-mnist\.safetensors (cannot be read|is damaged)") as caught:
            read(path, "Train it again.")
        assert str(caught.value).endswith("Train it again.")

    header = int.from_bytes(whole[:8], "little") + 8
    places = [rng.randrange(len(whole)) for _ in range(40)] + [rng.randrange(header) for _ in range(40)]
    for at in places:
        refused(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
    for _ in range(20):
        refused(whole[: rng.randrange(len(whole))])

    path.write_bytes(whole)
    tensors, facts = read(path, "")  # the twin
    better = facts | {"scores": facts["scores"] | {"FD": 1.0}}
    refused(save(tensors, metadata={"ganlib": json.dumps(better, sort_keys=True)}))
    deep = "[" * 100_000 + "]" * 100_000
    refused(save(tensors, metadata={"ganlib": deep}))


@pytest.fixture
def few(monkeypatch) -> Dataset:
    data = mnist(subset="5k")
    few = Dataset(data.images[::20], data.labels[::20])
    monkeypatch.setattr(shipped, "mnist", lambda *_: few)
    monkeypatch.setattr(data_module, "mnist", lambda *_, **__: few)
    return few


@EACH
def test_the_command_makes_it_again(tmp_path, few, name):
    """Two runs of three rounds write the same bytes; another seed others; and what is written can be read."""
    paths = [tmp_path / f"{i}.safetensors" for i in range(3)]
    facts = [
        shipped.make(name, path, steps=3, seed=s, n=200) for path, s in zip(paths, (0, 0, 1), strict=True)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    tensors, read_facts = read(paths[0], "")
    assert read_facts == facts[0]
    assert all(t.dtype == torch.float16 for t in tensors.values())
    assert facts[0]["command"] == f"python -m ganlib.shipped {name} --seed 0 --steps 3"
    assert ("class accuracy" in facts[0]["scores"]) is (name == "cgan-mnist")
    critics = [path.with_stem(f"{path.stem}-D") for path in paths] if name == "cgan-mnist" else []
    assert sorted(tmp_path.iterdir()) == sorted(paths + critics), "nothing half-written stays"
    for generator, critic in zip(facts, critics, strict=False):
        assert read(critic, "")[1]["G"] == generator["digest"]


@needs_mnist
@EACH
def test_the_data_is_that_of_the_card(name):
    from ganlib.data import FILES

    assert card(name)["data"] == {file: sha for file, (_, sha) in FILES.items()}


def test_the_discriminator_is_the_one_the_generator_was_trained_against():
    D, facts = ganlib.pretrained("cgan-mnist-D"), card("cgan-mnist-D")
    assert (FOLDER / "cgan-mnist-D.safetensors").stat().st_size < 1_000_000
    assert facts["G"] == card("cgan-mnist")["digest"]
    assert facts["command"] == card("cgan-mnist")["command"]
    assert facts["digest"][:12] in (FOLDER / "README.md").read_text("utf-8")
    assert not any(p.requires_grad for p in D.parameters())
    labels = torch.arange(1_000) % 10
    made = images("cgan-mnist", 1_000, labels=labels)
    data = mnist(subset="5k")
    real = D(data.tensor(), data.labels).mean().item()
    assert real > D(made, labels).mean().item(), "it tells them apart on the average"
    assert D(data.tensor(), data.labels.roll(1_234)).mean().item() < real - 0.03, "and minds the label"
    for key in ("logit of test images", "logit of generated images"):
        assert f"{facts['scores'][key]:.2f}" in (FOLDER / "README.md").read_text("utf-8")
