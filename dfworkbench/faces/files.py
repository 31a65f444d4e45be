"""Find, track and cut all faces of a file: the single code path of extraction and scoring."""

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from dfworkbench.core.errors import MediaError
from dfworkbench.faces import search
from dfworkbench.faces.doubt import explain_doubt
from dfworkbench.faces.face_tile import keep_whole, take_crop
from dfworkbench.faces.faces import FileFaces, NoFaceError, TrackedFace
from dfworkbench.faces.identity import people
from dfworkbench.faces.mtcnn import FaceFinder
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.faces.tracking import KeyFrame, Track, colour_histogram, link
from dfworkbench.media import FrameSource, kind_or_reason, media_kind, open_source, read_picture, sample_indices

_LEAST_WHOLE_PX = 32  # of a whole picture: no detector takes less
_NO_LANDMARKS = np.full((5, 2), np.nan)


def faces_in_file(
    path: Path | str,
    settings: FaceSettings | None = None,
    finder: FaceFinder | None = None,
    threads: int = 0,
    png: bool = False,
    reference_length: int = 0,
) -> FileFaces:
    """Find, track and cut all faces of a picture, a video or a folder of frames.

    With `settings.whole` or `settings.crops`, no face is searched for: each picture or sampled frame is kept whole or used as a
    face, and a file is one track.

    Args:
        path: The file, or the folder whose pictures are the frames of one video.
        settings: Face settings; the defaults of `FaceSettings` if omitted.
        finder: Face finder to reuse for many files; made from the settings if omitted. Not needed if no face is searched for.
        threads: With more than one, a video is decoded while faces are searched for; 0 for one per core.
        png: Compress the crops (`FaceTile.png`) during the search, because they will be stored.
        reference_length: Sample a video as if it had this many frames, which aligns a fake with its source; 0: its own length.

    Raises:
        MediaError: With the status that goes into the tables: "missing", "unreadable", "truncated" or "no_face".
    """
    path = Path(path)
    settings = settings or (finder.settings if finder else FaceSettings())
    kind = media_kind(path)
    if kind is None and not path.exists():  # a folder of frames has no suffix that identifies it
        raise MediaError(f"opening {path}: there is no such file or folder. Check the path.", "missing")
    if kind is None:
        raise MediaError(
            f"opening {path}: by suffix and content this is not a picture or video that can be read here"
            f"{f' ({reason})' if (reason := kind_or_reason(path)) else ''}. Convert or leave out the file."
        )
    if not settings.finds_faces:
        return _taken_as_they_are(path, settings, threads, reference_length)
    finder = finder or FaceFinder(settings)
    file, keys = (
        _read_image(path, finder)
        if kind == "image"
        else _read_video(path, settings, finder, threads, png, reference_length)
    )
    if kind == "image":
        tracks = [Track([0], [face]) for face in range(len(keys[0].faces.boxes))]
    else:
        tracks = people(link(keys), keys, settings)
    kept = _long_enough(tracks, keys, settings)
    detections = [face for number, track in enumerate(kept) for face in _tracked(number, track, keys)]
    if kind != "image":
        detections = _doubted(detections, keys, timed=kind == "video")
    if not detections:
        raise NoFaceError(_explain_no_face(path, settings, file, len(tracks)), file)
    file.detections.extend(detections)
    return file


def follow_faces(source: FrameSource, finder: FaceFinder) -> tuple[list[KeyFrame], list[Track]]:
    """All key frames of a video, including those between the sampled ones, and all tracks through them, including short ones."""
    keys = _video_keys(source, finder.settings, finder, threads=0, png=False)
    return keys, link(keys)


def _read_image(path: Path, finder: FaceFinder) -> tuple[FileFaces, list[KeyFrame]]:
    rgb, notice = read_picture(path)
    faces = finder.find(rgb)
    tiles = [search.cut_tile(rgb, box, finder.settings) for box in faces.boxes]
    notice = _join(notice, _explain_limit(finder.settings, rgb.shape[1], rgb.shape[0]))
    file = FileFaces("image", 1, float("nan"), rgb.shape[1], rgb.shape[0], [], notice)
    return file, [KeyFrame(0, 0.0, faces, colour_histogram(rgb), tiles)]


def _read_video(
    path: Path, settings: FaceSettings, finder: FaceFinder, threads: int, png: bool, reference_length: int
) -> tuple[FileFaces, list[KeyFrame]]:
    source = open_source(path)
    notice = _join(source.notice, _explain_limit(settings, source.width_px, source.height_px))
    file = FileFaces("video", source.frames_expected, source.fps, source.width_px, source.height_px, [], notice)
    return file, _video_keys(source, settings, finder, threads, png, reference_length)


