"""Load MI_Net weights: files written by the code of QingyuLiu/Exposing-the-Deception. Its authors have published none.

A file contains `{"state_dict": tensors by name, "epoch"}`. It does not name backbone and number of blocks, which are inferred from
names and shapes. The 1000-way heads that the original's MobileNet and EfficientNet carry along unused are left out. The original
cannot build its EfficientNet, so such a file must come from repaired code.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit.

The input is that of the original: BGR minus ImageNet's mean of RGB, over its std. But it is not known how its authors cropped
faces: ours are squares around the face box, 1.3 times as wide; theirs are stretched to a square.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfworkbench.core.names import require_name
from dfworkbench.media.foreign import read_tensors
from dfworkbench.methods.mi_net.network import backbone_trunk
from dfworkbench.runs.matching import Shapes, build_empty, fill, renamed, require_fit, shape_differences, shapes_of

#: Backbones of MI_Net; with the prefix "mi_net_", names of our detectors.
BACKBONES = ("resnet34", "mobilenet", *(f"efficientnet_b{i}" for i in range(8)))
_DOING = "importing MI_Net weights"

_UNUSED = re.compile(r"region_model\d+\._?fc\.")
#: From our names to the authors', who count blocks from 1 and append the number to the name.
_NUMBERED = {"trunks": "region_model", "left_out_heads": "local_linear"}
_RENAMES = ((r"fusion\.", "bottleneck.model."), (r"joint_head\.", "baseline_linear."), (r"classifier\.", "linear.1."))


def load_mi_net(
    path: Path | str, backbone: str = "", blocks: int = 0, size_px: int = 224, crop_scale: float = 1.3
) -> tuple[str, dict[str, Any], nn.Module]:
    """Read MI_Net weights.

    Args:
        path: A .pth of the authors' training code, or a bare dict of its tensors. Nothing in it is executed.
        backbone: One of `BACKBONES`, with - or _; empty to infer it from the file.
        blocks: Number of local blocks, at least 2; 0 to infer it from the file.
        size_px: Input size; it is not in the file, and the authors use 224.
        crop_scale: Scale of the crop over the face box; it is not in the file.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        UnknownNameError: MI_Net has no such backbone.
        CheckpointError: The file is damaged, contains code, or belongs to another network; the message says what does not fit.
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
    shapes = {key: shape for key, shape in shapes_of(state).items() if not _UNUSED.match(key)}
    found = wanted or _likely_backbone(shapes)
    options = {"blocks": blocks or _likely_blocks(shapes), "bgr": True, "size_px": size_px, "crop_scale": crop_scale}
    net = build_empty(f"mi_net_{found}", **options)
    given = [word for word, value in (("backbone=", backbone), ("blocks=", blocks)) if value]
    hint = f"; leave out {' and '.join(given)} to find it from the file" if given else ""
    require_fit(
        shape_differences(shapes_of(net.state_dict(), original_name), shapes),
        f"{_DOING}: {path} does not fit {'' if wanted else 'any backbone; closest is '}{found} of {options['blocks']} blocks",
        f"a file of QingyuLiu/Exposing-the-Deception{hint}",
    )
    fill(net, state, original_name)
    return f"mi_net_{found}", options, net.eval()


def original_name(key: str) -> str:
    """The authors' name for an entry of our state dict."""
    key = re.sub(r"^(\w+)\.(\d+)\.(net\.)?", _counted_from_one, key) if key.startswith(tuple(_NUMBERED)) else key
    return renamed(key, _RENAMES)


def _counted_from_one(name: re.Match[str]) -> str:
    return f"{_NUMBERED[name[1]]}{int(name[2]) + 1}."


def _likely_blocks(shapes: Shapes) -> int:
    """Number of blocks in a file; at least 2, since no network has fewer."""
    return max(2, len({key.partition(".")[0] for key in shapes if re.match(r"region_model\d+\.", key)}))


def _likely_backbone(shapes: Shapes) -> str:
    """The backbone whose first block is closest to that in the file."""
    first = {key: shape for key, shape in shapes.items() if key.startswith("region_model1.")}
    return min(BACKBONES, key=lambda backbone: len(shape_differences(_first_block(backbone), first)))


@cache
def _first_block(backbone: str) -> Shapes:
    with torch.device("meta"):
        block: dict[str, Tensor] = backbone_trunk(backbone).state_dict(prefix="trunks.0.")
    return shapes_of(block, original_name)
