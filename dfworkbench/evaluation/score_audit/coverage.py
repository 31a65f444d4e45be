"""F1: coverage, i.e. which rows a detector scored."""

from collections.abc import Sequence

import numpy as np

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.score_audit.findings import Finding, Severity, percent

_RED, _AMBER = 0.05, 0.95  # difference in coverage between labels; share of scored rows


def coverage(table: WideScores, detectors: Sequence[str]) -> list[Finding]:
    """One finding for each detector that did not score all rows."""
    out = []
    for name in detectors:
        scored = ~np.isnan(table.detectors[name].values)
        if scored.all():
            continue
        of_fakes, of_reals = (float(scored[table.labels == label].mean()) for label in (FAKE, REAL))
        differ = abs(of_fakes - of_reals)
        severity: Severity = "red" if differ > _RED else "amber" if scored.mean() < _AMBER else "note"
        out.append(Finding(
            "F1", severity,
            f"{name} scored {int(scored.sum()):,} of {len(scored):,} rows: {percent(of_fakes)} of the fakes, "
            f"{percent(of_reals)} of the reals.",
            name, {"scored": int(scored.sum()), "rows": len(scored), "share_of_fakes": of_fakes, "share_of_reals": of_reals},
            np.flatnonzero(~scored), differ,
        ))  # fmt: skip
    return out
