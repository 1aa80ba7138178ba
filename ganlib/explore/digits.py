"""The live figure of chapter 15: the conditional generator that comes with ganlib, and its discriminator."""

import base64
import json
import math

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import Figure, Stream, canvas

ROWS = ("ten digits", "along the noise", "between digits")


class ConditionalDigits(Figure):
    """``cgan-mnist`` draws, ``cgan-mnist-D`` judges.

    The noise is ``cos(pi w / 2) A + sin(pi w / 2) B`` with two standard normal vectors A and B of 16
    coordinates: its law is standard normal at each ``way`` w. One coordinate can be pushed. The classes enter
    as weights, ``1 - mix`` for one digit and ``mix`` for the other. The generator goes to the page in 16
    bits, the discriminator in 8, with a scale for each row; how much that changes is bounded by a test.

    Args:
        digit: The digit that is asked for, 0 to 9.
        other: Another one.
        mix: Share of the other, 0 to 1.
        seed_A: Seed of A, 0 to 99.
        seed_B: Seed of B, likewise.
        way: How far from A to B, 0 to 1.
        coordinate: The coordinate that is pushed, 1 to 16.
        push: How far, -3 to 3.
        row: What the ten small images show: ``"ten digits"``, ``"along the noise"`` or ``"between digits"``.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range.
        DataError: If the weights are missing or damaged.
    """

    _esm = script("digits")

    _module = t.Unicode("digits").tag(sync=True)
    _weights = t.Unicode(help="both networks; a page of the book holds them once, its notebook never").tag(
        sync=True
    )
    digit = t.Int(3, min=0, max=9).tag(sync=True)
    other = t.Int(8, min=0, max=9).tag(sync=True)
    mix = t.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    seed_A = t.Int(1, min=0, max=99).tag(sync=True)
    seed_B = t.Int(2, min=0, max=99).tag(sync=True)
    way = t.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    coordinate = t.Int(1, min=1, max=16).tag(sync=True)
    push = t.Float(0.0, min=-3.0, max=3.0).tag(sync=True)
    row = t.Enum(ROWS, "ten digits").tag(sync=True)

    @t.default("_weights")
    def _pack(self) -> str:
        return asset()

    def noise(self, way: float | None = None):
        """The 16 coordinates of the noise, float64, at ``way`` or another place."""
        angle = math.pi / 2 * (self.way if way is None else way)
        A, B = (Stream(seed).normal(1, 16)[0] for seed in (self.seed_A, self.seed_B))
        z = math.cos(angle) * A + math.sin(angle) * B
        z[self.coordinate - 1] += self.push
        return z

    def asked(self, mix: float | None = None):
        """The weights of the ten classes, float64."""
        import torch

        y = torch.zeros(10, dtype=torch.float64)
        mix = self.mix if mix is None else mix
        y[self.digit] += 1 - mix
        y[self.other] += mix
        return y

    @staticmethod
    def draw(z, y):
        """Images ``(B, 784)`` and logits ``(B,)`` of the shipped networks, from ``(B, 16)`` and ``(B, 10)``.

        The classes are weights, so the sum over the label's embedding is a product with the whole table.
        """
        import torch

        from ganlib import pretrained

        G, D = pretrained("cgan-mnist"), pretrained("cgan-mnist-D")
        x = G.body(torch.cat([z, y], 1).float())
        h = D.body(x)
        return x.flatten(1), D.psi(h).squeeze(1) + ((y.float() @ D.e.weight) * h).sum(1)

    def ten(self):
        """The noise and the weights of the classes of the ten small images: ``(10, 16)`` and ``(10, 10)``."""
        import torch

        steps = [k / 9 for k in range(10)]
        along, between = self.row == "along the noise", self.row == "between digits"
        z = torch.stack([self.noise(w if along else None) for w in steps])
        y = torch.stack([self.asked(w if between else None) for w in steps])
        return z, torch.eye(10, dtype=torch.float64) if self.row == "ten digits" else y

    @property
    def alt(self) -> str:
        what = {
            "ten digits": "the ten digits from one noise",
            "along the noise": f"a {self.digit} from noise that goes from A to B",
            "between digits": f"mixtures of {self.digit} and {self.other} from one noise",
        }[self.row]
        return f"Ten generated images in two rows, {what}, and below each the logit of the discriminator."

    def plot(self):
        fig, axes = canvas((2, 5), 6.4, 3.1)
        for ax, x, a in zip(axes.flat, *self.draw(*self.ten()), strict=True):
            ax.imshow(-x.reshape(28, 28), cmap="gray", vmin=-1, vmax=1)
            ax.set_title(f"{a:.2f}", fontsize=9)
            ax.axis("off")
        return fig

    def __repr__(self) -> str:
        return f"ConditionalDigits({self.digit}, {self.row}, way {self.way:g}, mix {self.mix:g})"


def pack(tensors: dict, bits: dict) -> str:
    """Two lines: names, shapes and places as JSON, then base64 of the numbers.

    A matrix or a kernel of at least 512 weights is rounded to 8 or 16 bits, by the first letter of its name,
    with a float32 scale for each row. The rest is float32. All little-endian.
    """
    import numpy as np

    head, body = [], b""
    for name, tensor in sorted(tensors.items()):
        entry = {"name": name, "shape": list(tensor.shape), "at": len(body)}
        values = tensor.float().numpy().astype("<f4")
        if values.ndim > 1 and values.size >= 512:
            entry["bits"] = bits[name[0]]
            top = 2 ** (entry["bits"] - 1) - 1
            rows = values.reshape(len(values), -1)
            scales = (np.maximum(abs(rows).max(1), 1e-12) / top).astype("<f4")
            body += (
                np.rint(rows / scales[:, None]).clip(-top, top).astype(f"<i{entry['bits'] // 8}").tobytes()
            )
            entry["scales"] = len(body)
            values = scales
        body += values.tobytes()
        head.append(entry)
    return json.dumps(head, separators=(",", ":")) + "\n" + base64.b64encode(body).decode("ascii")


def asset() -> str:
    """Both networks for the page, packed."""
    from ganlib import pretrained

    G, D = pretrained("cgan-mnist").body.state_dict(), pretrained("cgan-mnist-D").state_dict()
    return pack({f"G.{k}": v for k, v in G.items()} | {f"D.{k}": v for k, v in D.items()}, {"G": 16, "D": 8})
