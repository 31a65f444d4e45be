"""Figures of likelihood ratios: what they say in words, and where their lines lie."""

import numpy as np
import pytest

from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds, bayes_error, lr_bounds
from dfworkbench.show.plots.likelihood_ratios import LrBar, lr_text, plot_lr_bars, plot_score_place, plot_score_timeline
from dfworkbench.show.plots.lr_validation import plot_bayes_error, plot_cross_entropy, plot_pav, plot_tippett

BANDS = [
    (2.0, "no support for either proposition"),
    (10.0, "weak support"),
    (100.0, "moderate support"),
    (np.inf, "more"),
]
LLR, LABELS = np.array([2, 1, -0.5, -2, -1, 0.3]), np.array([1, 1, 1, 0, 0, 0])


def words(figure):
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))]
    return "\n".join(text for text in texts if text)


def test_a_bar_shows_value_interval_and_what_the_bound_cut():
    bars = [LrBar("person 1", 0.8, 0.3, 1.0, 0.8), LrBar("person 2", 1.0, 0.9, 1.0, 3.0)]
    figure = plot_lr_bars(bars, Bounds(-0.9, 1.0, 20, 20), BANDS)
    text = words(figure)
    for word in ("person 1", "person 2", "weak", "moderate", "1/10", "1,000", "H1", "H2", "before the bound"):
        assert word in text
    drawn = {
        (round(float(x), 6), float(y)) for line in figure.axes[0].lines for x, y in zip(*line.get_data(), strict=True)
    }
    assert {(0.8, 0), (0.3, 0), (1.0, 1), (3.0, 1)} <= drawn


def test_without_a_statement_the_chart_says_so():
    assert "no statement possible" in words(plot_lr_bars([], Bounds(0, 0, 5, 5), BANDS))


def test_powers_of_ten_as_ratios():
    assert [lr_text(power) for power in (-3, -1, 0, 1, 4)] == ["1/1,000", "1/10", "1", "10", "10,000"]


def test_a_tippett_plot_steps_at_every_value():
    figure = plot_tippett(LLR, LABELS)
    assert "33.3% below 1" in words(figure)
    genuine, manipulated = (line for line in figure.axes[0].lines if len(line.get_xdata()) == 5)
    assert manipulated.get_xdata()[1:4].tolist() == [-0.5, 1, 2]
    assert manipulated.get_ydata() == pytest.approx([1, 1, 2 / 3, 1 / 3, 0])
    assert genuine.get_xdata()[1:4].tolist() == [-2, -1, 0.3]


def test_cross_entropy_at_even_odds_is_cllr():
    line = plot_cross_entropy(LLR, LABELS).axes[0].lines[1]
    assert line.get_ydata()[60] == pytest.approx(0.657295533, abs=1e-9)  # by hand


def test_pav_draws_its_finite_points_and_marks_the_others():
    lines = plot_pav(LLR, LABELS).axes[0].lines
    assert lines[1].get_xydata().tolist() == pytest.approx(np.array([[-0.5, 0], [0.3, 0]]))
    assert [len(line.get_xdata()) for line in lines[2:]] == [2, 2]
    assert "separated" in words(plot_pav([-1, -2, 1, 2], [0, 0, 1, 1]))


def test_the_bounds_lie_where_the_bayes_error_crosses_one():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 100)
    llr = rng.normal(np.where(labels == 1, 0.8, -0.8), 0.7)
    found, bounds = bayes_error(llr, labels), lr_bounds(llr, labels)
    inside = (found.thresholds > bounds.low + 1e-9) & (found.thresholds < bounds.high - 1e-9)
    assert (found.ratio[inside] >= 1).all()
    assert {round(float(x), 9) for x in (bounds.low, bounds.high)} <= {
        round(float(line.get_xdata()[0]), 9) for line in plot_bayes_error(llr, labels).axes[0].lines
    }


def test_people_stand_in_the_histograms():
    scores = np.r_[np.linspace(-3, 0, 10), np.linspace(0, 3, 10)]
    figure = plot_score_place((scores, np.repeat([0, 1], 10), np.arange(20)), {"person 1": 1.5, "person 2": 1.6})
    text = words(figure)
    assert all(word in text for word in ("person 1", "person 2", "genuine", "manipulated", "n = 10"))


def test_a_timeline_shows_the_mean_or_says_that_there_is_none():
    assert "mean 2.00" in words(plot_score_timeline([0, 1, 2], [1, 2, 3], 2.0))
    assert "no frame" in words(plot_score_timeline([0, 1], [np.nan, np.nan], np.nan))
