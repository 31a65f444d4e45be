import json
import os
import subprocess
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from heads import Head, write_heads
from kill_extraction import video_table

from dfworkbench.core.errors import OutputError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import VIDEOS, read_table
from dfworkbench.extraction import ExtractSettings, extract, extract_table
from dfworkbench.extraction import part as part_module
from dfworkbench.faces import FaceFinder, FaceSettings
from dfworkbench.media import VideoSource, read_image

SETTINGS = FaceSettings(frames=4)


@pytest.fixture(scope="module")
def cluster():
    """One worker in a thread of this process: quick, and the tests can watch it."""
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="localhost:0") as running:
        yield running


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_heads(folder / "b_one.mp4", [Head(96, 100, 0.5)], frames=10)
    write_heads(folder / "c_two.mp4", [Head(90, 100, 0.45), Head(250, 100, 0.4, mirrored=True)], 10, 340, 200)
    write_heads(folder / "d_nobody.mp4", [], frames=5)
    (folder / "a_text.mp4").write_text("this is no video")
    (folder / "e_cut.mp4").write_bytes((folder / "b_one.mp4").read_bytes()[:5000])
    return folder


@pytest.fixture
def run(cluster, videos, tmp_path):
    workspace = Workspace(tmp_path)

    def go(settings=SETTINGS, table=None):
        table = video_table(videos) if table is None else table
        address = cluster.scheduler_address
        return extract_table(table, videos, "heads", workspace, settings, scheduler=address, progress=False)

    go.workspace = workspace
    return go


@pytest.fixture
def extracted_paths(monkeypatch):
    """The names of the files that are really extracted."""
    seen = []
    original = part_module._extract
    monkeypatch.setattr(part_module, "_extract", lambda job, *rest: seen.append(job.path) or original(job, *rest))
    return seen


def test_tables_say_what_became_of_every_file(run):
    found = run()
    rows = found.videos.set_index("path")
    assert rows["status"].to_dict() == {
        "a_text.mp4": "unreadable", "b_one.mp4": "ok", "c_two.mp4": "ok", "d_nobody.mp4": "no_face", "e_cut.mp4": "truncated"
    }  # fmt: skip
    assert rows["faces"].tolist() == [0, 4, 8, 0, 0]
    assert rows["tracks"].tolist() == [0, 1, 2, 0, 0]
    assert rows["frames"].tolist() == [-1, 10, 10, 5, -1]
    assert rows.loc["c_two.mp4", ["width_px", "height_px", "fps"]].tolist() == [340, 200, 25.0]
    assert "FFmpeg cannot read" in rows.loc["a_text.mp4", "reason"]
    assert "found none" in rows.loc["d_nobody.mp4", "reason"]
    assert rows.loc["b_one.mp4", "reason"] == ""
    folder = run.workspace.labels / "heads"
    pd.testing.assert_frame_equal(read_table("video", folder / "videos.csv"), found.videos)
    pd.testing.assert_frame_equal(read_table("face", folder / "faces.parquet"), found.faces)


def test_faces_are_sorted_and_their_crops_are_there(run, videos):
    faces = run().faces
    assert faces["video_id"].tolist() == ["heads/b_one.mp4"] * 4 + ["heads/c_two.mp4"] * 8
    assert faces["track"].tolist() == [0] * 8 + [1] * 4
    assert faces["frame"].tolist() == [0, 2, 5, 7] * 3
    first = faces.iloc[0]
    assert first["face_id"] == "heads/b_one.mp4#t0f0"
    assert first["crop_path"] == "heads/b_one.mp4/t00_f000000.png"
    for _, face in faces.iterrows():
        image = read_image(run.workspace.extracted / face["crop_path"])
        assert image.shape == (face["crop_size_px"],) * 2 + (3,)
        longer = max(face["box_x1"] - face["box_x0"], face["box_y1"] - face["box_y0"])
        assert abs(face["crop_side"] - 2 * longer) <= 0.5
        assert face["box_x0"] < face["left_eye_x"] < face["right_eye_x"] < face["box_x1"]


def test_what_was_extracted_can_be_read_as_samples(run):
    found = run()
    samples = FaceDataset(found.faces, found.videos, InputSpec(size_px=48), run.workspace.extracted)
    assert len(samples) == 12
    assert samples[0]["images"].shape == (3, 48, 48)


def test_exact_faces_are_found_whole_in_every_frame_and_marked_as_such(run, videos):
    assert not run().faces["exact"].any()
    table = video_table(videos)
    one = table[table["path"] == "b_one.mp4"]
    found = run(SETTINGS.replace(exact=True), one)
    assert found.faces["exact"].all()
    assert read_table("face", run.workspace.labels / "heads/faces.parquet")["exact"].tolist() == [True] * 4
    source = VideoSource(videos / "b_one.mp4")
    for frame, (_, face) in zip(source.iterate([0, 2, 5, 7]), found.faces.iterrows(), strict=True):
        box = FaceFinder(FaceSettings(exact=True)).find(frame.rgb).boxes[0]
        np.testing.assert_array_equal(face[["box_x0", "box_y0", "box_x1", "box_y1"]].astype(float), box)
    spec = InputSpec(size_px=48, crop_scale=1.1, region="sides", border="clip", exact=True)
    assert len(FaceDataset(found.faces, found.videos, spec, run.workspace.extracted)) == 4


