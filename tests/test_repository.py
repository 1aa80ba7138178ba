"""The repository itself: requirements agree, commands exist, nothing that does not belong is in it."""

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from canonical import LOCK, ROOT, notebooks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
TOP_LEVEL = {"book", "notebooks", "ganlib", "tests", ".ci", ".github", ".devcontainer"}


def tracked() -> list[Path]:
    """The files that git tracks, or would track."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(listed, capture_output=True, text=True)
    if result.returncode:
        pytest.skip("this is not a git repository")
    return [
        ROOT / name for name in sorted(set(result.stdout.split("\0"))) if name and (ROOT / name).is_file()
    ]


def stated(requirements: list[str]) -> dict[str, str]:
    parsed = [Requirement(line) for line in requirements]
    return {canonicalize_name(r.name): str(r.specifier) for r in parsed}


def in_pyproject() -> dict[str, str]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return stated([*PROJECT["dependencies"], *extras])


def in_environment(text: str) -> dict[str, str]:
    lines = yaml.safe_load(text)["dependencies"]
    flat = [line for line in lines if isinstance(line, str)]
    flat += [line for entry in lines if isinstance(entry, dict) for line in entry["pip"]]
    found = stated([line for line in flat if line not in {"pip", "--editable ."}])
    return {CONDA_NAMES.get(name, name): spec for name, spec in found.items()}


# Requirements


def test_environment_states_what_pyproject_states() -> None:
    text = (ROOT / "environment.yml").read_text()
    expected = {**in_pyproject(), "python": str(Requirement("python" + PROJECT["requires-python"]).specifier)}
    assert in_environment(text) == expected
    assert in_environment(text.replace("numpy>=2.1", "numpy>=2.0")) != expected, "the control"


def test_ganlib_has_lower_bounds_only() -> None:
    assert all(re.fullmatch(r">=[\d.]+", spec) for spec in stated(PROJECT["dependencies"]).values())


def test_colab_meets_every_lower_bound() -> None:
    from colab_like import COLAB

    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        if requirement.name in COLAB:
            assert requirement.specifier.contains(COLAB[requirement.name]), line


def test_lock_pins_every_requirement_and_nothing_else_but_versions() -> None:
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines), "a line other than name==version"
    pins = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
    for name, spec in in_pyproject().items():
        assert name in pins, f"{name} is not in the lock: make lock"
        assert Requirement(name + spec).specifier.contains(pins[name]), f"{name}=={pins[name]} is not {spec}"


def imported() -> set[str]:
    names = set()
    for path in tracked():
        if path.suffix == ".py" and path.exists():
            names |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.M))
    return names - set(sys.stdlib_module_names)


def test_every_import_is_a_requirement() -> None:
    """What the code imports is stated in pyproject.toml, or comes with something that is."""
    names = {"yaml": "pyyaml", "IPython": "ipykernel", "sklearn": "mlxtend", "PIL": "matplotlib"}
    with_others = {"sphinx", "docutils", "pybtex", "markdown_it", "traitlets", "myst_nb", "bs4", "nbconvert"}
    ours = {p.stem for p in (*ROOT.glob("book/*/*"), *ROOT.glob("tests/*"), *ROOT.glob("tests/*/*.py"))}
    unknown = {n for n in imported() if canonicalize_name(names.get(n, n)) not in in_pyproject()}
    assert unknown - with_others - ours - {"ganlib", "google"} == set()


# One version, one licence, one way in


def test_version_is_stated_alike() -> None:
    import ganlib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {citation["version"], PROJECT["version"], ganlib.__version__, version("ganlib")} == {
        PROJECT["version"]
    }
    assert set(citation["license"]) == {"BSD-3-Clause", "CC-BY-4.0"}


def test_import_is_light() -> None:
    probe = "import sys, ganlib; print(sorted({'torch', 'sympy', 'numpy', 'matplotlib'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_commands_that_are_named_exist() -> None:
    text = "".join(p.read_text() for p in tracked() if p.suffix in {".md", ".yml", ".py"} or p.name == "run")
    named = set(re.findall(r"(?:`|run: |run )make ([a-z]+(?:-[a-z]+)*)", text))
    assert {"book", "test", "notebooks", "test-full"} <= targets()
    assert named <= targets(), f"named but not in the Makefile: {named - targets()}"


def test_python_of_another_version_is_refused(tmp_path: Path) -> None:
    """`make` with a Python that is too old says so in one line, and makes nothing."""
    old = tmp_path / "python"
    fake = "import sys; sys.version_info = (3, 10, 1); exec(sys.argv[2])"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{fake}" "$@"\n')
    old.chmod(0o755)
    command = ["make", "-C", str(ROOT), "lint", f"PYTHON={old}", f"VENV={tmp_path / 'env'}"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode
    assert "Python 3.11, 3.12 or 3.13 is needed" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "env").exists()


def test_workflows_are_yaml_and_ci_run_is_executable() -> None:
    for path in (ROOT / ".github").rglob("*.yml"):
        assert yaml.safe_load(path.read_text())
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


# What is in it


def test_top_level_is_fixed() -> None:
    folders = {p.relative_to(ROOT).parts[0] for p in tracked() if len(p.relative_to(ROOT).parts) > 1}
    assert folders <= TOP_LEVEL


def test_no_pickle_no_data_nothing_large() -> None:
    for path in tracked():
        assert path.suffix not in {".pkl", ".pickle", ".pt", ".pth", ".gz"}, path
        assert path.stat().st_size <= 2_000_000, path


# Spelled apart, so that this file does not hold what it looks for.
FOLDERS = [f"/{a + b}/" for a, b in (("wo", "rk"), ("ro", "ot"), ("ho", "me"))]
MACHINES = (*FOLDERS, "file:///opt", "py" + "pi.org", "python" + "hosted")


def complaints(text: str) -> list[str]:
    return [word for word in MACHINES if word in text.lower()]


def test_no_path_of_one_machine_and_no_registry() -> None:
    assert complaints("see /wo" + "rk/main"), "the control"
    for path in tracked():
        if "vendor" in path.parts or path.suffix in {
            ".png",
            ".safetensors",
            ".woff2",
            ".woff",
            ".ttf",
            ".map",
        }:
            continue
        if path.name.endswith(".min.js") or path == Path(__file__):
            continue
        assert complaints(path.read_text(encoding="utf-8")) == [], path


# The tolerance table

TABLE = ROOT / "ganlib" / "tolerances.json"
SPREAD = ROOT / "book" / "results" / "spread.json"
KINDS = ("within", "at_most", "at_least")
SEEDS, MARGIN = 10, 4.0  # at least so many seeds, and standard deviations


def headroom(
    kind: str, value: float, measured: list[float], derived: list[float], scale: str = "linear"
) -> float:
    """How much room the tolerance leaves beyond the mean, in standard deviations over seeds.

    On the scale "log" all of it is counted in logarithms: ratios spread over orders of magnitude.
    """
    if scale == "log":
        value, measured = math.log(value), [math.log(m) for m in measured]
    if kind == "within":
        measured = [m - d for m, d in zip(measured, derived, strict=True)]
    mean = sum(measured) / len(measured)
    sd = (sum((m - mean) ** 2 for m in measured) / (len(measured) - 1)) ** 0.5
    room = {"within": value - abs(mean), "at_most": value - mean, "at_least": mean - value}[kind]
    return room / sd if sd else (float("inf") if room >= 0 else float("-inf"))


def table_complaints(table: dict, spread: dict) -> list[str]:
    """What is wrong with the table of tolerances, given what was measured."""
    seen = spread.get("values", {})
    found = []
    for key, entry in table.items():
        missing = {"value", "kind", "what", "why"} - entry.keys()
        if missing or entry["kind"] not in KINDS or len(entry["why"].split()) < 4:
            found.append(f"{key}: needs what, value, kind ({', '.join(KINDS)}) and why, in words")
            continue
        if key not in seen:
            found.append(f"{key}: not in spread.json: make spread")
            continue
        if len(set(seen[key]["seeds"])) < SEEDS:
            found.append(f"{key}: {len(set(seen[key]['seeds']))} seeds, {SEEDS} wanted: make spread")
            continue
        measured, derived = seen[key]["measured"], seen[key]["derived"]
        if isinstance(measured[0], list):  # recorded several times in one run: each place must hold
            groups = list(zip(zip(*measured, strict=True), zip(*derived, strict=True), strict=True))
        else:
            groups = [(measured, derived)]
        for m, d in groups:
            margin = headroom(entry["kind"], entry["value"], list(m), list(d), entry.get("scale", "linear"))
            if margin < MARGIN:
                found.append(f"{key}: a margin of {margin:.1f} standard deviations, {MARGIN:g} wanted")
    return found


def test_tolerances_have_reasons_and_margins() -> None:
    if not TABLE.exists() or not notebooks():
        pytest.skip("there is no tolerance, or no notebook, yet")
    spread = json.loads(SPREAD.read_text()) if SPREAD.exists() else {}
    assert table_complaints(json.loads(TABLE.read_text()), spread) == []


def test_every_tolerance_is_used() -> None:
    if not TABLE.exists() or not notebooks():
        pytest.skip("there is no tolerance, or no notebook, yet")
    code = "".join(path.read_text() for path in notebooks())
    unused = [key for key in json.loads(TABLE.read_text()) if key not in code]
    assert unused == []


GOOD = {"what": "a mean", "value": 0.1, "kind": "within", "why": "four standard deviations of the estimate"}
RUNS = [0.51, 0.49, 0.5, 0.52, 0.48, 0.5, 0.51, 0.49, 0.5, 0.5]


@pytest.mark.parametrize(
    ("entry", "runs", "complaint"),
    [
        ({}, RUNS, None),
        ({"kind": "at_most", "value": 0.6}, RUNS, None),
        ({"kind": "at_least", "value": 0.4}, RUNS, None),
        ({"value": 0.03}, RUNS, "a margin of"),
        ({"kind": "at_most", "value": 0.53}, RUNS, "a margin of"),
        ({"kind": "at_least", "value": 0.47}, RUNS, "a margin of"),
        ({}, RUNS[:9], "9 seeds, 10 wanted"),
        ({"kind": "about"}, RUNS, "needs what, value"),
        ({"why": "ok"}, RUNS, "needs what, value"),
        ({}, [], "not in spread.json"),
    ],
)
def test_a_tolerance_without_margin_or_reason_is_refused(
    entry: dict, runs: list[float], complaint: str | None
) -> None:
    values = {"key": {"seeds": list(range(len(runs))), "measured": runs, "derived": [0.5] * len(runs)}}
    found = table_complaints({"key": {**GOOD, **entry}}, {"values": values if runs else {}})
    assert (found == []) if complaint is None else (len(found) >= 1 and complaint in found[0]), found
