"""Notebook 09_benchmark: settings, and tables that compare runs. Everything is computed from score tables."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, field_validator

from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.evaluation.judging.by_protocol import judge_by
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.evaluation.judging.protocol import Protocol, split_videos
from dfworkbench.evaluation.metrics.compare import compare_detectors
from dfworkbench.evaluation.metrics.evaluate import evaluate_seeds
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.metrics.matrix import score_matrix
from dfworkbench.notebook.pickers import CHOICES
from dfworkbench.notebook.report.runs import LeftOut, ReportRun, by_label, read_runs, run_names
from dfworkbench.notebook.sweep import DONE, short_reason
from dfworkbench.show.tables import ReadableTable

METRICS = ("auc", "eer", "average_precision", "accuracy")
MISSING = "as_chance"
Level = Literal["video", "frame"]
LEVELS: tuple[Level, ...] = ("video", "frame")


class BenchmarkSettings(Settings):
    """Detectors, data sets, seeds and training options of the benchmark. Defaults are those of the preset *quick*."""

    presets: ClassVar = {
        "quick": {},
        "thorough": {"detectors": ["mesonet4", "mesoinception4", "resnet18"], "seeds": 3},
    }

    preset: str = Field(
        "quick",
        description="quick: one small network, two seeds, of which make demo has trained one; thorough: three networks, three "
        "seeds each, hours.",
    )
    detectors: list[str] = Field(["mesonet4"], min_length=1, description="Networks, of list_detectors() or timm:NAME.")
    datasets: list[str] = Field(
        ["demo"], min_length=1, description="Extracted data sets; each run is trained on one and tested on all."
    )
    seeds: int = Field(2, ge=1, le=100, description="Runs of each detector on each data set: seeds 0, 1, …")
    epochs: int = Field(12, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(32, ge=1, le=4096, description="Faces per step.")
    learning_rate: float = Field(0.001, gt=0, le=1, description="Learning rate of the optimiser.")
    frames_per_video: int = Field(16, ge=1, le=1000, description="Faces per person and video.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU if there is one.")
    workers: int = Field(0, ge=0, le=256, description="Runs at the same time; 0: one per four cores, at least one.")
    scheduler: str = Field("", description="Address of a Dask scheduler for several machines; empty: this one.")
    retry: bool = Field(False, description="Also rerun what failed before.")
    name: str = Field(
        "benchmark", pattern=r"^[A-Za-z0-9][\w.+-]*$", description="Folder of the sweep, in report/sweeps/."
    )

    @field_validator("detectors")
    @classmethod
    def _are_known(cls, names: list[str]) -> list[str]:
        for name in names:
            CHOICES["detector"].check(name)
        return names

    def grid(self) -> dict[str, Any]:
        """Parameters of 02_train for the sweep; lists are varied."""
        shared = ("epochs", "batch_size", "learning_rate", "frames_per_video", "device")
        axes = {"detector": self.detectors, "dataset": self.datasets, "seed": list(range(self.seeds))}
        return {**axes, **{name: getattr(self, name) for name in shared}}


def status_view(status: pd.DataFrame) -> ReadableTable:
    """The result of `sweep.run_sweep` as a readable table: what varies, the outcome, and the reason for a failure."""
    columns = ("detector", "dataset", "seed", "status", "seconds", "reason", "runs")
    shown = status[[name for name in columns if name in status]].set_index("detector")
    return ReadableTable(shown.assign(reason=[short_reason(reason) for reason in shown["reason"]]))


def sweep_runs(
    status: pd.DataFrame, datasets: Sequence[str], device: str = "cpu", workspace: Workspace | None = None
) -> tuple[list[ReportRun], list[LeftOut]]:
    """Runs of a sweep that have scores, see `report.runs.read_runs`, and those without, with the reason."""
    root = (workspace or find_workspace()).root
    pages, left = {}, []
    for row in status.itertuples():
        page = root / str(row.notebook) if row.notebook else None
        if row.status == DONE and row.runs:
            pages |= {root / run: page for run in str(row.runs).split(" ")}
        else:
            reason = short_reason(str(row.reason)) or ("it made no run" if row.status == DONE else str(row.status))
            left.append(LeftOut(f"{row.detector} on {row.dataset}, seed {row.seed}", reason, str(row.command), page))
    runs, without = read_runs(pages, datasets, device=device, pages=pages, workspace=workspace)
    return runs, [*left, *without]


def locked_protocol(dataset: str, level: Level = "video", workspace: Workspace | None = None) -> Protocol:
    """The evaluation protocol of reports: current test split, missing files count as chance, intervals over videos."""
    return Protocol.of(dataset, "test", workspace=workspace, level=level, metrics=METRICS, missing=MISSING)


def leaderboard(
    runs: Sequence[ReportRun], dataset: str, level: Level = "video", workspace: Workspace | None = None
) -> Leaderboard:
    """Leaderboard of all runs scored on a data set, under one locked protocol."""
    protocol, videos = locked_protocol(dataset, level, workspace), split_videos(dataset, "test", workspace)
    names = run_names(runs)
    return Leaderboard(
        judge_by(protocol, run.scores[dataset], videos, name=names[run.folder], selected="validation", crop=run.crop)
        for run in runs
        if dataset in run.scores
    )


def seed_table(runs: Sequence[ReportRun], dataset: str) -> pd.DataFrame:
    """Metrics of each detector over its seeds: detector, and the columns of `evaluate.evaluate_seeds`."""
    parts = []
    for label, group in by_label(runs).items():
        tables = [run.scores[dataset] for run in group if dataset in run.scores]
        if tables:
            found = evaluate_seeds(tables, ("video", "frame"), Judging(missing=MISSING), metrics=METRICS[:2])
            parts.append(found.assign(detector=label, asked=len(group)))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["detector", "level", "metric"])


def first_tables(runs: Sequence[ReportRun], dataset: str) -> dict[str, pd.DataFrame]:
    """Label -> the score table of its first seed."""
    return {label: group[0].scores[dataset] for label, group in by_label(runs).items() if dataset in group[0].scores}


def pair_table(runs: Sequence[ReportRun], dataset: str) -> pd.DataFrame:
    """Video-level AUC differences of all pairs of detectors, by their first seeds, see `compare.compare_detectors`.

    Empty where there are fewer than two.
    """
    tables = first_tables(runs, dataset)
    people = Judging(unit="group", missing=MISSING, draws=2000)
    return compare_detectors(tables, people) if len(tables) > 1 else pd.DataFrame()


def kinds_matrix(runs: Sequence[ReportRun]) -> pd.DataFrame:
    """Matrix of detectors by test sets and forgery kinds, see `matrix.score_matrix`; averaged over seeds."""
    tables = {
        label: [pd.concat(list(run.scores.values()), ignore_index=True) for run in group]
        for label, group in by_label(runs).items()
    }
    return score_matrix(tables, Judging(unit="group", missing=MISSING))
