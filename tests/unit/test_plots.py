"""What stands behind the axes: figures are compared by their data, never by their pixels."""

import io
import math

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from ganlib import plots
from ganlib.data import gaussian_ring

mpl.use("Agg")


@pytest.fixture(autouse=True)
def house_style():
    with mpl.rc_context():
        plots.use_style()
        yield
        plt.close("all")


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def png(figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def lines(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def test_grid_puts_each_image_in_its_place():
    images = torch.linspace(-1, 1, 7).view(7, 1, 1, 1).expand(7, 1, 28, 28)
    sheet = plots.grid(images, nrow=3).axes[0].images[0].get_array()
    assert sheet.shape == (3 * 28, 3 * 28)
    tiles = sheet.reshape(3, 28, 3, 28).transpose(0, 2, 1, 3).reshape(9, -1)
    assert np.ptp(tiles, axis=1).max() == 0, "no image is cut"
    np.testing.assert_allclose(tiles[:7, 0], torch.linspace(-1, 1, 7), atol=1e-6)
    assert (tiles[7:] == -1).all(), "what is left of the last row is background"
    assert tiles[1, 0] != tiles[3, 0], "the control: row by row, not column by column"


def test_grid_draws_uint8_alike():
    images = torch.randint(256, (4, 28, 28), generator=rng(), dtype=torch.uint8)
    as_bytes, as_floats = plots.grid(images), plots.grid(images[:, None] / 127.5 - 1)
    a, b = (figure.axes[0].images[0] for figure in (as_bytes, as_floats))
    np.testing.assert_allclose(a.get_array(), b.get_array(), atol=1e-6)
    assert a.get_clim() == (-1, 1), "not stretched to the darkest pixel"


def test_grid_heads_its_columns():
    figure = plots.grid(torch.zeros(20, 1, 28, 28), nrow=10, columns=range(10), title="ten classes")
    texts = [(text.get_text(), text.get_position()[0]) for text in figure.axes[0].texts]
    assert texts == [(str(digit), 28 * digit + 14) for digit in range(10)]
    assert figure.axes[0].get_title(loc="left") == "ten classes"


def test_grid_draws_into_given_axes():
    figure, axes = plt.subplots(1, 2)
    assert plots.grid(torch.zeros(4, 1, 28, 28), 2, ax=axes[1]) is figure
    assert [len(ax.images) for ax in axes] == [0, 1]


@pytest.mark.parametrize("shape", [(0, 1, 28, 28), (3, 28, 28), (3, 3, 28, 28), (28, 28)])
def test_grid_refuses_what_is_no_image(shape):
    with pytest.raises(ValueError, match="expected \\(N, 1, H, W\\)"):
        plots.grid(torch.zeros(shape))


def test_losses_show_running_mean_and_range():
    value = np.random.default_rng(0).normal(size=200)
    history = [(i + 1, {"D": v, "G": 2 * v}) for i, v in enumerate(value)]
    ax = plots.losses(history, smooth=11, lines={"log 4": math.log(4)})
    drawn = lines(ax)
    mean = drawn["D"]
    assert mean[0, 0] == 6, "the mean of steps 1 to 11 stands at step 6"
    np.testing.assert_allclose(mean[0, 1], value[:11].mean())
    np.testing.assert_allclose(mean[-1], [195, value[-11:].mean()])
    np.testing.assert_allclose(drawn["G"][:, 1], 2 * mean[:, 1])
    band = ax.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (value.min(), value.max()), "no raw value is hidden"
    assert drawn["log 4"][:, 1].tolist() == [math.log(4)] * 2
    colours = {line.get_label(): line.get_color() for line in ax.lines}
    assert (colours["D"], colours["G"], colours["log 4"]) == (plots.CRITIC, plots.FAKE, plots.DERIVED)
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_losses_of_few_steps_and_of_none():
    assert len(lines(plots.losses([(1, {"Q": 0.5})]))["Q"]) == 1
    with pytest.raises(ValueError, match="empty"):
        plots.losses([])


def test_histogram_is_a_density():
    samples = torch.randn(20_000, generator=rng())
    ax = plots.density_1d(torch.linspace(-6, 6, 100), real=samples)
    height, edges, _ = ax.patches[0].get_data()
    assert (height * np.diff(edges)).sum() == pytest.approx(1)
    ax = plots.density_1d(torch.linspace(0, 6, 100), real=samples)
    height, edges, _ = ax.patches[0].get_data()
    half = (samples >= 0).double().mean().item()
    assert (height * np.diff(edges)).sum() == pytest.approx(half), "samples outside the range still count"


def test_discriminator_has_its_own_axis():
    x = torch.linspace(-1, 1, 21)
    ax = plots.density_1d(
        x,
        real=lambda x: 1 - x.abs(),
        fake=lambda x: x.abs(),
        discriminator=torch.sigmoid,
        derived=torch.sigmoid,
    )
    right = ax.figure.axes[-1]
    assert right is not ax
    np.testing.assert_allclose(lines(ax)["data"][:, 1], 1 - x.abs())
    np.testing.assert_allclose(lines(ax)["generator"][:, 1], x.abs())
    np.testing.assert_allclose(lines(right)["discriminator"][:, 1], torch.sigmoid(x))
    assert [t.get_text() for t in right.get_legend().get_texts()] == [
        "data",
        "generator",
        "discriminator",
        "derived",
    ]
    assert right.get_ylim()[0] == 0, "D(x) is read from 0"


def test_plane_is_not_transposed():
    def log_prob(x):  # one hill at (2, -1)
        return -(x - torch.tensor([2.0, -1.0])).square().sum(1)

    ax = plots.density_2d(log_prob=log_prob, limit=3)
    image = ax.images[0]
    row, column = np.unravel_index(image.get_array().argmax(), image.get_array().shape)
    left, right, bottom, top = image.get_extent()
    assert image.origin == "lower"
    assert left + (right - left) * column / 159 == pytest.approx(2, abs=0.05)
    assert bottom + (top - bottom) * row / 159 == pytest.approx(-1, abs=0.05)


def test_plane_shows_the_samples():
    ring = gaussian_ring()
    real, fake = ring.sample(50, rng()), ring.sample(60, rng(1))
    ax = plots.density_2d(real=real, fake=fake, log_prob=ring.log_prob)
    a, b = ax.collections
    np.testing.assert_allclose(a.get_offsets(), real)
    np.testing.assert_allclose(b.get_offsets(), fake)
    assert ax.get_aspect() == 1


def test_measured_stand_beside_derived():
    ax = plots.measured_vs_derived([0, 1, 2], [0.1, 0.9, 4.2], torch.square, xlabel="x", ylabel="y")
    drawn = lines(ax)
    np.testing.assert_allclose(drawn["measured"], [[0, 0.1], [1, 0.9], [2, 4.2]])
    np.testing.assert_allclose(drawn["derived"][:, 1], drawn["derived"][:, 0] ** 2)
    assert len(drawn["derived"]) == 200
    ax = plots.measured_vs_derived([0, 1, 2], [0, 1, 4], [0, 1, 5], xlabel="x", ylabel="y")
    assert lines(ax)["derived"][:, 1].tolist() == [0, 1, 5]
    styles = {line.get_label(): (line.get_linestyle(), line.get_color()) for line in ax.lines}
    assert styles["derived"] == ("--", plots.DERIVED)


def test_figures_have_a_white_ground_and_are_small():
    """Also where the surrounding style is dark."""
    digits = (torch.rand(100, 1, 28, 28, generator=rng()) > 0.8) * torch.rand(
        100, 1, 28, 28, generator=rng(1)
    ) * 2 - 1
    noise = np.random.default_rng(0).normal(size=(2_000, 2))
    ring = gaussian_ring()
    drawn = [
        plots.grid(digits),
        plots.losses([(i, {"D": d, "G": g}) for i, (d, g) in enumerate(noise)]).figure,
        plots.density_2d(
            real=ring.sample(1_000, rng()), fake=ring.sample(1_000, rng()), log_prob=ring.log_prob
        ).figure,
    ]
    for figure in drawn:
        blob = png(figure)
        corner = plt.imread(io.BytesIO(blob))[0, 0]
        assert corner.tolist()[-1] == 1, "not transparent"
        assert figure.get_facecolor() == (1, 1, 1, 1)
        assert len(blob) < 80_000


def luminance(colour: str) -> float:
    rgb = np.array(mpl.colors.to_rgb(colour))
    return np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def test_roles_can_be_seen_on_white():
    """WCAG asks graphics for a contrast of 3 to 1."""

    def contrast(colour: str) -> float:
        return 1.05 / (luminance(colour) + 0.05)

    assert min(map(contrast, (plots.REAL, plots.FAKE, plots.CRITIC, plots.DERIVED))) >= 3
    assert contrast("#F0E442") < 3, "the control: the palette's yellow would fail"
