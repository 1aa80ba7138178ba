"""What no reader needs, left out of the built folder: rules of styles, icons, scripts, source maps."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import tinycss2
from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

WORD = re.compile(r"[A-Za-z_][\w-]*")
ICON = re.compile(r"[\ue000-\uf8ff]")
# Each icon a second time, as a script of 1.5 MB that holds every icon there is; the font stays.
ICON_SCRIPT = re.compile(r"<script[^>]*scripts/fontawesome\.js[^>]*></script>\s*")
# For searching while one types, which is off; the page that shows what was found needs them.
SEARCH_SCRIPTS = re.compile(
    r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>\s*'
)
FONT_FILES = re.compile(r'url\(([^()]*)\.woff2\) format\("woff2"\),url\(\1\.ttf\) format\("truetype"\)')


def lighten(app: Sphinx, error: Exception | None) -> None:
    """Take out of a finished HTML build what its pages cannot use."""
    if error is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    icons = static / "scripts" / "fontawesome.js"
    for path in [*static.rglob("*.map"), static / "README.md", icons, Path(f"{icons}.LICENSE.txt")]:
        path.unlink(missing_ok=True)
    shutil.rmtree(static / "locales", ignore_errors=True)  # for the build alone
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        plain = ICON_SCRIPT.sub("", text)
        if page != out / "search.html":
            plain = SEARCH_SCRIPTS.sub("", plain)
        if plain != text:
            page.write_text(plain, encoding="utf-8")
    said = vocabulary(out)
    for sheet in static.rglob("*.css"):
        sheet.write_text(pruned(sheet.read_text(encoding="utf-8"), said), encoding="utf-8")
    few_icons(static)


def vocabulary(out: Path) -> set[str]:
    """Every word of every page and script: a class or an id is one of them. MathJax brings its own styles."""
    files = (path for path in out.rglob("*") if path.suffix in {".html", ".js"})
    pages = (path for path in files if "mathjax" not in path.parts and path.name != "searchindex.js")
    return set().union(*(WORD.findall(page.read_text(encoding="utf-8")) for page in pages))


def pruned(css: str, words: set[str]) -> str:
    """`css` without the selectors that name a class or an id that no page has and no script can make.

    A script may make a name out of parts, so a name that begins with a word ending in a hyphen stays. Inside
    ``:not()`` and other functions a name that never occurs does not keep a selector from matching: it stays.
    Comments that begin with ``!`` hold licences.

    Raises:
        ValueError: the text is no CSS.
    """
    starts = tuple(word for word in words if word.endswith("-"))
    rules = tinycss2.parse_stylesheet(css)
    return "".join(_kept(rules, lambda name: name in words or name.startswith(starts)))


def _kept(rules, possible) -> Iterator[str]:
    for rule in rules:
        if rule.type == "error":
            raise ValueError(f"a style sheet, line {rule.source_line}: {rule.message}")
        if rule.type == "qualified-rule":
            if alive := [s for s in _selectors(rule.prelude) if all(map(possible, _names(s)))]:
                heads = ",".join(tinycss2.serialize(selector).strip() for selector in alive)
                yield f"{heads}{{{tinycss2.serialize(rule.content).strip()}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            if inner := "".join(_kept(tinycss2.parse_rule_list(rule.content), possible)):
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}"
        elif rule.type == "comment":
            if rule.value.startswith("!"):
                yield rule.serialize()
        elif rule.type != "whitespace":
            yield rule.serialize()


def _selectors(prelude: list) -> Iterator[list]:
    selector = []
    for token in prelude:
        if token == ",":
            yield selector
            selector = []
        elif token.type != "comment":
            selector.append(token)
    yield selector


def _names(selector: list) -> Iterator[str]:
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or (token.type == "ident" and before == "."):
            yield token.value


def few_icons(static: Path) -> None:
    """Cut the icon fonts down to what the styles still draw. Their names are reserved to the whole ones."""
    sheets = list(static.rglob("*.css"))
    drawn = {ord(icon) for sheet in sheets for icon in ICON.findall(sheet.read_text(encoding="utf-8"))}
    options = subset.Options(flavor="woff", notdef_outline=True, name_IDs=[0, 13, 14], layout_features=[])
    for whole in (static / "vendor" / "fontawesome" / "webfonts").glob("*.ttf"):
        font = TTFont(whole, recalcTimestamp=False)
        small = subset.Subsetter(options)
        small.populate(unicodes=drawn)
        small.subset(font)
        subset.save_font(font, whole.with_suffix(".woff"), options)
        for old in (whole, whole.with_suffix(".woff2")):
            old.unlink(missing_ok=True)
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        if (new := FONT_FILES.sub(r'url(\1.woff) format("woff")', text)) != text:
            sheet.write_text(new, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Run when the build has finished, after all that writes pages."""
    app.connect("build-finished", lighten, priority=900)
