"""Honest against optimistic selection on made scores, and its figure."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.judging.selection import compare_selection
from dfworkbench.evaluation.metrics.curve_metrics import METRICS
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.show.plots.selection import plot_selection


def table(seed, skill=0.5, split="test", videos=30):
    rng = np.random.default_rng(seed)
    label = np.arange(videos) % 2
    p = 1 / (1 + np.exp(-rng.normal(skill * (2 * label - 1), 1)))
    names = [f"{split}/{i:02d}.mp4" for i in range(videos)]
    return SCORES.complete(
        pd.DataFrame({
            "row_id": names, "video_id": names, "group": [f"g{i // 4}" for i in range(videos)], "label": label, "track": 0,
            "frame": 0, "fake_probability": p, "split": split,
        })
    )  # fmt: skip


def runs(seed=0, epochs=6):
    skills = np.linspace(0.2, 0.8, epochs)
    val = {e + 1: table(100 * seed + e, skills[e], "val") for e in range(epochs)}
    return val, {e + 1: table(100 * seed + 50 + e, skills[e]) for e in range(epochs)}


def value(scores):
    return metric_of("auc", scores["label"], scores["fake_probability"])


@pytest.mark.parametrize("metric", sorted(METRICS))
@pytest.mark.parametrize("seed", range(3))
def test_optimism_is_never_negative(metric, seed):
    val, test = runs(seed)
    found = compare_selection(val, test, metric=metric, judging=Judging(draws=20))
    assert found.optimism.value >= 0
    assert set(found.epochs["epoch"]) == set(test)


def test_the_picks_are_the_best_of_either_side():
    val, test = runs(seed=6)
    found = compare_selection(val, test, judging=Judging(draws=200))
    honest = max(val, key=lambda e: value(val[e]))
    optimistic = max(test, key=lambda e: value(test[e]))
    assert (found.honest_epoch, found.optimistic_epoch) == (honest, optimistic)
    assert honest != optimistic  # else this test says nothing
    assert found.honest.value == pytest.approx(value(test[honest]))
    assert found.optimistic.value == pytest.approx(value(test[optimistic]))
    assert found.optimism.value == pytest.approx(value(test[optimistic]) - value(test[honest]))
    assert found.honest.low < found.honest.value < found.honest.high
    assert found.epochs["val"].tolist() == pytest.approx([value(val[e]) for e in sorted(val)])


def test_the_interval_of_the_difference_is_paired():
    val, test = runs()
    same = {epoch: test[1] for epoch in test}
    same[3] = test[1].assign(fake_probability=test[1]["fake_probability"] ** 2)  # the same order of files
    found = compare_selection(val, same, judging=Judging(draws=100))
    assert (found.optimism.value, found.optimism.low, found.optimism.high) == (0, 0, 0)
    assert found.honest_epoch == found.optimistic_epoch


def test_the_run_may_have_picked_otherwise():
    val, test = runs()
    worst = min(test, key=lambda e: value(test[e]))
    found = compare_selection(val, test, picked=worst, judging=Judging(draws=10))
    assert found.honest_epoch == worst
    assert found.optimism.value == pytest.approx(max(map(value, test.values())) - value(test[worst]))


def test_the_order_of_rows_does_not_count_and_draws_go_by_group():
    val, test = runs()
    mixed = {epoch: rows.sample(frac=1, random_state=epoch) for epoch, rows in test.items()}
    one, two = (
        compare_selection(val, test, judging=Judging(draws=100)),
        compare_selection(val, mixed, judging=Judging(draws=100)),
    )
    assert (one.optimism, one.honest, one.optimistic) == (two.optimism, two.honest, two.optimistic)
    assert compare_selection(val, test, judging=Judging(draws=100, unit="group")).honest.low != one.honest.low


def test_what_cannot_be_compared_is_refused():
    val, test = runs()
    with pytest.raises(InputError, match="Expected the same epochs on both"):
        compare_selection(val, {1: test[1]})
    with pytest.raises(InputError, match="Expected the same epochs on both"):
        compare_selection(val, test, picked=9)
    with pytest.raises(InputError, match="1 rows of the test data have a score in epoch 1 or 2"):
        compare_selection(val, {**test, 2: test[2].iloc[1:]})
    real = {epoch: rows[rows["label"] == 0] for epoch, rows in test.items()}
    with pytest.raises(InputError, match="not defined on the test data"):
        compare_selection(val, real)


def test_the_note_and_the_figure():
    val, test = runs()
    test = {epoch: rows.assign(note="Trained on a leaky table.") for epoch, rows in test.items()}
    found = compare_selection(val, test, judging=Judging(draws=50))
    assert "NOTE: Trained on a leaky table." in repr(found)
    assert found.table()["epoch"].tolist() == [found.honest_epoch, found.optimistic_epoch, ""]
    figure = plot_selection(found, "title")
    words = [artist.get_text() for artist in figure.findobj(lambda a: hasattr(a, "get_text"))]  # pyright: ignore[reportAttributeAccessIssue]
    assert "Trained on a leaky table." in words
    assert f"Optimism {found.optimism.text(3)}" in words
    assert f"picked on test data: epoch {found.optimistic_epoch}" in words
