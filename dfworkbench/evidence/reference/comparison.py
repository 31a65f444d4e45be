"""Compare evidence faces with the reference set: applicability and nearest reference faces."""

import io
from collections.abc import Mapping
from typing import NamedTuple

from PIL import Image

from dfworkbench.core.errors import MediaError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED
from dfworkbench.evidence.case import Nearest
from dfworkbench.evidence.numbers.applicability import Applicable, fit_applicability
from dfworkbench.evidence.reference.scored import ScoredReference
from dfworkbench.evidence.reference.tracks import CATEGORIES, NUMBERS, VECTORS, Tracks
from dfworkbench.media import read_image

FEATURES = "detector features"
_SIDE_PX = 96


class Compared(NamedTuple):
    """Comparison of a face with the reference set.

    Attributes:
        fits: Facts for R7 and S6, quantity by quantity.
        nearest: Nearest reference faces by the detector's features.
    """

    fits: Applicable
    nearest: tuple[Nearest, ...]


def compare_tracks(
    scored: ScoredReference, tracks: Mapping[str, Tracks | None], *, faces: bool = False
) -> dict[str, list[Compared]]:
    """Compare every track of every file; files without tracks are left out.

    Args:
        scored: The reference set.
        tracks: Tracks of each file.
        faces: Whether to show faces of real people too.
    """
    there = {key: of for key, of in tracks.items() if of is not None}
    if not there:
        return {}
    fitted = fit_applicability(scored.tracks.table, NUMBERS, VECTORS, CATEGORIES)
    shown = faces or scored.data.domain == GENERATED
    return {
        key: [
            Compared(fitted.compare(row), _nearest(scored, fitted.nearest(row[FEATURES]), shown))
            for _, row in of.table.iterrows()
        ]
        for key, of in there.items()
    }


def _nearest(scored: ScoredReference, rows: list[tuple[int, float]], shown: bool) -> tuple[Nearest, ...]:
    found = []
    for row, distance in rows:
        of = scored.tracks.table.iloc[row]
        video, track = str(of["video_id"]), int(of["track"])
        picture = _thumbnail(scored.data, video, track) if shown else None
        found.append(Nearest(video, str(of["group"]), int(of["label"]), distance, picture))
    return tuple(found)


def _thumbnail(data: DataSet, video_id: str, track: int) -> bytes | None:
    """PNG of the middle face of a reference track; None if its crop is unreadable."""
    own = data.faces[(data.faces["video_id"] == video_id) & (data.faces["track"] == track)].sort_values("frame")
    if own.empty:
        return None
    try:
        tile = read_image(data.crops_root / str(own["crop_path"].iloc[len(own) // 2]))
    except MediaError:
        return None
    buffer = io.BytesIO()
    Image.fromarray(tile).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BILINEAR).save(buffer, format="png")
    return buffer.getvalue()
