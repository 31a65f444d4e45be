"""Figures of faces with attributions: the five panels of hypothesis 1, relevant cells, and a map overlaid on a face.

After the figures of Dong et al. (ECCV 2022, arXiv:2207.09679) and the released code. Colours of the combined map are fixed here; in
that code they shift if no cell is relevant to both.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.explain.overlap import cell_masks, union_maps, unit_maps
from dfworkbench.methods.fst_matching.maps import Maps, chosen_maps
from dfworkbench.show.plots.parts import MAP_CMAP, map_bar, name_picture, name_row, plain_bar, reach, thin_frame
from dfworkbench.show.plots.style import SOFT, bare, checked_pictures, house_style, new_figure, say_instead

#: Combined map: 0 neither, 1 carrier or donor only, 2 detector only, 3 both; colours of the released code.
COMBINED_COLOURS = ("#F5F5F5", "#9FDEDE", "#FFA500", "#800000")
COMBINED_WORDS = ("neither", "carrier or donor", "detector", "both")
HIDDEN = 217  # grey of hidden cells in the authors' teaser

_CELL = 1.55  # inches


@house_style
def plot_overlap(
    images: ArrayLike | Sequence[ArrayLike],
    maps: Maps,
    titles: Sequence[str] | None = None,
    *,
    tau: float = 0.8,
    limit: float | None = None,
    title: str = "",
) -> Figure:
    """Hypothesis 1 in pictures: one row per image with the crop, three attribution maps and their combination.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        maps: Attributions `(N, L, L)` of "carrier" ("source"), "donor" ("target") and "detector"; shown at unit length.
        titles: A few words beside each image.
        tau: Share of cells left out of the combined map.
        limit: Colour range from -limit to limit; by default 3.2 / L, the published 0.2 for 16 x 16 cells.
        title: Above the figure.

    Raises:
        InputError: Pictures that are not uint8 RGB, or maps that do not fit them.
        ParameterError: `tau` outside [0, 1).
    """
    pictures, units = _checked(images, maps, titles)
    full = limit if limit is not None else 3.2 / units["carrier"].shape[-1]
    rows = max(1, len(pictures))
    figure = new_figure(5 * _CELL + 0.9, rows * _CELL + 0.95 + (0.3 if title else 0), title)
    grid = figure.add_gridspec(rows + 1, 5, height_ratios=[1.0] * rows + [0.16])
    if not pictures:
        say_instead(bare(figure.add_subplot(grid[0, :])), "no images")
        return figure
    combined = _combined(units, tau)
    heads = ("face", "carrier (source)", "donor (target)", "detector", f"the highest {100 * (1 - tau):.0f} %")
    for row, picture in enumerate(pictures):
        cells = [bare(figure.add_subplot(grid[row, column])) for column in range(5)]
        cells[0].imshow(picture)
        name_row(cells[0], titles, row)
        for axes, name in zip(cells[1:4], units, strict=True):
            _map(axes, units[name][row], full)
        cells[4].imshow(combined[row], cmap=ListedColormap(COMBINED_COLOURS), vmin=-0.5, vmax=3.5)
        for axes, head in zip(cells, heads if row == 0 else (), strict=False):
            name_picture(axes, head)
        for axes in cells[1:]:
            thin_frame(axes)
    label, place = "attribution, maps at unit length", (0.14, 0.62, 0.72, 0.38)
    map_bar(figure, figure.add_subplot(grid[rows, 1:4]), full, label, place)
    handles = [
        Patch(facecolor=colour, edgecolor=SOFT, linewidth=0.4, label=word)
        for colour, word in zip(COMBINED_COLOURS, COMBINED_WORDS, strict=True)
    ]
    legend = bare(figure.add_subplot(grid[rows, 4]))
    legend.legend(handles=handles, loc="upper center", fontsize=7.5, handlelength=1.1, borderpad=0, labelspacing=0.25)
    return figure


@house_style
def plot_relevant_cells(
    images: ArrayLike | Sequence[ArrayLike],
    maps: Maps,
    titles: Sequence[str] | None = None,
    *,
    tau: float = 0.8,
    columns: int = 2,
    title: str = "",
) -> Figure:
    """The authors' teaser figure: each image, its cells relevant to carrier or donor, then those of the detector; rest grey.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        maps: As in `plot_overlap`.
        titles: A few words beside each image.
        tau: Share of the cells that are hidden.
        columns: Images per row, three pictures each.
        title: Above the figure.

    Raises:
        InputError: Pictures that are not uint8 RGB, or maps that do not fit them.
        ParameterError: `tau` outside [0, 1).
    """
    pictures, units = _checked(images, maps, titles)
    columns = max(1, min(columns, len(pictures)))
    rows = max(1, -(-len(pictures) // columns))
    words = f"grey: cells below the highest {100 * (1 - tau):.0f} %"
    figure = new_figure(3 * columns * _CELL + 0.5, rows * (_CELL + 0.1) + (1.0 if title else 0.7), title, words)
    if not pictures:
        say_instead(bare(figure.subplots()), "no images")
        return figure
    combined = _combined(units, tau)
    places = figure.subplots(rows, 3 * columns, squeeze=False)
    for axes in places.ravel():
        bare(axes)
    for i, picture in enumerate(pictures):
        cells = places[i // columns, 3 * (i % columns) : 3 * (i % columns) + 3]
        kept = (picture, _hide(picture, combined[i] % 2 == 1), _hide(picture, combined[i] >= 2))
        for axes, part, head in zip(cells, kept, ("face", "carrier or donor", "detector"), strict=True):
            axes.imshow(part)
            if i < columns:
                name_picture(axes, head)
        name_row(cells[0], titles, i)
    return figure


@house_style
def plot_map(
    image: ArrayLike,
    attribution: ArrayLike,
    se: ArrayLike | None = None,
    *,
    limit: float | None = None,
    title: str = "",
) -> Figure:
    """An attribution map overlaid on the face: red supports the explained class, blue opposes it.

    Args:
        image: `(S, S, 3)` uint8 RGB.
        attribution: `(L, L)` or `(S, S)`, any scale.
        se: Standard errors in the same shape; a third panel then shows only values larger than two of them.
        limit: Colour range from -limit to limit; by default the 99th percentile of the absolute values.
        title: Above the figure.

    Raises:
        InputError: A picture that is not uint8 RGB, a map that is not `(h, w)` or not finite, errors of another shape.
    """
    picture, a = checked_pictures([image])[0], np.asarray(attribution, dtype=np.float64)
    errors = np.zeros(a.shape) if se is None else np.asarray(se, dtype=np.float64)
    if a.ndim != 2 or not a.size or errors.shape != a.shape or not np.isfinite(a).all():
        raise InputError(
            f"plotting an attribution: got a map {a.shape} and standard errors {errors.shape}; expected finite (L, L), twice "
            "the same. Give the map of one image."
        )
    limit = limit if limit is not None else reach(a, 0.99)
    parts = [("", None), ("attribution", a)]
    if se is not None:
        parts.append(("beyond 2 standard errors", np.where(np.abs(a) > 2 * errors, a, 0.0)))
    size = np.linalg.norm(a)
    noise = "" if se is None or not size else f"relative standard error {100 * np.linalg.norm(errors) / size:.1f} %"
    figure = new_figure(2.5 * len(parts) + 0.9, 2.95 + (0.3 if title else 0), title, noise)
    cells = figure.subplots(1, len(parts))
    for axes, (head, values) in zip(cells, parts, strict=True):
        _overlay(bare(axes), picture, values, limit)
        name_picture(axes, head or "face")
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), MAP_CMAP), ax=list(cells), fraction=0.03, aspect=24, extend="both"
    )
    plain_bar(bar)
    return figure


def _overlay(axes: Axes, picture: NDArray[np.uint8], values: NDArray[np.float64] | None, limit: float) -> None:
    if values is None:
        axes.imshow(picture, extent=(0, 1, 1, 0))
        return
    grey = picture.astype(np.float64) @ [0.299, 0.587, 0.114]  # colours of the face would mix with those of the map
    axes.imshow(grey, cmap="gray", vmin=-160, vmax=255, extent=(0, 1, 1, 0))
    strength = np.clip(np.abs(values) / limit, 0, 1)
    colours = ScalarMappable(Normalize(-limit, limit), MAP_CMAP).to_rgba(values)
    colours[..., 3] = 0.8 * strength**0.7
    axes.imshow(colours, extent=(0, 1, 1, 0), interpolation="nearest")


def _map(axes: Axes, values: NDArray[np.float64], limit: float) -> None:
    if np.isnan(values).any():
        say_instead(axes, "0 everywhere")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        return
    axes.imshow(values, cmap=MAP_CMAP, vmin=-limit, vmax=limit)


def _combined(maps: Mapping[str, NDArray[np.float64]], tau: float) -> NDArray[np.int64]:
    """`(N, L, L)`: 0 neither, 1 carrier or donor, 2 detector, 3 both."""
    union = cell_masks(union_maps(maps["carrier"], maps["donor"]), float(tau))
    return union + 2 * cell_masks(maps["detector"], float(tau))


def _hide(picture: NDArray[np.uint8], shown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    rows, columns = np.arange(height) * shown.shape[0] // height, np.arange(width) * shown.shape[1] // width
    return np.where(shown[rows][:, columns, None], picture, np.uint8(HIDDEN))


def _checked(
    images: ArrayLike | Sequence[ArrayLike], maps: Maps, titles: Sequence[str] | None
) -> tuple[list[NDArray[np.uint8]], dict[str, NDArray[np.float64]]]:
    """Pictures and their maps at unit length."""
    pictures = checked_pictures(images, titles=titles)
    named = chosen_maps(maps, ("carrier", "donor", "detector"), "plotting hypothesis 1")
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in named.items()}
    if not pictures:
        return [], {name: np.zeros((0, 1, 1)) for name in arrays}
    shapes = {a.shape for a in arrays.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) != 3 or shape[0] != len(pictures):
        seen = ", ".join(f"{name} {a.shape}" for name, a in arrays.items())
        raise InputError(
            f"plotting hypothesis 1: there are {len(pictures)} images and maps {seen}; expected ({len(pictures)}, L, L) of "
            "each. Give maps of the same images on the same grid."
        )
    return pictures, {name: unit_maps(a) for name, a in arrays.items()}
