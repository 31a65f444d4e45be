"""Bit reader for coded streams, and the types that packet parsers return."""

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Content(NamedTuple):
    """Contents of a packet.

    Attributes:
        shown: Number of pictures that it shows.
        entry: Whether everything from here on can be decoded without earlier packets (except pictures shown before this one).
    """

    shown: int
    entry: bool


class Unclear(Exception):
    """Raised if the headers do not determine what will be shown."""


Reader = Callable[[bytes], Content]


def careful(read: Callable[P, T]) -> Callable[P, T]:
    """The same function, but reading beyond the end raises `Unclear`."""

    def safe(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (IndexError, ValueError) as error:
            raise Unclear("cut off") from error

    return safe


class Bits:
    """Reads bits, and numbers in exponential Golomb codes."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data[:200].replace(b"\0\0\3", b"\0\0"))
        self._at = 0

    def take(self, count: int) -> int:
        """The number in the next bits."""
        self._at += count
        if self._at > len(self._bits):
            raise Unclear("cut off")
        return int(self._bits[self._at - count : self._at], 2)

    def number(self) -> int:
        """A number in exponential Golomb code."""
        zeros = self._bits.find("1", self._at) - self._at
        if zeros < 0:
            raise Unclear("cut off")
        self._at += zeros
        return self.take(zeros + 1) - 1

    def skip_numbers(self, count: int) -> None:
        """Skip some of these numbers."""
        for _ in range(count):
            self.number()
