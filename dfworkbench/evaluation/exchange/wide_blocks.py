"""Read a wide table (CSV, CSV in gzip, Parquet) block by block, so that a million rows need little memory.

Only requested columns are kept. The parser refuses rows with too few or too many cells.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.datasets.tables.strict_csv import strict_csv

_DOING = "reading a table of scores"
_BLOCK = 1 << 23
_MOST_BYTES = 20 * 10**9  # limit of decompressed text
_MOST_COLUMNS = 10_000
_BLANK = pa.array(["", "nan", "none", "null", "na", "n/a"])


class WideFile(NamedTuple):
    """A table that can be read block by block.

    Attributes:
        path: The file.
        headers: Its columns.
        separator: Cell separator of a text table; "" for Parquet.
        encoding: Encoding of a text table.
        notes: Anything unusual about it.
    """

    path: Path
    headers: list[str]
    separator: str
    encoding: str
    notes: list[str]

    def blocks(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield blocks of some columns: cells as text, or with the types of a Parquet file.

        Raises:
            TableError: The file is damaged, or a row has too few or too many cells.
        """
        try:
            yield from self._parquet(names) if not self.separator else self._text(names)
        except (pa.ArrowException, OSError, EOFError, UnicodeError, zlib.error) as error:
            raise TableError(
                f"{_DOING}: {self.path} cannot be read ({str(error).splitlines()[0][:300]}). Expected a table with as "
                "many cells in every row as there are headers: correct the row, or write the file again."
            ) from None

    def _parquet(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(batch_size=1 << 16, columns=list(names))

    def _text(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        # Arrow reads ahead in a thread. With a Python file object it would need the interpreter, and abort if that exits meanwhile.
        with pa.input_stream(str(self.path), "gzip" if _is_packed(self.path) else None) as stream:
            reader = arrow_csv.open_csv(
                stream,
                arrow_csv.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK,
                    column_names=self.headers,
                    skip_rows=1,
                    encoding=self.encoding.removesuffix("-sig"),
                ),
                arrow_csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    include_columns=list(names),
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=False,
                ),
            )
            with reader:
                yield from reader


def open_wide(path: Path | str) -> WideFile:
    """Open a table and read its headers.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It is empty, not a table, or larger than 20 GB when decompressed.
    """
    path = Path(path)
    if not path.is_file():
        raise DataNotFoundError(f"{_DOING}: there is no file {path}. Give a .csv, .csv.gz or .parquet file.")
    if path.suffix == ".parquet":
        try:
            headers = [str(name) for name in pq.read_schema(path).names]
        except (pa.ArrowException, OSError) as error:
            raise TableError(
                f"{_DOING}: {path} is not a readable Parquet file ({str(error).splitlines()[0][:300]}). Expected a table: write it "
                "again."
            ) from None
        return WideFile(path, headers, "", "", [])
    try:
        encoding, notes = _encoding(path)
        with _opened(path) as raw, io.TextIOWrapper(raw, encoding, newline="") as text:
            first = text.readline(10**6)
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise TableError(f"{_DOING}: {path} cannot be read ({error}). Expected text or gzip: get it again.") from None
    checked = strict_csv(first, f"{_DOING} from {path}")
    width = len(next(csv.reader([first], delimiter=checked.separator)))
    headers = [*(name.strip() for name in checked.headers)]
    headers += [f"column {at + 1}" for at in range(len(headers), width)]
    if width > _MOST_COLUMNS:
        raise TableError(f"{_DOING}: {path} has {width:,} columns; expected at most {_MOST_COLUMNS:,}. Leave some out.")
    return WideFile(path, headers, checked.separator, encoding, notes)


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if _is_packed(path) else path.open("rb")  # pyright: ignore[reportReturnType]


def _encoding(path: Path) -> tuple[str, list[str]]:
    """The encoding of a text file, and anything unusual about it; reads the whole file once."""
    seen, decoder = 0, codecs.getincrementaldecoder("utf-8-sig")()
    with _opened(path) as stream:
        while block := stream.read(1 << 22):
            if not seen and block[:2] in (b"\xff\xfe", b"\xfe\xff"):
                return "utf-16", []
            seen += len(block)
            if seen > _MOST_BYTES:
                raise TableError(
                    f"{_DOING}: {path} holds more than {_MOST_BYTES / 1e9:.0f} GB of text. Expected less: split it, "
                    "or write Parquet."
                )
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return "cp1252", ["the file is not UTF-8 and was read as cp1252 (Western European Windows)"]
    return "utf-8-sig" if seen else "utf-8", []


def numbers_of(cells: pa.Array) -> NDArray[np.float64] | None:
    """Cells as numbers, NaN for missing; None if a cell is not a number."""
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type) or pa.types.is_boolean(cells.type):
        plain = cells.cast(pa.float64())
    elif pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        bare = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        blank = pc.is_in(pc.utf8_lower(bare), value_set=_BLANK)
        try:
            plain = pc.cast(pc.if_else(blank, pa.scalar(None, pa.string()), bare), pa.float64())
        except pa.ArrowInvalid:
            return None
    elif pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    else:
        return None
    values = plain.to_numpy(zero_copy_only=False).astype(np.float64)
    return None if np.isinf(values).any() else values


def texts_of(cells: pa.Array) -> pa.Array:
    """Cells as stripped text, "" for missing."""
    return pc.utf8_trim_whitespace(pc.fill_null(cells.cast(pa.string()), ""))
