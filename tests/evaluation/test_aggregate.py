import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import TableError, UnknownNameError
from dfworkbench.datasets.tables import SCORES, read_table, write_table
from dfworkbench.evaluation.scoring.aggregate import RULES, to_level


def table(*rows):
    """Rows (video_id, label, track, frame, fake probability)."""
    return SCORES.complete(
        [
            {"row_id": f"{v}#t{t}f{f}", "video_id": v, "label": y, "track": t, "frame": f, "fake_probability": p}
            for v, y, t, f, p in rows
        ]
    )


TWO_PEOPLE = table(
    ("d/a.mp4", 1, 0, 0, 0.1), ("d/a.mp4", 1, 0, 5, 0.3), ("d/a.mp4", 1, 1, 0, 0.9), ("d/a.mp4", 1, 1, 5, 0.5),
    ("d/a.mp4", 1, 1, 9, 0.7),
)  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "expected"), [("max_track_mean", 0.7), ("mean", 0.5), ("max_frame", 0.9), ("top_quarter", 0.8)]
)
def test_each_rule_by_hand(rule, expected):
    out = to_level(TWO_PEOPLE, "video", rule)  # the highest quarter of five faces is two of them: 0.9 and 0.7
    assert out["fake_probability"].tolist() == pytest.approx([expected])
    assert out["faces"].tolist() == [5]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("max_track_mean", [0.2, 0.7]), ("mean", [0.2, 0.7]), ("max_frame", [0.3, 0.9]), ("top_quarter", [0.3, 0.9])],
)
def test_track_level_applies_the_rule_within_each_track(rule, expected):
    out = to_level(TWO_PEOPLE, "track", rule)
    assert out["fake_probability"].tolist() == pytest.approx(expected)
    assert out["row_id"].tolist() == ["d/a.mp4#t0", "d/a.mp4#t1"]


def test_equal_file_names_of_different_forgery_kinds_stay_apart():
    scores = table(("ff/Deepfakes/000.mp4", 1, 0, 0, 0.9), ("ff/FaceSwap/000.mp4", 1, 0, 0, 0.1))
    assert to_level(scores)["fake_probability"].tolist() == [0.9, 0.1]


def test_files_keep_their_order_and_failed_files_their_reason():
    failed = {"row_id": "d/z.mp4", "video_id": "d/z.mp4", "label": 0, "status": "no_face", "reason": "nobody there"}
    scores = pd.concat([SCORES.complete([failed]), TWO_PEOPLE], ignore_index=True)
    out = to_level(scores)
    assert out["video_id"].tolist() == ["d/z.mp4", "d/a.mp4"]
    assert out["status"].tolist() == ["no_face", "ok"]
    assert out["reason"].tolist() == ["nobody there", ""]
    assert np.isnan(out["fake_probability"][0])


def test_a_number_in_a_failed_row_is_no_score():
    scores = TWO_PEOPLE.assign(status=["error", "ok", "ok", "ok", "ok"], reason=["disk", "", "", "", ""])
    assert to_level(scores, "track")["fake_probability"].tolist() == pytest.approx([0.3, 0.7])
    assert to_level(scores, "track")["status"].tolist() == ["ok", "ok"]


def test_an_ok_row_without_number_is_missing():
    scores = TWO_PEOPLE.iloc[:1].assign(fake_probability=np.nan)
    assert to_level(scores)["status"].tolist() == ["missing"]


def test_one_forged_person_makes_the_file_fake_and_names_the_kind():
    scores = TWO_PEOPLE.assign(label=[0, 0, 1, 1, 1], forgery=["", "", "FaceSwap", "FaceSwap", "FaceSwap"])
    assert to_level(scores)[["label", "forgery"]].to_numpy().tolist() == [[1, "FaceSwap"]]
    assert to_level(scores, "track")["label"].tolist() == [0, 1]


def test_two_labels_in_one_track_are_refused():
    with pytest.raises(TableError, match=r"track 0 of 'd/a.mp4'.*different labels"):
        to_level(TWO_PEOPLE.assign(label=[0, 1, 1, 1, 1]))


def test_unknown_rule_names_the_closest():
    with pytest.raises(UnknownNameError, match=r"'max_mean'.*'max_track_mean'"):
        to_level(TWO_PEOPLE, "video", "max_mean")
    with pytest.raises(UnknownNameError, match="level"):
        to_level(TWO_PEOPLE, "shot")


