"""Weights of "Beyond the Spectrum": the files of SSAW14/BeyondtheSpectrum (MIT), released ones and those that its code writes.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376.

A detector comes in two files: the re-synthesiser ("sr"), `{"state_dict": tensors by name}` or the tensors alone, and the
classifier of what it does not bring back, `{"state_dict", "epoch", "arch", "optimizer"}`. VGG-19, in whose features classifiers of
stages 1 to 5 compare pictures, is in neither. Names are ours; depth and sizes follow from names and shapes. No file says whether
512 channels are those of stage 4 or 5, nor whether a classifier is dilated: it is not, as in all scripts of the authors.

Polarity: the original's class 1 is *real*. The detector turns that round: its logit is the log-odds of the original's class 0.

What the detector is fed is what the original is fed: whole pictures of 1024 px, RGB in 0..1.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet
from dfworkbench.methods.resynthesis.network import stage_name
from dfworkbench.methods.resynthesis.rdn import Rdn
from dfworkbench.models import build_detector
from dfworkbench.models.vgg import CHANNELS, VggTaps
from dfworkbench.runs.matching import Shapes, shape_differences
from dfworkbench.runs.tensor_files import read_tensors

#: What a file may hold: the re-synthesiser, or the classifier of its residuals.
PARTS = ("sr", "classifier")

_DEPTHS = (18, 34, 50, 101, 152)
#: Channels of the residual at stage 0 (pixels) to 5.
_CHANNELS = (3, *CHANNELS)
#: Pictures that the authors' classifiers were trained on, and windows that their re-synthesiser was.
_PICTURE_PX, _WINDOW_PX = 1024, 96
_SCALE = 4

_DOING = "importing weights of Beyond the Spectrum"
_SOURCE = "Get it through the Google Drive link in the README of https://github.com/SSAW14/BeyondtheSpectrum"
_PAIRS = (
    "sr_vgg_epoch_last.pth with pixel_pggan_celeba.pth.tar, sr.pth.tar with the cls.pth.tar beside it in "
    "stylegan_celeba_stage5_noising, and, as their code writes them, 0100_sr.pth.tar with 0100.pth.tar"
)


def load_resynthesis(
    path: Path | str,
    part: str = "",
    stage: int | None = None,
    sr: str = "",
    vgg_weights: str = "",
    size_px: int | None = None,
) -> tuple[str, dict[str, Any], nn.Module]:
    """Read weights of Beyond the Spectrum: a re-synthesiser, or a classifier and what it needs, which makes a detector.

    Args:
        path: A .pth or .pth.tar of the authors or of their training code. Nothing in it is executed.
        part: One of `PARTS`; empty finds it from the file.
        stage: Where the classifier compares: 0 for pixels, 1 to 5 for VGG-19. None finds it from the file, but for 512
            channels, which stages 4 and 5 both have.
        sr: With a classifier: the file of the re-synthesiser that it was trained with.
        vgg_weights: With a classifier of stages 1 to 5: "imagenet", or the path of torchvision's file of VGG-19.
        size_px: Height and width of the input, a multiple of 4; None takes what was published: pictures of 1024 px for a
            detector, windows of 96 px for a re-synthesiser, whose weights take any size.

    Returns:
        Name of the detector (or "rdn"), its options, and the network in eval mode.

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        UnknownNameError: There is no such part.
        ParameterError: `stage` is needed or impossible, `size_px` is impossible, or options do not go with the part.
        CheckpointError: A file is damaged, holds code, or belongs to another network, and says what does not fit; or the
            classifier's re-synthesiser or VGG-19 is not given.
    """
    path = Path(path)
    if part:
        require_name("part of Beyond the Spectrum", part, PARTS)
    state = _read(path)
    part = part or _likely_part(state, path)
    if part == "classifier":
        return _detector(state, path, stage, sr, vgg_weights, _PICTURE_PX if size_px is None else size_px)
    given = [
        name for name, value in (("stage", stage), ("sr", sr), ("vgg_weights", vgg_weights)) if value not in (None, "")
    ]
    if given:
        raise ParameterError(
            f"{_DOING}: {path} is read as a re-synthesiser, which takes no {' and no '.join(given)}. Leave it out; for a "
            "detector name the file of the classifier first and this one as sr."
        )
    rdn, geometry = _resynthesiser(state, str(path))
    options = {"size_px": _WINDOW_PX if size_px is None else size_px, **geometry}
    with torch.device("meta"):  # the file gives the weights
        net = build_detector("rdn", **options)
    net.rdn = rdn
    return "rdn", options, net.eval()


def _detector(
    state: Mapping[str, Tensor], path: Path, stage: int | None, sr: str, vgg_weights: str, size_px: int
) -> tuple[str, dict[str, Any], nn.Module]:
    level = _stage(state, path, stage)
    if not sr:
        raise CheckpointError(
            f"{_DOING}: {path} holds a classifier, which sees nothing but what its re-synthesiser does not bring back, and scores "
            f"nothing without it. Give that file as sr. Its authors pair {_PAIRS}."
        )
    if level and not vgg_weights:
        raise CheckpointError(
            f"{_DOING}: {path} is read as a classifier of stage {level}, which compares features of VGG-19 with ImageNet weights. "
            "They are not in the file, and with features of random weights its scores would mean nothing. Give vgg_weights: "
            "imagenet (from torch's cache, or downloaded) or the path of torchvision's vgg19-dcbb9e9d.pth."
        )
    rdn, geometry = _resynthesiser(_read(Path(sr)), f"sr = {sr}")
    scale = geometry.pop("scale")
    if scale != _SCALE:
        raise CheckpointError(
            f"{_DOING}: sr = {sr} makes pictures {scale} times as large; detectors need {_SCALE} times. Give the re-synthesiser "
            f"that belongs to {path.name}. Its authors pair {_PAIRS}."
        )
    known_as, depth = stage_name(level), _likely_depth(state)
    options: dict[str, Any] = {"size_px": size_px, "depth": depth, **geometry}
    with torch.device("meta"):  # the files give the weights
        net = build_detector(f"resynthesis_{known_as}", **options)
    closest = f"a classifier of stage {level}; closest is a ResNet-{depth} for {_CHANNELS[level]} channels"
    _fill(net.classifiers[known_as], state, f"{path} does not fit {closest}")
    net.resynthesiser = rdn
    if level:
        net.vgg = VggTaps(vgg_weights, stages=level)
        options["vgg_weights"] = vgg_weights
    return f"resynthesis_{known_as}", options, net.eval()


def _resynthesiser(state: Mapping[str, Tensor], called: str) -> tuple[Rdn, dict[str, int]]:
    """The network of a file, and its options."""
    geometry = _geometry(state)
    with torch.device("meta"):
        rdn = Rdn(growth=geometry["features"], **geometry)
    named = ", ".join(f"{name} = {value}" for name, value in geometry.items())
    _fill(rdn, state, f"{called} does not fit a re-synthesiser with {named}")
    return rdn, geometry


def _read(path: Path) -> dict[str, Tensor]:
    return read_tensors(
        path,
        doing=_DOING,
        entries=("state_dict",),
        where_to_get=_SOURCE,
        expected="{'state_dict': tensors by name, …} or the tensors alone",
        numpy_scalars=True,  # the learning rate, which the authors' code takes from an array
    )


def _fill(net: nn.Module, state: Mapping[str, Tensor], unfit: str) -> None:
    """Give a network on the meta device the tensors of a file, all of them, or refuse the file."""
    own = net.state_dict()
    if found := shape_differences(_shapes(own), _shapes(state)):
        raise CheckpointError(
            f"{_DOING}: {unfit}; {len(found)} differences: {'; '.join(found[:4])}{'; …' if len(found) > 4 else ''}. Expected a "
            "file of SSAW14/BeyondtheSpectrum."
        )
    # copied: the tensors read are views of the file, which may change while the network lives
    net.load_state_dict(
        {key: state[key].detach().to(value.dtype, copy=True) for key, value in own.items()}, assign=True
    )


def _likely_part(state: Mapping[str, Tensor], path: Path) -> str:
    if any(key.startswith(("sfe1.", "rdbs.")) for key in state):
        return "sr"
    if any(key.startswith(("conv1.", "layer1.")) for key in state):
        return "classifier"
    raise CheckpointError(
        f"{_DOING}: {path} holds {', '.join(key[:80] for key in list(state)[:4])}, …; expected a re-synthesiser (sfe1.weight, …) "
        f"or a classifier (conv1.0.weight, layer1.0.conv1.weight, …). {_SOURCE}."
    )


def _stage(state: Mapping[str, Tensor], path: Path, stage: int | None) -> int:
    """The stage that is asked for, or the one that the file's number of channels tells."""
    if stage is not None:
        if stage not in range(len(_CHANNELS)):
            raise ParameterError(
                f"{_DOING}: stage = {stage!r}; expected 0 (pixels) to 5, or nothing to find it from the file."
            )
        return stage
    first = _shapes(state).get("conv1.0.weight", ())
    fitting = [number for number, channels in enumerate(_CHANNELS) if first[1:2] == (channels,)]
    if not fitting:
        raise CheckpointError(
            f"{_DOING}: {path} does not fit a classifier of any stage: its conv1.0.weight is {first or 'missing'}; expected "
            "(64, C, 3, 3) with C = 3 (pixels), 64, 128, 256 or 512 (stages of VGG-19)."
        )
    if len(fitting) > 1:
        raise ParameterError(
            f"{_DOING}: {path} holds a classifier of {first[1]} channels, which stages {' and '.join(map(str, fitting))} both "
            "have, and does not say which it is. Give stage. The classifier that the authors published in "
            "stylegan_celeba_stage5_noising is of stage 5."
        )
    return fitting[0]


