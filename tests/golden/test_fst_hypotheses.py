"""A8, A9 and A10 of the specification of FST-Matching: thresholds, cell masks, Q and delta."""

import numpy as np
import pytest

from dfworkbench.explain.map_likeness import map_cosines
from dfworkbench.explain.overlap import THRESHOLDS, cell_masks, legacy_thresholds, overlap, union_maps, unit_maps
from dfworkbench.methods.fst_matching.hypothesis1 import overlap_study
from dfworkbench.methods.fst_matching.hypothesis3 import stability_study

LEGACY = [
    0.6,
    0.65,
    0.7000000000000001,
    0.7500000000000001,
    0.8000000000000002,
    0.8500000000000002,
    0.9000000000000002,
    0.9500000000000003,
]
SIZES = [102, 89, 76, 63, 51, 38, 25, 12]  # the largest masks of 256 cells


def by_name(carrier, donor, detector):
    return {"carrier": carrier, "donor": donor, "detector": detector}


def seeded():
    """Three unit maps, (1, 16, 16) each."""
    rng = np.random.RandomState(2022)
    maps = [rng.randn(16, 16) for _ in range(3)]
    return [(a / np.linalg.norm(a)).astype(np.float32)[None] for a in maps]


def test_legacy_thresholds_accumulate_their_rounding():
    assert legacy_thresholds() == LEGACY
    assert THRESHOLDS == (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@pytest.mark.parametrize("taus", [LEGACY, THRESHOLDS])
def test_a8_sizes_of_masks(taus):
    a, b, c = seeded()
    np.testing.assert_allclose([m.ravel()[0] for m in (a, b, c)], [-3.3234e-5, -0.05748617, 0.08929359], rtol=1e-4)
    assert cell_masks(union_maps(a, b), taus).sum(axis=(1, 2, 3)).tolist() == SIZES
    rising = np.arange(256)[None] + 1.0
    assert [256 - 1 - size for size in SIZES] == [153, 166, 179, 192, 204, 217, 230, 243]
    assert cell_masks(rising, taus).sum(axis=(1, 2)).tolist() == SIZES


@pytest.mark.parametrize(
    ("tau", "cells", "q", "q_area", "q_excess"),
    [
        (0.25, 8, 0.23717082, 0.47434165, 0.23717082),
        (0.5, 6, 0.19764235, 0.37947332, 0.17787812),
        (0.6, 6, 0.19764235, 0.37947332, 0.17787812),
        (0.75, 2, 0.11858541, 0.27105237, 0.05929271),
        (0.8, 2, 0.11858541, 0.27105237, 0.05929271),
        (0.95, 0, 0.07905694, np.nan, 0.0),
    ],
)
def test_a9_i_four_by_four(tau, cells, q, q_area, q_excess):
    source = np.diag([4.0, 3, 2, 1]) / np.sqrt(30)
    detector = np.array([[-1, 2, 2, -1], [2, -1, -1, 2], [2, -1, -1, 2], [-1, 2, 2, -1]]) / np.sqrt(40)
    found = overlap(detector[None], cell_masks(union_maps(source[None], source[None, :, ::-1]), [tau]))
    assert found.cells.item() == cells
    assert found.q.item() == pytest.approx(q, abs=1e-8)
    assert found.q_area.item() == pytest.approx(q_area, abs=1e-8, nan_ok=True)
    assert found.q_excess.item() == pytest.approx(q_excess, abs=1e-8)


def test_a9_ii_seeded_maps():
    a, b, c = seeded()
    found = overlap(c, cell_masks(union_maps(a, b), legacy_thresholds()))
    expected = [0.00125469, 0.00161068, -0.00059053, 0.00007943, 0.00067511, 0.00113838, -0.00097532, -0.00165030]
    np.testing.assert_allclose(found.q[:, 0], expected, atol=6e-9)
    assert found.q.mean() == pytest.approx(0.00019277, abs=6e-9)
    assert found.q_area.mean() == pytest.approx(-0.00029612, abs=6e-9)
    assert found.q_excess.mean() == pytest.approx(0.00043708, abs=6e-9)
    study = overlap_study(by_name(a, b, c), taus=legacy_thresholds(), permutations=9)
    assert study.summary["value"].tolist() == pytest.approx([0.00019277, -0.00029612, 0.00043708], abs=6e-9)
    assert study.curve["cells"].tolist() == SIZES * 3


def test_a9_iii_a_flat_map_has_a_large_published_q_and_no_q_per_area():
    a, b, _ = seeded()
    found = overlap(np.full((1, 16, 16), 1 / 16), cell_masks(union_maps(a, b), legacy_thresholds()))
    expected = [0.012695, 0.019043, 0.025391, 0.031738, 0.037598, 0.043945, 0.050293, 0.056641]
    np.testing.assert_allclose(found.q[:, 0], expected, atol=6e-7)
    assert found.q.mean() == pytest.approx(0.03466797, abs=6e-9)
    assert (found.q_area == 0).all()
    assert (found.q_excess == 0).all()


def test_a9_iv_all_outside_and_all_inside():
    source = np.zeros((1, 256))
    source[0, :51] = np.arange(51, 0, -1)
    masks = cell_masks(union_maps(unit_maps(source), np.zeros((1, 256))), [0.8])
    for start, expected in ((100, 0.02789620), (0, -0.02789620)):
        detector = np.zeros((1, 256))
        detector[0, start : start + 51] = 1
        # the lowest of the 51 cells is the level itself and not above it
        assert overlap(unit_maps(detector), masks).q.item() == pytest.approx(expected, abs=6e-9)


def test_a10_delta():
    a, b, c = (m.astype(np.float64) for m in seeded())
    maps = {"raw": a, "c23": unit_maps(a + 0.5 * b), "c40": unit_maps(a + c)}
    # the recorded cosines are of float32 maps
    assert map_cosines(a, maps["c23"]).item() == pytest.approx(0.90242976, abs=5e-8)
    assert map_cosines(a, maps["c40"]).item() == pytest.approx(0.71472484, abs=5e-8)
    assert map_cosines(a, maps["c23"], centred=True).item() == pytest.approx(0.90308639, abs=5e-8)
    assert map_cosines(a, maps["c40"], centred=True).item() == pytest.approx(0.71400315, abs=5e-8)
    study = stability_study(maps)
    assert study.measures[0].value == pytest.approx(0.80857728, abs=5e-8)
    same = stability_study({"raw": a, "c23": a, "c40": a})
    assert [item.value for item in same.measures[:3]] == pytest.approx([1, 1, 1])


def test_noise_of_1_6_is_taken_out():
    """True cosine 0.8, reliabilities 0.80: 0.640 is seen, 0.80 is right."""
    rng = np.random.default_rng(0)
    first = 16 * unit_maps(rng.standard_normal((400, 256)))
    other = rng.standard_normal((400, 256))
    other -= np.einsum("nc,nc->n", other, first)[:, None] * first / 256
    second = 0.8 * first + 0.6 * 16 * unit_maps(other)  # their cosine is 0.8 exactly
    maps, again = (
        {name: a + 0.5 * rng.standard_normal(a.shape) for name, a in (("raw", first), ("c23", second))}
        for _ in range(2)
    )
    found = {item.name: item for item in stability_study(maps, again=again, draws=200).measures}
    assert found["delta, as published"].value == pytest.approx(0.640, abs=0.005)
    assert found["reliability, raw"].value == pytest.approx(0.80, abs=0.005)
    corrected = found["delta, corrected for noise"]
    assert corrected.value == pytest.approx(0.80, abs=0.006)
    assert corrected.low < 0.8 < corrected.high
    errors = {name: np.full((400, 256), 0.5) for name in maps}
    found = {item.name: item.value for item in stability_study(maps, errors=errors, draws=0).measures}
    assert found["delta, corrected for noise"] == pytest.approx(0.80, abs=0.006)
