"""Robustness of a detector: AUC under perturbations of increasing strength, and under the random ones of Frank et al.

He et al., "Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis", IJCAI 2021 (arXiv:2105.14376) claim that re-synthesis errors
withstand perturbations better than pixels do. Their perturbations are not published with their code; those of
`datasets.perturb.perturbations` are substitutes, at levels of our choice, or following the protocol of Frank et al. (ICML
2020).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.perturb.frank_perturbations import FRANK_2020, PerturbFrank
from dfworkbench.datasets.perturb.perturbations import LEVELS, PERTURBATIONS, Perturb, strengths_at
from dfworkbench.datasets.sample import Transform
from dfworkbench.evaluation.metrics.bootstrap import interval, interval_of_difference
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.interval import NAN, Judging
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import LoadedDetector

CLEAN = "clean"
CHANCE = 0.5
_CACHE_MB = 512


class Robustness(NamedTuple):
    """Results of a detector under perturbations.

    Attributes:
        curves: One row per perturbation and level; level 0 is the unperturbed set, repeated for every perturbation. detector,
            perturbation, unit, level, strength (text; "" at level 0), value (AUC), low, high, change (AUC minus that at level
            0, on the same draws), change_low, change_high, n (rows), drawn ("group" or "video", the unit resampled for
            intervals), confidence, reason.
        summary: One row per perturbation. detector, perturbation, area, area_low, area_high, broken_at, reason. The area is
            that under the AUC curve from level 0 to the last one, by the trapezoidal rule, divided by its width: 1 is perfect,
            0.5 is chance. broken_at is the first level at which the interval of the AUC reaches 0.5, so that the detector is
            not shown to be better than chance. It is 0 if this holds for unperturbed pictures, and NaN if it never does or
            there are no intervals.
        scores: All score tables, with columns perturbation and level.
    """

    curves: pd.DataFrame
    summary: pd.DataFrame
    scores: pd.DataFrame


def robustness(
    detector: LoadedDetector | nn.Module,
    data: DataSet,
    videos: pd.DataFrame,
    perturbations: Sequence[str] = tuple(PERTURBATIONS),
    *,
    levels: Sequence[int] = LEVELS,
    frames: int | None = 1,
    name: str = "",
    judging: Judging = Judging(),
    seed: int = 0,
    cache_mb: int = _CACHE_MB,
    clean: pd.DataFrame | None = None,
    progress: bool = True,
) -> Robustness:
    """Score the same samples under every perturbation at every level.

    All intervals use the same bootstrap draws. Random perturbations are seeded by sample, so every detector and level gets the
    same draws.

    Args:
        detector: Any detector that scores fakes.
        data: The extracted data set of the videos.
        videos: Rows of `data.videos`, such as its test split.
        perturbations: Names in `PERTURBATIONS`, or chains such as "jpeg>blur", in which every link has the strength of the level.
        levels: From 1 (weak) to 5 (strong), increasing.
        frames: Samples per video; None for all.
        name: Name of the detector in the tables; "": its own name.
        judging: How the AUC and its interval are computed.
        seed: Seed of the perturbations.
        cache_mb: Megabytes of pictures to keep in memory between conditions, at most.
        clean: Score table of the unperturbed samples, if available; None: score them.
        progress: Whether to show a progress bar.

    Raises:
        UnknownNameError: There is no such perturbation.
        ParameterError: There is no such level, or levels do not increase.
        InputError: The detector does not score fakes, or `clean` has other samples.
    """
    steps = list(levels)
    if not steps or steps != sorted(set(steps)):
        raise ParameterError(
            f"measuring robustness: levels {steps}, expected one or more of {', '.join(map(str, LEVELS))}, rising. "
            "Give levels=(1, 3, 5), say."
        )
    changes = {
        (chain, level): Perturb(chain, *strengths_at(chain, level)) for chain in perturbations for level in steps
    }
    scores = _score_under(changes, detector, data, videos, frames, seed, cache_mb, progress, clean)
    own = detector.name if isinstance(detector, LoadedDetector) else type(detector).__name__
    return robustness_of(scores, name or own, judging)


def robustness_of(scores: pd.DataFrame, name: str, judging: Judging = Judging()) -> Robustness:
    """Curves and areas from existing scores of all conditions, for example the mean of two detectors.

    Args:
        scores: As in `Robustness.scores`: score tables of the same samples with columns perturbation and level, the unperturbed
            ones as perturbation `CLEAN` at level 0.
        name: Name of the detector in the tables.
        judging: How the AUC and its interval are computed.
    """
    drawn = {
        key: drawn_metric("AUC", table, judging) for key, table in scores.groupby(["perturbation", "level"], sort=False)
    }
    clean, curves, summary = drawn.pop((CLEAN, 0)), [], []
    for chain in dict.fromkeys(chain for chain, _ in drawn):
        steps = [level for key, level in drawn if key == chain]
        places, found = [0, *steps], [clean, *(drawn[chain, level] for level in steps)]
        strengths = [(), *(strengths_at(chain, level) for level in steps)]
        about = {"detector": name, "perturbation": chain}
        curves += [
            {
                **about,
                "unit": PERTURBATIONS[chain].unit if chain in PERTURBATIONS else "level",
                "level": level,
                "strength": ", ".join(f"{value:g}" for value in strength),
                **_compared(now, clean, judging),
            }
            for level, strength, now in zip(places, strengths, found, strict=True)
        ]
        summary.append({**about, **_summary(places, found, judging)})
    return Robustness(
        pd.DataFrame(curves).assign(drawn=judging.unit, confidence=judging.confidence), pd.DataFrame(summary), scores
    )


def frank_scores(
    detector: LoadedDetector | nn.Module,
    data: DataSet,
    videos: pd.DataFrame,
    conditions: Sequence[str] = tuple(FRANK_2020),
    *,
    frames: int | None = 1,
    seed: int = 0,
    clean: pd.DataFrame | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Scores under the protocol of Frank et al. 2020: each perturbation with probability 0.5 and a random strength.

    Args:
        detector: Any detector that scores fakes.
        data: The extracted data set of the videos.
        videos: Rows of `data.videos`, such as its test split.
        conditions: Names in `FRANK_2020`.
        frames: Samples per video; None for all.
        seed: Seed of the perturbations.
        clean: As in `robustness`.
        progress: Whether to show a progress bar.

    Returns:
        Score tables of all conditions with columns perturbation and level (1), the first "clean" (0), for `frank_auc`.

    Raises:
        UnknownNameError: There is no such condition.
        InputError: The detector does not score fakes.
    """
    changes = {(condition, 1): PerturbFrank(condition) for condition in conditions}
    return _score_under(changes, detector, data, videos, frames, seed, _CACHE_MB, progress, clean)


