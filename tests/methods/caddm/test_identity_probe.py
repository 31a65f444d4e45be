import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from dfworkbench.core.errors import InputError, ParameterError, TableError, UnknownNameError
from dfworkbench.datasets.sample_people import with_people
from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.measures import Measure, mean_measure, measures_frame, measures_table
from dfworkbench.methods.caddm.identity_probe import identity_probe, time_split, video_folds


def people_rows(people=8, videos=1, frames=10):
    return pd.DataFrame(
        [
            {"video_id": f"d/{p}_{v}.mp4", "identity": f"d/{p:02d}", "label": 0, "track": 0, "frame": 5 * f}
            for p in range(people)
            for v in range(videos)
            for f in range(frames)
        ]
    )


def face_like(rows, noise=0.1, seed=0, width=16):
    """Features that are the person's own direction and some noise."""
    rng = np.random.default_rng(seed)
    codes, names = pd.factorize(rows["identity"])
    return rng.normal(size=(len(names), width))[codes] + noise * rng.normal(size=(len(rows), width))


def test_separable_people_are_told_apart():
    rows = people_rows()
    probe = identity_probe(face_like(rows), rows, draws=50)
    assert (probe.top1.value, probe.top1.low, probe.top1.high, probe.top1.chance) == (1.0, 0.025 ** (1 / 8), 1.0, 1 / 8)
    assert (probe.top5.value, probe.top5.chance) == (1.0, 5 / 8)
    assert (probe.identities, probe.videos, probe.train_frames, probe.test_frames) == (8, 8, 64, 16)
    assert (probe.left_out, probe.converged) == (0, True)
    assert [m.name for m in probe.measures] == [f"identity probe, same video, later: top-{k}" for k in (1, 5)]


@pytest.mark.parametrize("protocol", ["same_video", "other_video"])
def test_features_without_identity_give_chance(protocol):
    rows = people_rows(people=20, videos=2, frames=10)
    trials = []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(size=(len(rows), 12))
        trials += [identity_probe(x, rows, protocol=protocol, draws=200).measures]
    for measures in zip(*trials, strict=True):
        assert np.mean([m.value for m in measures]) == pytest.approx(measures[0].chance, rel=0.15)
        assert sum(m.low <= m.chance <= m.high for m in measures) >= 10  # of 12, where 95 % are expected
        assert max(m.high - m.low for m in measures) < 0.3


def test_other_videos_are_recognised_only_by_what_they_share():
    rows = people_rows(people=6, videos=3, frames=6)
    rng = np.random.default_rng(0)
    codes = pd.factorize(rows["video_id"])[0]
    room = rng.normal(size=(18, 40))[codes] + 0.1 * rng.normal(size=(len(rows), 40))
    assert identity_probe(room, rows, draws=0).top1.value == 1.0
    assert identity_probe(room, rows, protocol="other_video", draws=0).top1.value < 0.5
    probe = identity_probe(face_like(rows), rows, protocol="other_video", draws=0)
    assert (probe.top1.value, probe.test_frames, probe.train_frames) == (1.0, 108, 72)


def test_two_people_and_three_draw_level_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.preprocessing import StandardScaler

    for people in (2, 3):
        rows = people_rows(people=people, frames=90)
        rows = rows[(rows["identity"] == "d/00") | (rows["frame"] < 150)].reset_index(drop=True)  # others are seen less
        x = face_like(rows, noise=2.0, width=4).astype(np.float32)
        x[:, 0] *= 1000
        train, test = time_split(rows)
        scaler = StandardScaler().fit(x[train].astype(float))
        model = LogisticRegression(class_weight="balanced", max_iter=1000)
        model.fit(scaler.transform(x[train].astype(float)), rows["identity"][train])
        said = model.predict(scaler.transform(x[test].astype(float)))
        right = balanced_accuracy_score(rows["identity"][test], said)
        probe = identity_probe(x, rows, draws=0)
        assert 0.4 < right < 1
        assert probe.top1.value == pytest.approx(right)
        assert np.isnan(probe.top5.value)
        assert probe.top5.reason == f"{people} identities: top-5 is always right"


def test_every_person_weighs_the_same():
    rows = people_rows(people=3, frames=10)
    rows = pd.concat([rows, *[rows.iloc[:10].assign(frame=rows["frame"][:10] + 50 * i) for i in range(1, 10)]])
    x = face_like(rows, noise=0.05)
    x[(rows["identity"] == "d/01").to_numpy() & (rows["frame"] >= 40).to_numpy()] = x[
        0
    ]  # at the end she looks like d/00
    assert identity_probe(x, rows, draws=0).top1.value == pytest.approx(2 / 3)


