import subprocess
import sys

import numpy as np
import pytest

from dfworkbench.faces.faces import Faces
from dfworkbench.faces.tracking import KeyFrame, colour_histogram, is_clear, likeness, link

GREY = colour_histogram(np.full((90, 160, 3), 100, np.uint8))
WHITE = colour_histogram(np.full((90, 160, 3), 255, np.uint8))


def key(index, *boxes, colours=GREY):
    boxes = np.reshape(np.array(boxes, dtype=np.float64), (-1, 4))
    return KeyFrame(index, index / 25, Faces(boxes, np.ones(len(boxes)), np.zeros((len(boxes), 5, 2))), colours)


def box(x, y=100.0, side=80.0):
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def paths(keys):
    """For each track the x of its boxes by frame."""
    return [
        {keys[k].index: float(keys[k].faces.boxes[f, [0, 2]].mean()) for k, f in zip(t.keys, t.faces, strict=True)}
        for t in link(keys)
    ]


def test_two_people_who_stay_are_two_tracks_whatever_the_order_of_boxes():
    keys = [key(i, *((box(200 + i), box(600)) if i % 2 else (box(600), box(200 + i)))) for i in range(10)]
    found = paths(keys)
    assert len(found) == 2
    assert sorted(round(p[9]) for p in found) == [209, 600]


def test_people_who_walk_through_each_other_keep_their_tracks():
    keys = [key(i, box(100 + 30 * i), box(700 - 30 * i, y=120)) for i in range(20)]
    found = paths(keys)
    assert len(found) == 2
    assert {round(p[19] - p[0]) for p in found} == {570, -570}


def test_a_fast_walker_stays_one_track_although_boxes_do_not_overlap():
    # after two key frames the prediction carries what overlap cannot: 100 px a frame, boxes of 80 px
    keys = [key(0, box(0)), key(1, box(40)), *(key(i, box(40 + 100 * (i - 1))) for i in range(2, 3))]
    assert len(paths([key(i, box(45 * i)) for i in range(20)])) == 1
    assert len(paths([key(0, box(0)), key(1, box(45)), key(3, box(135)), key(5, box(225))])) == 1
    assert len(paths(keys)) == 2  # an impossible jump is not followed


def test_a_walker_does_not_take_the_track_of_the_person_he_hides():
    walker = {i: box(100 + 40 * i, y=110, side=90) for i in range(15)}
    keys = [key(i, walker[i], *([] if 4 <= i <= 6 else [box(300)])) for i in range(15)]
    found = paths(keys)
    assert len(found) == 2
    standing = next(p for p in found if p[0] == 300)
    assert set(standing.values()) == {300.0}
    assert set(standing) == set(range(15)) - {4, 5, 6}


def test_a_face_lost_for_long_starts_a_new_track():
    keys = [key(0, box(300)), key(1, box(300)), *(key(i) for i in range(2, 40)), key(40, box(300))]
    assert len(paths(keys)) == 2


def test_a_face_not_found_in_a_few_sparse_frames_keeps_its_track():
    keys = [key(25 * i, *([] if i in (2, 3) else [box(300)])) for i in range(8)]
    assert len(paths(keys)) == 1


def test_a_cut_ends_all_tracks():
    keys = [*(key(i, box(300)) for i in range(5)), *(key(i, box(300), colours=WHITE) for i in range(5, 10))]
    assert [sorted(p) for p in paths(keys)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_every_face_is_in_exactly_one_track_and_no_track_holds_two_boxes_of_a_frame():
    rng = np.random.default_rng(0)
    for _ in range(40):
        keys = [
            key(i, *(box(*rng.uniform((0, 0, 40), (400, 300, 120))) for _ in range(rng.integers(0, 6))))
            for i in range(12)
        ]
        tracks = link(keys)
        members = [pair for t in tracks for pair in zip(t.keys, t.faces, strict=True)]
        assert sorted(members) == [(k, f) for k in range(12) for f in range(len(keys[k].faces.boxes))]
        assert all(len(set(t.keys)) == len(t.keys) and t.keys == sorted(t.keys) for t in tracks)


def test_clear_means_one_to_one():
    assert is_clear(key(0, box(100), box(300)), key(9, box(310), box(95)))
    assert is_clear(key(0), key(9))
    assert not is_clear(key(0, box(100)), key(9, box(100), box(300)))  # somebody came
    assert not is_clear(key(0, box(100)), key(9, box(300)))  # moved far
    assert not is_clear(key(0, box(100), box(130)), key(9, box(105), box(135)))  # who is who?
    assert not is_clear(key(0, box(100)), key(9, box(100), colours=WHITE))  # a cut may lie between


def test_likeness_gates():
    boxes = np.array([box(100)])
    assert likeness(boxes, np.array([box(100)]))[0, 0] == pytest.approx(1.5)
    assert likeness(boxes, np.array([box(147)]))[0, 0] > 0  # 0.59 of a side
    assert likeness(boxes, np.array([box(170)]))[0, 0] == 0
    assert likeness(boxes, np.array([box(100, side=20)]))[0, 0] == 0  # a face inside a face


def test_colour_histogram_is_a_distribution_of_any_size():
    for shape in ((1, 1, 3), (45, 80, 3), (1080, 1920, 3)):
        histogram = colour_histogram(np.full(shape, 100, np.uint8))
        assert histogram.sum() == pytest.approx(1)
        np.testing.assert_array_equal(histogram, GREY)


def test_settings_crops_and_tracking_need_no_torch():
    code = (
        "import sys, dfworkbench.faces, dfworkbench.faces.crops, dfworkbench.faces.tracking, dfworkbench.media;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
