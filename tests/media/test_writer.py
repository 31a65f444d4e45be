import av
import numpy as np
import pytest

from dfworkbench.core.errors import InputError, OutputError, ParameterError
from dfworkbench.media import VideoSource, VideoWriter


def frames(count=12, width=64, height=48):
    rng = np.random.default_rng(1)
    base = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    return [np.roll(base, at, axis=1) for at in range(count)]


def write(path, crf, pix_fmt="yuv420p"):
    with VideoWriter(path, 30, 64, 48, crf, pix_fmt) as writer:
        for frame in frames():
            writer.write(frame)
    return path


def test_frames_rate_and_size_come_back(tmp_path):
    source = VideoSource(write(tmp_path / "a.mp4", 23))
    assert (source.frames_expected, source.fps, source.width_px, source.height_px) == (12, 30, 64, 48)


def test_a_higher_crf_makes_a_smaller_and_worse_file(tmp_path):
    sizes, errors = [], []
    for crf in (0, 23, 40):
        path = write(tmp_path / f"{crf}.mp4", crf, "yuv444p")
        sizes.append(path.stat().st_size)
        seen = [f.rgb for f in VideoSource(path).iterate()]
        errors.append(np.abs(np.array(seen, float) - frames()).mean())
    assert sizes[0] > sizes[1] > sizes[2]
    assert errors[0] < 1.5 < errors[1] < errors[2]


def test_the_same_frames_give_the_same_bytes(tmp_path):
    assert write(tmp_path / "a.mp4", 23).read_bytes() == write(tmp_path / "b.mp4", 23).read_bytes()


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    def write_half():
        with VideoWriter(tmp_path / "a.mp4", 25, 64, 48, 23) as writer:
            writer.write(frames(1)[0])
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_codec_is_h264(tmp_path):
    with av.open(str(write(tmp_path / "a.mp4", 23))) as container:
        assert container.streams.video[0].codec_context.name == "h264"


def test_wrong_arguments_are_explained(tmp_path):
    with pytest.raises(ParameterError, match="even sides"):
        VideoWriter(tmp_path / "a.mp4", 25, 63, 48, 23)
    with pytest.raises(ParameterError, match=r"0\.\.51"):
        VideoWriter(tmp_path / "a.mp4", 25, 64, 48, 60)
    with pytest.raises(InputError, match="expected uint8"), VideoWriter(tmp_path / "a.mp4", 25, 64, 48, 23) as writer:
        writer.write(np.zeros((48, 60, 3), np.uint8))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write a video"), VideoWriter(tmp_path / "file/a.mp4", 25, 64, 48, 23):
        pass


@pytest.mark.parametrize("times", [[0, 0.1, 0.5, 0.52, 3.0], [k / 29.97 for k in range(9)]], ids=str)
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_frames_keep_the_times_they_are_given(tmp_path, times, suffix):
    path = tmp_path / f"a.{suffix}"
    with VideoWriter(path, 25, 64, 48, 20, timed=True) as writer:
        for at, time_s in enumerate(times):
            writer.write(np.full((48, 64, 3), 20 * at, np.uint8), time_s)
    frames = list(VideoSource(path).iterate())
    np.testing.assert_allclose([frame.time_s for frame in frames], times, atol=1e-3)
    assert [round(frame.rgb.mean() / 20) for frame in frames] == list(range(len(times)))


def test_equal_times_cost_no_frame(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25, 64, 48, 20, timed=True) as writer:
        for time_s in (0, 0, 0, 1e-7):
            writer.write(np.zeros((48, 64, 3), np.uint8), time_s)
    assert VideoSource(tmp_path / "a.mp4").frames_expected == 4
