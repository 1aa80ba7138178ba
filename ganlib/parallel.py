"""One game on several processes, which may be on several machines.

Every process draws the same batch, because random numbers are keyed, and plays with its share. Losses and
gradients are means over samples, so the mean over equal shares is that of the whole batch, penalties
included, and all processes take the same step. ``ganlib.train`` does this wherever torch.distributed has been
initialised; in a single process nothing here does anything.

``DistributedDataParallel`` is not used: it averages in hooks of one backward pass, and a gradient
penalty runs another pass inside the first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

__all__ = ["average", "average_gradients", "processes", "rank", "share", "world_size"]


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if _several() else 0


def world_size() -> int:
    """How many processes play."""
    return distributed.get_world_size() if _several() else 1


@contextmanager
def processes(device: str = "cpu") -> Iterator[None]:
    """Join the processes that ``torchrun`` started, for as long as the block lasts; alone, do nothing.

    Args:
        device: ``"cuda"`` talks over nccl, each process on a GPU of its own; all else over gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def share(batch: Sequence[Tensor]) -> Sequence[Tensor]:
    """This process's rows of a batch that all processes have drawn alike.

    Raises:
        ValueError: The rows cannot be shared equally, and means of unequal shares are not the batch's mean.
    """
    if not _several():
        return batch
    n, i = world_size(), rank()
    for part in batch:
        if len(part) % n:
            raise ValueError(
                f"a batch of {len(part)} cannot be shared equally by {n} processes: choose a multiple of {n}"
            )
    return tuple(part[i * len(part) // n : (i + 1) * len(part) // n] for part in batch)


def average(value: Tensor) -> Tensor:
    """The mean of a tensor over the processes. Not finite anywhere is not finite everywhere."""
    if not _several():
        return value
    value = value.detach().clone()
    distributed.all_reduce(value)
    return value / world_size()


def average_gradients(params: Iterable[Tensor]) -> None:
    """Replace each parameter's gradient by its mean over the processes, in one message."""
    if not _several():
        return
    gradients = [p.grad for p in params if p.grad is not None]
    means = average(torch.cat([g.reshape(-1) for g in gradients]))
    for gradient, mean in zip(gradients, means.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
