"""FileScorer: score one media file, giving score table rows and tracks with thumbnails."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn

from dfworkbench.core.errors import InputError, MediaError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.rows import choose_samples
from dfworkbench.evaluation.scoring.journal import Finished
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore
from dfworkbench.evaluation.scoring.rules import FACE_PX
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces import FaceFinder, FaceSettings, TrackedFace, context_scale_for, cut_for, faces_in_file, spec_for
from dfworkbench.faces.beyond import Place, beyond_notice
from dfworkbench.faces.face_tile import resize
from dfworkbench.faces.regions import needs_frame_pixels
from dfworkbench.media import media_kind
from dfworkbench.models.half_precision import own_precision
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of
from dfworkbench.runs.checkpoints import LoadedDetector

ERROR = "error"
#: Reason for rows whose score is NaN.
NO_NUMBER = {"status": ERROR, "reason": "the detector gave no number (its weights or the pixels overflow)"}
_log = logging.getLogger(__name__)
#: Face tiles up to this size, and pictures that are resized whole, are kept at the frame's resolution if a detector needs it:
#: at most 12.6 MB each, reached only by faces of half the height of a 4K frame or by 4K pictures; 400 MB for 32 frames.
_OWN_PIXELS_PX = 2048
_OPEN = float("nan")  # probabilities of files and tracks are set by the rule once all rows exist


def face_settings(settings: ScoreSettings, spec: InputSpec) -> FaceSettings:
    """Face settings for files that provide the crops a detector with this input needs."""
    values = {name: getattr(settings, name) for name in FaceSettings.model_fields}
    # for detectors that need more context than the default tile
    values["context_scale"] = max(settings.context_scale, context_scale_for(spec))
    least_px = 0
    if spec.exact or needs_frame_pixels(spec):  # do not downscale large faces before cutting the crop
        values["exact"], least_px = settings.exact or spec.exact, _OWN_PIXELS_PX
    if not spec.of_faces:
        values |= {"whole": True, "crops": False}
    if spec.alignment == "whole":
        least_px = -(-spec.size_px // 4) * 4
        values["whole_part"] = "centre" if spec.pad == "black" else settings.whole_part
    elif spec.alignment == "whole_resized":
        values["whole_part"] = "all" if spec.fit == "stretch" else "square"
    values["context_max_px"] = max(settings.context_max_px, least_px)
    return FaceSettings(**values)


@dataclass(frozen=True)
class FileScorer:
    """A detector with everything needed to score a file.

    Attributes:
        loaded: The detector.
        settings: How faces are found and displayed.
        faces: Face settings adapted to the detector by `face_settings`.
        finder: Face finder; None if no faces are searched for.
        threads: Threads for decoding and face search; 0: one per core.
    """

    loaded: LoadedDetector
    settings: ScoreSettings
    faces: FaceSettings
    finder: FaceFinder | None = None
    threads: int = 0

    def score(self, file: Path, video_id: str) -> Finished:
        """Score one file; return it with its rows, or one row saying why it failed. File and track probabilities are still NaN."""
        known = self._known(file, video_id)
        try:
            found = faces_in_file(file, self.faces, self.finder, self.threads)
            detections = sorted(found.detections, key=lambda face: (face.track, face.frame))
            crops = np.stack([_cut(self.loaded.input_spec, face) for face in detections])
        except MediaError as error:
            return _failed(known, error.status, str(error))
        except InputError as error:  # such as a picture smaller than the detector's window
            return _failed(known, ERROR, str(error))
        except Exception as error:
            # a decoder failure in one file must not affect the other files
            _log.exception("scoring %s failed", file)
            return _failed(known, ERROR, f"{type(error).__name__}: {error}")
        known |= {name: getattr(found, name) for name in ("kind", "frames", "fps", "width_px", "height_px")}
        known["notice"] = "; ".join(filter(None, (found.notice, self._explain_beyond(detections))))
        rows, tracks = self._score_tracks(detections, crops, video_id)
        rows = [{**row, "reason": row.get("reason") or known["notice"]} for row in rows]
        return FileScore(**known, tracks=tracks, status=STATUS_OK, reason="", fake_probability=_OPEN), rows

    def failed(self, file: Path, video_id: str, reason: str) -> Finished:
        """The row of a file that could not be scored, possibly because of this machine."""
        return _failed(self._known(file, video_id), ERROR, reason)

    def _known(self, file: Path, video_id: str) -> dict[str, Any]:
        """Facts about a file before it is opened."""
        return {"path": file, "video_id": video_id, "kind": media_kind(file) or "", "rule": self.settings.rule}

    def _explain_beyond(self, faces: Sequence[TrackedFace]) -> str:
        places = (Place(face.tile.square, face.box, face.landmarks, face.tile.frame_px) for face in faces)
        return beyond_notice(self.loaded.input_spec, places, self.faces.context_scale, "score")

    def _score_tracks(
        self, faces: list[TrackedFace], crops: NDArray[np.uint8], video_id: str
    ) -> tuple[list[dict[str, Any]], list[TrackScore]]:
        spec = self.loaded.input_spec
        numbers = np.array([face.track for face in faces])
        places = pd.DataFrame({"video_id": video_id, "track": numbers, "frame": [face.frame for face in faces]})
        samples = choose_samples(places, spec, None)
        rows = [
            {
                "row_id": f"{video_id}#t{faces[i].track}f{faces[i].frame}", **_ids(video_id), "track": faces[i].track,
                "frame": faces[i].frame, "time_s": faces[i].time_s, "logit": float(logit),
                "fake_probability": float(expit(logit)), "doubt": faces[i].doubt, FACE_PX: _side_px(faces[i].box),
                **(NO_NUMBER if np.isnan(logit) else {}),
            }
            for i, logit in zip(samples[:, 0], self._logits(crops, samples), strict=True)
        ]  # fmt: skip
        per_face = _per_face([row["fake_probability"] for row in rows], samples, len(faces))
        for number in sorted({*numbers} - {*numbers[samples[:, 0]]}):
            rows.append(_too_short(video_id, number, int((numbers == number).sum()), spec))
        tracks = []
        for number in np.unique(numbers):
            own = np.flatnonzero(numbers == number)
            track = self._track([faces[i] for i in own], crops[own], per_face[own])
            tracks.append(dataclasses.replace(track, artifacts=self._artifacts(crops[own[track.shown]])))
        return rows, tracks

    def _track(self, faces: Sequence[TrackedFace], crops: NDArray[np.uint8], values: NDArray[np.float64]) -> TrackScore:
        # the centre of each of equally many parts of the track
        spec, count = self.loaded.input_spec, min(self.settings.thumbnails, len(faces))
        shown = ((np.arange(count) + 0.5) * len(faces) / max(count, 1)).astype(np.int64)
        if spec.margins is not None or spec.template is not None or spec.alignment == "whole_resized":
            pictures = [resize(crops[i], self.settings.thumbnail_px) for i in shown]  # what the detector sees
        else:
            seen = "box" if spec.alignment == "whole" else spec.alignment  # the whole picture, not a window of it
            look = InputSpec(size_px=self.settings.thumbnail_px, crop_scale=spec.crop_scale, alignment=seen)
            pictures = [_cut(look, faces[i]) for i in shown]
        return TrackScore(
            track=int(faces[0].track),
            fake_probability=_OPEN,
            frames=np.array([face.frame for face in faces], dtype=np.int64),
            times=np.array([face.time_s for face in faces], dtype=np.float64),
            probabilities=values,
            boxes=np.array([face.box for face in faces], dtype=np.float64).reshape(-1, 4),
            thumbnails=np.stack(pictures)
            if pictures
            else np.empty((0, *[self.settings.thumbnail_px] * 2, 3), np.uint8),
            shown=shown,
            shows=faces[0].shows,
            doubt=faces[0].doubt,
        )

    def _artifacts(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float64], ...]:
        """For each crop, boxes `(m, 5)` in which the detector sees artifacts, with their scores."""
        network: Any = self.loaded.detector
        if not hasattr(network, "artifact_boxes") or not len(crops):
            return ()
        images = torch.from_numpy(crops).movedim(-1, -3).to(device_of(network))
        with own_precision(network, self.loaded.name):
            found = network.artifact_boxes(prepare(images, self.loaded.input_spec, self.loaded.name), whole=False)
        return tuple(torch.cat([f.boxes, f.scores[:, None]], dim=1).double().cpu().numpy() for f in found)

    def _logits(self, crops: NDArray[np.uint8], samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log-odds of fake for each sample: crops `(faces, S, S, 3)`, samples `(n, T)` of indices into them."""
        loaded, size, out = self.loaded, self.settings.batch_size, [np.empty(0)]
        for start in range(0, len(samples), size):
            images = torch.from_numpy(crops[samples[start : start + size]]).movedim(-1, -3)
            images = images if loaded.input_spec.clip_length > 1 else images[:, 0]
            out.append(forward(loaded.detector, loaded.input_spec, loaded.name, images))
        return np.concatenate(out)


