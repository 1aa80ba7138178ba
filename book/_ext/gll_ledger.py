"""The pages that are made from data: the ledger of claims, stored results, tolerances and scores.

Directives: ``ledger``, ``ledger-counts``, ``ledger-sources``, ``results``, ``tolerances``, ``scores`` and
``picture``. Role: ``ledger``. In running text "Statement 28" becomes a link to its row. A file that does not
exist yet leaves an empty place; one that is there and malformed stops the build with one message.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from gll.references import PLURALS
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode
from sphinx.util.osutil import relative_uri

LEDGER = "book/ledger"
FIELDS = {
    "id": int,
    "sources": list,
    "part": str,
    "says": str,
    "verdict": str,
    "correction": str,
    "chapter": (int, type(None)),
}
SECTION = "What the notes say"
ROW = re.compile(
    r"^(?:\|\s*|[-*]\s+|>\s*)?\**(?:Statements?\s+)?(?P<numbers>\d+(?:(?:, and |, | and | to |[–-])\d+)*)\b"
    r"(?P<rest>.*?)(?=^\s*$|^\||^[-*]\s|\Z)",
    re.M | re.S,
)
# What chapter {0} numbers; other numbers may be another book's.
PLACES = rf"(?:{'|'.join(PLURALS)}) {{0}}\.\d+|\({{0}}\.\d+\)"


# --- the data -----------------------------------------------------------------------------------------------
def read_claims(path: Path) -> dict[str, Any]:
    """The ledger's data: sources, verdicts, chapters and claims.

    Raises:
        ExtensionError: names the claim and the field that is missing or out of range.
    """
    data = json.loads(path.read_text("utf-8"))
    for n, claim in enumerate(data["claims"], 1):
        where = f"{path.name}: claim {claim.get('id', f'number {n} of the list')}"
        for field, kind in FIELDS.items():
            if field not in claim or not isinstance(claim[field], kind):
                raise ExtensionError(f"{where}: the field {field!r} is missing or of another type")
        if claim["id"] != n:
            raise ExtensionError(f"{where}: expected the id {n}; the claims stand in order, without gaps")
        for field, known in (("sources", data["sources"]), ("verdict", data["verdicts"])):
            for value in [claim[field]] if isinstance(claim[field], str) else claim[field]:
                if value not in known:
                    raise ExtensionError(f"{where}: {field} {value!r} is none of {', '.join(known)}")
        if claim["chapter"] is not None and str(claim["chapter"]) not in data["chapters"]:
            raise ExtensionError(f"{where}: there is no chapter {claim['chapter']}")
    return data


def counts(data: dict[str, Any]) -> dict[str, int]:
    """How many claims have each verdict, in the order of the verdicts."""
    found = Counter(claim["verdict"] for claim in data["claims"])
    return {verdict: found[verdict] for verdict in data["verdicts"]}


def notebook_of(chapter: int, root: Path) -> Path | None:
    """The notebook of a chapter, if it is written."""
    return next(iter(sorted((root / "notebooks").glob(f"{chapter:02d}_*.ipynb"))), None)


class Said(NamedTuple):
    """What a chapter says about one statement."""

    verdict: str
    places: tuple[str, ...]


def numbers(text: str) -> list[int]:
    """The numbers in "28", "13 and 14" or "58 to 62"."""
    out: list[int] = []
    for first, last in re.findall(r"(\d+)(?:\s*(?:to|–|-)\s*(\d+))?", text):
        out += range(int(first), int(last or first) + 1)
    return out


def said(notebook: Path, verdicts: Iterable[str]) -> dict[int, Said]:
    """What the section "What the notes say" of a notebook says about each statement.

    It holds rows of a table whose first cell is the number, or items and paragraphs that begin with
    "Statement 28". The verdict is the cell that holds nothing else, or else the first one named after the
    number; the places are the chapter's own theorems and equations after that.
    """
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    section = re.search(rf"^##? {SECTION}\b.*?$(.*?)(?=^##? |\Z)", text, re.M | re.S)
    if section is None:
        return {}
    names = sorted((r"\s+".join(verdict.split()) for verdict in verdicts), key=len, reverse=True)
    cell = re.compile(rf"\|\s*[*_]*({'|'.join(names)})[*_]*\s*\|", re.I)
    anywhere = re.compile(rf"\b({'|'.join(names)})\b", re.I)
    places = re.compile(PLACES.format(int(notebook.name[:2])))
    out: dict[int, Said] = {}
    for row in ROW.finditer(section[1]):
        if (named := cell.search(row["rest"]) or anywhere.search(row["rest"])) is not None:
            found = dict.fromkeys(places.findall(row["rest"], named.end(1)))
            for number in numbers(row["numbers"]):
                if number in out:
                    raise ExtensionError(f"{notebook.name}: {SECTION!r} has statement {number} twice")
                out[number] = Said(" ".join(named[1].lower().split()), tuple(found))
    return out


# --- nodes --------------------------------------------------------------------------------------------------


def badge(verdict: str) -> nodes.inline:
    return nodes.inline("", verdict, classes=["gll-verdict", f"gll-v-{nodes.make_id(verdict)}"])


class Made(SphinxDirective):
    """What the directives share: files of the book, inline Markdown and tables."""

    @property
    def root(self) -> Path:
        return Path(self.env.srcdir)

    def use(self, path: Path) -> Path:
        """`path`, with the page rebuilt when it changes."""
        self.env.note_dependency(str(path))
        return path

    def claims(self) -> dict[str, Any]:
        return read_claims(self.use(self.root / "book" / "claims.json"))

    def inline(self, text: str) -> list[nodes.Node]:
        """Inline Markdown, mathematics included."""
        holder = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), 0, holder)
        return holder[0].children if len(holder) else []

    def table(
        self,
        head: list[str],
        rows: Iterable[tuple[str | None, list[Any]]],
        widths: list[int],
        caption: str,
        classes: list[str],
    ) -> nodes.table:
        """A table of (anchor, cells) rows; a cell is Markdown or a list of nodes."""
        group = nodes.tgroup("", *(nodes.colspec(colwidth=w) for w in widths), cols=len(widths))
        group += nodes.thead("", self.row(None, head))
        group += nodes.tbody("", *(self.row(*row) for row in rows))
        title = nodes.title("", "", *self.inline(caption))
        return nodes.table("", title, group, classes=["colwidths-given", *classes])

    def row(self, anchor: str | None, cells: list[Any]) -> nodes.row:
        out = nodes.row(ids=[anchor] if anchor else [])
        for cell in cells:
            content = self.inline(cell) if isinstance(cell, str) else cell
            out += nodes.entry("", nodes.paragraph("", "", *content))
        return out

    def stored(self, path: Path) -> Any:
        """A JSON file, or ``None`` where it does not exist yet.

        Raises:
            ExtensionError: it is there and is no JSON.
        """
        if not path.is_file():
            return None
        try:
            return json.loads(self.use(path).read_text("utf-8"))
        except ValueError as error:
            raise ExtensionError(f"{path}: no JSON ({error}); make it again with its command") from None


# --- the ledger ---------------------------------------------------------------------------------------------
class Ledger(Made):
    """Every claim as a row, with a filter that appears where scripts run."""

    def run(self) -> list[nodes.Node]:
        self.rows: dict[int, dict[int, Said]] = {}  # what the written chapters say
        data = self.claims()
        rows = [(f"claim-{claim['id']}", self.cells(claim, data)) for claim in data["claims"]]
        head = ["No.", "The notes say", "Verdict, and what is true"]
        caption = "The statements of the source notes, in our words"
        table = self.table(head, rows, [7, 42, 51], caption, ["gll-ledger"])
        for row, claim in zip(next(table.findall(nodes.tbody)), data["claims"], strict=True):
            row["classes"] = [f"s-{source}" for source in claim["sources"]]
            row["classes"] += [f"v-{nodes.make_id(claim['verdict'])}", f"c-{claim['chapter'] or 'none'}"]
        form = nodes.raw("", STYLE + self.form(data), format="html")
        return [form, table, nodes.raw("", SCRIPT, format="html")]

    def cells(self, claim: dict[str, Any], data: dict[str, Any]) -> list[Any]:
        source = f"{' and '.join(claim['sources'])}: {claim['part']}"
        return [
            [nodes.strong("", str(claim["id"]))],
            [*self.inline(claim["says"]), nodes.Text(" "), nodes.inline("", source, classes=["gll-source"])],
            [
                badge(claim["verdict"]),
                nodes.Text(" "),
                *self.inline(claim["correction"].removeprefix("Right. ")),  # the verdict has just said so
                nodes.Text(" "),
                nodes.inline("", "", *self.inline(self.settled(claim, data)), classes=["gll-source"]),
            ],
        ]

    def settled(self, claim: dict[str, Any], data: dict[str, Any]) -> str:
        """Which chapter settles a claim and, once it is written, with which theorems or lines."""
        if (chapter := claim["chapter"]) is None:
            return "Settled here."
        title = data["chapters"][str(chapter)]
        if (notebook := notebook_of(chapter, self.root)) is None:
            return f"Will be settled in chapter {chapter}, {title}."
        rows = self.rows.get(chapter)
        if rows is None:
            rows = self.rows[chapter] = said(self.use(notebook), data["verdicts"])
        anchor = SECTION.lower().replace(" ", "-")
        places = "".join(f", {place}" for place in rows[claim["id"]].places) if claim["id"] in rows else ""
        return f"[Chapter {chapter}, {title}](/notebooks/{notebook.name}#{anchor}){places}"

    def form(self, data: dict[str, Any]) -> str:
        used = {str(claim["chapter"]) for claim in data["claims"]}
        choices = {
            "Verdict": {f"v-{nodes.make_id(v)}": v for v in data["verdicts"]},
            "Source": {f"s-{s}": f"{s}, {label}" for s, label in data["sources"].items()},
            "Chapter": {f"c-{n}": f"{n}. {t}" for n, t in data["chapters"].items() if n in used}
            | {"c-none": "no chapter"},
        }
        fields = "".join(
            f'<label>{name} <select><option value="">all</option>'
            + "".join(f'<option value="{value}">{label}</option>' for value, label in options.items())
            + "</select></label>"
            for name, options in choices.items()
        )
        return (
            f'<form class="gll-filter" role="search" aria-label="Filter the ledger" hidden>{fields}'
            '<label>Words <input type="search" autocomplete="off"></label>'
            '<button type="reset">Show all</button><output aria-live="polite"></output></form>'
        )


class LedgerCounts(Made):
    """How many claims have each verdict, and what the verdict means."""

    def run(self) -> list[nodes.Node]:
        data = self.claims()
        rows = [(None, [[badge(v)], data["verdicts"][v], str(n)]) for v, n in counts(data).items()]
        rows.append((None, ["all", "", str(len(data["claims"]))]))
        return [
            self.table(
                ["Verdict", "Meaning", "Statements"], rows, [30, 55, 15], "The verdicts", ["gll-counts"]
            )
        ]


class LedgerSources(Made):
    """The five sources."""

    def run(self) -> list[nodes.Node]:
        items = [
            nodes.list_item("", nodes.paragraph("", "", nodes.strong("", key), nodes.Text(f": {label}")))
            for key, label in self.claims()["sources"].items()
        ]
        return [nodes.bullet_list("", *items)]


class Count(SphinxRole):
    """{ledger}`wrong` is the number of claims with that verdict, {ledger}`all` of all claims."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        path = Path(self.env.srcdir) / "book" / "claims.json"
        self.env.note_dependency(str(path))
        data = read_claims(path)
        known = {**counts(data), "all": len(data["claims"])}
        if self.text not in known:
            message = self.inliner.reporter.error(
                f"ledger: {self.text!r} is none of {', '.join(known)}", line=self.lineno
            )
            return [message], [message]
        return [nodes.Text(str(known[self.text]))], []


