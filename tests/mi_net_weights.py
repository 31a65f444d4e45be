"""Files of MI_Net under the authors' names, with weights that follow from shapes and places alone (acceptance check A3)."""

from itertools import pairwise

import numpy as np
import torch
from efficientnet_pytorch import EfficientNet
from torch import nn
from torchvision import models

#: Factor of all filters of a backbone, and its channels.
BACKBONES = {"resnet34": (1.0, 512), "mobilenet": (1.5, 1024), "efficientnet_b0": (1.5, 1280)}


def _norm(name, channels):
    entries = {f"{name}.{entry}": (channels,) for entry in ("weight", "bias", "running_mean", "running_var")}
    return entries | {f"{name}.num_batches_tracked": ()}


def _mobilenet():
    """164 entries, the unused classifier among them: section 2.3 of the specification."""
    shapes = {"model.0.0.weight": (32, 3, 3, 3), **_norm("model.0.1", 32)}
    widths = (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    for i, (c, out) in enumerate(pairwise(widths), start=1):
        shapes |= {f"model.{i}.0.weight": (c, 1, 3, 3), **_norm(f"model.{i}.1", c)}
        shapes |= {f"model.{i}.3.weight": (out, c, 1, 1), **_norm(f"model.{i}.4", out)}
    return shapes | {"fc.weight": (1000, 1024), "fc.bias": (1000,)}


def trunk_shapes(backbone):
    """Of one block, in the order of the original; all but ResNet-34 with an unused classifier."""
    if backbone == "mobilenet":
        return _mobilenet()
    with torch.device("meta"):
        if backbone == "resnet34":
            net = models.resnet34()
            net.fc = nn.Identity()
        else:
            net = EfficientNet.from_name(backbone.replace("_", "-"))
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


def head_shapes(d, blocks):
    """Of the original's modules beside the blocks, by the number at which their seeds begin."""
    wide = blocks * d
    fusion = {"0.weight": (1000, wide), "0.bias": (1000,), **_norm("1", 1000), "4.weight": (500, 1000), "4.bias": (500,),
              **_norm("5", 500), "8.weight": (d, 500), "8.bias": (d,)}  # fmt: skip
    modules = {
        1_000_000 + 100 * i: {f"local_linear{i}.weight": (2, wide - d), f"local_linear{i}.bias": (2,)}
        for i in range(1, blocks + 1)
    }
    modules[2_000_000] = {f"bottleneck.model.{key}": shape for key, shape in fusion.items()}
    modules[2_100_000] = {"baseline_linear.weight": (2, wide), "baseline_linear.bias": (2,)}
    modules[2_200_000] = {"linear.1.weight": (2, d), "linear.1.bias": (2,)}
    return modules


def _value(key, shape, seed, gain):
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    z = np.random.RandomState(seed).standard_normal(shape)
    if len(shape) > 1:
        z *= gain / np.sqrt(np.prod(shape[1:]))
    elif key.endswith("running_var"):
        z = 1 + 0.1 * np.abs(z)
    else:
        z = 1 + 0.1 * z if key.endswith(".weight") else 0.1 * z
    return torch.from_numpy(z.astype(np.float32))


def authors_state(backbone, blocks=4):
    """All tensors of a file."""
    gain, d = BACKBONES[backbone]
    modules = {
        100_000 * i: {f"region_model{i}.{key}": shape for key, shape in trunk_shapes(backbone).items()}
        for i in range(1, blocks + 1)
    } | head_shapes(d, blocks)
    return {
        key: _value(key, shape, base + j, gain if base < 1_000_000 else 1.0)
        for base, shapes in modules.items()
        for j, (key, shape) in enumerate(shapes.items())
    }
