"""Score files with published detectors and runs, one after the other, and check a detector on files with known labels."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfworkbench.core.errors import UnknownNameError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.evaluation.metrics.evaluate import evaluate, metrics_text
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.media_files import find_files
from dfworkbench.evaluation.scoring.score import score as score_files
from dfworkbench.evaluation.scoring.score import score_to_table
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.run import Run
from dfworkbench.zoo.card_runs import find_run, run_of, split_name
from dfworkbench.zoo.licences import require_accepted

if TYPE_CHECKING:
    from dfworkbench.evaluation.scoring.results import Scored
    from dfworkbench.zoo.card import Card

#: A lower AUC suggests swapped labels rather than a bad detector.
SWAPPED_AUC = 0.4


def score(
    cards: str | Sequence[str],
    path: Path | str | Sequence[Path | str],
    settings: ScoreSettings | None = None,
    *,
    fetch: bool = False,
    accept: bool | Sequence[str] = False,
    progress: bool = True,
    workspace: Workspace | None = None,
) -> "list[Scored]":
    """Score files with published detectors, and with your own runs beside them.

    All weights are fetched and imported before the first file is read. Only one network is in memory at a time.
    `evaluation.scoring.side_by_side` compares the results.

    Args:
        cards: Names of cards (CARD:FILE if a card has several files) or of runs.
        path: As in `evaluation.scoring.score`.
        settings: How faces are detected and aggregated.
        fetch: Whether to fetch missing files.
        accept: Accept the terms of all cards, or of those listed; this is remembered.
        progress: Whether to show progress bars.
        workspace: Workspace with runs and weights.

    Returns:
        One result per name.

    Raises:
        UnknownNameError: A name is neither a card nor a run.
        DataNotFoundError: Weights are missing and `fetch` is false; or there are no files to score.
        ParameterError: Terms were not accepted.
        DownloadError: Weights could not be fetched.
    """
    names = [cards] if isinstance(cards, str) else list(cards)
    runs = find_all_weights(names, accept=accept, fetch=fetch, progress=progress, workspace=workspace)
    found = []
    for run in runs:
        found.append(score_files(path, run, settings, progress=progress))
        gc.collect()  # free the network before the next one is loaded
    return found


def score_to_tables(
    runs: Sequence[Path], paths: Sequence[Path], settings: ScoreSettings
) -> "Iterator[tuple[Scored, Path | None]]":
    """`score` for the command line: yields each result when ready, with the score table if there are several files."""
    for run in runs:
        yield score_to_table(paths, str(run), settings)
        gc.collect()


def find_all_weights(names: Sequence[str], *, accept: bool | Sequence[str] = False, **options: Any) -> list[Path]:
    """The runs for several names, see `find_weights`. Names and terms are checked before anything is fetched.

    Args:
        names: Cards and runs.
        accept: Accept the terms of all cards, or of those listed.
        options: As `card_runs.run_of`.
    """
    accepted = {name: accept if isinstance(accept, bool) else name.partition(":")[0] in accept for name in names}
    for name in names:
        if (found := _card_or_none(name, options.get("workspace"))) and find_run(
            *found, options.get("workspace")
        ) is None:
            require_accepted(found[0], accepted[name], options.get("workspace"))
    return [find_weights(name, accept=accepted[name], **options) for name in names]


def find_weights(name: str, **options: Any) -> Path:
    """Folder of the run for a name: a card (CARD or CARD:FILE), or a run of the workspace.

    Args:
        name: The name.
        options: As `card_runs.run_of`.

    Raises:
        UnknownNameError: It is neither.
    """
    found = _card_or_none(name, options.get("workspace"))
    if found is None:
        return Run.open(name, options.get("workspace")).folder
    return run_of(*found, **options)


def _card_or_none(name: str, workspace: Workspace | None) -> "tuple[Card, str] | None":
    """The card and file for a name; None if it is the name of a run."""
    try:
        return split_name(name)
    except UnknownNameError as error:
        if name == Path(name).name and ((workspace or find_workspace()).checkpoints / name).is_dir():
            return None
        raise UnknownNameError(
            f"{error} No run has this name either; `dfworkbench zoo list` lists the cards."
        ) from None


@dataclass(frozen=True)
class Check:
    """Result of a check: a detector on files with known labels.

    Attributes:
        detector: Name of the run.
        metrics: File-level AUC, as returned by `evaluate`.
        scores: The score table with labels.
    """

    detector: str
    metrics: pd.DataFrame
    scores: pd.DataFrame

    @property
    def auc(self) -> float:
        """File-level AUC; NaN if it is not defined."""
        return float(self.metrics["value"].iloc[0])

    @property
    def seems_swapped(self) -> bool:
        """Whether real files score so much higher than fakes that the release's labels are probably swapped."""
        return self.auc < SWAPPED_AUC

    def __str__(self) -> str:
        lines = [f"{self.detector} on real and fake files:", metrics_text(self.metrics)]
        if self.seems_swapped:
            lines.append(
                f"WARNING: the AUC of {self.auc:.3f} is below {SWAPPED_AUC}: real files score higher than fakes. Check "
                "that the first folder holds the real files. If it does, the labels of this release may be swapped (its logit for "
                "fake is then that for real), or it fails on footage of this kind. Compare with its authors' figures; import a "
                "classifier of others anew with the other index (-p fake INDEX)."
            )
        return "\n".join(lines)


def check(
    card: str,
    real: Path | str,
    fake: Path | str,
    settings: ScoreSettings | None = None,
    *,
    fetch: bool = False,
    accept: bool = False,
    progress: bool = True,
    workspace: Workspace | None = None,
) -> Check:
    """Check whether a detector separates two folders, and in the right direction.

    Args:
        card: Name of a card or run, as for `score`.
        real: Folder of real pictures and videos.
        fake: Folder of fake ones.
        settings: How faces are detected and aggregated.
        fetch: Whether to fetch missing files.
        accept: Accept the terms of the card; this is remembered.
        progress: Whether to show progress bars.
        workspace: Workspace with runs and weights.

    Raises:
        DataNotFoundError: A folder does not exist or contains no media; also as `score`.
    """
    settings = (settings or ScoreSettings()).replace(thumbnails=0)
    for folder in (real, fake):  # before hours go into the first
        find_files(folder)
    run = find_weights(card, fetch=fetch, accept=accept, progress=progress, workspace=workspace)
    loaded = load_detector(run, settings.device)
    tables = []
    for label, folder in ((REAL, real), (FAKE, fake)):
        table = score_files(folder, loaded, settings, progress=progress).table
        prefix = f"{'fake' if label == FAKE else 'real'}/"
        tables.append(table.assign(label=label, video_id=prefix + table["video_id"], row_id=prefix + table["row_id"]))
    scores = pd.concat(tables, ignore_index=True)
    metrics = evaluate(scores, ["video"], Judging(rule=settings.rule, missing=settings.missing), metrics=["auc"])
    return Check(loaded.run, metrics, scores)
