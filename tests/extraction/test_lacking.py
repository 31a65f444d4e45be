"""What an extraction lacks: files that are not there cost no worker, and every kind of loss is one sentence."""

import json
import logging
import os
import sys

import pandas as pd
import pytest

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets import read_layout
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.evaluation.scoring.media_files import find_files
from dfworkbench.extraction import extract_table
from dfworkbench.extraction.lacking import say_what_is_lacking
from dfworkbench.extraction.part import failed
from dfworkbench.faces import FaceSettings
from dfworkbench.notebook.pickers import describe_path


def table(*rows):
    return VIDEOS.complete([{"video_id": f"x/{path}", "dataset": "x", "path": path, **row} for path, row in rows])


def test_of_long_lists_only_what_is_there_goes_to_workers(tmp_path, monkeypatch, caplog):
    names = [f"{number:04d}" for number in range(3000)]
    (tmp_path / "test_real.txt").write_text("".join(f"0,f/{name},1\n" for name in names))
    for name in names[7::300]:
        (tmp_path / "f" / name).mkdir(parents=True)
    handed = []

    def run(jobs, workers, scheduler):
        handed.extend(jobs)
        yield from ((number, failed("no worker in this test")) for number in range(len(jobs)))

    monkeypatch.setattr(sys.modules["dfworkbench.extraction.extract"], "run_jobs", run)
    videos = read_layout("list_files", tmp_path, "x")
    out = extract_table(videos, tmp_path, "x", Workspace(tmp_path / "home"), FaceSettings(), progress=False)
    assert [one.path for one in handed] == [f"f/{name}" for name in names[7::300]]
    assert out.videos.status.value_counts().to_dict() == {"missing": 2990, "error": 10}
    assert "there is no such file or folder" in out.videos.reason[0]
    assert "2990 of 3000 files: missing (f/0000, f/0001, f/0002, … and 2987 more)" in caplog.text
    assert "10 of 3000 files: error (f/0007, f/0307, f/0607, … and 7 more)" in caplog.text


#: Frames of a fake and of the video it was made from -> whether it is shorter, and whether it lacks sampled frames.
LENGTHS = {
    (100, 100): (0, 0),
    (120, 100): (0, 0),
    (90, 100): (1, 1),
    (98, 100): (1, 0),
    (5, 10): (1, 1),
    (-1, 100): (0, 0),
}


@pytest.mark.parametrize("lengths", LENGTHS)
def test_fakes_that_are_shorter_than_their_originals(caplog, lengths):
    own, like = lengths
    shorter, lacking = LENGTHS[lengths]
    videos = table(
        ("r.mp4", {"label": REAL, "frames": like, "status": "ok"}),
        ("f.mp4", {"label": FAKE, "frames": own, "status": "ok", "genuine_id": "x/r.mp4"}),
        ("g.mp4", {"label": FAKE, "frames": 10, "status": "ok", "genuine_id": "x/gone.mp4"}),
    )
    say_what_is_lacking(videos, frames=16)
    said = [message for message in caplog.messages if "shorter" in message]
    assert len(said) == shorter
    for message in said:
        assert f"1 of {2 if own > 0 else 1} fakes are shorter" in message
        assert f"(first: f.mp4 has {own} of {like} frames)" in message
        assert f"so {lacking} of them give fewer than 16" in message


def test_nothing_lacking_is_nothing_said(caplog):
    say_what_is_lacking(table(("r.mp4", {"label": REAL, "frames": 9, "status": "ok"})), frames=16)
    assert not caplog.records


@pytest.mark.parametrize("typed", ["data/set", "./data/set", "data/../data/set"])
def test_the_root_of_a_set_is_found_from_anywhere(tmp_path, monkeypatch, typed):
    (tmp_path / "data" / "set").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    data = DataSet("set", Workspace(tmp_path))
    with data.writing("extracting") as writer:
        writer.source(typed, "folders")
    assert json.loads((tmp_path / "labels" / "set" / "source.json").read_text())["root"].startswith(str(tmp_path))
    monkeypatch.chdir("/")
    assert data.root.resolve() == tmp_path / "data" / "set"


# -- score and notebooks ----------------------------------------------------------------------------------------------


def test_score_lists_what_links_lead_to_and_names_what_it_leaves(tmp_path, caplog):
    for name in ("set/a.mp4", "disk/b.MTS", "disk/c.wmv", "set/IMG.HEIC", "set/odd.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "disk" / "b.MTS").write_bytes((b"\x47" + bytes(187)) * 4)
    (tmp_path / "set" / "more").symlink_to("../disk")
    with caplog.at_level(logging.WARNING):
        assert list(find_files(tmp_path / "set")) == ["set/a.mp4", "set/more/b.MTS", "set/more/c.wmv"]
    assert "3 video(s) and 0 picture(s) found; not read:" in caplog.text
    assert "1 .heic (OpenCV cannot read HEIC: convert it to JPEG): IMG.HEIC\n" in caplog.text
    assert "1 .bin: odd.bin" in caplog.text


@pytest.mark.parametrize("whole", [True, False])
def test_score_keeps_a_file_whose_name_is_not_utf8_under_a_readable_name(tmp_path, whole):
    odd = tmp_path / os.fsdecode(b"fran\xe7ois.mp4")
    odd.touch()
    (tmp_path / "z.mp4").touch()
    found = find_files(tmp_path if whole else [odd, tmp_path / "z.mp4"])
    assert [name.rpartition("/")[2] for name in found] == ["fran%E7ois.mp4", "z.mp4"]
    assert pd.Series(list(found)).to_frame("id").to_csv()
    assert "\udce7" not in "".join(map(str, found.values()))


def test_a_path_that_is_typed_is_described_with_all_that_is_there(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.jfif", "c.txt", ".hidden"):
        (tmp_path / name).touch()
    assert describe_path(str(tmp_path)) == (True, "folder with 0 sub-folders, 2 videos or pictures and 1 other files")

    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", closed)
    assert describe_path(str(tmp_path)) == (False, "a folder that cannot be listed (Permission denied)")
