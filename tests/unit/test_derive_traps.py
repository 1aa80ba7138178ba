"""Statements that a careless checker accepts. Next to each stands the honest line, which is accepted."""

import contextlib
from collections.abc import Callable

import pytest
import sympy as sp
from sympy import (
    Abs,
    Derivative,
    Eq,
    Function,
    Heaviside,
    Integral,
    Limit,
    Max,
    Piecewise,
    Rational,
    Sum,
    Symbol,
    acos,
    atan,
    cos,
    exp,
    log,
    oo,
    pi,
    sign,
    sin,
    sqrt,
    symbols,
)

from ganlib.derive import Derivation, Refused, above, below, between, decide, natural, positive, real, unit


def the(**symbols):
    """A derivation and its symbols."""
    d = Derivation("a trap", **symbols)
    return d, *d.symbols


def refuses(line: Callable, *words: str) -> None:
    with pytest.raises(Refused) as reason:
        line()
    for word in words:
        assert word in str(reason.value)


# Traps of the algebra system


def test_an_unknown_assumption_is_no_success() -> None:
    d, p, t = the(p=positive, t=unit)
    refuses(lambda: d.order(p - 1, ">", 0))
    refuses(lambda: d.order(p - 1, "<", 0))
    assert decide.sign(p - 1, d.domain) is None
    d.order(1 - t, ">", 0)  # SymPy's own assumption is None here; the chart decides


def test_an_empty_list_of_solutions_is_a_claim() -> None:
    d, p, q, t = the(p=positive, q=positive, t=unit)
    h = p * log(t) + q * log(1 - t)
    refuses(lambda: d.stationary(h, t, []), "stationary")
    d.stationary(p * log(t), t, [])
    d.stationary(h, t, [p / (p + q)])


def test_structural_equality_decides_nothing() -> None:
    d, x = the(x=real)
    d.equal((x + 1) ** 2, x**2 + 2 * x + 1)
    refuses(lambda: d.equal(x + 1, 1 + x), "nothing to decide")
    refuses(lambda: d.equal(Integral(x, (x, 0, 1)), Rational(1, 2)), "claim of its own")


def test_an_equation_object_is_no_side() -> None:
    d, p = the(p=positive)
    refuses(lambda: d.equal(Eq(p, 2), Eq(2, p)), "no expression")
    refuses(lambda: d.equal(p + 1 > 0, True))


def test_force_splits_no_log() -> None:
    d, x, p = the(x=real, p=positive)
    refuses(lambda: d.equal(log(x**2), 2 * log(x)))
    d.equal(log((p + 1) ** 2), 2 * log(p + 1))


def test_positivity_leaves_out_the_edges() -> None:
    d, p, _t = the(p=positive, t=unit)
    refuses(lambda: d.equal((p * log(p)).subs(p, 0), 0), "limit")
    d.limit(p * log(p), p, 0, "+", 0)
    refuses(lambda: d.limit(p * log(p), p, 0, "-", 0))


def test_zero_times_log_zero_is_a_failure() -> None:
    d, p, q = the(p=positive, q=positive)
    f = d.let("f", (q,), q * log(q / p))
    refuses(lambda: d.equal(f(0), 0), "limit")
    d.limit(f(q), q, 0, "+", 0)


def test_same_name_with_other_assumptions_is_another_symbol() -> None:
    d, p = the(p=positive)
    refuses(lambda: d.equal((Symbol("p") + 1) ** 2, p**2 + 2 * p + 1), "same name, other assumptions")
    refuses(lambda: d.equal("(p + 1)**2", p**2 + 2 * p + 1), "same name, other assumptions")
    d.equal((p + 1) ** 2, p**2 + 2 * p + 1)


def test_definitions_are_put_in_simultaneously() -> None:
    d, x, y, eta = the(x=real, y=real, eta=positive)
    r2 = d.let("r2", (x, y), x**2 + y**2)
    d.equal(r2(x - eta * y, y + eta * x), (1 + eta**2) * r2(x, y))
    one_after_the_other = (x - eta * y) ** 2 + (y + eta * (x - eta * y)) ** 2
    refuses(lambda: d.equal(one_after_the_other, (1 + eta**2) * r2(x, y)), "false at")


