"""Frames and time stamps against ffmpeg's own, over containers x codecs x conditions.

The reference is the ffmpeg program of the package imageio-ffmpeg, which is nearer to the libraries that PyAV brings than those of
Linux distributions. Every frame of a clip has coarse blocks of its own: any two can be told apart through every codec.
"""

import os
import re
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from boxes import change, set_edits, set_matrix

from dfworkbench.core.errors import MediaError
from dfworkbench.media import VideoSource, sample_indices

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the reference is the ffmpeg of imageio-ffmpeg")

LENGTH, WIDTH, HEIGHT, FPS = 40, 64, 48, 25
H264 = [
    "libx264",
    "-preset",
    "veryfast",
    "-g",
    "12",
    "-bf",
    "2",
    "-b_strategy",
    "0",
    "-sc_threshold",
    "0",
    "-threads",
    "1",
]
HEVC = "keyint=12:bframes=2:b-adapt=0:scenecut=0:pools=1:frame-threads=1:log-level=none"
CODECS = {
    "h264": H264,
    "h264-intra": [*H264, "-g", "1"],
    "h264-fields": [*H264, "-flags", "+ildct+ilme"],
    "h264-refresh": [*H264, "-intra-refresh", "1", "-bf", "0"],
    "h264-open": [*H264, "-x264-params", "open-gop=1"],
    "hevc": ["libx265", "-x265-params", f"open-gop=1:{HEVC}"],
    "hevc-closed": ["libx265", "-x265-params", f"open-gop=0:{HEVC}"],
    "hevc-layers": ["libx265", "-x265-params", f"temporal-layers=2:b-pyramid=1:{HEVC}"],
    "vp8": ["libvpx", "-g", "12", "-b:v", "400k", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-cpu-used", "4"],
    "vp9": ["libvpx-vp9", "-g", "12", "-b:v", "400k", "-auto-alt-ref", "1", "-lag-in-frames", "25", "-cpu-used", "5"],
    "av1": ["libsvtav1", "-preset", "12", "-g", "12", "-crf", "20", "-svtav1-params", "lp=1"],
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
    "gif": ["gif", "-pix_fmt", "rgb8"],
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
    "gif": "gif",
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
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (LENGTH, HEIGHT // 16 * WIDTH // 16, 3), dtype=np.uint8)
    for before, frame in pairwise(blocks):
        stays = rng.permutation(len(frame))[4:]  # four of the twelve blocks change
        frame[stays] = before[stays]
    blocks = blocks.reshape(LENGTH, HEIGHT // 16, WIDTH // 16, 3)
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
            kind = ["-pix_fmt", "yuv420p", "-c:v", *CODECS[codec], "-strict", "-1", "-fps_mode", "passthrough"]
            passes = [["-pass", n, "-passlogfile", folder / "log"] for n in (1, 2)] if codec in ("vp8", "vp9") else [[]]
            for options in passes:  # libvpx makes hidden frames in the second pass only
                ffmpeg(*source, "-vf", filters, *kind, *options, *more, made[key])
        return made[key]

    return make


def shown_times(done: subprocess.CompletedProcess[bytes]) -> np.ndarray:
    return np.array([float(t) for t in re.findall(rb"n: *\d+ pts: *\S+ pts_time: *(\S+)", done.stderr)])


def reference(path: Path, filters: str = "null") -> tuple[np.ndarray, np.ndarray]:
    """Frames `(n, H, W, 3)` and their times as ffmpeg shows them; it also chooses the stream."""
    done = ffmpeg(
        "-i", path, "-vf", f"showinfo,{filters}", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"
    )
    times = shown_times(done)
    width, height = re.findall(rb"rawvideo.*?, (\d+)x(\d+)", done.stderr)[-1]
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, int(height), int(width), 3), times - times[0]


def check(path: Path, filters: str = "null", stamps: bool = True) -> VideoSource:
    """All frames, some frames, and their times are those of ffmpeg; scaled frames up to how colours are scaled."""
    seen, times = reference(path, filters)
    source = VideoSource(path)
    frames = list(source.iterate())
    assert len(frames) == len(seen) == source.frames_expected > 1
    assert (source.width_px, source.height_px) == seen.shape[2:0:-1]
    ours = np.array([frame.rgb for frame in frames])
    away = np.abs(ours.astype(np.int16) - seen).mean(axis=(1, 2, 3))
    assert away.max() < (2 if filters == "null" else 5), f"frame {away.argmax()} differs by {away.max():.1f}"
    assert np.abs(ours[1:].astype(np.int16) - seen[:-1]).mean(axis=(1, 2, 3)).min() > 9  # its neighbours are far
    if stamps:
        np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=0.0011)
    for wanted in ([len(seen) // 2], range(0, len(seen), 7), [0, len(seen) - 1]):
        some = list(source.iterate(wanted))
        assert [frame.index for frame in some] == list(wanted)
        for frame in some:
            np.testing.assert_array_equal(frame.rgb, ours[frame.index])
            assert frame.time_s == frames[frame.index].time_s
    return source


@pytest.mark.parametrize(("suffix", "codec"), PAIRS)
def test_an_ordinary_clip(encode, suffix, codec):
    source = check(encode(suffix, codec))
    assert source.frames_expected == LENGTH or codec == "xvid"  # which leaves out frames that are like the last one
    assert source.fps == pytest.approx(FPS, rel=0.01) or codec == "xvid"
    assert source.duration_s == pytest.approx(LENGTH / FPS, rel=0.03)


@pytest.mark.parametrize(
    ("suffix", "codec"), [pair for pair in PAIRS if pair[0] in ("mp4", "mkv", "webm", "avi", "ts", "ogv")]
)
def test_variable_frame_rate(encode, suffix, codec):
    source = check(encode(suffix, codec, GAPS))
    assert source.frames_expected == 28 or codec == "xvid"
    assert source.duration_s == pytest.approx(LENGTH / FPS, abs=0.09)
    assert source.frames_expected / source.fps == pytest.approx(source.duration_s)


@pytest.mark.parametrize(
    ("suffix", "codec"), [pair for pair in PAIRS if pair[0] in ("mp4", "mov", "mkv", "webm", "ts", "3gp")]
)
def test_a_piece_cut_out_without_encoding(encode, suffix, codec, tmp_path):
    piece = tmp_path / f"piece.{suffix}"
    ffmpeg("-ss", 0.72, "-i", encode(suffix, codec), "-t", 0.6, "-c", "copy", piece)
    check(piece)


def packets_of(path: Path) -> list[av.Packet]:
    with av.open(str(path)) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def test_the_conditions_are_what_they_are_called(encode, tmp_path):
    assert len(packets_of(encode("webm", "vp8"))) > LENGTH  # hidden packets
    assert any(
        bytes(packet)[-1] >> 5 == 6 for packet in packets_of(encode("webm", "vp9"))
    )  # hidden frames within packets
    piece = tmp_path / "piece.mp4"
    ffmpeg("-ss", 0.72, "-i", encode("mp4", "h264"), "-t", 0.6, "-c", "copy", piece)
    assert sum(packet.is_discard for packet in packets_of(piece)) == 6  # frames 12 to 17 lie before the cut
    with av.open(str(encode("avi", "mjpeg", GAPS))) as container:
        assert container.streams.video[0].frames == LENGTH  # 28 frames, and 12 empty chunks


@pytest.mark.parametrize(
    "clip",
    "mp4-h264 mp4-h264+intra mp4-hevc+closed mp4-vp9 mp4-av1 mp4-mjpeg mov-prores mkv-h264 mkv-hevc mkv-vp8 mkv-vp9 mkv-av1 "
    "webm-vp8 webm-aom avi-mjpeg flv-h264".split(),
)
def test_common_files_are_not_decoded_on_opening(encode, clip):
    suffix, codec = clip.split("-")
    source = VideoSource(encode(suffix, codec.replace("+", "-")))
    assert source._timeline.by_stamp
    assert len(source._timeline.entries) > 2
    assert source._timeline.order


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "h264-fields"), ("mp4", "mpeg4"), ("ts", "h264"), ("avi", "h264")]
)
def test_where_packets_leave_doubt_frames_are_counted(encode, suffix, codec):
    assert not VideoSource(encode(suffix, codec))._timeline.by_stamp


@pytest.mark.parametrize("codec", ["h264-refresh", "h264-open"])
def test_what_is_no_clean_beginning_is_not_jumped_to(encode, codec):
    assert sum(packet.is_keyframe for packet in packets_of(encode("mp4", codec))) > 1
    assert len(VideoSource(encode("mp4", codec))._timeline.entries) == 1


SQUARE = "scale=w='if(gt(sar,1.02),round(iw*sar),iw)':h='if(lt(sar,0.98),round(ih/sar),ih)'"
TURNS = {
    "as stored": (1, 0, 0, 1), "90": (0, 1, -1, 0), "180": (-1, 0, 0, -1), "270": (0, -1, 1, 0), "left-right": (-1, 0, 0, 1),
    "top-bottom": (1, 0, 0, -1), "diagonal": (0, 1, 1, 0), "other diagonal": (0, -1, -1, 0),
}  # fmt: skip


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("suffix", "codec", "pixel"), [("mp4", "h264", 1), ("mov", "mjpeg", 1), ("mp4", "vp9", 1.5)])
def test_all_eight_display_matrices(encode, turn, suffix, codec, pixel, tmp_path):
    path = tmp_path / f"turned.{suffix}"
    path.write_bytes(encode(suffix, codec, f"setsar={pixel}").read_bytes())
    a, b, c, d = TURNS[turn]
    set_matrix(path, a, b, c, d, -WIDTH * min(a, 0) - HEIGHT * min(c, 0), -HEIGHT * min(d, 0) - WIDTH * min(b, 0))
    source = check(path, SQUARE if pixel != 1 else "null")
    sides = (round(WIDTH * pixel), HEIGHT)
    assert (source.width_px, source.height_px) == (sides[::-1] if b else sides)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "h264"), ("mkv", "vp9"), ("avi", "mpeg4"), ("mpg", "mpeg2"), ("webm", "vp8")]
)
@pytest.mark.parametrize(("pixel", "size"), [("4/3", (85, 48)), ("2/3", (64, 72)), ("64/65", (64, 48))])
def test_pixels_that_are_not_square(encode, suffix, codec, pixel, size):
    if suffix == "mpg":  # it knows few shapes; 16:9 as the shape of the picture is one
        pixel, size = "4/3", (85, 48)
    source = check(encode(suffix, codec, f"setsar={pixel}"), SQUARE)
    np.testing.assert_allclose((source.width_px, source.height_px), size, atol=1)  # WebM rounds the size it shows


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("webm", "vp8"), ("mkv", "vp9"), ("ts", "h264"), ("ts", "mpeg2"), ("mkv", "mjpeg"), ("flv", "h264")],
)
def test_a_size_that_changes_midway(encode, suffix, codec, tmp_path):
    parts = [encode(suffix, codec), encode(suffix, codec, "scale=96:96:flags=neighbor")]
    path, names = tmp_path / f"both.{suffix}", tmp_path / "names.txt"
    names.write_text("".join(f"file '{part}'\n" for part in parts))
    ffmpeg("-f", "concat", "-safe", 0, "-i", names, "-c", "copy", path)
    source = check(path, f"scale={WIDTH}:{HEIGHT}", stamps=suffix != "ts")
    assert 2 * LENGTH - 1 <= source.frames_expected <= 2 * LENGTH  # MPEG-2 may lose one between two open groups


