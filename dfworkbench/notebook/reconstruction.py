"""Notebook 06_reconstruction_error: which detectors are trained on which generator, and what is measured on the others."""

from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.analysis.comparison import drawn_auc
from dfworkbench.analysis.extracted import Extracted, pick
from dfworkbench.analysis.measures import Measure, measures_table
from dfworkbench.analysis.reconstruction import (
    PictureErrors,
    compare_kinds,
    picture_errors,
    reconstruction_errors,
    resynthesised,
)
from dfworkbench.analysis.robustness import Robustness, frank_protocol, robustness
from dfworkbench.analysis.spectra import mean_spectra
from dfworkbench.checkpoints import LoadedDetector, load_detector
from dfworkbench.evaluation.scoring import score_rows
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.models import build_detector, detector_options
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.models.modes import device_of
from dfworkbench.models.resynthesis import stage_name
from dfworkbench.names import FAKE, REAL
from dfworkbench.notebook.tables import ReadableTable
from dfworkbench.settings import Settings
from dfworkbench.synthetic import make_demo_pictures
from dfworkbench.training import TrainSettings
from dfworkbench.training.start import with_splits
from dfworkbench.workspace import find_workspace

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
        "auto", description="Numbers to train with; auto takes bf16 where the hardware has it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def extract(self) -> str:
        """Take the pictures into the tables if that was not done; returns what there is, in words.

        The demo set is generated if it is not there.
        """
        space = find_workspace()
        if not (space.labels / self.dataset / "videos.csv").is_file():
            made = space.data / DEMO_SET
            if self.dataset == DEMO_SET and not (made / "manifest.json").is_file():
                make_demo_pictures(made)
            extract(ExtractSettings(name=self.dataset, layout="generated_images", whole=True))
        data = Extracted.read(self.dataset, space)
        counts = data.videos["method"].where(data.videos["label"] == FAKE, "real").value_counts(sort=False)
        return f"{self.dataset}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items())

    def trainings(self) -> dict[str, TrainSettings]:
        """What must be trained, in this order, with a title each; all detectors see the same windows and changes."""
        first = self._training(
            "rdn", epochs=self.first_epochs, balance="none", learning_rate=2e-3,
            detector_options=self._geometry(),
        )  # fmt: skip
        made = {SUPER_RESOLUTION: first}
        for title, detector in reversed(FIRST_STAGES.items()):
            made[title] = self._second(detector, f"resynthesiser={first.model_name}", trial=title == STAGE5)
        if self.joint_epochs:
            made[JOINT] = self._second(
                FIRST_STAGES[PIXEL], "joint=true", f"task={self.task}", start_from=made[PIXEL].model_name,
                epochs=self.joint_epochs, learning_rate=1e-4,
            )  # fmt: skip
        whole = {"alignment": "whole", "crop_scale": 1.0}
        options = [f"{name}={value}" for name, value in whole.items() if name in detector_options(self.plain)]
        changes = {"colour_jitter": 0.0, "degrade": 0.0}
        return made | {PLAIN: self._training(self.plain, kinds=[self.generator], detector_options=options, **changes)}

    def _second(self, detector: str, *options: str, trial: bool = False, **values: Any) -> TrainSettings:
        """A detector of re-synthesis; `trial` where it looks at features that may be random."""
        known = {"vgg_weights": self.vgg_weights} if trial and self.vgg_weights else {}
        own = [*self._geometry(), f"depth={self.depth}", *(f"{name}={value}" for name, value in known.items())]
        if self.trial or (trial and not self.vgg_weights):
            options = (*options, "trial=true")
        return self._training(
            detector, kinds=[self.generator], detector_options=own, method_options=list(options), **values
        )

    def _geometry(self) -> list[str]:
        return [f"features={self.features}", f"blocks={self.blocks}", f"layers={self.layers}"]

    def _training(self, detector: str, **values: Any) -> TrainSettings:
        precision = fast_precision(choose_device(self.device)) if self.precision == "auto" else self.precision
        shared: dict[str, Any] = {
            "dataset": self.dataset, "detector": detector, "epochs": self.epochs, "batch_size": self.batch_size,
            "size_px": self.size_px, "learning_rate": 1e-3, "frames_per_video": 1, "seed": self.seed,
            "precision": precision, "device": self.device,
        }  # fmt: skip
        return TrainSettings(**shared | values)


