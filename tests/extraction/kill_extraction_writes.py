"""Extract in child processes that are killed at each of their writes in turn; used by test_extraction_kill.py.

One process imports torch once and forks the others, so that a kill costs little. Prints how many writes there are.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import pandera.pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401 - both would otherwise be imported again in every child
import pytest
from demo_set import extract_here
from kill_extraction import contents, make_videos, video_table

from dfworkbench.core.workspace import Workspace
from dfworkbench.extraction import extract_table
from dfworkbench.faces import FaceFinder, FaceSettings

VIDEOS, FRAMES = 1, 2


def run(videos: Path, root: Path, kill_at: int = 0) -> bool:
    """Extract in a child; whether it was killed at its write number `kill_at`."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        assert status in (0, signal.SIGKILL), status
        return status != 0
    try:
        with pytest.MonkeyPatch.context() as patch:
            extract_here(patch)
            die_at(kill_at, patch)
            table = video_table(videos)
            extract_table(table, videos, "heads", Workspace(root), FaceSettings(frames=FRAMES), progress=False)
        os._exit(0)
    finally:
        os._exit(1)


def die_at(number: int, patch: pytest.MonkeyPatch) -> None:
    """Die when a crop has been opened, or before a finished file takes its place."""
    opened, replaced, writes = Path.open, Path.replace, 0

    def count() -> None:
        nonlocal writes
        writes += 1
        if writes == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def open_and_count(self, mode="r", *rest, **options):
        file = opened(self, mode, *rest, **options)
        if mode == "xb":
            count()
        return file

    def count_and_replace(self, target):
        count()
        return replaced(self, target)

    patch.setattr(Path, "open", open_and_count)
    patch.setattr(Path, "replace", count_and_replace)


def main(folder: str) -> None:
    videos, undisturbed, disturbed = (Path(folder) / name for name in ("videos", "undisturbed", "disturbed"))
    videos.mkdir()
    FaceFinder(FaceSettings())  # imports what children need
    make_videos(videos, VIDEOS)
    assert not run(videos, undisturbed)
    writes = 0
    while run(videos, disturbed, writes + 1):
        writes += 1
        assert not run(videos, disturbed)
        assert contents(disturbed) == contents(undisturbed), f"killed at write {writes}"
        shutil.rmtree(disturbed)
    sys.stdout.write(str(writes))


if __name__ == "__main__":
    main(sys.argv[1])
