"""The conditional generator in the page: against torch, its rounding bounded, derived speeds, its page."""

import json
import math
from functools import cache

import figures
import pytest
import torch

from ganlib import explore, pretrained
from ganlib.explore import ConditionalDigits, digits, script

TEXT = script("digits")
KEYS = ("digit", "other", "mix", "seed_A", "seed_B", "way", "coordinate", "push", "row")
PIXEL, LOGIT = 0.002, 0.008
"""What 16 bits in G and 8 in D may change: largest errors of a pixel and of the logit."""

NETS = """(() => { const all = m.unpack(x[0]), part = (l) => Object.fromEntries(
    Object.entries(all).filter(([k]) => k[0] === l).map(([k, t]) => [k.slice(2), t])); return { G: part("G"), D: part("D") }; })()"""  # noqa: E501
DRAW = f"""(() => {{ const n = {NETS}; return x[1].map(s => {{
    const y = m.asked(s), z = m.arc(s), i = m.generate(n.G, {{ v: z.v }}, {{ v: y.v }});
    return [[...i.v], m.judge(n.D, i, {{ v: y.v }}).v]; }}); }})()"""
SPEEDS = f"(() => {{ const n = {NETS}; return x[1].map(s => m.speeds(n, s)); }})()"


def settings(figure):
    return {key: getattr(figure, key) for key in KEYS}


@cache
def cases():
    return [
        ConditionalDigits(
            digit=k % 10,
            other=(k * 3 + 1) % 10,
            mix=(k % 4) / 3,
            seed_A=k,
            seed_B=k + 50,
            way=(k % 7) / 6,
            coordinate=1 + k % 16,
            push=(k % 5) - 2.0,
        )
        for k in range(40)
    ]


def drawn(page, packed, text=TEXT):
    got = figures.call(page, text, DRAW, packed, [settings(f) for f in cases()])
    return torch.tensor([i for i, _ in got]), torch.tensor([a for _, a in got])


def wanted():
    z, y = (torch.stack([of(f) for f in cases()]) for of in (lambda f: f.noise(), lambda f: f.asked()))
    return ConditionalDigits.draw(z, y)


def states():
    G, D = pretrained("cgan-mnist").body.state_dict(), pretrained("cgan-mnist-D").state_dict()
    return {f"G.{k}": v for k, v in G.items()} | {f"D.{k}": v for k, v in D.items()}


def unrounded():
    """The same text with every tensor as float32."""
    few = {k: v.reshape(-1) for k, v in states().items()}
    head, body = digits.pack(few, {}).split("\n")
    shapes = {k: list(v.shape) for k, v in states().items()}
    return json.dumps([e | {"shape": shapes[e["name"]]} for e in json.loads(head)]) + "\n" + body


def test_the_networks_are_those_of_torch(sheet):
    """Without rounding: layer by layer the same, but for float32 in torch and float64 in the page."""
    images, logits = drawn(sheet, unrounded())
    want, says = wanted()
    assert (images - want).abs().max() < 1e-4
    assert (logits - says).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("e * w[Math.floor(i / each)] + b", "1.05 * e * w[Math.floor(i / each)] + b"),
        ("const w = W[((o * I + i)", "const w = 1.05 * W[((o * I + i)"),
        ("LEAK = 0.2", "LEAK = 0.21"),
        ("+ dot(ev, h.v), d:", "+ 1.05 * dot(ev, h.v), d:"),
        ("2 * row + ((c >> 1) & 1)", "2 * row + (c & 1)"),
    ],
)  # fmt: skip
def test_an_error_of_five_per_cent_in_a_layer_is_seen(sheet, old, new):
    assert TEXT.count(old) == 1
    images, logits = drawn(sheet, unrounded(), TEXT.replace(old, new))
    want, says = wanted()
    assert (images - want).abs().max() > 1e-4 or (logits - says).abs().max() > 1e-3


def test_rounding_changes_no_more_than_is_said(sheet):
    images, logits = drawn(sheet, digits.asset())
    want, says = wanted()
    bits = {"G": 16, "D": 8}
    assert (images - want).abs().max() < PIXEL
    assert (logits - says).abs().max() < LOGIT
    coarse = digits.pack({k: v if v.ndim < 2 else (64 * v).round() / 64 for k, v in states().items()}, bits)
    images, logits = drawn(sheet, coarse)
    assert (images - want).abs().max() > PIXEL
    assert (logits - says).abs().max() > LOGIT