@pytest.mark.parametrize(("alias", "level"), [("clip", "frame"), ("person", "track")])
def test_clips_are_the_rows_and_a_person_is_a_track(alias, level):
    pd.testing.assert_frame_equal(to_level(TWO_PEOPLE, alias), to_level(TWO_PEOPLE, level))


def test_a_missing_column_is_named():
    with pytest.raises(TableError, match="no column 'track'"):
        to_level(TWO_PEOPLE.drop(columns="track"))


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("level", ["frame", "track", "video"])
def test_an_empty_table_gives_an_empty_table(level, rule):
    assert len(to_level(SCORES.empty(), level, rule)) == 0


def test_the_given_table_is_not_changed():
    before = TWO_PEOPLE.copy()
    to_level(TWO_PEOPLE.assign(status="error"), "video")
    to_level(TWO_PEOPLE)
    pd.testing.assert_frame_equal(TWO_PEOPLE, before)


# -- doubtful tracks ----------------------------------------------------------------------------------------------------

DOUBT = "seen in 1 of 16 sampled frames"


def with_a_false_box(*doubts):
    """Three tracks: a person at 0.2 in two faces, another one at 0.4, and one box at 0.99."""
    tracks = [(0, 0, 0.1), (0, 5, 0.3), (1, 0, 0.4), (1, 5, 0.4), (2, 5, 0.99)]
    rows = [
        {
            "row_id": f"v#t{t}f{f}",
            "video_id": "v",
            "track": t,
            "frame": f,
            "label": 0,
            "fake_probability": p,
            "doubt": doubts[t],
            "face_px": 50.0 - t,
        }
        for t, f, p in tracks
    ]
    return SCORES.complete(rows)


@pytest.mark.parametrize(
    ("rule", "expected"), [("max_track_mean", 0.4), ("mean", 0.3), ("max_frame", 0.4), ("top_quarter", 0.4)]
)
def test_a_doubtful_track_does_not_decide(rule, expected):
    out = to_level(with_a_false_box("", "", DOUBT), "video", rule)
    assert out["fake_probability"].tolist() == pytest.approx([expected])
    assert out["doubt"].tolist() == [""]
    assert to_level(with_a_false_box("", "", ""), "video", rule)["fake_probability"].iloc[0] > expected


def test_a_doubtful_track_stays_visible():
    out = to_level(with_a_false_box("", "still picture", DOUBT), "track")
    assert out["fake_probability"].tolist() == pytest.approx([0.2, 0.4, 0.99])
    assert out["doubt"].tolist() == ["", "still picture", DOUBT]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_doubtful_tracks_decide_where_there_are_no_others(rule):
    doubted = with_a_false_box("still picture", DOUBT, DOUBT)
    out, plain = to_level(doubted, "video", rule), to_level(with_a_false_box("", "", ""), "video", rule)
    assert out["fake_probability"].tolist() == plain["fake_probability"].tolist()
    assert out["doubt"].tolist() == ["still picture"]


def test_a_track_without_score_does_not_silence_the_doubtful_one():
    """A clip detector cannot score the only sure track."""
    rows = with_a_false_box("", "", DOUBT)
    rows.loc[rows["track"] < 2, ["status", "fake_probability"]] = ["error", float("nan")]
    out = to_level(rows)
    assert (out["fake_probability"].tolist(), out["doubt"].tolist()) == ([0.99], [DOUBT])


def test_a_doubtful_track_still_makes_its_file_fake():
    rows = with_a_false_box("", "", DOUBT)
    rows.loc[rows["track"] == 2, ["label", "forgery"]] = [1, "FaceSwap"]
    assert to_level(rows)[["label", "forgery"]].to_numpy().tolist() == [[1, "FaceSwap"]]


def test_files_are_doubted_one_by_one():
    alone = with_a_false_box(DOUBT, DOUBT, DOUBT).assign(video_id="w")
    out = to_level(pd.concat([with_a_false_box("", "", DOUBT), alone], ignore_index=True))
    assert out["fake_probability"].tolist() == pytest.approx([0.4, 0.99])


def test_tables_of_before_have_no_doubts(tmp_path):
    rows = with_a_false_box("", "", DOUBT)
    old = rows.drop(columns=["doubt", "run"])
    assert to_level(old)["fake_probability"].tolist() == [0.99]
    old.to_csv(tmp_path / "old.csv", index=False)
    assert to_level(read_table("score", tmp_path / "old.csv"))["fake_probability"].tolist() == [0.99]
    write_table("score", rows, tmp_path / "new.csv")  # "" is nothing in a CSV file
    assert to_level(read_table("score", tmp_path / "new.csv"))["fake_probability"].tolist() == pytest.approx([0.4])
