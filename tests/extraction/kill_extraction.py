"""The program that test_extraction_kill.py starts and kills: extracts a folder of videos into a workspace."""

import sys
from pathlib import Path

from heads import Head, write_heads

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction import extract_table
from dfworkbench.faces import FaceSettings

SETTINGS = FaceSettings(frames=6)


VIDEOS_WITH_A_FACE = 16


def make_videos(folder: Path, count: int = VIDEOS_WITH_A_FACE) -> Path:
    """Heads at different places, one file that is no video and one without a face."""
    for number in range(count):
        head = Head(90 + number % 12, 100, 0.42 + 0.005 * (number % 30), number % 2 == 1)
        write_heads(folder / f"v{number:02d}.mp4", [head], frames=12, seed=number)
    (folder / "v03_text.mp4").write_text("no video")
    write_heads(folder / "v07_nobody.mp4", [], frames=8)
    return folder


def video_table(folder: Path):
    """A video table of all files in a folder."""
    rows = [
        {"video_id": f"heads/{file.name}", "dataset": "heads", "path": file.name, "label": 0}
        for file in sorted(folder.glob("*.mp4"))
    ]
    return VIDEOS.complete(rows)


def contents(workspace: Path) -> dict[str, bytes]:
    """Bytes of all crops and of the video table."""
    files = [*workspace.glob("extracted/heads/*.mp4/*"), workspace / "labels/heads/videos.csv"]
    return {file.relative_to(workspace).as_posix(): file.read_bytes() for file in files}


def main() -> None:
    """Usage: kill_extraction.py FOLDER WORKSPACE."""
    folder, root = Path(sys.argv[1]), Path(sys.argv[2])
    extract_table(video_table(folder), folder, "heads", Workspace(root), SETTINGS, workers=2, progress=False)


if __name__ == "__main__":
    main()
