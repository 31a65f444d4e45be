"""Words that mean the same everywhere: labels, splits, statuses, forgery kinds; and the look-up of a name."""

import difflib
from collections.abc import Iterable

from dfworkbench.core.errors import UnknownNameError

REAL = 0
FAKE = 1

SPLITS = ("train", "val", "test")

#: The five kinds of FaceForensics++, spelled as its folders are.
FORGERY_KINDS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
#: Kinds of FaceForensics++ that put in an expression and leave the face; the others put in a face.
REENACTMENTS = ("Face2Face", "NeuralTextures")
COMPRESSIONS = ("raw", "c23", "c40")

#: A file of this name says that everything below its folder is generated: no real person is shown.
GENERATED_MARKER = "generated.json"

#: What can have become of a video or an image. Only "ok" rows have faces.
STATUS_OK = "ok"
STATUSES = (STATUS_OK, "unreadable", "truncated", "no_face", "error", "missing")


def require_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known, otherwise raise an error that names the closest ones.

    Args:
        kind: What is being named, for the message ("detector", "dataset layout").
        name: The name to look up.
        known: All valid names.

    Raises:
        UnknownNameError: With the closest spelling, or with all names where none is close.
    """
    names = sorted(known)
    if name in names:
        return name
    close = difflib.get_close_matches(str(name), names, n=2, cutoff=0.5)
    if close:
        hint = f"Did you mean {' or '.join(map(repr, close))}?"
        rest = f" There are {len(names)}: {', '.join(names)}."
    else:
        hint, rest = f"Known: {', '.join(names) or 'none'}.", ""
    raise UnknownNameError(f"no {kind} is called {name!r}. {hint}{rest}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The question that names the closest of `known`, such as "Did you mean 'epochs'? "; "" where none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}? " if close else ""
