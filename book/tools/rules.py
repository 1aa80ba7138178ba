"""What every notebook keeps to, so that Colab, GitHub and the book show it alike: part of `make lint`.

    python book/tools/rules.py [03 04]

Each rule is a function from a notebook to complaints. tests/test_notebooks.py breaks each one on purpose.
"""

import json
import re
import sys
from collections.abc import Iterator

import nbformat
from address import COLAB_LINK, FIRST_CELL, Address
from canonical import ROOT, WIDGET_STATE, dumps, fingerprint, notebooks, read
from nbformat import NotebookNode

sys.path.append(str(ROOT / "book" / "_ext"))
from gll.boxes import LABEL, TAG
from gll.references import ELSEWHERE, PLURALS, REFERENCE, Links

MAX_BYTES = 2_000_000
MATH = re.compile(r"\$\$.*?\$\$|(?<![\\$])\$(?!\s)[^$\n]*?(?:\n[^$\n]+?)?(?<![\\\s])\$(?!\d)", re.S)
CODE = re.compile(r"^(```|~~~).*?^\1|(`+)(?!`).*?(?<!`)\2(?!`)", re.S | re.M)
PLAIN_CODE = re.compile(
    r"^```(?!\{).*?^```|(?<!\})`[^`\n]+`", re.S | re.M
)  # leaves {role}`...` and ```{directive}
MYST = {
    r"^ {0,3}:::": "a ::: fence",
    r"^ {0,3}(?:```|~~~)\{": "a ```{directive} fence",
    r"\{[a-z:]+\}`": "a {role}",
    r"^\([\w-]+\)=\s*$": "a (label)= target",
    r"\{\{.*?\}\}": "a {{substitution}}",
    r"^% ": "a % comment",
    r"^\+\+\+": "a +++ break",
    r"!\[[^\]]*\]\(": "a picture (make it in a cell)",
}
HTML = re.compile(r"</?(?!(?:details|summary)\b)[a-zA-Z][^>\n]*>")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|private|work|usr|opt|content)/[\w.-]+")


def code_cells(nb: NotebookNode) -> list[NotebookNode]:
    return [c for c in nb.cells if c.cell_type == "code" and c.source.strip()]


def outputs(nb: NotebookNode) -> Iterator[tuple[NotebookNode, NotebookNode]]:
    return ((cell, output) for cell in code_cells(nb) for output in cell.outputs)


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def prose(nb: NotebookNode) -> Iterator[str]:
    """The Markdown cells without code."""
    return (CODE.sub("", cell.source) for cell in nb.cells if cell.cell_type == "markdown")


# One rule each


def executed_in_order(nb: NotebookNode, name: str) -> Iterator[str]:
    counts = [cell.execution_count for cell in code_cells(nb)]
    if not counts or counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}: run make notebooks"


def outputs_are_of_this_code(nb: NotebookNode, name: str) -> Iterator[str]:
    if nb.metadata.get("ganlib", {}).get("made_from", {}).get("source") != fingerprint(nb)["source"]:
        yield "its code was changed after it was executed: run make notebooks"


def no_stored_error(nb: NotebookNode, name: str) -> Iterator[str]:
    for cell, output in outputs(nb):
        if output.output_type == "error" and "raises-exception" not in tags(cell):
            yield f"a stored error, {output.ename}: {output.evalue}"
        if output.output_type == "stream" and output.name == "stderr":
            yield f"text on stderr: {output.text.strip().splitlines()[0]!r}"


def something_is_compared(nb: NotebookNode, name: str) -> Iterator[str]:
    texts = (
        o
        for c, o in outputs(nb)
        if "nbval-ignore-output" not in tags(c) and "NBVAL_IGNORE_OUTPUT" not in tags(c)
    )
    if not any(
        o.output_type == "stream" or any(m.startswith("text/") for m in o.get("data", {})) for o in texts
    ):
        yield "no cell has a text output that nbval compares"


