"""The ledger of claims: complete, well written, in agreement with the chapters, and its refutations hold."""

from __future__ import annotations

import copy
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import gll_ledger
import pytest
import sympy as sp
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace, patch_docutils

ROOT = Path(__file__).resolve().parents[1]

PATH = ROOT / "book" / "claims.json"
DATA = gll_ledger.read_claims(PATH)
CLAIMS = DATA["claims"]
WRONG = {c["id"] for c in CLAIMS if c["verdict"] == "wrong"}
# A turned verdict changes a count, so it shows even where no chapter states it yet.
COUNTS = {
    "right": 70,
    "right under stated assumptions": 32,
    "imprecise": 45,
    "wrong": 22,
    "slip": 9,
    "no claim": 25,
    "open": 1,
}


# --- Form --------------------------------------------------------------------------------------------------
def mathematics(text: str) -> list[str]:
    return re.findall(r"\$([^$]*)\$", text)


def faults(claim: dict[str, Any]) -> list[str]:
    """What is wrong with the form of a claim, in words."""
    out = []
    for field in ("says", "correction"):
        text = claim[field]
        prose = re.sub(r"\$[^$]*\$", "x", text)
        checks = {
            "is empty": not text.strip(),
            "has an odd number of dollars": text.count("$") % 2 == 1,
            "has a bar, which splits a table: write \\mid or \\Vert": "|" in text,
            "has a space beside a dollar": any(m != m.strip() or not m for m in mathematics(text)),
            "does not begin with a capital": not re.match(r"[A-Z“$]", text),
            "does not end like a sentence": not re.search(r"[.?]”?$", text),
            "is in shorthand": bool(
                re.search(r"->|=>|<=|>=|w\.r\.t|iff\b|\.\.|\[checked\]|\[paper\]|\*", prose)
            ),
            "has a double space": "  " in text,
            "has an American spelling": bool(re.search(r"\w(?:iz(?:e|es|ed|ing|ation)|yze)\b", prose))
            and "size" not in prose,
        }
        for m in mathematics(text):
            bare = re.sub(r"\\[{}]", "", m)
            depths = [bare[:k].count("{") - bare[:k].count("}") for k in range(len(bare) + 1)]
            checks[f"has unbalanced braces in {m!r}"] = depths[-1] != 0 or min(depths) < 0
            left, right = (len(re.findall(rf"\\{w}\b", m)) for w in ("left", "right"))
            checks[f"has unbalanced \\left in {m!r}"] = left != right
        out += [f"{field} {what}" for what, bad in checks.items() if bad]
    return out


def test_there_are_204_claims() -> None:
    assert [c["id"] for c in CLAIMS] == list(range(1, 205))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: str(c["id"]))
def test_form(claim: dict[str, Any]) -> None:
    assert faults(claim) == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("says", ""),
        ("says", "A GAN has $p(y|x)$."),
        ("says", "The value is $\\frac{1}{2$."),
        ("says", "The value is $\\left( x$."),
        ("says", "The value is $x."),
        ("correction", "needs expectation w.r.t. x"),
        ("correction", "No full stop"),
        ("correction", "D goes to 1 => the loss goes to 0."),
        ("correction", "To maximize is to minimize."),
    ],
)
def test_bad_form_is_seen(field: str, text: str) -> None:
    assert faults({**CLAIMS[0], field: text}) != []


def test_texts_differ() -> None:
    """Two rows with the same statement would make one of them a mistake in copying."""
    says = Counter(c["says"] for c in CLAIMS)
    assert [text for text, n in says.items() if n > 1] == []


def test_every_verdict_but_right_has_its_own_correction() -> None:
    for claim in CLAIMS:
        if claim["verdict"] in ("wrong", "imprecise", "slip"):
            assert not claim["correction"].startswith("Right"), claim["id"]
            assert claim["correction"] != claim["says"], claim["id"]
        if claim["verdict"].startswith("right"):
            assert not re.match(r"(Wrong|A slip|False)", claim["correction"]), claim["id"]


def test_counts() -> None:
    assert gll_ledger.counts(DATA) == COUNTS
    assert sum(COUNTS.values()) == len(CLAIMS)


