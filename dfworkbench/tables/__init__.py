"""Tables: schemas, reading and writing."""

from dfworkbench.tables.schemas import BOX_COLUMNS, FACES, LANDMARK_COLUMNS, SCORES, VIDEOS, Table
from dfworkbench.tables.store import read_csv, read_parquet, read_table, table_hash, write_csv, write_table

__all__ = [
    "BOX_COLUMNS", "FACES", "LANDMARK_COLUMNS", "SCORES", "VIDEOS", "Table", "read_csv", "read_parquet", "read_table", "table_hash",
    "write_csv", "write_table",
]  # fmt: skip
