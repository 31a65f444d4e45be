"""Clips for the comparison of video readers: a generated call of three people in two sizes, two codecs, two lengths of groups."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
from extraction import FPS, LENGTH, make_call

from dfworkbench.media import VideoSource

#: Width, height and frames: encoding all of the call at 1080p would take longer than measuring it.
SIZES = {"720p": (1280, 720, LENGTH), "1080p": (1920, 1080, 150)}
#: Encoder, preset (x265 takes minutes in slower ones) and the name of the encoder's own options.
CODECS = {"H.264": ("libx264", "veryfast", "x264-params"), "HEVC": ("libx265", "ultrafast", "x265-params")}
GROUPS = {"groups of 12": 12, "groups of 250": 250}


def make_call_once(folder: Path) -> Path:
    """The generated call, written if the folder lacks it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "call.mp4").is_file():
        make_call(folder / "call.mp4")
    return folder / "call.mp4"


def make_clips(folder: Path, only: str = "") -> Iterator[tuple[str, Path]]:
    """Write the clips that the folder lacks, CRF 23, and yield what each is and where; those whose words contain `only`."""
    call = make_call_once(folder)
    for size, codec, (group, length) in itertools.product(SIZES, CODECS, GROUPS.items()):
        title, path = f"{size}, {codec}, {group}", folder / f"{size}_{codec.replace('.', '')}_{length}.mp4"
        if only in title:
            if not path.is_file():
                encode(call, path, SIZES[size], codec, length)
            yield title, path


def encode(source: Path, path: Path, size: tuple[int, int, int], codec: str, group: int) -> None:
    """Write the first frames of a clip again with another size, codec and largest distance of key frames."""
    encoder, preset, parameters = CODECS[codec]
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        quiet = ":log-level=none" if codec == "HEVC" else ""
        stream = container.add_stream(
            encoder,
            rate=Fraction(FPS),
            options={"crf": "23", "preset": preset, parameters: f"keyint={group}:min-keyint=1{quiet}"},
        )
        width, height, frames = size
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"  # pyright: ignore[reportAttributeAccessIssue]
        for frame in VideoSource(source).iterate(range(frames)):
            rgb = frame.rgb
            if rgb.shape[:2] != (height, width):
                rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))  # pyright: ignore
        container.mux(stream.encode(None))  # pyright: ignore[reportAttributeAccessIssue]
    unfinished.replace(path)
