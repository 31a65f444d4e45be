"""Build the trunks of published detectors by library and name: timm, efficientnet-pytorch, and DeepfakeBench's Meso networks."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from dfworkbench.core.errors import MissingDependencyError, ParameterError

#: timm options that would fetch or read files: an untrusted run names trunk and options, and supplies all weights itself.
_READING = ("checkpoint_path", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")


def build_trunk(library: str, name: str, options: Mapping[str, Any]) -> nn.Module:
    """Build a trunk with random weights; its attribute `width` is the size of its output vector.

    Args:
        library: "timm", "efficientnet" or "meso".
        name: The trunk's name in that library.
        options: Further arguments of its constructor.

    Raises:
        ParameterError: The library has no such trunk, or the trunk has no such options.
    """
    try:
        return _BUILDERS[library](name, **options)
    except (RuntimeError, TypeError, LookupError, ValueError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(
            f"building the trunk {name!r} of {library}: {error}. Expected a trunk of the installed version and options that it "
            "has: install a newer version, or import the card again."
        ) from error


def _timm(name: str, num_classes: int = 0, norm_eps: float = 0.0, **options: Any) -> nn.Module:
    """A timm network without its classifier; with `num_classes`, its own head is part of the trunk (CLIP's projection).

    `norm_eps` is the epsilon of its layer norms, if it differs from timm's.
    """
    try:
        import timm
    except ImportError:
        raise MissingDependencyError(f"building the trunk {name!r}: it needs timm: pip install timm") from None
    if not timm.is_model(name):  # configurations of "hf-hub:…" and "local-dir:…" would be requested
        raise LookupError(f"timm {timm.__version__} has no such network")
    if reading := [option for option in _READING if option in options]:
        raise ValueError(f"its options {', '.join(reading)} would read other files")
    trunk: Any = timm.create_model(name, pretrained=False, num_classes=num_classes, **options)
    for module in trunk.modules():
        if norm_eps and isinstance(module, nn.LayerNorm):
            module.eps = norm_eps
    trunk.width = num_classes or trunk.num_features
    return trunk


def _meso(name: str) -> nn.Module:
    from dfworkbench.zoo.meso import Meso4, MesoInception4

    return {"meso4": Meso4, "mesoinception4": MesoInception4}[name]()


class EfficientNet(nn.Module):
    """The convolutions of efficientnet-pytorch, with the changes made by published detectors: `(B, 3, S, S)` -> `(B, C, h, w)`.

    Args:
        name: "b0" to "b7".
        padding_px: Picture size that the padding is computed for, whatever the input size; None: the network's own (380 for b4).
        padded_stem: Whether the first convolution is padded.
        attention_after: Block after which the map is weighted by the sigmoid of a 1 x 1 convolution of itself (Bonettini et
            al. 2020, arXiv:2004.07676); -1 for none.
    """

    def __init__(
        self, name: str, padding_px: int | None = None, padded_stem: bool = True, attention_after: int = -1
    ) -> None:
        super().__init__()
        from efficientnet_pytorch import EfficientNet as Published

        self.net: Any = Published.from_name(f"efficientnet-{name}", image_size=padding_px, include_top=False)
        if not padded_stem:
            stem = self.net._conv_stem
            self.net._conv_stem = nn.Conv2d(
                stem.in_channels, stem.out_channels, stem.kernel_size, stem.stride, bias=False
            )
        self.attention_after = attention_after
        if attention_after >= 0:
            channels = self.net._blocks[attention_after]._project_conv.out_channels
            self.attconv = nn.Conv2d(channels, 1, 1)
        self.width: int = self.net._conv_head.out_channels

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map."""
        net = self.net
        maps = net._swish(net._bn0(net._conv_stem(images)))
        for i, block in enumerate(net._blocks):
            rate = (net._global_params.drop_connect_rate or 0.0) * i / len(net._blocks)
            maps = block(maps, drop_connect_rate=rate)
            if i == self.attention_after:
                maps = maps * self.attconv(maps).sigmoid()
        return net._swish(net._bn1(net._conv_head(maps)))


_BUILDERS = {"timm": _timm, "efficientnet": EfficientNet, "meso": _meso}
