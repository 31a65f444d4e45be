"""Locked protocols: what the hash depends on, which scores are accepted, and what a leaderboard refuses."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import DataNotFoundError, ParameterError, TableError, UnknownNameError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.tables import SCORES, read_table, write_table
from dfworkbench.evaluation.judging.by_protocol import judge_by
from dfworkbench.evaluation.judging.leaderboard import LOWER_IS_BETTER, Leaderboard
from dfworkbench.evaluation.judging.protocol import Protocol, crop_profile, split_hash, split_videos
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.curves import Ranking
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging

OTHER = {
    "dataset": "other", "split": "val", "split_hash": "0" * 64, "videos": 9, "crop": "box x1.3", "frames_per_video": 8,
    "level": "frame", "rule": "mean", "missing": "drop", "selection": "last", "metrics": ("eer", "auc"), "unit": "group",
    "draws": 10, "seed": 3, "confidence": 0.9,
}  # fmt: skip


@pytest.fixture
def locked(toy):
    return Protocol.of("toy", workspace=toy, draws=200), split_videos("toy", "test", toy)


def scores_of(videos, seed=0, skill=1.0, frames=3):
    rng = np.random.default_rng(seed)
    rows = []
    for video in videos.itertuples():
        for frame in range(frames):
            logit = rng.normal(skill * (2 * video.label - 1), 1)
            rows.append({
                "row_id": f"{video.video_id}#t0f{frame}", "video_id": video.video_id, "label": video.label, "track": 0,
                "frame": frame, "logit": logit, "fake_probability": 1 / (1 + np.exp(-logit)),
            })  # fmt: skip
    return SCORES.complete(rows)


def judged(locked, name="a", scores=None, **changes):
    protocol, videos = locked
    fields = {"name": name, "selected": "validation", **changes}
    return judge_by(protocol, scores_of(videos) if scores is None else scores, videos, **fields)


def test_every_field_counts_towards_the_hash(locked):
    protocol = locked[0]
    assert set(OTHER) == set(Protocol.model_fields)
    hashes = {protocol.replace(**{name: value}).sha256 for name, value in OTHER.items()}
    assert len(hashes | {protocol.sha256}) == len(OTHER) + 1
    for name, value in OTHER.items():
        assert list(protocol.differences(protocol.replace(**{name: value}))) == [name]


def test_the_hash_is_that_of_the_canonical_json():
    protocol = Protocol(dataset="d", split_hash="0" * 64, videos=2)
    text = (
        '{"crop":"any","dataset":"d","draws":1000,"frames_per_video":0,"level":"video","metrics":["auc","eer"],'
        '"missing":"as_chance","rule":"max_track_mean","seed":0,"selection":"validation","split":"test",'
        f'"split_hash":"{"0" * 64}","unit":"video","videos":2}}'
    )
    assert protocol.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert protocol.id == protocol.sha256[:10]


def test_the_split_hash_knows_content_and_no_order(locked):
    videos = locked[1]
    shuffled = videos.sample(frac=1, random_state=2)[sorted(videos.columns)]
    assert split_hash(shuffled) == split_hash(videos) == locked[0].split_hash
    assert split_hash(videos.assign(frames=99)) == split_hash(videos)  # says nothing about which files these are
    for name, value in (("video_id", "x"), ("split", "val"), ("label", 1), ("group", "x"), ("forgery", "x")):
        changed = videos.copy()
        changed.loc[0, name] = value
        assert split_hash(changed) != split_hash(videos), name


def test_a_protocol_comes_back_from_its_file(locked, toy):
    path = locked[0].save(toy)
    assert path == toy.labels / f"toy/protocols/{locked[0].id}.json"
    assert Protocol.load(path) == locked[0]
    record = json.loads(path.read_text())
    record["protocol"]["seed"] = 7
    path.write_text(json.dumps(record))
    with pytest.raises(ParameterError, match="changed after it was locked"):
        Protocol.load(path)
    path.write_text("{}")
    with pytest.raises(ParameterError, match="cannot be used"):
        Protocol.load(path)
    with pytest.raises(DataNotFoundError, match="no file"):
        Protocol.load(path.parent / "none.json")


def test_unknown_metrics_and_empty_splits_are_refused(locked, toy):
    with pytest.raises(UnknownNameError, match="Did you mean 'auc'"):
        locked[0].replace(metrics=("auk",))
    with pytest.raises(TableError, match=r"'toy'.*no videos"):
        Protocol.of("toy", "nothing", workspace=toy)


def test_figures_are_those_of_evaluate_in_any_order_of_rows(locked):
    protocol, videos = locked
    scores = scores_of(videos)
    rows = judged(locked).rows
    expected = evaluate(
        scores.sort_values(["video_id", "frame"]),
        ("video",),
        metrics=("auc", "eer"),
        judging=Judging(draws=200, missing="as_chance"),
    )
    pd.testing.assert_frame_equal(rows[list(expected)], expected)
    assert set(rows["protocol"]) == {protocol.id}
    pd.testing.assert_frame_equal(judged(locked, scores=scores.sample(frac=1, random_state=1)).rows, rows)


@pytest.mark.parametrize(
    ("policy", "auc"), [("drop", 1.0), ("as_chance", 14 / 16), ("as_real", 13 / 16), ("as_fake", 1.0)]
)
def test_missing_files_count_as_the_policy_says(locked, policy, auc):
    protocol, videos = locked
    scores = scores_of(videos, skill=40.0)  # every fake above every real file
    lost = videos.loc[videos["label"] == 1, "video_id"].iloc[0]
    # of 4 x 4 pairs 12 are right; the lost fake stands among reals at 0, 0, 0.6, 0.6: at 0.5 it is above two of them, at 0 it
    # ties with two, at 1 it is above all
    scores.loc[scores["label"] == 0, "fake_probability"] = np.repeat([0.0, 0.6], 6)
    found = judge_by(
        protocol.replace(missing=policy), scores[scores["video_id"] != lost], videos, name="a", selected="validation"
    ).rows.iloc[0]
    assert found["coverage"] == 7 / 8
    assert found["value"] == auc


def test_files_of_others_are_refused(locked):
    extra = scores_of(locked[1].assign(video_id="x/" + locked[1]["video_id"]))
    with pytest.raises(TableError, match=r"8 scored files are not among its 8 \(first: 'x/toy/fake0/test00.mp4'\)"):
        judged(locked, scores=pd.concat([scores_of(locked[1]), extra]))


def test_other_tables_than_the_locked_ones_are_refused(locked):
    protocol, videos = locked
    with pytest.raises(TableError, match="have changed since it was locked"):
        judge_by(protocol, scores_of(videos), videos.iloc[1:], name="a", selected="validation")


def test_scores_that_say_real_for_fake_are_refused(locked):
    scores = scores_of(locked[1])
    with pytest.raises(TableError, match="8 files have another label"):
        judged(locked, scores=scores.assign(label=1 - scores["label"]))
    unlabelled = judged(locked, scores=scores.assign(label=-1)).rows
    pd.testing.assert_frame_equal(unlabelled, judged(locked).rows)


def test_the_way_is_checked(locked):
    protocol, videos = locked
    with pytest.raises(ParameterError, match=r"chosen by 'last'.*says 'validation'"):
        judged(locked, selected="last")
    assert len(judged(locked, selected="only").rows) == 2
    strict = protocol.replace(crop=crop_profile(InputSpec(crop_scale=1.3)), frames_per_video=2), videos
    with pytest.raises(ParameterError, match=r"cut as 'not stated'.*'box x1.3'"):
        judged(strict)
    with pytest.raises(TableError, match="3 rows of one person"):
        judged(strict, crop="box x1.3")
    assert len(judged(strict, crop="box x1.3", scores=scores_of(videos, frames=2)).rows) == 2


def test_a_leaderboard_orders_by_the_first_metric_then_by_name(locked):
    good = scores_of(locked[1], skill=40.0)
    entries = [
        judged(locked, "weak", scores_of(locked[1], skill=0.0)),
        judged(locked, "b", good),
        judged(locked, "a", good),
    ]
    boards = [Leaderboard(entries), Leaderboard(reversed(entries))]
    for board in boards:
        assert [one.name for one in board.entries] == ["a", "b", "weak"]
    pd.testing.assert_frame_equal(boards[0].frame(), boards[1].frame())
    by_error = [
        judge_by(locked[0].replace(metrics=("eer",)), one, locked[1], name=name, selected="only")
        for name, one in (("weak", scores_of(locked[1], skill=0.0)), ("good", good))
    ]
    assert [one.name for one in Leaderboard(by_error).entries] == ["good", "weak"]
    assert "[" not in boards[0].table()["auc"].iloc[2]  # too few files
    assert "no interval below 5." in boards[0].table()["note"].iloc[2]


def test_a_leaderboard_refuses_other_protocols_and_says_what_differs(locked):
    board = Leaderboard([judged(locked)])
    other = locked[0].replace(level="frame", seed=5), locked[1]
    with pytest.raises(
        ParameterError, match=r"(?s)differs in 2 field.*level: 'video' here, 'frame' there.*seed: 0 here, 5 there"
    ):
        board.add(judged(other, "b"))
    with pytest.raises(ParameterError, match="has this name already"):
        board.add(judged(locked))
    assert len(board) == 1


def test_a_leaderboard_is_written(locked, tmp_path):
    scores = scores_of(locked[1]).assign(note="Mind the <gap>.")
    board = Leaderboard([judged(locked, "a <b>", scores), judged(locked, "c")])
    written = pd.read_csv(board.to_csv(tmp_path / "board.csv"))
    assert written["value"].tolist() == pytest.approx(board.frame()["value"].tolist())
    assert set(written.loc[written["name"] == "a <b>", "note"]) == {"Mind the <gap>."}
    page = board.to_html(tmp_path / "board.html").read_text()
    assert locked[0].id in page
    assert page.count("Mind the &lt;gap&gt;.") == 1
    assert "<b>" not in page
    assert "empty" in repr(Leaderboard())


def test_which_metrics_are_better_when_lower():
    labels = np.array([0, 1] * 50)
    right, wrong = np.where(labels, 0.9, 0.2), np.where(labels, 0.3, 0.8)
    for name, metric in METRICS.items():
        good, bad = (float(metric(Ranking(labels, p).curve())[0]) for p in (right, wrong))
        assert (good < bad) == (name in LOWER_IS_BETTER), name


def test_the_protocol_goes_by_splits_csv(toy):
    path = toy.labels / "toy/videos.csv"
    write_table("video", read_table("video", path).assign(split="train"), path)
    assert Protocol.of("toy", workspace=toy).videos == 8


def test_protocols_locked_before_there_was_a_confidence_keep_their_ids(tmp_path):
    """Both ids were computed by the version before `Judging`."""
    old = Protocol(dataset="d", split_hash="0" * 64, videos=3)
    other = old.replace(missing="drop", unit="group", draws=5, seed=2, level="frame")
    assert (old.id, other.id) == ("5c2459cebe", "d7879f53ac")
    stored = old.model_dump(mode="json")
    del stored["confidence"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"sha256": old.sha256, "protocol": stored}))
    assert Protocol.load(path) == old
    assert old.replace(confidence=0.9).id != old.id
