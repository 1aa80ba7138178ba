"""The GAN in 40 lines of chapter 1 has 40 lines, hides nothing, and is ganlib's own game to the last bit."""

import ast
import io
import tokenize
from typing import Any

import pytest
import torch
from canonical import NOTEBOOKS, read
from torch import Tensor, nn

from ganlib.data import mnist, sampler
from ganlib.game import gan
from ganlib.nets import mlp_gan
from ganlib.objectives import nonsaturating
from ganlib.train import train

ROUNDS = 10
Outcome = tuple[list[tuple[float, ...]], Tensor]


@pytest.fixture(scope="module")
def source() -> str:
    """The cell, as it stands in the notebook."""
    cells = read(NOTEBOOKS / "01_two_players.ipynb").cells
    (cell,) = [c.source for c in cells if "forty-lines" in c.metadata.get("tags", [])]
    return cell


def code_lines(source: str) -> int:
    """Lines that hold code: neither blank nor comment alone."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return len({t.start[0] for t in tokens if t.type not in silent and t.type != tokenize.ENDMARKER})


def weights(*nets: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for net in nets for p in net.parameters()])


def played(source: str) -> Outcome:
    """Losses and weights after ten rounds; the last line, which trains for long, is left out."""
    tree = ast.parse(source)
    assert "play(4000)" in ast.unparse(tree.body.pop())
    names: dict[str, Any] = {}
    exec(compile(tree, "forty lines", "exec"), names)
    G, D, mean, history = names["play"](ROUNDS)
    return history, weights(G, D, mean)


@pytest.fixture(scope="module")
def ours() -> Outcome:
    G, D = mlp_gan(z_dim=64, hidden=128, seed=0)
    game = gan(G, D, nonsaturating, lr=(2e-3, 2e-3), ema=0.995)
    draw = sampler(mnist(subset="5k").images, z_dim=64, batch_size=64)
    history = [(losses["D"], losses["G"]) for _, losses in train(game, draw, ROUNDS, seed=0)]
    assert game.G_ema is not None
    return history, weights(G, D, game.G_ema)


def same(a: Outcome, b: Outcome) -> bool:
    return a[0] == b[0] and torch.equal(a[1], b[1])


def test_has_forty_lines(source: str) -> None:
    assert code_lines(source) <= 40


def test_lines_are_counted() -> None:
    assert code_lines('"""Text."""\n\n# a comment\nx = [\n    1,  # one\n]\n') == 4


def test_shows_everything(source: str) -> None:
    """From ganlib it takes the images and nothing else."""
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom | ast.Import)]
    taken = [n for n in imports if isinstance(n, ast.ImportFrom) and n.module.startswith("ganlib")]
    assert [(n.module, [a.name for a in n.names]) for n in taken] == [("ganlib.data", ["mnist"])]
    modules = {a.name for n in imports if isinstance(n, ast.Import) for a in n.names}
    assert modules == {"copy", "zlib", "torch"}


def test_is_the_game_of_ganlib(source: str, ours: Outcome) -> None:
    assert same(played(source), ours)


def test_detach_saves_work_only(source: str, ours: Outcome) -> None:
    assert same(played(source.replace("G(z).detach()", "G(z)")), ours)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("softplus(-D(x)) + softplus(D(", "softplus(D(x)) + softplus(-D("),
        ("loss_G = softplus(-D(G(z)))", "loss_G = -softplus(D(G(z)))"),
        ("loss_G = softplus(-D(G(z)))", "loss_G = softplus(-D(G(z).detach()))"),
        ('draw(f"{seed}/{t}/G")', 'draw(f"{seed}/{t}/D0")'),
        ("        adam_D.zero_grad()\n", ""),
        ("betas=(0.0, 0.99)", "betas=(0.5, 0.99)"),
        ("2e-3", "1e-3"),
        ("(t + 2)", "(t + 1)"),
        ("nn.LeakyReLU(0.2)", "nn.LeakyReLU(0.1)"),
    ],
)
def test_any_other_game_differs(source: str, ours: Outcome, old: str, new: str) -> None:
    assert old in source
    assert not same(played(source.replace(old, new)), ours)
