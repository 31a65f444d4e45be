r"""Map entry names in published weight files to timm's, by regular expressions for each naming scheme.

The new name may end with one of two markers: `qkv[0]`, `qkv[1]` and `qkv[2]` are concatenated along the first dimension, in this
order, to `qkv`; `.T` is transposed. transformers renamed its modules in version 5, files on hubs keep the names of version 4: both
are supported.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple


class Scheme(NamedTuple):
    """A naming scheme: expressions with replacements, applied in this order, and names that are not used."""

    renames: tuple[tuple[str, str], ...]
    ignore: tuple[str, ...] = ()


def _layer(before: str, parts: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Renames for the parts of layer i; `before` contains its number as a group."""
    return tuple((rf"^{before}\.{re.escape(theirs)}\.(.+)$", rf"blocks.\1.{ours}.\2") for theirs, ours in parts.items())


_CLIP_LAYER = {
    "self_attn.q_proj": "attn.qkv[0]", "self_attn.k_proj": "attn.qkv[1]", "self_attn.v_proj": "attn.qkv[2]",
    "self_attn.out_proj": "attn.proj", "layer_norm1": "norm1", "layer_norm2": "norm2", "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}  # fmt: skip
_VIT_LAYER = {
    "attention.attention.query": "attn.qkv[0]", "attention.attention.key": "attn.qkv[1]",
    "attention.attention.value": "attn.qkv[2]", "attention.output.dense": "attn.proj",
    "attention.q_proj": "attn.qkv[0]", "attention.k_proj": "attn.qkv[1]", "attention.v_proj": "attn.qkv[2]",
    "attention.o_proj": "attn.proj", "layernorm_before": "norm1", "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
}  # fmt: skip
_DINOV3_LAYER = {
    "attention.o_proj": "attn.proj", "norm1": "norm1", "norm2": "norm2", "mlp.up_proj": "mlp.fc1",
    "mlp.down_proj": "mlp.fc2",
}  # fmt: skip
_OPENAI_LAYER = {
    "attn.out_proj": "attn.proj", "ln_1": "norm1", "ln_2": "norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
}  # fmt: skip
_SWIN_LAYER = {
    "attention.self.query": "attn.qkv[0]", "attention.self.key": "attn.qkv[1]", "attention.self.value": "attn.qkv[2]",
    "attention.q_proj": "attn.qkv[0]", "attention.k_proj": "attn.qkv[1]", "attention.v_proj": "attn.qkv[2]",
    "attention.output.dense": "attn.proj", "attention.o_proj": "attn.proj", "layernorm_before": "norm1",
    "layernorm_after": "norm2", "intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2", "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}  # fmt: skip
_SWIN_TABLE = "relative_position_bias_table"

#: Naming schemes. A card may list several; each leaves the names of the others unchanged.
SCHEMES = {
    # CLIPVisionModel: its layers, and those of SigLIP's vision model
    "transformers_clip": Scheme(
        (
            (r"^vision_model\.", ""),
            (r"^embeddings\.class_embedding$", "cls_token"),
            (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
            (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
            (r"^pre_layrnorm\.", "norm_pre."),  # their spelling
            (r"^post_layernorm\.", "norm."),
            (r"^visual_projection\.", "head."),
            *_layer(r"encoder\.layers\.(\d+)", _CLIP_LAYER),
        ),
        (r"(vision_model\.)?embeddings\.position_ids", r"text_model\..*", r"text_projection\.weight", "logit_scale"),
    ),
    "openai_clip": Scheme(
        (
            (r"^visual\.class_embedding$", "cls_token"),
            (r"^visual\.positional_embedding$", "pos_embed"),
            (r"^visual\.conv1\.", "patch_embed.proj."),
            (r"^visual\.ln_pre\.", "norm_pre."),
            (r"^visual\.ln_post\.", "norm."),
            (r"^visual\.proj$", "head.weight.T"),
            (r"^visual\.transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)$", r"blocks.\1.attn.qkv.\2"),
            *_layer(r"visual\.transformer\.resblocks\.(\d+)", _OPENAI_LAYER),
        ),
        (
            r"transformer\..*",
            r"token_embedding\.weight",
            "positional_embedding",
            "text_projection",
            r"ln_final\..*",
            "logit_scale",
            "input_resolution",
            "context_length",
            "vocab_size",
        ),
    ),
    # ViTForImageClassification
    "transformers_vit": Scheme(
        (
            (r"^vit\.", ""),
            (r"^embeddings\.cls_token$", "cls_token"),
            (r"^embeddings\.position_embeddings$", "pos_embed"),
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"^layernorm\.", "norm."),
            *_layer(r"(?:encoder\.layer|layers)\.(\d+)", _VIT_LAYER),
        ),
    ),
    # DINOv3ViTModel: keys have no bias
    "transformers_dinov3": Scheme(
        (
            (r"^embeddings\.cls_token$", "cls_token"),
            (r"^embeddings\.register_tokens$", "reg_token"),
            (r"^embeddings\.patch_embeddings\.", "patch_embed.proj."),
            (r"^(?:model\.)?layer\.(\d+)\.attention\.([qkv])_proj\.weight$", r"blocks.\1.attn.\2"),
            (r"\.attn\.q$", ".attn.qkv[0].weight"),
            (r"\.attn\.k$", ".attn.qkv[1].weight"),
            (r"\.attn\.v$", ".attn.qkv[2].weight"),
            (r"^(?:model\.)?layer\.(\d+)\.attention\.([qv])_proj\.bias$", r"blocks.\1.attn.\2_bias"),
            (r"^(?:model\.)?layer\.(\d+)\.layer_scale([12])\.lambda1$", r"blocks.\1.gamma_\2"),
            *_layer(r"(?:model\.)?layer\.(\d+)", _DINOV3_LAYER),
        ),
        (r"embeddings\.mask_token",),
    ),
    # SwinForImageClassification: timm puts the downsampling first in the next stage, transformers last in its own
    "transformers_swin": Scheme(
        (
            (r"^swin\.", ""),
            (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
            (r"^embeddings\.norm\.", "patch_embed.norm."),
            (r"^layernorm\.", "norm."),
            *((rf"^encoder\.layers\.{i}\.downsample\.", f"layers.{i + 1}.downsample.") for i in range(3)),
            (
                rf"^encoder\.layers\.(\d+)\.blocks\.(\d+)\.attention\.(?:self\.)?{_SWIN_TABLE}$",
                rf"layers.\1.blocks.\2.attn.{_SWIN_TABLE}",
            ),
            *(
                (
                    rf"^encoder\.layers\.(\d+)\.blocks\.(\d+)\.{re.escape(theirs)}\.(.+)$",
                    rf"layers.\1.blocks.\2.{ours}.\3",
                )
                for theirs, ours in _SWIN_LAYER.items()
            ),
        ),
        (r".*\.relative_position_index",),
    ),
    # SCLBD/DeepfakeBench and icpr2020dfdc
    "xception": Scheme((), (r"adjust_channel\..*",)),
}


def renamed(name: str, renames: Sequence[tuple[str, str]]) -> str:
    """A name after all matching renames, in their order."""
    for pattern, replacement in renames:
        name = re.sub(pattern, replacement, name)
    return name
