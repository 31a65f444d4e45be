"""Notebook 07_identity_leakage: which detectors are compared, on what, and what is measured on them."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import Extracted
from dfworkbench.datasets.domain import dataset_root
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.facial_swap import FacialSwap, SwapKind, SwapSettings
from dfworkbench.evaluation.metrics.compare import compare_auc, drawn_metric, mean_auc
from dfworkbench.evaluation.metrics.interval import PEOPLE, Judging
from dfworkbench.evaluation.metrics.measures import Measure, measures_table
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.methods.caddm.found_boxes import FoundBoxes, centre_prior, find_boxes
from dfworkbench.methods.caddm.leakage import gap_measures, people_measures
from dfworkbench.models import build_detector, detector_options
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.show.tables import ReadableTable
from dfworkbench.training import TrainSettings, prepare
from dfworkbench.training.start import of_kinds, with_splits

PLAIN, CADDM, RANDOM = "plain", "CADDM", "random weights"
SEEN, UNSEEN = "trained kinds", "other kinds"


class LeakageSettings(Settings):
    """What is compared, on what."""

    dataset: str = Field("demo", min_length=1, description="Extracted data set to train on, with its genuine videos.")
    second: str = Field("demo_celebdf", description="Another extracted set, only for testing; empty for none.")
    second_layout: str = Field("celebdf", description="Folder layout of the second set, for extracting it.")
    kinds: list[str] = Field(
        ["Deepfakes", "Face2Face", "FaceSwap"],
        description="Forgery kinds to train on; the others are kept for testing.",
    )
    plain: str = Field("resnet34", description="Detector trained to tell real from fake and nothing else.")
    caddm: str = Field(
        "caddm_resnet34", description="Detector trained by CADDM; the same backbone makes a fair comparison."
    )
    seeds: int = Field(1, ge=1, le=20, description="Runs of each; three or more say something about chance.")
    epochs: int = Field(10, ge=1, le=1000, description="Passes over the training split.")
    frames_per_video: int = Field(
        8,
        ge=1,
        le=1000,
        description="Faces per video to train on; fewer than were extracted, others are kept for testing.",
    )
    batch_size: int = Field(16, ge=1, le=4096, description="Faces per step.")
    learning_rate: float = Field(3.6e-4, gt=0, le=1, description="Step size of AdamW, falling like a cosine.")
    changes: float = Field(
        0.3,
        ge=0,
        le=1,
        description="How often crops lose quality while training, for both; 1 is as published for CADDM.",
    )
    frames: int = Field(8, ge=1, le=1000, description="Faces per video that are scored.")
    runs: list[str] = Field([], description="Further runs in checkpoints/ to be measured beside the two.")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        "auto", description="Numbers to train with; auto takes bf16 where the hardware has it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute; auto takes a GPU if there is one."
    )

    def extract_second(self) -> str:
        """Extract the second set if that was not done; returns what there is, in words."""
        if not self.second:
            return "There is no second set."
        space = find_workspace()
        if not (space.labels / self.second / "videos.csv").is_file():
            extract(ExtractSettings(name=self.second, layout=self.second_layout))
        data = Extracted.read(self.second, space)
        fakes = int((data.videos["label"] == FAKE).sum())
        return f"{self.second}: {len(data.videos)} videos, {fakes} of them fake, {len(data.faces)} faces; only for testing."

    def training(self, role: str, seed: int) -> TrainSettings:
        """Settings of one training run: everything alike for both roles but the detector and its method."""
        detector = self.plain if role == PLAIN else self.caddm
        own = role == CADDM
        # the plain detector sees the same crops, if it can be fed with them
        alike = not own and "alignment" in detector_options(detector)
        precision = fast_precision(choose_device(self.device)) if self.precision == "auto" else self.precision
        return TrainSettings(
            dataset=self.dataset, detector=detector, kinds=self.kinds, seed=seed,
            detector_options=["alignment=five_points", "crop_scale=1.0"] if alike else [],
            method_options=[f"swap={json.dumps(self.swap())}"] if own or alike else [],
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate, weight_decay=4e-3,
            frames_per_video=self.frames_per_video, value_clip=2.0, precision=precision, device=self.device,
        )  # fmt: skip

    def swap(self) -> dict[str, Any]:
        """Settings of the facial swap; the plain detector gets its changes of crop and quality, without swaps."""
        return SwapSettings.weaker(self.changes)

    def trainings(self) -> list[tuple[str, TrainSettings]]:
        """What must be trained, with a title each."""
        roles = (PLAIN, CADDM)
        return [(f"{role}, seed {seed}", self.training(role, seed)) for seed in range(self.seeds) for role in roles]


class Run(NamedTuple):
    """A trained detector of the study, and what it was trained on."""

    name: str
    detector: LoadedDetector
    settings: TrainSettings | None


class Study:
    """The trained runs of a study, and what is measured on them.

    Args:
        settings: Of the study; its runs must be trained.
        progress: Whether to show bars.
    """

    def __init__(self, settings: LeakageSettings, *, progress: bool = True) -> None:
        self.settings, self.progress = settings, progress
        data = Extracted.read(settings.dataset)
        self._splits = data.workspace.labels / settings.dataset / "splits.csv"
        self.data = data._replace(videos=with_splits(data.videos, self._splits))  # what training goes by
        self.second = Extracted.read(settings.second) if settings.second else None
        self.runs = {role: [self._trained(role, seed) for seed in range(settings.seeds)] for role in (PLAIN, CADDM)}
        self.runs |= {name: [self._load(name)] for name in settings.runs}

    def _trained(self, role: str, seed: int) -> Run:
        training = self.settings.training(role, seed)
        return Run(training.model_name, load_detector(training.model_name, self.settings.device), training)

    def _load(self, name: str) -> Run:
        loaded = load_detector(name, self.settings.device)
        record = loaded.metadata.get("provenance", {})
        settings = TrainSettings(**record["settings"]) if record.get("settings") else None
        same_data = settings is not None and settings.dataset == self.data.name
        if same_data and record.get("splits") != file_hash(self._splits):
            raise ParameterError(
                f"measuring the run {name!r} beside the others: it was trained with other splits of {self.data.name!r}, so it may "
                "have seen the people of the test split. Train it again, or leave it out of runs."
            )
        return Run(name, loaded, settings)

    def _untrained(self) -> LoadedDetector:
        training = self.settings.training(PLAIN, 0)
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            detector = build_detector(training.detector, **training.build_options())
        device = choose_device(self.settings.device)
        return LoadedDetector(detector.to(device).eval(), training.detector, detector.input_spec, {}, Path(RANDOM))

    @cached_property
    def scores(self) -> dict[str, list[dict[str, pd.DataFrame]]]:
        """Detector -> for each seed the score tables of all conditions."""
        return {name: [self._conditions(run) for run in runs] for name, runs in self.runs.items()}

    def _conditions(self, run: Run) -> dict[str, pd.DataFrame]:
        """Score tables of people that the run was not trained on: its own forgery kinds, other ones, the second set."""
        videos = self.data.videos
        table = self._score(run.detector, self.data, videos[videos["split"] == "test"])
        trained = table["method"].isin(self._kinds(run))
        tables = {SEEN: table[(table["label"] == REAL) | trained], UNSEEN: table[~trained]}
        tables = {name: table for name, table in tables.items() if (table["label"] == FAKE).any()}
        second = self.second
        if second is not None and not (run.settings and run.settings.dataset == second.name):
            tables[second.name] = self._score(run.detector, second, second.videos)
        return tables

    def _kinds(self, run: Run) -> list[str]:
        """The forgery kinds that a run was trained on; of a run that does not say, those of the study."""
        own = run.settings.kinds if run.settings and run.settings.dataset == self.data.name else self.settings.kinds
        fakes = self.data.videos["label"] == FAKE
        return own or sorted(self.data.videos["method"][fakes].unique())

    def _score(self, detector: LoadedDetector, data: Extracted, videos: pd.DataFrame) -> pd.DataFrame:
        samples = data.samples(detector, videos, self.settings.frames)
        return score_rows(detector, samples, videos=videos, progress=self.progress)

    def results(self) -> pd.DataFrame:
        """AUC of every detector, condition and seed, for `plot_comparison`; the interval is that of the mean over seeds."""
        rows = []
        for name, seeds in self.scores.items():
            for mean in self._means(seeds):
                for seed, tables in enumerate(seeds):
                    value = drawn_metric(mean.name, tables[mean.name], Judging(draws=0))[0].value
                    known = {"detector": name, "condition": mean.name, "seed": seed, "value": value}
                    rows.append({**known, "low": mean.low, "high": mean.high})
        return pd.DataFrame(rows)

    def auc_table(self) -> ReadableTable:
        """Mean AUC over seeds with intervals over people, and the paired difference of the two main detectors."""
        columns = {name: self._means(seeds) for name, seeds in self.scores.items()}
        columns[f"{CADDM} minus {PLAIN}"] = [
            compare_auc(
                condition, *([seed[condition] for seed in self.scores[name]] for name in (CADDM, PLAIN)), judging=PEOPLE
            )
            for condition in self.scores[PLAIN][0]
        ]
        table = measures_table(columns, digits=3).drop(columns="chance")
        return ReadableTable(table.rename_axis(f"video AUC, {self.settings.seeds} seed(s)"))

    def _means(self, seeds: list[dict[str, pd.DataFrame]]) -> list[Measure]:
        return [mean_auc(condition, [tables[condition] for tables in seeds], PEOPLE)[0] for condition in seeds[0]]

    @cached_property
    def measures(self) -> dict[str, list[Measure]]:
        """Detector (of several seeds the first) -> identity probes, retrieval, gap between seen and unseen people."""
        found = {RANDOM: self._people(self._untrained())}
        for name, (run, *_) in self.runs.items():
            found[name] = self._people(run.detector) + self._gap(run)
        return found

    def _people(self, detector: LoadedDetector) -> list[Measure]:
        return people_measures(detector, self.data, self.second, frames=self.settings.frames, progress=self.progress)

    def _gap(self, run: Run) -> list[Measure]:
        training = run.settings
        if training is None or training.dataset != self.data.name:
            return []  # it has seen other people, or nobody knows whom
        return gap_measures(
            run.detector, self.data, kinds=self._kinds(run), trained_on=self._trained_on(run, training),
            frames=self.settings.frames, progress=self.progress,
        )  # fmt: skip

    def _trained_on(self, run: Run, training: TrainSettings) -> set[str]:
        videos = of_kinds(self.data.videos, training.kinds)
        samples = FaceDataset(
            self.data.faces, videos[videos["split"] == "train"], run.detector.input_spec, self.data.workspace.extracted,
            frames_per_video=training.frames_per_video, tracks=training.tracks,
            root=dataset_root(self.data.workspace.labels / self.data.name),
            transform=FacialSwap() if training.method_name == "caddm" else None,  # it sees genuine frames of fakes too
        )  # fmt: skip
        return set(samples.used_faces())

    def boxes(self) -> FoundBoxes:
        """What CADDM (seed 0) points at in fakes of people it has never seen."""
        videos = self.data.videos
        return find_boxes(self.runs[CADDM][0].detector, self.data, videos[videos["split"] == "test"])

    def box_measures(self, found: FoundBoxes) -> dict[str, list[Measure]]:
        """How well the boxes meet the true masks; the centre prior is that of the kinds and people trained on.

        Empty where the data set has no masks.
        """
        if not found.has_masks:
            return {}
        run = self.runs[CADDM][0]
        videos = of_kinds(self.data.videos, self._kinds(run))
        return found.measures(centre_prior(run.detector, self.data, videos[videos["split"] == "train"]))


class SwapSamples(NamedTuple):
    """Samples of the facial swap, for `plot_swaps`: pictures, masks, windows, and what was done."""

    images: list[NDArray[np.uint8]]
    masks: list[NDArray[np.uint8]]
    windows: list[NDArray[np.float32]]
    kinds: list[str]


def swap_samples(settings: LeakageSettings, count: int = 18) -> SwapSamples:
    """Training samples as the CADDM detector gets them: as many of each kind of swap as possible, drawn by seed."""
    data = prepare(settings.training(CADDM, 0)).train
    data.transform = FacialSwap(SwapSettings(**settings.swap()), with_masks=True)
    rows = np.random.default_rng(0).permutation(len(data))[: 12 * count]
    items = [data[int(row)] for row in rows]
    kinds = pd.Series([item["swap"] for item in items])
    place = kinds.groupby(kinds).cumcount()
    chosen = sorted((items[i] for i in place.sort_values(kind="stable").index[:count]), key=lambda item: item["swap"])
    return SwapSamples(
        [item["images"].movedim(0, -1).numpy() for item in chosen],
        [item["mask"] for item in chosen],
        [item["window"] for item in chosen],
        [SwapKind(item["swap"]).name.lower().replace("_", " ") for item in chosen],
    )
