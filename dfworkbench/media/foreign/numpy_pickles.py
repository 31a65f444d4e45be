"""Read pickled dicts of NumPy arrays without executing anything, such as networks saved by MegEngine, or result files.

Unpickling calls whatever functions a file names. Here only the functions in NumPy's own pickles are allowed, in the spellings of
NumPy 1 and 2 and of all protocols, and they are replaced by stand-ins that only record bytes, types and shapes. Any other name is
refused, and so are arrays of Python objects and files that would take much more memory than they have bytes.
"""

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.media.foreign.pickle_machine import MOST_INSTRUCTIONS, Machine, Stand, check_instructions
from dfworkbench.media.foreign.refusals import RefusedError, explain_reading

#: Larger files are not read: networks in these formats have 50 to 100 MB.
LARGEST_BYTES = 1 << 30

_NUMBERS = r"b1|[iu][1248]|f[248]"


def read_arrays(path: Path, *, doing: str, where_to_get: str, expected: str) -> dict[str, NDArray[Any]]:
    """Arrays in a pickled dict or OrderedDict, by name; nothing in the file is executed. Arguments: see `refusals.explain_reading`.

    Returns:
        Arrays of bool, integer or floating type in the machine's byte order, in the order of the file. They are read-only.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged or too large, or contains code, arrays of objects or no arrays; the message says what
            was seen.
    """
    with explain_reading(path, "a pickle of arrays", doing=doing, expected=expected, where_to_get=where_to_get):
        return _named_arrays(_unpickled(path))


def read_values(path: Path, *, doing: str, where_to_get: str, expected: str) -> dict[str, Any]:
    """Like `read_arrays`, for dicts that also contain numbers, texts and lists of them, such as results of programs.

    Returns:
        For each name an array, a number, a text, None, or lists of these; tuples become lists, and NumPy scalars plain numbers.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged or too large, or contains code or other objects; the message says what was seen.
    """
    with explain_reading(path, "a pickle of arrays", doing=doing, expected=expected, where_to_get=where_to_get):
        return _plain_values(_unpickled(path))


def _unpickled(path: Path) -> object:
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise RefusedError(f"{size:,} bytes, more than {LARGEST_BYTES:,}")
    content = path.read_bytes()
    try:
        check_instructions(io.BytesIO(content))
        return _Unpickler(content).load()
    except RefusedError:
        raise
    except Exception as error:  # a damaged pickle can raise any exception type
        seen = (str(error).splitlines() or [""])[0][:150] or type(error).__name__
        raise ValueError(f"{seen}; it begins with {content[:12]!r}") from error


def _named_arrays(found: object) -> dict[str, NDArray[Any]]:
    if not isinstance(found, dict):
        raise RefusedError(f"a pickled {type(found).__name__}")
    if not found:
        raise RefusedError("an empty dict")
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, _Array):
            shown = repr(name[:60]) if isinstance(name, str) else f"of type {type(name).__name__}"
            kind = "array" if isinstance(value, _Array) else type(value).__name__
            raise RefusedError(f"a dict in which the name {shown} has a value of type {kind}")
        arrays[name] = value.finished()
    return arrays


def _plain_values(found: object) -> dict[str, Any]:
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise RefusedError(f"a pickled {type(found).__name__} that is not a dict by name")
    left = [MOST_INSTRUCTIONS]  # a list that occurs many times in another list takes few bytes
    return {name: _plain(value, left, 3) for name, value in found.items()}


def _plain(value: object, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise RefusedError(f"more than {MOST_INSTRUCTIONS:,} values")
    if isinstance(value, _Array):
        array = value.finished()
        return array.item() if array.ndim == 0 else array
    if isinstance(value, list | tuple) and depth:
        return [_plain(item, left, depth - 1) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise RefusedError(f"a value of type {type(value).__name__}{'' if depth else ' too deep inside'}")


class _Dtype:
    """Stand-in for numpy.dtype that knows numeric types only."""

    __slots__ = ("value",)

    def __init__(self, name: object, *_: object) -> None:
        if not isinstance(name, str) or not re.fullmatch(_NUMBERS, name):
            kind = "Python objects" if str(name)[:1] == "O" else f"type {str(name)[:40]!r}"
            raise RefusedError(f"an array of {kind} (only bool, integer and floating types are read)")
        self.value = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.value = self.value.newbyteorder(state[1])  # of (version, byte order, …)


class _Array:
    """Stand-in for an array: its bytes, and how NumPy would read them."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: NDArray[Any] | None = None

    def fill(self, content: object, dtype: object, shape: tuple[int, ...], order: Any = "C") -> "_Array":
        """Set the bytes of an array, which must be as many as its type and shape require."""
        if (
            not isinstance(dtype, _Dtype)
            or not isinstance(content, bytes | bytearray)
            or not isinstance(shape, tuple)
            or len(shape) > 64
        ):
            raise ValueError("an array without bytes, type or shape")
        needed = math.prod(shape) * dtype.value.itemsize
        if needed != len(content) or min(shape, default=0) < 0:
            raise ValueError(f"an array of shape {shape} and type {dtype.value} with {len(content)} bytes")
        self.value = np.frombuffer(content, dtype.value).reshape(shape, order=order)
        return self

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, content = state
        self.fill(content, dtype, shape, "F" if by_columns else "C")

    def finished(self) -> NDArray[Any]:
        """The array, in the machine's byte order."""
        if self.value is None:
            raise ValueError("an array without bytes")
        array = self.value.astype(self.value.dtype.newbyteorder("="), copy=False)
        array.flags.writeable = False
        return array


def _reconstruct(kind: object, *_: object) -> _Array:
    if kind is not _NDARRAY:
        raise ValueError("an array of another class")
    return _Array()


def _frombuffer(content: object, dtype: object, shape: Any, order: str, axes: Any = None) -> _Array:
    array = _Array().fill(content, dtype, shape, "C" if axes else order)
    if axes and array.value is not None:
        array.value = array.value.transpose(axes)
    return array


class _Unpickler(Machine):
    """Provides stand-ins for the names in NumPy's pickles, and refuses all others."""

    def __init__(self, content: bytes) -> None:
        known = {
            "collections.OrderedDict": Stand(lambda: {}),
            "numpy.ndarray": _NDARRAY,
            "numpy.dtype": Stand(_Dtype),
            "numpy._core.multiarray._reconstruct": Stand(_reconstruct),
            "numpy._core.multiarray.scalar": Stand(lambda dtype, content: _Array().fill(content, dtype, ())),
            "numpy._core.numeric._frombuffer": Stand(_frombuffer),
            "_codecs.encode": Stand(self._encode),
        }
        super().__init__(io.BytesIO(content), known)
        self._left = len(content)

    def find_class(self, module: str, name: str) -> object:
        """The stand-in for a name, in the spelling of NumPy 1 or 2."""
        return super().find_class(re.sub(r"^numpy\.core\.", "numpy._core.", f"{module}.")[:-1], name)

    def _encode(self, text: str, encoding: str) -> bytes:
        """Bytes, which Python 3 writes as text if the protocol has no bytes."""
        self._left -= len(text)  # one text could be turned into bytes again and again
        if encoding != "latin1" or self._left < 0:
            raise ValueError("bytes that NumPy would not write so")
        return text.encode(encoding)


_NDARRAY = object()
