"""Every kind of line: accepted, refused with a message that helps, typeset; and notebooks of lines."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sympy as sp
from sympy import Derivative, Rational, exp, log, oo

from ganlib.derive import Derivation, Refused, Undecided, collect, positive, real, recording, unit
from ganlib.derive.theorems import THEOREMS

SIGMA = sp.Lambda(sp.Symbol("a"), 1 / (1 + exp(-sp.Symbol("a"))))
LOGIT = sp.Lambda(sp.Symbol("a"), log(sp.Symbol("a") / (1 - sp.Symbol("a"))))


def rotation(p: sp.Expr, q: sp.Expr) -> sp.Matrix:
    return sp.Matrix([[p, -q], [q, p]])


# name -> (a true line, the same line with one error); the symbols are those of `derivation`
LINES: dict[str, tuple[Callable, Callable]] = {
    "identity": (
        lambda d, p, q, t, x: d.equal(log(p / (p + q)) - log(q / (p + q)), log(p) - log(q)),
        lambda d, p, q, t, x: d.equal(log(p / (p + q)) - log(q / (p + q)), log(q) - log(p)),
    ),
    "sigmoid": (
        lambda d, p, q, t, x: d.equal(Derivative(log(1 + exp(x)), x), 1 / (1 + exp(-x))),
        lambda d, p, q, t, x: d.equal(Derivative(log(1 + exp(x)), x), 1 / (1 + exp(x))),
    ),
    "matrix": (
        lambda d, p, q, t, x: d.equal(rotation(p, q) ** 2, rotation((p + q) * (p - q), 2 * p * q)),
        lambda d, p, q, t, x: d.equal(rotation(p, q) ** 2, rotation((p - q) ** 2, 2 * p * q)),
    ),
    "order": (
        lambda d, p, q, t, x: d.order(-p / t**2 - q / (1 - t) ** 2, "<", 0),
        lambda d, p, q, t, x: d.order(-p / t**2 + q / (1 - t) ** 2, "<", 0),
    ),
    "gap": (
        lambda d, p, q, t, x: d.gap(p * log(p / q), ">=", p - q, gibbs=[(p, q / p)], equality=[(q, p)]),
        lambda d, p, q, t, x: d.gap(p * log(q / p), ">=", p - q, gibbs=[(p, q / p)], equality=[(q, p)]),
    ),
    "squares": (
        lambda d, p, q, t, x: d.gap(x**2 + 1, ">=", 2 * x, squares=[(1, x - 1)], equality=[(x, 1)]),
        lambda d, p, q, t, x: d.gap(x**2 + 1, ">=", 3 * x, squares=[(1, x - 1)], equality=[(x, 1)]),
    ),
    "stationary": (
        lambda d, p, q, t, x: d.stationary(p * log(t) + q * log(1 - t), t, [p / (p + q)]),
        lambda d, p, q, t, x: d.stationary(p * log(t) + q * log(1 - t), t, [q / (p + q)]),
    ),
    "limit": (
        lambda d, p, q, t, x: d.limit(p * log(t) + q * t, t, 0, "+", -oo),
        lambda d, p, q, t, x: d.limit(p * log(t) + q * t, t, 1, "-", -oo),
    ),
    "integral": (
        lambda d, p, q, t, x: d.integral(t * log(t), t, 0, 1, Rational(-1, 4)),
        lambda d, p, q, t, x: d.integral(t * log(t), t, 0, 1, Rational(1, 4)),
    ),
    "average": (
        lambda d, p, q, t, x: d.average(
            p * log(2 * p / (p + q)), p * log(p / (p + q)), log(2), using={p: log(2)}
        ),
        lambda d, p, q, t, x: d.average(
            p * log(2 * p / (p + q)), p * log(p / (p + q)), 2 * log(2), using={p: 2 * log(2)}
        ),
    ),
    "pushforward": (
        lambda d, p, q, t, x: d.pushforward(LOGIT(t), t, SIGMA(x), x, 1, SIGMA(x) * SIGMA(-x)),
        lambda d, p, q, t, x: d.pushforward(LOGIT(t), t, SIGMA(x), x, 1, SIGMA(x) ** 2),
    ),
    "argued": (
        lambda d, p, q, t, x: d.argued(
            r"f(\mathbb{E} X) \le \mathbb{E} f(X)",
            theorem="Jensen",
            hypotheses={"f is convex": "it is a square", "X is integrable": "it is bounded"},
        ),
        lambda d, p, q, t, x: d.argued("f", theorem="Jensen", hypotheses={"X is integrable": "so"}),
    ),
    "numeric": (
        lambda d, p, q, t, x: d.numeric(log(1 + p), "<", p),
        lambda d, p, q, t, x: d.numeric(log(1 + p), ">", p),
    ),
}
VERDICT = {"argued": "argued", "numeric": "checked numerically"}


def derivation() -> Derivation:
    return Derivation("kinds of line", p=positive, q=positive, t=unit, x=real)


@pytest.mark.parametrize("kind", LINES)
def test_the_true_line_is_accepted_and_its_twin_refused(kind: str) -> None:
    d = derivation()
    honest, wrong = LINES[kind]
    with pytest.raises(Refused):
        wrong(d, *d.symbols)
    assert not d.entries
    line = honest(d, *d.symbols)
    assert line.shown() is True
    assert line.holds() is True
    assert d.verdicts == {VERDICT.get(kind, "proved"): 1}
    assert d.lines == [line]


@pytest.mark.parametrize("kind", LINES)
def test_a_wrong_line_may_be_recorded_as_refuted_and_a_true_one_not(kind: str) -> None:
    d = derivation()
    honest, wrong = LINES[kind]
    with pytest.raises(Refused):
        honest(d.false, *d.symbols)
    if kind == "argued":  # a missing hypothesis refutes nothing
        return
    wrong(d.false, *d.symbols)
    assert d.verdicts == {"refuted": 1}
    assert d.lines == []
    assert r"\text{claimed: }" in d.entries[0].latex()


@pytest.mark.parametrize("kind", LINES)
def test_latex(kind: str) -> None:
    d = derivation()
    LINES[kind][0](d, *d.symbols)
    tagged = d.entries[0].latex()
    assert tagged.startswith(r"$$\begin{array}{l} ")
    assert tagged.endswith(r" \end{array}$$")
    assert tagged.count("{") == tagged.count("}")
    assert tagged.count(r"\left") == tagged.count(r"\right")
    for raw in ("**", "Rational(", "Matrix(", "Derivative(", "None", "True", "'", "object at", "<=", "_1"):
        assert raw not in tagged
    assert VERDICT.get(kind, "proved") in tagged


def test_the_message_says_what_is_wrong_and_what_to_do() -> None:
    d = derivation()
    p, q, _t, x = d.symbols
    said = {
        "false at p = ": lambda: d.equal(log(p * q), log(p) * log(q), tag="1.1"),
        "give a stronger domain or a gap": lambda: d.order(p - log(p), ">", 0),
        "narrow the domain": lambda: d.equal(log(x**3), 3 * log(x)),
        "declare it with its interval": lambda: d.equal(sp.Symbol("k") * p, p),
        "a definition belongs into let": lambda: d.equal(p + q, q + p),
        "expected one of": lambda: d.order(p, "!=", q),
        "a gap decides >= or <=": lambda: d.gap(p - 1, ">", log(p), gibbs=[(1, p)]),
        "one pair (symbol, value) for each term": lambda: d.gap(
            p - 1, ">=", log(p), gibbs=[(1, p)], equality=[(p, 1), (q, 1)]
        ),
        "does not depend on x": lambda: d.stationary(p**2, x, []),
        "needs a side": lambda: d.limit(p, p, 0, "left", 0),
        "known are": lambda: d.argued("f", theorem="magic", hypotheses={}),
        "name the line or the reason": lambda: LINES["argued"][1](d, *d.symbols),
    }
    for words, line in said.items():
        with pytest.raises(Refused) as reason:
            line()
        assert words in str(reason.value)
    with pytest.raises(Refused, match=r"line 1\.1 "):
        said["false at p = "]()
    assert issubclass(Refused, ValueError)
    assert not issubclass(Undecided, Refused)


def test_theorems_say_what_they_need() -> None:
    for name, (statement, hypotheses) in THEOREMS.items():
        d = Derivation("a theorem", p=positive)
        assert statement.strip()
        assert hypotheses
        given = dict.fromkeys(hypotheses, "assumed")
        for left_out in hypotheses:
            with pytest.raises(Refused, match=name):
                d.argued("f", theorem=name, hypotheses={k: v for k, v in given.items() if k != left_out})
        d.argued("f", theorem=name, hypotheses=given)


WHY = r"the terms with $p \log q$ and with $q \log p$ meet"


def test_a_derivation_shows_tags_reasons_and_definitions() -> None:
    d = derivation()
    p, q, _t, _x = d.symbols
    KL = d.let("KL", (p, q), p * log(p / q), tex=r"\mathrm{{KL}}({0} \Vert {1})", why="one point of it")
    d.equal(KL(p, q) + KL(q, p), (p - q) * log(p / q), tag="4.2", why=WHY)
    d.equal(None, (q - p) * (log(q) - log(p)))
    shown = [e.latex() for e in d.entries]
    assert r"\mathrm{KL}(p \Vert q) := " in shown[0]
    assert "one point of it" in shown[0]
    assert shown[1].endswith(r"\end{array}\tag{4.2}$$")
    assert r"\mathrm{KL}(q \Vert p)" in shown[1]
    assert shown[2].startswith(r"$$\begin{array}{l} = ")
    assert "KL" not in shown[2]
    rows = re.findall(r"\\text\{(.*?)\}", shown[1])
    assert " ".join(rows) == f"proved: {WHY}"
    assert len(rows) > 1
    assert all(row.count("$") % 2 == 0 for row in rows)  # no formula is torn
    assert d.entries[1].plain().startswith("(4.2) [proved] relation KL(p, q) + KL(q, p) = ")
    assert repr(d) == "Derivation('kinds of line': 2 proved)"


def test_a_derivation_uses_what_it_declares() -> None:
    d = derivation()
    with pytest.raises(Refused, match="p, q, t, x declared"):
        d.complete()
    d = Derivation("nothing")
    with pytest.raises(Refused, match="no line was decided"):
        d.complete()
    d = Derivation("all of it", p=positive)
    d.order(d.symbols[0], ">", 0)
    d.complete()


def test_recordings_may_be_nested() -> None:
    with recording() as outer:
        with recording() as inner:
            first = derivation()
        second = derivation()
    derivation()
    assert inner == [first]
    assert outer == [first, second]


HASHED = """
from ganlib.derive import score
from test_derive_lines import LINES, derivation
d = derivation()
for honest, _ in LINES.values():
    honest(d, *d.symbols)
    print(d.entries[-1].latex(), d.entries[-1].plain(), sep="\\n")
