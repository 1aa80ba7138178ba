"""A game is players; a player is parameters and a loss.

    theta_i  <-  theta_i - eta_i * grad_i L_i(theta)

That line covers a GAN (two players), a variational autoencoder (one) and an adversarial autoencoder (three).
The same losses give the game's vector field and Jacobian, so what is analysed is what is trained.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ganlib.objectives import Objective
from ganlib.parallel import average, average_gradients

__all__ = ["Game", "Player", "adam", "gan"]

Batch = Sequence[Tensor]


class Player:
    """Parameters and the loss that they, and they alone, descend.

    Attributes:
        name: Names the player in losses, random keys and checkpoints.
        params: The parameters that this player moves.
        loss: ``loss(batch, rng, step) -> scalar``, a function of every player's parameters. ``rng`` is the
            move's random generator or ``None``, ``step`` the number of rounds played. Most losses need
            neither: ``lambda batch, *_: ...``.
        opt: The optimiser of ``params``: the rate eta and how it is adapted.
        times: Moves in one round. ``None`` is one move, whose random key is the name alone.
    """

    def __init__(
        self,
        name: str,
        params: Iterable[Tensor],
        loss: Callable[..., Tensor],
        opt: torch.optim.Optimizer,
        times: int | None = None,
    ) -> None:
        self.name, self.params, self.loss, self.opt, self.times = name, list(params), loss, opt, times

    @property
    def keys(self) -> list[str]:
        """The name of each of the player's moves in a round: ``["D0", "D1"]`` or ``["G"]``."""
        return [self.name] if self.times is None else [f"{self.name}{i}" for i in range(self.times)]

    def move(self, batch: Batch, rng: torch.Generator | None = None, step: int = 0) -> float:
        """Take one gradient step and return the loss before it.

        Raises:
            FloatingPointError: The loss is not finite. The player's parameters are left as they were.
        """
        loss = self.loss(batch, rng, step)
        value = average(loss).item()  # over the processes, so that all of them stop together
        if not math.isfinite(value):
            raise FloatingPointError(
                f"step {step + 1}: the loss of {self.name} is {value}, expected a finite number. {self.name} "
                f"did not move. Look for non-finite data, or start again from a checkpoint with a lower rate."
            )
        self.opt.zero_grad()
        loss.backward(inputs=self.params)  # other players' gradients are neither computed nor touched
        average_gradients(self.params)
        self.opt.step()
        return value


class Game:
    """Players in the order of their moves, and the number of rounds they have played.

    Args:
        players: The players.
        modules: The networks by name; what ``state_dict`` saves of them includes their buffers. With ``ema``
            there is one called ``"G"``.
        ema: Decay of a moving average of ``modules["G"]``, kept as ``G_ema``; ``None`` keeps none.

    Attributes:
        step: Rounds played.
        G_ema: The averaged generator in eval mode, or ``None``.
    """

    def __init__(
        self,
        players: Iterable[Player],
        modules: Mapping[str, nn.Module] | None = None,
        ema: float | None = None,
    ) -> None:
        self.players, self.modules, self.ema, self.step = list(players), dict(modules or {}), ema, 0
        self.G_ema: nn.Module | None = None
        if ema is not None:
            if not 0 <= ema < 1:
                raise ValueError(f"ema is {ema}, expected a decay in [0, 1), such as 0.99, or None")
            self.G_ema = copy.deepcopy(self.modules["G"]).eval().requires_grad_(False)
            self.modules["G_ema"] = self.G_ema

    def end_round(self) -> None:
        """Count the round and move the average towards the generator."""
        self.step += 1
        if self.G_ema is not None and self.ema is not None:
            decay = min(self.ema, (1 + self.step) / (10 + self.step))  # forgets the untrained start
            _average(self.G_ema, self.modules["G"], decay)

    def field(self, batch: Batch, rng: torch.Generator | None = None, create_graph: bool = False) -> Tensor:
        """The vector field ``(-grad_i L_i)_i`` that gradient flow follows when all players move at once.

        Args:
            batch: The batch that every loss sees.
            rng: For losses with randomness.
            create_graph: Make the field itself differentiable.

        Returns:
            A vector of all parameters' velocities, in the order of the players and of their ``params``.
        """
        gradients = [
            torch.autograd.grad(
                player.loss(batch, rng, self.step),
                player.params,
                create_graph=create_graph,
                materialize_grads=True,
            )
            for player in self.players
        ]
        return -torch.cat([gradient.reshape(-1) for gradient in chain(*gradients)])

    def jacobian(self, batch: Batch, rng: torch.Generator | None = None) -> Tensor:
        """The Jacobian of ``field`` in all parameters; row i is the gradient of velocity i."""
        params = [p for player in self.players for p in player.params]
        field = self.field(batch, rng, create_graph=True)
        field = field + 0 * torch.cat([p.reshape(-1) for p in params])  # a constant field has a gradient: 0
        rows = [torch.autograd.grad(v, params, retain_graph=True, materialize_grads=True) for v in field]
        return torch.stack([torch.cat([entry.reshape(-1) for entry in row]) for row in rows])

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs: rounds played, networks (the average among them), optimisers.

        Random generators have no state to save: ``ganlib.train.keyed`` makes each from the step.

        Raises:
            ValueError: A player's parameters are in none of the game's modules, so they would be lost.
        """
        saved = {id(p) for module in self.modules.values() for p in module.parameters()}
        for player in self.players:
            if not saved.issuperset(map(id, player.params)):
                raise ValueError(
                    f"player {player.name} has parameters in none of the game's modules "
                    f"({', '.join(self.modules) or 'none given'}), expected all to be there: name the "
                    f"missing module in Game(players, modules)"
                )
        return {
            "step": self.step,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimizers": {player.name: player.opt.state_dict() for player in self.players},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the game that ``state_dict`` described; the players and modules must be the same."""
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for player in self.players:
            player.opt.load_state_dict(state["optimizers"][player.name])
        self.step = state["step"]


