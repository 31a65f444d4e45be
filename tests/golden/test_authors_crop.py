"""The crop of DeepfakeForensics-v1 is that of its authors: facenet-pytorch's `MTCNN(image_size=224, margin=10)` on Pillow pictures.

Compared pixel by pixel with that package on generated pictures, and on the real clips of the trials folder.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from heads import Head, frame_of
from PIL import Image

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces import FaceFinder, FaceSettings, cut_for, cut_tile
from dfworkbench.media import VideoSource
from dfworkbench.methods.mesonet.weights_dfforensics import CROP_SCALE, authors_spec

MEDIA = Path(os.environ.get("DFWORKBENCH_TRIALS", "/nowhere")) / "media"
SPEC = authors_spec(InputSpec(size_px=224, crop_scale=CROP_SCALE))
SETTINGS = FaceSettings(exact=True, context_max_px=2048)


@pytest.fixture(scope="module")
def theirs():
    from facenet_pytorch import MTCNN

    return MTCNN(image_size=224, margin=10, keep_all=False, post_process=False)


def compare(theirs, rgb, settings=SETTINGS) -> int:
    """The largest difference of two pixels."""
    expected = theirs(Image.fromarray(rgb)).permute(1, 2, 0).numpy()
    box = FaceFinder(settings).find(rgb).boxes[0]
    crop = cut_for(SPEC, cut_tile(rgb, box, settings), box)
    return int(np.abs(crop.astype(int) - expected).max())


@pytest.mark.parametrize(
    "head",
    [
        Head(90, 100, 0.5),  # all of it in the picture, enlarged
        Head(40, 100, 0.7),  # the margin ends at the left border
        Head(290, 60, 0.8, mirrored=True),  # at the right and upper one
        Head(160, 150, 0.7),  # at the lower one
        Head(160, 120, 1.3),  # larger than the network's input
    ],
    ids=["inside", "left", "corner", "bottom", "large"],
)
def test_every_pixel_is_the_authors(theirs, head):
    assert compare(theirs, frame_of([head], 0, 320, 240, seed=3)) == 0


def test_other_boxes_and_the_square_crop_are_not_the_authors(theirs):
    """So that a difference of 0 says something."""
    rgb = frame_of([Head(90, 100, 0.5)], 0, 320, 240, seed=3)
    assert compare(theirs, rgb, FaceSettings(context_max_px=2048)) > 0
    box = FaceFinder(SETTINGS).find(rgb).boxes[0]
    square = cut_for(InputSpec(crop_scale=CROP_SCALE), cut_tile(rgb, box, SETTINGS), box)
    assert np.abs(square.astype(int) - cut_for(SPEC, cut_tile(rgb, box, SETTINGS), box)).max() > 20


def test_a_context_that_was_scaled_down_is_the_limit(theirs):
    """Faces over half of `context_max_px` are stored smaller: close to the authors' crop, and no more the same."""
    rgb = frame_of([Head(160, 120, 1.3)], 0, 320, 240, seed=3)
    expected = theirs(Image.fromarray(rgb)).permute(1, 2, 0).numpy()
    box = FaceFinder(SETTINGS).find(rgb).boxes[0]
    crop = cut_for(SPEC, cut_tile(rgb, box, SETTINGS.replace(context_max_px=256)), box)
    assert np.abs(crop.astype(int) - expected).max() > 0
    assert np.corrcoef(crop.ravel(), expected.ravel())[0, 1] > 0.97


@pytest.mark.trials
@pytest.mark.skipif(
    not (MEDIA / "street.mp4").is_file(), reason="DFWORKBENCH_TRIALS does not name a folder with media/"
)
@pytest.mark.parametrize("name", ["clips/d0", "clips/d3", "clips/d13", "clips/d14", "street"])
def test_real_clips(theirs, name):
    source = VideoSource(MEDIA / f"{name}.mp4")
    frame = next(iter(source.iterate([source.frames_expected // 2])))
    assert compare(theirs, frame.rgb) == 0
