"""Likelihood-ratio figures against `lir` 1.3.1 (Netherlands Forensic Institute), and against own figures where groups matter.

likelihood_ratios.json holds seeded scores with the figures that `lir` gave for them: for the scores as they are, and for its
logistic calibration with C = 1 solved exactly. `groups` was computed once with plain loops over 30 people; `lir` knows no groups.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.likelihood_ratios import (
    LN10,
    cllr,
    cllr_min,
    cross_entropy,
    cross_fitted,
    devpav,
    fit_lr,
    group_weights,
    lr_bounds,
    misleading,
    pav,
)

GOLDEN = json.loads(Path(__file__).with_name("likelihood_ratios.json").read_text())
EXACT = 1e-9


def of(name):
    entry = GOLDEN["sets"][name]
    return np.array(entry["scores"]), np.array(entry["labels"]), entry


@pytest.mark.parametrize("name", GOLDEN["sets"])
def test_figures_of_lir(name):
    x, y, entry = of(name)
    fitted = fit_lr(x, y)
    assert (fitted.slope, fitted.offset) == pytest.approx(
        (entry["logistic_C1_exact"]["slope"], entry["logistic_C1_exact"]["offset"]), abs=EXACT
    )
    for llr, theirs in ((x / LN10, entry["as_they_are"]), (fitted.llr(x), entry["logistic_C1_exact"])):
        assert cllr(llr, y) == pytest.approx(theirs["cllr"], abs=EXACT)
        assert cllr_min(llr, y) == pytest.approx(theirs["cllr_min"], abs=EXACT)
        assert cllr(llr, y) - cllr_min(llr, y) == pytest.approx(theirs["cllr_cal"], abs=EXACT)
        assert devpav(llr, y) == pytest.approx(float(theirs["devpav"]), abs=EXACT, nan_ok=True)
        assert lr_bounds(llr, y)[:2] == pytest.approx(theirs["elub"], abs=EXACT)
        assert misleading(llr, y) == pytest.approx((theirs["misleading_fake"], theirs["misleading_real"]), abs=EXACT)
        priors = GOLDEN["ece_log10_prior_odds"]
        for values, key in ((llr, "ece_lr"), (pav(llr, y), "ece_pav")):
            assert [cross_entropy(values, y, k) for k in priors] == pytest.approx(theirs[key], abs=EXACT)


def test_six_scores_by_hand():
    """By hand: Cllr-min 1/3, because the two middle scores pool to a likelihood ratio of 1."""
    x, y, _ = of("tiny")
    assert np.sort(pav(x / LN10, y)).tolist() == [-np.inf, -np.inf, 0, 0, np.inf, np.inf]
    assert cllr_min(x / LN10, y) == pytest.approx(1 / 3)
    assert devpav(x / LN10, y) == pytest.approx(0.2125)


def test_figures_over_groups():
    groups = GOLDEN["groups"]
    x, y, g = (np.array(groups[name]) for name in ("scores", "labels", "groups"))
    fitted = fit_lr(x, y, g)
    assert (fitted.slope, fitted.offset) == pytest.approx((groups["slope"], groups["offset"]), abs=EXACT)
    llr, maps = cross_fitted(x, y, g, g)
    assert len(maps) == 30
    assert llr == pytest.approx(groups["llr_leave_one_group_out"], abs=EXACT)
    assert cllr(llr, y, group_weights(y, g)) == pytest.approx(groups["cllr_loo_group_weighted"], abs=EXACT)
    assert cllr(llr, y) == pytest.approx(groups["cllr_loo_rows"], abs=EXACT)
    assert lr_bounds(llr, y, g) == pytest.approx(groups["elub_groups"], abs=EXACT)


def test_every_group_counts_once_in_its_class():
    y, g = np.array([1, 1, 1, 0, 0, 0]), np.array(["a", "a", "b", "a", "c", "d"])
    assert group_weights(y, g).tolist() == [0.75, 0.75, 1.5, 1, 1, 1]
    assert group_weights(y).tolist() == [1] * 6


def test_one_class_has_no_likelihood_ratio():
    with pytest.raises(InputError, match="3 fakes and 0 reals"):
        fit_lr([1.0, 2, 3], [1, 1, 1])
