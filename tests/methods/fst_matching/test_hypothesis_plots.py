"""What the figures of the hypotheses must hold; how they look was checked by eye."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.explain.overlap import cell_masks, union_maps, unit_maps
from dfworkbench.methods.fst_matching.face_figures import (
    COMBINED_COLOURS,
    HIDDEN,
    plot_map,
    plot_overlap,
    plot_relevant_cells,
)
from dfworkbench.methods.fst_matching.figures import plot_overlap_curve, plot_pairing, plot_stability
from dfworkbench.methods.fst_matching.hypothesis1 import overlap_study
from dfworkbench.methods.fst_matching.hypothesis2 import pairing_study
from dfworkbench.methods.fst_matching.hypothesis3 import CORRECTED
from dfworkbench.show.plots.style import SERIES

NAN = float("nan")


def by_name(carrier, donor, detector):
    return {"carrier": carrier, "donor": donor, "detector": detector}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def faces(n=2, size=32):
    return np.random.default_rng(0).integers(0, 200, (n, size, size, 3), dtype=np.uint8)


def maps(n=2, side=4, stacks=3):
    return np.random.default_rng(1).standard_normal((stacks, n, side, side))


def pictures(figure):
    return [axes.images[-1] for axes in figure.axes if axes.images]


def unused_ticks(figure):
    """Labels that matplotlib keeps beyond the ends of an axis; they are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            yield from (id(tick.label1) for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high)


def inside(figure):
    """All words lie within the figure."""
    figure.draw_without_rendering()
    unused = set(unused_ticks(figure))
    for text in figure.findobj(mpl.text.Text):
        box = text.get_window_extent()
        if text.get_text() and text.get_visible() and box.width and id(text) not in unused:
            assert box.x0 >= -1, text
            assert box.x1 <= figure.bbox.width + 1, text
            assert box.y0 >= -1, text
            assert box.y1 <= figure.bbox.height + 1, text


def test_five_panels_with_fixed_ranges():
    a, b, d = maps(side=16)
    figure = plot_overlap(faces(), by_name(a, b, d), ["Deepfakes 1", "FaceSwap 2"], title="Cells")
    shown = pictures(figure)[:10]
    for row in range(2):
        for column, given in enumerate((a, b, d), 1):
            image = shown[5 * row + column]
            np.testing.assert_allclose(image.get_array(), unit_maps(given)[row])
            assert image.get_clim() == pytest.approx((-0.2, 0.2))
    union = cell_masks(union_maps(unit_maps(a), unit_maps(b)), 0.8)
    expected = union + 2 * cell_masks(d, 0.8)
    np.testing.assert_array_equal(shown[4].get_array(), expected[0])
    assert set(words(figure).split()) >= {"Cells", "carrier", "donor", "detector", "both", "neither", "FaceSwap"}
    inside(figure)


def test_colours_of_the_combined_map_do_not_shift():
    """The released code shows other colours where no cell matters to both."""
    source, other = np.zeros((1, 4, 4)), np.zeros((1, 4, 4))
    source[0, 0, :2], other[0, 3, :2] = (2, 1), (2, 1)
    image = pictures(plot_overlap(faces(1), by_name(source, source, other)))[4]
    colours = image.cmap(image.norm(np.array([0, 1, 2, 3])))[:, :3]
    np.testing.assert_allclose(colours, [to_rgb(c) for c in COMBINED_COLOURS])
    assert set(np.unique(image.get_array())) == {0, 1, 2}
    assert image.get_clim() == (-0.5, 3.5)


def test_maps_of_zeros_are_said_and_other_grids_have_their_range():
    a, b, d = maps(side=8)
    d[0] = 0
    figure = plot_overlap(faces(), by_name(a, b, d))
    assert "0 everywhere" in words(figure)
    assert pictures(figure)[1].get_clim() == pytest.approx((-0.4, 0.4))
    assert pictures(plot_overlap(faces(), by_name(a, b, d), limit=0.3))[1].get_clim() == (-0.3, 0.3)


def test_hidden_cells_are_grey():
    a, b, d = maps()
    crops = faces()
    figure = plot_relevant_cells(crops, by_name(a, b, d), ["one", "two"], tau=0.5)
    face, people, detector = (image.get_array() for image in pictures(figure)[:3])
    np.testing.assert_array_equal(face, crops[0])
    kept = np.kron(cell_masks(union_maps(unit_maps(a), unit_maps(b)), 0.5)[0], np.ones((8, 8))) > 0
    np.testing.assert_array_equal(people[kept], crops[0][kept])
    assert (people[~kept] == HIDDEN).all()
    kept = np.kron(cell_masks(d, 0.5)[0], np.ones((8, 8))) > 0
    assert (detector[~kept] == HIDDEN).all()
    assert (detector[kept] == crops[0][kept]).all()
    assert "grey: cells below the highest 50 %" in words(figure)
    inside(figure)
    uneven = plot_relevant_cells(faces(3, 30), by_name(*maps(3)), columns=2)  # 30 pixels, 4 cells
    assert len(pictures(uneven)) == 9


