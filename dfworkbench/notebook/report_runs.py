"""The runs that a report speaks of: what they are, their held-out scores, and the commands that make both again."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.evaluation.judging.judged import ROW_ORDER
from dfworkbench.evaluation.judging.protocol import crop_profile, split_videos
from dfworkbench.evaluation.scoring.heldout import score_split, split_score_file, stored_scores
from dfworkbench.media.foreign.bounds import read_json
from dfworkbench.notebook.commands import batch_command
from dfworkbench.notebook.pickers import checkpoints
from dfworkbench.runs.checkpoints import find_checkpoint, load_detector, read_record
from dfworkbench.training import TrainSettings


@dataclass(frozen=True, eq=False)
class ReportRun:
    """A trained run with its scores.

    Attributes:
        folder: Of the run.
        settings: With which it was trained.
        epoch: The one that is judged: the best on validation.
        record: Of its weights (`checkpoints.read_record`).
        crop: How its faces are cut, in words.
        scores: Data set -> score table of its test split.
        score_files: Data set -> where that table lies.
        page: The executed notebook that made it; None if there is none.
        command: That trains it again.
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
        """Of the run; empty where its weights do not say."""
        found = self.record.get("provenance")
        return found if isinstance(found, Mapping) else {}

    @property
    def variant(self) -> str:
        """The same for runs that differ in nothing but their seed."""
        return self.settings.replace(name="", seed=0).model_name


class LeftOut(NamedTuple):
    """Something that was asked for and has no figures.

    Attributes:
        name: Of the run or cell.
        reason: Why.
        command: That tries it (again).
        page: The notebook as far as it ran; None if there is none.
    """

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
    progress: bool = False,
) -> tuple[list[ReportRun], list[LeftOut]]:
    """Runs with the scores of test splits; those that have none are left out, with the reason.

    Args:
        folders: Of runs.
        datasets: Extracted data sets whose test splits count.
        score: Whether to score what has no stored scores.
        device: Where that is done.
        pages: Folder of a run -> the executed notebook that made it; by default the one in the folder.
        workspace: Where tables and crops lie.
        progress: Whether to show bars.
    """
    space = workspace or find_workspace()
    runs: list[ReportRun] = []
    videos, left = _test_videos(datasets, space)
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        try:
            run = _read(folder, videos, score, device, (pages or {}).get(folder), space, progress)
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
    """Folders of all detectors that were trained on a data set in this workspace, the oldest first."""
    space = workspace or find_workspace()
    return [space.checkpoints / name for name in reversed(checkpoints(space)) if _trained_on(space, name) == dataset]


def tested_on(runs: Sequence[ReportRun]) -> list[str]:
    """Data sets that any of these runs has scores of."""
    return list(dict.fromkeys(dataset for run in runs for dataset in run.scores))


def run_labels(runs: Sequence[ReportRun]) -> dict[str, str]:
    """Variant -> how it is called: by its detector, and by as much more as tells it from the others here."""
    variants = {run.variant: run.settings for run in runs}
    several = len({settings.dataset for settings in variants.values()}) > 1
    labels = {
        variant: f"{settings.detector} on {settings.dataset}" if several else settings.detector
        for variant, settings in variants.items()
    }
    names = list(labels.values())
    return {
        variant: f"{name} ({variant.rpartition('_')[2][:8]})" if names.count(name) > 1 else name
        for variant, name in labels.items()
    }


def by_label(runs: Sequence[ReportRun]) -> dict[str, list[ReportRun]]:
    """Label -> its runs, one per seed in their order."""
    found: dict[str, list[ReportRun]] = {}
    labels = run_labels(runs)
    for run in sorted(runs, key=lambda run: run.settings.seed):
        found.setdefault(labels[run.variant], []).append(run)
    order = list(dict.fromkeys(labels[run.variant] for run in runs))
    return {label: found[label] for label in order}


def run_names(runs: Sequence[ReportRun]) -> dict[Path, str]:
    """Folder -> label, with the seed where a label has several."""
    return {
        run.folder: label if len(group) == 1 else f"{label}, seed {run.settings.seed}"
        for label, group in by_label(runs).items()
        for run in group
    }


def _test_videos(datasets: Sequence[str], space: Workspace) -> tuple[dict[str, pd.DataFrame], list[LeftOut]]:
    """Data set -> the video table of its test split; and those that have none."""
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
    progress: bool,
) -> ReportRun:
    weights = find_checkpoint(folder)
    record = read_record(weights)
    stored = read_json(folder / "settings.json")
    settings = TrainSettings.stored(stored)
    scores, loaded = {}, None
    for dataset, files in videos.items():
        found = stored_scores(weights, dataset, "test", files)
        if found is None and score:
            loaded = loaded or load_detector(folder, device)
            found = score_split(loaded, dataset, "test", space, progress=progress)
        if found is not None:
            scores[dataset] = found.sort_values(list(ROW_ORDER), ignore_index=True)  # equal draws everywhere
    own = folder / "notebook.ipynb"
    return ReportRun(
        folder=folder,
        settings=settings,
        epoch=int(record.get("epoch", 0)),
        record=record,
        crop=crop_profile(InputSpec.from_dict(record["input_spec"])),
        scores=scores,
        score_files={dataset: split_score_file(weights, dataset, "test") for dataset in scores},
        page=page or (own if own.is_file() else None),
        command=batch_command(settings, "02_train"),
    )


def judge_command(run: ReportRun, dataset: str, root: Path) -> str:
    """The command that prints the figures of a run from its score table, in the workspace."""
    return f"dfworkbench judge {os.path.relpath(run.score_files[dataset], root)} --missing as_chance --draws 1000"


def _scoring_command(folder: Path, datasets: Sequence[str]) -> str:
    return "\n".join(f"dfworkbench run 03_inference -p checkpoint {folder.name} -p dataset {name}" for name in datasets)


def _trained_on(space: Workspace, name: str) -> str:
    try:
        return str(read_json(space.checkpoints / name / "settings.json")["dataset"])
    except (OSError, ValueError, KeyError, TypeError):  # imported weights have none
        return ""
