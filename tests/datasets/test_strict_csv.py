"""CSV text that pandas alone would read shifted, shortened or swallowed, and names that look like missing values.

Kinds that were thought of. Width: surplus and missing cells in the first, a middle, the last and all rows; empty cells and nameless
headers at the end. Quotation marks: single ones that end with the file, at another mark, at a cell's end, within one line. Headers:
equal ones, also but for blanks. Lines: empty ones, comments, Excel's first line, a cut, line ends of three systems, zero bytes.
"""

import pandas as pd
import pytest

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.splits import with_splits
from dfworkbench.datasets.tables import SCORES, VIDEOS, read_csv, read_table, strict_csv, write_csv, write_table

ROWS = ["name,kind,size", *(f"p{i},k,{i}" for i in range(5))]


def text(*rows, end="\n"):
    return end.join(rows) + end


def cells(csv):
    return strict_csv(csv, "reading").parse(dtype="str", keep_default_na=False)


@pytest.mark.parametrize("at", [1, 3, 5])
@pytest.mark.parametrize(("row", "seen"), [("p,k,1,5", "4 cells"), ("p,k", "2 cells"), ("p,k,,,x", "5 cells")])
def test_a_row_of_another_width_is_named_by_its_line(at, row, seen):
    rows = [*ROWS[:at], row, *ROWS[at + 1 :]]
    with pytest.raises(TableError, match=rf"reading: line {at + 1} has {seen} \('p \| k.*expected 3.*not fit: 1\."):
        cells(text(*rows))


def test_all_rows_that_are_too_long_are_counted_and_the_line_is_that_of_the_file():
    rows = [row.replace("k", "k,l") for row in ROWS[1:]]
    with pytest.raises(TableError, match=r"line 4 has 4 cells .*Lines that do not fit: 5\. Put cells that hold ','"):
        cells(text("# made by hand", "", ROWS[0], *rows))
    with pytest.raises(TableError, match=r"line 2 has 4 cells .*expected 3"):  # a column of numbers that has no header
        cells(text(ROWS[0], *(f"{i},{row}" for i, row in enumerate(ROWS[1:]))))


@pytest.mark.parametrize("tails", [("", ","), (",", ""), (",,", ",,"), (",", ",,"), (", ", ","), (',""', ',""')])
def test_empty_cells_beyond_the_headers_say_nothing(tails):
    plain = cells(text(*ROWS))
    pd.testing.assert_frame_equal(cells(text(ROWS[0] + tails[0], *(row + tails[1] for row in ROWS[1:]))), plain)
    with pytest.raises(TableError, match="line 4 has"):
        cells(text(ROWS[0] + tails[0], *ROWS[1:3], "p,k,0,5", *ROWS[4:]))


def test_a_nameless_first_column_is_kept():
    assert list(cells(text("," + ROWS[0], *(f"{i},{row}" for i, row in enumerate(ROWS[1:]))))) == [
        "Unnamed: 0", "name", "kind", "size",
    ]  # fmt: skip


MARKS = {
    "to the end of the file": [*ROWS[:3], '"p2,k,2', *ROWS[4:]],
    "to another single one": [*ROWS[:2], '"p1,k,1', *ROWS[3:4], '"p3,k,3', ROWS[5]],
    "to the end of a cell": [*ROWS[:2], '"p1,k,1', 'p2",k,2', *ROWS[4:]],
    "in the middle": [*ROWS[:2], 'p1,"k,1', 'p2",k,2', *ROWS[4:]],
    "in the last column": [*ROWS[:2], 'p1,k,"1', 'p2,k,2"', *ROWS[4:]],
    "over three rows": [*ROWS[:2], '"p1,k,1', *ROWS[3:4], 'p3",k,3', ROWS[5]],
    "a mark behind a cell": [*ROWS[:2], '"p1"x,k,1', *ROWS[3:]],
}


@pytest.mark.parametrize("rows", MARKS.values(), ids=list(MARKS))
def test_a_single_quotation_mark_swallows_nothing(rows):
    with pytest.raises(TableError, match=r"line [34].*remove"):
        cells(text(*rows))


def test_quoted_cells_may_hold_anything():
    odd = ["a,b", 'a "b" c', "two\nlines", "two\r\nlines, both", " blank ", "#1", '5" disc', "cr\rcr", "'x"]
    table = pd.DataFrame({"name": odd, "kind": "k", "size": "1"})
    quoted = table.to_csv(index=False, quoting=1)
    assert cells(quoted)["name"].tolist() == odd
    assert cells('name,kind,size\n5" disc,k,1\n')["name"].tolist() == ['5" disc']


