"""Container and metadata of a media file as received: `container_facts`. Nothing is decoded for judgement, nothing is changed."""

import os
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import MediaError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.media.kinds import kind_or_reason, media_kind
from dfworkbench.media.pictures.picture_facts import picture_facts
from dfworkbench.media.video.container_facts import video_facts
from dfworkbench.media.walk import is_missing


def container_facts(path: Path | str, *, private: bool = False) -> dict[str, Any]:
    r"""What a video or picture file says about itself. Never raises for the contents of the file.

    Metadata are texts of unknown origin: they are truncated to 2,000 characters, and control characters are shown as `\xNN`. They
    are not escaped for HTML.

    Args:
        path: The file; it is opened read-only.
        private: Show positions (GPS), serial numbers and owners' names; otherwise "withheld" lists the names of these entries.

    Returns:
        Plain values. Always present: "kind" ("video", "image" or ""), "status" ("ok", "unreadable", "truncated", "missing"),
        "reason" ("" if ok), "metadata" and "withheld".

        For a video, also format, long_name, duration_s, start_s, bit_rate, packets_complete, and "streams": each with its codec,
        size, colours, time base, packets, key_frames, and packets_sha256, the SHA-256 of its packets' bytes in the order of the
        file, which stays the same when only metadata or the container change.

        For a picture, also format, mode, width, height, pictures, exif, xmp_bytes, icc_profile and quantisation_tables (64 numbers
        each).
    """
    path = Path(path)
    found: dict[str, Any] = {"kind": "", "status": STATUS_OK, "reason": "", "metadata": {}, "withheld": []}
    try:
        require_regular(path)
        found["kind"] = kind = media_kind(path) or ""
        if kind not in ("video", "image"):
            why = kind_or_reason(path) or "neither its first bytes nor its suffix are those of a video or picture"
            raise MediaError(
                f"reading {path}: it is not read ({why}). Expected a video or a picture: leave the file out."
            )
        return found | (video_facts if kind == "video" else picture_facts)(path, private)
    except MediaError as error:
        return found | {"status": error.status, "reason": without_folders(error, path)}


def without_folders(error: MediaError, path: Path) -> str:
    """A message that names the file but not its folder."""
    return str(error).replace(str(path), path.name)


def require_regular(path: Path) -> None:
    """Raise `MediaError` unless the path is a regular file or a link to one: a pipe would block whoever opens it.

    Raises:
        MediaError: With status "missing" or "unreadable".
    """
    if is_missing(path):
        raise MediaError(f"reading {path}: there is no such file. Check the path.", "missing")
    if not path.is_file():
        raise MediaError(
            f"reading {path}: it is not a regular file but a folder, pipe, socket or device, and was not opened. Expected a video "
            "or a picture: leave it out."
        )
    if not os.access(path, os.R_OK):
        raise MediaError(f"reading {path}: permission denied. Expected a file that can be read: check its permissions.")
