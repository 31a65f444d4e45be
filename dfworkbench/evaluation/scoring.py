"""Scoring: from a picture, a video or a folder to one fake probability per person and per file.

A face goes from the frame to the detector exactly as in training: `faces_in_file` -> context crop -> `cut_for` by the
checkpoint's InputSpec -> `prepare`. For a detector of whole pictures, or with `settings.whole`, no face is looked for: the
picture goes the same way.
"""

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.checkpoints import LoadedDetector, load_detector
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.datasets.rows import choose_samples
from dfworkbench.errors import DataNotFoundError, InputError, MediaError
from dfworkbench.evaluation.aggregate import to_level
from dfworkbench.evaluation.domain import caveat, is_generated
from dfworkbench.evaluation.leak_note import leak_note, with_note
from dfworkbench.evaluation.results import FileScore, Scored, TrackScore
from dfworkbench.evaluation.settings import ScoreSettings
from dfworkbench.faces import FaceFinder, FaceSettings, cut_for, faces_in_file
from dfworkbench.faces.identity import settle
from dfworkbench.input_spec import InputSpec
from dfworkbench.media.kinds import list_media, media_kind
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.names import STATUS_OK
from dfworkbench.tables import SCORES

_log = logging.getLogger(__name__)
_EXACT_CONTEXT_PX = 2048  # faces up to half as large are cut from the frame's own pixels


def score(
    path: Path | str | Sequence[Path | str],
    checkpoint: Path | str | LoadedDetector,
    settings: ScoreSettings | None = None,
    *,
    progress: bool = True,
) -> Scored:
    """Score every face of a picture, a video, a folder, or a list of these; or, if that is what the detector takes, the pictures.

    Args:
        path: A folder is searched for pictures and videos, also below.
        checkpoint: A weight file, a run folder, the name of a run in the workspace, or a detector that is loaded already.
        settings: How faces are found and summed up.
        progress: Whether to show a bar with the time that is left.

    Returns:
        A file that cannot be read, or shows no face, has a status and a reason and no score; the others are not affected.

    Raises:
        DataNotFoundError: A path does not exist, or a folder holds neither pictures nor videos.
        CheckpointError: The checkpoint cannot be used.
        InputError: It is an encoder of identity.
    """
    settings = settings or ScoreSettings()
    files = find_files(path)
    loaded = checkpoint if isinstance(checkpoint, LoadedDetector) else load_detector(checkpoint, settings.device)
    _require_detector(loaded.detector, loaded.name)
    faces = settle(_face_settings(settings, loaded.input_spec))
    finder = None if faces.whole else FaceFinder(faces)
    always, elsewhere = leak_note(loaded.metadata), caveat(loaded.metadata)
    scores, tables = [], []
    for video_id, file in tqdm(files.items(), desc="scoring", unit="file", disable=not progress, leave=False):
        found, rows = _score_file(file, video_id, loaded, settings, faces, finder)
        notes = [always, "" if not elsewhere or is_generated(file) else elsewhere]
        scores.append(dataclasses.replace(found, caveat=" ".join(filter(None, notes))))
        tables.extend(rows)
    return Scored(scores, with_note(SCORES.complete(tables), always), loaded.name)


def _require_detector(network: Any, name: str) -> None:
    if not getattr(network, "scores_fakes", True):
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
    named = {(root.name / Path(os.path.relpath(file, root))).as_posix(): file for file in files}
    return named