def test_references_between_statements_exist() -> None:
    for claim in CLAIMS:
        for mention in re.findall(r"[Ss]tatements? (\d+(?:(?:, | and | to )\d+)*)", claim["correction"]):
            assert all(1 <= n <= 204 and n != claim["id"] for n in gll_ledger.numbers(mention)), claim["id"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verdict": "maybe"}, "verdict 'maybe' is none of"),
        ({"sources": ["S9"]}, "sources 'S9' is none of"),
        ({"chapter": 99}, "there is no chapter 99"),
        ({"correction": None}, "'correction' is missing"),
        ({"id": 7}, "expected the id 5"),
    ],
)
def test_damaged_data_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    data = copy.deepcopy(DATA)
    data["claims"][4] |= change
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(ExtensionError, match=re.escape(message)):
        gll_ledger.read_claims(path)


# --- Agreement with the chapters ---------------------------------------------------------------------------
def disagreements(claims: list[dict[str, Any]], chapter: int, rows: dict[int, gll_ledger.Said]) -> list[str]:
    """Where a chapter and the ledger differ, in words."""
    due = {c["id"]: c for c in claims if c["chapter"] == chapter}
    out = [f"statement {n} stands in chapter {chapter} of the ledger alone" for n in due.keys() - rows.keys()]
    for number, row in rows.items():
        claim = claims[number - 1] if 1 <= number <= len(claims) else None
        if claim is None:
            out.append(f"chapter {chapter} names statement {number}, which does not exist")
        elif row.verdict != claim["verdict"]:
            out.append(f"statement {number}: ledger {claim['verdict']!r}, chapter {chapter} {row.verdict!r}")
    return sorted(out)


WRITTEN = [n for n in map(int, DATA["chapters"]) if gll_ledger.notebook_of(n, ROOT)]


def rows_of(chapter: int) -> dict[int, gll_ledger.Said]:
    notebook = gll_ledger.notebook_of(chapter, ROOT)
    assert notebook is not None
    return gll_ledger.said(notebook, DATA["verdicts"])


@pytest.mark.parametrize("chapter", WRITTEN)
def test_chapter_and_ledger_agree(chapter: int) -> None:
    assert disagreements(CLAIMS, chapter, rows_of(chapter)) == []


@pytest.mark.parametrize("chapter", WRITTEN)
def test_every_turned_verdict_is_seen(chapter: int) -> None:
    """Turn the verdict of each statement, in the ledger and in the chapter; drop it from the chapter."""
    rows = rows_of(chapter)
    for number, row in rows.items():
        other = "wrong" if row.verdict != "wrong" else "right"
        turned = copy.deepcopy(CLAIMS)
        turned[number - 1]["verdict"] = other
        assert disagreements(turned, chapter, rows) != []
        assert disagreements(CLAIMS, chapter, {**rows, number: row._replace(verdict=other)}) != []
        if CLAIMS[number - 1]["chapter"] == chapter:
            assert disagreements(CLAIMS, chapter, {n: r for n, r in rows.items() if n != number}) != []


NOTES = """
## What the notes say

| Statement | says | verdict | settled by |
|---|---|---|---|
| 28 | $D^*$ is right | right under stated assumptions | Theorem 3.1 and (3.6) |
| **30** | the argmax | imprecise | Theorem 2.1 of another book |

- **Statement 45** (imprecise). See (3.2).
- Statements 46 and 47: right. Of course.

Statement 48 is right under stated
assumptions, by Lemma 3.1.

## Next

| 99 | is elsewhere | wrong | (9.9) |
"""


def test_the_section_is_read(tmp_path: Path) -> None:
    path = tmp_path / "03_x.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": [NOTES]}]}), "utf-8")
    said = gll_ledger.said(path, DATA["verdicts"])
    assumed = "right under stated assumptions"
    assert said[28] == (assumed, ("Theorem 3.1", "(3.6)"))
    assert said[30] == ("imprecise", ())
    assert said[45] == ("imprecise", ("(3.2)",))
    assert said[46] == said[47] == ("right", ())
    assert said[48] == (assumed, ("Lemma 3.1",))
    assert set(said) == {28, 30, 45, 46, 47, 48}


# Suffixes of our own: Sphinx's default is one dict for the whole process, which other projects fill.
READING = {"root_doc": "index", "source_suffix": {".md": "markdown"}}


