"""Video, face and score tables: schemas, and strict reading and writing of CSV and Parquet."""

from dfworkbench.datasets.tables.schemas import BOX_COLUMNS, FACES, LANDMARK_COLUMNS, SCORES, VIDEOS, Table
from dfworkbench.datasets.tables.store import (
    NOTES,
    read_cells,
    read_csv,
    read_headers,
    read_parquet,
    read_table,
    table_hash,
    write_csv,
    write_table,
)
from dfworkbench.datasets.tables.strict_csv import strict_csv

__all__ = [
    "BOX_COLUMNS", "FACES", "LANDMARK_COLUMNS", "NOTES", "SCORES", "VIDEOS", "Table", "read_cells", "read_csv", "read_headers",
    "read_parquet", "read_table", "strict_csv", "table_hash", "write_csv", "write_table",
]  # fmt: skip
