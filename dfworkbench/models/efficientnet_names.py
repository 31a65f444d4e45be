"""Map EfficientNet weight names from efficientnet-pytorch (lukemelas, also ML Illustrated's Lite) to timm."""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from torch import Tensor

_ENDS = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
#: Parts of an expanding block, and of one without expansion.
_WIDENING = _SQUEEZE | {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
_PLAIN = _SQUEEZE | {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_NAME = re.compile(r"(?:_blocks\.(\d+)\.)?(_[a-z0-9_]+)\.(\w+)")


def is_lukemelas(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of efficientnet-pytorch."""
    return "_conv_stem.weight" in state and any(name.startswith("_blocks.0.") for name in state)


def timm_names(state: Mapping[str, Tensor], twin: Iterable[str]) -> dict[str, Tensor]:
    """The same tensors under timm's names; those of the classifier are dropped, and names without a counterpart are kept.

    Args:
        state: Tensors named as in efficientnet-pytorch, which numbers blocks consecutively.
        twin: Names in timm's network of the same depth, which numbers blocks by stage.
    """
    blocks = [name.split(".")[1:3] for name in twin if name.startswith("blocks.")]
    places = dict(enumerate(".".join(place) for place, _ in groupby(blocks)))
    wide = {name.split(".")[1] for name in state if "._expand_conv." in name}
    renamed = {}
    for name, value in state.items():
        found = _NAME.fullmatch(name)
        block, part, end = found.groups() if found else (None, "", "")
        if part == "_fc":
            continue
        parts = _ENDS if block is None else _WIDENING if block in wide else _PLAIN
        place = "" if block is None else f"blocks.{places.get(int(block), '')}."
        renamed[f"{place}{parts[part]}.{end}" if part in parts else name] = value
    return renamed
