"""The bibliography, and the links of the book that lead to it.

Notebooks link papers by their outside address (arXiv, DOI, proceedings), which works in Colab and on
GitHub. In the book such a link leads to the paper's entry, which holds the outside addresses and says which
chapters cite it. The entries come from one BibTeX file; the directive ``bibliography`` prints it, the role
``cite`` refers to a key.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from docutils.parsers.rst import directives
from pybtex.database import Entry, parse_file
from pybtex.richtext import Text
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.nodes import make_refnode

from .boxes import chapter_of
from .references import Target, refer

ARXIV = re.compile(
    r"(?:arxiv\.org/(?:abs|pdf|html)/|10\.48550/arxiv\.|^arxiv:)([\w.-]+/\d{7}|\d{4}\.\d{4,5})", re.I
)
DOI = re.compile(r"(?:^|doi\.org/|^doi:)(10\.\d{4,}/\S+)", re.I)


class Paper(NamedTuple):
    """One entry of the bibliography."""

    key: str
    authors: tuple[tuple[str, str], ...]  # (last name, initials)
    year: str
    title: str
    venue: str
    addresses: tuple[tuple[str, str], ...]  # (what to show, outside address)

    @property
    def short(self) -> str:
        """As cited in running text: "Goodfellow et al. (2014)"."""
        last = [name for name, _ in self.authors]
        who = " and ".join(last) if len(last) < 3 else f"{last[0]} et al."
        return f"{who} ({self.year})"

    @property
    def full(self) -> str:
        """Every author and the year, as the bibliography prints them."""
        names = [f"{last}, {initials}".rstrip(", ") for last, initials in self.authors]
        who = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
        return f"{who} ({self.year}). "


def identity(address: str) -> str:
    """One spelling for all addresses of a paper: ``arxiv:1406.2661``, ``doi:10...``, or the bare URL."""
    address = address.strip()
    if match := ARXIV.search(address):
        return f"arxiv:{match[1].lower()}"
    if match := DOI.search(address):
        return f"doi:{match[1].rstrip('.').lower()}"
    return re.sub(r"^https?://(?:www\.)?", "", address).rstrip("/")


def read_paper(key: str, entry: Entry) -> Paper:
    """One BibTeX entry. Raises `ExtensionError` naming the entry and the field that it lacks."""

    def field(name: str) -> str:
        return str(Text.from_latex(entry.fields[name])) if name in entry.fields else ""

    people = entry.persons.get("author") or entry.persons.get("editor") or []
    for name, value in {"author": people, "title": field("title"), "year": field("year")}.items():
        if not value:
            raise ExtensionError(f"bibliography: {key} has no {name}")
    authors = tuple(
        (
            " ".join(map(str, [*person.rich_prelast_names, *person.rich_last_names])),
            " ".join(f"{str(first)[0]}." for first in [*person.rich_first_names, *person.rich_middle_names]),
        )
        for person in people
    )
    venue = next(
        (v for v in map(field, ("booktitle", "journal", "school", "publisher", "howpublished")) if v), ""
    )
    details = [venue, field("volume"), f"pages {field('pages')}" if field("pages") else ""]
    addresses = []
    for name, show, prefix in (
        ("eprint", "arXiv:", "https://arxiv.org/abs/"),
        ("doi", "doi:", "https://doi.org/"),
    ):
        if name in entry.fields:
            addresses.append((show + entry.fields[name], prefix + entry.fields[name]))
    if (url := entry.fields.get("url")) and identity(url) not in {identity(a) for _, a in addresses}:
        addresses.append((re.sub(r"^https?://(?:www\.)?", "", url).split("/")[0], url))
    return Paper(
        key, authors, field("year"), field("title"), ", ".join(filter(None, details)), tuple(addresses)
    )


@lru_cache(1)
def read_file(path: Path, modified: float) -> dict[str, Paper]:
    return {key: read_paper(key, entry) for key, entry in parse_file(str(path), "bibtex").entries.items()}


def bibliography(env: BuildEnvironment) -> dict[str, Paper]:
    """All papers by key; the page being read depends on the file."""
    path = Path(env.srcdir) / env.config.gll_bibliography
    if not path.is_file():
        return {}
    env.note_dependency(str(path))
    return read_file(path, path.stat().st_mtime)


class cited_in(nodes.General, nodes.Element):
    """Stands for the list of chapters that cite a paper, until all pages are read."""


class Bibliography(SphinxDirective):
    """Print every paper, by first author and year."""

    option_spec: ClassVar[dict[str, Any]] = {"all": directives.flag}

    def run(self) -> list[nodes.Node]:
        papers = sorted(
            bibliography(self.env).values(), key=lambda p: (p.authors[0][0].casefold(), p.year, p.key)
        )
        return [nodes.bullet_list("", *map(self.item, papers), classes=["gll-papers"])]

    def item(self, paper: Paper) -> nodes.list_item:
        anchor = "ref-" + nodes.make_id(paper.key)
        labels = [f"cite:{paper.key}", *(f"paper:{identity(address)}" for _, address in paper.addresses)]
        text = nodes.paragraph("", paper.full, nodes.emphasis("", paper.title), nodes.Text(". "))
        if paper.venue:
            text += nodes.Text(paper.venue + ". ")
        for i, (show, address) in enumerate(paper.addresses):
            text += nodes.Text(" · " if i else "")
            text += nodes.reference("", show, refuri=address, classes=["gll-outside"])
        text += cited_in("", labels=labels)
        entry = nodes.list_item("", text, ids=[anchor], classes=["gll-target"])
        target = Target(self.env.docname, anchor, f"{paper.short}: {paper.title}")
        for label in labels:
            self.env.get_domain("gll").note(label, target, self.get_location())
        return entry


class Cite(SphinxRole):
    """``{cite}`key``` in a page shows "Goodfellow et al. (2014)" and leads to the entry."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        papers, out = bibliography(self.env), []
        for key in (key.strip() for key in self.text.split(",")):
            shown = nodes.inline("", papers[key].short if key in papers else key)
            where = nodes.inline()
            self.set_source_info(where)
            out += [
                nodes.Text("; " if out else ""),
                refer(self.env, f"cite:{key}", shown, where, "%s: no such key in the bibliography"),
            ]
        return out, []


