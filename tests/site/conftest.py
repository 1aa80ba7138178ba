"""The rendered book in a browser: build it if stale, open pages from ``file://``, report what is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import figures
import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(__file__).parent / "axe" / "axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Runs in the page. Everything is said in words that name the place.
LOOK = r"""() => {
  const article = document.querySelector("article") ?? document.body, show = (e) => e.outerHTML.slice(0, 160);
  const kinds = "Theorem|Lemma|Definition|Proposition|Corollary|Algorithm|Exercise|Prediction";
  const number = "\\d{1,2}\\.\\d{1,2}", join = "(?:, and |, or |, | and | or | to |–|-)";
  const named = new RegExp(`\\b(?:${kinds})s?\\s${number}(?:${join}${number})*`, "g");
  const ours = (text) => [...text.matchAll(named)].some( // not "Theorem 2.1 of Arjovsky"
    (m) => !/^\s(?:of|in)\s*(?:$|the paper|that paper|their\b|[A-Z])/.test(text.slice(m.index + m[0].length))
      && !/(?:\b(?:its|their|his|her)|(?<!chapter)['\u2019]s)\s$/i.test(text.slice(0, m.index)));
  const plain = [], walk = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const skip = "a, .gll-title, h1, h2, h3, h4, code, pre, script, style, mjx-container, .math, dl.py";
    const { data, parentElement } = walk.currentNode;
    if (ours(data) && !parentElement.closest(skip)) plain.push(data.trim());
  }
  const path = /\.(png|svg|jpe?g|gif)$|^\S*\/\S*$|^[0-9a-f]{16,}/i, blank = (alt) => !alt?.trim();
  const bad = (alt) => blank(alt) || path.test(alt.trim());
  const errors = [...document.querySelectorAll("mjx-merror, [data-mjx-error]")];
  return {
    links: [...document.querySelectorAll("a[href]")].map((a) => a.href),
    unlinked: plain,
    raw: [...article.querySelectorAll(".math")].filter((m) => !m.querySelector("mjx-container")).map(show),
    merrors: errors.map((e) => e.dataset.mjxError ?? e.textContent),
    typeset: document.querySelectorAll("mjx-container").length,
    images: [...article.querySelectorAll("img")].filter((i) => bad(i.getAttribute("alt"))).map(show),
    broken: [...document.images].filter((i) => i.complete && !i.naturalWidth).map(show),
  };
}"""
WIDE = r"""() => {
  if (document.documentElement.scrollWidth <= innerWidth) return [];
  const beyond = (e) => e.getBoundingClientRect().right > innerWidth + 1;
  const over = [...document.querySelectorAll("body *")].filter(beyond).slice(0, 3);
  return [`${document.documentElement.scrollWidth} px wide`, ...over.map((e) => e.outerHTML.slice(0, 120))];
}"""
# axe is slow on thousands of boxes, so the page is thinned first. MathJax's markup goes (hidden from readers,
# who have MathML), and what repeats: tokens of code of one kind, rows of a long table, entries of the API.
THIN = r"""() => {
  for (const math of document.querySelectorAll("mjx-container")) math.replaceWith("x");
  for (const row of document.querySelectorAll("tbody > tr:nth-child(n + 13)")) row.remove();
  for (const entry of [...document.querySelectorAll("dl.py")].slice(12)) entry.remove();
  const seen = new Set();
  for (const token of document.querySelectorAll(".highlight pre span, dl.py span, dl.py em")) {
    const kind = token.parentElement.className + "/" + token.className;
    if (seen.has(kind) && !token.id) token.replaceWith(...token.childNodes);
    seen.add(kind);
  }
}"""
# No preloading: axe would ask for the style sheets again, which file:// forbids.
RUN_AXE = r"""async (only) => {
  const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"], preload: false});
  const why = (n) => (n.any[0] ?? n.all[0] ?? n.none[0])?.message;
  return found.violations.flatMap((v) => v.nodes.map((n) => [v.id, n.target.join(" "), why(n) ?? v.help]));
}"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]


@dataclass
class Report:
    """What one page did and shows; every list but `links` should be empty."""

    console: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    typeset: int = 0
    raw: list[str] = field(default_factory=list)
    merrors: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    overflow: list[str] = field(default_factory=list)
    axe: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)


@cache
def anchors(path: Path) -> set[str]:
    """Every id in a file."""
    return set(re.findall(r'\sid="([^"]+)"', path.read_text(encoding="utf-8")))


def dead_links(links: list[str]) -> list[str]:
    """Links into the folder whose file or whose anchor does not exist."""
    dead = []
    for link in links:
        parts = urlsplit(link)
        if parts.scheme != "file":
            continue
        path, anchor = Path(unquote(parts.path)), unquote(parts.fragment)
        if not path.is_file() or (path.suffix == ".html" and anchor and anchor not in anchors(path)):
            dead.append(link)
    return sorted(set(dead))


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Any]:
    """A headless Chromium with a fresh profile."""
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def sheet(browser: Any) -> Iterator[Any]:
    """An empty page to compute on."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Open a figure's page; at the end, fail on a console error or a request that left the machine."""
    bad, contexts = [], []

    def go(figure, *, embedded=True, views=1, ready=True, **settings):
        settings = {"viewport": {"width": 1000, "height": 900}, "color_scheme": "light", **settings}
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.bad = bad
        page.on("console", lambda m: bad.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: bad.append(str(e)))
        page.on("request", lambda r: None if re.match("(file|blob|data):", r.url) else bad.append(r.url))
        page.goto(figures.write(tmp_path, figure, embedded=embedded, views=views))
        if ready:
            page.locator(".gl-live[data-ready]").first.wait_for()
        return page

    yield go
    for context in contexts:
        context.close()
    assert not bad, bad