def test_no_images():
    none = np.zeros((0, 4, 4))
    assert "no images" in words(plot_overlap([], by_name(none, none, none)))
    assert "no images" in words(plot_relevant_cells([], by_name(none, none, none)))


def test_wrong_pictures_and_maps_are_refused():
    a, b, d = maps()
    with pytest.raises(InputError, match=r"2 images and maps carrier \(1, 4, 4\)"):
        plot_overlap(faces(), {"carrier": a[:1], "donor": b[:1], "detector": d[:1]})
    with pytest.raises(InputError, match="2 images and 1 titles"):
        plot_relevant_cells(faces(), by_name(a, b, d), ["one"])
    with pytest.raises(InputError, match="expected uint8 RGB"):
        plot_overlap(faces() / 255, by_name(a, b, d))
    with pytest.raises(ParameterError, match=r"the thresholds are 1\.0"):
        plot_overlap(faces(), by_name(a, b, d), tau=1.0)
    with pytest.raises(InputError, match=r"got a map \(2, 4, 4\)"):
        plot_map(faces()[0], a)
    with pytest.raises(InputError, match=r"standard errors \(4,\)"):
        plot_map(faces()[0], a[0], a[0, 0])


def test_a_map_over_a_face():
    values = np.array([[4.0, -4], [0.1, 0]])
    figure = plot_map(faces()[0], values, np.full((2, 2), 0.5), limit=4, title="Detector")
    over = figure.axes[1].images[1].get_array()
    assert over[0, 0, 0] > over[0, 0, 2]  # red speaks for the class
    assert over[0, 1, 2] > over[0, 1, 0]
    assert over[..., 3].ravel().tolist() == pytest.approx([0.8, 0.8, 0.8 * (0.1 / 4) ** 0.7, 0])
    sure = figure.axes[2].images[1].get_array()
    assert sure[1, 0, 3] == 0
    assert "relative standard error 17.7 %" in words(figure)
    inside(figure)
    assert len(pictures(plot_map(faces()[0], values))) == 2
    plot_map(faces()[0], np.zeros((2, 2))).draw_without_rendering()


def pairing():
    return pairing_study(dict(zip(("carrier", "donor", "paired", "unpaired"), maps(10, stacks=4), strict=True))).curves


def test_pairing_shows_both_curves_and_their_difference():
    curves = pairing()
    figure = plot_pairing(curves, ("q", "q_area"), "Pairing")
    for column, form in enumerate(("q", "q_area")):
        for axes, kinds in ((figure.axes[column], ("paired", "unpaired")), (figure.axes[2 + column], ("difference",))):
            for kind, line in zip(kinds, axes.lines, strict=False):
                part = curves[(curves["kind"] == kind) & (curves["form"] == form)]
                np.testing.assert_allclose(line.get_ydata(), part["value"])
            assert len(axes.collections) == len(kinds)
    colours = [to_hex(line.get_color()) for line in figure.axes[0].lines[:2]]
    assert colours == [SERIES[0].lower(), SERIES[1].lower()]
    assert {"paired", "unpaired", "Pairing"} <= set(words(figure).split())
    inside(figure)
    with pytest.raises(InputError, match="no column kind; it has"):
        plot_pairing(curves.drop(columns="kind"))


def test_the_curve_lies_beside_its_null():
    curve = overlap_study(by_name(*maps(10)), permutations=19).curve
    figure = plot_overlap_curve(curve, title="Q")
    null, line = figure.axes[1].lines[:2]
    part = curve[curve["form"] == "q_area"]
    np.testing.assert_allclose(null.get_ydata(), part["null"])
    np.testing.assert_allclose(line.get_ydata(), part["value"])
    inside(figure)
    with pytest.raises(InputError, match="hypothesis 1: the table has no column null"):
        plot_overlap_curve(pairing())


def test_stability_has_a_dot_and_a_null_per_model():
    names = ("delta, as published", "delta, centred", CORRECTED)
    rows = {
        "carrier encoder": [Measure(names[0], 0.9, 0.85, 0.95, 0.8), Measure(names[1], 0.6, 0.5, 0.7, 0.0)],
        "detector": [Measure(names[0], 0.7, 0.6, 0.8, 0.75), Measure(CORRECTED, NAN, reason="no errors " + "x" * 120)],
    }
    figure = plot_stability(rows, title="Stability")
    axes = figure.axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in dots] == [0.9, 0.6, 0.7]
    assert [to_hex(line.get_color()) for line in dots] == [c.lower() for c in (SERIES[0], SERIES[0], SERIES[1])]
    levels = [line.get_xdata()[0] for line in axes.lines if line.get_linewidth() == 2]
    assert levels == [0.8, 0.0, 0.75]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(names)
    assert "not defined: no errors" in words(figure)
    assert "x" * 100 not in words(figure)
    inside(figure)
    assert axes.get_legend().get_window_extent().y1 <= figure._suptitle.get_window_extent().y0
    assert "nothing was measured" in words(plot_stability({}))
