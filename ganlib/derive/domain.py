"""Where a symbol lives, and how that is told to a procedure that only understands positive symbols.

Assumptions of a computer algebra system are weak (``(1 - t).is_positive`` is ``None`` for ``t > 0``). A
chart is strong:
``t = u/(1+u)`` with ``u > 0`` runs through exactly ``(0, 1)``, and afterwards positivity of coefficients
decides.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import mpmath
import sympy as sp

oo = sp.oo


@dataclass(frozen=True)
class Interval:
    """The open interval ``(lo, hi)``.

    Its bounds may be infinite or name symbols that were declared earlier.
    """

    lo: sp.Expr
    hi: sp.Expr
    integer: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "lo", sp.sympify(self.lo))
        object.__setattr__(self, "hi", sp.sympify(self.hi))
        if self.lo.atoms(sp.Float) | self.hi.atoms(sp.Float):
            raise ValueError(f"({self.lo}, {self.hi}): a bound is exact, Rational(1, 2) rather than 0.5")
        if self.integer and (self.lo, self.hi) != (0, oo):
            raise ValueError("integers run through 1, 2, ...: use natural")
        if sp.simplify(self.lo >= self.hi) is sp.true:
            raise ValueError(f"an interval needs lo < hi, got ({self.lo}, {self.hi})")

    def symbol(self, name: str) -> sp.Symbol:
        """A SymPy symbol whose assumptions say no more than the interval does."""
        if self.integer:
            return sp.Symbol(name, integer=True, positive=True)
        if self.lo == -oo:
            return sp.Symbol(name, real=True)
        return sp.Symbol(name, positive=True) if self.lo.is_nonnegative else sp.Symbol(name, real=True)

    def chart(self, u: sp.Symbol) -> sp.Expr:
        """The interval as a bijective rational image of ``u > 0`` (the whole line is left to
        :class:`Domain`).
        """
        if self.hi == oo:
            return self.lo + u
        return self.hi - u if self.lo == -oo else (self.lo + self.hi * u) / (1 + u)

    def sample(
        self, rng: random.Random, values: dict[sp.Symbol, mpmath.mpf], spread: float = 3
    ) -> mpmath.mpf:
        """A random point, spread over several orders of magnitude towards each finite end (40 digits)."""
        if self.integer:
            return mpmath.mpf(rng.randint(1, int(3 * spread)))
        lo, hi = (bound(b, values) for b in (self.lo, self.hi))
        s = mpmath.mpf(rng.uniform(-spread, spread)) + mpmath.mpf(rng.getrandbits(100)) / mpmath.mpf(2) ** 110
        if lo == -mpmath.inf:
            return s if hi == mpmath.inf else hi - mpmath.exp(s)
        return lo + mpmath.exp(s) if hi == mpmath.inf else lo + (hi - lo) / (1 + mpmath.exp(-s))

    def latex(self) -> str:
        """The interval in LaTeX."""
        if self.integer:
            return r"\{1, 2, \dots\}"
        return (
            r"\mathbb{R}"
            if (self.lo, self.hi) == (-oo, oo)
            else rf"({sp.latex(self.lo)}, {sp.latex(self.hi)})"
        )


def bound(b: sp.Expr, values: dict[sp.Symbol, mpmath.mpf]) -> mpmath.mpf:
    """The value of an end of an interval at a point of the domain."""
    if b in (oo, -oo):
        return mpmath.inf if b == oo else -mpmath.inf
    symbols = sorted(b.free_symbols, key=str)
    return mpmath.mpf(sp.lambdify(symbols, b, "mpmath")(*(values[s] for s in symbols)))


positive = Interval(0, oo)
unit = Interval(0, 1)
real = Interval(-oo, oo)
natural = Interval(0, oo, integer=True)


def above(lo: object) -> Interval:
    """The interval ``(lo, oo)``."""
    return Interval(lo, oo)


def below(hi: object) -> Interval:
    """The interval ``(-oo, hi)``."""
    return Interval(-oo, hi)


def between(lo: object, hi: object) -> Interval:
    """The interval ``(lo, hi)``."""
    return Interval(lo, hi)


class Domain:
    """The declared symbols of a derivation, in order of declaration."""

    def __init__(self, intervals: dict[str, Interval]) -> None:
        self.intervals: dict[sp.Symbol, Interval] = {}
        for name, interval in intervals.items():
            if not isinstance(interval, Interval):
                raise TypeError(
                    f"symbol {name}: expected an Interval (positive, unit, real, above(c), ...), "
                    f"got {interval!r}"
                )
            declared = {s.name: s for s in self.intervals}
            lo, hi = (
                b.subs({s: declared[s.name] for s in b.free_symbols if s.name in declared})
                for b in (interval.lo, interval.hi)
            )
            interval = Interval(lo, hi, interval.integer)
            if unknown := (lo.free_symbols | hi.free_symbols) - set(self.intervals):
                raise ValueError(
                    f"symbol {name}: its bounds name {sorted(map(str, unknown))}, declare those first"
                )
            self.intervals[interval.symbol(name)] = interval

    def undeclared(self, *exprs: sp.Basic) -> list[str]:
        """Free symbols that are not declared; a declared name with other assumptions counts as undeclared."""
        free = set().union(*(e.free_symbols for e in exprs)) if exprs else set()
        return sorted(
            f"{s}" + (" (same name, other assumptions)" if s.name in {d.name for d in self.intervals} else "")
            for s in free - set(self.intervals)
        )

    def charts(self, expr: sp.Basic) -> dict[sp.Symbol, sp.Expr]:
        """Substitutions after which every charted symbol is positive.

        A real symbol that occurs only linearly inside ``exp`` becomes ``log(E)``, ``E > 0``: sigmoids turn
        rational. Elsewhere it stays, and only even powers of it count as positive. The names of the new
        symbols hold a bracket, so that no declared symbol can have them.
        """
        out: dict[sp.Symbol, sp.Expr] = {}
        for s, interval in self.intervals.items():
            if interval == real:
                powers = [e.exp for e in expr.atoms(sp.exp) if s in e.exp.free_symbols]
                if (
                    powers
                    and all(
                        sp.Poly(a, s).degree() == 1 and sp.Poly(a, s).LC().is_Rational
                        for a in map(sp.expand, powers)
                        if a.is_polynomial(s)
                    )
                    and all(a.is_polynomial(s) for a in powers)
                ):
                    scale = sp.ilcm(1, *(sp.Poly(sp.expand(a), s).LC().q for a in powers))
                    out[s] = scale * sp.log(sp.Symbol(f"exp[{s.name}]", positive=True))
            elif interval != positive and not interval.integer:
                out[s] = interval.chart(sp.Symbol(f"u[{s.name}]", positive=True)).subs(out)
        return out

    def sample(self, rng: random.Random, spread: float = 3) -> dict[sp.Symbol, mpmath.mpf]:
        """One random point of the domain."""
        values: dict[sp.Symbol, mpmath.mpf] = {}
        for s, interval in self.intervals.items():
            values[s] = interval.sample(rng, values, spread)
        return values

    def contains(self, s: sp.Symbol, point: dict[sp.Symbol, mpmath.mpf]) -> bool:
        """Whether the coordinate ``s`` of a point lies inside its open interval."""
        return bound(self.intervals[s].lo, point) < point[s] < bound(self.intervals[s].hi, point)
