"""F1: which rows a detector scored."""

import numpy as np

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.score_audit.findings import Finding, Severity, percent

_RED, _AMBER = 0.05, 0.95  # difference between labels; scored share


def coverage(table: WideScores) -> list[Finding]:
    """A finding for every detector that scored some of the rows, but not all."""
    out = []
    for name, one in table.detectors.items():
        scored = ~np.isnan(one.values)
        if scored.all() or not scored.any():
            continue
        of_fakes, of_reals = (float(scored[table.labels == label].mean()) for label in (FAKE, REAL))
        differ = abs(of_fakes - of_reals)
        half = scored.mean() >= 0.5  # of those with less, nothing else is said
        severity: Severity = "red" if differ > _RED and half else "amber" if scored.mean() < _AMBER else "note"
        out.append(Finding(
            "F1", severity,
            f"{name} scored {int(scored.sum()):,} of {len(scored):,} rows: {percent(of_fakes)} of the fakes, {percent(of_reals)} of "
            "the reals.",
            name, {"scored": int(scored.sum()), "rows": len(scored), "share_of_fakes": of_fakes, "share_of_reals": of_reals},
            np.flatnonzero(~scored), differ,
        ))  # fmt: skip
    return out
