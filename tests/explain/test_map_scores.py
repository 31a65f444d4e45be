"""Attribution maps against true masks: by hand, against plain loops and scikit-learn, and with nothing to find."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.measures import measures_table
from dfworkbench.explain.map_baselines import BASELINES, chance_scores, compare_maps, mean_mask
from dfworkbench.explain.map_scores import (
    MEASURES,
    MapScores,
    cell_shares,
    map_scores,
    score_maps,
    summarise_maps,
)


def mask_of(x0, y0, x1, y1, size=8):
    out = np.zeros((size, size), bool)
    out[y0:y1, x0:x1] = True
    return out


def test_scores_by_hand():
    mask = mask_of(0, 0, 4, 4)  # the left upper cell of 2 x 2, and all of it
    got = map_scores([[4.0, 2], [-3, 2]], mask)
    assert got == MapScores(top_iou=1.0, pointing=1.0, energy=0.5, average_precision=1.0)
    got = map_scores([[1.0, 4], [-3, 3]], mask)
    assert got == pytest.approx((0.0, 0.0, 1 / 8, 1 / 3))
    two = mask_of(0, 0, 8, 4)  # the upper cells
    assert map_scores([[1.0, 4], [-3, 3]], two) == pytest.approx((1 / 3, 1.0, 5 / 8, (1 + 2 / 3) / 2))


def test_x_goes_right_and_y_down():
    mask = mask_of(4, 0, 8, 4)
    assert map_scores([[0.0, 1], [0, 0]], mask).top_iou == 1
    assert map_scores([[0.0, 0], [1, 0]], mask).top_iou == 0


def test_the_best_map_has_everything_and_the_worst_nothing():
    mask = mask_of(1, 2, 6, 7)
    assert map_scores(mask.astype(float), mask) == MapScores(1, 1, 1, 1)
    worst = map_scores(-1.0 * mask, mask)
    assert (worst.top_iou, worst.pointing, worst.energy) == (0.0, 0.0, 0.0)
    outside = map_scores(1.0 - mask, mask)
    assert (outside.top_iou, outside.pointing, outside.energy) == (0.0, 0.0, 0.0)


def test_cells_that_are_forged_in_part():
    mask = mask_of(0, 0, 3, 4)  # 3/4 of the left upper cell of 2 x 2
    assert cell_shares(mask, (2, 2)).tolist() == [[0.75, 0], [0, 0]]
    assert map_scores([[2.0, 2], [0, 0]], mask) == pytest.approx((1 / 3, 0.375, 0.375, 0.5))
    thin = mask_of(0, 0, 1, 4)  # no cell reaches one half: the one with most is the forged one
    assert map_scores([[2.0, 1], [0, 0]], thin) == pytest.approx((1, 0.25, 0.25 * 2 / 3, 1))


@pytest.mark.parametrize(("size", "grid"), [((299, 299), (16, 16)), ((10, 7), (3, 4)), ((8, 8), (8, 8))])
def test_shares_of_cells_that_do_not_fit_the_pixels(size, grid):
    rng = np.random.default_rng(0)
    mask = rng.random(size) > 0.6
    shares = cell_shares(mask, grid)
    assert shares.mean() == pytest.approx(mask.mean())
    fine = np.kron(mask, np.ones(grid))  # every cell is now made of whole pixels
    blocks = fine.reshape(grid[0], size[0], grid[1], size[1]).mean(axis=(1, 3))
    np.testing.assert_allclose(shares, blocks, atol=1e-9)


def slow_scores(a, forged):
    order = sorted(range(a.size), key=lambda i: -a.flat[i])
    count = int(forged.sum())
    top = {i for i in order[:count]}
    true = {i for i in range(a.size) if forged.flat[i]}
    positive = [max(v, 0) for v in a.flat]
    return (
        len(top & true) / len(top | true),
        float(order[0] in true),
        sum(positive[i] for i in true) / sum(positive),
        average_precision_score(forged.ravel(), a.ravel()),
    )


def test_scores_equal_plain_loops():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, forged = rng.standard_normal((6, 6)), rng.random((6, 6)) > 0.7
        forged[0, 0] = True
        expected = slow_scores(a, forged)
        assert map_scores(a, forged) == pytest.approx(expected)
        assert map_scores(a, np.kron(forged, np.ones((4, 4))) > 0) == pytest.approx(expected)
        assert map_scores(3 * a, forged) == pytest.approx(expected)


def test_equal_values_count_as_drawn_at_random():
    rng = np.random.default_rng(2)
    a, forged = rng.integers(0, 3, (5, 5)).astype(float), rng.random((5, 5)) > 0.6
    jittered = [map_scores(a + 1e-6 * rng.random((5, 5)), forged) for _ in range(1500)]
    count = forged.sum()
    hits = np.mean([2 * count * s.top_iou / (1 + s.top_iou) for s in jittered])
    found = map_scores(a, forged)
    assert found.top_iou == pytest.approx(hits / (2 * count - hits), abs=0.01)
    assert found.pointing == pytest.approx(np.mean([s.pointing for s in jittered]), abs=0.03)


@pytest.mark.parametrize("value", [1.0, 0.1, 7.3])
def test_a_flat_map_has_the_forged_share(value):
    mask = mask_of(0, 0, 4, 3)
    p = 12 / 64
    assert map_scores(np.full((8, 8), value), mask) == pytest.approx((p / (2 - p), p, p, p))


def test_random_maps_are_at_chance():
    rng = np.random.default_rng(3)
    mask = mask_of(2, 2, 6, 7)
    for grid in ((8, 8), (4, 4)):
        mean = np.mean([map_scores(rng.standard_normal(grid), mask) for _ in range(1500)], axis=0)
        assert mean == pytest.approx(chance_scores(mask, grid), abs=0.03)
        assert mean[[0, 3]] == pytest.approx(np.array(chance_scores(mask, grid))[[0, 3]], abs=0.01)
    assert chance_scores(~np.zeros((8, 8), bool), (4, 4)) == pytest.approx((1, 1, 1, 1))
    assert np.isnan(chance_scores(np.zeros((8, 8), bool), (4, 4))).all()


def test_what_is_not_defined_says_why():
    mask, empty = mask_of(0, 0, 4, 4), np.zeros((8, 8), bool)
    maps = [np.ones((4, 4)), np.zeros((4, 4)), np.eye(4), -np.ones((4, 4))]
    table = score_maps(maps, [mask, mask, empty, mask], list("abcd"))
    assert table["reason"].tolist() == ["", "the map is 0 everywhere", "no forged pixel", ""]
    assert table["top_iou"].isna().tolist() == [False, True, True, False]
    assert table.loc[3, "energy"] == 0
    assert table["group"].tolist() == list("abcd")
    found = summarise_maps(table)[2]
    assert (found.name, found.n) == (MEASURES["energy"], 2)
    assert found.value == pytest.approx(0.125)
    nothing = summarise_maps(table.iloc[1:3])[0]
    assert nothing.reason == "no forged pixel, or the map is 0 everywhere in every picture"
    assert summarise_maps(table.iloc[:0])[0].reason == "nothing to measure"


def test_intervals_are_over_groups():
    rng = np.random.default_rng(4)
    maps = np.repeat(rng.standard_normal((10, 4, 4)), 6, axis=0)
    masks = [mask_of(0, 0, 4, 4)] * 60
    videos = [f"v{i}" for i in range(60)]
    alone = summarise_maps(score_maps(maps, masks, videos))[2]
    grouped = summarise_maps(score_maps(maps, masks, videos, np.repeat(np.arange(10), 6)))[2]
    assert alone.value == grouped.value
    assert grouped.high - grouped.low > 1.7 * (alone.high - alone.low)


def test_attributions_beside_what_must_be_beaten():
    rng = np.random.default_rng(5)
    masks = [mask_of(x, 2, x + 4, 6) for x in rng.integers(0, 5, 20)]
    good = [cell_shares(m, (4, 4)) + 0.1 * rng.random((4, 4)) for m in masks]
    prior = mean_mask([*masks, np.zeros((8, 8), bool)], (4, 4))
    assert prior.shape == (4, 4)
    assert prior[0].tolist() == [0, 0, 0, 0]
    found = compare_maps(
        {"detector": good, "pixels": rng.random((20, 8, 8))}, masks, [f"v{i}" for i in range(20)], prior=prior
    )
    assert list(found) == ["detector", "pixels", *BASELINES]
    value = {name: [item.value for item in row] for name, row in found.items()}
    assert (np.array(value["detector"]) >= value["centre prior"]).all()
    assert (np.array(value["centre prior"]) > value["flat map"]).all()
    assert value["flat map"][1] == pytest.approx(np.mean([m.mean() for m in masks]))
    levels = [item.chance for item in found["detector"]]
    assert value["random maps"] == pytest.approx(levels, abs=0.05)
    assert levels == [item.chance for item in found["flat map"]] == [item.chance for item in found["random maps"]]
    assert levels[:2] == pytest.approx([value["flat map"][0], value["flat map"][1]], abs=0.03)
    assert found["pixels"][3].chance < levels[3]  # of 64 cells, not 16
    assert list(measures_table(found).index) == list(MEASURES.values())
    again = compare_maps({"detector": good}, masks, [f"v{i}" for i in range(20)], prior=prior)
    assert again["detector"] == found["detector"]


@pytest.mark.parametrize(
    ("a", "mask", "message"),
    [
        (np.ones((4, 4, 1)), np.ones((8, 8), bool), r"got a map \(4, 4, 1\) and a mask \(8, 8\)"),
        (np.ones((16, 16)), np.ones((8, 8), bool), "at least as many pixels as cells"),
        (np.ones((4, 4)), np.ones((8, 8)), "the mask is float64, bool was expected"),
        (np.full((4, 4), np.inf), np.ones((8, 8), bool), "16 of 16 values are not finite"),
    ],
)
def test_wrong_maps_and_masks_are_refused(a, mask, message):
    with pytest.raises(InputError, match=message):
        map_scores(a, mask)


def test_wrong_lists_are_refused():
    mask = mask_of(0, 0, 4, 4)
    with pytest.raises(InputError, match="2 maps, 1 masks, 2 video_ids, 2 groups"):
        score_maps(np.ones((2, 4, 4)), [mask], ["a", "b"])
    with pytest.raises(InputError, match="got flat map; expected at least one name, and none of centre prior"):
        compare_maps({"flat map": [np.ones((4, 4))]}, [mask], ["a"], prior=np.ones((4, 4)))
    with pytest.raises(InputError, match="taking the mean of 1 masks"):
        mean_mask([~np.ones((8, 8), bool)], (4, 4))