def test_a_slope_with_respect_to_a_function_stays_unevaluated() -> None:
    d, x = the(x=real)
    D = Function("D")
    refuses(lambda: d.equal(Derivative(Integral(log(D(x)), (x, 0, 1)), D(x)), 1 / D(x)))
    refuses(lambda: d.equal(2 * D(x), D(x) + D(x) * 1**x), "cannot be evaluated")


def test_a_decreasing_map_keeps_the_density_positive() -> None:
    d, z, x = the(z=unit, x=positive)
    d.pushforward(-log(z), z, exp(-x), x, 1, exp(-x))
    refuses(lambda: d.pushforward(-log(z), z, exp(-x), x, 1, -exp(-x)))


def test_a_map_that_is_not_injective_has_no_inverse() -> None:
    normal = exp(-(Symbol("z", real=True) ** 2) / 2) / sqrt(2 * pi)
    d, z, x = the(z=real, x=positive)
    refuses(lambda: d.pushforward(z**2, z, sqrt(x), x, normal, normal.subs(z, sqrt(x)) / (2 * sqrt(x))))
    d, z, x = the(z=unit, x=unit)
    d.pushforward(z**2, z, sqrt(x), x, 1, 1 / (2 * sqrt(x)))


def test_a_map_must_reach_the_interval_of_its_image() -> None:
    d, z, x = the(z=unit, x=unit)
    refuses(lambda: d.pushforward(2 * z, z, x / 2, x, 1, Rational(1, 2)), "false")
    assert decide.sign(2 * z, d.domain) == "+"
    d, z, x = the(z=unit, x=positive)  # the image is only a part of x's interval
    refuses(lambda: d.pushforward(2 * z, z, x / 2, x, 1, Rational(1, 2)))
    d, z, x = the(z=unit, x=between(0, 2))
    d.pushforward(2 * z, z, x / 2, x, 1, Rational(1, 2))


def test_a_law_has_mass_one() -> None:
    d, z, x = the(z=unit, x=between(0, 2))
    refuses(lambda: d.pushforward(2 * z, z, x / 2, x, 2, 1))
    refuses(lambda: d.pushforward(2 * z, z, x / 2, x, 2 - 3 * z, 1 - 3 * x / 4))
    d.pushforward(2 * z, z, x / 2, x, 2 * z, x / 2)


def test_convergence_is_not_assumed() -> None:
    d, x, k = the(x=positive, k=real)
    refuses(lambda: d.integral(exp(-k * x), x, 0, oo, 1 / k))
    d, x, k = the(x=positive, k=positive)
    d.integral(exp(-k * x), x, 0, oo, 1 / k)


def test_a_limit_has_a_side() -> None:
    d, x = the(x=positive)
    refuses(lambda: d.limit(1 / x, x, 0, "+-", oo), "side")
    refuses(lambda: d.limit(1 / x, x, 0, "-", -oo), "cannot approach")
    refuses(lambda: d.equal(Limit(1 / (1 + x), x, 0), 1), "claim of its own")
    d.limit(1 / x, x, 0, "+", oo)


def test_a_limit_is_taken_inside_the_interval() -> None:
    d, t, x = the(t=unit, x=positive)
    refuses(lambda: d.limit(t, t, 2, "-", 2), "cannot approach")
    refuses(lambda: d.limit(t, t, 1, "+", 1), "cannot approach")
    refuses(lambda: d.limit(1 / x, x, -oo, "+", 0), "cannot approach")
    refuses(lambda: d.limit(1 / x, x, oo, "+", 0), "cannot approach")
    d.limit(t, t, 1, "-", 1)
    d.limit(1 / x, x, oo, "-", 0)
    d.limit(x**2, x, 3, "+", 9)


def test_a_limit_knows_the_signs_of_its_parameters() -> None:
    d, t, x = the(t=unit, x=positive)
    d.limit(exp(-(1 - t) * x), x, oo, "-", 0)
    refuses(lambda: d.limit(exp((1 - t) * x), x, oo, "-", 0))
    d, k, x = the(k=real, x=positive)
    refuses(lambda: d.limit(exp(-k * x), x, oo, "-", 0))


