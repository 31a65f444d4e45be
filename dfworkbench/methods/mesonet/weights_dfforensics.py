"""Load DeepfakeForensics-v1 (2020) weights: its `checkpoint-N.pth.tar` files. Facts from its specification, no code.

A file contains `{"model": tensors by name, "optimizer": state}` and nothing else: neither the network's name nor how faces were
cropped. The network is MesoNet4 or EfficientNet, each with or without an LSTM over five frames, and is inferred from the shapes.
Layers are matched with ours by kind (convolution, norm, linear, LSTM), order and shape, because the names inside the files are not
known here; their order is that in which the network was built.

Polarity: the original's label 1 is fake, and its loss takes sigmoid(output), so its output is already the log-odds of *fake*.

The input, and how closely it matches the original:
- 224 px RGB in 0..1, minus ImageNet's mean, over its std: as trained.
- The crop is the authors': the box of facenet-pytorch's MTCNN, each side 224/214 of it (margin 10 at 224 px), clipped to the
  frame, truncated to whole pixels and stretched to a square by Pillow's bilinear filter. Pixel for pixel the same, except for faces
  over 1,024 px when files are scored, and over half of `context_max_px` in a data set (docs/decisions/0020-authors-crops.md).
  The authors use the largest face of each frame; here every person is tracked and scored.
- Clips are neighbouring samples of a track. The original's were neighbouring frames of the video: extract every frame to feed the
  LSTM networks as in training. Its LSTM has as many layers as the clip has frames, so the file reveals the clip length.
- For training the image networks, crops were stored as JPEG with quality 75; ours are lossless. No file says whether a network was
  also trained on degraded copies, or with which dropout (it does not affect scores).

The original draws the initial state of its LSTM from N(0, 1) at every pass, so its scores of a clip differ between calls. That
state is in no file. Here it is zero, the mean of those draws: scores are repeatable, but do not equal the original's exactly.
"""

import dataclasses
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import require_name
from dfworkbench.media.foreign import read_tensors
from dfworkbench.models import build_detector
from dfworkbench.runs.matching import build_empty, require_fit

#: Detectors that the files may contain. The original has no LSTM on other EfficientNets.
DETECTORS = (
    "mesonet4", *(f"efficientnet_b{i}" for i in range(8)),
    "mesonet4_lstm", "efficientnet_b0_lstm", "efficientnet_b3_lstm",
)  # fmt: skip
#: Side of the crop over the side of the face box: margin 10 at 224 px.
CROP_SCALE = 224 / 214

_KINDS = ("convolution", "norm", "linear", "LSTM", "unknown layer")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_DOING = "importing DeepfakeForensics-v1 weights"


class Layer(NamedTuple):
    """One layer of a file: its name, and its tensors by their own names (`weight`, `running_mean`, `weight_ih_l0`, …)."""

    name: str
    tensors: dict[str, Tensor]


class Fit(NamedTuple):
    """How a file matches a detector: its state dict filled from the file, and the mismatches in words."""

    name: str
    options: dict[str, Any]
    state: dict[str, Tensor]
    differences: list[str]


def load_dfforensics(path: Path | str, detector: str = "") -> tuple[str, dict[str, Any], nn.Module]:
    """Read a DeepfakeForensics-v1 checkpoint.

    Args:
        path: A checkpoint-N.pth.tar, or a bare dict of its tensors. Nothing in it is executed.
        detector: One of `DETECTORS`; empty to infer it from the shapes.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file.
        UnknownNameError: No such detector can be in these files.
        CheckpointError: The file is damaged, contains code, or belongs to another network; the message says what does not fit.
    """
    path = Path(path)
    _refuse_keras(path)
    tensors = read_tensors(
        path,
        doing=_DOING,
        entries=("model",),
        where_to_get="Give a checkpoint-N.pth.tar that the training code of that project has written",
        expected="{'model': tensors by name, 'optimizer': …} or the tensors alone",
    )
    layers = group_layers(tensors)
    if detector:
        names = [require_name("detector of DeepfakeForensics-v1", detector, DETECTORS)]
    else:
        names = [name for name in DETECTORS if name.endswith("_lstm") == bool(layers["LSTM"])]
    best = min((_fit(name, layers) for name in names), key=lambda fit: len(fit.differences))
    require_fit(
        best.differences,
        f"{_DOING}: {path} does not fit {'' if detector else 'any of its networks; closest is '}{best.name}",
        "a checkpoint-N.pth.tar of that project"
        f"{'; leave out detector= to find the network from the file' if detector else ''}",
    )
    net: Any = build_detector(best.name, **best.options)
    net.input_spec = authors_spec(net.input_spec)
    net.load_state_dict(best.state)
    return best.name, best.options, net.eval()