@pytest.fixture(scope="module")
def cover(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cover") / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=256x256", "-frames:v", 1, path)
    return path


def cover_first(content: bytes) -> bytes:
    """The boxes of moov with that of the tags, where covers lie, before those of the tracks."""
    parts, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        parts.append(content[at : at + size])
        at += size
    return b"".join(sorted(parts, key=lambda part: {b"mvhd": 0, b"udta": 1}.get(part[4:8], 2)))


@pytest.mark.parametrize("suffix", ["mp4", "cover first.mp4", "mkv", "m4v"])
def test_a_cover_is_no_film(encode, cover, suffix, tmp_path):
    path, film = tmp_path / f"tagged.{suffix}", encode("mp4", "h264")
    if suffix == "mkv":
        ffmpeg("-i", film, "-c", "copy", "-attach", cover, "-metadata:s:t", "mimetype=image/png", path)
    else:
        ffmpeg("-i", film, "-i", cover, "-map", 0, "-map", 1, "-c", "copy", "-disposition:v:1", "attached_pic", path)
    if suffix == "cover first.mp4":
        change(path, b"moov", cover_first)
        assert packets_of(path)[0].stream.codec_context.name == "png"
    source = check(path)
    assert (source.width_px, source.frames_expected, source.other_streams) == (WIDTH, LENGTH, ())
    assert not source.notice


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "ts", "avi"])
@pytest.mark.parametrize("film", [0, 1])
def test_further_video_streams_are_named(encode, suffix, film, tmp_path):
    codec = "mjpeg" if suffix == "avi" else "h264"
    small = encode("mkv", codec, "scale=32:32:flags=neighbor")
    inputs = [encode("mkv", codec), small] if film == 0 else [small, encode("mkv", codec)]
    path = tmp_path / f"two.{suffix}"
    ffmpeg("-i", inputs[0], "-i", inputs[1], "-map", 0, "-map", 1, "-c", "copy", "-disposition:v", "default", path)
    source = check(path)
    assert (source.width_px, source.frames_expected) == (WIDTH, LENGTH)
    assert "32 x 32" in source.other_streams[0]
    assert f"stream {film} is read, not {1 - film}: " in source.notice


