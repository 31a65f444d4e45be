"""Grids of face crops, and forgeries with their ground-truth masks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.show.plots.style import FAKE_COLOUR, NOTHING_COLOUR, REAL_COLOUR, SOFT, bare, house_style, new_figure

_WORDS = {REAL: "real", FAKE: "fake"}
_COLOURS = {REAL: REAL_COLOUR, FAKE: FAKE_COLOUR}


@house_style
def plot_faces(
    images: ArrayLike | Sequence[ArrayLike],
    labels: Sequence[int] | None = None,
    titles: Sequence[str] | None = None,
    *,
    columns: int = 8,
    title: str = "",
) -> Figure:
    """A grid of faces, framed in the colour of their label.

    Args:
        images: `(n, H, W, 3)` or `(n, 3, H, W)`, uint8 RGB; arrays or tensors. Clips, with a T after the n, are shown as strips.
        labels: 0 real, 1 fake, -1 unknown.
        titles: A few words above each face; by default the label in words.
        columns: Faces per row, including those of a strip.
        title: Above the grid.
    """
    pictures = [_picture(image) for image in images]  # pyright: ignore[reportGeneralTypeIssues]
    n = len(pictures)
    strip = max(1, round(pictures[0].shape[1] / pictures[0].shape[0])) if n else 1  # faces in one picture
    cell = 1.25 if strip == 1 else 0.7  # inches; a strip shows motion, which needs less detail
    columns = max(1, min(int(columns * 1.25 / (cell * strip)), n))
    rows = max(1, -(-n // columns))
    figure = new_figure(cell * strip * columns + 0.2, (cell + 0.2) * rows + (0.45 if title else 0.1), title)
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        bare(axes)
        if i >= n:
            continue
        label = int(labels[i]) if labels is not None else -1
        axes.imshow(pictures[i])
        _frame(axes, _COLOURS.get(label, NOTHING_COLOUR))
        words = titles[i] if titles is not None else _WORDS.get(label, "")
        axes.set_title(words, fontsize=8, loc="center", fontweight="normal", pad=3, color=_COLOURS.get(label, SOFT))
    return figure


@house_style
def plot_forgeries(
    frames: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray]], title: str = ""
) -> Figure:
    """A contact sheet: one column per forgery kind with the carrier, the forgery, and the forgery with its mask.

    Args:
        frames: Kind -> (real, fake, mask): `(H, W, 3)` uint8 RGB twice, and `(H, W)` with the forged pixels above 0.
        title: Above the sheet.
    """
    kinds = list(frames)
    height, width = frames[kinds[0]][0].shape[:2] if kinds else (1, 1)
    cell = 1.75
    figure = new_figure(cell * max(len(kinds), 1) + 0.6, cell * 3 * height / width + (0.75 if title else 0.4), title)
    grid = figure.subplots(3, max(len(kinds), 1), squeeze=False)
    for axes in grid.ravel():
        bare(axes)
    for row, (word, colour) in enumerate((("real", REAL_COLOUR), ("fake", FAKE_COLOUR), ("forged area", SOFT))):
        grid[row, 0].set_ylabel(word, color=colour, fontweight="bold")
    for column, kind in enumerate(kinds):
        real, fake, mask = frames[kind]
        for row, picture in enumerate((real, fake, fake)):
            grid[row, column].imshow(picture)
        grid[0, column].set_title(kind, loc="center", fontsize=10)
        _overlay(grid[2, column], mask)
    return figure


def _overlay(axes, mask: NDArray) -> None:
    strength = np.asarray(mask, dtype=np.float64)
    strength = strength / 255 if strength.max(initial=0) > 1 else strength
    tint = np.empty((*strength.shape, 4))
    tint[..., :3] = FAKE_COLOUR
    tint[..., 3] = 0.35 * strength
    axes.imshow(tint)
    if 0 < (strength > 0.5).mean() < 1:
        axes.contour(strength, levels=[0.5], colors=["white"], linewidths=1.2)


def _picture(image: ArrayLike) -> NDArray[np.uint8]:
    array = np.asarray(image)
    if array.ndim == 4:
        return np.concatenate([_picture(frame) for frame in array], axis=1)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise InputError(
            f"plotting faces: got {array.dtype} {array.shape}, expected uint8 RGB (H, W, 3) or (3, H, W), or clips of them. "
            "Plot crops as the data set gives them, before models.inputs.prepare."
        )
    return array


def _frame(axes, colour) -> None:
    axes.spines[:].set(visible=True, color=colour, linewidth=2.2)
