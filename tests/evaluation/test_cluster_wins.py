"""AUCs over clusters: the win matrix against counting pairs, and its draws against rows that are weighted one by one."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench.core.names import FAKE
from dfworkbench.evaluation.metrics.clusters import (
    bootstrap_p,
    cluster_wins,
    draw_in_turn,
    draw_together,
    draw_within_classes,
    drawn_aucs,
)
from dfworkbench.evaluation.metrics.delong import delong
from dfworkbench.evaluation.metrics.ranked import Ranked, null_error


@pytest.fixture(scope="module", params=[(7, 3), (3, 7)], ids=["more generators", "more sources"])
def rows(request):
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(size=300) + 0.5 * y, 1)  # with ties
    c1, c0 = request.param
    cluster = np.where(y == FAKE, rng.integers(0, c1, 300), rng.integers(0, c0, 300))
    return y, scores, cluster, (c1, c0)


def test_pairs_are_counted(rows):
    y, scores, cluster, sizes = rows
    wins = cluster_wins(Ranked(y, scores), cluster, sizes)
    for a in range(sizes[0]):
        for b in range(sizes[1]):
            f, r = scores[(y == 1) & (cluster == a)][:, None], scores[(y == 0) & (cluster == b)]
            assert wins.won[a, b] == (f > r).sum() + (f == r).sum() / 2
    assert wins.auc == pytest.approx(roc_auc_score(y, scores))
    real = (y == 1) | (cluster == 1)
    assert wins.against_reals()[1] == pytest.approx(roc_auc_score(y[real], scores[real]))
    fake = (y == 0) | (cluster == 2)
    assert wins.of_fakes()[2] == pytest.approx(roc_auc_score(y[fake], scores[fake]))
    without = (y == 1) | (cluster != 0)
    assert wins.leave_one_out()[1][0] == pytest.approx(roc_auc_score(y[without], scores[without]))


@pytest.mark.parametrize("draw", [draw_within_classes, draw_in_turn])
def test_a_draw_is_weighting_rows(rows, draw):
    y, scores, cluster, sizes = rows
    drawn = draw(*sizes, 20, 3)
    assert (drawn.fakes.sum(axis=1) == sizes[0]).all()
    aucs = drawn_aucs([cluster_wins(Ranked(y, scores), cluster, sizes)], drawn)[:, 0]
    for at in range(20):
        weights = np.where(y == 1, drawn.fakes[at][cluster % sizes[0]], drawn.reals[at][cluster % sizes[1]])
        assert aucs[at] == pytest.approx(roc_auc_score(y, scores, sample_weight=weights))


def test_people_are_drawn_and_left_out_with_both_classes():
    rng = np.random.default_rng(0)
    y, who, scores = rng.integers(0, 2, 200), rng.integers(0, 6, 200), rng.normal(size=200)
    wins, drawn = cluster_wins(Ranked(y, scores), who, (6, 6)), draw_together(6, 5, 0)
    for multiplicity, auc in zip(drawn.fakes, drawn_aucs([wins], drawn)[:, 0], strict=True):
        assert auc == pytest.approx(roc_auc_score(y, scores, sample_weight=multiplicity[who]))
    (without,) = wins.leave_one_out(together=True)
    assert without[2] == pytest.approx(roc_auc_score(y[who != 2], scores[who != 2]))
    assert wins.jackknife_error(together=True) == pytest.approx(
        np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    )


def test_a_draw_of_empty_clusters_has_no_auc():
    wins = cluster_wins(Ranked([1, 0, 0], [2.0, 1, 3]), np.array([0, 0, 1]), (2, 2))
    drawn = draw_within_classes(2, 2, 50, 0)
    assert np.isnan(drawn_aucs([wins], drawn)[:, 0]).tolist() == (drawn.fakes[:, 0] == 0).tolist()
    assert wins.there().won.shape == (1, 2)


def test_files_are_delong(rows):
    y, scores, *_ = rows
    ranked, known = Ranked(y, scores), delong(y, scores)
    found = ranked.file_interval()
    assert found.value == pytest.approx(known.auc[0])
    assert found.high - found.low == pytest.approx(2 * 1.959964 * np.sqrt(known.covariance[0, 0]), rel=1e-6)
    assert ranked.tied == pytest.approx(np.mean(scores[y == 1][:, None] == scores[y == 0]))


@pytest.mark.parametrize("auc", [0, 1])
def test_separated_files_have_an_interval_too(auc):
    scores = np.array([0.1, 0.2, 0.3, 0.8, 0.9])
    found = Ranked([0, 0, 0, 1, 1], scores if auc else -scores).file_interval()
    low, high = 0.025**0.5, 1  # two pairs share no row, and both are won
    assert (found.value, found.low, found.high) == pytest.approx((1, low, high) if auc else (0, 1 - high, 1 - low))


def test_error_of_scores_that_say_nothing():
    rng = np.random.default_rng(0)
    aucs = [Ranked(np.arange(60) < 20, rng.random(60)).auc for _ in range(2000)]
    assert np.std(aucs) == pytest.approx(null_error(20, 40), rel=0.05)


def test_p_is_never_zero():
    assert bootstrap_p(np.ones(99), np.zeros(99)) == pytest.approx(0.02)
    assert bootstrap_p(np.ones(99), np.ones(99)) == 1
    assert np.isnan(bootstrap_p(np.array([np.nan]), np.array([0.0])))
