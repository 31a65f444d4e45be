"""Rules over frames and people against hand-made values; check cases of the confident rule were run with its author's code."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.tables import SCORES, read_table, write_table
from dfworkbench.evaluation.scoring.aggregate import to_level
from dfworkbench.evaluation.scoring.rules import FACE_PX, RULES, Rule, confident_mean, made_of


def faces(*rows):
    """Rows (track, frame, fake probability, side of the face in pixels) of one file."""
    return SCORES.complete(
        [
            {
                "row_id": f"d/a.mp4#t{t}f{f}", "video_id": "d/a.mp4", "label": 1, "track": t, "frame": f,
                "fake_probability": p, FACE_PX: px,
            }
            for t, f, p, px in rows
        ]
    )  # fmt: skip


#: Frame 0: 0.9 in a small face, 0.2 in the largest, 0.6 in one of half its area. Frame 5: one face.
CROWD = faces((0, 0, 0.9, 10.0), (1, 0, 0.2, 40.0), (2, 0, 0.6, 40 / 2**0.5), (1, 5, 0.4, 40.0))


def video(scores, rule):
    return float(to_level(scores, "video", rule)["fake_probability"].iloc[0])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.9] * 13 + [0.3] * 19, 0.9), ([0.9] * 12 + [0.3] * 20, 0.525), ([0.1] * 29 + [0.9] * 3, 0.1),
        ([0.1] * 28 + [0.9] * 4, 0.2), ([0.95] * 10, 0.95),
    ],
)  # fmt: skip
def test_the_five_check_cases_of_the_confident_rule(scores, expected):
    assert confident_mean(np.array(scores)) == pytest.approx(expected)
    table = faces(*((0, frame, p, 40.0) for frame, p in enumerate(scores)))
    for rule in ("confident", "max_track_confident", "largest_confident"):
        assert video(table, rule) == pytest.approx(expected)
        assert to_level(table, "track", rule)["fake_probability"].tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("largest_mean", 0.3), ("frame_maximum", 0.5), ("mean", 0.525), ("max_track_mean", 0.9), ("confident", 0.525)],
)
def test_rules_over_people_by_hand(rule, expected):
    assert video(CROWD, rule) == pytest.approx(expected)
    assert video(CROWD.iloc[::-1], rule) == pytest.approx(expected)  # whatever the order of rows


def test_just_under_half_the_area_does_not_count():
    assert video(CROWD.assign(face_px=[10.0, 40.0, 28.2, 40.0]), "frame_maximum") == pytest.approx(0.3)


def test_the_mean_logit_is_not_the_mean_probability():
    table = faces((0, 0, expit(-1.0), 40.0), (0, 5, expit(5.0), 40.0), (1, 0, expit(-3.0), 20.0))
    assert video(table, "max_track_mean_logit") == pytest.approx(expit(2.0))
    assert video(table, "largest_mean_logit") == pytest.approx(expit(2.0))
    assert video(table, "mean_logit") == pytest.approx(expit(1 / 3))
    assert to_level(table, "track", "mean_logit")["fake_probability"].tolist() == pytest.approx([expit(2.0), expit(-3)])


def test_logits_count_where_they_belong_to_the_probability():
    sure = faces((0, 0, 1.0, 40.0), (0, 5, expit(-60.0), 40.0)).assign(logit=[80.0, -60.0])
    assert video(sure, "mean_logit") == pytest.approx(expit(10.0))
    calibrated = sure.assign(fake_probability=[expit(2.0), expit(-1.0)])
    assert video(calibrated, "mean_logit") == pytest.approx(expit(0.5))


def test_the_list_of_all_faces_ends_after_127():
    crowd = faces(*((t, f, 0.9 if f < 31 else 0.3, 40.0) for t in range(4) for f in range(40)))
    first = [0.9] * 124 + [0.3] * 3
    assert video(crowd, "confident") == pytest.approx(np.mean([p for p in first if p > 0.8]))
    low = crowd.assign(fake_probability=[0.5 if f < 31 else 0.7 for f in crowd["frame"]])
    assert video(low, "confident") == pytest.approx((124 * 0.5 + 3 * 0.7) / 127)


def test_sizes_are_asked_for_only_where_people_share_a_frame(tmp_path):
    one = faces((0, 0, 0.2, 40.0), (0, 5, 0.4, 40.0)).drop(columns=FACE_PX)
    assert video(one, "largest_mean") == video(one, "frame_maximum") == pytest.approx(0.3)
    for table in (CROWD.drop(columns=FACE_PX), CROWD.assign(face_px=np.nan)):
        with pytest.raises(TableError, match=r"'largest_mean'.*3 faces.*'face_px'.*d/a.mp4.*max_track_mean"):
            to_level(table, "video", "largest_mean")
    write_table("score", CROWD, tmp_path / "scores.csv")
    assert video(read_table("score", tmp_path / "scores.csv"), "largest_mean") == pytest.approx(0.3)


def test_files_are_summed_up_one_by_one():
    other = CROWD.assign(video_id="d/b.mp4", row_id=[f"b{i}" for i in range(4)], fake_probability=[0.1, 0.7, 0.1, 0.9])
    both = pd.concat([CROWD, other], ignore_index=True)
    for rule, expected in (("largest_mean", [0.3, 0.8]), ("frame_maximum", [0.5, 0.8]), ("confident", [0.525, 0.45])):
        assert to_level(both, "video", rule)["fake_probability"].tolist() == pytest.approx(expected)


def test_pairs_of_rules_make_rules_with_names():
    assert made_of("tracks", "mean") == "max_track_mean"
    assert made_of("frame_maximum", "mean") == "frame_maximum"
    assert made_of("frame_maximum", "confident") is None
    assert set(Rule.__args__) == set(RULES)
    assert all(words and "\n" not in words for words in RULES.values())