def test_a_single_picture_is_no_film_where_there_is_one(encode, cover, tmp_path):
    path = tmp_path / "unmarked.mkv"  # the large picture comes first and is not marked as attached
    ffmpeg("-i", cover, "-i", encode("mkv", "h264"), "-map", 0, "-map", 1, "-c", "copy", path)
    source = VideoSource(path)
    assert (source.width_px, source.frames_expected) == (WIDTH, LENGTH)


@pytest.mark.parametrize("codec", ["h264", "hevc-closed", "mjpeg", "mpeg4"])
@pytest.mark.parametrize(
    "edits", [[(0.6, 0.4)], [(0.4, -1), (0.8, 0.2)], [(0.4, 0.2), (0.4, 1.0)], [(0.4, 0.8), (0.4, 0.2)]], ids=str
)
def test_edit_lists(encode, codec, edits, tmp_path):
    path = tmp_path / "edited.mov"
    path.write_bytes(encode("mov", codec, "null", "-video_track_timescale", "12800").read_bytes())
    reorders = codec in ("h264", "hevc-closed")
    source = check(set_edits(path, edits, 12800), stamps=not reorders)
    length = sum(seconds for seconds, begin in edits if begin >= 0)
    assert source.duration_s == pytest.approx(length, abs=0.09)
    if reorders:  # ffmpeg's stamps go back where pieces overlap in the order of decoding; ours go on by a frame
        times = [frame.time_s for frame in source.iterate()]
        np.testing.assert_allclose(times, np.arange(source.frames_expected) / FPS, atol=0.0011)


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_fragments(encode, codec):
    source = check(encode("mp4", codec, "null", "-movflags", "frag_keyframe+empty_moov"))
    assert source.frames_expected == LENGTH


