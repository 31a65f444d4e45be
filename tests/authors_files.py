"""Names and shapes of the entries in published files, written down from the releases' own tables, not from our renames."""

import timm
import torch
from efficientnet_pytorch import EfficientNet
from torch import nn

Shapes = dict[str, tuple[int, ...]]


def _shapes(network: nn.Module) -> Shapes:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def timm_shapes(name: str, **options: object) -> Shapes:
    with torch.device("meta"):
        return _shapes(timm.create_model(name, **options))


def prefixed(shapes: Shapes, prefix: str) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def linear(name: str, shape_out: int, shape_in: int) -> Shapes:
    return {f"{name}.weight": (shape_out, shape_in), f"{name}.bias": (shape_out,)}


def efficientnet_b4() -> Shapes:
    """704 entries of efficientnet-pytorch's b4 without classifier."""
    with torch.device("meta"):
        return _shapes(EfficientNet.from_name("efficientnet-b4", include_top=False))


def xception(head: str, logits: int) -> Shapes:
    found = timm_shapes("legacy_xception", num_classes=logits)
    return {name.replace("fc.", f"{head}."): shape for name, shape in found.items()}


def _norm(name: str, width: int) -> Shapes:
    values = {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    return values | {f"{name}.num_batches_tracked": ()}


def adjust_channel(width_in: int = 2048, width_out: int = 512) -> Shapes:
    """The unused layers of DeepfakeBench's Xception: 7 entries, 1,050,112 values."""
    return {
        "adjust_channel.0.weight": (width_out, width_in, 1, 1),
        "adjust_channel.0.bias": (width_out,),
    } | _norm("adjust_channel.1", width_out)


def dfb_meso4() -> Shapes:
    convolutions = {"conv1": (8, 3, 3, 3), "conv2": (8, 8, 5, 5), "conv3": (16, 8, 5, 5), "conv4": (16, 16, 5, 5)}
    return {
        **{f"{name}.weight": shape for name, shape in convolutions.items()},
        **_norm("bn1", 8), **_norm("bn2", 16), **linear("fc1", 16, 1024), **linear("fc2", 2, 16),
    }  # fmt: skip


def dfb_mesoinception4() -> Shapes:
    convolutions: Shapes = {"conv1": (16, 12, 5, 5), "conv2": (16, 16, 5, 5)}
    for name, width_in, widths in (("Incption1", 3, (1, 4, 4, 2)), ("Incption2", 11, (2, 4, 4, 2))):
        convolutions[f"{name}_conv1"] = (widths[0], width_in, 1, 1)
        for branch, width in zip((2, 3, 4), widths[1:], strict=True):
            convolutions[f"{name}_conv{branch}_1"] = (width, width_in, 1, 1)
            convolutions[f"{name}_conv{branch}_2"] = (width, width, 3, 3)
    return {
        **{f"{name}.weight": shape for name, shape in convolutions.items()},
        **_norm("Incption1_bn", 11), **_norm("Incption2_bn", 12), **_norm("bn1", 16),
        **linear("fc1", 16, 1024), **linear("fc2", 2, 16),
    }  # fmt: skip


def clip_layer(name: str, width: int) -> Shapes:
    shapes: Shapes = {}
    for part in ("self_attn.k_proj", "self_attn.v_proj", "self_attn.q_proj", "self_attn.out_proj"):
        shapes |= linear(f"{name}.{part}", width, width)
    for part in ("layer_norm1", "layer_norm2"):
        shapes |= {f"{name}.{part}.weight": (width,), f"{name}.{part}.bias": (width,)}
    return shapes | linear(f"{name}.mlp.fc1", 4 * width, width) | linear(f"{name}.mlp.fc2", width, 4 * width)


def clip_vision(prefix: str = "vision_model.", layers: int = 24) -> Shapes:
    """CLIP's vision model in the names of transformers 4, ViT-L/14."""
    shapes: Shapes = {
        f"{prefix}embeddings.class_embedding": (1024,),
        f"{prefix}embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        f"{prefix}embeddings.position_embedding.weight": (257, 1024),
    }
    for norm in ("pre_layrnorm", "post_layernorm"):
        shapes |= {f"{prefix}{norm}.weight": (1024,), f"{prefix}{norm}.bias": (1024,)}
    for i in range(layers):
        shapes |= clip_layer(f"{prefix}encoder.layers.{i}", 1024)
    return shapes
