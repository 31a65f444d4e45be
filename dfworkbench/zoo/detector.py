"""PublishedDetector: trunk, pooling and head of any published detector, as described by its options."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.options import Positive, SizePx
from dfworkbench.models.prediction import Prediction
from dfworkbench.zoo.trunks import build_trunk


class PublishedDetector(nn.Module):
    """A published network as a detector. Cards supply options and InputSpec; a run stores both and does not need the card.

    `Prediction.logit` is the log-odds of *fake* whatever the classes of the release are: `fake * z` of one logit, and
    `logsumexp(z of fake) - logsumexp(z of all others)` of several, which is the log-odds of their softmax.
    `Prediction.aux["logits"]`, `(B, logits)`, holds what the head gave.

    Args:
        trunk: Name of the trunk.
        library: What builds it: "timm", "efficientnet" (efficientnet-pytorch) or "meso" (the two networks of DeepfakeBench).
        trunk_options: Further options of the trunk.
        pooling: How its output becomes one vector. "trunk": the trunk pools. "mean": mean of the last map. "token": the class
            token. "mean_tokens": mean of all tokens except class token and registers.
        before_head: "l2": L2-normalise the vector. "batch_norm": normalise it with stored statistics.
        logits: Number of logits.
        fake: Index of the fake class, or of several; for a single logit its sign, +1 or -1.
        size_px: Height and width of the input.
    """

    def __init__(
        self,
        trunk: str = "",
        library: Literal["timm", "efficientnet", "meso"] = "timm",
        trunk_options: dict[str, Any] | None = None,
        pooling: Literal["trunk", "mean", "token", "mean_tokens"] = "trunk",
        before_head: Literal["none", "l2", "batch_norm"] = "none",
        logits: Positive = 2,
        fake: int | list[int] = 1,
        size_px: SizePx = 224,
    ) -> None:
        super().__init__()
        if not trunk:
            raise ParameterError(
                "building the detector 'published': it is described by its options, and there are none. Expected the options of "
                "an imported run: import a card (dfworkbench zoo import CARD FILE), then train from it (start_from = its run)."
            )
        _require_polarity(fake, logits)
        self.input_spec = InputSpec(size_px=size_px)
        self.pooling, self.before_head, self.fake = pooling, before_head, fake
        self.trunk: Any = build_trunk(library, trunk, trunk_options or {})
        self.last_map = (
            nn.Identity()
        )  # where Grad-CAM finds the map: after the last activation, which is not a module of its own
        if before_head == "batch_norm":
            self.norm = nn.BatchNorm1d(self.trunk.width)
        self.head = nn.Linear(self.trunk.width, logits)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` float32."""
        features = self.features(images)
        if self.before_head == "l2":
            features = functional.normalize(features)
        elif self.before_head == "batch_norm":
            features = self.norm(features)
        logits = self.head(features)
        return Prediction(log_odds(logits, self.fake), {"logits": logits})

    def features(self, images: Tensor) -> Tensor:
        """The pooled output of the trunk, `(B, F)`."""
        self.input_spec.check(images.shape, "this published detector")
        if self.pooling == "trunk":
            return self.trunk(images)
        maps = self.trunk.forward_features(images)
        if self.pooling == "mean":
            return self.last_map(maps).mean(dim=(2, 3))
        if self.pooling == "token":
            return maps[:, 0]
        return maps[:, self.trunk.num_prefix_tokens :].mean(dim=1)


def log_odds(logits: Tensor, fake: int | list[int]) -> Tensor:
    """Log-odds of *fake* from `(B, K)` logits, `(B,)`; `fake` as in `PublishedDetector`."""
    if logits.shape[1] == 1:
        return int(fake) * logits[:, 0]  # pyright: ignore[reportArgumentType]
    fakes = [fake] if isinstance(fake, int) else fake
    reals = [i for i in range(logits.shape[1]) if i not in fakes]
    return torch.logsumexp(logits[:, fakes], dim=1) - torch.logsumexp(logits[:, reals], dim=1)


def _require_polarity(fake: int | list[int], logits: int) -> None:
    fakes = [fake] if isinstance(fake, int) else fake
    if logits == 1:
        fits = fake in (1, -1)
    else:
        fits = bool(fakes) and set(fakes) < set(range(logits)) and len(set(fakes)) == len(fakes)
    if not fits:
        wanted = "+1 or -1" if logits == 1 else f"indices of 0 to {logits - 1}, not all of them"
        raise ParameterError(
            f"building a published detector: fake = {fake!r} of {logits} logits; expected {wanted}. Correct fake, which says what "
            "its logits mean."
        )
