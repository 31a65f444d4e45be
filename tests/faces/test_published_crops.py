"""The crops of published releases: the results of their authors' own functions on a generated frame.

Each release's function was run once on this frame, box and points (versions of 2020 to 2026, Pillow, OpenCV 5.0); what is
recorded is the mean of the crop per channel and three pixels. The frame is smooth, so the figures find errors of geometry;
averaging is compared with Pillow and torchvision on noise.
"""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.evaluation.scoring.file_scorer import face_settings
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces.alignment import crop_matrix, native_size
from dfworkbench.faces.crops import cut_for, spec_for
from dfworkbench.faces.face_tile import cut_tile, cut_whole, keep_whole, take_crop, tile_at
from dfworkbench.faces.regions import context_scale_for, region_of
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.faces.windows import window_in

BOX = (250.4, 90.7, 340.2, 215.9)
POINTS = np.array([(270.3, 140.2), (318.9, 136.4), (296.1, 164.8), (276.2, 190.5), (315.7, 187.9)])
SIZE = (640, 360)
#: Mean places of five landmarks on 112 px, as ArcFace has them, moved by 0.15 and divided by 1.3.
_RAW = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])
DEEPFAKEBENCH = tuple(map(tuple, ((_RAW / 112 + 0.15) / 1.3).tolist()))
GEND = ((0.34, 0.46), (0.66, 0.46), (0.5, 0.64), (0.37, 0.82), (0.63, 0.82))
GEND = tuple(((x + 0.15) / 1.3, (y + 0.15) / 1.3) for x, y in GEND)

SIDES = {"crop_scale": 1.0, "region": "sides"}
ALIGNED = {"crop_scale": 1.0, "alignment": "five_points", "border": "black"}
SPECS = {
    "dfdc": InputSpec(380, **SIDES, margins=(1 / 3,) * 4, margin_rounding="floor", border="clip", fit="letterbox",
                      interpolation="area_down_cubic_up"),
    "sbi": InputSpec(380, **SIDES, margins=(1 / 8,) * 4, margin_rounding="outward", border="clip", interpolation="bilinear"),
    "icpr": InputSpec(224, **SIDES, margins=(0.2, 0.4, 0.2, 0.2), margin_of="height", margin_rounding="round",
                      square_after_margins=True, border="shift", interpolation="bilinear", antialias=True),
    "dfb": InputSpec(256, **ALIGNED, template=DEEPFAKEBENCH, interpolation="bilinear"),
    "effort": InputSpec(224, **ALIGNED, template=DEEPFAKEBENCH, interpolation="bilinear"),
    "gend_256": InputSpec(256, **ALIGNED, template=GEND),
    "gend": InputSpec(224, **ALIGNED, template=GEND, warp_px="native", interpolation="bicubic", antialias=True),
    "fsvfm": InputSpec(224, border="shift", resize_px=256, interpolation="bicubic", antialias=True),
    "commfor": InputSpec(384, crop_scale=1.0, alignment="whole_resized", fit="shortest_edge", resize_px=440,
                         interpolation="bilinear", antialias=True),
    "stretched": InputSpec(224, crop_scale=1.0, alignment="whole_resized", interpolation="bicubic", antialias=True),
    "univfd": InputSpec(224, crop_scale=1.0, alignment="whole", pad="black"),
}  # fmt: skip
#: Mean R, G, B; pixels at (0, 0), (S/2, S/2) and (row S/4, column 3S/4).
AUTHORS = {
    "dfdc": ((84.671, 77.771, 101.685), (0, 0, 0), (117, 107, 84), (138, 71, 130)),
    "dfdc x4": ((84.363, 77.490, 101.252), (0, 0, 0), (117, 107, 86), (138, 71, 131)),
    "sbi": ((117.152, 108.082, 132.065), (95, 53, 239), (117, 108, 80), (128, 80, 102)),
    "icpr": ((117.219, 98.942, 134.177), (78, 29, 26), (117, 99, 127), (137, 64, 165)),
    "dfb": ((116.895, 101.020, 139.005), (78, 36, 79), (117, 101, 121), (135, 66, 144)),
    "effort": ((116.873, 100.985, 139.014), (78, 36, 79), (117, 101, 121), (135, 66, 144)),
    "gend_256": ((116.864, 101.208, 138.798), (77, 37, 81), (117, 102, 121), (135, 66, 144)),
    "gend": ((116.810, 101.122, 138.823), (77, 37, 81), (117, 102, 121), (135, 66, 144)),
    "fsvfm": ((117.000, 107.103, 140.353), (89, 57, 190), (117, 107, 87), (131, 82, 136)),
    "commfor": ((127.003, 127.000, 124.032), (65, 16, 90), (127, 127, 78), (158, 71, 10)),
    "univfd": ((127.004, 127.000, 130.666), (83, 48, 168), (127, 127, 78), (150, 88, 136)),
    "univfd padded": ((15.627, 13.815, 52.576), (0, 0, 0), (39, 35, 94), (0, 0, 0)),
}


