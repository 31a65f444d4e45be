"""Exceptions: every error that dfworkbench raises on purpose.

A message has four parts: what was being done, the value seen, what was expected, and what to do. All errors derive from
`WorkbenchError`, so a caller can tell wrong input from a bug in dfworkbench.
"""


class WorkbenchError(Exception):
    """Base class of all errors raised on purpose."""


class UnknownNameError(WorkbenchError, KeyError):
    """A name that is not in a list of known names (detector, layout, method, column)."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class ParameterError(WorkbenchError, ValueError):
    """A setting is misspelt, missing or out of range."""


class InputError(WorkbenchError, ValueError):
    """Images that do not match a detector's InputSpec, or arrays of the wrong shape."""


class MediaError(WorkbenchError):
    """A media file cannot be used. `status` is the word that goes into the tables."""

    def __init__(self, message: str, status: str = "unreadable") -> None:
        super().__init__(message)
        self.status = status


class DataNotFoundError(WorkbenchError, FileNotFoundError):
    """A folder or file does not exist, or does not contain what was expected."""


class TableError(WorkbenchError, ValueError):
    """A table breaks its schema."""


class SplitLeakError(WorkbenchError):
    """An identity or a video is in more than one split."""


class CheckpointError(WorkbenchError):
    """A checkpoint cannot be read, or belongs to something else."""


class DeviceError(WorkbenchError):
    """The requested device is not available."""


class OutputError(WorkbenchError, OSError):
    """A result cannot be written: read-only folder, full disk."""


class DownloadError(WorkbenchError):
    """A file cannot be downloaded, or is not the one that was expected."""


class MissingDependencyError(WorkbenchError, ImportError):
    """An optional package is not installed."""


class NotebookError(WorkbenchError):
    """A notebook stopped in one of its cells."""


class AnswerError(WorkbenchError):
    """An answer of a lab is missing or wrong."""

    def _render_traceback_(self) -> list[str]:
        """Shown by IPython instead of a traceback: a student's answer is wrong, not the code."""
        return [f"{type(self).__name__}: {self}"]
