"""Schemas of the video, face and score tables, which hold everything known about data and scores.

* **video table**: one row per video or picture file of a data set (`labels/<data set>/videos.csv`).
* **face table**: one row per extracted face crop (`labels/<data set>/faces.parquet`).
* **score table**: one row per scored face or clip, and one per file that could not be scored. Every metric is computed from a
  score table alone.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL, SPLITS, STATUSES
from dfworkbench.core.safe_paths import key_problem, path_problem
from dfworkbench.datasets.tables.plain_columns import plain_column

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")  # as seen in the picture, MTCNN's order
LANDMARK_COLUMNS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
#: Former column -> current name, so that older tables still load.
RENAMED = {"method": "forgery"}
BOX_COLUMNS = ("box_x0", "box_y0", "box_x1", "box_y1")

#: Column -> (dtype, default). Columns without a default (None) are required.
VIDEO_COLUMNS: dict[str, tuple[str, Any]] = {
    "video_id": ("str", None),  # "<data set>/<path below its root>", unique over all data sets
    "dataset": ("str", None),
    "path": ("str", None),  # POSIX, below the root of the data set
    "label": ("int64", None),  # REAL, FAKE, or -1 if not known
    "forgery": ("str", ""),  # forgery kind; "" for real files
    "compression": ("str", ""),  # raw, c23, c40, or ""
    "carrier": ("str", ""),  # identity whose video it is (the target of a swap), "<data set>/<identity>"
    "donor": ("str", ""),  # identity whose face or expression was inserted; "" for real files
    "genuine_id": ("str", ""),  # video_id of the real video that a fake was made from, frame for frame
    "group": ("str", ""),  # files that share an identity share a group; a group never spans splits
    "split": ("str", ""),  # train, val, test or ""
    "mask_path": ("str", ""),  # video of the ground-truth forgery masks, below the root; "" if there is none
    "landmarks_path": ("str", ""),  # dense landmarks, below the root; "" if there are none
    "status": ("str", ""),  # "" before extraction; afterwards one of names.STATUSES
    "reason": ("str", ""),
    "frames": ("int64", -1),  # frames in the file, -1 before extraction
    "fps": ("float64", float("nan")),
    "width_px": ("int64", -1),
    "height_px": ("int64", -1),
    "tracks": ("int64", -1),
    "faces": ("int64", -1),
}

FACE_COLUMNS: dict[str, tuple[str, Any]] = {
    "face_id": ("str", None),  # "<video_id>#t<track>f<frame>", unique
    "video_id": ("str", None),
    "track": ("int64", None),  # one person's face throughout a file, counted from 0 by first appearance
    "frame": ("int64", None),
    "time_s": ("float64", None),
    **{column: ("float64", None) for column in BOX_COLUMNS},  # pixels of the full frame, may lie outside it
    "probability": ("float64", None),  # of the face detector
    **{column: ("float64", None) for column in LANDMARK_COLUMNS},  # pixels of the full frame; NaN in whole pictures
    "crop_path": ("str", None),  # POSIX, below extracted/
    "crop_x0": ("float64", None),  # the stored face tile, in pixels of the full frame
    "crop_y0": ("float64", None),
    "crop_side": ("float64", None),
    "crop_size_px": ("int64", None),  # its height and width as stored
    "forged_share": ("float64", float("nan")),  # forged part of the box by the data set's own mask, or NaN
    "doubt": ("str", ""),  # why the track is doubtful (faces.doubt); "" if it is not
    "shows": ("str", "face"),  # "face", "crop" (ready-made, no surroundings) or "picture" (whole picture)
    "exact": ("bool", False),  # found by exact facenet-pytorch MTCNN (`FaceSettings.exact`), not by our faster search
}

SCORE_COLUMNS: dict[str, tuple[str, Any]] = {
    "row_id": ("str", None),  # face_id of the (first) face; video_id for a file without score
    "video_id": ("str", None),
    "dataset": ("str", ""),
    "split": ("str", ""),
    "forgery": ("str", ""),
    "group": ("str", ""),
    "label": ("int64", -1),
    "track": ("int64", -1),
    "frame": ("int64", -1),
    "time_s": ("float64", float("nan")),
    "logit": ("float64", float("nan")),  # log-odds of fake
    "fake_probability": ("float64", float("nan")),
    "status": ("str", "ok"),
    "reason": ("str", ""),
    "doubt": ("str", ""),  # why the track is left out of its file's verdict (faces.doubt); "" if it counts
    "run": ("str", ""),  # weights that scored it: a run in checkpoints/, or the name of a weight file
}


@dataclass(frozen=True)
class Table:
    """Name, columns and key of one kind of table."""

    name: str
    columns: dict[str, tuple[str, Any]]
    key: str

    def empty(self) -> pd.DataFrame:
        """An empty table with the right column types."""
        return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, (dtype, _) in self.columns.items()})

    def complete(self, rows: pd.DataFrame | list[dict[str, Any]], source: object = "rows") -> pd.DataFrame:
        """Fill in default columns, order columns, check everything.

        Unknown columns are kept, after the known ones.

        Raises:
            TableError: Lists every violated rule with its first rows.
        """
        frame: Any = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
        if frame.empty and not len(frame.columns):
            return self.empty()
        former = {old: new for old, new in RENAMED.items() if new in self.columns and old in frame and new not in frame}
        frame = frame.rename(columns=former)
        twice = frame.columns[frame.columns.duplicated()]
        if len(twice):
            raise TableError(
                f"the {self.name} table from {source} has several columns {str(twice[0])!r}; expected every name once. Rename one."
            )
        missing = [name for name, (_, default) in self.columns.items() if default is None and name not in frame]
        if missing:
            raise TableError(
                f"the {self.name} table from {source} has no column {', '.join(map(repr, missing))}. "
                f"Columns seen: {', '.join(map(str, frame.columns))}."
            )
        columns: dict[str, Any] = {}
        for name, (dtype, default) in self.columns.items():
            if name not in frame:
                columns[name] = default
                continue
            try:
                cells = plain_column(frame[name], dtype)
            except (TypeError, ValueError) as error:
                raise TableError(
                    f"the {self.name} table from {source}: the column {name!r} has {error}. Convert the column."
                ) from error
            # CSV cannot distinguish "" from missing; rows may lack a key
            columns[name] = cells.fillna(default) if default is not None and cells.hasnans else cells
        columns |= {name: frame[name] for name in frame.columns if name not in self.columns}
        return self.check(_frame(columns, frame), source)

    def check(self, frame: pd.DataFrame, source: object = "rows") -> pd.DataFrame:
        """Return `frame` with exact column types, or raise `TableError` listing every violated rule."""
        if (plain := _as_declared(self, frame)) is not None:
            return plain
        from pandera.errors import SchemaErrors

        try:
            return _schema(self.name).validate(frame, lazy=True)
        except SchemaErrors as error:
            raise TableError(_explain(self.name, source, error.failure_cases)) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise TableError(
                f"the {self.name} table from {source} cannot be checked ({error}). Expected text and numbers: convert its columns."
            ) from error


VIDEOS = Table("video", VIDEO_COLUMNS, "video_id")
FACES = Table("face", FACE_COLUMNS, "face_id")
SCORES = Table("score", SCORE_COLUMNS, "row_id")
TABLES = {table.name: table for table in (VIDEOS, FACES, SCORES)}

_ALLOWED = {
    ("video", "label"): (REAL, FAKE, -1),
    ("video", "split"): ("", *SPLITS),
    ("video", "status"): ("", *STATUSES),
    ("score", "label"): (REAL, FAKE, -1),
    ("score", "status"): STATUSES,
}
_BETWEEN = {
    ("face", "probability"): (0.0, 1.0),
    ("face", "forged_share"): (0.0, 1.0),
    ("score", "fake_probability"): (0.0, 1.0),
}
#: Columns that become part of a path that is read, written or removed, and columns that only name a row.
PATH_COLUMNS = {
    "video": ("video_id", "dataset", "path", "genuine_id", "mask_path", "landmarks_path"),
    "face": ("video_id", "crop_path"),
    "score": (),  # also from other programs, which name files by absolute path
}
_KEY_COLUMNS = {"video": (), "face": ("face_id",), "score": ("row_id", "video_id")}
_NULLABLE = {
    ("video", "fps"),
    ("face", "forged_share"),
    *(("face", column) for column in LANDMARK_COLUMNS),
    ("score", "time_s"),
    ("score", "logit"),
    ("score", "fake_probability"),
}


def _as_declared(table: Table, frame: pd.DataFrame) -> pd.DataFrame | None:
    """Fast check: `frame` with exact column types, or None if a rule may be violated.

    For valid tables this takes a tenth of the time of pandera.
    """
    if frame.columns.duplicated().any():
        return None
    columns: dict[Any, Any] = {name: frame[name] for name in frame.columns}
    try:
        for column, (dtype, _) in table.columns.items():
            cells = columns[column]
            if cells.hasnans and (table.name, column) not in _NULLABLE:
                return None
            columns[column] = cells = cells if cells.dtype == dtype else cells.astype(dtype)
            if not _keeps_rules(table, column, cells):
                return None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return _frame(columns, frame)


def _frame(columns: dict[Any, Any], like: pd.DataFrame) -> pd.DataFrame:
    made = pd.DataFrame(columns, index=like.index)
    made.attrs = like.attrs
    return made


def _keeps_rules(table: Table, column: str, cells: pd.Series) -> bool:
    rule = (table.name, column)
    if column == table.key and cells.duplicated().any():
        return False
    if rule in _ALLOWED and not cells.isin(_ALLOWED[rule]).all():
        return False
    if rule in _BETWEEN and not cells.dropna().between(*_BETWEEN[rule]).all():
        return False
    named = column in (*PATH_COLUMNS[table.name], *_KEY_COLUMNS[table.name])
    return not (named and any(_problems(table.name, column, cells).values()))


def _schema(name: str) -> Any:
    """The rules as a pandera schema, which lists every row that violates one."""
    import pandera.pandas as pa  # takes a second to import: needed only if a rule is violated

    table = TABLES[name]
    columns = {}
    for column, (dtype, _) in table.columns.items():
        checks = []
        if (name, column) in _ALLOWED:
            checks.append(pa.Check.isin(_ALLOWED[name, column]))
        if (name, column) in _BETWEEN:
            checks.append(pa.Check.in_range(*_BETWEEN[name, column]))
        if column in (*PATH_COLUMNS[name], *_KEY_COLUMNS[name]):
            checks.append(_safe(pa, name, column))
        columns[column] = pa.Column(
            dtype, checks, nullable=(name, column) in _NULLABLE, unique=column == table.key, coerce=True
        )
    return pa.DataFrameSchema(columns)


def unsafe_cells(name: str, column: str, cells: pd.Series) -> pd.Series:
    """What is wrong with each cell of a column that becomes a path or names a row; "" if it is fine.

    Cells of optional columns may be empty.
    """
    return cells.map(_problems(name, column, cells))


def _problems(name: str, column: str, cells: pd.Series) -> dict[Any, str]:
    problem = path_problem if column in PATH_COLUMNS[name] else key_problem
    optional = TABLES[name].columns[column][1] == ""
    return {cell: "" if optional and cell == "" else problem(cell) for cell in cells.unique()}


def _safe(pa: Any, name: str, column: str) -> Any:
    words = "a relative path without '..', backslash or control characters"
    words = words if column in PATH_COLUMNS[name] else "a name without control characters"
    return pa.Check(lambda cells: unsafe_cells(name, column, cells) == "", name=words)


def _explain(name: str, source: object, failures: pd.DataFrame) -> str:
    lines = [f"the {name} table from {source} breaks its schema:"]
    for (column, check), rows in failures.groupby(["column", "check"], dropna=False, sort=False):
        seen = ", ".join(repr(value) for value in rows["failure_case"].head(3))
        where = ", ".join(
            f"{index:g}" if isinstance(index, float) else str(index) for index in rows["index"].dropna().head(3)
        )
        lines.append(
            f"  {column}: {check} fails in {len(rows)} row(s), first: {seen}" + (f" (row {where})" if where else "")
        )
    return "\n".join(lines)