def authors_spec(spec: InputSpec) -> InputSpec:
    """The InputSpec of one of our networks, with faces detected and cut as by the authors."""
    return dataclasses.replace(
        spec, region="sides", border="clip", fit="stretch", interpolation="bilinear", antialias=True, exact=True
    )


def group_layers(state: dict[str, Tensor]) -> dict[str, list[Layer]]:
    """Layers of a state dict by kind, each kind in the order of the dict."""
    layers: dict[str, Layer] = {}
    for key, value in state.items():
        name, _, tensor = key.rpartition(".")
        layers.setdefault(name, Layer(name, {})).tensors[tensor] = value
    kinds: dict[str, list[Layer]] = {kind: [] for kind in _KINDS}
    for layer in layers.values():
        kinds[_kind(layer.tensors)].append(layer)
    return kinds


def _refuse_keras(path: Path) -> None:
    if not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(_HDF5)) == _HDF5:
            raise CheckpointError(
                f"{_DOING}: {path} is an HDF5 file. Expected a checkpoint-N.pth.tar. Published MesoNet weights (.h5) are of kind "
                "'mesonet'."
            )


def _kind(tensors: dict[str, Tensor]) -> str:
    if "weight_ih_l0" in tensors:
        return "LSTM"
    if "running_mean" in tensors:
        return "norm"
    return {4: "convolution", 2: "linear"}.get(tensors["weight"].ndim if "weight" in tensors else 0, "unknown layer")


def _fit(name: str, layers: dict[str, list[Layer]]) -> Fit:
    options = {"crop_scale": CROP_SCALE}
    if name.endswith("_lstm"):
        options |= _recurrence(layers["LSTM"])
    net = build_empty(name, **options)
    theirs = dict(layers)
    if name.endswith("_lstm"):
        width = net.trunk.feature_count if name.startswith("mesonet") else net.trunk.channels
        theirs["linear"] = _without_unused(layers["linear"], width)
    state, differences = {}, []
    for kind, ours in group_layers(net.state_dict()).items():
        for own, found in zip_longest(ours, theirs[kind]):
            if found is None:
                differences.append(f"missing {kind} {_shapes(own)}")
            elif own is None:
                differences.append(f"unexpected {kind} {found.name!r} {_shapes(found)}")
            elif _shapes(own) != _shapes(found):
                differences.append(f"{kind} {found.name!r} is {_shapes(found)}, expected {_shapes(own)}")
            else:
                state |= {f"{own.name}.{tensor}": value for tensor, value in found.tensors.items()}
    return Fit(name, options, state, differences)


def _recurrence(lstms: list[Layer]) -> dict[str, int]:
    """Width and number of layers of the LSTM, and the clip length, which the original ties to that number."""
    tensors = lstms[0].tensors if lstms else {}
    layers = sum(key.startswith("weight_hh_l") for key in tensors)
    if layers < 2:  # no LSTM, or one over a single frame, which the original does not make: shown as differences
        return {}
    return {"clip_length": layers, "hidden": tensors["weight_hh_l0"].shape[-1], "layers": layers}


def _without_unused(linears: list[Layer], width: int) -> list[Layer]:
    """Drop the unused classifier that LSTM networks carry along from their backbone: `width` -> 16, and the layer after it."""
    for i, layer in enumerate(linears):
        if tuple(layer.tensors["weight"].shape) == (16, width):
            return linears[:i] + linears[i + 2 :]
    return linears


def _shapes(layer: Layer) -> str:
    shown = {tensor: tuple(value.shape) for tensor, value in layer.tensors.items() if value.ndim}
    return ", ".join(f"{tensor} {shape}" for tensor, shape in sorted(shown.items()))
