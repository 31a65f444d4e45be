"""The field for files: what a browser sends is checked, kept whole or not at all, and removed."""

import pytest

pytest.importorskip("anywidget", reason="anywidget, of the extra [app], is not installed")

from dfworkbench.notebook.drop import FileDrop, safe_name


@pytest.fixture
def drop(tmp_path, monkeypatch):
    drop = FileDrop(tmp_path / "visitor", most_bytes=100)
    drop.answers = []
    monkeypatch.setattr(drop, "send", drop.answers.append)
    return drop


def tell(drop, *pieces, **content):
    drop._receive(drop, content, list(pieces))
    return drop.answers[-1]


def send(drop, content, name="clip.mp4", piece=40):
    answer = tell(drop, kind="begin", name=name, size=len(content))
    while answer["kind"] == "next":
        at = answer["offset"]
        answer = tell(drop, memoryview(content[at : at + piece]), kind="piece", offset=at)
    return answer["kind"]


def test_a_file_comes_in_pieces_and_is_told_once_all_of_it_is_here(drop):
    seen, content = [], bytes(range(100))
    drop.observe(lambda change: seen.append(change["new"].read_bytes()), names="path")
    assert send(drop, content) == "done"
    assert seen == [content]
    assert drop.path.name == drop.name == "clip.mp4"
    assert [path.name for path in drop.path.parent.iterdir()] == ["clip.mp4"]


def test_another_file_replaces_it_and_forgetting_removes_it(drop):
    send(drop, b"first", "a.mp4")
    send(drop, b"second", "b.mp4")
    assert [path.name for path in drop.path.parent.iterdir()] == ["b.mp4"]
    folder = drop.path.parent
    drop.forget()
    assert list(folder.iterdir()) == []
    assert (drop.path, drop.name) == (None, "")


def test_in_the_lab_files_stay(tmp_path):
    drop = FileDrop(tmp_path, most_bytes=100, keep=True)
    drop.send = lambda message: drop.__dict__.setdefault("answers", []).append(message)
    drop.answers = []
    send(drop, b"first", "a.mp4")
    send(drop, b"second", "b.mp4")
    drop.forget()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("size", [0, -1, 101])
def test_too_large_and_empty_files_are_refused_before_they_come(drop, size):
    send(drop, b"first", "a.mp4")
    before = drop.path
    assert tell(drop, kind="begin", name="long.mp4", size=size) == {"kind": "refused"}
    assert "long.mp4" in drop.problem
    assert drop.path == before
    assert "Expected up to 0 MB" in drop.problem
    assert before.read_bytes() == b"first"


def test_the_limit_is_not_what_the_page_says(drop):
    drop.set_state({"most_bytes": 10**12, "busy": False})
    assert tell(drop, kind="begin", name="long.mp4", size=101) == {"kind": "refused"}


@pytest.mark.parametrize(
    ("offset", "piece"),
    [(1, b"x" * 10), (-1, b"x" * 10), (0, b""), (0, b"x" * 51)],
    ids=["gap", "back", "none", "more"],
)
def test_pieces_out_of_order_are_refused_and_nothing_stays(drop, offset, piece):
    tell(drop, kind="begin", name="clip.mp4", size=50)
    assert tell(drop, memoryview(piece), kind="piece", offset=offset) == {"kind": "refused"}
    assert list((drop._folder).iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"kind": "begin"},
        {"kind": "begin", "name": "a", "size": "x"},
        {"kind": "piece", "offset": "0"},
        {"kind": 3},
    ],
)
def test_other_messages_do_no_harm(drop, content):
    assert tell(drop, **content)["kind"] in ("refused", "stopped")
    assert drop.path is None


def test_a_stopped_upload_leaves_nothing(drop):
    tell(drop, kind="begin", name="clip.mp4", size=50)
    assert tell(drop, kind="stop") == {"kind": "stopped"}
    assert list((drop._folder).iterdir()) == []


def test_while_a_file_is_examined_none_is_taken(drop):
    send(drop, b"first", "a.mp4")
    drop.lock(True)
    drop.set_state({"busy": False})  # a page that lies
    assert send(drop, b"second", "b.mp4") == "stopped"
    assert drop.path.read_bytes() == b"first"
    drop.lock(False)
    assert send(drop, b"second", "b.mp4") == "done"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4"),
        ("../../labels/demo/videos.csv", "videos.csv"),
        (".bashrc", "upload"),
        ("..", "upload"),
        ("", "upload"),
        ("a\0b.mp4", "upload.mp4"),
        ("x" * 300 + ".mp4", "upload.mp4"),
        ("\u202egpj.exe.mp4", "upload.mp4"),
    ],
)
def test_names_of_files_are_names_of_files(name, kept):
    assert safe_name(name) == kept