@pytest.fixture(scope="session")
def look(browser: Any) -> Callable[[Path], Report]:
    """Open a file and report on it; each file is opened once in a session."""

    @cache
    def look(path: Path) -> Report:
        report = Report()
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and report.console.append(m.text))
        page.on("pageerror", lambda e: report.console.append(str(e)))
        page.on("request", lambda r: local(r.url) or report.outside.append(r.url))
        page.on("requestfailed", lambda r: report.console.append(f"failed: {r.url}"))
        page.goto(path.as_uri())
        page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
        page.wait_for_function("!document.querySelector('mjx-lazy')", timeout=120_000)
        page.wait_for_timeout(150)
        for key, value in page.evaluate(LOOK).items():
            setattr(report, key, value)
        report.dead = dead_links(report.links)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(150)
        report.overflow = page.evaluate(WIDE)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        page.wait_for_timeout(150)
        page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        page.evaluate(THIN)
        report.axe["light"] = page.evaluate(RUN_AXE, TAGS)
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(300)
        report.axe["dark"] = page.evaluate(RUN_AXE, ["color-contrast"])  # all that differs
        context.close()
        return report

    return look


def local(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:", "about:"))


def stale(index: Path) -> bool:
    """Whether a source of the book is newer than the built book."""
    if not index.is_file():
        return True
    sources = [ROOT / "_config.yml", ROOT / "_toc.yml", *(ROOT / "notebooks").glob("*.ipynb")]
    sources += [p for p in (ROOT / "book").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    sources += [p for p in (ROOT / "ganlib").rglob("*") if p.suffix in (".py", ".js", ".json")]
    built = (ROOT / "_build" / "html" / "searchindex.js").stat().st_mtime
    return any(p.stat().st_mtime > built for p in sources)


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the rendered book, built now unless it is fresh."""
    html = ROOT / "_build" / "html"
    if stale(html / "index.html"):
        program = str(Path(sys.executable).parent / "jupyter-book")
        command = [program, "build", "-W", "-n", "--keep-going", "."]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        said = (built.stdout + built.stderr).splitlines()
        problems = [line for line in said if "WARNING" in line or "ERROR" in line]
        assert built.returncode == 0, "the book does not build:\n" + "\n".join(
            problems or [built.stderr[-2000:]]
        )
    return html