# --- The page ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> nodes.document:
    """The ledger page, read by Sphinx in a project that holds nothing else."""
    root = tmp_path_factory.mktemp("book")
    (root / "book").mkdir()
    for name in ("claims.json", "ledger.md", "notation.md"):
        shutil.copy(ROOT / "book" / name, root / "book" / name)
    (root / "index.md").write_text("# Index\n\n```{toctree}\nbook/ledger\nbook/notation\n```\n", "utf-8")
    settings = {
        "extensions": ["myst_parser", "gll", "gll_ledger"],
        "myst_enable_extensions": ["dollarmath", "colon_fence"],
        **READING,
    }
    warnings = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(root, None, root / "out", root / "trees", "html", settings, io.StringIO(), warnings)
        app.build()
    assert "ERROR" not in warnings.getvalue()
    (root / "warnings").write_text(warnings.getvalue())
    document = app.env.get_doctree("book/ledger")
    document["html"] = (root / "out" / "book" / "ledger.html").read_text("utf-8")
    return document


def table(page: nodes.document, name: str) -> nodes.table:
    return next(t for t in page.findall(nodes.table) if name in t["classes"])


def test_page_has_a_row_for_each_claim(page: nodes.document) -> None:
    rows = next(table(page, "gll-ledger").findall(nodes.tbody)).children
    assert [row["ids"] for row in rows] == [[f"claim-{n}"] for n in range(1, 205)]
    for row, claim in zip(rows, CLAIMS, strict=True):
        badge = next(n for n in row.findall(nodes.inline) if "gll-verdict" in n["classes"])
        assert badge.astext() == claim["verdict"]
        assert len(list(row.findall(nodes.math))) == len(mathematics(claim["says"] + claim["correction"]))


def test_anchors_are_unique(page: nodes.document) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page["html"])
    assert [i for i, n in Counter(ids).items() if n > 1] == []
    links = set(re.findall(r'href="#(claim-\d+)"', page["html"]))
    assert {"claim-13", "claim-14", "claim-90"} <= links <= set(ids)


def test_counts_on_the_page(page: nodes.document) -> None:
    rows = [[e.astext() for e in row] for row in next(table(page, "gll-counts").findall(nodes.tbody))]
    assert {row[0]: int(row[2]) for row in rows} == {**COUNTS, "all": 204}
    in_table = Counter(
        n.astext() for n in table(page, "gll-ledger").findall(nodes.inline) if "gll-verdict" in n["classes"]
    )
    assert in_table == COUNTS


def test_page_works_without_a_script(page: nodes.document) -> None:
    """The filter is hidden until the script shows it; no row is."""
    assert re.search(r"<form[^>]*\shidden>", page["html"])
    assert not re.search(r"<tr[^>]*\shidden", page["html"])


def test_every_filter_finds_something(page: nodes.document) -> None:
    options = [o for o in re.findall(r'<option value="([^"]*)"', page["html"]) if o]
    classes = [set(row["classes"]) for row in next(table(page, "gll-ledger").findall(nodes.tbody))]
    assert len(options) > 30
    for option in options:
        assert any(option in c for c in classes), option
    for row in classes:
        assert row <= set(options)


# --- The pages made from stored results ---------------------------------------------------------------------
TOLERANCE = {"kind": "within", "value": 0.02, "what": "a mean", "why": "four standard deviations"}
SCORE = {
    "notebook": "03_x",
    "lines": 3,
    "mutants": 9,
    "false": 7,
    "refused": 7,
    "survivors": [],
    "barren": [],
}
STORED: dict[str, Any] = {
    "ganlib/tolerances.json": {"03.mean": TOLERANCE, "03.new": TOLERANCE},
    "book/results/spread.json": {
        "values": {"03.mean": {"seeds": [0, 1], "measured": [0.51, 0.49], "derived": [0.5, 0.5]}}
    },
    "book/results/proofs.json": {
        "notebooks": [{**SCORE, "verdicts": {"proved": 2, "argued": 1}, "seconds": 1.5}] * 2
    },
    "book/results/game.json": {
        "title": "A game",
        "columns": ["loss", "FD"],
        "rows": [{"loss": "saturating", "FD": [1.0, 3.0]}, {"loss": "none", "FD": None}],
        "provenance": {"command": "make game", "torch": "2.13"},
    },
}
MADE = (
    "# Made\n\n```{results}\n```\n\n```{tolerances}\n```\n\n```{scores}\n```\n\n"
    "```{picture} picture.png\n:alt: a picture\n:caption: A picture.\n```\n"
)


def make(root: Path, stored: dict[str, Any], page: str = MADE) -> tuple[nodes.document, str]:
    """A page with every directive, in a project with these stored files; and the warnings."""
    for name, data in stored.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(data if isinstance(data, str) else json.dumps(data), "utf-8")
    (root / "index.md").write_text(page, "utf-8")
    warnings = io.StringIO()
    settings = {"extensions": ["myst_parser", "gll", "gll_ledger"], **READING}
    with patch_docutils(), docutils_namespace():
        app = Sphinx(root, None, root / "out", root / "trees", "html", settings, io.StringIO(), warnings)
        app.build()
    return app.env.get_doctree("index"), warnings.getvalue()


