"""A derivation: declared symbols, abbreviations, and lines that were accepted one after the other."""

from __future__ import annotations

import random
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sympy as sp

from . import lines as kinds
from .domain import Domain, Interval
from .errors import Refused, Undecided
from .lines import Line
from .typeset import Notation

PROVED, CHECKED, ARGUED, REFUTED, DEFINED = "proved", "checked numerically", "argued", "refuted", "definition"
MARKS = {PROVED: r"\blacksquare", CHECKED: r"\square", ARGUED: r"\diamond", REFUTED: r"\times", DEFINED: ""}
_WIDTH = 46  # characters of a reason on one row: fits a phone
_recorders: list[list[Derivation]] = []


@contextmanager
def recording() -> Iterator[list[Derivation]]:
    """Collect every derivation made inside the block."""
    made: list[Derivation] = []
    _recorders.append(made)
    try:
        yield made
    finally:
        _recorders.pop()  # blocks close in reverse order; remove() would compare lists and take an equal one


def _wrap(text: str) -> list[str]:
    """Rows that fit a phone; a formula between dollars stays in one row."""
    whole = re.sub(r"\$[^$]*\$", lambda m: m[0].replace(" ", "\0"), text)
    rows = textwrap.wrap(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [row.replace("\0", " ") for row in rows]


@dataclass(frozen=True)
class Entry:
    """A line with its verdict, or a definition."""

    verdict: str
    line: Line | None = None
    definition: str = ""
    why: str = ""
    tag: str | None = None
    continued: bool = False

    def latex(self) -> str:
        """The entry as one displayed block of LaTeX."""
        formula = self.line.formula() if self.line else self.definition
        if self.continued:
            formula = f"= {self.line.notation.latex(self.line.rhs)}"
        rows = [r"\text{claimed: } " + formula if self.verdict == REFUTED else formula]
        if self.line and hasattr(self.line, "reason"):
            rows.append(r"\small " + self.line.reason())
        note = self.verdict if self.verdict != DEFINED else ""
        if self.why:
            note = f"{note}: {self.why}" if note else self.why
        if self.verdict == ARGUED:
            rows += [rf"\small \text{{by {self.line.theorem}}}"]
        mark = MARKS[self.verdict]
        for i, row in enumerate(_wrap(note)):
            lead = rf"{mark}\ " if i == 0 and mark else r"\phantom{\blacksquare}\ "
            rows.append(rf"\small {lead}\text{{{row}}}")
        if self.verdict == ARGUED:
            for name, reason in self.line.hypotheses:
                for i, row in enumerate(_wrap(f"{name}: {reason}")):
                    rows.append(rf"\small \phantom{{\blacksquare}}\ \text{{{'' if i else '- '}{row}}}")
        body = r" \\ ".join(rows)
        tag = rf"\tag{{{self.tag}}}" if self.tag else ""
        return rf"$$\begin{{array}}{{l}} {body} \end{{array}}{tag}$$"

    def plain(self) -> str:
        """The entry in one line of text."""
        tag = f"({self.tag}) " if self.tag else ""
        return f"{tag}[{self.verdict}] {self.line if self.line else self.definition}"


@dataclass(frozen=True)
class Score:
    """Outcome of a mutation run over lines: every ``false`` mutant must be among the refused."""

    lines: int
    mutants: int
    false: int
    refused: int
    survivors: tuple[str, ...]
    barren: tuple[str, ...]  # lines without a single false mutant

    @property
    def true(self) -> int:
        """Mutants that the numbers do not call false."""
        return self.mutants - self.false

    def __str__(self) -> str:
        return (
            f"{self.lines} lines, {self.mutants} corruptions tried: {self.false} false, {self.refused} of "
            f"them refused; {self.true} still true"
        )


class Derivation:
    """A chain of decided lines.

    Each method that adds a line decides it first and raises :class:`~ganlib.derive.Refused` if it does not
    hold, is not shown, or is empty. Expressions are SymPy expressions in the declared symbols and in
    abbreviations made with :meth:`let`.

    Args:
        title: what is derived.
        symbols: each symbol with its interval, such as ``p=positive, t=unit``.

    Example:
        >>> from sympy import log
        >>> d = Derivation("a logarithm", p=positive, q=positive)
        >>> p, q = d.symbols
        >>> line = d.equal(log(p / q), log(p) - log(q), why="both arguments are positive")
        >>> d.verdicts["proved"]
        1
    """

    def __init__(self, title: str, /, **symbols: Interval) -> None:
        self.title = title
        self.domain = Domain(symbols)
        self.notation = Notation()
        self.entries: list[Entry] = []
        self._shown = 0
        for recorder in _recorders:
            recorder.append(self)

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """The declared symbols in order."""
        return tuple(self.domain.intervals)

    @property
    def lines(self) -> list[Line]:
        """The accepted lines (neither definitions nor refuted statements)."""
        return [e.line for e in self.entries if e.line is not None and e.verdict != REFUTED]

    @property
    def verdicts(self) -> Mapping[str, int]:
        """Number of entries by verdict, definitions left out."""
        return Counter(e.verdict for e in self.entries if e.verdict != DEFINED)

    def let(
        self, name: str, params: Sequence[sp.Symbol], body: sp.Expr, tex: str | None = None, why: str = ""
    ) -> Any:
        """Define an abbreviation: a function of ``params``, or a constant if there are none.

        Args:
            tex: a template such as ``r"\\mathrm{KL}({0} \\Vert {1})"`` for the arguments in order.
        """
        params, body = tuple(params), sp.sympify(body)
        if name in {s.name for s in self.symbols}:
            raise Refused(f"{name} is a declared symbol; an abbreviation needs a name of its own")
        allowed = {*self.symbols, *params, *self.notation.constants}
        if unknown := sorted(map(str, body.free_symbols - allowed)):
            raise Refused(f"let {name}: {', '.join(unknown)} is neither declared nor a parameter")
        stands = self.notation.define(name, params, body, tex)
        head = self.notation.latex(stands(*params) if params else stands)
        self.entries.append(Entry(DEFINED, definition=rf"{head} := {self.notation.latex(body)}", why=why))
        return stands

    # -- kinds of line
    def equal(self, lhs: Any, rhs: Any, *, why: str = "", tag: str | None = None) -> Line:
        """``lhs = rhs`` on the whole domain; ``lhs=None`` continues the line above from its right side."""
        continued = lhs is None
        if continued:
            last = self.entries[-1] if self.entries else None
            if last is None or last.verdict == REFUTED or not isinstance(last.line, kinds.Relation):
                raise Refused("there is no relation right above to continue: give a left side")
            lhs = last.line.rhs
        return self._add(kinds.Relation, lhs=_s(lhs), rhs=_s(rhs), why=why, tag=tag, continued=continued)

    def order(self, lhs: Any, rel: str, rhs: Any, *, why: str = "", tag: str | None = None) -> Line:
        """``lhs rel rhs`` with ``<, <=, >, >=``: the difference has a sign that its coefficients force."""
        return self._add(kinds.Relation, lhs=_s(lhs), rel=rel, rhs=_s(rhs), why=why, tag=tag)

    def gap(
        self,
        lhs: Any,
        rel: str,
        rhs: Any,
        *,
        gibbs: Sequence = (),
        squares: Sequence = (),
        equality: Sequence = (),
        why: str = "",
        tag: str | None = None,
    ) -> Line:
        """An inequality through an identity for its gap, see :class:`~ganlib.derive.lines.Gap`."""
        return self._add(
            kinds.Gap,
            lhs=_s(lhs),
            rel=rel,
            rhs=_s(rhs),
            gibbs=_pairs(gibbs),
            squares=_pairs(squares),
            equality=_pairs(equality),
            why=why,
            tag=tag,
        )

    def stationary(
        self, f: Any, var: sp.Symbol, at: Sequence, *, why: str = "", tag: str | None = None
    ) -> Line:
        """All stationary points of ``f`` in ``var`` inside its interval; an empty list claims none."""
        return self._add(kinds.Stationary, f=_s(f), var=var, at=tuple(map(_s, at)), why=why, tag=tag)

    def limit(
        self,
        expr: Any,
        var: sp.Symbol,
        point: Any,
        side: str,
        to: Any,
        *,
        why: str = "",
        tag: str | None = None,
    ) -> Line:
        """``expr -> to`` as ``var -> point`` from ``side``.

        The side is ``"+"`` from above, ``"-"`` from below and at infinity.
        """
        return self._add(
            kinds.Limit, expr=_s(expr), var=var, point=_s(point), side=side, to=_s(to), why=why, tag=tag
        )

    def integral(
        self, f: Any, var: sp.Symbol, a: Any, b: Any, to: Any, *, why: str = "", tag: str | None = None
    ) -> Line:
        """``integral of f over (a, b) = to``."""
        return self._add(kinds.Integral, f=_s(f), var=var, a=_s(a), b=_s(b), to=_s(to), why=why, tag=tag)

    def average(
        self,
        lhs: Any,
        rhs: Any,
        const: Any,
        *,
        using: Mapping[sp.Symbol, Any],
        params: Sequence[sp.Symbol] = (),
        why: str = "",
        tag: str | None = None,
    ) -> Line:
        """``integral of lhs = const + integral of rhs`` where the densities in ``using`` have mass one."""
        return self._add(
            kinds.Average,
            lhs=_s(lhs),
            rhs=_s(rhs),
            const=_s(const),
            using=_pairs(using.items()),
            params=tuple(params),
            why=why,
            tag=tag,
        )

    def pushforward(
        self,
        G: Any,
        z: sp.Symbol,
        inverse: Any,
        x: sp.Symbol,
        p_z: Any,
        p_x: Any,
        *,
        why: str = "",
        tag: str | None = None,
    ) -> Line:
        """The change of variables ``x = G(z)``."""
        return self._add(
            kinds.Pushforward,
            G=_s(G),
            z=z,
            inverse=_s(inverse),
            x=x,
            p_z=_s(p_z),
            p_x=_s(p_x),
            why=why,
            tag=tag,
        )

    def argued(
        self,
        statement: str,
        *,
        theorem: str,
        hypotheses: Mapping[str, str],
        why: str = "",
        tag: str | None = None,
    ) -> Line:
        """A statement that a named theorem gives; every hypothesis of the theorem must be discharged."""
        known = tuple(e.tag for e in self.entries if e.tag and e.verdict != REFUTED)
        return self._add(
            kinds.Argued,
            statement=statement,
            theorem=theorem,
            hypotheses=tuple(hypotheses.items()),
            known=known,
            why=why,
            tag=tag,
        )

    def numeric(self, lhs: Any, rel: str, rhs: Any, *, why: str = "", tag: str | None = None) -> Line:
        """A relation checked at random points only; shown and counted as such."""
        return self._add(kinds.Numeric, lhs=_s(lhs), rel=rel, rhs=_s(rhs), why=why, tag=tag)

    @property
    def false(self) -> _False:
        """The same methods for statements that must be refused.

        ``d.false.equal(wrong, right)`` records a refutation.
        """
        return _False(self)

    # -- bookkeeping
    def _add(
        self, kind: type[Line], *, why: str, tag: str | None, continued: bool = False, **fields: Any
    ) -> Line:
        line = self._line(kind, why=why, tag=tag, **fields)
        line.decide()
        verdict = {kinds.Argued: ARGUED, kinds.Numeric: CHECKED}.get(kind, PROVED)
        self.entries.append(Entry(verdict, line, why=why, tag=tag, continued=continued))
        return line

    def _line(self, kind: type[Line], *, tag: str | None, **fields: Any) -> Line:
        if tag and tag in {e.tag for e in self.entries}:
            raise Refused(f"the number ({tag}) is taken; equation numbers are unique")
        return kind(domain=self.domain, notation=self.notation, tag=tag, **fields)

    def _refute(
        self, kind: type[Line], *, why: str, tag: str | None, continued: bool = False, **fields: Any
    ) -> None:
        line = self._line(kind, why=why, tag=tag, **fields)
        line.checked_form()
        if not line.judged_false():
            raise Refused(f"{line}: stated as false, but the numbers do not contradict it")
        decision = line.decision()
        if decision is True:
            raise Refused(f"{line}: stated as false, but the checker accepts it")
        if decision is None and not line.pointwise:
            raise Refused(f"{line}: stated as false, but not decided; refute it by a relation at a point")
        where = line.counterexample()
        self.entries.append(
            Entry(REFUTED, line, why=f"{why} ({where})" if why and where else why or where or "", tag=tag)
        )

    def complete(self) -> None:
        """Refuse a derivation that declares a symbol which no line uses: an unused hypothesis hides a gap."""
        used: set[sp.Symbol] = set()
        for e in self.entries:
            if e.line is not None:
                for part in e.line.parts():
                    used |= self.notation.unfold(part).free_symbols
                for v in vars(e.line).values():
                    used |= {v} if isinstance(v, sp.Symbol) else set()
        for interval in self.domain.intervals.values():
            used |= interval.lo.free_symbols | interval.hi.free_symbols
        if unused := [str(s) for s in self.domain.intervals if s not in used]:
            raise Refused(
                f"{self.title}: {', '.join(unused)} declared, but no line uses it; drop it or use it"
            )
        if not self.lines:
            raise Refused(f"{self.title}: no line was decided")

    def score(self, sample: int | None = 12, seed: int = 0) -> Score:
        """Corrupt every line and count what the symbolic decision refuses.

        Args:
            sample: corruptions per line, drawn with ``seed``; ``None`` takes all of them.
        """
        return score(
            [e.line for e in self.entries if e.line is not None and e.verdict != REFUTED], sample, seed
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        new = self.entries[self._shown :]
        self._shown = len(self.entries)
        for e in new or self.entries:
            display({"text/latex": e.latex(), "text/plain": e.plain()}, raw=True)

    def __repr__(self) -> str:
        return (
            f"Derivation({self.title!r}: "
            + ", ".join(f"{n} {v}" for v, n in sorted(self.verdicts.items()))
            + ")"
        )


class _False:
    """The methods of a derivation, with refutation in place of acceptance."""

    def __init__(self, derivation: Derivation) -> None:
        self._derivation = derivation

    def __getattr__(self, name: str) -> Callable[..., None]:
        method = getattr(Derivation, name)
        derivation = self._derivation

        def refuted(*args: Any, **kwargs: Any) -> None:
            shadow = Derivation.__new__(Derivation)
            shadow.__dict__ = derivation.__dict__ | {"_add": derivation._refute}
            method(shadow, *args, **kwargs)

        return refuted


def score(lines: Sequence[Line], sample: int | None = 12, seed: int = 0) -> Score:
    """Mutation score of ``lines``, see :meth:`Derivation.score`."""
    total = false = refused = 0
    survivors: list[str] = []
    barren: list[str] = []
    for i, line in enumerate(lines):
        mutants = list(line.mutants())
        random.Random(f"{seed}/{i}/{line}").shuffle(mutants)
        bad = 0
        for label, mutant in mutants:
            if sample is not None and bad >= sample:
                break
            total += 1
            if mutant.judged_false():
                bad += 1
                if mutant.refuses():
                    refused += 1
                else:
                    survivors.append(f"{line} | {label}")
        false += bad
        if not bad:
            barren.append(str(line))
    return Score(len(lines), total, false, refused, tuple(survivors), tuple(barren))


def _s(e: Any) -> Any:
    return e.as_immutable() if isinstance(e, sp.MatrixBase) else sp.sympify(e)


def _pairs(items: Any) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    return tuple((_s(a), _s(b)) for a, b in items)


__all__ = [
    "ARGUED",
    "CHECKED",
    "DEFINED",
    "PROVED",
    "REFUTED",
    "Derivation",
    "Score",
    "Undecided",
    "recording",
    "score",
]
