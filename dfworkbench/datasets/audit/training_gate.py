"""Training asks the audit: a red table is refused unless the settings allow it, and then the run says so for ever.

Tables are audited before every run. Pictures are not read here, which would take longer than many a training run on a small set;
what `audit_dataset` found in them counts as long as the tables are the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import SplitLeakError
from dfworkbench.datasets.audit.audit import KINDS, RED, Audit, audit_tables, kept_audit
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY

_SHOWN = 5


def audited(dataset: str, folder: Path, videos: pd.DataFrame, faces: pd.DataFrame, *, leaky: bool) -> dict[str, Any]:
    """The audit of a data set as an entry of a run's provenance.

    Args:
        dataset: Its name.
        folder: Of its tables, where the result for pictures is kept.
        videos: With the splits of splits.csv.
        faces: Face table.
        leaky: Go on although it is red.

    Raises:
        SplitLeakError: It is red, naming what was found.
    """
    found = audit_tables(videos, kept_audit(folder, videos, faces), dataset)
    if found.verdict == RED and not leaky:
        raise SplitLeakError(_refusal(dataset, found))
    return found.record()


def keep_red(stored: Mapping[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """The provenance `record`, in which a run whose `stored` provenance is red stays red, whatever the tables are now."""
    before = stored.get(AUDIT_KEY)
    was_red = isinstance(before, Mapping) and before.get("verdict") == RED
    now_red = record.get(AUDIT_KEY, {}).get("verdict") == RED
    return {**record, AUDIT_KEY: before} if was_red and not now_red else record


def _refusal(dataset: str, found: Audit) -> str:
    counts = ", ".join(f"{count} {kind} ({KINDS[kind]})" for kind, count in found.counts.items() if count)
    lines = "\n  ".join(found.first_rows(_SHOWN))
    return (
        f"training on data set {dataset!r}: its leakage audit is red: {counts}. First: {lines}\n"
        "A detector could recognise what it has seen instead of forgeries, so nothing may stand in more than one split. Split "
        "again with assign_splits(videos, rule='identity'), take the files out, or set leaky = True: then it is trained, and "
        "every result of the run says so."
    )
