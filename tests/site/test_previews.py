"""A link to a box or an equation of the page shows it, to pointer and keyboard, and gets out of the way."""

import pytest

CHAPTER = "notebooks/04_minus_log_4.html"
LINK = """() => [...document.querySelectorAll(".bd-article a.reference[href^='#']")].findIndex((link) => {
    const at = document.getElementById(link.hash.slice(1))?.closest(".gll-box, div.math");
    if (!at || at.contains(link)) return false;
    return Math.abs(at.getBoundingClientRect().top - link.getBoundingClientRect().top) > 2000; })"""


@pytest.fixture
def chapter(site, browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto((site / CHAPTER).as_uri())
    page.wait_for_function("!document.querySelector('mjx-lazy')", timeout=120_000)
    yield page
    context.close()


def test_a_preview_comes_with_the_pointer_and_with_the_focus(chapter):
    index = chapter.evaluate(LINK)
    assert index >= 0, "the chapter refers to something far away on the page"
    link = chapter.locator(".bd-article a.reference[href^='#']").nth(index)
    target = chapter.locator(f"[id='{link.get_attribute('href')[1:]}']")
    link.scroll_into_view_if_needed()
    preview = chapter.locator(".gll-preview")
    assert preview.count() == 0
    link.hover()
    preview.wait_for()
    inside = target.evaluate("t => t.closest('.gll-box, div.math').innerText.trim().slice(0, 40)")
    assert preview.inner_text().strip().startswith(inside)
    box = preview.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert preview.get_attribute("aria-hidden") == "true"
    assert preview.locator("[id], [tabindex], a[href]:focus").count() == 0, "a copy has no second anchors"
    chapter.mouse.move(2, 2)
    preview.wait_for(state="detached")
    link.evaluate(
        """l => { const all = [...document.querySelectorAll("a[href], button")];
            all[all.indexOf(l) - 1].focus(); }"""
    )
    chapter.keyboard.press("Tab")
    preview.wait_for()
    chapter.keyboard.press("Escape")
    preview.wait_for(state="detached")


def test_what_is_in_view_is_not_shown_again(chapter):
    shown = chapter.evaluate(
        """() => { const links = [...document.querySelectorAll(".bd-article a.reference[href^='#']")];
            const near = links.find((link) => {
                const at = document.getElementById(link.hash.slice(1))?.closest(".gll-box, div.math");
                const gap = at && Math.abs(at.getBoundingClientRect().top - link.getBoundingClientRect().top);
                return at && !at.contains(link) && gap < 300; });
            if (!near) return "none";
            document.getElementById(near.hash.slice(1)).scrollIntoView({ block: "center" });
            near.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
            return Boolean(document.querySelector(".gll-preview")); }"""
    )
    assert shown is False