def first_cell(nb: NotebookNode, name: str) -> Iterator[str]:
    cells = code_cells(nb)
    address = Address.configured()
    if not cells or cells[0].source != address.first_cell:
        yield f"the first code cell is not the template of address.py, which begins {FIRST_CELL[:14]!r}"
    title = nb.cells[0]
    if title.cell_type != "markdown" or not title.source.startswith("# "):
        yield "the first cell is not Markdown that begins with the title, '# ...'"
    elif [found[0] for found in COLAB_LINK.finditer(title.source)] != [address.link(name)]:
        yield f"the title cell lacks its link to Colab: {address.link(name)}"
    if sum(len(re.findall(r"^# ", text, re.M)) for text in prose(nb)) != 1:
        yield "there is not exactly one level-one heading"


def plain_markdown(nb: NotebookNode, name: str) -> Iterator[str]:
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        text = MATH.sub("", PLAIN_CODE.sub("", cell.source))
        for pattern in MYST:
            if found := re.search(pattern, text, re.M):
                yield f"{MYST[pattern]}, which Colab shows raw: {found[0]!r}"
    for text in prose(nb):
        if found := HTML.search(re.sub(r"<https?://[^>]+>", "", MATH.sub("", text))):
            yield f"HTML other than <details> and <summary>: {found[0]!r}"
        if found := re.search(r"\\begin\{(?:align|equation|gather)\*?\}", MATH.sub("", text)):
            yield f"an equation outside $$: {found[0]!r}"


def pipes_in_mathematics(nb: NotebookNode, name: str) -> Iterator[str]:
    for text in prose(nb):
        for found in MATH.finditer(text):
            if not found[0].startswith("$$") and "|" in found[0]:
                yield rf"a pipe in {found[0]!r}, which tables split: write \mid, \lvert or \Vert"


def figures(nb: NotebookNode, name: str) -> Iterator[str]:
    for cell in code_cells(nb):
        if not any("image/png" in o.get("data", {}) for o in cell.outputs):
            continue
        style = cell.metadata.get("mystnb", {})
        if not style.get("image", {}).get("alt", "").strip():
            yield f"a figure without alternative text: {cell.source.splitlines()[-1]!r}"
        if not style.get("figure", {}).get("caption", "").strip():
            yield f"a figure without a caption: {cell.source.splitlines()[-1]!r}"
        if not re.fullmatch(r"fig-[a-z0-9-]+", style.get("figure", {}).get("name", "")):
            yield f"a figure without a name of the form fig-...: {cell.source.splitlines()[-1]!r}"
    for cell, output in outputs(nb):
        if "image/svg+xml" in output.get("data", {}):
            yield f"an SVG figure, which differs at each run: {cell.source.splitlines()[-1]!r}"


def widgets(nb: NotebookNode, name: str) -> Iterator[str]:
    shown = any("application/vnd.jupyter.widget-view+json" in o.get("data", {}) for _, o in outputs(nb))
    stored = nb.metadata.get("widgets", {}).get(WIDGET_STATE, {})
    if shown and not stored.get("state"):
        yield "a widget without stored state"
    if "widgets" in nb.metadata and "state" not in stored:
        yield "widget metadata without the key 'state', which GitHub does not render"


def seeded_layers(nb: NotebookNode, name: str) -> Iterator[str]:
    """``ganlib.nets`` draws weights from a seed; layers that a notebook makes draw them from torch."""
    code = "\n".join(cell.source for cell in code_cells(nb))
    found = re.search(r"\b(Discriminator|nn\.(Linear|Conv\w*|Embedding))\(", code)
    if found and "torch.manual_seed(" not in code:
        yield f"{found[0]}...) draws weights that no seed decides: call torch.manual_seed(seed) first"


def no_machine(nb: NotebookNode, name: str) -> Iterator[str]:
    for cell in nb.cells:
        text = cell.source + json.dumps(
            [{k: v for k, v in o.get("data", {}).items() if "png" not in k} for o in cell.get("outputs", [])]
        )
        text += "".join(o.text for o in cell.get("outputs", []) if o.output_type == "stream")
        if found := MACHINE.search(text):
            yield f"a path of one machine: {found[0]!r}"


