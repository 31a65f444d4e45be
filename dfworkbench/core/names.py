"""Shared names (labels, splits, statuses, forgery kinds), and name look-up with a suggestion for misspellings."""

import difflib
from collections.abc import Iterable

from dfworkbench.core.errors import UnknownNameError

REAL = 0
FAKE = 1

SPLITS = ("train", "val", "test")

#: The five forgery methods of FaceForensics++, spelled like its folders.
FORGERY_KINDS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
#: Forgery methods of FaceForensics++ that transfer an expression (reenactment); the others swap the face.
REENACTMENTS = ("Face2Face", "NeuralTextures")
COMPRESSIONS = ("raw", "c23", "c40")

#: A file of this name marks everything below its folder as generated: no real person is shown.
GENERATED_MARKER = "generated.json"

#: Possible outcomes for a video or an image. Only "ok" rows have faces.
STATUS_OK = "ok"
STATUSES = (STATUS_OK, "unreadable", "truncated", "no_face", "error", "missing")


def require_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known, otherwise raise an error that names the closest ones.

    Args:
        kind: What is being named, for the message ("detector", "dataset layout").
        name: The name to look up.
        known: All valid names.

    Raises:
        UnknownNameError: Suggests the closest name, or lists all names if none is close.
    """
    names = sorted(known)
    if name in names:
        return name
    hint = did_you_mean(name, names, most=2)
    count = f" There are {len(names)}:" if hint else " Known:"
    raise UnknownNameError(f"no {kind} is called {name!r}.{hint}{count} {', '.join(names) or 'none'}.")


def did_you_mean(name: object, known: Iterable[str], most: int = 1) -> str:
    """A question to append to a sentence: " Did you mean 'mesonet4'?", or "" if no known name is close."""
    close = difflib.get_close_matches(str(name), list(known), n=most, cutoff=0.5)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
