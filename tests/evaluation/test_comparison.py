"""AUC of several runs on the same videos: means, paired differences, intervals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.compare import compare_auc, drawn_metric, mean_auc
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import PEOPLE, Judging


def scores(values, labels, order=None):
    rows = [
        {
            "row_id": f"d/v{i}#t0f0",
            "video_id": f"d/v{i}",
            "label": label,
            "track": 0,
            "frame": 0,
            "fake_probability": value,
        }
        for i, (value, label) in enumerate(zip(values, labels, strict=True))
    ]
    return SCORES.complete(pd.DataFrame(rows if order is None else [rows[i] for i in order]))


RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 60)
BETTER, WORSE = (np.clip(LABELS * gain + RNG.random(60), 0, 3) / 3 for gain in (0.8, 0.3))


def test_auc_and_interval_are_those_of_evaluate():
    table = scores(BETTER, LABELS)
    measure, drawn = drawn_metric("auc", table, judging=Judging(seed=3))
    expected = evaluate(table, levels=("video",), metrics=("auc",), judging=Judging(seed=3)).iloc[0]
    assert (measure.value, measure.low, measure.high) == pytest.approx(tuple(expected[["value", "low", "high"]]))
    assert measure.value == pytest.approx(roc_auc_score(LABELS, BETTER))
    assert len(drawn) == 1000


def test_mean_over_seeds_is_that_of_their_draws():
    tables = [scores(values, LABELS) for values in (BETTER, WORSE)]
    measure, drawn = mean_auc("auc", tables)
    parts = [drawn_metric("auc", table.sort_values("video_id", kind="stable")) for table in tables]
    assert measure.value == pytest.approx(np.mean([part.value for part, _ in parts]))
    np.testing.assert_allclose(drawn, np.mean([values for _, values in parts], axis=0))


def test_frames_and_videos_are_different_questions():
    """Two frames per video, one better: on frame level each counts; on video level their mean does."""
    two = [scores(values, LABELS).assign(frame=frame) for frame, values in enumerate((BETTER, WORSE))]
    two[1]["row_id"] = two[1]["row_id"].str.replace("f0", "f1")
    both = pd.concat(two, ignore_index=True)
    expected = {
        "frame": roc_auc_score(np.tile(LABELS, 2), np.concatenate([BETTER, WORSE])),
        "video": roc_auc_score(LABELS, (BETTER + WORSE) / 2),
    }
    for level, value in expected.items():
        measure, drawn = mean_auc("auc", [both], judging=Judging(level=level))
        assert measure.value == pytest.approx(value)
        assert measure.low < value < measure.high
        others = [scores(WORSE, LABELS)]
        gain = compare_auc("gain", [both], others, judging=Judging(level=level))
        assert gain.value == pytest.approx(value - mean_auc("auc", others, judging=Judging(level=level))[0].value)
        assert (gain.low, gain.high) == pytest.approx(
            tuple(np.quantile(drawn - mean_auc("auc", others, judging=Judging(level=level))[1], [0.025, 0.975]))
        )


def test_a_difference_is_paired():
    """Two detectors that differ by a little on every video: the difference is far surer than either AUC."""
    close = np.clip(WORSE - 0.01 * LABELS, 0, 1)
    measure = compare_auc("difference", [scores(WORSE, LABELS)], [scores(close, LABELS)])
    single = mean_auc("auc", [scores(WORSE, LABELS)])[0]
    assert measure.high - measure.low < 0.3 * (single.high - single.low)
    assert compare_auc("difference", [scores(BETTER, LABELS)], [scores(BETTER, LABELS)])[1:4] == (0.0, 0.0, 0.0)


def test_the_order_of_rows_does_not_matter():
    shuffled = scores(WORSE, LABELS, RNG.permutation(60))
    plain = compare_auc("difference", [scores(BETTER, LABELS)], [scores(WORSE, LABELS)])
    assert compare_auc("difference", [scores(BETTER, LABELS)], [shuffled]) == pytest.approx(plain)
    assert plain.low > 0


def test_intervals_hold_what_a_plain_loop_over_videos_gives():
    measure = compare_auc("difference", [scores(BETTER, LABELS)], [scores(WORSE, LABELS)], judging=Judging(draws=4000))
    rng, found = np.random.default_rng(9), []
    for _ in range(2000):
        drawn = rng.integers(0, 60, 60)
        fake = LABELS[drawn] == 1
        above = [values[drawn][fake][:, None] - values[drawn][~fake] for values in (BETTER, WORSE)]
        found.append(np.subtract(*((np.sign(pairs).mean() + 1) / 2 for pairs in above)))
    assert (measure.low, measure.high) == pytest.approx(np.quantile(found, (0.025, 0.975)), abs=0.02)


def test_other_videos_and_one_class_are_told():
    with pytest.raises(InputError, match=r"2 videos have a score of one and none of another \(first: 'd/v58'"):
        compare_auc("auc", [scores(BETTER, LABELS)], [scores(BETTER[:58], LABELS[:58])])
    with pytest.raises(InputError, match="there is no score table"):
        mean_auc("auc", [])
    measure = mean_auc("auc", [scores(BETTER[:5], [1] * 5)])[0]
    assert np.isnan(measure.value)
    assert "only fake videos" in measure.reason


def test_one_identity_group_has_no_interval():
    table = scores(BETTER, LABELS).assign(group="d/one")
    measure, drawn = drawn_metric("auc", table, PEOPLE)
    assert np.isnan(measure.low)
    assert measure.reason == "1 real group: no interval below 5"
    assert drawn.shape == (1000,)
    assert np.isnan(drawn).all()
    assert np.isnan(compare_auc("difference", [table], [table], PEOPLE).low)
    assert mean_auc("auc", [table, table], PEOPLE)[0].value == measure.value


def test_people_are_drawn_with_all_their_videos():
    """Twelve copies of five videos are no more evidence than five."""
    five = np.concatenate([np.flatnonzero(label == LABELS)[:5] for label in (0, 1)])
    few = scores(WORSE[five], LABELS[five]).assign(group=[f"d/{i}" for i in range(10)])
    many = pd.concat(
        [few.assign(row_id=few["row_id"] + f"x{k}", video_id=few["video_id"] + f"x{k}") for k in range(12)]
    )
    width = [
        m.high - m.low
        for m in (drawn_metric("auc", few, PEOPLE)[0], drawn_metric("auc", SCORES.complete(many), PEOPLE)[0])
    ]
    assert width[1] == pytest.approx(width[0], abs=0.02)
