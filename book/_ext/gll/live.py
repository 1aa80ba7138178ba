"""Live figures on pages that no notebook makes: ``{explore} DiracGame`` with its traits as JSON below it.

The page stores the figure's state, as a notebook's page does, and shows the still picture to paper and to
readers without script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Explore(SphinxDirective):
    """A live figure with a caption.

    The argument is a class of ``ganlib.explore``, the content a JSON object of its arguments, or nothing.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"caption": str, "name": str}

    def run(self) -> list[nodes.Node]:
        from ganlib import explore

        name, text = self.arguments[0], "\n".join(self.content)
        try:
            figure = getattr(explore, name)(**json.loads(text or "{}"))
        except Exception as error:
            raise self.error(f"The live figure {name} cannot be made: {error}") from error
        key = hashlib.sha256(f"{self.env.docname} {name} {text}".encode()).hexdigest()[:32]
        self.env.metadata[self.env.docname].setdefault("explore", {})[key] = {"state": figure.stored()}
        for script in (explore.FIGURES[name], "kit"):
            self.env.note_dependency(str(explore.FOLDER / f"{script}.js"))
        picture = base64.b64encode(figure.still()).decode("ascii")
        view = json.dumps({"model_id": key, "version_major": 2, "version_minor": 0})
        out = nodes.figure("", align="default")
        out += nodes.raw(
            "",
            f'<img src="data:image/png;base64,{picture}" alt="{figure.alt}">\n'
            f'<script type="{explore.VIEW}">{view}</script>',
            format="html",
        )
        if caption := self.options.get("caption"):
            parsed, messages = self.parse_inline(caption)
            out += nodes.caption(caption, "", *parsed)
            out += messages
        self.add_name(out)
        return [out]


def store(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Put the states of a page's figures where the loader and ``repairs.embed_figures`` look for them."""
    from ganlib.explore import STATE

    if states := app.env.metadata.get(page, {}).get("explore"):
        app.add_js_file(None, type=STATE, body=json.dumps({"state": states}))


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_directive("explore", Explore)
    app.connect("html-page-context", store, priority=500)
