"""What a link to a page looks like where people share links: a title, a sentence, a picture."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

PICTURE = "_static/screenshot.png"
LENGTH = 200  # of the sentence, in letters


def site(app: Sphinx) -> str:
    """The public address of the pages: html_baseurl, or GitHub's pages for the repository."""
    if app.config.html_baseurl:
        return app.config.html_baseurl.rstrip("/")
    repository = app.config.html_theme_options.get("repository_url", "").rstrip("/")
    found = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+)", repository)
    return f"https://{found[1].lower()}.github.io/{found[2]}" if found else ""


def sentence(tree: nodes.document) -> str:
    """What a chapter promises its reader, or a page's first paragraph; in words alone, without formulas."""
    for paragraph in tree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        promises = paragraph.next_node(descend=False, siblings=True)
        if isinstance(promises, nodes.bullet_list) and text.endswith("you can"):
            items = [item for item in promises.children if not any(item.findall(nodes.math))]
            text = f"{text} {' '.join(' '.join(item.astext().split()) for item in items)}"
        plain = isinstance(paragraph.parent, nodes.section) and not any(paragraph.findall(nodes.math))
        if plain and len(text) > 40:  # and no bare link
            return text if len(text) <= LENGTH else text[: text.rindex(" ", 0, LENGTH)] + " …"
    return ""


def add_card(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Add the page's card to its head."""
    address = site(app)
    if tree is None or not address:
        return
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))
    card = {
        "og:type": "article",
        "og:site_name": app.config.html_title or app.config.project,
        "og:title": title,
        "og:description": sentence(tree),
        "og:url": f"{address}/{page}.html",
        "og:image": f"{address}/{PICTURE}",
        "og:image:alt": "A page of the book",
    }
    tags = [f'<meta property="{key}" content="{escape(value)}">' for key, value in card.items() if value]
    if card["og:description"]:
        tags.append(f'<meta name="description" content="{escape(card["og:description"])}">')
    tags.append('<meta name="twitter:card" content="summary_large_image">')
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def setup(app: Sphinx) -> None:
    """Connect the cards."""
    app.connect("html-page-context", add_card)
