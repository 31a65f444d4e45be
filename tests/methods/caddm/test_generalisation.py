import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench.core.errors import SplitLeakError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import PEOPLE, Judging
from dfworkbench.methods.caddm.generalisation import identity_gap


def table(name, real, fake, frames=2):
    rows = [(0, p) for p in real] + [(1, p) for p in fake]
    return SCORES.complete(
        [
            {"row_id": f"{name}{i}#{f}", "video_id": f"{name}{i}", "label": label, "track": 0, "frame": f, "group": f"{name}{i}",
             "fake_probability": p}
            for i, (label, p) in enumerate(rows)
            for f in range(frames)
        ]
    )  # fmt: skip


def random_table(name, seed, shift, n=40):
    rng = np.random.default_rng(seed)
    return table(name, np.clip(rng.normal(0.4, 0.1, n), 0, 1), np.clip(rng.normal(0.4 + shift, 0.1, n), 0, 1))


def test_gap_of_two_known_tables():
    gap = identity_gap(table("a", [0.1, 0.2], [0.8, 0.9]), table("b", [0.1, 0.6], [0.5, 0.9]), judging=Judging(draws=0))
    assert [m.value for m in gap.measures] == [1.0, 0.75, 0.25]
    assert [m.chance for m in gap.measures] == [0.5, 0.5, 0.0]
    assert [m.n for m in gap.measures] == [4, 4, 8]
    assert [m.name for m in gap.measures] == ["AUC, seen people", "AUC, unseen people", "identity gap (AUC)"]


def test_one_group_on_either_side_leaves_the_gap_without_interval():
    one = random_table("b", 1, 0.1).assign(group="b")
    for seen, unseen in ((random_table("a", 0, 0.1), one), (one, random_table("a", 0, 0.1))):
        gap = identity_gap(seen, unseen, judging=PEOPLE).gap
        assert np.isfinite(gap.value)
        assert np.isnan(gap.low)
        assert gap.reason == "1 real group: no interval below 5"


def test_equal_sets_have_no_gap_within_the_interval():
    gap = identity_gap(random_table("a", 0, 0.1), random_table("b", 1, 0.1), judging=Judging(draws=300)).gap
    assert gap.low < 0 < gap.high
    wide = identity_gap(random_table("a", 0, 0.3), random_table("b", 1, 0.0), judging=Judging(draws=300)).gap
    assert wide.low > 0.2


def test_values_equal_those_of_evaluate():
    seen, unseen = random_table("a", 0, 0.15), random_table("b", 1, 0.05)
    gap = identity_gap(seen, unseen, judging=Judging(draws=200, seed=0))
    row = evaluate(seen, ["video"], metrics=["auc"], judging=Judging(draws=200, seed=0)).iloc[0]
    assert (gap.seen.value, gap.seen.low, gap.seen.high) == (row["value"], row["low"], row["high"])


def test_interval_equals_a_slow_one_with_the_same_draws():
    seen, unseen = random_table("a", 0, 0.15, n=9), random_table("b", 1, 0.05, n=6)
    drawn = []
    for number, scores in enumerate((seen, unseen)):
        videos = scores.groupby("video_id").agg(y=("label", "max"), p=("fake_probability", "mean"))
        values = []
        for draw in draw_counts(len(videos), 50, seed=8 + number):
            part = videos.loc[videos.index.repeat(draw)]
            values.append(roc_auc_score(part["y"], part["p"]) if part["y"].nunique() == 2 else np.nan)
        drawn.append(np.array(values))
    gap = identity_gap(seen, unseen, judging=Judging(draws=50, seed=4)).gap
    expected = np.nanquantile(drawn[0] - drawn[1], [0.025, 0.975])
    assert (gap.low, gap.high) == pytest.approx(tuple(expected))


def test_missing_scores_count_as_told():
    seen, unseen = table("a", [0.1, 0.2], [0.8, 0.9]), table("b", [0.1, 0.2], [0.8, 0.9])
    seen.loc[seen["video_id"] == "a3", ["fake_probability", "status", "reason"]] = [np.nan, "no_face", "nobody"]
    assert identity_gap(seen, unseen, judging=Judging(draws=0)).seen.n == 3
    assert identity_gap(seen, unseen, judging=Judging(draws=0, missing="as_real")).gap.value == pytest.approx(-0.5)


def test_one_class_has_a_reason():
    gap = identity_gap(table("a", [0.1], [0.9]), table("b", [], [0.5, 0.9]), judging=Judging(draws=20))
    assert np.isnan(gap.gap.value)
    assert gap.gap.reason == "AUC, unseen people: only fake videos: AUC needs both classes"
    assert gap.seen.value == 1.0


def test_people_must_be_apart_and_frames_new():
    seen, unseen = random_table("a", 0, 0.1, n=3), random_table("b", 1, 0.1, n=3)
    with pytest.raises(SplitLeakError, match=r"1 videos are in both score tables \(first: 'a0'\)"):
        identity_gap(seen, pd.concat([unseen, seen.iloc[:2]]))
    with pytest.raises(SplitLeakError, match=r"1 identity groups are in both"):
        identity_gap(seen, unseen.assign(group=["a2", *[""] * (len(unseen) - 1)]))
    with pytest.raises(SplitLeakError, match=r"2 of 12 scored rows were trained on \(first: 'a0#1'\)"):
        identity_gap(seen, unseen, trained_on=["a0#1", "a4#0", "elsewhere"])
    identity_gap(seen, unseen, trained_on=["elsewhere"], judging=Judging(draws=0))
