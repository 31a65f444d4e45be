"""Scoring in worker processes: the result is the one of a single process, and a worker that dies costs one file."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from dask import config
from scored_pictures import make_checkpoint, make_pictures

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.evaluation.scoring import file_scorer, workers
from dfworkbench.evaluation.scoring.file_scorer import FileScorer, face_settings
from dfworkbench.evaluation.scoring.score import score
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.runs.checkpoints import load_detector

CROPS = ScoreSettings(crops=True, thumbnails=2, thumbnail_px=32, workers=1)
TWO = CROPS.replace(workers=2)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("pictures"), 4)


@pytest.fixture
def here(monkeypatch):
    """Workers without processes: the jobs are done in this one, the last one first. Gives the arguments of the calls."""
    calls, threads = [], torch.get_num_threads()

    def run(function, jobs, count, scheduler, **named):
        calls.append((len(jobs), count, scheduler))
        workers._scorers.clear()
        return ((number, function(jobs[number])) for number in reversed(range(len(jobs))))

    monkeypatch.setattr(workers, "run_on_workers", run)
    yield calls
    workers._scorers.clear()
    torch.set_num_threads(threads)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    assert repr(one) == repr(other)
    for left, right in zip(one, other, strict=True):
        assert left.path == right.path
        for a, b in zip(left.tracks, right.tracks, strict=True):
            assert a.fake_probability == b.fake_probability
            assert np.array_equal(a.thumbnails, b.thumbnails)


@pytest.mark.parametrize("scheduler", ["", "tls://somewhere:8786"])
def test_the_result_is_that_of_one_process(here, pictures, checkpoint, scheduler):
    alone = score(pictures, checkpoint, CROPS, progress=False)
    assert here == []
    assert_same(score(pictures, checkpoint, TWO.replace(scheduler=scheduler), progress=False), alone)
    assert here == [(5, 2, scheduler)]


def test_a_stopped_scoring_goes_on_with_workers(here, monkeypatch, pictures, checkpoint):
    alone = score(pictures, checkpoint, CROPS, progress=False)
    read, real = [], file_scorer.faces_in_file

    def found(path, *rest):
        if len(read) == 3:
            raise KeyboardInterrupt
        read.append(path.name)
        return real(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(file_scorer, "faces_in_file", found)
        with pytest.raises(KeyboardInterrupt):
            score(pictures, checkpoint, TWO, progress=False)
    assert_same(score(pictures, checkpoint, TWO, progress=False), alone)
    assert [jobs for jobs, *_ in here] == [5, 2]


def test_a_worker_that_dies_costs_one_file_which_is_tried_again(monkeypatch, pictures, checkpoint):
    monkeypatch.setattr(
        workers, "run_on_workers",
        lambda function, jobs, *_, **__: (
            (number, None if job.file.name == "p001.png" else function(job)) for number, job in enumerate(jobs)
        ),
    )  # fmt: skip
    scored = score(pictures, checkpoint, TWO, progress=False)
    assert [file.status for file in scored] == ["unreadable", "ok", "error", "ok", "ok"]
    assert "died twice" in scored[2].reason
    assert scored.table.set_index("video_id").loc[scored[2].video_id, "status"] == "error"


def test_a_detector_that_is_in_memory_only_is_used_here(here, pictures, checkpoint, caplog):
    changed = load_detector(checkpoint)
    with torch.no_grad():
        next(changed.detector.parameters()).add_(1)
    alone = score(pictures, changed, CROPS, progress=False)
    assert_same(score(pictures, changed, TWO, progress=False), alone)
    assert "not the one in memory" in caplog.text
    with pytest.raises(CheckpointError, match=r"tls://a:1.*not the one in memory.*leave out scheduler"):
        score(pictures, changed, TWO.replace(scheduler="tls://a:1"), progress=False)


@pytest.mark.parametrize(
    ("files", "settings", "cores", "expected"),
    [
        (("a.mp4",), {"workers": 4}, 8, 0),
        (("a.mp4", "b.mp4"), {"workers": 4}, 8, 2),
        (("a.mp4",) * 90, {"workers": 4}, 2, 4),
        (("a.mp4",) * 90, {"workers": 1}, 8, 0),
        (("a.mp4",) * 90, {}, 8, 8),
        (("a.mp4",) * 90, {}, 1, 0),
        (("a.mp4",) * 4, {}, 8, 0),  # done before processes have started
        (("a.png",) * 90, {}, 8, 8),
        (("a.png",) * 90, {"crops": True}, 8, 0),
    ],
)
def test_processes_are_started_where_they_save_time(
    monkeypatch, tmp_path, checkpoint, files, settings, cores, expected
):
    monkeypatch.setattr(workers, "available_cores", lambda: cores)
    monkeypatch.setattr(workers, "media_kind", lambda file: "video" if file.suffix == ".mp4" else "image")
    monkeypatch.setattr(workers, "_fitting", lambda loaded: 99)
    loaded, chosen = load_detector(checkpoint), ScoreSettings(**settings)
    scorer = FileScorer(loaded, chosen, face_settings(chosen, loaded.input_spec))
    assert workers.count_workers([tmp_path / name for name in files], scorer) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("score(x)", False), ("if __name__ == '__main__':\n    score(x)", True), (None, True)]
)
def test_a_script_without_guard_starts_no_processes(monkeypatch, tmp_path, text, expected):
    main = SimpleNamespace()
    if text is not None:
        main.__file__ = str(tmp_path / "mine.py")
        (tmp_path / "mine.py").write_text(text)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert workers._may_start_processes() is expected


@pytest.mark.slow
@pytest.mark.usefixtures("forked_workers")
def test_processes_give_the_same_also_where_one_dies(pictures, checkpoint, tmp_path):
    dying = tmp_path / "dying.py"
    dying.write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "from dfworkbench.evaluation.scoring import file_scorer\n"
        "original = file_scorer.original = getattr(file_scorer, 'original', file_scorer.faces_in_file)\n"
        "def faces_in_file(path, *rest):\n"
        f"    deaths = Path({str(tmp_path)!r}) / 'deaths'\n"
        "    if path.name == 'p002.png' and not deaths.exists():\n"
        "        deaths.write_text('x')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return original(path, *rest)\n"
        "file_scorer.faces_in_file = faces_in_file\n"
    )
    alone = score(pictures, checkpoint, CROPS, progress=False)
    with config.set({"distributed.worker.preload": [str(dying)]}):
        assert_same(score(pictures, checkpoint, TWO, progress=False), alone)
    assert (tmp_path / "deaths").read_text() == "x"