@pytest.mark.parametrize(("suffix", "codec"), [("ts", "h264"), ("ts", "hevc"), ("ts", "mpeg2"), ("mpg", "mpeg2")])
def test_a_recording_that_begins_within_a_group(encode, suffix, codec, tmp_path):
    data = encode(suffix, codec).read_bytes()
    path = tmp_path / f"joined.{suffix}"
    path.write_bytes(data[len(data) // 3 // 188 * 188 :])
    check(path)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mkv", "h264"), ("mkv", "mpeg4"), ("webm", "vp8"), ("avi", "mjpeg"), ("mov", "h264")],
)
def test_the_first_half_of_a_file_is_truncated(encode, suffix, codec, tmp_path):
    data = encode(suffix, codec, "null", *(["-movflags", "faststart"] if suffix == "mov" else [])).read_bytes()
    path = tmp_path / f"half.{suffix}"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError) as caught:
        VideoSource(path)
    assert caught.value.status == "truncated"


@pytest.mark.parametrize("codec", ["vp8", "vp9", "hevc", "h264"])
def test_a_copy_that_begins_within_a_group_says_so(encode, codec, tmp_path):
    """As a camera's ring buffer or a stream that was joined late is stored."""
    path = tmp_path / "middle.mkv"
    with av.open(str(encode("mkv", codec))) as given, av.open(str(path), "w") as middle:
        stream = middle.add_stream_from_template(given.streams.video[0])
        for packet in [packet for packet in given.demux(video=0) if packet.size][5:]:
            packet.stream = stream
            middle.mux(packet)
    source = VideoSource(path)
    assert "packets build on frames that are not in the file" in source.notice
    assert LENGTH - 12 <= source.frames_expected < LENGTH
    assert len(list(source.iterate([0, source.frames_expected - 1]))) == 2


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG"), ("bt709", "")])
def test_colours_of_hdr_are_named(encode, transfer, name):
    source = VideoSource(encode("mp4", "h264", f"setparams=color_trc={transfer}"))
    assert (f"HDR ({name})" in source.notice) == bool(name)
    assert bool(source.notice) == bool(name)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "h264"), ("mkv", "h264"), ("mov", "h264")])
