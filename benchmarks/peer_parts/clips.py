"""Clips for the comparison of video readers: a generated call of three people in two sizes, two codecs, two lengths of groups."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
from extraction import FPS, make_call

from dfworkbench.media import VideoSource

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
#: Encoder, preset (x265 takes minutes in slower ones) and the name of the encoder's own options.
CODECS = {"H.264": ("libx264", "veryfast", "x264-params"), "HEVC": ("libx265", "ultrafast", "x265-params")}
GROUPS = {"groups of 12": 12, "groups of 250": 250}


def make_call_once(folder: Path) -> Path:
    """The generated call, written if the folder lacks it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "call.mp4").is_file():
        make_call(folder / "call.mp4")
    return folder / "call.mp4"


def make_clips(folder: Path) -> dict[str, Path]:
    """Write the clips that the folder lacks, CRF 23; their names say what they are."""
    call, clips = make_call_once(folder), {}
    for size, (width, height) in SIZES.items():
        for codec in CODECS:
            for group, length in GROUPS.items():
                path = folder / f"{size}_{codec.replace('.', '')}_{length}.mp4"
                if not path.is_file():
                    encode(call, path, (width, height), codec, length)
                clips[f"{size}, {codec}, {group}"] = path
    return clips


def encode(source: Path, path: Path, size: tuple[int, int], codec: str, group: int) -> None:
    """Write a clip again with another size, codec and largest distance of key frames."""
    encoder, preset, parameters = CODECS[codec]
    unfinished = path.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as container:
        quiet = ":log-level=none" if codec == "HEVC" else ""
        stream = container.add_stream(
            encoder,
            rate=Fraction(FPS),
            options={"crf": "23", "preset": preset, parameters: f"keyint={group}:min-keyint=1{quiet}"},
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"  # pyright: ignore[reportAttributeAccessIssue]
        for frame in VideoSource(source).iterate():
            rgb = frame.rgb if frame.rgb.shape[1::-1] == size else cv2.resize(frame.rgb, size, interpolation=cv2.INTER_CUBIC)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))  # pyright: ignore
        container.mux(stream.encode(None))  # pyright: ignore[reportAttributeAccessIssue]
    unfinished.replace(path)
