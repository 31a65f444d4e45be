"""Real, fake or inconclusive: what the thresholds promise, and what they cannot."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from dfworkbench.core.errors import DataNotFoundError, InputError, ParameterError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.calibration import fit_calibrator
from dfworkbench.evaluation.judging.verdicts import OperatingPoint, operating_point, thresholds, verdict_rates, verdicts
from dfworkbench.evaluation.metrics.curve_tables import reliability_table, risk_coverage
from dfworkbench.evaluation.metrics.evaluate import metric_of


def table(reals, fakes, split="val", group=None):
    rows = [
        {"row_id": f"d/{label}/{i}", "video_id": f"d/{label}/{i}", "split": split, "label": label, "track": 0, "frame": 0,
         "fake_probability": float(p), "group": f"d/{label}/{i}" if group is None else group}
        for label, values in ((0, reals), (1, fakes)) for i, p in enumerate(values)
    ]  # fmt: skip
    return SCORES.complete(rows)


def test_thresholds_by_hand():
    """19 reals 0.01 .. 0.19, 9 fakes 0.1 .. 0.9: of 20 and of 10 exchangeable ranks."""
    val = table(np.arange(1, 20) / 100, np.arange(1, 10) / 10)
    point = operating_point(val, 0.10, 0.10)
    # the second-highest real lies above the lowest fake: between them nothing is sure
    assert (point.fake_above, point.real_below) == (0.18, 0.1)
    assert point.judge(np.array([0.05, 0.1, 0.15, 0.18, 0.19, np.nan])).tolist() == [
        "real", "inconclusive", "inconclusive", "inconclusive", "fake", "no score"
    ]  # fmt: skip
    assert point.notes() == []


def test_rates_below_one_in_n_plus_one_cannot_be_promised():
    val = table(np.arange(1, 20) / 100, np.arange(1, 10) / 10)
    point = operating_point(val, 0.049, 0.099)
    assert (point.fake_above, point.real_below) == (None, None)
    assert set(point.judge(np.linspace(0, 1, 50))) == {"inconclusive"}
    assert point.notes() == [
        "nothing is called fake: 19 real rows can vouch for a false-alarm rate of 5.00% or more, 4.90% was asked",
        "nothing is called real: 9 fake rows can vouch for a miss rate of 10.00% or more, 9.90% was asked",
    ]
    assert operating_point(val, 0.05, 0.1).fake_above == 0.19  # just attainable: above every real


@pytest.mark.parametrize(("alpha", "n"), [(0.05, 19), (0.05, 60), (0.1, 47), (0.29, 99), (0.02, 12)])
def test_new_reals_are_called_fake_no_oftener_than_promised(alpha, n):
    """Exactly floor(alpha (n + 1)) / (n + 1) over validation sets and new files, whatever the scores are distributed like."""
    rng, trials = np.random.default_rng(0), 3000
    draws = rng.beta(2, 5, (trials, n + 1))
    above = [thresholds(reals[:n], np.array([0.0]), alpha, 0.5)[0] for reals in draws]
    alarms = sum(threshold is not None and new > threshold for threshold, new in zip(above, draws[:, n], strict=True))
    expected = np.floor(alpha * (n + 1) + 1e-9) / (n + 1)
    assert expected <= alpha
    if expected == 0:
        assert alarms == 0
    else:
        assert binomtest(alarms, trials, expected).pvalue > 0.001


def test_a_detector_that_is_good_enough_leaves_nothing_open():
    val = table(np.linspace(0.01, 0.3, 40), np.linspace(0.6, 0.99, 40))
    point = operating_point(val, 0.05, 0.05)
    assert point.fake_above == point.real_below
    assert point.fake_above == pytest.approx(0.45, abs=0.05)
    assert set(verdicts(val, point)["verdict"]) == {"real", "fake"}


def test_moving_the_rates_moves_verdicts_one_way():
    rng = np.random.default_rng(1)
    val, new = table(rng.beta(2, 3, 150), rng.beta(3, 2, 150)), table(rng.beta(2, 3, 400), rng.beta(3, 2, 400), "test")
    called = [
        (verdicts(new, operating_point(val, a, 0.02))["verdict"] == "fake").sum() for a in np.linspace(0, 0.3, 13)
    ]
    assert called == sorted(called)
    assert called[0] == 0 < called[-1]


def test_verdicts_keep_files_without_score_and_their_counts():
    val = table(np.arange(1, 20) / 100, np.arange(1, 10) / 10)
    new = table([0.01, 0.5, 0.15, 0.02], [0.9, 0.05, 0.15], "test")
    new.loc[3, ["status", "fake_probability"]] = ["no_face", np.nan]
    judged = verdicts(new, operating_point(val, 0.1, 0.1))
    assert judged["verdict"].tolist() == ["real", "fake", "inconclusive", "no score", "fake", "real", "inconclusive"]
    rates = verdict_rates(judged).set_index("kind")
    assert rates.loc["real", ["n", "real", "inconclusive", "fake", "no_score"]].tolist() == [4, 1, 1, 1, 1]
    exact = binomtest(1, 3).proportion_ci(method="exact")
    assert tuple(rates.loc["real", ["wrong_rate", "low", "high"]]) == pytest.approx((1 / 3, exact.low, exact.high))
    assert rates.loc["fake", "inconclusive_rate"] == pytest.approx(1 / 3)
    assert verdict_rates(judged.iloc[:0])["wrong_rate"].isna().all()


def test_people_and_splits_are_minded():
    reals, fakes = np.arange(1, 20) / 100, np.arange(1, 10) / 10
    point = operating_point(table(reals, fakes, group="d/one"))
    assert "the 19 real rows are of 1 people or groups" in " ".join(point.notes())
    with pytest.raises(InputError, match="split 'test'"):
        operating_point(table(reals, fakes, "test"))
    assert operating_point(table(reals, fakes, "test"), allow_test=True).n_real == 19
    with pytest.raises(InputError, match="0 fake and 19 real"):
        operating_point(table(reals, []))
    for rates in ((1.2, 0.1), (0.1, -0.1)):
        with pytest.raises(ParameterError, match="share from 0 to 1"):
            operating_point(table(reals, fakes), *rates)


@pytest.mark.parametrize("alpha", [0.001, 0.1, 1.0])
def test_it_is_json(alpha, tmp_path):
    point = operating_point(table(np.arange(1, 20) / 100, np.arange(1, 10) / 10), alpha)
    point.save(tmp_path / "point.json")
    assert OperatingPoint.load(tmp_path / "point.json") == point
    with pytest.raises(DataNotFoundError, match="an operating point"):
        OperatingPoint.load(tmp_path / "none.json")


def test_calibration_does_not_change_a_verdict():
    """A rising map moves scores and thresholds alike; where they meet half way, the half differs."""
    rng = np.random.default_rng(2)
    val, new = table(rng.beta(2, 3, 90), rng.beta(3, 2, 90)), table(rng.beta(2, 3, 99), rng.beta(3, 2, 99), "test")
    fitted = fit_calibrator(val, "platt")
    plain = verdicts(new, operating_point(val))["verdict"]
    assert plain.tolist() == verdicts(fitted.apply(new), operating_point(fitted.apply(val)))["verdict"].tolist()
    assert {"real", "fake", "inconclusive"} == set(plain)


@pytest.mark.parametrize("ties", [False, True])
def test_the_reliability_table_holds_the_calibration_error(ties):
    rng = np.random.default_rng(3)
    scores = table(rng.beta(2, 3, 80), rng.beta(3, 2, 70))
    if ties:
        scores["fake_probability"] = scores["fake_probability"].round(1)
    got = reliability_table(scores)
    gap = (got["mean_probability"] - got["fake_share"]).abs()
    assert (gap * got["n"]).sum() / 150 == pytest.approx(metric_of("ece", scores["label"], scores["fake_probability"]))
    assert got["n"].tolist() == [10] * 15 if not ties else got["n"].sum() == 150
    assert got["n_fake"].sum() == 70
    for row in got.itertuples():
        inside = scores[scores["fake_probability"].between(row.lowest, row.highest)]
        assert (len(inside), inside["label"].sum()) == (row.n, row.n_fake)
        exact = binomtest(row.n_fake, row.n).proportion_ci(method="exact")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high))
    assert reliability_table(scores.iloc[:0]).empty


def test_risk_and_coverage_by_hand():
    # most confident first: right, wrong, (right, wrong at one confidence), right
    scores = table([0.1, 0.7, 0.45], [0.05, 0.7])
    got = risk_coverage(scores)
    assert got["answered"].tolist() == [1, 2, 4, 5]
    assert got["errors"].tolist() == [1, 1, 2, 2]
    assert got["risk"].tolist() == pytest.approx([1, 1 / 2, 2 / 4, 2 / 5])
    assert got["best_risk"].tolist() == pytest.approx([0, 0, 1 / 4, 2 / 5])
    assert got["coverage"].tolist() == pytest.approx([0.2, 0.4, 0.8, 1.0])
    rng = np.random.default_rng(0)
    distinct = table(rng.beta(2, 3, 30), rng.beta(3, 2, 29))
    assert len(risk_coverage(distinct)) == 59
    assert risk_coverage(distinct)["risk"].mean() == pytest.approx(
        metric_of("aurc", distinct["label"], distinct["fake_probability"])
    )
    assert risk_coverage(scores.iloc[:0]).empty


def test_one_class_has_curves_too():
    scores = table([0.2, 0.8], [])
    assert risk_coverage(scores)["risk"].tolist() == [0.5]
    assert reliability_table(scores)["fake_share"].tolist() == [0, 0]


def test_frames_are_judged_on_their_level():
    val = table(np.arange(1, 20) / 100, np.arange(1, 10) / 10)
    many = pd.concat([val.assign(row_id=val["row_id"] + f"#{k}", frame=k) for k in range(3)], ignore_index=True)
    assert operating_point(many, level="frame").n_real == 57
    assert operating_point(many).n_real == 19
