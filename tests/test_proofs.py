"""Every line of every notebook: decided again, and corrupted.

The derivations are collected from the notebooks themselves. `make test` draws a seeded sample of false
corruptions for each line; with GANLIB_FULL=1 (`make test-full`) all of them are tried.
"""

import json
import os
from pathlib import Path

import pytest

from ganlib.derive import Refused, collect
from ganlib.derive.chain import CHECKED

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.ipynb"))
SAMPLE = None if os.environ.get("GANLIB_FULL") else 3
CENTRAL = ("03", "04", "06")  # their results are proved, or argued with every hypothesis stated

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def derivations(request):
    return request.param.stem, collect(request.param)


def test_every_line_holds_and_every_hypothesis_is_used(derivations):
    _, chains = derivations
    for chain in chains:
        chain.complete()


def test_false_corruptions_are_refused(derivations):
    name, chains = derivations
    for chain in chains:
        score = chain.score(SAMPLE)
        assert not score.survivors, f"{name}: accepted though false: {score.survivors}"
        assert not score.barren, f"{name}: no false corruption: {score.barren}"


def test_only_side_remarks_are_checked_numerically(derivations):
    name, chains = derivations
    numeric = [e for chain in chains for e in chain.entries if e.verdict == CHECKED]
    if name[:2] in CENTRAL:
        assert len(numeric) <= 2, [e.plain() for e in numeric]
        for e in numeric:
            assert "numerical" in e.why or "no closed form" in e.why, f"{e.plain()}: the reason is not given"


def notebook(tmp_path, source, tags=("derivation",)):
    path = tmp_path / "99_broken.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}
    path.write_text(json.dumps({"cells": [cell]}))
    return path


TRUE = """
from sympy import log
from ganlib.derive import Derivation, positive
d = Derivation("a product", p=positive, q=positive)
p, q = d.symbols
d.equal(log(p * q), log(p) + log(q))
"""


def test_a_flipped_sign_is_caught(tmp_path):
    assert collect(notebook(tmp_path, TRUE))[0].verdicts["proved"] == 1
    with pytest.raises(Refused, match="false at"):
        collect(notebook(tmp_path, TRUE.replace("+ log(q)", "- log(q)")))


def test_an_unused_symbol_is_caught(tmp_path):
    source = TRUE.replace("q=positive)", "q=positive, r=positive)").replace("p, q =", "p, q, r =")
    (chain,) = collect(notebook(tmp_path, source))
    with pytest.raises(Refused, match="r declared"):
        chain.complete()


def test_an_untagged_notebook_is_caught(tmp_path):
    with pytest.raises(ValueError, match="no derivation found"):
        collect(notebook(tmp_path, TRUE, tags=()))
