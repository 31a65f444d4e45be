"""Tables of other programs whose columns have types of their own: each reads like the plain table, or is refused by name."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.tables import SCORES, read_table
from dfworkbench.datasets.tables.plain_columns import plain_column

PLAIN = SCORES.complete([
    {"row_id": f"f{i}", "video_id": f"f{i}", "label": i % 2, "fake_probability": 0.25 + 0.5 * (i % 2), "forgery": "NT" * (i % 2)}
    for i in range(6)
])  # fmt: skip
SAME = {
    "categories": PLAIN.astype("category"),
    "empty categories": PLAIN.assign(
        split=pd.Categorical([None] * 6, ["test"]), frame=pd.Categorical([None] * 6, [1, 2])
    ),
    "nullable": PLAIN.convert_dtypes(),
    "arrow": PLAIN.convert_dtypes(dtype_backend="pyarrow"),
    "missing integers": PLAIN.assign(track=pd.array([pd.NA] * 6, "Int32")),
    "small": PLAIN.astype({"label": "int8", "track": "int16", "fake_probability": "float16"}),
    "booleans": PLAIN.assign(label=PLAIN["label"].astype("boolean")),
    "decimals": PLAIN.assign(fake_probability=PLAIN["fake_probability"].map(lambda value: Decimal(str(value)))),
    "bytes": PLAIN.assign(row_id=PLAIN["row_id"].str.encode("utf-8")),
    "text": PLAIN.astype({"label": "str", "fake_probability": "str"}),
    "objects": PLAIN.astype(object),
    "own index": PLAIN.set_index(PLAIN["row_id"].rename("i")),
    "nothing": PLAIN.assign(split=[None] * 6),
}
ODD = {
    "dates": (PLAIN.assign(frame=pd.Timestamp("2020-01-01")), "'frame' has cells of type datetime64.*expected numbers"),
    "durations": (PLAIN.assign(time_s=pd.Timedelta(seconds=1)), "'time_s' has cells of type timedelta64"),
    "periods": (PLAIN.assign(track=pd.period_range("2020", periods=6)), "'track' has a cell of type Period: 2020"),
    "lists": (PLAIN.assign(forgery=[["a", "b"]] * 6), "'forgery' has a cell of type (list|ndarray): .*'a'"),
    "records": (PLAIN.assign(group=[{"a": 1}] * 6), "'group' has a cell of type dict"),
    "soft labels": (
        PLAIN.assign(label=PLAIN["fake_probability"]),
        "'label' has 6 cells that are not whole numbers, first 0.25",
    ),
    "infinite frames": (PLAIN.assign(frame=np.inf), "'frame' has 6 cells that are not whole numbers, first inf"),
    "huge frames": (PLAIN.assign(frame=np.uint64(2**63)), "'frame' has 6 cells that are not whole numbers"),
    "words": (PLAIN.assign(label=["real", "fake"] * 3), "label: .*fails in 6 row"),
    "broken under an index": (
        PLAIN.assign(label=7).set_index("row_id", drop=False),
        r"isin.* fails in 6 row.*\(row f0, f1",
    ),
    "key as index": (PLAIN.set_index("row_id"), "no column 'row_id'"),
}


def through_parquet(table, tmp_path):
    table.to_parquet(tmp_path / "t.parquet")
    return read_table("score", tmp_path / "t.parquet")


@pytest.mark.parametrize("table", SAME.values(), ids=list(SAME))
def test_foreign_types_read_like_plain_ones(table, tmp_path):
    for found in (SCORES.complete(table), through_parquet(table, tmp_path)):
        pd.testing.assert_frame_equal(found.reset_index(drop=True), PLAIN)


@pytest.mark.parametrize(("table", "message"), ODD.values(), ids=list(ODD))
def test_what_is_no_text_or_number_is_refused_by_name(table, message, tmp_path):
    with pytest.raises(TableError, match=message):
        SCORES.complete(table)
    with pytest.raises(TableError, match=message):
        through_parquet(table, tmp_path)


def test_columns_that_files_cannot_hold_are_refused_too():
    with pytest.raises(TableError, match="several columns 'label'"):
        SCORES.complete(pd.concat([PLAIN, PLAIN[["label"]]], axis=1))
    with pytest.raises(TableError, match="'logit' has cells of type complex128"):
        SCORES.complete(PLAIN.assign(logit=1j))
    sparse = PLAIN.assign(track=pd.arrays.SparseArray([-1] * 6))
    pd.testing.assert_frame_equal(SCORES.complete(sparse), PLAIN)


def test_words_are_no_truth_values():
    with pytest.raises(ValueError, match="text such as 'False'; expected true and false"):
        plain_column(pd.Series(["False", "True"]), "bool")
    assert plain_column(pd.Series([False, True]), "bool").tolist() == [False, True]
