"""The figure of the atom game: its path against ganlib's game, its threshold, its page."""

import math
from itertools import product

import figures
import mpmath as mp
import pytest
import torch
from figures import close

from ganlib.explore import AtomGame, script
from ganlib.explore.atoms import ORDERS, TILT

TEXT = script("atoms")
KEYS = ("K", "eta", "kappa", "order", "lead", "tilt", "rounds")


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


def settings(figure):
    return {key: getattr(figure, key) for key in KEYS}


def cases():
    for order, K, (eta, kappa) in product(ORDERS, (2, 4, 7), ((0.5, 0.1), (0.5, 1.0), (0.3, 2.5))):
        yield AtomGame(order=order, K=K, eta=eta, kappa=kappa, rounds=200)


def broken(old, new):
    assert TEXT.count(old) == 1, old
    return TEXT.replace(old, new)


MASSES = "x.map(s => m.points(s).map(({ u }) => m.softmax(u)))"


def test_the_page_plays_the_game_that_ganlib_plays(sheet):
    every = list(cases())
    wanted = torch.tensor([f.path()[0] for f in every if f.K == 4])
    some = [settings(f) for f in every if f.K == 4]
    assert (torch.tensor(call(sheet, MASSES, *some)) - wanted).abs().max() < 1e-9
    for f in every:
        [got] = call(sheet, MASSES, settings(f))
        assert (torch.tensor(got) - torch.tensor(f.path()[0])).abs().max() < 1e-9
    text = broken("kappa * (1 / K - (1 / K + q[i])", "kappa * (1.05 / K - (1 / K + q[i])")
    assert (torch.tensor(call(sheet, MASSES, *some, text=text)) - wanted).abs().max() > 1e-3


