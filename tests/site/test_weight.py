"""What the built book leaves out: nothing that a page shows, and enough for a page to be light."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from gll import weight

PYDATA = "theme/pydata_sphinx_theme/static"
# The styles and the font as their packages bring them.
WHOLE = {
    "pydata-sphinx-theme.css": ("pydata_sphinx_theme", f"{PYDATA}/styles"),
    "sphinx-book-theme.css": ("sphinx_book_theme", "theme/sphinx_book_theme/static/styles"),
    "mystnb.css": ("myst_nb", "static"),
    "sphinx-design.min.css": ("sphinx_design", "static"),
    "togglebutton.css": ("sphinx_togglebutton", "_static"),
    "fa-solid-900.woff2": (
        "pydata_sphinx_theme",
        "theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts",
    ),
}
PAGES = ["book/index", "book/notation", "notebooks/01_two_players", "search"]

# Every computed style of every element and of what stands before and after it.
STYLES = """() => [...document.querySelectorAll("body *:not(mjx-container *, svg *, script)")].flatMap((e) =>
  [null, "::before", "::after"].map((at) => {
    const style = getComputedStyle(e, at);
    if (at && style.content === "none") return "";
    const all = [...style].filter((n) => !n.startsWith("--")).map((n) => style.getPropertyValue(n));
    return `${e.tagName} ${e.className} ${at ?? ""}: ${all.join(";")}`;
  }))"""


def original(url: str) -> bytes | None:
    """The whole file that a file of the built book was cut from."""
    name = url.split("?")[0].rsplit("/", 1)[-1].replace(".woff2", ".woff").replace(".woff", ".woff2")
    name = re.sub(r"^mystnb\.[0-9a-f]+", "mystnb", name)
    if name not in WHOLE:
        return None
    package, folder = WHOLE[name]
    return resources.files(package).joinpath(folder, name).read_bytes()


@pytest.fixture
def seen(browser: Any, site: Path):
    """Look at a page with the files that `instead` gives for the built ones: its styles and its picture."""

    def look(name: str, instead, **settings) -> tuple[list[str], bytes]:
        page = browser.new_page(**settings)
        replaced = []

        def answer(route) -> None:
            body = instead(route.request.url)
            if body is None:
                return route.continue_()
            replaced.append(route.request.url)
            kind = "text/css" if ".css" in route.request.url else "font/woff2"
            return route.fulfill(body=body, content_type=kind)

        page.route(re.compile(r"\.(css|woff2?)(\?|$)"), answer)
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
        page.wait_for_function("!document.querySelector('mjx-lazy')", timeout=120_000)
        page.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
        page.wait_for_timeout(100)
        styles, picture = page.evaluate(STYLES), page.screenshot(animations="disabled")
        page.close()
        assert len(replaced) >= 4 or instead is nothing
        return styles, picture

    return look


def nothing(url: str) -> None:
    return None


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "settings",
    [
        {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    ],
    ids=["desk, light", "phone, dark"],
)
def test_pages_look_as_with_the_whole_styles_and_icons(seen, name: str, settings: dict) -> None:
    styles, picture = seen(name, nothing, **settings)
    whole_styles, whole_picture = seen(name, original, **settings)
    assert len(styles) == len(whole_styles) > 300
    assert [(a, b) for a, b in zip(styles, whole_styles, strict=True) if a != b] == []
    assert picture == whole_picture


def test_one_rule_too_few_is_seen(seen) -> None:
    settings = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}

    def broken(url: str) -> bytes | None:
        body = original(url)
        return body and body.replace(b".bd-links", b".bd-lost").replace(b"\\f002", b"\\f003")

    assert seen("book/notation", broken, **settings) != seen("book/notation", nothing, **settings)


CSS = """/*! a licence */ /* a word */
@charset "UTF-8";
.there, .absent { color: red }
.absent > p { color: blue }
p:not(.absent), #top { margin: 0 }
.made-by-script { margin: 1px }
@media print { .absent { margin: 2px } .there { margin: 3px } }
@media (max-width: 9px) { .absent { margin: 4px } }
@supports (display: grid) { #gone { margin: 5px } }
@font-face { font-family: F; src: url(f.woff) }
"""


def test_only_what_cannot_match_is_left_out() -> None:
    words = {"there", "made-", "top"}
    kept = weight.pruned(CSS, words)
    assert kept == (
        '/*! a licence */@charset "UTF-8";.there{color: red}p:not(.absent),#top{margin: 0}'
        ".made-by-script{margin: 1px}@media print {.there{margin: 3px}}"
        "@font-face { font-family: F; src: url(f.woff) }"
    )
    assert weight.pruned(kept, words) == kept, "a second build finds nothing more"
    assert ".absent{color: red}" in weight.pruned(CSS, words | {"absent"}).replace(".there,", "")


def test_what_is_no_css_is_said() -> None:
    with pytest.raises(ValueError, match="line 2"):
        weight.pruned(".a { }\n.b", {"a"})


def test_search_finds_a_word_from_the_dialog(browser: Any, site: Path) -> None:
    """Its index comes with the page of results, and with no other."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "book" / "notation.html").as_uri())
    page.wait_for_timeout(300)
    assert not [url for url in asked if "searchindex" in url]
    page.keyboard.press("Control+k")
    page.keyboard.type("divergence")
    page.keyboard.press("Enter")
    page.locator("#search-results ul.search > li").nth(2).wait_for()
    page.close()


def test_the_page_of_the_generator_is_under_a_megabyte(browser: Any, site: Path) -> None:
    """All of it as it lies on the disk: text, styles, scripts, weights."""
    import weigh

    assert weigh.weigh(browser, site / "book" / "generator.html", rounds=1)["kB"] < 1000
