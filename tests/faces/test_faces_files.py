import math
import os
from pathlib import Path

import numpy as np
import pytest
from heads import Head, frame_of, portrait, write_heads

from dfworkbench.core.errors import MediaError
from dfworkbench.core.geometry import iou_matrix
from dfworkbench.faces import FaceFinder, FaceSettings, faces_in_file
from dfworkbench.faces.files import follow_faces
from dfworkbench.faces.tracking import link
from dfworkbench.media import VideoSource, VideoWriter, write_png

STREET = Path(os.environ.get("DFWORKBENCH_TRIALS", "/nowhere")) / "media" / "street.mp4"
needs_street = pytest.mark.skipif(
    not STREET.is_file(), reason="DFWORKBENCH_TRIALS does not name a folder with street.mp4"
)


class CountingFinder(FaceFinder):
    """Counts whole searches and looks near known faces."""

    searches = looks = 0

    def find(self, image):
        self.searches += 1
        return super().find(image)

    def find_near(self, image, boxes):
        self.looks += 1
        return super().find_near(image, boxes)


def test_a_picture_gives_every_face_its_own_track(tmp_path):
    write_png(tmp_path / "two.png", frame_of([Head(90, 100, 0.5), Head(230, 110, 0.35)], 0, 320, 200, 3))
    found = faces_in_file(tmp_path / "two.png")
    assert (found.kind, found.frames, found.width_px, found.height_px) == ("image", 1, 320, 200)
    assert math.isnan(found.fps)
    assert [(f.track, f.frame, f.time_s) for f in found.detections] == [(0, 0, 0.0), (1, 0, 0.0)]
    sides = [f.tile.side for f in found.detections]
    assert sides[0] > sides[1]


