"""Weights of MI_Net: the files that the code of QingyuLiu/Exposing-the-Deception writes. Its authors have published none.

A file holds `{"state_dict": tensors by name, "epoch"}`. Backbone and number of blocks are not named in it and follow from names and
shapes. The 1000-way heads that the original's MobileNet and EfficientNet carry along unused are left out. The original cannot
build its EfficientNet, so such a file comes from code that somebody repaired.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit.

What the detector is fed is what the original is fed: BGR minus ImageNet's mean of RGB, over its std. But how its authors cropped
faces is not known: ours are cut around the face box, 1.3 times as wide, and squares; theirs are stretched to a square.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.names import require_name
from dfworkbench.methods.mi_net.network import backbone_trunk
from dfworkbench.models import build_detector
from dfworkbench.runs.matching import Shapes, renamed, shape_differences
from dfworkbench.runs.tensor_files import read_tensors

#: Of MI_Net; "mi_net_" before one of them names our detector.
BACKBONES = ("resnet34", "mobilenet", *(f"efficientnet_b{i}" for i in range(8)))
_DOING = "importing MI_Net weights"

_UNUSED = re.compile(r"region_model\d+\._?fc\.")
#: From our names to the authors', who count blocks from 1 and write the number to the name.
_NUMBERED = {"trunks": "region_model", "left_out_heads": "local_linear"}
_RENAMES = ((r"fusion\.", "bottleneck.model."), (r"joint_head\.", "baseline_linear."), (r"classifier\.", "linear.1."))


def load_mi_net(
    path: Path | str, backbone: str = "", blocks: int = 0, size_px: int = 224, crop_scale: float = 1.3
) -> tuple[str, dict[str, Any], nn.Module]:
    """Read weights of MI_Net.

    Args:
        path: A .pth of the authors' training code, or a bare dict of its tensors. Nothing in it is executed.
        backbone: One of `BACKBONES`, with - or _; empty finds it from the file.
        blocks: Number of local blocks, at least 2; 0 finds it from the file.
        size_px: Of the input; it is not in the file, and the authors' own is 224.
        crop_scale: Of the crop over the face box; it is not in the file.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        UnknownNameError: MI_Net has no such backbone.
        CheckpointError: The file is damaged, holds code, or belongs to another network; says what does not fit.
    """
    path = Path(path)
    wanted = require_name("backbone of MI_Net", backbone.replace("-", "_"), BACKBONES) if backbone else ""
    state = read_tensors(
        path,
        doing=_DOING,
        entries=("state_dict",),
        where_to_get="No weights are published; train with https://github.com/QingyuLiu/Exposing-the-Deception for a .pth",
        expected="{'state_dict': tensors by name, 'epoch'} or the tensors alone",
    )
    shapes = {key: tuple(value.shape) for key, value in state.items() if not _UNUSED.match(key)}
    found = wanted or _likely_backbone(shapes)
    options = {"blocks": blocks or _likely_blocks(shapes), "bgr": True, "size_px": size_px, "crop_scale": crop_scale}
    with torch.device("meta"):  # the file gives the weights
        net = build_detector(f"mi_net_{found}", **options)
    if wrong := differences(net, shapes):
        given = [word for word, value in (("backbone=", backbone), ("blocks=", blocks)) if value]
        hint = f"; leave out {' and '.join(given)} to find it from the file" if given else ""
        raise CheckpointError(
            f"{_DOING}: {path} does not fit {'' if wanted else 'any backbone; closest is '}{found} with {options['blocks']} "
            f"blocks; {len(wrong)} differences: {'; '.join(wrong[:4])}{'; …' if len(wrong) > 4 else ''}. Expected a file of "
            f"QingyuLiu/Exposing-the-Deception{hint}."
        )
    # copied: the tensors read are views of the file, which may change while the detector lives
    own = {
        key: state[original_name(key)].detach().to(value.dtype, copy=True) for key, value in net.state_dict().items()
    }
    net.load_state_dict(own, assign=True)
    return f"mi_net_{found}", options, net.eval()


def original_name(key: str) -> str:
    """The authors' name of an entry of our state dict."""
    key = re.sub(r"^(\w+)\.(\d+)\.(net\.)?", _counted_from_one, key) if key.startswith(tuple(_NUMBERED)) else key
    return renamed(key, _RENAMES)


def differences(net: nn.Module, shapes: Shapes) -> list[str]:
    """In words, under the authors' names, how the shapes in a file differ from those of a detector; empty where they fit."""
    return shape_differences(
        {original_name(key): tuple(value.shape) for key, value in net.state_dict().items()}, shapes
    )


def _counted_from_one(name: re.Match[str]) -> str:
    return f"{_NUMBERED[name[1]]}{int(name[2]) + 1}."


def _likely_blocks(shapes: Shapes) -> int:
    """How many blocks a file has; at least 2, since no network has fewer."""
    return max(2, len({key.partition(".")[0] for key in shapes if re.match(r"region_model\d+\.", key)}))


def _likely_backbone(shapes: Shapes) -> str:
    """Whose first block is closest to that of the file."""
    first = {key: shape for key, shape in shapes.items() if key.startswith("region_model1.")}
    return min(BACKBONES, key=lambda backbone: len(shape_differences(_first_block(backbone), first)))


@cache
def _first_block(backbone: str) -> Shapes:
    with torch.device("meta"):
        block: dict[str, Tensor] = backbone_trunk(backbone).state_dict(prefix="trunks.0.")
    return {original_name(key): tuple(value.shape) for key, value in block.items()}