class Study:
    """The trained runs, and what is measured on pictures of people and generators that they have not seen.

    Args:
        settings: Of the study; its runs must be trained.
        progress: Whether to show bars.
    """

    def __init__(self, settings: ReconstructionSettings, *, progress: bool = True) -> None:
        self.settings, self.progress = settings, progress
        data = Extracted.read(settings.dataset)
        self.data = data._replace(videos=with_splits(data.videos, data.workspace.labels / data.name / "splits.csv"))
        self.test = self.data.videos[self.data.videos["split"] == "test"]
        trainings = settings.trainings()
        del trainings[SUPER_RESOLUTION]
        self.detectors = {title: load_detector(run.model_name, settings.device) for title, run in trainings.items()}
        self.detectors[FUSED] = fuse(self.detectors[PIXEL], self.detectors[STAGE5])

    # -- errors --------------------------------------------------------------------------------------------------------

    @cached_property
    def errors(self) -> PictureErrors:
        """Mean errors and spectra of all test pictures, at pixel level and stage 5."""
        samples = self.data.samples(self.detectors[FUSED], self.test, 1)
        return picture_errors(self.detectors[FUSED], samples, progress=self.progress)

    def spectra(self) -> dict[str, pd.DataFrame]:
        """Mean spectra of the pictures and of their errors at pixel level, for `plot_error_spectra`."""
        rows = self.errors.rows
        shown = {"picture": "pictures", stage_name(0): "their errors"}
        return {
            title: mean_spectra(self.errors.spectra[name], rows["kind"], rows["group"]) for name, title in shown.items()
        }

    def residual_table(self, column: str = "residual_pixel") -> pd.DataFrame:
        """How well the mean error alone tells real from generated, without any classifier."""
        return compare_kinds(self.errors.rows, column)

    def examples(self, count: int = 5) -> dict[str, Any]:
        """Pictures with their re-syntheses and error maps, for `plot_reconstructions`; drawn by seed, one of each kind first."""
        rows = self.errors.rows
        chosen = pick(rows, count)
        samples = self.data.samples(self.detectors[FUSED], self.test, 1)
        images = np.stack([samples[row]["images"].numpy() for row in chosen])
        maps = reconstruction_errors(self.detectors[FUSED], images, stages=range(6) if self._all_stages() else None)
        return {
            "images": _pictures(images), "resynthesised": _pictures(resynthesised(self.detectors[FUSED], images)),
            "errors": {stage_name(stage): values for stage, values in maps.items()},
            "titles": rows["kind"].iloc[chosen].tolist(),
        }  # fmt: skip

    def _all_stages(self) -> bool:
        vgg: Any = self.detectors[FUSED].detector.vgg
        return vgg is not None and vgg.stages == 5

    # -- scores --------------------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> dict[str, pd.DataFrame]:
        """Detector -> score table of the test split."""
        return {
            name: score_rows(model, self.data.samples(model, self.test, 1), videos=self.test, progress=self.progress)
            for name, model in self.detectors.items()
        }

    def auc_table(self) -> ReadableTable:
        """AUC on new people: the generator that was trained on, each other one, and those together."""
        generators = sorted(set(self.test["method"][self.test["label"] == FAKE]), key=lambda g: g != self._trained)
        kinds = {f"{g} (trained on)" if g == self._trained else g: [g] for g in generators}
        kinds[OTHERS] = [g for g in generators if g != self._trained]
        found = {
            name: [self._auc(condition, table, wanted) for condition, wanted in kinds.items() if wanted]
            for name, table in self.scores.items()
        }
        table = measures_table(found, digits=3).drop(columns="chance")
        return ReadableTable(table.rename_axis("AUC, unperturbed pictures"))

    @property
    def _trained(self) -> str:
        return self.settings.generator

    def _auc(self, name: str, table: pd.DataFrame, generators: list[str]) -> Measure:
        return drawn_auc(name, table[(table["label"] == REAL) | table["method"].isin(generators)])[0]

    @cached_property
    def robustness(self) -> Robustness:
        """AUC of every detector against real pictures and the other generators, under every perturbation."""
        own = self.settings
        parts = [
            robustness(model, self.data, self._without_trained, own.perturbations, levels=own.levels, name=name)
            for name, model in self.detectors.items()
        ]
        return Robustness(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))

    def perturbed_table(self) -> ReadableTable:
        """The same as text, at the middle one of the levels."""
        curves, levels = self.robustness.curves, sorted(self.settings.levels)
        clean = curves[curves["level"] == 0].drop_duplicates("detector")
        rows = curves[curves["level"] == levels[len(levels) // 2]]
        rows = pd.concat([clean.assign(perturbation="unperturbed", strength=""), rows])
        return ReadableTable(_wide(_with_cells(rows, rows["perturbation"] + " " + rows["strength"]), f"AUC, {OTHERS}"))

    def area_table(self) -> ReadableTable:
        """Mean AUC over the strengths, and the first level, if any, from which a detector is not shown to know anything."""
        rows = self.robustness.summary
        broken = rows["broken_at"].map(lambda level: "" if np.isnan(level) else f", breaks at {level:.0f}")
        cells = [f"{row.area:.3f} [{row.area_low:.3f}, {row.area_high:.3f}]" for row in rows.itertuples()]
        return ReadableTable(_wide(rows.assign(name=rows["perturbation"], cell=cells + broken), "area under AUC"))

    def frank_table(self) -> ReadableTable:
        """Under the random perturbations of Frank et al. 2020, each with probability 0.5."""
        parts = [
            frank_protocol(model, self.data, self._without_trained, name=name) for name, model in self.detectors.items()
        ]
        rows = pd.concat(parts, ignore_index=True)
        return ReadableTable(_wide(_with_cells(rows, rows["condition"]), f"AUC, {OTHERS}"))

    @property
    def _without_trained(self) -> pd.DataFrame:
        """Real test pictures and those of generators that were not trained on; of all, if there is no other one."""
        others = self.test[self.test["method"] != self._trained]
        return others if (others["label"] == FAKE).any() else self.test


def fuse(pixel: LoadedDetector, stage5: LoadedDetector) -> LoadedDetector:
    """The two as one detector that makes one re-synthesis for both and averages their fake probabilities."""
    options = {**stage5.metadata["options"]}
    joined: Any = build_detector("resynthesis_fused", **options)
    state = {**stage5.detector.state_dict(), **pixel.detector.state_dict()}
    joined.load_state_dict(state)
    device = device_of(stage5.detector)
    return LoadedDetector(
        joined.to(device).eval(), "resynthesis_fused", joined.input_spec, {"options": options}, pixel.path
    )


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(images, 1, -1)


def _with_cells(rows: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    cells = [f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" for row in rows.itertuples()]
    return rows.assign(name=names, cell=cells)


def _wide(rows: pd.DataFrame, title: str) -> pd.DataFrame:
    """A row per `name`, a column per detector, both in order of first appearance."""
    table = rows.pivot(index="name", columns="detector", values="cell")
    return table.loc[rows["name"].unique(), rows["detector"].unique()].rename_axis(title).rename_axis(None, axis=1)
