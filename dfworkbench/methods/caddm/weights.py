"""Load CADDM weights: files of megvii-research/CADDM (Apache-2.0), released or written by its code.

A file contains `{"network": tensors by name, "opt_state", "epoch"}`, in the first release only the tensors. It does not name the
backbone (ResNet-34, EfficientNet-b3 or -b4), which is inferred from names and shapes. The 1000-way classifier that the original
carries along unused is left out.

Polarity: the original's class 1 is fake, so its probability of class 1 is the sigmoid of our logit.

The input is that of the original: faces aligned by five points, 224 px, BGR in 0..255, no mean and std. But the points are MTCNN's;
the original derives them from dlib's 81, with the eye centres truncated to whole pixels, so crops can differ by a few pixels.
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dfworkbench.core.names import require_name
from dfworkbench.media.foreign import read_tensors
from dfworkbench.runs.matching import build_empty, fill, renamed, require_fit, shape_differences, shapes_of

#: The authors' names of backbones -> our detectors.
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
    """Read CADDM weights.

    Args:
        path: A .pkl of the authors or of their training code, or a bare dict of its tensors. Nothing in it is executed.
        backbone: One of `DETECTORS`, with - or _; empty to infer it from the file.

    Returns:
        Name of the detector, its options, and the detector in eval mode.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        UnknownNameError: CADDM has no such backbone.
        CheckpointError: The file is damaged, contains code, or belongs to another network; the message says what does not fit.
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
    nets = {name: build_empty(DETECTORS[name], **_OPTIONS) for name in names}
    found = {name: _differences(net, state) for name, net in nets.items()}
    best = min(names, key=lambda name: len(found[name]))
    require_fit(
        found[best],
        f"{_DOING}: {path} does not fit {'' if backbone else 'any of its backbones; closest is '}{best}",
        f"a file of megvii-research/CADDM{'; leave out backbone= to find it from the file' if backbone else ''}",
    )
    fill(nets[best], state, original_name)
    return DETECTORS[best], dict(_OPTIONS), nets[best].eval()


def original_name(key: str) -> str:
    """The authors' name for an entry of our state dict."""
    return renamed(key, _RENAMES)


def _differences(net: nn.Module, state: dict[str, Tensor]) -> list[str]:
    used = {key: value for key, value in state.items() if not key.startswith(_UNUSED)}
    return shape_differences(shapes_of(net.state_dict(), original_name), shapes_of(used))
