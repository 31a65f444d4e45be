"""The typed `parameters` cell of a notebook: parse it, and check values against it before anything runs."""

import ast
import glob
import io
import logging
import os
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from dfworkbench.core.errors import DataNotFoundError, ParameterError
from dfworkbench.core.names import did_you_mean
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.notebook.shipped import LABS, known_notebooks

_log = logging.getLogger(__name__)

#: Former name of a parameter -> its name; former names still work.
RENAMED = {
    "kinds": "forgeries",
    "leaky": "allow_leaks",
    "trial": "allow_undertrained",
    "vgg_weights": "stage_features",
}
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
_OR_NONE = re.compile(r"\s*\|\s*None$|^None\s*\|\s*")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell: `epochs: int = 3  # passes over the training split`.

    A path is text annotated as `"Path"` or `list["Path"]`; a name or a path is annotated as `"str | Path"`. A value annotated as
    `"int | None"` may also be None, typed as `none`: the preset or the code then decides.
    """

    name: str
    type: type
    default: Any
    comment: str
    is_path: bool = False
    may_be_name: bool = False
    optional: bool = False
    item: Any = str


def find_notebook(name: str | Path, workspace: Workspace | None = None) -> Path:
    """Find the notebook file for a path, or for a name such as "02_train" or "labs/lab_1_spot_the_forgery".

    Names are resolved by `shipped.known_notebooks`; that of a lab may be given without its folder.

    Raises:
        DataNotFoundError: With the closest name.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    found = known_notebooks(workspace or find_workspace())
    known = found.get(path.stem)
    if known is not None and (len(path.parts) == 1 or path.parts[:-1] == (LABS,) == (known.parent.name,)):
        return known
    raise DataNotFoundError(
        f"there is no notebook {str(name)!r}.{did_you_mean(path.stem, found)} Known: {', '.join(sorted(found)) or 'none'}; a path "
        "to an .ipynb also works."
    )


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read the notebook at `path`; raises `ParameterError` if it is not one."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many exception types for a damaged file
        raise ParameterError(f"{path} is not a readable notebook ({str(error)[:200]}).") from None


def read_parameters(notebook: nbformat.NotebookNode, name: str = "this notebook") -> dict[str, Parameter]:
    """The parameters of a notebook in order; empty if no cell is tagged "parameters".

    Raises:
        ParameterError: A line is not `name: type = literal` with one of the types str, int, float, bool, list, "Path".
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        return {}
    source = cells[0].source
    try:
        statements, comments = ast.parse(source).body, _comments(source)
        found = [_read_line(statement, source, comments, name) for statement in statements]
    except ParameterError:
        raise
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ParameterError(
            f"{name}: the parameters cell is not Python ({str(error)[:200]}); expected lines such as epochs: int = 3. Correct it."
        ) from None
    return {parameter.name: parameter for parameter in found}


def _read_line(statement: ast.stmt, source: str, comments: Mapping[int, str], name: str) -> Parameter:
    line = source.splitlines()[statement.lineno - 1]
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or not statement.value:
        raise ParameterError(f"{name}: line {line!r} of the parameters cell must be name: type = value.")
    title = statement.target.id
    kind, words = _annotation(statement.annotation)
    if kind not in TYPES:
        raise ParameterError(
            f'{name}: parameter {title!r} is a {kind}; allowed are {", ".join(TYPES)}, "Path", and each of them with "| None".'
        )
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        raise ParameterError(
            f"{name}: the default in {line!r} of the parameters cell is computed; expected a literal. Write the value."
        ) from None
    comment = comments.get(statement.end_lineno or statement.lineno, "")
    items = [TYPES[word] for word in words & {"int", "float"}] if kind == "list" else []
    return Parameter(
        title, TYPES[kind], default, comment, "Path" in words, {"Path", "str"} <= words, "None" in words, *items[:1]
    )


def _annotation(node: ast.expr) -> tuple[str, set[str]]:
    """The type of a value, and all parts of its annotation. A string stands for the annotation that it spells."""
    text = ast.unparse(node).replace("'", "").replace('"', "")
    words = set(re.findall(r"\w+", text))
    if "Path" in words and words <= {"Path", "str", "None"}:
        return "str", words
    return _OR_NONE.sub("", text).partition("[")[0], words


def _comments(source: str) -> dict[int, str]:
    """Line number -> comment; a # inside a string is not a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}


