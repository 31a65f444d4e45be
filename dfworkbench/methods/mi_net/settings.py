"""Settings of notebook 08_forgery_clues, and the training runs derived from them."""

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from dfworkbench.core.settings import Settings
from dfworkbench.models.devices import resolve_precision
from dfworkbench.training import TrainSettings

NONE, HEADS = "none", "heads"
#: Variant -> whether it has the local and the global information loss. Each adds heads with cross-entropies of their
#: own, which train the blocks, too; `HEADS` has those of both, and no information loss.
VARIANTS = {
    NONE: (False, False),
    HEADS: (True, True),
    "global": (False, True),
    "local": (True, False),
    "both": (True, True),
}


class ClueStudySettings(Settings):
    """Which variants of MI_Net are compared, on which data, and how their blocks are explained.

    The defaults are those of the preset *quick*.
    """

    renamed = {"kinds": "forgeries"}
    presets: ClassVar = {
        "quick": {},
        "thorough": {
            "detector": "mi_net_mobilenet", "variants": ["both", "heads", "none"], "blocks": 3, "stages": 4, "epochs": 6,
            "batch_size": 16, "learning_rate": 1e-3, "frames": 8,
        },
        "published": {
            "detector": "mi_net_resnet34", "weights": "imagenet", "variants": ["both", "none"], "mixup": 0.5, "size_px": 224,
            "blocks": 4, "stages": 4, "epochs": 10, "batch_size": 256, "learning_rate": 1e-3, "frames_per_video": 1000,
            "frames": 8,
        },
    }  # fmt: skip

    preset: str = Field(
        default="quick",
        description="quick: two small blocks, minutes; thorough: three whole networks, and the effect of the losses alone; "
        "published: network, first weights and length of training as in the paper, for a GPU.",
    )
    dataset: str = Field(default="demo", min_length=1, description="Extracted data set to train on.")
    second: str = Field(
        default="demo_celebdf",
        description="Another set, only for testing; left out where it is not extracted; empty for none.",
    )
    forgeries: list[str] = Field(
        default=["Deepfakes", "Face2Face", "FaceSwap"],
        description="Forgery kinds to train on; the others are kept for testing.",
    )
    detector: str = Field(default="mi_net_resnet18", description="A detector with local blocks, one of mi_net_….")
    variants: list[Literal["none", "heads", "global", "local", "both"]] = Field(
        default=["both", "none"],
        min_length=1,
        description="Information losses of each run; none trains the same network without any, heads trains all heads besides.",
    )
    distance: Literal["kl", "wasserstein", "sinkhorn"] = Field(
        default="kl", description="Distance of posteriors in the losses; the measured value is always the divergence."
    )
    weighting: Literal["automatic", "scales", "sum"] = Field(
        default="automatic", description="Weights of the losses: learned, the published fixed ones, or 1."
    )
    mixup: float = Field(
        default=0.0, ge=0, le=100, description="How far pictures are mixed in pairs; 0 mixes none, 0.5 is as published."
    )
    size_px: int = Field(default=112, ge=32, le=1024, description="Size of the crops; 224 is as published.")
    blocks: int = Field(default=2, ge=2, le=8, description="Networks that look at the same face; 4 is as published.")
    stages: int = Field(
        default=3,
        ge=1,
        le=4,
        description="Stages of each block that are kept, if it is a ResNet; 4, all, is as published.",
    )
    weights: str = Field(
        default="",
        description='First weights of every block: "imagenet" or a file, not for MobileNets; empty: random ones.',
    )
    epochs: int = Field(default=3, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(default=8, ge=2, le=4096, description="Faces per step.")
    frames_per_video: int = Field(default=8, ge=1, le=1000, description="Faces per video to train on.")
    learning_rate: float = Field(default=3e-4, gt=0, le=1, description="Learning rate of AdamW, with cosine decay.")
    frames: int = Field(default=4, ge=1, le=1000, description="Faces per video that are measured.")
    pictures: int = Field(default=5, ge=2, le=50, description="Fakes of which the blocks are explained.")
    attribution: Literal["occlusion", "shapley"] = Field(
        default="occlusion", description="Attribution method for the blocks; Shapley values take many more passes."
    )
    grid: int = Field(default=8, ge=2, le=32, description="Cells along a side of the maps.")
    baseline: Literal["black", "mean", "blur"] = Field(default="mean", description="What hidden cells show.")
    evaluations: int = Field(default=384, ge=100, description="Budget of a map of Shapley values, in forward passes.")
    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="Seed of weights, order, random changes, and the pictures shown."
    )
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        default="32-true",
        description="Precision of training; auto: bf16 if the hardware supports it, which slows MobileNets on CPUs.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute; auto takes a GPU if there is one."
    )

    @field_validator("variants")
    @classmethod
    def _are_different(cls, values: list[str]) -> list[str]:
        if len(set(values)) < len(values):
            raise ValueError("a variant is named twice; name each once, such as both, none")
        return values

    def training(self, variant: str) -> TrainSettings:
        """Settings of one run: equal except for the information losses."""
        local, whole = VARIANTS[variant]
        own: dict[str, Any] = {
            "local_loss": local, "global_loss": whole,
            "weighting": "scales" if variant == HEADS else self.weighting,
            "mixup": int(self.mixup) if self.mixup.is_integer() else self.mixup,  # as names of runs have it
        }  # fmt: skip
        if variant == HEADS:
            own["scales"] = {"global": 0, "local": 0}
        elif local or whole:
            own["distance"] = self.distance
        network: dict[str, Any] = {"weights": self.weights} if self.weights else {}
        if self.stages < 4 and "resnet" in self.detector:
            network["stages"] = self.stages
        return TrainSettings(
            dataset=self.dataset, forgeries=self.forgeries, detector=self.detector, method="mi_net", size_px=self.size_px,
            detector_options={"blocks": self.blocks, **network}, method_options=own, epochs=self.epochs,
            batch_size=self.batch_size, frames_per_video=self.frames_per_video, learning_rate=self.learning_rate,
            seed=self.seed, precision=resolve_precision(self.precision, self.device), device=self.device,
        )  # fmt: skip

    def trainings(self) -> dict[str, TrainSettings]:
        """The runs to train: variant -> settings."""
        return {variant: self.training(variant) for variant in self.variants}