def test_a_kink_has_no_slope() -> None:
    d, x, p = the(x=real, p=positive)
    refuses(lambda: d.equal(Derivative(Abs(x), x), sign(x)), "kink")
    refuses(lambda: d.equal(Derivative(Max(0, x), x), Heaviside(x)), "kink")
    refuses(lambda: d.equal(Derivative(Piecewise((0, x < 0), (x, True)), x), 1), "kink")
    refuses(lambda: d.stationary(Abs(x), x, [0]))
    d.equal(Derivative(Abs(p) * p, p), 2 * p)


def test_complex_values_that_agree_are_no_values() -> None:
    d, p = the(p=positive)
    refuses(lambda: d.equal(log(2 - p) - log(6 - 3 * p), -log(3)))
    refuses(lambda: d.equal(log(-p), log(p) + sp.I * pi))
    refuses(lambda: d.equal(acos(1 + p) + acos(-1 - p), pi))
    d, p = the(p=between(0, 2))
    d.equal(log(2 - p) - log(6 - 3 * p), -log(3))


def test_an_imaginary_part_that_vanishes_in_the_limit_is_still_there() -> None:
    d, t, x = the(t=unit, x=real)
    line = d.limit((t - 1) * log(4), t, 1, "-", 0)
    (mutant,) = (m for label, m in line.mutants() if m.value("expr").has(sp.I))
    assert mutant.judged_false()
    assert mutant.refuses()
    d.equal((1 + sp.I * x) * (1 - sp.I * x), 1 + x**2)


def test_saturation_of_floats_is_no_equality() -> None:
    d, a = the(a=real)
    sigma = d.let("sigma", (a,), 1 / (1 + exp(-a)))
    assert 1 - 1 / (1 + sp.exp(-40.0)) == 0
    refuses(lambda: d.equal(sigma(40), 1))
    d.order(sigma(40), "<", 1)


def test_the_logarithm_is_natural() -> None:
    d, _p, _q = the(p=positive, q=positive)
    refuses(lambda: d.equal(log(Rational(1, 2)) + log(Rational(1, 2)), -2))
    d.equal(log(Rational(1, 2)) + log(Rational(1, 2)), -log(4))


def test_a_circular_proof_is_empty() -> None:
    d, p, q = the(p=positive, q=positive)
    D = d.let("D", (), p / (p + q))
    C = d.let("C", (), p * log(D) + q * log(1 - D))
    refuses(lambda: d.equal(D, p / (p + q)), "nothing to decide")
    refuses(lambda: d.equal(C, p * log(D) + q * log(1 - D)), "nothing to decide")
    # substituting p = q proves the value, and says nothing about other q: then q is an unused hypothesis
    d.equal(C.subs(C, p * log(Rational(1, 2)) * 2), -p * log(4))
    refuses(d.complete, "q")
    refuses(lambda: d.equal(C, -p * log(4)))


def test_a_local_maximum_is_not_a_global_one() -> None:
    d, x = the(x=real)
    f = x**2 - x**4 / 2 + x**5 / 5
    refuses(lambda: d.order(f, "<=", 1))
    refuses(lambda: d.stationary(f, x, [0]))
    refuses(lambda: d.gap(1, ">=", f, squares=[(1, x)]))


def test_a_supremum_is_not_attained() -> None:
    d, t = the(t=unit)
    refuses(lambda: d.stationary(log(t), t, [1]))
    refuses(lambda: d.gap(0, ">=", log(t), gibbs=[(1, t)], equality=[(t, 1)]))
    d.limit(log(t), t, 1, "-", 0)
    d.order(log(t), "<", 0)


def test_a_rounded_number_is_refused_wherever_it_hides() -> None:
    d, p = the(p=positive)
    half = d.let("h", (), sp.Float(0.5))
    refuses(lambda: d.equal(2 * half * p + p, 2 * p), "Rational(1, 2)")
    refuses(lambda: d.equal(0.5 * p + p, 1.5 * p), "Rational(1, 2)")
    with pytest.raises(ValueError, match="exact"):
        between(0, 0.5)


