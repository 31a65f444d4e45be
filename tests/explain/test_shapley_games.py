"""Shapley values of games with known answers; the A numbers are those of specs/fst_matching.md."""

import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
from exact_shapley import exact, shapley_of_table

from dfworkbench.core.errors import InputError, ParameterError, UnknownNameError
from dfworkbench.explain.shapley.estimators import ESTIMATORS, estimate, random_for
from dfworkbench.explain.shapley.game import CountedGame
from dfworkbench.explain.shapley.kernel import kernel_coalitions
from dfworkbench.explain.shapley.permutations import antithetic, published, published_coalitions, rotated, walk
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import RunningMean, StopRule

SIXTEENTHS = np.arange(1, 17) / 16


class Function:
    """A game from a vectorised function; it remembers what it was asked."""

    def __init__(self, players, function):
        self.players, self.function, self.asked = players, function, []

    def values(self, coalitions):
        self.asked.append(coalitions.copy())
        return np.asarray(self.function(coalitions), dtype=float)


def quadratic(w):
    return Function(len(w), lambda c: (c @ w) ** 2)


def rough(players=8, seed=1):
    """Interactions of all orders: a random table, on a slope that gives every player something."""
    table = np.random.default_rng(seed).normal(size=1 << players)
    return Function(players, lambda c: table[c @ (1 << np.arange(players))] + c.sum(axis=1))


def budget(evaluations, **options):
    return StopRule(relative_error=None, evaluations=evaluations, **options)


def by_permutations(game):
    """Slow reference: the mean payment over all n! orders."""
    paid = np.zeros(game.players)
    orders = list(permutations(range(game.players)))
    for order in orders:
        inside = np.zeros(game.players, dtype=bool)
        before = game.values(inside[None])[0]
        for player in order:
            inside[player] = True
            after = game.values(inside[None])[0]
            paid[player] += after - before
            before = after
    return paid / len(orders)


def glove(c):
    return c[:, 0] & (c[:, 1] | c[:, 2])


def four(c):
    return c @ np.arange(1.0, 5) + 8 * (c[:, 0] & c[:, 3]) - 3 * (c[:, 1] & c[:, 2]) + 6 * (c[:, 0] & c[:, 1] & c[:, 2])


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (Function(3, glove), [2 / 3, 1 / 6, 1 / 6]),
        (Function(4, four), [7, 2.5, 3.5, 8]),
        (quadratic(SIXTEENTHS), 8.5 * SIXTEENTHS),
        (Function(1, lambda c: 5 + 2 * c[:, 0]), [2]),
    ],
    ids=["glove", "four players", "quadratic", "one player"],
)
def test_a4_exact_values_of_small_games(game, expected):
    got = exact(game)
    np.testing.assert_allclose(got.values, expected, rtol=1e-12)
    assert got.efficiency_gap == pytest.approx(0, abs=1e-10)
    assert (got.evaluations, got.stopped, got.relative_error) == (2**game.players, "exact", 0)


def test_enumeration_equals_the_mean_over_all_orders():
    game = rough(5)
    np.testing.assert_allclose(exact(game).values, by_permutations(game), atol=1e-12)
    np.testing.assert_allclose(exact(game, chunk=3).values, exact(game).values)


def test_a_table_counts_player_0_as_the_lowest_bit():
    assert shapley_of_table(np.array([0.0, 1.0, 10.0, 11.0])).tolist() == [1, 10]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a4_additive_games_are_exact_with_every_estimator(estimator):
    w = np.random.default_rng(5).normal(size=12)
    got = estimate(Function(12, lambda c: 3 + c @ w), random_for("row"), estimator=estimator)
    np.testing.assert_allclose(got.values, w, atol=1e-12)
    assert got.relative_error < 1e-12
    assert got.stopped == "relative error"
    assert (got.empty, got.full) == (3, pytest.approx(3 + w.sum()))


@pytest.mark.parametrize("estimator", ["antithetic", "kernel", "rotated", "walk"])
def test_a4_duplicates_are_paid_alike_and_ignored_players_nothing(estimator):
    """Players 0 and 1 are copies, player 2 changes nothing."""
    game = Function(5, lambda c: (c[:, 0] | c[:, 1]) * (1.0 + c[:, 3]) + c[:, 4])
    truth = exact(game).values
    assert truth[0] == pytest.approx(truth[1], abs=1e-15)
    assert truth[2] == pytest.approx(0, abs=1e-15)
    got = estimate(game, random_for("row"), budget(20_002), estimator=estimator)
    assert np.abs(got.values - truth).max() < 5 * max(got.standard_error.max(), 1e-15)
    if estimator != "kernel":
        assert got.values[2] == 0


