"""Settings of notebook 07_identity_leakage, and the training runs derived from them."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from dfworkbench.core.names import FAKE
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.facial_swap import SwapSettings
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.methods.caddm.anchors import size_of
from dfworkbench.models import detector_options
from dfworkbench.models.devices import resolve_precision
from dfworkbench.training import TrainSettings

PLAIN, CADDM = "plain", "CADDM"


class LeakageSettings(Settings):
    """What is compared, and on which data. Defaults are those of the preset *quick*."""

    renamed = {"kinds": "forgeries"}
    presets: ClassVar = {
        "quick": {},
        "thorough": {
            "plain": "resnet34", "caddm": "caddm_resnet34", "stages": 4, "whole_faces": 1.0, "seeds": 3, "epochs": 10,
            "batch_size": 16, "frames": 8,
        },
        "published": {
            "plain": "resnet34", "caddm": "caddm_resnet34", "stages": 4, "weights": "imagenet", "seeds": 1, "epochs": 200,
            "frames_per_video": 32, "batch_size": 128, "changes": 1.0, "whole_faces": 1.0, "frames": 32,
        },
    }  # fmt: skip

    preset: str = Field(
        "quick",
        description="quick: small networks on crops of 112 px, minutes; thorough: ResNet-34 at 224 px, three seeds, hours; "
        "published: network, first weights and length of training as in the paper, for a GPU.",
    )
    dataset: str = Field("demo", min_length=1, description="Extracted data set to train on, with its genuine videos.")
    second: str = Field("demo_celebdf", description="Another extracted set, only for testing; empty for none.")
    second_layout: str = Field("celebdf", description="Folder layout of the second set, for extracting it.")
    forgeries: list[str] = Field(
        ["Deepfakes", "Face2Face", "FaceSwap"],
        description="Forgery kinds to train on; the others are kept for testing.",
    )
    plain: str = Field("resnet18", description="Detector trained to tell real from fake and nothing else.")
    caddm: str = Field(
        "caddm_resnet18", description="Detector trained by CADDM; the same backbone makes a fair comparison."
    )
    stages: int = Field(
        3,
        ge=3,
        le=4,
        description="Stages of both ResNets that are kept: 3 for crops of 112 px, 4 for 224 px as published.",
    )
    weights: str = Field(
        "", description='First weights of both backbones: "imagenet" (downloaded) or a file; empty: random ones.'
    )
    seeds: int = Field(1, ge=1, le=20, description="Runs of each; three or more show the variation between seeds.")
    epochs: int = Field(4, ge=1, le=1000, description="Passes over the training split.")
    frames_per_video: int = Field(
        8,
        ge=1,
        le=1000,
        description="Faces per video to train on; fewer than were extracted, others are kept for testing.",
    )
    batch_size: int = Field(8, ge=1, le=4096, description="Faces per step.")
    learning_rate: float = Field(3.6e-4, gt=0, le=1, description="Learning rate of AdamW, with cosine decay.")
    changes: float = Field(
        0.3,
        ge=0,
        le=1,
        description="How often crops lose quality while training, for both; 1 is as published for CADDM.",
    )
    whole_faces: float = Field(
        0.25,
        ge=0,
        le=1,
        description="How often CADDM's fakes have a whole face exchanged, over the published shares (1); windows stay at "
        "theirs. The other fakes stay unchanged and are learned faster.",
    )
    frames: int = Field(4, ge=1, le=1000, description="Faces per video that are scored.")
    runs: list[str] = Field([], description="Further runs in checkpoints/ to measure beside the two.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto", description="Precision of training; auto: bf16 if the hardware supports it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def extract_second(self) -> str:
        """Extract the second set if necessary; returns what there is, in words."""
        if not self.second:
            return "There is no second set."
        data = DataSet(self.second)
        if not data.is_extracted:
            extract(ExtractSettings(name=self.second, layout=self.second_layout))
        fakes = int((data.videos["label"] == FAKE).sum())
        return f"{self.second}: {len(data.videos)} videos, {fakes} of them fake, {len(data.faces)} faces; only for testing."

    def training(self, role: str, seed: int) -> TrainSettings:
        """Settings of one training run: equal for both roles except detector and method."""
        detector = self.plain if role == PLAIN else self.caddm
        known, own = detector_options(detector), role == CADDM
        # the plain detector sees the same crops, if it accepts them
        alike = not own and "alignment" in known
        options = {"alignment": "five_points", "crop_scale": 1.0} if alike else {}
        if self._smaller:
            options["stages"] = self.stages
        if self.weights and "weights" in known:
            options["weights"] = self.weights
        return TrainSettings(
            dataset=self.dataset, detector=detector, forgeries=self.forgeries, seed=seed,
            size_px=size_of(self.stages) if alike and self._smaller else None,
            detector_options=options, method_options={"swap": self.swap(role)} if own or alike else {},
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=4e-3,
            frames_per_video=self.frames_per_video, value_clip=2.0,
            precision=resolve_precision(self.precision, self.device), device=self.device,
        )  # fmt: skip

    @property
    def _smaller(self) -> bool:
        """Whether both are ResNets without their last stage; others are kept whole and get 224 px."""
        both = (self.plain, self.caddm)
        return self.stages < 4 and all("resnet" in name and "stages" in detector_options(name) for name in both)

    def swap(self, role: str = CADDM) -> dict[str, Any]:
        """Settings of the facial swap; the plain detector gets its changes of crop and quality, without swaps."""
        weaker, published = SwapSettings.weaker(self.changes), SwapSettings()
        if role == PLAIN or self.whole_faces == 1:
            return weaker
        shares = {name: getattr(published, name) for name in ("genuine_on_fake", "fake_on_genuine")}
        return {**weaker, **{name: round(share * self.whole_faces, 4) for name, share in shares.items()}}

    def trainings(self) -> list[tuple[str, TrainSettings]]:
        """The runs to train, with a title for each."""
        roles = (PLAIN, CADDM)
        return [(f"{role}, seed {seed}", self.training(role, seed)) for seed in range(self.seeds) for role in roles]