def test_nearly_equal_constants_are_not_equal() -> None:
    d, p = the(p=positive)
    tiny = Rational(1, 10**40)
    refuses(lambda: d.equal(p + tiny, p))
    refuses(lambda: d.equal(log(2) * (1 + tiny), log(2)))
    refuses(lambda: d.equal(log(1 + tiny), 0))
    d.order(p + Rational(1, 10**15), ">", p)
    d.false.equal(p + Rational(1, 10**15), p)


# Traps of the domain


def test_a_factor_of_a_log_is_shown_positive_or_the_line_is_refused() -> None:
    d, p, q, r = the(p=positive, q=positive, r=positive)
    refuses(lambda: d.equal(log(p * (q - r)), log(p) + log(q - r)))
    refuses(lambda: d.equal(log((q - r) ** 2), 2 * log(q - r)))
    refuses(lambda: decide_zero(log((q - r) ** 2 / 4) - log((q - r) ** 2) + log(4), d))
    d, r, p, q = the(r=positive, p=positive, q=above("r"))
    d.equal(log(p * (q - r)), log(p) + log(q - r))


def decide_zero(e: sp.Expr, d: Derivation) -> None:
    try:
        decide.is_zero(e, d.domain)
    except decide.Undecided as reason:
        raise Refused(str(reason)) from None


@pytest.mark.parametrize(
    "spoil", ["(p**2 - 1)/(p - 1)", "p + 1 + log(p)*0*p + (q - p)/(q - p)**2*(q - p) - 1"]
)
def test_a_division_by_zero_inside_the_domain_is_seen(spoil: str) -> None:
    d, p, q = the(p=positive, q=positive)
    side = sp.sympify(spoil, {"p": p, "q": q})
    if side.has(q):
        refuses(lambda: d.equal(side, p + 1))
    else:
        refuses(lambda: d.equal((p**2 - 1) / (p - 1), p + 1), "not shown to be real")
        refuses(lambda: d.order((p**2 - 1) / (p - 1), ">", 0), "not shown to be real")
        d, p = the(p=above(1))
        d.equal((p**2 - 1) / (p - 1), p + 1)


def test_zero_over_zero_is_no_identity() -> None:
    d, p = the(p=positive)
    nothing = (p + 1) ** 2 - p**2 - 2 * p - 1
    refuses(lambda: d.equal((p * (p + 1) - p**2 - p) / nothing, 0))
    many = sum(p**k / (k + nothing) for k in range(1, 60)) / nothing  # too long to expand: sampled
    refuses(lambda: d.equal(many, 1))


def test_names_of_charts_cannot_be_declared() -> None:
    for name in ("E_x", "u_t", "exp_x"):
        d = Derivation("a collision", **{"x": real, "t": unit, name: positive})
        x, t, other = d.symbols
        assert not decide.is_zero(exp(x) - other, d.domain)
        assert not decide.is_zero(t - other / (1 + other), d.domain)


def test_reals_inside_exponentials() -> None:
    d, x, y, p = the(x=real, y=real, p=positive)
    d.equal(exp(x + y) / exp(x), exp(y))
    d.equal((exp(x / 2) - 1) * (exp(x / 2) + 1), exp(x) - 1)
    d.equal((exp(x * y / 2) - 1) * (exp(x * y / 2) + 1), exp(x * y) - 1)
    d.equal((exp(x * y) - 1) * (exp(x * y) + 1), exp(2 * x * y) - 1)
    d.equal((exp(x**2 / 2) + 1) ** 2, exp(x**2) + 2 * exp(x**2 / 2) + 1)
    d.order(exp(x) + exp(-x), ">", 0)
    for wrong in (exp(x * y) - exp(x) * exp(y), exp(x**2) - exp(x) ** 2, exp(x) - exp(y), exp(x) - x):
        refuses(lambda wrong=wrong: d.equal(wrong, 0))
        assert not decide.is_zero(wrong, d.domain)
    for unsigned in (exp(x) - 1, exp(x * y) - exp(-1), exp(x) + x, exp(x**2) - 2, exp(-p) - exp(-2)):
        assert decide.sign(unsigned, d.domain) is None
    assert decide.sign(1 - exp(-p), d.domain) == "+"


