"""`score`: pictures, videos or folders to one fake probability per person and per file.

A face is processed exactly as in training: `faces_in_file` -> face tile -> `cut_for` by the checkpoint's InputSpec ->
`prepare`. For detectors of whole pictures, or with `settings.whole` or `settings.crops`, no faces are searched for, and the
picture itself takes the same path.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.workspace import require_writable
from dfworkbench.datasets.audit.leak_note import run_note, with_note
from dfworkbench.datasets.domain import caveat, is_generated
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evaluation.scoring.aggregate import to_level
from dfworkbench.evaluation.scoring.authors import authors_rule
from dfworkbench.evaluation.scoring.file_scorer import NO_NUMBER, FileScorer, face_settings, forward
from dfworkbench.evaluation.scoring.files import score_files
from dfworkbench.evaluation.scoring.journal import Journal, default_table, journal_path
from dfworkbench.evaluation.scoring.loading import load_for_scoring
from dfworkbench.evaluation.scoring.media_files import as_paths, find_files
from dfworkbench.evaluation.scoring.origin import origin_note
from dfworkbench.evaluation.scoring.results import FileScore, Scored, distinct_names
from dfworkbench.evaluation.scoring.rules import FACE_PX, MISSING
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces import resolve_weights
from dfworkbench.models.modes import evaluating
from dfworkbench.models.registry import detector_trait
from dfworkbench.runs.checkpoints import LoadedDetector


def score(
    path: Path | str | Sequence[Path | str],
    checkpoint: Path | str | LoadedDetector,
    settings: ScoreSettings | None = None,
    *,
    table: Path | str | None = None,
    progress: bool = True,
) -> Scored:
    """Score every face (or whole picture, depending on the detector) of a picture, a video, a folder, or a list of these.

    Many files are scored in several processes, or by the workers of a Dask scheduler (`workers`, `scheduler` of the settings).
    An interrupted scoring of several files resumes when called again: finished files are stored in `report/scores/.unfinished/`
    of the workspace until the result is returned (`evaluation.scoring.journal`).

    Args:
        path: Files or folders; folders are searched recursively.
        checkpoint: A weight file, a run folder, the name of a run in the workspace, or a loaded detector.
        settings: How faces are found and scores aggregated.
        table: Also write the score table to this .csv or .parquet file; checked for writability before the work starts.
        progress: Whether to show a progress bar with the remaining time.

    Returns:
        The scores. An unreadable file, or one without a face, has a status and a reason instead of a score; other files are not
        affected.

    Raises:
        DataNotFoundError: A path does not exist, or a folder holds neither pictures nor videos.
        CheckpointError: The checkpoint cannot be used.
        InputError: It is an identity encoder, needs landmarks although `settings.crops` is set, or does not support the
            precision of the settings.
        OutputError: The table cannot be written.
    """
    settings = settings or ScoreSettings()
    if table is not None:
        require_writable(Path(table).parent, "the score table")
    files = find_files(path)
    loaded = load_for_scoring(checkpoint, settings)
    require_detector(loaded.detector, loaded.name)
    _require_landmarks(loaded, settings)
    faces = resolve_weights(face_settings(settings, loaded.input_spec))
    kept = journal_path(as_paths(path), loaded, settings, faces) if len(files) > 1 else None
    with Journal(kept) as journal:
        finished = score_files(files, FileScorer(loaded, settings, faces), journal, progress)
        found, rows = [file for file, _ in finished], [row for _, own in finished for row in own]
        note = run_note(loaded.metadata)
        scores = with_note(SCORES.complete(rows).assign(run=loaded.run), note)
        beside = " ".join(filter(None, [note, origin_note(loaded)]))
        judged = _with_verdicts(found, scores, caveat(loaded.metadata), beside)
        scored = Scored(_beside(judged, scores, loaded, settings), scores, loaded.run)
        if table is not None:
            write_table("score", scores, table)
        journal.remove()
    return scored


def score_to_table(
    paths: Sequence[Path], checkpoint: str, settings: ScoreSettings, table: Path | None = None
) -> tuple[Scored, Path | None]:
    """`score` for the command line: no thumbnails, and always a table for several files.

    Args:
        paths: As `path` of `score`.
        checkpoint: As in `score`.
        settings: As in `score`.
        table: Where to write the score table; None: `report/scores/` of the workspace for several files, no table for one.

    Returns:
        The result, and the path of its table.
    """
    several = len(find_files(paths)) > 1
    loaded = load_for_scoring(checkpoint, settings)
    if table is None and several:
        table = default_table(paths, loaded.run)
    return score(paths, loaded, settings.replace(thumbnails=0), table=table), table


def _with_verdicts(files: list[FileScore], table: pd.DataFrame, elsewhere: str, note: str) -> list[FileScore]:
    """Set probabilities of files and tracks, and unique names.

    `note` accompanies every score, `elsewhere` those of footage that is not generated.
    """
    rule = files[0].rule
    videos = to_level(table, "video", rule).set_index("video_id")
    tracks = to_level(table, "track", rule).set_index(["video_id", "track"])["fake_probability"].to_dict()
    columns = {name: videos[name].to_dict() for name in ("fake_probability", "status", "reason")}
    names = distinct_names([file.video_id for file in files])
    out = []
    for file in files:
        key = file.video_id
        own = [dataclasses.replace(t, fake_probability=float(tracks[key, t.track])) for t in file.tracks]
        notes = [note, "" if not elsewhere or is_generated(file.path) else elsewhere]
        verdict = {name: values[key] for name, values in columns.items()}
        out.append(
            dataclasses.replace(file, **verdict, tracks=own, name=names[key], caveat=" ".join(filter(None, notes)))
        )
    return out


def _beside(
    files: list[FileScore], table: pd.DataFrame, loaded: LoadedDetector, settings: ScoreSettings
) -> list[FileScore]:
    """Add the scores by the authors' rule, and what a file without a score counts as."""
    counts, rule = MISSING[settings.missing], authors_rule(loaded.metadata)
    theirs = rule.scores(table, settings.frames, benchmark=counts is not None) if rule else {}
    out = [dataclasses.replace(file, authors=theirs.get(file.video_id)) for file in files]
    if counts is None:
        return out
    return [file if file.ok else dataclasses.replace(file, fake_probability=counts) for file in out]


