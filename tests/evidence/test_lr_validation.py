"""Validation figures of an LR system: against golden sets, plain loops and simulations whose truth is known."""

import json
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.evaluation.metrics.clusters import draw_together
from dfworkbench.evaluation.metrics.likelihood_ratios import (
    cllr,
    cllr_min,
    devpav,
    fit_lr,
    group_weights,
    misleading,
    pav,
)
from dfworkbench.evidence.numbers.lr_system import fit_system
from dfworkbench.evidence.numbers.validation import people_needed, unseen_kinds, validate
from dfworkbench.evidence.reference.scores import reference_scores
from dfworkbench.evidence.rules.refusals import r5_discrimination

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "likelihood_ratios.json").read_text())


def people(count, seed=0, apart=1.5, kinds=("swap", "reenactment")):
    rng = np.random.default_rng(seed)
    rows = [(f"p{i:03d}", kind) for i in range(count) for kind in ("", "", *kinds)]
    labels = np.array([int(kind != "") for _, kind in rows])
    own = np.repeat(rng.normal(0, 0.5, count), 2 + len(kinds))
    return reference_scores(own + rng.normal((2 * labels - 1) * apart, 1), labels, *zip(*rows, strict=True))


@pytest.fixture(scope="module")
def golden():
    groups = GOLDEN["groups"]
    return fit_system(reference_scores(groups["scores"], groups["labels"], groups["groups"]), draws=200)


def test_figures_of_the_golden_people(golden):
    found = validate(golden, draws=0)
    assert found.cllr == pytest.approx(GOLDEN["groups"]["cllr_loo_group_weighted"], abs=1e-9)
    assert (found.slope, found.offset) == pytest.approx(golden.whole, abs=1e-12)
    assert found.bounds == golden.bounds
    assert found.cllr_cal == pytest.approx(found.cllr - found.cllr_min)
    assert found.cllr_cal >= 0
    below, above = misleading(found.llr, found.labels)
    assert (found.misleading["manipulated, LR < 1"][0], found.misleading["genuine, LR > 1"][0]) == (below, above)
    below, above = misleading(found.llr, found.labels, beyond=1.0)
    assert (found.misleading["manipulated, LR < 1/10"][0], found.misleading["genuine, LR > 10"][0]) == (below, above)
    assert np.isnan([found.cllr_low, *found.misleading["genuine, LR > 1"][1:]]).all()


def test_intervals_redraw_people_with_all_their_rows(golden):
    """A plain loop: rows of drawn groups copied, each copy a group of its own."""
    found = validate(golden, draws=60, seed=4)
    rows = golden.rows
    drawn = []
    for times in draw_together(len(rows.groups), 60, 4).fakes:
        rows_of = [np.flatnonzero(rows.codes == code) for code in np.repeat(np.arange(len(times)), times)]
        copy = np.repeat(np.arange(len(rows_of)), [len(one) for one in rows_of])
        at = np.concatenate(rows_of)
        llr, y = golden.llr[at], rows.labels[at]
        weights = group_weights(y, copy)
        drawn.append((cllr(llr, y, weights), cllr_min(llr, y, weights), devpav(llr, y, weights), misleading(llr, y)[0]))
    ends = np.quantile(drawn, [0.025, 0.975], axis=0).T
    ours = [found.intervals[name] for name in ("cllr", "cllr_min", "devpav")]
    assert np.array(ours) == pytest.approx(ends[:3], abs=1e-9)
    assert found.misleading["manipulated, LR < 1"][1:] == pytest.approx(ends[3], abs=1e-12)
    assert found.cllr_low < found.cllr < found.cllr_high