def test_what_is_not_known_positive_is_not_taken_for_positive() -> None:
    d, x, p, _n = the(x=real, p=positive, n=natural)
    for e in (sin(p), cos(x), sin(x) + 1, x, x**3, log(p), atan(x), Abs(x), Max(x, 0), (p - 1) ** 2):
        assert decide.sign(e, d.domain) != "+"
    for e in (sin(p) * p, log(p) * p, acos(p + 1) ** 2 + 1, sqrt(p - 1)):
        with contextlib.suppress(decide.Undecided):
            assert decide.sign(e, d.domain) is None
    assert decide.sign(sin(x) ** 2 + 1, d.domain) == "+"
    assert decide.sign((p - 1) ** 2, d.domain) == "0+"


def test_roots() -> None:
    d, x, p, t = the(x=real, p=positive, t=unit)
    refuses(lambda: d.equal(sqrt(x**2), x), "false at")
    refuses(lambda: d.equal(sqrt((p - 1) ** 2) + p, 2 * p - 1), "false at")
    refuses(lambda: d.equal(sqrt(p - 1) * sqrt(p + 1), sqrt(p**2 - 1)), "no real value")
    refuses(lambda: d.equal(sqrt(p**2 + 1), p + 1))
    d.equal((sqrt(p + 1) - 1) * (sqrt(p + 1) + 1), p)
    d.equal((1 - sqrt(1 - t)) * (1 + sqrt(1 - t)), t)


def test_pieces_and_steps() -> None:
    d, x, p = the(x=real, p=positive)
    refuses(lambda: d.equal(Piecewise((1, p > 1), (2, True)), 1))
    refuses(lambda: d.equal(Heaviside(x) + 1, 2))
    refuses(lambda: d.equal(Max(x, 0), x), "false at")
    refuses(lambda: d.equal(Abs(x) / x, sign(x)))  # nothing at x = 0
    refuses(lambda: d.order(Abs(x), ">", 0))


def test_a_false_bound_far_out_is_seen_by_the_numbers() -> None:
    d, x = the(x=positive)
    refuses(lambda: d.numeric(x, "<", 25), "false at")
    d.numeric(log(1 + x), "<", x)


def test_infinity_is_no_side() -> None:
    d, p = the(p=positive)
    refuses(lambda: d.order(p, "<", oo))
    refuses(lambda: d.equal(p + oo, oo))


def test_integers_are_no_interval() -> None:
    d, n, p = the(n=natural, p=positive)
    refuses(lambda: d.stationary((n - 2) ** 2, n, [2]), "integer")
    refuses(lambda: d.equal(Derivative(n**2 * p, n), 2 * n * p), "integer")
    refuses(lambda: d.limit(n, n, 3, "+", 3), "cannot approach")
    d.limit((1 + p / n) / n, n, oo, "-", 0)


def test_sums_without_a_number_of_terms_are_inductions() -> None:
    d, n, x = the(n=natural, x=unit)
    k = symbols("k", integer=True)
    refuses(lambda: d.equal(Sum(k, (k, 1, n)), n * (n + 1) / 2), "induction")
    refuses(lambda: d.equal(Sum(x**k, (k, 0, oo)), 1 / (1 - x)), "induction")
    d.equal(Sum(x**k, (k, 0, 3)), (1 - x**4) / (1 - x))


def test_a_variable_on_which_another_interval_depends() -> None:
    d, x, y = the(x=unit, y=between("x", 1))
    refuses(lambda: d.limit(x * y, x, 1, "-", y), "depends on x")
    refuses(lambda: d.stationary((x - y / 2) ** 2, x, [y / 2]), "depends on x")
    d.order(y, ">", x)
    d.limit(x * y, y, 1, "-", x)


# Traps of integrals


