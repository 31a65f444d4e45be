"""Settings of notebook 05_hypotheses, and the training runs derived from them."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dfworkbench.core.settings import Settings
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.models import detector_options
from dfworkbench.models.devices import resolve_precision
from dfworkbench.training import TrainSettings

CARRIER, DONOR, DETECTOR = "carrier", "donor", "detector"
PAIRED: Literal["paired"] = "paired"
UNPAIRED: Literal["unpaired"] = "unpaired"

_PLAIN: dict[str, Any] = {"flip": 0.0, "box_jitter": 0.0, "colour_jitter": 0.0, "degrade": 0.0}


class HypothesisSettings(Settings):
    """Which hypothesis is tested, on which data, and how precisely.

    The defaults are those of the preset *quick*.
    """

    renamed = {"kinds": "forgeries"}
    presets: ClassVar = {
        "quick": {},
        "thorough": {
            "size_px": 112,
            "encoder_epochs": 8,
            "epochs": 12,
            "pairings": 2,
            "images": 6,
            "evaluations": 2048,
        },
        "published": {"size_px": 224, "grid": 16, "evaluations": 51_200, "value": "logit"},
    }

    preset: str = Field(
        "quick",
        description="quick: minutes; thorough: larger crops, more fakes and longer maps, hours; published: size, cells and "
        "evaluations of the paper, days without a GPU.",
    )
    hypothesis: int = Field(1, ge=1, le=3, description="1: where it looks; 2: paired training; 3: compression.")
    dataset: str = Field("demo", min_length=1, description="Extracted data set whose fakes name both of their people.")
    forgeries: list[str] = Field([], description="Forgery kinds that are analysed; empty: all.")
    encoder: str = Field("identity_resnet18", description="Network that names the carrier, and another one the donor.")
    detector: str = Field("resnet18", description="Detector that is explained; it must see the crops of the encoders.")
    size_px: int = Field(64, ge=32, le=1024, description="Size of the crops of all three; 224 is as published.")
    encoder_epochs: int = Field(4, ge=1, le=1000, description="Passes over the faces that encoders learn from.")
    epochs: int = Field(6, ge=1, le=1000, description="Passes over the training split, for detectors.")
    frames_per_video: int = Field(
        8,
        ge=1,
        le=1000,
        description="Faces per video that encoders and detectors are trained on, evenly over its time.",
    )
    batch_size: int = Field(64, ge=1, le=4096, description="Faces per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of AdamW, with cosine decay.")
    pairings: int = Field(
        1, ge=1, le=40, description="Hypothesis 2: pairs of detectors; every second one exchanges the halves of people."
    )
    images: int = Field(2, ge=1, le=10_000, description="Fakes of each kind, of people whom no detector has seen.")
    keep_wrong: bool = Field(False, description="Also analyses fakes whose people the encoders name wrongly.")
    grid: int = Field(8, ge=2, le=64, description="Cells along a side; 16 is as published.")
    baseline: Literal["black", "mean", "blur"] = Field(
        "black", description="What hidden cells show; black is published."
    )
    value: Literal["log_odds", "logit"] = Field(
        "log_odds", description="What is explained: log-odds of the class, or its raw logit as published."
    )
    evaluations: int = Field(384, ge=100, description="Budget of a map, in forward passes; 51200 is as published.")
    relative_error: float = Field(0.05, gt=0, lt=1, description="A map is finished earlier with this error.")
    null: Literal["shift", "cells"] = Field(
        "shift", description="Hypothesis 1: what Q is compared with in the figure; p-values are given for all nulls."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of weights, choice of pictures and coalitions.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto",
        description="Precision; auto: bf16 if the hardware supports it, for maps only if they hardly change.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def trainings(self) -> dict[str, TrainSettings]:
        """The runs that the hypothesis needs, with a title for each."""
        made = {CARRIER: self.encoder_training(CARRIER), DONOR: self.encoder_training(DONOR)}
        if self.hypothesis == 2:
            for at in range(self.pairings):
                made |= {f"{kind} {at + 1}": self.detector_training(kind, at) for kind in (PAIRED, UNPAIRED)}
            return made
        return made | {DETECTOR: self.detector_training()}

    def encoder_training(self, role: str) -> TrainSettings:
        """Training of the encoder of carriers or donors: on all people, without augmentation, as published."""
        return TrainSettings(
            **self._shared(), **_PLAIN, detector=self.encoder, method_options={"role": role}, epochs=self.encoder_epochs,
            balance="none", frames_per_video=self.frames_per_video,
        )  # fmt: skip

    def detector_training(self, pairing: Literal["all", "paired", "unpaired"] = "all", at: int = 0) -> TrainSettings:
        """Training of a detector: on all fakes of the training split, or on a paired or unpaired half of the people."""
        known, crops = (
            detector_options(self.detector),
            {"alignment": "five_points", "crop_scale": 1.0, "two_logits": True},
        )
        return TrainSettings(
            **self._shared(), detector=self.detector, epochs=self.epochs, frames_per_video=self.frames_per_video,
            detector_options={name: wanted for name, wanted in crops.items() if name in known},
            pairing=pairing, pairing_seed=self.seed + at // 2, pairing_swap=bool(at % 2),
        )  # fmt: skip

    def _shared(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset, "size_px": self.size_px, "batch_size": self.batch_size,
            "learning_rate": self.learning_rate, "weight_decay": 4e-3, "seed": self.seed, "precision": self.numbers(),
            "device": self.device,
        }  # fmt: skip

    def numbers(self) -> Literal["32-true", "bf16-mixed"]:
        """The precision, with `auto` resolved."""
        return resolve_precision(self.precision, self.device)

    def attributions(self, precision: str = "32-true") -> AttributionSettings:
        """Settings of the maps."""
        return AttributionSettings(
            grid=self.grid, baseline=self.baseline, relative_error=self.relative_error, evaluations=self.evaluations,
            seed=self.seed, precision=precision,
        )  # fmt: skip
