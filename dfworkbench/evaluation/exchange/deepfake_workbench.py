"""Read and write score files of deepfake-workbench (dfwb-research): `<name>.scores.csv`, one row per video, high means fake."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, STATUS_OK
from dfworkbench.core.outputs import SCORE_CSV, require_replaceable
from dfworkbench.datasets.tables import SCORES, read_cells, write_csv
from dfworkbench.evaluation.exchange.score_csv import finished, log_odds
from dfworkbench.evaluation.exchange.score_numbers import parse_numbers
from dfworkbench.evaluation.exchange.score_rows import require_one_condition, select_rows
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule, to_level

COLUMNS = ("dataset", "key", "compression", "label", "score", "status")


def read_workbench_csv(path: Path | str, *, where: Sequence[str] = ()) -> pd.DataFrame:
    """Read `<name>.scores.csv`; a video's key is "<dataset>/<key>", with "@<compression>" if given.

    Several compressions of one video are refused: select one with `where`, such as `compression=c23`. Failed videos are kept.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It violates the format.
    """
    path = Path(path)
    cells = read_cells(path, "reading scores")
    lost = [name for name in COLUMNS if name not in cells]
    if lost:
        raise TableError(
            f"reading scores of deepfake-workbench from {path}: no column {', '.join(map(repr, lost))}; expected "
            f"{', '.join(COLUMNS)}. If it is another CSV, say format='csv'."
        )
    cells = select_rows(cells, where, path)
    scores = parse_numbers(cells["score"], "score", path)
    labels = parse_numbers(cells["label"], "label", path)
    if not np.isin(labels, (REAL, FAKE)).all():
        odd = labels[~np.isin(labels, (REAL, FAKE))][0]
        raise TableError(
            f"reading scores of deepfake-workbench from {path}: a label is {odd:g}; expected 0 and 1, its binary labels. Score "
            "with binary labels, or turn the kinds of forgery into 1."
        )
    keys = cells["dataset"] + "/" + cells["key"] + ("@" + cells["compression"]).where(cells["compression"] != "", "")
    table = pd.DataFrame({
        "row_id": keys, "video_id": keys, "dataset": cells["dataset"], "label": labels, "status": cells["status"],
        "forgery": cells["method"] if "method" in cells else "", "fake_probability": scores, "logit": log_odds(scores),
    })  # fmt: skip
    key = cells["dataset"] + "/" + cells["key"]
    require_one_condition(table.assign(video_id=key), key, cells[["compression"]], path)
    return finished(table.reset_index(drop=True), path)


def write_workbench_csv(scores: pd.DataFrame, path: Path | str, *, rule: Rule = DEFAULT_RULE) -> Path:
    """Write `<name>.scores.csv`: one row per labelled video, with its faces aggregated by `rule`.

    The status of a video without a score becomes "error", unless it is "missing".

    Raises:
        TableError: It is not a score table, or none of its rows has a label.
        OutputError: The file cannot be written, or exists and is not a score table.
    """
    require_replaceable(Path(path), SCORE_CSV)
    videos = to_level(SCORES.complete(scores, "the scores to be written"), "video", rule)
    videos = videos[videos["label"].isin((REAL, FAKE))]
    if videos.empty:
        raise TableError(
            f"writing scores for deepfake-workbench to {path}: none of {len(scores)} rows has a label. Expected labelled files: "
            "their format has no others."
        )
    parts = pd.DataFrame(
        [_workbench_key(key, name) for key, name in zip(videos["video_id"], videos["dataset"], strict=True)],
        columns=["dataset", "key", "compression"], index=videos.index,
    )  # fmt: skip
    failed = videos["status"].where(videos["status"].isin((STATUS_OK, "missing")), "error")
    out = pd.DataFrame({
        **parts, "label": videos["label"], "score": videos["fake_probability"], "status": failed, "method": videos["forgery"],
    })  # fmt: skip
    write_csv(out, path, "a score file")
    return Path(path)


def _workbench_key(video_id: str, dataset: str) -> tuple[str, str, str]:
    """Data set, key and compression; without a data set name, the first folder of the path is used."""
    if not dataset:
        first, _, rest = video_id.partition("/")
        dataset, video_id = (first, rest) if rest else ("files", video_id)
    key = video_id.removeprefix(f"{dataset}/")
    name, at, tail = key.rpartition("@")
    return (dataset, name, tail) if at and tail in COMPRESSIONS else (dataset, key, "")
