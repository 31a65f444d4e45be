"""What a detector has seen, and what its number is therefore worth.

A detector that was trained on generated faces knows how generated faces are forged and nothing else. A generator marks its
folder; extraction notes the mark beside the tables; training writes it into the checkpoint; and every result on footage
that is not generated repeats it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.core.workspace import atomic_path
from dfworkbench.media.foreign import read_json

DOMAIN_KEY = "domain"  # in the provenance of a checkpoint
GENERATED = "generated"
UNKNOWN = "unknown"

_SOURCE = "source.json"


def is_generated(path: Path | str) -> bool:
    """Whether a file or folder lies in a generated data set."""
    path = Path(path).resolve()
    return any((folder / GENERATED_MARKER).is_file() for folder in (path, *path.parents))


def write_source(tables: Path, root: Path, layout: str) -> None:
    """Note beside a data set's tables where it came from and whether it is generated."""
    domain = GENERATED if is_generated(root) else UNKNOWN
    root = root.expanduser().absolute()  # a later command may start elsewhere
    with atomic_path(tables / _SOURCE, "the source of the tables") as temporary:
        temporary.write_text(json.dumps({"root": str(root), "layout": layout, DOMAIN_KEY: domain}, indent=2) + "\n")


def dataset_domain(tables: Path) -> str:
    """The domain of an extracted data set, as noted beside its tables."""
    return _noted(tables, DOMAIN_KEY) or UNKNOWN


def dataset_root(tables: Path) -> Path | None:
    """The folder that a data set was extracted from, as noted beside its tables; None where it is gone or not known."""
    root = _noted(tables, "root")
    return Path(root) if root and Path(root).is_dir() else None


def _noted(tables: Path, key: str) -> str:
    try:
        return str(read_json(tables / _SOURCE)[key])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def caveat(metadata: Mapping[str, Any]) -> str:
    """What must be said beside a number of this checkpoint on footage that is not generated; "" if nothing."""
    record = metadata.get("provenance")
    if not isinstance(record, Mapping) or record.get(DOMAIN_KEY) != GENERATED:
        return ""
    return (
        "This detector was trained on generated data only. Its number says how a face or picture compares with that; "
        "it is no verdict on real footage."
    )
