"""What each player minimises, as pure functions of logits.

A discriminator gives a logit ``a``; its probability is ``D = sigmoid(a)``.
With ``softplus(t) = log(1 + e^t)``,

    -log D = softplus(-a)        -log(1 - D) = softplus(a)

and nothing overflows or is cut off. ``log(sigmoid(a) + eps)`` computes the same numbers for moderate logits,
but its slope vanishes at very negative ones, just where the non-saturating loss must not saturate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
            ``(B,)``, and gives the loss of each pair, of shape ``(B,)``, in nats.
        g: The generator's loss, of the same form. It may ignore the real logits.
        name: How tables and figures call it.
    """

    d: Loss
    g: Loss
    name: str = ""


def _cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """``-log D(x) - log(1 - D(G(z)))``, the discriminator's loss in both games."""
    return softplus(-real) + softplus(fake)


saturating = Objective(d=_cross_entropy, g=lambda real, fake: -softplus(fake), name="saturating")
"""The minimax game: G minimises ``log(1 - D(G(z)))`` (Goodfellow et al. 2014, equation 1)."""

nonsaturating = Objective(d=_cross_entropy, g=lambda real, fake: softplus(-fake), name="non-saturating")
"""The game played in practice: G minimises ``-log D(G(z))`` (Goodfellow et al. 2014, section 3)."""

least_squares = Objective(
    d=lambda real, fake: ((real - 1).square() + fake.square()) / 2,
    g=lambda real, fake: (fake - 1).square() / 2,
    name="least squares",
)
"""Targets 1 and 0 (Mao et al. 2017). The critic's output is no logit but the value: its optimum is p/(p+q).

With these targets the generator, at that optimum, descends a divergence. With the targets (-1, 1, 0) of the
same paper it does not: what it descends is not smallest at q = p.
"""

hinge = Objective(
    d=lambda real, fake: relu(1 - real) + relu(1 + fake),
    g=lambda real, fake: -fake,
    name="hinge",
)
"""Lim and Ye 2017. The best critic is sign(p - q), and D's least loss is 2 - 2 TV(p, q)."""

wasserstein = Objective(
    d=lambda real, fake: fake - real,
    g=lambda real, fake: -fake,
    name="Wasserstein",
)
"""Arjovsky et al. 2017. Over critics of slope at most one D's least loss is -W1(p, q). Without such a bound,
on the networks or by a penalty, it has none.
"""

relativistic = Objective(
    d=lambda real, fake: softplus(fake - real),
    g=lambda real, fake: softplus(real - fake),
    name="relativistic",
)
"""Is the real one of a pair more real than the fake one (Jolicoeur-Martineau 2019)? The batch pairs them."""


def smoothed(objective: Objective = nonsaturating, alpha: float = 0.9) -> Objective:
    """One-sided label smoothing: D's target at real samples is alpha and not 1 (Salimans et al. 2016, 3.4).

    The best discriminator becomes alpha p/(p+q). The generator's loss is left as it is.

    Args:
        objective: One whose discriminator minimises the cross-entropy.
        alpha: The target, in (0, 1].

    Raises:
        ValueError: ``alpha`` is outside (0, 1].
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}, expected a target in (0, 1], such as 0.9")
    return Objective(
        d=lambda real, fake: objective.d(real, fake) + (1 - alpha) * real,  # softplus(a) = a + softplus(-a)
        g=objective.g,
        name=f"{objective.name}, smoothed",
    )
