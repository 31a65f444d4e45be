"""Faces that reach beyond their tiles although the frame goes on: the share of the crop, and the sentence that counts them."""

import numpy as np
import pytest

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.beyond import Place, beyond_notice, share_beyond
from dfworkbench.faces.crops import cut_for
from dfworkbench.faces.face_tile import cut_tile
from dfworkbench.faces.regions import region_of
from dfworkbench.faces.settings import FaceSettings

TEMPLATE = ((0.377, 0.469), (0.623, 0.469), (0.5, 0.608), (0.4, 0.746), (0.6, 0.746))
ALIGNED = InputSpec(64, 1.0, "five_points", template=TEMPLATE, border="black")
SHIFTED = InputSpec(64, 1.3, border="shift")
FACE = np.array([(-0.21, -0.12), (0.21, -0.12), (0.0, 0.1), (-0.17, 0.29), (0.17, 0.29)])
WHITE = np.full((300, 400, 3), 255, np.uint8)


def place_of(centre, size=60, degrees=0.0, context=2.0):
    centre, half = np.array(centre, np.float64), size * np.array((0.4, 0.5))
    box = np.concatenate([centre - half, centre + half])
    a = np.radians(degrees)
    points = centre + size * FACE @ np.array([(np.cos(a), np.sin(a)), (-np.sin(a), np.cos(a))])
    tile = cut_tile(WHITE, box, FaceSettings(context_scale=context))
    return tile, Place(tile.square, box, points, tile.frame_px)


def test_an_upright_face_is_all_there():
    assert share_beyond(ALIGNED, place_of((200, 150))[1]) == 0


@pytest.mark.parametrize("degrees", [0, 30, 45, 80])
@pytest.mark.parametrize("context", [1.0, 1.4, 2.0])
def test_the_share_is_that_of_the_black_pixels(degrees, context):
    tile, place = place_of((200, 150), degrees=degrees, context=context)
    black = (cut_for(ALIGNED, tile, place.box, place.landmarks) < 128).all(axis=2).mean()
    assert share_beyond(ALIGNED, place) == pytest.approx(black, abs=0.04)
    assert (share_beyond(ALIGNED, place) > 0.05) == (context < 1.5)


def test_what_is_beyond_the_frame_too_does_not_count():
    tile, place = place_of((8, 12), context=2.5)
    assert (cut_for(ALIGNED, tile, place.box, place.landmarks) < 128).all(axis=2).mean() > 0.3
    assert share_beyond(ALIGNED, place) == 0
    small = place_of((8, 12), context=1.0)[1]
    assert 0 < share_beyond(ALIGNED, small) < share_beyond(ALIGNED, small._replace(frame_px=None))


def test_a_square_that_was_shifted_into_the_frame():
    tile, place = place_of((2, 150), size=100, context=1.3)
    x0, _, x1, _ = region_of(SHIFTED, place.box, (400, 300))
    assert x0 == 0
    beyond = (x1 - tile.square[2]) / (x1 - x0)
    assert share_beyond(SHIFTED, place) == pytest.approx(beyond, abs=0.03)
    black = (cut_for(SHIFTED, tile, place.box) < 128).all(axis=2).mean()
    assert black == pytest.approx(beyond, abs=0.03)
    assert share_beyond(SHIFTED, place_of((200, 150), context=1.4)[1]) == 0


def test_the_sentence_counts_them_and_says_what_to_do():
    places = [place_of((200, 150), context=context)[1] for context in (2.0, 1.0, 1.1)]
    text = beyond_notice(ALIGNED, places, 1.0, "score")
    assert "2 of 3 faces" in text
    assert f"{share_beyond(ALIGNED, places[1]):.0%} of the crop" in text
    assert text.endswith("score with context_scale=1.5")
    assert "no larger context_scale is possible" in beyond_notice(ALIGNED, places, 4.0, "score")
    assert beyond_notice(ALIGNED, places[:1], 2.0, "score") == ""
    assert beyond_notice(InputSpec(), places, 2.0, "score") == "", "boxes are refused when they are cut"
    for value in (np.nan, 0.0):
        without = places[1]._replace(landmarks=np.full((5, 2), value))
        assert beyond_notice(ALIGNED, [without], 2.0, "score") == ""
