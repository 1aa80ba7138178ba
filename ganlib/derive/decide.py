"""Decision procedures. ``True`` means shown, ``False`` means shown not to hold, :class:`Undecided` means
neither.

The heart is :func:`is_zero`. A sum of ``rational * log(rational)`` over positive symbols is zero exactly if
it is zero coefficient by coefficient, once each logarithm is split into logarithms of primes and of
irreducible polynomials: those are linearly independent over the rational functions. The split itself needs
every factor to be positive, and that is demanded here from the coefficients, never assumed.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable

import sympy as sp

from .domain import Domain
from .errors import Undecided

UNEVALUATED = (sp.Integral, sp.Derivative, sp.Sum, sp.Product, sp.Limit, sp.Subs)
_POINTS = (
    3  # Schwartz-Zippel: a polynomial of degree d survives 3 points of [1, 2^61) with probability (d/2^61)^3
)
_EXACT = 250  # operations up to which the numerator is expanded and compared exactly
_SMOOTH = (sp.exp, sp.log, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.asinh, sp.erf, sp.erfc)
KINKED = (sp.Abs, sp.Max, sp.Min, sp.sign, sp.Heaviside, sp.floor, sp.ceiling, sp.Piecewise)
# a line and its corruptions share most of their parts, so what was decided is kept
_keep = functools.lru_cache(maxsize=4096)
_COUNTING = (sp.factorial, sp.binomial)  # defined for every natural number


def chart(expr: sp.Expr, domain: Domain) -> sp.Expr:
    """Rewrite ``expr`` so that its charted symbols are positive, with ``exp`` of a charted symbol made
    rational.
    """
    expr = sp.sympify(expr)
    return expr.xreplace(
        domain.charts(expr)
    )  # no chart holds a declared symbol, so the order does not matter


class _Atoms:
    """Replaces what is not a rational function (``exp``, ``pi``, roots, trigonometry) by named generators."""

    def __init__(self, expr: sp.Expr) -> None:
        self.names: dict[sp.Expr, sp.Symbol] = {}
        self.exponents: dict[sp.Symbol, sp.Expr] = {}
        self.independent = True
        self.scale: dict[sp.Expr, int] = {}  # exp(x/2) and exp(x) are powers of one generator
        for e in expr.atoms(sp.exp):
            for c, base in (term.as_coeff_Mul() for term in sp.Add.make_args(sp.expand(e.exp))):
                self.scale[base] = sp.ilcm(self.scale.get(base, 1), c.q)

    def _name(self, key: sp.Expr, independent: bool = True, positive: bool = False) -> sp.Symbol:
        self.independent &= independent
        # only what is shown or what SymPy knows to be positive may be treated as positive
        positive = positive or key.is_positive or None
        return self.names.setdefault(
            key, sp.Dummy(f"a{len(self.names)}", positive=positive, real=positive or key.is_real or None)
        )

    def _exp(self, power: sp.Expr) -> sp.Expr:
        """``exp(power)``; that of a positive power exceeds 1, so ``1 - exp(-power)`` gets its sign."""
        more = int(bool(power.is_positive))
        out = more + self._name(sp.exp(power) - more, independent=not power.is_number, positive=True)
        self.exponents[out] = power
        return out

    def rational(self, expr: sp.Expr) -> sp.Expr:
        """``expr`` as a rational function of symbols, generators and ``log``."""
        if expr.is_Rational or expr.is_Symbol:
            return expr
        if isinstance(expr, sp.log):
            return sp.log(self.rational(expr.args[0]))
        if isinstance(expr, sp.exp):
            out = sp.Integer(1)
            for term in sp.Add.make_args(sp.expand(expr.exp)):
                c, base = term.as_coeff_Mul()
                if isinstance(base, sp.log) and c.is_Integer:
                    out *= self.rational(base.args[0]) ** c
                else:
                    out *= self._exp(base / self.scale[base]) ** (c * self.scale[base])
            return out
        if expr.is_Pow and expr.exp.is_Integer:
            return self.rational(expr.base) ** expr.exp
        if expr.is_Pow and expr.exp.is_Rational:
            if _sign(self.rational(expr.base)) != "+":
                raise Undecided(f"the root {expr} of something not shown to be positive")
            root = expr.base ** sp.Rational(1, expr.exp.q)
            return self._name(root, independent=False, positive=True) ** expr.exp.p
        if expr.is_Add or expr.is_Mul:
            return expr.func(*map(self.rational, expr.args))
        if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo) or expr.atoms(*UNEVALUATED):
            raise Undecided(f"{expr} is not an ordinary value")
        return self._name(expr, independent=expr is sp.pi)


@_keep
def _coefficient_sign(poly: sp.Expr) -> int:
    """+1 or -1 if the coefficients force that sign wherever the positive symbols are positive, else 0."""
    gens = sorted(poly.free_symbols, key=str)
    if not gens:
        return int(sp.sign(poly)) if poly.is_Rational else 0
    free = [i for i, g in enumerate(gens) if g.is_positive is not True]
    if not all(gens[i].is_real for i in free):
        return 0
    terms = sp.Poly(poly, *gens).terms()
    signs = {int(sp.sign(c)) if all(m[i] % 2 == 0 for i in free) else 0 for m, c in terms}
    if len(signs) != 1 or 0 in signs:
        return 0
    # a real symbol may vanish, so one term must be free of the real symbols
    return signs.pop() if not free or any(all(m[i] == 0 for i in free) for m, _ in terms) else 0


@_keep
def _log_parts(arg: sp.Expr) -> dict[sp.Expr, int]:
    out: dict[sp.Expr, int] = {}
    for side, e in zip((sp.fraction(sp.together(arg))), (1, -1), strict=True):
        c, factors = sp.factor_list(side)
        if not c.is_Rational:
            raise Undecided(f"log({arg}): the content {c} is not rational")
        for base, k in factors:
            s = _coefficient_sign(base)
            if s == 0 and k % 2 == 0:
                raise Undecided(f"log({arg}): {base} may vanish on the domain")
            if s == 0:
                raise Undecided(f"log({arg}): the factor {base} is not shown positive on the domain")
            c *= sp.Integer(s) ** k
            out[sp.expand(s * base)] = out.get(sp.expand(s * base), 0) + e * k
        if c <= 0:
            raise Undecided(f"log({arg}): the argument is not positive on the domain")
        for n, sign in ((c.p, e), (c.q, -e)):
            for prime, k in sp.factorint(n).items():
                out[sp.Integer(prime)] = out.get(sp.Integer(prime), 0) + sign * k
    return out


def _rational_zero(c: sp.Expr) -> bool:
    gens = sorted(c.free_symbols, key=str)
    if not gens:
        return bool(sp.expand(c) == 0)
    rng, small = random.Random(0), c.count_ops() <= _EXACT
    for _ in range(_POINTS):
        value = c.xreplace({g: sp.Integer(rng.randrange(1, 2**61)) for g in gens})
        if not value.is_Rational and not small:
            raise Undecided(f"{c} is not a rational function, or it divides by zero")
        if value.is_Rational and value != 0:
            return False
    return not small or sp.expand(sp.fraction(sp.together(c))[0]) == 0


@_keep
def is_zero(expr: sp.Expr, domain: Domain) -> bool:
    """Decide whether ``expr`` vanishes on the whole domain.

    Raises:
        Undecided: the expression is outside the procedure (a log of something not shown positive, a
            product of logs).
    """
    whole = sp.sympify(expr)
    if whole.atoms(*UNEVALUATED) or whole.has(sp.nan, sp.zoo, sp.oo):
        raise Undecided(f"{whole} holds an unevaluated or infinite part")
    expr = chart(whole, domain)
    atoms = _Atoms(expr)
    flat = atoms.rational(expr)
    logs: dict[sp.Expr, sp.Dummy] = {}

    def split(log: sp.Expr) -> sp.Expr:
        parts = _log_parts(log.args[0]).items()  # the log of exp(b) is b itself
        return sp.Add(
            *(k * (atoms.exponents.get(b) or logs.setdefault(b, sp.Dummy("L", real=True))) for b, k in parts)
        )

    try:
        formal = flat.replace(lambda e: isinstance(e, sp.log), split)
        if _rational_zero(formal):
            return True
    except sp.PolynomialError as reason:
        raise Undecided(str(reason)) from None
    # A formal zero is a zero. The converse needs the generators to be independent: logarithms are, as long as
    # they enter
    # linearly; generators like sqrt(2) or cos(x) satisfy relations that only SymPy's simplification knows.
    linear = not any(sp.diff(formal, a).free_symbols & set(logs.values()) for a in logs.values())
    return False if linear and atoms.independent else _simplifies_to_zero(whole)


def _simplifies_to_zero(expr: sp.Expr) -> bool:
    if (
        expr.count_ops() > _EXACT
    ):  # simplify may run for minutes on large input; then the answer is "not shown"
        return False
    return any(f(expr) == 0 for f in (sp.expand, sp.simplify))


@_keep
def sign(expr: sp.Expr, domain: Domain) -> str | None:
    """The sign of ``expr`` on the domain.

    It is ``"+"``, ``"-"``, ``"0"``, ``"0+"`` (>= 0), ``"0-"`` (<= 0), or ``None``: not shown.
    """
    expr = chart(expr, domain)
    if expr.is_number and expr.is_comparable:
        return "+" if expr.is_positive else "-" if expr.is_negative else "0" if expr.is_zero else None
    return _sign(_Atoms(expr).rational(expr))


def _times(a: str | None, b: str | None) -> str | None:
    if a is None or b is None:
        return None
    if "0" in (a, b):
        return "0"
    s = "+" if a[-1] == b[-1] else "-"
    return ("0" if len(a) + len(b) > 2 else "") + s


def _sign(expr: sp.Expr) -> str | None:
    if expr.is_Rational:
        return {1: "+", 0: "0", -1: "-"}[int(sp.sign(expr))]
    if isinstance(expr, sp.log):
        return _sign(sp.together(expr.args[0] - 1)) if _sign(expr.args[0]) == "+" else None
    if not expr.has(sp.log):
        return _rational_sign(expr)
    if expr.is_Mul:
        out: str | None = "+"
        for a in expr.args:
            out = _times(out, _sign(a))
        return out
    if expr.is_Add:
        signs = {_sign(a) for a in expr.args}
        if None in signs:
            return None
        for s in "+-":
            if signs <= {s, "0" + s, "0"}:
                return s if s in signs else "0" + s
    return None


@_keep
def _rational_sign(expr: sp.Expr) -> str | None:
    out: str | None = "+"
    for side in sp.fraction(sp.cancel(sp.together(expr))):
        c, factors = sp.factor_list(side)
        out = _times(out, {1: "+", 0: "0", -1: "-"}[int(sp.sign(c))])
        for base, k in factors:
            s = _coefficient_sign(base)
            if s == 0 and k % 2:
                return None
            out = _times(out, "0+" if s == 0 else "+" if s > 0 or k % 2 == 0 else "-")
    return out


def demand_real(expr: sp.Expr, domain: Domain, smooth: bool = False) -> None:
    """Demand that ``expr`` has a real value on the whole domain, and with ``smooth`` that it has slopes of
    every order.

    Logs of something positive, nothing divided by zero, no root of something negative.

    Raises:
        Undecided: names the part that is not shown to have a value.
    """
    if sp.expand(expr).has(sp.I):
        raise Undecided(f"{expr} is not shown to be real on the whole domain")
    for e in sorted(expr.atoms(sp.Function, sp.Max, sp.Min, sp.Pow), key=str):
        if e.is_Pow:
            allowed = ("+", "-") if e.exp.is_integer else ("+",)
            allowed += ("0+", "0") if e.exp.is_positive and not smooth else ()
            fine = (e.exp.is_integer and e.exp.is_positive) or sign(e.base, domain) in allowed
        elif isinstance(e, sp.log):
            fine = sign(e.args[0], domain) == "+"
        elif isinstance(e, _COUNTING):
            fine = all(a.is_integer and a.is_nonnegative for a in e.args)
        else:
            fine = isinstance(e, _SMOOTH) or (isinstance(e, KINKED) and not smooth)
        if not fine:
            raise Undecided(f"{e} is not shown to be {'smooth' if smooth else 'real'} on the whole domain")


def roots_are(expr: sp.Expr, var: sp.Symbol, claimed: Iterable[sp.Expr], domain: Domain) -> bool:
    """Decide whether the zeros of the rational function ``expr`` of ``var`` inside the domain are exactly
    ``claimed``.

    Each claimed zero must lie in the domain and be a zero; what remains after dividing them out must have a
    strict sign. An empty claim is decided too: then ``expr`` itself must have a strict sign.
    """
    claimed = [sp.sympify(c) for c in claimed]
    interval = domain.intervals[var]
    quotient = sp.cancel(sp.together(expr))
    if not quotient.is_rational_function(var):
        raise Undecided(f"{quotient} is not a rational function of {var}")
    for i, c in enumerate(claimed):
        inside = ((interval.lo, c - interval.lo), (interval.hi, interval.hi - c))
        if any(bound not in (sp.oo, -sp.oo) and sign(distance, domain) != "+" for bound, distance in inside):
            return False
        if var in c.free_symbols:
            return False
        if not is_zero(expr.subs(var, c), domain) or any(is_zero(c - b, domain) for b in claimed[:i]):
            return False
        quotient = sp.cancel(quotient / (var - c))
    return sign(quotient, domain) in ("+", "-")
