"""Extraction killed at random moments and started again gives the tables and crops of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from kill_extraction import VIDEOS_WITH_A_FACE, make_videos

from dfworkbench.datasets.tables import read_table

PROGRAM = Path(__file__).with_name("kill_extraction.py")
KILLS = 10


def start(videos: Path, workspace: Path) -> subprocess.Popen:
    path = os.pathsep.join([str(PROGRAM.parent.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(videos), str(workspace)],
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def finished(workspace: Path) -> int:
    return len(list((workspace / "extracted" / "heads" / ".parts").glob("[!.]*.json")))


def contents(workspace: Path) -> dict[str, bytes]:
    """Bytes of all crops and of the video table."""
    files = [*workspace.glob("extracted/heads/*.mp4/*"), workspace / "labels/heads/videos.csv"]
    return {file.relative_to(workspace).as_posix(): file.read_bytes() for file in files}


@pytest.mark.slow
def test_killed_ten_times_nothing_is_lost_and_nothing_done_twice(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    make_videos(videos)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert start(videos, undisturbed).wait(300) == 0
    rng = random.Random(0)
    progress = []
    for _ in range(KILLS):
        before = finished(disturbed)
        process = start(videos, disturbed)
        # mostly while videos are being extracted, now and then while the workers still start
        wanted, deadline = before + rng.choice((0, 1, 1, 2)), time.monotonic() + 60
        while finished(disturbed) < wanted and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 3 if wanted == before else 0.08))
        assert process.poll() is None, "it ended before it was killed: make more videos"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        progress.append(finished(disturbed))
    assert progress == sorted(progress)
    assert 0 < progress[-1] < VIDEOS_WITH_A_FACE + 2
    assert start(videos, disturbed).wait(300) == 0
    assert contents(disturbed) == contents(undisturbed)
    faces = [read_table("face", root / "labels/heads/faces.parquet") for root in (undisturbed, disturbed)]
    pd.testing.assert_frame_equal(*faces, check_exact=True)
    assert faces[0]["face_id"].is_unique
    assert len(faces[0]) == VIDEOS_WITH_A_FACE * 6
