"""Figures of CADDM: faces with predicted artifact boxes and true masks, and samples of the facial-swap augmentation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from dfworkbench.show.plots.parts import DASHED, outline
from dfworkbench.show.plots.style import (
    ARTIFACT_COLOUR,
    FAKE_COLOUR,
    INK,
    SOFT,
    bare,
    checked_pictures,
    house_style,
    new_figure,
    say_instead,
)

_CELL = 1.8  # inches
_FONT = 6.5
_LABEL = (0.175, 0.085)  # width and height of a score label, as shares of the cell


@house_style
def plot_artifact_boxes(
    images: ArrayLike | Sequence[ArrayLike],
    boxes: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    masks: Sequence[ArrayLike | None] | None = None,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 6,
    labels: int = 4,
    title: str = "",
) -> Figure:
    """Face crops with predicted artifact boxes (higher scores wider and more opaque) and the true mask's outline.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        boxes: Corners `(n, 4)` per face as shares of the picture, 0..1; parts outside are clipped.
        scores: One array `(n,)` per face, 0..1.
        masks: One mask `(S, S)` per face, above 0 (or above 127, if it has such values) where forged; None if unknown.
        titles: A few words above each face.
        columns: Faces per row.
        labels: Maximum number of scores written on each face, highest first; labels do not overlap.
        title: Above the grid.

    Raises:
        InputError: The numbers of boxes, scores, masks, titles and images differ, or pictures are not uint8 RGB.
    """
    pictures = checked_pictures(images, boxes=boxes, scores=scores, masks=masks, titles=titles)
    words = "blue: predicted, stronger is a higher score" + ("" if masks is None else " · white: true forged area")
    figure, cells = _grid(len(pictures), columns, title, words)
    for i, (axes, picture) in enumerate(zip(cells, pictures, strict=False)):
        axes.imshow(picture, extent=(0, 1, 1, 0))
        mask = masks[i] if masks is not None else None
        if mask is not None:
            outline(axes, mask)
        corners = np.asarray(boxes[i], dtype=np.float64).reshape(-1, 4)
        _boxes(axes, corners, np.asarray(scores[i], dtype=np.float64), labels)
        _caption(axes, titles[i] if titles is not None else "")
    return figure


@house_style
def plot_swaps(
    images: ArrayLike | Sequence[ArrayLike],
    masks: Sequence[ArrayLike | None],
    windows: Sequence[ArrayLike | None],
    kinds: Sequence[str],
    *,
    columns: int = 6,
    title: str = "",
) -> Figure:
    """Samples of a facial-swap augmentation: swapped area outlined, true window dashed, kind above.

    Args:
        images: `(N, S, S, 3)` uint8 RGB, as the detector sees them.
        masks: One mask `(S, S)` per face, above half of its range where pixels were swapped in; None for none.
        windows: Corners `(4,)` or `(n, 4)` per face as shares of the picture; None or NaN for none.
        kinds: A word per face: "genuine", "whole face", "window 80 x 120".
        columns: Faces side by side.
        title: Above the grid.

    Raises:
        InputError: The numbers of masks, windows, kinds and images differ, or pictures are not uint8 RGB.
    """
    pictures = checked_pictures(images, masks=masks, windows=windows, kinds=kinds)
    figure, cells = _grid(len(pictures), columns, title, "white: swapped area · orange, dashed: true window")
    for i, (axes, picture) in enumerate(zip(cells, pictures, strict=False)):
        axes.imshow(picture, extent=(0, 1, 1, 0))
        mask, window = masks[i], windows[i]
        if mask is not None:
            outline(axes, mask)
        for box in np.asarray(window, dtype=np.float64).reshape(-1, 4) if window is not None else ():
            if np.isfinite(box).all():
                _draw_box(axes, _cut(box), FAKE_COLOUR, 1.6, 1.0, dashed=True)
        _caption(axes, kinds[i])
    return figure


def _grid(count: int, columns: int, title: str, words: str) -> tuple[Figure, list[Axes]]:
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    width = max(_CELL * columns + 0.2, 4.6)  # the text below needs as much
    figure = new_figure(width, (_CELL + 0.12) * rows + 0.4 + (0.35 if title else 0), title, words)
    cells = [bare(axes) for axes in figure.subplots(rows, columns, squeeze=False).ravel()]
    if not count:
        say_instead(cells[0], "no faces")
    return figure, cells


def _caption(axes: Axes, words: str) -> None:
    axes.set(xlim=(0, 1), ylim=(1, 0))
    axes.set_title(words, fontsize=8, loc="center", fontweight="normal", pad=3, color=SOFT)


def _cut(box: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(box, 0.006, 0.994)  # a line on the very edge would be half hidden


def _draw_box(axes: Axes, box: NDArray, colour, width: float, alpha: float, *, dashed: bool = False) -> None:
    frame = Rectangle(
        (box[0], box[1]), box[2] - box[0], box[3] - box[1], fill=False, edgecolor=colour, linewidth=width, alpha=alpha,
        linestyle=DASHED if dashed else "-", joinstyle="miter",
        zorder=3 if dashed else 1,  # a window equal to its mask stays visible
    )  # fmt: skip
    frame.set_path_effects([Stroke(linewidth=width + 1, foreground=INK, alpha=0.45 * alpha), Normal()])
    axes.add_patch(frame)


def _boxes(axes: Axes, boxes: NDArray[np.float64], scores: NDArray[np.float64], labels: int) -> None:
    taken: list[tuple[float, float]] = []
    for i in np.argsort(scores, kind="stable"):  # the best one on top
        strength = float(np.clip(scores[i], 0, 1))
        _draw_box(axes, _cut(boxes[i]), ARTIFACT_COLOUR, 0.7 + 1.9 * strength, 0.25 + 0.75 * strength)
    for i in np.argsort(-scores, kind="stable"):  # and the best one has the first choice of a place
        place = next((p for p in _label_places(_cut(boxes[i])) if not any(_collide(p, q) for q in taken)), None)
        if place is None:
            continue
        if len(taken) == labels:
            break
        taken.append(place)
        _label(axes, place, f"{scores[i]:.2f}", float(np.clip(scores[i], 0, 1)))


def _label_places(box: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Candidate upper-left corners for a label: at the corners of the box, outside first; never beyond the picture."""
    width, height = _LABEL
    left, right = box[0], box[2] - width
    wished = [(x, y) for y in (box[1] - height, box[1], box[3], box[3] - height) for x in (left, right)]
    inside = [(x, y) for x, y in wished if 0 <= x <= 1 - width and 0 <= y <= 1 - height]
    return inside or [(float(np.clip(left, 0, 1 - width)), float(np.clip(box[1], 0, 1 - height)))]


def _collide(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return abs(a[0] - b[0]) < _LABEL[0] + 0.01 and abs(a[1] - b[1]) < _LABEL[1] + 0.01


def _label(axes: Axes, place: tuple[float, float], text: str, strength: float) -> None:
    width, height = _LABEL
    ground = Rectangle(
        place, width, height, facecolor=ARTIFACT_COLOUR, edgecolor="none", alpha=0.7 + 0.3 * strength, zorder=4
    )
    axes.add_patch(ground)
    x, y = place[0] + width / 2, place[1] + height / 2
    axes.text(x, y, text, ha="center", va="center_baseline", fontsize=_FONT, color="white", fontweight="bold", zorder=5)
