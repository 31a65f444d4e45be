"""Pairs of detectors: DeLong against its definition, Holm, the paired bootstrap, and seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from dfworkbench.core.errors import InputError, TableError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.compare import compare_detectors
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.delong import delong, delong_test, holm
from dfworkbench.evaluation.metrics.evaluate import evaluate, evaluate_seeds, mean_over_seeds
from dfworkbench.evaluation.metrics.interval import Judging


def pair_kernel(labels, scores):
    """Of each detector, every fake against every real: 1 where it stands higher, one half where they are equal."""
    fakes, reals = scores[:, labels == 1], scores[:, labels == 0]
    return (fakes[:, :, None] > reals[:, None]) + 0.5 * (fakes[:, :, None] == reals[:, None])


def slow_delong(labels, scores):
    """DeLong et al. 1988, equations 4 to 6."""
    kernel = pair_kernel(labels, scores)
    v10, v01 = kernel.mean(axis=2), kernel.mean(axis=1)
    auc = kernel.mean(axis=(1, 2))
    s10 = (v10 - auc[:, None]) @ (v10 - auc[:, None]).T / (v10.shape[1] - 1)
    s01 = (v01 - auc[:, None]) @ (v01 - auc[:, None]).T / (v01.shape[1] - 1)
    return auc, s10 / v10.shape[1] + s01 / v01.shape[1]


def random_scores(seed, n=60, k=3, ties=False):
    rng = np.random.default_rng(seed)
    labels = np.append([0, 0, 1, 1], rng.integers(0, 2, n - 4))
    scores = rng.normal(0.4 * labels, 1, (k, n)) + rng.normal(size=n)
    return labels, np.round(scores) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
def test_delong_equals_its_definition(ties):
    for seed in range(20):
        labels, scores = random_scores(seed, n=10 + 7 * seed, ties=ties)
        auc, covariance = slow_delong(labels, scores)
        got = delong(labels, scores)
        np.testing.assert_allclose(got.auc, auc, atol=1e-12)
        np.testing.assert_allclose(got.covariance, covariance, atol=1e-12)
        assert got.auc[0] == pytest.approx(roc_auc_score(labels, scores[0]))
        test = delong_test(labels, scores[0], scores[1])
        error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
        assert test.standard_error == pytest.approx(error, abs=1e-12)
        assert test.p == pytest.approx(2 * stats.norm.sf(abs(auc[0] - auc[1]) / error))


def test_the_p_value_is_that_of_a_permutation_test():
    """Under no difference the two scores of a row may be swapped (Venkatraman and Begg 1996, on ranks)."""
    labels, scores = random_scores(3, n=160, k=2)
    first, second = (stats.rankdata(s) for s in scores)
    rng = np.random.default_rng(0)
    seen, drawn = abs(roc_auc_score(labels, first) - roc_auc_score(labels, second)), []
    for _ in range(1500):
        swap = rng.random(len(labels)) < 0.5
        swapped = np.stack([np.where(swap, second, first), np.where(swap, first, second)])
        auc = pair_kernel(labels, swapped).mean(axis=(1, 2))
        drawn.append(abs(auc[0] - auc[1]))
    p = delong_test(labels, *scores).p
    assert 0.05 < p < 0.95  # where it says something
    assert p == pytest.approx(np.mean(np.array(drawn) >= seen), abs=0.05)


def test_p_values_of_equal_detectors_are_uniform():
    drawn = [random_scores(seed, n=100, k=2) for seed in range(400)]
    p = [delong_test(labels, scores[0], scores[1]).p for labels, scores in drawn]
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_detectors_that_rank_alike_and_degenerate_rows():
    labels, scores = random_scores(0)
    assert delong_test(labels, scores[0], np.exp(scores[0]))[2:] == (0.0, 1.0, "")
    perfect = delong_test([0, 0, 1, 1], [1, 2, 3, 4], [4, 3, 2, 1])
    assert np.isnan(perfect.p)
    assert perfect.reason == "DeLong's variance is 0: no p-value"
    assert delong_test([0, 1, 1], [1, 2, 3], [3, 1, 2]).reason == "DeLong needs two fakes and two reals"
    with pytest.raises(InputError, match="0 fakes and 2 reals"):
        delong([0, 0], [1, 2])
    for labels, values in (([0, 1], [1, 2, 3]), ([0, 2], [1, 2]), ([0, 1], [1, np.nan])):
        with pytest.raises(InputError, match="Drop the rows without a score"):
            delong(labels, values)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1.0, 1.0])
    assert holm([0.02, np.nan, 0.01]) == pytest.approx([0.02, np.nan, 0.02], nan_ok=True)  # two tests, not three
    assert holm([]).shape == (0,)


def table(seed=0, videos=60, gain=0.3, groups=20, frames=2):
    rng, base = np.random.default_rng(seed), np.random.default_rng(99).normal(0, 0.1, videos)
    rows = []
    for v in range(videos):
        mean = np.clip(0.3 + gain * (v % 2) + base[v] + rng.normal(0, 0.1), 0.05, 0.95)
        rows += [
            {"row_id": f"d/{v % 2}/{v // 2}#{f}", "video_id": f"d/{v % 2}/{v // 2}", "label": v % 2, "track": 0, "frame": f,
             "fake_probability": mean, "group": f"g{v % groups}"}
            for f in range(frames)
        ]  # fmt: skip
    return SCORES.complete(rows)


def test_pairs_have_the_figures_of_their_parts():
    tables = {"good": table(1, gain=0.25), "fair": table(2, gain=0.12), "poor": table(3, gain=0.02)}
    out = compare_detectors(tables, Judging(unit="group", draws=400))
    assert out[["first", "second"]].to_numpy().tolist() == [["good", "fair"], ["good", "poor"], ["fair", "poor"]]
    for row in out.itertuples():
        values = [
            evaluate(tables[n], ["video"], metrics=["auc"], judging=Judging(draws=0))["value"][0]
            for n in (row.first, row.second)
        ]
        assert (row.auc_first, row.auc_second) == pytest.approx(values)
        assert row.low <= row.difference <= row.high
    assert out["holm_p"].tolist() == pytest.approx(holm(out["delong_p"]))
    assert out["bootstrap_holm_p"].tolist() == pytest.approx(holm(out["bootstrap_p"]))
    assert (out["bootstrap_p"] > 0).all()
    assert out.loc[1, "holm_p"] < 0.05
    assert set(out["n"]) == {60}
    assert out["notes"].str.contains("DeLong takes 60 rows for independent, they come from 20 groups").all()


def test_the_interval_is_that_of_a_plain_loop_over_the_same_people():
    one, two = (table(seed, gain=gain).sort_values("video_id", kind="stable") for seed, gain in ((1, 0.2), (2, 0.1)))
    got = compare_detectors({"a": one, "b": two}, Judging(unit="group", draws=60, seed=4)).iloc[0]
    videos = [t.drop_duplicates("video_id").reset_index(drop=True) for t in (one, two)]
    codes, drawn = pd.factorize(videos[0]["group"])[0], []
    for counts in draw_counts(20, 60, 4):
        rows = np.repeat(np.arange(60), counts[codes])
        a, b = (roc_auc_score(t["label"][rows], t["fake_probability"][rows]) for t in videos)
        drawn.append(a - b)
    assert (got["low"], got["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]))


def test_only_shared_rows_are_compared_and_the_order_does_not_matter():
    one, two = table(1), table(2).sample(frac=1, random_state=0)
    two.loc[two["video_id"].isin(["d/0/0", "d/1/3"]), ["status", "fake_probability"]] = ["no_face", np.nan]
    got = compare_detectors({"a": one, "b": two}, judging=Judging(draws=50)).iloc[0]
    assert (got["n"], got["n_fake"]) == (58, 29)
    assert got["notes"].startswith("2 rows that only one has scored are left out")
    kept = one[~one["video_id"].isin(["d/0/0", "d/1/3"])]
    assert got["auc_first"] == pytest.approx(
        evaluate(kept, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"][0]
    )
    assert compare_detectors({"a": one, "b": two}, judging=Judging(draws=50, missing="as_chance")).iloc[0]["n"] == 60


def test_without_groups_videos_are_drawn_and_frames_are_no_evidence_of_their_own():
    one, two = table(1).assign(group=""), table(2).assign(group="")
    video = compare_detectors({"a": one, "b": two}, Judging(unit="group", draws=100)).iloc[0]
    assert (video["unit"], video["units"]) == ("video", 60)
    assert video["notes"] == "no identity groups named: videos are drawn"
    frame = compare_detectors({"a": one, "b": two}, judging=Judging(level="frame", unit="group", draws=100)).iloc[0]
    assert (frame["low"], frame["high"]) == pytest.approx((video["low"], video["high"]))
    assert frame["delong_p"] < video["delong_p"]  # copies of rows make DeLong too sure
    assert "DeLong takes 120 rows for independent, they come from 60 videos" in frame["notes"]


def test_equal_detectors_do_not_differ():
    got = compare_detectors({"a": table(1), "b": table(1)}, judging=Judging(draws=50)).iloc[0]
    assert got[["difference", "low", "high"]].tolist() == [0, 0, 0]
    assert got[["delong_p", "bootstrap_p", "holm_p"]].tolist() == [1, 1, 1]


def test_what_cannot_be_compared():
    one = table(1)
    with pytest.raises(InputError, match="at least two"):
        compare_detectors({"a": one})
    with pytest.raises(TableError, match="'a' and another in that of 'b'"):
        compare_detectors({"a": one, "b": one.assign(label=1 - one["label"])})
    with pytest.raises(TableError, match="row_id of another"):
        compare_detectors({"a": pd.concat([one, one.head(1)]), "b": one}, judging=Judging(level="frame"))
    fakes = compare_detectors({"a": one[one["label"] == 1], "b": one, "c": one}, judging=Judging(draws=20))
    assert fakes["notes"].str.contains("only fake rows are shared: AUC needs both classes").tolist() == [
        True,
        True,
        False,
    ]
    assert fakes["holm_p"].isna().tolist() == [True, True, False]
    other = one.assign(video_id="x" + one["video_id"])
    assert compare_detectors({"a": one, "b": other}, judging=Judging(draws=20))["notes"][0].startswith(
        "no row is shared"
    )


def test_seeds_by_scipy():
    values = [0.81, 0.86, 0.79, 0.84]
    got = mean_over_seeds(values)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    assert (got.value, got.low, got.high, got.n) == pytest.approx((np.mean(values), *expected, 4))
    assert got.text() == "0.825 [0.776, 0.874]"
    one = mean_over_seeds([0.8, np.nan])
    assert (one.value, one.n, one.reason) == (0.8, 1, "one seed: no interval; 1 of 2 seeds without a value")
    assert np.isnan(one.low)
    assert mean_over_seeds([]).text() == "not defined"


def test_tables_of_seeds():
    tables = [table(seed) for seed in (1, 2, 3)]
    got = evaluate_seeds(tables, ["video", "frame"], metrics=["auc", "brier"])
    values = [evaluate(t, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"][0] for t in tables]
    first = got.iloc[0]
    assert (first["level"], first["metric"], first["seeds"]) == ("video", "auc", 3)
    expected = mean_over_seeds(values)
    assert (first["mean"], first["low"], first["high"]) == (expected.value, expected.low, expected.high)
    assert first["sd"] == pytest.approx(np.std(values, ddof=1))
    assert len(got) == 4
    with pytest.raises(InputError, match="one per seed"):
        evaluate_seeds([])
