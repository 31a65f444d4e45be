"""Few files: no interval below `FEWEST` of a class, none of no width, and what shows figures says why."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge
from dfworkbench.evaluation.metrics.bootstrap import FEWEST, interval, interval_of_difference, too_few
from dfworkbench.evaluation.metrics.compare import compare_detectors
from dfworkbench.evaluation.metrics.curve_tables import roc_band
from dfworkbench.evaluation.metrics.evaluate import evaluate, metrics_text
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.notebook.views import auc_sentence, metric_table
from dfworkbench.show.plots.scores import plot_roc, plot_scores


def table(real, fake, *, perfect=False, frames=1, group=lambda label, i: "", seed=0):
    rng, rows = np.random.default_rng(seed), []
    for label, count in ((0, real), (1, fake)):
        for i in range(count):
            rows += [
                {"row_id": f"{label}/{i}/{k}", "video_id": f"{label}/{i}", "label": label, "track": 0, "frame": k,
                 "group": group(label, i), "fake_probability": 0.1 + 0.8 * label if perfect else rng.uniform(0.2 * label, 0.8)}
                for k in range(frames)
            ]  # fmt: skip
    return SCORES.complete(rows)


def the_auc(scores, level="video", **options):
    return evaluate(scores, [level], Judging(draws=100, **options), metrics=["auc"]).iloc[0]


@pytest.mark.parametrize(
    ("real", "fake", "reason"),
    [
        (1, 1, "1 real video: no interval below 5"),
        (FEWEST - 1, 40, "4 real videos: no interval below 5"),
        (40, 2, "2 fake videos: no interval below 5"),
        (FEWEST, FEWEST, ""),
    ],
)
@pytest.mark.parametrize("frames", [1, 20])
def test_files_and_not_rows_are_counted(real, fake, reason, frames):
    row = the_auc(table(real, fake, frames=frames), "frame")
    assert row["reason"] == reason
    assert np.isnan(row["low"]) == np.isnan(row["high"]) == bool(reason)
    assert np.isfinite(row["value"])


def test_groups_are_counted_where_groups_are_drawn():
    few = table(20, 20, group=lambda label, i: f"g{i % 4}")
    assert the_auc(few, unit="group")["reason"] == "4 real groups: no interval below 5"
    assert the_auc(few)["reason"] == ""
    enough = table(20, 20, group=lambda label, i: f"g{i % 5}")
    assert np.isfinite(the_auc(enough, unit="group")["low"])


def test_one_class_alone_needs_its_number():
    fakes = evaluate(table(0, 6), ["video"], metrics=["recall"], judging=Judging(draws=50)).iloc[0]
    assert fakes["reason"] == ""
    assert np.isfinite(fakes["low"])
    assert too_few([1, 1], [0, 1], "file") == "2 fake files: no interval below 5"


def test_no_mistake_is_no_certainty():
    row = the_auc(table(30, 30, perfect=True))
    assert row["value"] == 1
    assert np.isnan(row["low"])
    assert row["reason"] == "all resamplings give the same value: no interval"


def test_the_difference_of_two_that_vary_may_be_nothing():
    first, certain = np.array([0.2, 0.4, 0.3]), np.ones(3)
    assert interval_of_difference(first, first) == (0, 0, "")
    assert np.isnan(interval_of_difference(certain, certain)[0])
    assert interval(np.array([np.nan, np.nan]))[2] == "no resampling holds both classes"


def test_comparing_detectors_on_few_files_has_no_interval_and_no_bootstrap_p():
    got = compare_detectors({"a": table(4, 9), "b": table(4, 9, seed=1)}, judging=Judging(unit="video", draws=50)).iloc[
        0
    ]
    assert np.isnan(got[["low", "high", "bootstrap_p"]].to_numpy(float)).all()
    assert "4 real videos: no interval below 5" in got["notes"]
    assert np.isfinite(got["difference"])


@pytest.mark.parametrize("scores", [table(2, 2), table(1, 9), table(30, 30, perfect=True)])
def test_everything_that_shows_figures_copes(scores):
    metrics = evaluate(scores, ["video"], judging=Judging(draws=50))
    reason = metrics.loc[metrics["metric"] == "auc", "reason"].iloc[0]
    assert reason in metrics_text(metrics)
    assert reason in auc_sentence(metrics)
    assert "nan" not in metrics_text(metrics) + auc_sentence(metrics)
    assert reason in metric_table(metrics)["note"].iloc[0]
    band = roc_band(scores, judging=Judging(draws=50))
    assert band["low"].isna().all()
    assert band["tpr"].notna().all()
    for plot in (plot_roc, plot_scores):
        figure = plot(scores)
        figure.canvas.draw()
        assert not any("nan" in text.get_text() for axes in figure.axes for text in axes.findobj(Text))
        plt.close(figure)


def test_judging_few_files_says_why_and_still_warns_of_a_polarity(tmp_path):
    path = tmp_path / "scores.csv"
    pd.DataFrame({"path": list("abcd"), "label": [0, 0, 1, 1], "score": [0.9, 0.8, 0.1, 0.2]}).to_csv(path, index=False)
    words = str(judge(path, JudgeSettings(draws=100)))
    assert "2 real videos: no interval below 5" in words
    assert "0.000 [0.000, 0.000]" not in words
    assert "below chance" in words
