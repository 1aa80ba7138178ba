"""What the theme and its helpers get wrong, mended: the built folder asks for nothing outside itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

VENDOR = Path(__file__).parents[2] / "vendor"


def configure(app: Sphinx, config: Config) -> None:
    """Ship the vendored MathJax; one search field, not two."""
    if VENDOR.is_dir():
        config.html_static_path.append(str(VENDOR))
    if config.html_theme == "sphinx_book_theme":
        config.html_theme_options.setdefault("navbar_persistent", [])


def clean_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Drop thebe, which the book does not use and which is linked twice."""
    context["script_files"] = [s for s in context.get("script_files", []) if not is_thebe(s)]
    context["css_files"] = [
        c for c in context.get("css_files", []) if "thebe" not in str(getattr(c, "filename", c))
    ]


def drop_thebe_settings(app: Sphinx, tree: nodes.document, docname: str) -> None:
    """Thebe also writes its settings, with somebody else's repository, into every page."""
    for raw in list(tree.findall(nodes.raw)):
        if "x-thebe-config" in raw.astext() or "kernelName =" in raw.astext():
            raw.parent.remove(raw)


def is_thebe(script: Any) -> bool:
    body = getattr(script, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(script, "filename", script) or "") or "THEBE_JS_URL" in body


def keep_stills(app: Sphinx, tree: nodes.document) -> None:
    """A live figure is stored with a still picture, which readers without script and paper get.

    myst-nb keeps every form of an output and picks one later: the picture is lifted out of the choice.
    """
    from ganlib.explore import VIEW

    for bundle in list(tree.findall(nodes.container)):
        forms = {form.get("mime_type"): form for form in bundle.children if isinstance(form, nodes.container)}
        if bundle.get("nb_element") == "mime_bundle" and VIEW in forms and "image/png" in forms:
            at = bundle.parent.index(bundle)
            bundle.parent[at:at] = forms["image/png"].children
            for module in (Path(app.confdir) / "ganlib" / "explore").glob("*.js"):
                app.env.note_dependency(str(module))


def embed_figures(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: nodes.document | None
) -> None:
    """Put the figures' modules inside the page (``file://`` may not import files) and link the loader."""
    from ganlib.explore import STATE, embed

    for script in list(context.get("script_files", [])):
        if getattr(script, "attributes", {}).get("type") == STATE:
            context["body"] += embed(script.attributes["body"])
            app.add_js_file("explore-loader.js", loading_method="defer")


def with_new_static(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Every page carries the digests of scripts and styles, and Sphinx copies these only with a page."""
    built = Path(app.outdir) / "_static"
    for folder in app.config.html_static_path:
        for path in (Path(app.confdir) / folder).rglob("*"):
            copy = built / path.relative_to(Path(app.confdir) / folder)
            times = [p.stat().st_mtime for p in (path, copy) if p.is_file()]
            if len(times) == 2 and times[0] > times[1]:
                return sorted(env.found_docs)
    return []


def setup(app: Sphinx) -> None:
    """Connect the repairs."""
    app.connect("config-inited", configure)
    app.connect("env-get-outdated", with_new_static)
    app.connect("doctree-read", keep_stills)
    app.connect("doctree-resolved", drop_thebe_settings, priority=900)
    app.connect("html-page-context", embed_figures, priority=600)  # after myst-nb has added the state
    app.connect("html-page-context", clean_scripts, priority=900)
