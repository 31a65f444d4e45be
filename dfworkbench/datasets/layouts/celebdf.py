"""Celeb-DF v1 and v2 (Li et al., CVPR 2020).

Celeb-real/id0_0000.mp4, YouTube-real/00000.mp4, Celeb-synthesis/id0_id1_0000.mp4 (carrier first, donor second),
List_of_testing_videos.txt with lines "1 YouTube-real/00170.mp4". Some redistributions insert a level `videos/`.
"""

from pathlib import Path
from typing import Any

from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.media.kinds import VIDEO_SUFFIXES
from dfworkbench.names import FAKE, REAL

_FOLDERS = {"Celeb-real": REAL, "YouTube-real": REAL, "Celeb-synthesis": FAKE}
_TEST_LIST = "List_of_testing_videos.txt"


def read_celebdf(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for the three folders. Videos of the official list are `test`; the others have no split.

    The label comes from the folder. The flag of the official list is never used: there 1 means *real*.
    """
    test_names = _official_test_list(root)
    originals = {file.stem: file.relative_to(root).as_posix() for file in (root / "Celeb-real").rglob("*.*")}
    rows = []
    for folder, label in _FOLDERS.items():
        for file in sorted((root / folder).rglob("*")):
            if file.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            carrier, donor = _identities(dataset, folder, file.stem)
            rows.append(
                video_row(
                    dataset, root, file, label,
                    method=folder if label == FAKE else "", carrier=carrier, donor=donor,
                    genuine_id=f"{dataset}/{_genuine(file.stem, originals)}" if label == FAKE else "",
                    split="test" if (folder, file.name) in test_names else "",
                )
            )  # fmt: skip
    if not rows:
        raise nothing_found("celebdf", root, "Celeb-real/, YouTube-real/ and Celeb-synthesis/ with .mp4 files")
    return rows


def _genuine(stem: str, originals: dict[str, str]) -> str:
    """Of a fake id0_id1_0000, the path of id0_0000; where it was not downloaded, the place where it would lie."""
    parts = stem.split("_")
    name = f"{parts[0]}_{parts[-1]}"
    return originals.get(name, f"Celeb-real/{name}.mp4")


def _identities(dataset: str, folder: str, stem: str) -> tuple[str, str]:
    parts = stem.split("_")
    if folder == "YouTube-real":  # one unnamed person a clip
        return f"{dataset}/youtube{stem}", ""
    donor = f"{dataset}/{parts[1]}" if folder == "Celeb-synthesis" and len(parts) > 2 else ""
    return f"{dataset}/{parts[0]}", donor


def _official_test_list(root: Path) -> set[tuple[str, str]]:
    file = root / _TEST_LIST
    if not file.is_file():
        return set()
    paths = (
        Path(line.split(maxsplit=1)[1].strip())
        for line in file.read_text("utf-8", "replace").splitlines()
        if len(line.split()) > 1
    )
    return {(path.parts[0], path.name) for path in paths if path.parts}


CELEBDF = Layout(
    name="celebdf",
    read=read_celebdf,
    card=DataCard(
        title="Celeb-DF v1 and v2",
        what="v2: 590 + 300 real clips in two folders, 5,639 improved face swaps of 59 celebrities; 518 test videos.",
        home="https://github.com/yuezunli/celeb-deepfakeforensics",
        licence="Terms of use by request form; research only.",
        traps=(
            "Two real folders: with only one of them the classes are not what papers report.",
            "In the official test list 1 means real. Labels here come from the folders.",
            "Nearly all identities are linked through swaps; the official list is meant for testing across sets.",
        ),
    ),
)