class Statements(SphinxPostTransform):
    """Turn "Statement 28" and "statements 13 and 14" in running text into links to the ledger's rows."""

    default_priority = 6
    mention = re.compile(r"\b[Ss]tatements?[ \u00a0\n]\d+(?:(?:, and |, | and | to )\d+)*")
    skip = (
        nodes.reference,
        nodes.literal,
        nodes.literal_block,
        nodes.title,
        nodes.math,
        nodes.math_block,
        nodes.raw,
    )

    def run(self, **kwargs: Any) -> None:
        if LEDGER not in self.env.found_docs or self.app.builder.format != "html":
            return
        builder = self.app.builder
        base = (
            ""
            if self.env.docname == LEDGER
            else relative_uri(builder.get_target_uri(self.env.docname), builder.get_target_uri(LEDGER))
        )
        for text in list(self.document.findall(nodes.Text)):
            if any(isinstance(a, self.skip) for a in ancestors(text)):
                continue
            if self.mention.search(text):
                text.parent.replace(text, list(self.linked(text, base)))
            elif self.numbered(text):
                text.parent.replace(
                    text, nodes.reference("", text, refuri=f"{base}#claim-{text}", internal=True)
                )

    def numbered(self, text: nodes.Text) -> bool:
        """Whether a text is the number in the first cell of a row under "What the notes say"."""
        if not re.fullmatch(r"\d+", text):
            return False
        above = list(ancestors(text))
        entry = next((a for a in above if isinstance(a, nodes.entry)), None)
        sections = [a[0].astext() for a in above if isinstance(a, nodes.section)]
        return entry is not None and entry.parent.index(entry) == 0 and any(SECTION in s for s in sections)

    def linked(self, text: nodes.Text, base: str) -> Iterator[nodes.Node]:
        done = 0
        for found in self.mention.finditer(text):
            start = found.start()
            for number in re.finditer(r"\d+", found[0]):
                end = found.start() + number.end()
                yield nodes.Text(text[done:start])
                yield nodes.reference("", text[start:end], refuri=f"{base}#claim-{number[0]}", internal=True)
                done, start = end, found.start() + next_digit(found[0], number.end())
        yield nodes.Text(text[done:])


