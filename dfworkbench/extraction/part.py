"""Extraction of one video: crops are written first, then its part file in one step.

The part file is the commit point. It records the size and modification time of the video and the hash of the settings; if one of
these or a crop has changed, the video is extracted again. Plain JSON, in which numbers round-trip exactly.
"""

import contextlib
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MediaError, OutputError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.core.safe_paths import require_below
from dfworkbench.core.workspace import atomic_path, explain_write
from dfworkbench.datasets.tables.schemas import BOX_COLUMNS, LANDMARK_COLUMNS
from dfworkbench.extraction.masks import forged_shares
from dfworkbench.faces import FileFaces, NoFaceError, TrackedFace, faces_in_file
from dfworkbench.faces.mtcnn import FaceFinder
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import list_frames, open_source
from dfworkbench.media.foreign import read_json

STATUS_ERROR = "error"
_CROP = re.compile(r"t\d{2,}_f\d{6,}\.png")  # the last part of a crop_path
_finders: dict[str, FaceFinder] = {}


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to extract one video.

    Attributes:
        video_id: Id in the video table.
        path: The video, relative to the root of the data set.
        file: The same path, absolute.
        extracted: The folder extracted/.
        dataset: Name of the data set's folder in it.
        settings: Face settings.
        mask: Video of the ground-truth masks, absolute; None if there is none.
        genuine: The real video that this one was made from, absolute; None if unknown. Both are sampled at the same frames,
            whatever their lengths, so that each forged face has its genuine counterpart.
    """

    video_id: str
    path: str
    file: Path
    extracted: Path
    dataset: str
    settings: FaceSettings
    mask: Path | None = None
    genuine: Path | None = None

    @property
    def part_file(self) -> Path:
        """Path of this video's part file."""
        name = hashlib.sha256(self.path.encode()).hexdigest()[:24]
        return self.extracted / self.dataset / ".parts" / f"{name}.json"

    @property
    def crops_folder(self) -> Path:
        """Folder of its crops."""
        return self.extracted / self.dataset / self.path


@dataclass(frozen=True)
class Part:
    """Result for one video: columns of its row in the video table, and its rows of the face table."""

    video: dict[str, Any]
    faces: list[dict[str, Any]] = field(default_factory=list)


def read_part(job: Job) -> Part | None:
    """The finished part of a video, or None if there is no valid one."""
    try:
        stored = read_json(job.part_file)
    except (OSError, ValueError):
        return None
    if stored.get("key") != _key(job):
        return None
    part = Part(stored["video"], stored["faces"])
    wanted = {Path(face["crop_path"]).name for face in part.faces}
    there = {file.name for file in job.crops_folder.iterdir()} if job.crops_folder.is_dir() else set()
    return part if wanted <= there else None


def extract_video(job: Job, threads: int = 0) -> Part:
    """Extract one video and commit its part. Runs in a worker.

    Args:
        job: The video.
        threads: See `faces_in_file`; 0 for one per core.

    A bad file gives a part with status and reason. So does an unexpected error, but that part is not stored, so that the next run
    tries the file again.

    Raises:
        OutputError: Crops or part cannot be written.
    """
    require_below(job.crops_folder, job.extracted, f"extracting {job.video_id}")
    require_below(job.part_file.parent, job.extracted, f"extracting {job.video_id}")
    with explain_write(job.crops_folder, "face crops"):
        job.part_file.unlink(missing_ok=True)  # from here on, the old part no longer describes the crops
        _remove_crops(job.crops_folder)
    key = _key(job)
    try:
        part = _extract(job, threads)
    except OutputError:
        raise
    except MediaError as error:
        part = Part(_failed_row(error))
    except Exception as error:  # one bad file must never stop the job, whatever is wrong with it
        return failed(f"{type(error).__name__}: {error}")
    with atomic_path(job.part_file, "a finished video") as temporary:
        temporary.write_text(json.dumps({"key": key, **asdict(part)}))
    return part


