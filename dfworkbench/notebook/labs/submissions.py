"""Grade a folder of submitted labs: answers are read from the notebooks; none of their code is run."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, ParameterError, WorkbenchError
from dfworkbench.datasets.tables import write_csv
from dfworkbench.notebook.fields import write_value
from dfworkbench.notebook.labs import LABS, lab_class, open_lab
from dfworkbench.notebook.labs.grading import Grades
from dfworkbench.notebook.parameters import check_parameters, read_notebook, read_parameters

_MOST_BYTES = 50_000_000  # an executed lab has a few megabytes
_INJECTED = "injected-parameters"


def grade_folder(folder: Path) -> pd.DataFrame:
    """Grade all labs in a folder and its subfolders.

    The lab is identified by the notebook's metadata, else by its name. Answers are read from the parameters cell; for an executed
    notebook, those it was run with. A file that cannot be graded gets a row with the reason.

    Returns:
        One row per notebook, by path: file, lab, seed, points, of, answer_1 … (right, wrong or missing), given (the answers),
        note (why it was not graded, else "").

    Raises:
        DataNotFoundError: There is no such folder, or no notebook in it.
    """
    files = [file for file in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in file.parts]
    if not files:
        raise DataNotFoundError(
            f"grading labs: {folder} {'holds no .ipynb' if folder.is_dir() else 'is not a folder'}; expected the notebooks that "
            "were handed in, also in folders below it. Name the folder that holds them."
        )
    rows = [{"file": file.relative_to(folder).as_posix(), **_grade_row(file)} for file in files]
    columns = ["file", "lab", "seed", "points", "of", *_answer_columns(rows), "given", "note"]
    return pd.DataFrame(rows).reindex(columns=columns).astype(object).fillna("")


def write_grades(grades: pd.DataFrame, path: Path) -> Path:
    """Write the table of `grade_folder` as CSV; an existing file is replaced.

    Raises:
        ParameterError: The name does not end in .csv.
        OutputError: It cannot be written.
    """
    if path.suffix != ".csv":
        raise ParameterError(f"writing grades: {path} is not a .csv file; expected one. Name it grades.csv, say.")
    return write_csv(grades, path, "the grades")


def grade_notebook(path: Path) -> tuple[Grades, int]:
    """Grade one notebook; returns the grades and the seed of its data.

    Raises:
        ParameterError: It is not a readable notebook, or an answer has the wrong type.
        DataNotFoundError: It is not one of the labs.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ParameterError(
            f"grading {path.name}: it has {path.stat().st_size / 1e6:.0f} MB; at most {_MOST_BYTES / 1e6:.0f} were expected. "
            "Clear its outputs."
        )
    notebook = read_notebook(path)
    name = _lab_of(notebook, path)
    known = read_parameters(notebook, path.name)
    given = {key: parameter.default for key, parameter in known.items()} | _injected(notebook)
    answers = lab_class(name).answers_class(**check_parameters(given, known, path.name))
    return open_lab(name, answers.seed).grade(answers), answers.seed


def key_text(name: str, seed: int) -> str:
    """Answer key of a lab with explanations, for the teacher.

    Raises:
        UnknownNameError: There is no such lab.
    """
    lab = open_lab(name, seed)
    key = lab.key()
    answers = lab.answers_class(seed=seed, **key)
    lines = [f"{name}, seed {seed}"]
    for (answer, value), question in zip(key.items(), lab.questions(answers), strict=True):
        lines += [f"{answer} = {write_value(value)}", f"    {question.asks}", f"    {question.why}"]
    return "\n".join(lines)


def _grade_row(file: Path) -> dict[str, Any]:
    try:
        grades, seed = grade_notebook(file)
    except (WorkbenchError, OSError) as error:
        return {"note": " ".join(str(error).split())}
    words = {answer.name: answer.word for answer in grades.judged}
    given = "; ".join(f"{answer.name} {write_value(answer.given)}" for answer in grades.judged if not answer.is_missing)
    return {"lab": grades.lab, "seed": seed, "points": grades.points, "of": len(grades.judged), **words, "given": given}


def _answer_columns(rows: list[dict[str, Any]]) -> list[str]:
    return sorted({column for row in rows for column in row if column.startswith("answer_")})


def _lab_of(notebook: nbformat.NotebookNode, path: Path) -> str:
    homes = notebook.metadata.get("dfworkbench", {}).get("settings", [])
    for name in LABS:
        cls = lab_class(name).answers_class
        if f"{cls.__module__}:{cls.__name__}" in homes:
            return name
    for name in LABS:
        if path.stem.startswith(name):
            return name
    raise DataNotFoundError(
        f"grading {path.name}: it is not one of the labs; expected a copy of one of {', '.join(LABS)}. Let it be handed in again."
    )


def _injected(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """Values passed to a run beyond the parameters cell: papermill writes a cell of `name = literal` lines."""
    cells = [cell for cell in notebook.cells if _INJECTED in cell.metadata.get("tags", [])]
    return dict(pair for cell in cells for pair in _literals(cell.source))


def _literals(source: str) -> Iterator[tuple[str, Any]]:
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                yield statement.targets[0].id, ast.literal_eval(statement.value)
            except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
                continue
