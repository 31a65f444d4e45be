"""Files that torch.save has written, read without executing anything: the network's tensors by name."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfworkbench.core.errors import CheckpointError, DataNotFoundError
from dfworkbench.media.foreign.bounds import bounded_memory
from dfworkbench.media.foreign.pickle_machine import RefusedError, UnknownGlobalError
from dfworkbench.media.foreign.torch_files import check_torch_file

_WRAPPERS = ("module.", "_orig_mod.")
_SCALAR = np.float64(0).__reduce__()[0]
#: All that a pickled float64 of NumPy names, in the spelling of NumPy 2 and of NumPy 1. None of it runs code of the file.
_FLOAT64: list[Any] = [
    np.dtype,
    np.dtypes.Float64DType,
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
]


def read_tensors(
    path: Path, *, doing: str, entries: Sequence[str], where_to_get: str, expected: str, numpy_scalars: bool = False
) -> dict[str, Tensor]:
    """Tensors of the network in a file, by name, without the prefixes of wrappers; unpickles nothing but tensors.

    Files in torch's zip format are mapped, not read: what is not used, such as the state of an optimizer, costs nothing. The
    tensors are then views of the file; copy those that are kept, because the file may change.

    Args:
        path: The file, in the zip format or the older one.
        doing: What is being done, as messages begin: "importing CADDM weights".
        entries: Names under which the file may hold the tensors, as "network" or "model"; the first one found counts. Without
            any of them the file is taken as a bare dict of tensors.
        where_to_get: A sentence without full stop on how to come by the file: "Get it from https://…".
        expected: What such a file holds, as messages end: "{'model': tensors by name, …}".
        numpy_scalars: Let NumPy's float64 stand beside the tensors, as a learning rate does that was taken from an array.

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        CheckpointError: The file is damaged, holds code, or holds no network; says what was seen and expected.
    """
    job, doing = doing, f"{doing}: {path}"
    if not path.is_file():
        raise DataNotFoundError(f"{doing} does not exist. {where_to_get}, or check the path.")
    try:
        with bounded_memory(path, job, CheckpointError):
            check_torch_file(path)
            with torch.serialization.safe_globals(_FLOAT64 if numpy_scalars else []):
                content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except CheckpointError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged file
        if code := _code_in(error):
            saved = f"{{{entries[0]!r}: net.state_dict()}}" if entries else "net.state_dict()"
            raise CheckpointError(
                f"{doing} holds a pickled {code} beside or instead of tensors. Unpickling it could run any program, so the "
                f"file was not loaded. Expected {expected}, with tensors and numbers only; if you trust this file, save its "
                f"tensors where it was made: torch.save({saved}, file)."
            ) from None
        if isinstance(error, RefusedError):
            raise CheckpointError(
                f"{doing} holds {error}. Expected {expected}; it was not loaded. {where_to_get}."
            ) from None
        seen = next(iter(str(error).splitlines()), "")[:300] or type(error).__name__
        raise CheckpointError(
            f"{doing} is damaged or was not written by torch.save ({seen}). Expected {expected}. Get it again, and compare the "
            "sizes."
        ) from error
    state = content
    if isinstance(content, dict):
        state = next((content[entry] for entry in entries if entry in content), content)
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        names = ", ".join(map(repr, list(state)[:5])) or "nothing" if isinstance(state, dict) else ""
        holds = f"a dict with {names}" if names else type(state)
        raise CheckpointError(f"{doing} holds {holds}; expected {expected}. {where_to_get}.")
    return _unwrapped({str(key): value for key, value in state.items()})


def _unwrapped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names without what DataParallel ("module.") and torch.compile ("_orig_mod.") put before all of them, in any order."""
    for _ in range(4):
        for wrapper in _WRAPPERS:
            if all(key.startswith(wrapper) for key in state):
                state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _code_in(error: Exception) -> str:
    """The function or class that a file names and that is no part of tensors; "" if that is not what the error says."""
    if isinstance(error, UnknownGlobalError):
        return error.name
    found = re.search(r"(?:GLOBAL |but got <class ')([^\s']+)", str(error))
    return found[1] if found else ""
