"""The report of trained toy runs: self-contained, and with the very numbers that `evaluate` gives."""

import base64
import re
import shutil
from html import unescape

import pytest
from toy import make_workspace

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.judging.by_protocol import ROW_ORDER
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.notebook.benchmark import BenchmarkSettings, leaderboard, pair_table, seed_table
from dfworkbench.notebook.demo import write_demo_report
from dfworkbench.notebook.report.page import write_report
from dfworkbench.notebook.report.runs import LeftOut, by_label, read_runs, run_names, runs_on
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

SETTINGS = {"dataset": "toy", "epochs": 1, "batch_size": 8, "threads": 1, "device": "cpu", "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two seeds of one detector, and another detector whose test split nobody has scored."""
    space = make_workspace(tmp_path_factory.mktemp("trained"), test=6)
    for seed in (0, 1):
        list(train(TrainSettings(**SETTINGS, seed=seed), space, progress=False))
    list(train(TrainSettings(**SETTINGS, detector="mesoinception4", name="unscored"), space, progress=False))
    for folder in space.checkpoints.glob("mesonet4_*"):
        score_split(load_detector(folder), "toy", "test", space, progress=False)
    return space


@pytest.fixture
def trained(source, tmp_path):
    """A copy of its own; the pictures are shared."""
    for name in ("labels", "checkpoints"):
        shutil.copytree(source.root / name, tmp_path / name)
    (tmp_path / "extracted").symlink_to(source.extracted)
    return Workspace(tmp_path)


def small(value):
    return f"{value:.3f}"


def loads(page):
    """Everything that a browser would fetch by itself."""
    found = re.findall(r"""(?:src|srcset|data|poster)\s*=\s*["']?([^"'\s>]+)""", page)
    found += re.findall(r"<link[^>]*>|<script[^>]*>|@import[^;]*;|url\([^)]*\)", page)
    return [item for item in found if not item.startswith("data:")]


def test_the_report_stands_alone_and_tells_what_evaluate_tells(trained):
    runs, left = read_runs(runs_on("toy", trained), ["toy"], score=False, workspace=trained)
    assert [run.settings.seed for run in runs] == [0, 1]
    assert [item.name for item in left] == ["unscored"]
    left.append(LeftOut("cell <3>", "ValueError: a < b & c", "dfworkbench run 02_train -p seed 3"))
    path = write_report(
        runs, trained.root / "report/sub dir/index.html", left_out=left, command="make it", workspace=trained
    )
    page = path.read_text(encoding="utf-8")
    assert loads(page) == []
    assert "<script" not in page
    pictures = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page)
    assert len(pictures) == 4  # ROC, matrix, two trainings
    for picture in pictures:
        assert not re.search(rb"""href="(?!#|data:)|url\((?!#)""", base64.b64decode(picture))
    for run in runs:
        stored = read_table("score", run.score_files["toy"]).sort_values(list(ROW_ORDER), ignore_index=True)
        figures = evaluate(stored, ("video", "frame"), metrics=("auc", "eer"), judging=Judging(missing="as_chance"))
        for row in figures.itertuples():
            assert f"{small(row.value)}<small>{small(row.low)} to {small(row.high)}</small>" in page
            assert f"{row.n}<small>{row.n_fake} fake, {row.n_real} real</small>" in page
        assert run.command in unescape(page)
        assert run.folder.name in page
    for level in ("video", "frame"):
        protocol = leaderboard(runs, "toy", level, trained).protocol
        assert protocol is not None
        assert protocol.id in page
    assert "ValueError: a &lt; b &amp; c" in page
    assert "dfworkbench run 03_inference -p checkpoint unscored -p dataset toy" in page
    hrefs = [link for link in re.findall(r'href="([^"]+)"', page) if not link.startswith("#")]
    assert hrefs == []  # these runs were made without a notebook


def test_links_to_executed_notebooks_are_relative(trained):
    folder = next(trained.checkpoints.glob("mesonet4_*"))
    (folder / "notebook.ipynb").write_text("{}")
    runs, _ = read_runs([folder], ["toy"], score=False, workspace=trained)
    path = write_report(runs, trained.root / "report" / "a" / "index.html", workspace=trained)
    links = [link for link in re.findall(r'href="([^"]+)"', path.read_text()) if not link.startswith("#")]
    assert links == [f"../../checkpoints/{folder.name}/notebook.ipynb"]
    assert (path.parent / links[0]).is_file()


def test_seeds_share_a_label_and_detectors_are_paired(trained):
    runs, left = read_runs(runs_on("toy", trained), ["toy"], workspace=trained)  # scores what is missing
    assert left == []
    assert {label: len(group) for label, group in by_label(runs).items()} == {"mesonet4": 2, "mesoinception4": 1}
    assert sorted(run_names(runs).values()) == ["mesoinception4", "mesonet4, seed 0", "mesonet4, seed 1"]
    seeds = seed_table(runs, "toy").set_index(["detector", "level", "metric"])
    assert seeds.loc[("mesonet4", "video", "auc"), "seeds"] == 2
    values = [
        evaluate(run.scores["toy"], ("video",), metrics=("auc",), judging=Judging(draws=0))["value"].iloc[0]
        for run in runs
        if run.settings.detector == "mesonet4"
    ]
    assert seeds.loc[("mesonet4", "video", "auc"), "mean"] == pytest.approx(sum(values) / 2)
    pairs = pair_table(runs, "toy")
    assert pairs[["first", "second"]].to_numpy().tolist() == [["mesonet4", "mesoinception4"]]


def test_a_run_or_data_set_that_cannot_be_read_is_listed_not_raised(trained):
    broken = trained.checkpoints / "broken"
    broken.mkdir()
    runs, left = read_runs([broken, *runs_on("toy", trained)], ["nosuch", "toy"], score=False, workspace=trained)
    assert len(runs) == 2
    reasons = {item.name: item.reason for item in left}
    assert set(reasons) == {"test people of nosuch", "broken", "unscored"}
    assert "no best.json" in reasons["broken"]
    nothing = write_report([], trained.root / "nothing.html", left_out=left, workspace=trained).read_text()
    assert "Nothing was measured. 3 without figures" in nothing


def test_the_demo_ends_with_a_report_of_what_is_trained(trained):
    path = write_demo_report(trained, "toy")
    assert path == trained.root / "report" / "index.html"
    assert "2 trained runs" in path.read_text()


def test_the_grid_of_the_notebook_is_that_of_02_train():
    """Settings that equal those of 02_train mean the same run."""
    from dfworkbench.notebook.parameters import find_notebook, read_notebook, read_parameters

    known = read_parameters(read_notebook(find_notebook("02_train")))
    grid = BenchmarkSettings().grid()  # pyright: ignore[reportCallIssue]
    assert grid["seed"] == [0, 1]
    assert set(grid) <= set(known)
    same = {name: value for name, value in grid.items() if name not in ("detector", "dataset", "seed")}
    assert same == {name: known[name].default for name in same}
