"""Specs of runs that were saved before 2026-12 keep their crops, every pixel: a reference of how they were cut until then."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.alignment import align, alignment_matrix
from dfworkbench.faces.crops import cut_for
from dfworkbench.faces.face_tile import cut_tile, cut_whole
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.faces.windows import window_in


def as_before(spec, tile, box, landmarks):
    image, ratio = tile.image, tile.image.shape[0] / tile.side
    if spec.alignment == "five_points":
        points = (landmarks - (tile.x0, tile.y0) + 0.5) * ratio - 0.5
        return align(image, alignment_matrix(points, spec.size_px, scale=0.9 / spec.crop_scale), spec.size_px)
    if spec.region == "square":
        left, top, length = square_around(box, spec.crop_scale)
        side = min(max(round(length * ratio), 1), len(image))
        x = min(max(round((left - tile.x0) * ratio), 0), len(image) - side)
        y = min(max(round((top - tile.y0) * ratio), 0), len(image) - side)
        return resized(spec, image[y : y + side, x : x + side])
    x0, y0, x1, y1 = box
    margin = np.array([x1 - x0, y1 - y0]) * (spec.crop_scale - 1) / 2
    edges = np.array([x0, y0, x1, y1]) + np.concatenate([-margin, margin])
    if spec.border == "clip":
        edges = np.clip(edges, 0, np.tile(tile.frame_px, 2))
    place = (np.trunc(edges) - np.tile((tile.x0, tile.y0), 2)) * ratio
    left, top, right, bottom = np.clip(np.rint(place).astype(int) - (0, 0, 1, 1), 0, len(image) - 1).tolist()
    return resized(spec, image[top : max(bottom, top) + 1, left : max(right, left) + 1])


def resized(spec, region):
    size = (spec.size_px, spec.size_px)
    if spec.interpolation == "auto":
        if region.shape[:2] == size:
            return region
        method = cv2.INTER_AREA if max(region.shape[:2]) > 1.4 * spec.size_px else cv2.INTER_LINEAR
        return cv2.resize(region, size, interpolation=method)
    if spec.antialias:
        return np.asarray(Image.fromarray(region).resize(size, Image.Resampling.BILINEAR))
    return cv2.resize(region, size, interpolation=cv2.INTER_LINEAR)


SPECS = [
    InputSpec(size_px=48),
    InputSpec(size_px=64, crop_scale=1.0),
    InputSpec(size_px=40, crop_scale=1.7, interpolation="bilinear", antialias=True),
    InputSpec(size_px=48, crop_scale=1.2, region="sides"),
    InputSpec(
        size_px=56, crop_scale=224 / 214, region="sides", border="clip", interpolation="bilinear", antialias=True
    ),
    InputSpec(size_px=56, crop_scale=1.3, region="sides", border="clip", interpolation="bilinear"),
    InputSpec(size_px=64, crop_scale=1.0, alignment="five_points"),
    InputSpec(size_px=32, crop_scale=1.3, alignment="five_points"),
]


@pytest.mark.parametrize(
    "spec", SPECS, ids=lambda spec: f"{spec.alignment} {spec.region} {spec.border} {spec.crop_scale:.2g}"
)
def test_faces_are_cut_as_before(spec):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, size=(150, 210, 3), dtype=np.uint8)
    for number in range(150):
        size = rng.uniform(14, 110) * np.array([rng.uniform(0.6, 1.2), 1])
        centre = rng.uniform(0, 1, size=2) * (210, 150)
        box = np.concatenate([centre - size / 2, centre + size / 2])
        points = centre + size * (np.array([(-0.2, -0.15), (0.2, -0.15), (0, 0.1), (-0.15, 0.3), (0.15, 0.3)]))
        tile = cut_tile(frame, box, FaceSettings(context_max_px=(512, 64)[number % 2]))
        np.testing.assert_array_equal(cut_for(spec, tile, box, points), as_before(spec, tile, box, points))


@pytest.mark.parametrize("shape", [(64, 66), (90, 140), (33, 200)])
def test_windows_of_pictures_are_cut_as_before(shape):
    picture = np.random.default_rng(1).integers(0, 256, size=(*shape, 3), dtype=np.uint8)
    spec, tile = InputSpec(size_px=32, crop_scale=1.0, alignment="whole"), cut_whole(picture, 80)
    places = (tile.image.shape[0] - 32) // 4 + 1
    for share in ((0.5, 0.5), (0.0, 0.99), (0.3, 0.7)):
        left, top = (4 * int(part * places) for part in share)
        crop = cut_for(spec, tile, window_in(spec, tile, tile.square, share))
        np.testing.assert_array_equal(crop, tile.image[top : top + 32, left : left + 32])
    np.testing.assert_array_equal(
        cut_for(spec, tile, tile.square), cut_for(spec, tile, window_in(spec, tile, tile.square))
    )
