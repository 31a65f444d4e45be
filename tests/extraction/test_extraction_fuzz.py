"""168 damaged media files through extraction, with good ones between them: no crash, a row for each, all good ones done."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from demo_set import extract_here
from harms import HARMS
from heads import Head, frame_of, write_heads

from dfworkbench.core.names import STATUSES
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction.extract import extract_table
from dfworkbench.faces import FaceSettings
from dfworkbench.media import VideoWriter

#: Every kind of file under every harm three times; a good file after every 12 damaged ones.
DAMAGED, EVERY = 168, 12
HEAD = Head(80, 70, 0.35)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[str, bytes]:
    """Small whole files of several kinds, by suffix."""
    folder = tmp_path_factory.mktemp("seeds")
    picture = frame_of([HEAD], 0, 160, 120, seed=0)[:, :, ::-1]
    for suffix in ("png", "jpg", "bmp", "webp", "tiff"):
        cv2.imwrite(str(folder / f"a.{suffix}"), picture)
    write_heads(folder / "a.mp4", [HEAD], 6, 160, 120)
    for suffix in ("mkv", "avi"):
        with VideoWriter(folder / f"a.{suffix}", 25, 160, 120, crf=20) as writer:
            for index in range(6):
                writer.write(frame_of([HEAD], index, 160, 120, seed=index))
    return {file.suffix: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
def test_damaged_files_cost_nothing_but_themselves(seeds, tmp_path, monkeypatch):
    root = tmp_path / "media"
    root.mkdir()
    suffixes = sorted(seeds)
    names: list[str] = []
    for number in range(DAMAGED):
        rng = np.random.default_rng(number)
        kind, harm = suffixes[number % len(suffixes)], HARMS[number // len(suffixes) % len(HARMS)]
        data = bytearray(seeds[kind])
        harm(data, rng)
        wrong = suffixes[int(rng.integers(len(suffixes)))] if rng.random() < 0.2 else kind
        names.append(f"{number:03d}_{harm.__name__}{wrong}")
        (root / names[-1]).write_bytes(data)
        if number % EVERY == 0:
            names.append(f"{number:03d}_good{kind}")
            (root / names[-1]).write_bytes(seeds[kind])
    good = [name for name in names if "_good" in name]
    found = extract(root, names, tmp_path / "workspace")
    rows = found.videos.set_index("path")

    assert rows.index.tolist() == names
    assert rows["status"].isin(STATUSES).all()
    assert (rows.loc[good, "status"] == "ok").all()
    bad = rows[rows["status"] != "ok"]
    assert len(bad) > 0.6 * DAMAGED  # some flipped bits hurt nobody
    assert (bad["reason"].str.len() > 30).all()
    unforeseen = rows[rows["status"] == "error"]
    assert unforeseen.empty, unforeseen["reason"].to_dict()
    crops = [tmp_path / "workspace/extracted" / path for path in found.faces["crop_path"]]
    assert all(crop.is_file() for crop in crops)
    extract_here(monkeypatch)
    alone = extract(root, good, tmp_path / "alone")
    both = found.faces[found.faces["video_id"].isin(alone.faces["video_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(both, alone.faces)
    shutil.rmtree(root)


def extract(root: Path, names: list[str], workspace: Path):
    table = VIDEOS.complete([{"video_id": f"x/{name}", "dataset": "x", "path": name, "label": -1} for name in names])
    settings = FaceSettings(frames=4, min_face_px=30)
    return extract_table(table, root, "x", Workspace(workspace), settings, workers=2, progress=False)
