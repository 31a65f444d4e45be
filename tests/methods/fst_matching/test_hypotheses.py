"""Hypotheses 1 to 3 on arrays: closed forms, slow references, nulls that are null, training sets without leaks."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.errors import InputError, ParameterError, SplitLeakError, TableError, UnknownNameError
from dfworkbench.datasets.pairing import check_training_sets, paired_and_unpaired
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.measures import group_means
from dfworkbench.explain.map_likeness import map_cosines, reliability, top_iou
from dfworkbench.explain.overlap import FORMS, THRESHOLDS, cell_masks, overlap, union_maps, unit_maps
from dfworkbench.methods.fst_matching.hypothesis1 import overlap_study
from dfworkbench.methods.fst_matching.hypothesis2 import pairing_study, pairing_summary
from dfworkbench.methods.fst_matching.hypothesis3 import CORRECTED, stability_study
from dfworkbench.methods.fst_matching.null import draw_null, p_values


def pair(carrier, donor, paired, unpaired):
    return {"carrier": carrier, "donor": donor, "paired": paired, "unpaired": unpaired}


def by_name(carrier, donor, detector):
    return {"carrier": carrier, "donor": donor, "detector": detector}


def random_maps(stacks, images=12, side=4, seed=0):
    return np.random.default_rng(seed).standard_normal((stacks, images, side, side))


def smooth(maps, steps=4):
    """Neighbours alike, edges joined."""
    for _ in range(steps):
        maps = sum(np.roll(maps, move, axis) for move, axis in ((0, -1), (1, -1), (-1, -1), (1, -2), (-1, -2)))
    return maps


# ---- cells and Q


def slow_mask(a, tau):
    values = sorted(max(v, 0.0) for v in a.ravel())
    level = values[int(len(values) * tau)]
    return np.array([[max(v, 0.0) > level for v in row] for row in a])


def slow_q(phi, mask):
    n = phi.size
    inside = [v for v, m in zip(phi.ravel(), mask.ravel(), strict=True) if m]
    outside = [v for v, m in zip(phi.ravel(), mask.ravel(), strict=True) if not m]
    q = sum(outside) / n - sum(inside) / n
    area = sum(outside) / len(outside) - sum(inside) / len(inside) if inside else np.nan
    return q, area, q - phi.mean() * (1 - 2 * len(inside) / n)


def test_masks_and_q_equal_plain_loops():
    a, b, d = (unit_maps(m) for m in random_maps(3, side=5))
    a[3] = -np.abs(a[3])  # no positive cell
    b[3] = -np.abs(b[3])
    union, taus = union_maps(a, b), (0.0, 0.3, 0.6, 0.8, 0.99)
    masks = cell_masks(union, taus)
    found = overlap(d, masks)
    for t, tau in enumerate(taus):
        for i in range(len(a)):
            assert (masks[t, i] == slow_mask(union[i], tau)).all()
            expected = slow_q(d[i], masks[t, i])
            assert [part[t, i] for part in found[:3]] == pytest.approx(expected, abs=1e-14, nan_ok=True)
    assert found.cells[:, 3].tolist() == [0] * 5
    assert (cell_masks(union, 0.3) == masks[1]).all()
    assert (cell_masks(union.reshape(12, 25), 0.3) == masks[1].reshape(12, 25)).all()


def test_ties_and_few_positive_cells_make_smaller_masks():
    ties = np.array([[3.0, 3, 3, 3, 1, 1, 1, 1, 0, 0]])
    assert cell_masks(ties, [0.5, 0.6, 0.7]).sum(axis=2).ravel().tolist() == [4, 0, 0]
    few = np.array([[5.0, 4, -1, -2, -3, -4, -5, -6, -7, -8]])
    assert cell_masks(few, [0.0, 0.5, 0.8, 0.9]).sum(axis=2).ravel().tolist() == [2, 2, 1, 0]


def test_a_threshold_of_57_hundredths_leaves_57_of_100_cells_out():
    assert 0.57 * 100 < 57
    assert cell_masks(np.arange(1.0, 101)[None], 0.57).sum() == 100 - 1 - 57


@pytest.mark.parametrize("tau", [1.0, -0.1, float("nan")])
def test_thresholds_outside_0_to_1_are_refused(tau):
    with pytest.raises(ParameterError, match=r"the thresholds are .*, expected numbers from 0 to below 1"):
        cell_masks(np.ones((1, 16)), tau)
    with pytest.raises(ParameterError, match="the thresholds"):
        overlap_study(by_name(*random_maps(3)), taus=(0.5, tau))


def test_bounds_of_q():
    rng = np.random.default_rng(0)
    phi = unit_maps(rng.standard_normal((200, 16)))
    q = overlap(phi, rng.random((3, 200, 16)) > 0.5).q
    assert (np.abs(q) <= np.abs(phi).sum(axis=1) / 16 + 1e-15).all()
    assert overlap(np.full((1, 16), 0.25), np.zeros((1, 1, 16), bool)).q.item() == 0.25  # the bound 1 / sqrt(n)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_unit_maps_of_any_scale(scale):
    maps = random_maps(1)[0]
    maps[2] = 0
    found = unit_maps(maps * scale)
    np.testing.assert_allclose(np.delete((found**2).sum(axis=(1, 2)), 2), 1)
    assert np.isnan(found[2]).all()


def test_maps_that_do_not_fit_are_refused():
    a = random_maps(1)[0]
    with pytest.raises(InputError, match=r"got maps of shape \(4,\), expected \(N, L, L\) or \(N, n\)"):
        unit_maps(np.ones(4))
    with pytest.raises(InputError, match=r"joining maps: got carrier \(12, 4, 4\), donor \(11, 4, 4\)"):
        union_maps(a, a[1:])
    with pytest.raises(InputError, match=r"masks float64 \(12, 4, 4\); expected bool masks \(T, 12, 4, 4\)"):
        overlap(a, a)
    broken = a.copy()
    broken[5, 0, 0] = np.nan
    with pytest.raises(InputError, match="map 5 holds numbers that are not finite"):
        overlap_study(by_name(a, a, broken))
    with pytest.raises(InputError, match="testing hypothesis 1: got"):
        overlap_study(by_name(a, a, a[:3]))
    for study, maps in ((overlap_study, by_name(*random_maps(3))), (pairing_study, pair(*random_maps(4)))):
        with pytest.raises(InputError, match=r"there are 12 images and groups of shape \(3,\)"):
            study(maps, [1, 2, 3])
    with pytest.raises(InputError, match="got maps of carrier; expected carrier, donor, detector"):
        overlap_study({"carrier": a})
    with pytest.raises(InputError, match="measuring stability: there are 12 images and groups"):
        stability_study({"raw": a, "c23": a}, [1, 2, 3])


# ---- the null


def test_a_flat_map_is_exactly_at_its_null():
    carrier, donor = random_maps(2, side=16)
    study = overlap_study(by_name(carrier, donor, np.full((12, 16, 16), 3.0)), permutations=19)
    assert study.summary.loc[0, "value"] > 0.03
    assert study.summary["value"].tolist()[1:] == [0, 0]
    assert study.summary["p"].tolist() == [1, 1, 1]
    assert study.images["q_area_p"].tolist() == [1] * 12


def p_of(maps, kind, seed):
    """p-values of the published Q and of Q per area, without the tables of a study."""
    a, b, d = (unit_maps(m) for m in maps)
    masks = cell_masks(union_maps(a, b), (0.6, 0.8))
    drawn = draw_null(d, masks, kind, permutations=39, seed=seed)
    return p_values(np.stack(overlap(d, masks)[:2]).mean(axis=(1, 2)), drawn.mean[:2])


@pytest.mark.parametrize("kind", ["cells", "shift", "images"])
def test_p_values_of_unrelated_maps_are_uniform(kind):
    rng = np.random.default_rng(1)
    p = []
    for seed in range(300):
        maps = rng.standard_normal((3, 6, 4, 4))
        maps[2] += 0.5  # a positive mean: the published Q is clearly positive
        p.append(p_of(maps, kind, seed))
    gaps = np.sort(p, axis=0) - (np.arange(300) + 0.5)[:, None] / 300
    assert np.abs(gaps).max() < 1.63 / np.sqrt(300) + 1 / 40  # Kolmogorov and Smirnov at 1 %, and the steps of p


def test_shuffled_cells_are_no_null_for_smooth_maps():
    rng = np.random.default_rng(2)
    small = {"cells": 0, "shift": 0}
    for seed in range(200):
        maps = smooth(rng.standard_normal((3, 2, 8, 8)))
        for kind in small:
            small[kind] += p_of(maps, kind, seed)[0] <= 0.05
    assert small["cells"] > 30  # 10 of 200 were right
    assert 3 <= small["shift"] <= 19


def test_p_is_small_where_the_detector_looks_elsewhere():
    carrier, donor, noise = random_maps(3, side=8)
    for kind in ("cells", "shift", "images"):
        study = overlap_study(by_name(carrier, donor, noise - union_maps(carrier, donor)), null=kind, permutations=199)
        assert (study.summary["p"] == 1 / 200).all()
        assert (study.summary["value"][1:] > study.summary["null_high"][1:]).all()
        back = overlap_study(by_name(carrier, donor, union_maps(carrier, donor)), null=kind, permutations=199)
        assert (back.summary["p"] > 0.99).all()


def test_the_mean_under_shuffled_cells_is_known():
    maps = random_maps(3, side=6)
    maps[2] += 0.7
    study = overlap_study(by_name(*maps), permutations=4000, draws=0)
    phi = unit_maps(maps[2]).reshape(12, -1)
    cells = cell_masks(union_maps(unit_maps(maps[0]), unit_maps(maps[1]))).sum(axis=(2, 3))
    expected = (phi.mean(axis=1) * (1 - 2 * cells / 36)).mean()
    assert study.summary["null"].tolist() == pytest.approx([expected, 0, 0], abs=0.0015)
    assert [item.chance for item in study.measures] == study.summary["null"].tolist()


def test_masks_of_other_images_come_from_other_people():
    phi = unit_maps(np.ones((4, 2)) * [[3, 4]])
    masks = np.array([[[True, False], [True, False], [False, True], [False, True]]])
    drawn = draw_null(phi, masks, "images", groups=np.array([0, 0, 1, 1]), permutations=200)
    values = np.unique(np.round(drawn.mean[0], 12))
    assert values.tolist() == [0.0]  # the groups are exchanged as a whole or not at all
    with pytest.raises(InputError, match="there are 1 identity groups, at least 2"):
        draw_null(phi, masks, "images", groups=np.zeros(4, int))
    with pytest.raises(InputError, match=r"shifting maps: got \(N, 2\)"):
        draw_null(phi, masks, "shift")
    with pytest.raises(UnknownNameError, match=r"no null is called 'cell'\. Did you mean 'cells'"):
        draw_null(phi, masks, "cell")


# ---- studies


def test_maps_of_zeros_are_left_out_with_a_reason():
    maps = random_maps(3)
    whole = overlap_study(by_name(*(m[1:-1] for m in maps)), permutations=9)
    maps[0, 0], maps[2, -1] = 0, 0
    study = overlap_study(by_name(*maps), permutations=9)
    assert study.images["reason"].tolist() == [
        "the map of carrier is 0 everywhere",
        *[""] * 10,
        "the map of detector is 0 everywhere",
    ]
    assert study.images[["q", "q_area_p", "cells"]].iloc[[0, -1]].isna().all(axis=None)
    assert study.summary["value"].tolist() == pytest.approx(whole.summary["value"].tolist())
    assert (study.summary["left_out"] == 2).all()
    assert (study.summary["n"] == 10).all()
    nothing = overlap_study(by_name(*np.zeros((3, 4, 4, 4))), permutations=9)
    assert nothing.measures[0].reason == "the map of carrier is 0 everywhere"
    assert nothing.summary[["value", "p", "null"]].isna().all(axis=None)
    with pytest.raises(InputError, match="there are no maps"):
        overlap_study(by_name(*np.zeros((3, 0, 4, 4))))


def test_images_without_a_positive_cell_have_no_q_per_area():
    maps = random_maps(3)
    maps[:2, 4] = -np.abs(maps[:2, 4])
    study = overlap_study(by_name(*maps), permutations=9)
    row = study.images.iloc[4]
    assert np.isnan(row["q_area"])
    assert row["empty_masks"] == len(THRESHOLDS)
    assert row["reason"] == "no mask holds a cell: Q per area is not defined"
    assert study.summary["n"].tolist() == [12, 11, 12]


def test_groups_are_drawn_together():
    maps = np.repeat(random_maps(3, images=8, side=6), 5, axis=1)  # each image five times
    alone = overlap_study(by_name(*maps), permutations=9).summary
    grouped = overlap_study(by_name(*maps), np.repeat(np.arange(8), 5), permutations=9).summary
    assert grouped["value"].tolist() == alone["value"].tolist()
    width = [(table["high"] - table["low"]).to_numpy() for table in (alone, grouped)]
    assert (width[1] > 1.6 * width[0]).all()  # sqrt(5) in the long run
    one = overlap_study(by_name(*maps), np.zeros(40), permutations=9).measures[0]
    assert np.isnan(one.low)
    assert one.reason == "1 identity group: no interval below 5"


def test_group_means_against_a_plain_bootstrap():
    x = np.array([[1.13, 2.41, 3.07, np.nan, 5.29, 6.37, 2.71, 4.03], [0, 0, 0, 1, 1, 1, 0, 1]])
    names = np.array(list("aabbbcde"))
    found = group_means(x, names, judging=Judging(draws=2000, seed=3))
    assert found.value.tolist() == pytest.approx([25.01 / 7, 0.5])
    assert found.n.tolist() == [7, 8]
    rng, parts = np.random.default_rng(9), {name: x[:, names == name] for name in "abcde"}
    slow = [
        np.nanmean(np.concatenate([parts[k] for k in rng.choice(list("abcde"), 5)], axis=1), axis=1)
        for _ in range(2000)
    ]
    for k in range(2):
        assert interval_ends(found.drawn[:, k]) == pytest.approx(
            np.quantile(np.array(slow)[:, k], (0.025, 0.975)), abs=0.1
        )
    assert np.isnan(group_means(x[:, 3:4], names[:1], judging=Judging(draws=5)).value[0])
    with pytest.raises(InputError, match=r"values are \(2, 8\) and groups \(7,\)"):
        group_means(x, names[1:])


def test_standard_errors_are_carried_through():
    """Masks cannot change here, so Q is linear in the map and its standard error has a closed form."""
    n, images = 64, 3
    person = np.tile(np.where(np.arange(n) < 16, 1.0, -1.0), (images, 1))
    phi = 100 + np.zeros((images, n))
    se = np.full((images, n), 0.5)
    study = overlap_study(
        by_name(person, person, phi), taus=(0.5,), permutations=9, errors={"detector": se}, repeats=3000, draws=0
    )
    size = 100 * np.sqrt(n)
    expected = 0.5 / size * np.sqrt(1 / 48 + 1 / 16)
    assert study.images["q_area_se"].tolist() == pytest.approx([expected] * images, rel=0.06)
    assert study.summary.loc[1, "se"] == pytest.approx(expected / np.sqrt(images), rel=0.06)
    assert overlap_study(by_name(person, person, phi), permutations=9).summary["se"].isna().all()


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"det": np.ones((12, 4, 4))}, r"\['det'\] were given, expected some of"),
        ({"detector": -np.ones((12, 4, 4))}, "standard errors of detector: .*smallest -1"),
        ({"donor": np.ones((12, 16))}, r"standard errors of donor: got shape \(12, 16\)"),
    ],
)
def test_wrong_standard_errors_are_refused(errors, message):
    with pytest.raises(InputError, match=message):
        overlap_study(by_name(*random_maps(3)), permutations=9, errors=errors)


def test_pairing_takes_differences_image_by_image():
    carrier, donor, noise, common = random_maps(4, images=30, side=8)
    paired = common - 0.5 * union_maps(unit_maps(carrier), unit_maps(donor)) * 8
    study = pairing_study(pair(carrier, donor, paired, common + 0.05 * noise), np.arange(30) // 2)
    assert set(study.curves["kind"]) == {"paired", "unpaired", "difference"}
    wide = study.curves.pivot(index=["form", "threshold"], columns="kind", values="value")
    np.testing.assert_allclose(wide["difference"], wide["paired"] - wide["unpaired"], atol=1e-12)
    rows = study.curves[study.curves["form"] == "q_area"].set_index("kind")
    assert (rows.loc["difference", "low"] > 0).all()
    width = (rows["high"] - rows["low"]).groupby("kind").mean()
    assert width["difference"] < width["unpaired"]  # what both share is no uncertainty of the difference
    difference = study.measures["difference"][1]
    assert (difference.name, difference.chance, difference.n) == ("Q per area", 0.0, 30)
    assert difference.value == pytest.approx(study.images["q_area_difference"].mean())
    same = pairing_study(pair(carrier, donor, common, 2 * common))
    assert [item.value for item in same.measures["difference"]] == pytest.approx([0, 0, 0], abs=1e-15)


def test_pairing_summary_over_training_sets():
    carrier, donor, a, b = random_maps(4)
    studies = [
        pairing_study(pair(carrier, donor, a, b), draws=0),
        pairing_study(pair(carrier, donor, b, a), draws=0),
    ]
    table = pairing_summary(studies).set_index("form")
    value = studies[0].measures["difference"][0].value
    assert table.loc["q", "mean"] == pytest.approx(0, abs=1e-15)
    assert table.loc["q", "sd"] == pytest.approx(np.sqrt(2) * abs(value))
    assert table["positive"].tolist() == [1, 1, 1]
    assert pairing_summary(studies[:1])["sd"].isna().all()
    assert list(table.index) == list(FORMS)


# ---- stability


def test_cosines_and_iou_by_hand():
    a = np.array([[1.0, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0], [2, 2, 2, 2]])
    b = np.array([[1.0, 1, 0, 0], [4, 3, 2, 1], [1, 0, 0, 0], [1, 2, 3, 4]])
    assert map_cosines(a, b).tolist() == pytest.approx(
        [np.sqrt(0.5), 20 / 30, np.nan, 10 * 2 / 4 / np.sqrt(30)], nan_ok=True
    )
    centred = map_cosines(a, b, centred=True)
    assert centred[1] == pytest.approx(-1)
    assert np.isnan(centred[2:]).all()
    for i in range(2):
        assert centred[i] == pytest.approx(np.corrcoef(a[i], b[i])[0, 1])
    assert top_iou(a, b, 0.5).tolist() == pytest.approx([1, 0, np.nan, np.nan], nan_ok=True)
    assert top_iou(a[1:2], np.array([[0.0, 4, 1, 3]]), 0.5).item() == pytest.approx(1 / 3)
    with pytest.raises(ParameterError, match="share = 20, expected more than 0"):
        top_iou(a, b, 20)


def test_reliability_is_what_two_runs_give():
    rng = np.random.default_rng(0)
    truth, se = rng.standard_normal((300, 256)) + 0.5, 0.7
    one, two = (truth + se * rng.standard_normal(truth.shape) for _ in range(2))
    errors = np.full(truth.shape, se)
    for centred in (False, True):
        expected = map_cosines(one, two, centred=centred).mean()
        assert reliability(one, errors, centred=centred).mean() == pytest.approx(expected, abs=0.006)
    assert reliability(one, 0 * errors).tolist() == [1] * 300
    assert reliability(np.full((1, 4), 0.1), np.ones((1, 4))).item() < 0


def test_shared_coalitions_do_not_spoil_the_correction():
    """Errors of raw and compressed maps that are the same: delta is too high, the corrected one is right."""
    rng = np.random.default_rng(4)
    raw, other = rng.standard_normal((2, 300, 64))
    truth = {"raw": raw, "c23": 0.8 * raw + 0.6 * other}
    runs = []
    for _ in range(2):
        noise = 0.8 * rng.standard_normal(raw.shape)
        runs.append({name: a + noise for name, a in truth.items()})
    honest = map_cosines(truth["raw"], truth["c23"]).mean()
    found = {item.name: item.value for item in stability_study(runs[0], again=runs[1], draws=0).measures}
    assert found["delta, as published"] > honest + 0.03
    assert found[CORRECTED] == pytest.approx(honest, abs=0.02)
    errors = {name: np.full(raw.shape, 0.8) for name in truth}
    found = {item.name: item.value for item in stability_study(runs[0], errors=errors, draws=0).measures}
    assert found[CORRECTED] > honest + 0.1  # as the docstring warns


def test_unrelated_images_are_the_chance_of_stability():
    rng = np.random.default_rng(5)
    maps = {name: rng.standard_normal((20, 8, 8)) + 2 for name in ("raw", "c23", "c40")}
    study = stability_study(maps, np.arange(20) // 2)
    found = study.measures[0]
    assert found.value > 0.7  # the positive null of delta
    assert found.chance == pytest.approx(found.value, abs=0.02)
    assert study.measures[1].chance == pytest.approx(0, abs=0.02)
    pairs = [(i, j) for i in range(20) for j in range(20) if i // 2 != j // 2]
    slow = [map_cosines(maps["raw"][[i]], maps[name][[j]]).item() for name in ("c23", "c40") for i, j in pairs]
    assert found.chance == pytest.approx(np.mean(slow))
    slow = [top_iou(maps["raw"][[i]], maps[name][[j]]).item() for name in ("c23", "c40") for i, j in pairs]
    assert study.measures[2].chance == pytest.approx(np.mean(slow))
    alone = stability_study({name: a[:2] for name, a in maps.items()}, [7, 7]).measures[0]
    assert np.isnan(alone.chance)
    assert alone.reason == "1 identity group: no interval below 5"


def test_stability_of_what_cannot_be_compared():
    maps = {name: a for name, a in zip(("raw", "c23"), random_maps(2), strict=True)}
    maps["c23"][1], maps["raw"][2] = 0, 3
    study = stability_study(maps)
    assert study.images["reason"].tolist()[:4] == ["", "the map of c23 is 0 everywhere", "the map of raw is flat", ""]
    assert study.images["delta"].isna().tolist()[:3] == [False, True, False]
    assert study.images["delta_centred"].isna().sum() == 2
    names = [item.name for item in study.measures]
    assert names[3:] == [CORRECTED, "reliability, raw", "reliability, c23"]
    assert all("neither a second estimate" in item.reason for item in study.measures[3:])
    noise = {name: np.full((12, 4, 4), 9.0) for name in maps}
    assert stability_study(maps, errors=noise).measures[3].reason == "the maps of a compression are nothing but noise"
    with pytest.raises(InputError, match="got maps of c23, c40; expected 'raw' and at least one other"):
        stability_study({"c23": maps["c23"], "c40": maps["c23"]})
    with pytest.raises(InputError, match="`again` has raw, expected raw, c23"):
        stability_study(maps, again={"raw": maps["raw"]})
    with pytest.raises(InputError, match="measuring stability: got raw"):
        stability_study({"raw": maps["raw"], "c23": maps["c23"][1:]})


# ---- training sets


def video_table(pairs=6, kinds=("Deepfakes", "Face2Face"), compressions=("raw", "c40"), test_pairs=1):
    rows = []
    for k in range(pairs + test_pairs):
        a, b, split = f"d/{2 * k:03d}", f"d/{2 * k + 1:03d}", "train" if k < pairs else "test"
        for quality in compressions:
            for name in (a, b):
                rows.append({"path": f"{name}.{quality}", "label": 0, "carrier": name, "donor": "", "split": split})
            for kind in kinds:
                for carrier, donor in ((a, b), (b, a)):
                    path = f"{kind}/{carrier}_{donor}.{quality}"
                    rows.append({"path": path, "label": 1, "carrier": carrier, "donor": donor, "split": split})
            for row in rows:
                row.setdefault("compression", quality)
    table = pd.DataFrame(rows)
    return VIDEOS.complete(table.assign(dataset="d", video_id="d/" + table["path"]))


def people(videos, ids, label):
    part = videos[videos["video_id"].isin(ids) & (videos["label"] == label)]
    return set(part["carrier"]) | set(part["donor"]) - {""}


def test_training_sets_share_fakes_and_nothing_else():
    videos = video_table()
    paired, unpaired = paired_and_unpaired(videos, 0)
    assert len(paired) == len(unpaired) == 3 * 2 * (2 + 4)
    label = videos.set_index("video_id")["label"]
    assert {i for i in paired if label[i] == 1} == {i for i in unpaired if label[i] == 1}
    assert people(videos, paired, 0) == people(videos, paired, 1)
    assert not people(videos, unpaired, 0) & people(videos, unpaired, 1)
    assert len(people(videos, unpaired, 0)) == 6
    assert set(videos.set_index("video_id").loc[paired + unpaired, "split"]) == {"train"}
    assert paired == [i for i in videos["video_id"] if i in set(paired)]
    assert paired_and_unpaired(videos, 0) == (paired, unpaired)
    assert len({tuple(paired_and_unpaired(videos, seed)[0]) for seed in range(4)}) > 1


def test_swapped_halves():
    videos = video_table()
    first, second = paired_and_unpaired(videos, 1), paired_and_unpaired(videos, 1, swap=True)
    assert people(videos, first[0], 1) == people(videos, second[1], 0)
    assert people(videos, first[1], 0) == people(videos, second[0], 1)


def test_units_without_a_counterpart_are_left_out():
    videos = video_table(pairs=5)
    assert len(people(videos, paired_and_unpaired(videos, 0)[0], 1)) == 4
    lost = videos[videos["video_id"] != "d/d/000.raw"]  # one person has a genuine video less
    for seed in range(3):
        paired, unpaired = paired_and_unpaired(lost, seed)
        assert "d/000" not in people(lost, paired + unpaired, 0)
        assert len(paired) == len(unpaired)
    failed = videos.assign(status=["no_face" if i == "d/d/000.raw" else "ok" for i in videos["video_id"]])
    assert paired_and_unpaired(failed, 3) == paired_and_unpaired(lost, 3)


def test_tables_that_cannot_be_halved_are_refused():
    with pytest.raises(ParameterError, match="1 groups of people are in the training split, and no two"):
        paired_and_unpaired(video_table(pairs=1))
    linked = video_table(pairs=4)
    linked.loc[linked["label"] == 1, "donor"] = "d/000"
    with pytest.raises(ParameterError, match="1 groups of people"):
        paired_and_unpaired(linked)
    with pytest.raises(TableError, match="no column 'split'"):
        paired_and_unpaired(video_table().drop(columns="split"))


def test_sets_that_leak_are_refused():
    videos = video_table()
    paired, unpaired = paired_and_unpaired(videos, 0)
    label = videos.set_index("video_id")["label"]
    with pytest.raises(SplitLeakError, match="people of its fakes have genuine videos in it"):
        check_training_sets(videos, paired, paired)
    with pytest.raises(ParameterError, match="people of its fakes have no genuine video in it"):
        check_training_sets(videos, unpaired, unpaired)
    with pytest.raises(ParameterError, match=r"12 and 11 fakes|24 and 23 fakes"):
        check_training_sets(videos, paired, [i for i in unpaired if i != next(i for i in unpaired if label[i] == 1)])
    with pytest.raises(ParameterError, match="equal counts"):
        check_training_sets(videos, paired, [i for i in unpaired if i != next(i for i in unpaired if label[i] == 0)])
    test = videos.loc[videos["split"] == "test", "video_id"].iloc[0]
    with pytest.raises(SplitLeakError, match=r"the paired training set: .* is of the split 'test'"):
        check_training_sets(videos, [*paired, test], unpaired)
    with pytest.raises(TableError, match="1 videos are not in the video table"):
        check_training_sets(videos, [*paired, "d/x"], unpaired)