def next_digit(text: str, start: int) -> int:
    found = re.search(r"\d", text[start:])
    return start + found.start() if found else len(text)


def ancestors(node: nodes.Node) -> Iterator[nodes.Node]:
    while (node := node.parent) is not None:
        yield node


# --- results ------------------------------------------------------------------------------------------------
class Results(Made):
    """The stored results of book/results that are tables, all or those named, with their commands."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        out: list[nodes.Node] = []
        folder = self.root / "book" / "results"
        named = [folder / f"{name}.json" for name in " ".join(self.arguments).split()]
        if missing := [path for path in named if not path.exists()]:
            raise ExtensionError(f"{missing[0]}: no such stored result; run the command that makes it")
        for path in named or sorted(folder.glob("*.json")):
            data = self.stored(path)
            if isinstance(data, dict) and isinstance(data.get("rows"), list):
                out += self.result(path, data)
        return out or [nodes.paragraph("", "", nodes.emphasis("", "No result is stored yet."))]

    def result(self, path: Path, data: dict[str, Any]) -> list[nodes.Node]:
        made = data.get("provenance", {})
        command = data.get("command") or made.get("command")
        if not command:
            raise ExtensionError(f"{path}: a stored result names the command that makes it ('command')")
        rows, seeds = data["rows"], data.get("seeds")
        columns = data.get("columns") or (list(rows[0]) if rows and isinstance(rows[0], dict) else [])
        cells = [
            [show(row[c], not seeds) for c in columns] if isinstance(row, dict) else [show(v) for v in row]
            for row in rows
        ]
        table = self.table(
            [str(c) for c in columns],
            [(None, row) for row in cells],
            [1] * len(columns),
            data.get("title", path.stem.replace("_", " ")) + (f", {seeds}" if seeds else ""),
            ["gll-result"],
        )
        made_by = f"Made by `{command}`" + "".join(
            f", {key} {value}"
            for key, value in made.items()
            if key != "command" and isinstance(value, str | int | float)
        )
        out: list[nodes.Node] = [
            table,
            nodes.paragraph("", "", *self.inline(made_by + "."), classes=["gll-made"]),
        ]
        if note := data.get("note"):
            out.insert(1, nodes.paragraph("", "", *self.inline(note)))
        return out


def show(value: Any, count: bool = True) -> str:
    """A cell's value: numbers to four digits, a list of seeds by mean, spread and, if asked for, count."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        mean = sum(value) / len(value)
        if len(value) == 1:
            return f"{mean:.4g}" + ", one seed" * count
        return f"{mean:.4g} ({min(value):.4g} to {max(value):.4g}{f', {len(value)} seeds' * count})"
    return "" if value is None else str(value)


