import itertools

import numpy as np
import pytest

from dfworkbench.faces.embedding import cut_face
from dfworkbench.faces.face_tile import FaceTile, cut_tile
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.identity import join_tracks
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.faces.tracking import KeyFrame, colour_histogram, link

GREY = colour_histogram(np.full((90, 160, 3), 100, np.uint8))
WHITE = colour_histogram(np.full((90, 160, 3), 255, np.uint8))
BOX = (100.0, 100.0, 180.0, 180.0)
ANNA, BEN, CARA = (250, 0, 0), (0, 250, 0), (0, 0, 250)


def key(index, *colours, tiles=True, cut=False):
    """A key frame with a face per colour, side by side; a person is a colour."""
    boxes = np.array([(100 + 200 * n, 100, 180 + 200 * n, 180) for n in range(len(colours))], float).reshape(-1, 4)
    crops = [
        FaceTile(np.full((160, 160, 3), colour, np.uint8), box[0] - 40, box[1] - 40, 160)
        for colour, box in zip(colours, boxes, strict=True)
    ]
    faces = Faces(boxes, np.ones(len(boxes)), np.zeros((len(boxes), 5, 2)))
    return KeyFrame(index, index / 25, faces, WHITE if cut else GREY, crops if tiles else None)


def embed(crops):
    """The direction of the mean colour: people of different pure colours are at distance 1."""
    assert crops.dtype == np.uint8
    assert crops.shape[1:] == (160, 160, 3)
    colours = crops.mean(axis=(1, 2)) + 1e-6
    return (colours / np.linalg.norm(colours, axis=1, keepdims=True)).astype(np.float32)


def scenes(*people):
    """Key frames of several shots of three frames, each with the people named."""
    return [key(3 * n + i, *who, cut=bool(n % 2)) for n, who in enumerate(people) for i in range(3)]


def members(tracks):
    return [list(zip(track.keys, track.faces, strict=True)) for track in tracks]


def test_who_returns_after_a_cut_is_the_same_track():
    keys = scenes([ANNA], [BEN], [ANNA])
    tracks = link(keys)
    assert len(tracks) == 3
    joined = join_tracks(tracks, keys, embed)
    assert [track.keys for track in joined] == [[0, 1, 2, 6, 7, 8], [3, 4, 5]]
    assert [track.keys for track in tracks] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]  # what went in is as it was


def test_who_returns_after_a_long_gap_is_the_same_track():
    keys = [key(0, ANNA), key(1, ANNA), *(key(i) for i in range(2, 40)), key(40, ANNA), key(41, ANNA)]
    assert len(link(keys)) == 2
    assert members(join_tracks(link(keys), keys, embed)) == [[(0, 0), (1, 0), (40, 0), (41, 0)]]


def test_three_people_in_changing_places_are_three_tracks():
    keys = scenes([ANNA, BEN], [CARA], [BEN, ANNA, CARA], [CARA, BEN], [ANNA])
    tracks = link(keys)
    assert len(tracks) == 9
    joined = join_tracks(tracks, keys, embed)
    seen = [{tuple(keys[k].tiles[f].image[0, 0]) for k, f in pairs} for pairs in members(joined)]
    assert seen == [{ANNA}, {BEN}, {CARA}]  # in order of first appearance, larger faces first
    assert [track.keys[0] for track in joined] == [0, 0, 3]
    assert all(track.keys == sorted(set(track.keys)) for track in joined)


def test_two_faces_of_one_frame_are_never_one_person_however_alike():
    keys = scenes([ANNA, ANNA], [ANNA], [ANNA, ANNA])
    joined = join_tracks(link(keys), keys, embed)
    assert len(joined) == 2
    assert all(len(set(track.keys)) == len(track.keys) for track in joined)


