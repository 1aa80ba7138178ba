"""The Python side of the live figures: traits, errors, the stored state, the text that the page carries."""

import copy
import json
import re
import subprocess
import sys

import ipywidgets
import pytest
import traitlets

from ganlib import explore
from ganlib.explore.vanishing import VanishingGradients

GRID = [-0.5, 0.0, 0.5, 1.0, 1.5]
DATA = {
    "steps": [0, 10, 100],
    "sat": [0.03, 0.4, 1.23456789e-4],
    "ns": [0.031, 1.5, 12.0],
    "logit": [-0.05, -1.3, -11.5],
    "slope": [-0.06, -1.9, -12.0],
    "grid": GRID,
    "profile": [[0.5] * 5, [0.8, 0.7, 0.5, 0.2, 0.1], [1.0, 1.0, 0.4, 0.00004, 0.0]],
}


@pytest.fixture
def figure():
    return VanishingGradients(**DATA)


def stored(figure) -> dict:
    """What a notebook stores for this figure (and, beside it, a widget that is none of ours)."""
    models = ipywidgets.Widget.get_manager_state(widgets=[figure, ipywidgets.IntSlider()])
    return json.loads(json.dumps(models))


def test_traits_go_in_and_come_out(figure):
    assert figure.steps == DATA["steps"]
    assert figure.ns == DATA["ns"]
    assert figure.sat[2] == 1.23457e-4, "six significant digits"
    assert figure.profile.split("\n")[2] == "1.0000 1.0000 0.4000 0.0000 0.0000"
    assert (figure.index, figure.step) == (1, 10), "it opens where the saturating gradient is largest"
    seen = []
    figure.observe(seen.append, "index")
    figure.index, figure.mode, figure.k = 2, "toy", 7.5
    assert figure.step == 100
    assert [change["new"] for change in seen] == [2]
    state = figure.get_state()
    assert (state["index"], state["mode"], state["k"], state["_module"]) == (2, "toy", 7.5, "vanishing")
    assert "export default { render }" in state["_esm"], "a live notebook is sent the script itself"


def test_tensors_are_taken_as_they_come():
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(values) for name, values in DATA.items()}
    assert VanishingGradients(**tensors).sat == VanishingGradients(**DATA).sat


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sat": [1.0, 2.0]}, "one entry per checkpoint"),
        ({"sat": [1.0, float("nan"), 2.0]}, "sat must be a non-empty sequence of finite numbers"),
        ({"grid": []}, "grid must be"),
        ({"ns": [1.0, -2.0, 3.0]}, "absolute values"),
        ({"sat": [0.0, 0.0, 0.0]}, "zero at every checkpoint"),
        ({"steps": [0, 10, 10]}, "steps must increase"),
        ({"grid": GRID[::-1]}, "grid must increase"),
        ({"profile": [[0.5] * 4] * 3}, "one D per grid point"),
        ({"profile": [[-3.0] * 5] * 3}, "sigmoid"),
    ],
)
def test_bad_data_gets_one_clear_error(change, message):
    with pytest.raises(ValueError, match=message):
        VanishingGradients(**{**DATA, **change})


@pytest.mark.parametrize("change", [{"index": 3}, {"index": -1}, {"mode": "exact"}, {"k": 31.0}])
def test_a_position_that_does_not_exist_is_refused(figure, change):
    (name, value), before = *change.items(), figure.get_state()
    with pytest.raises(traitlets.TraitError):
        setattr(figure, name, value)
    assert figure.get_state() == before


def test_repr_is_fixed(figure):
    assert repr(figure) == "VanishingGradients(3 checkpoints, D-steps 0 to 100)"
    assert repr(VanishingGradients(**DATA)) == repr(figure)


def test_display_carries_the_still_picture(figure):
    from IPython.core.formatters import DisplayFormatter

    data, metadata = DisplayFormatter().format(
        figure
    )  # what a kernel does; ipywidgets 7 must come this way too
    assert data["text/plain"] == repr(figure)
    assert data[explore.VIEW]["model_id"] == figure.model_id
    assert data["image/png"]
    assert "saturating gradient" in metadata["image/png"]["alt"]
    png = figure.still()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(png) < 150_000
    assert png == figure.still(), "the same picture twice, or notebooks would change at every execution"


def test_stored_state_names_the_module(figure):
    state = stored(figure)
    before = copy.deepcopy(state)
    out = explore.strip_esm(state)
    assert state == before, "strip_esm changed its argument"
    ours = out["state"][figure.model_id]["state"]
    assert ours["_esm"] == explore.STUB
    assert ours["_module"] == "vanishing"
    assert ours["sat"] == figure.sat
    others = [key for key in state["state"] if key != figure.model_id]
    assert others
    assert all(out["state"][key] == state["state"][key] for key in others)
    assert explore.strip_esm(out) == out
    assert explore.strip_esm({}) == {}


def test_a_new_script_leaves_the_stored_state_alone(figure):
    old = stored(figure)
    new = copy.deepcopy(old)
    new["state"][figure.model_id]["state"]["_esm"] += "// changed"
    assert old != new
    assert explore.strip_esm(old) == explore.strip_esm(new)
    new["state"][figure.model_id]["state"]["index"] = 0  # but a change of data shows
    assert explore.strip_esm(old) != explore.strip_esm(new)


def test_page_carries_the_modules_that_the_state_names(figure):
    tags = explore.embed(json.dumps(explore.strip_esm(stored(figure))))
    assert re.findall('<script type="text/plain" data-explore="(.+)">', tags) == ["kit", "vanishing"]
    assert tags.count("<script") == tags.count("</script>") == 2
    assert explore.embed('{"state": {}}') == ""
    for name in ("vanished", "../vanishing"):
        with pytest.raises(ValueError, match="execute the notebook again"):
            explore.embed(f'{{"_module": "{name}"}}')


def test_a_module_that_html_would_cut_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(explore, "FOLDER", tmp_path)
    (tmp_path / "kit.js").write_text("")
    (tmp_path / "cut.js").write_text('const tag = "</script>";')
    with pytest.raises(ValueError, match="would cut the page's script"):
        explore.embed('"_module": "cut"')


def test_the_build_tools_need_no_widget_library():
    code = (
        "import sys, ganlib.explore; print(sorted({'anywidget', 'ipywidgets', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
