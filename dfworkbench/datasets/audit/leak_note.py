"""Notes attached to every result of a run: trained despite a red audit, imported with unknown training data, or published.

Like the mark of generated data (`datasets.domain`), the note is stored in the provenance of the weights, and from there goes
into the score tables of the run (column `note`) and every report.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dfworkbench.datasets.audit.audit import KINDS, RED

AUDIT_KEY = "audit"  # key in the provenance of a checkpoint
LEAKY_START_KEY = "leak_note"  # key in the provenance entry of another run that this one was made from
NOTE_COLUMN = "note"
_LEAKY = "Trained on a leaky table"


def run_note(metadata: Mapping[str, Any]) -> str:
    """All warnings for the results of a checkpoint; "" if its splits were clean or not checked."""
    return " ".join(filter(None, [leak_note(metadata), unknown_note(metadata)]))


def unknown_note(metadata: Mapping[str, Any]) -> str:
    """Note on the training data of imported weights; "" for runs trained here.

    For a published detector with a card: what its authors trained it on, and its caveats. For others: that the training data
    are not on record.
    """
    source = source_of(metadata)
    if not source:
        return ""
    card = source.get("card")
    if isinstance(card, Mapping) and card.get("title"):
        return _published_note(card)
    return (
        f"Imported weights ({source.get('file', 'file not known')}) with unknown training data: they may have seen the files that "
        "they score here, and on footage of another kind their number is not a verdict."
    )


def source_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Record of the file that weights were imported from; empty for runs trained here."""
    record = metadata.get("provenance")
    source = (record if isinstance(record, Mapping) else metadata).get("source")
    return source if isinstance(source, Mapping) else {}


def _published_note(card: Mapping[str, Any]) -> str:
    data = str(card.get("trained_on") or "").strip().rstrip(".")
    origin = f"trained by their authors on {data}" if data else "whose training data are not stated"
    caveats = card.get("caveats")
    caveats = [caveats] if isinstance(caveats, str) else caveats if isinstance(caveats, list | tuple) else []
    sentences = [f"Published weights '{card['title']}', {origin}", *map(str, caveats)]
    return " ".join(
        text if text.endswith((".", "!", "?")) else f"{text}." for text in map(str.strip, sentences) if text
    )


def leak_note(metadata: Mapping[str, Any]) -> str:
    """The leakage warning from a checkpoint's record; "" if its splits were clean or not checked."""
    record = metadata.get("provenance")
    return provenance_note(record) if isinstance(record, Mapping) else ""


def provenance_note(record: Mapping[str, Any]) -> str:
    """The leakage warning from the provenance of a run."""
    audit = record.get(AUDIT_KEY)
    if isinstance(audit, Mapping) and audit.get("verdict") == RED:
        counts = ", ".join(
            f"{KINDS.get(kind, kind)}: {count}" for kind, count in audit.get("counts", {}).items() if count
        )
        return f"{_LEAKY}, which was allowed: its splits share {counts}. Its figures are not those of new people."
    for name, of in sorted(record.items()):
        if isinstance(of, Mapping) and of.get(LEAKY_START_KEY):
            note = str(of[LEAKY_START_KEY])
            origin = f"a run ({name}) with leaks" if note.startswith(_LEAKY) else f"other weights ({name})"
            return f"Made from {origin}. {note}"
    return ""


def with_note(scores: pd.DataFrame, note: str) -> pd.DataFrame:
    """Add a note to a score table; unchanged if the note is empty."""
    return scores.assign(**{NOTE_COLUMN: note}) if note else scores


def table_note(scores: pd.DataFrame) -> str:
    """The notes in a score table."""
    if NOTE_COLUMN not in scores:
        return ""
    return " ".join(sorted({str(note) for note in scores[NOTE_COLUMN].dropna() if note}))
