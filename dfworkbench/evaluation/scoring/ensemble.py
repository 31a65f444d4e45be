"""Several detectors as one, from their scores."""

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import STATUS_OK
from dfworkbench.datasets.audit.leak_note import table_note, with_note


def mean_scores(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """What a detector says whose fake probability is the mean of two, from their scores of the same samples.

    Args:
        first: A score table; columns perturbation and level, where it has them, are of several conditions.
        second: Another one with the same rows in the same order.

    Returns:
        The first table with logits and fake probabilities of the mean and the names and notes of both runs; what either could
        not score stays without.

    Raises:
        TableError: Their rows are not the same.
    """
    keys = [name for name in ("row_id", "perturbation", "level") if name in first]
    if not first[keys].equals(second.reindex(columns=keys)):
        raise TableError(
            f"averaging scores: tables of {len(first)} and {len(second)} rows do not name the same samples in the same order "
            f"({', '.join(keys)}). Expected the scores of two detectors on one set of samples."
        )
    ones, others = first["logit"].to_numpy(), second["logit"].to_numpy()
    # of sums of probabilities, without their rounding to 0 and 1
    with np.errstate(invalid="ignore"):  # NaN where one has no score
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
