"""The base of the papers' studies: its data, and which rows stand for trained and for other kinds."""

from typing import NamedTuple

import pandas as pd
import pytest
from toy import make_workspace

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.explain.study import SEEN, UNSEEN, Study, in_condition


class Settings(NamedTuple):
    dataset: str = "toy"
    device: str = "cpu"


@pytest.mark.parametrize(
    ("kinds", "seen", "unseen"),
    [(["A"], [True, True, False], [True, False, True]), ([], [True] * 3, [True, False, False])],
)
def test_real_rows_belong_to_both_conditions(kinds, seen, unseen):
    rows = pd.DataFrame({"label": [0, 1, 1], "forgery": ["", "A", "B"]})
    assert in_condition(SEEN, rows, kinds).tolist() == seen
    assert in_condition(UNSEEN, rows, kinds).tolist() == unseen


def test_a_study_goes_by_splits_csv(tmp_path):
    space = make_workspace(tmp_path)
    path = space.labels / "toy/splits.csv"
    splits = pd.read_csv(path, dtype="str")
    moved = splits["video_id"][splits["split"] == "train"].iloc[0]
    splits.loc[splits["video_id"] == moved, "split"] = "test"
    splits.to_csv(path, index=False)
    assert moved in set(Study(Settings(), space).test["video_id"])
    path.unlink()
    with pytest.raises(DataNotFoundError, match="01_data_extraction"):
        Study(Settings(), space)
    with pytest.raises(DataNotFoundError, match="'other'"):
        Study(Settings("other"), space)