def _face_settings(settings: ScoreSettings, spec: InputSpec) -> FaceSettings:
    values = {name: getattr(settings, name) for name in FaceSettings.model_fields}
    # a detector that looks further than the default context still gets its crops
    values["context_scale"] = max(settings.context_scale, spec.crop_scale)
    if spec.exact:  # pixels of large faces must not be averaged before the crop is cut
        values |= {"exact": True, "context_max_px": max(settings.context_max_px, _EXACT_CONTEXT_PX)}
    if spec.alignment == "whole":
        values |= {"whole": True, "context_max_px": max(settings.context_max_px, -(-spec.size_px // 4) * 4)}
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
        crops = np.stack([cut_for(loaded.input_spec, face.context, face.box, face.landmarks) for face in detections])
    except MediaError as error:
        return _failed(known, error.status, str(error))
    except InputError as error:  # such as a picture that is smaller than the detector's window
        return _failed(known, "error", str(error))
    except Exception as error:
        # whatever one file does to a decoder must not cost the other files their scores
        _log.exception("scoring %s failed", file)
        return _failed(known, "error", f"{type(error).__name__}: {error}")
    known |= {name: getattr(found, name) for name in ("kind", "frames", "fps", "width_px", "height_px")}
    rows, tracks = _score_tracks(detections, crops, video_id, loaded, settings)
    if faces.whole:
        tracks = [dataclasses.replace(track, shows="picture") for track in tracks]
    verdict = to_level(SCORES.complete(rows), "video", settings.rule).iloc[0]
    status, reason = str(verdict["status"]), str(verdict["reason"])
    return FileScore(
        **known, tracks=tracks, status=status, reason=reason, fake_probability=float(verdict["fake_probability"])
    ), rows


def _failed(known: dict[str, Any], status: str, reason: str) -> tuple[FileScore, list[dict[str, Any]]]:
    row = {"row_id": known["video_id"], **_ids(known["video_id"]), "status": status, "reason": reason}
    return FileScore(**known, status=status, reason=reason, fake_probability=float("nan")), [row]


def _ids(video_id: str) -> dict[str, Any]:
    return {"video_id": video_id, "dataset": video_id.partition("/")[0]}


def _score_tracks(
    faces: list[Any], crops: NDArray[np.uint8], video_id: str, loaded: LoadedDetector, settings: ScoreSettings
) -> tuple[list[dict[str, Any]], list[TrackScore]]:
    spec = loaded.input_spec
    numbers = np.array([face.track for face in faces])
    places = pd.DataFrame({"video_id": video_id, "track": numbers, "frame": [face.frame for face in faces]})
    samples = choose_samples(places, spec, None)
    logits = _logits(loaded, crops, samples, settings.batch_size)
    rows = [
        {
            "row_id": f"{video_id}#t{faces[i].track}f{faces[i].frame}", **_ids(video_id), "track": faces[i].track,
            "frame": faces[i].frame, "time_s": faces[i].time_s, "logit": logit, "fake_probability": float(expit(logit)),
        }
        for i, logit in zip(samples[:, 0], logits, strict=True)
    ]  # fmt: skip
    rows += [
        _too_short(video_id, t, int((numbers == t).sum()), spec) for t in sorted({*numbers} - {*numbers[samples[:, 0]]})
    ]
    per_face = _per_face([row["fake_probability"] for row in rows if "logit" in row], samples, len(faces))
    levels = to_level(SCORES.complete(rows), "track", settings.rule).set_index("track")["fake_probability"]
    tracks = []
    for number in np.unique(numbers):
        own = np.flatnonzero(numbers == number)
        track = _track(number, float(levels[number]), [faces[i] for i in own], per_face[own], spec, settings)
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
    probability: float,
    faces: Sequence[Any],
    values: NDArray[np.float64],
    spec: InputSpec,
    settings: ScoreSettings,
) -> TrackScore:
    # the middle of each of as many stretches of the track
    count = min(settings.thumbnails, len(faces))
    shown = ((np.arange(count) + 0.5) * len(faces) / max(count, 1)).astype(np.int64)
    seen = "box" if spec.alignment == "whole" else spec.alignment  # all of a picture, not a window of it
    look = InputSpec(size_px=settings.thumbnail_px, crop_scale=spec.crop_scale, alignment=seen)
    pictures = [cut_for(look, faces[i].context, faces[i].box, faces[i].landmarks) for i in shown]
    empty = np.empty((0, look.size_px, look.size_px, 3), np.uint8)
    return TrackScore(
        track=int(number),
        fake_probability=probability,
        frames=np.array([face.frame for face in faces], dtype=np.int64),
        times=np.array([face.time_s for face in faces], dtype=np.float64),
        probabilities=values,
        boxes=np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4),
        thumbnails=np.stack(pictures) if pictures else empty,
        shown=shown,
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
    rows = dataset.rows.assign(logit=logits, fake_probability=expit(logits))
    table = SCORES.complete(pd.concat([SCORES.complete(rows), _without_sample(videos, dataset)], ignore_index=True))
    return with_note(table, leak_note(detector.metadata) if isinstance(detector, LoadedDetector) else "")


def _without_sample(videos: pd.DataFrame | None, dataset: FaceDataset) -> pd.DataFrame:
    if videos is None:
        return SCORES.empty()
    lost = videos[~videos["video_id"].isin(dataset.rows["video_id"])]
    columns = ["video_id", "dataset", "split", "method", "group", "label", "status", "reason"]
    rows = lost[columns].assign(row_id=lost["video_id"])
    unexplained = rows["status"].isin(["", STATUS_OK])  # it has faces, but none made a sample
    rows.loc[unexplained, ["status", "reason"]] = ["missing", "no sample: its tracks are too short, or were left out"]
    return SCORES.complete(rows) if len(rows) else SCORES.empty()
