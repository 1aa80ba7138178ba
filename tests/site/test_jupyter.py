"""The live figures in a real Jupyter kernel: a slider moves the trait, and the trait moves the slider.

JupyterLab with the ipywidgets of today and with the 7.7.1 of Colab, each in an environment of its own. What
they lack, torch for one, they take from the environment of the tests.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {
    "8": ["jupyterlab>=4,<5", "ipywidgets>=8,<9"],
    "7.7.1": ["jupyterlab>=3.6,<4", "ipywidgets==7.7.1"],
}
CELLS = [
    "from ganlib.explore import DiracGame\n\ngame = DiracGame(eta=0.3, gamma=0.0)\ngame",
    'import ipywidgets\n\nprint(f"ipywidgets {ipywidgets.__version__}, gamma {game.gamma:.2f}, {game.loss}")',
    "game.eta = 0.8",
]


def notebook() -> str:
    cells = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
        for source in CELLS
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
    )


OLD = pytest.mark.skipif(sys.version_info >= (3, 13), reason="ipywidgets 7.7.1 is for older Pythons")


@pytest.fixture(params=["8", pytest.param("7.7.1", marks=OLD)])
def lab(request, tmp_path):
    """The version of ipywidgets and the address of the notebook in a running JupyterLab."""
    home = Path(os.environ.get("GANLIB_JUPYTER", tmp_path)) / f"ipywidgets-{request.param}"
    python = home / "bin" / "python"
    if not python.is_file():
        venv.create(home, with_pip=True)
        packages = [*VERSIONS[request.param], "anywidget>=0.9.21"]
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(site, "behind.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "figure.ipynb").write_text(notebook())
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    environment = quiet | {"HOME": str(tmp_path), "OMP_WAIT_POLICY": "PASSIVE"}
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.port=0",
        "--ServerApp.token=",
        "--ServerApp.password=",
    ]
    server = subprocess.Popen(
        [python, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in server.stderr:
        if found := re.search(r"http://(localhost|127\.0\.0\.1):(\d+)/lab", line):
            break
    else:
        pytest.fail("JupyterLab did not start")
    sink = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)  # or the server waits
    yield request.param, f"http://127.0.0.1:{found[2]}/lab/tree/figure.ipynb"
    server.terminate()
    server.wait(30)
    sink.kill()


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_slider_and_its_trait_move_each_other(lab, browser):
    version, address = lab
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.goto(address)

    def run(cell):
        page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-editor").nth(cell).click()
        page.keyboard.press("Shift+Enter")

    page.locator(".jp-Notebook .jp-CodeCell").nth(2).wait_for(timeout=60_000)
    page.wait_for_timeout(3_000)  # until the kernel listens
    run(0)
    figure = page.locator(".jp-OutputArea .gl-fig")
    figure.wait_for(timeout=60_000)
    step, penalty = figure.get_by_label("step η"), figure.get_by_label("penalty γ")
    assert step.input_value() == "0.3"
    for _ in range(7):
        penalty.press("ArrowRight")
    figure.get_by_role("combobox", name="loss").select_option("Wasserstein")
    assert penalty.input_value() == "0.07", "JupyterLab took the keys"
    run(1)
    said = page.locator(".jp-OutputArea-output pre", has_text="ipywidgets")
    said.wait_for(timeout=30_000)
    shown = re.fullmatch(r"ipywidgets (\S+), gamma (\S+), (\w+)", said.inner_text().strip())
    assert shown[1].startswith(version)
    assert shown[2] == "0.07", "seven steps of the slider, read in the kernel"
    assert shown[3] == "Wasserstein"
    run(2)
    page.wait_for_function(
        "() => document.querySelector('.gl-fig .gl-slide input').value === '0.8'", timeout=30_000
    )
    assert "steps of 0.8" in figure.locator(".gl-say").inner_text()
    page.close()
