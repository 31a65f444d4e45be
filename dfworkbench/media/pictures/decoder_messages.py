"""Detect damaged JPEG and TIFF files from messages that libjpeg and libtiff print to standard error while filling gaps.

No available decoder reports such damage in another way (docs/decisions/0021-what-a-picture-is.md). Standard error belongs to the
process, so only one picture at a time is decoded this way, and every line that is not a complaint is passed on.
"""

import contextlib
import functools
import logging
import os
import re
import tempfile
import threading

import cv2
import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_STDERR = 2
_LOCK = threading.Lock()
_COMPLAINT = re.compile(rb"Corrupt JPEG data|Premature end of JPEG|TIFF_Error")
#: First bytes of files for libjpeg and libtiff; the other decoders return errors, or cannot notice damage.
_TALKING = (b"\xff\xd8", b"II", b"MM")


def decode_listening(data: bytes) -> tuple[NDArray[np.uint8] | None, str]:
    """Decode a picture with OpenCV, and return what the decoder printed about damage.

    Returns:
        The picture, or None if it cannot be decoded; and the first complaint about damaged pixels, or "".
    """
    if not data.startswith(_TALKING):
        return _decode(data), ""
    if data.startswith(b"\xff\xd8"):
        _warn_if_deaf()
    return _listen(data)


def _decode(data: bytes) -> NDArray[np.uint8] | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # pyright: ignore[reportReturnType]
    except cv2.error:
        return None


def _listen(data: bytes) -> tuple[NDArray[np.uint8] | None, str]:
    with _LOCK, contextlib.ExitStack() as stack:
        try:
            saved = os.dup(_STDERR)
            stack.callback(os.close, saved)
            heard = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no standard error, or no space for a file
            return _decode(data), ""
        os.dup2(heard.fileno(), _STDERR)
        try:
            picture = _decode(data)
        finally:
            os.dup2(saved, _STDERR)
        heard.seek(0)
        return picture, _pass_on(heard.read(), saved)


def _pass_on(text: bytes, target: int) -> str:
    """The first complaint; everything else that was printed meanwhile is passed on."""
    complaints = []
    for line in text.splitlines(keepends=True):
        if _COMPLAINT.search(line):
            complaints.append(line.decode(errors="replace").strip())
        else:
            os.write(target, line)
    return complaints[0] if complaints else ""


@functools.cache
def _warn_if_deaf() -> None:
    """Check once whether damage of a JPEG is noticed: a build of OpenCV may print elsewhere."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    data = bytearray(cv2.imencode(".jpg", noise)[1].tobytes())
    middle = len(data) // 2
    del data[middle : middle + 200]
    if not _listen(bytes(data))[1]:
        _log.warning(
            "OpenCV %s does not report damaged JPEG files here: pictures that are damaged in their middle are read as they are.",
            cv2.__version__,
        )
