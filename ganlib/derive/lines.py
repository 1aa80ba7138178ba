"""The kinds of line. Each knows how to be decided (:meth:`Line.shown`), judged (:meth:`Line.holds`),
corrupted and typeset.

``shown`` uses SymPy and the procedures of :mod:`ganlib.derive.decide` alone; ``holds`` uses numbers alone. A
line is proved when both say yes, and the mutation tests ask ``shown`` to refuse what ``holds`` calls false.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import mpmath
import sympy as sp

from . import numeric
from .decide import KINKED, UNEVALUATED, demand_real, is_zero, roots_are, sign
from .domain import Domain, bound
from .errors import Refused, Undecided
from .mutate import mutate
from .typeset import Notation

# what SymPy raises when it does not know (Refused is a ValueError)
_GAVE_UP = (
    ArithmeticError,
    ValueError,
    TypeError,
    NotImplementedError,
    AttributeError,
    sp.PolynomialError,
    RecursionError,
)
FLIP = {"=": None, "<": ">", ">": "<", "<=": ">=", ">=": "<="}
REL = {"=": "=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a derivation.

    Attributes:
        domain: the symbols the line may use and where they live.
        notation: the abbreviations in force; a line is decided unfolded and shown folded.
        why: the reason in words.
        tag: the equation number, if the text refers to the line.
    """

    domain: Domain
    notation: Notation
    why: str = ""
    tag: str | None = None
    _values: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    expressions: ClassVar[tuple[str, ...]] = ()
    variables: ClassVar[tuple[str, ...]] = ()  # fields that name what is differentiated in and the like
    pointwise: ClassVar[bool] = False  # numbers at a point refute the line for good

    # -- what a kind of line provides
    def shown(self) -> bool:
        """Decide the line symbolically. Only ``True`` counts."""
        raise NotImplementedError

    def holds(self) -> bool:
        """Judge the line with numbers only, at random points of its domain."""
        raise NotImplementedError

    def formula(self) -> str:
        """The statement in LaTeX."""
        raise NotImplementedError

    def corruptions(self) -> Iterator[tuple[str, Line]]:
        """Corruptions that concern the kind of line rather than its expressions."""
        return iter(())

    def trivial(self) -> str | None:
        """Why there is nothing to decide, or ``None``."""
        return None

    # -- what all kinds share
    def value(self, name: str) -> Any:
        """A field, unfolded and with its derivatives carried out."""
        if name not in self._values:
            # twice: Subs(Derivative(f, x), x, x) gives its derivative back unevaluated
            self._values[name] = _map(lambda e: self.notation.unfold(e).doit().doit(), getattr(self, name))
        return self._values[name]

    def parts(self) -> list[sp.Basic]:
        """Every expression of the line."""
        return [e for name in self.expressions for e in _flat(getattr(self, name))]

    def checked_form(self) -> None:
        """Refuse a line that is empty or ill-formed before anything is decided."""
        what = f"line {self.tag or ''} [{type(self).__name__.lower()}]".replace("  ", " ")
        for e in self.parts():
            if not isinstance(e, sp.Expr):
                raise Refused(f"{what}: {e} is no expression; a relation belongs into order or equal")
            self._evaluable(what, self.notation.unfold(e))
        for e in (e for name in self.expressions for e in _flat(self.value(name))):
            if e.has(sp.nan, sp.zoo):
                raise Refused(
                    f"{what}: {e} holds nan or an undirected infinity; "
                    "a boundary case is a limit, a line of its own"
                )
            if e.atoms(sp.Float):
                raise Refused(
                    f"{what}: {e} holds a rounded number; write exact numbers, Rational(1, 2) rather than 0.5"
                )
            if left := e.atoms(*UNEVALUATED) | e.atoms(sp.core.function.AppliedUndef):
                raise Refused(
                    f"{what}: {sorted(map(str, left))[0]} cannot be evaluated, "
                    "so the line would compare names"
                )
            if unknown := self.domain.undeclared(e):
                raise Refused(f"{what}: undeclared symbol {', '.join(unknown)}; declare it with its interval")
        for v in self.acted_on():
            self._variable(what, v)
        if reason := self.trivial():
            raise Refused(f"{what}: nothing to decide: {reason}")

    def _evaluable(self, what: str, e: sp.Expr) -> None:
        """Refuse what SymPy would evaluate with nobody to check it, and slopes at kinks."""
        if left := e.atoms(sp.Integral, sp.Limit):
            raise Refused(f"{what}: {sorted(map(str, left))[0]} is a claim of its own; use integral or limit")
        for total in e.atoms(sp.Sum, sp.Product):
            if not all(b.is_Integer for limits in total.limits for b in limits[1:]):
                raise Refused(f"{what}: {total} needs numbers as bounds; a general sum is an induction")
        for slope in e.atoms(sp.Derivative):
            if slope.expr.doit().has(*KINKED):
                raise Refused(f"{what}: {slope.expr} has a kink; state the slope on each side of it")
            if any(v.is_integer for v, _ in slope.variable_count):
                raise Refused(f"{what}: {slope} has no meaning for an integer")

    def _variable(self, what: str, v: sp.Symbol) -> None:
        if v not in self.domain.intervals:
            raise Refused(f"{what}: {v} is not a declared symbol")
        if self.domain.intervals[v].integer and not isinstance(self, Limit):
            raise Refused(f"{what}: {v} is an integer; the line needs an interval")
        if any(v in i.lo.free_symbols | i.hi.free_symbols for i in self.domain.intervals.values()):
            raise Refused(f"{what}: the interval of another symbol depends on {v}; declare {v} after it")

    def acted_on(self) -> list[sp.Symbol]:
        """Symbols in which the line differentiates, integrates, takes a limit or solves."""
        return [getattr(self, name) for name in self.variables]

    def decide(self) -> None:
        """Accept the line, or raise.

        Raises:
            Refused: empty, ill-formed, false, or not shown; the message says which and what to do.
        """
        self.checked_form()
        name = f"line {self.tag or ''} {self}".replace("  ", " ")
        try:
            numbers = self.holds()
        except (numeric.NotReal, ZeroDivisionError) as e:
            raise Refused(
                f"{name}: no real value at a point of the domain ({e}); narrow the domain"
            ) from None
        try:
            symbols = self.shown()
        except (Undecided, *_GAVE_UP) as e:
            raise Refused(
                f"{name}: not decided ({e}); split the line, change the domain or argue it"
            ) from None
        if not numbers:
            raise Refused(f"{name}: false at {self.counterexample() or 'a point of the domain'}")
        if symbols is not True:
            raise Refused(
                f"{name}: not shown, though no counterexample was found; give a stronger domain or a gap"
            )

    def refuses(self) -> bool:
        """Whether the symbolic decision alone refuses the line (used on mutants)."""
        return self.decision() is not True

    def decision(self) -> bool | None:
        """What the symbolic decision says; ``None`` if it does not cover the line."""
        try:
            self.checked_form()
            return self.shown()
        except (Undecided, *_GAVE_UP):
            return None

    def judged_false(self) -> bool:
        """Whether the numbers call the line false. No real value at a point of the domain counts as false."""
        try:
            return not self.holds()
        except (numeric.NotReal, ZeroDivisionError):
            return True

    def mutants(self) -> Iterator[tuple[str, Line]]:
        """Corruptions of the line, one change each, with a label that says which."""
        symbols = list(self.domain.intervals)
        for name in self.expressions:
            whole = getattr(self, name)
            for where, e, put in _places(whole):
                if e in (sp.oo, -sp.oo):
                    yield f"{name}{where}: {e} -> {-e}", dataclasses.replace(self, **{name: put(-e)})
                    continue
                for label, m in mutate(self.notation.unfold(e), symbols):
                    if not m.free_symbols <= set(symbols):  # a bound symbol got loose
                        continue
                    yield f"{name}{where}: {label}", dataclasses.replace(self, **{name: put(m)})
        yield from self.corruptions()

    def counterexample(self) -> str | None:
        """A point of the domain, in words, if the kind of line has one to show."""
        return None

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()} {self.plain()}"

    def plain(self) -> str:
        """The statement as plain text."""
        return "; ".join(map(str, self.parts()))


def _map(f: Any, x: Any) -> Any:
    return tuple(_map(f, e) for e in x) if isinstance(x, tuple) else f(x) if isinstance(x, sp.Basic) else x


def _flat(x: Any) -> list[sp.Basic]:
    if isinstance(x, tuple):
        return [e for part in x for e in _flat(part)]
    return list(x) if isinstance(x, sp.MatrixBase) else [x] if isinstance(x, sp.Basic) else []


def _places(x: Any, where: str = "") -> Iterator[tuple[str, sp.Expr, Any]]:
    """Every expression inside a field, with a function that puts another in its place."""
    if isinstance(x, sp.MatrixBase):
        for i, e in enumerate(x):
            yield f"[{i}]", e, lambda m, i=i: x.func(*x.shape, [m if j == i else v for j, v in enumerate(x)])
    elif isinstance(x, tuple):
        for i, part in enumerate(x):
            for w, e, put in _places(part, f"{where}[{i}]"):
                yield w or f"{where}[{i}]", e, lambda m, i=i, put=put: (*x[:i], put(m), *x[i + 1 :])
    elif isinstance(x, sp.Basic):
        yield where, x, lambda m: m


@dataclass(frozen=True, kw_only=True)
class Relation(Line):
    """``lhs rel rhs`` on the whole domain.

    An identity (of matrices too, entry by entry), or a strict or weak order.
    """

    lhs: sp.Expr
    rel: str = "="
    rhs: sp.Expr
    expressions: ClassVar[tuple[str, ...]] = ("lhs", "rhs")
    pointwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.rel not in REL:
            raise Refused(f"relation {self.rel!r}: expected one of {', '.join(REL)}")
        if getattr(self.lhs, "shape", None) != getattr(self.rhs, "shape", None):
            raise Refused(f"line {self.tag}: both sides need one shape, got {self.lhs} and {self.rhs}")
        if self.rel != "=" and hasattr(self.lhs, "shape"):
            raise Refused(
                f"line {self.tag}: matrices have no order of entries; state each entry or eigenvalue"
            )

    def trivial(self) -> str | None:
        if self.notation.unfold(self.lhs) == self.notation.unfold(self.rhs):
            return "both sides are the same expression (a definition belongs into let)"
        return None

    def _pairs(self) -> list[tuple[sp.Expr, sp.Expr]]:
        lhs, rhs = self.value("lhs"), self.value("rhs")
        return list(zip(lhs, rhs, strict=True)) if isinstance(lhs, sp.MatrixBase) else [(lhs, rhs)]

    def shown(self) -> bool:
        allowed = {">": ("+",), "<": ("-",), ">=": ("+", "0", "0+"), "<=": ("-", "0", "0-")}
        for a, b in self._pairs():
            if not (
                is_zero(a - b, self.domain)
                if self.rel == "="
                else sign(a - b, self.domain) in allowed[self.rel]
            ):
                return False
            demand_real(a, self.domain)
            demand_real(b, self.domain)
        return True

    def _failures(self) -> Iterator[tuple[dict, mpmath.mpf, mpmath.mpf]]:
        with mpmath.workdps(numeric.DIGITS):
            for a, b in self._pairs():
                for point in numeric.points(self.domain):
                    x, y = numeric.evaluate(a, point), numeric.evaluate(b, point)
                    if not numeric.compare(x, self.rel, y):
                        yield point, x, y
        weak = (
            self.rel if self.rel.endswith("=") else self.rel + "="
        )  # far out, strict may be too close to call
        with mpmath.workdps(3 * numeric.DIGITS):
            for a, b in self._pairs():
                for point in numeric.points(self.domain, numeric.POINTS, spread=8):
                    x, y = numeric.evaluate(a, point), numeric.evaluate(b, point)
                    if not numeric.compare(x, weak, y):
                        yield point, x, y

    def holds(self) -> bool:
        return next(self._failures(), None) is None

    def counterexample(self) -> str | None:
        try:
            point, x, y = next(self._failures())
        except (StopIteration, numeric.NotReal):
            return None
        used = self.value("lhs").free_symbols | self.value("rhs").free_symbols
        at = ", ".join(f"{s} = {mpmath.nstr(v, 3)}" for s, v in point.items() if s in used)
        return f"{at or 'these numbers'}: left {mpmath.nstr(x, 5)}, right {mpmath.nstr(y, 5)}"

    def corruptions(self) -> Iterator[tuple[str, Line]]:
        if self.rel != "=":
            yield "relation turned round", dataclasses.replace(self, rel=FLIP[self.rel])

    def formula(self) -> str:
        return f"{self.notation.latex(self.lhs)} {REL[self.rel]} {self.notation.latex(self.rhs)}"

    def plain(self) -> str:
        return f"{self.lhs} {self.rel} {self.rhs}"


