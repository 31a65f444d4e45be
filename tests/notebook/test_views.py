import nbformat
import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.tables import write_table
from dfworkbench.notebook import views
from dfworkbench.notebook.tidy import tidy_file, tidy_text


def video(number, label, method, split, status="ok", faces=4):
    return {
        "video_id": f"d/{method or 'real'}/{number}.mp4",
        "dataset": "d",
        "path": f"{method or 'real'}/{number}.mp4",
        "label": label,
        "forgery": method,
        "group": f"d/{number}",
        "split": split,
        "status": status,
        "reason": "" if status == "ok" else "no face found",
        "tracks": 1 if status == "ok" else -1,
        "faces": faces if status == "ok" else -1,
    }


@pytest.fixture
def space(tmp_path, monkeypatch):
    rows = [
        video(0, 0, "", "train"), video(1, 1, "FaceSwap", "train"), video(1, 1, "Deepfakes", "train"),
        video(2, 0, "", "test"), video(3, 1, "FaceSwap", "test"), video(4, 0, "", "test", status="no_face"),
    ]  # fmt: skip
    write_table("video", pd.DataFrame(rows), tmp_path / "labels" / "d" / "videos.csv")
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    return Workspace(tmp_path)


def test_counts_are_of_readable_videos(space):
    table = DataSet.open("d", space).counts()
    assert table.index.tolist() == ["train", "test"]
    assert table.columns.tolist() == ["identity groups", "real", "Deepfakes", "FaceSwap", "faces"]
    assert table.loc["train"].tolist() == [2, 1, 1, 1, 12]
    assert table.loc["test"].tolist() == [2, 1, 0, 1, 8]  # the faceless file is not counted


def test_status_table_gives_a_reason():
    rows = pd.DataFrame([video(0, 0, "", "train"), video(1, 0, "", "train"), video(2, 0, "", "", status="no_face")])
    table = views.status_table(rows)
    assert table.loc["ok", ["files", "tracks", "faces"]].tolist() == [2, 2, 8]
    assert table.loc["no_face", ["files", "tracks", "faces"]].tolist() == [1, 0, 0]
    assert table.loc["no_face", "reason"] == "no face found"


def test_examples_are_of_the_split_and_readable(space):
    paths = views.example_videos("d", space.data / "d")
    assert [path.relative_to(space.data / "d").as_posix() for path in paths] == ["real/2.mp4", "FaceSwap/3.mp4"]
    with pytest.raises(DataNotFoundError, match="no readable videos in its val split"):
        views.example_videos("d", space.data / "d", split="val")


def test_metric_table_shows_intervals():
    rows = [
        {"level": "video", "metric": "auc", "value": 0.9123, "low": 0.85, "high": 0.95, "reason": ""},
        {"level": "video", "metric": "eer", "value": 0.1, "low": np.nan, "high": np.nan, "reason": "4 files"},
    ]
    metrics = pd.DataFrame(rows).assign(n=40, n_fake=20, n_real=20, coverage=0.95)
    row = views.metric_table(metrics).loc["video"]
    assert row.tolist() == ["40 (20 fake)", "95%", "0.912 [0.850, 0.950]", "0.100", "eer: 4 files."]


def test_the_quoted_figure_comes_with_its_interval():
    row = {
        "level": "video",
        "metric": "auc",
        "value": 0.856,
        "low": 0.717,
        "high": 0.959,
        "n": 60,
        "n_fake": 50,
        "reason": "",
    }
    sentence = views.auc_sentence(pd.DataFrame([row]))
    assert sentence == "Held-out video AUC 0.856, 95 % interval 0.717 to 0.959, from 60 files (50 of them forged)."
    row |= {"value": np.nan, "reason": "only one class"}
    assert "only one class" in views.auc_sentence(pd.DataFrame([row]))


def test_a_note_stands_beside_every_level_and_in_the_sentence():
    row = {"level": "video", "metric": "auc", "value": 0.9, "low": 0.8, "high": 1.0, "reason": "", "note": "Leaky."}
    metrics = pd.DataFrame([row, row | {"level": "frame"}]).assign(n=4, n_fake=2, coverage=1.0)
    assert views.metric_table(metrics)["note"].tolist() == ["Leaky.", "Leaky."]
    assert views.auc_sentence(metrics).endswith("(2 of them forged). Leaky.")
    assert views.auc_sentence(metrics).startswith("Video AUC, perhaps not held out, 0.900, 95 % interval")
    assert views.auc_sentence(metrics.assign(value=np.nan, reason="one class")).endswith("one class. Leaky.")
    assert "note" not in views.metric_table(metrics.assign(note=""))


def test_tidy_removes_what_running_leaves(tmp_path):
    cell = nbformat.v4.new_code_cell(
        "x = 1\n\n", execution_count=3, metadata={"tags": ["parameters"], "collapsed": True}
    )
    cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Title of it"), cell],
        metadata={"widgets": {}, "language_info": {"name": "python", "version": "3"}},
    )
    path = tmp_path / "n.ipynb"
    nbformat.write(notebook, path)
    assert tidy_file(path)
    stored = nbformat.read(path, as_version=4)
    assert [c.id for c in stored.cells] == ["title-of-it-01", "x-1-02"]
    assert stored.cells[1].outputs == []
    assert stored.cells[1].execution_count is None
    assert stored.cells[1].metadata == {"tags": ["parameters"]}
    assert stored.cells[1].source == "x = 1"
    assert "widgets" not in stored.metadata
    assert not tidy_file(path)  # tidy already


def test_tidy_keeps_ids_of_edited_and_moved_cells():
    first = nbformat.v4.new_markdown_cell("# Now something else")
    first.id = "title-of-it-01"
    second = nbformat.v4.new_markdown_cell("new")
    assert '"id": "title-of-it-01"' in tidy_text(nbformat.v4.new_notebook(cells=[second, first]))
