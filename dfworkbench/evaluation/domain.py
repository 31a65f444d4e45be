"""What a detector has seen, and what its number is therefore worth.

A detector that was trained on generated faces knows how generated faces are forged and nothing else. Its checkpoint says so
(`DOMAIN_KEY` in the metadata, written by training), and every result on other footage repeats it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DOMAIN_KEY = "domain"  # in a checkpoint's metadata, or in its provenance
GENERATED = "generated"
UNKNOWN = "unknown"

#: A file of this name in a data folder says that all below it is generated.
MARKER = "generated.json"
_DEMO = "demo"


def data_domain(datasets: Iterable[str], roots: Iterable[Path | str] = ()) -> str:
    """The domain of training data: GENERATED if every data set is generated, else UNKNOWN.

    Args:
        datasets: Names of the data sets; those that begin with "demo" are generated.
        roots: Their folders, in the same order, if known; a folder with `MARKER` in it is generated.
    """
    names, folders = list(datasets), [Path(root) for root in roots]
    marked = [(folder / MARKER).is_file() for folder in folders] + [False] * len(names)
    known = [name.startswith(_DEMO) or mark for name, mark in zip(names, marked, strict=False)]
    return GENERATED if known and all(known) else UNKNOWN


def is_generated(path: Path | str) -> bool:
    """Whether a file lies in a generated data set."""
    return any((folder / MARKER).is_file() for folder in Path(path).resolve().parents)


def checkpoint_domain(metadata: Mapping[str, Any]) -> str:
    """The domain a checkpoint's record states; where it states none, that of the data set it names."""
    provenance = _part(metadata, "provenance")
    for record in (metadata, provenance):
        if DOMAIN_KEY in record:
            return str(record[DOMAIN_KEY])
    dataset = _part(provenance, "settings").get("dataset")
    return data_domain([dataset] if isinstance(dataset, str) else [])


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, Mapping) else {}


def caveat(metadata: Mapping[str, Any]) -> str:
    """What must be said beside a number of this checkpoint on footage that is not generated; "" if nothing."""
    if checkpoint_domain(metadata) != GENERATED:
        return ""
    return (
        "This detector was trained on generated faces only. Its number says how a face compares with those; "
        "it is no verdict on real footage."
    )
