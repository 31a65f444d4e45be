"""Deletion and insertion curves: by hand, by enumeration of all orders, and against chance."""

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.explain.captum_maps import Explanation
from dfworkbench.explain.deletion import Curve, deletion_and_insertion
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.models.prediction import Prediction


class Additive:
    """Each player adds a number; what was asked is kept."""

    def __init__(self, gains, start=0.0):
        self.gains, self.start, self.asked = np.asarray(gains, dtype=np.float64), start, []

    @property
    def players(self):
        return len(self.gains)

    def values(self, coalitions):
        self.asked.extend(map(tuple, coalitions))
        return self.start + coalitions @ self.gains


class Linear(nn.Module):
    def __init__(self, cells=2):
        super().__init__()
        self.input_spec = InputSpec(size_px=8 * cells)
        torch.manual_seed(0)
        self.weights = nn.Parameter(torch.randn(cells, cells).repeat_interleave(8, 0).repeat_interleave(8, 1))

    def forward(self, images):
        return Prediction((images * self.weights).flatten(1).mean(dim=1) * 9 - 0.5)


def picture(size):
    return np.random.default_rng(0).integers(1, 256, size=(size, size, 3), dtype=np.uint8)


def test_curves_by_hand():
    game = Additive([4.0, -2.0, 1.0, 0.0], start=1.0)
    found = deletion_and_insertion(game, {"a": [10.0, 0.0, 5.0, 1.0]}, steps=4, random_orders=3)["a"]
    assert found.deletion.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.deletion.values.tolist() == [4, 0, -1, -1, 1]  # hides 0, 2, 3, 1
    assert found.deletion.area == pytest.approx((4 / 2 + 0 - 1 - 1 + 1 / 2) / 4)
    assert found.insertion.values.tolist() == [1, 5, 6, 6, 4]
    assert found.insertion.area == pytest.approx((1 / 2 + 5 + 6 + 6 + 4 / 2) / 4)


def test_the_probability_is_that_of_rise():
    game = Additive([4.0, -2.0, 1.0, 0.0], start=1.0)
    raw = deletion_and_insertion(game, {"a": [10.0, 0.0, 5.0, 1.0]}, steps=4, random_orders=3)["a"]
    found, p = raw.probability, 1 / (1 + np.exp(-np.array([4.0, 0, -1, -1, 1])))
    np.testing.assert_allclose(found.deletion.values, p)
    # RISE, evaluation.py: (arr.sum() - arr[0] / 2 - arr[-1] / 2) / (arr.shape[0] - 1)
    assert found.deletion.area == pytest.approx((p.sum() - p[0] / 2 - p[-1] / 2) / 4)
    means = np.mean([1 / (1 + np.exp(-curve.values)) for curve in raw.random], axis=0)
    np.testing.assert_allclose(found.random_insertion.values, means)


def test_the_true_order_of_a_linear_detector_is_the_best_of_all():
    """All 24 orders of 2 x 2 cells: lowest area of deletion, highest of insertion; the reversed order is the worst."""
    network, image = Linear(), picture(16)
    game = ImageGame(network, image, grid=2)
    values = game.values(np.concatenate([np.zeros((1, 4), bool), np.eye(4, dtype=bool)]))
    truth = (values[1:] - values[0]).reshape(2, 2)
    assert len(set(truth.ravel())) == 4
    orders = {ranks: np.array(ranks, dtype=float).reshape(2, 2) for ranks in permutations(range(4))}
    found = deletion_and_insertion(game, {**orders, "truth": truth}, steps=4, random_orders=1)
    best = tuple(truth.ravel().argsort().argsort().tolist())
    for scale in (lambda one: one, lambda one: one.probability):
        deletions = {name: scale(found[name]).deletion.area for name in orders}
        insertions = {name: scale(found[name]).insertion.area for name in orders}
        assert min(deletions, key=deletions.__getitem__) == best
        assert max(insertions, key=insertions.__getitem__) == best
        assert scale(found["truth"]).deletion.area == deletions[best] < sorted(deletions.values())[1]
        assert scale(found["truth"]).insertion.area == insertions[best] > sorted(insertions.values())[-2]
        assert max(deletions, key=deletions.__getitem__) == tuple(3 - rank for rank in best)


def test_random_orders_are_the_chance_level():
    """An additive game falls, on average, in a straight line; so the mean of the areas is the middle of both ends."""
    random = np.random.default_rng(3)
    gains = random.normal(size=25)
    game = Additive(gains, start=2.0)
    found = deletion_and_insertion(game, {"truth": gains, "lie": -gains}, steps=5, random_orders=4000)
    truth, lie = found["truth"], found["lie"]
    middle = 2 + gains.sum() / 2
    error = truth.random_areas.std() / np.sqrt(4000)
    assert truth.random_areas.mean() == pytest.approx(middle, abs=4 * error)
    assert len(truth.random) == 4000
    np.testing.assert_allclose(
        truth.random_insertion.values, 2 + truth.random_insertion.shares * gains.sum(), atol=0.15
    )
    np.testing.assert_allclose(
        truth.random_deletion.values, 2 + (1 - truth.random_deletion.shares) * gains.sum(), atol=0.15
    )
    assert truth.random_deletion.area == pytest.approx(truth.random_insertion.area)
    assert truth.deletion_gain > 1
    assert truth.insertion_gain > 1
    assert lie.deletion_gain < -1
    assert lie.insertion_gain < -1
    assert truth.deletion_gain == pytest.approx(truth.random_areas.mean() - truth.deletion.area)
    assert truth.insertion_gain == pytest.approx(truth.insertion.area - truth.random_areas.mean())
    assert truth.random is lie.random


