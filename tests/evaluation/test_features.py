"""Frozen features of a detector over an extracted data set."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.judging.features import frozen_features
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import LoadedDetector

SPEC = InputSpec(size_px=32, crop_scale=1.0, channel_order="bgr", value_range=(0, 255))


class Stub(nn.Module):
    """Features are the mean colour of four quarters, then dropout and batch norm, which eval mode must still."""

    def __init__(self, spec=SPEC, flat=True):
        super().__init__()
        self.input_spec = spec
        self.flat = flat
        self.noise = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5))
        self.modes = set()

    def features(self, images):
        self.modes.add((self.training, torch.is_inference_mode_enabled()))
        images = images.mean(dim=1) if images.ndim == 5 else images
        out = nn.functional.adaptive_avg_pool2d(self.noise(images), 2)
        return out.flatten(1) if self.flat else out


@pytest.fixture
def data(toy):
    tables = read_table("face", toy.labels / "toy/faces.parquet"), read_table("video", toy.labels / "toy/videos.csv")

    def make(spec=SPEC, videos=None, **options):
        return FaceDataset(
            tables[0], tables[1] if videos is None else tables[1].iloc[:videos], spec, toy.extracted, **options
        )

    return make


def test_features_are_those_of_each_sample_by_itself(data):
    dataset, stub = data(), Stub()
    got = frozen_features(stub, dataset, batch_size=7, progress=False)
    stub.eval()
    assert got.shape == (len(dataset), 12)
    assert got.dtype == np.float32
    for row in (0, 6, 7, len(dataset) - 1):
        expected = stub.features(prepare(dataset[row]["images"][None], SPEC))[0].detach()
        assert got[row] == pytest.approx(expected.numpy(), rel=1e-5)
    assert np.array_equal(got, frozen_features(stub, dataset, batch_size=1, progress=False))


def test_modes_come_back_as_they_were(data):
    stub = Stub().train()
    stub.noise[0].eval()
    before = {key: value.clone() for key, value in stub.state_dict().items()}
    frozen_features(stub, data(videos=2), progress=False)
    assert stub.modes == {(False, True)}
    assert (stub.training, stub.noise[0].training, stub.noise[1].training) == (True, False, True)
    assert all(torch.equal(value, before[key]) for key, value in stub.state_dict().items())


def test_a_loaded_detector_and_clips(data):
    spec = InputSpec(size_px=32, crop_scale=1.0, clip_length=2)
    stub = Stub(spec).eval()
    dataset = data(spec)
    loaded = LoadedDetector(stub, "stub", spec, {}, Path("none"))
    got = frozen_features(loaded, dataset, progress=False)
    assert got.shape == (len(dataset.rows), 12)
    assert np.array_equal(got, frozen_features(stub, dataset, progress=False))


def test_another_input_spec_is_refused(data):
    with pytest.raises(
        InputError, match=r"with Stub: it was cut with .*size_px 24 instead of 32.*spec=detector.input_spec"
    ):
        frozen_features(Stub(), data(InputSpec(size_px=24, crop_scale=1.0)), progress=False)


def test_features_must_be_flat_and_modes_come_back_after_an_error(data):
    stub = Stub(flat=False)
    with pytest.raises(InputError, match=r"gave \(6, 3, 2, 2\) for 6 samples; expected \(6, F\)"):
        frozen_features(stub, data(videos=2), progress=False)
    assert stub.training


def test_a_data_set_without_samples_is_refused(data):
    with pytest.raises(InputError, match="no samples"):
        frozen_features(Stub(), data(videos=0), progress=False)
