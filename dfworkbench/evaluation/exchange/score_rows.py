"""Select rows of a score file, and refuse several rows of one file unless they are its frames.

Rows of several models, epochs or compressions must not be averaged into one score. A column that splits one file into several
rows is named in the message, and one of its values must be selected; rows per frame, clip or person are fine; duplicates and
contradictions are distinguished.
"""

import re
import shlex
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import REAL

#: Words in a header that indicate a condition of the score; columns with other names are judged by their content.
CONDITIONS = frozenset((
    "algorithm", "arch", "architecture", "attack", "augmentation", "backbone", "bitrate", "checkpoint", "ckpt", "codec",
    "compression", "condition", "config", "corruption", "crf", "degradation", "detector", "distortion", "epoch", "experiment",
    "fold", "intensity", "iteration", "level", "model", "network", "noise", "perturbation", "qp", "quality", "release", "repeat",
    "revision", "run", "seed", "setting", "severity", "step", "strength", "threshold", "trial", "variant", "version", "weights",
))  # fmt: skip
_FEW = 50  # most values of a condition
_SHOWN = 8


def select_rows(rows: pd.DataFrame, where: Sequence[str], source: object) -> pd.DataFrame:
    """Select rows by value: any of several values per column, and all columns must match.

    Raises:
        ParameterError: An entry of `where` is not `column=value`, or there is no such column.
        TableError: No row matches.
    """
    wanted = wanted_values(list(rows), where, source)
    kept = np.ones(len(rows), dtype=bool)
    for name, values in wanted.items():
        kept &= holds(rows[name], values)
        if not kept.any():
            raise TableError(
                f"choosing rows of {source}: no row has {name} = {' or '.join(values)}; its values are {_values(rows[name])}. "
                "Choose among them."
            )
    return rows[kept] if wanted else rows


def wanted_values(headers: Sequence[object], where: Sequence[str], source: object) -> dict[str, list[str]]:
    """Header -> accepted values, from `column=value` pairs.

    Raises:
        ParameterError: An entry is not `column=value`, or there is no such column.
    """
    wanted: dict[str, list[str]] = {}
    for pair in where:
        header, sign, value = pair.partition("=")
        name = next((name for name in headers if str(name).strip().lower() == header.strip().lower()), None)
        if not sign or name is None:
            raise ParameterError(
                f"choosing rows of {source}: {pair!r} is not column=value with one of the columns {', '.join(map(str, headers))}. "
                "Correct the pair."
            )
        wanted.setdefault(str(name), []).append(value.strip())
    return wanted


def holds(column: pd.Series, values: list[str]) -> pd.Series:
    """Which cells equal one of the values, compared as lower-case text or as numbers."""
    texts, numbers = column.astype("str").str.strip(), pd.to_numeric(column, errors="coerce")
    same = texts.str.lower().isin([value.lower() for value in values])
    return same | numbers.isin(pd.to_numeric(pd.Series(values), errors="coerce").dropna())  # 1 and 1.0


def require_other_files(table: pd.DataFrame, video: pd.Series, name: str, header: str, source: object) -> None:
    """Refuse a forgery or data set column (`name`; `header` in the file) that is really a condition, such as a detector.

    Equal names under several forgeries are different files. But if most genuine files also occur under several forgeries, or
    every file occurs under several data sets with one label, the column means something else.

    Raises:
        TableError: The column is a condition.
    """
    rows = table[table["label"] == REAL] if name == "forgery" else table
    groups = rows.groupby(video[rows.index])
    several = groups[name].nunique() > 1
    one_label = bool((groups["label"].nunique() == 1).all())
    if len(several) and one_label and (several.mean() >= 0.5 if name == "forgery" else several.all()):
        _refuse({header: table[name]}, video, video, source)