def smooth_frame():
    column, row = np.arange(SIZE[0])[None], np.arange(SIZE[1])[:, None]
    red, green = np.broadcast_arrays(255 * column // 639, 255 * row // 359)
    blue = (128 + 60 * np.sin(column / 17) + 60 * np.cos(row / 11)).astype(int)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


FRAME = smooth_frame()


def noise(height=360, width=640, seed=0):
    image = np.random.default_rng(seed).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.7), np.uint8)


def stored(spec, frame, box=BOX):
    """What scoring keeps of the frame for this detector, and the box that stands in the face table."""
    settings = settings_for(spec)
    if spec.of_faces:
        return cut_tile(frame, box, settings), box
    tile = keep_whole(frame, settings)
    return tile, tile.square


def settings_for(spec):
    return face_settings(ScoreSettings(), spec)


def crop_of(spec, frame, box=BOX, points=POINTS):
    tile, place = stored(spec, frame, box)
    return cut_for(spec, tile, place, points)


def require_authors(crop, name):
    mean, *pixels = AUTHORS[name]
    size = crop.shape[0]
    np.testing.assert_allclose(crop.reshape(-1, 3).mean(axis=0), mean, atol=0.05)
    places = ((0, 0), (size // 2, size // 2), (size // 4, 3 * size // 4))
    for (row, column), expected in zip(places, pixels, strict=True):
        np.testing.assert_allclose(crop[row, column].astype(int), expected, atol=1)


def test_the_frame_is_the_one_that_the_authors_functions_were_given():
    np.testing.assert_allclose(FRAME.reshape(-1, 3).mean(axis=0), (127.0031, 127.0028, 129.3371), atol=5e-5)


@pytest.mark.parametrize("name", [name for name in AUTHORS if " " not in name])
def test_crops_are_the_authors(name):
    require_authors(crop_of(SPECS[name], FRAME), name)


def test_dfdc_shrinks_by_area():
    large = np.repeat(np.repeat(FRAME, 4, axis=0), 4, axis=1)
    box = 4 * np.trunc(BOX)
    require_authors(crop_of(SPECS["dfdc"], large, box), "dfdc x4")


def test_a_small_picture_lies_in_the_middle_of_black():
    require_authors(crop_of(SPECS["univfd"], FRAME[:100, :200]), "univfd padded")


@pytest.mark.parametrize(
    ("name", "box", "size"),
    [
        ("dfdc", BOX, (150, 207)),
        ("dfdc", 4 * np.trunc(BOX), (600, 832)),
        ("sbi", BOX, (113, 157)),
        ("icpr", BOX, (199, 199)),
        ("fsvfm", BOX, (162, 162)),
    ],
)
def test_regions_have_the_authors_size(name, box, size):
    x0, y0, x1, y1 = region_of(SPECS[name], box, (2560, 1440))
    assert (x1 - x0, y1 - y0) == size
    if name == "fsvfm":
        assert (x0, y0) == (214, 71)
    if name == "icpr":  # of 200 around (295, 140), as int(224 / (224 / 200)) is 199
        assert (x0, y0) == (196, 41)


def test_the_margin_above_is_twice_the_rounded_one():
    # 0.2 of 127 px is 25.4: 25 px at each side and 50 above, where 0.4 of 127 px would be 51
    spec = dataclasses.replace(SPECS["icpr"], square_after_margins=False, border="repeat")
    assert region_of(spec, (300, 200, 400, 327)).tolist() == [275, 150, 425, 352]


def test_the_clipped_region_of_a_face_at_the_corner():
    x0, y0, x1, y1 = region_of(SPECS["sbi"], (600, -5, 650, 60), SIZE).astype(int)
    region = FRAME[y0:y1, x0:x1]
    assert region.shape == (69, 47, 3)
    np.testing.assert_allclose(region.reshape(-1, 3).mean(axis=0), (245.404, 23.652, 85.005), atol=0.05)
    for (row, column), pixel in (((0, 0), (236, 0, 168)), ((34, 23), (245, 24, 8)), ((17, 35), (250, 12, 88))):
        np.testing.assert_allclose(region[row, column].astype(int), pixel, atol=1)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("dfb", 256, (1.349444, -0.054002, -261.77976, 0.054002, 1.349444, -81.25177)),
        ("effort", 224, (1.180764, -0.047252, -229.05729, 0.047252, 1.180764, -71.095344)),
        ("gend_256", 256, (1.347177, -0.061763, -259.883278, 0.061763, 1.347177, -83.5612)),
        ("gend", 190, (0.999858, -0.04584, -192.882136, 0.04584, 0.999858, -62.018083)),
    ],
)
def test_matrices_are_the_authors(name, size, expected):
    spec = SPECS[name]
    if spec.warp_px == "native":
        assert native_size(spec, POINTS) == size
    np.testing.assert_allclose(crop_matrix(spec, POINTS, size)[:2].ravel(), expected, rtol=2e-5, atol=2e-5)


