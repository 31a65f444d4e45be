"""Combine score tables, one per detector, into one table for the audit, on the same files and by one rule."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import Codes, DetectorScores, WideScores
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule, to_level


def wide_of_tables(tables: Mapping[str, pd.DataFrame], rule: Rule = DEFAULT_RULE, title: str = "") -> WideScores:
    """One row per file in any of the tables, and one detector per table.

    The source of reals is their data set, that of fakes a data set and a kind of forgery. All kinds of a data set count as one
    source with its reals, from which they were made. Identity groups, if named, are the clusters. The number of faces per file
    in the first table is kept as a column.

    Args:
        tables: Detector -> its score table.
        rule: How the faces of a file are aggregated.
        title: Name of the combined table.

    Raises:
        TableError: There is no table, no labelled row, or a file has two labels.
    """
    if not tables:
        raise TableError("auditing scores: there is no score table; expected at least one. Name runs or files.")
    files = {name: _labelled(table, rule) for name, table in tables.items()}
    known = pd.concat(files.values())
    labels = known.groupby("video_id")["label"].agg(["min", "max"])
    if (labels["min"] != labels["max"]).any():
        odd = labels.index[(labels["min"] != labels["max"]).to_numpy()]
        raise TableError(
            f"auditing scores: {len(odd)} files have two labels (first: {odd[0]!r}); expected one each. Give tables "
            "of one data set."
        )
    rows = known.drop_duplicates("video_id").reset_index(drop=True)
    if not {REAL, FAKE} <= set(rows["label"]):
        raise TableError(
            f"auditing scores: {int((rows['label'] == FAKE).sum())} fake and {int((rows['label'] == REAL).sum())} "
            "real files; expected both. Score files of both labels."
        )
    dataset = rows["dataset"].where(rows["dataset"] != "", "files")
    kind = rows["forgery"].where(rows["label"] == FAKE, "")
    source = dataset.where(kind == "", dataset + "/" + kind)
    people = (
        rows["group"].where(rows["group"] != "", "file " + rows["video_id"]) if (rows["group"] != "").any() else None
    )
    faces = files[next(iter(files))].set_index("video_id")["faces"].reindex(rows["video_id"]).to_numpy(np.float64)
    return WideScores(
        title or (next(iter(tables)) if len(tables) == 1 else f"{len(tables)} detectors"),
        pa.array(rows["video_id"], pa.string()), rows["label"].to_numpy(np.int8), np.arange(len(rows)),
        {name: DetectorScores(_aligned(table, rows)) for name, table in files.items()},
        source=Codes.of(source.tolist()), merged=Codes.of(dataset.tolist()),
        people=None if people is None else Codes.of(people.tolist()),
        split=Codes.of(rows["split"].tolist()) if (rows["split"] != "").any() else None, columns={"faces": faces},
        read={"tables": list(tables), "rule": rule}, laid_out=True,
    )  # fmt: skip


def _labelled(table: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    rows = to_level(table, "video", rule)
    return rows[rows["label"].isin((REAL, FAKE))]


def _aligned(table: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    return table.set_index("video_id")["fake_probability"].reindex(rows["video_id"]).to_numpy(np.float64)
