"""A scoring that is stopped continues: finished files are not scored again, and the result is that of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from heads import Head, frame_of
from scored_pictures import make_checkpoint, make_pictures

from dfworkbench.core.errors import OutputError
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.scoring import file_scorer
from dfworkbench.evaluation.scoring import score as scoring
from dfworkbench.evaluation.scoring.journal import default_table
from dfworkbench.evaluation.scoring.score import score, score_to_table
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media import write_png
from dfworkbench.runs.checkpoints import load_detector

PROGRAM = Path(__file__).with_name("kill_scoring.py")
CROPS = ScoreSettings(crops=True, thumbnails=2, thumbnail_px=32)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return make_checkpoint(tmp_path_factory.mktemp("run"), 0)


@pytest.fixture
def pictures(tmp_path):
    return make_pictures(tmp_path / "pictures", 6)


def unfinished(home):
    return sorted((home / "report" / "scores" / ".unfinished").glob("*.jsonl"))


def count_calls(monkeypatch, stop_at=None):
    """The names of files that are read from now on; the one at place `stop_at` stops the program as Ctrl-C does."""
    read, real = [], file_scorer.faces_in_file

    def found(path, *arguments, **named):
        if stop_at is not None and len(read) == stop_at:
            raise KeyboardInterrupt
        read.append(Path(path).name)
        return real(path, *arguments, **named)

    monkeypatch.setattr(file_scorer, "faces_in_file", found)
    return read


def stopped(monkeypatch, pictures, checkpoint, settings=CROPS, after=3):
    """Score until so many files are done."""
    with monkeypatch.context() as patch:
        count_calls(patch, after)
        with pytest.raises(KeyboardInterrupt):
            score(pictures, checkpoint, settings, progress=False)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    assert repr(one) == repr(other)
    for a, b in zip(one, other, strict=True):
        assert str({**vars(a), "tracks": 0}) == str({**vars(b), "tracks": 0})  # as text, NaN equals NaN
        for left, right in zip(a.tracks, b.tracks, strict=True):
            assert left.fake_probability == right.fake_probability
            for name in ("frames", "times", "probabilities", "boxes", "thumbnails", "shown"):
                first, second = getattr(left, name), getattr(right, name)
                assert first.dtype == second.dtype
                assert np.array_equal(first, second)


def test_it_continues_and_the_result_is_the_same(monkeypatch, pictures, checkpoint, home):
    undisturbed = score(pictures, checkpoint, CROPS, progress=False)
    assert unfinished(home) == []
    stopped(monkeypatch, pictures, checkpoint)
    assert len(unfinished(home)) == 1
    read = count_calls(monkeypatch)
    assert_same(score(pictures, checkpoint, CROPS, progress=False), undisturbed)
    assert read == ["p002.png", "p003.png", "p004.png", "p005.png"]  # broken.jpg, p000 and p001 were done
    assert unfinished(home) == []


def test_a_changed_file_is_scored_anew(monkeypatch, pictures, checkpoint):
    stopped(monkeypatch, pictures, checkpoint)
    write_png(pictures / "p000.png", frame_of([Head(32, 32, 0.2)], 0, 64, 64, 99))
    read = count_calls(monkeypatch)
    score(pictures, checkpoint, CROPS, progress=False)
    assert "p000.png" in read
    assert "p001.png" not in read


@pytest.mark.parametrize("other", ["weights", "settings", "values in memory", "paths"])
def test_another_question_is_answered_anew(monkeypatch, pictures, checkpoint, tmp_path, other):
    stopped(monkeypatch, pictures, checkpoint)
    weights, settings, paths = checkpoint, CROPS, pictures
    if other == "weights":
        weights = make_checkpoint(tmp_path, 1)
    if other == "settings":
        settings = CROPS.replace(rule="mean")
    if other == "paths":
        paths = [*sorted(pictures.glob("p*.png"))]
    if other == "values in memory":
        weights = load_detector(checkpoint)
        with torch.no_grad():
            next(weights.detector.parameters()).add_(1)
    read = count_calls(monkeypatch)
    score(paths, weights, settings, progress=False)
    assert {"p000.png", "p001.png"} <= set(read)


@pytest.mark.parametrize(
    "damage", [lambda text: text[:-40], lambda text: text + b'{"video_id": "x', lambda text: b"\xff\n" + text]
)
def test_what_a_kill_cut_short_is_skipped(monkeypatch, pictures, checkpoint, home, damage):
    undisturbed = score(pictures, checkpoint, CROPS, progress=False)
    stopped(monkeypatch, pictures, checkpoint)
    (file,) = unfinished(home)
    file.write_bytes(damage(file.read_bytes()))
    stopped(monkeypatch, pictures, checkpoint, after=1)  # appends behind the damage
    assert_same(score(pictures, checkpoint, CROPS, progress=False), undisturbed)


def test_an_unforeseen_error_is_tried_again(monkeypatch, pictures, checkpoint):
    with monkeypatch.context() as patch:
        patch.setattr(file_scorer, "cut_for", lambda *_: 1 / 0)
        stopped(patch, pictures, checkpoint)
    assert all(file.ok for file in score(pictures, checkpoint, CROPS, progress=False).files[1:])


def test_one_file_keeps_no_journal(monkeypatch, pictures, checkpoint, home):
    monkeypatch.setattr(scoring, "journal_path", lambda *_: 1 / 0)
    score(pictures / "p000.png", checkpoint, CROPS, progress=False)
    assert not home.exists()


def test_where_nothing_can_be_kept_it_says_so_and_scores(monkeypatch, pictures, checkpoint, home, caplog):
    (home / "report").mkdir(parents=True)
    (home / "report" / "scores").write_text("a file where the folder should be")
    assert len(score(pictures, checkpoint, CROPS, progress=False)) == 7
    assert caplog.text.count("a stop would lose what is done") == 1


def test_a_table_that_cannot_be_written_stops_before_the_work(monkeypatch, pictures, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    read = count_calls(monkeypatch)
    with pytest.raises(OutputError, match="cannot write the score table"):
        score(pictures, checkpoint, CROPS, table=tmp_path / "file" / "t.csv", progress=False)
    assert read == []


def test_a_folder_always_leaves_a_table(pictures, checkpoint, home, tmp_path):
    scored, table = score_to_table([pictures], str(checkpoint), CROPS)
    assert table is not None
    assert table.parent == home / "report" / "scores"
    assert table.name.startswith("m0_pictures_")
    pd.testing.assert_frame_equal(read_table("score", table), scored.table)
    assert score_to_table([pictures / "p000.png"], str(checkpoint), CROPS)[1] is None
    named = score_to_table([pictures], str(checkpoint), CROPS, tmp_path / "mine.parquet")[1]
    pd.testing.assert_frame_equal(read_table("score", named), scored.table)


def test_folders_of_one_name_have_tables_of_their_own(tmp_path):
    tables = {default_table([tmp_path / place / "clips"], "run/epoch 2") for place in "abc"}
    assert len(tables) == 3
    assert len({table.parent for table in tables}) == 1


@pytest.mark.slow
def test_killed_twice_nothing_is_lost(tmp_path, checkpoint, home):
    folder, table = make_pictures(tmp_path / "many", 150), tmp_path / "table.csv"
    command = [sys.executable, str(PROGRAM), str(folder), str(checkpoint), str(table)]
    lines = 0
    for _ in range(2):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, HOME_VARIABLE: str(home)})
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            there = unfinished(home)
            now = there[0].read_bytes().count(b"\n") if there else 0
            if now >= lines + 15:
                break
            time.sleep(0.005)
        assert process.poll() is None, "it was done before it could be killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        lines = unfinished(home)[0].read_bytes().count(b"\n")
        assert not table.exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert unfinished(home) == []
    undisturbed = score(folder, checkpoint, ScoreSettings(crops=True), progress=False)
    pd.testing.assert_frame_equal(read_table("score", table), undisturbed.table)