def test_a5_published_estimator_is_the_authors_to_the_bit():
    expected = [
        0.58210938, 1.16328125, 1.50773438, 1.945625, 2.71328125, 3.500625, 3.81171875, 4.49875, 4.33546875, 5.7953125,
        6.03882813, 6.73125, 7.06367187, 7.3325, 8.08242187, 10.07625,
    ]  # fmt: skip
    got = list(published(quadratic(SIXTEENTHS), np.random.RandomState(0), budget(3202)))
    assert len(got) == 1
    np.testing.assert_allclose(got[0].values, expected, atol=1e-8)
    assert got[0].values.sum() == pytest.approx(75.178828125, abs=1e-9)
    assert np.abs(got[0].values - 8.5 * SIXTEENTHS).max() == pytest.approx(1.57625, abs=1e-9)
    assert (got[0].samples, got[0].evaluations, got[0].stopped) == (100, 3202, "budget")
    others = SIXTEENTHS[:-1]
    closed = 2 * np.sqrt((others**2).sum() / 6 + others.sum() ** 2 / 12) / 10
    assert closed == pytest.approx(0.4688, abs=1e-4)
    assert got[0].standard_error[-1] == pytest.approx(closed, rel=0.2)


def test_a5_published_coalitions_are_the_authors():
    got = ["".join(map(str, row)) for row in published_coalitions(np.random.RandomState(3), 16, 5, 4).astype(int)]
    without = ["0110101100001101", "1111101111111111", "1110101111011111", "1011001111111101"]
    assert got == without + [row[:5] + "1" + row[6:] for row in without]


def test_published_draws_the_same_however_many_players_share_a_call():
    one, many = (
        list(published(quadratic(SIXTEENTHS), np.random.RandomState(0), budget(3202, chunk=chunk)))[-1].values
        for chunk in (1, 1000)
    )
    assert np.array_equal(one, many)


@pytest.mark.parametrize("estimator", ["antithetic", "kernel", "rotated", "walk"])
@pytest.mark.parametrize("samples", [45, 100])
def test_a6_efficiency(estimator, samples):
    game = rough()
    cost = {"antithetic": 14, "kernel": 2, "rotated": 28, "walk": 7}[estimator]
    got = estimate(game, random_for("row"), budget(2 + cost * samples), estimator=estimator)
    assert got.samples == samples
    assert abs(got.efficiency_gap) <= 1e-6 * max(1, abs(got.full))


def test_a6_antithetic_pairs_are_exact_for_second_order_games():
    w = np.random.RandomState(11).rand(256)
    truth = w * w.sum()

    def error(estimator, evaluations):
        got = estimate(quadratic(w), random_for("row"), budget(evaluations), estimator=estimator)
        return np.linalg.norm(got.values - truth) / np.linalg.norm(truth), got

    assert error("antithetic", 5 * 510 + 2)[0] < 1e-10
    assert error("kernel", 4 * 256 + 2)[0] < 1e-10
    wrong, got = error("walk", 100 * 255 + 2)
    assert 0.045 < wrong < 0.07
    assert got.relative_error == pytest.approx(wrong, rel=0.2)
    assert got.evaluations == 25_502
    wrong, got = error("published", 51_202)
    wrong, got = error("published", 51_202)
    assert 0.047 < wrong < 0.068  # one run: 3 standard deviations about the theory's 0.0577
    assert got.relative_error == pytest.approx(0.0577, rel=0.05)


@pytest.mark.parametrize(
    ("estimator", "evaluations"),
    [("antithetic", 282), ("kernel", 82), ("kernel", 402), ("published", 1602), ("rotated", 562), ("walk", 282)],
)
def test_standard_errors_are_the_spread_of_repeated_estimates(estimator, evaluations):
    """82 evaluations are the fewest that KernelSHAP takes: 40 pairs for 8 players."""
    game = rough()
    truth = exact(game).values
    got = [estimate(game, random_for(str(k)), budget(evaluations), estimator=estimator) for k in range(200)]
    wrong = np.array([one.values for one in got]) - truth
    claimed = np.sqrt(np.mean([one.standard_error**2 for one in got], axis=0))
    spread = np.sqrt((wrong**2).mean(axis=0))
    np.testing.assert_allclose(claimed, spread, rtol=0.3)
    assert np.sqrt((claimed**2).sum() / (spread**2).sum()) == pytest.approx(1, abs=0.12)
    assert np.abs(wrong.mean(axis=0) / (spread / np.sqrt(200))).max() < 4.5, "a bias"


