"""The frame around every reader of an untrusted weight or result file: memory limit, and errors that say what to do."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, WorkbenchError
from dfworkbench.media.foreign.memory import bounded_memory


class RefusedError(Exception):
    """What a file holds that is not read; the message goes on after "holds"."""


@contextlib.contextmanager
def explain_reading(path: Path, kind: str, *, doing: str, expected: str, where_to_get: str) -> Generator[None]:
    """Read a file in bounded memory, and turn whatever its reader raises into an error of ours.

    Args:
        path: The file.
        kind: What it should be, for a damaged file: "a pickle of arrays".
        doing: What is being done, as messages begin: "importing CADDM weights".
        expected: What such a file holds: "{'model': tensors by name, …}".
        where_to_get: A sentence without full stop on how to come by the file: "Get it from https://…".

    Raises:
        DataNotFoundError: There is no such file; says where to get it.
        CheckpointError: It is damaged, or holds something else; says what was seen and expected.
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
    except Exception as error:  # readers of damaged files raise any kind
        seen = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise CheckpointError(
            f"{doing}: {path} is damaged or not {kind} ({seen}). Expected {expected}. Get it again, and compare the sizes."
        ) from error
