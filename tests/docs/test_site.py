"""The site (`make docs`): it builds without a warning, shows what it should, and its checks can fail."""

import base64
import contextlib
import io
import re
import sys
from pathlib import Path

import nbformat
import pytest

import dfworkbench
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.notebook.runner import set_variables

pytest.importorskip("sphinx", reason="Sphinx is not installed; it is in requirements.txt for the site only")
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

from built_pages import problems  # noqa: E402
from site_pages import notebook_page, read_executed  # noqa: E402
from sphinx.cmd.build import build_main  # noqa: E402

# of the libraries among themselves
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")
#: A picture of one pixel.
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c6368000000820081"
        "77cd72b60000000049454e44ae426082"
    )
).decode()


def stored(name="02_train"):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(name="02_train"):
    """As the runner leaves it, with one parameter given: each cell shows a number, the last one a picture."""
    notebook = stored(name)
    code = _code(notebook)
    for number, cell in enumerate(code, 1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("display_data", {"text/plain": f"result {number}"})]
    code[-1].outputs = [nbformat.v4.new_output("display_data", {"image/png": PNG})]
    given = nbformat.v4.new_code_cell("epochs = 3", metadata={"tags": ["injected-parameters"]}, execution_count=2)
    notebook.cells.insert(3, given)
    notebook.metadata["papermill"] = {"start_time": "2026-11-29T09:04:22+00:00", "duration": 90.0}
    return notebook


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of this clone, for a workspace in which one notebook was executed. In this process, which has imported torch."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("site") / "html"
    results = home / "report" / "notebooks"
    results.mkdir(parents=True)
    nbformat.write(executed(), results / "02_train.ipynb")
    words = [
        "--fail-on-warning",
        "--quiet",
        "-c",
        str(ROOT / "docs"),
        "-d",
        str(home / "trees"),
        str(ROOT),
        str(folder),
    ]
    told = io.StringIO()
    with set_variables({HOME_VARIABLE: str(home)}), contextlib.redirect_stderr(told):
        status = build_main(words)
    assert status == 0, told.getvalue()
    return folder


def words_of(page):
    return re.sub("<[^>]+>", "", page.read_text())


def test_the_start_page_is_the_readme(site):
    assert "forgeries.png" in (site / "index.html").read_text()
    words = words_of(site / "index.html")
    assert "make demo" in words
    assert "make lab" in words


def test_every_page_is_there(site):
    sources = [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/guides/*.md"),
        *ROOT.glob("docs/decisions/*.md"),
        *ROOT.glob("dfworkbench/methods/*/README.md"),
        *ROOT.glob("notebooks/**/*.ipynb"),
    ]
    missing = [file for file in sources if not (site / file.relative_to(ROOT)).with_suffix(".html").is_file()]
    assert not missing


def test_the_reference_has_every_public_name(site):
    page = (site / "docs" / "site" / "reference.html").read_text()
    missing = [name for name in dfworkbench.__all__ if f'id="dfworkbench.{name}"' not in page]
    assert missing == ["__version__"]
    assert "Highest learning rate." in page  # the description of a field of TrainSettings


def test_an_executed_notebook_is_shown_with_its_results(site):
    page = (site / "notebooks" / "02_train.html").read_text()
    assert "Executed on 2026-11-29 in 1.5 minutes, with parameters" in page
    assert "result 1" in page
    assert '<span class="mi">3</span>' in page  # the parameter that was given
    assert "_images/" in page, "pictures are files beside the page"


def test_the_page_of_another_says_how_to_execute_it(site):
    words = words_of(site / "notebooks" / "03_inference.html")
    assert "This page has no results" in words
    assert "dfworkbench run 03_inference" in words


def _edited(notebook):
    _code(notebook)[-1].source += "\n1 + 1"
    return notebook


def _stopped(notebook):
    _code(notebook)[-1].execution_count = None
    return notebook


def _failed(notebook):
    _code(notebook)[-1].outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])]
    return notebook


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "was not executed in"),
        (_edited(executed()), "was executed in another version"),
        (_stopped(executed()), "was not executed to its end"),
        (_failed(executed()), "was not executed to its end"),
    ],
)
def test_results_that_are_not_those_of_the_notebook_are_not_shown(result, reason):
    page = notebook_page(stored(), result, "02_train")
    assert reason in page.cells[1].source
    assert not any(cell.get("outputs") for cell in page.cells)


def test_a_damaged_notebook_is_named(tmp_path, caplog):
    (tmp_path / "02_train.ipynb").write_text("{")
    assert read_executed(tmp_path / "02_train.ipynb") is None
    assert read_executed(tmp_path / "03_inference.ipynb") is None
    (record,) = caplog.records
    assert "02_train.ipynb" in record.getMessage()
    assert "Execute it again" in record.getMessage()


def test_the_text_of_an_executed_notebook_is_that_of_today():
    result = executed()
    result.cells[0].source = "# A title of yesterday"
    assert notebook_page(stored(), result, "02_train").cells[0].source == stored().cells[0].source


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('<a href="other.html#part">', ""),
        ('<a href="https://example.org">', ""),
        ('<img src="data:image/png;base64,AA==">', ""),
        ('<a href="missing.html">', "page.html links to missing.html: there is no such file"),
        ('<a href="other.html#nothing">', "page.html links to other.html#nothing: that page has no such anchor"),
        ('<a href="#nothing">', "page.html links to #nothing: that page has no such anchor"),
        ('<script src="https://cdn.example.org/x.js"></script>', "page.html fetches https://cdn.example.org/x.js"),
        ('<img src="large.png">', "page.html weighs 3.0 MB with its pictures"),
    ],
)
def test_built_pages_are_checked(tmp_path, content, found):
    (tmp_path / "page.html").write_text(content)
    (tmp_path / "other.html").write_text('<h1 id="part">')
    (tmp_path / "large.png").write_bytes(bytes(3_000_000))
    told = problems(tmp_path)
    assert len(told) == bool(found)
    assert all(found in problem for problem in told)