for line in d.lines[:3]:
    for label, mutant in line.mutants():
        print(label, mutant)
p, q, t, x = d.symbols
d.false.order(p, ">", q)
print(d.entries[-1].latex(), score(d.lines[:2], 1, seed=3))
"""


def test_two_processes_say_the_same() -> None:
    told = []
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
        run = subprocess.run(
            [sys.executable, "-c", HASHED], env=env, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        told.append(run.stdout)
    assert told[0] == told[1]
    assert len(told[0].splitlines()) > 100


# Notebooks

CELL = """
from ganlib.derive import Derivation, positive
from sympy import log
d = Derivation("two logs", p=positive, q=positive)
p, q = d.symbols
d.equal(log(p / q), log(p) - log(q), tag="1.1")
"""


def notebook(path: Path, source: str, *tags: str) -> Path:
    cells = [
        {"cell_type": "markdown", "metadata": {"tags": ["derivation"]}, "source": ["# not code"]},
        {"cell_type": "code", "metadata": {}, "source": ["import torch_is_not_needed\n"]},
        {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source.splitlines(keepends=True)},
    ]
    path.write_text(json.dumps({"cells": cells}), "utf-8")
    return path


def test_the_lines_of_a_notebook_are_collected(tmp_path: Path) -> None:
    (d,) = collect(notebook(tmp_path / "n.ipynb", CELL, "derivation"))
    assert d.title == "two logs"
    assert d.verdicts == {"proved": 1}


def test_a_flipped_sign_in_a_notebook_is_refused(tmp_path: Path) -> None:
    wrong = CELL.replace("log(p) - log(q)", "log(p) + log(q)")
    assert wrong != CELL
    with pytest.raises(Refused, match=r"1\.1 .*false at"):
        collect(notebook(tmp_path / "n.ipynb", wrong, "derivation"))


def test_a_notebook_without_a_tag_has_no_derivation(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no derivation found"):
        collect(notebook(tmp_path / "n.ipynb", CELL))
    with pytest.raises(ValueError, match="no derivation found"):
        collect(notebook(tmp_path / "n.ipynb", "1 + 1\n", "derivation"))


def test_the_command_stores_its_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from ganlib.derive.__main__ import main

    path = notebook(tmp_path / "n.ipynb", CELL, "derivation")
    assert main([str(path), "--sample", "3", "--json", str(tmp_path / "t.json")]) == 0
    (row,) = json.loads((tmp_path / "t.json").read_text("utf-8"))["notebooks"]
    assert (row["lines"], row["false"], row["refused"], row["survivors"]) == (1, 3, 3, [])
    assert "n: {'proved': 1}" in capsys.readouterr().out
    idle = CELL.replace("q=positive", "q=positive, r=positive").replace("p, q =", "p, q, r =")
    with pytest.raises(Refused, match="no line uses it"):
        main([str(notebook(tmp_path / "m.ipynb", idle, "derivation"))])
