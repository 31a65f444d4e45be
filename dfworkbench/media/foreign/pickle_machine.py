"""A pickle machine that executes nothing: every instruction is checked, and every name gets an inert stand-in.

Ordinary unpickling calls whatever functions a file names, allocates whatever sizes it states, and hashes whatever it nests. Here
lengths and sizes are checked against the bytes in the file, names come from a short list, and dict keys are plain values.
"""

import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, ClassVar

from dfworkbench.media.foreign.refusals import RefusedError

#: Maximum number of instructions. An array takes about 40; a byte of a crafted file can take 64 bytes of memory.
MOST_INSTRUCTIONS = 1_000_000
_MOST_BITS = 128  # torch's magic number has 77; arithmetic on numbers of megabytes takes forever
#: Objects registered by other code of this process would be returned without asking for a name; sets hash their
#: elements, and Python's hash of deeply nested tuples overflows the stack.
_REFUSED = {"EXT1": "object of another program", "EXT2": "object of another program", "EXT4": "object of another program",
            "EMPTY_SET": "set", "ADDITEMS": "set", "FROZENSET": "set", "NEXT_BUFFER": "buffer of another file"}  # fmt: skip
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}


class UnknownGlobalError(RefusedError):
    """Raised for a function or class that is not on the list; `name` says which."""

    def __init__(self, name: str) -> None:
        self.name = name[:120]
        super().__init__(
            f"a pickled {self.name} beside or instead of arrays, and unpickling that could run any program"
        )


class Stand:
    """Stand-in for a function that a pickle may call.

    It takes no state: with a bare function, a pickle could change its defaults, and thereby how later files are read.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __call__(self, *values: object) -> object:
        """Call the stand-in function."""
        return self.function(*values)

    def __setstate__(self, state: object) -> None:
        raise ValueError("a function with a state")


class Names(dict[Any, Any]):
    """Stand-in for OrderedDict; its attributes (torch's `_metadata`) are dropped."""

    def __setstate__(self, state: object) -> None:
        pass


def check_instructions(file: BinaryIO) -> None:
    """Walk through a pickle without executing it, checking every length against the bytes in the file.

    Raises:
        RefusedError: It has too many instructions, or one that is not supported.
        ValueError: It is not a pickle.
    """
    for count, (instruction, value, _) in enumerate(pickletools.genops(file)):
        if count >= MOST_INSTRUCTIONS:
            raise RefusedError(f"more than {MOST_INSTRUCTIONS:,} pickle instructions")
        if instruction.name in _REFUSED:
            raise RefusedError(f"a pickled {_REFUSED[instruction.name]} (instruction {instruction.name})")
        # the unpickler allocates memory for all index numbers below
        if instruction.name in _PUTS and int(value or 0) > count:
            raise RefusedError(f"a pickled object with the number {value:,} after {count:,} instructions")
        if type(value) is int and value.bit_length() > _MOST_BITS:
            raise RefusedError(f"a pickled number of {value.bit_length():,} bits")


_Unpickler: Any = vars(pickle)["_Unpickler"]  # Python's own pure-Python machine; the faster one cannot be inspected


class Machine(_Unpickler):
    """Python's own pickle machine with a list of allowed names, and dicts whose keys are plain values.

    Args:
        file: File positioned at a pickle that `check_instructions` has passed.
        known: "module.name" -> stand-in.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, file: BinaryIO, known: Mapping[str, object]) -> None:
        super().__init__(file)
        self._known = known

    def find_class(self, module: str, name: str) -> object:
        """The stand-in for a name."""
        asked = f"{module}.{name}"
        if asked not in self._known:
            raise UnknownGlobalError(asked)
        return self._known[asked]

    def load_setitem(self) -> None:
        """Put a value into a dict."""
        require_plain(self.stack[-2:-1])
        super().load_setitem()

    def load_setitems(self) -> None:
        """Put several values into a dict."""
        require_plain(self.stack[::2])
        super().load_setitems()

    def load_dict(self) -> None:
        """Make a dict from the items on the stack."""
        require_plain(self.stack[::2])
        super().load_dict()

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict


def require_plain(keys: list[object]) -> None:
    """Refuse dict keys that are not plain values."""
    for key in keys:
        if key is not None and type(key) not in (str, int, float, bool, bytes):
            raise RefusedError(f"a dict with a key of type {type(key).__name__}")
