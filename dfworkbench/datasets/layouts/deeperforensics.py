"""DeeperForensics-1.0 (Jiang et al., CVPR 2020).

manipulated_videos/{end_to_end, end_to_end_level_1, …}/000_M101.mp4     target of FaceForensics++ first, source actor second
source_videos/M101/…                                                    studio recordings of the actors
lists/splits/{train,val,test}.txt                                       names of manipulated videos
"""

from pathlib import Path, PurePosixPath
from typing import Any

from dfworkbench.core.names import FAKE
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.datasets.layouts.official import official_splits, read_lines
from dfworkbench.media import list_folder


def read_deeperforensics(root: Path, dataset: str) -> list[dict[str, Any]]:
    """Rows for the manipulated videos.

    The real class of the authors' protocol is the c23 YouTube originals of FaceForensics++, not `source_videos`: read that set
    too and combine both tables. Carriers are named `<data set>/000`, like its identities.

    Raises:
        DataNotFoundError: There are no such videos, or the official lists name none of them.
        TableError: A video is in two official lists.
    """
    top = root / "manipulated_videos"
    listing = list_folder(top)
    videos = [file for file in listing.videos if file.parent.parent == top]
    if not videos:
        raise nothing_found("deeperforensics", root, "manipulated_videos/*/*.mp4", listing)
    there = {file.stem.casefold(): file.name for file in videos}
    split_of = official_splits(root, "lists/splits/{}.txt", _names, there)
    rows = []
    for file in videos:
        target, _, actor = file.stem.partition("_")
        rows.append(
            video_row(
                dataset, root, file, FAKE, forgery=file.parent.name, carrier=f"{dataset}/{target}",
                donor=f"{dataset}/{actor}" if actor else "", split=split_of.get(file.stem.casefold(), ""),
            )
        )  # fmt: skip
    return rows


def _names(file: Path) -> list[str]:
    return [PurePosixPath(line.strip().replace("\\", "/")).stem.casefold() for line in read_lines(file) if line.strip()]


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
