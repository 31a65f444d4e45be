"""Maps of scores: against scikit-learn, what they improve, what they keep, and what they refuse."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from dfworkbench.core.errors import DataNotFoundError, InputError, ParameterError, UnknownNameError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.calibration import METHODS, Calibrator, fit_calibrator
from dfworkbench.evaluation.metrics.evaluate import evaluate, metric_of
from dfworkbench.evaluation.metrics.interval import Judging


def table(seed=0, videos=200, sure=3.0, shift=1.0, split="val", frames=1):
    """Log-odds that are `sure` times too far from a middle that is `shift` off."""
    rng, rows = np.random.default_rng(seed), []
    for v in range(videos):
        label = v % 2
        for f in range(frames):
            z = float(sure * (rng.normal(1.5 * label - 0.75, 1.2) + shift))
            rows.append(
                {"row_id": f"d/{v}#{f}", "video_id": f"d/{v}", "dataset": "d", "split": split, "label": label, "track": 0,
                 "frame": f, "logit": z, "fake_probability": float(expit(z)), "group": f"g{v}"}
            )  # fmt: skip
    return SCORES.complete(rows)


class Given(ClassifierMixin, BaseEstimator):
    """The detector as scikit-learn wants it: its log-odds are the only feature."""

    classes_ = np.array([0, 1])

    def fit(self, x, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(int)


@pytest.mark.parametrize("method", METHODS)
def test_maps_equal_those_of_scikit_learn(method):
    scores = table(1)
    z, y = scores["logit"].to_numpy()[:, None], scores["label"].to_numpy()
    names = {"platt": "sigmoid", "isotonic": "isotonic", "temperature": "temperature"}
    if method == "isotonic":  # on either scale the same steps; between them theirs is linear in what it was given
        z = expit(z)
    theirs = CalibratedClassifierCV(FrozenEstimator(Given()), method=names[method], ensemble=False).fit(z, y)
    ours = fit_calibrator(scores, method).apply(table(2))["fake_probability"]
    new = table(2)["logit"].to_numpy()[:, None]
    expected = theirs.predict_proba(expit(new) if method == "isotonic" else new)[:, 1]
    np.testing.assert_allclose(ours, expected, atol=2e-4 if method != "isotonic" else 1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", ["frame", "video"])
def test_new_files_are_better_calibrated(method, level):
    val, new = table(3, videos=400, frames=2), table(4, videos=400, frames=2)
    fitted = fit_calibrator(val, method, level)
    before, after = (
        evaluate(t, [level], metrics=["log_loss", "ece"], judging=Judging(draws=0))["value"].to_numpy()
        for t in (new, fitted.apply(new))
    )
    # one extreme row that isotonic puts at 0 or 1 costs 36 nats, so for it only the calibration error is asked
    assert after[1] < before[1]
    assert method == "isotonic" or after[0] < before[0]
    assert fitted.log_loss_after < fitted.log_loss_before
    if method != "temperature":  # it cannot move the middle
        assert after[1] < 0.5 * before[1]


@pytest.mark.parametrize("method", ["temperature", "platt"])
@pytest.mark.parametrize("level", ["frame", "video"])
def test_rising_maps_keep_the_ranking(method, level):
    val, new = table(5, frames=3), table(6, frames=3)
    new["logit"] *= 4  # many probabilities are 1 to the last bit; the log-odds still tell them apart
    new["fake_probability"] = expit(new["logit"])
    out = fit_calibrator(val, method, level).apply(new)
    before, after = (evaluate(t, [level], metrics=["auc"], judging=Judging(draws=0))["value"][0] for t in (new, out))
    if level == "frame":
        assert out["logit"].rank().tolist() == new["logit"].rank().tolist()
        assert after == pytest.approx(metric_of("auc", new["label"], new["logit"]))
    else:
        assert after == pytest.approx(before)


def test_isotonic_never_falls():
    fitted = fit_calibrator(table(5), "isotonic")
    assert (np.diff(fitted.probabilities(np.linspace(0, 1, 500))) >= 0).all()
    assert "36 nats" in fitted.note


def test_a_known_temperature_is_found():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 40_000)
    y = (rng.random(40_000) < expit(z)).astype(int)
    rows = [
        {"row_id": f"{i}", "video_id": f"{i}", "label": int(label), "track": 0, "frame": 0,
         "fake_probability": float(expit(2.5 * v))}
        for i, (v, label) in enumerate(zip(z, y, strict=True))
    ]  # fmt: skip
    scores = pd.DataFrame(rows).assign(status="ok")
    assert 1 / fit_calibrator(scores, "temperature").slope == pytest.approx(2.5, rel=0.03)
    platt = fit_calibrator(scores, "platt")
    assert (1 / platt.slope, platt.offset) == pytest.approx((2.5, 0), rel=0.03, abs=0.03)
    assert metric_of("ece", y, platt.probabilities(scores["fake_probability"].to_numpy())) < 0.01


def test_probabilities_without_logits_give_the_same_map():
    val = table(1, sure=1)
    with_logits, without = (fit_calibrator(t, "platt") for t in (val, val.assign(logit=np.nan)))
    assert without.slope == pytest.approx(with_logits.slope, rel=1e-6)
    # a logit that does not belong to the probability is not believed
    assert fit_calibrator(val.assign(logit=-7.0), "platt") == without
    # and one beyond the precision of a probability is
    frames = fit_calibrator(val, "platt", "frame")
    sharp = val.assign(logit=np.where(val["label"] == 1, 60.0, 40.0), fake_probability=1.0)
    assert frames.apply(sharp)["logit"].nunique() == 2


def test_missing_rows_stay_missing_and_take_no_part():
    val = table(1)
    gone = val.copy()
    gone.loc[:9, ["status", "reason", "fake_probability", "logit"]] = ["no_face", "nobody", np.nan, np.nan]
    fitted = fit_calibrator(gone)
    assert (fitted.n_real, fitted.n_fake) == (95, 95)
    assert fitted.replace(splits=(), note="") == fit_calibrator(val.iloc[10:]).replace(splits=(), note="")
    out = fitted.apply(gone)
    assert out["status"].tolist()[:10] == ["no_face"] * 10
    assert out["fake_probability"].isna().sum() == 10
    assert evaluate(out, ["video"], judging=Judging(draws=0))["coverage"][0] == 0.95


def test_test_rows_are_refused_unless_told():
    mixed = pd.concat([table(1), table(2, split="test").assign(video_id=lambda t: "e" + t["video_id"])])
    with pytest.raises(InputError, match=r"200 of 400 rows are of split 'test'.*allow_test=True"):
        fit_calibrator(mixed)
    fitted = fit_calibrator(mixed, allow_test=True)
    assert (fitted.splits, fitted.datasets) == (("test", "val"), ("d",))


@pytest.mark.parametrize("method", METHODS)
def test_one_class_and_nothing_are_refused(method):
    val = table(1)
    with pytest.raises(InputError, match="100 fake and 0 real rows with a score on video level"):
        fit_calibrator(val[val["label"] == 1], method)
    with pytest.raises(InputError, match="0 fake and 0 real"):
        fit_calibrator(val.assign(status="error"), method)


def test_words():
    with pytest.raises(UnknownNameError, match="temperature"):
        fit_calibrator(table(1), "temperatur")
    with pytest.raises(UnknownNameError, match="level"):
        fit_calibrator(table(1), level="file")


def test_separated_and_senseless_scores_are_told():
    val = table(1)
    apart = val.assign(logit=np.where(val["label"] == 1, 3.0, -3.0))
    apart["fake_probability"] = expit(apart["logit"])
    fitted = fit_calibrator(apart, "temperature")
    assert "separates the rows fully" in fitted.note
    platt = fit_calibrator(apart, "platt")  # Platt's targets keep it finite: one row of the other kind among 102
    assert platt.probabilities(np.array([expit(3.0)])) == pytest.approx(101 / 102, abs=1e-4)
    wrong = val.assign(logit=-val["logit"], fake_probability=1 - val["fake_probability"])
    assert "reversed" in fit_calibrator(wrong, "platt").note
    assert "say nothing" in fit_calibrator(wrong, "temperature").note


@pytest.mark.parametrize("method", METHODS)
def test_it_is_json(method, tmp_path):
    fitted = fit_calibrator(table(1), method)
    fitted.save(tmp_path / "a" / "calibrator.json")
    again = Calibrator.load(tmp_path / "a" / "calibrator.json")
    assert again == fitted
    assert json.loads((tmp_path / "a" / "calibrator.json").read_text())["n_real"] == 100
    pd.testing.assert_frame_equal(again.apply(table(2)), fitted.apply(table(2)))
    with pytest.raises(Exception, match="frozen"):
        fitted.slope = 2.0


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataNotFoundError, match="Fit one"):
        Calibrator.load(tmp_path / "none.json")
    for text in ("{", "[1]", '{"methods": "platt"}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ParameterError):
            Calibrator.load(tmp_path / "bad.json")


def test_the_figures_beside_the_fit_are_its_log_losses():
    val = table(1)
    fitted = fit_calibrator(val, "temperature")
    y, p = val["label"], val["fake_probability"].to_numpy()
    assert fitted.log_loss_before == pytest.approx(metric_of("log_loss", y, p))
    assert fitted.log_loss_after == pytest.approx(metric_of("log_loss", y, expit(logit(p) * fitted.slope)), rel=1e-6)


def toy(real, fake, frames=1):
    """Scores of so many files of each class; fakes score higher."""
    rows = [
        {"row_id": f"{kind}{i}f{k}", "video_id": f"{kind}{i}", "label": label, "track": 0, "frame": k, "split": "val",
         "fake_probability": 0.3 + 0.3 * label + 0.02 * ((7 * i + k) % 11)}
        for label, kind, count in ((0, "r", real), (1, "f", fake)) for i in range(count) for k in range(frames)
    ]  # fmt: skip
    return SCORES.complete(rows)


@pytest.mark.parametrize(
    ("method", "real", "fake", "few"),
    [("platt", 1, 1, "1 real file"), ("platt", 4, 30, "4 real files"), ("platt", 30, 2, "2 fake files"),
     ("temperature", 9, 30, "9 real files"), ("isotonic", 30, 9, "9 fake files")],
)  # fmt: skip
def test_calibration_needs_a_number_of_files_of_each_class(method, real, fake, few):
    for level, frames in (("video", 1), ("frame", 8)):  # frames of a file are no files
        scores = toy(real, fake, frames)
        with pytest.raises(InputError, match=rf"{few}, expected at least .* of each class"):
            fit_calibrator(scores, method, level)
        left = fit_calibrator(scores, method, level, leave_few=True)
        assert left.note.startswith(f"not calibrated: {few}, {method} needs")
        raw = scores["fake_probability"].to_numpy()
        assert left.probabilities(raw) == pytest.approx(raw)


def test_calibration_on_few_files_says_so():
    assert "fitted on 6 real files only: may be worse than none" in fit_calibrator(toy(6, 20), "platt").note
    assert "may be worse" not in fit_calibrator(toy(10, 10), "platt").note
