"""Interactive figures: one ES module each, alive in Jupyter, in Colab and in the book's static pages.

In a notebook a figure is an anywidget. In the book there is no kernel: ``book/_static/explore-loader.js``
mounts the widget state that the page stores, with the module's text taken from the page. This file holds
what the notebook executor and the book's Sphinx extension need; it imports the standard library only, until
one of the figures is asked for by its name.
"""

import importlib
import re
from pathlib import Path

FOLDER = Path(__file__).parent
FIGURES = {
    "AtomGame": "atoms",
    "ConditionalDigits": "digits",
    "CrossEntropy": "cross_entropy",
    "DiracGame": "game",
    "Divergences": "divergences",
    "Gan2D": "gan2d",
    "OptimalDiscriminator": "optimal",
    "Pushforward": "pushforward",
    "VanishingGradients": "vanishing",
}
"""The figures and the modules that hold them, the Python and the script."""
ASSETS = {"digits"}
"""The modules whose figure needs weights beside its script; ``asset()`` gives them as text."""

__all__ = list(FIGURES)

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
STUB = 'export default { render({ el }) { el.textContent = "Run this cell to make the figure live."; } };'


def __getattr__(name: str) -> type:
    if name in FIGURES:
        return getattr(importlib.import_module(f"{__name__}.{FIGURES[name]}"), name)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}; its figures are {', '.join(FIGURES)}"
    )


def script(name: str) -> str:
    """The text of a figure's module: the shared kit, then its own. Modules from a Blob import nothing."""
    return "\n".join((FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in ("kit", name))


def heavy(state: dict) -> dict:
    """What a figure's state leaves to the page: weights, which a script tag holds once."""
    return {"_weights": ""} if "_weights" in state else {}


def strip_esm(state: dict) -> dict:
    """Take the script out of a stored widget state, so that a new script leaves notebooks alone.

    Args:
        state: A notebook's stored widget state, ``{"state": {model_id: {"state": {...}, ...}}, ...}``.

    Returns:
        A new object. Each model that names its module in ``_module`` has the fixed ``STUB`` as ``_esm``,
        which an editor that opens the notebook without a kernel can run, and no weights. Every other model is
        as it was.
    """
    models = {
        key: {**model, "state": {**model["state"], "_esm": STUB} | heavy(model["state"])}
        if model.get("state", {}).get("_module") and "_esm" in model["state"]
        else model
        for key, model in state.get("state", {}).items()
    }
    return {**state, "state": models} if models else dict(state)


def embed(state: str) -> str:
    """Write the modules that a stored widget state names, and the kit, as inert scripts for the page.

    Args:
        state: JSON text of the state, or any text that holds it.

    Returns:
        HTML: a ``<script type="text/plain" data-explore="name">`` for each module, in order of name, after
        one for the kit. Nothing if the state names no module.

    Raises:
        ValueError: If the state names a module that is not there, or one that HTML would cut short.
    """
    tags = []
    names = sorted(set(re.findall(r'"_module":\s*"([^"]+)"', state)))
    for name in ["kit", *names] if names else []:
        path = FOLDER / f"{name}.js"
        if not re.fullmatch(r"\w+", name) or not path.is_file():
            raise ValueError(
                f"The stored figure names the module {name!r}, but ganlib/explore has no {name}.js: "
                "execute the notebook again."
            )
        text = path.read_text(encoding="utf-8")
        if re.search(r"</script|<!--", text, re.IGNORECASE):
            raise ValueError(
                f"{path.name} holds '</script' or '<!--', which would cut the page's script: split it."
            )
        tags.append(f'<script type="text/plain" data-explore="{name}">\n{text}</script>')
        if name in ASSETS:
            packed = importlib.import_module(f"{__name__}.{name}").asset()
            tags.append(f'<script type="text/plain" data-explore-asset="{name}">\n{packed}</script>')
    return "\n".join(tags)
