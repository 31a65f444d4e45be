"""Sanity check of 00_start_here: can trivial image statistics separate the forgeries of the demo set?"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dfworkbench.datasets import read_layout
from dfworkbench.evaluation.judging.baselines import baselines
from dfworkbench.media import VideoSource, sample_indices
from dfworkbench.show.tables import ReadableTable

#: AUC from which a set counts as trivially separable.
LIMIT = 0.75
#: Side of the crop over the height of the frame; all crops of a set have the same size, so no scaling hides compression blocks.
_SHARE = 0.5


def trivial_baselines(root: Path, frames: int = 4, compression: str = "c23", progress: bool = True) -> ReadableTable:
    """AUC of trivial baselines on held-out identities of a generated set in the FaceForensics++ layout.

    Faces are cut by the true landmarks, so no face detector is needed. Held-out identities are those of validation and test.

    Args:
        root: Folder that `synthetic.make_demo` wrote.
        frames: Frames per video.
        compression: Version of the videos.
        progress: Whether to show a bar.

    Returns:
        One row per baseline: AUC, verdict.
    """
    videos = read_layout("faceforensics", root, "demo", compression=compression)
    files = tqdm(
        videos.itertuples(), total=len(videos), desc="baselines", unit="video", disable=not progress, leave=False
    )
    crops = [_face_crops(root / str(row.path), root / str(row.landmarks_path), frames) for row in files]
    found = baselines(
        crops, videos["label"], videos["split"].tolist(), videos["group"].tolist(), test_on=("val", "test")
    )
    rows = [
        {"baseline": name, "held-out video AUC": round(value, 3), "verdict": _verdict(value)}
        for name, value in found.items()
    ]
    return ReadableTable(pd.DataFrame(rows).set_index("baseline"))


def _verdict(value: float) -> str:
    return f"fine, below {LIMIT}" if value < LIMIT else f"BROKEN: {LIMIT} or more, the set is too easy"


def _face_crops(video: Path, truth: Path, count: int) -> NDArray[np.uint8]:
    source = VideoSource(video)
    with np.load(truth) as stored:
        landmarks = stored["landmarks"]
    side = int(_SHARE * source.height_px)
    crops = []
    for frame in source.iterate(sample_indices(len(landmarks), count)):
        points = landmarks[frame.index]
        corner = (points.min(axis=0) + points.max(axis=0) - side) / 2
        x0, y0 = np.clip(corner, 0, (source.width_px - side, source.height_px - side)).astype(int)
        crops.append(frame.rgb[y0 : y0 + side, x0 : x0 + side])
    return np.stack(crops)
