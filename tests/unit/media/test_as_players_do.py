"""Frames and time stamps against ffmpeg's own, over containers x codecs x conditions.

The reference is the ffmpeg program of the package imageio-ffmpeg: newer than those of Linux distributions, and near the libraries that
PyAV brings. Every frame of a clip has coarse blocks of its own, so that any two can be told apart through every codec.
"""

import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.media import VideoSource

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the reference is the ffmpeg of imageio-ffmpeg")

LENGTH, WIDTH, HEIGHT, FPS = 40, 64, 48, 25
H264 = ["libx264", "-preset", "veryfast", "-g", "12", "-bf", "2", "-threads", "1"]
OPEN_HEVC = ["libx265", "-x265-params", "keyint=12:bframes=2:open-gop=1:scenecut=0:pools=1:frame-threads=1:log-level=none"]
CODECS = {
    "h264": H264,
    "h264-intra": [*H264, "-g", "1"],
    "h264-fields": [*H264, "-flags", "+ildct+ilme"],
    "h264-refresh": ["libx264", "-preset", "veryfast", "-g", "12", "-intra-refresh", "1", "-bf", "0", "-threads", "1"],
    "h264-open": [*H264, "-x264-params", "open-gop=1:scenecut=0"],
    "hevc": OPEN_HEVC,
    "hevc-closed": ["libx265", "-x265-params", "keyint=12:bframes=2:open-gop=0:pools=1:frame-threads=1:log-level=none"],
    "hevc-layers": ["libx265", "-x265-params", "keyint=12:bframes=3:temporal-layers=2:pools=1:frame-threads=1:log-level=none"],
    "vp8": ["libvpx", "-g", "12", "-b:v", "400k", "-auto-alt-ref", "1", "-lag-in-frames", "10", "-deadline", "good", "-cpu-used", "5"],
    "vp9": ["libvpx-vp9", "-g", "12", "-b:v", "400k", "-auto-alt-ref", "1", "-lag-in-frames", "25", "-cpu-used", "5"],
    "av1": ["libsvtav1", "-preset", "12", "-g", "12", "-svtav1-params", "lp=1"],
    "aom": ["libaom-av1", "-cpu-used", "8", "-g", "12", "-lag-in-frames", "19", "-threads", "1"],
    "mpeg4": ["mpeg4", "-g", "12", "-bf", "2", "-q:v", "2"],
    "xvid": ["libxvid", "-g", "12", "-bf", "2", "-q:v", "2"],
    "mpeg2": ["mpeg2video", "-g", "12", "-bf", "2", "-q:v", "2"],
    "mpeg1": ["mpeg1video", "-g", "12", "-bf", "2", "-q:v", "2"],
    "theora": ["libtheora", "-g", "12", "-q:v", "9"],
    "mjpeg": ["mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"],
    "prores": ["prores_ks", "-pix_fmt", "yuv422p10le"],
    "ffv1": ["ffv1", "-g", "6"],
    "huffyuv": ["ffvhuff"],
    "msmpeg4": ["msmpeg4", "-g", "12", "-q:v", "2"],
    "wmv2": ["wmv2", "-g", "12", "-q:v", "2"],
    "flv1": ["flv", "-g", "12", "-q:v", "2"],
}  # fmt: skip
CONTAINERS = {
    "mp4": "h264 h264-intra h264-fields h264-refresh h264-open hevc hevc-closed hevc-layers vp9 av1 mpeg4 mpeg2 mjpeg",
    "mov": "h264 hevc prores mjpeg mpeg4",
    "mkv": "h264 h264-open hevc vp8 vp9 av1 mpeg4 mpeg2 theora mjpeg ffv1",
    "webm": "vp8 vp9 av1 aom",
    "avi": "h264 mpeg4 xvid msmpeg4 mjpeg huffyuv",
    "ts": "h264 h264-fields hevc mpeg2 mpeg4",
    "mpg": "mpeg1 mpeg2",
    "flv": "h264 flv1",
    "wmv": "wmv2 msmpeg4",
    "ogv": "theora",
    "3gp": "mpeg4 h264",
    "mxf": "mpeg2",
}
PAIRS = [(suffix, codec) for suffix, codecs in CONTAINERS.items() for codec in codecs.split()]
GAPS = "select='not(between(mod(n,20),6,11))'"  # a source that drops frames


