"""Extraction removes and writes crops of its own, below its own folder, and nothing else, whatever names and links say."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.core.errors import OutputError, ParameterError, TableError
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.extraction.extract import extract_table
from dfworkbench.extraction.part import Job, extract_video, read_part
from dfworkbench.faces import FaceSettings
from dfworkbench.media.pictures.images import write_png

WHOLE = FaceSettings(whole=True)


@pytest.fixture
def places(tmp_path) -> tuple[Path, Workspace, Path]:
    """A data set of two pictures, a workspace, and a folder of somebody beside it."""
    root, outside = tmp_path / "set", tmp_path / "outside"
    for name in ("a.png", "sub/b.png"):
        write_png(root / name, np.random.default_rng(0).integers(0, 255, (40, 48, 3)).astype(np.uint8))
    outside.mkdir()
    (outside / "diary.txt").write_text("keep")
    (outside / "t00_f000000.png").write_text("keep")  # as a crop would be called
    return root, Workspace(tmp_path / "space"), outside


def kept(outside: Path) -> bool:
    return {file.name: file.read_text() for file in outside.iterdir()} == {
        "diary.txt": "keep",
        "t00_f000000.png": "keep",
    }


def job_of(places, path: str = "a.png") -> Job:
    root, space, _ = places
    return Job(f"x/{path}", path, root / path, space.extracted, "x", WHOLE)


@pytest.mark.parametrize("name", ["../../../outside", "sub/../../../../outside", "/outside"])
def test_a_metadata_file_that_names_a_folder_outside(places, name, monkeypatch):
    root, space, outside = places
    named = str(outside) if name.startswith("/") else name
    entries = {"a.png": {"label": "REAL", "split": "train"}, named: {"label": "FAKE", "split": "train"}}
    (root / "metadata.json").write_text(json.dumps(entries))
    here = importlib.import_module("dfworkbench.extraction.extract")  # the package has a function of this name
    monkeypatch.setattr(here, "run_jobs", lambda jobs, *_: ((at, extract_video(job)) for at, job in enumerate(jobs)))
    settings = ExtractSettings(name="x", layout="dfdc", root=root, whole=True, split_rule="official")
    found = extract(settings, space, progress=False)
    assert found.videos["path"].tolist() == ["a.png"]
    assert found.videos["status"].tolist() == ["ok"]
    assert kept(outside)


@pytest.mark.parametrize("column", ["path", "video_id", "mask_path", "genuine_id", "landmarks_path", "dataset"])
def test_a_table_that_names_a_folder_outside(places, column):
    root, space, outside = places
    table = VIDEOS.complete([{"video_id": "x/a.png", "dataset": "x", "path": "a.png", "label": 0}])
    table[column] = "../../../outside"
    with pytest.raises(TableError, match=rf"{column}: a relative path"):
        extract_table(table, root, "x", space, WHOLE, progress=False)
    with pytest.raises(ParameterError, match="single folder"):
        extract_table(table, root, "../outside", space, WHOLE, progress=False)
    assert kept(outside)


@pytest.mark.parametrize("link", ["x", "x/sub", "x/sub/b.png", "x/.parts"])
def test_links_that_lead_out_are_not_followed(places, link):
    _, space, outside = places
    (space.extracted / link).parent.mkdir(parents=True)
    (space.extracted / link).symlink_to(outside)
    with pytest.raises(OutputError, match="which is not below"):
        extract_video(job_of(places, "sub/b.png"))
    assert kept(outside)


@pytest.mark.parametrize("link", ["labels/x", "extracted/x", "extracted/x/.parts"])
def test_tables_are_not_written_through_a_link(places, link):
    root, space, outside = places
    (space.root / link).parent.mkdir(parents=True)
    (space.root / link).symlink_to(outside)
    table = VIDEOS.complete([{"video_id": "x/a.png", "dataset": "x", "path": "a.png", "label": 0}])
    with pytest.raises(OutputError, match="which is not below"):
        extract_table(table, root, "x", space, WHOLE, progress=False)
    assert kept(outside)


def test_the_whole_folder_may_be_a_link(places, tmp_path):
    _, space, _ = places
    disk = tmp_path / "big_disk"
    disk.mkdir()
    space.root.mkdir()
    space.extracted.symlink_to(disk)
    assert extract_video(job_of(places)).video["status"] == "ok"
    assert (disk / "x/a.png/t00_f000000.png").is_file()


def test_what_was_not_made_here_stays(places):
    _, space, outside = places
    folder = space.extracted / "x/a.png"
    (folder / "other").mkdir(parents=True)
    (folder / "other" / "t00_f000000.png").write_text("of another")
    (folder / "notes.txt").write_text("mine")
    (folder / "t01_f000003.png").write_text("an old crop")
    (folder / "t00_f000000.png").symlink_to(outside / "t00_f000000.png")
    part = extract_video(job_of(places))
    assert part.video["status"] == "ok"
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "other" / "t00_f000000.png").read_text() == "of another"
    assert not (folder / "t01_f000003.png").exists()
    assert not (folder / "t00_f000000.png").is_symlink()
    assert kept(outside)
    stored = read_part(job_of(places))
    assert stored is not None
    assert stored.video == part.video
