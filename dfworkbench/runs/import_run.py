"""Published weights as a run of ours: a folder of checkpoints/ that can be scored, compared and trained on."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.provenance import file_hash, package_version, provenance
from dfworkbench.core.workspace import Workspace, explain_write, find_workspace
from dfworkbench.runs.checkpoints import epoch_file, save_detector
from dfworkbench.runs.released import load_released

#: The weights as published, before any epoch of ours: trained runs count from 1.
IMPORTED_EPOCH = 0

_NAME = r"[A-Za-z0-9][\w.+-]*"  # as TrainSettings.name, which this floor cannot import
_ABOUT_CODE = ("dfworkbench", "git_commit", "git_dirty", "python", "platform", "packages")


def save_released(
    kind: str, path: Path | str, name: str = "", *, workspace: Workspace | None = None, **options: Any
) -> Path:
    """Write published weights as a run.

    The folder holds what `load_detector` and notebook 03_inference need: epoch_000.safetensors, best.json, which names it,
    and provenance.json with kind, file name and SHA-256 of the source and the versions of all packages. There are no
    settings.json and no history.csv, because nothing was trained here.

    Args:
        kind: Whose, a key of `IMPORTERS`.
        path: The file as its authors published it.
        name: Of the run; empty takes the kind and the name of the file, such as mesonet_Meso4_DF.
        workspace: Where its checkpoints/ lies.
        options: Of the importer.

    Returns:
        The folder, written whole or not at all.

    Raises:
        ParameterError: There is a run of this name, or the name is not one.
        UnknownNameError: As `load_released`.
        DataNotFoundError: As `load_released`.
        CheckpointError: As `load_released`.
        OutputError: The folder cannot be written.
    """
    runs = (workspace or find_workspace()).checkpoints
    folder = runs / _run_name(name, kind, Path(path))
    _require_free(folder)
    loaded = load_released(kind, path, **options)
    record = _provenance(
        {**loaded.metadata["source"], "sha256": file_hash(loaded.path), "options": _described(options)}
    )
    record["detector"] = loaded.name
    metadata = {"epoch": IMPORTED_EPOCH, "metrics": {}, "provenance": record}
    with explain_write(folder, "imported weights"):
        runs.mkdir(parents=True, exist_ok=True)
        # two folders deep, so that no list of runs shows it while it is half-written
        with tempfile.TemporaryDirectory(prefix=".import-", dir=runs) as scratch:
            made = Path(scratch) / folder.name
            file = epoch_file(made, IMPORTED_EPOCH)
            save_detector(file, loaded.detector, loaded.name, loaded.metadata["options"], metadata)
            _write_json(made / "best.json", {"epoch": IMPORTED_EPOCH, "file": file.name, "val": {}})
            _write_json(made / "provenance.json", record)
            made.rename(folder)  # refuses a folder with files that another process wrote meanwhile
    return folder


def _run_name(name: str, kind: str, path: Path) -> str:
    if not name:
        return f"{kind}_" + re.sub(r"[^\w+-]", "_", path.name.split(".")[0], flags=re.ASCII)
    if not re.fullmatch(_NAME, name):
        raise ParameterError(
            f"importing {path.name} as a run: name = {name!r}; expected a folder name of letters, digits and . _ + -, which "
            "begins with a letter or digit. Choose another, or leave it out."
        )
    return name


def _require_free(folder: Path) -> None:
    if folder.exists():
        raise ParameterError(
            f"importing weights as the run {folder.name!r}: {folder} exists already, and runs are not overwritten. Give another "
            "name (--name on the command line), or delete that folder."
        )


def _described(options: dict[str, Any]) -> dict[str, Any]:
    """The options for the record: of a file its name and hash, because paths say nothing on another machine."""
    files = {name: Path(value) for name, value in options.items() if isinstance(value, str | Path) and value}
    described = {name: {"file": file.name, "sha256": file_hash(file)} for name, file in files.items() if file.is_file()}
    return {**options, **described}


def _provenance(source: dict[str, Any]) -> dict[str, Any]:
    made = provenance({}, seed=0, tables={}, splits="")
    record = {key: made[key] for key in _ABOUT_CODE} | {"source": source}
    record["packages"]["h5py"] = package_version("h5py")
    return record


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
