"""Labels of the book ("Theorem 3.1", "(3.2)", papers) and the links to them.

The labels live in a Sphinx domain, stored by document: a page that is read again first drops what it
declared, and parallel readers merge. A link to a label that moved is written again even when its own page
did not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains import Domain, ObjType
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

logger = logging.getLogger(__name__)

# Kinds that carry numbers and can be referred to; boxes.UNNUMBERED are the others.
PLURALS = {
    "Theorem": "Theorems",
    "Lemma": "Lemmas",
    "Definition": "Definitions",
    "Proposition": "Propositions",
    "Corollary": "Corollaries",
    "Algorithm": "Algorithms",
    "Exercise": "Exercises",
    "Remark": "Remarks",
    "Example": "Examples",
    "Prediction": "Predictions",
    "Counterexample": "Counterexamples",
    "Claim": "Claims",
    "Figure": "Figures",
}
SINGULAR = {word: kind for kind, plural in PLURALS.items() for word in (kind, plural)}
NUMBER = r"\d{1,2}\.\d{1,2}"
JOIN = r"(?:, and |, or |, | and | or | to |–|-)"
REFERENCE = re.compile(
    rf"\b(?P<kind>{'|'.join(sorted(SINGULAR, key=len, reverse=True))})[ \u00a0\n]"
    rf"(?P<numbers>{NUMBER}(?:{JOIN}{NUMBER})*)"
    rf"|(?P<equation>\({NUMBER}\))"
    r"|\b(?P<word>[Cc]hapters?)[ \u00a0\n](?P<chapters>\d{1,2}(?:" + JOIN + r"\d{1,2})*)\b(?!\.\d)"
)
# Somebody else's theorem: "Theorem 2.1 of Arjovsky", "Theorem 2.1 of the paper", "its Theorem 2.1".
ELSEWHERE = re.compile(r"\s(?:of|in)\s+(?:the paper|that paper|their\b|[A-Z])|\s(?:of|in)\s*$")
OWNED = re.compile(r"(?:\b(?:its|their|his|her)|(?<!chapter)['\u2019]s)\s$", re.IGNORECASE)
SKIP = (
    nodes.reference,
    pending_xref,
    nodes.math,
    nodes.math_block,
    nodes.literal,
    nodes.literal_block,
    nodes.title,
    nodes.raw,
    nodes.comment,
    nodes.FixedTextElement,
)


class Target(NamedTuple):
    """Where a label stands."""

    docname: str
    anchor: str
    title: str


class BookDomain(Domain):
    """Every label of the book, and which page refers to which."""

    name = "gll"
    label = "GANs, Line by Line"
    object_types: ClassVar[dict[str, ObjType]] = {"label": ObjType("label", "label")}
    initial_data: ClassVar[dict[str, Any]] = {"targets": {}, "uses": {}, "written": {}}
    data_version = 1

    @property
    def targets(self) -> dict[str, Target]:
        """Label -> where it stands."""
        return self.data["targets"]

    @property
    def uses(self) -> dict[str, set[str]]:
        """Page -> the labels it refers to."""
        return self.data["uses"]

    def note(self, label: str, target: Target, location: nodes.Node) -> None:
        """Declare a label; a second declaration is a warning."""
        if (first := self.targets.get(label)) is not None:
            logger.warning(
                "duplicate number: %s already stands in %s", label, first.docname, location=location
            )
            return
        self.targets[label] = target

    def clear_doc(self, docname: str) -> None:
        for label in [label for label, target in self.targets.items() if target.docname == docname]:
            del self.targets[label]
        self.uses.pop(docname, None)

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        for label, target in otherdata["targets"].items():
            if target.docname in docnames:
                self.note(label, target, location=target.docname)
        self.uses.update({doc: labels for doc, labels in otherdata["uses"].items() if doc in docnames})

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        boxes = ((label, t) for label, t in self.targets.items() if t.title and ":" not in label)
        for label, target in boxes:
            yield label, target.title, "label", target.docname, target.anchor, 1

    def resolve_xref(self, env, fromdocname, builder, typ, target, node, contnode):
        """Turn a reference into a link; without a target warn and leave the text or the outside link."""
        if (found := self.find(target)) is None:
            if node["complaint"]:
                logger.warning(node["complaint"], target, location=node)
            return contnode
        if isinstance(contnode, nodes.reference):  # a link to a paper: keep its text, change its destination
            contnode = nodes.inline("", "", *contnode.children, classes=["gll-cite"])
        return make_refnode(builder, fromdocname, found.docname, found.anchor, contnode, found.title or None)

    def resolve_any_xref(self, env, fromdocname, builder, target, node, contnode):
        return []

    def find(self, label: str) -> Target | None:
        """The target of a label. A chapter's label is its number in the file name, ``notebooks/03_...``."""
        if label.startswith("Chapter "):
            stem = f"notebooks/{int(label.split()[1]):02d}_"
            docs = sorted(doc for doc in self.env.found_docs if doc.startswith(stem))
            return Target(docs[0], "", "") if docs else None
        return self.targets.get(label)


