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


def batch_norm(name: str, width: int) -> Shapes:
    values = {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    return values | {f"{name}.num_batches_tracked": ()}


def adjust_channel(width_in: int = 2048, width_out: int = 512) -> Shapes:
    """The unused layers of DeepfakeBench's Xception: 7 entries, 1,050,112 values."""
    return {
        "adjust_channel.0.weight": (width_out, width_in, 1, 1),
        "adjust_channel.0.bias": (width_out,),
    } | batch_norm("adjust_channel.1", width_out)


def dfb_meso4() -> Shapes:
    convolutions = {"conv1": (8, 3, 3, 3), "conv2": (8, 8, 5, 5), "conv3": (16, 8, 5, 5), "conv4": (16, 16, 5, 5)}
    return {
        **{f"{name}.weight": shape for name, shape in convolutions.items()},
        **batch_norm("bn1", 8), **batch_norm("bn2", 16), **linear("fc1", 16, 1024), **linear("fc2", 2, 16),
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
        **batch_norm("Incption1_bn", 11), **batch_norm("Incption2_bn", 12), **batch_norm("bn1", 16),
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


def openai_clip_vision() -> Shapes:
    """CLIP's vision model in OpenAI's own names, ViT-L/14 with its projection."""
    shapes: Shapes = {
        "visual.class_embedding": (1024,),
        "visual.positional_embedding": (257, 1024),
        "visual.proj": (1024, 768),
        "visual.conv1.weight": (1024, 3, 14, 14),
    }
    for norm in ("ln_pre", "ln_post"):
        shapes |= {f"visual.{norm}.weight": (1024,), f"visual.{norm}.bias": (1024,)}
    for i in range(24):
        block = f"visual.transformer.resblocks.{i}"
        shapes |= {f"{block}.attn.in_proj_weight": (3072, 1024), f"{block}.attn.in_proj_bias": (3072,)}
        shapes |= linear(f"{block}.attn.out_proj", 1024, 1024)
        shapes |= {f"{block}.{norm}.{part}": (1024,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        shapes |= linear(f"{block}.mlp.c_fc", 4096, 1024) | linear(f"{block}.mlp.c_proj", 1024, 4096)
    return shapes


def dinov3(layers: int = 24) -> Shapes:
    """DINOv3 ViT-L/16 in the names of transformers 4."""
    shapes: Shapes = {
        "embeddings.cls_token": (1, 1, 1024),
        "embeddings.register_tokens": (1, 4, 1024),
        "embeddings.mask_token": (1, 1, 1024),
        "embeddings.patch_embeddings.weight": (1024, 3, 16, 16),
        "embeddings.patch_embeddings.bias": (1024,),
        "norm.weight": (1024,),
        "norm.bias": (1024,),
    }
    for i in range(layers):
        for part in ("q", "k", "v", "o"):
            shapes |= linear(f"layer.{i}.attention.{part}_proj", 1024, 1024)
        del shapes[f"layer.{i}.attention.k_proj.bias"]
        for part in ("norm1", "norm2"):
            shapes |= {f"layer.{i}.{part}.weight": (1024,), f"layer.{i}.{part}.bias": (1024,)}
        shapes |= {f"layer.{i}.layer_scale{n}.lambda1": (1024,) for n in (1, 2)}
        shapes |= linear(f"layer.{i}.mlp.up_proj", 4096, 1024) | linear(f"layer.{i}.mlp.down_proj", 1024, 4096)
    return shapes


def effort() -> Shapes:
    """Effort's file without the constants U_r, S_r and V_r: 681 of 969 entries."""
    shapes: Shapes = {}
    for name, shape in clip_vision("backbone.").items():
        layer, _, last = name.rpartition(".")
        if "self_attn" in name and last == "weight":
            shapes |= {
                f"{layer}.weight_main": shape, f"{layer}.S_residual": (1,), f"{layer}.U_residual": (1024, 1),
                f"{layer}.V_residual": (1, 1024),
            }  # fmt: skip
        else:
            shapes[name] = shape
    return shapes | linear("head", 2, 1024)


def transformers_vit_small() -> Shapes:
    """ViTForImageClassification, small width, 384 px, one logit: 200 entries."""
    shapes: Shapes = {
        "vit.embeddings.cls_token": (1, 1, 384),
        "vit.embeddings.position_embeddings": (1, 577, 384),
        **linear("vit.layernorm", 384, 384), **linear("classifier", 1, 384),
        "vit.layernorm.weight": (384,),
        "vit.embeddings.patch_embeddings.projection.weight": (384, 3, 16, 16),
        "vit.embeddings.patch_embeddings.projection.bias": (384,),
    }  # fmt: skip
    for i in range(12):
        layer = f"vit.encoder.layer.{i}"
        for part in ("attention.attention.query", "attention.attention.key", "attention.attention.value"):
            shapes |= linear(f"{layer}.{part}", 384, 384)
        shapes |= linear(f"{layer}.attention.output.dense", 384, 384)
        shapes |= linear(f"{layer}.intermediate.dense", 1536, 384) | linear(f"{layer}.output.dense", 384, 1536)
        for part in ("layernorm_before", "layernorm_after"):
            shapes |= {f"{layer}.{part}.weight": (384,), f"{layer}.{part}.bias": (384,)}
    return shapes


def siglip(layers: int = 4) -> Shapes:
    """SiglipForImageClassification, base width, 224 px, two logits."""
    shapes: Shapes = {
        "vision_model.embeddings.patch_embedding.weight": (768, 3, 16, 16),
        "vision_model.embeddings.patch_embedding.bias": (768,),
        "vision_model.embeddings.position_embedding.weight": (196, 768),
        "vision_model.post_layernorm.weight": (768,),
        "vision_model.post_layernorm.bias": (768,),
    }
    for i in range(layers):
        shapes |= clip_layer(f"vision_model.encoder.layers.{i}", 768)
    return shapes | linear("classifier", 2, 768)


def swin(depths: tuple[int, ...] = (2, 2, 2, 2), width: int = 96, window: int = 7) -> Shapes:
    """SwinForImageClassification, two logits."""
    shapes: Shapes = {
        "swin.embeddings.patch_embeddings.projection.weight": (width, 3, 4, 4),
        "swin.embeddings.patch_embeddings.projection.bias": (width,),
        "swin.embeddings.norm.weight": (width,),
        "swin.embeddings.norm.bias": (width,),
    }
    for stage, depth in enumerate(depths):
        size, heads = width * 2**stage, 3 * 2**stage
        for block in range(depth):
            layer = f"swin.encoder.layers.{stage}.blocks.{block}"
            shapes[f"{layer}.attention.self.relative_position_bias_table"] = ((2 * window - 1) ** 2, heads)
            for part in (
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
            ):
                shapes |= linear(f"{layer}.{part}", size, size)
            shapes |= linear(f"{layer}.intermediate.dense", 4 * size, size)
            shapes |= linear(f"{layer}.output.dense", size, 4 * size)
            for part in ("layernorm_before", "layernorm_after"):
                shapes |= {f"{layer}.{part}.weight": (size,), f"{layer}.{part}.bias": (size,)}
        if stage < len(depths) - 1:
            merge = f"swin.encoder.layers.{stage}.downsample"
            shapes[f"{merge}.reduction.weight"] = (2 * size, 4 * size)
            shapes |= {f"{merge}.norm.weight": (4 * size,), f"{merge}.norm.bias": (4 * size,)}
    last = width * 2 ** (len(depths) - 1)
    return shapes | {"swin.layernorm.weight": (last,), "swin.layernorm.bias": (last,)} | linear("classifier", 2, last)
