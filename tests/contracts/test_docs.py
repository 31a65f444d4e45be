"""The documentation points at what exists: links, paths, module names, and the figures of the papers' READMEs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = sorted((ROOT / "dfworkbench" / "methods").glob("*/README.md"))
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name / "README.md" for name in ("benchmarks", "checkpoints", "labels", "extracted")),
        *PAPERS,
    ]
)
#: What a history names need not exist any more.
OF_TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]
FILES = [
    f"/{path.relative_to(ROOT).as_posix()}"
    for top in ("dfworkbench", "tests", "benchmarks", "docs", "notebooks", "checkpoints", "labels", "extracted")
    for path in (ROOT / top).rglob("*.*")
] + [f"/{path.name}" for path in ROOT.glob("*.*")]
#: A path in backticks, as far as it is a file of the repository: `datasets/layouts/found.py`, `tests/golden/`, `training.py`.
PATH = re.compile(r"`((?:[a-z_0-9]+/)*[a-zA-Z_0-9]+\.(?:py|md|toml|cff)|(?:[a-z_0-9]+/)+)`")
#: Folders of the workspace, which are not in the repository.
WORKSPACE = ("report/", "data/", "real/", "fake/", "train/", "val/", "test/", "weights/", "scores/")


def named(page):
    return str(page.relative_to(ROOT))


def anchor(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, part = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{named(page)} links to {target}"
        if part:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert part in map(anchor, headings), f"{named(page)} links to {target}"


@pytest.mark.parametrize("page", OF_TODAY, ids=named)
def test_paths_exist(page):
    for path in PATH.findall(page.read_text()):
        if path.startswith(WORKSPACE):
            continue
        found = (f"/{path}" in file if path.endswith("/") else file.endswith(f"/{path}") for file in FILES)
        assert any(found), f"{named(page)} names {path}"


@pytest.mark.parametrize("page", PAPERS, ids=named)
def test_figures_of_a_paper_are_recorded_in_the_results(page):
    recorded = (ROOT / "docs" / "results.md").read_text()
    results = page.read_text().partition("## Results")[2].partition("\n## ")[0]
    for figure in re.findall(r"[-+\u2212]?\d\.\d+ \[[^\]]+\]", results):
        assert figure in recorded, f"{named(page)}: {figure}"


def test_every_paper_has_a_readme():
    folders = {path.parent for path in (ROOT / "dfworkbench" / "methods").glob("*/__init__.py")}
    assert folders == {page.parent for page in PAPERS}


def test_the_python_of_the_readme_runs(toy, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    clip, picture = '"data/demo/extras/two_people_one_forged.mp4"', next(toy.extracted.rglob("*.png"))
    assert clip in code
    code = code.replace('"demo"', '"toy"').replace("epochs=3", "epochs=1").replace(clip, repr(str(picture)))
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert "average_precision" in printed
    assert picture.name in printed
