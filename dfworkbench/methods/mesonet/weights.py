"""Load published MesoNet weights: the Keras .h5 files of DariusAf/MesoNet (Apache-2.0), read with h5py, without Keras.

The files hold Meso4 and MesoInception4, each trained on Deepfakes (`_DF`) and Face2Face (`_F2F`). Their sigmoid is
P(real); the last layer is negated here, so that the logit is the log-odds of *fake*. Input: 256 px, RGB, 0..1. Nothing in
the files says how faces were cropped; the authors' pipeline enlarges the detected face, taken here as 1.3.

What the files do not contain is taken from the authors' code: activations and their slopes. In particular, the layer list stored in
the two Meso4 files has no LeakyReLU, which the code has; its slope (0.1) is used for both networks.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.media.foreign import read_hdf5
from dfworkbench.models import build_detector

Layers = dict[str, dict[str, NDArray[np.float32]]]

_DOING = "importing MesoNet weights"
_EXPECTED = "one of the four .h5 files of DariusAf/MesoNet"
_WHERE = (
    "Get Meso4_DF.h5, Meso4_F2F.h5, MesoInception_DF.h5 or MesoInception_F2F.h5 from the folder weights/ of "
    "https://github.com/DariusAf/MesoNet"
)
_PUBLISHED_MESO4 = {"size_px": 256, "published": True}


def load_mesonet(path: Path | str) -> tuple[str, dict[str, Any], nn.Module]:
    """Read a .h5 file of the MesoNet repository.

    Args:
        path: For example Meso4_DF.h5 or MesoInception_F2F.h5; the network is inferred from its layers.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file.
        CheckpointError: It is not an HDF5 file, or contains other layers.
    """
    try:
        name, options, detector = _build(read_keras_layers(Path(path)), path)
    except (ValueError, LookupError, RuntimeError, TypeError) as error:  # names or shapes that no Keras file has
        raise CheckpointError(
            f"{_DOING}: the layers of {path} make no sense ({error!r:.200}). Expected {_EXPECTED}: get it again."
        ) from error
    with torch.no_grad():  # class 1 of the authors is real
        detector.head[-1].weight.neg_()
        detector.head[-1].bias.neg_()
    return name, dict(options), detector.eval()


def _build(layers: Layers, path: Path | str) -> tuple[str, dict[str, Any], Any]:
    convolutions = _in_order(layers, "conv2d")
    name, options = ("mesonet4", _PUBLISHED_MESO4) if len(convolutions) == 4 else ("mesoinception4", {})
    detector = build_detector(name, **options)
    _fill(detector, convolutions, nn.Conv2d, path)
    _fill(detector, _in_order(layers, "batch_normalization"), nn.BatchNorm2d, path)
    _fill(detector, _in_order(layers, "dense"), nn.Linear, path)
    return name, dict(options), detector


def read_keras_layers(path: Path) -> Layers:
    """Arrays of a Keras 2 weight file, by layer and by name (`kernel`, `bias`, `gamma`, `beta`, `moving_mean`, …)."""
    layers: Layers = {}
    for place, values in read_hdf5(path, doing=_DOING, expected=_EXPECTED, where_to_get=_WHERE).items():
        layer, *_, array = place.split("/")
        layers.setdefault(layer, {})[array.split(":")[0]] = values
    return layers


def _in_order(layers: Layers, prefix: str) -> list[dict[str, NDArray[np.float32]]]:
    """Layers of one kind in order of creation, which Keras counts in their names."""
    names = [name for name in layers if name.rsplit("_", 1)[0] == prefix]
    return [layers[name] for name in sorted(names, key=lambda name: int(name.rsplit("_", 1)[1]))]


def _fill(detector: nn.Module, arrays: list[dict[str, NDArray[np.float32]]], kind: type, path: Path | str) -> None:
    modules = [module for module in detector.modules() if isinstance(module, kind)]
    if len(modules) != len(arrays):
        raise CheckpointError(
            f"{_DOING}: {path} has {len(arrays)} layers where Meso4 or MesoInception4 has {len(modules)} ({kind.__name__}). "
            f"Expected {_EXPECTED}. {_WHERE}."
        )
    for module, values in zip(modules, arrays, strict=True):
        state = {ours: _to_torch(values[theirs], module) for theirs, ours in _NAMES.items() if theirs in values}
        try:
            module.load_state_dict(state, strict=False)  # num_batches_tracked has no counterpart
        except RuntimeError as error:
            raise CheckpointError(
                f"{_DOING}: {path} does not fit ({error}). Expected {_EXPECTED}. {_WHERE}."
            ) from error


_NAMES = {
    "kernel": "weight", "gamma": "weight", "bias": "bias", "beta": "bias",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip


def _to_torch(array: NDArray[np.float32], module: Any) -> Tensor:
    if array.ndim == 4:  # Keras (height, width, in, out)
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim == 2:
        array = array.T
        if array.shape[1] > 16:  # Keras flattens (height, width, channel), torch (channel, height, width)
            side = int(np.sqrt(array.shape[1] // 16))
            array = array.reshape(-1, side, side, 16).transpose(0, 3, 1, 2).reshape(array.shape[0], -1)
    return torch.from_numpy(np.ascontiguousarray(array))