def _require_landmarks(loaded: LoadedDetector, settings: ScoreSettings) -> None:
    if settings.crops and loaded.input_spec.alignment == "five_points":
        raise InputError(
            f"scoring ready-made face crops with {loaded.run}: it is fed faces that were turned and scaled by five landmarks, and "
            "crops=true looks for none. Leave out crops, so that the faces in the pictures are found, or choose a detector with "
            'alignment="box".'
        )


def require_detector(network: Any, name: str) -> None:
    """Raise `InputError` for an identity encoder, which cannot score."""
    if not detector_trait(network, "scores_fakes"):
        raise InputError(
            f"scoring with {name}: it names people and cannot tell real from fake. Choose the run of a detector; what an encoder "
            "looks at is shown in notebook 05_hypotheses."
        )


def score_rows(
    detector: LoadedDetector | nn.Module,
    dataset: FaceDataset,
    *,
    videos: pd.DataFrame | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every sample of an extracted data set, for evaluation on held-out files.

    Args:
        detector: A loaded detector, or a module with `input_spec`.
        dataset: Its `spec` must be the detector's.
        videos: Video table; files without a sample get a row with their status, so that coverage is known.
        batch_size: Samples per forward pass.
        device: Where to move the detector; None leaves it where it is.
        progress: Whether to show a bar.

    Returns:
        A score table in the order of `dataset.rows`, then the files without a sample.

    Raises:
        InputError: The data set was cut for another InputSpec.
    """
    network: Any = detector.detector if isinstance(detector, LoadedDetector) else detector
    name = detector.name if isinstance(detector, LoadedDetector) else type(network).__name__
    require_detector(network, name)
    network.input_spec.require_same(dataset.spec, f"scoring a data set with {name}")
    if device is not None:
        network.to(device)
    logits = np.full(len(dataset), np.nan)
    starts = tqdm(range(0, len(dataset), batch_size), desc="scoring", unit="batch", disable=not progress, leave=False)
    with evaluating(network):
        for start in starts:
            batch = collate([dataset[row] for row in range(start, min(start + batch_size, len(dataset)))])
            logits[batch["row"].numpy()] = forward(network, dataset.spec, name, batch["images"])
    found = {"logit": logits, "fake_probability": expit(logits), FACE_PX: dataset.face_px}
    rows = SCORES.complete(dataset.rows.assign(**found))
    rows.loc[np.isnan(logits), list(NO_NUMBER)] = list(NO_NUMBER.values())
    table = SCORES.complete(pd.concat([rows, _without_sample(videos, dataset)], ignore_index=True))
    if not isinstance(detector, LoadedDetector):
        return table
    return with_note(table.assign(run=detector.run), run_note(detector.metadata))


def _without_sample(videos: pd.DataFrame | None, dataset: FaceDataset) -> pd.DataFrame:
    if videos is None:
        return SCORES.empty()
    lost = videos[~videos["video_id"].isin(dataset.rows["video_id"])]
    columns = ["video_id", "dataset", "split", "forgery", "group", "label", "status", "reason"]
    rows = lost[columns].assign(row_id=lost["video_id"])
    unexplained = rows["status"].isin(["", STATUS_OK])  # it has faces, but no samples
    rows.loc[unexplained, ["status", "reason"]] = ["missing", "no sample: its tracks are too short, or were left out"]
    return SCORES.complete(rows) if len(rows) else SCORES.empty()
