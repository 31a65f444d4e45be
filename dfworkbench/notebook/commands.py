"""Batch commands equivalent to running a notebook with given settings."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import find_workspace
from dfworkbench.notebook.fields import default_values, flat_values, read_fields, write_value

#: Subcommand -> settings class whose fields are its flags. Imported on use.
SUBCOMMANDS: dict[str, str] = {
    "demo-data": "dfworkbench.synthetic:DemoSettings",
    "extract": "dfworkbench.extraction:ExtractSettings",
    "train": "dfworkbench.training:TrainSettings",
    "score": "dfworkbench.evaluation.scoring.settings:ScoreSettings",
    "zoo score": "dfworkbench.evaluation.scoring.settings:ScoreSettings",
    "zoo check": "dfworkbench.evaluation.scoring.settings:ScoreSettings",
    "judge": "dfworkbench.evaluation.exchange.judge_file:JudgeSettings",
    "report": "dfworkbench.evidence.settings:EvidenceSettings",
}


def batch_command(settings: Settings, notebook: str | None = None) -> str:
    """One terminal command, with the preset and only what differs from it and from the defaults.

    `dfworkbench run NOTEBOOK -p …` where the notebook has a parameter for everything that was changed, otherwise the
    subcommand that takes every setting as a flag. Empty if there is neither.
    """
    governed = settings.preset_values(getattr(settings, "preset", ""))
    changed = _changed(settings, default_values(type(settings)) | governed)
    parameters = notebook_defaults(notebook)
    if parameters is not None and all(_leaf(name) in parameters for name in changed):
        values = {_leaf(name): value for name, value in _placed(settings).items()}
        values |= {
            name: None for name in governed if name not in changed and parameters.get(name) is None
        }  # set by the preset
        return run_command(str(notebook), values, parameters)
    subcommand = next(
        (name for name, home in SUBCOMMANDS.items() if home.endswith(f":{type(settings).__name__}")), None
    )
    if subcommand is None:
        return ""
    words, placed, fields = [], _placed(settings), read_fields(type(settings))
    for name in changed:
        value, flag = placed[name], fields[name].flag
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, write_value(value)]
    return shlex.join(["dfworkbench", subcommand, *words])


def run_command(notebook: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """`dfworkbench run NOTEBOOK -p …` with what differs from the notebook's defaults; values that it does not take are omitted."""
    differ = {
        name: values[name]
        for name in defaults
        if name in values
        and not (values[name] is None if defaults[name] is None else _same(values[name], defaults[name]))
    }
    words = [word for name, value in differ.items() for word in ("-p", name, _parameter_text(value))]
    return shlex.join(["dfworkbench", "run", notebook, *words])


def _placed(settings: Settings) -> dict[str, Any]:
    """All values with absolute paths, since a terminal may be in another folder. Media paths are relative to the workspace."""
    values = flat_values(settings)
    for name, field in read_fields(type(settings)).items():
        if field.kind == "path" and values[name]:
            folder = find_workspace().root if field.media else Path.cwd()
            values[name] = str(folder / Path(values[name]).expanduser())
    return values


def _leaf(name: str) -> str:
    return name.rpartition(".")[2]  # a notebook has min_face_px where settings have faces.min_face_px


def _changed(settings: Settings, defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flat_values(settings).items() if not _same(value, defaults[name])}


def _same(value: Any, default: Any) -> bool:
    # parameter cells have neither None nor Path: "" stands for None, text for a path
    return value == default or _parameter_text(value) == _parameter_text(default)


def _parameter_text(value: Any) -> str:
    return "" if value is None else write_value(value)


def notebook_defaults(notebook: str | None) -> dict[str, Any] | None:
    """Name -> default of a notebook's parameters; None if there is no such notebook."""
    if notebook is None:
        return None
    from dfworkbench.notebook.parameters import find_notebook, read_notebook, read_parameters  # nbformat takes seconds

    try:
        path = find_notebook(notebook)
    except DataNotFoundError:  # the package was installed without its notebooks
        return None
    return {name: item.default for name, item in read_parameters(read_notebook(path), notebook).items()}
