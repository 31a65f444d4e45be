"""Choices for dropdowns (detectors, methods, layouts, data sets, runs), uploads, and hints about a typed path."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from dfworkbench.core.names import require_name
from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace
from dfworkbench.models.registry import ENCODERS, load_builder
from dfworkbench.models.timm_names import PREFIX, SUGGESTED
from dfworkbench.notebook.published import checkpoint_labels, checkpoints
from dfworkbench.runs.run import Run


@dataclass(frozen=True)
class Choice:
    """The names that a text setting may take.

    Attributes:
        kind: What the names refer to, for messages.
        names: Called when the panel is built, so that it shows what exists now.
        closed: Whether a name outside the list is an error. Lists of data sets and runs change, so they are open.
        prefix: Prefix of names allowed outside a closed list; they are typed, and looked up by `check`.
        labels: Dropdown labels for these names.
    """

    kind: str
    names: Callable[[], Sequence[str]]
    closed: bool = True
    prefix: str = ""
    labels: Callable[[Sequence[str]], Sequence[str]] = list

    def options(self, current: str) -> list[str]:
        """Names for a dropdown, including the current one.

        Raises:
            UnknownNameError: The list is closed and does not hold `current`.
        """
        names = list(self.names())
        if current in names:
            return names
        self.check(current)
        return [current, *names]

    def check(self, name: str) -> None:
        """Raise `UnknownNameError` if the list is closed, lacks `name`, and timm has no network of this name."""
        if self.prefix and name.startswith(self.prefix):
            load_builder(name)
        elif self.closed:
            require_name(self.kind, name, self.names())


#: Prefixes of detectors that have their own training method.
_OWN_METHOD = ("caddm_", "fst_matching", "mi_net_", "resynthesis_")


def detectors() -> list[str]:
    """Names of all detectors."""
    from dfworkbench.models import list_detectors

    return list(list_detectors())


def detectors_and_timm() -> list[str]:
    """Names of all detectors, and of selected timm networks."""
    return [*detectors(), *SUGGESTED]


def plain_detectors() -> list[str]:
    """Names of all detectors without their own training method, and of selected timm networks."""
    return [name for name in detectors_and_timm() if not name.startswith(_OWN_METHOD)]


def encoders() -> list[str]:
    """Names of all identity encoders."""
    return sorted(ENCODERS)


def methods() -> list[str]:
    """Names of all training methods, and auto."""
    from dfworkbench.training.registry import list_methods

    return ["auto", *list_methods()]


def layouts() -> list[str]:
    """Names of all dataset layouts."""
    from dfworkbench.datasets import LAYOUTS

    return sorted(LAYOUTS)


def datasets(workspace: Workspace | None = None) -> list[str]:
    """Extracted data sets: folders in labels/ with a video table."""
    from dfworkbench.datasets.dataset import DataSet

    return DataSet.names(workspace)


#: Field name -> its choices. Other plain-text fields get a text box.
CHOICES: dict[str, Choice] = {
    "caddm": Choice("CADDM detector", lambda: [name for name in detectors() if name.startswith("caddm_")]),
    "checkpoint": Choice("checkpoint", checkpoints, closed=False, labels=checkpoint_labels),
    "dataset": Choice("data set", datasets, closed=False),
    "detector": Choice("detector", detectors_and_timm, prefix=PREFIX),
    "encoder": Choice("encoder of identity", encoders),
    "layout": Choice("dataset layout", layouts),
    "method": Choice("training method", methods),
    "plain": Choice("plain detector", plain_detectors, prefix=PREFIX),
    "second": Choice("data set", datasets, closed=False),
    "second_layout": Choice("dataset layout", layouts),
    "start_from": Choice("checkpoint", Run.names, closed=False),
}


def save_upload(name: str, content: bytes, workspace: Workspace | None = None) -> Path:
    """Save a file uploaded in the browser to data/uploads/ of the workspace."""
    # a browser may send a path; only its last part is a name
    path = (workspace or find_workspace()).data / "uploads" / PureWindowsPath(name).name
    with atomic_path(path, "an uploaded file") as temporary:
        temporary.write_bytes(content)
    return path


def describe_path(text: str, workspace: Workspace | None = None) -> tuple[bool, str]:
    """Whether a typed path exists, and what is there, in a few words. Relative paths are relative to the workspace."""
    from dfworkbench.media import kind_by_name, media_kind

    if not text.strip():
        return True, ""
    path = (workspace or find_workspace()).root / Path(text.strip()).expanduser()
    if path.is_dir():
        try:
            entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        except OSError as error:
            return False, f"a folder that cannot be listed ({error.strerror})"
        folders = sum(entry.is_dir() for entry in entries)
        # judged by name: no file is opened while somebody types
        media = sum(kind_by_name(entry) is not None for entry in entries if entry.is_file())
        others = len(entries) - folders - media
        return True, f"folder with {folders} sub-folders, {media} videos or pictures and {others} other files"
    if path.is_file():
        kind = media_kind(path)
        if kind is None:
            return False, "a file, but not a video or picture"
        size = path.stat().st_size
        return True, f"{kind}, " + (f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):.0f} kB")
    nearest = next(parent for parent in path.parents if parent.exists())
    return False, f"does not exist (it does up to {nearest})"
