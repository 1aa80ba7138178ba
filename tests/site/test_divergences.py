"""The figure of the divergences: definitions against SciPy, what D measures against torch, its page."""

import math

import figures
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import wasserstein_distance
from traitlets import TraitError

from ganlib.explore import Divergences, script

TEXT = script("divergences")
NAMES = ("V", "jsd", "kl", "lk", "tv", "w1")
SHORT = {"V": 0.0013, "jsd": 0.00065, "kl": 0.001, "lk": 0.001, "tv": 1e-9, "w1": 1e-9}
"""What 400 steps may lack. V lacks 1/1600 for each unit of mass that stands alone, less for the others."""


def call(page, expression, *arguments, text=TEXT):
    return figures.call(page, text, expression, *arguments)


def settings(figure):
    return {key: getattr(figure, key) for key in ("mode", "p", "q", "theta", "steps")}


def pairs():
    """Masses with empty places, and full ones."""
    rng = np.random.default_rng(0)
    yield [1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]
    yield [1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 1, 1]
    yield [0.975, 0.005, 0.005, 0.005, 0.005, 0.005], [0.005, 0.005, 0.005, 0.005, 0.005, 0.975]
    for _ in range(10):
        p, q = rng.dirichlet(np.ones(6), size=2)
        yield (p * (p > 0.15)).tolist(), (q * (q > 0.1)).tolist()
        yield (p + 0.01).tolist(), (q + 0.01).tolist()


def atoms(**kwargs):
    return [Divergences(p=p, q=q, **kwargs) for p, q in pairs()]


def shifts(**kwargs):
    return [Divergences(mode="uniform", theta=k / 20, **kwargs) for k in range(-40, 41)]


def both(page, some, text=TEXT):
    """Measured and derived, of each figure."""
    return call(page, "x.map(s => [m.measured(s), m.derived(s)])", *map(settings, some), text=text)


def agree(pairs, names=NAMES):
    worst = {
        name: max((abs(i[name] - b[name]) for i, b in pairs if b[name] < math.inf), default=0)
        for name in names
    }
    wrong = {name: gap for name, gap in worst.items() if gap > SHORT[name]}
    assert not wrong, f"measured and derived differ: {wrong}"


def test_definitions_are_those_of_scipy(sheet):
    some = atoms()
    for (_, got), f in zip(both(sheet, some), some, strict=True):
        x, p, q = range(1, 7), np.array(f.p), np.array(f.q)
        jsd = jensenshannon(p, q) ** 2
        wanted = (
            -math.log(4) + 2 * jsd,
            jsd,
            rel_entr(p, q).sum(),
            rel_entr(q, p).sum(),
            np.abs(p - q).sum() / 2,
            wasserstein_distance(x, x, p, q),
        )
        for name, want in zip(NAMES, wanted, strict=True):
            assert math.isclose(got[name], want, rel_tol=1e-9, abs_tol=1e-12), name
            assert math.isclose(f.derived()[name], want, rel_tol=1e-9, abs_tol=1e-12), name


def test_closed_forms_are_the_definitions_on_the_cells(sheet):
    some = shifts()
    rows = call(sheet, "x.map(s => [m.byDefinition(m.laws(s)), m.shifted(s.theta)])", *map(settings, some))
    worst = max(abs(a[n] - b[n]) for a, b in rows for n in ("V", "jsd", "tv", "w1"))
    assert worst < 1e-9
    assert max(abs(b["jsd"] - f.derived()["jsd"]) for (_, b), f in zip(rows, some, strict=True)) < 1e-12


@pytest.mark.parametrize("steps", [0, 1, 30])
def test_the_page_trains_as_torch_does(sheet, steps):
    some = atoms(steps=steps)[:8] + shifts(steps=steps)[::9]
    wanted = [f.measured() for f in some]

    def apart(text):
        got = both(sheet, some, text)
        return max(abs(i[n] - w[n]) for (i, _), w in zip(got, wanted, strict=True) for n in NAMES)

    assert apart(TEXT) < 1e-9
    broken = TEXT.replace("cost += m * Math.abs", "cost += 1.05 * m * Math.abs")
    assert broken != TEXT
    assert apart(broken) > 1e-2


BREAKS = {
    "V": ("-Math.log(4) + 2 * jsd", "-Math.log(4) + 2.1 * jsd"),
    "jsd": ("({ V: -Math.log(4) + 2 * jsd, jsd })", "({ V: -Math.log(4) + 2 * jsd, jsd: 1.05 * jsd })"),
    "kl": ("kl: total(law, nats)", "kl: 1.05 * total(law, nats)"),
    "lk": ("lk: total(law, (p, q) =>", "lk: 1.05 * total(law, (p, q) =>"),
    "tv": ("Math.abs(p - q)) / 2", "Math.abs(p - q)) * 0.525"),
    "w1": ("step * Math.abs(ahead", "1.05 * step * Math.abs(ahead"),
}


@pytest.mark.parametrize("name", NAMES)
def test_measured_equals_derived_on_places(sheet, name):
    agree(both(sheet, atoms()), [name])
    old, new = BREAKS[name]
    assert old in TEXT
    with pytest.raises(AssertionError, match="measured and derived differ"):
        agree(both(sheet, atoms(), TEXT.replace(old, new)), [name])


def test_measured_equals_derived_on_intervals(sheet):
    agree(both(sheet, shifts()))
    old = "tv: apart, w1: far"
    assert old in TEXT
    with pytest.raises(AssertionError, match="w1"):
        agree(both(sheet, shifts(), TEXT.replace(old, "tv: apart, w1: 1.05 * far")))


