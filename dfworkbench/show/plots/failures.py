"""Figures of a failure atlas: one strip of faces per cluster and for controls, and all frames of one case."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.core.names import FAKE
from dfworkbench.evaluation.judging.failure_frames import CaseFrames
from dfworkbench.evaluation.judging.failures import ALARM, FOUND, MISS, PASSED, Atlas
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    NOTHING_COLOUR,
    REAL_COLOUR,
    SOFT,
    bare,
    house_style,
    new_figure,
    say_instead,
)

_CELL = 1.02  # inches
_CASE_FOOTER = "every extracted face of this person in this file; framed: the one in the atlas"
_WORDS = {
    MISS: "fakes called real",
    ALARM: "reals called fake",
    FOUND: "control: fakes called fake",
    PASSED: "control: reals called real",
}


@house_style
def plot_failures(
    atlas: Atlas, pictures: Mapping[str, NDArray[np.uint8]] | None = None, *, shown: int = 8, title: str = ""
) -> Figure:
    """One strip per cluster of errors, worst first, and strips of randomly selected controls.

    Pictures of real files are framed in green, those of fake files in vermilion, with forgery kind and fake probability above.

    Args:
        atlas: From `evaluation.judging.failure_frames.failure_atlas`.
        pictures: row_id -> `(H, W, 3)` uint8 RGB, see `failure_frames.case_pictures`; missing ones are drawn grey.
        shown: Maximum number of pictures per strip.
        title: Above the sheet.
    """
    strips = [
        (
            f"{_WORDS[str(row.outcome)]}, cluster {row.cluster}",
            _about(row),
            atlas.cases[atlas.cases["cluster"] == row.cluster],
        )
        for row in atlas.clusters.itertuples()
    ]
    for outcome in (FOUND, PASSED):
        part = atlas.controls[atlas.controls["outcome"] == outcome]
        if len(part):
            strips.append((_WORDS[outcome], "drawn by seed, not by score", part))
    columns = max(4, min(shown, max((len(part) for *_, part in strips), default=1)))
    height = 1.42 * max(len(strips), 1) + 0.35 + (0.35 if title else 0)
    figure = new_figure(_CELL * columns + 0.3, height, title, _footer(atlas))
    if not strips:
        say_instead(bare(figure.subplots()), "no errors")
        return figure
    parts = figure.subfigures(len(strips), 1, squeeze=False)[:, 0]
    for part, (head, about, rows) in zip(parts, strips, strict=True):
        few = f"{columns} of {len(rows)}" if len(rows) > columns else str(len(rows))
        part.suptitle(f"{head}: {few}", x=0.012, ha="left", fontsize=9.5, fontweight="bold", color=INK)
        part.text(0.988, 0.985, about, ha="right", va="top", fontsize=7.5, color=SOFT)
        for axes, row in zip(
            part.subplots(1, columns), [*rows.head(columns).itertuples(), *[None] * columns], strict=False
        ):
            _face(bare(axes), row, pictures or {})
    return figure


@house_style
def plot_case(case: CaseFrames, row_id: str = "", *, columns: int = 8, title: str = "") -> Figure:
    """All frames of a case in order of time, with time in seconds and fake probability above each.

    Args:
        case: From `evaluation.judging.failure_frames.open_case`.
        row_id: The face shown in the atlas; it is framed.
        columns: Faces per row.
        title: Above the strip.
    """
    count = max(len(case.images), 1)
    rows = -(-count // columns)
    figure = new_figure(_CELL * columns + 0.3, 1.45 * rows + 0.25 + (0.35 if title else 0), title, _CASE_FOOTER)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        bare(axes)
    for axes, row, image in zip(places, case.rows.itertuples(), case.images, strict=False):
        axes.imshow(image)
        score = "no score" if np.isnan(row.fake_probability) else f"{row.fake_probability:.3f}"
        axes.set_title(
            f"{row.time_s:.2f} s\n{score}", fontsize=7, loc="center", fontweight="normal", pad=2, linespacing=1.05
        )
        if row.face_id == row_id:
            axes.spines[:].set(visible=True, color=INK, linewidth=2)
    return figure


def _face(axes: Axes, row, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
    if row is None:
        return
    colour = FAKE_COLOUR if row.label == FAKE else REAL_COLOUR
    picture = pictures.get(row.row_id)
    if picture is None:
        axes.imshow(np.full((1, 1, 3), NOTHING_COLOUR))
        axes.text(0, 0, "no\npicture", ha="center", va="center", fontsize=7, color=SOFT)
    else:
        axes.imshow(picture)
    axes.spines[:].set(visible=True, color=colour, linewidth=2)
    kind = row.forgery or ("fake" if row.label == FAKE else "real")
    axes.set_title(
        f"{kind}\n{row.fake_probability:.3f}", fontsize=7, loc="center", fontweight="normal", pad=2, linespacing=1.05
    )


def _about(row) -> str:
    apart = "" if np.isnan(row.silhouette) else f" · silhouette {row.silhouette:.2f}"
    people = f"{row.people} {'person' if row.people == 1 else 'people'}"
    return f"{row.kinds} · {people} · median {row.median:.3f}{apart}"


def _footer(atlas: Atlas) -> str:
    counts: pd.DataFrame = atlas.counts
    found = ", ".join(f"{row.cases} of {row.files} files with a {row.outcome}" for row in counts.itertuples())
    return f"one row per file, the most wrong; {found}; clusters by {atlas.grouped_by}"
