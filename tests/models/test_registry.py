"""Names of detectors and training methods, and their options."""

import subprocess
import sys

import pytest

from dfworkbench.core.errors import ParameterError, UnknownNameError
from dfworkbench.models import DETECTORS, build_detector, detector_options, list_detectors, register_detector
from dfworkbench.training.registry import build_method, list_methods


class Toy:
    def __init__(self, size_px: int = 8, dropout: float = 0.5) -> None:
        self.size_px, self.dropout = size_px, dropout


class OtherToy(Toy):
    pass


@pytest.fixture
def toy_detector(monkeypatch):
    monkeypatch.setattr("dfworkbench.models.registry.DETECTORS", known := dict(DETECTORS))
    register_detector("toy", Toy, check=False)
    return known


def test_names_need_no_torch():
    code = (
        "import sys, dfworkbench.models as m, dfworkbench.methods, dfworkbench.training as t\n"
        "t.TrainSettings(); assert 'mesonet4' in m.list_detectors()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_names_are_sorted_and_known():
    assert list_detectors() == sorted(list_detectors())
    assert "mesonet4" in list_detectors()
    assert "binary" in list_methods()


def test_unknown_detector_names_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"no detector is called 'mesonet'.*'mesonet4'"):
        build_detector("mesonet")


def test_unknown_method_names_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"no training method is called 'binnary'.*'binary'"):
        build_method("binnary", None)


def test_options_reach_the_constructor(toy_detector):
    detector = build_detector("toy", size_px=16)
    assert (detector.size_px, detector.dropout) == (16, 0.5)
    assert detector_options("toy") == {"size_px": 8, "dropout": 0.5}


def test_misspelt_option_names_the_closest_one(toy_detector):
    with pytest.raises(ParameterError, match=r"'toy': it has no option 'dropuot'\. Did you mean 'dropout'"):
        build_detector("toy", dropuot=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bgr": "False"}, "bgr = 'False'; .*boolean"),
        ({"bgr": 0}, "bgr = 0; .*boolean"),
        ({"blocks": "3"}, "blocks = '3'; .*integer"),
        ({"blocks": 3.0}, "blocks = 3.0; .*integer"),
        ({"blocks": True}, "blocks = True; .*integer"),
        ({"dropout": "0.1"}, "dropout = '0.1'; .*number"),
    ],
)
def test_options_of_another_type_are_refused(options, message):
    """Any text is true to Python: bgr=False on a command line would turn colours round."""
    with pytest.raises(ParameterError, match=f"building the detector 'mi_net_mobilenet': {message}"):
        build_detector("mi_net_mobilenet", size_px=32, **options)


def test_taken_name_is_refused(toy_detector):
    with pytest.raises(ParameterError, match="'toy': this name is taken"):
        register_detector("toy", OtherToy, check=False)
    with pytest.raises(ParameterError, match="'mesonet4': this name is taken"):
        register_detector("mesonet4", Toy)
    assert toy_detector["toy"] is Toy


def test_registering_the_same_class_again_is_no_error(toy_detector):
    register_detector("toy", Toy, check=False)  # a notebook cell that runs twice
    assert toy_detector["toy"] is Toy
