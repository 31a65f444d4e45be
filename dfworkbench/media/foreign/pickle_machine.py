"""A pickle machine that executes nothing: every instruction is checked, every name gets an inert stand-in.

Unpickling calls whatever functions a file names, makes room for whatever numbers it gives, and hashes whatever it nests. Here
lengths and numbers are held against the bytes that are there, names come from a short list, and keys of dicts are plain.
"""

import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, ClassVar

from dfworkbench.media.foreign.refusals import RefusedError

#: Instructions of the pickle machine. An array takes about 40; a byte of a crafted file can take 64 bytes of memory.
MOST_INSTRUCTIONS = 1_000_000
_MOST_BITS = 128  # torch's magic number has 77; arithmetic with numbers of megabytes takes for ever
#: Objects that other code of this process has registered would be handed out without asking for a name; sets hash what they
#: hold, and Python's hash of deeply nested tuples overflows the stack.
_REFUSED = {"EXT1": "object of another program", "EXT2": "object of another program", "EXT4": "object of another program",
            "EMPTY_SET": "set", "ADDITEMS": "set", "FROZENSET": "set", "NEXT_BUFFER": "buffer of another file"}  # fmt: skip
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}


class UnknownGlobalError(RefusedError):
    """A function or class that is not on the list. `name` says which."""

    def __init__(self, name: str) -> None:
        self.name = name[:120]
        super().__init__(
            f"a pickled {self.name} beside or instead of arrays, and unpickling that could run any program"
        )


class Stand:
    """Stands for a function that a pickle may call.

    Takes no state: with a bare function a pickle could change its defaults, and with them what later files are read as.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def __call__(self, *values: object) -> object:
        """Call the function that stands in."""
        return self.function(*values)

    def __setstate__(self, state: object) -> None:
        raise ValueError("a function with a state")


class Names(dict[Any, Any]):
    """Stands for OrderedDict; its attributes (torch's `_metadata`) are left out."""

    def __setstate__(self, state: object) -> None:
        pass


def check_instructions(file: BinaryIO) -> None:
    """Walk through a pickle without executing it, and check every length against the bytes that are there.

    Raises:
        RefusedError: It has too many instructions, or one that is not read.
        ValueError: It is no pickle.
    """
    for count, (instruction, value, _) in enumerate(pickletools.genops(file)):
        if count >= MOST_INSTRUCTIONS:
            raise RefusedError(f"more than {MOST_INSTRUCTIONS:,} pickle instructions")
        if instruction.name in _REFUSED:
            raise RefusedError(f"a pickled {_REFUSED[instruction.name]} (instruction {instruction.name})")
        # the unpickler makes room for all numbers below
        if instruction.name in _PUTS and int(value or 0) > count:
            raise RefusedError(f"a pickled object with the number {value:,} after {count:,} instructions")
        if type(value) is int and value.bit_length() > _MOST_BITS:
            raise RefusedError(f"a pickled number of {value.bit_length():,} bits")


_Unpickler: Any = vars(pickle)["_Unpickler"]  # Python's own machine in Python; the faster one cannot be looked into


class Machine(_Unpickler):
    """Python's own pickle machine with a list of names, and dicts whose keys are plain values.

    Args:
        file: At the beginning of a pickle that `check_instructions` has passed.
        known: "module.name" -> stand-in.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(_Unpickler.dispatch)

    def __init__(self, file: BinaryIO, known: Mapping[str, object]) -> None:
        super().__init__(file)
        self._known = known

    def find_class(self, module: str, name: str) -> object:
        """The stand-in of a name."""
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
        """Make a dict of what lies on the stack."""
        require_plain(self.stack[::2])
        super().load_dict()

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.DICT[0]] = load_dict


def require_plain(keys: list[object]) -> None:
    """Refuse keys of a dict that are anything but plain values."""
    for key in keys:
        if key is not None and type(key) not in (str, int, float, bool, bytes):
            raise RefusedError(f"a dict with a key of type {type(key).__name__}")
