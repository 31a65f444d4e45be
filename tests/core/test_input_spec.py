"""InputSpec: the fields that say where and how to cut go together, and survive JSON and TOML."""

import json
import tomllib

import pytest

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec

POINTS = ((0.377, 0.469), (0.623, 0.469), (0.5, 0.608), (0.4, 0.746), (0.6, 0.746))
THIRDS = (1 / 3, 1 / 3, 1 / 3, 1 / 3)
SIDES = {"crop_scale": 1.0, "region": "sides", "margins": THIRDS}
ALIGNED = {"crop_scale": 1.0, "alignment": "five_points", "template": POINTS, "border": "black"}
RESIZED = {"crop_scale": 1.0, "alignment": "whole_resized", "interpolation": "bilinear", "antialias": True}

#: What each published release is fed; the same as `tests/faces/test_published_crops.py` cuts.
PUBLISHED = {
    "dfdc_winner": {**SIDES, "margin_rounding": "floor", "border": "clip", "fit": "letterbox",
                    "interpolation": "area_down_cubic_up"},
    "sbi": {**SIDES, "margins": (0.125,) * 4, "margin_rounding": "outward", "border": "clip", "interpolation": "bilinear"},
    "deepfakebench": {**ALIGNED, "interpolation": "bilinear"},
    "gend": {**ALIGNED, "warp_px": "native", "interpolation": "bicubic", "antialias": True},
    "icpr": {**SIDES, "margins": (0.2, 0.4, 0.2, 0.2), "margin_of": "height", "margin_rounding": "round",
             "square_after_margins": True, "border": "shift", "interpolation": "bilinear", "antialias": True},
    "fsvfm": {"crop_scale": 1.3, "border": "shift", "resize_px": 256, "interpolation": "bicubic", "antialias": True},
    "commfor": {**RESIZED, "fit": "shortest_edge", "resize_px": 440},
    "univfd": {"crop_scale": 1.0, "alignment": "whole", "pad": "black"},
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_published_releases_are_fed_survives_json_and_toml(name):
    spec = InputSpec(**PUBLISHED[name])
    plain = json.loads(json.dumps(spec.to_dict()))
    assert InputSpec.from_dict(plain) == spec
    assert InputSpec(**plain) == spec, "lists are taken for tuples"
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in PUBLISHED[name].items())
    assert InputSpec(**tomllib.loads(lines)) == spec
    assert hash(InputSpec(**plain)) == hash(spec)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"margins": THIRDS, "crop_scale": 1.0}, "they need region='sides'"),
        ({"margins": THIRDS, "region": "sides"}, r"take the place of crop_scale, which must be 1, not 1\.3"),
        ({**SIDES, "margins": (0.1, 0.2, 0.3)}, "margins must be four shares"),
        ({**SIDES, "margins": (0.1, 0.2, 0.3, -0.1)}, "margins must be four shares"),
        ({"margin_rounding": "floor"}, "need margins"),
        ({"square_after_margins": True}, "need margins"),
        ({**SIDES, "border": "shift"}, "it needs region='square', or square_after_margins=True"),
        ({"alignment": "five_points", "border": "shift"}, "border 'shift' moves a square around a face box"),
        ({"alignment": "five_points", "border": "clip"}, "it needs region='sides'"),
        ({"antialias": True, "interpolation": "area"}, "needs interpolation='bilinear' or 'bicubic'"),
        ({"resize_px": 200, "size_px": 224}, "resize_px must be at least size_px.*200 and 224"),
        ({"resize_px": 256, "fit": "letterbox"}, "resize_px needs"),
        ({"resize_px": 256, **ALIGNED}, "resize_px needs something that is resized"),
        ({**ALIGNED, "fit": "letterbox"}, "fit 'letterbox' .* needs alignment='box'"),
        ({**ALIGNED, "border": "repeat"}, "it needs border='black'"),
        ({**ALIGNED, "interpolation": "bicubic"}, "need warp_px='native'"),
        ({**ALIGNED, "template": POINTS[:4]}, r"template must be five \(x, y\)"),
        ({**ALIGNED, "template": POINTS[:1] * 5}, r"template must be five \(x, y\) that differ"),
        ({"template": POINTS}, "alignment must be 'five_points', not 'box'"),
        ({"alignment": "five_points", "warp_px": "native"}, "needs a template"),
        ({"alignment": "whole_resized"}, "crop_scale must be 1 for alignment 'whole_resized', not 1.3"),
        ({**RESIZED, "antialias": False}, "it needs antialias=True"),
        ({**RESIZED, "border": "black"}, "alignment 'whole_resized' takes pad instead"),
        ({**RESIZED, "pad": "black"}, "pad is of windows of pictures: it needs alignment='whole'"),
        (
            {"alignment": "whole", "crop_scale": 1.0, "interpolation": "bicubic"},
            "a window of a picture is never resized",
        ),
        ({"pad": "black"}, "it needs alignment='whole'"),
    ],
)
def test_fields_that_contradict_each_other_are_refused_with_what_goes_together(values, message):
    with pytest.raises(ParameterError, match=message):
        InputSpec(**values)


def test_a_mismatch_says_that_cutting_anew_is_cheap():
    ours, theirs = InputSpec(**PUBLISHED["sbi"]), InputSpec(**PUBLISHED["fsvfm"])
    with pytest.raises(
        InputError, match=r"border 'shift' instead of 'clip'.*spec=detector\.input_spec.*nothing is extracted"
    ):
        ours.require_same(theirs, "scoring a data set with sbi")