def test_the_constraint_holds_for_all_that_has_been_joined():
    # b meets c, a meets neither: once a is b, a can no longer be c
    a, b, c = (200, 0, 0), (200, 10, 0), (200, 60, 0)
    keys = scenes([a], [b, c])
    joined = join_tracks(link(keys), keys, embed, threshold=0.5)
    assert members(joined) == [[(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], [(3, 1), (4, 1), (5, 1)]]


def test_the_closest_pair_goes_first():
    # both that meet resemble the first; the closer one is second in the list
    keys = scenes([(200, 0, 0)], [(200, 60, 0), (200, 10, 0)])
    joined = join_tracks(link(keys), keys, embed, threshold=0.5)
    assert members(joined)[0][3:] == [(3, 1), (4, 1), (5, 1)]


def test_chains_end_where_the_mean_distance_reaches_the_threshold():
    # neighbours are 20 degrees apart (0.060), ends 40 (0.234): with the mean of both, 0.147, the third is still too far
    angles = [np.array([np.cos(np.radians(t)), np.sin(np.radians(t)), 0]) * 200 for t in (0, 20, 40)]
    keys = scenes(*([tuple(colour.round().astype(int))] for colour in angles))
    assert [len(join_tracks(link(keys), keys, embed, threshold=t)) for t in (0.05, 0.14, 0.16)] == [3, 2, 1]


def test_at_the_threshold_two_are_not_one():
    keys = scenes([ANNA], [BEN])

    def exact(crops):
        return np.eye(3, dtype=np.float32)[crops.mean(axis=(1, 2)).argmax(axis=1)]

    assert len(join_tracks(link(keys), keys, exact, threshold=1.0)) == 2
    assert len(join_tracks(link(keys), keys, exact, threshold=float(np.nextafter(1, 2)))) == 1


def test_a_track_without_crops_stays_alone():
    keys = [*scenes([ANNA], [BEN]), *(key(6 + i, ANNA, tiles=False) for i in range(3))]
    assert [track.keys for track in join_tracks(link(keys), keys, embed)] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    # where some frames have crops, those decide and the others come along
    keys = [*keys, key(9, ANNA)]
    assert [track.keys for track in join_tracks(link(keys), keys, embed)] == [[0, 1, 2, 6, 7, 8, 9], [3, 4, 5]]


def test_a_track_is_embedded_by_five_faces_spread_evenly_at_most():
    counts = []

    def counting(crops):
        counts.append(crops[:, 80, 80, 1].tolist())
        return embed(crops)

    keys = [*(key(i, (200, i, 0)) for i in range(21)), key(21, ANNA, cut=True)]
    assert len(join_tracks(link(keys), keys, counting)) == 1
    assert counts == [[0, 5, 10, 15, 20], [0]]


def test_nothing_is_embedded_where_nobody_can_have_returned():
    def never(crops):
        raise AssertionError

    for keys in (scenes([ANNA]), scenes([ANNA, BEN]), scenes([]), []):
        assert members(join_tracks(link(keys), keys, never)) == members(link(keys))


@pytest.mark.parametrize(
    "say", [lambda n: np.full((n, 4), np.nan), lambda n: np.zeros((n, 4)), lambda n: np.eye(4)[:n]]
)
def test_embeddings_that_say_nothing_join_nothing(say):
    keys = scenes([ANNA], [BEN], [ANNA])
    turns = itertools.cycle(range(4))
    joined = join_tracks(link(keys), keys, lambda crops: np.roll(say(len(crops)), next(turns), axis=1), threshold=1e-9)
    assert sum(len(track.keys) for track in joined) == 9
    assert not np.isnan(say(1)).any() or members(joined) == members(link(keys))


def test_random_crowds_keep_every_face_once_and_no_frame_twice():
    rng = np.random.default_rng(0)
    palette = [ANNA, BEN, CARA, (200, 200, 0), (0, 200, 200)]
    for _ in range(30):
        keys = scenes(*([palette[i] for i in rng.permutation(5)[: rng.integers(0, 5)]] for _ in range(6)))
        tracks, joined = link(keys), join_tracks(link(keys), keys, embed, threshold=0.2)
        assert sorted(p for m in members(joined) for p in m) == sorted(p for m in members(tracks) for p in m)
        assert all(track.keys == sorted(set(track.keys)) for track in joined)
        assert [(t.keys[0], t.faces[0]) for t in joined] == sorted((t.keys[0], t.faces[0]) for t in joined)
        shown = {colour for key in keys for c in key.tiles for colour in [tuple(c.image[0, 0])]}
        assert len(joined) == len(shown)  # one per person, which link alone does not reach
        assert len(tracks) >= len(joined)
        assert members(join_tracks(tracks, keys, embed, threshold=-1.0)) == members(tracks)


def test_the_crop_is_the_box_with_its_margin_stretched_to_a_square():
    frame = np.zeros((300, 300, 3), np.uint8)
    frame[90:210, 110:190] = 200  # a face box of 80 x 120 px around (150, 150)
    face = cut_face(cut_tile(frame, (110, 90, 190, 210), FaceSettings()), (110, 90, 190, 210))
    # 14 of 160 px are margin, 7 on each side, in both directions
    assert face.shape == (160, 160, 3)
    np.testing.assert_array_equal(face[9:-9, 9:-9], 200)
    np.testing.assert_array_equal(face[:5], 0)
    np.testing.assert_array_equal(face[:, :5], 0)


def test_a_face_tile_without_margin_still_gives_a_face():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    assert cut_face(cut_tile(frame, BOX, FaceSettings(context_scale=1.0)), BOX).shape == (160, 160, 3)
    tiny = cut_tile(frame, BOX, FaceSettings(context_max_px=32))
    assert cut_face(tiny, BOX).shape == (160, 160, 3)