def test_a_larger_crop_scale_shows_more_of_an_aligned_face():
    wide = dataclasses.replace(SPECS["gend"], crop_scale=1.2)
    assert native_size(wide, POINTS) == pytest.approx(1.2 * native_size(SPECS["gend"], POINTS), abs=1)
    centre, scale = crop_matrix(wide, POINTS, 224), np.linalg.norm(crop_matrix(SPECS["gend"], POINTS, 224)[0, :2])
    assert np.linalg.norm(centre[0, :2]) == pytest.approx(scale / 1.2)


BOXES = {
    "inside": BOX,
    "left": (-12.4, 90.7, 60.2, 195.3),
    "upper right": (580.3, -8.5, 648.8, 77.1),
    "lower": (250.4, 290.7, 310.2, 371.9),
}


def points_in(box):
    """The five points at their places in another box."""
    box, reference = np.array(box), np.array(BOX)
    centre = (reference[:2] + reference[2:]) / 2
    scale = (box[2:] - box[:2]).max() / (reference[2:] - reference[:2]).max()
    return (POINTS - centre) * scale + (box[:2] + box[2:]) / 2


@pytest.mark.parametrize("place", BOXES)
@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.of_faces])
def test_a_tile_holds_what_the_whole_frame_does(name, place):
    spec, frame, box = SPECS[name], noise(), BOXES[place]
    whole = tile_at(frame, -400, -500, 1440, 1440)
    expected = cut_for(spec, whole, box, points_in(box))
    difference = np.abs(crop_of(spec, frame, box, points_in(box)).astype(int) - expected)
    # a warp computes places in single precision, so it depends on where the picture begins
    assert difference.max() <= (1 if spec.alignment == "five_points" else 0)
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("place", BOXES)
def test_aligned_faces_are_black_beyond_the_frame_as_a_warp_of_all_of_it(place):
    spec, frame, points = SPECS["dfb"], noise(), points_in(BOXES[place])
    expected = cv2.warpAffine(frame, crop_matrix(spec, points, 256)[:2], (256, 256), flags=cv2.INTER_LINEAR)
    assert np.abs(crop_of(spec, frame, BOXES[place], points).astype(int) - expected).max() <= 1


