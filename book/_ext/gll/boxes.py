"""Block quotes that open with a bold label become boxes; equations with a ``\\tag`` become anchors."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from .references import NUMBER, PLURALS, Target

logger = logging.getLogger(__name__)

# Boxes without a number of their own.
UNNUMBERED = (
    "Proof",
    "Solution",
    "Warning",
    "Note",
    "Assumption",
    "Assumptions",
    "Reminder",
    "What the notes say",
    "What this does not show",
    "What it predicts",
)
KINDS = (*PLURALS, *UNNUMBERED)
LABEL = re.compile(rf"(?P<kind>{'|'.join(sorted(KINDS, key=len, reverse=True))})\b(?: (?P<number>{NUMBER}))?")
TAG = re.compile(rf"\\tag\{{({NUMBER})\}}")
PUNCTUATION = re.compile(r"[.,;:!?)\]\u2019\u201d]+")
CHAPTER = re.compile(r"(?:.*/)?(\d\d)_")


class box(nodes.General, nodes.Element):
    """A dressed block quote: theorem, proof, exercise and so on."""


def visit_box(self: HTML5Translator, node: box) -> None:
    self.body.append(self.starttag(node, "div"))


def depart_box(self: HTML5Translator, node: box) -> None:
    self.body.append("</div>\n")


def pass_through(self: Any, node: box) -> None:
    """Writers other than HTML show the content plainly."""


def chapter_of(docname: str) -> int | None:
    """The chapter's number, which stands in the file name: ``notebooks/03_x`` is chapter 3."""
    return int(m[1]) if (m := CHAPTER.match(docname)) else None


class Boxes(SphinxTransform):
    """Dress labelled block quotes and tagged equations of one page; check their numbers."""

    default_priority = 830  # before Sphinx collects titles (880)

    def apply(self, **kwargs: Any) -> None:
        self.part_paragraphs()
        self.last: dict[str, tuple[int, ...]] = {}
        for node in list(
            self.document.findall(lambda n: isinstance(n, nodes.block_quote | nodes.math_block))
        ):
            if isinstance(node, nodes.math_block):
                for number in TAG.findall(node.astext()):
                    self.declare(node, f"({number})", number, f"eq-{number.replace('.', '-')}", "")
            elif (strong := self.title(node)) is not None:
                self.dress(node, strong)
        self.number_figures()
        self.number_heading()

    def part_paragraphs(self) -> None:
        """Part a paragraph at its displays: HTML allows none inside it."""
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if not any(isinstance(child, nodes.math_block) for child in paragraph):
                continue
            parts: list[nodes.Element] = []
            for child in paragraph.children:
                if isinstance(child, nodes.math_block):
                    parts.append(child)
                elif parts and isinstance(parts[-1], nodes.paragraph):
                    parts[-1] += child
                elif child.astext().strip():
                    parts.append(nodes.paragraph("", "", child, classes=list(paragraph["classes"])))
                    parts[-1].source, parts[-1].line = paragraph.source, paragraph.line
            paragraph.replace_self(parts)

    def number_figures(self) -> None:
        """Number a chapter's captions "Figure 3.1", by chapter and not through the book."""
        chapter = chapter_of(self.env.docname)
        for i, caption in enumerate(self.document.findall(nodes.caption), 1):
            if chapter is not None and isinstance(caption.parent, nodes.figure):
                number = f"{chapter}.{i}"
                caption.insert(
                    0, nodes.inline("", f"Figure {number}.\u2002", classes=["caption-number", "gll-title"])
                )
                self.declare(
                    caption.parent, f"Figure {number}", number, f"figure-{chapter}-{i}", f"Figure {number}"
                )

    @staticmethod
    def title(quote: nodes.block_quote) -> nodes.strong | None:
        """The bold text that opens a block quote, if it is a box's label."""
        paragraph = quote[0] if len(quote) else None
        if not isinstance(paragraph, nodes.paragraph):
            return None
        first = next((child for child in paragraph if child.astext().strip()), None)
        return first if isinstance(first, nodes.strong) and LABEL.match(first.astext()) else None

    def dress(self, quote: nodes.block_quote, strong: nodes.strong) -> None:
        match = LABEL.match(strong.astext())
        kind, number = match["kind"], match["number"]
        dressed = box("", *quote.children, classes=["gll-box", "gll-" + kind.lower().replace(" ", "-")])
        dressed.source, dressed.line = quote.source, quote.line
        strong["classes"].append("gll-title")
        quote.replace_self(dressed)
        if number and kind in PLURALS:
            label = f"{kind} {number}"
            anchor = label.lower().replace(" ", "-").replace(".", "-")
            self.declare(dressed, label, number, anchor, strong.astext().rstrip("."))
            link = nodes.reference("", "#", refid=anchor, classes=["gll-anchor"], internal=True)
            link["reftitle"] = f"Link to {label}"
            strong.parent.insert(strong.parent.index(strong) + 1, link)
        elif kind in PLURALS:
            logger.warning("%s without a number: write **%s 3.1 (Name).**", kind, kind, location=quote)

    def declare(self, node: nodes.Element, label: str, number: str, anchor: str, title: str) -> None:
        node["ids"].append(anchor)
        node["classes"].append("gll-target")
        self.env.get_domain("gll").note(label, Target(self.env.docname, anchor, title), node)
        kind, place = label.split()[0] if title else "equation", tuple(map(int, number.split(".")))
        if place <= self.last.get(kind, (0, 0)):
            before = ".".join(map(str, self.last[kind]))
            logger.warning("numbers out of order: %s comes after %s", label, before, location=node)
        self.last[kind] = place
        if (chapter := chapter_of(self.env.docname)) not in (None, place[0]):
            logger.warning(
                "%s stands in chapter %d: its number should begin with %d",
                label,
                chapter,
                chapter,
                location=node,
            )

    def number_heading(self) -> None:
        """Put the chapter's number in front of its title (and so into the contents)."""
        heading = next(iter(self.document.findall(nodes.title)), None)
        chapter = chapter_of(self.env.docname)
        if heading is not None and chapter is not None and not heading.astext()[:1].isdigit():
            heading.insert(0, nodes.inline("", f"{chapter}\u2002", classes=["gll-number"]))


