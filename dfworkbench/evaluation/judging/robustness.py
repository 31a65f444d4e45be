"""How much of a detector is left when pictures are perturbed: AUC over perturbations and strengths, for any detector.

He et al., "Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis", IJCAI 2021 (arXiv:2105.14376) claim that re-synthesis errors
withstand perturbations better than pixels do. Their perturbations are not published with their code; those of
`datasets.perturb.perturbations` are substitutes, at levels of ours, or by the protocol of Frank et al. (ICML 2020).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.datasets.dataset import Extracted
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.perturb.frank_perturbations import FRANK_2020, PerturbFrank
from dfworkbench.datasets.perturb.perturbations import LEVELS, PERTURBATIONS, Perturb, strengths_at
from dfworkbench.datasets.sample import Transform
from dfworkbench.evaluation.metrics.bootstrap import UNITS, interval, interval_of_difference
from dfworkbench.evaluation.metrics.comparison import drawn_auc
from dfworkbench.evaluation.metrics.measures import NAN, Measure
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import LoadedDetector

CLEAN = "clean"
CHANCE = 0.5


class Robustness(NamedTuple):
    """A detector under perturbations.

    Attributes:
        curves: One row per perturbation and level; level 0 is the unperturbed set, repeated for every perturbation. detector,
            perturbation, unit, level, strength (text; "" at level 0), value (AUC, video level), low, high, change (AUC minus that
            at level 0, the same units drawn), change_low, change_high, n (videos), drawn ("group" or "video", what intervals are
            over), reason.
        summary: One row per perturbation. detector, perturbation, area, area_low, area_high, broken_at, reason. The area is that
            under the AUC from level 0 to the last one, by trapezoids, over its width: 1 is perfect, 0.5 knows nothing. broken_at
            is the first level at which the interval of the AUC reaches down to 0.5: from there the detector is not shown to know
            anything. It is 0 if that is so of unperturbed pictures, and NaN if it never is, or if there are no intervals.
        scores: All score tables, with columns perturbation and level.
    """

    curves: pd.DataFrame
    summary: pd.DataFrame
    scores: pd.DataFrame


def robustness(
    detector: LoadedDetector | nn.Module,
    data: Extracted,
    videos: pd.DataFrame,
    perturbations: Sequence[str] = tuple(PERTURBATIONS),
    *,
    levels: Sequence[int] = LEVELS,
    frames: int | None = 1,
    name: str = "",
    batch_size: int = 64,
    unit: str = "group",
    draws: int = 1000,
    seed: int = 0,
    cache_mb: int = 512,
    progress: bool = True,
) -> Robustness:
    """Score the same samples under every perturbation at every level.

    Intervals are 95 % bootstrap intervals, drawn alike everywhere. Random perturbations are seeded by sample:
    every detector and every level meets the same draws.

    Args:
        detector: Any that scores fakes.
        data: The extracted set that the videos are of.
        videos: Rows of `data.videos`, such as its test split.
        perturbations: Names in `PERTURBATIONS`, or chains such as "jpeg>blur", whose links all take the strength of a level.
        levels: From 1 (weak) to 5 (strong), rising.
        frames: Samples per video; None for all.
        name: Of the detector in the tables; "" for its own.
        batch_size: Samples per forward pass.
        unit: What is drawn: "group" (people, with all their videos) or "video". With fewer than a dozen groups those intervals
            are too narrow.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Of perturbations and resampling.
        cache_mb: Up to how many megabytes of pictures are kept between the conditions.
        progress: Whether to show a bar.

    Raises:
        UnknownNameError: There is no such perturbation or unit.
        ParameterError: A level that is none, or levels that do not rise.
        InputError: The detector does not score fakes.
    """
    require_name("resampling unit", unit, UNITS)  # before minutes of scoring
    steps = list(levels)
    if not steps or steps != sorted(set(steps)):
        raise ParameterError(
            f"measuring robustness: levels {steps}, expected one or more of {', '.join(map(str, LEVELS))}, rising. "
            "Give levels=(1, 3, 5), say."
        )
    changes = {
        (chain, level): Perturb(chain, *strengths_at(chain, level)) for chain in perturbations for level in steps
    }
    condition = _Conditions(detector, data, videos, frames, batch_size, seed, cache_mb)
    tables = [condition.scored(Perturb(""), CLEAN, 0)]
    for (chain, level), change in tqdm(
        changes.items(), desc="perturbing", unit="condition", disable=not progress, leave=False
    ):
        tables.append(condition.scored(change, chain, level))
    return robustness_of(
        pd.concat(tables, ignore_index=True), name or _name(detector), unit=unit, draws=draws, seed=seed
    )


def robustness_of(
    scores: pd.DataFrame, name: str, *, unit: str = "group", draws: int = 1000, seed: int = 0
) -> Robustness:
    """Curves and areas from the scores of all conditions, such as the mean of two detectors, which need not be scored again.

    Args:
        scores: As in `Robustness.scores`: score tables of the same samples with columns perturbation and level, the unperturbed
            ones as perturbation `CLEAN` at level 0.
        name: Of the detector in the tables.
        unit: What is drawn, "group" or "video".
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Of the resampling.
    """
    drawn = {
        key: drawn_auc("AUC", table, unit=unit, draws=draws, seed=seed)
        for key, table in scores.groupby(["perturbation", "level"], sort=False)
    }
    clean, curves, summary = drawn.pop((CLEAN, 0)), [], []
    for chain in dict.fromkeys(chain for chain, _ in drawn):
        steps = [level for key, level in drawn if key == chain]
        places, found = [0, *steps], [clean, *(drawn[chain, level] for level in steps)]
        strengths = [(), *(strengths_at(chain, level) for level in steps)]
        about = {"detector": name, "perturbation": chain}
        curves += [
            {**about, "unit": _unit(chain), "level": level, "strength": _words(strength), **_compared(now, clean)}
            for level, strength, now in zip(places, strengths, found, strict=True)
        ]
        summary.append({**about, **_summary(places, found)})
    return Robustness(pd.DataFrame(curves).assign(drawn=unit), pd.DataFrame(summary), scores)


def frank_scores(
    detector: LoadedDetector | nn.Module,
    data: Extracted,
    videos: pd.DataFrame,
    conditions: Sequence[str] = tuple(FRANK_2020),
    *,
    frames: int | None = 1,
    batch_size: int = 64,
    seed: int = 0,
    cache_mb: int = 512,
    progress: bool = True,
) -> pd.DataFrame:
    """Scores by the protocol of Frank et al. 2020: each perturbation with probability 0.5 and a random strength.

    Args:
        detector: As for `robustness`, like all others.
        data: The extracted set.
        videos: Rows of `data.videos`.
        conditions: Of `FRANK_2020`.
        frames: Samples per video; None for all.
        batch_size: Samples per forward pass.
        seed: Of the perturbations.
        cache_mb: Up to how many megabytes of pictures are kept between the conditions.
        progress: Whether to show a bar.

    Returns:
        Score tables of all conditions with columns perturbation and level (1), the first "clean" (0), for `frank_auc`.

    Raises:
        UnknownNameError: There is no such condition.
        InputError: The detector does not score fakes.
    """
    changes = {condition: PerturbFrank(condition) for condition in conditions}
    under = _Conditions(detector, data, videos, frames, batch_size, seed, cache_mb)
    tables = [under.scored(Perturb(""), CLEAN, 0)]
    for condition, change in tqdm(
        changes.items(), desc="perturbing", unit="condition", disable=not progress, leave=False
    ):
        tables.append(under.scored(change, condition, 1))
    return pd.concat(tables, ignore_index=True)


def frank_auc(scores: pd.DataFrame, name: str, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """AUC of `frank_scores`, one row per condition, the first "clean".

    Args:
        scores: Of all conditions.
        name: Of the detector in the table.
        draws: Bootstrap resamplings over identity groups; 0 for no intervals.
        seed: Of the resampling.

    Returns:
        For `plots.comparison.plot_comparison`: detector, condition, value, low, high, change, change_low, change_high, n, reason.
    """
    drawn = {
        condition: drawn_auc("AUC", table, draws=draws, seed=seed)
        for condition, table in scores.groupby("perturbation", sort=False)
    }
    return pd.DataFrame([
        {"detector": name, "condition": condition, **_compared(now, drawn[CLEAN])} for condition, now in drawn.items()
    ])  # fmt: skip


_Drawn = tuple[Measure, NDArray[np.float64]]


class _Conditions:
    """One detector on one set of samples, whose transform changes from condition to condition."""

    def __init__(
        self, detector: LoadedDetector | nn.Module, data: Extracted, videos: pd.DataFrame, frames: int | None,
        batch_size: int, seed: int, cache_mb: int,
    ) -> None:  # fmt: skip
        self.detector: Any = detector
        self.batch_size = batch_size
        # never without a transform: the cache then holds pictures before they are cut, which serve every condition
        self.samples = FaceDataset(
            data.faces, videos, self.detector.input_spec, data.workspace.extracted, transform=Perturb(""),
            frames_per_video=frames, tracks="main", seed=seed, cache_mb=cache_mb,
        )  # fmt: skip

    def scored(self, transform: Transform, perturbation: str, level: int) -> pd.DataFrame:
        self.samples.transform = transform
        table = score_rows(self.detector, self.samples, batch_size=self.batch_size, progress=False)
        return table.assign(perturbation=perturbation, level=level)


def _name(detector: LoadedDetector | nn.Module) -> str:
    return detector.name if isinstance(detector, LoadedDetector) else type(detector).__name__


def _compared(now: _Drawn, clean: _Drawn) -> dict[str, Any]:
    measure, drawn = now
    low, high, _ = interval_of_difference(drawn, clean[1])
    return {
        "value": measure.value, "low": measure.low, "high": measure.high, "change": measure.value - clean[0].value,
        "change_low": low, "change_high": high, "n": measure.n, "reason": measure.reason,
    }  # fmt: skip


def _summary(levels: Sequence[int], found: Sequence[_Drawn]) -> dict[str, Any]:
    values, drawn = np.array([m.value for m, _ in found]), np.stack([d for _, d in found], axis=1)
    width = levels[-1] - levels[0]
    low, high, why = interval(np.asarray(np.trapezoid(drawn, levels, axis=1)) / width)
    broken = [level for level, (m, _) in zip(levels, found, strict=True) if np.fmin(m.low, m.value) <= CHANCE]
    return {
        "area": float(np.trapezoid(values, levels)) / width, "area_low": low, "area_high": high,
        "broken_at": broken[0] if broken else NAN, "reason": found[0][0].reason or why,
    }  # fmt: skip


def _unit(chain: str) -> str:
    item = PERTURBATIONS.get(chain)
    return item.unit if item else "level"


def _words(strengths: Sequence[float]) -> str:
    return ", ".join(f"{strength:g}" for strength in strengths)
