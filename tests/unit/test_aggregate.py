import numpy as np
import pandas as pd
import pytest

from dfworkbench.errors import TableError, UnknownNameError
from dfworkbench.evaluation.aggregate import RULES, to_level
from dfworkbench.tables import SCORES


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
    scores = TWO_PEOPLE.assign(label=[0, 0, 1, 1, 1], method=["", "", "FaceSwap", "FaceSwap", "FaceSwap"])
    assert to_level(scores)[["label", "method"]].to_numpy().tolist() == [[1, "FaceSwap"]]
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
