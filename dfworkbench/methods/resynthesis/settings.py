"""Settings of notebook 06_reconstruction_error, and the runs that follow from them."""

from typing import Any, Literal

from pydantic import Field

from dfworkbench.core.names import FAKE
from dfworkbench.core.settings import Settings
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.models import detector_options
from dfworkbench.models.devices import resolve_precision
from dfworkbench.synthetic import make_demo_pictures
from dfworkbench.training import TrainSettings

SUPER_RESOLUTION, PIXEL, STAGE5, JOINT, FUSED, PLAIN = (
    "super-resolution", "pixel", "stage 5", "pixel, joint", "fused", "plain"
)  # fmt: skip
OTHERS = "other generators"
DEMO_SET = "demo_pictures"
FIRST_STAGES = {STAGE5: "resynthesis_stage5", PIXEL: "resynthesis_pixel"}


class ReconstructionSettings(Settings):
    """What is trained on what, and what it is tested with."""

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
    vgg_weights: str = Field(
        "",
        description="ImageNet weights of VGG-19 for stage 5: imagenet, or a file; empty for random ones, only to try it.",
    )
    first_epochs: int = Field(60, ge=1, le=1000, description="Passes over the real pictures in stage 1.")
    epochs: int = Field(
        16, ge=1, le=1000, description="Passes over the pictures in stage 2, and of the plain detector."
    )
    joint_epochs: int = Field(2, ge=0, le=1000, description="Passes in stage 3, which trains both; 0 leaves it out.")
    task: Literal["none", "denoising", "colourisation"] = Field(
        "denoising", description="What stage 3 has to undo besides."
    )
    trial: bool = Field(
        False, description="Goes on with a re-synthesiser that has learned too little, to try things out; no evidence."
    )
    batch_size: int = Field(16, ge=2, le=4096, description="Pictures per step.")
    perturbations: list[str] = Field(
        ["noise", "blur", "jpeg", "crop", "grey"],
        description="What detectors are tested under; jpeg>blur makes a chain.",
    )
    levels: list[int] = Field([1, 3, 5], description="How strongly, 1 to 5.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Fixes weights, order and random changes.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "32-true",
        description="Numbers to train with; auto takes bf16 where the hardware has it, which can break stage 5 on CPUs with AMX.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def extract(self) -> str:
        """Take the pictures into the tables if that was not done; returns what there is, in words.

        The demo set is generated if it is not there.
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
        """What must be trained, in this order, with a title each; all detectors see the same windows and changes."""
        first = self._training(
            "rdn", epochs=self.first_epochs, balance="none", learning_rate=2e-3,
            detector_options=self._geometry(),
        )  # fmt: skip
        made = {SUPER_RESOLUTION: first}
        for title, detector in reversed(FIRST_STAGES.items()):
            made[title] = self._second(detector, {"resynthesiser": first.model_name}, random_features=title == STAGE5)
        if self.joint_epochs:
            made[JOINT] = self._second(
                FIRST_STAGES[PIXEL], {"joint": True, "task": self.task}, start_from=made[PIXEL].model_name,
                epochs=self.joint_epochs, learning_rate=1e-4,
            )  # fmt: skip
        whole = {"alignment": "whole", "crop_scale": 1.0}
        options = {name: value for name, value in whole.items() if name in detector_options(self.plain)}
        changes = {"colour_jitter": 0.0, "degrade": 0.0}
        return made | {
            PLAIN: self._training(self.plain, forgeries=[self.generator], detector_options=options, **changes)
        }

    def _second(
        self, detector: str, options: dict[str, Any], *, random_features: bool = False, **values: Any
    ) -> TrainSettings:
        """A detector of re-synthesis; `random_features` where it looks at features that may be random."""
        known = {"vgg_weights": self.vgg_weights} if random_features and self.vgg_weights else {}
        own = {**self._geometry(), "depth": self.depth, **known}
        if self.trial or (random_features and not self.vgg_weights):
            options = {**options, "allow_undertrained": True}
        return self._training(
            detector, forgeries=[self.generator], detector_options=own, method_options=options, **values
        )

    def _geometry(self) -> dict[str, Any]:
        return {"features": self.features, "blocks": self.blocks, "layers": self.layers}

    def _training(self, detector: str, **values: Any) -> TrainSettings:
        shared: dict[str, Any] = {
            "dataset": self.dataset, "detector": detector, "epochs": self.epochs, "batch_size": self.batch_size,
            "size_px": self.size_px, "learning_rate": 1e-3, "frames_per_video": 1, "seed": self.seed,
            "precision": resolve_precision(self.precision, self.device), "device": self.device,
        }  # fmt: skip
        return TrainSettings(**shared | values)
