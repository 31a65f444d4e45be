"""Import published weights: importers by name, and the run that `dfworkbench import` writes."""

import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from dfworkbench.core.errors import CheckpointError, ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.core.provenance import file_hash, package_version, provenance
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.writer import new_run, write_imported

#: Kind -> "module:function"; the function returns (name of the detector, its options, the detector in eval mode).
IMPORTERS = {
    "caddm": "dfworkbench.methods.caddm.weights:load_caddm",
    "dfforensics": "dfworkbench.methods.mesonet.weights_dfforensics:load_dfforensics",
    "fst_matching": "dfworkbench.methods.fst_matching.weights:load_fst_matching",
    "mesonet": "dfworkbench.methods.mesonet.weights:load_mesonet",
    "mi_net": "dfworkbench.methods.mi_net.weights:load_mi_net",
    "resynthesis": "dfworkbench.methods.resynthesis.weights:load_resynthesis",
}

_NAME = r"[A-Za-z0-9][\w.+-]*"  # same as TrainSettings.name, which cannot be imported at this layer
_READERS = ("h5py", "timm", "efficientnet-pytorch")
_ABOUT_CODE = ("dfworkbench", "git_commit", "git_dirty", "python", "platform", "packages")


def load_released(kind: str, path: Path | str, **options: Any) -> LoadedDetector:
    """Load published weights.

    Args:
        kind: A key of `IMPORTERS`.
        path: The file as its authors published it.
        options: Options of the importer.

    Returns:
        A detector that can be used for scoring, explained, fine-tuned and saved like any other. It returns the log-odds of
        *fake* and carries its authors' InputSpec, whatever the file's own convention is.

    Raises:
        UnknownNameError: There is no such importer, or it has no such option.
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged, holds something else, or has values that are not finite.
    """
    module, _, function = IMPORTERS[require_name("importer", kind, IMPORTERS)].partition(":")
    load: Callable[..., tuple[str, dict[str, Any], nn.Module]] = getattr(importlib.import_module(module), function)
    known = list(inspect.signature(load).parameters)[1:]
    for option in options:
        require_name(f"option of the importer {kind!r}", option, known)
    name, build_options, detector = load(path, **options)
    _require_finite(detector, Path(path))
    record = {"detector": name, "options": build_options, "source": {"kind": kind, "file": Path(path).name}}
    spec: Any = detector.input_spec
    return LoadedDetector(detector, name, spec, record, Path(path))


def save_released(
    kind: str, path: Path | str, name: str = "", *, workspace: Workspace | None = None, **options: Any
) -> Path:
    """Write published weights as a run that can be scored, compared and trained on.

    It has weights, a best epoch (0) and a provenance with kind, file name and SHA-256 of the source and the versions of all
    packages; no settings and no history, because nothing was trained here.

    Args:
        kind: A key of `IMPORTERS`.
        path: The file as its authors published it.
        name: Name of the run; if empty, kind and file name, such as mesonet_Meso4_DF.
        workspace: The workspace it is written to.
        options: Options of the importer.

    Returns:
        The folder of the run.

    Raises:
        ParameterError: The run already exists, or the name is not a valid folder name.
        OutputError: Another process imports this run, or it cannot be written.
        UnknownNameError: See `load_released`, also for DataNotFoundError and CheckpointError.
    """
    name = require_run_name(name, Path(path)) if name else default_run_name(kind, Path(path))
    folder = (workspace or find_workspace()).checkpoints / name
    with new_run(folder) as made:
        loaded = load_released(kind, path, **options)
        source = {**loaded.metadata["source"], "sha256": file_hash(loaded.path), "options": _described(options)}
        write_imported(made, loaded, code_record() | {"detector": loaded.name, "source": source})
    return folder


def code_record() -> dict[str, Any]:
    """Code and package versions used for an import, for its provenance."""
    code = provenance({}, seed=0, tables={}, splits="")
    code["packages"] |= {name: package_version(name) for name in _READERS}
    return {key: code[key] for key in _ABOUT_CODE}


def default_run_name(kind: str, path: Path) -> str:
    """Kind and file name, such as mesonet_Meso4_DF."""
    return f"{kind}_" + re.sub(r"[^\w+-]", "_", path.name.split(".")[0], flags=re.ASCII)


def require_run_name(name: str, path: Path) -> str:
    """Return a name if it is a valid name of a run's folder.

    Raises:
        ParameterError: It is not.
    """
    if not re.fullmatch(_NAME, name):
        raise ParameterError(
            f"importing {path.name} as a run: name = {name!r}; expected a folder name of letters, digits and . _ + -, which "
            "begins with a letter or digit. Choose another, or leave it out."
        )
    return name


def _require_finite(detector: nn.Module, path: Path) -> None:
    state = detector.state_dict()
    bad = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if bad:
        raise CheckpointError(
            f"importing {path}: {len(bad)} of the {len(state)} tensors that it gives hold values that are not numbers (first: "
            f"{bad[0]!r}). Expected finite weights: the file is damaged, or its training diverged. Get it again."
        )


def _described(options: dict[str, Any]) -> dict[str, Any]:
    """Options for the record; a file is recorded by name and hash, because its path means nothing on another machine."""
    files = {name: Path(value) for name, value in options.items() if isinstance(value, str | Path) and value}
    described = {name: {"file": file.name, "sha256": file_hash(file)} for name, file in files.items() if file.is_file()}
    return {**options, **described}
