"""The figure of the pushforward: its curve and density against torch, formula against samples, its page."""

import math

import figures
import mpmath as mp
import pytest
from figures import close
from traitlets import TraitError

from ganlib.explore import Pushforward, script

TEXT = script("pushforward")
CURVES = {
    "increasing": [-1.9, -1.5, -0.9, 0.2, 2.4],
    "decreasing": [2.4, 0.2, -0.9, -1.5, -1.9],
    "folded": [-2.2, 1.2, 0.4, -1.2, 1.8],
    "four branches": [-3.0, 2.4, -2.0, 3.0, -1.0],
    "a line": [-2.0, -1.0, 0.0, 1.0, 2.0],
}
LEVELS = [k / 8 + 0.013 for k in range(-20, 21)]
each = pytest.mark.parametrize("name", CURVES)


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


def settings(name, noise):
    return {"heights": CURVES[name], "noise": noise}


@each
def test_the_curve_is_the_one_of_python(sheet, name):
    import torch

    z = torch.linspace(-4, 4, 161, dtype=torch.float64)
    got = torch.tensor(call(sheet, "x[1].map(z => m.generate(x[0], z))", CURVES[name], z.tolist()))
    assert (got - Pushforward(heights=CURVES[name]).G(z)).abs().max() < 1e-6
    broken = TEXT.replace("(p.m + (p.b * (z - p.at)) / 2)", "(1.05 * p.m + (p.b * (z - p.at)) / 2)")
    assert broken != TEXT
    wrong = torch.tensor(
        call(sheet, "x[1].map(z => m.generate(x[0], z))", CURVES[name], z.tolist(), text=broken)
    )
    assert (wrong - Pushforward(heights=CURVES[name]).G(z)).abs().max() > 1e-2


@pytest.mark.parametrize("noise", ["normal", "uniform"])
@each
def test_preimages_and_densities_equal_torch(sheet, name, noise):
    """The page solves quadratic equations; Python bisects, and differentiates automatically."""
    figure = Pushforward(**settings(name, noise))
    got = call(sheet, "x[1].map(v => [m.density(x[0], v), m.signed(x[0], v)])", settings(name, noise), LEVELS)
    wanted = list(
        zip(figure.density(LEVELS).tolist(), figure.density(LEVELS, signed=True).tolist(), strict=True)
    )
    inside = [i for i, (q, _) in enumerate(wanted) if q]
    assert len(inside) > 15
    assert all(got[i] == [0, 0] for i in range(len(LEVELS)) if i not in inside)
    for k in (0, 1):
        pairs = [(got[i][k], mp.mpf(wanted[i][k])) for i in inside if abs(wanted[i][k]) > 1e-9]
        close([p[0] for p in pairs], [p[1] for p in pairs], 1e-6)


def levels(page, name, noise, text=TEXT):
    """[measured, derived] where the density is not thin, and no turn of G or end of the noise is near."""
    return call(
        page,
        """(() => { const [s, levels, seed] = x, ends = s.noise === "uniform" ? [-2, 2] : [];
            for (const p of m.pieces(s.heights)) {
                const z = p.at - p.m / p.b;
                if (z > p.from && z < p.to) ends.push(z);
            }
            const bad = ends.map(z => m.generate(s.heights, z));
            const samples = m.push(s.heights, m.draw(s.noise, m.COUNT, seed));
            return levels.filter(v => bad.every(e => Math.abs(e - v) > 0.1))
                .map(v => [m.measured(samples, v), m.density(s, v)]).filter(p => p[1] > 0.02);
        })()""",
        settings(name, noise),
        LEVELS,
        3,
        text=text,
    )


def agree(pairs):
    assert len(pairs) > 8
    close([p[0] for p in pairs], [mp.mpf(p[1]) for p in pairs], 0.03)


