"""A classifier of MNIST digits that has nothing in common with digit-net but the training images.

Generated digits could please digit-net, over whose features they are scored, and no one else. The referee
has other layers, other noise and no augmentation. It is trained once and kept in _build.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganlib.data import as_float, mnist

KEPT = Path(__file__).parents[2] / "_build" / "referee.safetensors"
EPOCHS, BATCH = 5, 128


def network() -> nn.Sequential:
    """Two 5 x 5 convolutions with BatchNorm and max-pooling, dropout, two dense layers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 24, 5, padding=2), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(24, 48, 5, padding=2), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2)),
        *(
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(48 * 49, 128),
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(128, 10),
        ),
    )


def answers(net: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([net(as_float(part)).argmax(1) for part in images.split(500)])


@cache
def referee() -> tuple[nn.Module, float]:
    """The classifier in eval mode, and its accuracy on the test set."""
    data, test = mnist(), mnist("test")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12_345)
        net = network()
        if KEPT.exists():
            net.load_state_dict(load_file(KEPT))
        else:
            opt = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
            steps = EPOCHS * (len(data) // BATCH)
            rate = torch.optim.lr_scheduler.OneCycleLR(opt, 3e-3, total_steps=steps)
            for _ in range(steps):
                index = torch.randint(len(data), (BATCH,))
                loss = nn.functional.cross_entropy(net(as_float(data.images[index])), data.labels[index])
                opt.zero_grad()
                loss.backward()
                opt.step()
                rate.step()
            KEPT.parent.mkdir(exist_ok=True)
            part = KEPT.with_suffix(f".{os.getpid()}")  # several processes may train it at once
            save_file(net.state_dict(), part)
            part.replace(KEPT)
    net.eval()
    return net, (answers(net, test.images) == test.labels).double().mean().item()


def accuracy(images: Tensor, labels: Tensor) -> float:
    """The share of images that the referee assigns to the label they were made for."""
    return (answers(referee()[0], images) == labels).double().mean().item()


def described() -> str:
    return f"{100 * referee()[1]:.2f}% right on the test set"


if __name__ == "__main__":
    print(json.dumps({"accuracy": referee()[1]}))
