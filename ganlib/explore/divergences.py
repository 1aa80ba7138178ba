"""The live figure of chapter 4: two laws and what a discriminator, or a carrier, measures between them."""

import math

import traitlets as t

from ganlib.explore import script
from ganlib.explore.figure import CRITIC, FAKE, OTHER, REAL, Figure, canvas

PLACES, CELL, FAR = 6, 0.05, 2.0
NAMES = ("V", "jsd", "kl", "lk", "tv", "w1")


class Divergences(Figure):
    """Five divergences of two laws and the largest value of V, measured next to derived.

    The laws are masses p (data) and q (generator) on the places 1 to 6, or uniform on ``[0, 1]`` and on
    ``[theta, theta + 1]`` (after Arjovsky, Chintala and Bottou 2017, example 1). One logit for each place, or
    for each cell of the line, climbs V. Its value tells ``max V`` and the JSD (theorem 4.1), its means the
    two KL, its guesses the total variation. The Wasserstein distance is measured by carrying p to q. All
    logarithms are natural.

    Everything is a trait that can be read, set and observed from Python.

    Args:
        mode: ``"atoms"`` for the six places or ``"uniform"`` for the two intervals.
        p: Masses of the data, six numbers that are not negative; they are divided by their sum.
        q: Masses of the generator, likewise.
        theta: Where the generator's interval begins, -2 to 2, rounded to a multiple of 0.05.
        steps: Steps that the discriminator has had, 0 to 400.
        **kwargs: What ipywidgets takes.

    Raises:
        TraitError: If a value is outside its range, or masses are not six, negative, or all zero.
    """

    _esm = script("divergences")

    _module = t.Unicode("divergences").tag(sync=True)
    mode = t.Enum(("atoms", "uniform"), "atoms").tag(sync=True)
    p = t.List(t.Float(min=0.0), [0.05, 0.2, 0.3, 0.25, 0.15, 0.05], minlen=PLACES, maxlen=PLACES).tag(
        sync=True
    )
    q = t.List(t.Float(min=0.0), [0.0, 0.05, 0.15, 0.3, 0.3, 0.2], minlen=PLACES, maxlen=PLACES).tag(
        sync=True
    )
    theta = t.Float(0.6, min=-FAR, max=FAR).tag(sync=True)
    steps = t.Int(400, min=0, max=400).tag(sync=True)

    @t.validate("p", "q")
    def _masses(self, proposal: dict) -> list[float]:
        masses, total = proposal["value"], sum(proposal["value"])
        if not 0 < total < math.inf:
            raise t.TraitError(f"{proposal['trait'].name} needs masses with a positive sum; got {masses}.")
        return masses if abs(total - 1) < 1e-9 else [m / total for m in masses]

    @t.validate("theta")
    def _theta(self, proposal: dict) -> float:
        return round(round(proposal["value"] / CELL) * CELL, 2)

    def laws(self):
        """Places and the masses of both laws on them: three tensors, (n,)."""
        import torch

        if self.mode == "atoms":
            x = torch.arange(1, PLACES + 1, dtype=torch.float64)
            return x, *(torch.tensor(masses, dtype=torch.float64) for masses in (self.p, self.q))
        x = torch.arange(-FAR + CELL / 2, FAR + 1, CELL, dtype=torch.float64)
        return x, *(CELL * ((x - at - 0.5).abs() < 0.5).double() for at in (0.0, self.theta))

    def derived(self) -> dict[str, float]:
        """By formula: ``V`` for max V, ``jsd``, ``kl`` for KL(p, q), ``lk`` for KL(q, p), ``tv``, ``w1``."""
        if self.mode == "uniform":
            far = abs(self.theta)
            jsd, tv, w1 = min(far, 1.0) * math.log(2), min(far, 1.0), far
            kl = lk = math.inf if far else 0.0
        else:
            _, p, q = self.laws()

            def divergence(a, b):
                return (a.xlogy(a) - a.xlogy(b)).sum().item()

            m = (p + q) / 2
            jsd, kl, lk = (divergence(p, m) + divergence(q, m)) / 2, divergence(p, q), divergence(q, p)
            tv, w1 = (p - q).abs().sum().item() / 2, (p - q).cumsum(0).abs().sum().item()
        return dict(zip(NAMES, (-math.log(4) + 2 * jsd, jsd, kl, lk, tv, w1), strict=True))

    def measured(self) -> dict[str, float]:
        """The same by a discriminator that torch trains on ganlib's loss, and by carrying mass."""
        import torch

        from ganlib.objectives import nonsaturating

        x, p, q = self.laws()
        a, none = torch.zeros_like(x, requires_grad=True), torch.full_like(x, 1e3)

        def V():
            return -(p * nonsaturating.d(a, -none) + q * nonsaturating.d(none, a)).sum()

        for _ in range(self.steps):
            (up,) = torch.autograd.grad(V(), a)
            with torch.no_grad():
                a += torch.where(p + q > 0, 4 * up / (p + q), 0)
        with torch.no_grad():
            value = V().item()
            means = (p * a).sum().item(), -(q * a).sum().item(), (p - q)[a > 0].sum().item()
        jsd = (value + math.log(4)) / 2
        return dict(zip(NAMES, (value, jsd, *means, carried(x, p, q)), strict=True))

    @property
    def alt(self) -> str:
        d = self.derived()
        laws = (
            "masses on six places"
            if self.mode == "atoms"
            else f"U[0, 1] and U[{self.theta:g}, {self.theta + 1:g}]"
        )
        return (
            f"Left: {laws}. Right: measured and derived divergences; JSD {d['jsd']:.3f}, KL(p, q) "
            f"{d['kl']:.3g}, KL(q, p) {d['lk']:.3g}, TV {d['tv']:.3f}, W1 {d['w1']:.3f}, max V {d['V']:.3f}."
        )

    def plot(self):
        fig, (left, right) = canvas(2)
        x, p, q = self.laws()
        derived, measured = self.derived(), self.measured()
        if self.mode == "atoms":
            left.bar(x - 0.2, p, 0.38, color=REAL, alpha=0.6, label="data p")
            left.bar(x + 0.2, q, 0.38, color=FAKE, alpha=0.6, label="generator q")
            left.set(xlabel="place", ylabel="mass", ylim=(0, 1.3 * max(p.max(), q.max()).item()))
            names = "JSD", "KL(p, q)", "KL(q, p)", "TV", "W1"
            for i, key in enumerate(NAMES[1:]):
                right.plot(measured[key], i, "o", color=OTHER if key == "w1" else CRITIC)
                if derived[key] < math.inf:
                    right.plot([derived[key]] * 2, [i - 0.35, i + 0.35], "--", color="black", lw=1.2)
                else:
                    right.annotate(
                        "derived: infinite", (measured[key], i), (8, -3), textcoords="offset points"
                    )
            right.set_yticks(range(5), names)
            right.set(xlabel="points measured, dashes derived", xlim=(0, None), ylim=(4.6, -0.6))
        else:
            for at, colour, name in ((0, REAL, "data p"), (self.theta, FAKE, "generator q")):
                left.fill_between([at, at + 1], 1, color=colour, alpha=0.3, lw=0, label=name)
            left.set(xlabel="x", ylabel="density", xlim=(-FAR, FAR + 1), ylim=(0, 1.25))
            ends = [-FAR, -1, 0, 1, FAR]
            for scale, key, colour, name in (
                (None, "w1", OTHER, "W1"),
                (1, "tv", "black", "TV"),
                (math.log(2), "jsd", CRITIC, "JSD"),
            ):
                right.plot(ends, [min(abs(s), 1) * scale if scale else abs(s) for s in ends], "k--", lw=1)
                face, size = ("none", 9) if key == "tv" else (colour, 6)
                right.plot(
                    self.theta, measured[key], "o", mec=colour, mfc=face, ms=size, label=f"{name}, measured"
                )
            right.set(xlabel="theta (dashed: derived)", ylim=(0, 2))
            right.legend(fontsize=7, frameon=False, loc="upper center")
        left.legend(fontsize=7, frameon=False, loc="upper right")
        return fig

    def __repr__(self) -> str:
        if self.mode == "uniform":
            return f"Divergences(U[0, 1], U[{self.theta:g}, {self.theta + 1:g}], {self.steps} steps of D)"
        p, q = ([float(f"{m:.3g}") for m in masses] for masses in (self.p, self.q))
        return f"Divergences(p={p}, q={q}, {self.steps} steps of D)"


def carried(x, p, q) -> float:
    """The cost of carrying p to q, mass times way, the leftmost mass to the leftmost room."""
    cost, loads, rooms = (
        0.0,
        list(zip(x.tolist(), p.tolist(), strict=True)),
        list(zip(x.tolist(), q.tolist(), strict=True)),
    )
    while loads and rooms:
        (source, load), (goal, room) = loads[0], rooms[0]
        m = min(load, room)
        cost += m * abs(source - goal)
        for side, (place, amount) in ((loads, loads[0]), (rooms, rooms[0])):
            side[0] = place, amount - m
            if side[0][1] < 1e-12:
                del side[0]
    return cost
