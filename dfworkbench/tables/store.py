"""Reading and writing tables: CSV for what people edit, Parquet for what programs write."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from dfworkbench.errors import DataNotFoundError, TableError
from dfworkbench.tables.schemas import TABLES
from dfworkbench.workspace import atomic_path


def read_table(
    kind: str, path: Path | str, choose: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Read and check a table.

    Args:
        kind: "video", "face" or "score".
        path: A .csv or .parquet file.
        choose: Takes the rows before they are checked, and gives those that are wanted.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be read, or breaks its schema.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(
            f"reading a {kind} table: there is no file {path}. Notebook 01_data_extraction makes it."
        )
    try:
        frame = pd.read_csv(path, dtype=_csv_types(kind)) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise TableError(f"reading a {kind} table: {path} is not a readable {path.suffix} file ({error}).") from error
    return TABLES[kind].complete(frame if choose is None else choose(frame), path)


def write_table(kind: str, frame: pd.DataFrame, path: Path | str) -> Path:
    """Check a table and write it in one step; the suffix of `path` (.csv or .parquet) says how."""
    path = Path(path)
    frame = TABLES[kind].complete(frame, path)
    with atomic_path(path, f"the {kind} table") as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
    return path


def table_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of a table's content as CSV: the same rows in the same order give the same hash on every machine."""
    return hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest()


def _csv_types(kind: str) -> dict[str, str]:
    # identities such as "007" must stay text
    return {name: "str" for name, (dtype, _) in TABLES[kind].columns.items() if dtype == "str"}