def cells(document: nodes.document, name: str) -> list[list[str]]:
    return [[e.astext() for e in row] for row in next(table(document, name).findall(nodes.tbody))]


def test_stored_results_become_tables(tmp_path: Path) -> None:
    document, warnings = make(tmp_path, STORED)
    assert "ERROR" not in warnings
    assert cells(document, "gll-result") == [["saturating", "2 (1 to 3, 2 seeds)"], ["none", ""]]
    assert "make game, torch 2.13" in document.astext()
    seen = [[row[0], row[1], row[3]] for row in cells(document, "gll-tolerances")]
    assert seen == [
        ["a mean (03.mean)", "within 0.02", "difference -0.01 to 0.01, 2 seeds"],
        ["a mean (03.new)", "within 0.02", "not measured yet"],
    ]
    scores = cells(document, "gll-scores")
    assert scores[0] == ["03_x", "2", "1", "0", "0", "9", "7", "7", "2", "1.5"]
    assert scores[2] == ["all", "4", "2", "0", "0", "18", "14", "14", "4", "3.0"]


def test_a_page_may_ask_for_some_results(tmp_path: Path) -> None:
    other = {**STORED["book/results/game.json"], "seeds": "2 seeds", "title": "Another"}
    stored = {**STORED, "book/results/other.json": other}
    document, _ = make(tmp_path, stored, "# Made\n\n```{results} other\n```\n")
    assert cells(document, "gll-result") == [["saturating", "2 (1 to 3)"], ["none", ""]]
    assert "Another, 2 seeds" in document.astext()
    assert "A game" not in document.astext()
    with pytest.raises(ExtensionError, match=r"nothing\.json: no such stored result"):
        make(tmp_path, stored, "# Made\n\n```{results} other nothing\n```\n")


def test_nothing_stored_is_no_error(tmp_path: Path) -> None:
    document, warnings = make(tmp_path, {})
    assert "ERROR" not in warnings
    assert list(document.findall(nodes.table)) == []
    assert "No result is stored yet." in document.astext()
    assert not list(document.findall(nodes.figure))


@pytest.mark.parametrize(
    ("text", "message"), [("{", "no JSON"), ('{"rows": []}', "names the command that makes it")]
)
def test_damaged_result_stops_the_build(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ExtensionError, match=message):
        make(tmp_path, {**STORED, "book/results/game.json": text})


# --- The statements called wrong are wrong, and their corrections hold --------------------------------------
t, a, s, x, z, eta = sp.symbols("t a s x z eta", positive=True)
HALF = sp.Rational(1, 2)
LOG4 = sp.log(4)


def bce(guess: sp.Expr, y: int) -> sp.Expr:
    return -(y * sp.log(guess) + (1 - y) * sp.log(1 - guess))


def same(left: Any, right: Any) -> bool:
    return sp.simplify(sp.sympify(left) - sp.sympify(right)) == 0


def C(p: list[sp.Expr], q: list[sp.Expr]) -> sp.Expr:
    """max_D V for two discrete laws; an atom that one law misses counts 0 for it."""
    terms = [m * sp.log(m / (u + v)) for u, v in zip(p, q, strict=True) for m in (u, v) if m != 0]
    return sp.Add(*terms)


def inception(rows: list[list[sp.Rational]]) -> tuple[sp.Expr, sp.Expr]:
    """(mean KL, Inception Score) of a table p(y | x), images as rows."""
    marginal = [sum(column) / sp.Integer(len(rows)) for column in zip(*rows, strict=True)]
    kl = sum(v * sp.log(v / m) for row in rows for v, m in zip(row, marginal, strict=True) if v != 0) / len(
        rows
    )
    kl = sp.simplify(kl)
    return kl, sp.simplify(sp.exp(kl))


K = 4
SHARP_SPREAD = [[sp.Integer(i == j) for j in range(K)] for i in range(K)]
SHARP_SAME = [[sp.Integer(j == 0) for j in range(K)] for _ in range(K)]
UNSURE = [[sp.Rational(1, K)] * K for _ in range(K)]
TURN = sp.Matrix([[1, -eta], [eta, 1]])
sigma = 1 / (1 + sp.exp(-a))
P2, Q2 = [HALF, HALF], [s, 1 - s]  # a law on two atoms and a family of generators