def test_weights_of_pav_are_numbers_of_copies():
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], 15)
    llr = rng.normal(y, 1)
    times = rng.integers(1, 4, 30)
    copied = pav(np.repeat(llr, times), np.repeat(y, times))
    assert pav(llr, y, times) == pytest.approx(copied[np.cumsum(times) - 1], abs=1e-9)
    assert pav(llr, y, np.ones(30)) == pytest.approx(pav(llr, y), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "refused"), [("wrong_way", True), ("useless", True), ("overlap", False), ("ties", False)]
)
def test_r5_on_golden_sets(name, refused):
    """The package that the golden figures are from gives LRs for `wrong_way` and `useless` too."""
    entry = GOLDEN["sets"][name]
    system = fit_system(reference_scores(entry["scores"], entry["labels"], np.arange(len(entry["labels"]))), draws=200)
    found = validate(system, draws=200)
    check = r5_discrimination(found.cllr, found.cllr_high, system.lowest_slope, system.wrong_way)
    assert check.refuses is refused
    if name == "wrong_way":
        assert found.cllr < 1, "its Cllr alone would pass"


def test_an_unseen_kind_by_a_plain_loop():
    rows = people(8, kinds=("swap", "reenactment", "puppet"))
    table = unseen_kinds(rows).set_index("kind")
    assert set(table.index) == {"swap", "reenactment", "puppet"}
    assert table.loc["swap", ["rows", "groups"]].tolist() == [8, 8]
    tested = (rows.labels == 0) | (rows.kinds == "swap")
    llr = np.empty(len(rows.scores))
    for code in range(8):
        fitted = (rows.codes != code) & (rows.kinds != "swap")
        llr[rows.codes == code] = fit_lr(rows.scores[fitted], rows.labels[fitted], rows.codes[fitted]).llr(
            rows.scores[rows.codes == code]
        )
    y = rows.labels[tested]
    assert table.loc["swap", "cllr"] == pytest.approx(
        cllr(llr[tested], y, group_weights(y, rows.codes[tested])), abs=1e-9
    )
    assert len(unseen_kinds(people(8, kinds=("swap",)))) == 0


def test_a_kind_that_looks_genuine_is_found_as_unseen():
    rows = people(20, kinds=("swap", "puppet", "hidden"))
    scores = np.where(rows.kinds == "hidden", rows.scores - 4, rows.scores)
    table = unseen_kinds(reference_scores(scores, rows.labels, rows.codes, rows.kinds))
    assert table.kind[0] == "hidden"
    assert table.cllr[0] > 1 > table.cllr[1]


def test_worst_group_first():
    rows = people(12)
    scores = np.where(rows.codes == 3, -rows.scores, rows.scores)
    system = fit_system(reference_scores(scores, rows.labels, rows.codes), draws=0)
    groups = validate(system, draws=0).groups
    assert groups.group[0] == "3"
    assert groups.cllr.is_monotonic_decreasing
    assert groups.cllr.mean() == pytest.approx(validate(system, draws=0).cllr), "both classes are in every group here"


def test_fifty_people_of_the_own_kind():
    """Leave-one-person-out evidence of 50 people: well calibrated, and no LR above the bound."""
    for seed in range(3):
        system = fit_system(people(50, seed=seed, apart=2.5, kinds=tuple("abcde")), draws=0)
        found = validate(system, draws=0)
        assert found.cllr_cal <= 0.05
        cut = [system.bounded(x) for x in system.rows.scores]
        assert found.bounds.low <= min(cut) <= max(cut) <= found.bounds.high <= np.log10(51)


def test_people_needed():
    assert people_needed(10) == (11, 17)
    assert people_needed(2) == (10, 10), "R4 asks for ten"
    least, good = people_needed(100)
    assert (least, good > 150) == (101, True)


def test_bound_of_a_good_system():
    """A point of the table behind `people_needed`: a median bound of 12 with 20 people."""
    bounds = []
    for seed in range(20):
        x = np.random.default_rng(seed).normal(np.repeat([0.0, 3.0], 20), 1)
        bounds.append(10 ** fit_system(reference_scores(x, np.repeat([0, 1], 20), np.arange(40)), draws=0).bounds.high)
    assert np.median(bounds) == pytest.approx(12, rel=0.15)
