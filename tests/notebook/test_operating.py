"""The slider of notebook 04: moving it moves the verdicts, and nothing else."""

import ipywidgets as w
import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.verdicts import operating_point, verdict_rates, verdicts
from dfworkbench.notebook import operating
from dfworkbench.notebook.operating import OperatingPointExplorer, Tables


def table(split, reals, fakes):
    scores = [*reals, *fakes]
    names = [f"d/{split}{i}.mp4" for i in range(len(scores))]
    labels = [0] * len(reals) + [1] * len(fakes)
    rows = {"row_id": names, "video_id": names, "group": names, "label": labels, "fake_probability": scores}
    return SCORES.complete(pd.DataFrame(rows).assign(split=split))


@pytest.fixture
def tables():
    # validation: reals at 0.05, 0.15 … 0.95, fakes in between; test: every hundredth
    val = table("val", np.arange(0.05, 1, 0.1), np.arange(0.1, 1, 0.1))
    return Tables(val, table("test", np.arange(0.005, 1, 0.01), np.arange(0.005, 1, 0.01)))


def test_the_table_is_that_of_the_verdicts(tables):
    shown = OperatingPointExplorer({"a": tables}, 0.2, 0.2)
    expected = verdict_rates(verdicts(tables.test, operating_point(tables.val, 0.2, 0.2)))
    assert shown.table()["called fake"].tolist() == expected["fake"].tolist()
    assert shown.table()["inconclusive"].tolist() == expected["inconclusive"].tolist()


def test_a_higher_rate_calls_more_fake(tables):
    shown = OperatingPointExplorer({"a": tables}, 0.1, 0.1)
    before = shown.table()
    shown.false_alarms.value = 0.4
    after = shown.table()
    assert before.loc["real", "called fake"] == 5  # above the highest of ten validation reals, 0.95
    assert after.loc["real", "called fake"] == 35  # above the fourth highest, 0.65
    assert after.loc["fake", "inconclusive"] < before.loc["fake", "inconclusive"]
    shown.misses.value = 0.5
    assert shown.table().loc["fake", "called real"] > after.loc["fake", "called real"]


def test_a_rate_that_nobody_can_vouch_for_calls_nothing_fake(tables):
    shown = OperatingPointExplorer({"a": tables}, 0.05, 0.2)  # ten reals: 1/11 at least
    assert shown.point.fake_above is None
    assert shown.table()["called fake"].tolist() == [0, 0]


def test_moving_redraws_what_is_shown_and_scores_nothing(tables, monkeypatch):
    pages, controls = [], []

    class Handle:
        def update(self, page):
            pages.append(page.data)

    def display(what, display_id=False):
        if not display_id:
            return controls.append(what)
        pages.append(what.data)
        return Handle()

    monkeypatch.setattr(operating, "display", display)
    shown = OperatingPointExplorer({"a": tables, "b": Tables(tables.val, tables.test.head(150))}, 0.1, 0.1)
    shown.false_alarms.value = 0.2  # not shown yet: nothing is drawn
    assert pages == []
    shown._ipython_display_()
    assert isinstance(controls[0], w.VBox)
    assert len(pages) == 1
    shown.false_alarms.value = 0.4
    shown.detector.value = "b"
    assert len(set(pages)) == len(pages) == 3
    first, second, _ = (page.partition('alt="')[2].partition('"')[0] for page in pages)
    assert "fake above 0.850 (at most 20.0% of reals)" in first  # the second highest of ten validation reals
    assert "fake above 0.650 (at most 40.0% of reals)" in second
    assert all("data:image/png;base64," in page and "<table>" in page for page in pages)  # stays without widgets
    assert shown.table().loc["fake", "files"] == 50


def test_rates_beyond_the_usual_can_be_asked_for(tables):
    assert OperatingPointExplorer({"a": tables}, 0.9, 0.1).false_alarms.value == 0.9
    with pytest.raises(InputError, match="no detector was given"):
        OperatingPointExplorer({})
