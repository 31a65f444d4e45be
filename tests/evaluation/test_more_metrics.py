"""Partial AUC, TPR at a false-alarm rate, log loss, Brier, calibration error and AURC; scikit-learn or a slow reference."""

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics import evaluate as m
from dfworkbench.evaluation.metrics.curve_metrics import METRICS, TPR_AT, partial_auc, tpr_at
from dfworkbench.evaluation.metrics.curves import Ranking, draw_counts
from dfworkbench.evaluation.metrics.interval import Judging


def random_scores(seed, n=200, ties=False):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = np.clip(rng.normal(0.4 + 0.15 * labels, 0.2), 0.001, 0.999)
    return labels, np.round(scores, 1) if ties else scores


def slow_tpr(labels, scores, fpr):
    x, y, _ = sk.roc_curve(labels, scores, drop_intermediate=False)
    if (x == fpr).any():
        return y[x == fpr].max()
    right = int(np.argmax(x > fpr))
    part = (fpr - x[right - 1]) / (x[right] - x[right - 1])
    return y[right - 1] * (1 - part) + y[right] * part


def slow_ece(labels, scores, bins=15):
    """Row by row: a row's bin is where the middle of the rows with its score falls."""
    y, p = np.asarray(labels), np.asarray(scores)
    place = [int(bins * ((p < s).sum() + (p <= s).sum()) / 2 // len(p)) for s in p]
    total = 0.0
    for one in set(place):
        inside = np.array(place) == one
        total += inside.sum() / len(p) * abs(p[inside].mean() - y[inside].mean())
    return total


def slow_aurc(labels, scores):
    """By the definition over the k most confident rows; rows of equal confidence in every cyclic order."""
    y, p = np.asarray(labels), np.asarray(scores)
    wrong, confidence = (p > 0.5) != y, np.round(np.abs(p - 0.5), 12)
    risks, before, errors = [], 0, 0
    for value in sorted(set(confidence), reverse=True):
        block = wrong[confidence == value]
        rows = np.arange(1, len(block) + 1)
        orders = [np.cumsum(np.roll(block, k)) for k in range(len(block))]
        risks += list(np.mean([(errors + order) / (before + rows) for order in orders], axis=0))
        before, errors = before + len(block), errors + block.sum()
    return float(np.mean(risks))


REFERENCE = {
    "aurc": slow_aurc,
    "brier": sk.brier_score_loss,
    "ece": slow_ece,
    "log_loss": sk.log_loss,
    "partial_auc": lambda y, p: sk.roc_auc_score(y, p, max_fpr=0.1),
    **{name: lambda y, p, rate=rate: slow_tpr(y, p, rate) for name, rate in TPR_AT.items()},
}


@pytest.mark.parametrize("name", sorted(REFERENCE))
@pytest.mark.parametrize("ties", [False, True])
def test_every_metric_equals_its_reference(name, ties):
    for seed in range(20):
        labels, scores = random_scores(seed, n=20 + 15 * seed, ties=ties)
        if ties and name == "log_loss":
            scores = np.clip(scores, 0.05, 0.95)
        got = METRICS[name](Ranking(labels, scores).curve())[0]
        assert got == pytest.approx(REFERENCE[name](labels, scores), abs=1e-12)


@pytest.mark.parametrize("name", sorted(METRICS))
@pytest.mark.parametrize("ties", [False, True])
def test_a_weight_is_as_many_equal_rows(name, ties):
    labels, scores = random_scores(3, n=60, ties=ties)
    ranking, weights = Ranking(labels, scores), draw_counts(60, 25, seed=1)
    got = METRICS[name](ranking.curve(weights[:, ranking.order]))
    for value, times in zip(got, weights, strict=True):
        again = Ranking(np.repeat(labels, times), np.repeat(scores, times))
        assert value == pytest.approx(METRICS[name](again.curve())[0], abs=1e-12)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_the_order_of_rows_does_not_matter(name):
    labels, scores = random_scores(5, n=80, ties=True)
    shuffled = np.random.default_rng(0).permutation(80)
    values = [METRICS[name](Ranking(labels[o], scores[o]).curve())[0] for o in (np.arange(80), shuffled)]
    assert values[0] == pytest.approx(values[1], abs=1e-14)


def test_closed_forms():
    assert m.metric_of("partial_auc", [0, 1], [0.5, 0.5]) == pytest.approx(0.5)
    assert m.metric_of("partial_auc", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 1.0
    assert m.metric_of("tpr_at_10_percent_fpr", [0, 1], [0.5, 0.5]) == pytest.approx(0.1)
    above_29_reals = [0] * 100 + [1] * 2, [*np.linspace(0, 1, 100), 0.712, 0.2]  # 0.29 * 100 < 29
    assert m.metric_of(partial(tpr_at, fpr=0.29), *above_29_reals) == 0.5
    assert m.metric_of("log_loss", [1, 0], [0.0, 0.0]) == pytest.approx(-np.log(np.finfo(float).eps) / 2)
    assert m.metric_of("brier", [1, 0, 1, 0], [1, 0, 0, 1]) == 0.5
    assert m.metric_of("ece", [0, 1] * 50, [0.5] * 100) == 0.0
    assert m.metric_of("ece", [1] * 100, [0.7] * 100) == pytest.approx(0.3)
    # most confident first: right, wrong, right, wrong
    assert m.metric_of("aurc", [1, 1, 0, 0], [0.95, 0.1, 0.2, 0.7]) == pytest.approx((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4)
    assert m.metric_of("aurc", [1, 1], [0.7, 0.3]) == pytest.approx(
        0.5
    )  # equal confidence, although 0.7 - 0.5 is not 0.5 - 0.3


def test_error_without_miscalibration_shrinks_with_n():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    y = (rng.random(50_000) < p).astype(int)
    assert m.metric_of("ece", y, p) < 0.01 < m.metric_of("ece", y[:500], p[:500])
    assert m.metric_of("ece", y, p**3) > 0.2


@pytest.mark.parametrize("fpr", [0, 1, -0.1, 5])
def test_a_rate_is_a_share(fpr):
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        m.metric_of(partial(tpr_at, fpr=fpr), [0, 1], [0, 1])
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        m.metric_of(partial(partial_auc, max_fpr=fpr), [0, 1], [0, 1])


def table(seed=0, videos=24, folders=("Deepfakes", "FaceSwap")):
    """Files of equal names in several folders, each with scores of its own."""
    rng, rows = np.random.default_rng(seed), []
    for folder in ("real", *folders):
        for v in range(videos):
            name, label = f"d/{folder}/{v:03}.mp4", int(folder != "real")
            mean = rng.normal(0.4 + 0.2 * label, 0.15)
            rows += [
                {"row_id": f"{name}#{f}", "video_id": name, "label": label, "forgery": folder if label else "", "track": 0,
                 "frame": f, "fake_probability": float(np.clip(mean + rng.normal(0, 0.05), 0.01, 0.99)), "group": f"d/{v}"}
                for f in range(3)
            ]  # fmt: skip
    return SCORES.complete(rows)


@pytest.mark.parametrize("level", ["clip", "person", "video"])
@pytest.mark.parametrize("unit", ["video", "group"])
def test_tables_of_equal_names_equal_a_slow_bootstrap(level, unit):
    names = sorted(REFERENCE)
    scores = table().sort_values("video_id", kind="stable", ignore_index=True)  # the order in which files are numbered
    got = m.evaluate(scores, [level], metrics=names, judging=Judging(draws=25, seed=2, unit=unit)).set_index("metric")
    rows = scores if level == "clip" else scores.groupby("video_id", sort=False, as_index=False).agg(
        {"fake_probability": "mean", "label": "first", "group": "first"}
    )  # fmt: skip
    codes, units = pd.factorize(rows["group" if unit == "group" else "video_id"])
    y, p, counts = rows["label"].to_numpy(), rows["fake_probability"].to_numpy(), draw_counts(len(units), 25, seed=2)
    assert set(got["n"]) == {72 * (3 if level == "clip" else 1)}
    for name in names:
        drawn = [REFERENCE[name](np.repeat(y, c[codes]), np.repeat(p, c[codes])) for c in counts]
        assert got.loc[name, "value"] == pytest.approx(REFERENCE[name](y, p), abs=1e-12)
        assert tuple(got.loc[name, ["low", "high"]]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-12)


def test_missing_rows_count_as_told():
    scores = table()
    scores.loc[scores["video_id"] == "d/real/003.mp4", ["status", "fake_probability"]] = ["no_face", np.nan]
    names = ["brier", "log_loss", "aurc"]
    dropped = m.evaluate(scores, ["video"], metrics=names, judging=Judging(draws=0))
    alarm = m.evaluate(scores, ["video"], metrics=names, judging=Judging(draws=0, missing="as_fake")).set_index(
        "metric"
    )["value"]
    assert set(dropped["n"]) == {71}
    assert set(dropped["coverage"]) == {71 / 72}
    brier, loss, _ = dropped["value"]
    assert alarm["brier"] == pytest.approx((71 * brier + 1) / 72)
    assert alarm["log_loss"] == pytest.approx((71 * loss - np.log(np.finfo(float).eps)) / 72)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class(label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = table()
        out = m.evaluate(
            scores[scores["label"] == label], ["video"], metrics=sorted(REFERENCE), judging=Judging(draws=20)
        )
    out = out.set_index("metric")
    both = ["partial_auc", *TPR_AT]
    assert out.loc[both, "value"].isna().all()
    assert out.loc[both, "reason"].str.contains("needs both classes").all()
    assert out.loc[["aurc", "brier", "ece", "log_loss"], ["value", "low", "high"]].notna().all(axis=None)


def test_rates_below_one_real_row_are_called_interpolated():
    out = m.evaluate(table(), ["video"], metrics=list(TPR_AT), judging=Judging(draws=20)).set_index("metric")["reason"]
    assert "no threshold has a false-alarm rate between 0 and 0.042 with 24 real rows" in out["tpr_at_1_percent_fpr"]
    assert out["tpr_at_5_percent_fpr"] == ""


def test_wrong_words_and_arrays():
    with pytest.raises(UnknownNameError, match="tpr_at_1_percent_fpr"):
        m.evaluate(table(), metrics=["tpr_at_2_percent_fpr"])
    with pytest.raises(InputError, match="two lists of the same length"):
        m.metric_of("log_loss", [0, 1], [0.1])
