"""Write H.264 video at a constant rate factor, like the compression of FaceForensics++ (c23, c40)."""

import contextlib
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.workspace import atomic_path, explain_write
from dfworkbench.media.video.containers import open_output

#: Ticks per second for frames with given times: usual frame rates divide it.
_CLOCK = Fraction(1, 90_000)


class VideoWriter:
    """Write RGB frames as an H.264 file; the file appears whole when the `with` block ends without an error.

    Args:
        path: Where to write; .mp4, .mkv or any container that PyAV knows by its suffix.
        fps: Frames per second.
        width: Pixels of every frame; even unless `pix_fmt` is a 4:4:4 format.
        height: Pixels of every frame; even, as the width.
        crf: x264's constant rate factor, 0 (lossless in `pix_fmt`) to 51; 23 and 40 are FaceForensics++'s c23 and c40.
        pix_fmt: Chroma format of the stream.
        preset: x264's preset, from "ultrafast" to "veryslow".
        tree: Whether x264 spends more bits on blocks that later frames refer to (its macroblock tree, on by default). With it, x264
            reads uninitialised memory: equal frames occasionally give different bytes. Without it, they never did.
        timed: Every frame has its own time, instead of a constant rate; `fps` is then about their mean.

    Example:
        >>> with VideoWriter("clip.mp4", 25, 256, 256, crf=23) as writer:  # doctest: +SKIP
        ...     for rgb in frames:
        ...         writer.write(rgb)
    """

    def __init__(
        self, path: Path | str, fps: float, width: int, height: int, crf: int, pix_fmt: str = "yuv420p",
        preset: str = "veryfast", tree: bool = True, timed: bool = False,
    ) -> None:  # fmt: skip
        self.path = Path(path)
        if pix_fmt == "yuv420p" and (width % 2 or height % 2):
            raise ParameterError(
                f"writing {self.path}: {width} x {height} pixels cannot be stored as yuv420p, which needs even sides. "
                "Crop or pad one pixel, or choose pix_fmt='yuv444p'."
            )
        if not 0 <= crf <= 51:
            raise ParameterError(f"writing {self.path}: crf must be in 0..51 (0 is lossless), got {crf}.")
        self._shape = (height, width, 3)
        self._pix_fmt, self._timed, self._stamp = pix_fmt, timed, -1
        self._rate = Fraction(fps).limit_denominator(1001)
        self._options = {"crf": str(crf), "preset": preset, **({} if tree else {"x264-params": "mbtree=0"})}
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._closing:  # undo what was opened if a later step fails
            temporary = self._closing.enter_context(atomic_path(self.path, "a video"))
            self._closing.enter_context(explain_write(self.path, "a video"))
            self._container = self._closing.enter_context(open_output(temporary))
            self._stream = self._add_stream()
            self._closing = self._closing.pop_all()
        return self

    def _add_stream(self) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate, options=self._options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = self._shape[:2]
        stream.pix_fmt = self._pix_fmt
        if self._timed:
            stream.codec_context.time_base = _CLOCK
        stream.thread_count = 1  # the same bytes whatever the number of cores
        return stream

    def write(self, rgb: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Append one frame.

        Args:
            rgb: `(height, width, 3)` uint8, RGB.
            time_s: Seconds from the beginning, increasing; ignored unless the writer is `timed`.
        """
        if rgb.shape != self._shape or rgb.dtype != np.uint8:
            raise InputError(f"writing {self.path}: got a frame {rgb.dtype} {rgb.shape}, expected uint8 {self._shape}.")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        if self._timed:
            self._stamp = max(round((time_s or 0) / _CLOCK), self._stamp + 1)  # x264 accepts no two at the same time
            frame.time_base, frame.pts = _CLOCK, self._stamp
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with self._closing:
            if error is None:
                self._container.mux(self._stream.encode(None))  # flush
                return None
            # hand the error to atomic_path, which removes the unfinished file
            return self._closing.__exit__(kind, error, trace)
