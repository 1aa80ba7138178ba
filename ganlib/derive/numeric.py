"""The oracle: mpmath at 40 digits and real values only. It shares no code with the decision procedures."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable

import mpmath
import sympy as sp

from .domain import Domain

DIGITS, POINTS, SEED = 40, 6, 20140610
TINY = mpmath.mpf(10) ** -20
_NEAR = [mpmath.mpf(10) ** -k for k in (5, 10, 20, 40, 80, 160)]
_FAR = [mpmath.mpf(10) ** k for k in (2, 5, 10, 30, 100)]


class NotReal(ArithmeticError):
    """The expression has no real value at a point of its domain."""


@functools.lru_cache(maxsize=512)  # the same expression is evaluated at several points
def function(expr: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Callable[..., mpmath.mpf]:
    """``expr`` as a real mpmath function of ``symbols``."""
    if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise NotReal(f"{expr} is not a number")
    raw = sp.lambdify(symbols, expr, "mpmath")

    def call(*args: mpmath.mpf) -> mpmath.mpf:
        try:
            value = mpmath.mpmathify(raw(*args))
        except (ZeroDivisionError, ValueError, TypeError, NameError, OverflowError) as e:
            raise NotReal(f"{expr}: {e}") from None
        if isinstance(value, mpmath.mpc):
            if abs(value.imag) > TINY * (1 + abs(value)):
                raise NotReal(f"{expr} = {mpmath.nstr(value, 5)}")
            value = value.real
        if not mpmath.isfinite(value):
            raise NotReal(f"{expr} = {value}")
        return value

    return call


def points(
    domain: Domain, n: int = POINTS, seed: int = SEED, spread: float = 3
) -> list[dict[sp.Symbol, mpmath.mpf]]:
    """``n`` random points of the domain, the same for the same seed.

    ``spread`` is the largest logarithmic coordinate.
    """
    rng = random.Random(seed)
    with mpmath.workdps(DIGITS):
        return [domain.sample(rng, spread) for _ in range(n)]


def evaluate(expr: sp.Expr, point: dict[sp.Symbol, mpmath.mpf]) -> mpmath.mpf:
    """The real value of ``expr`` at a point."""
    symbols = tuple(sorted(expr.free_symbols, key=str))
    return function(expr, symbols)(*(point[s] for s in symbols))


def compare(a: mpmath.mpf, rel: str, b: mpmath.mpf) -> bool:
    """Whether ``a rel b`` holds to 20 digits."""
    slack = TINY * (1 + abs(a) + abs(b))
    return {
        "=": abs(a - b) <= slack,
        "<": a < b - slack,
        ">": a > b + slack,
        "<=": a <= b + slack,
        ">=": a >= b - slack,
    }[rel]


def limit_is(
    f: Callable[[mpmath.mpf], mpmath.mpf], point: sp.Expr, side: str, value: mpmath.mpf | None
) -> bool:
    """Whether ``f`` tends to ``value`` (``+-inf`` allowed), judged on a sequence that runs 160 orders of
    magnitude deep.
    """
    with mpmath.workdps(400):
        if point in (sp.oo, -sp.oo):
            values = [f(x if point == sp.oo else -x) for x in _FAR]
        else:
            at = mpmath.mpmathify(sp.N(point, 400))
            values = [f(at + (d if side == "+" else -d)) for d in _NEAR]
        if mpmath.isinf(value):
            steps = [mpmath.sign(value) * (b - a) for a, b in itertools.pairwise(values)]
            # the places lie at growing logarithmic distance: even a logarithm gains more at every step
            return bool(all(s > 0 for s in steps) and steps[-1] >= steps[0])
        # either the value is reached to 20 digits, or the error keeps shrinking: even that of 1/log x halves
        # at each place
        errors = [abs(v - value) for v in values[-3:]]
        shrinking = all(b <= 0.75 * a for a, b in itertools.pairwise(errors))
        return bool(errors[-1] <= TINY * (1 + abs(value)) or shrinking)