class Tolerances(Made):
    """The table of ganlib/tolerances.json, with the spread that was observed."""

    def run(self) -> list[nodes.Node]:
        data = self.stored(self.root / "ganlib" / "tolerances.json")
        if data is None:
            return [nodes.paragraph("", "", nodes.emphasis("", "No tolerance is stored yet."))]
        spread = (self.stored(self.root / "book" / "results" / "spread.json") or {}).get("values", {})
        rows = [
            (f"tolerance-{nodes.make_id(key)}", self.entry(key, entry, spread.get(key)))
            for key, entry in sorted(data.items())
        ]
        head = ["Measured", "Bound", "Why", "Observed over seeds"]
        return [self.table(head, rows, [24, 14, 38, 24], "Tolerances", ["gll-tolerances"])]

    def entry(self, key: str, entry: dict[str, Any], spread: dict[str, Any] | None) -> list[str]:
        bound = f"{entry['kind'].replace('_', ' ')} {show(entry['value'])}"
        return [f"{entry['what']} (`{key}`)", bound, entry["why"], self.seen(entry["kind"], spread)]

    def seen(self, kind: str, spread: dict[str, Any] | None) -> str:
        """The range over seeds of what was measured, or of its difference from what was derived."""
        if not spread:
            return "not measured yet"
        values = flat(spread["measured"])
        if kind == "within":
            values = [m - d for m, d in zip(values, flat(spread["derived"]), strict=True)]
        what = "difference " if kind == "within" else ""
        return f"{what}{min(values):.3g} to {max(values):.3g}, {len(spread['seeds'])} seeds"


