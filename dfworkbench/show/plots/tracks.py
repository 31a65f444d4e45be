"""Fake probability of each person in a file over time."""

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.core.palette import score_rgb
from dfworkbench.core.timeline import spans, stretches
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore, probability_text
from dfworkbench.show.plots.style import (
    FAKE_COLOUR,
    INK,
    LINE,
    NOTE_GROUND,
    NOTE_INK,
    REAL_COLOUR,
    SCORE_CMAP,
    SOFT,
    bare,
    house_style,
    new_figure,
    say_instead,
)

_CELL = 96  # size at which thumbnails are drawn
_GAP = 10
_BORDER = 5
_COLUMNS = 6
#: Characters of the note and of the footer per inch of the figure's width, and inches per line of the note.
_LETTERS, _LINE = 14, 0.21


@house_style
def plot_tracks(file: FileScore, *, max_tracks: int = 12, title: str = "") -> Figure:
    """One row per person: thumbnails, and the fake probability over time, red above and green below 0.5.

    Args:
        file: A scored file, from `score`.
        max_tracks: With more tracks, those with the highest fake probability are shown.
        title: Replaces name and verdict.
    """
    tracks = _chosen(file, max_tracks)
    video = file.kind == "video"
    row_height, width = (1.12, 11.0) if video else (0.95, 9.2)
    note = fill(file.note, int(_LETTERS * width))
    note_height = 0.13 + _LINE * len(note.splitlines()) if note else 0.02
    height = (1.1 if video else 1.5) + note_height + row_height * max(len(tracks), 1)
    figure = new_figure(width, height)
    heights = [note_height, *[row_height] * max(len(tracks), 1)]
    widths = (0.85, 4.7, 4.3) if video else (0.85, 0.8, 4.5)
    grid = figure.add_gridspec(len(heights), 3, width_ratios=widths, height_ratios=heights)
    figure.suptitle(title or _headline(file), x=0.012, ha="left", fontsize=12.5, fontweight="bold")
    _note(bare(figure.add_subplot(grid[0, :])), note)
    if not tracks:
        say_instead(bare(figure.add_subplot(grid[1, :])), f"no face was scored ({file.status}). {file.reason[:160]}")
        return figure
    charts: list[Axes] = []
    for row, track in enumerate(tracks, start=1):
        _name(bare(figure.add_subplot(grid[row, 0])), track)
        _thumbnails(bare(figure.add_subplot(grid[row, 1])), track, cells=_COLUMNS if video else 1)
        charts.append(figure.add_subplot(grid[row, 2], sharex=charts[0] if charts else None))
        (_timeline if video else _level)(charts[-1], track, file)
    for chart in charts[:-1]:
        chart.tick_params(labelbottom=False)
    charts[-1].set_xlabel("time in s" if video else "fake probability")
    hidden = len(file.tracks) - len(tracks)
    foot = (
        f"{file.describe()}{f' (the {hidden} with the lowest scores are not shown)' if hidden else ''}. "
        f"The file's score is the {RULES[file.rule]}.{f' {str(file.authors).capitalize()}.' if file.authors else ''}"
    )
    figure.supxlabel(fill(foot, int(_LETTERS * width)), x=0.012, ha="left", fontsize=8.5, color=SOFT)
    return figure


def _chosen(file: FileScore, limit: int) -> list[TrackScore]:
    if len(file.tracks) <= limit:
        return list(file.tracks)
    ranked = sorted(file.tracks, key=lambda t: np.nan_to_num(t.fake_probability, nan=-1.0), reverse=True)[:limit]
    return sorted(ranked, key=lambda t: t.track)


def _headline(file: FileScore) -> str:
    if not file.ok:
        return f"{file.title}: no score"
    return f"{file.title}: {probability_text(file.fake_probability)}"


def _note(axes: Axes, note: str) -> None:
    if note:
        axes.set_facecolor(NOTE_GROUND)
        text = axes.text(0.006, 0.5, note, va="center", fontsize=9, color=NOTE_INK, transform=axes.transAxes)
        text.set_in_layout(False)  # long words must not squeeze the charts


