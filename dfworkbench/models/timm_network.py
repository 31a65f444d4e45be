"""Any timm network as a detector: its trunk, and one linear layer with one logit.

Wightman: PyTorch Image Models. https://github.com/huggingface/pytorch-image-models (Apache-2.0; weights have their own licences,
see timm's `pretrained_cfg["license"]`).
"""

import math
from typing import Annotated, Any

import timm
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.options import Alignment, Dropout
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.timm_names import PREFIX, require_network


class TimmNetwork(nn.Module):
    """A timm network as a detector. Mean and std are those used to train its pretrained weights.

    Args:
        network: Name in timm, with or without the tag of weights: "convnext_tiny", "convnext_tiny.fb_in22k".
        size_px: Height and width of the input; None: the network's default.
        dropout: Dropout before the linear layer.
        crop_scale: Side of the crop over the longer side of the face box, or, with `alignment="five_points"`, over that of
            the canvas of CADDM's authors.
        alignment: "box", "five_points" or, for generated pictures and with `crop_scale=1.0`, "whole"; see `InputSpec`.
        weights: "" for random weights, "imagenet" (or "pretrained") for timm's weights for this name, whatever they were trained
            on, the path of a weight file, or "package:NAME" for those of an installed package, see `models.timm_weights`.
        unit_features: L2-normalise the features before the linear layer
            (Yermakov et al., WACV 2026).

    Raises:
        UnknownNameError: timm has no such network.
        ParameterError: The network does not accept this size.
        CheckpointError: The weights are not available, or belong to another network.
    """

    def __init__(
        self,
        network: str,
        size_px: Annotated[int, Field(ge=16)] | None = None,
        dropout: Dropout = 0.0,
        crop_scale: float = 1.3,
        alignment: Alignment = "box",
        weights: str = "",
        unit_features: bool = False,
    ) -> None:
        super().__init__()
        self.unit_features = unit_features
        self.name = PREFIX + require_network(network)
        config: Any = timm.get_pretrained_cfg(network)
        size_px = size_px or int(config.input_size[-1])
        arguments = _arguments(network, size_px)
        self.trunk: Any = timm.create_model(network, num_classes=0, **arguments)
        if weights:
            from dfworkbench.models.timm_weights import load_weights

            load_weights(self.trunk, network, weights, arguments)
        self.input_spec = InputSpec(
            size_px=size_px,
            crop_scale=crop_scale,
            alignment=alignment,
            mean=_three(config.mean),
            std=_three(config.std),
        )
        self.last_map = nn.Identity()  # a module that names the last map, channels first, for Grad-CAM to find
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.trunk.head_hidden_size, 1)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        features = self.features(images)
        features = functional.normalize(features) if self.unit_features else features
        return Prediction(self.head(self.dropout(features)).squeeze(1))

    def features(self, images: Tensor) -> Tensor:
        """Features after the network's own pooling of its last map or tokens: `(B, F)`."""
        self.input_spec.check(images.shape, self.name)
        return self.trunk.forward_head(self._through_map(self.trunk.forward_features(images)))

    def _through_map(self, found: Any) -> Any:
        """Pass the values through `last_map` as `(B, C, h, w)`, if they correspond to places in the picture."""
        if not isinstance(found, Tensor):  # a network with several branches
            return found
        if found.ndim == 4 and getattr(self.trunk, "output_fmt", None) == "NHWC":
            return self.last_map(found.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        if found.ndim == 4:
            return self.last_map(found)
        before = getattr(self.trunk, "num_prefix_tokens", -1)  # a class token, for example; unknown for other sequences
        side = math.isqrt(found.shape[1] - before) if found.ndim == 3 and before >= 0 else 0
        if not side or side**2 != found.shape[1] - before:
            return found
        tokens = found[:, before:]
        grid = self.last_map(tokens.transpose(1, 2).unflatten(2, (side, side))).flatten(2).transpose(1, 2)
        if not before:
            return grid
        first = found[:, :before]
        # a mean over places leaves them out; detached, so that the logit depends on the map alone
        unused = self.trunk.global_pool == "avg" and not getattr(self.trunk, "pool_include_prefix", False)
        return torch.cat([first.detach() if unused else first, grid], dim=1)


def _arguments(network: str, size_px: int) -> dict[str, Any]:
    """Arguments to build the network with timm for a size; tested without allocating weights.

    Raises:
        ParameterError: It does not accept this size, or does not produce one feature vector per picture.
    """
    config: Any = timm.get_pretrained_cfg(network)
    _, height, own_px = config.input_size
    fixed: dict[str, Any] = {"img_size": size_px}
    tried: list[dict[str, Any]] = [fixed] if config.fixed_input_size else [{}, fixed]
    if native := height == own_px == size_px:
        tried = [{}]
    errors = []
    for arguments in tried:
        try:
            with torch.device("meta"), torch.inference_mode():
                trunk: Any = timm.create_model(network, num_classes=0, **arguments).eval()
                shape = tuple(trunk(torch.zeros(2, 3, size_px, size_px)).shape)
            if shape == (2, trunk.head_hidden_size):
                return arguments
            errors.append(f"it gives {shape}")
        except Exception as error:  # networks refuse in many ways
            errors.append((str(error).splitlines() or [""])[0][:200] or type(error).__name__)
    what = "such a picture" if native else f"pictures of {size_px} px"
    expected = (
        "a network that makes a vector of it" if native else f"a size that suits it, such as its own, {own_px} px"
    )
    raise ParameterError(
        f"building the detector '{PREFIX}{network}' for {size_px} px: timm {timm.__version__}'s network does not take {what} "
        f"({errors[0]}). Expected {expected}: {'choose another one' if native else 'set size_px to that, or leave it out'}."
    )


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue
