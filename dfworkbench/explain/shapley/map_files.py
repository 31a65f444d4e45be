"""Attribution maps on disk: one file per map, written when finished, so that an interrupted study continues."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import CheckpointError, WorkbenchError
from dfworkbench.core.workspace import atomic_path, explain_write
from dfworkbench.explain.shapley.attribution_map import AttributionMap, AttributionSettings
from dfworkbench.media.foreign import bounded_memory, parse_json

_FIELDS = ("row_id", "detector", "value", "evaluations", "samples", "empty", "full", "stopped")


def map_file(folder: Path, image: NDArray[np.uint8], row_id: str, value: str, settings: AttributionSettings) -> Path:
    """File of the map of a picture; its name depends on everything that determines the map except the detector.

    Args:
        folder: Folder for maps of the detector's weights, and of these weights only.
        image: The explained picture.
        row_id: Seeds the coalitions.
        value: Name of the value that is explained, see `values.value_name`.
        settings: Settings of the map.
    """
    decides = json.dumps([row_id, value, settings.to_dict(), list(image.shape)], sort_keys=True)
    digest = hashlib.sha256(decides.encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
    return folder / f"{digest[:24]}.npz"


def save_map(path: Path, found: AttributionMap) -> None:
    """Write a map with all its settings, in one step."""
    record = json.dumps({name: getattr(found, name) for name in _FIELDS} | {"settings": found.settings.to_dict()})
    with explain_write(path.parent, "attribution maps"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path, "an attribution map") as temporary, temporary.open("wb") as file:
        np.savez(file, values=found.values, standard_error=found.standard_error, record=np.array(record))


def load_map(path: Path) -> AttributionMap:
    """Read a file written by `save_map`.

    Raises:
        CheckpointError: The file is damaged.
    """
    try:
        with bounded_memory(path, "reading an attribution map", CheckpointError), np.load(path) as stored:
            record: dict[str, Any] = parse_json(str(stored["record"]))
            settings = AttributionSettings.from_dict(record.pop("settings"))
            return AttributionMap(stored["values"], stored["standard_error"], settings=settings, **record)
    except WorkbenchError:
        raise
    except Exception as error:  # NumPy raises many exception types for a damaged file
        raise CheckpointError(
            f"reading the attribution map {path}: it is damaged or was not written by dfworkbench ({error}). Delete it; it is "
            "then made again."
        ) from None
