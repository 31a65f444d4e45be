"""What must be said beside every number of a run that was trained although its audit was red.

Like the mark of generated data (`evaluation.domain`), it travels in the provenance of the weights: into the score tables of the
run, as a column `note`, and from there into every report.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dfworkbench.evaluation.audit import KINDS, RED

AUDIT_KEY = "audit"  # in the provenance of a checkpoint
LEAKY_START_KEY = "leak_note"  # in the provenance's entry of another run that this one was made from
NOTE_COLUMN = "note"


def leak_note(metadata: Mapping[str, Any]) -> str:
    """The sentence for a checkpoint's record; "" where its splits were clean, or nobody looked."""
    record = metadata.get("provenance")
    return provenance_note(record) if isinstance(record, Mapping) else ""


def provenance_note(record: Mapping[str, Any]) -> str:
    """The sentence for the provenance of a run."""
    audit = record.get(AUDIT_KEY)
    if isinstance(audit, Mapping) and audit.get("verdict") == RED:
        counts = ", ".join(
            f"{KINDS.get(kind, kind)}: {count}" for kind, count in audit.get("counts", {}).items() if count
        )
        return f"Trained on a leaky table, which was allowed: its splits share {counts}. Its figures are not those of new people."
    for name, of in sorted(record.items()):
        if isinstance(of, Mapping) and of.get(LEAKY_START_KEY):
            return f"Made from a run ({name}) with leaks. {of[LEAKY_START_KEY]}"
    return ""


def with_note(scores: pd.DataFrame, note: str) -> pd.DataFrame:
    """A score table that says it; unchanged where there is nothing to say."""
    return scores.assign(**{NOTE_COLUMN: note}) if note else scores


def table_note(scores: pd.DataFrame) -> str:
    """What a score table says of itself."""
    if NOTE_COLUMN not in scores:
        return ""
    return " ".join(sorted({str(note) for note in scores[NOTE_COLUMN].dropna() if note}))
