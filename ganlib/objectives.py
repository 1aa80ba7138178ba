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
from torch.nn.functional import softplus

__all__ = ["Objective", "nonsaturating", "saturating"]

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
