"""CNN + LSTM detectors: a backbone applied to each frame of a clip, then an LSTM over time.

The two detectors of DeepfakeForensics-v1 (README and code, 2020): MesoNet4 + LSTM and EfficientNet + LSTM.

Differences from DeepfakeForensics-v1:
- The LSTM's initial state is zero. The original draws it at random, even at inference, so its scores were not repeatable.
- Backbones have no classifiers of their own, which the original carried along unused (12,577 parameters for MesoNet4, 20,513 for
  EfficientNet-b0). Parameter counts are lower by exactly these numbers.
- The number of LSTM layers is an option; its default of 5 is that of the original, where it was tied to the clip length.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.efficientnet import EfficientNetTrunk
from dfworkbench.models.head import small_head
from dfworkbench.models.mesonet import IMAGENET_MEAN, IMAGENET_STD, MesoNet4Trunk
from dfworkbench.models.options import Dropout, Positive, SizePx
from dfworkbench.models.prediction import Prediction

#: Width of the LSTM in DeepfakeForensics-v1.
_PUBLISHED_HIDDEN = {"b0": 256, "b3": 128}


class Recurrent(nn.Module):
    """A trunk with an LSTM on top.

    Args:
        name: Used in error messages.
        spec: Input with `clip_length` above 1.
        trunk: Backbone that takes `(B, 3, S, S)`.
        project: Maps the trunk's output to the LSTM's input, `(B, F)`.
        lstm: The LSTM, with `batch_first=True`.
        dropout: Dropout before each linear layer.
    """

    def __init__(
        self, name: str, spec: InputSpec, trunk: nn.Module, project: nn.Module, lstm: nn.LSTM, dropout: float
    ) -> None:
        super().__init__()
        self.name, self.input_spec = name, spec
        self.trunk, self.project, self.lstm = trunk, project, lstm
        self.head = small_head(lstm.hidden_size, dropout)

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared clips, `(B, T, 3, S, S)` float32."""
        return Prediction(self.head(self.features(images)).squeeze(1))

    def features(self, images: Tensor) -> Tensor:
        """State of the top LSTM layer after the last frame: `(B, hidden)`."""
        self.input_spec.check(images.shape, self.name)
        frames = self.project(self.trunk(images.flatten(0, 1)))
        states, _ = self.lstm(frames.unflatten(0, images.shape[:2]))
        return states[:, -1]


def _spec(size_px: int, crop_scale: float, clip_length: int, clip_stride: int) -> InputSpec:
    return InputSpec(
        size_px=size_px, crop_scale=crop_scale, clip_length=clip_length, clip_stride=clip_stride,
        mean=IMAGENET_MEAN, std=IMAGENET_STD,
    )  # fmt: skip


def _lstm(features: int, hidden: int, layers: int, dropout: float) -> nn.LSTM:
    # torch warns about dropout if there is no layer after it
    return nn.LSTM(features, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)


class MesoNet4LSTM(Recurrent):
    """MesoNet4 over 5 frames, then an LSTM of width 128: 1,009,945 parameters.

    Args:
        size_px: Height and width of the input.
        dropout: Before each linear layer.
        crop_scale: Side of the crop over the longer side of the face box.
        clip_length: Frames per clip.
        clip_stride: Distance between them, in extracted frames.
        hidden: Width of the LSTM.
        layers: Layers of the LSTM.
    """

    def __init__(
        self, size_px: SizePx = 224, dropout: Dropout = 0.5, crop_scale: float = 1.3, clip_length: Positive = 5,
        clip_stride: Positive = 1, hidden: Positive = 128, layers: Positive = 5,
    ) -> None:  # fmt: skip
        spec = _spec(size_px, crop_scale, clip_length, clip_stride)
        trunk, lstm = MesoNet4Trunk(), _lstm(MesoNet4Trunk.feature_count, hidden, layers, 0.2)
        super().__init__("mesonet4_lstm", spec, trunk, nn.Flatten(1), lstm, dropout)


class EfficientNetLSTM(Recurrent):
    """EfficientNet over 5 frames, its whole last map, then an LSTM: 22,699,933 parameters with b0, 20,992,713 with b3.

    Args:
        variant: "b0" or "b3".
        size_px: Height and width of the input.
        dropout: Before each linear layer.
        crop_scale: Side of the crop over the longer side of the face box.
        clip_length: Frames per clip.
        clip_stride: Distance between them, in extracted frames.
        hidden: Width of the LSTM; 0 takes the published one.
        layers: Layers of the LSTM.
        weights: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
    """

    def __init__(
        self, variant: Literal["b0", "b3"], size_px: SizePx = 224, dropout: Dropout = 0.5, crop_scale: float = 1.3,
        clip_length: Positive = 5, clip_stride: Positive = 1, hidden: Annotated[int, Field(ge=0)] = 0, layers: Positive = 5,
        weights: str = "",
    ) -> None:  # fmt: skip
        hidden = hidden or _PUBLISHED_HIDDEN[variant]
        trunk = EfficientNetTrunk(variant, size_px, weights)
        side = -(-size_px // 32)  # five halvings, each rounded up
        project = nn.Sequential(
            nn.Flatten(1), nn.Dropout(dropout), nn.Linear(trunk.channels * side * side, hidden), nn.LeakyReLU(0.1)
        )
        spec, lstm = _spec(size_px, crop_scale, clip_length, clip_stride), _lstm(hidden, hidden, layers, 0.5)
        super().__init__(f"efficientnet_{variant}_lstm", spec, trunk, project, lstm, dropout)
