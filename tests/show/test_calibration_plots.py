"""What the figures of calibration must hold; how they look was checked by eye."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.verdicts import operating_point
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.show.plots.calibration import plot_operating_point, plot_reliability, plot_risk_coverage


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def table(seed=0, n=60, split="val"):
    rng = np.random.default_rng(seed)
    return SCORES.complete(
        [
            {"row_id": f"d/{v}", "video_id": f"d/{v}", "split": split, "label": v % 2, "track": 0, "frame": 0,
             "fake_probability": float(rng.beta(2 + v % 2, 3 - v % 2)), "group": f"g{v}"}
            for v in range(n)
        ]
    )  # fmt: skip


def test_reliability_shows_bins_counts_and_the_error():
    one, two = table(0), table(1, n=40)
    figure = plot_reliability({"raw": one, "Platt": two}, bins=5)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 3  # a strip of counts for each table
    assert [text.get_text() for text in figure.axes[1].texts] == ["12"] * 5
    assert f"raw: calibration error {metric_of('ece', one['label'], one['fake_probability']):.3f}, n = 60" in words(
        figure
    )


def test_risk_coverage_ends_at_the_error_rate():
    scores = table(2)
    figure = plot_risk_coverage(scores)
    wrong = ((scores["fake_probability"] > 0.5) != scores["label"]).mean()
    line = figure.axes[0].lines[0]
    assert line.get_xydata()[-1].tolist() == pytest.approx([1.0, wrong])
    assert f"area {metric_of('aurc', scores['label'], scores['fake_probability']):.3f}" in words(figure)
    assert figure.axes[0].get_ylim()[1] > wrong


def test_an_operating_point_shows_its_thresholds_and_what_they_do():
    point = operating_point(table(3, n=200), 0.1, 0.1)
    new = table(4, split="test")
    figure = plot_operating_point(new, point)
    for axes in figure.axes:
        assert [line.get_xdata()[0] for line in axes.lines] == [point.real_below, point.fake_above]
    reals = new.loc[new["label"] == 0, "fake_probability"]
    assert f"{(reals > point.fake_above).sum()} called fake" in words(figure)
    assert "set on 100 real and 100 fake validation rows" in words(figure)
    assert f"fake above {point.fake_above:.3f} (at most 10.0% of reals)" in words(figure)


def test_rates_that_cannot_be_promised_are_told():
    figure = plot_operating_point(table(5, split="test"), operating_point(table(6, n=20), 0.01, 0.2))
    assert "nothing is called fake: 10 real rows" in words(figure)
    assert all(len(axes.lines) == 1 for axes in figure.axes)


def test_nothing_to_show():
    nothing = table().iloc[:0]
    point = operating_point(table(3))
    for figure in (plot_reliability(nothing), plot_risk_coverage(nothing)):
        assert "no labelled scores" in words(figure)
    assert "no fake row with a score" in words(plot_operating_point(nothing, point))
