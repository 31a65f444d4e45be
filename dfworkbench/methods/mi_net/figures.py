"""Figures of local blocks: information of single blocks over epochs, loss weights, attribution maps and their similarity.

After Ba et al., "Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection", AAAI 2024 (arXiv:2403.01786).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.show.plots.parts import (
    DASHED,
    DOTTED,
    MAP_CMAP,
    band,
    map_bar,
    name_picture,
    name_row,
    outline,
    reach,
    thin_frame,
)
from dfworkbench.show.plots.style import (
    INK,
    SERIES,
    SOFT,
    bare,
    checked_pictures,
    house_style,
    new_figure,
    require_columns,
    say_instead,
)

_CELL, _WIDEST = 1.5, 9.2  # inches: of a map, of a whole row
_LIKE_CMAP = "viridis"
_BRIGHTEST = 0.99  # quantile of the absolute values that gets the full colour
_LOSSES = {"classification": SERIES[0], "global": SERIES[1], "local": SERIES[2]}
_WEIGHT = "train_weight_"
_LOGARITHMIC = 20  # ratio of largest to smallest weight from which the axis is logarithmic


@house_style
def plot_block_information(curves: pd.DataFrame, most: float | None = None, title: str = "") -> Figure:
    """Information that only one block has, over epochs, with 95 % bands; one chart per variant. Dashed: lost by the global vector.

    Args:
        curves: One row per variant, epoch and measure: variant, epoch, measure, value, low, high. Measures that begin with
            "information only block" get the blocks' colours in order; all others are dashed.
        most: Entropy of the labels in nats, drawn as a dotted line: values above it cannot be information.
        title: Above the figure.

    Raises:
        InputError: A column is missing.
    """
    require_columns(curves, ("variant", "epoch", "measure", "value", "low", "high"), "information over epochs")
    variants = list(curves["variant"].unique())
    words = "band: 95 % interval over people" + ("" if most is None else " · dotted: all that the labels hold")
    figure, places = _charts(len(variants), 2.1, 3.4, title, words)
    if not variants:
        say_instead(bare(places[0]), "no information loss was trained: these heads say nothing")
        return figure
    handles: dict[str, Any] = {}
    for axes, variant in zip(places, variants, strict=True):
        for measure, part in curves[curves["variant"] == variant].groupby("measure", sort=False):
            label, look = _information_look(str(measure))
            (handles[label],) = axes.plot(part["epoch"], part["value"], markersize=4, label=label, **look)
            band(axes, part["epoch"], (part["low"], part["high"]), look["color"], 0.13)
        if most is not None:
            axes.axhline(most, color=SOFT, linewidth=1, linestyle=DOTTED, zorder=0.6)
        axes.set_title(str(variant))
        _epochs(axes, curves["epoch"])
    places[0].set_ylim(bottom=0)
    places[0].set_ylabel("nats")
    figure.legend(handles=list(handles.values()), loc="outside right upper", borderaxespad=0.4, handlelength=1.8)
    return figure


@house_style
def plot_loss_weights(histories: Mapping[str, pd.DataFrame], *, learned: bool = True, title: str = "") -> Figure:
    """Factor of each loss, mean over the steps of each epoch; one chart per variant.

    Args:
        histories: Variant -> history of its run, with columns epoch and train_weight_….
        learned: Whether the weights are parameters; if they are fixed, the figure says so.
        title: Above the figure.

    Raises:
        InputError: A history has no epochs or no weights.
    """
    for variant, history in histories.items():
        require_columns(history, ("epoch",), f"the weights of {variant!r}")
        if not any(str(name).startswith(_WEIGHT) for name in history):
            raise InputError(
                f"plotting the weights of {variant!r}: the history has no column {_WEIGHT}…; it has "
                f"{', '.join(map(str, history))}. Give the history of a run of the method mi_net."
            )
    words = (
        "the network learns these weights with its own" if learned else "these weights are fixed: nothing moves them"
    )
    figure, places = _charts(len(histories), 1.6, 3.1, title, words)
    if not histories:
        say_instead(bare(places[0]), "no runs")
        return figure
    handles: dict[str, Any] = {}
    for axes, (variant, history) in zip(places, histories.items(), strict=True):
        for name in (str(column) for column in history if str(column).startswith(_WEIGHT)):
            label = name.removeprefix(_WEIGHT)
            (handles[label],) = axes.plot(
                history["epoch"], history[name], "o-", color=_LOSSES.get(label, INK), markersize=4, label=label
            )
        axes.set_title(variant)
        _epochs(axes, history["epoch"])
    _scale_weights(places[0], np.concatenate([h.filter(like=_WEIGHT).to_numpy().ravel() for h in histories.values()]))
    places[0].set_ylabel("factor of the loss")
    figure.legend(handles=list(handles.values()), loc="outside right upper", borderaxespad=0.4, handlelength=1.6)
    return figure


@house_style
def plot_block_maps(
    images: ArrayLike | Sequence[ArrayLike],
    maps: ArrayLike,
    titles: Sequence[str] | None = None,
    masks: Sequence[ArrayLike | None] | None = None,
    *,
    title: str = "",
) -> Figure:
    """One row per picture: the face, then the map of each block, on a common colour scale.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        maps: `(n, N, L, L)`, attribution of each of n blocks; in log-odds of fake.
        titles: A few words beside each picture.
        masks: One mask `(S, S)` per picture, True where forged; None if unknown. Outlined on face and maps.
        title: Above the figure.

    Raises:
        InputError: Pictures are not uint8 RGB, or maps do not match them.
    """
    pictures = checked_pictures(images, titles=titles, masks=masks)
    a = np.asarray(maps, dtype=np.float64)
    if a.ndim != 4 or a.shape[1] != len(pictures):
        raise InputError(
            f"plotting maps of blocks: there are {len(pictures)} images and maps of shape {a.shape}; expected "
            f"(n, {len(pictures)}, L, L) with the blocks first. Give maps of the same images."
        )
    rows, columns = max(1, len(pictures)), 1 + len(a)
    cell = min(_CELL, _WIDEST / columns)
    words = "" if masks is None or all(mask is None for mask in masks) else "outline: true forged area"
    height = rows * cell + 0.85 + (0.3 if title else 0) + (0.2 if words else 0)
    figure = new_figure(max(4.6, columns * cell + 0.6), height, title, words)
    if not pictures:
        say_instead(bare(figure.subplots()), "no images: no variant was trained with the local loss")
        return figure
    limit = reach(a, _BRIGHTEST)
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[1.0] * rows + [0.09])
    heads = ("face", *(f"block {block}" for block in range(1, columns)))
    for row, picture in enumerate(pictures):
        cells = [bare(figure.add_subplot(grid[row, column])) for column in range(columns)]
        cells[0].imshow(picture, extent=(0, 1, 1, 0))
        name_row(cells[0], titles, row)
        for axes, values in zip(cells[1:], a[:, row], strict=True):
            axes.imshow(values, cmap=MAP_CMAP, vmin=-limit, vmax=limit, extent=(0, 1, 1, 0), interpolation="nearest")
            thin_frame(axes)
        mask = masks[row] if masks is not None else None
        for axes, head in zip(cells, heads, strict=True):
            if mask is not None:
                outline(axes, mask)
            if row == 0:
                name_picture(axes, head)
    label = "share of the block in the log-odds of fake"
    map_bar(figure, figure.add_subplot(grid[rows, 1:]), limit, label, (0.2, 0, 0.6, 1))
    return figure


@house_style
def plot_map_overlap(
    likeness: Mapping[str, ArrayLike], others: Mapping[str, ArrayLike], *, highest: float = 1.0, title: str = ""
) -> Figure:
    """Similarity of the maps of every two blocks, as numbers on colours; on the right, similarity of maps of other pictures.

    Args:
        likeness: Name of a measure -> `(n, n)`, every two blocks' maps of the same pictures; the diagonal is omitted, NaN is a
            dash.
        others: Name of a measure -> `(n,)`, maps of different pictures of the same block.
        highest: Value that gets the lightest colour; 0 and below get the darkest.
        title: Above the figure.

    Raises:
        InputError: A measure is missing, or shapes do not match.
    """
    tables = {name: np.asarray(values, dtype=np.float64) for name, values in likeness.items()}
    beside = {name: np.asarray(values, dtype=np.float64) for name, values in others.items()}
    for name, table in tables.items():
        if table.ndim != 2 or name not in beside or beside[name].shape != (len(table),) or len(set(table.shape)) > 1:
            other = beside[name].shape if name in beside else "missing"
            raise InputError(
                f"plotting how alike maps are: {name!r} is {table.shape} and that of other pictures {other}; expected (n, n) and "
                "(n,). Give both for the same blocks."
            )
    words = "last column: maps of different pictures, same block"
    count = max(1, len(tables))
    blocks = max((len(table) for table in tables.values()), default=0)
    size = min(3.6, 0.62 * (blocks + 1.3) + 0.5)
    figure = new_figure(max(5.2, count * (size + 0.7) + 0.4), size + 0.8 + (0.3 if title else 0), title, words)
    places = figure.subplots(1, count, squeeze=False)[0]
    if not blocks:
        for axes in places:
            say_instead(bare(axes), "no blocks to compare")
        return figure
    for axes, (name, table) in zip(places, tables.items(), strict=True):
        _likeness(axes, table, beside[name], highest)
        axes.set_title(name)
    return figure


def _charts(count: int, beside: float, height: float, title: str, words: str) -> tuple[Figure, Sequence[Axes]]:
    """A row of charts, one per variant, with room for a legend of `beside` inches."""
    width = min(_WIDEST + 0.2, 3.1 * max(1, count) + beside)
    figure = new_figure(width, height + (0.3 if title else 0), title, words)
    return figure, figure.subplots(1, max(1, count), squeeze=False, sharey=True)[0]


def _likeness(axes: Axes, table: NDArray[np.float64], beside: NDArray[np.float64], highest: float) -> None:
    n = len(table)
    shown = np.where(np.eye(n, dtype=bool), np.nan, table)  # every map equals itself
    scale = Normalize(0, highest)
    axes.imshow(shown, cmap=_LIKE_CMAP, norm=scale, extent=(-0.5, n - 0.5, n - 0.5, -0.5))
    last = n + 0.25
    axes.imshow(beside[:, None], cmap=_LIKE_CMAP, norm=scale, extent=(last - 0.5, last + 0.5, n - 0.5, -0.5))
    for i in range(n):
        for j in (j for j in range(n) if j != i):
            _number(axes, j, i, table[i, j], scale)
        _number(axes, last, i, beside[i], scale)
    axes.set(xlim=(-0.5, last + 0.5), ylim=(n - 0.5, -0.5), ylabel="block")
    axes.set_xticks([*range(n), last], [*map(str, range(1, n + 1)), "other\npicture"])
    axes.set_yticks(range(n), [str(i) for i in range(1, n + 1)])
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)


def _number(axes: Axes, x: float, y: float, value: float, scale: Normalize) -> None:
    colour = SOFT if np.isnan(value) else "white" if scale(value) < 0.6 else INK
    text = "-" if np.isnan(value) else f"{value:.2f}"
    axes.text(x, y, text, ha="center", va="center", fontsize=8.5, color=colour)


def _information_look(measure: str) -> tuple[str, dict[str, Any]]:
    """Legend label and line style of a measure."""
    block = measure.removeprefix("information only block ").split(" ")[0]
    if measure.startswith("information only block ") and block.isdigit():
        return f"only block {block}", {"color": SERIES[(int(block) - 1) % len(SERIES)], "marker": "o"}
    return "lost by the\nglobal vector", {"color": INK, "linestyle": DASHED, "marker": "o"}


def _epochs(axes: Axes, epochs: pd.Series) -> None:
    first, last = float(epochs.min()), float(epochs.max())
    axes.set(xlabel="epoch", xlim=(first - 0.3, max(last, first + 1) + 0.3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _scale_weights(axes: Axes, values: NDArray[np.float64]) -> None:
    known = values[np.isfinite(values) & (values > 0)]
    if known.size and known.max() > _LOGARITHMIC * known.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, 1.08 * float(known.max(initial=1.0)))
