"""16 sampled frames of a video as RGB: ours against PyAV, OpenCV, TorchCodec and decord2, all with one thread.

Every way opens the file, learns how many frames it has, and gives the frames at the same indices. Whether they are the same
pictures is then looked at: each is compared with the frames around its index.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.media import VideoSource, sample_indices
from peer_parts.clips import make_clips
from peer_parts.measuring import OURS, Way, alternate, print_table
from peer_parts.packages import load

Pictures = Sequence[NDArray[np.uint8]]
FRAMES = 16
_AROUND = 4  # frames before and after an index that a picture may turn out to be


def ours(path: Path, count: int) -> Pictures:
    """As extraction reads."""
    source = VideoSource(path)
    return [frame.rgb for frame in source.iterate(sample_indices(source.frames_expected, count))]


def plain_pyav(path: Path, count: int) -> Pictures:
    """Every frame up to the last wanted one is decoded, and the wanted ones are converted."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        wanted = sample_indices(stream.frames, count)
        found = []
        for index, frame in enumerate(container.decode(stream)):
            if index in wanted:
                found.append(frame.to_ndarray(format="rgb24"))
            if index >= wanted[-1]:
                break
        return found


def opencv(path: Path, count: int) -> Pictures:
    """Every frame is grabbed, and the wanted ones are retrieved."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    wanted = sample_indices(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), count)
    found = []
    for index in range(wanted[-1] + 1):
        capture.grab()
        if index in wanted:
            found.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    return found


def torchcodec(decoders: Any, mode: str) -> Callable[[Path, int], Pictures]:
    """TorchCodec's decoder in one of its two modes."""

    def read(path: Path, count: int) -> Pictures:
        decoder = decoders.VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode=mode)
        return decoder.get_frames_at(sample_indices(len(decoder), count)).data.numpy()

    return read


def decord(package: Any) -> Callable[[Path, int], Pictures]:
    """decord2's reader."""

    def read(path: Path, count: int) -> Pictures:
        reader = package.VideoReader(str(path), num_threads=1)
        return reader.get_batch(sample_indices(len(reader), count)).asnumpy()

    return read


def readers() -> dict[str, Callable[[Path, int], Pictures]]:
    """All ways that can be measured here."""
    found = {OURS: ours, "PyAV, all frames decoded": plain_pyav, "OpenCV, all frames grabbed": opencv}  # fmt: skip
    if decoders := load("torchcodec", "torchcodec.decoders"):
        found |= {f"TorchCodec, {mode}": torchcodec(decoders, mode) for mode in ("exact", "approximate")}
    if package := load("decord2", "decord"):
        package.logging.set_level(package.logging.FATAL)
        found["decord2"] = decord(package)
    return found


def same_frames(path: Path, count: int, pictures: Pictures) -> str:
    """Which of the pictures are the frames that were asked for, and how far their colours are from ours."""
    source = VideoSource(path)
    wanted = sample_indices(source.frames_expected, count)
    if len(pictures) != len(wanted):
        return f"{len(pictures)} frames instead of {len(wanted)}"
    near = sorted({index + step for index in wanted for step in range(-_AROUND, _AROUND + 1)})
    frames: dict[int, NDArray[np.int16]] = {}
    stream = source.iterate(near)
    off: list[int] = []
    apart: list[float] = []
    for index, picture in zip(wanted, pictures, strict=True):
        while max(frames, default=-1) < min(index + _AROUND, source.frames_expected - 1):
            frame = next(stream)
            frames[frame.index] = frame.rgb.astype(np.int16)
        frames = {at: rgb for at, rgb in frames.items() if at >= index - _AROUND}
        if picture.shape != frames[index].shape:
            return f"{picture.shape[1]} x {picture.shape[0]} px instead of {source.width_px} x {source.height_px}"
        distance = {at: float(np.abs(rgb - picture).mean()) for at, rgb in frames.items() if abs(at - index) <= _AROUND}
        best = min(distance, key=lambda at: (distance[at], abs(at - index)))
        off.append(best - index)
        apart.append(distance[best])
    wrong = [step for step in off if step]
    colours = f"colours {np.mean(apart):.2f} grey levels apart" if max(apart) > 0 else "equal to the last bit"
    if not wrong:
        return f"the same; {colours}"
    return (
        f"{len(wrong)} of {len(off)} are another frame (off by {', '.join(f'{step:+d}' for step in wrong)}); {colours}"
    )


def real_clips(only: str) -> Iterator[tuple[str, Path]]:
    """A crowd and a talking head of the folder for trials, where it is."""
    trials = os.environ.get("DFWORKBENCH_TRIALS")
    for title, name in (
        ("a real crowd, 1080p, H.264", "street.mp4"),
        ("a real talking head, 720p, H.264", "clips/d13.mp4"),
    ):
        if trials and only in title:
            yield title, Path(trials) / "media" / name


def compare(folder: Path, runs: int, only: str) -> None:
    """Print a table for each clip."""
    ways = readers()
    for title, path in itertools.chain(make_clips(folder, only), real_clips(only)):
        measured = alternate({name: Way(partial(read, path, FRAMES)) for name, read in ways.items()}, runs)
        same = {name: same_frames(path, FRAMES, one.result) for name, one in measured.items() if name != OURS}
        print_table(
            f"{FRAMES} frames of {title} ({VideoSource(path).frames_expected} frames)", measured, {"frames": same}
        )