def test_a_pole_inside_is_not_passed_over() -> None:
    d, x = the(x=real)
    for a, b in ((-1, 1), (-1, 2)):
        refuses(lambda a=a, b=b: d.integral(1 / x**2, x, a, b, Rational(-1, b) - 1))
    d, x = the(x=positive)
    d.integral(1 / x**2, x, 1, 2, Rational(1, 2))
    refuses(lambda: d.integral(1 / x**2, x, -1, 2, Rational(-3, 2)), "not shown to lie")


def test_a_jump_of_the_antiderivative_is_not_passed_over() -> None:
    d, x = the(x=real)
    f = 1 / (1 + sin(x) ** 2 + cos(x) ** 2 + cos(x) / 2)
    refuses(lambda: d.integral(f, x, 0, 2 * pi, 0))
    # a slope of atan(1/x) that looks smooth everywhere
    jump = sp.Integer(1) / (1 + x**2)
    refuses(lambda: d.integral(-jump, x, -1, 1, pi / 2))
    d.integral(jump, x, -1, 1, pi / 2)


def test_an_integral_stays_where_its_variable_lives() -> None:
    d, x = the(x=unit)
    refuses(lambda: d.integral(x, x, 0, 2, 2), "not shown to lie")
    refuses(lambda: d.integral(x, x, 0, x, x**2 / 2))
    refuses(lambda: d.integral(x, x, 1, 0, Rational(-1, 2)))
    refuses(lambda: d.integral(x, x, 1, 1, 0))
    d.integral(x, x, 0, 1, Rational(1, 2))


def test_a_logarithm_of_something_negative_in_an_antiderivative() -> None:
    d, x = the(x=unit)
    d.integral(1 / (x - 2), x, 0, 1, -log(2))
    refuses(lambda: d.integral(1 / (x - 2), x, 0, 1, log(2)))
    d.integral(log(1 - x), x, 0, 1, -1)


# Traps of gaps, averages and lists


def test_stationary_lists_are_complete_single_and_inside() -> None:
    d, x, c = the(x=positive, c=positive)
    f = (x - 1) ** 2 * (x - 3) ** 2
    d.stationary(f, x, [1, 2, 3])
    for wrong in ([1, 3], [1, 2, 3, 3], [1, 2, 3, 4], [1, 1, 2, 3], [1, 2, 3, -1], []):
        refuses(lambda wrong=wrong: d.stationary(f, x, wrong))
    refuses(lambda: d.stationary((x + 1) ** 2, x, [-1]))
    refuses(lambda: d.stationary((x - c) ** 2, x, [x]))
    refuses(lambda: d.stationary((x + c) ** 2 - x**2 - 2 * x * c, x, [1]))
    d.stationary((x - c) ** 2, x, [c])


def test_a_term_of_a_gap_that_is_nothing_decides_nothing() -> None:
    d, p, q = the(p=positive, q=positive)
    both = (p + q) ** 2, ">=", p**2 + 2 * p * q + q**2
    refuses(lambda: d.gap(*both, gibbs=[(1, 1)]))
    refuses(lambda: d.gap(*both, squares=[(1, 0)]))
    refuses(lambda: d.gap(*both, squares=[(1, (p + q) ** 2 - p**2 - 2 * p * q - q**2)]))
    refuses(lambda: d.gap(p**2 + q**2, ">=", 2 * p * q, squares=[(1, p - q), (1, 0)]))
    refuses(lambda: d.gap(p**2 + q**2, ">=", 2 * p * q), "at least one term")
    d.gap(p**2 + q**2, ">=", 2 * p * q, squares=[(1, p - q)], equality=[(p, q)])


def test_the_weights_of_a_gap_are_positive() -> None:
    d, p, q, x = the(p=positive, q=positive, x=real)
    refuses(lambda: d.gap(p - q, ">=", p - q - x * p**2, squares=[(x, p)]))
    refuses(lambda: d.gap(2 * p * q, ">=", p**2 + q**2, squares=[(-1, p - q)]))
    refuses(lambda: d.gap(x**2 * p**2 + 1, ">=", 1, squares=[(x**2, p)]))  # the weight vanishes at x = 0
    refuses(lambda: d.gap(p - 1, ">=", log(p), gibbs=[(1, p)], equality=[(p, 2)]))
    refuses(lambda: d.gap(p**2 + q**2, ">=", 2 * p * q, squares=[(1, p - q)], equality=[(q, -p)]))
    d.gap(p - 1, ">=", log(p), gibbs=[(1, p)], equality=[(p, 1)])


