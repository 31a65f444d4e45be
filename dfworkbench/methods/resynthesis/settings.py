"""Settings of notebook 06_reconstruction_error, and the training runs derived from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from dfworkbench.core.names import FAKE
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.methods.resynthesis.network_taps import options_without_weights
from dfworkbench.models import detector_options
from dfworkbench.models.devices import resolve_precision
from dfworkbench.runs.checkpoints import read_record
from dfworkbench.runs.run import find_checkpoint
from dfworkbench.synthetic import make_demo_pictures
from dfworkbench.training import TrainSettings
from dfworkbench.training.registry import load_method

SUPER_RESOLUTION, PIXEL, JOINT, FUSED, PLAIN = "super-resolution", "pixel", "pixel, joint", "fused", "plain"
OTHERS = "other generators"
DEMO_SET = "demo_pictures"
#: Networks whose stages can be compared besides a run: the plain detector, or VGG-19 with random weights.
RANDOM = "random"


class ReconstructionSettings(Settings):
    """What is trained on which data, and how it is tested."""

    renamed = {"trial": "allow_undertrained", "vgg_weights": "stage_features"}
    presets = {
        "quick": {},
        "thorough": {
            "first_epochs": 60, "pixel": True, "epochs": 16, "joint_epochs": 2, "batch_size": 16, "learning_rate": 1e-3,
            "perturbations": ["noise", "blur", "jpeg", "crop", "grey"], "levels": [1, 3, 5], "random_perturbations": True,
        },
        # the paper does not say how long stage 3 is trained
        "published": {
            "size_px": 1024, "features": 64, "blocks": 16, "layers": 8, "depth": 50, "stage": 5, "stage_features": "imagenet",
            "first_epochs": 750, "pixel": True, "epochs": 100, "joint_epochs": 10, "batch_size": 10,
            "perturbations": ["noise", "blur", "jpeg", "crop", "grey"], "levels": [1, 3, 5], "random_perturbations": True,
        },
    }  # fmt: skip

    preset: str = Field(
        "quick",
        description="Values of what is not set by hand. quick: minutes on a laptop; thorough: adds the classifier of pixel errors, "
        "stage 3 and more perturbations; published: sizes and passes of the paper, for 25,000 pictures and a GPU.",
    )
    dataset: str = Field(DEMO_SET, min_length=1, description="Extracted set of whole pictures, real and generated.")
    generator: str = Field(
        "transposed", description="Generator whose pictures are trained on; all others are for testing."
    )
    plain: str = Field("resnet18", description="Detector of the pictures themselves, to compare with.")
    size_px: int = Field(96, ge=32, le=1024, multiple_of=4, description="Side of the windows that detectors see.")
    features: int = Field(16, ge=4, le=64, description="Channels of the re-synthesiser; 64 as published.")
    blocks: int = Field(4, ge=1, le=16, description="Its residual dense blocks; 16 as published.")
    layers: int = Field(4, ge=1, le=8, description="Dense layers of each; 8 as published.")
    depth: int = Field(
        18, ge=18, le=152, description="Layers of the classifiers: 18, 34, 50 (as published), 101 or 152."
    )
    stage: int = Field(3, ge=1, le=5, description="Stage whose features are compared: 1 (finest) to 5 (as published).")
    stage_features: str = Field(
        PLAIN,
        min_length=1,
        description="Network whose stages are compared: plain (the plain detector of this notebook), a run in checkpoints/, "
        "imagenet or a file (VGG-19 as published), or random (VGG-19 with random weights, only to try the code).",
    )
    first_epochs: int = Field(30, ge=1, le=1000, description="Passes over the real pictures in stage 1.")
    epochs: int = Field(4, ge=1, le=1000, description="Passes over the pictures in stage 2, and of the plain detector.")
    pixel: bool = Field(
        False,
        description="Also trains a classifier of pixel errors, as published. It needs several times as many passes as that of "
        "features.",
    )
    joint_epochs: int = Field(0, ge=0, le=1000, description="Passes in stage 3, which trains both; 0 leaves it out.")
    task: Literal["none", "denoising", "colourisation"] = Field(
        "denoising", description="Degradation that stage 3 must also undo."
    )
    allow_undertrained: bool = Field(
        False,
        description="Continue with a re-synthesiser that has learned too little, to try things out; the results are not evidence.",
    )
    batch_size: int = Field(8, ge=2, le=4096, description="Pictures per step.")
    learning_rate: float = Field(
        4e-4, gt=0, le=1, description="Learning rate of AdamW in stage 2, and of the plain detector, with cosine decay."
    )
    perturbations: list[str] = Field(
        ["noise", "blur", "jpeg"],
        description="What detectors are tested under; jpeg>blur makes a chain.",
    )
    levels: list[int] = Field([3], description="How strongly, 1 to 5.")
    random_perturbations: bool = Field(
        False, description="Also tests under the random perturbations of Frank et al. 2020."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of weights, order and random changes.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "32-true",
        description="Precision of training; auto: bf16 if the hardware supports it, which can break stage 5 on CPUs with AMX.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    @property
    def stage_title(self) -> str:
        """Title of the feature detector in tables and figures: "stage 3"."""
        return f"stage {self.stage}"

    def extract(self) -> str:
        """Extract the pictures into tables if necessary; returns what there is, in words.

        The demo set is generated if missing.
        """
        data = DataSet(self.dataset)
        if not data.is_extracted:
            made = data.workspace.data / DEMO_SET
            if self.dataset == DEMO_SET and not (made / "manifest.json").is_file():
                make_demo_pictures(made)
            extract(ExtractSettings(name=self.dataset, layout="generated_images", whole=True))
        counts = data.videos["forgery"].where(data.videos["label"] == FAKE, "real").value_counts(sort=False)
        return f"{self.dataset}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items())

    def trainings(self) -> dict[str, TrainSettings]:
        """The runs to train, in this order, with a title for each; all detectors see the same windows and augmentation.

        Raises:
            DataNotFoundError: `stage_features` does not name a run.
        """
        ours = {"balance": "none", "learning_rate": 2e-3}
        known = ours | self._recipe("super_resolution", "size_px", "batch_size", "method_options")
        first = self._training("rdn", epochs=self.first_epochs, detector_options=self._geometry(), **known)
        own = {"resynthesiser": first.model_name}
        made = {SUPER_RESOLUTION: first, PLAIN: self._plain()}
        if self.pixel or self.joint_epochs:
            made[PIXEL] = self._second("resynthesis_pixel", own)
        network, weights = self._stage_network(made[PLAIN])
        made[self.stage_title] = self._second(f"resynthesis_stage{self.stage}", own | weights, network)
        if self.joint_epochs:
            made[JOINT] = self._second(
                "resynthesis_pixel", {"joint": True, "task": self.task}, start_from=made[PIXEL].model_name,
                epochs=self.joint_epochs, learning_rate=1e-4,
            )  # fmt: skip
        return made

    def _plain(self) -> TrainSettings:
        whole = {"alignment": "whole", "crop_scale": 1.0}
        options = {name: value for name, value in whole.items() if name in detector_options(self.plain)}
        changes = {"colour_jitter": 0.0, "degrade": 0.0}
        return self._training(self.plain, forgeries=[self.generator], detector_options=options, **changes)

    def _stage_network(self, plain: TrainSettings) -> tuple[dict[str, Any], dict[str, Any]]:
        """Options of the detector and of its training that select the network whose stages are compared."""
        source = self.stage_features
        if source == RANDOM:
            return {}, {"allow_undertrained": True}
        if source == "imagenet" or (Path(source).is_file() and Path(source).suffix != ".safetensors"):
            return {"vgg_weights": source}, {}
        if source == PLAIN:
            name, options, run = plain.detector, plain.build_options(), plain.model_name
        else:
            record = read_record(find_checkpoint(source))
            name, options, run = record["detector"], record["options"], source
        return {"feature_network": name, "feature_options": options_without_weights(options)}, {"features_from": run}

    def _second(
        self, detector: str, options: dict[str, Any], network: Mapping[str, Any] | None = None, **values: Any
    ) -> TrainSettings:
        """A re-synthesis detector; `network` selects whose stages it compares."""
        own = {**self._geometry(), "depth": self.depth, **(network or {})}
        if self.allow_undertrained:
            options = {**options, "allow_undertrained": True}
        known = self._recipe("resynthesis") | values
        return self._training(
            detector, forgeries=[self.generator], detector_options=own, method_options=options, **known
        )

    def _recipe(self, method: str, *further: str) -> dict[str, Any]:
        """The paper's training recipe, if its preset is chosen: optimiser, learning rates, and `further` settings of a run."""
        if self.preset != "published":
            return {}
        published = load_method(method).published
        named = ("optimizer", "learning_rate", "schedule", "rate_steps", "weight_decay", "balance", *further)
        return {name: published[name] for name in named}

    def _geometry(self) -> dict[str, Any]:
        return {"features": self.features, "blocks": self.blocks, "layers": self.layers}

    def _training(self, detector: str, **values: Any) -> TrainSettings:
        shared: dict[str, Any] = {
            "dataset": self.dataset, "detector": detector, "epochs": self.epochs, "batch_size": self.batch_size,
            "size_px": self.size_px, "learning_rate": self.learning_rate, "frames_per_video": 1, "seed": self.seed,
            "precision": resolve_precision(self.precision, self.device), "device": self.device,
        }  # fmt: skip
        return TrainSettings(**shared | values)
