"""What a committed notebook looks like: executed in a fixed environment, written byte for byte alike.

`make notebooks` (execute.py) writes this form, author.py and address.py keep it, and the tests check it.
"""

import ast
import hashlib
import json
import os
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from ganlib.explore import FIGURES, strip_esm

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
LOCK = ROOT / ".ci" / "requirements.lock"

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
THREADS = "2"

_MODEL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,16}")
_MAGIC = re.compile(r"^(\s*)(?:%%?(?=\w)|!(?!=)).*$", re.M)


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The notebooks of the book in order, or those whose file names begin with one of `names`.

    Raises:
        SystemExit: no notebook bears one of the names.
    """
    every = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        return every
    chosen = {name: [p for p in every if p.name.startswith(Path(name).stem)] for name in names}
    for name, found in chosen.items():
        if not found:
            there = ", ".join(p.stem for p in every) or "none yet"
            raise SystemExit(f"No notebook begins with {name!r}. There are: {there}.")
    return [p for p in every if any(p in found for found in chosen.values())]


def kernel_environment(**extra: str) -> dict[str, str]:
    """The environment a kernel runs in: nothing the outputs depend on is left to the machine's owner."""
    env = dict(os.environ, **extra)
    env.update(
        OMP_WAIT_POLICY="PASSIVE",
        OMP_NUM_THREADS=THREADS,  # the order of a sum, and so its last bit, depends on it
        PYTHONHASHSEED="0",
        TQDM_DISABLE="1",
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        PYDEVD_DISABLE_FILE_VALIDATION="1",
    )
    env.pop("MKL_NUM_THREADS", None)
    return env


def read(path: Path) -> NotebookNode:
    """Read a notebook of any minor version of format 4."""
    return nbformat.read(path, as_version=4)


def write(path: Path, nb: NotebookNode) -> None:
    """Write `nb` in canonical form, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(dumps(nb, path.stem), encoding="utf-8")
    os.replace(part, path)


def dumps(nb: NotebookNode, name: str) -> str:
    """The canonical text of a notebook called `name`."""
    nb = canonical(nb, name)
    nbformat.validate(nb)
    plain = json.loads(nbformat.writes(nb, version=4))
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def canonical(nb: NotebookNode, name: str) -> NotebookNode:
    """A copy without what differs between two runs: ids, addresses, versions, times, paths in tracebacks."""
    nb = nbformat.from_dict(json.loads(json.dumps(nb)))
    nb.nbformat, nb.nbformat_minor = 4, 5
    kept = {key: nb.metadata[key] for key in ("ganlib", "widgets") if key in nb.metadata}
    nb.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **kept,
        }
    )
    for position, cell in enumerate(nb.cells):
        cell.id = f"cell-{position:02d}"
        for key in ("ExecuteTime", "collapsed", "execution", "scrolled"):
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            _mask(output, alt=cell.metadata.get("mystnb", {}).get("image", {}).get("alt"))
    stored = strip_esm(nb.metadata.get("widgets", {}).get(WIDGET_STATE, {}))
    state = stored.get("state", {})
    if not state:
        nb.metadata.pop("widgets", None)
        return nb
    nb.metadata["widgets"][WIDGET_STATE] = nbformat.from_dict(stored)
    # Models come in the order of their creation, which is the order of the code. Numbered once, they keep
    # their ids: a second pass finds them in sorted order and must not shuffle them.
    new = [hashlib.sha256(f"{name}:{i}".encode()).hexdigest()[:32] for i in range(len(state))]
    if set(state) == set(new):
        return nb
    ids = dict(zip(state, new, strict=True))
    text = _MODEL_ID.sub(lambda found: ids.get(found[0], found[0]), json.dumps(nb))
    return nbformat.from_dict(json.loads(text))


def _mask(output: NotebookNode, alt: str | None) -> None:
    if output.output_type == "error":
        output.traceback = [f"{output.ename}: {output.evalue}"]
    if output.output_type == "stream":
        output.text = _ADDRESS.sub("0x0", output.text)
    for mime, data in list(output.get("data", {}).items()):
        if mime.startswith("text/") and isinstance(data, str):
            output.data[mime] = _ADDRESS.sub("0x0", data)
    if WIDGET_VIEW in output.get("data", {}):
        output.data.pop("text/html", None)
    if alt and "image/png" in output.get("data", {}):
        # Colab and nbconvert read the alternative text here, MyST-NB in the cell's metadata.
        output.metadata["image/png"] = {**output.metadata.get("image/png", {}), "alt": alt}


# What a stored output was made from


def fingerprint(nb: NotebookNode) -> dict[str, str]:
    """Hashes of what the outputs depend on: the code cells, what they use of ganlib, the lock.

    The first code cell is left out: it holds the repository's address, does nothing outside Colab, and is
    tested against its template.
    """
    code = [c for c in nb.cells if c.cell_type == "code"][1:]
    source = [[c.source, sorted(c.metadata.get("tags", []))] for c in code]
    text = "\n".join(c.source for c in code)
    pins = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    return {
        "source": _sha(json.dumps(source)),
        "ganlib": _sha(*map(meaning, used(text)), json.dumps(_tolerances(text))),
        "lock": _sha("\n".join(pins)),
    }


class _Wordless(ast.NodeTransformer):
    """Drops docstrings, and every other string that stands alone."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if alone else node