def test_frames_that_are_flagged_as_damaged_do_not_pass_for_whole_ones(suffix, codec, tmp_path):
    """The decoder conceals what it cannot read, and flags only some of the frames that come out wrong."""
    path = tmp_path / f"clip.{suffix}"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=192x128:r=25:d=4", "-c:v", *CODECS[codec], "-g", 25, path)
    data, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for packet in packets_of(path)[40:61]:
        at, size = packet.pos + min(60, packet.size // 2), packet.size - min(60, packet.size // 2) - 8
        data[at : at + size] = rng.integers(0, 256, max(size, 0), dtype=np.uint8).tobytes()
    path.write_bytes(data)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        frames = list(container.decode(video=0))
    flagged = [at for at, frame in enumerate(frames) if frame.is_corrupt]
    again = next(at for at in range(flagged[-1] + 1, len(frames)) if frames[at].key_frame)
    kept, status = [], ""
    try:
        kept.extend(frame.index for frame in VideoSource(path).iterate())
    except MediaError as error:
        status = error.status
    assert (status, again) == ("truncated", 75)
    assert [index for index in kept if index < flagged[0]] == list(range(flagged[0]))
    assert [index for index in kept if index >= again] == list(range(again, 100))
    between = [index for index in kept if flagged[0] <= index < again]
    assert all(not frames[index].is_corrupt for index in between)
    assert len(between) < (again - flagged[0]) / 2, "what builds on a damaged frame is left out too"


def test_an_index_that_leads_astray_costs_time_only(encode):
    source = VideoSource(encode("mp4", "h264"))
    whole = [frame.rgb for frame in source.iterate()]
    entries = source._timeline.entries
    for at, stamp in enumerate(entries[1:-1], 1):
        entries[at] = stamp + 10  # still before the next frame ...
    source._timeline.places[2] = source._timeline.places[1]  # ... but the place is another one
    frames = list(source.iterate([2, 26, 39]))
    assert [frame.index for frame in frames] == [2, 26, 39]
    for frame in frames:
        np.testing.assert_array_equal(frame.rgb, whole[frame.index])


CLIPS = Path(os.environ.get("DFWORKBENCH_TRIALS", "/nowhere")) / "media" / "clips"


@pytest.mark.trials
@pytest.mark.skipif(not CLIPS.is_dir(), reason="DFWORKBENCH_TRIALS does not name a folder with media/clips")
@pytest.mark.parametrize("name", ["d0", "d9", "d11", "d18"])
def test_real_clips(name):
    path = CLIPS / f"{name}.mp4"
    times = shown_times(ffmpeg("-i", path, "-vf", "showinfo", "-f", "null", "-"))
    source = VideoSource(path)
    assert source._timeline.by_stamp
    frames = list(source.iterate(sample_indices(source.frames_expected, 5)))
    np.testing.assert_allclose(source._timeline.stamps, times / source._tick, atol=1)
    picked = "+".join(f"eq(n\\,{frame.index})" for frame in frames)
    seen, _ = reference(path, f"select='{picked}',{SQUARE}")
    away = [np.abs(frame.rgb.astype(int) - other).mean() for frame, other in zip(frames, seen, strict=True)]
    assert max(away) < 2