@dataclass(frozen=True, kw_only=True)
class Gap(Relation):
    """An inequality decided by an identity for its gap.

    With ``g(s) = s - 1 - log s``, which is >= 0 for s > 0 and 0 only at s = 1, and with squares ``e**2``, the
    larger side minus the smaller one equals ``sum w * g(s)`` or ``sum w * e**2``, where every weight ``w``
    and every ``s`` is positive.

    Attributes:
        gibbs: pairs ``(w, s)``.
        squares: pairs ``(w, e)``.
        equality: pairs ``(symbol, value)``, one for each term: the term vanishes there and nowhere
            else. Empty: not claimed.
    """

    rel: str = ">="
    gibbs: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    squares: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    equality: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()
    expressions: ClassVar[tuple[str, ...]] = ("lhs", "rhs", "gibbs", "squares", "equality")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rel not in (">=", "<="):
            raise Refused(f"line {self.tag}: a gap decides >= or <=, got {self.rel!r}")
        if not self.gibbs and not self.squares:
            raise Refused(
                f"line {self.tag}: a gap needs at least one term, (w, s) for w * (s - 1 - log s) "
                "or (w, e) for w * e**2"
            )
        if self.equality and len(self.equality) != len(self.gibbs) + len(self.squares):
            raise Refused(
                f"line {self.tag}: equality needs one pair (symbol, value) for each term of the gap"
            )

    def mutants(self) -> Iterator[tuple[str, Line]]:
        for label, m in super().mutants():
            if all(isinstance(v, sp.Symbol) for v, _ in m.equality):
                yield label, m

    def acted_on(self) -> list[sp.Symbol]:
        return [v for v, _ in self.equality]

    def _gap(self) -> sp.Expr:
        gibbs = sp.Add(*(w * (s - 1 - sp.log(s)) for w, s in self.value("gibbs")))
        return gibbs + sp.Add(*(w * e**2 for w, e in self.value("squares")))

    def _difference(self) -> sp.Expr:
        d = self.value("lhs") - self.value("rhs")
        return d if self.rel == ">=" else -d

    def shown(self) -> bool:
        terms = [*self.value("gibbs"), *self.value("squares")]
        weights = all(sign(w, self.domain) == "+" for w, _ in terms)
        arguments = all(sign(s, self.domain) == "+" for _, s in self.value("gibbs"))
        if not (weights and arguments and is_zero(self._difference() - self._gap(), self.domain)):
            return False
        zeros = [s - 1 for _, s in self.value("gibbs")] + [e for _, e in self.value("squares")]
        if any(is_zero(z, self.domain) for z in zeros):  # a term that is nothing decides nothing
            return False
        for e in (self.value("lhs"), self.value("rhs"), *(e for term in terms for e in term)):
            demand_real(e, self.domain)
        return all(
            roots_are(z, v, [at], self.domain)
            for z, (v, at) in zip(zeros, self.value("equality"), strict=bool(self.equality))
        )

    def holds(self) -> bool:
        with mpmath.workdps(numeric.DIGITS):
            for point in numeric.points(self.domain):
                if not numeric.compare(
                    numeric.evaluate(self._difference(), point), "=", numeric.evaluate(self._gap(), point)
                ):
                    return False
                for w, s in [*self.value("gibbs"), *((w, w) for w, _ in self.value("squares"))]:
                    if numeric.evaluate(w, point) <= 0 or numeric.evaluate(s, point) <= 0:
                        return False
                at = dict(point)
                for v, value in self.value("equality"):
                    at[v] = numeric.evaluate(value, at)
                    if not self.domain.contains(v, at):
                        return False
                if self.equality and not numeric.compare(
                    numeric.evaluate(self._difference(), at), "=", mpmath.mpf(0)
                ):
                    return False
        return True

    def counterexample(self) -> str | None:
        return Relation.counterexample(self)

    def formula(self) -> str:
        n = self.notation
        out = super().formula()
        if self.equality:
            where = dict.fromkeys(f"{n.latex(v)} = {n.latex(e)}" for v, e in self.equality)
            out += r",\quad \text{with equality iff }" + r",\ ".join(where)
        return out

    def reason(self) -> str:
        """The gap in LaTeX."""
        n = self.notation
        terms = [rf"{_factor(n, w)}\,g\!\left({n.latex(s)}\right)" for w, s in self.gibbs]
        terms += [rf"{_factor(n, w)}\left({n.latex(e)}\right)^2" for w, e in self.squares]
        return r"\text{gap} = " + " + ".join(terms)