def require_one_condition(
    table: pd.DataFrame, key: pd.Series | None, others: pd.DataFrame, source: object
) -> list[str]:
    """Refuse rows of one file that differ in anything but frame or person; note rows that are assumed to be frames.

    Args:
        table: With video_id, track and fake_probability.
        key: What identifies each row, such as its path or frame; None if nothing does, so that rows of a file count as frames.
        others: Columns of unknown meaning.
        source: The file, for messages.

    Raises:
        TableError: A column splits the rows of a file, several rows share a key, or most files have one row and others several.
    """
    group = key if key is not None else table["video_id"] + "#" + table["track"].astype(str)
    several = group.duplicated(keep=False)
    if not several.any():
        return []
    varying = {str(name): others[name] for name in others if (others[name].groupby(group).nunique() > 1).any()}
    conditions = {name: values for name, values in varying.items() if _is_condition(name, values, table["video_id"])}
    if conditions or (varying and key is not None):
        _refuse(conditions or varying, group, table["video_id"], source)
    if key is not None:
        raise TableError(
            f"reading scores from {source}: {int(several.sum())} rows share their key with another one and contradict it (first: "
            f"{group[several].iloc[0]!r}); expected one row per file, person and frame. Take out what is wrong, or give paths that "
            "differ."
        )
    return _unnumbered(table, group, source)


def _is_condition(name: str, values: pd.Series, video: pd.Series) -> bool:
    """Whether a column that varies within files looks like a condition rather than a measurement per row."""
    if _says_condition(name) and values.nunique() <= _FEW:
        return True
    pairs = pd.DataFrame({"value": values, "video": video})
    counts = pairs.value_counts()
    recurs = pairs.drop_duplicates()["value"].value_counts()
    if values.nunique() > _FEW or (values.map(recurs) > 1).mean() < 0.5:
        return False
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        return True
    # whole numbers, equally often in every file: seeds, or frames under an unknown header
    return bool((numbers % 1 == 0).all() and counts.nunique() == 1)


def _says_condition(name: str) -> bool:
    return bool(set(re.split(r"[^a-z]+", name.lower())) & CONDITIONS)


def _refuse(columns: dict[str, pd.Series], group: pd.Series, video: pd.Series, source: object) -> None:
    words = []
    for name, values in columns.items():
        split = values.groupby(group).transform("nunique") > 1
        words.append(f"{name!r} ({video[split].nunique()} files, values {_values(values)})")
    first, known = next(iter(columns)), any(_says_condition(name) for name in columns)
    unclear = (
        f" If the column numbers frames or people, say --columns frame={first} or track={first}; if it says nothing, take it "
        "out."
    )
    chosen = shlex.quote(",".join(f"{name}={values.iloc[0]}" for name, values in columns.items()))
    raise TableError(
        f"reading scores from {source}: one file has several rows, which differ in {' and '.join(words)}. Expected one score "
        "per file, person and frame: scores of several kinds are not averaged. Choose with "
        f"--where {chosen} (where in Python).{'' if known else unclear}"
    )


def _unnumbered(table: pd.DataFrame, group: pd.Series, source: object) -> list[str]:
    """Treat unnumbered rows of a file as its frames, unless most files have one row."""
    sizes = group.value_counts()
    many = sizes[sizes > 1]
    copies = int(pd.DataFrame({"group": group, "score": table["fake_probability"]}).duplicated().sum())
    equal = f"{copies} of these rows repeat a score of their file" if copies else "their scores differ"
    if len(many) * 2 < len(sizes):
        first = table.loc[group == many.index[0], "video_id"].iloc[0]
        raise TableError(
            f"reading scores from {source}: {len(many)} of {len(sizes)} files have several rows (first: {first!r}), the others "
            f"have one, and {equal}; expected one row per file, or rows that are numbered. Remove the duplicates, or add a "
            "column 'frame'."
        )
    return [f"{len(many)} files have {_span(many)} rows each without a number: taken for their frames; {equal}"]


def _span(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _values(column: pd.Series) -> str:
    values = [str(value) or "(empty)" for value in column.drop_duplicates()]
    return ", ".join(values[:_SHOWN]) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