def test_estimators_rank_as_they_should_on_a_game_of_weak_higher_orders():
    game = Function(16, lambda c: np.tanh(c @ SIXTEENTHS / 4) + 0.5 * (c[:, 0] & c[:, 5] & c[:, 9]))
    truth = exact(game).values

    def error(estimator):
        runs = [estimate(game, random_for(str(k)), budget(3202), estimator=estimator).values for k in range(10)]
        return np.sqrt(np.mean((np.array(runs) - truth) ** 2))

    errors = {estimator: error(estimator) for estimator in ESTIMATORS}
    assert max(errors["antithetic"], errors["kernel"], errors["rotated"]) < errors["walk"] < errors["published"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_stop_at_the_wanted_error_or_at_the_budget(estimator):
    game, samples = rough(), []
    done = estimate(
        game, random_for("row"), StopRule(0.05, 200_000, chunk=256), estimator=estimator, on_progress=samples.append
    )
    assert done.stopped == "relative error"
    assert done.relative_error <= 0.05
    assert [one.stopped for one in samples] == [""] * (len(samples) - 1) + ["relative error"]
    assert all(one.relative_error > 0.05 for one in samples[:-1])
    assert done.evaluations == sum(map(len, game.asked)) < 200_000
    tight = estimate(rough(), random_for("row"), StopRule(0.001, 1700), estimator=estimator)
    assert tight.stopped == "budget"
    assert tight.relative_error > 0.001
    assert 1700 - 2 * 8 * 100 < tight.evaluations <= 1700


def test_an_error_from_too_few_samples_is_not_believed():
    got = estimate(Function(4, lambda c: c.sum(axis=1)), random_for("row"), StopRule(chunk=1, min_samples=11))
    assert got.samples == 11


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_coalitions_depend_on_the_row_alone(estimator):
    """Not on the game's values, nor on chunk or budget: a longer estimate begins as a shorter one."""

    def asked(game, evaluations, row="row"):
        for _ in ESTIMATORS[estimator](game, random_for(row), budget(evaluations)):
            pass
        return np.concatenate(game.asked)

    one = asked(rough(seed=1), 3202)
    assert np.array_equal(one, asked(rough(seed=2), 3202))
    longer = asked(rough(seed=1), 4802)
    assert len(longer) > len(one)
    assert np.array_equal(one, asked(rough(seed=1), 3202))
    assert not np.array_equal(one, asked(rough(seed=1), 3202, row="another row"))


@pytest.mark.parametrize("estimator", ["antithetic", "walk", "published", "rotated"])
def test_chunks_change_what_is_looked_at_but_not_what_is_drawn(estimator):
    few, many = (
        estimate(rough(), random_for("row"), budget(3202, chunk=chunk), estimator=estimator) for chunk in (14, 4096)
    )
    assert few.evaluations == many.evaluations
    np.testing.assert_allclose(few.values, many.values, rtol=1e-10)
    np.testing.assert_allclose(few.standard_error, many.standard_error, rtol=1e-8)


def test_chunks_do_not_change_kernel_estimates():
    few, many = (
        estimate(rough(), random_for("row"), budget(402, chunk=chunk), estimator="kernel") for chunk in (2, 500)
    )
    np.testing.assert_allclose(few.values, many.values, rtol=1e-10)
    np.testing.assert_allclose(few.standard_error, many.standard_error, rtol=1e-8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_calls_of_the_game_are_bounded(estimator):
    game = rough()
    estimate(game, random_for("row"), budget(20_000, chunk=300), estimator=estimator)
    assert max(map(len, game.asked)) <= 300
    assert len({one.tobytes() for one in game.asked}) > 1


@pytest.mark.parametrize("function", [antithetic, rotated, walk])
def test_a_walk_asks_for_the_ends_once(function):
    game = rough()
    for _ in function(game, random_for("row"), budget(2 + 14 * 20)):
        pass
    sizes = np.concatenate(game.asked).sum(axis=1)
    assert (sizes == 0).sum() == (sizes == 8).sum() == 1


def test_a_rotated_walk_begins_with_the_second_half_of_the_players():
    game = rough()
    next(rotated(game, random_for("row"), budget(2 + 28)))
    forward, back, turned, turned_back = game.asked[1].reshape(4, 7, 8)
    assert np.array_equal(back, ~forward[::-1])
    assert np.array_equal(turned_back, ~turned[::-1])
    assert np.array_equal(turned[3], ~forward[3])  # four of eight players have entered
    assert np.array_equal(turned[5], ~forward[3] | forward[1])


def test_rotation_helps_where_few_players_decide():
    """A game that is nearly decided after a few of 16 players, with the same budget of 10 x 4 walks."""
    game = Function(16, lambda c: -np.expm1(-(c @ SIXTEENTHS)))
    truth = exact(game).values

    def error(estimator):
        runs = [estimate(game, random_for(str(k)), budget(602), estimator=estimator).values for k in range(200)]
        return np.mean((np.array(runs) - truth) ** 2)

    assert error("rotated") < 0.8 * error("antithetic")


def test_the_reverse_of_a_walk_asks_about_complements():
    game = rough()
    next(antithetic(game, random_for("row"), budget(2 + 14)))
    forward, back = game.asked[1][:7], game.asked[1][7:]
    assert np.array_equal(back, ~forward[::-1])


def test_kernel_draws_sizes_by_their_density():
    n, count = 9, 20_000
    sizes = np.bincount(kernel_coalitions(random_for("row"), n, count).sum(axis=1), minlength=n)[1:n]
    s = np.arange(1, n)
    expected = 1 / (s * (n - s)) / (1 / (s * (n - s))).sum() * count
    assert (np.abs(sizes - expected) < 5 * np.sqrt(expected)).all()


def test_kernel_minimises_what_it_says():
    """Against least squares with the constraint put in by hand, on the unpaired equations."""
    game = rough(6)
    got = estimate(game, random_for("row"), budget(2 + 2 * 60), estimator="kernel")
    asked = np.concatenate(game.asked[1:])
    wanted = game.function(asked) - got.empty
    total = got.full - got.empty
    z = asked[:, :-1].astype(float) - asked[:, -1:]  # the last value is total minus the others
    rest = np.linalg.lstsq(z, wanted - total * asked[:, -1], rcond=None)[0]
    np.testing.assert_allclose(got.values[:-1], rest, atol=1e-10)


def test_means_in_chunks_are_means():
    rows, mean = np.random.default_rng(0).normal(1e6, 1, size=(50, 3)), RunningMean(3)
    assert np.isnan(mean.standard_error).all()
    for part in np.split(rows, [1, 7, 30]):
        mean.add(part)
    np.testing.assert_allclose(mean.mean, rows.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(mean.standard_error, rows.std(axis=0, ddof=1) / np.sqrt(50), rtol=1e-9)


def test_relative_error_of_nothing():
    nothing = Attribution(np.zeros(2), np.zeros(2), 2, 0, 0, 1)
    assert nothing.relative_error == 0
    assert Attribution(np.zeros(2), np.ones(2), 2, 0, 0, 1).relative_error == np.inf
    got = estimate(Function(4, lambda c: np.ones(len(c))), random_for("row"))
    assert got.stopped == "relative error"
    assert not got.values.any()


def test_games_are_counted_and_checked():
    counted = CountedGame(Function(3, glove))
    assert counted.ends() == counted.ends() == (0, 1)
    assert counted.evaluations == 2
    assert counted.values(np.empty((0, 3), dtype=bool)).shape == (0,)
    with pytest.raises(InputError, match=r"got an array of shape \(2, 1\), expected \(2,\)"):
        CountedGame(Function(3, lambda c: c[:, :1])).ends()
    with pytest.raises(InputError, match=r"of 2 coalitions: 1 are NaN or infinite"):
        CountedGame(Function(3, lambda c: np.where(c[:, 0], np.nan, 1))).ends()
    with pytest.raises(InputError, match="it has 0 players"):
        CountedGame(Function(0, glove))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_cannot_be_estimated_is_refused(estimator):
    with pytest.raises(InputError, match=r"1 player\(s\), expected at least 2"):
        estimate(Function(1, lambda c: c[:, 0]), random_for("row"), estimator=estimator)
    with pytest.raises(ParameterError, match=r"budget of 8 evaluations.*of \d+ or more"):
        estimate(rough(), random_for("row"), budget(8), estimator=estimator)


def test_kernel_refuses_fewer_samples_than_are_well_conditioned():
    w = np.ones(256)
    with pytest.raises(ParameterError, match=r"512 pairs of coalitions are the least.* of 1026 or more"):
        estimate(quadratic(w), random_for("row"), budget(1025), estimator="kernel")


def test_misspelt_and_out_of_range_settings_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'antithetic'"):
        estimate(rough(), random_for("row"), estimator="antithetik")
    with pytest.raises(ParameterError, match=r"Change relative_error, min_samples\."):
        StopRule(relative_error=0, min_samples=1)
    with pytest.raises(ParameterError, match="samples = 0"):
        next(published(rough(), random_for("row"), samples=0))


def test_games_and_estimators_need_no_torch():
    code = "import sys, dfworkbench.explain.shapley.estimators; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "False"
