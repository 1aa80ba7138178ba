"""What all tests share: the environment, `full` tests, and skips that CI turns into failures."""

import importlib
import os
import shutil
from collections.abc import Callable
from types import ModuleType

import pytest

# Before anything imports torch: see the Makefile.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("MPLBACKEND", "agg")

FULL = os.environ.get("GANLIB_FULL") == "1"
CI = os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="runs with GANLIB_FULL=1 (make test-full)")
    for item in items:
        if item.get_closest_marker("full") and not FULL:
            item.add_marker(skip)
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def missing(what: str) -> None:
    """Skip a test for want of `what`; where CI=true, fail: continuous integration has everything."""
    if CI:
        pytest.fail(f"{what}, and CI=true allows no skip", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether this is the full run (make test-full): every mutant instead of a seeded sample."""
    return FULL


@pytest.fixture(scope="session")
def outside() -> Callable[[str], ModuleType]:
    """Import somebody else's code to compare with. Without it the test skips, or fails where CI=true."""

    def load(name: str) -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing(f"no {error.name}: the comparison with it is NOT made (it is in the extra: test)")

    return load


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium. Without one, browser tests skip, or fail where CI=true."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        missing("no Chromium on this machine: the rendered book is NOT tested (install it, or set CHROMIUM)")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if "Chromium" in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"WARNING: {len(skipped)} browser tests were skipped, for there is no Chromium here.", red=True
        )
    skipped = [
        r for r in terminalreporter.stats.get("skipped", []) if "comparison with it" in str(r.longrepr)
    ]
    if skipped:
        terminalreporter.write_line(
            f"WARNING: {len(skipped)} comparisons with other people's code were skipped, for it is not here.",
            red=True,
        )
