"""Shared parts of figures: titles and outlines of pictures, dots with intervals, colour bars, legends."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import ArrayLike, NDArray

from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.show.plots.style import INK, LINE, SOFT, bare

#: Signed maps: blue, white, red; distinguishable for colour-blind readers.
MAP_CMAP = "RdBu_r"
DASHED, DOTTED = (0, (4, 2)), (0, (2, 3))
#: Background of text, so that no line crosses it.
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}


def name_picture(axes: Axes, words: str) -> None:
    """Put a few words above a picture or map."""
    axes.set_title(words, fontsize=8.5, loc="center", fontweight="normal", pad=4)


def name_row(axes: Axes, titles: Sequence[str] | None, row: int) -> None:
    """Put the title of a row of pictures beside its first one."""
    axes.set_ylabel(titles[row] if titles is not None else "", fontsize=8, color=SOFT)


def thin_frame(axes: Axes) -> None:
    """Draw a thin line around a map whose middle colour is white, like the page."""
    axes.spines[:].set(visible=True, color=LINE, linewidth=0.8)


def outline(axes: Axes, mask: ArrayLike) -> None:
    """Draw the edge of a mask in white, on a picture with coordinates 0 to 1.

    Args:
        axes: Axes of the picture.
        mask: `(H, W)`, above half of 1 (or of 255, if it has values above 1) inside; nothing is drawn for an empty mask.
    """
    strength = np.asarray(mask, dtype=np.float64)
    strength = np.pad(strength / 255 if strength.max(initial=0) > 1 else strength, 1)  # closes areas at the edge
    if not (strength > 0.5).any():
        return
    height, width = strength.shape[0] - 2, strength.shape[1] - 2
    x, y = (np.arange(width + 2) - 0.5) / width, (np.arange(height + 2) - 0.5) / height
    lines = axes.contour(x, y, strength, levels=[0.5], colors=["white"], linewidths=1.3)
    lines.set_path_effects([Stroke(linewidth=2.4, foreground=INK, alpha=0.6), Normal()])
    axes.set(xlim=(0, 1), ylim=(1, 0))  # drawing it has widened the axes


def reach(values: NDArray[np.float64], brightest: float) -> float:
    """The absolute value that gets the full colour: a quantile of the absolute values, or the largest one if that is 0."""
    sizes = np.abs(values)
    return float(np.quantile(sizes, brightest)) or float(sizes.max(initial=0)) or 1.0


def colour_bar(figure: Figure, axes: Axes, ends: tuple[float, float], cmap: str, label: str = "") -> None:
    """A flat colour bar in `axes`, with ticks at both ends and at 0; arrows indicate that larger values look the same."""
    low, high = ends
    mappable, ticks = ScalarMappable(Normalize(low, high), cmap), sorted({low, 0.0, high})
    extend = "both" if low < 0 else "max"
    bar: Any = figure.colorbar(mappable, cax=axes, orientation="horizontal", extend=extend, ticks=ticks)
    bar.ax.set_xticklabels([f"{tick:.2g}".replace("-", "\u2212") for tick in ticks])
    if label:
        bar.set_label(label, fontsize=7.5, color=SOFT, labelpad=1)
    plain_bar(bar)


def map_bar(figure: Figure, axes: Axes, limit: float, label: str, place: tuple[float, float, float, float]) -> None:
    """The colour bar of signed maps, at x, y, width and height as shares of the axes."""
    colour_bar(figure, bare(axes).inset_axes(place), (-limit, limit), MAP_CMAP, label)


def plain_bar(bar: Any) -> None:
    """A colour bar without outline and grid, with small ticks."""
    bar.outline.set_visible(False)
    bar.ax.grid(False)
    bar.ax.tick_params(labelsize=7.5, length=2)


def interval_dot(axes: Axes, item: Measure, y: float, colour: str) -> None:
    """Draw a measure as a dot at height `y`, on the line of its interval if it has one."""
    if not np.isnan(item.low):
        axes.plot([item.low, item.high], [y, y], color=colour, linewidth=2.2, alpha=0.55, solid_capstyle="butt")
    axes.plot([item.value], [y], "o", color=colour, markersize=6.5, markeredgecolor="white", markeredgewidth=0.7)


def band(axes: Axes, x: ArrayLike, ends: tuple[ArrayLike, ArrayLike], colour: Any, alpha: float = 0.16) -> None:
    """Draw the interval around a curve."""
    axes.fill_between(x, *ends, color=colour, alpha=alpha, linewidth=0)


def dot_handles(colours: Mapping[str, str]) -> list[Line2D]:
    """Legend entries: a dot for each name."""
    look: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 6.5}
    return [Line2D([], [], color=colour, label=name, **look) for name, colour in colours.items()]


def legend_above(axes: Axes, handles: Sequence[Line2D], columns: int, **options: Any) -> None:
    """Draw a legend between title and chart."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.3, "borderpad": 0}
    axes.legend(handles=list(handles), ncols=columns, **place, **options)