def ffmpeg(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *map(str, arguments)], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    blocks = np.random.default_rng(0).integers(0, 256, (LENGTH, HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("raw") / "frames.raw"
    path.write_bytes(blocks.repeat(16, axis=1).repeat(16, axis=2).tobytes())
    return path


@pytest.fixture(scope="module")
def encode(raw, tmp_path_factory) -> Callable[..., Path]:
    folder, made = tmp_path_factory.mktemp("clips"), {}

    def make(suffix: str, codec: str, filters: str = "null", *more: str) -> Path:
        key = (suffix, codec, filters, more)
        if key not in made:
            made[key] = folder / f"{len(made)}.{suffix}"
            source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", raw]
            kind = ["-pix_fmt", "yuv420p", "-c:v", *CODECS[codec], "-strict", "-1"]
            ffmpeg(*source, "-vf", filters, *kind, "-fps_mode", "passthrough", *more, made[key])
        return made[key]

    return make


def reference(path: Path, filters: str = "null") -> tuple[np.ndarray, np.ndarray]:
    """Frames `(n, H, W, 3)` and their times as ffmpeg shows them; it also chooses the stream."""
    done = ffmpeg(
        "-i", path, "-vf", f"showinfo,{filters}", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    times = np.array([float(t) for t in re.findall(rb"n: *\d+ pts: *\S+ pts_time: *(\S+)", done.stderr)])
    width, height = re.findall(rb"rawvideo.*?, (\d+)x(\d+)", done.stderr)[-1]
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, int(height), int(width), 3), times - times[0]


def check(path: Path, filters: str = "null", stamps: bool = True) -> VideoSource:
    """All frames, some frames, and their times are those of ffmpeg."""
    seen, times = reference(path, filters)
    source = VideoSource(path)
    frames = list(source.iterate())
    assert len(frames) == len(seen) == source.frames_expected > 1
    assert (source.width_px, source.height_px) == seen.shape[2:0:-1]
    ours = np.array([frame.rgb for frame in frames])
    away = np.abs(ours.astype(np.int16) - seen).mean(axis=(1, 2, 3))
    assert away.max() < 3, f"frame {away.argmax()} differs by {away.max():.1f}"
    assert np.abs(ours[1:].astype(np.int16) - seen[:-1]).mean(axis=(1, 2, 3)).min() > 9  # its neighbours are far
    if stamps:
        np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=0.0011)
    for wanted in ([0], [len(seen) - 1], [len(seen) // 2], range(0, len(seen), 7), [3, len(seen) - 2]):
        some = list(source.iterate(wanted))
        assert [frame.index for frame in some] == list(wanted)
        for frame in some:
            np.testing.assert_array_equal(frame.rgb, ours[frame.index])
            assert frame.time_s == frames[frame.index].time_s
    return source


@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
def test_an_ordinary_clip(encode, suffix, codec):
    source = check(encode(suffix, codec))
    assert source.frames_expected == LENGTH
    assert source.fps == pytest.approx(FPS, rel=0.01)
    assert source.duration_s == pytest.approx(LENGTH / FPS, rel=0.03)


@pytest.mark.parametrize(("suffix", "codec"), [pair for pair in PAIRS if pair[0] not in ("mpg", "mxf", "wmv", "flv")])
def test_variable_frame_rate(encode, suffix, codec):
    source = check(encode(suffix, codec, GAPS))
    assert source.frames_expected == 28
    assert source.duration_s == pytest.approx(LENGTH / FPS, abs=0.09)
    assert source.frames_expected / source.fps == pytest.approx(source.duration_s)


@pytest.mark.parametrize(("suffix", "codec"), [pair for pair in PAIRS if pair[0] in ("mp4", "mov", "mkv", "webm", "ts", "3gp")])
def test_a_piece_cut_out_without_encoding(encode, suffix, codec, tmp_path):
    piece = tmp_path / f"piece.{suffix}"
    ffmpeg("-ss", 0.72, "-i", encode(suffix, codec), "-t", 0.6, "-c", "copy", piece)
    check(piece)
