"""The notebooks as committed: executed, canonical, true when they run again, alike wherever they are read."""

import copy
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import address
import author
import canonical
import colab_like
import execute
import nbformat
import pytest
import rules
import spread
from canonical import ROOT
from nbformat import NotebookNode

PATHS = canonical.notebooks()
ADDRESS = address.Address.configured()
ENVIRONMENT = canonical.kernel_environment()  # as it is before tests change it
NONE = pytest.param(None, id="none", marks=pytest.mark.skip(reason="there are no notebooks yet"))
each_notebook = pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in PATHS] or [NONE])

# Reading


@pytest.fixture(scope="module")
def book() -> dict[str, NotebookNode]:
    return {path.stem: canonical.read(path) for path in PATHS}


@each_notebook
def test_keeps_to_the_rules(path: Path, book: dict[str, NotebookNode]) -> None:
    assert rules.check(book, only={path.stem}) == []


@each_notebook
def test_file_is_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert canonical.dumps(canonical.read(path), path.stem) == text


# Each rule refuses what it is there to refuse

MARKDOWN = """\
# A claim

What you will be able to do.

> **Theorem 99.1 (Two).** For $p(y \\mid x)$, by definition,
> $$1 + 1 = 2. \\tag{99.1}$$

Theorem 99.1 says that $1 < 2$ and (99.1) says more, `a <b> c`.

<details><summary>Solution</summary>

Two.

</details>

```python
seed = 0
print(1 + 1)
```

```python mystnb={"image": {"alt": "A line"}, "figure": {"name": "fig-try", "caption": "A line."}}
draw()
```
"""
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FIGURE = {"image/png": PIXEL, "text/plain": "<Figure>"}
NAME = "99_try"


@pytest.fixture
def good() -> NotebookNode:
    """A notebook as it should be."""
    nb = author.to_notebook(MARKDOWN, NAME, ADDRESS)
    for count, cell in enumerate(rules.code_cells(nb), 1):
        cell.execution_count = count
    nb.cells[-2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="2\n")]
    nb.cells[-1].outputs = [nbformat.v4.new_output("display_data", data=FIGURE)]
    nb.metadata["ganlib"] = {"made_from": canonical.fingerprint(nb)}
    return canonical.canonical(nb, NAME)


def prose(nb: NotebookNode) -> NotebookNode:
    return nb.cells[2]


def test_a_good_notebook_passes(good: NotebookNode) -> None:
    assert rules.check({NAME: good}) == []


def append(text: str) -> Callable[[NotebookNode], None]:
    def edit(nb: NotebookNode) -> None:
        prose(nb).source += "\n\n" + text

    return edit


def edited(old: str, new: str, cell: int = 2) -> Callable[[NotebookNode], None]:
    def edit(nb: NotebookNode) -> None:
        assert old in nb.cells[cell].source
        nb.cells[cell].source = nb.cells[cell].source.replace(old, new)

    return edit


def error(nb: NotebookNode) -> None:
    raised = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    nb.cells[-2].outputs.append(raised)


def warned(nb: NotebookNode) -> None:
    nb.cells[-2].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="a warning\n"))


def widget(nb: NotebookNode) -> None:
    nb.cells[-1].outputs[0].data["application/vnd.jupyter.widget-view+json"] = {"model_id": "a" * 32}


def no_text(nb: NotebookNode) -> None:
    nb.cells[-2].outputs = []
    nb.cells[-1].outputs[0].data.pop("text/plain")


def ignored(nb: NotebookNode) -> None:
    for cell in nb.cells[-2:]:
        cell.metadata["tags"] = ["nbval-ignore-output"]


def stripped(nb: NotebookNode) -> None:
    for cell in nb.cells[-2:]:
        cell.update(execution_count=None, outputs=[])


def machine(nb: NotebookNode) -> None:
    nb.cells[-2].outputs[0].text = "/" + "home/me/x\n"


def large(nb: NotebookNode) -> None:
    nb.cells[-1].outputs[0].data["image/png"] = "A" * 2_100_000


def derived(nb: NotebookNode) -> None:
    nb.cells[-1].outputs[0].data["text/latex"] = r"$$a = b \tag{99.1}$$"