def test_the_speed_of_the_image_is_derived_and_measured(sheet):
    """A kink of a ReLU may lie within the small step: one of forty is let off."""

    def off(text):
        found = figures.call(sheet, text, SPEEDS, digits.asset(), [settings(f) for f in cases()])
        pairs = [(s["measured"], s["derived"]) for s in found]
        errors = (
            [abs(m[0] - d[0]) / d[0] for m, d in pairs],
            [abs(m[1] - d[1]) / (1 + abs(d[1])) for m, d in pairs],
        )
        return [sorted(e)[-2] for e in errors]

    image, logit = off(TEXT)
    assert image < 1e-3
    assert logit < 1e-3
    old = "(e - along - h[i] * turn) * inv"
    assert TEXT.count(old) == 1
    image, logit = off(TEXT.replace(old, "(e - along - 1.05 * h[i] * turn) * inv"))
    assert image > 1e-3
    assert logit > 1e-3


def test_the_arc_keeps_the_law_of_the_noise():
    """cos^2 + sin^2 = 1: the variance is 1 at each place. A straight line would have 1/2 half way."""
    many = torch.stack(
        [ConditionalDigits(seed_A=a, seed_B=b, way=0.5).noise() for a in range(40) for b in range(40, 80)]
    )
    assert abs(many.square().mean().item() - 1) < 0.15
    half = torch.stack([
        (ConditionalDigits(seed_A=a).noise(0.0) + ConditionalDigits(seed_B=b).noise(1.0)) / 2
        for a in range(40) for b in range(40, 80)
    ])  # fmt: skip
    assert abs(half.square().mean().item() - 1) > 0.3


def test_it_draws_what_is_asked_for():
    """By digit-net, which the generator never saw."""
    net = pretrained("digit-net")
    y = torch.eye(10, dtype=torch.float64).repeat_interleave(20, 0)
    z = torch.stack([ConditionalDigits(seed_A=k).noise() for k in range(20)]).repeat(10, 1)
    right = net(ConditionalDigits.draw(z, y)[0].reshape(-1, 1, 28, 28)).argmax(1) == y.argmax(1)
    assert right.double().mean() > 0.95
    wrong = net(ConditionalDigits.draw(z, y.roll(20, 0))[0].reshape(-1, 1, 28, 28)).argmax(1) == y.argmax(1)
    assert wrong.double().mean() < 0.2


# ---------------------------------------------------------------- the page


def test_a_page_holds_the_weights_once_and_its_state_does_not(tmp_path):
    figure = ConditionalDigits()
    assert "_weights" not in figure.stored()
    figures.write(tmp_path, figure, views=2)
    html = (tmp_path / "page.html").read_text()
    assert html.count('<script type="text/plain" data-explore-asset="digits">') == 1
    assert html.count(digits.asset().split("\n")[1][:60]) == 1
    assert len(html) < 500_000


def test_it_says_whose_weights_are_missing(visit):
    page = visit(ConditionalDigits(), embedded=False, ready=False)
    page.wait_for_timeout(300)
    page.bad.clear()
    with pytest.raises(Exception, match="weights are not on this page"):
        figures.call(
            page, TEXT, "m.default.render({ model: { get: () => '' }, el: document.body })"
        )  # fmt: skip


def test_it_answers_and_says_so(visit):
    page = visit(ConditionalDigits())
    say, fig = page.locator(".gl-say"), page.locator(".gl-fig")
    assert say.inner_text().startswith("Asked for a 3.")
    want = ConditionalDigits.draw(
        *(f[None] for f in (ConditionalDigits().noise(), ConditionalDigits().asked()))
    )[1]
    assert math.isclose(float(fig.get_attribute("data-logit")), want.item(), abs_tol=LOGIT)
    page.get_by_label("digit 3").press("ArrowRight")
    assert "a 4" in say.inner_text()
    page.get_by_label("mixed").press("End")
    assert "Asked for a 8" in say.inner_text()
    before = fig.get_attribute("data-logit")
    page.get_by_label("from noise A to B").press("End")
    assert fig.get_attribute("data-logit") != before
    measured, derived = (float(fig.get_attribute(f"data-{key}")) for key in ("measured", "derived"))
    assert math.isclose(measured, derived, rel_tol=1e-2)
    page.get_by_role("radio", name="between digits").check()
    assert "mixtures of 4 and 8" in say.inner_text()


def test_an_image_and_its_logit_take_less_than_a_frame(visit):
    page = visit(ConditionalDigits())
    page.get_by_label("noise A:").press("ArrowRight")
    assert float(page.locator(".gl-time").inner_text()) < 1000 / 30


def test_the_module_is_one_of_those_with_weights():
    assert {explore.FIGURES["ConditionalDigits"]} == explore.ASSETS
