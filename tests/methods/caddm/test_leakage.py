"""What the figures of leakage and of artifact boxes must hold; how they look was checked by eye."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.methods.caddm.box_figures import plot_artifact_boxes, plot_swaps
from dfworkbench.show.plots.comparison import plot_comparison, plot_measures
from dfworkbench.show.plots.style import ARTIFACT_COLOUR, INK, SERIES

NAN = float("nan")


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def dots(axes, size=6.5):
    return [line for line in axes.lines if line.get_marker() == "o" and line.get_markersize() == size]


def measures():
    return {
        "binary": [Measure("top-1", 0.6, 0.5, 0.7, 0.1), Measure("gap", 0.2, 0.1, 0.3, 0.0)],
        "CADDM": [Measure("top-1", 0.3, 0.2, 0.4, 0.1), Measure("gap", NAN, reason="only fake videos " + "x" * 90)],
    }


def test_measures_have_a_dot_per_detector_and_a_chance_level():
    figure = plot_measures(measures(), "Leakage")
    axes = figure.axes[0]
    assert [line.get_xdata()[0] for line in dots(axes)] == [0.6, 0.2, 0.3]
    assert [to_hex(line.get_color()) for line in dots(axes)] == [c.lower() for c in (SERIES[0], SERIES[0], SERIES[1])]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["top-1", "gap"]
    levels = [line.get_xdata()[0] for line in axes.lines if line.get_color() == INK]
    assert levels == [0.1, 0.0]
    assert "not defined: only fake videos" in words(figure)
    assert "x" * 60 not in words(figure)  # a long reason is cut
    assert {"binary", "CADDM"} <= set(words(figure).split())


def test_measures_below_zero_stay_in_the_chart():
    axes = plot_measures({"a": [Measure("gap", -0.1, -0.3, 0.1, 0.0)]}).axes[0]
    assert axes.get_xlim()[0] < -0.3
    assert "nothing was measured" in words(plot_measures({}))


@pytest.mark.parametrize("detectors", [1, 3, 6])
def test_nothing_of_a_full_figure_is_cut_off_or_overlaps(detectors):
    rows = [Measure(f"identity probe, other video: top-{i}", 0.5, 0.4, 0.6, 0.1) for i in range(8)]
    figure = plot_measures({f"a detector with a name {i}": rows for i in range(detectors)}, "A title", "words below")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    legend, title = axes.get_legend().get_window_extent(), figure._suptitle.get_window_extent()
    assert legend.y1 <= title.y0
    assert legend.y0 >= axes.get_window_extent().y1 - 1
    for box in (legend, title, *[label.get_window_extent() for label in axes.get_yticklabels()]):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def results(seeds=3):
    rows = [
        {
            "detector": d,
            "condition": c,
            "seed": s,
            "value": 0.8 + 0.01 * s,
            "low": 0.7 + 0.01 * s,
            "high": 0.9 + 0.01 * s,
        }
        for d in ("binary", "CADDM")
        for c in ("seen kinds", "unseen kinds", "second set")
        for s in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_comparison_shows_seeds_and_their_mean():
    figure = plot_comparison(results(), "AUC")
    axes = figure.axes[0]
    big, small = dots(axes, 7.5), dots(axes, 3)
    assert [line.get_ydata()[0] for line in big] == pytest.approx([0.81] * 6)
    assert small[0].get_ydata().tolist() == pytest.approx([0.8, 0.81, 0.82])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["seen kinds", "unseen kinds", "second set"]
    assert "small dots: seeds" in words(figure)
    assert axes.get_ylim()[0] < 0.5


def test_comparison_takes_what_is_there():
    one = plot_comparison(results(1))
    assert not dots(one.axes[0], 3)
    assert "seeds" not in words(one)
    table = results(1)
    table.loc[0, ["value", "low", "high"]] = NAN
    assert "not defined" in words(plot_comparison(table))
    assert len(dots(plot_comparison(table.iloc[1:]).axes[0], 7.5)) == 5  # a condition that was not tried has no dot
    assert "nothing was scored" in words(plot_comparison(results().iloc[:0]))
    with pytest.raises(InputError, match="no column low, high; it has detector"):
        plot_comparison(results().drop(columns=["low", "high"]))


def faces(n=3):
    return np.full((n, 32, 32, 3), 120, np.uint8)


def frames(axes):
    return [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]


def test_boxes_are_stronger_with_higher_scores():
    boxes = [[[0.1, 0.1, 0.5, 0.5], [0.4, 0.4, 0.9, 0.9]], [], [[-0.5, -0.5, 1.5, 1.5]]]
    mask = np.zeros((32, 32), bool)
    mask[8:20, 8:20] = True
    figure = plot_artifact_boxes(faces(), boxes, [[0.2, 0.9], [], [0.5]], [mask, None, mask * 255], ["a", "b", "c"])
    weak, strong = frames(figure.axes[0])
    assert weak.get_linewidth() < strong.get_linewidth()
    assert weak.get_alpha() < strong.get_alpha()
    assert strong.get_edgecolor()[:3] == ARTIFACT_COLOUR
    assert (strong.get_x(), strong.get_y()) == (0.4, 0.4)
    assert not frames(figure.axes[1])
    edge = frames(figure.axes[2])[0]
    assert 0 <= edge.get_x() < edge.get_x() + edge.get_width() <= 1
    assert len(figure.axes[0].collections) == len(figure.axes[2].collections) == 1
    assert {"0.20", "0.90", "0.50", "a", "b", "c"} <= set(words(figure).split())


def test_labels_never_overlap_nor_leave_the_picture():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 0.7, (30, 2))
    boxes = np.concatenate([corner, corner + 0.25], axis=1)
    figure = plot_artifact_boxes(faces(1), [boxes], [rng.random(30)], labels=30)
    figure.draw_without_rendering()
    grounds = [p for p in figure.axes[0].patches if p.get_fill()]
    places = np.array([[p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()] for p in grounds])
    assert 5 < len(places) < 30
    assert places.min() >= 0
    assert places.max() <= 1
    for i, a in enumerate(places):
        for b in places[:i]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])
    texts = [t for t in figure.axes[0].texts if t.get_text()]
    for text, ground in zip(texts, grounds, strict=True):
        inner, outer = text.get_window_extent(), ground.get_window_extent()
        assert outer.x0 <= inner.x0
        assert inner.x1 <= outer.x1
    few = plot_artifact_boxes(faces(1), [boxes], [np.linspace(0, 1, 30)], labels=2)
    assert len(few.axes[0].texts) == 2
    assert few.axes[0].texts[0].get_text() == "1.00"


def test_swaps_show_window_mask_and_kind():
    mask = np.zeros((32, 32), np.uint8)
    mask[4:10, 4:20] = 255
    windows = [[0.1, 0.1, 0.6, 0.3], [NAN] * 4, None]
    figure = plot_swaps(faces(), [mask, np.zeros((32, 32)), None], windows, ["partial", "global", "genuine"], columns=2)
    assert [len(frames(axes)) for axes in figure.axes] == [1, 0, 0, 0]
    assert [len(axes.collections) for axes in figure.axes] == [1, 0, 0, 0]
    assert [axes.get_title() for axes in figure.axes[:3]] == ["partial", "global", "genuine"]
    assert frames(figure.axes[0])[0].get_linestyle() != "-"


def test_pictures_must_fit_what_is_drawn_on_them():
    with pytest.raises(InputError, match="3 images and 2 boxes"):
        plot_artifact_boxes(faces(), [[], []], [[], [], []])
    with pytest.raises(InputError, match="3 images and 1 kinds"):
        plot_swaps(faces(), [None] * 3, [None] * 3, ["genuine"])
    with pytest.raises(InputError, match=r"float64 \(32, 32, 3\)"):
        plot_artifact_boxes(faces(1) / 255, [[]], [[]])
    assert "no faces" in words(plot_artifact_boxes([], [], []))
