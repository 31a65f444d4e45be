"""Domain of training data: a disclaimer for detectors trained on generated faces, a description of the data for others.

A generator marks its folder, extraction records the mark with the tables, training writes it into the checkpoint along with a
description of the training data, and every result on real footage repeats it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.names import FAKE, GENERATED_MARKER, REAL

DOMAIN_KEY = "domain"  # key in the provenance of a checkpoint
FILES_KEY = "training_files"  # key in the provenance: what `training_files` returns
GENERATED = "generated"
UNKNOWN = "unknown"


def is_generated(path: Path | str) -> bool:
    """Whether a file or folder is in a generated data set."""
    path = Path(path).resolve()
    return any((folder / GENERATED_MARKER).is_file() for folder in (path, *path.parents))


def caveat(metadata: Mapping[str, Any]) -> str:
    """The disclaimer for a checkpoint's scores on real footage; "" if none is needed."""
    record = metadata.get("provenance")
    if not isinstance(record, Mapping) or record.get(DOMAIN_KEY) != GENERATED:
        return ""
    return (
        "This detector was trained on generated data only. Its number says how a face or picture compares with that; "
        "it is not a verdict on real footage."
    )


def training_files(rows: pd.DataFrame) -> dict[str, Any]:
    """Description of a run's training data for its provenance: number of real and fake files, and kinds of forgery.

    Args:
        rows: Video, label and forgery of each training sample.
    """
    files = rows.drop_duplicates("video_id")
    counts = {name: int((files["label"] == value).sum()) for name, value in (("real", REAL), ("fake", FAKE))}
    return counts | {"forgeries": sorted(set(files["forgery"][files["label"] == FAKE]))}


def trained_on(metadata: Mapping[str, Any]) -> str:
    """`training_data` as a sentence, or ""."""
    words = training_data(metadata)
    return f"Trained on {words}." if words else ""


def training_data(metadata: Mapping[str, Any]) -> str:
    """What a checkpoint was trained on, such as "faces: 60 genuine and 60 forged files (faceswap)".

    Older checkpoints without counts give only the name of the data set. "" for generated data and for imported weights.
    """
    record = metadata.get("provenance")
    settings = record.get("settings") if isinstance(record, Mapping) else None
    name = settings.get("dataset") if isinstance(settings, Mapping) else None
    if not isinstance(record, Mapping) or not name or record.get(DOMAIN_KEY) in (None, GENERATED):
        return ""
    files = record.get(FILES_KEY)
    if not isinstance(files, Mapping):
        return str(name)
    counts = [f"{files[key]:,} {word}" for key, word in (("real", "genuine"), ("fake", "forged")) if files.get(key)]
    kinds = f" ({', '.join(files['forgeries'])})" if files.get("forgeries") else ""
    return f"{name}: {' and '.join(counts)} files{kinds}"
