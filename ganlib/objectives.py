"""What each player minimises, as pure functions of logits.

A discriminator gives a logit ``a``; its probability is ``D = sigmoid(a)``.
With ``softplus(t) = log(1 + e^t)``,

    -log D = softplus(-a)        -log(1 - D) = softplus(a)

and nothing overflows or is cut off. ``log(sigmoid(a) + eps)`` computes the same numbers for moderate logits,
but its slope vanishes at very negative ones, just where the non-saturating loss must not saturate.

The other objectives read ``a`` otherwise: least squares as the label itself, the others as a score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn.functional import relu, softplus

__all__ = [
    "Objective",
    "hinge",
    "least_squares",
    "nonsaturating",
    "relativistic",
    "saturating",
    "smoothed",
    "wasserstein",
]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Objective:
    """A pair of losses, both to be minimised, both functions of ``(real, fake)``.

    Attributes:
        d: The discriminator's loss. Takes the logits of real and of generated samples, each of shape
            ``(B,)``, and gives the loss of each pair, of shape ``(B,)``; cross-entropies are in nats.
        g: The generator's loss, of the same form.
        name: How tables and figures call it.
        paired: Whether ``g`` reads the real logits. If not, G's move spares D a pass over real samples, and
            ``g`` may be given anything in their place.
    """

    d: Loss
    g: Loss
    name: str = ""
    paired: bool = True


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """``-log D(x) - log(1 - D(G(z)))``, the discriminator's loss in both games."""
    return softplus(-real) + softplus(fake)


saturating = Objective(
    d=_cross_entropy, g=lambda real, fake: -softplus(fake), name="saturating", paired=False
)
"""The minimax game: G minimises ``log(1 - D(G(z)))`` (Goodfellow et al. 2014, equation 1)."""

nonsaturating = Objective(
    d=_cross_entropy, g=lambda real, fake: softplus(-fake), name="non-saturating", paired=False
)
"""The game played in practice: G minimises ``-log D(G(z))`` (Goodfellow et al. 2014, section 3)."""


def _squared_error(real: Tensor, fake: Tensor) -> Tensor:
    """The label is 1 for real samples and 0 for generated ones."""
    return ((real - 1).square() + fake.square()) / 2


least_squares = Objective(
    d=_squared_error, g=lambda real, fake: (fake - 1).square() / 2, name="least squares", paired=False
)
"""Squares for logarithms; ``a = p / (p + q)`` is best (Mao et al. 2017, with labels 0 and 1).

With these labels G descends a divergence when D is the best. With their other choice, -1 for generated and 1
for real samples and 0 as G's target, it does not: G then leaves the places where ``p > q``.
"""

hinge = Objective(
    d=lambda real, fake: relu(1 - real) + relu(1 + fake),
    g=lambda real, fake: -fake,
    name="hinge",
    paired=False,
)
"""Margins (Lim and Ye 2017; Miyato et al. 2018).

``a = sign(p - q)`` is best, and the loss is then ``2 - 2 TV(p, q)``. Where ``p = q``, every ``a`` in
[-1, 1] is best.
"""

wasserstein = Objective(
    d=lambda real, fake: fake - real, g=lambda real, fake: -fake, name="Wasserstein", paired=False
)
"""Minus the lower bound ``E_p a - E_q a`` on the distance W1 (Arjovsky et al. 2017, equation 2).

It is a bound when the slope of D is at most one, and without limit when nothing holds the slope:
``gradient_penalty`` or ``ganlib.nets.spectral`` does.
"""

relativistic = Objective(
    d=lambda real, fake: softplus(fake - real),
    g=lambda real, fake: softplus(real - fake),
    name="relativistic",
)
"""Is the real sample of a pair more real than the generated one (Jolicoeur-Martineau 2019, RSGAN)?

Only differences count: ``a = log(p / q) + c`` is best for each constant c.
"""


def smoothed(objective: Objective, alpha: float = 0.9) -> Objective:
    """One-sided label smoothing: real samples have the target ``alpha`` (Salimans et al. 2016, section 3.4).

    Generated samples keep the target 0, and G keeps its loss. ``alpha p / (p + q)`` is best: for D with the
    cross-entropy, for the logit ``a`` with least squares.
    Both losses that have a target ``y`` are ``psi(a) - y a`` up to a constant, where ``psi(a)`` is
    ``softplus(a)`` or ``a^2 / 2``, so a target lower by ``1 - alpha`` adds ``(1 - alpha) a``.

    Args:
        objective: One whose discriminator minimises the cross-entropy or least squares: ``saturating``,
            ``nonsaturating``, ``least_squares``, or these with another loss of the generator.
        alpha: The target, in (0, 1].

    Raises:
        ValueError: ``alpha`` is outside (0, 1], or the objective has no target.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}, expected the target of real samples in (0, 1], such as 0.9")
    if objective.d not in (_cross_entropy, _squared_error):
        raise ValueError(
            f"the objective {objective.name!r} has no target to smooth, expected a discriminator's loss "
            f"with one: give saturating, nonsaturating or least_squares"
        )
    return replace(
        objective,
        d=lambda real, fake: objective.d(real, fake) + (1 - alpha) * real,
        name=f"{objective.name}, real target {alpha:g}",
    )
