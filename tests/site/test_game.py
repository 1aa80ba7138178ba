"""The figure of games that go round: numerics against ganlib's game, derived against measured, its page."""

import math
from itertools import product

import figures
import mpmath as mp
import pytest
from figures import close

from ganlib.explore import DiracGame, script
from ganlib.explore.game import LOSSES, METHODS

TEXT = script("game")
STARTS = [(0.3, 0.0), (0.9, 0.4), (1.3, 0.7)]


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


def settings(figure):
    return {
        key: getattr(figure, key) for key in ("loss", "method", "eta", "gamma", "steps", "theta0", "psi0")
    }


def cases():
    for loss, method in product(LOSSES, METHODS):
        for eta, gamma in ((0.3, 0.0), (0.3, 0.7), (0.7, 0.3)):
            yield DiracGame(loss=loss, method=method, eta=eta, gamma=gamma, theta0=0.8, psi0=-0.5, steps=25)


def apart(ours, theirs):
    """The largest distance of two paths, as a share of the longer step from the origin."""
    assert len(ours) == len(theirs)
    return max(math.dist(a, b) / max(1, math.hypot(*b)) for a, b in zip(ours, theirs, strict=True))


def test_the_page_plays_the_game_that_ganlib_plays(sheet):
    figures_ = list(cases())
    paths = call(sheet, "x.map(m.points)", *map(settings, figures_))
    wanted = [f.path() for f in figures_]
    assert max(map(apart, paths, wanted)) < 1e-9
    broken = TEXT.replace("return [psi * g(t), -theta * d(t)", "return [1.05 * psi * g(t), -theta * d(t)")
    assert broken != TEXT
    wrong = call(sheet, "x.map(m.points)", *map(settings, figures_), text=broken)
    assert min(map(apart, wrong, wanted)) > 1e-3


def sorted_(values):
    return sorted(values, key=lambda e: (round(e.real, 6), round(e.imag, 6)))


def test_eigenvalues_are_those_of_ganlib(sheet):
    """The page writes most of them as functions of an eigenvalue of J, Python as matrices."""
    all_figures = list(cases())
    got = call(sheet, "x.map(m.eigenvalues)", *map(settings, all_figures))
    worst = 0.0
    for figure, values in zip(all_figures, got, strict=True):
        ours, theirs = sorted_([complex(*v) for v in values]), sorted_(figure.eigenvalues())
        worst = max([worst, *(abs(a - b) for a, b in zip(ours, theirs, strict=True))])
    assert worst < 1e-7
    broken = TEXT.replace(
        'optimistic") return roots([1 + 2 * e[0]', 'optimistic") return roots([1.05 + 2 * e[0]'
    )
    assert broken != TEXT
    figure = DiracGame(method="optimistic")
    wrong = call(sheet, "m.eigenvalues(x[0])", settings(figure), text=broken)
    assert abs(max(abs(complex(*v)) for v in wrong) - figure.radius) > 1e-2


def test_measured_equals_derived(sheet):
    """To 1e-3, as long as no eigenvalue is double. The measured rate never sees an eigenvalue."""
    grid = [settings(f) for f in cases()]
    pairs = call(sheet, "x.map(s => [m.measured(s), m.derived(s)])", *grid)
    close([p[0]["factor"] for p in pairs], [mp.mpf(p[1]["factor"]) for p in pairs], 1e-3)
    assert max(abs(p[0]["turn"] - p[1]["turn"]) for p in pairs) < 1e-2
    broken = TEXT.replace("const v = velocity(s, z), u = velocity(s, old)", "const v = velocity(s, z), u = v")
    assert broken != TEXT, "optimistic steps without a memory are simultaneous ones"
    s = settings(DiracGame(method="optimistic"))
    wrong = call(sheet, "[m.measured(x[0]), m.derived(x[0])]", s, text=broken)
    with pytest.raises(AssertionError, match="relative error"):
        close([wrong[0]["factor"]], [mp.mpf(wrong[1]["factor"])], 1e-3)


