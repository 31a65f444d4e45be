"""Names that come from files of strangers: what is refused, wherever they enter, and what stays as it is."""

import json
import logging

import pandas as pd
import pytest

from dfworkbench.__main__ import main
from dfworkbench.core.errors import OutputError, ParameterError, TableError
from dfworkbench.core.safe_paths import path_problem, printable, require_below, require_folder_name, say
from dfworkbench.core.workspace import Workspace, atomic_path, leftovers
from dfworkbench.datasets.layouts import LAYOUTS, read_layout
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.datasets.tables.schemas import PATH_COLUMNS, TABLES
from dfworkbench.evaluation.judging.protocol import Protocol
from dfworkbench.notebook.runner import _keep_record
from dfworkbench.notebook.sweep import sweep_folder

HOSTILE = (
    "../up", "a/../../up", "..", ".", "a/./b", "/etc/passwd", "//host/share", "C:/x", "c:x", r"..\up", r"\\host\share", "a//b",
    "a/", "a\0b", "a\nb", "a\x1b[2Jb", "a\x7f", "\x85", "a\u202efdp.exe", "x" * 300, "x/" * 600 + "x", "\ud800", "", " /../x",
    "a/..",
)  # fmt: skip
HARMLESS = (
    "a.mp4", "original_sequences/youtube/c23/videos/000.mp4", "fake_train/..x/1", "a..b", "...", "人/脸.mp4", "Ünï cödé (1).mp4",
    "=1+1.mp4", "-rf", "a b/c'd.mp4", "ab:c/12:30.mp4", "$x^.png", "x" * 240, "~/x", "%2e%2e/x", ".hidden/a",
)  # fmt: skip
VALUES = {"int64": 0, "float64": 0.5}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_elsewhere_have_a_problem(name):
    assert path_problem(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_names_of_real_files_have_none(name):
    assert path_problem(name) == ""


def row_of(kind: str, **values):
    columns = TABLES[kind].columns.items()
    row = {
        name: "x/a" if dtype == "str" and default is None else VALUES.get(dtype, default)
        for name, (dtype, default) in columns
    }
    return {**row, "label": 0, "dataset": "x", **values}


@pytest.mark.parametrize(
    ("kind", "column"), [(kind, column) for kind, names in PATH_COLUMNS.items() for column in names]
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_table_refuses_the_row_by_its_column(tmp_path, kind, column, suffix):
    rows = pd.DataFrame([row_of(kind), row_of(kind, **{TABLES[kind].key: "x/b", column: "x/../../up"})])
    file = tmp_path / f"t.{suffix}"
    rows.to_csv(file, index=False) if suffix == "csv" else rows.to_parquet(file, index=False)
    with pytest.raises(TableError, match=rf"(?s){column}: a relative path without.*x/\.\./\.\./up"):
        read_table(kind, file)


def make_set(layout: str, folder, name: str):
    """A data set of a layout in which a file names one good file and one hostile one."""
    for good in ("good.mp4", "r/good/1.png"):
        (folder / good).parent.mkdir(parents=True, exist_ok=True)
        (folder / good).write_bytes(b"x")
    entries = {n: {"label": "x_real", "frames": [f"{n}/1.png", f"{n}/2.png"]} for n in ("r/good", name)}
    texts = {
        "deepfakebench": ("set.json", json.dumps({"x": {"x_real": {"test": entries}}})),
        "dfdc": ("metadata.json", json.dumps({"good.mp4": {"label": "REAL"}, name: {"label": "FAKE", "original": "good.mp4"}})),
        "ldm": ("ldm.json", json.dumps({"r/good/1": {"label": 0}, f"{name}/1": {"label": 1, "source_path": "r/good/1"}})),
        "list_files": ("train.txt", f"0,r/good,1\n1,{name},1\n"),
        "picture_lists": ("real.txt", f"r/good/1.png\n{name}\n"),
    }  # fmt: skip
    file, text = texts[layout]
    (folder / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("layout", ["deepfakebench", "dfdc", "ldm", "list_files", "picture_lists"])
@pytest.mark.parametrize("name", ["../../up", "a/../../../up", "C:/x", "a/\x1b[2J/x"])
def test_layouts_refuse_the_row_and_nothing_leaves_the_set(tmp_path, layout, name, caplog):
    make_set(layout, tmp_path, name)
    if layout.endswith(("_files", "_lists")):  # refused as a whole, by the line
        with pytest.raises(TableError, match="line 2"):
            read_layout(layout, tmp_path, "x")
        return
    with caplog.at_level(logging.WARNING):
        videos = read_layout(layout, tmp_path, "x")
    drive = ["x"] if layout == "deepfakebench" and name == "C:/x" else []  # of another machine, and dropped
    assert videos["path"].isin(["good.mp4", "r/good", "r/good/1.png", *drive]).all()
    assert caplog.text


@pytest.mark.parametrize("original", ["../../up", "/up", "a\0b"])
def test_a_hostile_original_refuses_its_fake(tmp_path, original, caplog):
    (tmp_path / "metadata.json").write_text(
        json.dumps({"a.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE", "original": original}})
    )
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert read_layout("dfdc", tmp_path, "x")["path"].tolist() == ["a.mp4"]
    assert "1 of 2 rows are refused" in caplog.text
    assert "genuine_id" in caplog.text


def test_a_set_of_nothing_but_hostile_names_is_an_error(tmp_path):
    (tmp_path / "metadata.json").write_text(json.dumps({"../a": {"label": "REAL"}, "/b": {"label": "FAKE"}}))
    with pytest.raises(TableError, match=r"2 of 2 rows are refused.*'\.\./a'"):
        read_layout("dfdc", tmp_path, "x")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", r"a\b", "c:", "a\0", "a\n", "..", "x" * 300])
def test_names_that_people_give_make_one_folder(name, tmp_path):
    for call in (
        lambda: require_folder_name("naming a run", name),
        lambda: sweep_folder(name, Workspace(tmp_path)),
        lambda: read_layout("folders", tmp_path, name),
    ):
        with pytest.raises(ParameterError, match="name of a single folder"):
            call()


def test_all_layouts_are_thought_of():
    named = {
        "deepfakebench",
        "dfdc",
        "ldm",
        "list_files",
        "picture_lists",
        "generated_images",
        "faceforensics",
        "celebdf",
        "deeperforensics",
    }
    assert set(LAYOUTS) - named == {"folders", "frame_folders"}, (
        "a layout that reads names from files needs a case above"
    )


def test_nothing_is_written_through_a_link(tmp_path):
    base, outside = tmp_path / "labels", tmp_path / "outside"
    base.mkdir()
    outside.mkdir()
    (base / "out").symlink_to(outside)
    (base / "loop").symlink_to(base / "loop")
    (base / "in").mkdir()
    (base / "again").symlink_to(base / "in")
    assert require_below(base / "again" / "new", base, "writing") == base / "again" / "new"
    for path in (base / "out", base / "out" / "x" / "y", base / ".." / "x", base, base / "in" / ".."):
        with pytest.raises(OutputError, match="which is not below"):
            require_below(path, base, "writing")
    protocol = Protocol(dataset="out", split_hash="0" * 64, videos=1)
    for made in (protocol, protocol.replace(dataset="../outside")):
        with pytest.raises(OutputError, match="saving a protocol"):
            made.save(Workspace(tmp_path))
    assert not list(outside.iterdir())


def test_the_record_of_a_run_goes_to_runs_only(tmp_path, caplog):
    space, outside, run = Workspace(tmp_path), tmp_path / "outside", tmp_path / "checkpoints" / "run"
    outside.mkdir()
    run.mkdir(parents=True)
    (tmp_path / "executed.ipynb").write_text("{}")
    (run / "notebook.ipynb").symlink_to(outside / "target")
    for folder in (outside, run, space.checkpoints / ".." / "outside"):
        _keep_record(tmp_path / "executed.ipynb", folder, space)
    assert (run / "notebook.ipynb").read_text() == "{}"
    assert not (run / "notebook.ipynb").is_symlink()
    assert not list(outside.iterdir())
    assert caplog.text.count("Nothing was written") == 2


def test_only_leftovers_of_ours_are_removed(tmp_path):
    for name in (".gitignore", ".notes.txt.bak", ".nfs.0001.x", "history.csv", ".env.local"):
        (tmp_path / name).touch()
    with atomic_path(tmp_path / "history.csv") as temporary:
        left = tmp_path / temporary.name
        temporary.write_text("x")
    left.write_text("half")
    assert leftovers(tmp_path) == [left]


def test_control_characters_reach_no_terminal(tmp_path, capsys, monkeypatch):
    assert printable("a\x1b[31mb\r\u202ec\x9b\n\td\ud800") == "a\\x1b[31mb\\r\\u202ec\\x9b\n\td\\ud800"
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path))
    assert main(["extract", "--name", "a\x1b[2Jb"]) == 2
    assert main(["score", str(tmp_path / "a\x1b]0;x\x07.mp4"), "--checkpoint", "no\x1b[2Jrun"]) == 2
    seen = capsys.readouterr()
    assert "\x1b" not in seen.err + seen.out


def test_written_tables_come_back_with_their_names(tmp_path):
    names = [name for name in HARMLESS if not name.startswith(".")]
    rows = [row_of("video", video_id=f"x/{name}", path=name) for name in names]
    for suffix in ("csv", "parquet"):
        file = write_table("video", pd.DataFrame(rows), tmp_path / f"t.{suffix}")
        assert read_table("video", file)["path"].tolist() == names


def test_a_line_on_screen_cannot_steer_the_terminal(capsys):
    say("a\x1b[2Jb.mp4: no face")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.endswith("b.mp4: no face\n")
