"""Notebook 04_evaluation: its settings, tables and figures.

Everything is computed from score tables. A split is scored once per run; scores in the run's folder are reused.
"""

import html
from functools import cached_property
from typing import Literal

import pandas as pd
from IPython.display import HTML
from pydantic import Field

from dfworkbench.core.errors import TableError
from dfworkbench.core.html import note_html, wrap
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.audit.audit import Audit
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.judging.by_protocol import ROW_ORDER, judge_by
from dfworkbench.evaluation.judging.calibration import Calibrator, fit_calibrator
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.evaluation.judging.protocol import Protocol, crop_profile, split_videos
from dfworkbench.evaluation.judging.robustness import Robustness, robustness
from dfworkbench.evaluation.judging.selection import Selection, selection_optimism
from dfworkbench.evaluation.metrics.compare import compare_detectors, drawn_metric
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Interval, Judging, Missing
from dfworkbench.evaluation.metrics.matrix import score_matrix
from dfworkbench.evaluation.score_audit.audit import AuditSettings, audit_scores
from dfworkbench.evaluation.score_audit.own_runs import wide_of_tables
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule
from dfworkbench.evaluation.scoring.heldout import score_split, stored_scores
from dfworkbench.notebook.atlas import FailureAtlas
from dfworkbench.notebook.audit_view import AuditExplorer
from dfworkbench.notebook.operating import OperatingPointExplorer, Tables
from dfworkbench.notebook.report.tables import p_text
from dfworkbench.notebook.views import metric_table
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.runs.layout import score_file
from dfworkbench.runs.run import Run
from dfworkbench.show.tables import ReadableTable

RANKING = ("auc", "partial_auc", "eer", "average_precision", "tpr_at_5_percent_fpr")
PROBABILITY = ("accuracy", "balanced_accuracy", "log_loss", "brier", "ece")
LEADERBOARD = ("auc", "eer", "average_precision")
AS_IT_IS, CALIBRATED = "as it is", "calibrated"


class EvaluationSettings(Settings):
    """What is evaluated, and how."""

    dataset: str = Field("demo", min_length=1, description="Extracted data set with validation and test splits.")
    runs: list[str] = Field([], description="Runs in checkpoints/ to judge; empty: the one last trained on this set.")
    rule: Rule = Field(DEFAULT_RULE, description="How the faces of a file become one number.")
    missing: Missing = Field("as_chance", description="What a file without score counts as.")
    unit: Literal["video", "group"] = Field(
        "video", description="What the bootstrap draws; group: people, with all their files, where there are many."
    )
    draws: int = Field(1000, ge=0, le=100_000, description="Resamplings for the intervals.")
    calibration: Literal["temperature", "platt", "isotonic"] = Field(
        "platt", description="Map of scores, fitted on validation."
    )
    false_alarm_rate: float = Field(0.2, ge=0, le=1, description="Share of reals that may be called fake.")
    miss_rate: float = Field(0.2, ge=0, le=1, description="Share of fakes that may be called real.")
    selection: bool = Field(True, description="Score every epoch on test data, to see what picking there would gain.")
    perturbations: list[str] = Field(
        ["jpeg", "blur", "noise", "resize"], description="Tested under these; jpeg>blur makes a chain; empty: left out."
    )
    levels: list[int] = Field([1, 3, 5], description="How strongly, 1 to 5.")
    perturbed_frames: int = Field(2, ge=1, le=1000, description="Faces per video that are perturbed.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of resampling and perturbations.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to score; auto takes a GPU if there is one."
    )

    @property
    def judging(self) -> Judging:
        """Evaluation settings shared by every figure of the notebook."""
        return Judging(rule=self.rule, missing=self.missing, unit=self.unit, draws=self.draws, seed=self.seed)

    def run_names(self) -> list[str]:
        """The runs, without duplicates."""
        return list(dict.fromkeys(self.runs)) or [Run.newest(dataset=self.dataset).name]


