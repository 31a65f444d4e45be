"""Extraction on a scheduler and two workers that somebody started by hand gives what it gives on this machine alone."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pandas as pd
import pytest
from demo_set import extract_here
from heads import Head, write_heads
from kill_extraction import video_table

from dfworkbench.core.workspace import Workspace
from dfworkbench.extraction.extract import extract_table
from dfworkbench.faces import FaceSettings

WAIT_S = 90


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def started(*words: str):
    """A process of Dask's command line, as a person starts it; stopped at the end."""
    command = [sys.executable, "-m", "dask", *words]
    process = subprocess.Popen(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    end = time.monotonic() + WAIT_S
    while True:
        with contextlib.suppress(OSError), Client(address, timeout=5) as client:
            client.wait_for_workers(count, timeout=WAIT_S)
            return
        assert time.monotonic() < end, "the scheduler does not answer"


@pytest.mark.slow
def test_a_scheduler_at_an_address(tmp_path, monkeypatch):
    videos = tmp_path / "videos"
    videos.mkdir()
    for number in range(6):
        write_heads(videos / f"{number}.mp4", [Head(96, 90 + 4 * number, 0.5)], frames=10)
    (videos / "text.mp4").write_text("no video")
    table, settings = video_table(videos), FaceSettings(frames=4)
    address = f"tcp://127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as stack:
        host, port = address.removeprefix("tcp://").split(":")
        stack.enter_context(started("scheduler", "--host", host, "--port", port, "--no-dashboard"))
        scratch = str(tmp_path / "workers")
        words = ("--nworkers", "2", "--nthreads", "1", "--local-directory", scratch, "--no-dashboard")
        stack.enter_context(started("worker", address, *words))
        wait_for_workers(address, 2)
        there = extract_table(
            table, videos, "x", Workspace(tmp_path / "there"), settings, scheduler=address, progress=False
        )
    extract_here(monkeypatch)
    here = extract_table(table, videos, "x", Workspace(tmp_path / "here"), settings, progress=False)
    assert there.videos["status"].tolist() == ["ok"] * 6 + ["unreadable"]
    pd.testing.assert_frame_equal(there.videos, here.videos)
    pd.testing.assert_frame_equal(there.faces, here.faces)
    for path in here.faces["crop_path"]:
        assert (tmp_path / "there/extracted" / path).read_bytes() == (tmp_path / "here/extracted" / path).read_bytes()
