"""Floor 0: names, settings, InputSpec, geometry, workspace."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
from pydantic import Field

from dfworkbench.core.errors import InputError, OutputError, ParameterError, UnknownNameError
from dfworkbench.core.geometry import iou_matrix, paired_iou, square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import require_name
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import atomic_path, find_workspace


class Toy(Settings):
    epochs: int = Field(3, ge=1, le=10, description="passes")
    detector: str = "mesonet4"


def test_import_is_fast_and_without_torch():
    code = "import time; t = time.perf_counter(); import dfworkbench, sys; print(time.perf_counter() - t, 'torch' in sys.modules)"
    seconds, has_torch = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert has_torch == "False"
    assert float(seconds) < 0.3


def test_unknown_names_suggest_the_closest():
    with pytest.raises(UnknownNameError, match=r"no detector is called 'mesonet'\. Did you mean 'mesonet4'"):
        require_name("detector", "mesonet", ["mesonet4", "efficientnet_b0"])
    with pytest.raises(UnknownNameError, match="Known: a, b"):
        require_name("letter", "zzzzzz", ["b", "a"])


def test_settings_refuse_misspelt_and_out_of_range_values():
    with pytest.raises(ParameterError, match=r"Toy has no setting 'epoch'\. Did you mean 'epochs'\?"):
        Toy(epoch=3)  # pyright: ignore[reportCallIssue]
    with pytest.raises(ParameterError, match=r"Toy\.epochs = 11: input should be less than or equal to 10"):
        Toy(epochs=11)
    with pytest.raises(ParameterError, match="epochs"):
        Toy().replace(epochs=0)


def test_settings_hash_leaves_out_what_is_asked():
    assert Toy().content_hash() != Toy(epochs=4).content_hash()
    assert Toy().content_hash(without=("epochs",)) == Toy(epochs=4).content_hash(without=("epochs",))


def test_input_spec_round_trip_and_checks():
    spec = InputSpec(size_px=64, clip_length=5, mean=(0.1, 0.2, 0.3))
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert spec.sample_shape() == (5, 3, 64, 64)
    spec.check((2, 5, 3, 64, 64))
    with pytest.raises(InputError, match=r"mesonet4 takes \(B, 5, 3, 64, 64\) RGB images; got \(2, 3, 64, 64\)"):
        spec.check((2, 3, 64, 64), "mesonet4")
    with pytest.raises(ParameterError, match="no field"):
        InputSpec.from_dict({"size": 3})
    with pytest.raises(ParameterError):
        InputSpec(std=(0.0, 1.0, 1.0))


def test_specs_that_were_saved_before_there_were_regions_mean_what_they_meant():
    old = {"size_px": 64, "crop_scale": 1.3, "alignment": "box", "clip_length": 1, "clip_stride": 1, "channel_order": "rgb",
           "value_range": [0.0, 1.0], "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}  # fmt: skip
    spec = InputSpec.from_dict(old)
    assert spec == InputSpec(size_px=64)
    assert (spec.region, spec.border, spec.fit, spec.interpolation) == ("square", "repeat", "stretch", "auto")
    assert (spec.antialias, spec.exact) == (False, False)
    asked = InputSpec(region="sides", border="clip", interpolation="bilinear", antialias=True, exact=True)
    assert InputSpec.from_dict(json.loads(json.dumps(asked.to_dict()))) == asked


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"region": "oval"}, "region must be 'square' or 'sides', not 'oval'"),
        ({"border": "wrap"}, "border must be 'repeat', 'black', 'clip' or 'shift', not 'wrap'"),
        ({"fit": "crop"}, "fit must be 'stretch', 'letterbox' or 'shortest_edge', not 'crop'"),
        ({"interpolation": "lanczos"}, "interpolation must be 'auto', .* or 'area_down_cubic_up', not 'lanczos'"),
        ({"antialias": True}, "antialias needs interpolation='bilinear'"),
        ({"border": "clip"}, "border 'clip' .* needs region='sides'"),
        ({"region": "sides", "alignment": "five_points"}, "region 'sides' is of a face box"),
    ],
)
def test_crops_that_cannot_be_cut_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        InputSpec(**values)


def test_iou_by_hand():
    a = [[0, 0, 2, 2], [0, 0, 0, 0]]
    b = [[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]]
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 7, 1, 0], [0, 0, 0]])
    assert iou_matrix(np.empty((0, 4)), b).shape == (0, 3)


def test_square_keeps_the_centre():
    assert square_around((10, 20, 30, 60), 1.5) == (-10.0, 10.0, 60.0)


def test_atomic_write_is_whole_or_not_at_all(tmp_path):
    target = tmp_path / "sub" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("one")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text(f"half of tw{1 / 0}")
    assert target.read_text() == "one"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "cure"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "read-only")]
)
def test_write_errors_say_what_to_do(tmp_path, number, cure):
    with pytest.raises(OutputError, match=cure), atomic_path(tmp_path / "a", "the face table"):
        raise OSError(number, "nope")


def test_workspace_is_found_upwards_or_named(tmp_path, monkeypatch):
    monkeypatch.delenv("DFWORKBENCH_HOME", raising=False)
    for name in ("labels", "checkpoints", "notebooks"):
        (tmp_path / name).mkdir()
    assert find_workspace(tmp_path / "notebooks").root == tmp_path
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path / "other"))
    assert find_workspace().root == tmp_path / "other"


def test_iou_of_pairs_is_the_diagonal_of_the_matrix():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 50, (2, 20, 2))
    a, b = np.concatenate([low, low + rng.uniform(1, 60, (2, 20, 2))], axis=2)
    np.testing.assert_allclose(paired_iou(a, b), np.diag(iou_matrix(a, b)))
    assert paired_iou([(0, 0, 0, 0)], [(0, 0, 0, 0)]) == 0
