"""Ensemble of detectors from their score tables."""

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.audit.leak_note import table_note, with_note


def mean_scores(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Score table of a detector whose fake probability is the mean of two, from their scores on the same samples.

    Args:
        first: A score table; it may have several conditions in the columns perturbation and level.
        second: Another score table with the same rows in the same order.

    Returns:
        The first table with logits and fake probabilities of the mean, and the names and notes of both runs; rows without a
        score in either table have none.

    Raises:
        TableError: Their rows differ.
    """
    keys = [name for name in ("row_id", "perturbation", "level") if name in first]
    if not first[keys].equals(second.reindex(columns=keys)):
        raise TableError(
            f"averaging scores: tables of {len(first)} and {len(second)} rows do not name the same samples in the same order "
            f"({', '.join(keys)}). Expected the scores of two detectors on one set of samples."
        )
    ones, others = first["logit"].to_numpy(), second["logit"].to_numpy()
    # from sums of probabilities, avoiding rounding to 0 and 1
    with np.errstate(invalid="ignore"):  # NaN if one has no score
        logit = np.logaddexp(log_expit(ones), log_expit(others)) - np.logaddexp(log_expit(-ones), log_expit(-others))
    failed = first["status"] != STATUS_OK
    notes = [note for note in dict.fromkeys((table_note(first), table_note(second))) if note]
    both = with_note(first, " ".join(notes))
    if "run" in first and "run" in second:
        both = both.assign(run=first["run"] + " + " + second["run"])
    return both.assign(
        logit=logit, fake_probability=expit(logit),
        status=first["status"].where(failed, second["status"]), reason=first["reason"].where(failed, second["reason"]),
    )  # fmt: skip
