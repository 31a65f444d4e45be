"""A folder of frames goes through face search and extraction exactly as a video does."""

import os
from pathlib import Path

import numpy as np
import pytest
from heads import Head, frame_of, write_heads

from dfworkbench.core.errors import MediaError
from dfworkbench.extraction import part as part_module
from dfworkbench.extraction.part import Job, extract_video, read_part
from dfworkbench.faces import FaceFinder, FaceSettings, faces_in_file
from dfworkbench.media import VideoSource, media_kind, read_image, write_png

HEADS = [Head(96, 100, 0.5), Head(250, 100, 0.4, mirrored=True)]
SETTINGS = FaceSettings(frames=6)


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(SETTINGS)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve frames of one head, without any compression."""
    for at in range(12):
        write_png(tmp_path / "clip" / f"frame_{at}.png", frame_of([Head(96, 100, 0.5)], at, 192, 192, 0))
    return tmp_path / "clip"


def assert_same(a, b):
    assert (a.kind, a.frames, a.fps, a.width_px, a.height_px) == (b.kind, b.frames, b.fps, b.width_px, b.height_px)
    for x, y in zip(a.detections, b.detections, strict=True):
        assert (x.frame, x.time_s, x.track, x.probability) == (y.frame, pytest.approx(y.time_s), y.track, y.probability)
        np.testing.assert_array_equal(x.box, y.box)
        np.testing.assert_array_equal(x.landmarks, y.landmarks)
        np.testing.assert_array_equal(x.tile.image, y.tile.image)


@pytest.mark.parametrize("threads", [0, 1])
def test_the_frames_of_a_video_give_the_faces_of_the_video(tmp_path, finder, threads):
    video = write_heads(tmp_path / "a.mp4", HEADS, 12, 340, 200)
    for frame in VideoSource(video).iterate():
        write_png(tmp_path / "a" / f"{frame.index}.png", frame.rgb)
    expected = faces_in_file(video, finder=finder, threads=threads)
    assert len(expected.detections) == 12
    assert_same(faces_in_file(tmp_path / "a", finder=finder, threads=threads), expected)


def test_a_talking_head_is_one_track_with_the_sampled_frames(folder, finder):
    found = faces_in_file(folder, finder=finder)
    assert (found.kind, found.frames, found.fps, found.width_px, found.height_px) == ("video", 12, 25.0, 192, 192)
    assert [(f.track, f.frame, f.time_s) for f in found.detections] == [(0, at, at / 25) for at in range(0, 12, 2)]
    still = faces_in_file(folder / "frame_0.png", finder=finder).detections[0]  # the first is searched as a still is
    np.testing.assert_array_equal(found.detections[0].box, still.box)
    np.testing.assert_array_equal(found.detections[0].tile.image, still.tile.image)


def test_a_damaged_picture_costs_its_own_face_and_no_other(folder, finder):
    (folder / "frame_4.png").write_bytes(b"no picture")
    found = faces_in_file(folder, finder=finder, threads=1)
    assert [(f.track, f.frame) for f in found.detections] == [(0, 0), (0, 2), (0, 6), (0, 8), (0, 10)]
    for at in range(0, 12, 2):
        (folder / f"frame_{at}.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match="not one of its 6 pictures can be read") as caught:
        faces_in_file(folder, finder=finder)
    assert caught.value.status == "unreadable"


@pytest.mark.parametrize("threads", [0, 1])
def test_crops_of_differing_sizes(tmp_path, finder, threads):
    for at in range(12):
        rgb = frame_of([Head(96, 100, 0.5)], at, 192, 192, 0)
        edge = 5 * (at % 4)
        write_png(tmp_path / "crops" / f"{at}.png", rgb[edge : 192 - edge, edge:])
    found = faces_in_file(tmp_path / "crops", finder=finder, threads=threads)
    assert [(f.track, f.frame) for f in found.detections] == [(0, at) for at in range(0, 12, 2)]
    for face in found.detections:
        height, width = read_image(tmp_path / "crops" / f"{face.frame}.png").shape[:2]
        assert (face.box[:2] > 0).all()
        assert face.box[2] < width
        assert face.box[3] < height


def test_a_folder_that_is_not_there_is_missing(tmp_path, finder):
    with pytest.raises(MediaError, match="no such file or folder") as caught:
        faces_in_file(tmp_path / "clip", finder=finder)
    assert caught.value.status == "missing"
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="holds no picture") as caught:
        faces_in_file(tmp_path / "empty", finder=finder)
    assert caught.value.status == "unreadable"


def test_a_finished_folder_is_done_again_only_if_its_content_changed(folder, tmp_path):
    job = Job("set/clip", "clip", folder, tmp_path / "extracted", "set", SETTINGS)
    part = extract_video(job, threads=1)
    assert {name: part.video[name] for name in ("status", "frames", "fps", "tracks", "faces")} == {
        "status": "ok", "frames": 12, "fps": 25.0, "tracks": 1, "faces": 6
    }  # fmt: skip
    assert [face["crop_path"] for face in part.faces] == [f"set/clip/t00_f{at:06d}.png" for at in range(0, 12, 2)]
    assert all(media_kind(job.extracted / face["crop_path"]) == "image" for face in part.faces)
    assert read_part(job) == part
    (folder / "notes.txt").touch()
    assert read_part(job) == part
    times = [(file, file.stat().st_mtime_ns) for file in folder.glob("*.png")]
    write_png(folder / "frame_12.png", frame_of([], 0, 192, 192, 0))
    assert read_part(job) is None  # one more
    (folder / "frame_12.png").unlink()
    assert read_part(job) == part
    os.utime(folder / "frame_3.png", ns=(0, max(time for _, time in times) + 1))
    assert read_part(job) is None  # written anew, the folder's own time is as it was


def test_a_stamp_of_a_file_is_its_size_and_time(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"abc")
    assert part_module._stamp(tmp_path / "a.mp4") == [3, (tmp_path / "a.mp4").stat().st_mtime_ns]
    assert part_module._stamp(tmp_path / "gone") == [-1, -1]
