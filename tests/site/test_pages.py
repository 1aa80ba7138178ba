"""Every page of the rendered book, from ``file://``: nothing leaves the folder, nothing is broken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]

# What axe says about the theme's own furniture, and why it stays: (rule, part of the place) -> reason.
ALLOWED: dict[tuple[str, str], str] = {}


@pytest.fixture(params=PAGES)
def report(request: pytest.FixtureRequest, site: Path, look: Callable[[Path], Any]) -> Any:
    path = site / f"{request.param}.html"
    assert path.is_file(), f"{request.param} stands in _toc.yml and was not built"
    return look(path)


def complaints(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """What axe found, less the rows that the theme is allowed."""
    return [row for row in rows if not any(row[0] == rule and place in row[1] for rule, place in ALLOWED)]


def test_console_is_silent(report: Any) -> None:
    assert report.console == []


def test_no_request_leaves_the_folder(report: Any) -> None:
    assert report.outside == []


def test_mathematics_is_typeset(report: Any) -> None:
    assert report.merrors == []
    assert report.raw == []


def test_links_lead_somewhere(report: Any) -> None:
    assert report.links
    assert report.dead == []


def test_references_are_links(report: Any) -> None:
    assert report.unlinked == []


def test_images_have_words(report: Any) -> None:
    assert report.images == []
    assert report.broken == []


def test_no_sideways_scroll_on_a_phone(report: Any) -> None:
    assert report.overflow == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_accessible(report: Any, mode: str) -> None:
    assert complaints(report.axe[mode]) == []


def test_some_page_has_mathematics(site: Path, look: Callable[[Path], Any]) -> None:
    """So that the test of typesetting is about something."""
    assert sum(look(site / f"{page}.html").typeset for page in PAGES) > 100


@pytest.mark.parametrize("page", [p for p in PAGES if p.startswith("notebooks/")])
def test_launch_button_opens_the_notebook_in_colab(page: str, site: Path) -> None:
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    place = repository["url"].removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{place}/blob/{repository['branch']}/{page}.ipynb"
    assert f'href="{address}"' in (site / f"{page}.html").read_text(encoding="utf-8")


def test_formulas_near_the_window_come_first_and_the_rest_follows(site: Path, browser: Any) -> None:
    """Hundreds of formulas at once would hold up the page; none at all would leave out who reads by ear."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / "notebooks" / "08_games_that_go_round.html").as_uri())
    page.evaluate("async () => { await MathJax.startup.promise; }")
    waiting, all_of_them = page.evaluate(
        "['mjx-lazy', 'mjx-container'].map((tag) => document.querySelectorAll(tag).length)"
    )
    assert waiting > all_of_them / 2, "the page is ready before most of its formulas are"
    page.wait_for_function("!document.querySelector('mjx-lazy')", timeout=120_000)
    empty = (
        "[...document.querySelectorAll('mjx-assistive-mml math')].filter((m) => !m.children.length).length"
    )
    assert page.evaluate(empty) == 0
    page.close()


def test_no_icon_is_an_empty_box(site: Path, browser: Any) -> None:
    """The icons are a font; the script of the theme that draws them again is dropped."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((site / f"{TOC['root']}.html").as_uri())
    page.evaluate("async () => { await document.fonts.ready; }")
    seen = page.evaluate(
        """[...document.querySelectorAll("i[class*=fa-]")].filter((i) => i.offsetParent).map((i) => {
            const style = getComputedStyle(i, "::before");
            const loaded = document.fonts.check(`900 16px ${style.fontFamily}`, "\uf002");
            return [style.content.length > 2, loaded]; })"""
    )
    assert seen
    assert all(drawn and loaded for drawn, loaded in seen)
    assert not list(site.rglob("fontawesome.js"))
    page.close()


def test_index_leads_to_the_first_page(site: Path) -> None:
    assert f"{TOC['root']}.html" in (site / "index.html").read_text(encoding="utf-8")


def test_no_dead_weight(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".map"] == []
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "book", "tests/site"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    large = [name for name in tracked.split("\0") if name and (ROOT / name).stat().st_size > 2_000_000]
    assert large == []


# --- The checks themselves: each must see a planted fault ------------------------------------------------

GOOD = "<p>text</p>"
FAULTS = {
    "console": "<script>console.error('planted')</script>",
    "outside": "<img src='http://127.0.0.1:9/pixel.png' alt='a pixel from outside'>",
    "dead": "<a href='#theorem-9-9'>Theorem 9.9</a>",
    "unlinked": "<p>This follows from Theorem 9.9.</p>",
    "images": "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt='../_images/0f3c.png'>",
    "broken": "<img src='data:image/gif;base64,AAAA' alt='a picture that does not load'>",
    "raw": "<span class='math'>\\(x\\)</span>",
    "merrors": "<mjx-merror data-mjx-error='Undefined control sequence'></mjx-merror>",
    "overflow": "<div style='width: 500px'>a wide thing</div>",
}
PAGE = (
    "<!doctype html><html lang='en'><head><title>a page</title>"
    "<meta name='viewport' content='width=device-width'></head>"
    "<body><main><h1>a page</h1><article>{}</article></main></body></html>"
)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_seen(fault: str, tmp_path: Path, look: Callable[[Path], Any]) -> None:
    (tmp_path / "bad.html").write_text(PAGE.format(FAULTS[fault]), encoding="utf-8")
    assert getattr(look(tmp_path / "bad.html"), fault) != []


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("color-contrast", "<p style='color: #bbb; background: #fff'>pale</p>"),
        ("image-alt", "<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>"),
        ("link-name", "<a href='#x' id='x'></a>"),
    ],
)
def test_axe_sees_a_planted_fault(rule: str, body: str, tmp_path: Path, look: Callable[[Path], Any]) -> None:
    (tmp_path / "bad.html").write_text(PAGE.format(body), encoding="utf-8")
    assert rule in {row[0] for row in complaints(look(tmp_path / "bad.html").axe["light"])}


def test_a_good_page_has_no_complaint(tmp_path: Path, look: Callable[[Path], Any]) -> None:
    (tmp_path / "good.html").write_text(PAGE.format(GOOD), encoding="utf-8")
    report = look(tmp_path / "good.html")
    assert all(getattr(report, fault) == [] for fault in FAULTS)
    assert report.axe["light"] == []


def test_allowed_rows_are_still_needed(site: Path, look: Callable[[Path], Any]) -> None:
    """A row that the theme no longer earns must go."""
    rows = [
        row for page in PAGES for mode in ("light", "dark") for row in look(site / f"{page}.html").axe[mode]
    ]
    idle = [key for key in ALLOWED if not any(row[0] == key[0] and key[1] in row[1] for row in rows)]
    assert idle == []
