"""Read files written by torch.save without executing anything."""

import argparse
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfworkbench.core.errors import CheckpointError
from dfworkbench.media.foreign.pickle_machine import UnknownGlobalError
from dfworkbench.media.foreign.refusals import explain_reading
from dfworkbench.media.foreign.torch_check import check_torch_file

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("module.", "_orig_mod.")
_SCALAR = np.float64(0).__reduce__()[0]
#: All names in a pickled NumPy float64, in the spelling of NumPy 2 and of NumPy 1. None of them runs code from the file.
_FLOAT64: list[Any] = [
    np.dtype,
    np.dtypes.Float64DType,
    (_SCALAR, "numpy._core.multiarray.scalar"),
    (_SCALAR, "numpy.core.multiarray.scalar"),
]


def load_torch(path: Path, *, mmap: bool = False, numpy_scalars: bool = False, namespaces: bool = False) -> Any:
    """Result of `torch.load` for a file that `check_torch_file` has passed: tensors, numbers, texts, and lists and dicts of these.

    Args:
        path: The file, in the zip format or the older one.
        mmap: Map a file in the zip format instead of reading it; its tensors are then views of the file.
        numpy_scalars: Allow NumPy float64 values beside the tensors, such as a learning rate taken from an array.
        namespaces: Allow `argparse.Namespace` beside the tensors, such as the arguments of a program. It is inert.

    Raises:
        Exception: The file is damaged, or contains anything else; of any type.
    """
    import torch  # not needed where only JSON or pictures are read

    check_torch_file(path)
    allowed = (_FLOAT64 if numpy_scalars else []) + ([argparse.Namespace] if namespaces else [])
    with torch.serialization.safe_globals(allowed):
        mapped = mmap and zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)


def read_tensors(
    path: Path,
    *,
    doing: str,
    entries: Sequence[str],
    where_to_get: str,
    expected: str,
    numpy_scalars: bool = False,
    namespaces: bool = False,
) -> "dict[str, Tensor]":
    """Tensors of the network in a file, by name, without wrapper prefixes; unpickles nothing but tensors.

    Files in torch's zip format are memory-mapped, not read: unused parts, such as optimiser state, cost nothing. The tensors are
    then views of the file; copy those you keep, because the file may change.

    Args:
        path: The file, in the zip format or the older one.
        doing: See `refusals.explain_reading`.
        entries: Keys under which the file may store the tensors, such as "network" or "model"; the first one found is used. Without
            any of them, the file is read as a bare dict of tensors.
        where_to_get: A sentence without full stop on how to get the file.
        expected: What such a file should contain.
        numpy_scalars: See `load_torch`.
        namespaces: See `load_torch`.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged, or contains code or no network; the message says what was seen and expected.
    """
    words = {"doing": doing, "expected": expected, "where_to_get": where_to_get}
    with explain_reading(path, "written by torch.save", **words):
        try:
            content = load_torch(path, mmap=True, numpy_scalars=numpy_scalars, namespaces=namespaces)
        except Exception as error:
            if not (code := _code_in(error)):
                raise
            saved = f"{{{entries[0]!r}: net.state_dict()}}" if entries else "net.state_dict()"
            raise CheckpointError(
                f"{doing}: {path} holds a pickled {code} beside or instead of tensors. Unpickling it could run any program, so "
                f"the file was not loaded. Expected {expected}, with tensors and numbers only; if you trust this file, save its "
                f"tensors where it was made: torch.save({saved}, file)."
            ) from None
    return _unwrapped(_network_in(content, path, entries, words))


def _network_in(content: Any, path: Path, entries: Sequence[str], words: dict[str, str]) -> "dict[str, Tensor]":
    from torch import Tensor

    state = content
    if isinstance(content, dict):
        state = next((content[entry] for entry in entries if entry in content), content)
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        names = ", ".join(map(repr, list(state)[:5])) or "nothing" if isinstance(state, dict) else ""
        holds = f"a dict with {names}" if names else type(state)
        raise CheckpointError(
            f"{words['doing']}: {path} holds {holds}; expected {words['expected']}. {words['where_to_get']}."
        )
    return {str(key): value for key, value in state.items()}


def _unwrapped(state: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Names without the prefixes that DataParallel ("module.") and torch.compile ("_orig_mod.") add to all names, in any order."""
    for _ in range(4):
        for wrapper in _WRAPPERS:
            if all(key.startswith(wrapper) for key in state):
                state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _code_in(error: Exception) -> str:
    """The function or class named in a file that does not belong to tensors; "" if the error is about something else."""
    if isinstance(error, UnknownGlobalError):
        return error.name
    found = re.search(r"(?:GLOBAL |but got <class ')([^\s']+)", str(error))
    return found[1] if found else ""