def refer(
    env: BuildEnvironment, label: str, child: nodes.Node, source: nodes.Element, complaint: str
) -> pending_xref:
    """A reference to `label` shown as `child`, resolved when the page is written.

    `complaint` is the warning where the label stands nowhere (``%s`` is the label); an empty one allows that.
    """
    env.get_domain("gll").uses.setdefault(env.docname, set()).add(label)
    xref = pending_xref(
        "",
        child,
        refdomain="gll",
        reftype="label",
        reftarget=label,
        refdoc=env.docname,
        refexplicit=True,
        complaint=complaint,
    )
    xref.source, xref.line = source.source, source.line
    return xref


class Links(SphinxTransform):
    """Turn "Theorem 3.1", "Theorems 3.1 and 3.2", "(3.2)" and "Chapter 3" in running text into links."""

    default_priority = 840  # after the boxes (830) have marked their own titles

    def apply(self, **kwargs: Any) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if REFERENCE.search(text) and not self.skipped(text):
                text.parent.replace(text, list(self.split(text)))

    def skipped(self, text: nodes.Text) -> bool:
        node = text.parent
        while node is not None and node is not self.document:
            if isinstance(node, SKIP) or "gll-title" in node.get("classes", ()):
                return True
            node = node.parent
        return False

    def split(self, text: nodes.Text) -> Iterator[nodes.Node]:
        done = 0
        for match in REFERENCE.finditer(text):
            if not match["equation"] and (
                ELSEWHERE.match(text, match.end()) or OWNED.search(text[: match.start()])
            ):
                continue
            for start, end, label in self.labels(match):
                yield nodes.Text(text[done:start])
                chapter = label.startswith("Chapter ")
                complaint = "" if chapter else "unresolved reference: %s stands nowhere in the book"
                yield refer(self.env, label, nodes.inline("", text[start:end]), text.parent, complaint)
                done = end
        yield nodes.Text(text[done:])

    @staticmethod
    def labels(match: re.Match[str]) -> Iterator[tuple[int, int, str]]:
        """(start, end, label) of each link in a match: the first holds the word, the others bare numbers."""
        if match["equation"]:
            yield *match.span(), match["equation"]
            return
        group = "numbers" if match["numbers"] else "chapters"
        kind = SINGULAR[match["kind"]] if match["kind"] else "Chapter"
        start = match.start()
        for number in re.finditer(r"[\d.]*\d", match[group]):
            first, last = (match.start(group) + place for place in number.span())
            yield (start if start is not None else first), last, f"{kind} {number[0]}"
            start = None


def forget(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Drop the labels of every page about to be read, so that one may move between two of them."""
    for docname in docnames:
        env.get_domain("gll").clear_doc(docname)


def moved(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Pages that did not change but refer to a label that did: write them again."""
    domain = env.get_domain("gll")
    before, now = domain.data["written"], dict(domain.targets)
    changed = {label for label in before.keys() | now.keys() if before.get(label) != now.get(label)}
    domain.data["written"] = now
    return [doc for doc, labels in domain.uses.items() if labels & changed and doc in env.found_docs]


def setup(app: Sphinx) -> None:
    """Register the domain, the transform, and the rewriting of pages whose targets moved."""
    app.add_domain(BookDomain)
    app.add_transform(Links)
    app.connect("env-before-read-docs", forget)
    app.connect("env-updated", moved)