def test_steps_that_do_not_fit_the_cells():
    game = Additive(np.ones(9))
    curve = deletion_and_insertion(game, {"a": np.arange(9)}, steps=4, random_orders=1)["a"].insertion
    np.testing.assert_allclose(curve.shares * 9, [0, 2, 4, 6, 9])
    np.testing.assert_allclose(curve.values, [0, 2, 4, 6, 9])
    assert curve.area == pytest.approx(4.5)  # uneven steps are weighed as such
    many = deletion_and_insertion(game, {"a": np.arange(9)}, steps=100, random_orders=1)["a"]
    assert len(many.deletion.shares) == 10


def test_nothing_is_asked_twice_that_all_curves_share():
    game = Additive(np.ones(16))
    deletion_and_insertion(game, {"a": np.arange(16), "b": -np.arange(16)}, steps=8, random_orders=3)
    assert len(game.asked) == 2 + (2 * 2 + 3) * 7
    assert sum(sum(row) in (0, 16) for row in game.asked) == 2


def test_ties_are_broken_by_the_seed_and_not_by_place():
    """Flat maps must not profit from forgeries that lie at the upper edge, nor suffer from them."""
    gains = np.zeros(36)
    gains[:6] = 1
    areas = [
        deletion_and_insertion(Additive(gains), {"flat": np.ones(36)}, steps=36, random_orders=1, seed=seed)["flat"]
        for seed in range(300)
    ]
    deleted = np.array([one.deletion.area for one in areas])
    assert deleted.std() > 0
    assert deleted.mean() == pytest.approx(3, abs=4 * deleted.std() / np.sqrt(300))  # by place: 0.58
    again = deletion_and_insertion(Additive(gains), {"flat": np.ones(36)}, steps=36, random_orders=1, seed=7)["flat"]
    assert again.deletion.area == deleted[7]
    # two maps with the same ties are in the same order, and ties within a map come after what is above them
    maps = {"a": np.r_[np.ones(6), np.zeros(30)], "b": np.r_[np.full(6, 9.0), np.full(30, 2.0)]}
    both = deletion_and_insertion(Additive(np.arange(36.0)), maps, steps=36, random_orders=1)
    np.testing.assert_array_equal(both["a"].deletion.values, both["b"].deletion.values)
    assert both["a"].insertion.values[6] == 0 + 1 + 2 + 3 + 4 + 5


def test_a_seed_decides_everything():
    game, maps = Additive(np.random.default_rng(0).normal(size=16)), {"a": np.ones(16)}
    first, same, other = (deletion_and_insertion(game, maps, steps=4, seed=seed)["a"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.random_areas, same.random_areas)
    assert (first.random_areas != other.random_areas).any()
    assert len(set(first.random_areas)) > 5


def test_reversed_curves():
    curve = Curve(np.array([0, 0.25, 1]), np.array([1.0, 2, 5])).reversed
    assert curve.shares.tolist() == [0, 0.75, 1]
    assert curve.values.tolist() == [5, 2, 1]


def test_baseline_and_value_are_those_of_the_game():
    network, image = Linear(cells=3), picture(24)
    maps = {"a": np.arange(9.0).reshape(3, 3)}

    def twice(prediction):
        return prediction.logit * 2

    asked = ImageGame(network, image, grid=3, baseline="mean", value=twice, batch_size=2)
    found = deletion_and_insertion(asked, maps, steps=3)["a"]
    game = ImageGame(network, image, grid=3, baseline="mean")
    shown = np.ones((4, 9), bool)
    shown[1, 6:], shown[2, 3:], shown[3] = False, False, False
    np.testing.assert_allclose(found.deletion.values, 2 * game.values(shown), rtol=1e-5)
    np.testing.assert_allclose(found.insertion.values, 2 * game.values(~shown), rtol=1e-5)
    explained = {"a": Explanation("occlusion", maps["a"], "Linear", "logit", 10)}
    again = deletion_and_insertion(asked, explained, steps=3)["a"]
    np.testing.assert_array_equal(again.deletion.values, found.deletion.values)


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ({}, "there are no maps"),
        ({"a": np.ones((2, 2)), "b": np.ones((3, 3))}, "the map 'b' has 9 values, 0 of them not finite; expected 4"),
        ({"a": np.array([[1, 2], [3, np.nan]])}, "the map 'a' has 4 values, 1 of them not finite; expected 4"),
    ],
)
def test_bad_maps(maps, words):
    with pytest.raises(InputError, match=words):
        deletion_and_insertion(ImageGame(Linear(), picture(16), grid=2), maps)


def test_bad_numbers():
    game, maps = ImageGame(Linear(), picture(16), grid=2), {"a": np.ones((2, 2))}
    for bad in ({"steps": 0}, {"random_orders": 0}, {"seed": -1}):
        with pytest.raises(ParameterError, match="drawing deletion curves: steps = "):
            deletion_and_insertion(game, maps, **bad)
    with pytest.raises(InputError, match="expected 9 finite numbers"):
        deletion_and_insertion(Additive(np.ones(9)), maps)
    with pytest.raises(InputError, match="there are no maps"):
        deletion_and_insertion(Additive(np.ones(9)), {})
