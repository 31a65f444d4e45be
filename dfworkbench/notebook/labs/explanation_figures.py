"""Figures of lab 5: cell attributions with outlines of forged areas, and maps of two detectors side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dfworkbench.show.plots.parts import MAP_CMAP, name_picture, outline, reach, thin_frame
from dfworkbench.show.plots.style import ARTIFACT_COLOUR, INK, SOFT, bare, house_style, new_figure

Picture = NDArray[np.uint8]
_COLUMNS, _CELL = 6, 1.42  # inches


@house_style
def plot_attributions(
    pictures: Sequence[Picture], maps: Sequence[NDArray[np.float64]], masks: Sequence[NDArray[np.bool_]], detector: str
) -> Figure:
    """Each picture above its attribution map, with the forged area outlined in white and the highest cell framed."""
    rows = -(-len(pictures) // _COLUMNS)
    figure = new_figure(
        _CELL * _COLUMNS + 0.2, 2 * _CELL * rows + 0.95, f"Detector {detector}",
        "red cells: evidence for fake, blue: for genuine; white outline: what is forged; frame: the highest cell",
    )  # fmt: skip
    grid = figure.subplots(2 * rows, _COLUMNS, squeeze=False)
    for place, (picture, values, mask) in enumerate(zip(pictures, maps, masks, strict=True)):
        row, column = divmod(place, _COLUMNS)
        above, below = bare(grid[2 * row, column]), bare(grid[2 * row + 1, column])
        above.imshow(picture, extent=(0, 1, 1, 0))
        below.imshow(values, cmap=MAP_CMAP, vmin=-reach(values, 0.97), vmax=reach(values, 0.97), extent=(0, 1, 1, 0))
        thin_frame(below)
        for axes in (above, below):
            outline(axes, mask)
            _frame_highest(axes, values)
    return figure


@house_style
def plot_candidates(
    pictures: Mapping[int, Picture], rows: Mapping[tuple[str, int], Mapping[str, NDArray[np.float64]]]
) -> Figure:
    """Maps labelled with letters: one row per detector and picture.

    Args:
        pictures: Number -> picture.
        rows: (detector, number of the picture) -> letter -> map.
    """
    letters = list(next(iter(rows.values())))
    figure = new_figure(
        _CELL * (len(letters) + 1) + 1.2, _CELL * len(rows) + 0.9, "Four maps, two pictures, two detectors",
        "trained: as before; shuffled labels: trained on the same pictures, told at random which are fake",
    )  # fmt: skip
    grid = figure.subplots(len(rows), len(letters) + 1, squeeze=False)
    for row, ((detector, number), maps) in enumerate(rows.items()):
        axes = grid[row]
        bare(axes[0]).imshow(pictures[number])
        axes[0].set_ylabel(detector, color=INK if detector == "trained" else SOFT, fontsize=9)
        for place, (letter, values) in zip(axes[1:], maps.items(), strict=True):
            limit = reach(values, 0.97)
            bare(place).imshow(values, cmap=MAP_CMAP, vmin=-limit, vmax=limit)
            thin_frame(place)
            if not row:
                name_picture(place, f"map {letter}")
    return figure


def _frame_highest(axes, values: NDArray[np.float64]) -> None:
    row, column = np.unravel_index(values.argmax(), values.shape)
    height, width = 1 / values.shape[0], 1 / values.shape[1]
    axes.add_patch(
        Rectangle((column * width, row * height), width, height, fill=False, edgecolor=ARTIFACT_COLOUR, linewidth=2.2)
    )
