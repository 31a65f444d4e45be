"""The LR system against golden figures over 30 people, against scikit-learn's fits, and against what its words promise."""

import json
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.likelihood_ratios import cllr, fit_lr, group_weights
from dfworkbench.evidence.numbers.lr_system import fit_system, fits_without_each, mean_lr
from dfworkbench.evidence.numbers.refits import refit
from dfworkbench.evidence.reference.scores import reference_scores

FOLDER = Path(__file__).parents[1] / "golden"
GROUPS = json.loads((FOLDER / "likelihood_ratios.json").read_text())["groups"]
EVIDENCE = json.loads((Path(__file__).parent / "lr_intervals.json").read_text())
EXACT = 1e-9


@pytest.fixture(scope="module")
def golden():
    return fit_system(reference_scores(GROUPS["scores"], GROUPS["labels"], GROUPS["groups"]))


def people(count, kinds=("swap", "reenactment"), seed=0, apart=1.5):
    """Scores of people with two genuine tracks and one of each kind."""
    rng = np.random.default_rng(seed)
    rows = [(f"p{i:03d}", kind) for i in range(count) for kind in ("", "", *kinds)]
    labels = np.array([int(kind != "") for _, kind in rows])
    own = np.repeat(rng.normal(0, 0.5, count), 2 + len(kinds))
    return reference_scores(own + rng.normal((2 * labels - 1) * apart, 1), labels, *zip(*rows, strict=True))


def test_fits_of_the_golden_people(golden):
    assert golden.whole == pytest.approx((GROUPS["slope"], GROUPS["offset"]), abs=EXACT)
    assert golden.llr == pytest.approx(GROUPS["llr_leave_one_group_out"], abs=EXACT)
    weights = group_weights(golden.rows.labels, golden.rows.codes)
    assert cllr(golden.llr, golden.rows.labels, weights) == pytest.approx(GROUPS["cllr_loo_group_weighted"], abs=EXACT)
    assert golden.bounds == pytest.approx(GROUPS["elub_groups"], abs=EXACT)


def test_intervals_of_the_golden_people(golden):
    for x, llr, ends in zip(*(EVIDENCE[name] for name in ("evidence_scores", "llr", "interval95")), strict=True):
        value = golden.value(x)
        assert value.unbounded_llr == pytest.approx(llr, abs=EXACT)
        assert np.quantile(golden.drawn.llr([x])[:, 0], [0.025, 0.975]) == pytest.approx(ends, abs=1e-6)
        cut = np.clip([llr, *ends], golden.bounds.low, golden.bounds.high)
        assert (value.llr, value.low, value.high) == pytest.approx(tuple(cut), abs=1e-6)


@pytest.mark.parametrize("entry", EVIDENCE["file_llr"], ids=str)
def test_lr_of_a_file(entry):
    assert float(mean_lr(entry["people"])) == pytest.approx(entry["mean_rule"], abs=EXACT)


def test_a_file_is_the_mean_of_its_people_draw_by_draw(golden):
    value = golden.of_file([0.0, -1.0])
    each = 10 ** golden.whole.llr([0.0, -1.0])
    assert value.unbounded_llr == pytest.approx(np.log10(each.mean()), abs=EXACT)
    drawn = np.log10((10 ** golden.drawn.llr([0.0, -1.0])).mean(axis=1))
    assert (value.low, value.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=EXACT)
    assert golden.of_file([0.7]).llr == pytest.approx(golden.value(0.7).llr, abs=EXACT)


def test_refits_equal_those_of_scikit_learn():
    """Also where classes are separated, scores are equal, or lie as far out as clipped probabilities allow."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 20)
    for scores in (
        rng.normal(labels * 2 - 1, 1),
        labels * 27.631 - 13.8155,
        13.8155 - labels * 27.631,
        np.where(rng.random(40) < 0.9, -13.8155, rng.normal(size=40)),
        np.full(40, 2.0),
    ):
        groups = rng.integers(0, 8, 40)
        weights = np.stack([group_weights(labels, groups), group_weights(labels)])
        ours = refit(np.asarray(scores, dtype=float), labels, weights)
        theirs = [fit_lr(scores, labels, groups), fit_lr(scores, labels)]
        assert np.transpose(ours) == pytest.approx(np.array(theirs), abs=1e-7)


def test_a_person_is_left_out_with_both_classes():
    rows = people(12)
    fits = fits_without_each(rows)
    for code in (0, 7):
        rest = rows.codes != code
        one = fit_lr(rows.scores[rest], rows.labels[rest], rows.codes[rest])
        assert (fits.slopes[code], fits.offsets[code]) == pytest.approx(one, abs=EXACT)


def test_a_kind_of_forgery_has_an_lr_from_ten_people_on():
    assert set(fit_system(people(10), draws=5).kinds) == {"swap", "reenactment"}
    assert fit_system(people(9), draws=5).kinds == {}
    assert fit_system(people(10, kinds=("swap",)), draws=5).kinds == {}
    system = fit_system(people(12), draws=5)
    value = system.value(50.0)
    for kind, (_, bounds) in system.kinds.items():
        assert value.kinds[kind] == bounds.high <= np.log10(13)


def test_no_lr_exceeds_the_number_of_people():
    for count in (5, 20):
        value = fit_system(people(count, apart=5), draws=50).value(13.8155)
        assert value.unbounded_llr > value.llr
        assert value.llr <= np.log10(count) + 0.02


def test_same_seed_same_interval_and_no_draws_no_interval():
    rows = people(12)
    first, second = (fit_system(rows, draws=50, seed=1).value(0.3) for _ in range(2))
    assert first == second
    assert np.isnan(fit_system(rows, draws=0).value(0.3).low)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (([1.0, 2.0], [1], ["a", "b"]), ("2 scores", "1 labels", "one of each per row")),
        (([1.0, np.nan], [1, 0], ["a", "b"]), ("1 of 2", "finite", "Leave out")),
        (([1.0, 2.0], [1, 1], ["a", "b"]), ("2 manipulated", "0 genuine", "both", "Choose")),
    ],
)
def test_unusable_rows_are_refused(arrays, words):
    with pytest.raises(InputError) as caught:
        reference_scores(*arrays)
    assert all(word in str(caught.value) for word in words)


def test_one_person_cannot_be_left_out():
    with pytest.raises(InputError, match="1 with genuine faces; expected at least 2"):
        fit_system(reference_scores([1.0, 2.0, 3.0], [0, 1, 1], ["a", "a", "b"]))
