"""Penalties on the slope of a discriminator ``D`` in its input.

A penalty is a function ``(D, real, fake, *, rng=None) -> (B,)``: one unscaled value for each sample.
The caller scales, as in ``penalties=[(gamma / 2, r1)]``. ``D`` is a function of ``x`` alone; a conditional
game closes over ``y``. It must judge each sample by itself (no BatchNorm), or the slope of a sample has no
meaning.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["dragan", "gradient_penalty", "r1", "r2", "slope"]

Critic = Callable[[Tensor], Tensor]


def slope(D: Critic, x: Tensor) -> Tensor:
    """The gradient of the logit ``D(x)`` in ``x``, itself differentiable in the parameters of ``D``.

    Args:
        D: A function from ``(B, ...)`` to one logit for each sample.
        x: Points, of shape ``(B, ...)``.

    Returns:
        Gradients, of shape ``(B, n)`` where ``n`` is the number of coordinates of one sample.
    """
    x = x if x.requires_grad else x.detach().requires_grad_()  # G(z) keeps its tie to G: Jacobians need it
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return gradient.reshape(len(x), -1)


def r1(D: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
    """``|grad_x D(x)|^2`` at real samples (Mescheder et al. 2018, section 4.1; its weight is gamma / 2)."""
    return slope(D, real).square().sum(1)


def r2(D: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator | None = None) -> Tensor:
    """``|grad_x D(x)|^2`` at generated samples (Mescheder et al. 2018, section 4.1; weight gamma / 2)."""
    return slope(D, fake).square().sum(1)


def gradient_penalty(
    D: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator | None = None, one_sided: bool = False
) -> Tensor:
    """``(|grad_x D(x)| - 1)^2`` between real and generated samples (Gulrajani et al. 2017, equation 3).

    Each ``x`` lies on the segment from a real to a generated sample, at a uniformly drawn place.

    Args:
        D: The critic.
        real: Real samples, of shape ``(B, ...)``.
        fake: Generated samples, of the same shape.
        rng: Draws the places; torch's global generator when ``None``.
        one_sided: Penalise slopes above one only.

    Returns:
        The penalty of each sample, of shape ``(B,)``. The norm is taken over all coordinates of a sample.
    """
    t = torch.rand(len(real), *[1] * (real.dim() - 1), generator=rng, dtype=real.dtype).to(real.device)
    excess = slope(D, real + t * (fake - real)).norm(dim=1) - 1
    return (excess.relu() if one_sided else excess).square()


def dragan(
    D: Critic, real: Tensor, fake: Tensor, *, rng: torch.Generator | None = None, sigma: float = 0.5
) -> Tensor:
    """``(|grad_x D(x)| - 1)^2`` near real samples (Kodali et al. 2017).

    Each ``x`` is a real sample plus noise from ``N(0, sigma^2 I)``.

    Args:
        D: The critic.
        real: Real samples, of shape ``(B, ...)``.
        fake: Not used.
        rng: Draws the noise; torch's global generator when ``None``.
        sigma: Standard deviation of the noise, in the units of ``real``; ``sqrt(c)`` in the paper. Choose it
            by the spread of the data: pixels in [-1, 1] are the case that the default is meant for.

    Returns:
        The penalty of each sample, of shape ``(B,)``. The norm is taken over all coordinates of a sample.
    """
    delta = sigma * torch.randn(real.shape, generator=rng, dtype=real.dtype).to(real.device)
    return (slope(D, real + delta).norm(dim=1) - 1).square()
