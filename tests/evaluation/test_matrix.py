"""Cells of the matrix against scikit-learn, and what stands in those that cannot be computed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.leaderboard import LOWER_IS_BETTER
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.matrix import ALL_KINDS, score_matrix
from dfworkbench.show.plots.matrix import SCALES, plot_matrix


def table(seed=0, dataset="demo", kinds=("A", "B"), files=30):
    """Equal file names in every kind, as in FaceForensics++."""
    rng, rows = np.random.default_rng(seed), []
    for kind, shift in [("", 0.0), *((kind, 0.25 * (i + 1)) for i, kind in enumerate(kinds))]:
        for n in range(files):
            video = f"{dataset}/{kind or 'real'}/{n:03d}.mp4"
            probability = float(np.clip(rng.normal(0.3 + shift, 0.2), 0, 1))
            rows.append({
                "row_id": video, "video_id": video, "dataset": dataset, "forgery": kind, "group": f"p{n % 10}",
                "label": int(kind != ""), "track": 0, "frame": 0, "fake_probability": probability,
            })  # fmt: skip
    return SCORES.complete(pd.DataFrame(rows))


def cell(cells, detector="d", dataset="demo", kind=ALL_KINDS):
    found = cells[(cells["detector"] == detector) & (cells["dataset"] == dataset) & (cells["kind"] == kind)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize(("metric", "slow"), [("auc", roc_auc_score), ("average_precision", average_precision_score)])
def test_cells_are_the_metric_of_their_files(metric, slow):
    scores = table()
    cells = score_matrix({"d": scores}, metric=metric, judging=Judging(draws=200))
    for kind in ("A", "B", ALL_KINDS):
        part = scores if kind == ALL_KINDS else scores[scores["forgery"].isin(["", kind])]
        row = cell(cells, kind=kind)
        assert row["value"] == pytest.approx(slow(part["label"], part["fake_probability"]))
        assert row["low"] < row["value"] < row["high"]
        assert (row["n"], row["n_fake"], row["n_real"]) == (len(part), (part["label"] == 1).sum(), 30)


def test_seeds_are_averaged_and_data_sets_stand_apart():
    both = pd.concat([table(1), table(2, "other", ("C",))], ignore_index=True)
    cells = score_matrix({"d": [both, table(3)]}, judging=Judging(draws=50))
    first, second = (roc_auc_score(t["label"], t["fake_probability"]) for t in (table(1), table(3)))
    assert cell(cells)["value"] == pytest.approx((first + second) / 2)
    assert cell(cells)["seeds"] == 2
    assert list(cells["kind"]) == ["A", "B", ALL_KINDS, "C", ALL_KINDS]


def test_a_data_set_that_one_seed_has_not_scored_counts_the_others():
    both = pd.concat([table(1), table(2, "other", ("C",))], ignore_index=True)
    row = cell(score_matrix({"d": [both, table(3)]}, judging=Judging(draws=50)), dataset="other")
    other = table(2, "other", ("C",))
    assert row["value"] == pytest.approx(roc_auc_score(other["label"], other["fake_probability"]))
    assert row["seeds"] == 1


def test_failed_files_count_in_the_coverage_and_as_told():
    scores = table()
    scores.loc[:2, ["fake_probability", "status", "reason"]] = [np.nan, "no_face", "nobody there"]
    assert cell(score_matrix({"d": scores}, judging=Judging(draws=0)))["coverage"] == pytest.approx(87 / 90)
    assert cell(score_matrix({"d": scores}, judging=Judging(draws=0)))["n"] == 87
    assert cell(score_matrix({"d": scores}, judging=Judging(draws=0, missing="as_fake")))["n"] == 90


def test_one_class_says_why():
    row = cell(score_matrix({"d": table(kinds=())}, judging=Judging(draws=50)))
    assert np.isnan(row["value"])
    assert "only real videos" in row["reason"]


def test_a_genuine_person_beside_a_forged_one_belongs_to_that_file():
    scores = table()
    beside = scores[scores["forgery"] == "A"].assign(track=1, label=0, forgery="", fake_probability=0.0)
    beside["row_id"] += "#t1"
    mixed = SCORES.complete(pd.concat([scores, beside], ignore_index=True))
    assert (
        cell(score_matrix({"d": mixed}, judging=Judging(draws=0)), kind="B")["value"]
        == cell(score_matrix({"d": scores}, judging=Judging(draws=0)), kind="B")["value"]
    )


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="no detector was given"):
        score_matrix({})
    with pytest.raises(InputError, match="'d' has no score table"):
        score_matrix({"d": []})
    with pytest.raises(UnknownNameError, match="average_precision"):
        score_matrix({"d": table()}, metric="average_precison")


def test_the_figure_says_what_was_not_run():
    cells = score_matrix({"one": table(1), "two": table(2, "other", ("C",))}, judging=Judging(draws=50))
    words = [text.get_text() for text in plot_matrix(cells).axes[0].texts]
    assert words.count("not run") == 5
    assert f"{cell(cells, 'one', 'demo', 'A')['value']:.3f}" in words
    assert plot_matrix(cells.iloc[:0]).axes[0].texts[0].get_text() == "nothing was scored"
    with pytest.raises(InputError, match="coverage"):
        plot_matrix(cells.drop(columns="coverage"))


def test_intervals_over_videos_or_people_and_the_figure_says_over_which():
    """Ten people with three videos of each kind: where the videos of a person are one and the same, people count, not videos."""
    first = table(files=10)
    copies = [first.assign(**{name: first[name] + f"~{n}" for name in ("row_id", "video_id")}) for n in range(12)]
    scores = {"d": pd.concat(copies, ignore_index=True)}
    by = {unit: cell(score_matrix(scores, judging=Judging(unit=unit, draws=400))) for unit in ("video", "group")}
    assert by["video"]["value"] == by["group"]["value"]
    width = {unit: row["high"] - row["low"] for unit, row in by.items()}
    assert width["group"] > 1.5 * width["video"]
    for unit, words in (("video", "interval over videos"), ("group", "interval over people")):
        assert words in said(plot_matrix(score_matrix(scores, judging=Judging(unit=unit, draws=50))))
    with pytest.raises(ParameterError, match="'video' or 'group'"):
        score_matrix(scores, judging=Judging(unit="videos"))


def said(figure):
    return " ".join(text.get_text() for text in figure.texts)


def inside(figure):
    return [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_dark_is_good_whatever_the_metric(metric):
    good, bad = table(1), table(2)
    good["fake_probability"], bad["fake_probability"] = good["label"].astype(float), 1.0 - bad["label"]
    figure = plot_matrix(score_matrix({"good": good, "bad": bad}, metric=metric, judging=Judging(draws=0)))
    shades = np.asarray(figure.axes[0].images[0].get_array())
    assert shades[0] == pytest.approx(1)
    assert shades[1] == pytest.approx(0)
    lower = " (lower is better)" if metric in LOWER_IS_BETTER else ""
    assert f"{SCALES[metric].words}, video level{lower}; below it: number of files\n" in said(figure)  # no interval


def test_a_metric_is_an_error_in_the_figure_as_in_the_leaderboard():
    assert set(SCALES) == set(METRICS)
    assert {name for name, scale in SCALES.items() if scale.best == 0} == LOWER_IS_BETTER


@pytest.mark.parametrize(
    "metric", ["auc", "average_precision", "balanced_accuracy", "brier", "eer", "log_loss", "partial_auc"]
)
def test_guessing_is_white(metric):
    """The same answer to every file; with two kinds of fakes the AP of that is 1/2 for each, and 2/3 for both."""
    cells = score_matrix({"d": table().assign(fake_probability=0.5)}, metric=metric, judging=Judging(draws=0))
    assert np.asarray(plot_matrix(cells).axes[0].images[0].get_array()) == pytest.approx(0)


def test_coverage_stands_in_every_cell_unless_it_is_whole_everywhere():
    whole, gaps = table(1), table(2)
    gaps.loc[30:32, ["fake_probability", "status"]] = [np.nan, "no_face"]  # of kind A
    assert set(gaps.loc[30:32, "forgery"]) == {"A"}
    figure = plot_matrix(score_matrix({"d": gaps}, judging=Judging(draws=0)))
    assert [words.strip() for words in inside(figure)[1::2]] == ["n = 57, 95%", "n = 60, 100%", "n = 87, 97%"]
    assert "coverage: share of files with a score" in said(figure)
    figure = plot_matrix(score_matrix({"d": whole}, judging=Judging(draws=0)))
    assert [words.strip() for words in inside(figure)[1::2]] == ["n = 60", "n = 60", "n = 90"]
    assert "all files have a score (coverage 100 %)" in said(figure)


def test_one_file_without_score_among_thousands_is_no_full_coverage():
    cells = score_matrix({"d": table()}, judging=Judging(draws=0)).assign(coverage=0.9998)
    figure = plot_matrix(cells)
    assert all("> 99%" in words for words in inside(figure)[1::2])
    assert "coverage 100 %" not in said(figure)
    assert "coverage 100 %" not in said(plot_matrix(cells[:0]))


def test_a_matrix_is_of_one_metric():
    cells = pd.concat(
        [score_matrix({"d": table()}, metric=metric, judging=Judging(draws=0)) for metric in ("auc", "eer")]
    )
    with pytest.raises(InputError, match=r"2 values of metric \(auc, eer\)"):
        plot_matrix(cells)
    frames = score_matrix({"d": table()}, judging=Judging(level="frame", draws=0))
    assert "AUC, frame level; below it: number of frames\nall frames have a score" in said(plot_matrix(frames))


def test_who_always_says_the_commoner_class_is_white_on_unbalanced_files():
    scores = table(kinds=("A", "B", "C", "D"))
    scores["fake_probability"] = 0.9
    for metric in ("accuracy", "aurc", "average_precision", "precision"):
        figure = plot_matrix(score_matrix({"d": scores}, metric=metric, judging=Judging(draws=0)))
        assert np.asarray(figure.axes[0].images[0].get_array())[0, -1] == pytest.approx(0, abs=1e-9), metric