@pytest.mark.parametrize(
    ("method", "factor"),
    [
        ("simultaneous", lambda h: mp.sqrt(1 + h**2)),
        ("alternating", lambda h: mp.mpf(1)),
        ("implicit", lambda h: 1 / mp.sqrt(1 + h**2)),
        ("extragradient", lambda h: mp.sqrt(1 - h**2 + h**4)),
        ("optimistic", lambda h: mp.sqrt((1 + mp.sqrt(1 - 4 * h**2)) / 2)),
        ("consensus", lambda h: mp.sqrt((1 - h) ** 2 + h**2)),
    ],
)
def test_the_bilinear_game_has_the_radii_of_theorem_8_2(sheet, method, factor):
    steps = [0.05, 0.2, 0.45]
    games = [settings(DiracGame(loss="Wasserstein", method=method, eta=h)) for h in steps]
    got = call(sheet, "x.map(s => m.derived(s).factor)", *games)
    close(got, [factor(mp.mpf(h)) for h in steps], 1e-12)
    with pytest.raises(AssertionError, match="relative error"):
        close([1.05 * g for g in got], [factor(mp.mpf(h)) for h in steps], 1e-12)


# ---------------------------------------------------------------- the figure on the page


def test_the_page_shows_both_numbers(visit):
    page = visit(DiracGame(eta=0.3, gamma=0.5))
    fig = page.locator(".gl-fig")
    measured, derived = (float(fig.get_attribute(f"data-{key}")) for key in ("factor", "derived"))
    assert math.isclose(measured, derived, rel_tol=1e-3)
    assert math.isclose(derived, DiracGame(eta=0.3, gamma=0.5).radius, rel_tol=1e-9)
    shown = [float(cell.inner_text()) for cell in page.locator("tbody tr:first-child td").all()]
    assert shown == [round(measured, 5), round(derived, 5)]
    assert "arrives" in page.locator(".gl-say").inner_text()


def test_a_penalty_ends_the_circles(visit):
    page = visit(DiracGame())
    say = page.locator(".gl-say")
    assert "runs away" in say.inner_text()
    page.get_by_label("penalty").focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    assert "arrives" in say.inner_text()
    page.get_by_role("combobox", name="steps").select_option("alternating")
    page.get_by_label("penalty").press("Home")
    assert "keeps its distance" in say.inner_text()


def test_the_start_is_dragged_or_moved_by_keys(visit):
    page = visit(DiracGame())
    panel = page.locator(".gl-move")
    before = panel.get_attribute("aria-label")
    assert before.startswith("Path of the game from θ = 1.00, ψ = 0.00")
    box = panel.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    assert panel.get_attribute("aria-label") != before
    panel.focus()
    theta = float(panel.get_attribute("aria-label").split("θ = ")[1].split(",")[0].replace("−", "-"))
    page.keyboard.press("ArrowLeft")
    moved = float(panel.get_attribute("aria-label").split("θ = ")[1].split(",")[0].replace("−", "-"))
    assert math.isclose(moved, theta - 0.1, abs_tol=1e-9)


def test_play_draws_step_by_step_and_stops_at_the_end(visit):
    page = visit(DiracGame(steps=30))
    points = page.locator(".gl-move circle.full")
    assert points.count() == 30
    page.get_by_role("button", name="play").click()
    page.wait_for_function("document.querySelectorAll('.gl-move circle.full').length < 30")
    page.get_by_role("button", name="play").wait_for()  # it says stop while it runs
    assert points.count() == 30


def test_drawing_keeps_up_with_thirty_frames_a_second(visit):
    page = visit(DiracGame(steps=400, eta=0.02))
    milliseconds = page.evaluate(
        """() => { const slide = document.querySelector(".gl-slide:nth-of-type(1) input");
            const start = performance.now();
            for (let i = 0; i < 40; i++) {
                slide.value = 0.02 + 0.01 * i;
                slide.dispatchEvent(new Event("input"));
            }
            return (performance.now() - start) / 40; }"""
    )
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to draw once"