def frank_auc(scores: pd.DataFrame, name: str, judging: Judging = Judging()) -> pd.DataFrame:
    """AUC of `frank_scores`, one row per condition, the first "clean".

    Args:
        scores: Score tables of all conditions.
        name: Name of the detector in the table.
        judging: How the AUC and its interval are computed.

    Returns:
        For `plots.comparison.plot_comparison`: detector, condition, value, low, high, change, change_low, change_high, n, reason.
    """
    drawn = {
        condition: drawn_metric("AUC", table, judging)
        for condition, table in scores.groupby("perturbation", sort=False)
    }
    return pd.DataFrame([
        {"detector": name, "condition": condition, **_compared(now, drawn[CLEAN], judging)} for condition, now in drawn.items()
    ])  # fmt: skip


_Drawn = tuple[Measure, NDArray[np.float64]]


def _score_under(
    changes: Mapping[tuple[str, int], Transform], detector: Any, data: DataSet, videos: pd.DataFrame, frames: int | None,
    seed: int, cache_mb: int, progress: bool, clean: pd.DataFrame | None,
) -> pd.DataFrame:  # fmt: skip
    """Score tables of the same samples, unperturbed and under every (perturbation, level)."""
    # always with a transform, so that the cache holds uncut pictures, which serve every condition
    samples = FaceDataset(
        data.faces, videos, detector.input_spec, data.workspace.extracted, transform=Perturb(""),
        frames_per_video=frames, tracks="main", seed=seed, cache_mb=cache_mb,
    )  # fmt: skip
    tables, conditions = [], dict(changes)
    if clean is None:
        conditions = {(CLEAN, 0): samples.transform, **changes}
    elif clean["row_id"].tolist() != samples.rows["row_id"].tolist():
        raise InputError(
            f"measuring robustness: the table of unperturbed scores has {len(clean)} rows that are not the {len(samples)} samples "
            "to be perturbed, in their order. Give the scores of the same videos and frames, or none."
        )
    else:
        tables.append(clean.assign(perturbation=CLEAN, level=0))
    for (name, level), change in tqdm(
        conditions.items(), desc="perturbing", unit="condition", disable=not progress, leave=False
    ):
        samples.transform = change
        table = score_rows(detector, samples, progress=False)
        tables.append(table.assign(perturbation=name, level=level))
    return pd.concat(tables, ignore_index=True)


def _compared(now: _Drawn, clean: _Drawn, judging: Judging) -> dict[str, Any]:
    measure, drawn = now
    low, high, _ = interval_of_difference(drawn, clean[1], judging.confidence)
    return {
        "value": measure.value, "low": measure.low, "high": measure.high, "change": measure.value - clean[0].value,
        "change_low": low, "change_high": high, "n": measure.n, "reason": measure.reason,
    }  # fmt: skip


def _summary(levels: Sequence[int], found: Sequence[_Drawn], judging: Judging) -> dict[str, Any]:
    values, drawn = np.array([m.value for m, _ in found]), np.stack([d for _, d in found], axis=1)
    width = levels[-1] - levels[0]
    low, high, why = interval(np.asarray(np.trapezoid(drawn, levels, axis=1)) / width, judging.confidence)
    broken = [level for level, (m, _) in zip(levels, found, strict=True) if np.fmin(m.low, m.value) <= CHANCE]
    return {
        "area": float(np.trapezoid(values, levels)) / width, "area_low": low, "area_high": high,
        "broken_at": broken[0] if broken else NAN, "reason": found[0][0].reason or why,
    }  # fmt: skip