class PaperLinks(SphinxTransform):
    """Lead links to papers to the bibliography. A paper on arXiv or with a DOI must stand there."""

    default_priority = 845

    def apply(self, **kwargs: Any) -> None:
        for link in list(self.document.findall(nodes.reference)):
            address = link.get("refuri", "")
            if not address.startswith("http") or "gll-outside" in link["classes"]:
                continue
            name = identity(address)
            complaint = (
                "%s: link to a paper that is not in the bibliography" if name[:4] in ("arxi", "doi:") else ""
            )
            link.replace_self(refer(self.env, f"paper:{name}", link.deepcopy(), link.parent, complaint))


class CitedIn(SphinxPostTransform):
    """Say which pages cite each paper."""

    default_priority = 5

    def run(self, **kwargs: Any) -> None:
        uses = self.env.get_domain("gll").uses
        for node in list(self.document.findall(cited_in)):
            pages = sorted(doc for doc, labels in uses.items() if labels.intersection(node["labels"]))
            out: list[nodes.Node] = []
            for doc in sorted(pages, key=lambda doc: (chapter_of(doc) is None, doc)):
                chapter = chapter_of(doc)
                name = self.env.titles[doc].astext() if chapter is None else f"Chapter {chapter}"
                shown = nodes.inline("", name)
                out += [
                    nodes.Text(", " if out else " Cited in "),
                    make_refnode(self.app.builder, self.env.docname, doc, "", shown),
                ]
            node.replace_self(
                [nodes.inline("", "", *out, nodes.Text("."), classes=["gll-cited"])] if out else []
            )


def cited_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the bibliography again when other pages cite other papers."""
    domain = env.get_domain("gll")
    cited = {
        (doc, label)
        for doc, labels in domain.uses.items()
        for label in labels
        if label in domain.targets and label.startswith(("cite:", "paper:"))
    }
    changed, domain.data["cited"] = cited != domain.data.get("cited"), cited
    return (
        sorted({t.docname for label, t in domain.targets.items() if label.startswith("cite:")})
        if changed
        else []
    )


def setup(app: Sphinx) -> None:
    """Register the bibliography's directive, role and transforms."""
    app.add_config_value("gll_bibliography", "book/references.bib", "env")
    app.add_node(cited_in)
    app.add_directive("bibliography", Bibliography)
    for role in ("cite", "cite:t", "cite:p"):
        app.add_role(role, Cite())
    app.add_transform(PaperLinks)
    app.add_post_transform(CitedIn)
    app.connect("env-updated", cited_again)
