"""How many files a class needs: coverage of bootstrap intervals, and what calibration does to the log loss, for n files per class.

Scores are drawn from two normal distributions, whose true AUC and accuracy are known in closed form. An interval is good if it
holds the true value in 95 % of the repetitions; "no width" counts those whose ends are equal. A calibration helps if the log
loss on 20,000 fresh files falls; its detector is too sure of itself by a factor of two.

    python benchmarks/small_samples.py [--repeats 1000] [--draws 500]
"""

import argparse
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from dfworkbench.evaluation.judging.calibration import METHODS, fit_calibrator
from dfworkbench.evaluation.metrics.bootstrap import resample
from dfworkbench.evaluation.metrics.curves import Ranking, draw_counts
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.evaluation.metrics.interval import tails

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30)
AUCS = (0.7, 0.85, 0.95, 0.99)
FRESH = 10_000  # files per class


def logits(rng: np.random.Generator, size: int, auc: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels and log-odds of `size` files per class; the log-odds are the true ones."""
    distance = np.sqrt(2) * norm.ppf(auc)
    labels = np.repeat([0, 1], size)
    return labels, distance * (rng.normal(size=2 * size) + distance * (labels - 0.5))


def coverage(size: int, auc: float, repeats: int, draws: int) -> dict[str, float]:
    """Share of intervals that hold the true value, and of those without width."""
    true = {"auc": auc, "accuracy": norm.cdf(norm.ppf(auc) / np.sqrt(2))}
    held, flat = dict.fromkeys(true, 0), dict.fromkeys(true, 0)
    counts = draw_counts(2 * size, draws, 0)
    for seed in range(repeats):
        labels, z = logits(np.random.default_rng(seed), size, auc)
        drawn = resample(Ranking(labels, 1 / (1 + np.exp(-z))), np.arange(2 * size), counts, tuple(true))
        for name, value in true.items():
            low, high = np.nanquantile(drawn[name], tails(0.95))
            held[name] += low - 1e-9 <= value <= high + 1e-9
            flat[name] += high - low < 1e-9
    return {name: held[name] / repeats for name in true} | {f"{name}, no width": flat[name] / repeats for name in true}


def group_coverage(groups: int, auc: float, repeats: int, draws: int) -> dict[str, float]:
    """The same of AUC, with identity groups of 2 real and 10 fake files that share half of the variance, drawn as groups."""
    distance, labels = np.sqrt(2) * norm.ppf(auc), np.tile(np.repeat([0, 1], [2, 10]), groups)
    codes, counts = np.repeat(np.arange(groups), 12), draw_counts(groups, draws, 0)
    held = flat = 0
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        shared = np.repeat(rng.normal(size=groups), 12)
        z = distance * labels + np.sqrt(0.5) * (shared + rng.normal(size=len(labels)))
        drawn = resample(Ranking(labels, norm.cdf(z)), codes, counts, ("auc",))["auc"]
        low, high = np.nanquantile(drawn, tails(0.95))
        held, flat = held + (low <= auc <= high), flat + (high - low < 1e-9)
    return {"auc": held / repeats, "auc, no width": flat / repeats}


def harm(size: int, auc: float, repeats: int, method: str) -> dict[str, float]:
    """Share of calibrations that make the log loss on fresh files worse, and its mean and worst twentieth."""
    labels, z = logits(np.random.default_rng(10**6), FRESH, auc)
    fresh, before = 1 / (1 + np.exp(-2 * z)), metric_of("log_loss", labels, 1 / (1 + np.exp(-2 * z)))
    after = []
    for seed in range(repeats):
        y, own = logits(np.random.default_rng(seed), size, auc)
        rows = pd.DataFrame({
            "row_id": np.arange(2 * size).astype(str), "video_id": np.arange(2 * size).astype(str), "label": y, "track": 0,
            "frame": 0, "fake_probability": 1 / (1 + np.exp(-2 * own)), "status": "ok", "split": "val",
        })  # fmt: skip
        fitted = fit_calibrator(rows, method, fewest=1)
        after.append(metric_of("log_loss", labels, fitted.probabilities(fresh)))
    return {
        "worse": float(np.mean(np.array(after) > before)), "before": before, "after": float(np.mean(after)),
        "after, 95 %": float(np.quantile(after, 0.95)),
    }  # fmt: skip


def show(title: str, rows: Iterable[dict]) -> None:
    """Print a table."""
    print(f"\n{title}\n{pd.DataFrame(rows).to_string(index=False, float_format='{:.3f}'.format)}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=500)
    given = parser.parse_args(words)
    for auc in AUCS:
        found = ({"n per class": n, **coverage(n, auc, given.repeats, given.draws)} for n in SIZES)
        show(f"intervals, true AUC {auc}", found)
    for auc in AUCS:
        found = ({"groups": n, **group_coverage(n, auc, given.repeats, given.draws)} for n in SIZES)
        show(f"intervals over groups, true AUC {auc}", found)
    for method in METHODS:
        found = ({"n per class": n, **harm(n, 0.85, max(1, given.repeats // 5), method)} for n in (1, *SIZES))
        show(f"{method} calibration, true AUC 0.85", found)


if __name__ == "__main__":
    main()
