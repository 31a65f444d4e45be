"""Runs in a report: their settings, held-out scores, and the commands to reproduce both."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.evaluation.judging.by_protocol import ROW_ORDER
from dfworkbench.evaluation.judging.protocol import crop_profile, split_videos
from dfworkbench.evaluation.scoring.heldout import score_split, stored_scores
from dfworkbench.notebook.commands import batch_command
from dfworkbench.runs.checkpoints import load_detector, read_record
from dfworkbench.runs.layout import score_file
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings


@dataclass(frozen=True, eq=False)
class ReportRun:
    """A trained run with its scores.

    Attributes:
        folder: Folder with its weights and settings.
        settings: Its training settings.
        epoch: The epoch that is evaluated: the best on validation.
        record: Record stored in its weight file (`checkpoints.read_record`).
        crop: How faces are cut, in words.
        scores: Data set -> score table of its test split.
        score_files: Data set -> file of that table.
        page: The executed notebook that made it, if any.
        command: Command that trains it again.
    """

    folder: Path
    settings: TrainSettings
    epoch: int
    record: Mapping[str, Any]
    crop: str
    scores: Mapping[str, pd.DataFrame]
    score_files: Mapping[str, Path]
    page: Path | None
    command: str

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Code and data it was trained with; empty if its weight file does not say."""
        found = self.record.get("provenance")
        return found if isinstance(found, Mapping) else {}

    @property
    def variant(self) -> str:
        """Key that is equal for runs that differ only in their seed."""
        return self.settings.replace(name="", seed=0).model_name


class LeftOut(NamedTuple):
    """A run or cell without results: the reason, the command to retry it, and the notebook as far as it ran, if any."""

    name: str
    reason: str
    command: str
    page: Path | None = None


def read_runs(
    folders: Iterable[Path],
    datasets: Sequence[str],
    *,
    score: bool = True,
    device: str = "cpu",
    pages: Mapping[Path, Path] | None = None,
    workspace: Workspace | None = None,
) -> tuple[list[ReportRun], list[LeftOut]]:
    """Read runs with their test scores; runs without any are left out, with the reason.

    Args:
        folders: Run folders.
        datasets: Extracted data sets whose test splits count.
        score: Whether to compute missing scores, on `device`.
        device: "cpu", "cuda" or "auto".
        pages: Folder of a run -> the executed notebook that made it; by default the one in the folder.
        workspace: Workspace with tables and crops.
    """
    space = workspace or find_workspace()
    runs: list[ReportRun] = []
    videos, left = _test_videos(datasets, space)
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        try:
            run = _read(folder, videos, score, device, (pages or {}).get(folder), space)
        except (WorkbenchError, OSError, ValueError, KeyError) as error:
            left.append(LeftOut(folder.name, str(error), _scoring_command(folder, list(videos))))
            continue
        missing = [name for name in videos if name not in run.scores]
        if missing:
            reason = f"its test scores of {', '.join(missing)} are not there, or are older than its weights or tables"
            left.append(LeftOut(folder.name, reason, _scoring_command(folder, missing)))
        if run.scores:
            runs.append(run)
    return runs, left


def runs_on(dataset: str, workspace: Workspace | None = None) -> list[Path]:
    """Folders of all runs in this workspace that were trained on a data set, oldest first."""
    space = workspace or find_workspace()
    runs = [Run(space.checkpoints / name) for name in reversed(Run.names(space))]
    return [run.folder for run in runs if run.trained_on == dataset]


def tested_on(runs: Sequence[ReportRun]) -> list[str]:
    """Data sets for which any of these runs has scores."""
    return list(dict.fromkeys(dataset for run in runs for dataset in run.scores))


def by_label(runs: Sequence[ReportRun]) -> dict[str, list[ReportRun]]:
    """Label -> its runs by seed. The label is the detector, plus whatever distinguishes it from the other variants here."""
    variants: dict[str, list[ReportRun]] = {}
    for run in runs:
        variants.setdefault(run.variant, []).append(run)
    several = len({run.settings.dataset for run in runs}) > 1
    about = {variant: group[0].settings for variant, group in variants.items()}
    labels = {v: f"{one.detector} on {one.dataset}" if several else one.detector for v, one in about.items()}
    taken = list(labels.values())
    for variant, label in labels.items():
        labels[variant] = f"{label} ({variant.rpartition('_')[2][:8]})" if taken.count(label) > 1 else label
    return {labels[v]: sorted(group, key=lambda run: run.settings.seed) for v, group in variants.items()}


def run_names(runs: Sequence[ReportRun]) -> dict[Path, str]:
    """Folder -> label, with the seed if a label has several."""
    return {
        run.folder: label if len(group) == 1 else f"{label}, seed {run.settings.seed}"
        for label, group in by_label(runs).items()
        for run in group
    }


def _test_videos(datasets: Sequence[str], space: Workspace) -> tuple[dict[str, pd.DataFrame], list[LeftOut]]:
    """Data set -> the video table of its test split; and the data sets without one."""
    videos, left = {}, []
    for dataset in datasets:
        try:
            videos[dataset] = split_videos(dataset, "test", space)
        except WorkbenchError as error:
            left.append(LeftOut(f"test people of {dataset}", str(error), ""))
    return videos, left


def _read(
    folder: Path,
    videos: Mapping[str, pd.DataFrame],
    score: bool,
    device: str,
    page: Path | None,
    space: Workspace,
) -> ReportRun:
    run = Run.open(folder, space)
    weights, stored = run.weights(), run.settings
    if not stored:
        raise DataNotFoundError(f"reading the run {run.name!r}: it has no settings. Reports show trained runs only.")
    record = read_record(weights)
    settings = TrainSettings.stored(stored)
    scores, loaded = {}, None
    for dataset, files in videos.items():
        found = stored_scores(weights, dataset, "test", files)
        if found is None and score:
            loaded = loaded or load_detector(folder, device)
            found = score_split(loaded, dataset, "test", space, progress=False)
        if found is not None:
            scores[dataset] = found.sort_values(list(ROW_ORDER), ignore_index=True)  # equal resamplings everywhere
    return ReportRun(
        folder=folder,
        settings=settings,
        epoch=int(record.get("epoch", 0)),
        record=record,
        crop=crop_profile(InputSpec.from_dict(record["input_spec"])),
        scores=scores,
        score_files={dataset: score_file(weights, "test", dataset) for dataset in scores},
        page=page or (run.notebook if run.notebook.is_file() else None),
        command=batch_command(settings, "02_train"),
    )


def judge_command(run: ReportRun, dataset: str, root: Path) -> str:
    """The command, to be run in the workspace, that prints the metrics of a run from its score table."""
    return f"dfworkbench judge {os.path.relpath(run.score_files[dataset], root)} --missing as_chance --draws 1000"


def _scoring_command(folder: Path, datasets: Sequence[str]) -> str:
    return "\n".join(f"dfworkbench run 03_inference -p checkpoint {folder.name} -p dataset {name}" for name in datasets)
