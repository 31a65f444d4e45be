"""Note on a detector's training data and its AUC on other data sets, shown beside scores."""

import math

from dfworkbench.core.errors import WorkbenchError
from dfworkbench.datasets.domain import trained_on
from dfworkbench.datasets.tables import read_table
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.layout import scored_sets


def origin_note(loaded: LoadedDetector) -> str:
    """Training data of a detector trained here on data that are not generated, and its AUC on test splits.

    Returns:
        "Trained on …", the AUC on the test split of that set, and on other sets that `score_split` scored with these weights;
        "" for detectors trained on generated faces, or elsewhere.
    """
    trained = trained_on(loaded.metadata)
    if not trained:
        return ""
    found = split_figures(loaded)
    own = found.pop(loaded.trained_on, "")
    sentences = [trained, f"AUC on its test split: {own}." if own else ""]
    others = ", ".join(f"{name} {auc}" for name, auc in found.items())
    sentences.append(f"On other data: {others}." if others else "How it does on other data was not measured.")
    return " ".join(filter(None, sentences))


def split_figures(loaded: LoadedDetector) -> dict[str, str]:
    """Data set -> AUC over the files of its test split, "0.912 (1,200 files)", from score tables stored with the weights.

    Tables that are unreadable or lack a class are left out.
    """
    # slow to import, and most detectors have no such tables
    from dfworkbench.evaluation.metrics.evaluate import evaluate
    from dfworkbench.evaluation.metrics.interval import Judging

    figures = {}
    for name, file in scored_sets(loaded.path).items():
        try:
            row = evaluate(read_table("score", file), ("video",), Judging(draws=0), metrics=("auc",)).iloc[0]
        except (WorkbenchError, OSError):
            continue
        if not math.isnan(row["value"]):
            figures[name] = f"{row['value']:.3f} ({row['n']:,} files)"
    return figures
