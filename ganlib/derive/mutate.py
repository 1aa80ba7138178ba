"""Corruptions of an expression tree, one change at one place each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp


def _places(e: sp.Basic, path: tuple[int, ...] = ()) -> Iterator[tuple[sp.Basic, tuple[int, ...]]]:
    yield e, path
    for i, a in enumerate(e.args):
        yield from _places(a, (*path, i))


def _put(e: sp.Basic, path: tuple[int, ...], new: sp.Basic) -> sp.Basic:
    if not path:
        return new
    args = list(e.args)
    args[path[0]] = _put(args[path[0]], path[1:], new)
    return e.func(*args)


def mutate(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> Iterator[tuple[str, sp.Expr]]:
    """Yield ``(label, mutant)``: constants bumped or negated, terms flipped or dropped, factors dropped,
    logs inverted or dropped, one symbol exchanged for another. Mutants that SymPy sees to be the same
    expression are left out."""
    expr = sp.sympify(expr)
    for node, path in _places(expr):
        for label, new in _changes(node, symbols):
            try:
                mutant = _put(expr, path, new)
            except (TypeError, ValueError):
                continue  # the change does not fit the place (a bound of a derivative, say)
            if mutant != expr and not mutant.has(sp.nan, sp.zoo):
                yield f"{label} at {'.'.join(map(str, path)) or 'top'}", mutant


def _changes(node: sp.Basic, symbols: Sequence[sp.Symbol]) -> Iterator[tuple[str, sp.Basic]]:
    if node.is_Rational:
        yield f"{node} -> {node + 1}", node + 1
        if node != 0:
            yield f"{node} -> {-node}", -node
    elif node.is_Symbol:
        for s in symbols:
            if s != node:
                yield f"{node} -> {s}", s
    elif isinstance(node, sp.log):
        yield "log inverted", sp.log(1 / node.args[0])
        yield "log dropped", node.args[0]
    elif node.is_Add or node.is_Mul:
        for i, a in enumerate(node.args):
            rest = [*node.args[:i], *node.args[i + 1 :]]
            if node.is_Add:
                yield f"sign of {a} flipped", node.func(-a, *rest)
            if len(node.args) > 1:
                yield f"{a} dropped", node.func(*rest)
