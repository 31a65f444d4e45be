"""Weights of CADDM: the files of megvii-research/CADDM (Apache-2.0), released ones and those that its code writes.

A file holds `{"network": tensors by name, "opt_state", "epoch"}`, in the first release the tensors alone. The backbone
(ResNet-34, EfficientNet-b3 or -b4) is not named in it and follows from names and shapes. Its 1000-way classifier, which the
original carries along unused, is left out.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit.

What the detector is fed is what the original is fed: faces aligned by five points, 224 px, BGR in 0..255, no mean and std. But
the points are MTCNN's; the original takes them from dlib's 81, with the centres of the eyes cut to whole pixels, so crops can
differ by a few pixels.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.names import require_name
from dfworkbench.models import build_detector
from dfworkbench.runs.matching import renamed, shape_differences
from dfworkbench.runs.tensor_files import read_tensors

#: The authors' names of backbones, and our detectors.
DETECTORS = {
    "efficientnet-b3": "caddm_efficientnet_b3",
    "efficientnet-b4": "caddm_efficientnet_b4",
    "resnet34": "caddm_resnet34",
}
_OPTIONS = {"authors_input": True}
_DOING = "importing CADDM weights"

_UNUSED = ("base_model.fc.", "base_model._fc.")
#: From our names to the authors', each applied to the beginning of a name, in this order.
_RENAMES = (
    (r"trunk\.net\.", "base_model."),
    (r"classifier\.", "fc."),
    (r"adm\.box_heads\.", "adm.multi_scale_detection_module.ms_dets."),
    (r"adm\.class_heads\.", "adm.multi_scale_detection_module.ms_cls."),
    (r"adm\.levels\.(\d)\.shortcut\.", r"adm.levels.\1.downsample."),
    (r"adm\.levels\.([012])\.", r"adm.adm_extra_layers.\1.0."),
    (r"adm\.levels\.3\.", "adm.adm_extra_layers.3."),
)


def load_caddm(path: Path | str, backbone: str = "") -> tuple[str, dict[str, Any], nn.Module]:
    """Read weights of CADDM.

    Args:
        path: A .pkl of the authors or of their training code, or a bare dict of its tensors. Nothing in it is executed.
        backbone: One of `DETECTORS`, with - or _; empty finds it from the file.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        UnknownNameError: CADDM has no such backbone.
        CheckpointError: The file is damaged, holds code, or belongs to another network; says what does not fit.
    """
    path = Path(path)
    names = [require_name("backbone of CADDM", backbone.replace("_", "-"), DETECTORS)] if backbone else list(DETECTORS)
    state = read_tensors(
        path,
        doing=_DOING,
        entries=("network", "state_dict"),
        where_to_get="Get the .pkl through the link in the README of https://github.com/megvii-research/CADDM",
        expected="{'network': tensors by name, …} or the tensors alone",
    )
    nets = {name: _shell(DETECTORS[name]) for name in names}
    best = min(nets, key=lambda name: len(differences(nets[name], state)))
    if found := differences(nets[best], state):
        raise CheckpointError(
            f"{_DOING}: {path} does not fit {'' if backbone else 'any of its backbones; closest is '}{best}, with "
            f"{len(found)} differences: {'; '.join(found[:4])}{'; …' if len(found) > 4 else ''}. Expected a file of "
            f"megvii-research/CADDM{'; leave out backbone= to find it from the file' if backbone else ''}."
        )
    net = nets[best]
    # copied: the tensors read are views of the file, which may change while the detector lives
    own = {
        key: state[original_name(key)].detach().to(value.dtype, copy=True) for key, value in net.state_dict().items()
    }
    net.load_state_dict(own, assign=True)
    return DETECTORS[best], dict(_OPTIONS), net.eval()


def original_name(key: str) -> str:
    """The authors' name of an entry of our state dict."""
    return renamed(key, _RENAMES)


def differences(net: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """In words, under the authors' names, how a file's tensors differ from those of a detector; empty where they fit."""
    wanted = {original_name(key): tuple(value.shape) for key, value in net.state_dict().items()}
    seen = {key: tuple(value.shape) for key, value in state.items() if not key.startswith(_UNUSED)}
    return shape_differences(wanted, seen)


def _shell(name: str) -> nn.Module:
    """The detector without memory for its weights: those of b4 take 1.2 GB, and are given by the file."""
    with torch.device("meta"):
        return build_detector(name, **_OPTIONS)
