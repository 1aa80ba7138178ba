r"""The lines of a derivation, dressed: a formula, its verdict as a mark and a rule, the reason as text.

A line is stored as one display of LaTeX that Colab and Jupyter typeset alike: an ``array`` whose first row
is the formula and whose other rows begin with ``\small``. Text rows (``\text{...}``) become paragraphs
here; an output that does not have that shape is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole

from .boxes import box

ARRAY = re.compile(r"\\begin\{array\}\{l\}(?P<rows>.*)\\end\{array\}\s*(?P<tag>\\tag\{[^{}]*\})?", re.DOTALL)
TOKEN = re.compile(r"\\begin\b|\\end\b|\\left\b|\\right\b|\\\\(?:\[[^\]]*\])?|[{}]|\\.", re.DOTALL)
TEXT = re.compile(
    r"\\small\s*(?P<lead>\\(?:blacksquare|square|diamond|times|phantom\{\\\w+\})\\\s)?\s*\\text\{(?P<text>.*)\}\s*",
    re.DOTALL,
)
VERDICT = re.compile(r"(proved|checked numerically|argued|refuted)\b(?::\s*)?")


def rows(source: str) -> Iterator[str]:
    r"""The rows of an array: split at ``\\`` outside braces and inner environments."""
    depth = start = 0
    for token in TOKEN.finditer(source):
        word = token[0]
        if word in ("{", r"\begin"):
            depth += 1
        elif word in ("}", r"\end"):
            depth -= 1
        elif word.startswith(r"\\") and depth == 0:
            yield source[start : token.start()].strip()
            start = token.end()
    yield source[start:].strip()


def prose(text: str) -> list[nodes.Node]:
    r"""Text of a ``\text{}`` as nodes: ``$...$`` is mathematics, escaped characters are themselves."""
    out: list[nodes.Node] = []
    for i, part in enumerate(re.split(r"(?<!\\)\$", text)):
        if part:
            out.append(nodes.math("", part) if i % 2 else nodes.Text(re.sub(r"\\([%&#_{}$])", r"\1", part)))
    return out


def dress(block: nodes.math_block) -> box | None:
    """The dressed line, or nothing where the display is not a line of a derivation."""
    match = ARRAY.fullmatch(block.astext().strip())
    if match is None:
        return None
    formula, *rest = rows(match["rows"])
    if not all(row.startswith(r"\small") for row in rest):
        return None
    inner: list[str] = []  # small rows of mathematics stay under the formula
    texts: list[str] = []  # each a paragraph or, with a dash, an item
    for row in rest:
        if (found := TEXT.fullmatch(row)) is None:
            inner.append(row)
        elif texts and (found["lead"] or "").startswith(r"\phantom") and not found["text"].startswith("- "):
            texts[-1] += " " + found["text"]
        else:
            texts.append(found["text"])
    if len(texts) > 1 and texts[0].startswith("by ") and (verdict := VERDICT.match(texts[1])):
        why = texts[1][verdict.end() :]  # the theorem after the mark, not before it
        texts[:2] = [f"{verdict[1]}: {texts[0]}" + (f"; {why}" if why else "")]
    source = formula
    if inner:
        source = r"\begin{array}{l}\displaystyle " + r" \\ ".join([formula, *inner]) + r"\end{array}"
    math = nodes.math_block("", source + (match["tag"] or ""), **block.attributes)
    math["classes"] = [c for c in block["classes"] if c not in ("output", "text_latex")]
    line = box("", math, classes=["gll-line"])
    line.source, line.line = math.source, math.line = block.source, block.line
    items = nodes.bullet_list(classes=["gll-why"])
    for text in texts:
        if text.startswith("- "):
            items += nodes.list_item("", nodes.paragraph("", "", *prose(text[2:])))
            continue
        paragraph = nodes.paragraph("", classes=["gll-why"])
        if verdict := VERDICT.match(text):
            line["classes"].append("gll-" + verdict[1].split()[0])
            paragraph += [nodes.inline("", verdict[1], classes=["gll-mark"]), nodes.Text("  ")]
            text = text[verdict.end() :]
        paragraph += prose(text)
        line += paragraph
    if len(items):
        line += items
    return line


class Lines(SphinxTransform):
    """Dress the stored lines of every derivation on a page."""

    default_priority = 820  # before the boxes (830), which give tagged displays their anchors

    def apply(self, **kwargs: Any) -> None:
        for block in list(self.document.findall(nodes.math_block)):
            if "text_latex" in block["classes"] and (line := dress(block)) is not None:
                block["classes"] = []  # else they would move to the new node
                block.replace_self(line)


class Mark(SphinxRole):
    """The role ``mark``: {mark}`proved` shows a verdict as the derivations show it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        if VERDICT.fullmatch(self.text) is None:
            message = self.inliner.reporter.error(f"mark: {self.text!r} is not a verdict", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.inline("", self.text, classes=["gll-mark", "gll-" + self.text.split()[0]])], []


def setup(app: Sphinx) -> None:
    """Register the transform and the role."""
    app.add_transform(Lines)
    app.add_role("mark", Mark())