def _factor(n: Notation, w: sp.Expr) -> str:
    return "" if w == 1 else rf"\left({n.latex(w)}\right)" if w.is_Add else n.latex(w)


@dataclass(frozen=True, kw_only=True)
class Stationary(Line):
    """The stationary points of ``f`` in ``var``, as a complete list: their number is part of the claim."""

    f: sp.Expr
    var: sp.Symbol
    at: tuple[sp.Expr, ...]
    expressions: ClassVar[tuple[str, ...]] = ("f", "at")
    variables: ClassVar[tuple[str, ...]] = ("var",)

    def trivial(self) -> str | None:
        return (
            None
            if self.var in self.value("f").free_symbols
            else f"the expression does not depend on {self.var}"
        )

    def shown(self) -> bool:
        demand_real(self.value("f"), self.domain, smooth=True)
        return roots_are(sp.diff(self.value("f"), self.var), self.var, self.value("at"), self.domain)

    def holds(self) -> bool:
        """Sign changes of a numerical derivative on a grid of the interval, against the claimed list."""
        f, at = self.value("f"), self.value("at")
        others = sorted(f.free_symbols - {self.var}, key=str)
        call = numeric.function(f, (self.var, *others))
        with mpmath.workdps(numeric.DIGITS):
            for point in numeric.points(self.domain, 4):
                rest = [point[s] for s in others]
                interval = self.domain.intervals[self.var]
                grid = sorted(_image(interval, mpmath.mpf(k) / 4, point) for k in range(-40, 41))
                try:
                    slopes = [
                        mpmath.diff(
                            lambda x, r=rest: call(x, *r), x, h=min(abs(x), 1) * mpmath.mpf(10) ** -14
                        )
                        for x in grid
                    ]
                except numeric.NotReal:
                    return False
                count = sum(a * b < 0 for a, b in itertools.pairwise(slopes)) + sum(s == 0 for s in slopes)
                claimed = [numeric.evaluate(sp.sympify(c), point) for c in at]
                # a slope may touch zero without a change of sign, or vanish beyond the grid: fewer changes
                # refute nothing
                if count > len(claimed) or len({mpmath.nstr(c, 20) for c in claimed}) < len(claimed):
                    return False
                for c in claimed:
                    if not self.domain.contains(self.var, point | {self.var: c}):
                        return False
                    step = min(abs(c), abs(grid[-1] - c), 1) * mpmath.mpf(10) ** -6
                    if call(c + step, *rest) == call(c - step, *rest):
                        continue
                    slope = mpmath.diff(lambda x, r=rest: call(x, *r), c, h=step * mpmath.mpf(10) ** -8)
                    if abs(slope) > mpmath.mpf(10) ** -8 * (1 + max(abs(s) for s in slopes[30:50])):
                        return False
        return True

    def corruptions(self) -> Iterator[tuple[str, Line]]:
        if self.at:
            yield "no stationary point", dataclasses.replace(self, at=())
            yield "a second point claimed", dataclasses.replace(self, at=(*self.at, self.at[0] / 2))

    def formula(self) -> str:
        n = self.notation
        where = r",\ ".join(f"{n.latex(self.var)} = {n.latex(a)}" for a in self.at)
        slope = rf"\frac{{\partial}}{{\partial {n.latex(self.var)}}} {_bracket(n, self.f)} = 0"
        return slope + (rf"\iff {where}" if self.at else r"\quad\text{nowhere}")