@pytest.mark.parametrize("noise", ["normal", "uniform"])
@each
def test_measured_equals_derived(sheet, name, noise):
    """To 3 %, which is one sample more or less at each end of a window, and the bend of q within it."""
    agree(levels(sheet, name, noise))
    for part, wrong in (
        ("share: p / Math.abs(tilt)", "share: 1.05 * p / Math.abs(tilt)"),
        ("return n / samples.length / w;", "return 1.05 * n / samples.length / w;"),
    ):
        broken = TEXT.replace(part, wrong)
        assert broken != TEXT
        with pytest.raises(AssertionError, match="relative error"):
            agree(levels(sheet, name, noise, broken))


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_the_noise_has_the_law_it_is_said_to_have(sheet, noise):
    import torch

    z = torch.tensor(call(sheet, "Array.from(m.draw(x[0], 20000, 7))", noise), dtype=torch.float64)
    edges = (torch.arange(20_001, dtype=torch.float64)) / 20_000  # one number in each slice of equal mass
    mass = torch.special.ndtr(z) if noise == "normal" else (z + 2) / 4
    assert (mass - edges[:-1]).min() > -1e-6
    assert (edges[1:] - mass).min() > -1e-6
    inside = (mass - edges[:-1]) * 20_000
    counts = torch.histogram(inside, 10, range=(0.0, 1.0))[0]
    assert (counts - 2000).abs().max() < 5 * math.sqrt(2000), "uniform within its slice"
    again, other = (call(sheet, "Array.from(m.draw(x[0], 20000, x[1]))", noise, seed) for seed in (7, 8))
    assert again == z.tolist()
    assert again != other


@pytest.mark.parametrize(
    ("heights", "mass"),
    [(CURVES["increasing"], 1), (CURVES["decreasing"], -1), ([2.0, 0.0, -1.0, 0.0, 2.0], 0)],
)
def test_the_signed_formula_has_another_mass(sheet, heights, mass):
    """Downwards only: minus one, as in (2.15). Down and up, for a curve like that of z squared: nothing."""
    got = call(sheet, "m.signedMass(x[0], m.draw('normal', m.COUNT, 0))", heights)
    assert abs(got - mass) < 1e-4


def test_a_flat_generator_has_atoms_and_says_so(sheet):
    flat = {"heights": [0.0, 0.0, 0.0, 1.5, 1.5], "noise": "normal"}
    atoms = call(sheet, "m.atoms(x[0])", flat)
    assert {a["x"] for a in atoms} == {0, 1.5}
    at_zero = sum(a["mass"] for a in atoms if a["x"] == 0)
    assert math.isclose(at_zero, (1 + math.erf(-0.5 / math.sqrt(2))) / 2, rel_tol=1e-6)
    told = call(sheet, "m.say(x[0], 0, m.preimages(x[0], 0), 1, 1)", flat)
    assert told.startswith("G is flat at this height: 30.9 % of the noise lands on x = 0.00 exactly.")
    assert told.endswith("It is an atom, and an atom has no density.")


def test_a_turn_of_the_generator_is_said(sheet):
    fold = {"heights": [0.0, 1.0, 0.0, 1.0, 0.0], "noise": "normal"}
    told = call(sheet, "m.say(x[0], 0.75, m.preimages(x[0], 0.75), 3.06, 0)", fold)
    assert told.startswith("G turns at x = 0.75. There the slope is 0 and the density infinite")
    none = call(sheet, "m.say(x[0], 2, m.preimages(x[0], 2), 0, 0)", fold)
    assert none == "No point of noise lands on x = 2.00, so the density is 0 there, and so is the histogram."


@pytest.mark.parametrize("change", [{"heights": [0.0] * 4}, {"heights": [4.0] * 5}, {"x": 3.5}, {"point": 5}])
def test_a_position_that_does_not_exist_is_refused(change):
    with pytest.raises(TraitError):
        Pushforward(**change)


# ---------------------------------------------------------------- the figure on the page