def check_parameters(values: Mapping[str, Any], known: Mapping[str, Parameter], notebook: str) -> dict[str, Any]:
    """Convert `values` to the types of the parameters cell; text comes from a command line.

    Raises:
        ParameterError: An unknown name, with the closest one; or a value of the wrong type.
    """
    checked = {}
    for name, value in values.items():
        if name not in known and RENAMED.get(name) in known:
            _log.warning("%s: the parameter %r is now called %r", notebook, name, RENAMED[name])
            name = RENAMED[name]
        if name not in known:
            hint = did_you_mean(name, known)
            raise ParameterError(f"{notebook} has no parameter {name!r}.{hint} It takes: {', '.join(known) or 'none'}.")
        checked[name] = _convert(value, known[name], notebook)
    return checked


def place_paths(values: Mapping[str, Any], known: Mapping[str, Parameter], typed: Path, root: Path) -> dict[str, Any]:
    """Make relative paths among checked values absolute; they are relative to the folder where they were typed.

    The kernel runs in the workspace, where a relative path would mean another file. A file that exists only in the workspace is
    taken from there, with a warning. Names stay names: a value that may be a name counts as a path only if it contains a folder, or
    if it has a suffix and is a file in the folder.

    Args:
        values: Values checked by `check_parameters`.
        known: The notebook's parameters.
        typed: Folder in which the values were typed.
        root: Folder of the workspace.
    """
    return {name: _placed(value, known[name], typed, root) for name, value in values.items()}


def _placed(value: Any, parameter: Parameter, typed: Path, root: Path) -> Any:
    if not parameter.is_path or value is None:
        return value
    if isinstance(value, list):
        return [_placed(item, parameter, typed, root) for item in value]
    given = Path(value).expanduser()
    bare = given == Path(given.name) and value not in (".", "..")
    if not value or (parameter.may_be_name and bare and not (given.suffix and (typed / given).is_file())):
        return value
    if not given.is_absolute() and not _is_there(typed, given) and _is_there(root, given):
        _log.warning("%s %r is not in %s; taken from the workspace %s", parameter.name, value, typed, root)
        return str(root / given)
    return str(typed / given)  # an absolute path stays as it is


def _is_there(folder: Path, path: Path) -> bool:
    if os.path.exists(folder / path):  # noqa: PTH110 (a name that is too long is not there, and no error)
        return True
    return glob.has_magic(str(path)) and bool(glob.glob(str(path), root_dir=folder))  # noqa: PTH207 (as above)


def _convert(value: Any, parameter: Parameter, notebook: str) -> Any:
    kind = parameter.type
    if parameter.optional and (value is None or (isinstance(value, str) and value.strip().lower() == "none")):
        return None
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
        wanted = f"{kind.__name__} or none" if parameter.optional else kind.__name__
        example = "" if parameter.default is None else f", such as {parameter.default!r}"
        raise ParameterError(
            f"{notebook}: parameter {parameter.name!r} is {value!r}; it must be of type {wanted}{example}"
            + (f" ({parameter.comment})." if parameter.comment else ".")
        ) from None


def _from_text(text: str, parameter: Parameter) -> Any:
    if parameter.type is bool:
        return _WORDS[text.strip().lower()]
    if parameter.type is list:
        if text.strip().startswith("["):
            return list(ast.literal_eval(text))
        item = type(parameter.default[0]) if parameter.default else parameter.item
        return [item(part.strip()) for part in text.split(",") if part.strip()]
    return parameter.type(text)