def q12() -> tuple[bool, bool]:
    loss = bce(t, 1)
    return same(loss, sp.log(t)), same(loss, -sp.log(t))


def q14() -> tuple[bool, bool]:
    loss = bce(t, 0)
    return same(loss, sp.log(1 - t)), same(loss, -sp.log(1 - t))


def q15() -> tuple[bool, bool]:
    loss = bce(t, 1) + 2 * bce(t, 0)  # p = 1, q = 2 at one point; the best answer is 1/3
    slope, bend = (sp.diff(loss, t, n).subs(t, sp.Rational(1, 3)) for n in (1, 2))
    return bool(slope == 0 and bend < 0), bool(slope == 0 and bend > 0)


def q20() -> tuple[bool, bool]:
    edge = sp.limit(sp.log(1 - t), t, 1, "-")
    return edge == -2, edge == -sp.oo and same(sp.log(1 - t).subs(t, 1 - sp.exp(-2)), -2)


def q23() -> tuple[bool, bool]:
    edge = sp.limit(sp.log(1 - t), t, 1, "-")
    return edge == 1, edge == -sp.oo and sp.diff(sp.log(1 - t), t).subs(t, HALF) < 0


def q38() -> tuple[bool, bool]:
    """z uniform on (0, 1), G(z) = 2z, D(x) = x/4."""
    right = sp.integrate(sp.log(1 - x / 4) / 2, (x, 0, 2))
    written = sp.integrate(sp.log(1 - (z / 2) / 4), (z, 0, 1))
    meant = sp.integrate(sp.log(1 - (2 * z) / 4), (z, 0, 1))
    return same(written, right), same(meant, right)


def q40() -> tuple[bool, bool]:
    inverse = -sp.log(x)  # G(z) = exp(-z), z with density exp(-z)
    signed = sp.simplify(sp.exp(-inverse) * sp.diff(inverse, x))
    total = sp.integrate(signed, (x, 0, 1))
    return total == 1, total == -1 and sp.integrate(sp.Abs(signed), (x, 0, 1)) == 1


def q53() -> tuple[bool, bool]:
    """All maps of three equally likely noise values into three points: which have the uniform law?"""
    maps = [(i, j, k) for i in range(3) for j in range(3) for k in range(3)]
    third = sp.Rational(1, 3)
    laws = {m: tuple(sp.Integer(m.count(i)) * third for i in range(3)) for m in maps}
    best = [m for m in maps if same(C([third] * 3, list(laws[m])), -LOG4)]
    return len(best) == 1, len(best) == 6 and len({laws[m] for m in best}) == 1


def q57() -> tuple[bool, bool]:
    """If the integral were the optimal generator, it would not depend on the generator put in."""
    value, quarter = C(P2, Q2), sp.Rational(1, 4)
    at = [value.subs(s, v) for v in (quarter, HALF)]
    return same(*at), same(at[1], -LOG4) and at[0] > at[1]


def q63() -> tuple[bool, bool]:
    cdf = sp.integrate(1, (z, 0, sp.sqrt(x)))  # z uniform, G(z) = z^2: {z: G(z) <= x} = (0, sqrt x)
    density = sp.diff(cdf, x)
    return same(sp.diff(density, x), 0), same(density, sp.diff(sp.sqrt(x), x)) and not same(density, 1)


def q72() -> tuple[bool, bool]:
    """The least value over a family of generators against the generator that has it."""
    values = {sp.Rational(n, 8): C(P2, [sp.Rational(n, 8), 1 - sp.Rational(n, 8)]) for n in range(1, 8)}
    best = min(values, key=lambda v: values[v].evalf())
    return same(values[best], best), best == HALF and same(values[best], -LOG4)


def q79() -> tuple[bool, bool]:
    p = [sp.Rational(3, 4), sp.Rational(1, 4)]
    D = [u / (u + v) for u, v in zip(p, Q2, strict=True)]
    frozen = [sum(sp.diff(v, s) * loss(d) for v, d in zip(Q2, D, strict=True)) for loss in (
        lambda d: 1 - d, lambda d: sp.log(1 - d))]  # fmt: skip
    kl = sum(u * sp.log(2 * u / (u + v)) for u, v in zip(p, Q2, strict=True))
    return same(frozen[0], frozen[1]), same(frozen[0], sp.diff(kl, s))