def test_a_talking_head_is_one_track_and_mostly_looked_for_where_it_was(tmp_path):
    finder = CountingFinder(FaceSettings(frames=11))
    found = faces_in_file(write_heads(tmp_path / "a.mp4", [Head(96, 100, 0.5)], frames=40), finder=finder)
    assert (found.kind, found.frames, found.fps) == ("video", 40, 25)
    assert [f.frame for f in found.detections] == [i * 40 // 11 for i in range(11)]
    assert {f.track for f in found.detections} == {0}
    assert finder.searches <= 4  # frames 0, 5 and 10 of the sample, and at most one doubt
    assert finder.looks == 8
    for face in found.detections:
        assert face.probability >= 0.9
        assert face.tile.image.shape[0] == face.tile.side <= 512


def test_the_same_file_gives_the_same_faces(tmp_path):
    path = write_heads(tmp_path / "a.mp4", [Head(96, 100, 0.5)])
    first, second = (faces_in_file(path).detections for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.box, b.box)
        np.testing.assert_array_equal(a.tile.image, b.tile.image)


def test_two_people_are_two_tracks_although_only_every_tenth_frame_is_sampled(tmp_path):
    # one stays, one walks past in front of nobody: 6 px a frame, 60 px between sampled frames, a face of about 50 px
    heads = [Head(60, 60, 0.4), Head(60, 190, 0.35, mirrored=True, speed=6)]
    path = write_heads(tmp_path / "a.mp4", heads, frames=50, width=400, height=260)
    settings = FaceSettings(frames=5)
    found = faces_in_file(path, settings)
    tracks = {f.track for f in found.detections}
    assert len(tracks) == 2
    assert len(found.detections) == 10
    for track in tracks:
        rows = [f.box[1] for f in found.detections if f.track == track]
        assert max(rows) - min(rows) < 30  # the same person all along
    unbridged = faces_in_file(path, settings.replace(bridge_gaps=False, min_track_frames=1))
    assert len({f.track for f in unbridged.detections}) > 2


def test_a_cut_ends_tracks_even_where_the_next_face_sits_at_the_same_place(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25, 192, 192, 18) as writer:
        for at in range(24):
            frame = frame_of([Head(96, 100, 0.5)], at, 192, 192, 0)
            writer.write(frame if at < 13 else 255 - frame_of([], at, 192, 192, 5) // 3)
        for at in range(24, 48):
            bright = frame_of([Head(96, 100, 0.5, mirrored=True)], at, 192, 192, 9).astype(int) + 70
            writer.write(np.clip(bright, 0, 255).astype(np.uint8))
    found = faces_in_file(tmp_path / "a.mp4", FaceSettings(frames=16))
    assert sorted({f.track for f in found.detections}) == [0, 1]
    assert max(f.frame for f in found.detections if f.track == 0) < 13
    assert min(f.frame for f in found.detections if f.track == 1) >= 24


def test_a_face_that_shows_up_for_two_frames_is_dropped(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 25, 192, 192, 18) as writer:
        for at in range(12):
            writer.write(frame_of([Head(96, 100, 0.5)] if at in (4, 5) else [], at, 192, 192, 0))
    with pytest.raises(MediaError, match=r"1 doubtful one\(s\), each in too few frames") as caught:
        faces_in_file(tmp_path / "a.mp4", FaceSettings(frames=12))
    assert caught.value.status == "no_face"
    assert len(faces_in_file(tmp_path / "a.mp4", FaceSettings(frames=12, min_track_frames=2)).detections) == 2


def test_a_video_of_one_frame_keeps_its_face(tmp_path):
    assert len(faces_in_file(write_heads(tmp_path / "a.mp4", [Head(96, 100, 0.5)], frames=1)).detections) == 1


def test_a_file_without_faces_says_so_and_still_knows_its_size(tmp_path):
    path = write_heads(tmp_path / "empty.mp4", [], frames=6)
    with pytest.raises(MediaError, match=r"found none \(at least 40 px and p >= 0\.9 in 6 frame") as caught:
        faces_in_file(path)
    assert caught.value.status == "no_face"
    assert caught.value.file.frames == 6  # pyright: ignore[reportAttributeAccessIssue]


def test_other_files_are_refused_with_a_status(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for name, status in (("notes.txt", "unreadable"), ("none.mp4", "missing"), ("none.png", "missing")):
        with pytest.raises(MediaError) as caught:
            faces_in_file(tmp_path / name)
        assert caught.value.status == status


def test_crops_come_from_the_full_resolution(tmp_path):
    write_png(tmp_path / "a.png", portrait())
    face = faces_in_file(tmp_path / "a.png", FaceSettings(detect_long_side_px=128)).detections[0]
    x, y, side = int(face.tile.x0), int(face.tile.y0), int(face.tile.side)
    beyond = 64  # the square may reach beyond the picture, whose border is repeated there
    picture = np.pad(portrait(), ((beyond, beyond), (beyond, beyond), (0, 0)), mode="edge")
    x, y = x + beyond, y + beyond
    np.testing.assert_array_equal(face.tile.image, picture[y : y + side, x : x + side])


def test_threads_change_nothing(tmp_path):
    path = write_heads(tmp_path / "a.mp4", [Head(96, 100, 0.5), Head(250, 100, 0.4, mirrored=True)], 40, 340, 200)
    one, many = (faces_in_file(path, FaceSettings(frames=12), threads=threads) for threads in (1, 4))
    assert len(one.detections) == 24
    for a, b in zip(one.detections, many.detections, strict=True):
        assert (a.frame, a.track, a.probability) == (b.frame, b.track, b.probability)
        np.testing.assert_array_equal(a.box, b.box)
        np.testing.assert_array_equal(a.tile.image, b.tile.image)


# identities in the clip that were checked by eye: frame -> box (specification of DeepfakeForensics-v1, check 13)
PEOPLE = {
    "crossing woman": {0: (286, 720, 378, 835), 20: (1010, 777, 1100, 907), 34: (1578, 795, 1670, 933)},
    "boy": {0: (911, 633, 980, 721), 48: (968, 709, 1043, 810), 104: (753, 638, 848, 765)},
    "white-haired woman": {0: (275, 618, 340, 699), 60: (206, 675, 271, 763), 90: (218, 661, 290, 754)},
    "red-haired man": {0: (675, 561, 738, 636), 48: (581, 639, 656, 724), 90: (451, 596, 531, 704)},
}


def path_of(track, keys):
    return {keys[k].index: keys[k].faces.boxes[f] for k, f in zip(track.keys, track.faces, strict=True)}


def box_at(path, frame):
    """The box of a path in a frame, interpolated between its neighbours, or None beyond its ends."""
    before = max((f for f in path if f <= frame), default=None)
    after = min((f for f in path if f >= frame), default=None)
    if before is None or after is None:
        return None
    share = (frame - before) / max(after - before, 1)
    return path[before] * (1 - share) + path[after] * share


@pytest.fixture(scope="module")
def sparse_street():
    """Faces of 16 frames of the clip, and the key frames and tracks that they come from: a search of ten seconds."""
    followed = []

    def link_and_keep(keys):
        followed.extend((keys, link(keys)))
        return followed[1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dfworkbench.faces.files.link", link_and_keep)
        found = faces_in_file(STREET, FaceSettings(frames=16))
    return found, *followed


@needs_street
@pytest.mark.trials
@pytest.mark.slow
def test_a_real_crowd_stays_one_track_per_person_in_every_frame():
    check_people(*follow_faces(VideoSource(STREET), FaceFinder(FaceSettings(frames=105))))


@needs_street
@pytest.mark.trials
def test_a_real_crowd_stays_one_track_per_person_in_few_frames(sparse_street):
    _, keys, tracks = sparse_street
    check_people(keys, tracks)


@needs_street
@pytest.mark.trials
def test_nobody_in_a_real_crowd_is_a_still_picture(sparse_street):
    """As in `evaluation/test_doubtful_tracks.py`, of the one clip whose search takes long."""
    found, _, _ = sparse_street
    assert {face.doubt for face in found.detections} <= {"", "seen in 1 of 16 sampled frames"}
    assert any(not face.doubt for face in found.detections)


def check_people(keys, tracks):
    paths = [path_of(track, keys) for track in tracks]
    owners = []
    for boxes in PEOPLE.values():
        last = max(max(path) for path in paths)
        covered = {
            number
            for number, path in enumerate(paths)
            if all(
                (seen := box_at(path, frame)) is not None and iou_matrix([box], [seen])[0, 0] >= 0.5
                for frame, box in boxes.items()
                if frame <= last  # the last sampled frame of a sparse sample lies before the end
            )
        }
        assert len(covered) == 1
        owners.extend(covered)
    assert len(set(owners)) == len(PEOPLE)
    assert all(len(set(track.keys)) == len(track.keys) for track in tracks)
