import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import DataNotFoundError, TableError
from dfworkbench.datasets.tables import FACES, SCORES, VIDEOS, read_table, schemas, table_hash, write_table


def video(**values):
    return {"video_id": "d/007.mp4", "dataset": "d", "path": "007.mp4", "label": 0, **values}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_round_trip_keeps_types_and_empty_texts(tmp_path, suffix):
    table = VIDEOS.complete([video(carrier="007"), video(video_id="d/8", path="8", label=1, donor="007")])
    path = write_table("video", table, tmp_path / f"videos{suffix}")
    back = read_table("video", path)
    pd.testing.assert_frame_equal(back, table)
    assert back["carrier"].tolist() == ["007", ""]
    assert table_hash(back) == table_hash(table)


def test_every_broken_rule_is_reported_at_once():
    rows = [video(label=7), video(split="validation"), video(video_id="x", status="fine")]
    with pytest.raises(TableError) as caught:
        VIDEOS.complete(rows, "here")
    message = str(caught.value)
    for part in ("here", "label", "split", "status", "video_id", "validation", "fine"):
        assert part in message


def test_missing_column_and_missing_file(tmp_path):
    with pytest.raises(TableError, match="no column 'label'"):
        VIDEOS.complete(pd.DataFrame({"video_id": ["a"], "dataset": ["d"], "path": ["p"]}))
    with pytest.raises(DataNotFoundError, match="01_data_extraction"):
        read_table("face", tmp_path / "faces.parquet")
    (tmp_path / "faces.parquet").write_text("no parquet")
    with pytest.raises(TableError, match="not a readable"):
        read_table("face", tmp_path / "faces.parquet")


def test_rows_may_lack_keys_that_have_defaults():
    table = SCORES.complete([{"row_id": "a", "video_id": "a", "track": 2}, {"row_id": "b", "video_id": "b"}])
    assert table["track"].tolist() == [2, -1]
    assert table["status"].tolist() == ["ok", "ok"]


def test_unknown_columns_are_kept_behind_the_known_ones():
    table = VIDEOS.complete([video(age=31)])
    assert list(table.columns)[-1] == "age"


def test_empty_tables_have_the_right_columns(tmp_path):
    for table in (VIDEOS, FACES, SCORES):
        assert list(table.empty().columns) == list(table.columns)
    back = read_table("face", write_table("face", FACES.empty(), tmp_path / "faces.parquet"))
    assert len(back) == 0


def test_score_may_be_missing_but_not_out_of_range():
    SCORES.complete([{"row_id": "a", "video_id": "a", "status": "no_face", "reason": "none found"}])
    with pytest.raises(TableError, match="fake_probability"):
        SCORES.complete([{"row_id": "a", "video_id": "a", "fake_probability": 1.5}])


ONE_ROW = {
    "video": [video(fps=25.0, genuine_id="d/1.mp4")],
    "face": [
        {name: {"str": f"d/{name}", "int64": 3, "float64": 0.5, "bool": True}[dtype] for name, (dtype, _) in FACES.columns.items()}
    ],
    "score": [{"row_id": "a", "video_id": "a", "fake_probability": 0.5}],
}  # fmt: skip


@pytest.mark.parametrize("kind", schemas.TABLES)
def test_tables_that_keep_the_rules_come_back_as_pandera_gives_them(kind):
    row = schemas.TABLES[kind].complete(ONE_ROW[kind])
    three = pd.concat([row] * 3).assign(**{schemas.TABLES[kind].key: ["a", "b", "c"]})  # the index holds 0 three times
    for frame in (row, three, row.astype(object), row.assign(more=None), row.iloc[:0]):
        found, expected = (
            schemas._as_declared(schemas.TABLES[kind], frame),
            schemas._schema(kind).validate(frame, lazy=True),
        )
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
        assert found.dtypes.map(repr).tolist() == expected.dtypes.map(repr).tolist()


@pytest.mark.parametrize("kind", schemas.TABLES)
def test_every_rule_that_is_broken_goes_to_pandera(kind):
    table = schemas.TABLES[kind]
    row = table.complete(ONE_ROW[kind])
    broken = [pd.concat([row, row])]  # the key twice
    broken += [row.assign(**{name: [missing]}) for name in table.columns for missing in (None, np.nan)
               if (kind, name) not in schemas._NULLABLE and name != "exact"]  # fmt: skip
    broken += [row.assign(**{name: 7}) for known, name in schemas._ALLOWED if known == kind]
    broken += [
        row.assign(**{name: value}) for known, name in schemas._BETWEEN if known == kind for value in (-0.1, 1.1)
    ]
    broken += [row.assign(**{name: "../up\n"}) for name in (*schemas.PATH_COLUMNS[kind], *schemas._KEY_COLUMNS[kind])]
    broken += [
        row.assign(**{name: "word"}) for name, (dtype, _) in table.columns.items() if dtype in ("int64", "float64")
    ]
    for frame in broken:
        with pytest.raises(TableError, match=f"the {kind} table from here"):
            table.check(frame, "here")


def test_a_column_by_its_former_name_is_taken_and_hashes_stay():
    old = pd.DataFrame({"video_id": ["d/a"], "dataset": ["d"], "path": ["a"], "label": [1], "method": ["FaceSwap"]})
    new = VIDEOS.complete(old)
    assert new["forgery"].tolist() == ["FaceSwap"]
    assert "method" not in new
    # of this table, hashed by the code that still wrote `method`
    assert table_hash(new) == "69d8e51fa912aa9237c6f8ffe8a418ab2e87f0dba317d36a63c80745f9812721"
    both = VIDEOS.complete(old.assign(forgery="FaceShifter"))
    assert (both["forgery"][0], both["method"][0]) == ("FaceShifter", "FaceSwap")  # a column of the user's own