def _likely_depth(state: Mapping[str, Tensor]) -> int:
    """Whose layers are closest to those of the file."""
    seen = _shapes(state)
    return min(_DEPTHS, key=lambda depth: len(shape_differences(_layers(depth), seen)))


@cache
def _layers(depth: int) -> Shapes:
    with torch.device("meta"):
        return _shapes(DeepStemResNet(depth).state_dict())


def _geometry(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Options of `Rdn` as a file's names and shapes tell them; each at least 1, since no network has less."""
    features = _outputs(state, "sfe1")
    if any(key.startswith("upscale.2.") for key in state):
        scale = 4
    else:
        scale = 3 if _outputs(state, "upscale.0") == 9 * features else 2
    blocks, layers = _numbers(state, r"rdbs\.(\d+)\."), _numbers(state, r"rdbs\.\d+\.layers\.(\d+)\.")
    return {"features": features, "blocks": blocks, "layers": layers, "scale": scale}


def _outputs(state: Mapping[str, Tensor], layer: str) -> int:
    """Channels that a layer makes."""
    shapes = _shapes(state)
    return max(1, *(shapes.get(f"{layer}.weight") or shapes.get(f"{layer}.bias") or (1,))[:1])


def _numbers(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many different numbers stand in names."""
    return max(1, len({found[1] for key in state if (found := re.match(pattern, key))}))


def _shapes(state: Mapping[str, Tensor]) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items()}
