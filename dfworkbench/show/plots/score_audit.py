"""Score-audit figures: AUCs with both intervals beside trivial columns, and AUCs against single real sources."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dfworkbench.evaluation.score_audit.audit import Audit
from dfworkbench.show.plots.parts import DASHED, DOTTED, GROUND, legend_above
from dfworkbench.show.plots.style import INK, REAL_COLOUR, SERIES, SOFT, house_style, name_rows, new_figure, say_instead

_FILES, _CLUSTERS = SERIES[0], SERIES[5]


@house_style
def plot_audit(audit: Audit, title: str = "AUC of every detector, with both intervals") -> Figure:
    """One row per detector, best first: AUC, 95 % over files, 95 % over clusters, and the best trivial column."""
    table = audit.figure_table()
    figure = new_figure(8.6, 1.3 + 0.34 * len(table), title)
    axes = figure.subplots()
    for y, (_, row) in enumerate(table.iterrows()):
        axes.plot([row["cluster_low"], row["cluster_high"]], [y, y], color=_CLUSTERS, linewidth=1.6, zorder=3)
        axes.plot([row["file_low"], row["file_high"]], [y, y], color=_FILES, linewidth=5)
        axes.plot(row["auc"], y, "o", color=INK, markersize=5, zorder=4)
        axes.annotate(
            f"{row['auc']:.3f}",
            (row["auc"], y),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox=GROUND,
        )
    axes.axvline(0.5, color=INK, linestyle=DOTTED, linewidth=1)
    name_rows(axes, [str(name) for name in table.index])
    handles = [
        Line2D([], [], color=INK, marker="o", linestyle="", markersize=5, label="AUC"),
        Line2D([], [], color=_FILES, linewidth=5, label="95 % over files"),
    ]
    if table["cluster_low"].notna().any():
        handles.append(Line2D([], [], color=_CLUSTERS, linewidth=1.6, label="95 % over clusters"))
    if trivial := best_column(audit):
        axes.axvline(trivial[1], color=SOFT, linestyle=DASHED, linewidth=1.4)
        handles.append(Line2D([], [], color=SOFT, linestyle=DASHED, linewidth=1.4, label=f"column {trivial[0]}"))
    axes.set_xlabel("AUC (dotted: chance)")
    legend_above(axes, handles, len(handles))
    return figure


def best_column(audit: Audit) -> tuple[str, float] | None:
    """The column that beats the most detectors, and its AUC; None if none beats a detector."""
    found = [one for one in audit.of("F9") if one.severity == "red"]
    return (str(found[0].numbers["column"]), float(found[0].numbers["auc"])) if found else None


@house_style
def plot_against_sources(audit: Audit, title: str = "AUC of all fakes against single real sources") -> Figure:
    """One row per detector and one dot per real source; the lowest and highest are named."""
    names = [str(name) for name in audit.figure_table().index]
    figure = new_figure(8.6, 1.3 + 0.42 * len(names), title)
    axes = figure.subplots()
    if not any(audit.against.get(name) for name in names):
        say_instead(axes, "no real sources are named")
        return figure
    for y, name in enumerate(names):
        values = audit.against[name]
        colours = [REAL_COLOUR if value >= 0.5 else SERIES[5] for value in values.values()]
        axes.scatter(list(values.values()), np.full(len(values), y), c=colours, s=26, zorder=3)
        for source, side in _ends(values):
            axes.annotate(source, (values[source], y), (5 * side, 0), textcoords="offset points", va="center", fontsize=7.5,
                          ha="left" if side > 0 else "right", color=SOFT)  # fmt: skip
    axes.axvline(0.5, color=INK, linestyle=DOTTED, linewidth=1)
    axes.margins(x=0.22)
    name_rows(axes, names)
    axes.set_xlabel("AUC (dotted: chance; below it the reals of a source score higher than the fakes)")
    return figure


def _ends(values: Mapping[str, float]) -> list[tuple[str, int]]:
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    return [(low, -1), (high, 1)] if low != high else [(low, 1)]
