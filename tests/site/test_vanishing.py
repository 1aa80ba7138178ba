"""The figure of vanishing gradients: formulas against mpmath and ganlib, its two discriminators, its keys."""

import math

import figures
import mpmath as mp
import pytest
from figures import close

from ganlib.explore import VanishingGradients, script

TEXT = script("vanishing")


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


# ---------------------------------------------------------------- a measured run


def train(height, steps):
    """Train D on the parallel lines; at checkpoints measure gradients, mean logit and slope, and profile.

    `height` draws the y of the generated points: one number makes the line a point, with nothing to average.
    """
    import torch
    from torch import nn
    from torch.nn.functional import logsigmoid, softplus

    torch.set_num_threads(1)
    torch.manual_seed(0)
    D = nn.Sequential(
        nn.Linear(2, 64), nn.LeakyReLU(), nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 1), nn.Flatten(0)
    )
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-3)
    grid, y = torch.linspace(-0.5, 1.5, 41), height(256)
    rows = []
    checkpoints = {round(math.expm1(i / 24 * math.log1p(steps))) for i in range(25)}
    for step in range(steps + 1):
        if step in checkpoints:
            theta = torch.ones(256, requires_grad=True)
            a = D(torch.stack([theta, y], 1))
            losses = a.mean(), logsigmoid(-a).mean(), -logsigmoid(a).mean()
            slope, sat, ns = (torch.autograd.grad(loss, theta, retain_graph=True)[0].sum() for loss in losses)
            with torch.no_grad():
                profile = D(torch.cartesian_prod(grid, y)).view(len(grid), -1).mean(1).sigmoid()
            rows.append((step, sat.abs(), ns.abs(), a.detach().mean(), slope, profile))
        real = torch.stack([torch.zeros(256), torch.rand(256)], 1)
        fake = torch.stack([torch.ones(256), height(256)], 1)
        loss = softplus(-D(real)).mean() + softplus(D(fake)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    names = ("steps", "sat", "ns", "logit", "slope", "profile")
    return VanishingGradients(**dict(zip(names, zip(*rows, strict=True), strict=True)), grid=grid)


@pytest.fixture(scope="module")
def line():
    import torch

    return train(torch.rand, 600)


@pytest.fixture(scope="module")
def spot():
    import torch

    return train(lambda n: torch.full((n,), 0.5), 300)


# ---------------------------------------------------------------- numerics


def sigma(a):
    return 1 / (1 + mp.exp(-a))


KS = [1e-3, 0.25, 1.0, 2.5, 2.556929, 10.0, 30.0, 200.0, 600.0]
AS = [-700.0, -40.0, -9.03, -1.0, -1e-9, 0.0, 0.5, 30.0, 700.0]
FORMULAS = {
    "toySaturating": (KS, lambda k: k / (1 + mp.exp(k / 2))),
    "toyNonsaturating": (KS, lambda k: k * mp.exp(k / 2) / (1 + mp.exp(k / 2))),
    "toyRatio": (KS, lambda k: mp.exp(-k / 2)),
    "sigmoid": (AS, sigma),
    "softplus": (AS[1:-1], lambda a: mp.log(1 + mp.exp(a))),
    "derivedRatio": (AS, lambda a: sigma(a) / sigma(-a)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_equal_mpmath(sheet, name):
    points, formula = FORMULAS[name]
    with mp.workdps(60):
        want = [formula(mp.mpf(v)) for v in points]
        close(call(sheet, f"x.map(v => m.{name}(v))", *points), want, 1e-12)
        wrong = call(sheet, f"x.map(v => 1.05 * m.{name}(v))", *points)
        with pytest.raises(AssertionError, match="relative error"):
            close(wrong, want, 1e-12)


def test_an_error_planted_in_the_script_is_found(sheet):
    text = TEXT.replace("(k) => k / (1 + Math.exp(k / 2))", "(k) => 1.05 * k / (1 + Math.exp(k / 2))")
    assert text != TEXT
    got = call(sheet, "x.map(m.toySaturating)", *KS, text=text)
    with mp.workdps(60), pytest.raises(AssertionError, match="relative error"):
        close(got, [FORMULAS["toySaturating"][1](mp.mpf(k)) for k in KS], 1e-12)


def test_the_toy_peaks_where_its_derivative_vanishes(sheet):
    with mp.workdps(40):
        peak = mp.findroot(lambda k: mp.diff(lambda u: u / (1 + mp.exp(u / 2)), k), 2.5)
        close([call(sheet, "m.toyPeak()")], [peak], 1e-12)


def test_the_toy_measures_what_it_derives(sheet):
    for k in (0.25, 2.5, 10, 30):
        r = call(sheet, "m.toyRow(x[0])", k)
        for key in ("sat", "ns", "ratio"):
            close([r[key]], [mp.mpf(r["derived"][key])], 1e-6)
    swapped = call(sheet, "m.toyMeasured(10, m.nonsaturatingLoss)")
    with pytest.raises(AssertionError, match="relative error"):
        close([swapped], [mp.mpf(call(sheet, "m.toySaturating(10)"))], 1e-6)


def test_losses_equal_ganlib(sheet):
    import torch

    from ganlib.objectives import nonsaturating, saturating

    a = torch.tensor(AS[1:-1], dtype=torch.float64)
    for name, loss in (("saturatingLoss", saturating), ("nonsaturatingLoss", nonsaturating)):
        close(
            call(sheet, f"x.map(m.{name})", *a.tolist()),
            map(mp.mpf, loss.g(torch.zeros_like(a), a).tolist()),
            1e-12,
        )


def rows(sheet, figure):
    traits = {n: getattr(figure, n) for n in ("steps", "sat", "ns", "logit", "slope")}
    return call(sheet, "m.trainedRows(x[0])", traits)


def compare(rows, sat, ns):
    for key, relative in (("sat", sat), ("ns", ns)):
        close([r[key] for r in rows], [mp.mpf(r["derived"][key]) for r in rows], relative)


def test_derived_equals_measured_at_one_point(sheet, spot):
    """Nothing is averaged at one point. What is left is the sixth digit of a logit below -10: 5e-5 in e^a."""
    got = rows(sheet, spot)
    compare(got, 1e-4, 1e-4)
    for r in got:
        r["sat"] *= 1.05
    with pytest.raises(AssertionError, match="relative error"):
        compare(got, 1e-4, 1e-4)


def test_derived_equals_measured_on_the_line(sheet, line):
    """The two differ by what a mean logit forgets, half the logit's variance (0.4 squared at most)."""
    got = rows(sheet, line)
    compare(got, 0.1, 0.01)
    assert got[-1]["ratio"] < 1e-3 < 0.5 < got[0]["ratio"], "the run must reach saturation to test anything"
    for r in got:
        r["derived"]["sat"], r["derived"]["ns"] = r["derived"]["ns"], r["derived"]["sat"]
    with pytest.raises(AssertionError, match="relative error"):
        compare(got, 0.1, 0.01)


def test_numbers_are_written_as_in_print(sheet):
    shown = call(sheet, "x.map(m.show)", 0, 0.0318, 19.71, -13.7, 4.161e-5, 999.4, 12345, -2e-4)
    assert shown == ["0", "0.0318", "19.7", "−13.7", "4.16 × 10⁻⁵", "999", "1.23 × 10⁴", "−2.00 × 10⁻⁴"]


# ---------------------------------------------------------------- the figure on the page


def test_it_mounts_in_place_of_the_still_picture(visit, line):
    page = visit(line)
    figure = page.locator("figure")
    assert figure.locator(".gl-fig").is_visible()
    assert page.locator(".gl-fig").count() == 1, "the page links the loader twice; it mounts a figure once"
    assert not figure.locator("img").is_visible()
    assert figure.locator("figcaption").is_visible()
    assert figure.locator(".gl-panels svg").count() == 2
    assert page.locator(".gl-say").inner_text().startswith(f"After {line.step} steps, D(1) is ")


def test_the_slider_answers_to_keys(visit, line):
    page = visit(line)
    say, curve = page.locator(".gl-say"), page.locator("path.critic:not(.ghost)")
    before = say.inner_text(), curve.get_attribute("d")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # the radio buttons are one stop, the slider the next
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("ArrowRight")
    after = say.inner_text(), curve.get_attribute("d")
    assert after[0] != before[0]
    assert after[1] != before[1]
    page.keyboard.press("End")
    assert say.inner_text().startswith("After 600 steps")
    assert "times smaller than at its peak" in say.inner_text()
    measured, derived = (
        page.locator(f"tbody tr:first-child td:nth-of-type({i})").inner_text() for i in (1, 2)
    )
    assert measured == call(page, "m.show(x[0])", line.sat[-1])
    assert derived.startswith(
        call(page, "m.show(m.derivedSaturating(x[0], x[1]))", line.logit[-1], line.slope[-1])
    )
    assert page.locator("input[type=range]").get_attribute("aria-valuetext") == "D-steps: 600"
    assert say.get_attribute("aria-live") == "polite"


def test_the_toy_is_one_key_away(visit, line):
    page = visit(line)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    say = page.locator(".gl-say")
    assert say.inner_text().startswith("At k = 2.5, D(1) is 0.223.")
    assert "peak at k = 2.557" in say.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    assert say.inner_text().startswith("At k = 0.25")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowUp")
    assert say.inner_text().startswith(f"After {line.step} steps"), (
        "each discriminator keeps its own position"
    )


def test_the_curve_can_be_dragged(visit, line):
    page = visit(line)
    box = page.locator(".gl-drag").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.99, box["y"] + box["height"] / 2)
    assert page.locator(".gl-fig").get_attribute("data-at") == "600"


def test_two_views_share_a_model_but_not_their_buttons(visit, line):
    page = visit(line, views=2)
    page.locator(".gl-live[data-ready]").nth(1).wait_for()
    page.locator("input[value=toy]").first.check()
    assert page.locator("input[value=toy]:checked").count() == 2
    assert page.locator(".gl-say").nth(1).inner_text().startswith("At k")