def test_finished_videos_are_never_done_again(run, extracted_paths):
    first = run()
    assert sorted(extracted_paths) == ["a_text.mp4", "b_one.mp4", "c_two.mp4", "d_nobody.mp4", "e_cut.mp4"]
    extracted_paths.clear()
    second = run()
    assert extracted_paths == []
    pd.testing.assert_frame_equal(first.videos, second.videos)
    pd.testing.assert_frame_equal(first.faces, second.faces)


def test_tables_keep_the_order_of_the_video_table(run, videos):
    table = video_table(videos)[::-1].reset_index(drop=True)
    found = run(table=table)
    assert found.videos["video_id"].tolist() == table["video_id"].tolist()
    assert found.faces["video_id"].unique().tolist() == ["heads/c_two.mp4", "heads/b_one.mp4"]


def test_a_changed_file_lost_crops_and_other_settings_are_extracted_again(run, videos, extracted_paths):
    run()
    extracted_paths.clear()
    os.utime(videos / "d_nobody.mp4", ns=(1, 1))
    (run.workspace.extracted / "heads/b_one.mp4/t00_f000005.png").unlink()
    run()
    assert sorted(extracted_paths) == ["b_one.mp4", "d_nobody.mp4"]
    extracted_paths.clear()
    found = run(SETTINGS.replace(frames=2))
    assert len(extracted_paths) == 5
    crops = sorted(p.name for p in (run.workspace.extracted / "heads/b_one.mp4").iterdir())
    assert crops == ["t00_f000000.png", "t00_f000005.png"]  # none is left over from the other settings
    assert len(found.faces) == 6


def test_an_unforeseen_error_costs_one_video_and_is_tried_again(run, monkeypatch, extracted_paths):
    original = part_module.faces_in_file

    def broken(path, *rest, **options):
        if path.name == "c_two.mp4":
            raise ZeroDivisionError("a bug")
        return original(path, *rest, **options)

    monkeypatch.setattr(part_module, "faces_in_file", broken)
    rows = run().videos.set_index("path")
    assert rows.loc["c_two.mp4", ["status", "reason"]].tolist() == ["error", "ZeroDivisionError: a bug"]
    assert rows.loc["b_one.mp4", "status"] == "ok"
    monkeypatch.setattr(part_module, "faces_in_file", original)
    extracted_paths.clear()
    assert run().videos.set_index("path").loc["c_two.mp4", "status"] == "ok"
    assert extracted_paths == ["c_two.mp4"]


def test_nothing_pickled_is_left_on_disk(run):
    run()
    suffixes = {p.suffix for p in run.workspace.root.rglob("*") if p.is_file() and p.name != ".lock"}
    assert suffixes == {".png", ".json", ".csv", ".parquet"}


def test_a_folder_that_cannot_be_written_stops_before_the_work(videos, tmp_path, extracted_paths):
    (tmp_path / "extracted").touch()  # a file where a folder should be: also stops root
    with pytest.raises(OutputError, match=r"cannot write extracted faces .* start again"):
        extract_table(video_table(videos), videos, "heads", Workspace(tmp_path), SETTINGS, progress=False)
    assert extracted_paths == []


def test_a_full_disk_stops_the_job_and_keeps_what_is_done(cluster, videos, tmp_path, extracted_paths):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        workspace, table = Workspace(disk), video_table(videos)

        def go():
            address = cluster.scheduler_address
            return extract_table(table, videos, "heads", workspace, SETTINGS, scheduler=address, progress=False)

        with pytest.raises(OutputError, match="The disk is full: free some space and start again"):
            go()
        assert "b_one.mp4" in extracted_paths
        extracted_paths.clear()
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        assert len(go().faces) == 12
        assert "b_one.mp4" not in extracted_paths
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.usefixtures("forked_workers")
def test_a_video_that_kills_its_worker_is_tried_twice_and_costs_nothing_else(cluster, videos, tmp_path):
    dying = tmp_path / "dying.py"
    dying.write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from dfworkbench.extraction import part\n"
        "original = part.original = getattr(part, 'original', part.faces_in_file)  # Dask runs this file twice\n"
        "def faces_in_file(path, *rest, **options):\n"
        f"    deaths = Path({str(tmp_path)!r}) / f'deaths_{{path.stem}}'\n"
        "    if path.stem in ('b_one', 'c_two') and not (path.stem == 'b_one' and deaths.exists()):\n"
        "        with deaths.open('a') as file:\n"
        "            file.write('x')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return original(path, *rest, **options)\n"
        "part.faces_in_file = faces_in_file\n"
    )
    with dask.config.set({"distributed.worker.preload": [str(dying)]}):
        workspace = Workspace(tmp_path / "workspace")
        found = extract_table(video_table(videos), videos, "heads", workspace, SETTINGS, workers=2, progress=False)
    status = found.videos.set_index("path")["status"].to_dict()
    assert status == {
        "a_text.mp4": "unreadable", "b_one.mp4": "ok", "c_two.mp4": "error", "d_nobody.mp4": "no_face", "e_cut.mp4": "truncated"
    }  # fmt: skip
    assert (tmp_path / "deaths_b_one").read_text() == "x"
    assert (tmp_path / "deaths_c_two").read_text() == "xx"
    assert "died twice" in found.videos.set_index("path").loc["c_two.mp4", "reason"]
    # the next run tries it again, now without the deadly preload
    here = cluster.scheduler_address
    again = extract_table(video_table(videos), videos, "heads", workspace, SETTINGS, scheduler=here, progress=False)
    assert again.videos.set_index("path").loc["c_two.mp4", "status"] == "ok"


