"""Study of notebook 06_reconstruction_error: re-synthesis detectors on unseen people and generators."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.rows import pick
from dfworkbench.evaluation.judging.robustness import (
    Robustness,
    frank_auc,
    frank_scores,
    robustness,
    robustness_of,
)
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.interval import PEOPLE, Interval, Judging
from dfworkbench.evaluation.metrics.measures import Measure, measures_table
from dfworkbench.evaluation.scoring.ensemble import mean_scores
from dfworkbench.explain import study
from dfworkbench.methods.resynthesis.network import Resynthesis, stage_name
from dfworkbench.methods.resynthesis.reconstruction import (
    PictureErrors,
    compare_kinds,
    picture_errors,
    reconstruction_errors,
    resynthesised,
)
from dfworkbench.methods.resynthesis.settings import (
    FUSED,
    OTHERS,
    PIXEL,
    SUPER_RESOLUTION,
    ReconstructionSettings,
)
from dfworkbench.methods.resynthesis.spectra import mean_spectra
from dfworkbench.models.empty import empty_weights
from dfworkbench.models.modes import device_of
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.show.tables import ReadableTable


class Study(study.Study[ReconstructionSettings]):
    """The trained runs, and measurements on pictures of people and generators they have not seen.

    Attributes:
        detectors: Title -> detector: those in the settings, plus the fused one if there is a classifier of pixel errors.
        main: The one whose re-synthesis and errors are shown: the fused one, or that of features.
    """

    def __init__(
        self, settings: ReconstructionSettings, workspace: Workspace | None = None, *, progress: bool = True
    ) -> None:
        super().__init__(settings, workspace, progress=progress)
        trainings = settings.trainings()
        del trainings[SUPER_RESOLUTION]
        self.detectors = {title: self.load(training.model_name) for title, training in trainings.items()}
        self.main = self.detectors[settings.stage_title]
        if PIXEL in self.detectors:
            self.main = self.detectors[FUSED] = fuse(self.detectors[PIXEL], self.main)

    # -- errors --------------------------------------------------------------------------------------------------------

    @cached_property
    def errors(self) -> PictureErrors:
        """Mean errors and spectra of all test pictures, at pixel level and at the compared stage."""
        return picture_errors(self.main, self._samples(), (0, self.settings.stage), progress=self.progress)

    def _samples(self) -> FaceDataset:
        return self.data.samples(self.main.input_spec, self.test, 1)

    def spectra(self) -> dict[str, pd.DataFrame]:
        """Mean spectra of the pictures and of their pixel-level errors, for `plot_error_spectra`."""
        rows = self.errors.rows
        shown = {"picture": "pictures", stage_name(0): "their errors"}
        return {
            title: mean_spectra(self.errors.spectra[name], rows["kind"], rows["group"]) for name, title in shown.items()
        }

    def residual_table(self, column: str = "residual_pixel") -> pd.DataFrame:
        """How well the mean error alone separates real from generated, without any classifier."""
        return compare_kinds(self.errors.rows, column)

    def examples(self, count: int = 5) -> dict[str, Any]:
        """Pictures with their re-syntheses and error maps, for `plot_reconstructions`; selected by seed, one of each kind first."""
        rows = self.errors.rows
        chosen = pick(rows, count)
        samples = self._samples()
        images = np.stack([samples[row]["images"].numpy() for row in chosen])
        maps = reconstruction_errors(self.main, images, stages=self._stages())
        return {
            "images": _pictures(images), "resynthesised": _pictures(resynthesised(self.main, images)),
            "errors": {stage_name(stage): values for stage, values in maps.items()},
            "titles": rows["kind"].iloc[chosen].tolist(),
        }  # fmt: skip

    @property
    def stage_column(self) -> str:
        """The column of `errors` with the mean errors at the compared stage."""
        return f"residual_{stage_name(self.settings.stage)}"

    def _stages(self) -> range:
        """Pixels and all stages that can be compared."""
        shown: Any = self.main.detector
        return range(1 + shown.taps.stages)

    # -- scores --------------------------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> dict[str, pd.DataFrame]:
        """Detector -> score table of the test split."""
        return self._of_each(lambda name: self.score(self.detectors[name], 1))

    def _of_each(self, scored: Callable[[str], pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """Scores of every detector; those of the fused one are derived from the two it averages, not recomputed."""
        tables = {name: scored(name) for name in self.detectors if name != FUSED}
        if PIXEL not in tables:
            return tables
        return tables | {FUSED: mean_scores(tables[PIXEL], tables[self.settings.stage_title])}

    def auc_table(self) -> ReadableTable:
        """AUC on unseen people: for the training generator, for each other one, and for all others together."""
        generators = sorted(set(self.test["forgery"][self.test["label"] == FAKE]), key=lambda g: g != self._trained)
        kinds = {f"{g} (trained on)" if g == self._trained else g: [g] for g in generators}
        kinds[OTHERS] = self._others()
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
        return drawn_metric(name, table[(table["label"] == REAL) | table["forgery"].isin(generators)], PEOPLE)[0]

    @cached_property
    def robustness(self) -> Robustness:
        """AUC of every detector on real pictures and those of `tested`, under every perturbation."""
        own = self.settings
        tables = self._of_each(
            lambda name: (
                robustness(
                    self.detectors[name], self.data, self._perturbed, own.perturbations, levels=own.levels,
                    judging=Judging(draws=0), clean=self._clean(name), progress=self.progress,
                ).scores
            )
        )  # fmt: skip
        parts = [robustness_of(table, name, PEOPLE) for name, table in tables.items()]
        return Robustness(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))

    def perturbed_table(self) -> ReadableTable:
        """The same as text, at the middle level."""
        curves, levels = self.robustness.curves, sorted(self.settings.levels)
        clean = curves[curves["level"] == 0].drop_duplicates("detector")
        rows = curves[curves["level"] == levels[len(levels) // 2]]
        rows = pd.concat([clean.assign(perturbation="unperturbed", strength=""), rows])
        return ReadableTable(
            _wide(_with_cells(rows, rows["perturbation"] + " " + rows["strength"]), f"AUC, {self.tested}")
        )

    def area_table(self) -> ReadableTable:
        """Mean AUC over the strengths, and the first level, if any, at which a detector is no longer shown to beat chance."""
        rows = self.robustness.summary
        broken = rows["broken_at"].map(lambda level: "" if np.isnan(level) else f", breaks at {level:.0f}")
        cells = [Interval(row.area, row.area_low, row.area_high).text() for row in rows.itertuples()]
        return ReadableTable(_wide(rows.assign(name=rows["perturbation"], cell=cells + broken), "area under AUC"))

    def frank_table(self) -> ReadableTable:
        """Under the random perturbations of Frank et al. 2020, each with probability 0.5, if requested in the settings."""
        if not self.settings.random_perturbations:
            words = "left out; random_perturbations = true, or the preset thorough, measures it"
            return ReadableTable(pd.DataFrame({"": [words]}, index=pd.Index(["random perturbations"])))
        tables = self._of_each(
            lambda name: frank_scores(
                self.detectors[name], self.data, self._perturbed, clean=self._clean(name), progress=self.progress
            )
        )
        rows = pd.concat([frank_auc(table, name, PEOPLE) for name, table in tables.items()], ignore_index=True)
        return ReadableTable(_wide(_with_cells(rows, rows["condition"]), f"AUC, {self.tested}"))

    def _clean(self, name: str) -> pd.DataFrame:
        """A detector's scores of the unperturbed pictures that are to be perturbed."""
        table = self.scores[name]
        return table[table["video_id"].isin(self._perturbed["video_id"]) & (table["status"] == STATUS_OK)]

    @property
    def tested(self) -> str:
        """Kinds perturbed beside the real pictures: other generators, or the training one if there is no other."""
        return OTHERS if self._others() else f"{self._trained} (trained on)"

    def _others(self) -> list[str]:
        return sorted(set(self.test["forgery"][self.test["label"] == FAKE]) - {self._trained})

    @property
    def _perturbed(self) -> pd.DataFrame:
        """Real test pictures, and those of `tested`."""
        wanted = self._others() or [self._trained]
        return self.test[(self.test["label"] == REAL) | self.test["forgery"].isin(wanted)]