def _bracket(n: Notation, e: sp.Expr) -> str:
    return rf"\left[{n.latex(e)}\right]" if e.is_Add else n.latex(e)


def _image(interval: Any, s: mpmath.mpf, point: dict) -> mpmath.mpf:
    """The point of the interval at logarithmic coordinate ``s``."""
    lo, hi = bound(interval.lo, point), bound(interval.hi, point)
    if lo == -mpmath.inf:
        return 10 * s if hi == mpmath.inf else hi - mpmath.exp(s)
    return lo + mpmath.exp(s) if hi == mpmath.inf else lo + (hi - lo) / (1 + mpmath.exp(-s))


def limit(expr: sp.Expr, var: sp.Symbol, point: sp.Expr, side: str, domain: Domain) -> sp.Expr:
    """SymPy's limit, with the parameters in their charts: it asks for signs, and there they are known."""
    charts = {s: c for s, c in domain.charts(sp.S.Zero).items() if s != var}
    return sp.limit(expr.xreplace(charts), var, point.xreplace(charts), "-" if point == sp.oo else side)


@dataclass(frozen=True, kw_only=True)
class Limit(Line):
    """``expr -> value`` as ``var -> point`` from a stated side."""

    expr: sp.Expr
    var: sp.Symbol
    point: sp.Expr
    side: str
    to: sp.Expr
    expressions: ClassVar[tuple[str, ...]] = ("expr", "point", "to")
    variables: ClassVar[tuple[str, ...]] = ("var",)

    def __post_init__(self) -> None:
        if self.side not in ("+", "-"):
            raise Refused(f"line {self.tag}: a limit needs a side, '+' or '-', got {self.side!r}")

    def trivial(self) -> str | None:
        return (
            None
            if self.var in self.value("expr").free_symbols
            else f"the expression does not depend on {self.var}"
        )

    def shown(self) -> bool:
        interval, point = self.domain.intervals[self.var], self.value("point")
        if self.var in point.free_symbols | self.value("to").free_symbols:
            return False
        approachable = point == (interval.lo if self.side == "+" else interval.hi)
        inside = not (interval.integer or point in (sp.oo, -sp.oo)) and all(
            b in (sp.oo, -sp.oo) or sign(d, self.domain) == "+"
            for b, d in ((interval.lo, point - interval.lo), (interval.hi, interval.hi - point))
        )
        if not (approachable or inside):
            raise Undecided(
                f"{self.var} cannot approach {point} from the side {self.side} inside its interval"
            )
        demand_real(self.value("expr"), self.domain)
        found = limit(self.value("expr"), self.var, point, self.side, self.domain)
        to = self.value("to")
        if sp.oo in (abs(found), abs(to)):
            return bool(found == to)
        return is_zero(found - to, self.domain)

    def holds(self) -> bool:
        expr, to, at = self.value("expr"), self.value("to"), self.value("point")
        others = sorted((expr.free_symbols | to.free_symbols | at.free_symbols) - {self.var}, key=str)
        call = numeric.function(expr, (self.var, *others))
        for point in numeric.points(self.domain, 3):
            rest = [point[s] for s in others]
            try:
                with mpmath.workdps(400):  # as deep as the sequence that is held against it
                    value = (
                        mpmath.inf * (1 if to == sp.oo else -1)
                        if to in (sp.oo, -sp.oo)
                        else numeric.evaluate(to, point)
                    )
                where = at.subs({s: sp.Float(point[s], 400) for s in at.free_symbols})
                if not numeric.limit_is(lambda x, r=rest: call(x, *r), where, self.side, value):
                    return False
            except numeric.NotReal:
                return False
        return True

    def formula(self) -> str:
        n = self.notation
        point = n.latex(self.point)
        if self.point not in (sp.oo, -sp.oo):  # in brackets, or the side would stand on an exponent
            point = (point if self.point.is_Atom else rf"\left({point}\right)") + f"^{self.side}"
        arrow = rf"{n.latex(self.var)} \to {point}"
        return rf"\lim_{{{arrow}}} {_bracket(n, self.expr)} = {n.latex(self.to)}"