def test_equality_in_a_gap_is_inside() -> None:
    d, t = the(t=unit)
    refuses(lambda: d.gap(t - 1, ">=", log(t), gibbs=[(1, t)], equality=[(t, 1)]))
    d.gap(t - 1, ">=", log(t), gibbs=[(1, t)])


def test_the_masses_of_an_average_are_used_as_they_are() -> None:
    d, p, q, c, s = the(p=positive, q=positive, c=positive, s=real)
    point = d.let("r", (), p / q)
    refuses(lambda: d.average(p**2 / q, 0, point, using={p: point}, params=[point]))
    refuses(lambda: d.average(p**2, 0, p, using={p: p}, params=[p]), "parameter")
    refuses(lambda: d.average(c * p, 0, c, using={p: c}), "depends on the point")
    refuses(lambda: d.average(p + q, q, 1, using={p: 1, q: 0}), "not used")
    refuses(
        lambda: d.average(p + q, q, 1, using={p: 1, q: (c + 1) ** 2 - c**2 - 2 * c - 1}, params=[c]),
        "not used",
    )
    refuses(lambda: d.average(s + p, p, 1, using={s: 1}), "density")
    refuses(lambda: d.average(p + q, p, 1, using={}), "no normalisation")
    refuses(lambda: d.average(p + q, 0, 1, using={p: 1, q: 1}))
    d.average(c * p + p * log(p), p * log(p), c, using={p: c}, params=[c])


# Traps of abbreviations and of bookkeeping


def test_an_abbreviation_shadows_nothing() -> None:
    d, p, q = the(p=positive, q=positive)
    refuses(lambda: d.let("p", (), q), "declared symbol")
    refuses(lambda: d.let("q", (p,), p**2), "declared symbol")
    with pytest.raises(ValueError, match="meaning"):
        d.let("log", (p,), p**2)
    d.let("f", (p,), p**2)
    with pytest.raises(ValueError, match="defined already"):
        d.let("f", (p,), p**3)


def test_an_abbreviation_says_what_it_uses() -> None:
    d, p = the(p=positive)
    k = symbols("k")
    refuses(lambda: d.let("f", (p,), k * p), "k is neither declared nor a parameter")
    f = d.let("f", (k,), k * p)
    g = d.let("g", (), f(2) + p)
    d.equal(log(g), log(3) + log(p))


def test_a_continued_line_follows_its_relation() -> None:
    d, p, q = the(p=positive, q=positive)
    refuses(lambda: d.equal(None, p), "give a left side")
    d.equal(log(p * q), log(p) + log(q))
    d.false.equal(log(p * q), log(p) * log(q))
    refuses(lambda: d.equal(None, log(q * p) + p - p + 1 - 1 + q * 0), "right above")
    d.equal(log(p**2), 2 * log(p))
    d.equal(None, log(p**3) - log(p))
    assert d.entries[-1].latex().startswith(r"$$\begin{array}{l} = - \log p + ")
    refuses(lambda: d.equal(None, 3 * log(p)), "false at")


