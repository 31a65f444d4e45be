"""Figure of self-blended images: genuine picture, fake, mask and difference of each pair."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dfworkbench.show.plots.parts import outline
from dfworkbench.show.plots.style import FAKE_COLOUR, REAL_COLOUR, SOFT, bare, checked_pictures, house_style, new_figure

_CELL = 1.5  # inches
_ROWS = (("genuine", REAL_COLOUR), ("self-blended", FAKE_COLOUR), ("mask", SOFT), ("difference x 4", SOFT))
_LOUDER = 4


@house_style
def plot_self_blended(
    genuine: ArrayLike | Sequence[ArrayLike],
    blended: ArrayLike | Sequence[ArrayLike],
    masks: Sequence[ArrayLike],
    *,
    title: str = "",
) -> Figure:
    """One column per pair: genuine picture, self-blended image with the outline of its mask, mask, difference.

    Args:
        genuine: `(N, S, S, 3)` uint8 RGB.
        blended: The self-blended images, same shape.
        masks: One mask `(S, S)` uint8 per pair, 255 where only the source is shown.
        title: Above the grid.

    Raises:
        InputError: The numbers of pictures, fakes and masks differ, or pictures are not uint8 RGB.
    """
    fake = [np.asarray(image) for image in blended]  # pyright: ignore[reportGeneralTypeIssues]
    real = checked_pictures(genuine, blended=fake, masks=masks)
    fake = checked_pictures(fake)
    columns = max(len(real), 1)
    figure = new_figure(_CELL * columns + 0.5, _CELL * len(_ROWS) + (0.6 if title else 0.2), title)
    grid = figure.subplots(len(_ROWS), columns, squeeze=False)
    for axes in grid.ravel():
        bare(axes)
    for axes, (word, colour) in zip(grid[:, 0], _ROWS, strict=True):
        axes.set_ylabel(word, color=colour, fontweight="bold")
    for column, (one, other, mask) in enumerate(zip(real, fake, masks, strict=True)):
        levels = np.asarray(mask)
        pictures = (one, other, levels, difference_picture(one, other))
        for axes, picture in zip(grid[:, column], pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0))
        if levels.any():
            outline(grid[1, column], levels > levels.max() / 2)  # also for a blend ratio of 1/4
    return figure


def difference_picture(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Difference of two pictures, four times amplified, around grey."""
    return np.clip(128 + _LOUDER * (other.astype(np.float64) - one), 0, 255).astype(np.uint8)
