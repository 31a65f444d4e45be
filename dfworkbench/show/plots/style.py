"""House style of all figures: plain, legible, and safe for colour-blind readers.

Vermilion means fake and bluish green means real, here and in notebooks and annotated videos. Figures are made without pyplot: no
figure stays open, and none is shown twice in a notebook.
"""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.palette import ARTIFACT_RGB, EVEN_RGB, FAKE_RGB, NOTHING_RGB, REAL_RGB


def _unit(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    return rgb[0] / 255, rgb[1] / 255, rgb[2] / 255


REAL_COLOUR, EVEN_COLOUR, FAKE_COLOUR, NOTHING_COLOUR = map(_unit, (REAL_RGB, EVEN_RGB, FAKE_RGB, NOTHING_RGB))
ARTIFACT_COLOUR = _unit(ARTIFACT_RGB)
TRAIN_COLOUR = "#0072B2"  # blue
VAL_COLOUR = "#E69F00"  # orange
INK = "#1f2933"
SOFT = "#69737f"
LINE = "#dfe3e8"
NOTE_GROUND, NOTE_INK = "#fff3cd", "#533f03"

#: Okabe and Ito's colours for series without a fixed meaning.
SERIES = ("#0072B2", "#E69F00", "#CC79A7", "#56B4E9", "#009E73", "#D55E00", "#8c6bb1", "#3b3b3b")

#: Fake probability -> colour: green, yellow, vermilion.
SCORE_CMAP = LinearSegmentedColormap.from_list("dfworkbench_score", [REAL_COLOUR, EVEN_COLOUR, FAKE_COLOUR])

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same look on every machine
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # names may contain dollar signs
}

P = ParamSpec("P")
R = TypeVar("R")


class HouseFigure(Figure):
    """A figure that a notebook displays by itself, whichever matplotlib backend is selected."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=110)
        return buffer.getvalue()


def house_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator that applies the house style to everything drawn in a function; global settings are not changed."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def new_figure(width: float, height: float, title: str = "", subtitle: str = "") -> HouseFigure:
    """A new figure of `width` x `height` inches with a left-aligned title."""
    figure = HouseFigure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.09, hspace=0.02)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    if title:
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold")
    if subtitle:
        figure.supxlabel(subtitle, x=0.012, ha="left", fontsize=8.5, color=SOFT)
    return figure


def say_instead(axes: Axes, text: str) -> None:
    """Show text in an empty chart, so that missing data is visible as such."""
    axes.text(0.5, 0.5, text, ha="center", va="center", color=SOFT, transform=axes.transAxes)


def bare(axes: Axes) -> Axes:
    """Remove everything but the content."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """A chart of named rows, first on top: row i is centred at y = i, with thin lines between."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), list(names))
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    for row in range(1, len(names)):
        axes.axhline(row - 0.5, color=LINE, linewidth=0.8, zorder=0.5)


def checked_pictures(
    images: ArrayLike | Sequence[ArrayLike], **per_image: Sequence[Any] | None
) -> list[NDArray[np.uint8]]:
    """Pictures ready for drawing, after checking them and that there is one entry per image of everything else.

    Args:
        images: `(N, S, S, 3)` uint8 RGB.
        **per_image: Name -> N entries, or None.

    Raises:
        InputError: They are not uint8 RGB, or there are not as many entries as images.
    """
    pictures = [np.asarray(image) for image in images]  # pyright: ignore[reportGeneralTypeIssues]
    for name, values in per_image.items():
        if values is not None and len(values) != len(pictures):
            raise InputError(
                f"plotting faces: there are {len(pictures)} images and {len(values)} {name}; expected as many. "
                f"Give one entry of {name} per image."
            )
    for picture in pictures:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise InputError(
                f"plotting faces: got {picture.dtype} {picture.shape}, expected uint8 RGB (S, S, 3). "
                "Plot crops as the data set gives them, before models.inputs.prepare."
            )
    return pictures


def drawn_units(units: Sequence[str]) -> str:
    """What bootstrap intervals are over, in words: "group" gives people, "video" videos."""
    words = {"group": "people", "video": "videos"}
    return " and ".join(words[unit] for unit in dict.fromkeys(units)) or words["group"]


def require_columns(table: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Raise `InputError` unless a table has these columns; `what` names what is to be plotted."""
    missing = [name for name in names if name not in table]
    if missing:
        raise InputError(
            f"plotting {what}: the table has no column {', '.join(missing)}; it has {', '.join(map(str, table))}. "
            "Give the table of the study as it is."
        )
