"""Write a notebook as Markdown, or turn one back into Markdown.

    python book/tools/author.py path/to/08_games.md     writes notebooks/08_games.ipynb
    python book/tools/author.py --to-md 08 [folder]     writes 08_games.md there, or here

Code cells are ```python fences (jupytext's Markdown), with a cell's metadata after `python` on the fence
line. The identical first cell and the Colab link are put in here; do not write them. When the code has not
changed, stored outputs stay; otherwise `make notebooks` executes the notebook next.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
from address import COLAB_LINK, Address, dress
from canonical import NOTEBOOKS, ROOT, fingerprint, notebooks, read, write
from nbformat import NotebookNode

COLUMNS = 80  # of code that a page shows without scrolling


def formatted(code: str) -> str:
    """`code` in ruff's format, as narrow as a page; cells with magics stay as they are.

    Raises:
        SystemExit: the code does not parse.
    """
    if any(line.startswith(("%", "!")) for line in code.splitlines()):
        return code
    narrow = ("--line-length", str(COLUMNS), "--config", "format.skip-magic-trailing-comma=true")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", *narrow, "-"]
    ruff = subprocess.run(command, input=code, capture_output=True, text=True)
    if ruff.returncode:
        raise SystemExit(f"a code cell does not parse:\n{ruff.stderr}\n{code}")
    return ruff.stdout.rstrip("\n")


def to_notebook(text: str, name: str, address: Address, stored: NotebookNode | None = None) -> NotebookNode:
    """The notebook that jupytext Markdown describes, with the outputs of `stored` where its code is the same.

    Raises:
        SystemExit: the text does not begin with a level-one heading.
    """
    nb = jupytext.reads(text, fmt="md")
    if not nb.cells or nb.cells[0].cell_type != "markdown" or not nb.cells[0].source.startswith("# "):
        raise SystemExit(f"{name}: the first cell must be Markdown and begin with the title, '# ...'.")
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = formatted(cell.source)
    # The title and its Colab link stand alone above the first cell; the rest of the opening text follows it.
    title, _, rest = nb.cells[0].source.partition("\n")
    opening = [nbformat.v4.new_markdown_cell(rest.strip())] if rest.strip() else []
    first = nbformat.v4.new_code_cell(address.first_cell)
    nb.cells[:1] = [nbformat.v4.new_markdown_cell(title), first, *opening]
    nb = dress(nb, name, address, address)
    if stored and fingerprint(stored)["source"] == fingerprint(nb)["source"]:
        nb.metadata.update({k: stored.metadata[k] for k in ("ganlib", "widgets") if k in stored.metadata})
        code = ([c for c in n.cells if c.cell_type == "code"] for n in (nb, stored))
        for new, old in zip(*code, strict=True):
            new.outputs, new.execution_count = old.outputs, old.execution_count
    return nb


def to_markdown(nb: NotebookNode) -> str:
    """The jupytext Markdown of `nb`, without first cell, Colab link and outputs."""
    nb = nbformat.from_dict(nb)
    cells = [c for c in nb.cells if not (c.cell_type == "code" and "google.colab" in c.source)]
    cells[0].source = COLAB_LINK.sub("", cells[0].source).strip()
    if len(cells) > 1 and cells[1].cell_type == "markdown":
        cells[0].source += "\n\n" + cells.pop(1).source
    return jupytext.writes(nbformat.v4.new_notebook(cells=cells), fmt="md").split("---\n", 2)[-1].lstrip("\n")


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--to-md", metavar="NN", help="the notebook to turn back into Markdown")
    parser.add_argument("path", nargs="?", type=Path, help="the Markdown file, or the folder to write it to")
    options = parser.parse_args()
    if options.to_md:
        for path in notebooks([options.to_md]):
            target = (options.path or Path()) / f"{path.stem}.md"
            target.write_text(to_markdown(read(path)), encoding="utf-8")
            print(target)
        return
    if not options.path:
        parser.error("name the Markdown file of the notebook")
    target = NOTEBOOKS / f"{options.path.stem}.ipynb"
    target.parent.mkdir(exist_ok=True)
    stored = read(target) if target.exists() else None
    text = options.path.read_text(encoding="utf-8")
    write(target, to_notebook(text, target.stem, Address.configured(), stored))
    print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
