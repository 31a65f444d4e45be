"""Selection optimism: test result of the epoch selected on validation versus the epoch selected on test data.

Papers and benchmarks often select the best epoch on the data that they report on. Such a result is never too low and usually
too high.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from dfworkbench.core.errors import CheckpointError, InputError
from dfworkbench.core.names import require_name
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import table_note
from dfworkbench.datasets.tables import write_table
from dfworkbench.evaluation.judging.leaderboard import LOWER_IS_BETTER
from dfworkbench.evaluation.judging.protocol import split_videos
from dfworkbench.evaluation.metrics.bootstrap import Drawn, draw_metrics, interval_of_difference, judged_rows
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.interval import Interval, Judging
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.evaluation.scoring.heldout import split_faces, stored_scores
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import LoadedDetector, load_detector
from dfworkbench.runs.layout import IMPORTED_EPOCH, score_file
from dfworkbench.runs.run import Run

_CACHE_MB = 2000


@dataclass(frozen=True, eq=False)
class Selection:
    """Comparison of two ways to select an epoch.

    Attributes:
        metric: Name in `METRICS`.
        level: "frame", "track" or "video".
        epochs: epoch, val, test: the metric of every epoch on both splits.
        honest_epoch: Selected without the test data.
        optimistic_epoch: The best one on the test data.
        honest: Test result of the honest epoch.
        optimistic: Test result of the optimistic epoch.
        optimism: How much better the optimistic result is, never below 0. Its interval is that of the difference of the two
            epochs over resampled files; if it extends below 0, the difference may be luck.
        note: Warning that accompanies the results; "" if none.
    """

    metric: str
    level: str
    epochs: pd.DataFrame
    honest_epoch: int
    optimistic_epoch: int
    honest: Measure
    optimistic: Measure
    optimism: Measure
    note: str = ""

    def table(self) -> pd.DataFrame:
        """One row per way to select, and one for the difference."""
        rows = [
            ("picked on validation (honest)", self.honest_epoch, self.honest),
            ("picked on test data (optimistic)", self.optimistic_epoch, self.optimistic),
            ("optimism", "", self.optimism),
        ]
        return pd.DataFrame([
            {"epoch picked": how, "epoch": epoch, self.metric: m.text(3), "value": m.value, "low": m.low, "high": m.high}
            for how, epoch, m in rows
        ])  # fmt: skip

    def __repr__(self) -> str:
        head = f"{self.metric} on {self.level} level, {self.honest.n} rows"
        text = self.table().iloc[:, :3].to_string(index=False)
        return "\n".join([head, text, *([f"NOTE: {self.note}"] if self.note else [])])


def selection_optimism(
    run: str | Path,
    *,
    dataset: str = "",
    split: str = "test",
    metric: str = "auc",
    judging: Judging = Judging(),
    device: str = "cpu",
    workspace: Workspace | None = None,
    progress: bool = True,
) -> Selection:
    """Compare the run's best epoch by validation with the best one on test data.

    Stored scores of the split in the run's folder are reused; other epochs are scored, and their tables stored.

    Args:
        run: Its folder, or its name in the workspace.
        dataset: Extracted data set to evaluate on; empty: the one that the run was trained on.
        split: Split of the data set.
        metric: Name in `METRICS`.
        judging: How rows, metrics and intervals are computed.
        device: Device on which missing epochs are scored.
        workspace: Workspace of runs and tables.
        progress: Whether to show progress bars.

    Raises:
        DataNotFoundError: There is no such run, or an epoch has no validation scores.
        CheckpointError: The run has no finished epoch.
        TableError: The split is empty.
    """
    space = workspace or find_workspace()
    opened = Run.open(run, space)
    picked = opened.best
    weights = {epoch: opened.weights(epoch) for epoch in opened.epochs if epoch != IMPORTED_EPOCH}
    if not weights:
        raise CheckpointError(
            f"comparing epochs of {opened.folder}: it holds imported weights, and there is nothing to pick from."
        )
    dataset = dataset or opened.trained_on
    if not dataset:
        raise CheckpointError(
            f"comparing epochs of {opened.folder}: it does not say on which data it was trained. Give dataset=."
        )
    val = {epoch: opened.scores("val", epoch) for epoch in weights}
    test = split_scores(weights, dataset, split, device=device, workspace=space, progress=progress)
    return compare_selection(val, test, picked=picked, metric=metric, judging=judging)


def compare_selection(
    val: Mapping[int, pd.DataFrame],
    test: Mapping[int, pd.DataFrame],
    *,
    picked: int | None = None,
    metric: str = "auc",
    judging: Judging = Judging(),
) -> Selection:
    """Compute the `Selection` from score tables.

    Args:
        val: Epoch -> score table of the validation split.
        test: Epoch -> score table of the test split, all with the same rows.
        picked: The honest epoch; None: the best one on validation by `metric`, the earlier one on ties.
        metric: Name in `METRICS`.
        judging: How rows, metrics and intervals are computed.

    Raises:
        InputError: No epochs, different epochs on the two sides, tables with different rows, or a metric that is undefined on
            the test data.
    """
    require_name("metric", metric, METRICS)
    _require_alike(val, test, picked)
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    no_draws = judging.replace(draws=0)
    of_val = {epoch: _figure(table, metric, no_draws).values[metric] for epoch, table in sorted(val.items())}
    of_test = {epoch: _figure(table, metric, judging) for epoch, table in sorted(test.items())}
    found = {epoch: drawn.interval(metric) for epoch, drawn in of_test.items()}
    if any(np.isnan(figure.value) for figure in found.values()):
        raise InputError(
            f"comparing epochs by {metric}: it is not defined on the test data. Expected fakes and reals there."
        )
    honest = (
        picked if picked is not None else max(of_val, key=lambda e: (np.nan_to_num(sign * of_val[e], nan=-np.inf), -e))
    )
    # among epochs that are equally good on test data choose the honest one: nothing was gained
    optimistic = max(found, key=lambda e: (sign * found[e].value, e == honest, -e))
    better, worse = (optimistic, honest) if sign > 0 else (honest, optimistic)
    low, high, why = interval_of_difference(
        of_test[better].draws[metric], of_test[worse].draws[metric], judging.confidence
    )
    gain = Interval(found[better].value - found[worse].value, low, high, found[honest].n, of_test[honest].few or why)
    measures = [
        Measure.of(f"{metric}, epoch {honest}", found[honest]),
        Measure.of(f"{metric}, epoch {optimistic}", found[optimistic]),
        Measure.of("optimism", gain),
    ]
    epochs = pd.DataFrame(
        {"epoch": list(of_val), "val": list(of_val.values()), "test": [found[e].value for e in of_val]}
    )
    return Selection(metric, judging.level, epochs, honest, optimistic, *measures, note=table_note(test[honest]))


def split_scores(
    weights: Mapping[int, Path], dataset: str, split: str, *, device: str, workspace: Workspace, progress: bool
) -> dict[int, pd.DataFrame]:
    """Score tables of a split for several weight files of one run: stored tables are reused, new ones are stored."""
    videos = split_videos(dataset, split, workspace)
    tables = {epoch: stored_scores(path, dataset, split, videos) for epoch, path in weights.items()}
    data: Any = None
    lacking = [epoch for epoch, table in tables.items() if table is None]
    quiet = not progress or not lacking  # an empty progress bar would remain
    for epoch in tqdm(lacking, desc="scoring epochs", unit="epoch", disable=quiet, leave=False):
        loaded: LoadedDetector = load_detector(weights[epoch], device)
        if data is None:  # all epochs of a run use the same crops
            data = split_faces(dataset, videos, loaded.input_spec, workspace, cache_mb=_CACHE_MB)
        scores = score_rows(loaded, data, videos=videos, progress=False)
        write_table("score", scores, score_file(weights[epoch], split, dataset))
        tables[epoch] = scores
    return {epoch: table for epoch, table in tables.items() if table is not None}


def _figure(scores: pd.DataFrame, metric: str, judging: Judging) -> Drawn:
    return draw_metrics(judged_rows(scores, judging)[0], judging, (metric,))


def _require_alike(val: Mapping[int, pd.DataFrame], test: Mapping[int, pd.DataFrame], picked: int | None) -> None:
    if not test or set(val) != set(test) or (picked is not None and picked not in test):
        raise InputError(
            f"comparing epochs: scores of epochs {sorted(val)} on validation and {sorted(test)} on test data, picked "
            f"{picked or 'on validation'}. Expected the same epochs on both, and the picked one among them: score the others."
        )
    first = min(test)
    scored = {e: set(table.loc[table["fake_probability"].notna(), "row_id"]) for e, table in test.items()}
    for epoch, rows in scored.items():
        if rows != scored[first]:
            raise InputError(
                f"comparing epochs: {len(rows ^ scored[first])} rows of the test data have a score in epoch {first} or {epoch} and "
                "not in the other. Expected the same rows, or the difference would reflect the files: score both again."
            )