def canonical_form(nb: NotebookNode, name: str) -> Iterator[str]:
    text = dumps(nb, name)
    if text != json.dumps(nb_plain(nb), indent=1, sort_keys=True, ensure_ascii=False) + "\n":
        yield "not in the canonical form that make notebooks writes"
    if len(text.encode()) > MAX_BYTES:
        yield f"{len(text.encode()) / 1e6:.1f} MB, over {MAX_BYTES / 1e6:.0f} MB"


def nb_plain(nb: NotebookNode) -> dict:
    """`nb` as its file holds it."""
    return json.loads(nbformat.writes(nb, version=4))


RULES = (
    executed_in_order,
    outputs_are_of_this_code,
    no_stored_error,
    something_is_compared,
    first_cell,
    plain_markdown,
    pipes_in_mathematics,
    figures,
    widgets,
    seeded_layers,
    no_machine,
    canonical_form,
)


def numbers(book: dict[str, NotebookNode]) -> Iterator[str]:
    """Labels are unique, in order, and begin with the chapter; every reference has its label."""
    labels: dict[str, str] = {}
    for name, nb in book.items():
        last: dict[str, tuple[int, ...]] = {}
        for cell in nb.cells:
            for kind, number in declared(cell):
                label = f"{kind} {number}" if kind else f"({number})"
                place = tuple(map(int, number.split(".")))
                if label in labels:
                    yield f"{name}: {label} already stands in {labels[label]}"
                if place <= last.get(kind, (-1, -1)):
                    yield f"{name}: {label} comes after {'.'.join(map(str, last[kind]))}"
                if name[:2].isdigit() and place[0] != int(name[:2]):
                    yield f"{name}: {label} should begin with {int(name[:2])}"
                labels[label], last[kind] = name, place
    for name, nb in book.items():
        for text in prose(nb):
            text = re.sub(r"\]\([^)]*\)", "]", MATH.sub("", text))
            for match in REFERENCE.finditer(text):
                if ELSEWHERE.match(text, match.end()):
                    continue
                for _, _, label in Links.labels(match):
                    if not label.startswith("Chapter") and label not in labels:
                        yield f"{name}: {label} stands nowhere in the book"


def declared(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    """(kind, number) of the boxes of a cell, then of its equations, whose kind is ''.

    The lines of a derivation carry their tags in what the cell shows.
    """
    if cell.cell_type == "code":
        shown = (output.get("data", {}).get("text/latex", "") for output in cell.outputs)
        yield from (("", number) for latex in shown for number in TAG.findall(latex))
        return
    text = CODE.sub("", cell.source)
    for found in re.finditer(r"^>\s*\*\*(.+?)\*\*", text, re.M):
        if (label := LABEL.match(found[1])) and label["number"] and label["kind"] in PLURALS:
            yield label["kind"], label["number"]
    yield from (("", number) for number in TAG.findall(text))


def names(book: dict[str, NotebookNode]) -> Iterator[str]:
    """Figure names are unique over the book."""
    seen: dict[str, str] = {}
    for name, nb in book.items():
        for cell in code_cells(nb):
            if figure := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
                if figure in seen:
                    yield f"{name}: the figure {figure} already stands in {seen[figure]}"
                seen[figure] = name


def check(book: dict[str, NotebookNode], *, only: set[str] | None = None) -> list[str]:
    """All complaints about the notebooks of `book` (name to notebook), one line each."""
    found = [
        f"{n}: {c}" for n, nb in book.items() if not only or n in only for rule in RULES for c in rule(nb, n)
    ]
    across = [*numbers(book), *names(book)]
    return found + [c for c in across if not only or c.split(":")[0] in only]


def main() -> int:
    book = {path.stem: read(path) for path in notebooks()}
    only = {path.stem for path in notebooks(sys.argv[1:])}
    complaints = check(book, only=only)
    print("\n".join(complaints) or f"{len(only)} notebooks keep to the rules.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
