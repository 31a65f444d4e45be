"""What the figures of re-synthesis must hold; how they look was checked by eye."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from dfworkbench.core.errors import InputError
from dfworkbench.methods.resynthesis.figures import (
    plot_error_spectra,
    plot_reconstructions,
    plot_residuals,
)
from dfworkbench.methods.resynthesis.reconstruction import compare_kinds
from dfworkbench.methods.resynthesis.spectra import azimuthal_average, mean_spectra
from dfworkbench.show.plots.style import REAL_COLOUR

RNG = np.random.default_rng(0)
KINDS = np.repeat(["real", "nearest", "bilinear"], 12)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def drawn_lines(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def test_pictures_stand_beside_maps_that_share_a_scale_per_column():
    images = RNG.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    errors = {"pixel": RNG.uniform(0, 0.1, (3, 32, 32)), "stage5": RNG.uniform(0, 7, (3, 2, 2))}
    errors["pixel"][0] /= 10
    figure = plot_reconstructions(images, images[::-1], errors, ["real", "nearest", "bilinear"], title="Errors")
    shown = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(shown) == 3 * 4
    assert np.array_equal(shown[0].get_array(), images[0])
    assert np.array_equal(shown[1].get_array(), images[2])
    for column, name in ((2, "pixel"), (3, "stage5")):
        assert {image.get_clim() for image in shown[column::4]} == {(0.0, float(np.quantile(errors[name], 0.995)))}
    assert {"original", "re-synthesis", "pixel", "stage5", "real", "nearest"} <= set(words(figure).split())
    assert "no images" in words(plot_reconstructions([], [], {}))


def test_pictures_must_fit_their_maps():
    images = RNG.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    with pytest.raises(InputError, match=r"2 images and errors 'pixel' of shape \(3, 8, 8\); expected \(2, h, w\)"):
        plot_reconstructions(images, images, {"pixel": np.zeros((3, 8, 8))})
    with pytest.raises(InputError, match="expected as many"):
        plot_reconstructions(images, images[:1], {})
    with pytest.raises(InputError, match="expected uint8 RGB"):
        plot_reconstructions(images, images / 255, {})


def test_spectra_have_a_line_and_a_band_per_kind():
    spectra = azimuthal_average(RNG.normal(size=(36, 32, 32)))
    table = mean_spectra(spectra, KINDS, np.tile(np.arange(12), 3), draws=50)
    figure = plot_error_spectra({"picture": table, "pixel": table})
    assert len(figure.axes) == 2
    for axes in figure.axes:
        lines = drawn_lines(axes)
        assert len(lines) == len(axes.collections) == 3
        assert lines[0].get_color() == REAL_COLOUR
        assert lines[1].get_ydata() == pytest.approx(table.loc[table["kind"] == "nearest", "value"])
        assert to_hex(lines[1].get_color()) != to_hex(lines[2].get_color()) != to_hex(REAL_COLOUR)
    assert {"real", "nearest", "bilinear", "pixel"} <= set(words(figure).split())
    with pytest.raises(InputError, match="plotting the spectra of 'pixel': the table has no column low, high"):
        plot_error_spectra({"pixel": table.drop(columns=["low", "high"])})
    assert "nothing was measured" in words(plot_error_spectra({}))


def test_mean_errors_have_their_auc_in_the_legend():
    rows = pd.DataFrame({
        "video_id": [f"v{i}" for i in range(36)], "label": (KINDS != "real").astype(int), "kind": KINDS,
        "group": np.tile([f"g{i}" for i in range(12)], 3), "residual_pixel": RNG.uniform(0, 1, 36),
    })  # fmt: skip
    rows.loc[KINDS == "nearest", "residual_pixel"] += 2
    comparison = compare_kinds(rows, "residual_pixel", draws=50)
    figure = plot_residuals(rows, comparison)
    text = words(figure)
    assert "nearest (n = 12): AUC 1.00" in text
    assert "[1.00, 1.00]" not in text  # an interval of no width says that it is certain
    auc = comparison.set_index("kind").loc["all generated", "auc"]
    assert f"all generated (n = 24): AUC {auc:.2f} [" in text
    assert "real (n = 12)" in text
    outlines = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert len(outlines) == 3
    for patch in outlines:
        assert patch.get_data().values.sum() == pytest.approx(1)
    few = rows.assign(group="one")
    assert ": AUC 1.00  " not in words(plot_residuals(few, compare_kinds(few, "residual_pixel")))
    assert "nothing was measured" in words(plot_residuals(rows[:0], comparison[:0]))
    with pytest.raises(InputError, match="no column residual_stage5"):
        plot_residuals(rows, comparison, "residual_stage5")
