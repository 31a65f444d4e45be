import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from dfworkbench.core.errors import InputError, ParameterError, TableError, UnknownNameError
from dfworkbench.datasets.audit.leak_note import with_note
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics import evaluate as m
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.curve_tables import roc_band
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.interval import Judging


def random_scores(seed, n=200, ties=False):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = np.clip(rng.normal(0.4 + 0.15 * labels, 0.2), 0, 1)
    return labels, np.round(scores, 1) if ties else scores


def score_table(seed=0, videos=30, faces=6, ties=False):
    """A table of random scores; some videos have two tracks, and their faces resemble one another."""
    rng = np.random.default_rng(seed)
    rows = []
    for v in range(videos):
        label, mean = v % 2, rng.normal(0.4 + 0.2 * (v % 2), 0.15)
        for f in range(faces):
            p = float(np.clip(rng.normal(mean, 0.1), 0, 1))
            rows.append(
                {
                    "row_id": f"d/{v}.mp4#{f}", "video_id": f"d/{v}.mp4", "label": label, "track": f % (1 + v % 3 // 2),
                    "frame": f, "fake_probability": round(p, 1) if ties else p, "group": f"g{v // 3}",
                }
            )  # fmt: skip
    return SCORES.complete(rows)


def sk_eer(labels, scores):
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    gap = 1 - tpr - fpr
    k = int(np.argmax(gap <= 0))
    part = gap[k - 1] / (gap[k - 1] - gap[k])
    return fpr[k - 1] + part * (fpr[k] - fpr[k - 1])


REFERENCE = {
    "accuracy": lambda y, p: sk.accuracy_score(y, p > 0.5),
    "auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "balanced_accuracy": lambda y, p: sk.balanced_accuracy_score(y, p > 0.5),
    "eer": sk_eer,
    "f1": lambda y, p: sk.f1_score(y, p > 0.5),
    "precision": lambda y, p: sk.precision_score(y, p > 0.5),
    "recall": lambda y, p: sk.recall_score(y, p > 0.5),
}


@pytest.mark.parametrize("name", sorted(REFERENCE))
@pytest.mark.parametrize("ties", [False, True])
def test_every_metric_equals_scikit_learn(name, ties):
    for seed in range(25):
        labels, scores = random_scores(seed, ties=ties, n=20 + 10 * seed)
        assert m.metric_of(name, labels, scores) == pytest.approx(REFERENCE[name](labels, scores), abs=1e-12)


def test_names_of_precision_recall_and_f1():
    """The card's ancestor printed recall as F1; these tables tell the three apart (spec dfforensics, check 12)."""
    names = ("precision", "recall", "f1", "accuracy")
    y, p = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert [m.metric_of(name, y, p) for name in names] == [0.75, 0.75, 0.75, 0.8]
    y, p = [1, 1, 1, 0], [0.9, 0.2, 0.1, 0.1]
    assert [m.metric_of(name, y, p) for name in names[:3]] == [1.0, pytest.approx(1 / 3), 0.5]


def test_closed_forms():
    assert m.metric_of("auc", [0, 1], [0.5, 0.5]) == 0.5
    assert m.metric_of("auc", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 1.0
    assert m.metric_of("eer", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0.0
    assert m.metric_of("eer", [1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]) == 1.0
    assert m.metric_of("eer", [0, 1], [0.3, 0.3]) == 0.5


@pytest.mark.parametrize("labels", [[0, 2], [0, -1]])
def test_labels_must_be_real_or_fake(labels):
    with pytest.raises(InputError, match="0 \\(real\\) or 1 \\(fake\\)"):
        m.metric_of("auc", labels, [0.1, 0.2])


def by_hand(table, level, name, counts):
    """The slow reference: each draw as a real table with repeated videos, judged by scikit-learn."""
    out, videos = [], []
    for _, rows in table.groupby("video_id"):
        tracks = list(rows.groupby("track")["fake_probability"].mean())
        values = {"frame": list(rows["fake_probability"]), "track": tracks, "video": [max(tracks)]}[level]
        videos.append((int(rows["label"].iloc[0]), values))
    for draw in counts:
        y, p = [], []
        for (label, values), times in zip(videos, draw, strict=True):
            y += [label] * (len(values) * int(times))
            p += values * int(times)
        if len(set(y)) == 2:
            out.append(REFERENCE[name](np.array(y), np.array(p)))
    return np.quantile(out, [0.025, 0.975])


@pytest.mark.parametrize("level", ["frame", "track", "video"])
@pytest.mark.parametrize("ties", [False, True])
def test_bootstrap_equals_a_slow_one_with_the_same_draws(level, ties):
    table = score_table(3, videos=14, ties=ties)
    names = ("auc", "eer", "average_precision", "accuracy", "balanced_accuracy", "recall", "f1")
    got = m.evaluate(table, [level], metrics=names, judging=Judging(draws=40, seed=5))
    counts = draw_counts(14, 40, seed=5)
    for row in got.itertuples():
        low, high = by_hand(table, level, row.metric, counts)
        if high == low:  # all draws are alike, which is no certainty
            assert np.isnan(row.low)
            assert "all resamplings give the same value" in row.reason
        else:
            assert (row.low, row.high) == pytest.approx((low, high), abs=1e-12)


def test_draws_are_resamplings_with_replacement():
    counts = draw_counts(50, 400, seed=1)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert (draw_counts(50, 400, seed=1) == counts).all()
    assert not (draw_counts(50, 400, seed=2) == counts).all()


def test_frames_of_one_video_are_drawn_together():
    """Copying every frame ten times adds no information, so it must not narrow the interval."""
    table = score_table(0, videos=40)
    copies = pd.concat([table.assign(row_id=table["row_id"] + f"_{i}") for i in range(10)], ignore_index=True)
    once, often = (m.evaluate(t, ["frame"], metrics=["auc"], judging=Judging(draws=200)) for t in (table, copies))
    pd.testing.assert_frame_equal(once[["value", "low", "high"]], often[["value", "low", "high"]])
    assert often["n"][0] == 10 * once["n"][0]


def test_counts_and_columns():
    out = m.evaluate(score_table(), judging=Judging(draws=20))
    video = out[(out["level"] == "video") & (out["metric"] == "auc")].iloc[0]
    assert (video["n"], video["n_fake"], video["n_real"], video["videos"], video["coverage"]) == (30, 15, 15, 30, 1.0)
    frame = out[(out["level"] == "frame") & (out["metric"] == "auc")].iloc[0]
    assert (frame["n"], frame["videos"]) == (180, 30)
    assert ((out["low"] <= out["value"]) & (out["value"] <= out["high"])).all()


def missing_table():
    table = score_table(1, videos=10)
    table.loc[table["video_id"] == "d/1.mp4", ["status", "reason", "fake_probability"]] = ["no_face", "nobody", np.nan]
    return table


@pytest.mark.parametrize(("policy", "value"), [("as_chance", 0.5), ("as_real", 0.0), ("as_fake", 1.0)])
def test_missing_rows_count_as_told(policy, value):
    table = missing_table()
    filled = table.assign(fake_probability=table["fake_probability"].fillna(value), status="ok")
    got, expected = (
        m.evaluate(table, judging=Judging(missing=policy, draws=30)),
        m.evaluate(filled, judging=Judging(draws=30)),
    )
    columns = ["level", "metric", "value", "low", "high", "n", "n_fake", "videos"]
    pd.testing.assert_frame_equal(got[columns], expected[columns])
    assert (got.loc[got["level"] != "track", "coverage"] == 0.9).all()
    assert got.loc[got["level"] == "track", "coverage"].iloc[0] == pytest.approx(
        12 / 13
    )  # two people in every third file


def test_dropped_rows_lower_the_coverage_and_the_count():
    got = m.evaluate(missing_table(), ["video"], judging=Judging(draws=0))
    assert set(got["n"]) == {9}
    assert set(got["coverage"]) == {0.9}
    assert "coverage 90.0%" in m.metrics_text(got)


def test_rows_without_label_take_no_part():
    table = score_table(2)
    extra = table.iloc[:6].assign(label=-1, video_id="d/unknown.mp4", row_id=[f"u{i}" for i in range(6)])
    both = pd.concat([table, extra], ignore_index=True)
    pd.testing.assert_frame_equal(
        m.evaluate(table, judging=Judging(draws=20)), m.evaluate(both, judging=Judging(draws=20))
    )


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_gives_nan_with_the_reason_and_no_warning(label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = score_table()
        out = m.evaluate(table[table["label"] == label], judging=Judging(draws=50)).set_index("metric")
        band = roc_band(table[table["label"] == label])
    assert out.loc["auc", "value"].isna().all()
    assert set(out.loc["auc", "reason"]) == {f"only {'fake' if label else 'real'} rows: auc needs both classes"}
    assert out.loc["accuracy", "value"].notna().all()
    assert len(band) == 0


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_tiny_tables_do_not_warn(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = m.evaluate(score_table().iloc[:rows], judging=Judging(draws=20), metrics=sorted(METRICS))
    assert out.loc[out["value"].isna(), "reason"].str.len().gt(0).all()
    assert out["low"].isna().all()
    assert m.metrics_text(out)


def test_groups_are_wider_than_videos():
    table = score_table(4, videos=60)
    rng = np.random.default_rng(0)
    shift = {g: rng.normal(0, 0.3) for g in table["group"].unique()}
    table["fake_probability"] = np.clip(table["fake_probability"] + table["group"].map(shift), 0, 1)
    table["label"] = (table["group"].str[1:].astype(int) % 2).astype("int64")
    by_video, by_group = (
        m.evaluate(table, ["video"], Judging(unit=unit), metrics=["auc"]).iloc[0] for unit in ("video", "group")
    )
    assert by_video["value"] == by_group["value"]
    assert by_group["high"] - by_group["low"] > 1.2 * (by_video["high"] - by_video["low"])


def test_groups_must_be_known():
    with pytest.raises(TableError, match="unit='video'"):
        m.evaluate(score_table().assign(group=""), judging=Judging(unit="group"))


@pytest.mark.parametrize("change", [{"missing": "ignore"}, {"unit": "frame"}, {"rule": "max"}, {"level": "file"}])
def test_unknown_words_are_refused(change):
    with pytest.raises(ParameterError, match=next(iter(change.values()))):
        Judging(**change)
    with pytest.raises(UnknownNameError):
        m.evaluate(score_table(), metrics=["aucc"])


def test_roc_band_encloses_the_curve_and_has_its_area():
    table = score_table(5, videos=120)
    band = roc_band(table, points=2001)
    assert (band["low"] <= band["tpr"] + 1e-12).mean() > 0.95
    assert (band["tpr"] <= band["high"] + 1e-12).all()
    assert band["tpr"].is_monotonic_increasing
    area = np.trapezoid(band["tpr"], band["fpr"])
    assert area == pytest.approx(m.evaluate(table, ["video"], judging=Judging(draws=0))["value"][0], abs=2e-3)
    assert band.iloc[-1][["tpr", "low", "high"]].tolist() == [1, 1, 1]


def test_two_thousand_draws_of_five_thousand_videos_are_quick():
    rng = np.random.default_rng(0)
    n, faces = 5000, 32
    label = np.repeat(np.arange(n) % 2, faces)
    video = np.repeat([f"d/{i}.mp4" for i in range(n)], faces)
    p = 1 / (1 + np.exp(-np.repeat(rng.normal(size=n), faces) - rng.normal(size=n * faces) - label))
    table = pd.DataFrame({"row_id": np.arange(n * faces).astype(str), "video_id": video, "label": label, "track": 0})
    table = table.assign(frame=0, fake_probability=p, status="ok")
    start = time.process_time()
    out = m.evaluate(table, ["video"], judging=Judging(draws=2000))
    assert time.process_time() - start < 5
    assert out["low"].notna().all()


def test_what_must_be_said_beside_figures_stands_beside_them():
    table = pd.DataFrame({
        "row_id": list("abcd"), "video_id": list("abcd"), "label": [0, 1, 0, 1], "fake_probability": [0.1, 0.9, 0.4, 0.3],
    })  # fmt: skip
    clean = m.evaluate(SCORES.complete(table), ["video"], judging=Judging(draws=0))
    assert set(clean["note"]) == {""}
    assert "NOTE" not in m.metrics_text(clean)
    leaky = m.evaluate(with_note(SCORES.complete(table), "Trained on a leaky table."), judging=Judging(draws=0))
    assert set(leaky["note"]) == {"Trained on a leaky table."}
    assert m.table_notes(leaky) == ["Trained on a leaky table."]
    assert m.metrics_text(leaky).splitlines()[-1] == "NOTE: Trained on a leaky table."
