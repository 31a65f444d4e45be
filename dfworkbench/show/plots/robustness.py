"""Figure of robustness: AUC under perturbations of rising strength."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfworkbench.show.plots.style import (
    SERIES,
    SOFT,
    bare,
    drawn_units,
    house_style,
    new_figure,
    require_columns,
    say_instead,
)

_DASHES = (0, (2, 3))


@house_style
def plot_robustness(curves: pd.DataFrame, columns: int = 4, title: str = "") -> Figure:
    """One small chart per perturbation: AUC from unperturbed to the strongest level, a line with its band per detector.

    Args:
        curves: `evaluation.judging.robustness.Robustness.curves`, of one detector, or concatenated for several.
        columns: Charts per row.
        title: Above the figure.

    Raises:
        InputError: A column is missing.
    """
    needed = ("detector", "perturbation", "unit", "level", "strength", "value", "low", "high", "drawn")
    require_columns(curves, needed, "robustness")
    detectors, names = list(curves["detector"].unique()), list(curves["perturbation"].unique())
    columns = max(1, min(columns, len(names)))
    rows = max(1, -(-len(names) // columns))
    share = 100 * curves["confidence"].max() if "confidence" in curves and len(curves) else 95
    words = (
        f"video level · band: {share:g} % interval over {drawn_units(list(curves['drawn']))} · dotted: knows nothing"
    )
    width = max(5.4, 2.25 * columns + 0.5)
    abreast = max(1, int((width - 0.8) / (0.085 * max(map(len, detectors), default=1) + 0.55)))  # names in the legend
    above = 0.24 * -(-len(detectors) // abreast) if len(detectors) > 1 else 0.0  # inches of the legend
    figure = new_figure(width, 2.15 * rows + 0.8 + above + (0.3 if title else 0), title, words)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[max(above, 0.01) / 1.5] + [1.0] * rows)
    places = [figure.add_subplot(grid[1 + i // columns, i % columns]) for i in range(max(1, len(names)))]
    if not names:
        say_instead(places[0], "nothing was scored")
        return figure
    colours = {name: SERIES[i % len(SERIES)] for i, name in enumerate(detectors)}
    ends = curves[["value", "low"]].to_numpy(dtype=np.float64)
    lowest = float(np.nanmin(ends)) if np.isfinite(ends).any() else 0.5
    for axes, name in zip(places, names, strict=True):
        mine = curves[curves["perturbation"] == name]
        for detector, part in mine.groupby("detector", sort=False):
            axes.fill_between(
                part["level"], part["low"], part["high"], color=colours[str(detector)], alpha=0.16, linewidth=0
            )
            axes.plot(part["level"], part["value"], "o-", color=colours[str(detector)], markersize=3.5, linewidth=1.5)
        axes.axhline(0.5, color=SOFT, linewidth=1, linestyle=_DASHES, zorder=0.6)
        _strength_ticks(axes, mine)
        axes.set_title(name.replace(">", " > "), fontsize=9.5, pad=4)
        axes.set_ylim(min(0.44, lowest - 0.03), 1.02)
    for number, axes in enumerate(places):
        axes.tick_params(labelleft=number % columns == 0)
        axes.set_ylabel("AUC" if number % columns == 0 else "")
    if above:
        handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
        place = bare(figure.add_subplot(grid[0, :]))
        place.legend(handles=handles, handlelength=1.4, loc="center left", ncols=abreast, borderpad=0)
    return figure


def _strength_ticks(axes: Axes, rows: pd.DataFrame) -> None:
    """Levels are evenly spaced; tick labels are the strengths, or the levels if links have several strengths."""
    levels = rows.drop_duplicates("level")
    chain = levels["strength"].str.contains(",").any() or (levels["unit"] == "level").all()
    texts = [
        "clean" if not level else str(level) if chain else f"{float(strength):g}".removeprefix("0")
        for level, strength in zip(levels["level"], levels["strength"], strict=True)
    ]
    axes.set_xticks(levels["level"], texts)
    axes.tick_params(axis="x", labelsize=7.5, length=2)
    axes.grid(False, axis="x")
    axes.set_xlabel(str(levels["unit"].iloc[0]), fontsize=8, color=SOFT)
