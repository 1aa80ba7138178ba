"""Every tolerance of the book in one table, so that a widened one shows.

A notebook prints what it measured in one cell and calls :func:`within`, :func:`at_most` or :func:`at_least`
in the next. The printed line holds the derived value and the tolerance, never the measured number: it is the
same on every machine.
"""

from __future__ import annotations

import json
import math
import os
from functools import cache
from importlib.resources import files

KINDS = {"within": "|measured - derived| <=", "at_most": "measured <=", "at_least": "measured >="}


@cache
def table() -> dict[str, dict]:
    """The table: key -> ``kind``, ``value``, ``what`` is measured and ``why`` the value is what it is."""
    return json.loads(files("ganlib").joinpath("tolerances.json").read_text("utf-8"))


def within(key: str, measured: float, derived: float) -> None:
    """Assert that a measured number lies within the tolerance ``key`` of the derived one.

    Raises:
        KeyError: there is no such tolerance.
        AssertionError: the number is outside, or not finite.
    """
    value = _value(key, "within")
    _record(key, measured, derived)
    if not abs(measured - derived) <= value:
        raise AssertionError(
            f"{key}: measured {measured:.6g}, derived {derived:.6g}, more than {value:g} apart"
        )
    print(f"{key}: measured within {value:g} of the derived {derived:.6g}")


def at_most(key: str, measured: float) -> None:
    """Assert that a measured number does not exceed the tolerance ``key``. Raises as :func:`within` does."""
    value = _value(key, "at_most")
    _record(key, measured)
    if not (measured <= value and math.isfinite(measured)):
        raise AssertionError(f"{key}: measured {measured:.6g}, allowed at most {value:g}")
    print(f"{key}: measured at most {value:g}")


def at_least(key: str, measured: float) -> None:
    """Assert that a measured number reaches the tolerance ``key``. Raises as :func:`within` does."""
    value = _value(key, "at_least")
    _record(key, measured)
    if not (measured >= value and math.isfinite(measured)):
        raise AssertionError(f"{key}: measured {measured:.6g}, expected at least {value:g}")
    print(f"{key}: measured at least {value:g}")


def _value(key: str, kind: str) -> float:
    if key not in table():
        raise KeyError(
            f"no tolerance {key!r} in ganlib/tolerances.json; add it there with value, kind and why"
        )
    entry = table()[key]
    if entry["kind"] != kind:
        raise KeyError(f"tolerance {key!r} is of kind {entry['kind']!r}, it was used as {kind!r}")
    return float(entry["value"])


def _record(key: str, measured: float, derived: float | None = None) -> None:
    """With ``GANLIB_RECORD=file`` every measured number is appended there as one JSON line (spread over
    seeds).
    """
    if path := os.environ.get("GANLIB_RECORD"):
        with open(path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"key": key, "measured": float(measured), "derived": derived}) + "\n")