def forward(detector: nn.Module, spec: InputSpec, name: str, images: torch.Tensor) -> NDArray[np.float64]:
    """Log-odds of fake for crops, `(B,)`, on the detector's device."""
    device = device_of(detector)
    if device.type == "cpu":
        reuse_memory()
    with torch.inference_mode(), own_precision(detector, name):
        logit = detector(prepare(images.to(device), spec, name)).logit
    return logit.double().cpu().numpy()


def _cut(spec: InputSpec, face: TrackedFace) -> NDArray[np.uint8]:
    return cut_for(spec_for(spec, face.shows), face.tile, face.box, face.landmarks)


def _side_px(box: NDArray[np.float64]) -> float:
    """Square root of the area of a box `(4,)`, to a hundredth of a pixel."""
    return round(float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0)) ** 0.5, 2)


def _failed(known: dict[str, Any], status: str, reason: str) -> Finished:
    row = {"row_id": known["video_id"], **_ids(known["video_id"]), "status": status, "reason": reason}
    return FileScore(**known, status=status, reason=reason, fake_probability=_OPEN), [row]


def _ids(video_id: str) -> dict[str, Any]:
    return {"video_id": video_id, "dataset": video_id.partition("/")[0]}


def _too_short(video_id: str, track: Any, count: int, spec: InputSpec) -> dict[str, Any]:
    need = (spec.clip_length - 1) * spec.clip_stride + 1
    reason = f"track {track} has {count} faces, a clip of this detector needs {need}; sample more frames"
    return {
        "row_id": f"{video_id}#t{track}", **_ids(video_id), "track": int(track), "status": ERROR, "reason": reason,
    }  # fmt: skip


def _per_face(probabilities: Sequence[float], samples: NDArray[np.int64], faces: int) -> NDArray[np.float64]:
    """For each face, the mean over the samples that contain it; NaN if there are none."""
    sums, counts = np.zeros(faces), np.zeros(faces)
    np.add.at(sums, samples, np.asarray(probabilities)[:, None])
    np.add.at(counts, samples, 1)
    return np.divide(sums, counts, out=np.full(faces, np.nan), where=counts > 0)
