"""Derivations as data: every line is decided, and the decision can be tested by corrupting the line.

A line has one of three verdicts. **Proved**: decided symbolically, and numbers at random points of its domain
agree. **Checked numerically**: the numbers agree, no more is claimed. **Argued**: a named theorem is applied
and each of its hypotheses is discharged by a line or in words. A fourth mark, **refuted**, is for loose
statements that fail.
"""

from .chain import Derivation, Score, recording, score
from .collect import collect
from .domain import Interval, above, below, between, natural, positive, real, unit
from .errors import Refused, Undecided

__all__ = [
    "Derivation",
    "Interval",
    "Refused",
    "Score",
    "Undecided",
    "above",
    "below",
    "between",
    "collect",
    "natural",
    "positive",
    "real",
    "recording",
    "score",
    "unit",
]