def test_unknown_people_and_fakes_take_no_part():
    rows = people_rows()
    x = face_like(rows)
    other = rows.assign(label=1, video_id="f/" + rows["video_id"])
    nobody = people_rows(people=1).assign(identity="", video_id="n")
    both = pd.concat([rows, other, nobody], ignore_index=True)
    noise = np.random.default_rng(3).normal(size=(len(other) + len(nobody), x.shape[1]))
    assert identity_probe(np.concatenate([x, noise]), both, draws=20) == identity_probe(x, rows, draws=20)


def test_the_order_of_rows_and_the_scale_of_features_do_not_matter():
    rows = people_rows(frames=12)
    x = face_like(rows, noise=1.5)
    order = np.random.default_rng(0).permutation(len(rows))
    a = identity_probe(x, rows, draws=100)
    b = identity_probe(x[order] * 7 - 3, rows.iloc[order], draws=100)
    assert 0.2 < a.top1.value < 1
    assert a.top1.value == b.top1.value
    assert a == identity_probe(x, rows, draws=100)


def slow_split(rows, share, skip):
    train, test = [], []
    for _, part in rows.groupby("video_id"):
        frames = sorted(set(part["frame"]))
        cut = max(1, int(np.floor(share * len(frames) + 1e-9)))
        late = frames[cut + skip :]
        if late:
            train += list(part.index[part["frame"].isin(frames[:cut])])
            test += list(part.index[part["frame"].isin(late)])
    return sorted(train), sorted(test)


@pytest.mark.parametrize(("share", "skip"), [(0.8, 0), (0.7, 0), (0.5, 2), (0.01, 0), (0.99, 0)])
def test_time_split_equals_a_slow_one_and_does_not_overlap(share, skip):
    rng = np.random.default_rng(0)
    rows = pd.concat([people_rows(people=1, frames=n).assign(video_id=f"v{n}") for n in range(1, 14)])
    rows = pd.concat([rows, rows.sample(frac=0.3, random_state=1)]).sample(frac=1, random_state=0)  # repeated frames
    rows = rows.assign(frame=rows["frame"] + 1000 * rng.integers(0, 2)).reset_index(drop=True)
    train, test = time_split(rows, share, skip)
    assert (list(np.flatnonzero(train)), list(np.flatnonzero(test))) == slow_split(rows, share, skip)
    assert not (train & test).any()
    last = rows[train].groupby("video_id")["frame"].max()
    first = rows[test].groupby("video_id")["frame"].min()
    assert (last < first).all()
    assert (last.index == first.index).all()


def test_video_folds_test_every_video_once_and_never_train_on_it():
    parts = [
        people_rows(1, n, 2).assign(identity=f"p{n}", video_id=lambda r, n=n: f"p{n}/" + r["video_id"])
        for n in (1, 2, 3, 7)
    ]
    rows = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=0).reset_index(drop=True)
    for count in (2, 3, 5, 9):
        folds = video_folds(rows, count)
        assert len(folds) == min(count, 7)
        assert sum(test.astype(int) for _, test in folds).tolist() == (rows["identity"] != "p1").astype(int).tolist()
        for train, test in folds:
            assert not set(rows["video_id"][train]) & set(rows["video_id"][test])
            assert set(rows["identity"][test]) <= set(rows["identity"][train])