def test_the_derived_factor_is_that_of_ganlibs_jacobian(sheet):
    """The largest eigenvalue of a round that is not the shift of all u, which changes nothing."""
    for figure in cases():
        same = {k: getattr(figure, k) for k in ("K", "eta", "kappa", "order")}
        flat = AtomGame(**same, lead=0, tilt=[0.0] * 8)
        J = flat.game().jacobian(())
        K = figure.K
        rates = torch.tensor([figure.kappa] * K + [figure.eta] * K, dtype=torch.float64)
        first, second = ((rates * (torch.arange(2 * K) // K == k)).diag() @ J for k in (0, 1))
        one = torch.eye(2 * K, dtype=torch.float64)
        step = (one + second) @ (one + first) if figure.order == "alternating" else one + first + second
        found = sorted(torch.linalg.eigvals(step).abs().tolist())
        assert math.isclose(found[-1], 1, abs_tol=1e-9)
        got = call(sheet, "m.derived(x[0]).factor", settings(figure))
        close([got], [mp.mpf(found[-2])], 1e-7)
        close([got], [mp.mpf(figure.factor)], 1e-12)


def test_measured_equals_derived(sheet):
    """To 1e-4 in the factor, to 1e-2 in the rounds of a turn. The measured ones never see an eigenvalue."""
    every = [settings(f) for f in cases()]
    pairs = call(sheet, "x.map(s => [m.measured(s), m.derived(s)])", *every)
    close([p[0]["factor"] for p in pairs], [mp.mpf(p[1]["factor"]) for p in pairs], 1e-4)
    turns = [(p[0]["period"], p[1]["period"]) for p in pairs if p[1]["period"] is not None]
    finite = [(a, b) for a, b in turns if a != math.inf and b != math.inf]
    assert len(finite) >= 8
    assert [a == math.inf for a, _ in turns] == [b == math.inf for _, b in turns]
    close([a for a, _ in finite], [mp.mpf(b) for _, b in finite], 1e-2)
    text = broken("trace = 2 - x - (both ? x * y : 0)", "trace = 2 - 1.05 * x - (both ? x * y : 0)")
    wrong = call(sheet, "x.map(s => [m.measured(s), m.derived(s)])", *every, text=text)
    with pytest.raises(AssertionError, match="relative error"):
        close([p[0]["factor"] for p in wrong], [mp.mpf(p[1]["factor"]) for p in wrong], 1e-4)


def test_the_threshold_is_that_of_theorem_9_2(sheet):
    """Just below it the measured game turns, just above it does not."""
    for order in ORDERS:
        edge = AtomGame(order=order).threshold
        assert math.isclose(edge, {"simultaneous": 2.0, "alternating": 2 / (1 + 1 / 16) ** 2}[order])
        for factor, turns in ((0.9, True), (1.1, False)):
            s = settings(AtomGame(order=order, kappa=factor * edge))
            assert math.isclose(call(sheet, "m.threshold(x[0])", s), edge)
            assert (call(sheet, "m.measured(x[0]).period < Infinity", s)) is turns


def test_it_hops_as_often_as_chapter_9_says(sheet):
    """Its start and its four counts; its steps are shorter, 4,000 rounds for 1,600 here."""
    rng = torch.Generator().manual_seed(0)
    start = torch.randn(8, generator=rng, dtype=torch.float64) / 2
    torch.testing.assert_close(torch.tensor(TILT, dtype=start.dtype), start, atol=1e-6, rtol=0)
    games = [settings(AtomGame(kappa=kappa, rounds=1600)) for kappa in (0.02, 0.1, 0.5, 2.0)]
    count = "x.map(s => m.hops(m.points(s).map(({ u }) => m.softmax(u))))"
    assert call(sheet, count, *games) == [13, 6, 3, 0]


def test_at_the_threshold_itself_nothing_turns(sheet):
    """The eigenvalue is double: d is zero but for rounding, and what is measured comes in slowly, to 3e-4."""
    games = [
        settings(AtomGame(order="simultaneous", K=K, eta=eta, kappa=4 * eta))
        for K, eta in ((3, 0.05), (3, 0.25), (5, 0.2), (4, 0.5), (8, 0.75))
    ]
    pairs = call(sheet, "x.map(s => [m.measured(s), m.derived(s)])", *games)
    assert all(p["period"] == math.inf for pair in pairs for p in pair)
    close([p["factor"] for p, _ in pairs], [1 - mp.mpf(s["kappa"]) / (4 * s["K"]) for s in games], 3e-4)
    close([d["factor"] for _, d in pairs], [1 - mp.mpf(s["kappa"]) / (4 * s["K"]) for s in games], 1e-6)
    text = broken("d < -1e-12", "d < 0")
    assert not all(d["period"] == math.inf for d in call(sheet, "x.map(m.derived)", *games, text=text))


# ---------------------------------------------------------------- the page


def test_the_page_shows_both_numbers_and_what_hops(visit):
    page = visit(AtomGame(kappa=0.02, rounds=4000))
    fig, say = page.locator(".gl-fig"), page.locator(".gl-say")
    measured, derived = (float(fig.get_attribute(f"data-{key}")) for key in ("factor", "derived"))
    assert math.isclose(measured, derived, rel_tol=1e-4)
    assert "the mass hops" in say.inner_text()
    page.get_by_label("rate of D").press("End")
    assert "does not go round" in say.inner_text()
    assert "no hop" in say.inner_text()


def test_the_bars_follow_the_cursor(visit):
    page = visit(AtomGame())
    bars = page.locator(".gl-panels svg").nth(1)
    assert bars.get_attribute("aria-label").startswith("Round 0.")
    box = page.locator(".gl-drag").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert not bars.get_attribute("aria-label").startswith("Round 0.")
    page.get_by_label("bars: round").press("End")
    assert bars.get_attribute("aria-label").startswith("Round 1,000.")


@pytest.mark.parametrize(("label", "kappa"), [("rate of D", 2.0), ("bars", 0.1)])
def test_drawing_keeps_up_with_thirty_frames_a_second(visit, label, kappa):
    """With most atoms and rounds, when the game is played again (nothing turns) and when it is not."""
    page = visit(AtomGame(K=8, eta=0.2, kappa=kappa, rounds=4000))
    milliseconds = page.get_by_role("slider", name=label).evaluate(
        """(slide) => { const times = [];
            for (let i = 0; i < 20; i++) {
                const start = performance.now();
                slide.value = Number(slide.value) + Number(slide.step);
                slide.dispatchEvent(new Event("input"));
                times.push(performance.now() - start);
            }
            return times.sort((a, b) => a - b)[10]; }"""
    )
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to draw once"
