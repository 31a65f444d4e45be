"""Leakage gate: training on a red audit is refused unless the settings allow it; the run then carries a warning.

Tables are audited before every run. Pictures are not read here, because that would take longer than many training runs on small
sets; the findings of `DataSet.run_audit` count as long as the tables are unchanged.
"""

from collections.abc import Mapping
from typing import Any

from dfworkbench.core.errors import SplitLeakError
from dfworkbench.datasets.audit.audit import KINDS, RED, Audit
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY
from dfworkbench.datasets.dataset import DataSet

_SHOWN = 5


def audited(data: DataSet, *, leaky: bool) -> dict[str, Any]:
    """Audit a data set and return the entry for a run's provenance.

    Args:
        data: What the run is trained on.
        leaky: Train even if the audit is red.

    Raises:
        SplitLeakError: The audit is red; the message names the leaks.
    """
    found = data.audit
    if found.verdict == RED and not leaky:
        raise SplitLeakError(_refusal(data.name, found))
    return found.record()


def keep_red(stored: Mapping[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The provenance `record`; a run whose `stored` provenance is red stays red, even if the tables have changed."""
    before = stored.get(AUDIT_KEY)
    was_red = isinstance(before, Mapping) and before.get("verdict") == RED
    now_red = record.get(AUDIT_KEY, {}).get("verdict") == RED
    return {**record, AUDIT_KEY: before} if was_red and not now_red else record


def _refusal(dataset: str, found: Audit) -> str:
    counts = ", ".join(f"{count} {kind} ({KINDS[kind]})" for kind, count in found.counts.items() if count)
    lines = "\n  ".join(found.first_rows(_SHOWN))
    return (
        f"training on data set {dataset!r}: its leakage audit is red: {counts}. First: {lines}\n"
        "A detector could recognise what it has seen instead of forgeries, so nothing may be in more than one split. Split "
        "again with assign_splits(videos, rule='identity'), take the files out, or set allow_leaks = True: then it is trained, and "
        "every result of the run carries a warning."
    )