def flat(runs: list[Any]) -> list[float]:
    """The values of all runs; a run that recorded several holds a list."""
    return [value for run in runs for value in (run if isinstance(run, list) else [run])]


class Scores(Made):
    """The scores of book/results/proofs.json: lines by verdict, corruptions, and those refused."""

    def run(self) -> list[nodes.Node]:
        data = self.stored(self.root / "book" / "results" / "proofs.json")
        if data is None:
            return [nodes.paragraph("", "", nodes.emphasis("", "No score is stored yet."))]
        marks = ["proved", "argued", "checked numerically", "refuted"]
        head = ["Notebook", *marks, "corruptions", "false", "refused", "still true", "seconds"]
        rows = [
            [
                row["notebook"],
                *(row["verdicts"].get(mark, 0) for mark in marks),
                row["mutants"],
                row["false"],
                row["refused"],
                row["mutants"] - row["false"],
                row["seconds"],
            ]
            for row in data["notebooks"]
        ]
        total = ["all", *(round(sum(column), 1) for column in list(zip(*rows, strict=True))[1:])]
        cells = [(None, [str(v) for v in row]) for row in [*rows, total]]
        return [self.table(head, cells, [22] + [8] * 9, "Scores", ["gll-scores"])]


class Picture(Made):
    """A figure beside the text whose file is made by a command: left out while the file does not exist."""

    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required, "caption": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.doc2path(self.env.docname)).parent / self.arguments[0]
        if not self.use(path).is_file():
            return []
        image = nodes.image(uri=self.arguments[0], alt=self.options["alt"])
        caption = nodes.caption("", "", *self.inline(self.options["caption"]))
        return [
            nodes.raw("", BESIDE, format="html"),
            nodes.figure("", image, caption, classes=["gll-beside"]),
        ]


BESIDE = """<style>
@media (min-width: 700px) {
  .bd-article figure.gll-beside { float: right; width: 42%; margin: .3rem 0 1rem 1.6rem; }
  .gll-beside ~ section { clear: both; }
}
</style>"""