BREAKS = {
    "stripped": (stripped, "execution counts"),
    "run out of order": (lambda nb: nb.cells[-1].update(execution_count=7), "execution counts"),
    "code edited, not run": (edited("1 + 1", "1 + 2", -2), "changed after it was executed"),
    "stored error": (error, "a stored error, ValueError"),
    "warning": (warned, "text on stderr"),
    "nothing compared": (no_text, "no cell has a text output"),
    "all ignored": (ignored, "no cell has a text output"),
    "first cell edited": (edited("PASSIVE", "ACTIVE", 1), "first code cell"),
    "no Colab link": (edited("[Open in Colab]", "[Open]", 0), "link to Colab"),
    "Colab link to another notebook": (edited("99_try", "98_try", 0), "link to Colab"),
    "second title": (append("# Another"), "level-one heading"),
    "role": (append("see {cite}`a`"), "a {role}"),
    "directive": (append("```{note}\na\n```"), "{directive}"),
    "colon fence": (append(":::{note}\na\n:::"), "a ::: fence"),
    "target": (append("(here)=\n## There"), "a (label)= target"),
    "substitution": (append("{{ version }}"), "substitution"),
    "comment": (append("% unseen"), "a % comment"),
    "picture": (append("![a](b.png)"), "a picture"),
    "html": (append("a <b>bold</b> word"), "HTML other than"),
    "bare align": (append("\\begin{align}a\\end{align}"), "an equation outside"),
    "pipe": (append("the law $p(y|x)$ of"), "a pipe in"),
    "escaped pipe": (append("the divergence $KL(p \\| m)$ of"), "a pipe in"),
    "no alt": (lambda nb: nb.cells[-1].metadata.mystnb.pop("image"), "without alternative text"),
    "no caption": (lambda nb: nb.cells[-1].metadata.mystnb.figure.pop("caption"), "without a caption"),
    "no name": (lambda nb: nb.cells[-1].metadata.mystnb.figure.pop("name"), "without a name"),
    "svg": (lambda nb: nb.cells[-1].outputs[0].data.update({"image/svg+xml": "<svg/>"}), "an SVG figure"),
    "widget without state": (widget, "a widget without stored state"),
    "layers without a seed": (edited("1 + 1", "nn.Linear(1, 1)", -2), "draws weights that no seed decides"),
    "path of a machine": (machine, "path of one machine"),
    "other ids": (lambda nb: nb.cells[0].update(id="abc"), "canonical form"),
    "too large": (large, "MB, over 2 MB"),
    "number twice": (append("> **Theorem 99.1 (Again).** a"), "already stands in 99_try"),
    "number out of order": (append("> **Theorem 99.3.** a\n\n> **Theorem 99.2.** b"), "comes after 99.3"),
    "number of another chapter": (append("> **Lemma 98.1 (A).** a"), "should begin with 99"),
    "equation twice": (append("$$a \\tag{99.1}$$"), "already stands in 99_try"),
    "equation of a derivation twice": (derived, "already stands in 99_try"),
    "reference to nothing": (append("by Lemma 99.7"), "Lemma 99.7 stands nowhere"),
    "reference to no equation": (append("by (99.7)"), "(99.7) stands nowhere"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_notebook_is_refused(good: NotebookNode, what: str) -> None:
    edit, complaint = BREAKS[what]
    edit(good)
    assert any(complaint in line for line in rules.check({NAME: good})), rules.check({NAME: good})


def test_a_figure_name_used_twice_is_refused(good: NotebookNode) -> None:
    assert any("figure fig-try" in line for line in rules.check({NAME: good, "98_other": good}))


# Stored results that a chapter quotes

QUOTE = re.compile(r"stored in `book/results/(\w+\.json)`[^\n]*\n\n((?:\|.*(?:\n|$))+)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def numbers_in(stored: Any) -> set[str]:
    """Every number of a stored result, as text; those in its names too."""
    if isinstance(stored, dict):
        return set().union(*(numbers_in(part) for part in [*stored.keys(), *stored.values()]))
    if isinstance(stored, list):
        return set().union(*map(numbers_in, stored))
    return set(NUMBER.findall(str(stored)))


def not_stored(table: str, stored: Any) -> list[str]:
    """The numbers of a Markdown table that no number of the result rounds to, as it is or in percent."""
    known = {float(number) for number in numbers_in(stored)}
    digits = {n: len(n.partition(".")[2]) for n in NUMBER.findall(table)}
    return [n for n, d in digits.items() if n not in {f"{by * x:.{d}f}" for x in known for by in (1, 100)}]


def test_quoted_numbers_are_the_stored_ones(book: dict[str, NotebookNode]) -> None:
    quotes = [
        (name, json.loads((ROOT / "book" / "results" / file).read_text("utf-8")), table)
        for name, nb in book.items()
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for file, table in QUOTE.findall(cell.source)
    ]
    assert quotes
    for name, result, table in quotes:
        assert not_stored(table, result) == [], name
        other = NUMBER.sub(lambda n: n[0][:-1] + str((int(n[0][-1]) + 1) % 10), table)
        assert not_stored(other, result), name


# Running


def nbval(path: Path, timeout: int = 300) -> subprocess.CompletedProcess[str]:
    """nbval on one notebook, every stored output compared. Read the exit code: a timeout shows as xfails."""
    command = [sys.executable, "-m", "pytest", str(path), "-q", "--nbval", "--nbval-current-env"]
    command += ["--nbval-cell-timeout", str(timeout)]
    command += ["--nbval-sanitize-with", str(ROOT / "tests" / "nbval_sanitize.cfg")]
    command += ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(path.parent)]
    return subprocess.run(command, env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="session", autouse=True)
def beside(request: pytest.FixtureRequest) -> Iterator[dict[Path, Future]]:
    """nbval on the notebooks that this session asks for, one after another, beside the other tests.

    It begins with the first test of this file, after the browser's, who keep two cores busy by themselves.
    Most of a notebook runs in one thread, and so do the tests that follow.
    """
    asked = [item for item in request.session.items if item.get_closest_marker("last")]
    with ThreadPoolExecutor(1) as pool:
        yield {path: pool.submit(nbval, path) for item in asked if (path := item.callspec.params["path"])}
        pool.shutdown(cancel_futures=True)


@each_notebook
@pytest.mark.last
@pytest.mark.timeout(1200)
def test_outputs_hold_when_run_again(path: Path, beside: dict[Path, Future]) -> None:
    result = beside[path].result()
    assert result.returncode == 0, result.stdout[-6000:]


def small(folder: Path, source: str, text: str) -> Path:
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    path = folder / f"{NAME}.ipynb"
    canonical.write(path, nbformat.v4.new_notebook(cells=[cell]))
    return path


@pytest.mark.parametrize(
    ("source", "text", "passes"),
    [
        ("print(1 + 1, object())", "2 <object object at 0x0>\n", True),
        ("print(1 + 1)", "3\n", False),
        ("assert 1 + 1 == 3", "", False),
        ("import time\nprint(1, flush=True)\ntime.sleep(60)", "1\n", False),
    ],
    ids=["true", "other output", "assertion", "timeout"],
)
def test_nbval_tells_true_from_false(tmp_path: Path, source: str, text: str, passes: bool) -> None:
    assert (nbval(small(tmp_path, source, text), timeout=5).returncode == 0) is passes


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", ["00", "03"])  # one that trains nothing, and one that does
def test_executing_twice_writes_the_same_bytes(number: str) -> None:
    found = [path for path in PATHS if path.name.startswith(number)]
    if not found:
        pytest.skip(f"there is no notebook {number} yet")
    stored = canonical.read(found[0])

    def executed() -> str:
        nb = execute.execute(stored)
        nb.metadata["ganlib"] = stored.metadata[
            "ganlib"
        ]  # what made it may have changed, and nothing it shows
        return canonical.dumps(nb, found[0].stem)

    once = executed()
    if once != canonical.dumps(stored, found[0].stem):
        # Stored on another machine, whose last bits differ: then this machine must agree with itself.
        assert once == executed()


WIDGETS = """\
import anywidget
class Slider(anywidget.AnyWidget):
    _esm = "export default { render() {} }"
    def __repr__(self):
        return "Slider"
Slider()
"""


def test_execution_is_stable_and_masks_what_is_not(tmp_path: Path) -> None:
    """Ids of widgets, and addresses, differ between two raw runs, and not in ours."""
    sources = [ADDRESS.first_cell, "seed = 0\nprint(object())", WIDGETS, "object()"]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    raw = [execute.execute(nb) for _ in range(2)]
    texts = [canonical.dumps(one, NAME) for one in raw]
    assert texts[0] == texts[1]
    assert raw[0].cells != raw[1].cells, "the control: as executed, they differ"
    stored = json.loads(texts[0])["metadata"]["widgets"][canonical.WIDGET_STATE]["state"]
    view = json.loads(texts[0])["cells"][2]["outputs"][0]["data"][canonical.WIDGET_VIEW]
    assert view["model_id"] in stored
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(texts[0], encoding="utf-8")
    assert canonical.dumps(canonical.read(path), NAME) == texts[0]


def test_a_failing_notebook_is_left_as_it_was(tmp_path: Path, monkeypatch, capsys) -> None:
    path = small(tmp_path, "raise ValueError('no')", "")
    before = path.read_bytes()
    monkeypatch.setattr(execute, "notebooks", lambda names: [path])
    monkeypatch.setattr(sys, "argv", ["execute.py", "--force"])
    assert execute.main() == 1
    assert path.read_bytes() == before
    assert "ValueError" in capsys.readouterr().err


def test_stale_when_what_it_uses_changed(good: NotebookNode, tmp_path: Path, monkeypatch) -> None:
    assert canonical.stale(good) == []
    prose(good).source += "\n\nMore words."
    assert canonical.stale(good) == [], "prose needs no run"
    lock = tmp_path / "lock"
    lock.write_text(canonical.LOCK.read_text() + "another==1.0\n")
    monkeypatch.setattr(canonical, "LOCK", lock)
    assert canonical.stale(good) == ["lock"]
    good.cells[-2].source += "\nprint(2)"
    assert canonical.stale(good) == ["source", "lock"]


def test_words_of_a_module_are_not_its_meaning(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Words."""\n\nx = 1  # why\n"""What x is."""\n\n\ndef f():\n    """More."""\n    return x\n'
    )
    before = canonical.meaning(module)
    module.write_text('"""Other."""\nx = 1\n"""Else."""\ndef f():\n    """No more."""\n    return x  # so\n')
    assert canonical.meaning(module) == before
    module.write_text(module.read_text().replace("return x", "return x + 1"))
    assert canonical.meaning(module) != before


def test_used_files_follow_imports(tmp_path: Path) -> None:
    package = tmp_path / "ganlib"
    files = {
        "__init__.py": "def pretrained(name):\n    from ganlib.shipped import load\n    return load(name)\n",
        "shipped.py": "from ganlib import features\n",
        "game.py": "from .nets import mlp\n",
        "nets.py": "",
        "features.py": "WEIGHTS = 'digit-net.safetensors'\n",
        "derive/__init__.py": "from . import logs\n",
        "derive/logs.py": "",
        "explore/__init__.py": "",
        "explore/atoms.py": "from ganlib import game",
        "digit-net.safetensors": "",
        "gan-mnist.safetensors": "",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(exist_ok=True, parents=True)
        (package / name).write_text(text)

    def used(code: str) -> set[str]:
        return {str(path.relative_to(package)) for path in canonical.used(code, package)}

    assert used("import torch") == set()
    assert used("%pip list\nfrom ganlib.game import gan") == {"__init__.py", "game.py", "nets.py"}
    assert used("from ganlib import features") == {"__init__.py", "features.py", "digit-net.safetensors"}
    assert used("import ganlib\nG = ganlib.pretrained('gan-mnist')") == {
        "__init__.py",
        "shipped.py",
        "features.py",
        "digit-net.safetensors",
        "gan-mnist.safetensors",
    }, "what the package imports when it is called belongs to the caller alone"
    live = {"__init__.py", "explore/__init__.py", "explore/atoms.py", "game.py", "nets.py"}
    assert used("from ganlib.explore import AtomGame\n\nAtomGame()") == live, "figures are imported by name"
    assert used("from ganlib.derive import line") == {"__init__.py", "derive/__init__.py", "derive/logs.py"}


# Writing


def test_markdown_to_notebook_and_back(good: NotebookNode) -> None:
    assert good.cells[1].source == ADDRESS.first_cell
    assert author.to_markdown(good).strip() == MARKDOWN.strip()


def test_prose_edits_keep_outputs_and_code_edits_do_not(good: NotebookNode) -> None:
    words = author.to_notebook(MARKDOWN.replace("says more", "says it"), NAME, ADDRESS, good)
    assert words.cells[-2].outputs == good.cells[-2].outputs
    code = author.to_notebook(MARKDOWN.replace("1 + 1)", "1 + 2)"), NAME, ADDRESS, good)
    assert code.cells[-2].outputs == []


def test_spread_replaces_the_seed(good: NotebookNode) -> None:
    assert "seed = 7" in spread.seeded(copy.deepcopy(good), 7).cells[-2].source
    good.cells[-2].source = "print(1)"
    with pytest.raises(ValueError, match="seed = 0"):
        spread.seeded(good, 7)


def test_one_address_everywhere() -> None:
    assert address.disagreeing() == []


def test_address_reaches_every_file(tmp_path: Path, good: NotebookNode) -> None:
    for name in ("_config.yml", "CITATION.cff", "README.md", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "notebooks").mkdir()
    ours = f"[code]({ADDRESS.url}/blob/{ADDRESS.branch}/ganlib/game.py) and [page]({ADDRESS.site}/a.html)"
    append(f"See {ours}, and [theirs](https://github.com/someone/else).")(good)
    canonical.write(tmp_path / "notebooks" / f"{NAME}.ipynb", good)
    assert address.disagreeing(tmp_path) == []
    config = (tmp_path / "_config.yml").read_text()
    config = config.replace(ADDRESS.url, "https://github.com/Someone/another-name")
    (tmp_path / "_config.yml").write_text(config.replace("branch: main", "branch: v1.0"))
    assert len(address.disagreeing(tmp_path)) >= 3
    address.disagreeing(tmp_path, mend=True)
    assert address.disagreeing(tmp_path) == []
    text = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert ADDRESS.url not in text
    assert "git+https://github.com/Someone/another-name@v1.0" in text
    assert "https://github.com/Someone/another-name/blob/v1.0/ganlib/game.py" in text
    assert "colab.research.google.com/github/Someone/another-name/blob/v1.0/notebooks/99_try.ipynb" in text
    assert "https://github.com/someone/else" in text
    assert canonical.read(tmp_path / "notebooks" / f"{NAME}.ipynb").cells[-2].outputs, "outputs stay"


# Colab


def test_first_cell_installs_on_colab_and_nowhere_else(tmp_path: Path) -> None:
    """The first cell, run by IPython in a new environment that sees our packages but not our ganlib."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    site = next((tmp_path / "env" / "lib").glob("python*")) / "site-packages"
    # Through a .pth file our packages are importable; our editable ganlib, itself a .pth file, is not.
    (site / "ours.pth").write_text(str(Path(pytest.__file__).parents[1]) + "\n")
    cell = tmp_path / "cell.ipy"
    cell.write_text(ADDRESS.first_cell + "\n")

    def ganlib_after(**variables: str) -> str:
        env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
        subprocess.run([python, "-m", "IPython", cell], env=env, cwd=tmp_path, check=True, timeout=600)
        probe = [python, "-c", "import importlib.util as u; s = u.find_spec('ganlib'); print(s and s.origin)"]
        return subprocess.run(probe, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    assert ganlib_after() == "None"
    variables = {**colab_like.published(tmp_path), **colab_like.stubbed(tmp_path)}
    assert ganlib_after(**variables) == str(site / "ganlib" / "__init__.py")
    files = (p.relative_to(ROOT) for p in (ROOT / "ganlib").rglob("*") if p.is_file())
    shipped = [p for p in files if p.suffix in {".py", ".safetensors", ".json", ".js"}]
    assert [p for p in shipped if not (site / p).is_file()] == [], "files of ganlib that the wheel leaves out"