@dataclass(frozen=True, kw_only=True)
class Integral(Line):
    """``integral of f over (a, b) = to``.

    An antiderivative is found, differentiated back, and its limits are taken.
    """

    f: sp.Expr
    var: sp.Symbol
    a: sp.Expr
    b: sp.Expr
    to: sp.Expr
    expressions: ClassVar[tuple[str, ...]] = ("f", "a", "b", "to")
    variables: ClassVar[tuple[str, ...]] = ("var",)

    def trivial(self) -> str | None:
        return (
            None
            if self.var in self.value("f").free_symbols
            else f"the integrand does not depend on {self.var}"
        )

    def shown(self) -> bool:
        f, a, b, to = (self.value(k) for k in ("f", "a", "b", "to"))
        interval = self.domain.intervals[self.var]
        if self.var in a.free_symbols | b.free_symbols | to.free_symbols:
            return False
        if not all(self._ordered(*ends) for ends in ((interval.lo, a), (b, interval.hi))):
            raise Undecided(
                f"({a}, {b}) is not shown to lie in {interval.lo, interval.hi}, where {self.var} lives"
            )
        if a == b or not self._ordered(a, b):
            return False
        demand_real(f, self.domain)
        F = sp.integrate(f, self.var).replace(sp.log, self._log)
        if F.atoms(*UNEVALUATED) or not is_zero(sp.diff(F, self.var) - f, self.domain):
            raise Undecided(f"no antiderivative of {f} was found and differentiated back")
        demand_real(F, self.domain, smooth=True)  # a pole or a jump inside would be passed over
        value = limit(F, self.var, b, "-", self.domain) - limit(F, self.var, a, "+", self.domain)
        return is_zero(value - to, self.domain)

    def _ordered(self, a: sp.Expr, b: sp.Expr) -> bool:
        if sp.oo in (abs(a), abs(b)):
            return a == -sp.oo or b == sp.oo
        return sign(b - a, self.domain) in ("+", "0+", "0")

    def _log(self, arg: sp.Expr) -> sp.Expr:
        return sp.log(-arg if sign(arg, self.domain) == "-" else arg)

    def holds(self) -> bool:
        f, to = self.value("f"), self.value("to")
        others = sorted((f.free_symbols | to.free_symbols) - {self.var}, key=str)
        call = numeric.function(f, (self.var, *others))
        with mpmath.workdps(numeric.DIGITS):
            for point in numeric.points(self.domain, 3):
                lo, hi = (
                    mpmath.inf * (1 if e == sp.oo else -1)
                    if e in (sp.oo, -sp.oo)
                    else numeric.evaluate(e, point)
                    for e in (self.value("a"), self.value("b"))
                )
                cuts = [lo, hi]
                if mpmath.isinf(lo) or mpmath.isinf(hi):
                    cuts = [c for c in (lo, -20, -5, -1, 0, 1, 5, 20, hi) if lo <= c <= hi]
                rest = [point[s] for s in others]
                found = mpmath.quad(lambda x, r=rest: call(x, *r), cuts)
                if abs(found - numeric.evaluate(to, point)) > mpmath.mpf(10) ** -8 * (1 + abs(found)):
                    return False
        return True

    def corruptions(self) -> Iterator[tuple[str, Line]]:
        yield "limits swapped", dataclasses.replace(self, a=self.b, b=self.a)

    def formula(self) -> str:
        n = self.notation
        return (
            rf"\int_{{{n.latex(self.a)}}}^{{{n.latex(self.b)}}} {_bracket(n, self.f)} \,d{n.latex(self.var)}"
            rf" = {n.latex(self.to)}"
        )


