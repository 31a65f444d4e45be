"""Scoring: from a picture, a video or a folder to one fake probability per person and per file.

A face goes from the frame to the detector exactly as in training: `faces_in_file` -> context crop -> `cut_for` by the
checkpoint's InputSpec -> `prepare`. For a detector of whole pictures, or with `settings.whole` or `settings.crops`, no face is
looked for: the picture goes the same way.
"""

import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import DataNotFoundError, InputError, MediaError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.workspace import require_writable
from dfworkbench.datasets.audit.leak_note import run_note, with_note
from dfworkbench.datasets.domain import caveat, is_generated
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.rows import choose_samples
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evaluation.scoring.aggregate import to_level
from dfworkbench.evaluation.scoring.journal import Finished, Journal, default_table, journal_path
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore, distinct_names
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces import FaceFinder, FaceSettings, cut_for, faces_in_file
from dfworkbench.faces.files import TrackedFace
from dfworkbench.faces.identity import settle
from dfworkbench.faces.ready import spec_for
from dfworkbench.media.kinds import media_kind
from dfworkbench.media.listing import list_media
from dfworkbench.media.walk import readable
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.models.registry import detector_trait
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector

_ERROR = "error"
_NO_NUMBER = {"status": _ERROR, "reason": "the detector gave no number (its weights or the pixels overflow)"}
_log = logging.getLogger(__name__)
_EXACT_CONTEXT_PX = 2048  # faces up to half as large are cut from the frame's own pixels


def score(
    path: Path | str | Sequence[Path | str],
    checkpoint: Path | str | LoadedDetector,
    settings: ScoreSettings | None = None,
    *,
    table: Path | str | None = None,
    progress: bool = True,
) -> Scored:
    """Score every face of a picture, a video, a folder, or a list of these; or, if that is what the detector takes, the pictures.

    A scoring of several files that was stopped continues when it is called again: finished files are kept below
    `report/scores/.unfinished/` of the workspace until the result is returned (`evaluation.scoring.journal`).

    Args:
        path: A folder is searched for pictures and videos, also below.
        checkpoint: A weight file, a run folder, the name of a run in the workspace, or a detector that is loaded already.
        settings: How faces are found and summed up.
        table: Where to write the score table too, .csv or .parquet; that it can be written is tried before the work.
        progress: Whether to show a bar with the time that is left.

    Returns:
        A file that cannot be read, or shows no face, has a status and a reason and no score; the others are not affected.

    Raises:
        DataNotFoundError: A path does not exist, or a folder holds neither pictures nor videos.
        CheckpointError: The checkpoint cannot be used.
        InputError: It is an encoder of identity, or needs landmarks and `settings.crops` says that there are none.
        OutputError: The table cannot be written.
    """
    settings = settings or ScoreSettings()
    if table is not None:
        require_writable(Path(table).parent, "the score table")
    files = find_files(path)
    loaded = checkpoint if isinstance(checkpoint, LoadedDetector) else load_detector(checkpoint, settings.device)
    _require_detector(loaded.detector, loaded.name)
    _require_landmarks(loaded, settings)
    faces = settle(_face_settings(settings, loaded.input_spec))
    kept = journal_path(_as_paths(path), loaded, settings, faces) if len(files) > 1 else None
    found, rows = [], []
    with Journal(kept) as journal:
        for file, own in _score_files(files, loaded, settings, faces, journal, progress):
            found.append(file)
            rows.extend(own)
        note = run_note(loaded.metadata)
        scores = with_note(SCORES.complete(rows).assign(run=loaded.run), note)
        scored = Scored(_with_verdicts(found, scores, caveat(loaded.metadata), note), scores, loaded.run)
        if table is not None:
            write_table("score", scores, table)
        journal.remove()
    return scored


def score_to_table(
    paths: Sequence[Path], checkpoint: str, settings: ScoreSettings, table: Path | None = None
) -> tuple[Scored, Path | None]:
    """`score` for a command line: without thumbnails, and several files always leave a table.

    Args:
        paths: As given.
        checkpoint: As given.
        settings: As given.
        table: Where to; None takes `report/scores/` of the workspace for several files, and writes none for one.

    Returns:
        The result, and where its table was written.
    """
    several = len(find_files(paths)) > 1
    loaded = load_detector(checkpoint, settings.device)
    if table is None and several:
        table = default_table(paths, loaded.run)
    return score(paths, loaded, settings.replace(thumbnails=0), table=table), table