def test_a_scheduler_without_workers_is_an_error_not_an_endless_wait(videos, tmp_path, monkeypatch):
    from dfworkbench.core import dask_workers

    monkeypatch.setattr(dask_workers, "_PATIENCE_S", 0.2)
    with LocalCluster(n_workers=0, processes=False, dashboard_address="localhost:0") as idle:
        address = idle.scheduler_address
        with pytest.raises(WorkbenchError, match=r"has had no worker .* run the extraction again"):
            extract_table(
                video_table(videos), videos, "heads", Workspace(tmp_path), SETTINGS, scheduler=address, progress=False
            )


def test_extract_reads_a_layout_and_writes_splits(cluster, tmp_path):
    root = tmp_path / "data" / "mine"
    for label in ("real", "fake"):
        for number in range(3):
            (root / label).mkdir(parents=True, exist_ok=True)
            write_heads(root / label / f"{number}.mp4", [Head(96, 100, 0.5)], frames=4, seed=number)
    settings = ExtractSettings(
        name="mine", layout="folders", frames=2, scheduler=cluster.scheduler_address, split_rule="identity"
    )
    found = extract(settings, Workspace(tmp_path), progress=False)
    assert found.videos["status"].tolist() == ["ok"] * 6
    assert sorted(found.videos["label"]) == [0, 0, 0, 1, 1, 1]
    assert set(found.videos["split"]) == {"train", "val", "test"}
    written = pd.read_csv(tmp_path / "labels" / "mine" / "splits.csv")
    assert set(written["video_id"]) == set(found.videos["video_id"])
    assert found.splits["split"].tolist() == found.videos["split"].tolist()
    assert len(json.loads((tmp_path / "labels" / "mine" / "splits.json").read_text())["sha256"]) == 64
    limited = extract(settings.replace(limit=4, name="mine"), Workspace(tmp_path), progress=False)
    assert len(limited.videos) == 4


def test_settings_keep_faces_apart_from_where_the_work_runs():
    settings = ExtractSettings(frames=7, workers=3)
    assert settings.faces == FaceSettings(frames=7)
    assert settings.faces.content_hash() == ExtractSettings(frames=7, scheduler="x").faces.content_hash()


def test_parts_come_back_exactly(run):
    found = run()
    again = run()
    for column in ("box_x0", "left_eye_y", "probability", "time_s"):
        np.testing.assert_array_equal(found.faces[column], again.faces[column])


def test_a_fake_is_sampled_at_the_frames_of_its_genuine_video(cluster, tmp_path):
    """By its own length, a fake of 20 frames would share frame 0 with a genuine video of 23."""
    root = tmp_path / "videos"
    root.mkdir()
    write_heads(root / "genuine.mp4", [Head(96, 100, 0.5)], frames=23)
    write_heads(root / "fake.mp4", [Head(96, 100, 0.5)], frames=20)
    rows = [
        {"video_id": f"set/{name}.mp4", "dataset": "set", "path": f"{name}.mp4", "label": label, "genuine_id": genuine}
        for name, label, genuine in (("genuine", 0, ""), ("fake", 1, "set/genuine.mp4"))
    ]

    def frames_of(rows, workspace):
        found = extract_table(
            VIDEOS.complete(rows), root, "set", workspace, SETTINGS, scheduler=cluster.scheduler_address, progress=False
        )
        return {name.split("/")[1]: part["frame"].tolist() for name, part in found.faces.groupby("video_id")}

    paired = frames_of(rows, Workspace(tmp_path))
    assert paired["genuine.mp4"] == [0, 5, 11, 17]
    assert paired["fake.mp4"] == [0, 5, 11, 17]
    alone = frames_of(
        [{**row, "genuine_id": ""} for row in rows], Workspace(tmp_path)
    )  # another pairing is extracted anew
    assert alone["fake.mp4"] == [0, 5, 10, 15]
    gone = frames_of([rows[1]], Workspace(tmp_path / "other"))
    assert gone["fake.mp4"] == [0, 5, 10, 15]
