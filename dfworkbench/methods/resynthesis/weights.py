"""Load "Beyond the Spectrum" weights: files of SSAW14/BeyondtheSpectrum (MIT), released or written by its code.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376.

A detector comes in two files: the re-synthesiser ("sr"), `{"state_dict": tensors by name}` or the tensors alone, and the classifier
of its residual, `{"state_dict", "epoch", "arch", "optimizer"}`. VGG-19, whose features classifiers of stages 1 to 5 compare, is in
neither. Names equal ours; depth and sizes are inferred from names and shapes. No file says whether 512 channels are those of stage
4 or 5, nor whether a classifier is dilated: it is not, as in all scripts of the authors.

Polarity: the original's class 1 is *real*. The detector inverts this: its logit is the log-odds of the original's class 0.

The input is that of the original: whole pictures of 1024 px, RGB in 0..1.
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
from dfworkbench.media.foreign import read_tensors
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet
from dfworkbench.methods.resynthesis.network import stage_name
from dfworkbench.methods.resynthesis.rdn import Rdn
from dfworkbench.models.vgg import CHANNELS, VggTaps
from dfworkbench.runs.matching import Shapes, build_empty, fill, require_fit, shape_differences, shapes_of

#: Contents of a file: the re-synthesiser, or the classifier of its residuals.
PARTS = ("sr", "classifier")

_DEPTHS = (18, 34, 50, 101, 152)
#: Channels of the residual at stages 0 (pixels) to 5.
_CHANNELS = (3, *CHANNELS)
#: Training picture size of the authors' classifiers, and window size of their re-synthesiser.
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
    """Read "Beyond the Spectrum" weights: a re-synthesiser, or a classifier and what it needs to form a detector.

    Args:
        path: A .pth or .pth.tar of the authors or of their training code. Nothing in it is executed.
        part: One of `PARTS`; empty to infer it from the file.
        stage: Where the classifier compares: 0 for pixels, 1 to 5 for VGG-19. None infers it from the file, except for 512
            channels, which stages 4 and 5 both have.
        sr: With a classifier: the file of the re-synthesiser that it was trained with.
        vgg_weights: With a classifier of stages 1 to 5: "imagenet", or the path of torchvision's file of VGG-19.
        size_px: Height and width of the input, a multiple of 4; None for the published sizes: pictures of 1024 px for a detector,
            windows of 96 px for a re-synthesiser, whose weights fit any size.

    Returns:
        Name of the detector (or "rdn"), its options, and the network in eval mode.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        UnknownNameError: There is no such part.
        ParameterError: `stage` is needed or impossible, `size_px` is impossible, or options do not go with the part.
        CheckpointError: A file is damaged, contains code, or belongs to another network (the message says what does not fit); or
            the classifier's re-synthesiser or VGG-19 is not given.
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
    net = build_empty("rdn", **options)
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
    net = build_empty(f"resynthesis_{known_as}", **options)
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
        rdn = Rdn(**geometry)
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
    """Load all tensors of a file into an empty network, or refuse the file."""
    differences = shape_differences(shapes_of(net.state_dict()), shapes_of(state))
    require_fit(differences, f"{_DOING}: {unfit}", "a file of SSAW14/BeyondtheSpectrum")
    fill(net, state)


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
    """The requested stage, or the one inferred from the number of channels in the file."""
    if stage is not None:
        if stage not in range(len(_CHANNELS)):
            raise ParameterError(
                f"{_DOING}: stage = {stage!r}; expected 0 (pixels) to 5, or nothing to find it from the file."
            )
        return stage
    first = shapes_of(state).get("conv1.0.weight", ())
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
    """The depth whose layers are closest to those in the file."""
    seen = shapes_of(state)
    return min(_DEPTHS, key=lambda depth: len(shape_differences(_layers(depth), seen)))


@cache
def _layers(depth: int) -> Shapes:
    with torch.device("meta"):
        return shapes_of(DeepStemResNet(depth).state_dict())


def _geometry(state: Mapping[str, Tensor]) -> dict[str, int]:
    """Options of `Rdn` inferred from a file's names and shapes; each at least 1, since no network has less."""
    features = _outputs(state, "sfe1")
    if any(key.startswith("upscale.2.") for key in state):
        scale = 4
    else:
        scale = 3 if _outputs(state, "upscale.0") == 9 * features else 2
    blocks, layers = _numbers(state, r"rdbs\.(\d+)\."), _numbers(state, r"rdbs\.\d+\.layers\.(\d+)\.")
    return {"features": features, "blocks": blocks, "layers": layers, "scale": scale}


def _outputs(state: Mapping[str, Tensor], layer: str) -> int:
    """Output channels of a layer."""
    shapes = shapes_of(state)
    return max(1, *(shapes.get(f"{layer}.weight") or shapes.get(f"{layer}.bias") or (1,))[:1])


def _numbers(state: Mapping[str, Tensor], pattern: str) -> int:
    """Number of distinct numbers in names."""
    return max(1, len({found[1] for key in state if (found := re.match(pattern, key))}))