def test_no_reading_is_above_the_divergence(sheet):
    """Corollary 4.1, at any number of steps."""
    for steps in (0, 1, 7, 400):
        for is_, be in both(sheet, [*atoms(steps=steps), *shifts(steps=steps)[::5]]):
            assert is_["jsd"] <= be["jsd"] + 1e-12
            assert be["tv"] ** 2 / 2 - 1e-12 <= be["jsd"] <= be["tv"] * math.log(2) + 1e-12, "theorem 4.3"


def test_a_bar_takes_its_share_from_the_others(sheet):
    p = Divergences().p
    got = call(
        sheet, "[m.reweigh(x[0], 2, 0.65), m.reweigh(x[0], 2, 1), m.reweigh([0, 0, 1, 0, 0, 0], 2, 0.5)]", p
    )
    assert got[0] == pytest.approx([m / 2 if i != 2 else 0.65 for i, m in enumerate(p)])
    assert got[1] == [0, 0, 1, 0, 0, 0]
    assert got[2] == pytest.approx([0.1, 0.1, 0.5, 0.1, 0.1, 0.1])


def test_masses_are_checked():
    assert Divergences(p=[2, 2, 2, 2, 0, 0]).p == [0.25, 0.25, 0.25, 0.25, 0, 0]
    assert Divergences(theta=0.33).theta == 0.35
    for wrong in ([1, 2], [0] * 6, [1, 1, 1, 1, 1, -1]):
        with pytest.raises(TraitError):
            Divergences(p=wrong)


# ---------------------------------------------------------------- the figure on the page


def test_the_page_shows_both_numbers(visit):
    page = visit(Divergences())
    cells = [c.inner_text().split()[0].replace("−", "-") for c in page.locator("tbody td").all()]
    assert cells[5] == "∞"
    wanted = Divergences().derived()
    for i, name in enumerate(NAMES):
        if name != "kl":
            assert math.isclose(float(cells[2 * i]), wanted[name], abs_tol=2e-4)
            assert math.isclose(float(cells[2 * i + 1]), wanted[name], abs_tol=6e-5)
    assert "On place 1 stands p without q" in page.locator(".gl-say").inner_text()


def test_a_bar_is_dragged_or_moved_by_keys(visit):
    page = visit(Divergences())
    panel, say = page.locator(".gl-move"), page.locator(".gl-say")
    assert "Place 1, generator: mass 0.00" in panel.get_attribute("aria-label")
    panel.focus()
    page.keyboard.press("ArrowUp")
    assert "Place 1, generator: mass 0.05" in panel.get_attribute("aria-label")
    assert "infinite" not in say.inner_text()
    page.keyboard.press("ArrowRight")
    assert "Place 2, data: mass 0.20" in panel.get_attribute("aria-label")
    box = panel.bounding_box()
    scale = box["width"] / 360
    page.mouse.move(box["x"] + (30 + 2.3 * 322 / 6) * scale, box["y"] + 120 * scale)
    page.mouse.down()
    assert "Place 3, data: mass 0.48" in panel.get_attribute("aria-label")
    page.mouse.move(box["x"] + 10, box["y"] + 215 * scale)
    page.mouse.up()
    assert "Place 3, data: mass 0.01" in panel.get_attribute("aria-label"), "it is held until it is let go"
    page.get_by_role("button", name="make q equal p").click()
    assert "The two laws agree" in say.inner_text()
    page.get_by_role("button", name="take p and q apart").click()
    assert "share no place" in say.inner_text()


def test_the_interval_is_dragged_or_moved_by_keys(visit):
    page = visit(Divergences(mode="uniform", theta=0.5))
    panel, say = page.locator(".gl-move"), page.locator(".gl-say")
    panel.focus()
    page.keyboard.press("ArrowLeft")
    assert "generator on 0.45 to 1.45" in panel.get_attribute("aria-label")
    box = panel.bounding_box()
    unit = box["width"] * 322 / 360 / 5
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6 + unit, box["y"] + 100)
    page.mouse.up()
    assert "generator on 1.45 to 2.45" in panel.get_attribute("aria-label")
    assert "a small move of θ changes neither" in say.inner_text()
    page.get_by_label("six places").check()
    assert "Place 1" in panel.get_attribute("aria-label")


def test_a_hasty_discriminator_reads_less(visit):
    page = visit(Divergences(), reduced_motion="reduce")
    fig, steps = page.locator(".gl-fig"), page.get_by_label("steps of D")
    patient = float(fig.get_attribute("data-isjsd"))
    steps.press("Home")
    assert abs(float(fig.get_attribute("data-isjsd"))) < 1e-12
    steps.press("ArrowRight")
    assert 0 < float(fig.get_attribute("data-isjsd")) < patient


@pytest.mark.parametrize("mode", ["atoms", "uniform"])
def test_drawing_keeps_up_with_thirty_frames_a_second(visit, mode):
    """In the second mode each number of steps trains eighteen discriminators."""
    page = visit(Divergences(mode=mode))
    milliseconds = page.evaluate(
        """() => { const slide = [...document.querySelectorAll(".gl-slide")]
                .find((s) => s.textContent.startsWith("steps")).querySelector("input");
            const start = performance.now();
            for (let i = 0; i < 40; i++) {
                slide.value = 399 - i;
                slide.dispatchEvent(new Event("input"));
            }
            return (performance.now() - start) / 40; }"""
    )
    assert milliseconds < 1000 / 30, f"{milliseconds:.1f} ms to draw once"