def fuse(pixel: LoadedDetector, stage: LoadedDetector) -> LoadedDetector:
    """Combine two detectors into one that re-synthesises once and averages their fake probabilities.

    Args:
        pixel: Detector of pixel errors.
        stage: Detector of feature errors at a stage, with the same re-synthesiser.
    """
    options = {**stage.metadata["options"]}
    stages: Any = stage.detector.stages
    with empty_weights():
        joined = Resynthesis((0, *stages), **{name: value for name, value in options.items() if name != "vgg_weights"})
    joined.load_state_dict({**stage.detector.state_dict(), **pixel.detector.state_dict()})
    device = device_of(stage.detector)
    return LoadedDetector(
        joined.to(device).eval(), "resynthesis_fused", joined.input_spec, {"options": options}, pixel.path
    )


def _pictures(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(images, 1, -1)


def _with_cells(rows: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    cells = [Interval(row.value, row.low, row.high).text() for row in rows.itertuples()]
    return rows.assign(name=names, cell=cells)


def _wide(rows: pd.DataFrame, title: str) -> pd.DataFrame:
    """One row per `name`, one column per detector, both in order of first appearance."""
    table = rows.pivot(index="name", columns="detector", values="cell")
    return table.loc[rows["name"].unique(), rows["detector"].unique()].rename_axis(title).rename_axis(None, axis=1)
