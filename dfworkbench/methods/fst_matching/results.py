"""Tables, figures and files with the results of notebook 05_hypotheses."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.tables import write_csv
from dfworkbench.evaluation.metrics.measures import Measure, measures_frame, measures_table
from dfworkbench.methods.fst_matching.attributions import Maps
from dfworkbench.methods.fst_matching.figures import plot_overlap_curve, plot_pairing, plot_stability
from dfworkbench.methods.fst_matching.hypothesis1 import OverlapStudy
from dfworkbench.methods.fst_matching.hypothesis2 import PairingStudy, pairing_summary
from dfworkbench.methods.fst_matching.hypothesis3 import StabilityStudy
from dfworkbench.show.tables import ReadableTable


class Result(NamedTuple):
    """Result of a test.

    Attributes:
        table: Table for reading.
        figure: The same result as a figure.
        measures: Every value with its interval.
        tables: File name -> table written to it.
    """

    table: ReadableTable
    figure: Figure
    measures: dict[str, list[Measure]]
    tables: dict[str, pd.DataFrame]


def map_table(explained: Mapping[str, Maps]) -> ReadableTable:
    """Cost and precision of the maps, and the difference between the values of hidden and whole pictures."""
    rows = {}
    for title, maps in explained.items():
        found = maps.found
        rows[title] = {
            "maps": len(found),
            "evaluations": int(np.mean([a.evaluations for a in found])),
            "relative error": f"{np.median([a.relative_error for a in found]):.0%}",
            "value, all hidden": f"{np.mean([a.empty for a in found]):.1f}",
            "value, whole": f"{np.mean([a.full for a in found]):.1f}",
            "precision": found[0].settings.precision,
            "efficiency gap": f"{max(abs(a.efficiency_gap) for a in found):.0e}",
        }
    return ReadableTable(pd.DataFrame(rows).T.rename_axis("model"))


def gains_table(gains: Sequence[Mapping[str, Any]], title: str) -> ReadableTable:
    """Mean and spread over pictures; an entry of `gains` has method, deletion and insertion."""
    table = pd.DataFrame(gains).groupby("method", sort=False).agg(["mean", "std"])
    text = {
        f"{kind} gain": [f"{mean:+.2f} ± {sd:.2f}" for mean, sd in table[kind].itertuples(index=False)]
        for kind in ("deletion", "insertion")
    }
    return ReadableTable(pd.DataFrame(text, index=table.index).rename_axis(title))


def q_table(studies: Mapping[str, OverlapStudy], others: Mapping[str, Mapping[str, OverlapStudy]]) -> ReadableTable:
    """Q of hypothesis 1 in its three forms, with the null and a p-value, and p-values of the other nulls."""
    rows = []
    for name, study in studies.items():
        known = {null: found[name].summary["p"].tolist() for null, found in others.items() if name in found}
        for at, row in enumerate(study.summary.to_dict("records")):
            rows.append({
                "fakes": f"{name} ({row['n']})",
                "measure": row["name"],
                "value [95 % interval]": _with_interval(row["value"], row["low"], row["high"]),
                "null [95 %]": _with_interval(row["null"], row["null_low"], row["null_high"]),
                "p": f"{row['p']:.3f}",
                **{f"p, {null}": f"{known[null][at]:.3f}" if null in known else "-" for null in others},
                "noise of maps": f"± {row['se']:.4f}",
            })  # fmt: skip
    return ReadableTable(pd.DataFrame(rows).set_index("fakes"))


def pairing_table(studies: Sequence[PairingStudy]) -> ReadableTable:
    """Q of paired and unpaired detectors and their difference, for each pair; for several pairs also mean and spread."""
    columns = pairing_measures(studies)
    table = measures_table(columns, digits=4).drop(columns="chance")
    if len(studies) > 1:
        found = pairing_summary(studies).set_index("name")
        table["mean difference ± s.d."] = [
            f"{row.mean:+.4f} ± {row.sd:.4f}" for row in found.loc[table.index].itertuples()
        ]
        table["pairs above 0"] = [f"{row.positive} of {row.studies}" for row in found.loc[table.index].itertuples()]
    return ReadableTable(table)


def pairing_measures(studies: Sequence[PairingStudy]) -> dict[str, list[Measure]]:
    """Q in its three forms by name: paired, pair 1; unpaired, pair 1; difference, pair 1; and so on."""
    return {
        f"{kind}, pair {at}": found for at, study in enumerate(studies, 1) for kind, found in study.measures.items()
    }


def _with_interval(value: float, low: float, high: float) -> str:
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]" if np.isfinite(low) else f"{value:+.4f}"


def overlap_result(
    studies: Mapping[str, OverlapStudy], others: Mapping[str, Mapping[str, OverlapStudy]], detector: str
) -> Result:
    """Result of hypothesis 1: studies of all fakes and of subsets, and the same against other nulls."""
    whole = next(iter(studies.values()))
    figure = plot_overlap_curve(whole.curve, title=f"Hypothesis 1: {detector}, {next(iter(studies))}")
    measures = {name: study.measures for name, study in studies.items()}
    return Result(q_table(studies, others), figure, measures, {"curve": whole.curve, "images": whole.images})


def pairing_result(studies: Sequence[PairingStudy], detector: str) -> Result:
    """Result of hypothesis 2: one study per pair of detectors."""
    curves = pd.concat([study.curves.assign(pair=at) for at, study in enumerate(studies, 1)], ignore_index=True)
    images = pd.concat([study.images.assign(pair=at) for at, study in enumerate(studies, 1)], ignore_index=True)
    figure = plot_pairing(studies[0].curves, title=f"Hypothesis 2: {detector}, pair 1")
    return Result(pairing_table(studies), figure, pairing_measures(studies), {"curves": curves, "images": images})


def stability_result(studies: Mapping[str, StabilityStudy], detector: str) -> Result:
    """Result of hypothesis 3: one study per model."""
    measures = {title: study.measures for title, study in studies.items()}
    images = pd.concat([study.images.assign(model=title) for title, study in studies.items()], ignore_index=True)
    table = measures_table(measures).rename(columns={"chance": "unrelated people"})
    figure = plot_stability(measures, title=f"Hypothesis 3: {detector}, raw against compressed")
    return Result(ReadableTable(table), figure, measures, {"images": images})


def save_result(
    folder: Path,
    record: Mapping[str, Any],
    result: Result,
    arrays: Mapping[str, NDArray[np.float64]],
    figures: Mapping[str, Figure],
) -> Path:
    """Write the record as results.json, tables as CSV, arrays as maps.npz, figures as PNG; returns the folder."""
    _write(folder / "results.json", lambda path: path.write_text(json.dumps(record, indent=1) + "\n"))
    _write(folder / "maps.npz", lambda path: np.savez_compressed(path, **dict[str, Any](arrays)))
    for name, table in {"measures": measures_frame(result.measures), **result.tables}.items():
        write_csv(table, folder / f"{name}.csv", "results of a hypothesis")
    for name, figure in {"test": result.figure, **figures}.items():
        _write(folder / f"{name}.png", lambda path, figure=figure: figure.savefig(path, dpi=150))
    return folder


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    with atomic_path(path, "results of a hypothesis") as temporary:
        write(temporary)
