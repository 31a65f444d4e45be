"""The ROC curve of a score table, with its band over videos."""

import numpy as np
import pandas as pd

from dfworkbench.evaluation.metrics.bootstrap import INTERVAL, too_few, unit_codes
from dfworkbench.evaluation.metrics.curves import Curve, Ranking, draw_counts
from dfworkbench.evaluation.metrics.evaluate import usable_rows
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, to_level


def roc_band(
    scores: pd.DataFrame,
    level: str = "video",
    *,
    rule: str = DEFAULT_RULE,
    missing: str = "drop",
    draws: int = 500,
    seed: int = 0,
    points: int = 201,
) -> pd.DataFrame:
    """The ROC curve with its 95 % band over videos.

    Returns:
        fpr, tpr, low, high on `points` evenly spaced false alarm rates; empty if one class is missing. The ends are NaN where there
        are too few files for an interval, or all resamplings give the same curve.
    """
    used, _ = usable_rows(to_level(scores, level, rule), missing)
    grid = np.linspace(0, 1, points)
    empty = pd.DataFrame({"fpr": [], "tpr": [], "low": [], "high": []}, dtype=float)
    if used["label"].nunique() < 2:
        return empty
    ranking = Ranking(used["label"], used["fake_probability"])
    codes, units = unit_codes(used, "video")
    tpr = _tpr_on(grid, ranking.curve())[0]
    none = np.full(points, np.nan)
    if too_few(used["label"], codes, "video"):
        return pd.DataFrame({"fpr": grid, "tpr": tpr, "low": none, "high": none})
    counts = draw_counts(units, draws, seed)
    chunk = max(1, 2_000_000 // len(codes))
    order = codes[ranking.order]
    drawn = [_tpr_on(grid, ranking.curve(counts[i : i + chunk][:, order])) for i in range(0, draws, chunk)]
    curves = np.concatenate(drawn) if drawn else tpr[None]
    curves = curves[~np.isnan(curves).any(axis=1)]
    low, high = np.quantile(curves, INTERVAL, axis=0) if len(curves) else (none, none)
    if np.nanmax(high - low, initial=0.0) == 0:
        low = high = none
    return pd.DataFrame({"fpr": grid, "tpr": tpr, "low": low, "high": high})


def _tpr_on(grid: np.ndarray, curve: Curve) -> np.ndarray:
    out = np.full((len(curve.hits), len(grid)), np.nan)
    for row, (hits, alarms) in enumerate(zip(curve.hits, curve.alarms, strict=True)):
        if hits[-1] > 0 and alarms[-1] > 0:
            out[row] = np.interp(grid, alarms / alarms[-1], hits / hits[-1])  # on a vertical step: its upper end
            out[row, 0] = hits[np.searchsorted(alarms, 0, side="right") - 1] / hits[-1]
    return out
