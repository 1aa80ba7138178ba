"""Every live figure on a page of its own, from file://: phone, dark, paper, keyboard, axe, weight."""

import re
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread

import figures
import pytest
from conftest import AXE, RUN_AXE, TAGS, WIDE

from ganlib import explore


@cache
def figure(name):
    return getattr(explore, name)(**figures.EXAMPLES[name])


everyone = pytest.mark.parametrize("name", explore.FIGURES)


def test_every_figure_has_an_example():
    assert set(figures.EXAMPLES) == set(explore.FIGURES)


@everyone
def test_it_mounts_in_place_of_the_still_picture(visit, name):
    page = visit(figure(name))
    place = page.locator("figure")
    assert place.locator(".gl-fig").is_visible()
    assert page.locator(".gl-fig").count() == 1, "the page links the loader twice; it mounts a figure once"
    assert not place.locator("img").is_visible()
    assert place.locator("figcaption").is_visible()
    assert len(page.locator(".gl-say").inner_text()) > 40


@pytest.fixture
def served(tmp_path):
    """A folder that a server shows, and its address."""
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@everyone
def test_it_runs_from_a_server_too(browser, served, name):
    folder, address = served
    figures.write(folder, figure(name))
    page, bad = browser.new_page(), []
    page.on("console", lambda m: bad.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: bad.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((address, "blob:", "data:")) else bad.append(r.url))
    page.goto(f"{address}/page.html")
    page.locator(".gl-live[data-ready]").first.wait_for()
    assert len(page.locator(".gl-say").inner_text()) > 40
    page.close()
    assert bad == []


@everyone
def test_every_control_answers_to_keys(visit, name):
    """Tab reaches each control; a key on it changes what the figure says, draws or counts."""
    page = visit(figure(name))
    stops = "input:not([type=radio]), select, button, [tabindex='0'], input[type=radio]:checked"
    controls = page.locator(".gl-fig").locator(stops)
    reached = []
    for _ in range(controls.count()):
        page.keyboard.press("Tab")
        kind = page.evaluate("document.activeElement.closest('.gl-fig') && document.activeElement.tagName")
        assert kind, f"Tab left the figure after {reached}"
        reached.append(kind)
        if kind == "BUTTON":
            continue
        before = page.locator(".gl-fig").inner_html()
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
            if (after := page.locator(".gl-fig").inner_html()) != before:
                break
        assert after != before, f"control {len(reached)} ({kind}) does nothing"
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.gl-fig')")


@everyone
def test_phone(visit, name):
    page = visit(figure(name), viewport={"width": 390, "height": 844})
    assert not page.evaluate(WIDE)
    out = page.evaluate(
        """[...document.querySelectorAll(".gl-fig :not(style)")]
        .filter(e => !e.closest("legend, g, clipPath"))
        .map(e => [e.outerHTML.slice(0, 60), e.getBoundingClientRect()])
        .filter(([, b]) => b.left < 0 || b.right > 390)"""
    )
    assert not out, out
    panels = [p.bounding_box() for p in page.locator(".gl-panels > *").all()]
    assert all(b["y"] > a["y"] + 100 for a, b in pairwise(panels)), "panels stand in a column"


def contrasts(page) -> list[float]:
    """Contrast with the page of the ink and of the four colours."""
    colours = page.evaluate(
        """() => { const probe = document.createElement("i"), root = document.querySelector(".gl-fig");
            root.append(probe);
            const of = (c) => { probe.style.color = c; return getComputedStyle(probe).color; };
            const named = ["real", "fake", "critic", "other"].map((name) => of(`var(--${name})`));
            const all = [of("currentColor"), ...named];
            probe.remove();
            return [...all, getComputedStyle(document.body).backgroundColor]; }"""
    )
    *marks, ground = map(figures.luminance, colours)
    return [(max(m, ground) + 0.05) / (min(m, ground) + 0.05) for m in marks]


@pytest.mark.parametrize("system", ["light", "dark"])
@everyone
def test_dark_and_light(visit, name, system):
    page = visit(figure(name), color_scheme=system)

    def check(dark):
        page.wait_for_function(
            f"document.querySelector('.gl-fig').hasAttribute('data-dark') === {str(dark).lower()}"
        )
        ink, *marks = contrasts(page)
        assert ink > 7
        assert min(marks) > 3, marks

    check(system == "dark")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    check(True)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    check(False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@everyone
def test_axe(visit, name, scheme):
    page = visit(figure(name), color_scheme=scheme)
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    assert page.evaluate(RUN_AXE, TAGS) == []
    page.evaluate("document.querySelector('.gl-slide span, .gl-pick span').textContent = ''")
    assert page.evaluate(RUN_AXE, TAGS), "a control without a name must be found"


@everyone
def test_nothing_moves_by_itself(visit, name):
    page = visit(figure(name), reduced_motion="no-preference")
    before = page.locator(".gl-fig").inner_html()
    page.wait_for_timeout(200)
    assert page.locator(".gl-fig").inner_html() == before
    assert page.evaluate("document.getAnimations().length") == 0
    calm = visit(figure(name), reduced_motion="reduce")
    assert calm.locator(".gl-fig button:text('play')").count() == 0


@everyone
def test_paper_and_no_script_show_the_still_picture(visit, name):
    page = visit(figure(name))
    page.emulate_media(media="print")
    assert page.locator("img").is_visible()
    assert not page.locator(".gl-fig").is_visible()
    assert page.locator("img").evaluate("i => i.naturalWidth") > 400
    plain = visit(figure(name), java_script_enabled=False, ready=False)
    assert plain.locator("img").is_visible()
    assert plain.locator("figcaption").is_visible()


@everyone
def test_a_missing_module_leaves_the_still_picture(visit, name):
    page = visit(figure(name), embedded=False, ready=False)
    page.wait_for_timeout(300)
    assert page.locator("img").is_visible()
    assert len(page.bad) == 1
    assert "live figure" in page.bad[0]
    page.bad.clear()


@everyone
def test_it_may_be_drawn_before_it_is_placed(visit, name):
    """Jupyter renders a view first and puts it on the page afterwards."""
    page = visit(figure(name), color_scheme="dark")
    state = {k: v for k, v in figure(name).get_state().items() if isinstance(v, (int, float, str, list))}
    figures.call(
        page,
        explore.script(explore.FIGURES[name]),
        """(() => { const el = document.createElement("div"), s = x[0];
            const model = { get: k => s[k], set() {}, on() {}, off() {}, save_changes() {} };
            el.id = "late"; window.cleanup = m.default.render({ model, el }); document.body.append(el);
        })()""",
        state,
    )
    page.locator("#late .gl-fig[data-dark]").wait_for()
    page.evaluate("window.cleanup()")


@everyone
def test_the_still_picture_is_the_same_twice(name):
    one, other = (getattr(explore, name)(**figures.EXAMPLES[name]) for _ in range(2))
    assert one.still() == other.still(), "or notebooks would change at every execution"
    assert len(one.still()) < 150_000
    assert repr(one) == repr(other)
    assert "object at" not in repr(one)


@everyone
def test_weight(name):
    text = explore.script(explore.FIGURES[name])
    assert len(text.encode()) + figures.LOADER.stat().st_size < 60_000
    assert figures.LOADER.stat().st_size < 3_200
    assert not re.search(r"^\s*import\b|\bimport\s*\(|\bfetch\b|https?:", text, re.MULTILINE)
