"""Re-synthesis detectors: classify the residual between a picture and its re-synthesis, not the picture itself.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. The layers are
those of the authors' code (SSAW14/BeyondtheSpectrum, MIT); none of it is used here.

A picture is made four times smaller by averaging; a super-resolution network, trained on real pictures only, enlarges it again. A
classifier sees the absolute difference, of pixels ("stage 0") or of VGG-19 features (stages 1 to 5).

Differences from the released code:
- One logit, the log-odds of *fake*; the authors' class 1 is real. Both classes are in `aux`, in our order.
- The difference is computed in float32 even if networks compute in bfloat16, whose steps below 1 are a whole grey level.
- VGG-19 is not evaluated beyond the stage that is compared.
- Ours: the features may also be those of a trained detector (`NetworkTaps`).
- `ResynthesisFused` is ours: the released code does not combine levels, and the rule of the authors' later combination ("Pixel and
  Stage5") is not known to us.
- By default windows of 256 px at the picture's own resolution; the authors feed whole pictures of 1024 px (`size_px=1024`).
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet, Depth
from dfworkbench.methods.resynthesis.network_taps import NetworkTaps
from dfworkbench.methods.resynthesis.rdn import Rdn, box_down
from dfworkbench.models.options import Positive, SizePx
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.vgg import CHANNELS, VggTaps


class Resynthesis(nn.Module):
    """A re-synthesiser and a classifier of its residual: 45,907,013 parameters with stage 0, 59,145,157 with stage 5.

    With VGG-19, 12,944,960 of them are frozen. With several stages (ours), the fake probabilities of all classifiers are averaged.

    `Prediction.aux` contains "class_logits" `(B, 2)`, of real and fake, and the same for each classifier under its name:
    "pixel_logits", "stage5_logits".

    Args:
        stages: Where residuals are taken: 0 for pixels, 1 to 5 for features of VGG-19 (64 maps at full size to 512 at a sixteenth).
        size_px: Height and width of the input; a multiple of 4.
        alignment: "whole": a window of a picture at native resolution, as the method needs. "box": faces, which are cut and
            resized; resizing changes the finest detail, where many traces of generation are.
        crop_scale: Side of the crop over the longer side of the face box with "box", such as 1.3; 1 for whole pictures.
        depth: Depth of the classifiers: 18, 34, 50, 101 or 152.
        dilated: See `DeepStemResNet`.
        features: Channels of the re-synthesiser, also its growth rate.
        blocks: Residual dense blocks of the re-synthesiser.
        layers: Dense layers of each block.
        vgg_weights: Weights of VGG-19: "" for random weights, "imagenet" for the published ones, or the path of a file with them.
        feature_network: A detector whose stages are compared instead of VGG-19's, such as resnet18; its weights come from the run
            that training names as `features_from`.
        feature_options: Options of that detector.

    Attributes:
        resynthesiser: The network for super-resolution.
        vgg: The frozen VGG-19, or None if none of its stages is compared. Saved with the rest.
        network_taps: The frozen first stages of `feature_network`, or None; saved with the rest.
        classifiers: "pixel", "stage1" … "stage5" -> classifier, whose own two logits are in the authors' order.
    """

    trained_by = "resynthesis"

    def __init__(
        self,
        stages: tuple[int, ...],
        size_px: SizePx = 256,
        alignment: Literal["whole", "box"] = "whole",
        crop_scale: float = 1.0,
        depth: Depth = 50,
        dilated: bool = False,
        features: Positive = 64,
        blocks: Positive = 16,
        layers: Positive = 8,
        vgg_weights: str = "",
        feature_network: str = "",
        feature_options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.stages = stages
        self.input_spec = resynthesis_input(size_px, alignment, crop_scale)
        self.resynthesiser = Rdn(features=features, blocks=blocks, layers=layers)
        deepest = max(stages)
        own = deepest and feature_network
        self.vgg = VggTaps(vgg_weights, stages=deepest) if deepest and not own else None
        self.network_taps = NetworkTaps(feature_network, feature_options, size_px, deepest) if own else None
        channels = (3, *(self.network_taps.channels if self.network_taps else CHANNELS))
        self.classifiers = nn.ModuleDict(
            {stage_name(stage): DeepStemResNet(depth, channels[stage], dilated) for stage in stages}
        )

    def forward(self, images: Tensor) -> Prediction:
        """Score prepared images, `(B, 3, S, S)` in 0..1."""
        logits = {
            f"{name}_logits": self.classifiers[name](residual).flip(1)  # the authors' class 1 is real
            for name, residual in self._residuals(images).items()
        }
        together = _mean_of_probabilities(list(logits.values()))
        return Prediction(together[:, 1] - together[:, 0], {"class_logits": together, **logits})

    def features(self, images: Tensor) -> Tensor:
        """Features of each classifier, concatenated: `(B, 2048)` per stage, or `(B, 512)` with depth 18 and 34."""
        found = self._residuals(images)
        return torch.cat([self._classifier(name).features(residual) for name, residual in found.items()], dim=1)

    @property
    def taps(self) -> VggTaps | NetworkTaps | None:
        """The frozen network whose stages are compared; None if only pixels are compared."""
        return self.network_taps or self.vgg

    def low_resolution(self, images: Tensor) -> Tensor:
        """The mean of each block of 4 x 4 pixels: `(B, 3, H, W)` -> `(B, 3, H/4, W/4)`; H and W are multiples of 4."""
        return box_down(images, self.resynthesiser.scale)

    def resynthesise(self, images: Tensor) -> Tensor:
        """Super-resolution of the small version of `(B, 3, H, W)`: the same shape, not clamped."""
        return self.resynthesiser(self.low_resolution(images))

    def residual(self, images: Tensor, stage: int, resynthesis: Tensor | None = None) -> Tensor:
        """Residual of a re-synthesis, the only input of a classifier.

        Args:
            images: `(B, 3, H, W)` in 0..1; H and W are multiples of 4.
            stage: 0 compares pixels; 1 to 5 compare features of `taps`, through which gradients reach only the re-synthesis.
            resynthesis: Re-synthesis of these images; None computes it.

        Returns:
            The absolute difference, float32 or better: `(B, 3, H, W)`, or in the shape of the features from `taps`.

        Raises:
            InputError: H or W is not a multiple of 4.
            ParameterError: This detector has no such stage.
        """
        if resynthesis is None:
            resynthesis = self.resynthesise(images)
        if stage == 0:
            return _difference(resynthesis, images)
        if self.taps is None:
            raise ParameterError(
                f"a residual of stage {stage}: this detector has no features to compare, only stage 0. Build "
                f"resynthesis_stage{stage}."
            )
        with torch.no_grad():
            target = self.taps(images, last=stage)[-1]
        return _difference(self.taps(resynthesis, last=stage)[-1], target)

    def _residuals(self, images: Tensor) -> dict[str, Tensor]:
        """Residuals by name of the classifier; one re-synthesis for all."""
        known_as = stage_name(self.stages[0]) if len(self.stages) == 1 else "fused"
        self.input_spec.check(images.shape, f"resynthesis_{known_as}")
        resynthesis = self.resynthesise(images)
        return {stage_name(stage): self.residual(images, stage, resynthesis) for stage in self.stages}

    def _classifier(self, name: str) -> DeepStemResNet:
        classifier = self.classifiers[name]
        assert isinstance(classifier, DeepStemResNet)
        return classifier


def stage_name(stage: int) -> str:
    """Name of the classifier of a stage: "pixel", "stage1" … "stage5"."""
    return f"stage{stage}" if stage else "pixel"


def resynthesis_input(
    size_px: int, alignment: Literal["whole", "box"], crop_scale: float = 1.0, scale: int = 4
) -> InputSpec:
    """Input of a re-synthesiser: RGB in 0..1.

    Raises:
        ParameterError: The size is not a multiple of `scale`.
    """
    if size_px % scale:
        raise ParameterError(
            f"building a re-synthesiser: size_px = {size_px}; it must be a multiple of {scale}, because pictures are made {scale} "
            f"times smaller. Take {-(-size_px // scale) * scale}."
        )
    return InputSpec(size_px=size_px, alignment=alignment, crop_scale=crop_scale, value_range=(0.0, 1.0))


def _difference(a: Tensor, b: Tensor) -> Tensor:
    """|a - b|, never in half precision: below 1, bfloat16 has steps of a whole grey level."""
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return (a.to(dtype) - b.to(dtype)).abs()


def _mean_of_probabilities(logits: list[Tensor]) -> Tensor:
    """Averaged log-probabilities `(B, 2)` of several classifiers; the logits themselves if there is only one."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([each.log_softmax(dim=1) for each in logits]).logsumexp(dim=0) - math.log(len(logits))
