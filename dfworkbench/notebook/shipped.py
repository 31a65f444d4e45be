"""The notebooks that ship with dfworkbench, and their copies in a workspace.

A wheel contains them as package data, a clone has them in `notebooks/`. `dfworkbench lab` copies them into the workspace, where
they may be edited. A record of the copies distinguishes edited notebooks from those that a newer version may replace.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dfworkbench
from dfworkbench.core.workspace import Workspace, atomic_path

#: In the notebooks/ folder of a workspace: name of a copied notebook -> hash of its cells when it was copied.
RECORD = ".dfworkbench.json"
#: Subfolder of notebooks/ with the graded labs.
LABS = "labs"
_PATTERNS = ("[0-9]*.ipynb", f"{LABS}/lab_[0-9]*.ipynb")


@dataclass(frozen=True)
class Copied:
    """Result of `copy_notebooks`, as file names.

    Attributes:
        new: Copied, because the workspace had no notebook of this name.
        updated: Replaced by a newer version; they had not been edited or run.
        kept: Edited or run here, and therefore kept although there is a newer version.
        unchanged: Number of notebooks that were up to date.
    """

    new: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unchanged: int = 0

    def __str__(self) -> str:
        counts = ((len(self.new), "new"), (len(self.updated), "updated"), (self.unchanged, "as they were"))
        text = ", ".join(f"{count} {word}" for count, word in counts if count)
        if not self.kept:
            return text
        return (
            f"{text}{', ' if text else ''}{len(self.kept)} kept, because you edited or ran them: {', '.join(self.kept)}. "
            + (
                f"dfworkbench {dfworkbench.__version__} has newer ones: to get one, rename yours and start `dfworkbench lab` again."
            )
        )


def shipped_folder() -> Path:
    """Folder of the notebooks that ship with dfworkbench; do not modify them there."""
    package = Path(dfworkbench.__file__).parent
    packaged = package / "notebooks"
    return packaged if packaged.is_dir() else package.parent / "notebooks"


def known_notebooks(workspace: Workspace) -> dict[str, Path]:
    """Name without folder and suffix -> file, for all numbered notebooks and labs that can be run.

    A notebook in the workspace takes precedence over the shipped one of the same name, unless it is an unedited copy: after an
    update, the shipped notebook fits the package and the copy may not.
    """
    found = {file.stem: file.resolve() for file in _numbered(shipped_folder())}
    if not _is_shipped(workspace.notebooks):
        copied = _read_record(workspace.notebooks)
        for file in _numbered(workspace.notebooks):
            name = _name_in(workspace.notebooks, file)
            if file.stem not in found or _cells_hash(file) != copied.get(name, ""):
                found[file.stem] = file.resolve()
    return found


def copy_notebooks(workspace: Workspace) -> Copied:
    """Copy the shipped notebooks into a workspace. Notebooks that were edited or run there are kept.

    In a clone, whose `notebooks/` is the shipped folder, nothing is copied.

    Raises:
        OutputError: The folder cannot be written to.
    """
    folder, done = workspace.notebooks, {"new": [], "updated": [], "kept": [], "unchanged": []}
    source_folder = shipped_folder()
    shipped = _numbered(source_folder)
    if _is_shipped(folder):
        return Copied(unchanged=len(shipped))
    before = _read_record(folder)
    after = dict(before)
    for source in shipped:
        name, hashed = _name_in(source_folder, source), _cells_hash(source)
        target = folder / name
        what = _what_to_do(target, hashed, before.get(name))
        if what in ("new", "updated"):
            with atomic_path(target, "a notebook") as temporary:
                shutil.copyfile(source, temporary)
        if hashed and _cells_hash(target) == hashed:
            after[name] = hashed
        done[what].append(name)
    if after != before:
        with atomic_path(folder / RECORD, "the record of the copied notebooks") as temporary:
            temporary.write_text(json.dumps(after, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Copied(tuple(done["new"]), tuple(done["updated"]), tuple(done["kept"]), len(done["unchanged"]))


def _what_to_do(target: Path, shipped: str | None, copied: str | None) -> str:
    """The action for a notebook at `target`, decided by hashes of cells; one of the fields of `Copied`."""
    if not target.exists():
        return "new"
    now = _cells_hash(target)
    if now is not None and now == shipped:
        return "unchanged"
    if now is not None and now == copied and not _has_outputs(target):
        return "updated"
    return "unchanged" if copied == shipped else "kept"  # edited; is there a newer version?


def _numbered(folder: Path) -> list[Path]:
    return [file for pattern in _PATTERNS for file in sorted(folder.glob(pattern))]


def _name_in(folder: Path, file: Path) -> str:
    """The name of a notebook in the record: `00_start_here.ipynb`, `labs/lab_1_spot_the_forgery.ipynb`."""
    return file.relative_to(folder).as_posix()


def _is_shipped(folder: Path) -> bool:
    return folder.is_dir() and folder.samefile(shipped_folder())


def _read_record(folder: Path) -> dict[str, str]:
    """The record; empty if missing or damaged, so that all notebooks count as edited."""
    record = _read_json(folder / RECORD)
    return {name: value for name, value in record.items() if isinstance(value, str)}


def _cells(path: Path) -> list[dict[str, Any]]:
    cells = _read_json(path).get("cells", [])
    return [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []


def _cells_hash(path: Path) -> str | None:
    """Hash of what users edit: kind, source and tags of the cells. JupyterLab changes the rest whenever it saves."""
    kept = [
        [cell.get("cell_type"), "".join(cell.get("source", "")), cell.get("metadata", {}).get("tags", [])]
        for cell in _cells(path)
    ]
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest() if kept else None


def _has_outputs(path: Path) -> bool:
    return any(cell.get("outputs") for cell in _cells(path))


def _read_json(path: Path) -> dict[str, Any]:
    # not with nbformat, which takes a second to import: the command line calls this for every notebook
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