def test_a_true_statement_is_not_refuted() -> None:
    d, x, y, p, _t = the(x=positive, y=real, p=positive, t=unit)
    true = [
        lambda: d.false.equal((x + p) ** 2, x**2 + 2 * x * p + p**2),
        lambda: d.false.order(p, ">", 0),
        lambda: d.false.gap(p - 1, ">=", log(p), gibbs=[(1, p)]),
        lambda: d.false.stationary((x - 10**6) ** 2, x, [10**6]),
        lambda: d.false.stationary(exp(y**2 / 2 - 10**6 * y), y, [10**6]),
        lambda: d.false.limit(1 / log(log(x + 3)), x, oo, "-", 0),  # too slow for the numbers
        lambda: d.false.limit(p * x, x, 0, "+", 0),
        lambda: d.false.integral(x, x, 0, 1, Rational(1, 2)),
        lambda: d.false.argued(
            "x", theorem="chain rule", hypotheses={"inner function differentiable": "yes"}
        ),
        lambda: d.false.argued(
            "x",
            theorem="chain rule",
            hypotheses={"inner function differentiable": "yes", "outer function differentiable": "yes"},
        ),
        lambda: d.false.numeric(p, ">", 0),
        lambda: d.false.equal(x + Symbol("k"), x),
        lambda: d.false.equal(x, x),
    ]
    for statement in true:
        refuses(statement)
    d.false.stationary((x - 1) ** 2, x, [2])
    d.false.limit(1 / x, x, oo, "-", 1)
    d.false.integral(x, x, 0, 1, 1)
    d.false.equal(log(x + p), log(x) + log(p))
    d.false.order(x, ">", p)
    assert d.verdicts == {"refuted": 5}
    refuses(d.complete, "y, t declared")


def test_a_number_is_given_once() -> None:
    d, p = the(p=positive)
    d.order(p, ">", 0, tag="1.1")
    refuses(lambda: d.order(2 * p, ">", 0, tag="1.1"), "taken")
    refuses(lambda: d.false.order(2 * p, "<", 0, tag="1.1"), "taken")


def test_an_argued_line_rests_on_lines_that_stand() -> None:
    d, p = the(p=positive)
    d.order(p, ">", 0, tag="1.1")
    d.false.order(p, ">", 1, tag="1.2")

    def argue(
        theorem: str = "Jensen", tag: str | None = None, statement: str = "f", **hypotheses: str
    ) -> None:
        given = {"f is convex": "(1.1)", "X is integrable": "assumed"} | {
            k.replace("_", " "): v for k, v in hypotheses.items()
        }
        d.argued(statement, theorem=theorem, tag=tag, hypotheses=given)

    refuses(lambda: argue(f_is_convex="(1.2)"), "(1.2)")
    refuses(lambda: argue(f_is_convex="(1.3)"), "no earlier line")
    refuses(lambda: argue(f_is_convex="(1.1a)"), "(1.1a)")
    refuses(lambda: argue(f_is_convex="(A.1)"), "(A.1)")
    refuses(lambda: argue(tag="1.4", f_is_convex="(1.4)"), "(1.4)")
    refuses(lambda: argue(f_is_convex="  "), "left empty")
    refuses(lambda: argue(statement=" "), "nothing is stated")
    refuses(lambda: argue(f_is_concave="so"), "no hypothesis")
    refuses(lambda: argue(theorem="Yensen"), "unknown theorem")
    argue(tag="1.5")


def test_matrices() -> None:
    d, a, b = the(a=real, b=real)
    M = sp.Matrix([[0, -a], [a, 0]])
    d.equal((sp.eye(2) + M) ** 2, (1 + a) * (1 - a) * sp.eye(2) + 2 * M)
    refuses(lambda: d.equal(M * M, a**2 * sp.eye(2)))
    refuses(lambda: d.equal(M * M, sp.Matrix([[-(a**2), 0], [b * 0, -a * b]])))
    refuses(lambda: d.equal(M, 0), "one shape")
    refuses(lambda: d.order(M * M, "<=", sp.eye(2)), "order")
    refuses(lambda: d.equal(sp.zeros(0, 0), sp.zeros(0, 0)), "nothing to decide")


def test_intervals() -> None:
    for wrong in ((1, 0), (0, 0), (oo, -oo)):
        with pytest.raises(ValueError, match="lo < hi"):
            between(*wrong)
    with pytest.raises(ValueError, match="declare those first"):
        Derivation("a domain", x=above("y"), y=positive)
    with pytest.raises(TypeError, match="Interval"):
        Derivation("a domain", x=(0, 1))
    d, x, y = the(x=below(0), y=above(-1))
    d.order(x, "<", 0)
    d.order(y + 1, ">", 0)
    refuses(lambda: d.order(y, ">", 0))
    refuses(lambda: d.order(x * y, "<", 0))
