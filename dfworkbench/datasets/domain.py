"""What a detector has seen, and what its number is therefore worth.

A detector that was trained on generated faces knows how generated faces are forged and nothing else. A generator marks its
folder; extraction notes the mark beside the tables; training writes it into the checkpoint; and every result on footage
that is not generated repeats it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfworkbench.core.names import GENERATED_MARKER

DOMAIN_KEY = "domain"  # in the provenance of a checkpoint
GENERATED = "generated"
UNKNOWN = "unknown"


def is_generated(path: Path | str) -> bool:
    """Whether a file or folder lies in a generated data set."""
    path = Path(path).resolve()
    return any((folder / GENERATED_MARKER).is_file() for folder in (path, *path.parents))


def caveat(metadata: Mapping[str, Any]) -> str:
    """What must be said beside a number of this checkpoint on footage that is not generated; "" if nothing."""
    record = metadata.get("provenance")
    if not isinstance(record, Mapping) or record.get(DOMAIN_KEY) != GENERATED:
        return ""
    return (
        "This detector was trained on generated data only. Its number says how a face or picture compares with that; "
        "it is no verdict on real footage."
    )
