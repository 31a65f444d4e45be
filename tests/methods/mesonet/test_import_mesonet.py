"""Published MesoNet weights against a NumPy reference of Keras's layers in float64."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.methods.mesonet.weights import read_keras_layers
from dfworkbench.runs.released import load_released

TRIALS = os.environ.get("DFWORKBENCH_TRIALS")
needs_weights = pytest.mark.skipif(
    not TRIALS or not (Path(TRIALS) / "weights" / "mesonet").is_dir(),
    reason="DFWORKBENCH_TRIALS does not name a folder with weights/mesonet",
)
FILES = ("Meso4_DF", "Meso4_F2F", "MesoInception_DF", "MesoInception_F2F")


def convolve(x, layer, dilation=1):
    """Keras Conv2D, padding='same', activation='relu'. x (H, W, C)."""
    kernel, bias = layer["kernel"].astype(np.float64), layer["bias"].astype(np.float64)
    size = kernel.shape[0]
    pad = dilation * (size // 2)
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    out = np.zeros((*x.shape[:2], kernel.shape[3])) + bias
    for i in range(size):
        for j in range(size):
            window = padded[i * dilation : i * dilation + x.shape[0], j * dilation : j * dilation + x.shape[1]]
            out += window @ kernel[i, j]
    return np.maximum(out, 0)


def normalise(x, layer):
    scale = layer["gamma"].astype(np.float64) / np.sqrt(layer["moving_variance"].astype(np.float64) + 1e-3)
    return (x - layer["moving_mean"]) * scale + layer["beta"]


def pool(x, size):
    h, w, c = x.shape
    return x.reshape(h // size, size, w // size, size, c).max(axis=(1, 3))


def reference(layers, image):
    """P(real) of Meso4 or MesoInception4, image (256, 256, 3) in 0..1."""

    def named(prefix):
        names = [n for n in layers if n.rsplit("_", 1)[0] == prefix]
        return iter([layers[n] for n in sorted(names, key=lambda n: int(n.rsplit("_", 1)[1]))])

    convs, norms, denses = named("conv2d"), named("batch_normalization"), named("dense")
    x = image.astype(np.float64)
    if len([n for n in layers if n.startswith("conv2d")]) == 4:
        for size in (2, 2, 2, 4):
            x = pool(normalise(convolve(x, next(convs)), next(norms)), size)
    else:
        for _ in range(2):
            branches = [convolve(x, next(convs))]
            for dilation in (1, 2, 3):
                branches.append(convolve(convolve(x, next(convs)), next(convs), dilation))
            x = pool(normalise(np.concatenate(branches, axis=2), next(norms)), 2)
        for size in (2, 4):
            x = pool(normalise(convolve(x, next(convs)), next(norms)), size)
    for dense, slope in zip(denses, (0.1, 1.0), strict=True):
        x = x.reshape(-1) @ dense["kernel"].astype(np.float64) + dense["bias"]
        x = np.where(x > 0, x, slope * x)
    return 1 / (1 + np.exp(-x.item()))


@needs_weights
@pytest.mark.parametrize("name", FILES)
def test_outputs_equal_keras(name):
    path = Path(TRIALS) / "weights" / "mesonet" / f"{name}.h5"
    detector = load_released("mesonet", path).detector
    layers = read_keras_layers(path)
    rng = np.random.default_rng(0)
    smooth = np.kron(rng.random((8, 8, 3)), np.ones((32, 32, 1)))
    for image in (rng.random((256, 256, 3)), smooth, np.zeros((256, 256, 3))):
        with torch.inference_mode():
            logit = detector(torch.from_numpy(image.transpose(2, 0, 1)[None]).float()).logit
        fake = torch.sigmoid(logit.double()).item()
        assert abs(fake - (1 - reference(layers, image))) < 1e-5


@needs_weights
def test_imported_detector_is_scored_like_any_other():
    loaded = load_released("mesonet", Path(TRIALS) / "weights" / "mesonet" / "MesoInception_DF.h5")
    assert loaded.name == "mesoinception4"
    assert loaded.input_spec.size_px == 256
    assert not loaded.detector.training


def test_refusals(tmp_path):
    with pytest.raises(DataNotFoundError, match="DariusAf/MesoNet"):
        load_released("mesonet", tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(CheckpointError, match="not a readable HDF5"):
        load_released("mesonet", tmp_path / "text.h5")
    with h5py.File(tmp_path / "flat.h5", "w") as file:
        file["conv2d_1"] = np.ones((3, 3, 3, 8), np.float32)  # an array that stands in no layer
    with pytest.raises(CheckpointError, match="make no sense"):
        load_released("mesonet", tmp_path / "flat.h5")
