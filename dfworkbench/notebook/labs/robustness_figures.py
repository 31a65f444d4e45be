"""Figure of lab 4: a face under perturbations of increasing strength."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.show.plots.parts import name_picture, name_row
from dfworkbench.show.plots.style import bare, house_style, new_figure

_CELL = 1.45  # inches
_HEADS = ("as it is", "level 1", "level 3", "level 5")


@house_style
def plot_steps(pictures: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Figure:
    """One column per perturbation, one row per level.

    Args:
        pictures: Perturbation -> the picture unperturbed and at levels 1, 3 and 5, `(H, W, 3)` uint8 RGB.
    """
    figure = new_figure(
        _CELL * len(pictures) + 0.5, _CELL * len(_HEADS) + 0.9, "One forged picture under perturbations"
    )
    grid = figure.subplots(len(_HEADS), len(pictures), squeeze=False)
    for column, (name, steps) in enumerate(pictures.items()):
        for row, picture in enumerate(steps):
            bare(grid[row, column]).imshow(picture)
        name_picture(grid[0, column], name)
    for row in range(len(_HEADS)):
        name_row(grid[row, 0], _HEADS, row)
    return figure
