"""Read and write tables: CSV for people to edit, Parquet for programs."""

import contextlib
import csv
import hashlib
import logging
from collections.abc import Callable, Collection, Generator
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import DataNotFoundError, TableError, WorkbenchError
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.tables.schemas import RENAMED, TABLES
from dfworkbench.datasets.tables.spreadsheet import holds_returns, plain_cells, safe_cells
from dfworkbench.datasets.tables.strict_csv import csv_headers, strict_csv
from dfworkbench.media.foreign import MOST_EXTRA_BYTES, bounded_memory, require_cells

_log = logging.getLogger(__name__)
#: Key of `DataFrame.attrs`: notes on how a file was read, to be shown with its results.
NOTES = "reading_notes"

#: Words that mean "missing" in a numeric column. In a text column they are ordinary text.
_NO_NUMBER = ["", "NA", "N/A", "n/a", "<NA>", "#N/A", "nan", "NaN", "-nan", "NAN", "null", "NULL", "None", "none"]


def read_table(
    kind: str, path: Path | str, choose: Callable[[pd.DataFrame], pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Read and check a table.

    Args:
        kind: "video", "face" or "score".
        path: A .csv or .parquet file.
        choose: Function that selects rows before they are checked.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It cannot be read, or violates its schema.
    """
    path, doing = Path(path), f"reading a {kind} table"
    if not path.is_file():
        raise DataNotFoundError(f"{doing}: there is no file {path}. Notebook 01_data_extraction makes it.")
    if path.suffix == ".csv":
        texts = {name: "str" for name in _columns(kind, "str")}  # identities such as "007" must stay text
        frame = read_csv(path, doing, numbers=_columns(kind, "int64", "float64"), dtype=texts)
    else:
        frame = read_parquet(path, doing)
    try:
        return TABLES[kind].complete(frame if choose is None else choose(frame), path)
    except WorkbenchError:
        raise
    except Exception as error:  # cells of types that no schema expects
        raise TableError(
            f"{doing}: the cells of {path} cannot be compared with the schema ({_first_line(error)}). Expected text and numbers."
        ) from error


def write_table(kind: str, frame: pd.DataFrame, path: Path | str) -> Path:
    """Check a table and write it atomically; the suffix of `path` (.csv or .parquet) sets the format."""
    path = Path(path)
    frame = TABLES[kind].complete(frame, path)
    if path.suffix == ".csv":
        return write_csv(frame, path, f"the {kind} table")
    with atomic_path(path, f"the {kind} table") as temporary:
        frame.to_parquet(temporary, index=False)
    return path


def read_csv(path: Path, doing: str, numbers: Collection[str] | None = None, **options: Any) -> pd.DataFrame:
    """Read a CSV table written by dfworkbench (UTF-8, commas), removing the apostrophes that `write_csv` put before formulas.

    Args:
        path: The file.
        doing: What is being done, to start error messages, such as "reading splits".
        numbers: Columns in which words such as NA and None mean missing. In all other columns they are text, and only empty
            cells are missing. If not given, `options` decide.
        options: Further arguments of `pandas.read_csv`.

    Raises:
        TableError: It cannot be read, would take too much memory, or its rows do not fit its headers (`strict_csv`).
    """
    with _explained(path, doing, "CSV"):
        require_cells(path, doing, TableError)
        checked = strict_csv(path.read_bytes().decode("utf-8-sig"), f"{doing} from {path}", ",")
        if numbers is not None:
            missing = {name: _NO_NUMBER if name in numbers else [""] for name in checked.headers}
            options |= {"keep_default_na": False, "na_values": missing}
        for note in checked.notes:
            _log.warning("%s from %s: %s", doing, path, note)
        return plain_cells(checked.parse(**options).reset_index(drop=True))


def read_cells(path: Path, doing: str) -> pd.DataFrame:
    """All cells of another program's CSV file as text, under their headers, with line numbers as index.

    Columns may be separated by commas, semicolons, tabs or bars; the text may be UTF-8, UTF-16 with a byte order mark, or cp1252.

    Returns:
        The cells; `attrs[NOTES]` notes anything unusual.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is not text, would take too much memory, or is not strict CSV (`strict_csv`).
    """
    with _explained(path, doing, "CSV"):
        text, notes = _decoded(path, doing)
        checked = strict_csv(text, f"{doing} from {path}")
        cells = plain_cells(checked.parse(dtype="str", keep_default_na=False))
    cells.attrs[NOTES] = notes + checked.notes
    return cells


def read_headers(path: Path, doing: str) -> list[str]:
    """The headers of another program's CSV file; raises the errors of `read_cells` that concern the header line."""
    with _explained(path, doing, "CSV"):
        return csv_headers(_decoded(path, doing)[0], f"{doing} from {path}")


def write_csv(frame: pd.DataFrame, path: Path | str, what: str = "a table") -> Path:
    """Write a CSV table atomically, without its index, with an apostrophe before anything a spreadsheet would execute."""
    path = Path(path)
    cells = safe_cells(frame)
    # Python 3.11's writer does not quote a lone carriage return, which readers take for the end of a row
    quoting = csv.QUOTE_NONNUMERIC if holds_returns(cells) else csv.QUOTE_MINIMAL
    with atomic_path(path, what) as temporary:
        cells.to_csv(temporary, index=False, quoting=quoting)
    return path


def read_parquet(path: Path, doing: str) -> pd.DataFrame:
    """Read a Parquet file in bounded memory.

    Raises:
        TableError: It cannot be read, or would take too much memory.
    """
    import pyarrow.parquet as pq

    with _explained(path, doing, "Parquet"):
        known = pq.read_metadata(path)
        if (cells := known.num_rows * known.num_columns) * 8 > MOST_EXTRA_BYTES:  # repeats take no bytes
            raise TableError(
                f"{doing}: {path} says that it has {known.num_rows:,} rows of {known.num_columns:,} columns. Expected at "
                f"most {MOST_EXTRA_BYTES // 8:,} cells, not {cells:,}: split the table."
            )
        return pd.read_parquet(path)


def table_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of a table's content as CSV: equal rows in equal order give the same hash on every machine."""
    former = {new: old for old, new in RENAMED.items()}  # so that stored runs and protocols keep their hashes
    return hashlib.sha256(frame.rename(columns=former).to_csv(index=False).encode()).hexdigest()


def _columns(kind: str, *types: str) -> list[str]:
    return [name for name, (dtype, _) in TABLES[kind].columns.items() if dtype in types]


@contextlib.contextmanager
def _explained(path: Path, doing: str, kind: str) -> Generator[None]:
    try:
        with bounded_memory(path, doing, TableError):
            yield
    except WorkbenchError:
        raise
    except Exception as error:  # pandas and pyarrow raise many exception types
        raise TableError(
            f"{doing} from {path}: it is not a readable {kind} file ({_first_line(error)}). Expected "
            f"{'text, in UTF-8, with one line of headers' if kind == 'CSV' else 'a table'}: write it again."
        ) from error


def _decoded(path: Path, doing: str) -> tuple[str, list[str]]:
    """The decoded text of a file from another program, and notes on anything unusual."""
    if not path.is_file():
        raise DataNotFoundError(f"{doing}: there is no file {path}. Give a .csv file.")
    require_cells(path, doing, TableError)
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16"), []
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        if b"\0" in raw:
            raise
        return raw.decode("cp1252"), ["the file is not UTF-8 and was read as cp1252 (Western European Windows)"]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300] or type(error).__name__