def _name(axes: Axes, track: TrackScore) -> None:
    p = track.fake_probability
    axes.text(0, 0.80, f"track {track.track}", fontweight="bold", va="center", transform=axes.transAxes)
    text = "none" if np.isnan(p) else f"{p:.2f}"
    colour = tuple(np.asarray(score_rgb(p)) / 255 * (0.8 if 0.25 < p < 0.75 else 1))  # yellow is too pale for text
    axes.text(0, 0.48, text, fontsize=19, fontweight="bold", color=colour, va="center", transform=axes.transAxes)
    words = f"{track.count}\n{fill(track.remark, 22)}" if track.doubt else track.count
    axes.text(0, 0.15, words, fontsize=8.5, color=SOFT, va="center", transform=axes.transAxes)


def _thumbnails(axes: Axes, track: TrackScore, *, cells: int) -> None:
    width, height = cells * _CELL + (cells - 1) * _GAP, _CELL + (18 if cells > 1 else 0)
    axes.set(aspect="equal", anchor="W")
    shown = list(range(len(track.shown)))
    if len(shown) > cells:
        shown = [int(i) for i in np.linspace(0, len(shown) - 1, cells).round()]
    pictures = track.pictures()
    for column, i in enumerate(shown):
        x = column * (_CELL + _GAP)
        face = track.shown[i]
        framed = _framed(pictures[i], score_rgb(track.probabilities[face]))
        axes.imshow(framed, extent=(x, x + _CELL, _CELL, 0), interpolation="antialiased")
        if cells > 1:
            axes.text(
                x + _CELL / 2, _CELL + 4, f"{track.times[face]:.1f} s", ha="center", va="top", fontsize=7.5, color=SOFT
            )
    axes.set(xlim=(0, width), ylim=(height, 0))


def _framed(picture: NDArray[np.uint8], rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    border = max(2, round(picture.shape[0] * _BORDER / _CELL))
    out = np.empty((picture.shape[0] + 2 * border, picture.shape[1] + 2 * border, 3), np.uint8)
    out[:] = rgb
    out[border:-border, border:-border] = picture
    return out


def _timeline(axes: Axes, track: TrackScore, file: FileScore) -> None:
    t, p = track.times, track.probabilities
    _ground(axes)
    axes.set(xlim=(0, max(file.duration_s, 1e-3)), ylim=(-0.24, 1.04))
    # a strip at the bottom shows where the person is visible; the curve above, how certain the detector is
    for (start, end), value in zip(spans(t), p, strict=True):
        axes.axvspan(start, end, ymin=0.02, ymax=0.13, color=score_rgb(value) / 255, linewidth=0)
    for piece in stretches(t):
        x, y = t[piece], p[piece]
        axes.fill_between(x, y, 0.5, where=y >= 0.5, interpolate=True, color=FAKE_COLOUR, alpha=0.30, linewidth=0)
        axes.fill_between(x, y, 0.5, where=y <= 0.5, interpolate=True, color=REAL_COLOUR, alpha=0.30, linewidth=0)
        axes.plot(x, y, color=INK, linewidth=1.1)
    axes.scatter(t, p, c=p, cmap=SCORE_CMAP, vmin=0, vmax=1, s=20, edgecolors="white", linewidths=0.5, zorder=3)


def _ground(axes: Axes) -> None:
    axes.axhline(0.5, color=SOFT, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set_yticks([0, 0.5, 1], ["real", "", "fake"])
    axes.grid(False)
    axes.grid(True, axis="x", color=LINE)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _level(axes: Axes, track: TrackScore, file: FileScore) -> None:
    p = track.fake_probability
    axes.barh([0], [1], height=0.3, color=LINE)
    if not np.isnan(p):
        axes.barh([0], [p], height=0.3, color=score_rgb(p) / 255)
    axes.axvline(0.5, color=SOFT, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set(xlim=(0, 1), ylim=(-0.6, 0.6), yticks=[])
    axes.set_xticks([0, 0.5, 1], ["0\nreal", "0.5", "1\nfake"])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