class Punctuation(SphinxTransform):
    """Keep a formula and the comma after it on one line: MathJax's boxes let the line break between them."""

    default_priority = 846  # after the links (840), which split text

    def apply(self, **kwargs: Any) -> None:
        for math in list(self.document.findall(nodes.math)):
            after = math.next_node(nodes.Text, descend=False, siblings=True)
            mark = PUNCTUATION.match(after) if after is not None and after.parent is math.parent else None
            if mark is None or math.parent.index(after) != math.parent.index(math) + 1:
                continue
            parent, rest = math.parent, nodes.Text(after[mark.end() :])
            parent.remove(after)
            together = nodes.inline("", "", math.deepcopy(), nodes.Text(mark[0]), classes=["gll-together"])
            parent.replace(math, [together, rest])


class Displays(SphinxPostTransform):
    """Hand tagged and multi-line displays to MathJax as they stand.

    Sphinx wraps a display of several rows in ``split``, where a tag is an error, so what Colab typesets would
    fail here.
    """

    default_priority = 800
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        for node in self.document.findall(nodes.math_block):
            source = node.astext().strip()
            if not node.get("nowrap") and (r"\tag" in source or r"\begin" in source):
                node["nowrap"] = True
                node.children = [nodes.Text(rf"\[{source}\]")]


def setup(app: Sphinx) -> None:
    """Register the box node and its transforms."""
    html = (visit_box, depart_box)
    plain = (pass_through, pass_through)
    app.add_node(box, html=html, latex=plain, text=plain, man=plain, texinfo=plain)
    app.add_transform(Boxes)
    app.add_transform(Punctuation)
    app.add_post_transform(Displays)
