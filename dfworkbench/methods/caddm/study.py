"""Study of notebook 07_identity_leakage: CADDM beside a plain detector, and how much both know about people."""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.facial_swap import FacialSwap, SwapKind, SwapSettings
from dfworkbench.evaluation.metrics.compare import compare_auc, drawn_metric, mean_auc
from dfworkbench.evaluation.metrics.interval import PEOPLE, Judging
from dfworkbench.evaluation.metrics.measures import Measure, measures_table
from dfworkbench.explain import study
from dfworkbench.methods.caddm.found_boxes import FoundBoxes, centre_prior, find_boxes
from dfworkbench.methods.caddm.leakage import gap_measures, people_measures
from dfworkbench.methods.caddm.settings import CADDM, PLAIN, LeakageSettings
from dfworkbench.models import build_detector
from dfworkbench.models.devices import choose_device
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.show.tables import ReadableTable
from dfworkbench.training import TrainSettings, prepare
from dfworkbench.training.start import of_kinds

RANDOM = "random weights"


class StudyRun(NamedTuple):
    """A trained detector of the study, and what it was trained on."""

    name: str
    detector: LoadedDetector
    settings: TrainSettings | None


class Study(study.Study[LeakageSettings]):
    """The trained runs, and how much they know about people."""

    def __init__(self, settings: LeakageSettings, workspace: Workspace | None = None, *, progress: bool = True) -> None:
        super().__init__(settings, workspace, progress=progress)
        self.second = DataSet.open(settings.second, self.workspace) if settings.second else None
        self.runs = {role: [self._trained(role, seed) for seed in range(settings.seeds)] for role in (PLAIN, CADDM)}
        self.runs |= {name: [self._other(name)] for name in settings.runs}

    def _trained(self, role: str, seed: int) -> StudyRun:
        training = self.settings.training(role, seed)
        return StudyRun(training.model_name, self.load(training.model_name), training)

    def _other(self, name: str) -> StudyRun:
        loaded = self.load(name)
        record = loaded.metadata.get("provenance", {})
        settings = TrainSettings(**record["settings"]) if record.get("settings") else None
        same_data = settings is not None and settings.dataset == self.data.name
        if same_data and record.get("splits") != self.data.splits_hash:
            raise ParameterError(
                f"measuring the run {name!r} beside the others: it was trained with other splits of {self.data.name!r}, so it may "
                "have seen the people of the test split. Train it again, or leave it out of runs."
            )
        return StudyRun(name, loaded, settings)

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

    def _conditions(self, run: StudyRun) -> dict[str, pd.DataFrame]:
        """Score tables of people not used for training: trained forgery kinds, other kinds, the second set."""
        trained_on_it = self.second and run.settings and run.settings.dataset == self.second.name
        return self.conditions(
            run.detector, self._kinds(run), self.settings.frames, None if trained_on_it else self.second
        )

    def _kinds(self, run: StudyRun) -> list[str]:
        """The forgery kinds that a run was trained on; for a run that does not say, those of the study."""
        own = (
            run.settings.forgeries
            if run.settings and run.settings.dataset == self.data.name
            else self.settings.forgeries
        )
        fakes = self.data.videos["label"] == FAKE
        return own or sorted(self.data.videos["forgery"][fakes].unique())

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
        """Detector (the first seed, if several) -> identity probes, retrieval, gap between seen and unseen people."""
        found = {RANDOM: self._people(self._untrained())}
        for name, (run, *_) in self.runs.items():
            found[name] = self._people(run.detector) + self._gap(run, self.scores[name][0].get(study.SEEN))
        return found

    def _people(self, detector: LoadedDetector) -> list[Measure]:
        return people_measures(detector, self.data, self.second, frames=self.settings.frames, progress=self.progress)

    def _gap(self, run: StudyRun, unseen: pd.DataFrame | None) -> list[Measure]:
        training = run.settings
        if training is None or training.dataset != self.data.name or unseen is None:
            return []  # it was trained on other or unknown people, or there is nothing to compare with
        return gap_measures(
            run.detector, self.data, unseen, kinds=self._kinds(run), trained_on=self._trained_on(run, training),
            frames=self.settings.frames, progress=self.progress,
        )  # fmt: skip

    def _trained_on(self, run: StudyRun, training: TrainSettings) -> set[str]:
        videos = of_kinds(self.data.videos, training.forgeries)
        samples = self.data.samples(
            run.detector.input_spec, videos[videos["split"] == "train"], training.frames_per_video, tracks=training.tracks,
            transform=FacialSwap() if training.method_name == "caddm" else None,  # it sees genuine frames of fakes too
        )  # fmt: skip
        return set(samples.used_faces())

    def boxes(self) -> FoundBoxes:
        """Boxes that CADDM (seed 0) predicts in fakes of unseen people."""
        return find_boxes(self.runs[CADDM][0].detector, self.data, self.test)

    def box_measures(self, found: FoundBoxes) -> dict[str, list[Measure]]:
        """How well the boxes match the true masks; the centre prior is that of the kinds and people used for training.

        Empty if the data set has no masks.
        """
        if not found.has_masks:
            return {}
        run = self.runs[CADDM][0]
        videos = of_kinds(self.data.videos, self._kinds(run))
        return found.measures(centre_prior(run.detector, self.data, videos[videos["split"] == "train"]))


class SwapSamples(NamedTuple):
    """Samples of the facial swap, for `plot_swaps`: pictures, masks, windows, and swap kinds."""

    images: list[NDArray[np.uint8]]
    masks: list[NDArray[np.uint8]]
    windows: list[NDArray[np.float32]]
    kinds: list[str]


def swap_samples(settings: LeakageSettings, count: int = 18) -> SwapSamples:
    """Training samples as the CADDM detector gets them: spread evenly over the kinds of swap, selected by seed."""
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
