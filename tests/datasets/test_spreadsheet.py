"""CSV that no spreadsheet runs, and that comes back as it was."""

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dfworkbench
from dfworkbench.datasets.tables import SCORES, read_csv, read_table, write_csv, write_table
from dfworkbench.evaluation.exchange.score_csv import read_score_csv, write_score_csv

FORMULAS = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+a",
    "-x.mp4",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=x",
    "\uff1d1",
    "'=x",
    "''@y",
    "-1+2",
    "=",
    "-",
)
PLAIN = ("a=b", "'tis", "''", "x", "-1.5", "+3", "1e-5", "'-2", "-.5", "a\nb", 'q"u,o', "")


def cells_of(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


@pytest.mark.parametrize("kind", ["str", "object", "category"])
def test_cells_and_headers_come_back(tmp_path, kind):
    texts = [*FORMULAS, *PLAIN]
    n = len(texts)
    frame = pd.DataFrame({"=header": pd.Series(texts).astype(kind), "n": np.linspace(-3, 3, n), "-i": range(-3, n - 3)})
    file = write_csv(frame, tmp_path / "a.csv")
    first = [cell for cell in cells_of(file) if cell and cell[0] in "=+-@\t\r\n\uff1d"]
    assert all(re.fullmatch(r"[+-]?[\d.]+(e-?\d+)?", cell) for cell in first)
    back = read_csv(file, "reading", keep_default_na=False, dtype={"'=header": "str"})
    assert list(back) == list(frame)
    assert back["=header"].tolist() == texts
    assert back["n"].dtype == "float64"
    assert back["-i"].tolist() == frame["-i"].tolist()


def test_a_mixed_column_keeps_its_numbers(tmp_path):
    file = write_csv(pd.DataFrame({"a": ["=x", -1.5, None, "+y"]}), tmp_path / "a.csv")
    assert cells_of(file) == ["a", "'=x", "-1.5", "", "'+y"]


def test_score_tables_keep_their_names(tmp_path):
    rows = [{"row_id": f"{name}/{i}", "video_id": f"{name}/{i}", "label": i % 2, "fake_probability": 0.5, "reason": name}
            for i, name in enumerate(FORMULAS) if not re.search(r"[\t\r\n]", name)]  # fmt: skip
    table = SCORES.complete(rows)
    assert (
        read_table("score", write_table("score", table, tmp_path / "t.csv"))["video_id"].tolist()
        == table["video_id"].tolist()
    )
    assert not [cell for cell in cells_of(tmp_path / "t.csv") if cell[:1] in "=+@\uff1d" and cell]
    written = write_score_csv(table, tmp_path / "s.csv")
    assert read_score_csv(written)["video_id"].tolist() == table["video_id"].tolist()


def test_every_csv_of_the_package_is_written_so():
    own = Path(dfworkbench.__file__).parent
    found = {
        file.name: line.strip()
        for file in own.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\.to_csv\((?!index=False\))", line) and "def to_csv" not in line and file.parent.name != "tables"
    }
    assert set(found) <= {"html.py"}, found  # whose words name the method
