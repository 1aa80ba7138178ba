"""The figure of cross-entropy: losses against ganlib, slopes against autograd, derived against measured."""

import math

import figures
import mpmath as mp
import pytest
from figures import close
from traitlets import TraitError

from ganlib.explore import CrossEntropy, script
from ganlib.explore.cross_entropy import LOSSES

TEXT = script("cross_entropy")
LOGITS = [-6.0, -3.3, -1.0, -0.05, 0.0, 0.4, 2.0, 6.0]
every_loss = pytest.mark.parametrize("loss", LOSSES)


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


def rows(page, loss, text=TEXT):
    return call(page, "x[1].map(a => m.row(x[0], a))", loss, LOGITS, text=text)


@every_loss
def test_losses_and_slopes_equal_ganlib(sheet, loss):
    import torch

    got = rows(sheet, loss)
    values = CrossEntropy(loss=loss).at(torch.tensor(LOGITS, dtype=torch.float64))
    close([r["value"] for r in got], map(mp.mpf, values.tolist()), 1e-12)
    slopes = [mp.mpf(CrossEntropy(loss=loss, a=a).slope) for a in LOGITS]
    close([r["derived"]["byLogit"] for r in got], slopes, 1e-12)


@every_loss
def test_the_loss_from_the_logit_is_the_loss_from_D(sheet, loss):
    pairs = call(
        sheet,
        "x[1].map(a => [m.LOSSES[x[0]].ofLogit(a), m.LOSSES[x[0]].ofD(m.sigmoid(a))])",
        loss,
        LOGITS,
    )
    close([p[0] for p in pairs], [mp.mpf(p[1]) for p in pairs], 1e-12)


def compare(got):
    for key in ("byLogit", "byD"):
        close([r["measured"][key] for r in got], [mp.mpf(r["derived"][key]) for r in got], 1e-8)


WRONG = {
    "D on real": ("byLogit: (d) => d - 1, byD", "byLogit: (d) => 1.05 * (d - 1), byD"),
    "D on fake": ("byLogit: (d) => d, byD", "byLogit: (d) => 1.05 * d, byD"),
    "G saturating": ("byLogit: (d) => -d, byD", "byLogit: (d) => -1.05 * d, byD"),
    "G non-saturating": ("byD: (d) => -1 / d", "byD: (d) => -1.05 / d"),
}


@every_loss
def test_measured_equals_derived(sheet, loss):
    compare(rows(sheet, loss))
    broken = TEXT.replace(*WRONG[loss])
    assert broken != TEXT
    with pytest.raises(AssertionError, match="relative error"):
        compare(rows(sheet, loss, broken))
    broken = TEXT.replace("Math.log1p(Math.exp(-Math.abs(a)))", "1.05 * Math.log1p(Math.exp(-Math.abs(a)))")
    assert broken != TEXT
    with pytest.raises(AssertionError, match="relative error"):
        compare(rows(sheet, loss, broken))


@pytest.mark.parametrize(
    ("loss", "state", "push"),
    [
        ("D on real", "D is wrong", "D wants the logit higher and feels nearly the greatest push"),
        ("D on fake", "D is right", "D wants the logit lower and feels next to nothing"),
        ("G saturating", "G is losing", "G wants the logit higher and feels next to nothing"),
        ("G non-saturating", "G is losing", "G wants the logit higher and feels nearly the greatest push"),
    ],
)
def test_the_sentence_says_what_the_player_feels(sheet, loss, state, push):
    says, level = call(sheet, "[-5, 0].map(a => m.say(x[0], m.row(x[0], a)))", loss)
    assert state in says
    assert says.endswith(push + ".")
    assert "D cannot tell" in level
    assert "0.693" in level
    assert level.endswith("feels 50 % of the greatest push.")


@pytest.mark.parametrize("change", [{"a": 6.1}, {"a": -7.0}, {"loss": "G"}])
def test_a_position_that_does_not_exist_is_refused(change):
    with pytest.raises(TraitError):
        CrossEntropy(**change)


@every_loss
@pytest.mark.parametrize("a", [-6.0, -3.0, 3.0, 6.0])
def test_the_arrow_of_the_still_picture_points_down_the_slope(loss, a):
    figure = CrossEntropy(loss=loss, a=a)
    panel = figure.plot().axes[1]
    (dot,) = (line for line in panel.lines if line.get_marker() == "o")
    _, tip = panel.lines[-2:]
    there, here = (line.get_transform().transform(line.get_xydata())[-1, 0] for line in (tip, dot))
    radius = dot.get_markersize() / 2 * panel.figure.dpi / 72
    assert (there - here) * -math.copysign(1, figure.slope) > radius, "its tip is hidden by the dot"


# ---------------------------------------------------------------- the figure on the page


def test_the_page_shows_both_numbers(visit):
    figure = CrossEntropy(loss="G saturating", a=-2.0)
    page = visit(figure)
    fig = page.locator(".gl-fig")
    measured, derived = (float(fig.get_attribute(f"data-{key}")) for key in ("measured", "derived"))
    assert math.isclose(measured, derived, rel_tol=1e-8)
    assert math.isclose(derived, figure.slope, rel_tol=1e-12)
    cells = page.locator("tbody tr:first-child td")
    assert cells.nth(0).inner_text() == "−0.119"
    assert cells.nth(1).inner_text().split() == ["−0.119", "−D"]


def test_keys_and_pointer_move_the_same_point(visit):
    page = visit(CrossEntropy())
    say = page.locator(".gl-say")
    assert say.inner_text().startswith("D says 0.269 to a real sample: D is wrong.")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert "to a made sample: D is right." in say.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert say.inner_text().startswith("D says 0.998")
    for panel in (0, 1):
        box = page.locator(".gl-drag").nth(panel).bounding_box()
        page.mouse.click(box["x"] + box["width"] * (0.5 * (30 + 318) / 322), box["y"] + box["height"] / 2)
        assert say.inner_text().startswith("D says 0.5")
        page.get_by_role("slider").press("Home")


def test_drawing_keeps_up_with_thirty_frames_a_second(visit):
    page = visit(CrossEntropy())
    milliseconds = page.evaluate(figures.REDRAW)
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to draw once"
