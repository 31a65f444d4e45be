"""No absolute path of the machine is left in an executed notebook."""

import sys
from pathlib import Path

import nbformat
import pytest

from dfworkbench.core.local_paths import places_of
from dfworkbench.notebook.portable import without_paths

PLACES = {"/home/ann": "~", "/home/ann/lab": ".", "/opt/env": "…", "/srv/o'neil & co": "…"}


def executed(*outputs, source="x = 1", tags=(), **metadata):
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[cell], metadata=metadata)


def text_of(text):
    notebook = without_paths(executed(nbformat.v4.new_output("stream", text=text)), PLACES)
    return notebook.cells[0].outputs[0].text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run: /home/ann/lab/checkpoints/m", "run: checkpoints/m"),
        ("workspace /home/ann/lab (3 GB free)", "workspace . (3 GB free)"),
        ("kept in /home/ann/lab.", "kept in .."),
        ("PosixPath('/home/ann/lab/data')", "PosixPath('data')"),
        ("/home/ann/.cache/torch and /opt/env/bin/python", "~/.cache/torch and …/bin/python"),
        ("/home/anna/lab and /home/ann/lab-2/x and /home/ann/lab.old", "/home/anna/lab and ~/lab-2/x and ~/lab.old"),
        ("/mnt/home/ann/lab", "/mnt/home/ann/lab"),  # another folder, which ends alike
        ("<a href='file:///srv/o%27neil%20%26%20co/p.html'>", "<a href='file://…/p.html'>"),
        ("<td>/srv/o&#x27;neil &amp; co/p</td>", "<td>…/p</td>"),
        ("a relative home/ann/lab stays", "a relative home/ann/lab stays"),
    ],
)
def test_text(text, expected):
    assert text_of(text) == expected


def test_outputs_metadata_and_injected_parameters():
    html = '<img src="data:image/png;base64,AA/home/ann/lab/BB"> /home/ann/lab/x'
    data = {"text/html": html, "image/png": "/home/ann/lab/x", "application/json": {"where": ["/home/ann/lab/x"]}}
    shown = nbformat.v4.new_output("display_data", data, metadata={"dfworkbench_run": "/home/ann/lab/checkpoints/m"})
    error = nbformat.v4.new_output("error", ename="E", evalue="/opt/env/x", traceback=["File /opt/env/x"])
    before = executed(
        shown,
        error,
        source="path = '/home/ann/lab/data'",
        tags=["injected-parameters"],
        papermill={"parameters": ["/opt/env/x"]},
    )
    after = without_paths(before, PLACES)
    first, second = after.cells[0].outputs
    assert first.data["text/html"] == '<img src="data:image/png;base64,AA/home/ann/lab/BB"> x'
    assert first.data["image/png"] == "/home/ann/lab/x"  # no text
    assert first.data["application/json"] == {"where": ["x"]}
    assert first.metadata["dfworkbench_run"] == "checkpoints/m"
    assert (second.evalue, second.traceback) == ("…/x", ["File …/x"])
    assert after.metadata["papermill"]["parameters"] == ["…/x"]
    assert after.cells[0].source == "path = 'data'"
    assert before.cells[0].outputs[0].metadata["dfworkbench_run"] == "/home/ann/lab/checkpoints/m"


def test_a_source_that_a_person_wrote_stays():
    assert without_paths(executed(source="open('/opt/env/x')"), PLACES).cells[0].source == "open('/opt/env/x')"


def test_places_of_a_machine(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    places = places_of(link)
    assert places[str(link)] == "."
    assert places[sys.prefix] == "…"
    assert places[str(Path.home())] == "~"
    assert "/" not in places_of(Path("/"))
