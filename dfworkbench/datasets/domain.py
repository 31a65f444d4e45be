"""The domain of training data, generated or not, and the disclaimer for scores of detectors trained on generated faces.

A generator marks its folder; extraction notes the mark beside the tables; training writes it into the checkpoint; and every
result on footage that is not generated repeats it.
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
    """The disclaimer for scores of a checkpoint on real footage; "" if it needs none."""
    record = metadata.get("provenance")
    if not isinstance(record, Mapping) or record.get(DOMAIN_KEY) != GENERATED:
        return ""
    return (
        "This detector was trained on generated data only. Its number says how a face or picture compares with that; "
        "it is no verdict on real footage."
    )