def _video_keys(
    source: FrameSource, settings: FaceSettings, finder: FaceFinder, threads: int, png: bool, reference_length: int = 0
) -> list[KeyFrame]:
    keys = search.sampled(source, _wanted(source, settings, reference_length), finder, threads, png)
    return search.between(source, keys, finder, threads) if settings.bridge_gaps else keys


def _wanted(source: FrameSource, settings: FaceSettings, reference_length: int) -> list[int]:
    length = reference_length or source.frames_expected
    wanted = sample_indices(length, settings.frames, both_ends=settings.sampling == "both_ends")
    return [index for index in wanted if index < source.frames_expected] or [0]


def _taken_as_they_are(path: Path, settings: FaceSettings, threads: int, reference_length: int) -> FileFaces:
    if media_kind(path) == "image":
        rgb, notice = read_picture(path)
        file = FileFaces("image", 1, float("nan"), rgb.shape[1], rgb.shape[0], [], notice)
        frames = iter([(0, 0.0, rgb)])
    else:
        source = open_source(path)
        size = source.width_px, source.height_px
        file = FileFaces("video", source.frames_expected, source.fps, *size, [], source.notice)
        wanted = _wanted(source, settings, reference_length)
        frames = ((frame.index, frame.time_s, frame.rgb) for frame in source.iterate(wanted, threads))
    for index, time_s, rgb in frames:
        if settings.crops:
            tile, box = take_crop(rgb, settings.context_max_px)
            file.detections.append(TrackedFace(index, time_s, 0, box, 1.0, _NO_LANDMARKS, tile, shows="crop"))
        elif min(rgb.shape[:2]) >= _LEAST_WHOLE_PX:  # the pictures of a folder may differ in size
            tile = keep_whole(rgb, settings)
            square = tile.square
            file.detections.append(TrackedFace(index, time_s, 0, square, 1.0, _NO_LANDMARKS, tile, shows="picture"))
    if not file.detections:
        raise MediaError(
            f"taking {path} whole: it is {file.width_px} x {file.height_px} px. Expected at least {_LEAST_WHOLE_PX} px "
            "on both sides: leave it out."
        )
    return file


def _long_enough(tracks: list[Track], keys: list[KeyFrame], settings: FaceSettings) -> list[Track]:
    """Tracks seen often enough and in at least one sampled frame: false boxes live for one to three frames.

    The length of a torn track is unknown: it is kept, and marked as doubtful if short.
    """
    least = min(settings.min_track_frames, sum(key.tiles is not None for key in keys))
    return [
        track
        for track in tracks
        if (track.torn or len(track.keys) >= least) and any(keys[number].tiles is not None for number in track.keys)
    ]


def _tracked(number: int, track: Track, keys: list[KeyFrame]) -> list[TrackedFace]:
    found = []
    for at, face in zip(track.keys, track.faces, strict=True):
        key = keys[at]
        if key.tiles is not None:
            faces = key.faces
            found.append(
                TrackedFace(
                    key.index, key.time_s, number, faces.boxes[face], float(faces.probabilities[face]),
                    faces.landmarks[face], key.tiles[face],
                )
            )  # fmt: skip
    return found


def _explain_limit(settings: FaceSettings, width_px: int, height_px: int) -> str:
    least = settings.smallest_face_px(width_px, height_px)
    if least <= settings.min_face_px:
        return ""
    return (
        f"faces under {least:.0f} px were not looked for, because it is {width_px} x {height_px} px: raise detect_long_side_px to "
        "find them"
    )


def _join(*notices: str) -> str:
    return "; ".join(filter(None, notices))


def _doubted(faces: list[TrackedFace], keys: list[KeyFrame], timed: bool) -> list[TrackedFace]:
    """The same faces, with those of doubtful tracks marked; without `timed`, every sampled frame counts."""
    sampled = [key.time_s for key in keys if key.tiles is not None]
    out: list[TrackedFace] = []
    for _, track in groupby(faces, key=lambda face: face.track):
        own = list(track)
        apart = {} if timed else {"apart_s": 0.0}
        times, tiles, boxes = ([getattr(face, name) for face in own] for name in ("time_s", "tile", "box"))
        doubt = explain_doubt(times, sampled, tiles, boxes, **apart)
        out += [replace(face, doubt=doubt) for face in own] if doubt else own
    return out


def _explain_no_face(path: Path, settings: FaceSettings, file: FileFaces, tracks: int) -> str:
    least = settings.smallest_face_px(file.width_px, file.height_px)
    seen = f"{tracks} doubtful one(s), each in too few frames" if tracks else "none"
    return (
        f"looking for faces in {path}: found {seen} (at least {least:.0f} px and p >= {settings.min_probability:g} in "
        f"{min(settings.frames, file.frames)} frame(s) of {file.width_px} x {file.height_px} px). Lower min_face_px or "
        "min_probability if there are faces. If the pictures are face crops already, take them as they are: crops=true (--crops)."
    )
