"""Tables: schemas, reading and writing."""

from dfworkbench.datasets.tables.schemas import BOX_COLUMNS, FACES, LANDMARK_COLUMNS, SCORES, VIDEOS, Table
from dfworkbench.datasets.tables.spreadsheet import plain_cells
from dfworkbench.datasets.tables.store import read_csv, read_parquet, read_table, table_hash, write_csv, write_table
from dfworkbench.datasets.tables.strict_csv import StrictCsv, csv_headers, strict_csv

__all__ = [
    "BOX_COLUMNS", "FACES", "LANDMARK_COLUMNS", "SCORES", "VIDEOS", "StrictCsv", "Table", "csv_headers", "plain_cells", "read_csv",
    "read_parquet", "read_table", "strict_csv", "table_hash", "write_csv", "write_table",
]  # fmt: skip