@pytest.mark.parametrize(
    ("rows", "options", "reason"),
    [
        (people_rows(), {"protocol": "other_video"}, "no identity has two genuine videos"),
        (people_rows(frames=1), {}, "no genuine video has frames for both parts"),
        (people_rows(frames=10), {"skip": 5}, "no genuine video has frames for both parts"),
        (people_rows(people=1), {}, "1 identity: nobody to tell it from"),
        (people_rows(people=1, videos=3), {"protocol": "other_video"}, "1 identity: nobody to tell it from"),
        (people_rows().assign(label=1), {}, "no genuine video with a known identity"),
        (people_rows().assign(identity=""), {"protocol": "other_video"}, "no genuine video with a known identity"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_has_a_reason(rows, options, reason):
    probe = identity_probe(np.random.default_rng(0).normal(size=(len(rows), 3)), rows, **options)
    assert np.isnan(probe.top1.value)
    assert probe.top1.reason == probe.top5.reason == reason


def test_constant_features_have_a_reason():
    rows = people_rows()
    x = np.full((len(rows), 3), 1e3) + 1e-6 * np.random.default_rng(0).normal(size=(len(rows), 3))
    assert identity_probe(x, rows).top1.reason == "all features are constant"


def test_a_dead_feature_does_no_harm():
    rows = people_rows()
    x = np.concatenate([face_like(rows, noise=1.0), np.full((len(rows), 2), 0.1, np.float32)], axis=1)
    assert identity_probe(x, rows, draws=30) == identity_probe(x[:, :-2], rows, draws=30)


def test_short_videos_are_left_out_and_counted():
    rows = pd.concat([people_rows(), people_rows(people=2, frames=1).assign(video_id=["x", "y"])], ignore_index=True)
    probe = identity_probe(face_like(rows), rows, draws=0)
    assert (probe.left_out, probe.videos, probe.top1.n) == (2, 8, 16)


def test_time_may_stand_in_for_the_frame():
    rows = people_rows()
    timed = rows.assign(time_s=rows["frame"] / 25).drop(columns="frame")
    x = face_like(rows, noise=2)
    assert identity_probe(x, timed, draws=9) == identity_probe(x, rows, draws=9)


def test_bad_inputs_say_what_is_wrong():
    rows = people_rows()
    x = face_like(rows)
    with pytest.raises(InputError, match=r"features are \(79, 16\) and there are 80 rows"):
        identity_probe(x[1:], rows)
    with pytest.raises(InputError, match="features of row 4 are not finite"):
        identity_probe(np.where(np.arange(len(x))[:, None] == 4, np.nan, x), rows)
    with pytest.raises(TableError, match="no column 'identity'; they have video_id, label"):
        identity_probe(x, rows.drop(columns="identity"))
    with pytest.raises(TableError, match=r"'d/0_0\.mp4' has 2 tracks.*tracks=\"main\""):
        identity_probe(x, rows.assign(track=rows["frame"] % 2))
    with pytest.raises(TableError, match="has 10 identities"):
        identity_probe(x, rows.assign(identity=rows["frame"].astype(str)))
    with pytest.raises(UnknownNameError, match="protocol"):
        identity_probe(x, rows, protocol="later")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ParameterError, match="Change train_share, folds"):
        identity_probe(x, rows, train_share=1.0, folds=1)


def test_people_come_from_the_video_table():
    videos = pd.DataFrame({"video_id": ["a", "b"], "carrier": ["p", "q"], "donor": ["", "p"]})
    rows = with_people(pd.DataFrame({"video_id": ["b", "a", "b"], "frame": 0}), videos)
    assert rows["identity"].tolist() == ["q", "p", "q"]
    assert rows["donor"].tolist() == ["p", "", "p"]
    with pytest.raises(TableError, match="1 videos are not in the video table \\(first: 'c'\\)"):
        with_people(pd.DataFrame({"video_id": ["a", "c"]}), videos)


def test_interval_equals_a_slow_one_with_the_same_draws():
    rng = np.random.default_rng(0)
    units, values = rng.integers(0, 12, 90), rng.random(90)
    got = mean_measure("m", values, units, judging=Judging(draws=60, seed=3))
    groups = [values[units == u] for u in pd.unique(units)]
    means = [
        np.concatenate([g for g, times in zip(groups, draw, strict=True) for _ in range(times)]).mean()
        for draw in draw_counts(len(groups), 60, seed=3)
    ]
    assert (got.low, got.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert (got.value, got.n) == (values.mean(), 90)


def test_all_or_nothing_is_not_certainty():
    for value in (0.0, 1.0):
        measure = mean_measure("m", [value] * 60, np.arange(60) % 6)
        exact = binomtest(round(6 * value), 6).proportion_ci(0.95, "exact")
        assert (measure.low, measure.high) == pytest.approx((exact.low, exact.high))


def test_an_interval_needs_five_units():
    few = mean_measure("m", [1, 0, 1, 1, 0], list("abcdd"), unit="identity")
    assert (few.value, few.reason) == (0.6, "4 identities: no interval below 5")
    assert np.isnan(few.low)
    assert np.isnan(mean_measure("m", [], []).value)
    assert mean_measure("m", [1, 0], ["a", "b"], judging=Judging(draws=0))[:2] == ("m", 0.5)


def test_measures_side_by_side():
    a = [Measure("top-1", 0.43, 0.31, 0.55, 0.05, 9), Measure("gap", float("nan"), reason="one class")]
    b = [Measure("top-1", 0.9, chance=0.1), Measure("other", 0.5)]
    table = measures_table({"binary": a, "CADDM": b})
    assert list(table.columns) == ["chance", "binary", "CADDM"]
    assert table.loc["top-1"].tolist() == ["0.05 to 0.10", "0.43 [0.31, 0.55]", "0.90"]
    assert table.loc["gap"].tolist() == ["", "not defined", ""]
    assert table.loc["other"].tolist() == ["", "", "0.50"]
    frame = measures_frame({"binary": a, "CADDM": b})
    assert frame.columns.tolist() == ["detector", "measure", "value", "low", "high", "chance", "n", "reason"]
    assert len(frame) == 4
    assert measures_table({}).empty
