"""Selection on a trained toy run: what is scored, what is kept, and what is used again."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.evaluation.judging.protocol import Protocol
from dfworkbench.evaluation.judging.selection import selection_optimism
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.heldout import score_split
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

SETTINGS = TrainSettings(
    dataset="toy", size_px=64, epochs=3, batch_size=8, learning_rate=3e-3, threads=1, name="run", device="cpu"
)


@pytest.fixture
def trained(toy):
    list(train(SETTINGS, toy, progress=False))
    return toy


def test_every_epoch_is_scored_once_and_the_honest_figure_is_that_of_the_notebook(trained):
    found = selection_optimism("run", workspace=trained, judging=Judging(draws=100), progress=False)
    scores = trained.checkpoints / "run/scores"
    kept = {path: path.stat().st_mtime_ns for path in scores.glob("test_toy_epoch_*.parquet")}
    assert len(kept) == 3
    loaded = load_detector("run", workspace=trained)
    assert found.honest_epoch == loaded.metadata["epoch"]
    assert found.epochs["val"].tolist() == pytest.approx(
        pd.read_csv(trained.checkpoints / "run/history.csv")["val_auc_video"].tolist()
    )
    again = selection_optimism("run", workspace=trained, judging=Judging(draws=100), progress=False)
    np.testing.assert_equal(tuple(again.optimism), tuple(found.optimism))  # without an interval: NaN
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # read, not made again
    own = score_split(loaded, "toy", workspace=trained, progress=False)
    figure = evaluate(own, ("video",), metrics=("auc",), judging=Judging(draws=0))["value"].iloc[0]
    assert found.honest.value == pytest.approx(figure)
    assert found.optimism.value >= 0


def test_scores_of_other_files_are_made_anew(trained):
    path = trained.checkpoints / "run/scores/test_toy_epoch_002.parquet"
    selection_optimism("run", workspace=trained, judging=Judging(draws=0), progress=False)
    whole = read_table("score", path)
    write_table("score", whole.iloc[: len(whole) // 2], path)
    selection_optimism("run", workspace=trained, judging=Judging(draws=0), progress=False)
    pd.testing.assert_frame_equal(read_table("score", path), whole)


def test_without_validation_scores_nothing_is_honest(trained):
    (trained.checkpoints / "run/scores/val_epoch_002.parquet").unlink()
    with pytest.raises(DataNotFoundError, match=r"no val_epoch_002\.parquet"):
        selection_optimism("run", workspace=trained, progress=False)


def test_held_out_scores_go_by_splits_csv(trained):
    path = trained.labels / "toy/splits.csv"
    splits = pd.read_csv(path, dtype="str")
    splits.loc[splits["video_id"] == "toy/real/test00.mp4", "split"] = ""
    splits.to_csv(path, index=False)
    scores = score_split(load_detector("run", workspace=trained), "toy", workspace=trained, progress=False)
    assert scores["video_id"].nunique() == Protocol.of("toy", workspace=trained).videos == 7