def meaning(path: Path) -> bytes:
    """What a file of ganlib does: Python without comments and docstrings, other files as they are."""
    if path.suffix != ".py":
        return path.read_bytes()
    return ast.unparse(_Wordless().visit(ast.parse(path.read_text("utf-8")))).encode()


def stale(nb: NotebookNode) -> list[str]:
    """Which parts of the fingerprint differ from the stored one: some of source, ganlib, lock."""
    stored = nb.metadata.get("ganlib", {}).get("made_from", {})
    return [part for part, value in fingerprint(nb).items() if stored.get(part) != value]


def used(code: str, package: Path = ROOT / "ganlib") -> list[Path]:
    """The files of ganlib that `code` reaches: imported modules, and data files those modules name."""
    found: set[Path] = set()
    queue = [(code, None)]
    files = (p for p in package.rglob("*") if p.suffix in {".safetensors", ".json"})
    data = [p for p in files if p.name != "tolerances.json"]  # its entries count one by one
    if "pretrained(" in code:  # which the package imports when it is called
        queue.append(("import ganlib.shipped", None))
        found.update(p for p in data if p.stem in code)
    if "ganlib.explore import" in code:  # its figures come by name
        queue += [(f"import ganlib.explore.{FIGURES[name]}", None) for name in FIGURES if f"{name}(" in code]
    while queue:
        text, here = queue.pop()
        for module in _imports(text, here, package):
            if module not in found:
                found.add(module)
                queue.append((module.read_text(), module))
        if here:
            found.update(p for p in data if p.name in text)
    return sorted(found)


def _imports(code: str, here: Path | None, package: Path) -> set[Path]:
    names: set[tuple[Path, str]] = set()
    tree = ast.parse(_MAGIC.sub(r"\1pass", code))
    # What the package itself imports inside a function belongs to those who call it.
    for node in tree.body if here == package / "__init__.py" else ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update((package.parent, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here.parents[node.level - 1] if node.level and here else package.parent
            stem = node.module or ""
            names.update((base, f"{stem}.{alias.name}".strip(".")) for alias in node.names)
            names.add((base, stem))
    files = set()
    for base, name in names:
        parts = [p for p in name.split(".") if p]
        for depth in range(len(parts) + 1):
            target = base.joinpath(*parts[:depth])
            files.update(p for p in (target.with_suffix(".py"), target / "__init__.py") if p.is_file())
    return {p for p in files if p.is_relative_to(package)}


def _tolerances(code: str) -> dict:
    table = ROOT / "ganlib" / "tolerances.json"
    entries = json.loads(table.read_text()) if table.is_file() else {}
    return {key: [entry["kind"], entry["value"]] for key, entry in entries.items() if key in code}


def _sha(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:16]
