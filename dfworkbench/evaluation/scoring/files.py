"""Score many files, in this process or in workers, with a journal for resuming and a progress bar."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm.auto import tqdm

from dfworkbench.evaluation.scoring.file_scorer import ERROR, FileScorer
from dfworkbench.evaluation.scoring.journal import Finished, Journal
from dfworkbench.faces import FaceFinder

_log = logging.getLogger(__name__)


def score_files(files: dict[str, Path], scorer: FileScorer, journal: Journal, progress: bool) -> list[Finished]:
    """Score files and return each with its rows, in the order of `files`; verdicts, which need all rows, are not set.

    Args:
        files: Files by video_id. Those in the journal are not scored again.
        scorer: The detector; its face finder is created on demand.
        journal: Receives every finished file, except those with an unexpected error, which are retried next time.
        progress: Whether to show a progress bar.
    """
    done = {video_id: old for video_id, file in files.items() if (old := journal.find(video_id, file)) is not None}
    todo = [(video_id, file) for video_id, file in files.items() if video_id not in done]
    with tqdm(
        total=len(files), initial=len(done), desc="scoring", unit="file", disable=not progress, leave=False
    ) as bar:
        for video_id, (found, rows) in _score(todo, scorer):
            if found.status != ERROR:  # possibly caused by this machine: retry next time
                journal.add(video_id, files[video_id], found, rows)
            done[video_id] = found, rows
            bar.update()
    return [done[video_id] for video_id in files]


def _score(files: Sequence[tuple[str, Path]], scorer: FileScorer) -> Iterator[tuple[str, Finished]]:
    """Yield files by video_id as they are finished."""
    if not files:
        return
    # imports Dask, which a single file does not need
    from dfworkbench.evaluation.scoring.workers import DetectorNotSharedError, count_workers, score_on_workers

    workers = count_workers([file for _, file in files], scorer)
    if workers or scorer.settings.scheduler:
        try:
            yield from score_on_workers(files, scorer, workers)
            return
        except DetectorNotSharedError as error:  # raised before any file is scored
            _log.warning(
                "scoring in one process instead of %d, because worker processes have no such detector: %s",
                workers,
                error,
            )
    if scorer.faces.finds_faces:
        scorer = dataclasses.replace(scorer, finder=FaceFinder(scorer.faces))
    for video_id, file in files:
        yield video_id, scorer.score(file, video_id)
