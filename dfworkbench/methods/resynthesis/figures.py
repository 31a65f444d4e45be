"""Figures of re-synthesis: pictures with error maps, error spectra, mean errors of real and generated pictures.

After the idea of He et al., "Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis", IJCAI 2021 (arXiv:2105.14376).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from dfworkbench.core.errors import InputError
from dfworkbench.methods.resynthesis.reconstruction import ALL_GENERATED
from dfworkbench.show.plots.parts import DOTTED, band, colour_bar, legend_above, name_picture, name_row
from dfworkbench.show.plots.style import (
    INK,
    REAL_COLOUR,
    SERIES,
    SOFT,
    bare,
    checked_pictures,
    house_style,
    new_figure,
    require_columns,
    say_instead,
)

_CELL = 1.5  # inches
_WIDEST = 10.0  # inches of all cells in a row
_MAP_CMAP = "magma"  # perceptually uniform lightness: lighter is more error for every reader
_BRIGHTEST = 0.995  # quantile of a column's errors that gets the lightest colour
_GREEN = "#009E73"  # means real


@house_style
def plot_reconstructions(
    images: ArrayLike | Sequence[ArrayLike],
    resynthesised: ArrayLike | Sequence[ArrayLike],
    errors: Mapping[str, ArrayLike],
    titles: Sequence[str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """One row per picture: original, re-synthesis, and error maps; one colour scale per column of maps.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        resynthesised: The re-syntheses, same shape and type.
        errors: Column heading -> `(N, h, w)`, from `reconstruction.reconstruction_errors`.
        titles: A few words beside each picture, such as real or the name of the generator.
        title: Above the figure.

    Raises:
        InputError: Pictures are not uint8 RGB, or the numbers of entries differ.
    """
    pictures = checked_pictures(images, titles=titles)
    made = checked_pictures(resynthesised, originals=pictures)
    maps = {name: np.asarray(values, dtype=np.float64) for name, values in errors.items()}
    for name, values in maps.items():
        if values.ndim != 3 or len(values) != len(pictures):
            raise InputError(
                f"plotting re-syntheses: there are {len(pictures)} images and errors {name!r} of shape {values.shape}; expected "
                f"({len(pictures)}, h, w). Give the error maps of the same images, channels averaged."
            )
    rows, columns = max(1, len(pictures)), 2 + len(maps)
    cell = min(_CELL, _WIDEST / columns)
    figure = new_figure(columns * cell + 0.6, rows * cell + 0.85 + (0.3 if title else 0), title)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[1.0] * rows + [0.09])
    if not pictures:
        say_instead(bare(figure.add_subplot(grid[0, :])), "no images")
        return figure
    limits = {name: float(np.quantile(values, _BRIGHTEST)) or 1.0 for name, values in maps.items()}
    for row in range(rows):
        cells = [bare(figure.add_subplot(grid[row, column])) for column in range(columns)]
        for axes, picture in zip(cells, (pictures[row], made[row]), strict=False):
            axes.imshow(picture)
        for axes, (name, values) in zip(cells[2:], maps.items(), strict=True):
            axes.imshow(values[row], cmap=_MAP_CMAP, vmin=0, vmax=limits[name], interpolation="nearest")
        for axes, head in zip(cells, ("original", "re-synthesis", *maps) if row == 0 else (), strict=False):
            name_picture(axes, head)
        name_row(cells[0], titles, row)
    for column, limit in enumerate(limits.values(), start=2):
        colour_bar(figure, figure.add_subplot(grid[rows, column]), (0, limit), _MAP_CMAP)
    return figure


@house_style
def plot_error_spectra(spectra: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """Mean power over scale for real pictures and those of each generator, with 95 % bands; one chart per kind of map.

    Dotted lines: peaks left by up-sampling by 4 (0.25), and by 2 (0.5; 0.71 along rows and columns at once).

    Args:
        spectra: Chart heading ("picture", "pixel", "stage5") -> table from `spectra.mean_spectra`.
        title: Above the figure.

    Raises:
        InputError: A column is missing.
    """
    for name, table in spectra.items():
        require_columns(table, ("kind", "frequency", "value", "low", "high"), f"the spectra of {name!r}")
    count = max(1, len(spectra))
    words = "band: 95 % interval over people · dotted: peaks of up-samplers"
    figure = new_figure(max(5.4, 3.3 * count + 0.4), 3.5 + (0.3 if title else 0), title, words)
    places = figure.subplots(1, count, squeeze=False)[0]
    if not spectra:
        say_instead(places[0], "nothing was measured")
        return figure
    kinds = list(dict.fromkeys(kind for table in spectra.values() for kind in table["kind"]))
    colours = _kind_colours(kinds)
    for axes, (name, table) in zip(places, spectra.items(), strict=True):
        for kind, part in table.groupby("kind", sort=False):
            axes.plot(part["frequency"], part["value"], color=colours[str(kind)], linewidth=1.5)
            band(axes, part["frequency"], (part["low"], part["high"]), colours[str(kind)])
        for frequency in (0.25, 0.5, np.sqrt(0.5)):
            axes.axvline(frequency, color=SOFT, linewidth=1, linestyle=DOTTED, zorder=0.6)
        axes.set(xlim=(0, 0.73), xlabel="cycles per pixel of the map")
        axes.set_xticks([0, 0.25, 0.5, np.sqrt(0.5)], ["0", "0.25", "0.5", "0.71"])
        axes.set_title(name)
    places[0].set_ylabel("power, dB")
    handles = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    places[0].legend(handles=handles, handlelength=1.4, loc="best")
    return figure


@house_style
def plot_residuals(
    rows: pd.DataFrame,
    comparison: pd.DataFrame,
    column: str = "residual_pixel",
    *,
    bins: int | None = None,
    words: str = "mean reconstruction error",
    title: str = "",
) -> Figure:
    """Distributions of the mean errors of real and generated pictures; the legend says how well they alone separate the two.

    Args:
        rows: Rows of `reconstruction.PictureErrors`.
        comparison: Result of `reconstruction.compare_kinds` for the same column.
        column: Column of the mean error in `rows`.
        bins: Bins of the histograms; None to choose by the number of pictures.
        words: Axis label.
        title: Above the chart.

    Raises:
        InputError: A column is missing.
    """
    require_columns(rows, ("kind", column), "mean errors")
    require_columns(comparison, ("kind", "auc", "auc_low", "auc_high"), "mean errors")
    figure = new_figure(
        7.4,
        3.6 + (0.3 if title else 0),
        title,
        "AUC of this figure alone against real, with its 95 % interval over people",
    )
    axes = figure.subplots()
    if rows.empty:
        say_instead(axes, "nothing was measured")
        return figure
    aucs = comparison.set_index("kind")
    kinds = list(aucs.index)
    colours = _kind_colours(kinds)
    fewest = rows.groupby("kind").size().min()
    edges = np.histogram_bin_edges(rows[column], bins or int(np.clip(2 * np.sqrt(fewest), 8, 50)))
    handles = []
    for kind in kinds:
        label = f"{kind} (n = {aucs.at[kind, 'n']})" if "n" in aucs else kind
        handles.append(Line2D([], [], color=colours[kind], label=label + _auc_words(aucs.loc[kind])))
        values = rows.loc[rows["kind"] == kind, column]
        if values.empty:  # all generated pictures together: their parts are drawn
            handles[-1].set_linestyle("none")
            continue
        heights = np.histogram(values, edges)[0] / len(values)
        if kind == "real":
            axes.stairs(heights, edges, color=colours[kind], fill=True, alpha=0.16, linewidth=0)
        axes.stairs(heights, edges, color=colours[kind], linewidth=1.5)
    axes.set(xlabel=words, ylabel="share of pictures", xlim=(edges[0], edges[-1]))
    axes.set_ylim(bottom=0)
    legend_above(axes, handles, 2, handlelength=1.4, columnspacing=1.6)
    return figure


def _kind_colours(kinds: Sequence[str]) -> dict[str, Any]:
    """Green is real; the generators get the other series colours, and all of them together black."""
    free = [colour for colour in SERIES if colour != _GREEN]
    generators = sorted(kind for kind in kinds if kind not in ("real", ALL_GENERATED))
    colours: dict[str, Any] = {kind: free[i % len(free)] for i, kind in enumerate(generators)}
    known = {"real": REAL_COLOUR, ALL_GENERATED: INK}
    return {kind: known.get(kind) or colours[kind] for kind in kinds}


def _auc_words(row: pd.Series) -> str:
    if row.name == "real":
        return ""
    if np.isnan(row["auc"]):
        return ": AUC not defined"
    ends = "" if np.isnan(row["auc_low"]) else f" [{row['auc_low']:.2f}, {row['auc_high']:.2f}]"
    return f": AUC {row['auc']:.2f}{ends}"
