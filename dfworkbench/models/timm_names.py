"""timm networks as detectors, by name: "timm:NAME". timm (and with it torch) is imported when a name is looked up."""

from dfworkbench.core.errors import UnknownNameError
from dfworkbench.core.names import did_you_mean

#: Prefix of timm networks wherever a detector is named.
PREFIX = "timm:"
#: Suggested beside our own detectors: small and large convolutional networks and transformers with freely usable weights.
SUGGESTED = tuple(
    PREFIX + name
    for name in (
        "convnext_nano", "convnext_tiny", "efficientnetv2_rw_s", "legacy_xception", "mobilenetv4_conv_small", "resnet50",
        "swin_tiny_patch4_window7_224", "tf_efficientnet_lite0", "tf_efficientnetv2_s", "vit_base_patch16_clip_224",
        "vit_small_patch16_224",
    )
)  # fmt: skip


def require_network(network: str) -> str:
    """Return the name of a network if timm has it, with or without the tag of its pretrained weights.

    Args:
        network: Name without the prefix: "convnext_tiny", or "convnext_tiny.fb_in22k" for the input that these weights expect.

    Raises:
        UnknownNameError: timm has no such network or tag; the message names the closest ones.
    """
    import timm

    doing = f"looking up the detector '{PREFIX}{network}'"
    base, _, tag = network.partition(".")
    if not is_network(base):
        raise UnknownNameError(
            f"{doing}: timm {timm.__version__} has no network {base!r}.{did_you_mean(base, timm.list_models(), most=3)} Expected "
            f"one of the {len(timm.list_models())} names of timm.list_models(), such as '{SUGGESTED[1]}'; a newer timm may have it."
        )
    if tag and network not in (known := timm.list_pretrained(f"{base}.*")):
        names = ", ".join(known) or "none: leave the tag out"
        raise UnknownNameError(
            f"{doing}: timm {timm.__version__} knows no weights {tag!r} of it. Expected one of: {names}."
        )
    return network


def is_network(name: str) -> bool:
    """Whether timm has a network of this name, without a tag."""
    import timm

    return "." not in name and ":" not in name and timm.is_model(name)