def _remove_crops(folder: Path) -> None:
    """Remove what an earlier extraction wrote: files named like crops. Anything else is not ours and stays."""
    if folder.is_dir():
        for file in folder.iterdir():
            if _CROP.fullmatch(file.name) and (file.is_file() or file.is_symlink()):
                file.unlink()  # for a link, remove the link, never its target


def failed(reason: str) -> Part:
    """The part of a video that could not be extracted for a reason other than the file itself."""
    return Part({"status": STATUS_ERROR, "reason": reason, "tracks": 0, "faces": 0})


def _extract(job: Job, threads: int) -> Part:
    found = faces_in_file(
        job.file,
        job.settings,
        _finder(job.settings) if job.settings.finds_faces else None,
        threads,
        png=True,
        reference_length=_frames(job.genuine),
    )
    rows = [_face_row(job, face) for face in found.detections]
    if job.mask is not None:
        shares = forged_shares(job.mask, found.detections, found.width_px, found.height_px)
        rows = [{**row, "forged_share": share} for row, share in zip(rows, shares, strict=True)]
    with explain_write(job.crops_folder, "face crops"):
        job.crops_folder.mkdir(parents=True, exist_ok=True)
        for row, face in zip(rows, found.detections, strict=True):
            with (job.extracted / row["crop_path"]).open("xb") as file:  # never through an existing link
                file.write(face.tile.png)
    tracks = len({face.track for face in found.detections})
    return Part(
        {"status": STATUS_OK, "reason": found.notice, **_file_columns(found), "tracks": tracks, "faces": len(rows)},
        rows,
    )


def _frames(genuine: Path | None) -> int:
    """Number of frames of the genuine video; 0 if there is none that can be read."""
    with contextlib.suppress(MediaError):
        return open_source(genuine).frames_expected if genuine else 0
    return 0


def _finder(settings: FaceSettings) -> FaceFinder:
    """One finder per process and settings, so that the networks stay loaded."""
    name = settings.content_hash()
    if name not in _finders:
        _finders[name] = FaceFinder(settings)
    return _finders[name]


def _face_row(job: Job, face: TrackedFace) -> dict[str, Any]:
    tile = face.tile
    return {
        "face_id": f"{job.video_id}#t{face.track}f{face.frame}",
        "video_id": job.video_id,
        "track": face.track,
        "frame": face.frame,
        "time_s": face.time_s,
        **dict(zip(BOX_COLUMNS, face.box.tolist(), strict=True)),
        "probability": face.probability,
        **dict(zip(LANDMARK_COLUMNS, face.landmarks.ravel().tolist(), strict=True)),
        "crop_path": f"{job.dataset}/{job.path}/t{face.track:02d}_f{face.frame:06d}.png",
        "crop_x0": tile.x0,
        "crop_y0": tile.y0,
        "crop_side": tile.side,
        "crop_size_px": tile.image.shape[0],
        "doubt": face.doubt,
        "shows": face.shows,
    }


def _failed_row(error: MediaError) -> dict[str, Any]:
    row = {"status": error.status, "reason": str(error), "tracks": 0, "faces": 0}
    return {**row, **_file_columns(error.file)} if isinstance(error, NoFaceError) else row


def _file_columns(file: FileFaces) -> dict[str, Any]:
    columns: dict[str, Any] = {"frames": file.frames, "width_px": file.width_px, "height_px": file.height_px}
    return {**columns, "fps": file.fps} if file.kind == "video" else columns


def _key(job: Job) -> list[Any]:
    """Everything the part depends on; compared, never parsed."""
    mask = _stamp(job.mask) if job.mask else []
    genuine = _stamp(job.genuine) if job.genuine else []
    return [job.video_id, *_stamp(job.file), *mask, *genuine, job.settings.crops_hash()]


def _stamp(path: Path) -> list[int]:
    """Size and modification time of a file, to detect replacement by another one. For a folder of frames, those of its content."""
    with contextlib.suppress(OSError, MediaError):
        if path.is_dir():  # its own time does not change when a picture in it is rewritten
            stats = [file.stat() for file in list_frames(path)]
            newest = max((stat.st_mtime_ns for stat in stats), default=-1)
            return [len(stats), sum(stat.st_size for stat in stats), newest]
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]
    return [-1, -1]
