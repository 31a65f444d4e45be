import dataclasses

import numpy as np
import pytest
from PIL import Image

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.crops import cut_for
from dfworkbench.faces.face_tile import cut_tile
from dfworkbench.faces.settings import FaceSettings

SETTINGS = FaceSettings()


def ramp(height=120, width=160):
    """Red tells the column, green the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)], axis=2).astype(np.uint8)


def test_context_is_the_square_around_the_box_at_native_resolution():
    tile = cut_tile(ramp(), (60, 40, 80, 70), SETTINGS)  # centre (70, 55), longer side 30
    assert (tile.x0, tile.y0, tile.side) == (40, 25, 60)
    np.testing.assert_array_equal(tile.image, ramp()[25:85, 40:100])


@pytest.mark.parametrize("box", [(-10, -8, 20, 30), (140, 100, 170, 125), (300, 40, 320, 60), (-9, 20, 170, 60)])
def test_beyond_the_frame_its_border_is_repeated(box):
    frame = ramp()
    tile = cut_tile(frame, box, SETTINGS)
    side, x0, y0 = tile.image.shape[0], int(tile.x0), int(tile.y0)
    assert tile.image.shape == (side, side, 3)
    rows, columns = np.clip(np.arange(y0, y0 + side), 0, 119), np.clip(np.arange(x0, x0 + side), 0, 159)
    np.testing.assert_array_equal(tile.image, frame[rows[:, None], columns])


def test_a_large_context_is_scaled_down_and_keeps_its_place_in_the_frame():
    frame = np.repeat(np.repeat(ramp(), 8, axis=0), 8, axis=1)
    tile = cut_tile(frame, (300, 300, 700, 700), SETTINGS)
    assert tile.image.shape == (512, 512, 3)
    assert (tile.x0, tile.y0, tile.side) == (100, 100, 800)


def test_a_context_keeps_no_reference_to_its_frame():
    tile = cut_tile(ramp(), (60, 40, 80, 70), SETTINGS)
    assert tile.image.base is None


@pytest.mark.parametrize("scale", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("size", [30, 64])
def test_a_detectors_crop_is_the_square_that_its_spec_asks_for(scale, size):
    frame = ramp()
    box = (60, 40, 80, 70)
    crop = cut_for(InputSpec(size_px=size, crop_scale=scale), cut_tile(frame, box, SETTINGS), box)
    assert crop.shape == (size, size, 3)
    side = 30 * scale
    columns = 70 - side / 2 + (np.arange(size) + 0.5) * side / size - 0.5
    rows = 55 - side / 2 + (np.arange(size) + 0.5) * side / size - 0.5
    np.testing.assert_allclose(crop[size // 2, :, 0], columns, atol=1.3)
    np.testing.assert_allclose(crop[:, size // 2, 1], rows, atol=1.3)


def test_a_crop_from_a_scaled_context_shows_the_same():
    frame = np.repeat(np.repeat(ramp(), 8, axis=0), 8, axis=1)
    box = (300, 300, 700, 700)
    small = cut_for(InputSpec(size_px=128), cut_tile(frame, box, SETTINGS), box)
    large = cut_for(InputSpec(size_px=128), cut_tile(frame, box, FaceSettings(context_max_px=2000)), box)
    assert np.abs(small.astype(int) - large).max() <= 2


SIDES = InputSpec(size_px=48, crop_scale=1.25, region="sides")


@pytest.mark.parametrize("border", ["repeat", "clip"])
@pytest.mark.parametrize("box", [(60.7, 40.2, 80.9, 70.6), (2, 40, 30, 80), (140, 90, 159.5, 119.5), (-6, -4, 40, 50)])
def test_sides_are_widened_one_by_one_and_cut_to_whole_pixels(box, border):
    frame = ramp()
    (x0, y0, x1, y1), spec = box, dataclasses.replace(SIDES, border=border)
    edges = np.array([x0 - (x1 - x0) / 8, y0 - (y1 - y0) / 8, x1 + (x1 - x0) / 8, y1 + (y1 - y0) / 8])
    if border == "clip":
        edges = np.clip(edges, 0, (160, 120, 160, 120))
    left, top, right, bottom = edges.astype(int)
    rows, columns = np.clip(np.arange(top, bottom), 0, 119), np.clip(np.arange(left, right), 0, 159)
    plain = dataclasses.replace(spec, interpolation="bilinear", antialias=True)
    expected = Image.fromarray(frame[rows[:, None], columns]).resize((48, 48), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(cut_for(plain, cut_tile(frame, box, SETTINGS), box), np.asarray(expected))
    assert cut_for(spec, cut_tile(frame, box, SETTINGS), box).shape == (48, 48, 3)


def test_clipping_needs_the_size_of_the_frame():
    box = (2, 40, 30, 80)
    known = cut_tile(ramp(), box, SETTINGS)
    assert known.frame_px == (160, 120)
    with pytest.raises(InputError, match=r"the frame's size is not known\. Pass a FaceTile with frame_px"):
        cut_for(dataclasses.replace(SIDES, border="clip"), dataclasses.replace(known, frame_px=None), box)
    cut_for(SIDES, dataclasses.replace(known, frame_px=None), box)


def test_a_spec_that_asks_for_more_than_was_stored_is_refused_with_the_cure():
    box = (60, 40, 80, 70)
    tile = cut_tile(ramp(), box, SETTINGS)
    with pytest.raises(InputError, match=r"crop_scale 2\.5 .* context_scale=2\.5 or more"):
        cut_for(InputSpec(crop_scale=2.5), tile, box)
    with pytest.raises(InputError, match="cutting a detector's input"):
        cut_for(InputSpec(crop_scale=1.3), tile, (120, 40, 150, 70))  # another face
