"""Check how much memory a torch.save file would take, before torch reads it and without torch.

torch.load(weights_only=True) runs no code from the file, but allocates whatever sizes the file states: bytearray(n), a storage of n
values, a zip entry that inflates. `check_torch_file` goes through a file in the zip format, or the older one, with stand-ins that
only record sizes, and compares them with the bytes in the file.
"""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from dfworkbench.media.foreign.pickle_machine import (
    Machine,
    Names,
    Stand,
    check_instructions,
    require_plain,
)
from dfworkbench.media.foreign.refusals import RefusedError

_MAGIC = 0x1950A86A20F9469CFC6C  # of the older format
_SLACK = 1 << 29  # tensors that share a storage may exceed the file size by this many bytes
_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1, "Byte": 1, "Bool": 1,
    "ComplexFloat": 8, "ComplexDouble": 16,
}  # fmt: skip
_DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64")


class _Inert:
    """Stand-in for an object whose content does not matter here."""

    __slots__ = ("width",)

    def __init__(self, width: int = 0) -> None:
        self.width = width  # bytes per value, for a storage type

    def __setstate__(self, state: object) -> None:
        pass


class _Namespace(_Inert):
    """Stand-in for argparse.Namespace; a class, because a pickle creates it without calling it."""


class _Storage:
    """Stand-in for the values of tensors: their number and width."""

    __slots__ = ("count", "width")

    def __init__(self, count: int, width: int) -> None:
        self.count, self.width = count, width


class _Sizes(Machine):
    """The pickle of torch.save, of which only sizes are kept."""

    def __init__(self, file: BinaryIO, budget: int) -> None:
        super().__init__(file, _KNOWN | {f"torch._utils.{name}": Stand(self._tensor) for name in _REBUILDS})
        self.storages: dict[str, int] = {}  # key -> bytes
        self._left = budget

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage stored elsewhere in the file."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _Inert):
            raise RefusedError("a pickled reference to something else than values of tensors")
        key, count, width = pid[2], pid[4], pid[1].width
        if not isinstance(key, str) or type(count) is not int or count < 0 or not width:
            raise RefusedError("a pickled storage of no key or size")
        self.storages[key] = max(self.storages.get(key, 0), count * width)
        return _Storage(count, width)

    def _tensor(self, storage: object, offset: object = 0, size: Any = (), stride: Any = (), *_: object) -> _Inert:
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without values")
        numbers = (offset, *size, *stride)
        if len(size) != len(stride) or len(size) > 64 or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError("a tensor of no shape")
        count = math.prod(size)
        last = int(offset) + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if count else -1  # pyright: ignore[reportArgumentType]
        if last >= storage.count:
            raise RefusedError(f"a tensor of shape {tuple(size)} of which {storage.count:,} values are there")
        self._left -= count * storage.width
        if self._left < 0:
            raise RefusedError("tensors that are much larger than the file, because they share their values")
        return _Inert()


def _names(pairs: Any) -> Names:
    require_plain([name for name, _ in pairs])
    return Names(pairs)


_REBUILDS = ("_rebuild_tensor", "_rebuild_tensor_v2")
_scalar = Stand(lambda *_: _Inert())
_KNOWN: dict[str, object] = {
    "collections.OrderedDict": Stand(lambda pairs=(): _names(pairs)),
    "torch._utils._rebuild_parameter": Stand(lambda data, *_: data),
    "torch._tensor._rebuild_from_type_v2": Stand(lambda function, kind, values, state: function(*values)),
    "torch.Tensor": _Inert(),
    "torch.nn.parameter.Parameter": _Inert(),
    "torch.Size": Stand(tuple),
    "torch.device": _scalar,
    "torch.storage.UntypedStorage": _Inert(1),
    "torch.UntypedStorage": _Inert(1),
    # NumPy numbers, such as a learning rate
    "numpy.dtype": _scalar,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "_codecs.encode": _scalar,
    "argparse.Namespace": _Namespace,  # arguments of the program that wrote the file
    **{f"torch.{name}Storage": _Inert(width) for name, width in _BYTES.items()},
    **{f"torch.cuda.{name}Storage": _Inert(width) for name, width in _BYTES.items()},
    **{f"torch.{name}": _Inert() for name in _DTYPES},
}


def check_torch_file(path: Path) -> None:
    """Refuse a file that torch.load would expand to far more than its size.

    Raises:
        RefusedError: It would, or it contains anything but tensors, numbers, texts, and lists and dicts of these.
        Exception: It is damaged; of any type.
    """
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive, size)
        return
    file = io.BytesIO(path.read_bytes())  # whose reads allocate no memory for bytes that are not there
    if _load(file, size)[0] != _MAGIC:
        raise ValueError("it does not begin as files of torch.save do")
    for _ in ("protocol", "the machine that wrote it"):
        _load(file, size)
    _, storages = _load(file, size)
    if sum(storages.values()) > size:
        raise RefusedError(f"tensors of {sum(storages.values()):,} bytes in a file of {size:,}")


def _check_archive(archive: zipfile.ZipFile, size: int) -> None:
    parts = [entry.filename.partition("/")[2] for entry in archive.infolist()]
    if code := next((part for part in parts if part == "constants.pkl" or part.startswith("code/")), ""):
        raise RefusedError(f"a TorchScript archive, which is a program ({code[:80]!r}) and not only tensors")
    entries: dict[str, int] = {}
    end = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise RefusedError(f"the compressed entry {entry.filename[:80]!r}; torch.save compresses none")
        if entry.filename in entries or entry.header_offset < end or entry.file_size > size:
            raise RefusedError(f"the entry {entry.filename[:80]!r} twice, or entries that overlap")
        entries[entry.filename] = entry.file_size
        end = entry.header_offset + entry.file_size
    pickles = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ValueError("a zip archive without its data.pkl")
    _, storages = _load(io.BytesIO(archive.read(pickles[0])), size)
    folder = pickles[0].removesuffix("data.pkl")
    _require_entries(folder, storages, entries)


def _require_entries(folder: str, storages: Mapping[str, int], entries: Mapping[str, int]) -> None:
    for key, wanted in storages.items():
        if wanted > (there := entries.get(f"{folder}data/{key}", -1)):
            raise RefusedError(f"a tensor of {wanted:,} bytes of which {max(there, 0):,} are there")


def _load(file: BinaryIO, size: int) -> tuple[Any, dict[str, int]]:
    start = file.tell()
    check_instructions(file)
    file.seek(start)
    machine = _Sizes(file, size + _SLACK)
    return machine.load(), machine.storages
