"""DeeperForensics-1.0 (Jiang et al., CVPR 2020).

manipulated_videos/{end_to_end, end_to_end_level_1, …}/000_M101.mp4     target of FaceForensics++ first, source actor second
source_videos/M101/…                                                    studio recordings of the actors
lists/splits/{train,val,test}.txt                                       names of manipulated videos
"""

from pathlib import Path
from typing import Any

from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.media.kinds import VIDEO_SUFFIXES
from dfworkbench.names import FAKE, SPLITS


def read_deeperforensics(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for the manipulated videos.

    The real class of the authors' protocol is the c23 YouTube originals of FaceForensics++, not `source_videos`: read
    that set as well and use both tables together. Carriers are named `<data set>/000`, like its identities.
    """
    split_of = _official_splits(root)
    rows = []
    for folder in sorted((root / "manipulated_videos").glob("*/")):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() not in VIDEO_SUFFIXES:
                continue
            target, _, actor = file.stem.partition("_")
            rows.append(
                video_row(
                    dataset, root, file, FAKE, method=folder.name, carrier=f"{dataset}/{target}",
                    donor=f"{dataset}/{actor}" if actor else "", split=split_of.get(file.name, ""),
                )
            )  # fmt: skip
    if not rows:
        raise nothing_found("deeperforensics", root, "manipulated_videos/*/*.mp4")
    return rows


def _official_splits(root: Path) -> dict[str, str]:
    files = {split: root / "lists" / "splits" / f"{split}.txt" for split in SPLITS}
    return {
        Path(line.strip()).name: split
        for split, file in files.items()
        if file.is_file()
        for line in file.read_text("utf-8", "replace").splitlines()
        if line.strip()
    }


DEEPERFORENSICS = Layout(
    name="deeperforensics",
    read=read_deeperforensics,
    card=DataCard(
        title="DeeperForensics-1.0",
        what="1,000 swaps of 100 actors onto FaceForensics++ targets, in 11 variants of distortion.",
        home="https://github.com/EndlessSora/DeeperForensics-1.0",
        licence="Terms of use by request form; research only.",
        traps=(
            "Its real class is the FaceForensics++ c23 originals; the studio recordings are not.",
            "A split must respect both the actor and the target: official names do, a random one by file does not.",
        ),
    ),
)
