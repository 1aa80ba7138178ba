"""Theorems that may be named in an argued line, each with the hypotheses that must be discharged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from .lines import Argued

#: name -> (statement, hypotheses by name)
THEOREMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pointwise maximum": (
        "the integral of a supremum is attained by the pointwise maximiser",
        (
            "the pointwise maximiser is measurable",
            "D ranges over all measurable functions",
            "the integrand is bounded above",
        ),
    ),
    "monotone integral": (
        "f >= 0 almost everywhere gives an integral >= 0, and = 0 only if f = 0 almost everywhere",
        ("f is measurable", "f >= 0"),
    ),
    "standard machine": (
        "an identity that is linear and passes from indicators to monotone limits holds for f >= 0",
        ("indicators", "linearity", "monotone limits"),
    ),
    "substitution": (
        "a C1 bijection with no vanishing slope carries densities over by the absolute slope of its inverse",
        ("C1 bijection", "slope of one sign"),
    ),
    "differentiation under the integral": (
        "derivative and expectation may be exchanged",
        (
            "the law does not depend on the parameter",
            "differentiable integrand",
            "integrable bound of the derivative",
        ),
    ),
    "chain rule": (
        "the derivative of a composition",
        ("inner function differentiable", "outer function differentiable"),
    ),
    "Jensen": ("f(E X) <= E f(X) for convex f", ("f is convex", "X is integrable")),
    "Cauchy-Schwarz": ("|E XY|^2 <= E X^2 E Y^2", ("finite second moments",)),
    "Taylor": (
        "a function with a B-Lipschitz gradient lies below its tangent plus B/2 times the squared distance",
        ("Lipschitz gradient", "the segment lies in the domain"),
    ),
    "squeeze": (
        "a quantity between two others with one limit has that limit",
        ("lower bound", "upper bound", "bounds share the limit"),
    ),
    "Danskin": (
        "the derivative of a maximum is the partial derivative at the maximiser",
        (
            "the maximiser is unique",
            "the maximiser moves continuously",
            "the partial derivative is continuous",
        ),
    ),
    "Fermat": (
        "a differentiable function has slope zero at an interior minimum",
        ("differentiable", "interior minimum"),
    ),
    "strict concavity": (
        "a strictly concave function has at most one maximiser, and a stationary point is it",
        ("second derivative negative on the whole interval", "stationary point"),
    ),
    "convexity": (
        "a stationary point of a convex function is a global minimum",
        ("second derivative non-negative on the whole domain", "stationary point"),
    ),
    "concave between two ends": (
        "a concave function on an interval whose limits at both ends are >= 0 is >= 0 inside",
        (
            "second derivative not positive on the whole interval",
            "limit at the left end",
            "limit at the right end",
        ),
    ),
    "fundamental theorem of calculus": (
        "functions with one derivative on an interval and one common value are equal",
        ("same derivative", "common value"),
    ),
    "Minkowski": ("the norm of L2 satisfies the triangle inequality", ("the functions are in L2",)),
    "Radon-Nikodym": (
        "laws that are absolutely continuous with respect to mu have densities",
        ("absolute continuity", "mu is sigma-finite"),
    ),
    "linearity": ("the integral is linear", ("finite integrals",)),
    "linearity for one sign": (
        "the integral of a sum of functions that are at most 0 is the sum of their integrals, -oo allowed",
        ("measurable", "one sign"),
    ),
    "dominated convergence": ("limit and integral may be exchanged", ("pointwise limit", "integrable bound")),
    "Sard": ("the image of a C1 map from a lower dimension is a null set", ("C1 map", "lower dimension")),
    "monotone root": (
        "a continuous function with a slope of one strict sign and values of both signs has exactly one zero",
        ("slope of one strict sign", "values of both signs"),
    ),
    "law of total expectation": (
        "an expectation is the average of conditional expectations",
        ("integrable",),
    ),
}


def discharge(line: Argued) -> None:
    """Refuse an argued line whose theorem is unknown or whose hypotheses are not all discharged.

    Raises:
        Refused: names the theorem and the hypothesis.
    """
    what = f"line {line.tag or ''} [argued]"
    if line.theorem not in THEOREMS:
        raise Refused(f"{what}: unknown theorem {line.theorem!r}; known are {', '.join(sorted(THEOREMS))}")
    needed, given = set(THEOREMS[line.theorem][1]), dict(line.hypotheses)
    if missing := sorted(needed - set(given)):
        raise Refused(
            f"{what}: {line.theorem} needs the hypothesis {missing[0]!r}: "
            "name the line or the reason that gives it"
        )
    if extra := sorted(set(given) - needed):
        raise Refused(
            f"{what}: {line.theorem} has no hypothesis {extra[0]!r}; an unused hypothesis hides a gap"
        )
    for name, reason in line.hypotheses:
        if not reason.strip():
            raise Refused(f"{what}: the hypothesis {name!r} is left empty")
        for tag in re.findall(r"\(([A-Z\d]+\.\d+\w*)\)", reason):
            if tag not in line.known:
                raise Refused(
                    f"{what}: the hypothesis {name!r} rests on ({tag}), "
                    "which is no earlier line of this derivation"
                )
    if not line.statement.strip():
        raise Refused(f"{what}: nothing is stated")