def q105() -> tuple[bool, bool]:
    in_D = sp.diff(sp.log(1 - t), t).subs(t, 0)
    logit = sp.Symbol("logit", real=True)
    in_logit = sp.limit(sp.diff(-sp.log(1 + sp.exp(logit)), logit), logit, -sp.oo)
    return in_D == 0, in_D == -1 and in_logit == 0


def q112() -> tuple[bool, bool]:
    """All mass on mode 0: the best discriminator rejects it there, and the best response is mode 1."""
    p, q = [HALF, HALF], [sp.Integer(1), sp.Integer(0)]
    D = [u / (u + v) for u, v in zip(p, q, strict=True)]
    response = D.index(max(D))
    return response == 0, response == 1


def q115() -> tuple[bool, bool]:
    """The updates of the table, (x - eta y, y + eta x), against the caption read literally."""
    u, v = sp.symbols("u v", real=True)
    f1, f2 = u * v, -u * v
    caption = sp.Matrix([u + eta * sp.diff(f1, u), v - eta * sp.diff(f2, v)]).jacobian([u, v])
    costs = sp.Matrix([u - eta * sp.diff(f1, u), v - eta * sp.diff(f2, v)]).jacobian([u, v])
    return caption == TURN, costs == TURN and set(caption.eigenvals()) == {1 - eta, 1 + eta}


def q118() -> tuple[bool, bool]:
    def closed(n: int) -> sp.Matrix:
        turn, grow = n * sp.atan(eta), (1 + eta**2) ** sp.Rational(n, 2)
        return grow * sp.Matrix([[sp.cos(turn), -sp.sin(turn)], [sp.sin(turn), sp.cos(turn)]])

    fits = all(sp.simplify(sp.expand_trig(closed(n) - TURN**n)) == sp.zeros(2) for n in (1, 2, 3))
    return not fits, fits


def q125() -> tuple[bool, bool]:
    """A generator that misses the data: its loss is at the supremum, and its slope in the logit vanishes."""
    apart = C([sp.Integer(1), sp.Integer(0)], [sp.Integer(0), sp.Integer(1)])
    logit = sp.Symbol("logit", real=True)
    slope = sp.limit(sp.diff(-sp.log(1 + sp.exp(logit)), logit), logit, -sp.oo)
    return same(apart, -LOG4), apart == 0 and slope == 0


def q169() -> tuple[bool, bool]:
    (high, score), (low, other) = inception(SHARP_SPREAD), inception(UNSURE)
    return bool(high > low and score < other), bool(high > low and score > other)


def q170() -> tuple[bool, bool]:
    sure = [sum(map(max, rows)) / len(rows) for rows in (SHARP_SPREAD, UNSURE)]
    higher = inception(SHARP_SPREAD)[0] > inception(UNSURE)[0]
    return bool(higher and sure[0] < sure[1]), bool(higher and sure[0] > sure[1])


def q174() -> tuple[bool, bool]:
    consistent, spread = inception(SHARP_SAME), inception(SHARP_SPREAD)
    return bool(consistent[1] > spread[1]), consistent == (0, 1) and spread == (sp.log(K), K)


def q176() -> tuple[bool, bool]:
    kl, score = inception(UNSURE)
    return bool(kl > inception(SHARP_SPREAD)[0] / 2), kl == 0 and score == 1


def q195() -> tuple[bool, bool]:
    """V on one point of the data space: D = t there, mass p fixed and q = s varying."""
    p = sp.Symbol("p", positive=True)
    value = p * sp.log(t) + s * sp.log(1 - t)
    affine = sp.diff(value, s, 2) == 0
    concave = (-sp.diff(value, t, 2)).is_nonnegative or all(
        sp.simplify(-sp.diff(part, t, 2)).subs(t, z / (1 + z)).simplify().is_positive
        for part in (p * sp.log(t), s * sp.log(1 - t))
    )
    rotation = sp.Matrix([[0, -1], [1, 0]]).eigenvals()  # the flow of xy, which is convex-concave
    return not (affine and concave), bool(affine and concave and set(rotation) == {sp.I, -sp.I})


REFUTED = {int(name[1:]): f for name, f in list(globals().items()) if re.fullmatch(r"q\d+", name)}


def test_every_wrong_statement_is_refuted_here() -> None:
    assert set(REFUTED) == WRONG


@pytest.mark.parametrize("number", sorted(REFUTED))
def test_refutation(number: int) -> None:
    as_the_notes_say, corrected = map(bool, REFUTED[number]())
    assert not as_the_notes_say, f"statement {number} holds after all"
    assert corrected, f"the correction of statement {number} does not hold"
