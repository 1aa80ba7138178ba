"""A live figure on a page of its own, as the book mounts it, and its script's functions called from here."""

import json
import re
from pathlib import Path

import ipywidgets
import mpmath as mp

from ganlib import explore

LOADER = Path(__file__).resolve().parents[2] / "book" / "_static" / "explore-loader.js"


EXAMPLES = {
    "AtomGame": {},
    "ConditionalDigits": {},
    "CrossEntropy": {},
    "DiracGame": {},
    "Divergences": {},
    "Gan2D": {"penalty": "R1"},
    "OptimalDiscriminator": {},
    "Pushforward": {},
    "VanishingGradients": {
        "steps": [0, 10, 100],
        "sat": [0.03, 0.4, 1.23e-4],
        "ns": [0.031, 1.5, 12.0],
        "logit": [-0.05, -1.3, -11.5],
        "slope": [-0.06, -1.9, -12.0],
        "grid": [-0.5, 0.0, 0.5, 1.0, 1.5],
        "profile": [[0.5] * 5, [0.8, 0.7, 0.5, 0.2, 0.1], [1.0, 1.0, 0.4, 0.0, 0.0]],
    },
}
"""What each figure is tried with where any state will do."""

STYLE = """:root{color-scheme:light dark} body{margin:0;padding:0 20px;background:Canvas;color:CanvasText}
html[data-theme=dark] body{background:#121212;color:#ced6dd}
html[data-theme=light] body{background:#fff;color:#222}"""


def write(folder: Path, figure, *, embedded=True, views=1) -> str:
    """A stand-alone page as the book makes it: stored state, module text, still picture, view, loader."""
    state = json.dumps(explore.strip_esm(ipywidgets.Widget.get_manager_state(widgets=[figure])))
    view = json.dumps({"model_id": figure.model_id, "version_major": 2, "version_minor": 0})
    (folder / "still.png").write_bytes(figure.still())
    (folder / "loader.js").write_text(LOADER.read_text())
    cell = f"""<div class="cell_output"><figure><img src="still.png" alt="{figure.alt}">
      <script type="{explore.VIEW}">{view}</script><figcaption>Figure 6.1</figcaption></figure></div>"""
    (folder / "page.html").write_text(
        f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Figure</title>
        <link rel="icon" href="data:,">
        <meta name="viewport" content="width=device-width"><style>{STYLE}</style>
        <script type="{explore.STATE}">{state}</script>
        <script src="loader.js"></script><script src="loader.js?v=2" defer></script></head>
        <body><main><h1>Figure</h1>{cell * views}</main>
        {explore.embed(state) if embedded else ""}</body></html>"""
    )
    return (folder / "page.html").as_uri()


def call(page, text: str, expression: str, *arguments):
    """The value of an expression over the exports `m` of a module with this text and the arguments `x`."""
    return page.evaluate(
        """async ([text, expression, x]) => {
            const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            return new Function("m", "x", "return " + expression)(await import(url), x); }""",
        [text, expression, list(arguments)],
    )


def close(got, want, relative):
    worst = max(abs(mp.mpf(g) - w) / abs(w) for g, w in zip(got, want, strict=True))
    assert worst < relative, f"relative error {mp.nstr(worst, 3)}, not below {relative}"


def luminance(colour: str) -> float:
    parts = re.findall(r"[\d.]+", colour)[:3]
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (int(p) / 255 for p in parts)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


REDRAW = """() => {
    const slide = document.querySelector(".gl-slide input"), { min, max } = slide;
    const start = performance.now();
    for (let i = 0; i < 40; i++) {
        slide.value = Number(min) + ((max - min) * i) / 39;
        slide.dispatchEvent(new Event("input"));
    }
    return (performance.now() - start) / 40; }"""
"""Milliseconds to draw once, measured while the first slider goes from end to end."""
