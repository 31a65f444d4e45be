"""Figure of an extraction: file status, people per file, and face sizes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfworkbench.core.names import STATUS_OK, STATUSES
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    REAL_COLOUR,
    SOFT,
    TRAIN_COLOUR,
    house_style,
    new_figure,
    say_instead,
)


@house_style
def plot_extraction(videos: pd.DataFrame, faces: pd.DataFrame, title: str = "") -> Figure:
    """Status of the files, how many people they show, and how large the faces are.

    Args:
        videos: Video table after extraction.
        faces: Face table.
        title: Above the charts.
    """
    figure = new_figure(11.0, 3.2 if title else 3.0, title)
    left, middle, right = figure.subplots(1, 3)
    _statuses(left, videos)
    _tracks(middle, videos)
    _sizes(right, faces)
    return figure


def _statuses(axes: Axes, videos: pd.DataFrame) -> None:
    axes.set_title("Files")
    counts = videos["status"].replace("", "not yet read").value_counts()
    names = [name for name in (*STATUSES, "not yet read") if name in counts.index][::-1]
    if not names:
        say_instead(axes, "no files")
        return
    values = [int(counts[name]) for name in names]
    colours = [REAL_COLOUR if name == STATUS_OK else SOFT if name == "not yet read" else FAKE_COLOUR for name in names]
    bars = axes.barh([name.replace("_", " ") for name in names], values, height=0.55, color=colours)
    axes.bar_label(bars, padding=4, color=INK)
    axes.set(xlim=(0, max(values) * 1.15), ylim=(-0.6, max(len(names), 3) - 0.4))
    axes.grid(False)
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _tracks(axes: Axes, videos: pd.DataFrame) -> None:
    axes.set_title("People per file")
    tracks = videos.loc[videos["status"] == STATUS_OK, "tracks"]
    if tracks.empty:
        say_instead(axes, "no faces yet")
        return
    counts = tracks.value_counts().reindex(range(1, max(int(tracks.max()), 3) + 1), fill_value=0)
    bars = axes.bar(counts.index, counts, width=0.6, color=TRAIN_COLOUR)
    axes.bar_label(bars, labels=[str(v) if v else "" for v in counts], padding=2, color=INK)
    axes.set(xlabel="tracks", yticks=[], ylim=(0, counts.max() * 1.15))
    axes.set_xticks(counts.index if len(counts) <= 12 else counts.index[:: len(counts) // 8])
    axes.grid(False)
    axes.spines["left"].set_visible(False)


def _sizes(axes: Axes, faces: pd.DataFrame) -> None:
    axes.set_title("Face size")
    if faces.empty:
        say_instead(axes, "no faces yet")
        return
    size = np.maximum(faces["box_x1"] - faces["box_x0"], faces["box_y1"] - faces["box_y0"])
    top = float(np.quantile(size, 0.995)) * 1.05
    axes.hist(np.minimum(size, top), bins=30, range=(0, top), color=TRAIN_COLOUR, linewidth=0)
    middle = float(np.median(size))
    axes.axvline(middle, color=INK, linewidth=1, linestyle=(0, (2, 3)))
    axes.text(middle, 1.0, f" median {middle:.0f} px", transform=axes.get_xaxis_transform(), fontsize=8.5, va="top")
    axes.set(xlabel="longer side of the box in px", ylabel="faces")
    axes.grid(False)
