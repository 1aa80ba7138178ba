"""The checker of the checker: corrupted lines, an oracle that says which are false, and the refusal of those.

The oracle itself is tested on statements that are known, and a broken checker must show in the score.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import pytest
import sympy as sp
from sympy import Derivative, Rational, atan, cos, exp, log, oo, pi, sqrt

from ganlib.derive import (
    Derivation,
    above,
    between,
    decide,
    lines,
    natural,
    numeric,
    positive,
    real,
    score,
    unit,
)
from ganlib.derive.domain import Domain
from ganlib.derive.lines import Average, Gap, Integral, Limit, Line, Pushforward, Relation, Stationary
from ganlib.derive.mutate import mutate
from ganlib.derive.typeset import Notation

SAMPLE = 4  # false corruptions of each line in the default run


def book() -> Derivation:
    """Lines of every decided kind, as the chapters use them."""
    d = Derivation("representative lines", p=positive, q=positive, t=unit, x=real, y=positive)
    p, q, t, x, y = d.symbols
    f = d.let("f", (t,), p * log(t) + q * log(1 - t))
    best = d.let("best", (), p / (p + q))
    mid = d.let("m", (), (p + q) / 2)
    d.equal(f(best), p * log(p / mid) + q * log(q / mid) - (p + q) * log(2))
    d.equal(Derivative(f(t), t), (p - (p + q) * t) / (t * (1 - t)))
    d.equal(Derivative(log(1 + exp(x)), x, x), exp(x) / (1 + exp(x)) ** 2)
    turn = sp.Matrix([[1, -x], [x, 1]])
    d.equal(turn**2, sp.Matrix([[(1 + x) * (1 - x), -2 * x], [2 * x, 2 - (1 + x**2)]]))
    d.order(Derivative(f(t), t, t), "<", 0)
    d.gap(f(best), ">=", f(t), gibbs=[(p, t / best), (q, (1 - t) / (1 - best))], equality=[(t, best)] * 2)
    d.gap(p**2 + q**2, ">=", 2 * p * q, squares=[(1, p - q)], equality=[(p, q)])
    d.stationary(f(t), t, [best])
    d.limit(f(t), t, 1, "-", -oo)
    d.limit(p * y / (1 + q * y), y, oo, "-", p / q)
    d.integral(exp(-p * y), y, 0, oo, 1 / p)
    d.average(p * log(p / mid) + q, p * log(p / (p + q)), 1 + log(2), using={p: log(2), q: 1})
    d.pushforward(-log(t), t, exp(-y), y, 1, exp(-y))
    return d


BOOK = book()


@pytest.mark.parametrize("i", range(len(BOOK.lines)))
def test_every_false_corruption_is_refused(i: int, full: bool) -> None:
    result = score([BOOK.lines[i]], None if full else SAMPLE)
    assert result.survivors == ()
    assert result.barren == ()
    assert result.refused == result.false > 0


def test_the_corruptions_are_many_and_of_every_sort() -> None:
    p, q = sp.symbols("p q", positive=True)
    expr = p * log(p / (p + q)) - Rational(3, 2)
    labels, mutants = zip(*mutate(expr, [p, q]), strict=True)
    for sort in (
        "-3/2 -> -1/2",
        "-3/2 -> 3/2",
        "sign of",
        "dropped at",
        "log inverted",
        "log dropped",
        "p -> q",
    ):
        assert any(sort in label for label in labels), sort
    assert len(labels) == len(set(labels)) > 20
    assert expr not in mutants


# Broken checkers show


def credulous(e: sp.Expr, domain: Domain) -> bool:
    """Believes every identity with a logarithm in it."""
    return bool(e.has(log) and e.free_symbols) or decide.is_zero(e, domain)


@pytest.mark.parametrize(
    ("kind", "name", "broken"),
    [
        (Relation, "is_zero", lambda *_: True),
        (Gap, "is_zero", credulous),
        (Stationary, "roots_are", lambda *_: True),
        (Limit, "is_zero", lambda *_: True),
        (Integral, "is_zero", lambda *_: True),
        (Average, "is_zero", credulous),
        (Pushforward, "is_zero", lambda *_: True),
    ],
)
def test_a_decision_that_always_agrees_lets_false_lines_live(
    kind: type[Line], name: str, broken: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [line for line in BOOK.lines if type(line) is kind]
    line = some[-1] if kind is Limit else some[0]
    assert not score([line], SAMPLE).survivors
    monkeypatch.setattr(lines, name, broken)
    assert score([line], 12).survivors


def test_a_sign_that_is_always_positive_lets_false_orders_live(monkeypatch: pytest.MonkeyPatch) -> None:
    d = Derivation("an order", p=positive, q=positive)
    p, q = d.symbols
    line = d.order(p + q, ">", p)
    assert not score([line], SAMPLE).survivors
    monkeypatch.setattr(lines, "sign", lambda *_: "+")
    assert score([line], SAMPLE).survivors


def test_a_gap_with_a_negative_weight_needs_the_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = of(Gap, lhs=2 * p * q, rhs=p**2 + q**2, squares=((-1, p - q),))
    assert wrong.decision() is False
    monkeypatch.setattr(lines, "sign", lambda *_: "+")
    assert wrong.decision() is True


def test_an_integral_over_a_pole_needs_the_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = FALSE["a pole inside"]
    assert wrong.decision() is None
    monkeypatch.setattr(lines, "demand_real", lambda *_, **__: None)
    assert wrong.decision() is True


def test_factors_of_unknown_sign_need_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = of(Relation, lhs=log((p - q) ** 2), rhs=2 * log(p - q))
    assert wrong.decision() is None
    kept = decide.is_zero, decide.sign, decide._log_parts
    monkeypatch.setattr(decide, "_coefficient_sign", lambda *_: 1)
    try:
        for function in kept:
            function.cache_clear()
        assert decide.is_zero(wrong.lhs - wrong.rhs, D.domain)
    finally:
        for function in kept:
            function.cache_clear()


def test_an_oracle_that_always_agrees_leaves_lines_barren(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relation, "holds", lambda self: True)
    result = score(BOOK.lines[:1], SAMPLE)
    assert result.barren == (str(BOOK.lines[0]),)
    assert result.false == 0


def test_an_oracle_that_never_agrees_accepts_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Relation, "holds", lambda self: False)
    d = Derivation("a line", p=positive)
    (p,) = d.symbols
    with pytest.raises(ValueError, match="false at"):
        d.equal(log(p**2 + p), log(p) + log(p + 1))


# The oracle on statements that are known

D = Derivation(
    "known", p=positive, q=positive, t=unit, x=real, y=positive, n=natural, r=above("q"), s=between(-1, 3)
)
p, q, t, x, y, n, r, s = D.symbols
NEAR = Rational(1, 10**15)
N01 = exp(-(x**2) / 2) / sqrt(2 * pi)


def exact(v: Any) -> Any:
    return tuple(map(exact, v)) if isinstance(v, tuple) else v if isinstance(v, str) else sp.sympify(v)


def of(kind: type[Line], **fields: Any) -> Line:
    """A line that nobody has decided yet."""
    return kind(domain=D.domain, notation=Notation(), **{k: exact(v) for k, v in fields.items()})


TRUE = {
    "identity": of(Relation, lhs=log(p / q), rhs=log(p) - log(q)),
    "identity of reals": of(Relation, lhs=1 / (1 + exp(-x)), rhs=exp(x) / (1 + exp(x))),
    "order": of(Relation, lhs=r, rel=">", rhs=q),
    "order of a bounded symbol": of(Relation, lhs=s, rel="<", rhs=3),
    "order at a natural number": of(Relation, lhs=n, rel=">=", rhs=1),
    "order that is tight far out": of(Relation, lhs=1 / (1 + exp(-y)), rel="<", rhs=1),
    "constants 1e-15 apart": of(Relation, lhs=pi + NEAR, rel=">", rhs=pi),
    "gap": of(Gap, lhs=p - 1, rhs=log(p), gibbs=((1, p),), equality=((p, sp.S.One),)),
    "three points": of(Stationary, f=(y - 1) ** 2 * (y - 3) ** 2, var=y, at=(1, 2, 3)),
    "no point": of(Stationary, f=log(y), var=y, at=()),
    "a point far out": of(Stationary, f=(y - 10**6) ** 2, var=y, at=(10**6,)),
    "a double point": of(Stationary, f=(y - 2) ** 3, var=y, at=(2,)),
    "slow divergence": of(Limit, expr=log(y), var=y, point=oo, side="-", to=oo),
    "slow divergence at 0": of(Limit, expr=-log(y), var=y, point=0, side="+", to=oo),
    "slower divergence": of(Limit, expr=log(log(1 + y) + 1), var=y, point=oo, side="-", to=oo),
    "slow convergence": of(Limit, expr=1 / log(2 + y), var=y, point=oo, side="-", to=0),
    "limit at infinity": of(Limit, expr=atan(y), var=y, point=oo, side="-", to=pi / 2),
    "limit at minus infinity": of(Limit, expr=exp(x), var=x, point=-oo, side="+", to=0),
    "limit that swings": of(Limit, expr=cos(y) / y, var=y, point=oo, side="-", to=0),
    "limit with a parameter": of(Limit, expr=(1 - exp(-p * y)) / y, var=y, point=0, side="+", to=p),
    "Gauss": of(Integral, f=N01, var=x, a=-oo, b=oo, to=1),
    "a pole at the end": of(Integral, f=1 / sqrt(t), var=t, a=0, b=1, to=2),
    "a logarithm at the end": of(Integral, f=log(t), var=t, a=0, b=1, to=-1),
    "masses": of(
        Average, lhs=p * log(2 * p) + q, rhs=p * log(p), const=1 + log(2), using=((p, log(2)), (q, sp.S.One))
    ),
    "law of -log": of(Pushforward, G=-log(t), z=t, inverse=exp(-y), x=y, p_z=1, p_x=exp(-y)),
}
FALSE = {
    "log of a sum": of(Relation, lhs=log(p + q), rhs=log(p) + log(q)),
    "no real value": of(Relation, lhs=log(p - 1) - log(1 - p), rhs=log(-1)),
    "order turned round": of(Relation, lhs=r, rel="<", rhs=q),
    "order that is an equality": of(Relation, lhs=(p + 1) ** 2, rel=">", rhs=p**2 + 2 * p + 1),
    "false far out": of(Relation, lhs=y, rel="<", rhs=25),
    "constants 1e-15 apart": of(Relation, lhs=pi + NEAR, rhs=pi),
    "values 1e-15 apart": of(Relation, lhs=p + NEAR, rel="<=", rhs=p),
    "negative weight": of(Gap, lhs=-((p - q) ** 2), rhs=0, squares=((-1, p - q),)),
    "another gap": of(Gap, lhs=p - 1, rhs=log(p), gibbs=((2, p),)),
    "equality elsewhere": of(Gap, lhs=p - 1, rhs=log(p), gibbs=((1, p),), equality=((p, sp.Integer(2)),)),
    "a point left out": of(Stationary, f=(y - 1) ** 2 * (y - 3) ** 2, var=y, at=(1, 3)),
    "a point too many": of(Stationary, f=(y - 1) ** 2, var=y, at=(1, 2)),
    "a point twice": of(Stationary, f=(y - 1) ** 2, var=y, at=(1, 1)),
    "a point outside": of(Stationary, f=(y + 1) ** 2, var=y, at=(-1,)),
    "convergence called divergence": of(Limit, expr=1 - 1 / log(2 + y), var=y, point=oo, side="-", to=oo),
    "divergence called convergence": of(Limit, expr=log(y), var=y, point=oo, side="-", to=230),
    "the other infinity": of(Limit, expr=log(y), var=y, point=0, side="+", to=oo),
    "limits 1e-15 apart": of(Limit, expr=atan(y) + NEAR, var=y, point=oo, side="-", to=pi / 2),
    "slow, to another limit": of(Limit, expr=1 / log(2 + y), var=y, point=oo, side="-", to=Rational(1, 100)),
    "no limit": of(Limit, expr=cos(y), var=y, point=oo, side="-", to=0),
    "the wrong side": of(Limit, expr=1 / x, var=x, point=0, side="-", to=oo),
    "half of Gauss": of(Integral, f=N01, var=x, a=0, b=oo, to=1),
    "a pole inside": of(Integral, f=1 / x**2, var=x, a=-1, b=2, to=Rational(-3, 2)),
    "a pole at 0": of(Integral, f=1 / x**2, var=x, a=-1, b=1, to=-2),
    "an infinite integral": of(Integral, f=1 / t, var=t, a=0, b=1, to=10),
    "a mass too many": of(
        Average, lhs=p * log(2 * p), rhs=p * log(p), const=2 * log(2), using=((p, 2 * log(2)),)
    ),
    "a range too large": of(Pushforward, G=2 * t, z=t, inverse=y / 2, x=y, p_z=1, p_x=Rational(1, 2)),
    "slope left out": of(Pushforward, G=-log(t), z=t, inverse=exp(-y), x=y, p_z=1, p_x=1),
}


@pytest.mark.parametrize("name", TRUE)
def test_the_oracle_calls_true_what_is_true(name: str) -> None:
    assert not TRUE[name].judged_false()


@pytest.mark.parametrize("name", FALSE)
def test_the_oracle_calls_false_what_is_false(name: str) -> None:
    assert FALSE[name].judged_false()
    assert FALSE[name].refuses()


def test_the_oracle_knows_what_a_law_is() -> None:
    fields = {"G": -log(t), "z": t, "inverse": exp(-y), "x": y}
    assert of(Pushforward, **fields, p_z=2, p_x=2 * exp(-y)).judged_false()
    assert of(Pushforward, **fields, p_z=4 * t - 1, p_x=(4 * exp(-y) - 1) * exp(-y)).judged_false()


def test_the_oracle_samples_inside_the_domain() -> None:
    for spread in (3, 8):
        for point in numeric.points(D.domain, 20, spread=spread):
            assert all(D.domain.contains(symbol, point) for symbol in D.symbols)
            assert all(mpmath.isfinite(v) for v in point.values())
    assert numeric.points(D.domain, 3) == numeric.points(D.domain, 3)
    assert numeric.points(D.domain, 3) != numeric.points(D.domain, 3, seed=1)


def test_the_oracle_knows_only_real_numbers() -> None:
    for expr in (log(-p), sqrt(-p), 1 / (p - 2), sp.zoo, sp.nan, oo):
        with pytest.raises(numeric.NotReal):
            numeric.evaluate(expr, {p: mpmath.mpf(2)})


def test_a_derivative_taken_where_it_stands_is_carried_out() -> None:
    """SymPy leaves Subs(Derivative(f, x), x, x) unevaluated once, and numbers cannot judge that."""
    d = Derivation("a slope at a point", p=positive, q=positive)
    p, q = d.symbols
    line = d.equal(sp.Subs(Derivative(log(p + q), q), q, p), 1 / (2 * p))
    moved = [m for label, m in line.mutants() if m.lhs.has(sp.Subs) and m.lhs.point == m.lhs.variables]
    assert moved, "the corruption that SymPy leaves unevaluated is tried"
    assert all(m.judged_false() and m.refuses() for m in moved)
