"""Applicability: oddness by hand, the share of fitting faces that is refused in vain, and faces that are plainly outside."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.evidence.numbers.applicability import fit_applicability
from dfworkbench.evidence.numbers.oddness import at_least_as_odd, fit_numbers, fit_vectors, scaled
from dfworkbench.evidence.rules.refusals import r7_applicability, r7_limit
from dfworkbench.evidence.rules.reservations import s6_applicability

NUMBERS = tuple(f"number {k}" for k in range(8))
VECTORS = {"blocks": 12, "colours": 6, "detector features": 40}


def faces(count, rng, tracks=1):
    """Eight heavy-tailed numbers and three vectors; every person has tracks of both classes."""
    rows = [(f"p{k:02d}", label) for k in range(count) for label in (0, 1) for _ in range(tracks)]
    table = pd.DataFrame(rows, columns=["group", "label"]).assign(score=rng.normal(size=len(rows)), codec="h264")
    for name in NUMBERS:
        table[name] = rng.standard_t(2, size=len(rows))
    for name, size in VECTORS.items():
        table[name] = list(rng.normal(size=(len(rows), size)))
    return table


def fitted(table):
    return fit_applicability(table, NUMBERS, tuple(VECTORS), ("codec",))


def test_oddness_of_a_number_by_hand():
    """Median 3, MAD 1; without the person with 5 the median is 2.5 and the MAD 1."""
    fit = fit_numbers(np.array([1.0, 2, 3, 4, 5]))
    assert fit.oddness(7.0) == pytest.approx(4 / 1.4826)
    assert fit.own[4] == pytest.approx(2.5 / 1.4826)
    assert fit.quantiles == pytest.approx((1.2, 3, 4.8))


def test_oddness_of_a_vector_is_measured_without_the_person():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 4)) * [1, 10, 100, 1000]
    fit = fit_vectors(values, None)
    assert fit.own[3] == pytest.approx(fit_vectors(np.delete(values, 3, axis=0), None).oddness(values[3]))
    assert fit.oddness(values.mean(axis=0)) == pytest.approx(0, abs=1e-6)
    shifted = [fit.oddness(values.mean(axis=0) + 5 * values.std(axis=0) * np.eye(4)[k]) for k in range(4)]
    assert min(shifted) > 2, "a dimension of small numbers counts like one of large ones"


def test_conformal_p_and_scale():
    own = np.arange(1.0, 20)
    assert at_least_as_odd(own, 100) == 1 / 20
    assert at_least_as_odd(own, 19) == 2 / 20
    assert at_least_as_odd(own, 0) == 1
    middle, high = np.quantile(own, [0.5, 0.9])
    assert scaled(own, middle) == pytest.approx(0)
    assert scaled(own, high) == pytest.approx(1)
    assert scaled(np.ones(9), 2.0) == pytest.approx(np.log(2) / np.log(1.25)), (
        "equal oddness leaves no 90 % quantile to scale by"
    )


def test_fitting_faces_are_refused_about_as_often_as_the_limit_says():
    """Both classes have the same numbers here, so a face is refused where it is odder than all of either."""
    refused = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        reference = fitted(faces(20, rng))
        fits = [reference.compare(row) for _, row in faces(20, rng).iterrows()]
        refused += [r7_applicability(one.p, one.people, one.far).refuses for one in fits]
    assert np.mean(refused) <= 1.6 * r7_limit(20)
    assert np.mean(refused) > 0


@pytest.mark.parametrize(("column", "least"), [("vectors", 0.9), ("number", 0.9)])
def test_faces_far_off_are_refused(column, least):
    rng = np.random.default_rng(11)
    reference, others = fitted(faces(20, rng)), faces(20, rng)
    for name in VECTORS if column == "vectors" else ():
        others[name] = [value + 3 for value in others[name]]
    if column == "number":
        others[NUMBERS[0]] = 1e4
    found = [reference.compare(row) for _, row in others.iterrows()]
    assert np.mean([r7_applicability(one.p, one.people, one.far).refuses for one in found]) >= least


def test_the_class_that_fits_counts():
    rng = np.random.default_rng(2)
    table = faces(20, rng)
    table.loc[table.label == 1, NUMBERS[0]] += 1000
    reference = fitted(table)
    for label in (0, 1):
        face = table[(table.label == label) & (table.group == "p05")].iloc[0]
        assert reference.compare(face).label == label
        assert not r7_applicability(reference.compare(face).p, 20).holds


def test_a_person_is_the_track_with_the_median_score():
    table = faces(12, np.random.default_rng(3), tracks=4)
    own = table[(table.label == 0) & (table.group == "p00")].sort_values("score")
    reference = fitted(table)
    genuine = reference.classes[0]
    assert genuine.people == 12
    assert genuine.fits[NUMBERS[0]].values[0] == own[NUMBERS[0]].iloc[1], "of two in the middle the lower one"


def constant(value, count=20):
    table = faces(count, np.random.default_rng(4))
    table["fps"] = value
    return table


@pytest.mark.parametrize(
    ("fps", "far", "odd"), [(25.0, 0, 0), (30.0, 0, 1), (49.9, 0, 1), (50.0, 1, 0), (12.4, 1, 0), (0.0, 1, 0)]
)
def test_a_number_that_is_the_same_everywhere(fps, far, odd):
    """A difference is S6, a factor of 2 R7."""
    table = constant(25.0)
    reference = fit_applicability(table, ("fps", *NUMBERS), (), ())
    face = table.iloc[7].copy()
    face["fps"] = fps
    found = reference.compare(face)
    assert ("fps" in found.far, "fps" in found.odd) == (bool(far), bool(odd))
    assert r7_applicability(found.p, found.people, found.far).holds == bool(far)
    assert s6_applicability(found.p, found.people, found.odd).holds >= bool(odd)


def test_a_value_that_some_reference_files_have_is_not_odd():
    table = constant(np.where(np.arange(40) < 30, 25.0, 60.0))
    reference = fit_applicability(table, ("fps",), (), ())
    face = table.iloc[0].copy()
    face["fps"] = 60.0
    found = reference.compare(face)
    assert (found.far, found.odd) == ((), ())


def test_a_category_that_does_not_occur():
    table = faces(12, np.random.default_rng(5))
    reference = fitted(table)
    face = table.iloc[0].copy()
    face["codec"] = "vp9"
    assert "codec vp9" in reference.compare(face).odd
    face["codec"] = ""
    assert not any("codec" in name for name in reference.compare(face).odd)


def test_what_was_not_measured_is_not_compared():
    table = faces(12, np.random.default_rng(6))
    table.loc[table.group == "p03", NUMBERS[1]] = np.nan
    table["blocks"] = [[] for _ in range(len(table))]
    reference = fitted(table)
    face = table.iloc[0].copy()
    face[NUMBERS[0]] = np.nan
    quantities = {one.name: one for one in reference.compare(face).quantities}
    for name in (NUMBERS[0], NUMBERS[1], "blocks"):
        assert quantities[name].p is None
        assert quantities[name].oddness is None
    assert quantities[NUMBERS[0]].evidence is None
    assert quantities[NUMBERS[2]].p is not None
    assert quantities["colours"].low is None
    assert len(quantities) == len(NUMBERS) + len(VECTORS) + 1


def test_nothing_measured_is_refused():
    table = faces(12, np.random.default_rng(7))
    found = fit_applicability(table, (), (), ("codec",)).compare(table.iloc[0])
    assert np.isnan(found.p)
    assert r7_applicability(found.p, found.people).refuses


def test_nearest_people():
    table = faces(12, np.random.default_rng(8))
    reference = fitted(table)
    found = reference.nearest(table["detector features"].iloc[9], count=4)
    assert found[0] == (9, pytest.approx(0, abs=1e-9))
    assert len(found) == 4
    assert [distance for _, distance in found] == sorted(distance for _, distance in found)
    assert reference.nearest([], count=4) == []
    assert reference.nearest([1.0], name="not there") == []


def test_one_class_alone():
    table = faces(12, np.random.default_rng(9))
    genuine = table[table.label == 0].reset_index(drop=True)
    found = fitted(genuine).compare(genuine.iloc[3])
    assert (found.label, found.people) == (0, 12)