def _as_paths(path: Path | str | Sequence[Path | str]) -> list[Path]:
    return [Path(p) for p in ([path] if isinstance(path, str | Path) else path)]


def _score_files(
    files: dict[str, Path],
    loaded: LoadedDetector,
    settings: ScoreSettings,
    faces: FaceSettings,
    journal: Journal,
    progress: bool,
) -> Iterator[Finished]:
    """Each file and its rows, without verdicts, which need all rows; files that the journal knows are not scored again."""
    done = {video_id: old for video_id, file in files.items() if (old := journal.find(video_id, file)) is not None}
    finder = FaceFinder(faces) if faces.finds_faces and len(done) < len(files) else None
    with tqdm(
        total=len(files), initial=len(done), desc="scoring", unit="file", disable=not progress, leave=False
    ) as bar:
        for video_id, file in files.items():
            if video_id in done:
                yield done.pop(video_id)
                continue
            found, rows = _score_file(file, video_id, loaded, settings, faces, finder)
            if found.status != _ERROR:  # which may lie in this machine: tried again
                journal.add(video_id, file, found, rows)
            yield found, rows
            bar.update()


def _with_verdicts(files: list[FileScore], table: pd.DataFrame, elsewhere: str, note: str) -> list[FileScore]:
    """The files with the probabilities of files and tracks, their notes, and names that tell them apart.

    Args:
        files: Of `_score_files`; those of tracks and files are still open.
        table: Their score table.
        elsewhere: What must be said beside a number on footage that is not generated.
        note: What must be said beside every number.
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


def _require_landmarks(loaded: LoadedDetector, settings: ScoreSettings) -> None:
    if settings.crops and loaded.input_spec.alignment == "five_points":
        raise InputError(
            f"scoring ready-made face crops with {loaded.run}: it is fed faces that were turned and scaled by five landmarks, and "
            "crops=true looks for none. Leave out crops, so that the faces in the pictures are found, or choose a detector with "
            'alignment="box".'
        )


def _require_detector(network: Any, name: str) -> None:
    if not detector_trait(network, "scores_fakes"):
        raise InputError(
            f"scoring with {name}: it names people and cannot tell real from fake. Choose the run of a detector; what an encoder "
            "looks at is shown in notebook 05_hypotheses."
        )


def find_files(path: Path | str | Sequence[Path | str]) -> dict[str, Path]:
    """The media files that paths stand for, by video_id: the path below the folder that holds them all, and its name."""
    given = [Path(p) for p in ([path] if isinstance(path, str | Path) else path)]
    missing = [p for p in given if not p.exists()]
    if missing or not given:
        raise DataNotFoundError(
            f"scoring {len(given)} path(s): {f'there is no {missing[0]}' if missing else 'none was given'}. "
            "Expected a picture, a video or a folder with some: check the path."
        )
    files = [file for p in given for file in (list_media(p) if p.is_dir() else [p])]
    # absolute but not resolved: two links to one file are two files, and what lies below a link is called as it is there
    root = Path(os.path.commonpath([os.path.normpath((p if p.is_dir() else p.parent).absolute()) for p in given]))
    names = ((root.name / Path(os.path.relpath(file, root))).as_posix() for file in files)
    # a file whose name no table can hold is looked for under a readable one, and so gets a row without a score
    return {readable(name): Path(readable(file)) for name, file in zip(names, files, strict=True)}


def _face_settings(settings: ScoreSettings, spec: InputSpec) -> FaceSettings:
    values = {name: getattr(settings, name) for name in FaceSettings.model_fields}
    # a detector that looks further than the default context still gets its crops
    values["context_scale"] = max(settings.context_scale, spec.crop_scale)
    if spec.exact:  # pixels of large faces must not be averaged before the crop is cut
        values |= {"exact": True, "context_max_px": max(settings.context_max_px, _EXACT_CONTEXT_PX)}
    if spec.alignment == "whole":
        values |= {
            "whole": True,
            "crops": False,
            "context_max_px": max(settings.context_max_px, -(-spec.size_px // 4) * 4),
        }
    return FaceSettings(**values)


def _score_file(
    file: Path,
    video_id: str,
    loaded: LoadedDetector,
    settings: ScoreSettings,
    faces: FaceSettings,
    finder: FaceFinder | None,
) -> tuple[FileScore, list[dict[str, Any]]]:
    known = {"path": file, "video_id": video_id, "kind": media_kind(file) or "", "rule": settings.rule}
    try:
        found = faces_in_file(file, faces, finder)
        detections = sorted(found.detections, key=lambda face: (face.track, face.frame))
        crops = np.stack([_cut(loaded.input_spec, face) for face in detections])
    except MediaError as error:
        return _failed(known, error.status, str(error))
    except InputError as error:  # such as a picture that is smaller than the detector's window
        return _failed(known, _ERROR, str(error))
    except Exception as error:
        # whatever one file does to a decoder must not cost the other files their scores
        _log.exception("scoring %s failed", file)
        return _failed(known, _ERROR, f"{type(error).__name__}: {error}")
    known |= {name: getattr(found, name) for name in ("kind", "frames", "fps", "width_px", "height_px", "notice")}
    rows, tracks = _score_tracks(detections, crops, video_id, loaded, settings)
    rows = [{**row, "reason": row.get("reason") or found.notice} for row in rows]
    return FileScore(**known, tracks=tracks, status=STATUS_OK, reason="", fake_probability=float("nan")), rows


def _cut(spec: InputSpec, face: TrackedFace) -> NDArray[np.uint8]:
    return cut_for(spec_for(spec, face.shows), face.context, face.box, face.landmarks)


def _failed(known: dict[str, Any], status: str, reason: str) -> tuple[FileScore, list[dict[str, Any]]]:
    row = {"row_id": known["video_id"], **_ids(known["video_id"]), "status": status, "reason": reason}
    return FileScore(**known, status=status, reason=reason, fake_probability=float("nan")), [row]


def _ids(video_id: str) -> dict[str, Any]:
    return {"video_id": video_id, "dataset": video_id.partition("/")[0]}


def _score_tracks(
    faces: list[TrackedFace], crops: NDArray[np.uint8], video_id: str, loaded: LoadedDetector, settings: ScoreSettings
) -> tuple[list[dict[str, Any]], list[TrackScore]]:
    spec = loaded.input_spec
    numbers = np.array([face.track for face in faces])
    places = pd.DataFrame({"video_id": video_id, "track": numbers, "frame": [face.frame for face in faces]})
    samples = choose_samples(places, spec, None)
    logits = _logits(loaded, crops, samples, settings.batch_size)
    rows = [
        {
            "row_id": f"{video_id}#t{faces[i].track}f{faces[i].frame}", **_ids(video_id), "track": faces[i].track,
            "frame": faces[i].frame, "time_s": faces[i].time_s, "logit": float(logit),
            "fake_probability": float(expit(logit)), "doubt": faces[i].doubt,
            **(_NO_NUMBER if np.isnan(logit) else {}),
        }
        for i, logit in zip(samples[:, 0], logits, strict=True)
    ]  # fmt: skip
    rows += [
        _too_short(video_id, t, int((numbers == t).sum()), spec) for t in sorted({*numbers} - {*numbers[samples[:, 0]]})
    ]
    per_face = _per_face([row["fake_probability"] for row in rows if "logit" in row], samples, len(faces))
    tracks = []
    for number in np.unique(numbers):
        own = np.flatnonzero(numbers == number)
        track = _track(number, [faces[i] for i in own], per_face[own], spec, settings)
        tracks.append(dataclasses.replace(track, artifacts=_artifacts(loaded, crops[own[track.shown]])))
    return rows, tracks


def _too_short(video_id: str, track: Any, count: int, spec: InputSpec) -> dict[str, Any]:
    need = (spec.clip_length - 1) * spec.clip_stride + 1
    reason = f"track {track} has {count} faces, a clip of this detector needs {need}; sample more frames"
    return {
        "row_id": f"{video_id}#t{track}",
        **_ids(video_id),
        "track": int(track),
        "status": "error",
        "reason": reason,
    }


def _per_face(probabilities: Sequence[float], samples: NDArray[np.int64], faces: int) -> NDArray[np.float64]:
    """For each face the mean over the samples that hold it; NaN where there is none."""
    sums, counts = np.zeros(faces), np.zeros(faces)
    np.add.at(sums, samples, np.asarray(probabilities)[:, None])
    np.add.at(counts, samples, 1)
    return np.divide(sums, counts, out=np.full(faces, np.nan), where=counts > 0)


def _track(
    number: int,
    faces: Sequence[TrackedFace],
    values: NDArray[np.float64],
    spec: InputSpec,
    settings: ScoreSettings,
) -> TrackScore:
    # the middle of each of as many stretches of the track
    count = min(settings.thumbnails, len(faces))
    shown = ((np.arange(count) + 0.5) * len(faces) / max(count, 1)).astype(np.int64)
    seen = "box" if spec.alignment == "whole" else spec.alignment  # all of a picture, not a window of it
    look = InputSpec(size_px=settings.thumbnail_px, crop_scale=spec.crop_scale, alignment=seen)
    pictures = [_cut(look, faces[i]) for i in shown]
    empty = np.empty((0, look.size_px, look.size_px, 3), np.uint8)
    return TrackScore(
        track=int(number),
        fake_probability=float("nan"),  # by the rule, once all rows are there
        frames=np.array([face.frame for face in faces], dtype=np.int64),
        times=np.array([face.time_s for face in faces], dtype=np.float64),
        probabilities=values,
        boxes=np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4),
        thumbnails=np.stack(pictures) if pictures else empty,
        shown=shown,
        shows=faces[0].shows,
        doubt=faces[0].doubt,
    )


def _artifacts(loaded: LoadedDetector, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float64], ...]:
    """For each crop the boxes `(m, 5)` in which the detector sees artifacts, and their scores."""
    network: Any = loaded.detector
    if not hasattr(network, "artifact_boxes") or not len(crops):
        return ()
    device = device_of(network)
    images = prepare(torch.from_numpy(crops).movedim(-1, -3).to(device), loaded.input_spec, loaded.name)
    found = network.artifact_boxes(images, whole=False)
    return tuple(torch.cat([f.boxes, f.scores[:, None]], dim=1).double().cpu().numpy() for f in found)


def _logits(
    loaded: LoadedDetector, crops: NDArray[np.uint8], samples: NDArray[np.int64], batch_size: int
) -> NDArray[np.float64]:
    """Log-odds of fake of each sample: crops `(faces, S, S, 3)`, samples `(n, T)` of indices into them."""
    out = [np.empty(0)]
    for start in range(0, len(samples), batch_size):
        batch = crops[samples[start : start + batch_size]]
        images = torch.from_numpy(batch).movedim(-1, -3)
        images = images if loaded.input_spec.clip_length > 1 else images[:, 0]
        out.append(_forward(loaded.detector, loaded.input_spec, loaded.name, images))
    return np.concatenate(out)


def _forward(detector: nn.Module, spec: InputSpec, name: str, images: torch.Tensor) -> NDArray[np.float64]:
    device = device_of(detector)
    if device.type == "cpu":
        reuse_memory()
    with torch.inference_mode():
        logit = detector(prepare(images.to(device), spec, name)).logit
    return logit.double().cpu().numpy()


def score_rows(
    detector: LoadedDetector | nn.Module,
    dataset: FaceDataset,
    *,
    videos: pd.DataFrame | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Score every sample of an extracted data set, for metrics on held-out files.

    Args:
        detector: Loaded, or a module with `input_spec`.
        dataset: Its `spec` must be the detector's.
        videos: Video table; its files without a sample get a row with their status, so that coverage is known.
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
    _require_detector(network, name)
    network.input_spec.require_same(dataset.spec, f"scoring a data set with {name}")
    if device is not None:
        network.to(device)
    logits = np.full(len(dataset), np.nan)
    starts = tqdm(range(0, len(dataset), batch_size), desc="scoring", unit="batch", disable=not progress, leave=False)
    with evaluating(network):
        for start in starts:
            batch = collate([dataset[row] for row in range(start, min(start + batch_size, len(dataset)))])
            logits[batch["row"].numpy()] = _forward(network, dataset.spec, name, batch["images"])
    rows = SCORES.complete(dataset.rows.assign(logit=logits, fake_probability=expit(logits)))
    rows.loc[np.isnan(logits), list(_NO_NUMBER)] = list(_NO_NUMBER.values())
    table = SCORES.complete(pd.concat([rows, _without_sample(videos, dataset)], ignore_index=True))
    if not isinstance(detector, LoadedDetector):
        return table
    return with_note(table.assign(run=detector.run), run_note(detector.metadata))


def _without_sample(videos: pd.DataFrame | None, dataset: FaceDataset) -> pd.DataFrame:
    if videos is None:
        return SCORES.empty()
    lost = videos[~videos["video_id"].isin(dataset.rows["video_id"])]
    columns = ["video_id", "dataset", "split", "method", "group", "label", "status", "reason"]
    rows = lost[columns].assign(row_id=lost["video_id"])
    unexplained = rows["status"].isin(["", STATUS_OK])  # it has faces, but none made a sample
    rows.loc[unexplained, ["status", "reason"]] = ["missing", "no sample: its tracks are too short, or were left out"]
    return SCORES.complete(rows) if len(rows) else SCORES.empty()
