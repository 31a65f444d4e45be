"""Cells of score files of other people: figures are those of the rows that were written, or the file is refused by its line.

Kinds that were thought of. Shifted, swallowed and repeated columns; labels that are booleans, under headers that say what true
means; names that look like missing values; rows without label; numbers that are infinite, missing or have thousands separators.
"""

import pytest

from dfworkbench.core.errors import TableError
from dfworkbench.evaluation.exchange.interchange import read_scores
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge

HEAD = "path,label,score"
ROWS = [f"c{i}.mp4,{i % 2},{0.1 + 0.02 * i + 0.5 * (i % 2):.2f}" for i in range(8)]


@pytest.fixture
def written(tmp_path):
    def write(*lines, end="\n"):
        path = tmp_path / "theirs.csv"
        path.write_bytes((end.join(lines) + end).encode())
        return path

    return write


def judged(path, **options):
    found = judge(path, JudgeSettings(draws=options.pop("draws", 0), **options))
    return found.metrics.set_index("metric").loc["auc", "value"], " ".join(found.notes)


# -- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([HEAD, *(row.replace(".mp4", ".mp4, cut") for row in ROWS)], r"line 2 has 4 cells .*not fit: 8"),
        ([HEAD, *ROWS[:7], "c7,1,0,74"], r"line 9 has 4 cells .*not fit: 1.*into quotation marks"),
        ([HEAD + ",remark", *(row + ",x" for row in ROWS[:7]), "c7,1,0,74,x"], r"line 9 has 5 cells"),
        ([HEAD, *ROWS[:3], '"' + ROWS[3], *ROWS[4:6], '"' + ROWS[6]], r"begins in line 5"),
        ([HEAD, *ROWS[:3], '"' + ROWS[3], *ROWS[4:]], r"begins in line 5 .*unexpected end"),
        ([HEAD + ",score", *(row + ",0" for row in ROWS)], "'score' occurs 2 times"),
        ([HEAD + ", label", *(row + ",0" for row in ROWS)], "'label' occurs 2 times"),
    ],
)
@pytest.mark.parametrize("scale", ["probability", "logit"])
def test_no_cell_is_shifted_or_swallowed(written, lines, message, scale):
    with pytest.raises(TableError, match=message):
        judge(written(*lines), JudgeSettings(draws=0, scale=scale))