def adam(params: Iterable[Tensor], lr: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015) in one call for all parameters: for small networks the calls cost most."""
    return torch.optim.Adam(params, lr=lr, betas=betas, fused=True)


def gan(
    G: nn.Module,
    D: nn.Module,
    objective: Objective,
    penalties: Sequence[tuple[float, Callable[..., Tensor]]] = (),
    lr: tuple[float, float] = (1e-3, 1e-3),
    betas: tuple[float, float] = (0.0, 0.99),
    n_critic: int = 1,
    every: int = 1,
    ema: float | None = None,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    noise: float | Callable[[int], float] = 0.0,
) -> Game:
    """The game of a generator and a discriminator (Goodfellow et al. 2014).

    A batch is ``(x, z)``, or ``(x, z, y)`` in a conditional game, which then plays ``G(z, y)`` and
    ``D(x, y)`` (Mirza and Osindero 2014). D moves first.

    Args:
        G: The generator; ``G(z)`` has the shape of ``x``.
        D: The discriminator; ``D(x)`` gives one logit for each sample.
        objective: The two losses.
        penalties: Pairs ``(weight, penalty)`` added to the discriminator's loss, at the samples that D sees
            (with their noise). The loss that ``train`` yields has them in it.
        lr: The rates ``(lr_G, lr_D)``.
        betas: Decays of Adam's two averages; for optimisers that take ``betas``.
        n_critic: Moves of D in a round.
        every: Add the penalties in every ``every``-th round only, times ``every`` (Karras et al. 2020).
        ema: Decay of the generator's moving average ``game.G_ema``; ``None`` keeps none.
        optimizer: Called as ``optimizer(params, lr=..., betas=...)``, without ``betas`` if it takes none.
        noise: Standard deviation of the Gaussian noise added to each sample that D judges, real or
            generated, in both players' moves (instance noise; Sonderby et al. 2017, Arjovsky and Bottou
            2017). A function of the number of rounds played anneals it.

    Raises:
        ValueError: ``n_critic`` or ``every`` is below 1, or ``ema`` is outside [0, 1).
    """
    for name, count in (("n_critic", n_critic), ("every", every)):
        if count < 1:
            raise ValueError(f"{name} is {count}, expected a whole number of at least 1")

    def noisy(x: Tensor, rng: torch.Generator | None, step: int) -> Tensor:
        sigma = noise(step) if callable(noise) else noise
        return x + sigma * torch.randn(x.shape, generator=rng, dtype=x.dtype).to(x.device) if sigma else x

    @parametrize.cached()  # a normalised D is one function in a loss, not another at each call
    def loss_D(batch: Batch, rng: torch.Generator | None = None, step: int = 0) -> Tensor:
        x, z, *y = batch
        x, fake = noisy(x, rng, step), noisy(G(z, *y), rng, step)
        loss = objective.d(D(x, *y), D(fake, *y)).mean()
        if step % every == 0:
            for weight, penalty in penalties:
                loss = loss + every * weight * penalty(lambda x: D(x, *y), x, fake, rng=rng).mean()
        return loss

    @parametrize.cached()
    def loss_G(batch: Batch, rng: torch.Generator | None = None, step: int = 0) -> Tensor:
        x, z, *y = batch
        x, fake = noisy(x, rng, step), noisy(G(z, *y), rng, step)
        fake = D(fake, *y)
        return objective.g(D(x, *y) if objective.paired else fake, fake).mean()

    def player(
        name: str, module: nn.Module, loss: Callable[..., Tensor], lr: float, times: int | None
    ) -> Player:
        params = [p for p in module.parameters() if p.requires_grad]
        settings = {"betas": betas} if "betas" in inspect.signature(optimizer).parameters else {}
        return Player(name, params, loss, optimizer(params, lr=lr, **settings), times)

    lr_G, lr_D = lr
    players = [player("D", D, loss_D, lr_D, n_critic), player("G", G, loss_G, lr_G, None)]
    return Game(players, {"G": G, "D": D}, ema)


@torch.no_grad()
def _average(average: nn.Module, module: nn.Module, decay: float) -> None:
    """``average <- decay * average + (1 - decay) * module``; counters and other integers are copied.

    Running statistics are averaged too: those of the last weights alone do not fit averaged weights.
    """
    old, new = (list(chain(m.parameters(), m.buffers())) for m in (average, module))
    pairs = [pair for pair in zip(old, new, strict=True) if pair[0].is_floating_point()]
    torch._foreach_lerp_(*map(list, zip(*pairs, strict=True)), 1 - decay)
    for a, b in zip(old, new, strict=True):
        if not a.is_floating_point():
            a.copy_(b)