def plainly(name, frame, box):
    """A slow reference: the authors' steps, with Pillow, OpenCV and torchvision on the whole frame."""
    x0, y0, x1, y1 = box
    if name == "dfdc":
        x0, y0, x1, y1 = (int(edge) for edge in box)
        across, down = (x1 - x0) // 3, (y1 - y0) // 3
        region = frame[max(y0 - down, 0) : y1 + down, max(x0 - across, 0) : x1 + across]
        size = [int(side * 380 / max(region.shape[:2])) for side in region.shape[:2]]
        inner = cv2.resize(region, size[::-1], interpolation=cv2.INTER_CUBIC)
        out, (top, left) = np.zeros((380, 380, 3), np.uint8), ((380 - side) // 2 for side in size)
        out[top : top + size[0], left : left + size[1]] = inner
        return out
    if name == "sbi":
        across, down = (x1 - x0) / 8, (y1 - y0) / 8
        region = frame[max(0, int(y0 - down)) : int(y1 + down) + 1, max(0, int(x0 - across)) : int(x1 + across) + 1]
        return cv2.resize(region, (380, 380), interpolation=cv2.INTER_LINEAR)
    height, width = frame.shape[:2]
    if name == "icpr":
        m = round(0.2 * (y1 - y0))
        x0, y0, x1, y1 = int(max(x0 - m, 0)), int(max(y0 - 2 * m, 0)), int(min(x1 + m, width)), int(min(y1 + m, height))
        side = int(224 / (224 / max(x1 - x0, y1 - y0)))
        left, top = max((x0 + x1) // 2 - side // 2, 0), max((y0 + y1) // 2 - side // 2, 0)
        region = frame[top : top + side, left : left + side]
        return np.asarray(Image.fromarray(region).resize((224, 224), Image.Resampling.BILINEAR))
    x0, y0, x1, y1 = (int(edge) for edge in box)
    side = int(1.3 * max(x1 - x0, y1 - y0))
    left, top = max((x0 + x1) // 2 - side // 2, 0), max((y0 + y1) // 2 - side // 2, 0)
    side = min(side, width - left, height - top)
    region = Image.fromarray(frame[top : top + side, left : left + side])
    return np.asarray(functional.center_crop(region.resize((256, 256), Image.Resampling.BICUBIC), [224, 224]))


@pytest.mark.parametrize("place", BOXES)
@pytest.mark.parametrize("name", ["dfdc", "sbi", "icpr", "fsvfm"])
def test_regions_on_noise_against_a_plain_reference(name, place):
    expected = plainly(name, noise(), BOXES[place])
    np.testing.assert_array_equal(crop_of(SPECS[name], noise(), BOXES[place]), expected)


@pytest.mark.parametrize("shape", [(360, 640), (640, 360), (400, 400), (1081, 1923), (441, 440), (97, 130)])
def test_resized_pictures_on_noise_against_torchvision(shape):
    frame = noise(*shape)
    picture = Image.fromarray(frame)
    resized = functional.resize(picture, [440], functional.InterpolationMode.BILINEAR)
    expected = np.asarray(functional.center_crop(resized, [384, 384])).astype(int)
    difference = np.abs(crop_of(SPECS["commfor"], frame) - expected)
    # Pillow rounds after each of its two passes, and a part begins at other fractions of pixels than the whole
    assert difference.max() <= 2
    assert difference.mean() < 0.1
    stretched = functional.resize(picture, [224, 224], functional.InterpolationMode.BICUBIC)
    assert np.abs(crop_of(SPECS["stretched"], frame) - np.asarray(stretched).astype(int)).max() <= 1


@pytest.mark.parametrize("shape", [(360, 640), (225, 300), (221, 223), (100, 640), (640, 224), (30, 40), (223, 224)])
def test_padded_windows_are_torchvisions_centre_crop(shape):
    frame = noise(*shape)
    expected = functional.center_crop(torch.from_numpy(frame).movedim(-1, 0), [224, 224]).movedim(0, -1).numpy()
    np.testing.assert_array_equal(crop_of(SPECS["univfd"], frame), expected)


def test_a_face_that_is_shrunk_is_averaged_as_pillow_does():
    frame = noise(900, 900)
    box = (100, 100, 700, 700)
    spec = InputSpec(64, 1.0, region="sides", border="clip", interpolation="bicubic", antialias=True)
    pillow = np.asarray(Image.fromarray(frame[100:700, 100:700]).resize((64, 64), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(crop_of(spec, frame, box), pillow)
    plain = cv2.resize(frame[100:700, 100:700], (64, 64), interpolation=cv2.INTER_CUBIC)
    other = crop_of(dataclasses.replace(spec, antialias=False), frame, box)
    np.testing.assert_array_equal(other, plain)
    assert np.abs(other.astype(int) - pillow).max() > 40, "so that the first comparison says something"


@pytest.mark.parametrize("name", ["dfdc", "sbi", "icpr", "fsvfm"])
@pytest.mark.parametrize(
    "box",
    [
        (-90, 100, -40, 160),
        (700, 400, 760, 470),
        (100, 100, 101, 101),
        (639.5, 359.5, 639.9, 359.9),
        (5, -300, 90, -200),
    ],
)
def test_faces_outside_the_frame_and_tiny_boxes_give_a_crop(name, box):
    region = region_of(SPECS[name], box, SIZE)
    assert region.min() >= 0
    assert (region[2:] <= SIZE).all()
    assert (region[2:] - region[:2] >= 1).all()
    assert crop_of(SPECS[name], FRAME, box).shape == (SPECS[name].size_px,) * 2 + (3,)


@pytest.mark.parametrize("name", ["dfdc", "sbi", "icpr", "fsvfm"])
def test_context_that_is_asked_for_holds_every_region(name):
    spec, rng = SPECS[name], np.random.default_rng(0)
    settings = FaceSettings(context_scale=context_scale_for(spec), context_max_px=2048)
    for _ in range(300):
        size = rng.uniform(12, 300) * np.array([rng.uniform(0.6, 1), 1])
        centre = rng.uniform(0.2 * size, np.array(SIZE) - 0.2 * size)
        box = np.concatenate([centre - size / 2, centre + size / 2])
        tile = cut_tile(FRAME, box, settings)
        region = region_of(spec, box, SIZE)
        assert (tile.square[:2] - region[:2]).max() <= 1.5
        assert (region[2:] - tile.square[2:]).max() <= 1.5


@pytest.mark.parametrize("shape", [(360, 640), (100, 640), (300, 225)])
def test_random_windows_of_padded_pictures_are_copies_of_what_is_kept(shape):
    spec, frame = SPECS["univfd"], noise(*shape)
    tile = keep_whole(frame, settings_for(spec).replace(context_max_px=400))
    canvas = np.pad(frame, ((300, 300), (300, 300), (0, 0)))
    starts = set()
    for share in ((0.0, 0.0), (0.999, 0.999), (0.3, 0.8), (0.5, 0.5)):
        box = window_in(spec, tile, tile.square, share)
        left, top = (box[:2] + 300).astype(int)
        starts.add((left, top))
        np.testing.assert_array_equal(cut_for(spec, tile, box), canvas[top : top + 224, left : left + 224])
    assert len(starts) > 1


def test_pictures_that_were_kept_on_a_grid_serve_where_they_hold_enough():
    """As data sets of whole pictures were extracted until there was `whole_part`."""
    frame = noise(361, 643)
    spec = SPECS["commfor"]
    tile = cut_whole(frame, 512)
    assert tile.side == 360
    kept, expected = cut_for(spec, tile, tile.square).astype(int), crop_of(spec, frame)
    assert np.abs(kept - expected).max() <= 1
    with pytest.raises(InputError, match=r'whole=true and whole_part="square"'):
        cut_for(spec, cut_whole(frame, 256), tile.square)
    with pytest.raises(InputError, match=r'whole_part="all"'):
        cut_for(SPECS["stretched"], tile, tile.square)
    padded, small = SPECS["univfd"], cut_whole(frame[:100, :200], 512)
    with pytest.raises(InputError, match=r'whole_part="centre" and context_max_px=224 or more'):
        cut_for(padded, small, small.square)
    with pytest.raises(InputError, match="the frame's size is not known"):
        cut_for(spec, dataclasses.replace(tile, frame_px=None), tile.square)


@pytest.mark.parametrize("name", ["dfb", "gend"])
def test_useless_landmarks_are_refused(name):
    tile, box = stored(SPECS[name], FRAME)
    for points in (None, np.full((5, 2), np.nan), np.full((5, 2), 200.0)):
        with pytest.raises(InputError, match="landmarks"):
            cut_for(SPECS[name], tile, box, points)


@pytest.mark.parametrize("name", ["dfdc", "sbi", "icpr", "fsvfm"])
def test_of_a_ready_made_crop_all_is_taken(name):
    frame = noise(90, 90)
    tile, box = take_crop(frame, 512)
    spec = spec_for(SPECS[name], "crop")
    resized = dataclasses.replace(SPECS[name], region="square", crop_scale=1.0, border="repeat", margins=None, fit="stretch",
                                  margin_of="own_side", margin_rounding="none", square_after_margins=False)  # fmt: skip
    difference = np.abs(cut_for(spec, tile, box).astype(int) - cut_for(resized, tile, box))
    assert difference.mean() < (8 if name == "icpr" else 1e-9), "of icpr a pixel is lost where its authors divide twice"