def test_the_page_shows_both_numbers(visit):
    figure = Pushforward()
    page = visit(figure)
    fig = page.locator(".gl-fig")
    measured, derived, signed = (
        float(fig.get_attribute(f"data-{key}")) for key in ("measured", "derived", "signed")
    )
    assert math.isclose(measured, derived, rel_tol=0.03)
    assert math.isclose(derived, figure.density([figure.x]).item(), rel_tol=1e-6)
    assert math.isclose(signed, figure.density([figure.x], signed=True).item(), rel_tol=1e-6)
    assert signed < 0 < derived
    shown = [cell.inner_text().split("\n")[0] for cell in page.locator("td").all()]
    assert shown == call(page, "x.map(m.show)", measured, derived, measured, signed)


def test_preimages_light_up_as_x_moves(visit):
    page = visit(Pushforward())
    points = page.locator(".gl-move circle")
    say = page.locator(".gl-say")
    assert points.count() == 3
    assert page.locator(".gl-move circle.open").count() == 1, "one branch falls"
    assert say.inner_text().startswith("Three points of noise land on x = 0.20: z = −1.26, 0.08 and 1.47.")
    assert "rising and falling points cancel, and −0.191 is left" in say.inner_text()
    page.get_by_role("slider").press("End")
    assert points.count() == 1
    assert "Here G rises, and without the absolute value nothing changes" in say.inner_text()
    assert say.inner_text().startswith("One point of noise lands on x = 3.00")


def test_a_shape_is_chosen_and_read_off_the_points(visit):
    page = visit(Pushforward())
    say = page.locator(".gl-say")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.locator("input[value=decreasing]").is_checked()
    assert "G falls: without the absolute value the density would be −0.169" in say.inner_text()
    assert "all x together would have the mass −1.00" in say.inner_text()
    panel = page.locator(".gl-move")
    panel.focus()
    for _ in range(25):
        page.keyboard.press("ArrowUp")
    assert page.locator("input[value=folded]").is_checked(), "the second point is now the highest"


def test_points_are_dragged_or_moved_by_keys(visit):
    page = visit(Pushforward(heights=CURVES["a line"], point=0))
    panel = page.locator(".gl-move")
    box = panel.bounding_box()
    assert "Control point 1 of 5 is at z = −2, x = −2.0" in panel.get_attribute("aria-label")
    panel.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert "Control point 2 of 5 is at z = −1, x = −0.9" in panel.get_attribute("aria-label")

    def spot(z, x):
        unit = box["width"] / 300 * 45
        left, top = (box[side] + box["width"] / 300 * room for side, room in (("x", 26), ("y", 20)))
        return left + (z + 3) * unit, top + (3 - x) * unit

    page.mouse.move(*spot(1, 1))
    page.mouse.down()
    page.mouse.move(*spot(1, 2.5))
    page.mouse.move(*spot(2, -1))  # the held point goes on moving although another is near
    page.mouse.up()
    assert "Control point 4 of 5 is at z = 1, x = −1.0" in panel.get_attribute("aria-label")
    page.mouse.click(*spot(-2.5, 1.5))
    assert "x = 1.50" in page.locator(".gl-slide").inner_text()
    right = page.locator(".gl-level").bounding_box()
    page.mouse.click(right["x"] + 100, spot(0, -0.5)[1])
    assert "x = −0.50" in page.locator(".gl-slide").inner_text()


def test_drawing_keeps_up_with_thirty_frames_a_second(visit):
    """By the slider, and by moving a control point, which pushes all samples anew."""
    page = visit(Pushforward(heights=CURVES["four branches"]))
    milliseconds = page.evaluate(figures.REDRAW)
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to draw once"
    milliseconds = page.evaluate(
        """() => { const panel = document.querySelector(".gl-move"), down = { key: "ArrowDown" };
            const start = performance.now();
            for (let i = 0; i < 20; i++) panel.dispatchEvent(new KeyboardEvent("keydown", down));
            return (performance.now() - start) / 20; }"""
    )
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to push and draw once"
