"""Which tracks are doubtful: by how often they are seen, and by whether the face moves in itself."""

import cv2
import numpy as np
import pytest
from heads import portrait

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces import FaceSettings, cut_tile
from dfworkbench.faces.crops import spec_for
from dfworkbench.faces.doubt import STILL, explain_doubt, is_still
from dfworkbench.faces.face_tile import take_crop

BOX = np.array([181.0, 120.0, 331.0, 310.0])  # of the face in the portrait


def sightings(seen: int, sampled: int, step_s: float = 1.0, apart_s: float = 0.1) -> str:
    """The doubt about a track of the first `seen` of `sampled` frames."""
    times = step_s * np.arange(sampled)
    return explain_doubt(times[:seen], times, [], [], apart_s) if seen < 3 else _living(times[:seen], times, apart_s)


def _living(times, sampled, apart_s):
    tiles, boxes = zip(*(face(talking(i)) for i in range(len(times))), strict=True)
    return explain_doubt(times, sampled, tiles, boxes, apart_s)


def face(rgb, move=None):
    """Face tile and box of the portrait's face after a move of the camera."""
    move = np.eye(2, 3) if move is None else move
    moved = cv2.warpAffine(rgb, move, rgb.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    corners = BOX.reshape(2, 2) @ move[:, :2].T + move[:, 2]
    return cut_tile(moved, corners.ravel(), FaceSettings()), corners.ravel()


def talking(number: int) -> np.ndarray:
    """The portrait with its mouth opened by some pixels."""
    rgb = portrait()
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(np.float32)
    lips = np.exp(-(((columns - 256) / 35) ** 2) - ((rows - 262) / 22) ** 2)
    return cv2.remap(rgb, columns, rows + (12 * (number % 3) - 12) * lips, cv2.INTER_LINEAR)


def camera(kind: str, number: int) -> np.ndarray:
    zoom = 1 - 0.03 * number if kind == "zoom" else 1.0
    shift = {"static": (0, 0), "pan": (7.3 * number, -2.6 * number), "zoom": (20 * number, 5 * number)}[kind]
    turn = np.deg2rad(2 * number) if kind == "pan" else 0.0
    return np.array([[zoom * np.cos(turn), -np.sin(turn), shift[0]], [np.sin(turn), zoom * np.cos(turn), shift[1]]])


@pytest.mark.parametrize(
    ("seen", "sampled", "doubtful"),
    [
        (1, 16, True), (2, 16, True), (3, 16, False), (2, 32, True), (1, 8, True), (2, 8, False), (1, 5, True),
        (1, 4, False), (1, 3, False), (1, 1, False), (2, 9, True), (3, 300, False),
    ],
)  # fmt: skip
def test_a_track_of_few_sampled_frames_is_doubtful(seen, sampled, doubtful):
    assert sightings(seen, sampled) == (f"seen in {seen} of {sampled} sampled frames" if doubtful else "")


def test_adjacent_frames_count_once():
    """Every frame of a video at 30 fps is sampled: three adjacent ones are one sighting of a false box."""
    assert sightings(3, 120, 1 / 30) == "seen in 3 of 120 sampled frames"
    assert sightings(6, 120, 1 / 30) == "seen in 6 of 120 sampled frames"  # 0.0, 0.1
    assert sightings(7, 120, 1 / 30) == ""  # 0.0, 0.1, 0.2
    assert sightings(3, 120, 1 / 30, apart_s=0.0) == ""  # a folder of frames, whose times nobody knows


@pytest.mark.parametrize("kind", ["static", "pan", "zoom"])
def test_a_still_picture_has_no_motion_of_its_own(kind):
    faces = [face(portrait(), camera(kind, i)) for i in range(5)]
    tiles, boxes = zip(*faces, strict=True)
    times = 0.4 * np.arange(5)
    assert is_still(times, tiles, boxes)
    assert explain_doubt(times, times, tiles, boxes) == STILL
    assert not is_still(0.2 * np.arange(5), tiles, boxes)  # 0.8 s: people hold still for as long


@pytest.mark.parametrize("kind", ["static", "pan", "zoom"])
def test_whoever_talks_is_no_picture(kind):
    tiles, boxes = zip(*(face(talking(i), camera(kind, i)) for i in range(5)), strict=True)
    assert not is_still(0.4 * np.arange(5), tiles, boxes)


def test_noise_and_light_are_no_motion():
    rng = np.random.default_rng(0)
    rgb = portrait()
    pictures = [np.clip(rgb * (1 - 0.04 * i) + rng.normal(0, 3, rgb.shape), 0, 255) for i in range(5)]
    tiles, boxes = zip(*(face(picture.astype(np.uint8)) for picture in pictures), strict=True)
    assert is_still(0.4 * np.arange(5), tiles, boxes)


def test_a_face_without_texture_breaks_nothing():
    tiles, boxes = zip(*[face(np.full((606, 512, 3), 90, np.uint8))] * 4, strict=True)
    assert not is_still(0.5 * np.arange(4), tiles, boxes)


@pytest.mark.parametrize(("height", "width"), [(40, 40), (50, 40), (41, 64), (900, 700)])
def test_a_ready_made_crop_is_all_face(height, width):
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    tile, box = take_crop(rgb, 512)
    assert box.tolist() == [0, 0, width, height]
    assert (tile.side, tile.image.shape[0]) == (max(height, width), min(max(height, width), 512))
    if tile.image.shape[0] == tile.side:
        left, top = -int(tile.x0), -int(tile.y0)
        assert np.array_equal(tile.image[top : top + height, left : left + width], rgb)


def test_only_a_box_takes_all_of_a_crop():
    assert spec_for(InputSpec(crop_scale=1.3), "crop") == InputSpec(crop_scale=1.0)
    assert spec_for(InputSpec(crop_scale=1.3), "face") == InputSpec(crop_scale=1.3)
    whole = InputSpec(alignment="whole", crop_scale=1.0)
    assert spec_for(whole, "picture") == whole
