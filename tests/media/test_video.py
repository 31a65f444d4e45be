import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from dfworkbench.core.errors import MediaError
from dfworkbench.media import VideoSource, sample_indices

LENGTH = 60


def encode(path: Path, options: dict[str, str], codec: str = "libx264", length: int = LENGTH) -> Path:
    """Moving bars with noise, so that every frame differs and the encoder uses all kinds of frames."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for at in range(length):
            rgb = rng.integers(0, 30, (64, 96, 3), dtype=np.uint8)
            rgb[:, (3 * at) % 90 :][:, :8] += np.uint8(150)
            rgb[at : at + 5, :, at % 3] += np.uint8(60)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def read_all(path: Path) -> list[np.ndarray]:
    """Every frame, by OpenCV: an independent reader."""
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1][..., ::-1])
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return encode(folder / "clip.mp4", {"g": "12", "bf": "3", "b_strategy": "0", "sc_threshold": "0"})


def test_sampling_vectors_of_the_specification():
    assert sample_indices(300, 10) == list(range(0, 300, 30))
    assert sample_indices(105, 10) == [0, 10, 21, 31, 42, 52, 63, 73, 84, 94]
    assert sample_indices(7, 16) == list(range(7))
    assert sample_indices(0, 3) == []
    assert sample_indices(300, 10, both_ends=True) == [0, 33, 66, 99, 132, 166, 199, 232, 265, 299]
    assert sample_indices(300, 1, both_ends=True) == [0]
    assert sample_indices(7, 16, both_ends=True) == list(range(7))
    assert sample_indices(0, 3, both_ends=True) == []
    for frame_count in (1, 49, 52, 98, 105, 2000):
        for n in range(1, frame_count + 1):
            indices = sample_indices(frame_count, n)
            assert len(indices) == len(set(indices)) == n
            assert indices[-1] < frame_count


def test_all_frames_equal_those_of_another_reader(clip):
    frames = list(VideoSource(clip).iterate())
    assert [f.index for f in frames] == list(range(LENGTH))
    np.testing.assert_array_equal([f.rgb for f in frames], read_all(clip))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(LENGTH) / 25)


@pytest.mark.parametrize("threads", [0, 1, 2])
@pytest.mark.parametrize(
    "wanted", [[0], [1], [59], [0, 59], [11, 12, 13], [3, 40, 41], [50, 2, 26], list(range(0, 60, 7))], ids=str
)
def test_wanted_frames_equal_those_of_a_full_decode_whatever_is_left_out(clip, wanted, threads):
    whole = read_all(clip)
    frames = list(VideoSource(clip).iterate(wanted, threads))
    assert [f.index for f in frames] == sorted(wanted)
    for frame in frames:
        np.testing.assert_array_equal(frame.rgb, whole[frame.index])


def test_unreferenced_frames_and_groups_are_left_out(clip, monkeypatch):
    from dfworkbench.media.video import frame_reader

    decoded = []
    original = frame_reader.decode
    monkeypatch.setattr(frame_reader, "decode", lambda *at: decoded.extend(out := original(*at) or []) or out)
    list(VideoSource(clip).iterate([0, 50]))
    assert len(decoded) < 12  # of 60


def test_indices_beyond_the_end_are_left_out(clip):
    assert [f.index for f in VideoSource(clip).iterate([58, 60, 1000, -1])] == [58]


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_other_codecs(tmp_path, codec):
    path = encode(tmp_path / "clip.avi", {}, codec, 20)
    source = VideoSource(path)
    assert source.frames_expected == 20
    frames = list(source.iterate([0, 9, 19]))
    assert [f.index for f in frames] == [0, 9, 19]
    whole = read_all(path)
    for frame in frames:
        assert np.abs(frame.rgb.astype(int) - whole[frame.index]).mean() < 3


def test_frames_without_time_stamps_are_counted(tmp_path):
    path = encode(tmp_path / "clip.h264", {"bf": "2", "g": "10"}, length=30)  # the bare stream, without a container
    source = VideoSource(path)
    assert (source.frames_expected, source._timeline.stamps) == (30, [])
    whole = read_all(path)
    frames = list(source.iterate([2, 17, 29]))
    assert [f.index for f in frames] == [2, 17, 29]
    for frame in frames:
        np.testing.assert_array_equal(frame.rgb, whole[frame.index])


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_camera_gives_upright_frames(clip, tmp_path, degrees):
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the transformation matrix of the track header
    one, zero, minus = (n.to_bytes(4, "big", signed=True) for n in (1 << 16, 0, -(1 << 16)))
    a, b = {90: (zero, one), 180: (minus, zero), 270: (zero, minus)}[degrees]
    c = {90: minus, 180: zero, 270: one}[degrees]
    data[at : at + 20] = a + b + zero + c + a
    path = tmp_path / "turned.mp4"
    path.write_bytes(data)
    frame = next(iter(VideoSource(path).iterate([5])))
    plain = next(iter(VideoSource(clip).iterate([5]))).rgb
    np.testing.assert_array_equal(frame.rgb, np.rot90(plain, -degrees // 90))
    np.testing.assert_array_equal(frame.rgb, read_all(path)[5])


def error_of(path: Path) -> MediaError:
    with pytest.raises(MediaError) as caught:
        list(VideoSource(path).iterate([0]))
    assert path.name in str(caught.value)
    return caught.value


def test_bad_files_have_a_status_and_a_message(tmp_path, clip):
    files = {"text.mp4": b"this is no video\n" * 9, "empty.mp4": b"", "noise.mkv": os.urandom(4000)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert error_of(tmp_path / name).status == "unreadable"
    assert "0 bytes" in str(error_of(tmp_path / "empty.mp4"))
    assert "begin with b'this is '" in str(error_of(tmp_path / "text.mp4"))
    assert error_of(tmp_path / "none.mp4").status == "missing"
    assert error_of(tmp_path).status == "missing"  # a folder


@pytest.mark.parametrize("flags", [{}, {"movflags": "faststart"}])
def test_a_file_that_was_cut_off_is_truncated(clip, tmp_path, flags):
    whole = tmp_path / "whole.mp4"
    with av.open(str(clip)) as source, av.open(str(whole), "w", options=flags) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    data = whole.read_bytes()
    assert len(list(VideoSource(whole).iterate())) == LENGTH
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert error_of(tmp_path / "cut.mp4").status == "truncated"


def test_damage_inside_costs_frames_not_the_file(clip, tmp_path):
    data = bytearray(clip.read_bytes())
    end = data.index(b"moov")
    data[end - 60 : end - 40] = b"\xff" * 20  # in one of the last frames
    (tmp_path / "hurt.mp4").write_bytes(data)
    frames = list(VideoSource(tmp_path / "hurt.mp4").iterate())
    assert len(frames) >= LENGTH - 3
    np.testing.assert_array_equal(frames[40].rgb, read_all(clip)[frames[40].index])
    assert any((frame.rgb != whole).any() for frame, whole in zip(frames, read_all(clip), strict=False)) or len(
        frames
    ) < len(read_all(clip))


def test_sound_without_pictures(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "no video stream" in str(error_of(tmp_path / "sound.mp4"))
