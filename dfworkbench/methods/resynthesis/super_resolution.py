"""Training of a re-synthesiser on real pictures: 4x super-resolution, stage 1 of "Beyond the Spectrum".

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. The network
learns what real pictures look like; `training` then uses its errors to detect fakes. The loss is the mean absolute error of the
pixels + 0.2 x the mean squared error of VGG-19's features (`reconstruction_loss`).

Differences from the released code:
- The perceptual part is off unless ImageNet weights of VGG-19 are given, because features of random weights are meaningless. The
  published settings give them.
- An incomplete last batch of an epoch is dropped.
- It is validated, also against bicubic enlargement; the original is not.
- Two training tricks of the code that do nothing (JPEG compression and a blurred copy of each picture) are left out.
"""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional as F

from dfworkbench.datasets.perturb.picture_augment import PictureAugment
from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.resynthesis.rdn import box_down
from dfworkbench.methods.resynthesis.reconstruction_loss import reconstruction_loss
from dfworkbench.methods.resynthesis.restoration import Task, degrade_samples
from dfworkbench.models.inputs import prepare
from dfworkbench.models.vgg import VggTaps
from dfworkbench.training.step import MethodSettings, Step, TrainingMethod


class SuperResolutionSettings(MethodSettings):
    """Options of the method super_resolution."""

    tasks: list[Task] = Field(
        default=["super_resolution"],
        description="Degradations of small pictures in training: super_resolution (none besides the size; always included, the "
        "only one published), denoising, completion, colourisation.",
    )
    perceptual_weight: float = Field(
        default=0.0, ge=0, le=100, description="Factor of the features' part; published: 0.2. Needs vgg_weights."
    )
    vgg_weights: str = Field(default="", description="Weights of VGG-19: imagenet, or the path of a file with them.")

    @field_validator("tasks", mode="before")
    @classmethod
    def _one_or_several(cls, tasks: Any) -> Any:
        return [tasks] if isinstance(tasks, str) else list(tasks)

    @model_validator(mode="after")
    def _features_are_known(self) -> Self:
        if self.perceptual_weight and not self.vgg_weights:
            raise ValueError(
                f"perceptual_weight = {self.perceptual_weight} compares features of VGG-19, but no weights are named, and those "
                "of random weights say nothing; set vgg_weights=imagenet (downloaded once) or the path of the file, or "
                "perceptual_weight=0"
            )
        return self


class SuperResolution(TrainingMethod):
    """Mean absolute error of re-synthesised pictures, plus an error of their features. Options: `SuperResolutionSettings`."""

    Settings = SuperResolutionSettings
    settings: SuperResolutionSettings
    own_detectors = True
    real_only = True
    decay_vectors = True
    # on 25,000 pictures of 1024 x 1024
    published = {
        "method": "super_resolution", "detector": "rdn", "size_px": 96, "epochs": 750, "batch_size": 12, "optimizer": "adam",
        "learning_rate": 1e-4, "schedule": "steps", "rate_steps": ["226=5e-5", "451=2.5e-5", "676=1.25e-5"], "weight_decay": 0.0,
        "balance": "none", "frames_per_video": 1, "method_options": {"perceptual_weight": 0.2, "vgg_weights": "imagenet"},
    }  # fmt: skip

    def __init__(self, detector: Any, **options: Any) -> None:
        super().__init__(detector, **options)
        self.vgg = VggTaps(self.settings.vgg_weights) if self.settings.perceptual_weight else None

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`.

        Parts: l1, perceptual. Measures: "psnr_db", the mean peak signal-to-noise ratio of the re-synthesis, and while
        validating "bicubic_psnr_db", that of bicubic enlargement, which a trained network should exceed.
        """
        pictures = prepare(batch["images"], self.detector.input_spec, type(self.detector).__name__)
        low = box_down(pictures, self.detector.rdn.scale)
        made = self.detector.rdn(degrade_samples(low, self.settings.tasks) if self.training else low)
        parts = reconstruction_loss(made, pictures, self.vgg, "mse")
        loss = parts["l1"] + self.settings.perceptual_weight * parts.get("perceptual", 0.0)
        measures = {"psnr_db": psnr_db(made, pictures)}
        if not self.training:
            enlarged = F.interpolate(low, size=pictures.shape[2:], mode="bicubic", align_corners=False)
            measures["bicubic_psnr_db"] = psnr_db(enlarged, pictures)
        return Step(loss, parts, None, measures)

    def train_transform(self) -> Transform:
        """A random window of the picture, mirrored and rotated at random."""
        return PictureAugment(hflip=0.5, vflip=0.5, rot90=0.5)


def psnr_db(made: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all channels, mean over the pictures, in dB; scalar float64, at most 100.

    Args:
        made: `(B, 3, H, W)`; clipped to 0..1, as when stored.
        target: `(B, 3, H, W)` in 0..1.
    """
    squares = (made.detach().double().clamp(0, 1) - target.double()).square().flatten(1).mean(dim=1)
    return -10 * squares.clamp(min=1e-10).log10().mean()