STYLE = """<style>
.gll-filter { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin: 1rem 0; }
.gll-filter { font-size: .9rem; }
.gll-filter[hidden], .gll-ledger tr[hidden] { display: none; }
.gll-filter label { display: grid; gap: .15rem; min-width: 0; max-width: 100%; }
.gll-filter :is(select, input, button) {
  font: inherit; color: inherit; background: var(--pst-color-surface);
  border: 1px solid var(--pst-color-text-muted); border-radius: 3px;
  padding: .3rem .5rem; min-height: 2.2rem; width: 100%; max-width: 15rem;
}
.gll-filter button { width: auto; cursor: pointer; }
.gll-filter output { align-self: center; color: var(--pst-color-text-muted); }
table.gll-ledger.table { table-layout: fixed; width: 100%; }
table.gll-ledger.table td { vertical-align: top; overflow-wrap: break-word; }
.gll-ledger tr { scroll-margin-top: 5rem; }
.gll-ledger tr:target { background: var(--pst-color-surface); outline: 2px solid var(--pst-color-link); }
.gll-source { display: block; font-size: .85em; margin-top: .25rem; color: var(--pst-color-text-muted); }
.gll-verdict { font-weight: 600; font-size: .88em; }
.gll-ledger .gll-verdict { display: block; }
.gll-v-right, .gll-v-right-under-stated-assumptions { color: var(--gll-green, inherit); }
.gll-v-wrong { color: var(--gll-red, inherit); }
.gll-v-imprecise, .gll-v-open { color: var(--gll-ochre, inherit); }
.gll-v-slip, .gll-v-no-claim { color: var(--pst-color-text-muted); }
@media (max-width: 600px) {
  table.gll-ledger.table, .gll-ledger :is(tbody, tr, td, caption) { display: block; width: auto; }
  .gll-ledger colgroup { display: none; }
  .gll-ledger thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .gll-ledger tr { border-bottom: 1.5px solid var(--pst-color-border); padding: .7rem 0; }
  table.gll-ledger.table td { border: 0; padding: .15rem 0; }
}
</style>"""

SCRIPT = """<script>
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector(".gll-filter"), table = document.querySelector("table.gll-ledger");
  const rows = [...table.tBodies[0].rows], selects = [...form.querySelectorAll("select")];
  const words = form.querySelector("input"), out = form.querySelector("output");
  // A row's words, taken before the mathematics is typeset.
  const text = new Map(rows.map(r => [r, r.textContent.toLowerCase()]));
  // Stacked on a phone, a table loses its roles in some browsers; these say again what it is.
  const roles = {table: [table], rowgroup: [table.tHead, table.tBodies[0]], row: table.rows,
    columnheader: table.querySelectorAll("th"), cell: table.querySelectorAll("td")};
  for (const [role, all] of Object.entries(roles)) for (const e of all) e.setAttribute("role", role);
  const apply = () => {
    const wanted = selects.map(s => s.value).filter(Boolean), terms = words.value.toLowerCase().split(/\\s+/);
    let n = 0;
    for (const row of rows) {
      const on = wanted.every(c => row.classList.contains(c)) && terms.every(t => text.get(row).includes(t));
      row.hidden = !on;
      n += on;
    }
    out.textContent = `${n} of ${rows.length} statements`;
  };
  const reveal = () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) { form.reset(); apply(); row.scrollIntoView(); }
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", e => e.preventDefault());
  addEventListener("hashchange", reveal);
  form.hidden = false;
  apply();
});
</script>"""


def sentences(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from reading "The minimax game: G minimises" as a type: give it an empty one."""
    if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
        lines[0] = ": " + lines[0]


OUTSIDE = re.compile(r"(nn\.)?(Tensor|Module)|Axes|Figure|os\.PathLike|random\.Random|.*\._\w+")


def short_name(app: Sphinx, env: Any, node: nodes.Element, child: nodes.Node) -> nodes.Node | None:
    """A docstring names an object as its module does: find it. Names from outside are no links."""
    if node["refdomain"] != "py":
        return None
    if OUTSIDE.fullmatch(node["reftarget"]):
        return child
    name = node["reftarget"].split(".")[-1]
    found = {
        (o.docname, o.node_id) for n, o in env.get_domain("py").objects.items() if n.split(".")[-1] == name
    }
    if len(found) != 1:
        return None
    docname, anchor = found.pop()
    return make_refnode(app.builder, node["refdoc"], docname, anchor, child)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, the role, the links to statements, and what the API page needs."""
    for name, directive in {
        "ledger": Ledger,
        "ledger-counts": LedgerCounts,
        "ledger-sources": LedgerSources,
        "results": Results,
        "tolerances": Tolerances,
        "scores": Scores,
        "picture": Picture,
    }.items():
        app.add_directive(name, directive)
    app.add_role("ledger", Count())
    app.add_post_transform(Statements)
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("missing-reference", short_name)
    app.connect("autodoc-process-docstring", sentences, priority=400)  # before napoleon
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