@pytest.mark.parametrize("head", ["name,kind,name", "name,kind, name", 'name,kind,"name"', "kind,name,name,"])
def test_equal_headers_are_refused(head):
    with pytest.raises(TableError, match="the header 'name' occurs 2 times"):
        cells(text(head, *ROWS[1:]))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_lines_that_are_no_rows_are_counted(end, separator):
    rows = [row.replace(",", separator) for row in ROWS]
    mixed = ["# seed: 3", *rows[:2], "", "# half way", "  ", *rows[2:], separator * 2]
    found = strict_csv(text(*mixed, end=end), "reading")
    table = found.parse(dtype="str", keep_default_na=False)
    assert table["name"].tolist() == [f"p{i}" for i in range(5)]
    assert table.index.tolist() == [3, 7, 8, 9, 10]
    assert found.notes == [
        "2 comment lines (#) were skipped (first: line 1)", "3 lines without any content were skipped (first: line 4)",
    ]  # fmt: skip
    assert cells(text(f"sep={separator}", *rows, end=end))["size"].tolist() == list("01234")


def test_names_that_begin_with_a_hash_are_rows():
    assert cells(text(ROWS[0], "#1,k,1", "#2,k,2"))["name"].tolist() == ["#1", "#2"]
    assert cells(text("#,name", "1,a"))["#"].tolist() == ["1"]
    with pytest.raises(TableError, match="If it is a comment, take it out"):
        cells(text(*ROWS, "# seed 3, fold 4"))


def test_a_file_that_was_cut_is_refused_or_named():
    whole = text(*ROWS)
    with pytest.raises(TableError, match=r"line 6 has 2 cells .*cut off there"):
        cells(whole[:-3])
    assert strict_csv(whole[:-1], "reading").notes == [
        "the last line (6) has no line end: if the file was cut off, its last cell may be incomplete"
    ]
    with pytest.raises(TableError, match=r"line 7 holds zero bytes"):
        cells(whole + "\0\0\0")
    with pytest.raises(TableError, match="it is empty"):
        cells("\n\n")


# -- our own tables ---------------------------------------------------------------------------------------------------

NAMES = [
    "NA",
    "None",
    "null",
    "nan",
    "N/A",
    "NaN",
    "<NA>",
    "#N/A",
    "n/a",
    "True",
    "1e5",
    "007",
    "-",
    'a"b',
    "a,b",
    " a ",
]


@pytest.mark.parametrize("kind", ["video", "score"])
def test_names_that_look_like_nothing_come_back(tmp_path, kind):
    table = VIDEOS if kind == "video" else SCORES
    plain = table.complete([
        {table.key: f"d/{name}", "video_id": f"d/{name}", "dataset": name, "path": name, "label": 1, "forgery": name, "group": name}
        for name in NAMES if kind == "score" or name != "-"
    ])  # fmt: skip
    for name in ("t.csv", "t.parquet"):
        back = read_table(kind, write_table(kind, plain, tmp_path / name))
        pd.testing.assert_frame_equal(back, plain)
    alone = read_table(kind, write_table(kind, plain.iloc[:1], tmp_path / "one.csv"))
    assert alone["forgery"].tolist() == ["NA"]


def test_words_for_no_number_are_none_in_columns_of_numbers(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(
        text("row_id,video_id,label,fake_probability,method,status,age", "a,a,1,NA,NA,,", "b,b,0,0.5,,ok,3")
    )
    back = read_table("score", path)
    assert back["fake_probability"].isna().tolist() == [True, False]
    assert back["forgery"].tolist() == ["NA", ""]
    assert back["status"].tolist() == ["ok", "ok"]
    assert back["age"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["a\rb", "a\r\nb", "\ra", "a\nb", "a\r"])
def test_line_ends_within_cells_come_back(tmp_path, name):
    table = VIDEOS.complete([{"video_id": "d/a", "dataset": "d", "path": "a", "label": 0, "reason": name}])
    assert read_table("video", write_table("video", table, tmp_path / "v.csv"))["reason"].tolist() == [name]


def test_split_files_and_own_tables_are_read_strictly(tmp_path):
    path = write_csv(
        pd.DataFrame({"video_id": ["NA", "b"], "group": ["null", "g"], "split": ["test", "val"]}), tmp_path / "s.csv"
    )
    videos = VIDEOS.complete([{"video_id": name, "dataset": "d", "path": name, "label": 0} for name in ("NA", "b")])
    assert with_splits(videos, path)["group"].tolist() == ["null", "g"]
    path.write_text("video_id,group,split\nNA,null,test\nb, c,g,val\n")
    with pytest.raises(TableError, match=r"reading splits from .*s.csv: line 3 has 4 cells"):
        with_splits(videos, path)
    path.write_text("video_id,dataset,path,label\nd/a.mp4,d,a.mp4,0,\nd/b, c.mp4,d,b, c.mp4,0\n")
    with pytest.raises(TableError, match=r"reading a video table from .*line 3 has 6 cells"):
        read_table("video", path)


def test_what_was_skipped_in_a_table_of_ours_is_logged(tmp_path, caplog):
    path = tmp_path / "groups.csv"
    path.write_text("# by hand\npath,group\na,1\n")
    assert len(read_csv(path, "reading groups", dtype="str")) == 1
    assert "1 comment lines (#) were skipped" in caplog.text
