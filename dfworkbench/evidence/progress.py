"""Progress output of an examination: numbered stages with counts and remaining time."""

import time
from collections.abc import Callable

Say = Callable[[str], None]
_EVERY_S = 5.0


class Stages:
    """Prints the progress of an examination.

    Args:
        names: The stages, in order.
        say: Function that prints a line; None for silence.
    """

    def __init__(self, names: tuple[str, ...], say: Say | None = None) -> None:
        self.names, self._say = names, say
        self._number, self._start, self._told = 0, 0.0, 0.0

    def begin(self, name: str) -> None:
        """Announce the start of a stage."""
        self._number = self.names.index(name) + 1
        self._start = self._told = time.monotonic()
        self.tell(f"{self._number}/{len(self.names)} {name}")

    def tell(self, text: str) -> None:
        """Print a line."""
        if self._say:
            self._say(text)

    def count(self, done: int, total: int) -> None:
        """Print the progress of the stage, at most every five seconds and at its end."""
        now = time.monotonic()
        if done < total and now - self._told < _EVERY_S:
            return
        self._told = now
        left = (now - self._start) / max(done, 1) * (total - done)
        self.tell(f"    {done} of {total}" + (f", about {left:.0f} s left" if done < total else ""))