@dataclass(frozen=True, kw_only=True)
class Average(Line):
    """``integral of lhs = const + integral of rhs``, for densities of mass one: pointwise, then linearity.

    Decided as ``lhs = rhs + sum c_i m_i`` at every point, with numbers ``c_i`` and densities ``m_i``; then
    the masses are used, and only then: ``const = sum c_i``.

    Attributes:
        using: pairs ``(density, c)``; a density with ``c = 0`` would be an unused hypothesis and is refused.
        params: symbols that are the same at every point (the others are functions of the point).
    """

    lhs: sp.Expr
    rhs: sp.Expr
    const: sp.Expr
    using: tuple[tuple[sp.Symbol, sp.Expr], ...]
    params: tuple[sp.Symbol, ...] = ()
    expressions: ClassVar[tuple[str, ...]] = ("lhs", "rhs", "const", "using")
    pointwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.using:
            raise Refused(
                f"line {self.tag}: no normalisation is used; without one the pointwise identity is the line"
            )

    def trivial(self) -> str | None:
        for m, c in self.value("using"):
            if m not in self.domain.intervals or not m.is_positive:
                return f"{m} is not the declared positive symbol of a density"
            if m in self.params:
                return f"{m} is a density, so it is no parameter"
            if is_zero(c, self.domain):
                return f"the hypothesis that {m} has mass one is not used"
            if c.free_symbols - set(self.params):
                return f"{c} depends on the point, so it does not leave the integral"
        if extra := [s for s in self.params if s not in self.domain.intervals]:
            return f"{extra[0]} is no declared symbol, so it is no parameter"
        return None

    def mutants(self) -> Iterator[tuple[str, Line]]:
        return (
            (label, m) for label, m in super().mutants() if all(isinstance(d, sp.Symbol) for d, _ in m.using)
        )

    def shown(self) -> bool:
        linear = sp.Add(*(m * c for m, c in self.value("using")))
        total = sp.Add(*(c for _, c in self.value("using")))
        lhs, rhs, const = (self.value(k) for k in ("lhs", "rhs", "const"))
        if not (is_zero(lhs - rhs - linear, self.domain) and is_zero(const - total, self.domain)):
            return False
        for e in (lhs, rhs, const):
            demand_real(e, self.domain)
        return True

    def holds(self) -> bool:
        """On random laws with five atoms, where an integral is a sum."""
        lhs, rhs, const = (self.value(k) for k in ("lhs", "rhs", "const"))
        masses = [m for m, _ in self.using]
        with mpmath.workdps(numeric.DIGITS):
            for trial in range(3):
                atoms = numeric.points(self.domain, 5, seed=numeric.SEED + trial)
                for m in masses:
                    total = mpmath.fsum(a[m] for a in atoms)
                    for a in atoms:
                        a[m] /= total
                for s in self.params:
                    for a in atoms:
                        a[s] = atoms[0][s]
                gap = mpmath.fsum(numeric.evaluate(lhs, a) - numeric.evaluate(rhs, a) for a in atoms)
                if not numeric.compare(gap, "=", numeric.evaluate(const, atoms[0])):
                    return False
                linear = (
                    numeric.evaluate(sp.Add(*(m * c for m, c in self.value("using"))), a) for a in atoms
                )
                if not all(
                    numeric.compare(numeric.evaluate(lhs - rhs, a), "=", x)
                    for a, x in zip(atoms, linear, strict=True)
                ):
                    return False
        return True

    def formula(self) -> str:
        n = self.notation
        rhs = "" if self.rhs == 0 else rf" + \int {_bracket(n, self.rhs)} \,d\mu"
        return rf"\int {_bracket(n, self.lhs)} \,d\mu = {n.latex(self.const)}{rhs}"

    def reason(self) -> str:
        """The hypotheses used, in LaTeX."""
        return r"\text{uses } " + r",\ ".join(
            rf"\textstyle\int {self.notation.latex(m)}\,d\mu = 1" for m, _ in self.using
        )


