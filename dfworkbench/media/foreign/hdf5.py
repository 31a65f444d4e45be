"""Read arrays of an HDF5 file, such as Keras weights, if they are stored in the file itself."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import MissingDependencyError
from dfworkbench.media.foreign.refusals import RefusedError, explain_reading


def read_hdf5(path: Path, *, doing: str, where_to_get: str, expected: str) -> dict[str, NDArray[np.float32]]:
    """All arrays of an HDF5 file as float32, by their path in it; compressed, external and virtual ones are refused.

    Raises:
        MissingDependencyError: h5py is not installed.
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged, or contains anything but numbers stored in the file itself.
    """
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError(f"{doing}: reading HDF5 needs h5py: pip install h5py") from None
    arrays: dict[str, NDArray[np.float32]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if not isinstance(name, str):  # h5py returns bytes if they are not UTF-8
                raise RefusedError(f"the name {name!r:.80}, which is not text")
            _require_stored(name, item, path.stat().st_size)
            arrays[name] = np.asarray(item, dtype=np.float32)

    with explain_reading(path, "a readable HDF5 file", doing=doing, expected=expected, where_to_get=where_to_get):
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    return arrays


def _require_stored(name: str, item: Any, size: int) -> None:
    """Refuse values stored in other files, or larger than what this file stores: Keras does not compress."""
    wanted = math.prod(item.shape or ()) * item.dtype.itemsize
    if item.external or item.is_virtual or item.dtype.kind not in "fiu" or wanted > size:
        raise RefusedError(
            f"{name[:80]!r} of shape {item.shape} and type {item.dtype}, which is not an array of numbers stored in the file "
            f"({wanted:,} bytes in a file of {size:,}, or in another file)"
        )