class Evaluation:
    """Evaluation of one or several runs. Every part is computed on first access.

    Args:
        settings: What is evaluated, and how.
        progress: Whether to show bars.
    """

    def __init__(self, settings: EvaluationSettings, *, progress: bool = True) -> None:
        self.settings, self.judging, self.progress = settings, settings.judging, progress
        self.names = settings.run_names()
        self.space = find_workspace()

    @cached_property
    def detectors(self) -> dict[str, LoadedDetector]:
        """Run -> detector at its best validation epoch, or with its imported weights."""
        return {name: load_detector(name, self.settings.device) for name in self.names}

    def run_table(self) -> ReadableTable:
        """The runs being evaluated."""
        rows = {}
        for name, loaded in self.detectors.items():
            epoch, data = loaded.metadata.get("epoch"), loaded.trained_on
            picked = f"epoch {epoch}, the best on validation" if _is_trained(loaded) else "imported weights"
            rows[name] = {
                "detector": loaded.name, "trained on": data or "not known", "weights": picked,
                "crops": crop_profile(loaded.input_spec),
            }  # fmt: skip
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("run"))

    @cached_property
    def audit(self) -> Audit:
        """Leakage audit of the data set: what is shared between splits."""
        return DataSet.open(self.settings.dataset, self.space).run_audit(progress=self.progress)

    @cached_property
    def protocol(self) -> Protocol:
        """The locked protocol, stored beside the tables of the data set."""
        how = self.judging.model_dump()
        locked = Protocol.of(self.settings.dataset, workspace=self.space, metrics=LEADERBOARD, **how)
        locked.save(self.space)
        return locked

    def protocol_table(self) -> ReadableTable:
        """Every field of the protocol, and its hash."""
        values = self.protocol.model_dump(mode="json")
        values["split_hash"] = f"{values['split_hash'][:24]}…"  # the file has all of it
        words = {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in values.items()}
        return ReadableTable(
            {"": words | {"SHA-256 of all this": f"{self.protocol.sha256[:24]}…", "id": self.protocol.id}}
        )

    @cached_property
    def tables(self) -> dict[str, Tables]:
        """Run -> its score tables of validation and test data."""
        return {
            name: Tables(*(self._scores(loaded, split) for split in ("val", "test")))
            for name, loaded in self.detectors.items()
        }

    @property
    def test(self) -> dict[str, pd.DataFrame]:
        """Run -> its score table of test data."""
        return {name: tables.test for name, tables in self.tables.items()}

    def _scores(self, loaded: LoadedDetector, split: str) -> pd.DataFrame:
        dataset = self.settings.dataset
        faces_time_ns = DataSet(dataset, self.space).faces_time_ns
        file = score_file(loaded.path, split, dataset)
        fresh = file.is_file() and 0 <= faces_time_ns < file.stat().st_mtime_ns
        stored = stored_scores(loaded.path, dataset, split, split_videos(dataset, split, self.space)) if fresh else None
        scores = score_split(loaded, dataset, split, self.space, progress=self.progress) if stored is None else stored
        return scores.sort_values(list(ROW_ORDER), ignore_index=True)  # as the leaderboard: same resamples

    def metrics(self, names: tuple[str, ...] = RANKING) -> ReadableTable:
        """Test metrics at frame and video level, one row per run and level."""
        parts = []
        for name, scores in self.test.items():
            found = evaluate(scores, ("frame", "video"), self.judging, metrics=names)
            parts.append(found.assign(level=found["level"] + (f", {name}" if len(self.names) > 1 else "")))
        return metric_table(pd.concat(parts, ignore_index=True))

    def curves(self) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Test scores for `plots.plot_roc`: one table without a name, or run -> table."""
        return self.test if len(self.names) > 1 else self.test[self.names[0]]

    def matrix(self) -> pd.DataFrame:
        """Video-level AUC per run and forgery kind, for `plots.plot_matrix`."""
        return score_matrix(self.test, self.judging)

    def atlas(self, run: str) -> FailureAtlas:
        """Worst errors of a run on test data, clustered by its own features if it has any."""
        loaded, data = self.detectors[run], DataSet.open(self.settings.dataset, self.space)
        by = loaded if hasattr(loaded.detector, "features") else None
        return FailureAtlas(run, self.test[run], data, by, seed=self.settings.seed, progress=self.progress)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        """Leaderboard of all runs under the protocol."""
        videos = split_videos(self.settings.dataset, "test", self.space)
        return Leaderboard(
            judge_by(
                self.protocol, self.test[name], videos, name=name, crop=crop_profile(loaded.input_spec),
                selected="validation" if _is_trained(loaded) else "only",
            )
            for name, loaded in self.detectors.items()
        )  # fmt: skip

    def differences(self) -> ReadableTable | HTML:
        """AUC differences of all pairs of runs on the files that both scored; a sentence if there is only one run."""
        if len(self.names) < 2:
            return HTML(
                wrap(f"One run, {html.escape(self.names[0])}: nothing to compare. Name several in the settings.")
            )
        found = compare_detectors(self.test, self.judging)
        rows = {
            f"{row.first} minus {row.second}": {
                "AUC difference": Interval(row.difference, row.low, row.high).text(),
                "p, bootstrap (Holm)": p_text(row.bootstrap_holm_p), "p, DeLong (Holm)": p_text(row.holm_p),
                "files": row.n, "": row.notes,
            }
            for row in found.itertuples()
        }  # fmt: skip
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("pair"))

    def score_audit(self) -> AuditExplorer | HTML:
        """Score audit of all runs together: what the figures above may hide; a sentence if there are too few test files."""
        try:
            table = wide_of_tables(self.test, self.settings.rule, title=f"test split of {self.settings.dataset}")
            return AuditExplorer(audit_scores(table, AuditSettings(seed=self.settings.seed)))
        except TableError as error:  # a test split with a single real file, say
            return HTML(wrap(note_html(str(error))))

    @cached_property
    def calibrators(self) -> dict[str, Calibrator]:
        """Run -> score calibrator, fitted on validation data at video level."""
        own = self.settings
        return {
            name: fit_calibrator(tables.val, own.calibration, rule=own.rule, leave_few=True)
            for name, tables in self.tables.items()
        }

    @cached_property
    def calibrated(self) -> dict[str, Tables]:
        """Run -> its calibrated tables, one row per video."""
        return {name: Tables(*map(self.calibrators[name].apply, tables)) for name, tables in self.tables.items()}

    def before_and_after(self, run: str = "") -> dict[str, pd.DataFrame]:
        """Test scores of a run (by default the first), raw and calibrated."""
        name = run or self.names[0]
        return {AS_IT_IS: self.test[name], CALIBRATED: self.calibrated[name].test}

    def calibration_table(self) -> ReadableTable:
        """Fitted calibrators, number of validation files, and their effect on test files."""
        rows = {}
        for name, fitted in self.calibrators.items():
            row: dict[str, str] = {
                "fitted on": f"{fitted.n_real} real and {fitted.n_fake} fake files of {'/'.join(fitted.splits)}"
            }
            for metric, words in (("log_loss", "log loss"), ("ece", "calibration error")):
                pair = [self._video_value(table, metric) for table in (self.test[name], self.calibrated[name].test)]
                row[f"{words} on test data"] = f"{pair[0]:.3f}, calibrated {pair[1]:.3f}"
            rows[name] = row | {"": fitted.note}
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis(self.settings.calibration))

    def _video_value(self, scores: pd.DataFrame, metric: str) -> float:
        return drawn_metric(metric, scores, self.judging.replace(draws=0), metric=metric)[0].value

    def explorer(self) -> OperatingPointExplorer:
        """Verdicts on test files, with sliders for the error rates required on validation files."""
        own = self.settings
        return OperatingPointExplorer(self.calibrated, own.false_alarm_rate, own.miss_rate, rule=own.rule)

    def selections(self) -> dict[str, Selection]:
        """Run -> honest versus optimistic epoch selection; imported weights have no epochs to select from."""
        own = self.settings
        trained = [name for name, loaded in self.detectors.items() if _is_trained(loaded)]
        return {
            name: selection_optimism(
                name, dataset=own.dataset, judging=self.judging, device=own.device, workspace=self.space,
                progress=self.progress,
            )
            for name in (trained if own.selection else [])
        }  # fmt: skip

    @cached_property
    def robustness(self) -> Robustness:
        """AUC of every run on test data under every perturbation."""
        own, data = self.settings, DataSet.open(self.settings.dataset, self.space)
        videos = split_videos(own.dataset, "test", self.space)
        parts = [
            robustness(
                loaded, data, videos, own.perturbations, levels=own.levels, frames=own.perturbed_frames, name=name,
                judging=self.judging, seed=own.seed, progress=self.progress,
            )
            for name, loaded in self.detectors.items()
        ]  # fmt: skip
        return Robustness(*(pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)))

    def area_table(self) -> ReadableTable:
        """Mean AUC over the strengths, and the first level at which a run is no longer shown to beat chance."""
        rows = [
            {
                "run": row.detector, "perturbation": row.perturbation,
                "area under AUC": Interval(row.area, row.area_low, row.area_high).text(),
                "breaks at level": "never" if pd.isna(row.broken_at) else f"{row.broken_at:.0f}", "": row.reason,
            }
            for row in self.robustness.summary.itertuples()
        ]  # fmt: skip
        columns = ["run", "perturbation", "area under AUC", "breaks at level", ""]
        table = pd.DataFrame(rows, columns=columns).set_index("run")
        return ReadableTable(table if table[""].any() else table.drop(columns=""))


def _is_trained(loaded: LoadedDetector) -> bool:
    return Run(loaded.path.parent).is_trained
