"""DataSet: opening, tables with splits, samples, the card, the lock; and nobody else names its files."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy import make_workspace

import dfworkbench
from dfworkbench.core.errors import DataNotFoundError, OutputError, ParameterError, TableError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED, UNKNOWN
from dfworkbench.datasets.tables import read_table, table_hash

PACKAGE = Path(dfworkbench.__file__).parent
FILES = ("videos.csv", "faces.parquet", "splits.csv", "splits.json", "source.json", "audit.json")


@pytest.fixture
def data(tmp_path) -> DataSet:
    return DataSet.open("toy", make_workspace(tmp_path))


def test_one_module_names_the_files_of_a_data_set():
    said = []
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        names = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        # sentences for people may name a file; a path is nothing but its name
        said += [
            (file.relative_to(PACKAGE).as_posix(), name) for name in names if name.endswith(FILES) and " " not in name
        ]
        folders = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
        said += [
            (file.relative_to(PACKAGE).as_posix(), ast.unparse(node))
            for node in folders
            if isinstance(node.left, ast.Attribute) and node.left.attr == "labels"
        ]
    said.remove(("show/score_audit_page.py", "audit.json"))  # of an audit of scores, in a folder that a person names
    assert {place for place, _ in said} == {"datasets/dataset_files.py", "datasets/dataset.py"}, (
        said
    )  # names; the folder


def test_a_set_that_is_not_there(data):
    with pytest.raises(DataNotFoundError, match=r"'toi'.*Extracted data sets: toy.*01_data_extraction"):
        DataSet.open("toi", data.workspace)
    with pytest.raises(ParameterError, match="single folder"):
        DataSet.open("../toy", data.workspace)
    assert DataSet.names(data.workspace) == ["toy"]
    unborn = DataSet("toi", data.workspace)
    assert (unborn.is_extracted, unborn.has_splits, unborn.splits_hash) == (False, False, "")
    assert (unborn.root, unborn.card, unborn.domain, unborn.faces_time_ns) == (None, None, UNKNOWN, -1)
    assert "not extracted" in repr(unborn)
    assert "not extracted" in unborn._repr_html_()


def test_splits_are_those_of_splits_csv(data):
    path = data.folder / "splits.csv"
    splits = pd.read_csv(path, dtype="str").assign(split="test")
    splits.to_csv(path, index=False)
    again = DataSet.open("toy", data.workspace)
    assert set(again.videos["split"]) == {"test"}
    assert again.split("test")["video_id"].tolist() == again.splits["video_id"].tolist()
    assert again.hashes["videos"] == table_hash(read_table("video", data.folder / "videos.csv"))
    with pytest.raises(TableError, match=r"'toy'.*no videos.*test: "):
        again.split("val")
    path.unlink()
    without = DataSet.open("toy", data.workspace)
    assert set(without.videos["split"]) == {"train", "val", "test"}  # as extracted
    with pytest.raises(DataNotFoundError, match="01_data_extraction"):
        without.split("test")


def test_samples_by_split_or_by_rows(data):
    spec = InputSpec(size_px=32)
    by_name, by_rows = data.samples(spec, "val", 2), data.samples(spec, data.split("val"), 2)
    pd.testing.assert_frame_equal(by_name.rows, by_rows.rows)
    assert set(by_name.rows["split"]) == {"val"}
    few = data.with_tables(faces=data.faces.iloc[:1])
    assert len(few.samples(spec, data.videos)) == 1
    assert len(data.faces) > 1
    masks, known = data.masks(spec, by_name.rows)
    assert masks.shape == (len(by_name), 32, 32)
    assert not known.any()
    assert data.faces_of(by_name.rows)["face_id"].tolist() == by_name.rows["row_id"].tolist()


def test_counts_and_card(data, tmp_path):
    counts = data.counts()
    assert counts["real"].sum() + counts.drop(columns=["real", "faces", "identity groups"]).to_numpy().sum() == len(
        data.videos
    )
    page = data._repr_html_()
    assert "audit: green" in page
    assert "source folder is not there" in page
    (tmp_path / "<b>").mkdir()
    (tmp_path / "<b>" / "generated.json").write_text("{}")
    with data.writing("extracting") as writer:
        writer.source(tmp_path / "<b>", "folders")
    page = data._repr_html_()
    assert data.domain == GENERATED
    assert data.card is not None
    assert "Generated" in page
    assert "&lt;b&gt;" in page
    assert "/<b>" not in page


def test_one_writer_at_a_time(data):
    before = data.videos
    with held(data.folder, "extracting somewhere else"), pytest.raises(OutputError, match=r"process .*\(since .*wait"):
        data.writing("splitting again").__enter__()
    with data.writing("splitting again") as writer:
        writer.splits(before.assign(split="train"), rule="identity", seed=3)
    assert set(data.videos["split"]) == {"train"}  # what was read before is not kept


def test_writing_stays_in_the_workspace(data, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (data.workspace.labels / "link").symlink_to(elsewhere)
    with pytest.raises(OutputError, match="link"):
        DataSet("link", data.workspace).writing("extracting").__enter__()
    with pytest.raises(ParameterError, match="single folder"):
        DataSet("../x", Workspace(tmp_path / "a")).writing("extracting").__enter__()
    assert not list(elsewhere.iterdir())


def test_opening_needs_no_torch(data):
    code = (
        "import sys, dfworkbench as d; from dfworkbench.core.workspace import Workspace; from pathlib import Path; "
        "d.DataSet.open('toy', Workspace(Path(sys.argv[1])))._repr_html_(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, data.workspace.root], check=False).returncode == 0


def test_masks_without_a_folder_are_empty(data, caplog):
    rows = data.samples(InputSpec(size_px=32), "test", 1).rows
    masks, known = data.masks(InputSpec(size_px=32), rows)
    assert (masks.dtype, known.any(), masks.any()) == (np.dtype(bool), False, False)
    assert "folder it was extracted from" in caplog.text
