"""Cells of the matrix against scikit-learn, and what stands in those that cannot be computed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dfworkbench.analysis.matrix import ALL_KINDS, score_matrix
from dfworkbench.errors import InputError, UnknownNameError
from dfworkbench.plots.matrix import plot_matrix
from dfworkbench.tables import SCORES


def table(seed=0, dataset="demo", kinds=("A", "B"), files=30):
    """Equal file names in every kind, as in FaceForensics++."""
    rng, rows = np.random.default_rng(seed), []
    for kind, shift in [("", 0.0), *((kind, 0.25 * (i + 1)) for i, kind in enumerate(kinds))]:
        for n in range(files):
            video = f"{dataset}/{kind or 'real'}/{n:03d}.mp4"
            probability = float(np.clip(rng.normal(0.3 + shift, 0.2), 0, 1))
            rows.append({
                "row_id": video, "video_id": video, "dataset": dataset, "method": kind, "group": f"p{n % 10}",
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
    cells = score_matrix({"d": scores}, metric=metric, draws=200)
    for kind in ("A", "B", ALL_KINDS):
        part = scores if kind == ALL_KINDS else scores[scores["method"].isin(["", kind])]
        row = cell(cells, kind=kind)
        assert row["value"] == pytest.approx(slow(part["label"], part["fake_probability"]))
        assert row["low"] < row["value"] < row["high"]
        assert (row["n"], row["n_fake"], row["n_real"]) == (len(part), (part["label"] == 1).sum(), 30)


def test_seeds_are_averaged_and_data_sets_stand_apart():
    both = pd.concat([table(1), table(2, "other", ("C",))], ignore_index=True)
    cells = score_matrix({"d": [both, table(3)]}, draws=50)
    first, second = (roc_auc_score(t["label"], t["fake_probability"]) for t in (table(1), table(3)))
    assert cell(cells)["value"] == pytest.approx((first + second) / 2)
    assert cell(cells)["seeds"] == 2
    assert list(cells["kind"]) == ["A", "B", ALL_KINDS, "C", ALL_KINDS]


def test_a_data_set_that_one_seed_has_not_scored_counts_the_others():
    both = pd.concat([table(1), table(2, "other", ("C",))], ignore_index=True)
    row = cell(score_matrix({"d": [both, table(3)]}, draws=50), dataset="other")
    other = table(2, "other", ("C",))
    assert row["value"] == pytest.approx(roc_auc_score(other["label"], other["fake_probability"]))
    assert row["seeds"] == 1


def test_failed_files_count_in_the_coverage_and_as_told():
    scores = table()
    scores.loc[:2, ["fake_probability", "status", "reason"]] = [np.nan, "no_face", "nobody there"]
    assert cell(score_matrix({"d": scores}, draws=0))["coverage"] == pytest.approx(87 / 90)
    assert cell(score_matrix({"d": scores}, draws=0))["n"] == 87
    assert cell(score_matrix({"d": scores}, draws=0, missing="as_fake"))["n"] == 90


def test_one_class_says_why():
    row = cell(score_matrix({"d": table(kinds=())}, draws=50))
    assert np.isnan(row["value"])
    assert "only real videos" in row["reason"]


def test_a_genuine_person_beside_a_forged_one_belongs_to_that_file():
    scores = table()
    beside = scores[scores["method"] == "A"].assign(track=1, label=0, method="", fake_probability=0.0)
    beside["row_id"] += "#t1"
    mixed = SCORES.complete(pd.concat([scores, beside], ignore_index=True))
    assert (
        cell(score_matrix({"d": mixed}, draws=0), kind="B")["value"]
        == cell(score_matrix({"d": scores}, draws=0), kind="B")["value"]
    )


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="no detector was given"):
        score_matrix({})
    with pytest.raises(InputError, match="'d' has no score table"):
        score_matrix({"d": []})
    with pytest.raises(UnknownNameError, match="average_precision"):
        score_matrix({"d": table()}, metric="average_precison")


def test_the_figure_says_what_was_not_run():
    cells = score_matrix({"one": table(1), "two": table(2, "other", ("C",))}, draws=50)
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
    by = {unit: cell(score_matrix(scores, unit=unit, draws=400)) for unit in ("video", "group")}
    assert by["video"]["value"] == by["group"]["value"]
    width = {unit: row["high"] - row["low"] for unit, row in by.items()}
    assert width["group"] > 1.5 * width["video"]
    for unit, words in (("video", "interval over videos"), ("group", "interval over people")):
        figure = plot_matrix(score_matrix(scores, unit=unit, draws=50))
        said = " ".join(text.get_text() for text in figure.texts)
        assert words in said
        assert "coverage 100 %" in said


def test_errors_are_shaded_the_other_way_round_and_gaps_in_coverage_are_written():
    good, bad = table(1), table(2)
    good["fake_probability"] = good["label"] * 0.8 + 0.1
    bad["fake_probability"] = 0.9 - bad["label"] * 0.8
    bad.loc[:2, ["fake_probability", "status"]] = [np.nan, "no_face"]
    shades = {}
    for metric, best in (("auc", 1.0), ("eer", 0.0)):
        figure = plot_matrix(score_matrix({"good": good, "bad": bad}, metric=metric, draws=0), metric, best=best)
        shades[metric] = np.asarray(figure.axes[0].images[0].get_array())
        said = [text.get_text() for text in figure.axes[0].texts]
        assert any("n = 87, 97%" in words for words in said)
        assert "share of files with a score, if not all" in " ".join(text.get_text() for text in figure.texts)
    assert (shades["auc"] == shades["eer"]).all()
    assert (shades["auc"] == [[1, 1, 1], [0, 0, 0]]).all()
