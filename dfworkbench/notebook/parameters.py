"""The typed `parameters` cell of a notebook: reading it, and checking values against it before anything runs."""

import ast
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from dfworkbench.errors import DataNotFoundError, ParameterError
from dfworkbench.workspace import Workspace, find_workspace

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: `epochs: int = 3  # passes over the training split`."""

    name: str
    type: type
    default: Any
    comment: str


def find_notebook(name: str | Path, workspace: Workspace | None = None) -> Path:
    """The notebook file that a name means: a path, or a stem such as "02_train" in notebooks/.

    Raises:
        DataNotFoundError: With the closest name.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    found: dict[str, Path] = {}
    # a workspace may hold its own copies; the ones that came with the package stand beside it
    for folder in (Path(__file__).parents[2] / "notebooks", (workspace or find_workspace()).root / "notebooks"):
        found |= {file.stem: file.resolve() for file in sorted(folder.glob("[0-9]*.ipynb"))}
    if path.stem in found and len(path.parts) == 1:
        return found[path.stem]
    close = difflib.get_close_matches(path.stem, found, n=1, cutoff=0.3)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    raise DataNotFoundError(
        f"there is no notebook {str(name)!r}. {hint}Known: {', '.join(sorted(found)) or 'none'}; a path to an .ipynb also works."
    )


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path`, or `ParameterError` where it is not one."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds for a damaged file
        raise ParameterError(f"{path} is not a readable notebook ({str(error)[:200]}).") from None


def read_parameters(notebook: nbformat.NotebookNode, name: str = "this notebook") -> dict[str, Parameter]:
    """The parameters of a notebook in their order; empty where no cell is tagged "parameters".

    Raises:
        ParameterError: A line is not `name: type = literal` with one of the types str, int, float, bool, list.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        return {}
    source = cells[0].source
    try:
        return _read_lines(source, name)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(
            f"{name}: its parameters cell cannot be read ({str(error)[:200]}). Expected lines such as epochs: int = 3."
        ) from None


def _read_lines(source: str, name: str) -> dict[str, Parameter]:
    lines = source.splitlines()
    found = {}
    for statement in ast.parse(source).body:
        if (
            not isinstance(statement, ast.AnnAssign)
            or not isinstance(statement.target, ast.Name)
            or not statement.value
        ):
            raise ParameterError(
                f"{name}: line {lines[statement.lineno - 1]!r} of the parameters cell must be name: type = value."
            )
        kind = ast.unparse(statement.annotation).partition("[")[0]
        if kind not in TYPES:
            raise ParameterError(
                f"{name}: parameter {statement.target.id!r} is a {kind}; allowed are {', '.join(TYPES)}."
            )
        comment = lines[(statement.end_lineno or statement.lineno) - 1].partition("#")[2].strip()
        found[statement.target.id] = Parameter(
            statement.target.id, TYPES[kind], ast.literal_eval(statement.value), comment
        )
    return found


def check_parameters(values: Mapping[str, Any], known: Mapping[str, Parameter], notebook: str) -> dict[str, Any]:
    """`values` with the types of the parameters cell. Text, as it comes from a command line, is converted.

    Raises:
        ParameterError: An unknown name, with the closest one; or a value of the wrong type.
    """
    checked = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ParameterError(f"{notebook} has no parameter {name!r}. {hint}It takes: {', '.join(known) or 'none'}.")
        checked[name] = _convert(value, known[name], notebook)
    return checked


def _convert(value: Any, parameter: Parameter, notebook: str) -> Any:
    kind = parameter.type
    try:
        if isinstance(value, str) and kind is not str:
            return _from_text(value, parameter)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is kind:
            return value
        if kind is list and isinstance(value, tuple):
            return list(value)
        if kind is str and isinstance(value, Path):
            return str(value)
        raise ValueError
    except (ValueError, SyntaxError, KeyError):
        raise ParameterError(
            f"{notebook}: parameter {parameter.name!r} is {value!r}; it must be of type {kind.__name__}, "
            f"such as {parameter.default!r}" + (f" ({parameter.comment})." if parameter.comment else ".")
        ) from None


def _from_text(text: str, parameter: Parameter) -> Any:
    if parameter.type is bool:
        return _WORDS[text.strip().lower()]
    if parameter.type is list:
        if text.strip().startswith("["):
            return list(ast.literal_eval(text))
        item = type(parameter.default[0]) if parameter.default else str
        return [item(part.strip()) for part in text.split(",") if part.strip()]
    return parameter.type(text)
