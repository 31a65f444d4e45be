"""Read safetensors files from other programs: tensors by name, without the record that dfworkbench's own files have."""

from pathlib import Path
from typing import TYPE_CHECKING

from dfworkbench.media.foreign.refusals import RefusedError, explain_reading

if TYPE_CHECKING:
    from torch import Tensor

_TORCH_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF"


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like a safetensors file: with the length of a JSON table."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def read_safetensors(path: Path, *, doing: str, where_to_get: str, expected: str) -> "dict[str, Tensor]":
    """All tensors of a safetensors file. The library checks header length (100 MB) and all offsets against the file.

    The tensors are views of the memory-mapped file; copy those you keep, because the file may change. Arguments: see
    `refusals.explain_reading`.

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged, of another format, or contains no tensors; the message says what was seen.
    """
    with explain_reading(path, "a safetensors file", doing=doing, expected=expected, where_to_get=where_to_get):
        with path.open("rb") as file:
            beginning = file.read(4)
        if beginning in (_TORCH_ZIP, _HDF5):
            kind = "torch.save, or another zip archive" if beginning == _TORCH_ZIP else "HDF5"
            raise RefusedError(f"data in another format ({kind})")
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        if not tensors:
            raise RefusedError("no tensors")
        return tensors
