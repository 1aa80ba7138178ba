"""Abbreviations: a line is shown with them and decided without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter


class _Printer(LatexPrinter):
    templates: dict[str, str]

    def _print_Function(self, expr: sp.Function, exp: str | None = None) -> str:
        template = self.templates.get(expr.func.__name__)
        if template is None:
            return super()._print_Function(expr, exp)
        out = template.format(*(self._print(a) for a in expr.args))
        return rf"\left({out}\right)^{{{exp}}}" if exp else out

    def _print_log(self, expr: sp.Expr, exp: str | None = None) -> str:
        arg = expr.args[0]
        inner = self._print(arg)
        simple = arg.is_Symbol or (arg.is_Integer and arg > 0)
        out = rf"\log {inner}" if simple else rf"\log\!\left({inner}\right)"
        return rf"\left({out}\right)^{{{exp}}}" if exp else out


@dataclass
class Notation:
    """Definitions in the order in which they were made."""

    functions: dict[str, tuple[tuple[sp.Symbol, ...], sp.Expr]] = field(default_factory=dict)
    constants: dict[sp.Symbol, sp.Expr] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)

    def define(
        self, name: str, params: tuple[sp.Symbol, ...], body: sp.Expr, tex: str | None
    ) -> Callable | sp.Symbol:
        """Record a definition and return what stands for it."""
        known = getattr(sp, name, None)
        if isinstance(known, type) and issubclass(known, sp.Function):
            raise ValueError(f"{name} has a meaning already; choose another name")
        if name in self.functions or name in {s.name for s in self.constants}:
            raise ValueError(f"{name} is defined already; choose another name")
        if not params:
            symbol = sp.Symbol(name, positive=True) if sp.sympify(body).is_positive else sp.Symbol(name)
            self.constants[symbol] = sp.sympify(body)
            return symbol
        self.functions[name] = (params, sp.sympify(body))
        if tex:
            self.templates[name] = tex
        return sp.Function(name)

    def unfold(self, expr: sp.Basic) -> sp.Basic:
        """``expr`` with every abbreviation written out, derivatives still standing."""
        expr = sp.sympify(expr)
        for _ in range(20):
            before = expr
            expr = expr.xreplace(self.constants)
            expr = expr.replace(
                lambda e: isinstance(e, AppliedUndef) and e.func.__name__ in self.functions, self._body
            )
            if expr == before:
                return expr
        raise ValueError(f"the definitions in {expr} refer to each other")

    def _body(self, call: AppliedUndef) -> sp.Expr:
        params, body = self.functions[call.func.__name__]
        if len(params) != len(call.args):
            raise ValueError(f"{call.func.__name__} takes {len(params)} arguments, got {call}")
        return body.subs(dict(zip(params, call.args, strict=True)), simultaneous=True)

    def latex(self, expr: sp.Basic) -> str:
        """LaTeX of ``expr`` with the abbreviations standing."""
        printer = _Printer({"fold_short_frac": False})
        printer.templates = self.templates
        return printer.doprint(expr)
