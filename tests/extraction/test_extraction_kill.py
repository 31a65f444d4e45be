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
from kill_extraction import SETTINGS, VIDEOS_WITH_A_FACE, contents, make_videos, video_table

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import read_table
from dfworkbench.extraction import extract_table

PROGRAM = Path(__file__).with_name("kill_extraction.py")
#: Before each kill so many more videos are finished; 0: it may come while the workers still start.
FINISHED_BEFORE_A_KILL = (1, 0, 2)


def environment() -> dict[str, str]:
    """So that the programs find the modules of this folder's parent."""
    path = os.pathsep.join([str(PROGRAM.parent.parent), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def start(videos: Path, workspace: Path) -> subprocess.Popen:
    command = [sys.executable, str(PROGRAM), str(videos), str(workspace)]
    return subprocess.Popen(command, start_new_session=True, env=environment())


def finished(workspace: Path) -> int:
    return len(list((workspace / "extracted" / "heads" / ".parts").glob("[!.]*.json")))


def test_killed_at_every_write_nothing_is_lost(tmp_path):
    script = PROGRAM.with_name("kill_extraction_writes.py")
    out = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=300, env=environment()
    )
    assert out.returncode == 0, out.stderr
    # two crops, a part of each of three files (one is no video, one shows nobody), two tables
    assert int(out.stdout) == 2 + 3 + 2


@pytest.mark.slow
@pytest.mark.usefixtures("no_workers")
def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    make_videos(videos)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"

    def extract_here(workspace: Path) -> None:
        """In this process, which has imported everything; the killed ones have two workers each."""
        extract_table(video_table(videos), videos, "heads", Workspace(workspace), SETTINGS, progress=False)

    extract_here(undisturbed)
    rng = random.Random(0)
    progress = []
    for further in FINISHED_BEFORE_A_KILL:
        before = finished(disturbed)
        process = start(videos, disturbed)
        wanted, deadline = before + further, time.monotonic() + 300
        while finished(disturbed) < wanted and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 3 if not further else 0.08))
        assert process.poll() is None, "it ended before it was killed: make more videos"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        progress.append(finished(disturbed))
    assert progress == sorted(progress)
    assert 0 < progress[-1] < VIDEOS_WITH_A_FACE + 2
    extract_here(disturbed)  # as the second and the third process did, it goes on from what is there
    assert contents(disturbed) == contents(undisturbed)
    faces = [read_table("face", root / "labels/heads/faces.parquet") for root in (undisturbed, disturbed)]
    pd.testing.assert_frame_equal(*faces, check_exact=True)
    assert faces[0]["face_id"].is_unique
    assert len(faces[0]) == VIDEOS_WITH_A_FACE * 6
