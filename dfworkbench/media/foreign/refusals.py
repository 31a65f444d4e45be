"""Common wrapper of all readers of untrusted weight and result files: memory limit, and actionable errors."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, WorkbenchError
from dfworkbench.media.foreign.memory import bounded_memory


class RefusedError(Exception):
    """Raised for content that is not read; the message continues after "holds"."""


@contextlib.contextmanager
def explain_reading(path: Path, kind: str, *, doing: str, expected: str, where_to_get: str) -> Generator[None]:
    """Context manager: read a file in bounded memory, and turn any exception of its reader into one of our errors.

    Args:
        path: The file.
        kind: What it should be, for messages about damaged files: "a pickle of arrays".
        doing: The current action, with which messages begin: "importing CADDM weights".
        expected: What such a file should contain: "{'model': tensors by name, …}".
        where_to_get: A sentence without full stop on how to get the file: "Get it from https://…".

    Raises:
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: It is damaged, or contains something else; the message says what was seen and expected.
    """
    if not path.is_file():
        raise DataNotFoundError(f"{doing}: {path} does not exist. {where_to_get}, or check the path.")
    try:
        with bounded_memory(path, doing, CheckpointError):
            yield
    except WorkbenchError:
        raise
    except RefusedError as error:
        raise CheckpointError(
            f"{doing}: {path} holds {error}. Expected {expected}, and nothing else; it was not loaded. {where_to_get}."
        ) from None
    except Exception as error:  # readers of damaged files raise any exception type
        seen = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise CheckpointError(
            f"{doing}: {path} is damaged or not {kind} ({seen}). Expected {expected}. Get it again, and compare the sizes."
        ) from error