def test_files_of_labels_are_read_as_strictly(written, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\nc0,1.mp4,0\n")
    with pytest.raises(TableError, match=r"labels.csv: line 2 has 3 cells"):
        judge(written(HEAD, *ROWS), JudgeSettings(labels=tmp_path / "labels.csv"))


# -- labels -----------------------------------------------------------------------------------------------------------

BOOLEANS = [("0", "1"), ("False", "True"), ("FALSE", "TRUE"), ("false", "true"), ("0.0", "1.0")]


@pytest.mark.parametrize(("no", "yes"), BOOLEANS)
@pytest.mark.parametrize(
    ("header", "fake_label"),
    [("is_real", 0), ("genuine", 0), ("target", 0), ("is_fake", 1), ("Is Forged", 1), ("label", 1)],
)
def test_booleans_are_the_numbers_that_they_stand_for(written, no, yes, header, fake_label):
    rows = [row.split(",") for row in ROWS]
    lines = [f"{path},{yes if int(label) == fake_label else no},{score}" for path, label, score in rows]
    path = written(f"path,{header},score", *lines)
    value, notes = judged(path, columns=[f"label={header}"], fake_label=fake_label)
    assert value == 1
    assert "below chance" not in notes
    if header not in ("target", "label"):
        with pytest.raises(TableError, match=rf"the column '{header}' says that {fake_label} means fake"):
            judged(path, columns=[f"label={header}"], fake_label=1 - fake_label)


def test_words_say_what_they_mean_under_any_header(written):
    lines = [row.replace(",0,", ",real,").replace(",1,", ",fake,") for row in ROWS]
    assert judged(written("path,is_real,score", *lines), columns=["label=is_real"])[0] == 1
    assert judged(written("path,is_real,score", *lines), columns=["label=is_real"], fake_label=0)[0] == 1


@pytest.mark.parametrize("polarity", ["fake", "real"])
@pytest.mark.parametrize("fake_label", [0, 1])
def test_what_is_set_already_is_not_advised(written, polarity, fake_label):
    upside_down = (polarity == "fake") == (fake_label == 1)
    lines = [f"c{i},{i % 2},{0.9 - 0.8 * (i % 2) if upside_down else 0.1 + 0.8 * (i % 2)}" for i in range(8)]
    value, notes = judged(written(HEAD, *lines), polarity=polarity, fake_label=fake_label)
    assert value == 0
    assert f"read with polarity {polarity}" in notes
    assert f"state polarity {'real' if polarity == 'fake' else 'fake'} or fake label {1 - fake_label}" in notes


def test_rows_without_a_label_are_counted(written):
    value, notes = judged(written(HEAD, *ROWS, "x.mp4,,0.9", "y.mp4,-1,0.1"))
    assert value == 1
    assert "NOTE: 2 of 10 rows (2 files) have no label, and do not count" in notes
    assert "no label" not in judged(written(HEAD, *ROWS))[1]


# -- names and numbers ------------------------------------------------------------------------------------------------


def test_names_that_look_like_nothing_stay_names(written):
    names = ["NA", "None", "null", "nan", "N/A", "NaN", "#1", "007"]
    lines = [f"{name},{i % 2},{0.1 + 0.1 * i:.1f},{name}" for i, name in enumerate(names)]
    table = read_scores(written(HEAD + ",group", *lines))
    assert table["video_id"].tolist() == names
    assert table["group"].tolist() == names


@pytest.mark.parametrize("word", ["nan", "NaN", "None", "NULL", "N/A"])
def test_missing_scores_are_counted(written, word):
    path = written(HEAD, *ROWS, f"x,1,{word}", f"y,0,{word}", "z,0,")
    assert f"2 cells of 'score' hold no number ({word})" in judged(path)[1]
    assert read_scores(path)["status"].tolist() == ["ok"] * 8 + ["missing"] * 3


@pytest.mark.parametrize(
    "word", ["inf", "-inf", "Infinity", "1e999", "-", "--", "?", "1 000", "1'000", "1_000", "0x1", "1.000.000"]
)
def test_what_is_no_finite_number_is_refused_by_line(written, word):
    with pytest.raises(TableError, match=r"'score' has .* in line 6, and 2 such cell"):
        read_scores(written("# x", HEAD, *ROWS[:3], f"x,1,{word}", f"y,1,{word}"), scale="logit")


@pytest.mark.parametrize(
    ("numbers", "values"),
    [
        (["1,234", "-2,500"], None),
        (["12,345", "3", ""], None),
        (["1,234,567", "2,5"], "no finite number"),
        (["1,234.5", "2"], "no finite number"),
        (["1,234", "0,500"], [1.234, 0.5]),
        (["1,234", "2,5"], [1.234, 2.5]),
        (["-,5", "+1,25"], [-0.5, 1.25]),
    ],
)
def test_a_comma_is_a_decimal_comma_or_refused(written, numbers, values):
    path = written("path;label;score", *(f"v{i};{i % 2};{number}" for i, number in enumerate(numbers)))
    if isinstance(values, list):
        assert read_scores(path, scale="logit")["logit"].tolist() == values
    else:
        with pytest.raises(
            TableError, match="expected a finite number" if values else r"may be 1\d*234.* or 1\d*\.\d+"
        ):
            read_scores(path, scale="logit")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_comments_empty_lines_and_the_line_of_excel_are_said(written, end):
    lines = ["sep=;", "# scores of somebody", HEAD, ROWS[0], "", *ROWS[1:4], "# half", *ROWS[4:], ",,"]
    value, notes = judged(written(*(line.replace(",", ";") for line in lines), end=end))
    assert value == 1
    assert "2 comment lines (#) were skipped (first: line 2)" in notes
    assert "2 lines without any content were skipped (first: line 5)" in notes
