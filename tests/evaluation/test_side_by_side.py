"""Several detectors on the same files in one table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.scoring.authors import AuthorsScore
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore
from dfworkbench.evaluation.scoring.side_by_side import side_by_side

NAN = float("nan")


def track(number, probability, left=0.0, frames=(0, 10), shows="face", doubt=""):
    n = len(frames)
    boxes = np.tile([left, 0.0, left + 40, 50], (n, 1))
    pictures = np.empty((0, 8, 8, 3), np.uint8)
    return TrackScore(
        number, probability, np.array(frames), np.array(frames) / 10, np.full(n, probability), boxes, pictures,
        np.empty(0, np.int64), shows=shows, doubt=doubt,
    )  # fmt: skip


def file(name, *tracks, authors=None, caveat=""):
    best = max((t.fake_probability for t in tracks), default=NAN)
    status = "ok" if tracks else "no_face"
    theirs = AuthorsScore("largest_mean", "mean over 32 frames of the largest face", authors) if authors else None
    return FileScore(
        Path(name), f"clips/{name}", "video", status, "" if tracks else "nobody", best, "max_track_mean", list(tracks),
        caveat, authors=theirs,
    )  # fmt: skip


def scored(detector, *files):
    return Scored(list(files), table=None, detector=detector)


def test_files_and_people_by_detector_and_rule():
    one = scored("gend", file("a.mp4", track(0, 0.2), track(1, 0.9, 100), authors=0.31, caveat="Trained on c23."))
    other = scored("meso", file("a.mp4", track(0, 0.7, 102), track(1, 0.1, 3), caveat="Old."), file("b.mp4"))
    both = side_by_side([one, other])
    assert list(both.table.columns) == ["video_id", "who", "gend", "gend, authors' rule", "meso"]
    assert both.table["who"].tolist() == ["", "track 0 (2 faces, 0.0-1.0 s)", "track 1 (2 faces, 0.0-1.0 s)", ""]
    assert both.table["gend"].tolist()[:3] == [0.9, 0.2, 0.9]
    assert both.table["meso"].tolist()[:3] == [0.7, 0.1, 0.7]  # people are matched by their boxes, not their numbers
    assert both.table["gend, authors' rule"].iloc[0] == 0.31
    assert both.table.iloc[1:]["gend, authors' rule"].isna().all()
    for text in (repr(both), both._repr_html_().replace("&#x27;", "'")):
        assert "gend: Trained on c23." in text
        assert "meso: Old." in text
        assert "gend, authors' rule: mean over 32 frames of the largest face" in text
        assert text.count("maximum over tracks of the mean over frames") == 1
        assert "no face" in text  # b.mp4 in the second
        assert "not scored" in text  # b.mp4 in the first
    assert "0.31" in repr(both).splitlines()[2]


def test_whole_pictures_and_faces_are_rows_of_their_own():
    whole = scored("commfor", file("a.mp4", track(0, 0.6, shows="picture")))
    faces = scored("meso", file("a.mp4", track(0, 0.3, doubt="still picture")))
    both = side_by_side([faces, whole])
    assert both.table["who"].tolist() == ["", "track 0 (2 faces, 0.0-1.0 s, doubtful)", "whole picture (2 frames)"]
    assert both.texts()["meso"].tolist() == ["0.30", "0.30", "-"]
    assert both.texts()["commfor"].tolist() == ["0.60", "-", "0.60"]
    assert any("a.mp4: The file's number is in doubt" in note and note.startswith("meso") for note in both.notes)


def test_people_who_share_no_frame_are_not_matched():
    early, late = (scored(f"d{i}", file("a.mp4", track(0, 0.5, frames=f))) for i, f in enumerate([(0, 2), (1, 3)]))
    assert len(side_by_side([early, late]).table) == 3


def test_the_same_detector_twice_keeps_two_columns():
    one = scored("meso", file("<a>.mp4", track(0, 0.4)))
    both = side_by_side([one, Scored([replace(one[0], rule="mean", fake_probability=0.1)], None, "meso")])
    assert list(both.table.columns[2:]) == ["meso", "meso (2)"]
    assert both.rules == ("meso: maximum over tracks of the mean over frames", "meso (2): mean over all faces")
    assert "<a>" not in both._repr_html_()


def test_a_counted_failure_shows_its_number():
    counted = replace(file("b.mp4"), fake_probability=0.5)
    assert side_by_side([scored("meso", counted)]).texts()["meso"].tolist() == ["0.50"]


def test_nothing_to_show_is_refused():
    with pytest.raises(InputError, match="no scores were given"):
        side_by_side([])
