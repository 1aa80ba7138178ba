"""The book's Sphinx extension: plain Markdown in, a dressed mathematics book out.

Notebooks are read in three places (Colab, GitHub, the book), so they hold only Markdown that all three show
alike. This extension gives the book's copy its dress:

* `boxes`: block quotes that open with ``**Theorem 3.1 (Name).**`` become boxes with anchors; ``\\tag{3.2}``
  too.
* `lines`: the stored lines of a derivation show their verdict as a mark and wrap their reasons.
* `references`: "Theorem 3.1", "(3.2)" and "Chapter 3" in running text become links, from any page to any
  page.
* `papers`: links to arXiv, DOIs and proceedings lead to the book's bibliography, which keeps the outside
  address.
* `cards`: a link to a page has a title, a sentence and a picture where people share links.
* `live`: ``{explore}`` puts a live figure on a page that no notebook makes.
* `repairs`: what the theme gets wrong (scripts from outside, duplicate scripts).
* `weight`: what no reader needs is left out of the built folder.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

from . import boxes, cards, lines, live, papers, references, repairs, weight


def setup(app: Sphinx) -> dict[str, Any]:
    """Register every part of the extension."""
    for part in (references, lines, boxes, papers, live, cards, repairs, weight):
        part.setup(app)
    return {"version": "1", "env_version": 4, "parallel_read_safe": True, "parallel_write_safe": True}