@dataclass(frozen=True, kw_only=True)
class Pushforward(Line):
    """The change of variables: if ``z`` has density ``p_z``, then ``x = G(z)`` has density ``p_x``.

    Decided are the hypotheses of the substitution rule and its conclusion: ``inverse(G(z)) = z``,
    ``G(inverse(x)) = x``, the slope of ``G`` keeps one strict sign, and
    ``p_x(x) = p_z(inverse(x)) |inverse'(x)|``.
    """

    G: sp.Expr
    z: sp.Symbol
    inverse: sp.Expr
    x: sp.Symbol
    p_z: sp.Expr
    p_x: sp.Expr
    expressions: ClassVar[tuple[str, ...]] = ("G", "inverse", "p_z", "p_x")
    pointwise: ClassVar[bool] = True
    variables: ClassVar[tuple[str, ...]] = ("z", "x")

    def trivial(self) -> str | None:
        return None if self.value("G") not in (self.z, self.x) else "G is the identity"

    def shown(self) -> bool:
        G, inverse, p_z, p_x = (self.value(k) for k in ("G", "inverse", "p_z", "p_x"))
        if self.x in G.free_symbols | p_z.free_symbols or self.z in inverse.free_symbols | p_x.free_symbols:
            return False
        for e in (G, inverse):
            demand_real(e, self.domain, smooth=True)
        slope = sign(sp.diff(G, self.z), self.domain)
        if slope not in ("+", "-"):
            raise Undecided(f"the slope of {G} does not keep one strict sign: no single inverse")
        size = sp.diff(inverse, self.x) * (1 if slope == "+" else -1)
        return (
            is_zero(inverse.subs(self.x, G) - self.z, self.domain)
            and is_zero(G.subs(self.z, inverse) - self.x, self.domain)
            and is_zero(p_z.subs(self.z, inverse) * size - p_x, self.domain)
            and self._onto(G, slope)
        )

    def _onto(self, G: sp.Expr, slope: str) -> bool:
        """Whether the ends of the interval of ``z`` go to the ends of the interval of ``x``."""
        z, x = (self.domain.intervals[v] for v in (self.z, self.x))
        ends = [limit(G, self.z, z.lo, "+", self.domain), limit(G, self.z, z.hi, "-", self.domain)]
        pairs = zip(ends if slope == "+" else reversed(ends), (x.lo, x.hi), strict=True)
        return all(a == b if sp.oo in (abs(a), abs(b)) else is_zero(a - b, self.domain) for a, b in pairs)

    def holds(self) -> bool:
        G, inverse, p_z, p_x = (self.value(k) for k in ("G", "inverse", "p_z", "p_x"))
        others = sorted(
            (G.free_symbols | p_z.free_symbols | p_x.free_symbols | inverse.free_symbols) - {self.z, self.x},
            key=str,
        )
        g, gi = numeric.function(G, (self.z, *others)), numeric.function(inverse, (self.x, *others))
        pz, px = numeric.function(p_z, (self.z, *others)), numeric.function(p_x, (self.x, *others))
        with mpmath.workdps(numeric.DIGITS):
            for point in numeric.points(self.domain):
                z, x, rest = point[self.z], point[self.x], [point[s] for s in others]
                slope = mpmath.diff(lambda t, r=rest: g(t, *r), z)
                there, back = g(z, *rest), gi(x, *rest)
                if not self.domain.contains(self.x, point | {self.x: there}):
                    return False
                if not self.domain.contains(self.z, point | {self.z: back}):
                    return False
                pairs = (
                    (gi(there, *rest), z),
                    (g(back, *rest), x),
                    (px(there, *rest) * abs(slope), pz(z, *rest)),
                )
                if any(abs(a - b) > mpmath.mpf(10) ** -12 * (1 + abs(b)) for a, b in pairs):
                    return False
                if pz(z, *rest) < 0:
                    return False
            interval = self.domain.intervals[self.z]
            cuts = [_image(interval, mpmath.mpf(k), point) for k in range(-2, 3)]
            cuts = [bound(interval.lo, point), *cuts, bound(interval.hi, point)]
            return bool(abs(mpmath.quad(lambda t: pz(t, *rest), cuts) - 1) <= mpmath.mpf(10) ** -8)

    def formula(self) -> str:
        n = self.notation
        z, x = n.latex(self.z), n.latex(self.x)
        return (
            rf"{z} \sim {n.latex(self.p_z)},\quad {x} = G({z}) = {n.latex(self.G)}"
            rf"\quad\Longrightarrow\quad {x} \sim {n.latex(self.p_x)}"
        )

    def reason(self) -> str:
        """The inverse in LaTeX."""
        return rf"G^{{-1}}({self.notation.latex(self.x)}) = {self.notation.latex(self.inverse)}"


@dataclass(frozen=True, kw_only=True)
class Argued(Line):
    """A named theorem applied where a computer algebra system has no object for the statement.

    Attributes:
        statement: LaTeX.
        theorem: a key of :data:`ganlib.derive.theorems.THEOREMS`.
        hypotheses: for each hypothesis of the theorem its discharge: a line ``"(3.2)"`` of the chain,
            or words.
        known: tags of the lines before this one.
    """

    statement: str
    theorem: str
    hypotheses: tuple[tuple[str, str], ...]
    known: tuple[str, ...] = ()

    def checked_form(self) -> None:
        from .theorems import discharge

        discharge(self)

    def shown(self) -> bool:
        return True

    def holds(self) -> bool:
        from .theorems import discharge

        try:
            discharge(self)
        except Refused:
            return False
        return True

    def corruptions(self) -> Iterator[tuple[str, Line]]:
        for name, _ in self.hypotheses:
            rest = tuple(h for h in self.hypotheses if h[0] != name)
            yield f"hypothesis {name!r} dropped", dataclasses.replace(self, hypotheses=rest)

    def formula(self) -> str:
        return self.statement

    def plain(self) -> str:
        return self.statement


@dataclass(frozen=True, kw_only=True)
class Numeric(Relation):
    """``lhs rel rhs`` at random points only, to 20 digits. Never counted as proved."""

    def shown(self) -> bool:
        return self.holds()
