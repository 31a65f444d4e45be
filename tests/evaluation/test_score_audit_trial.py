"""The audit on a public table of real scores: deepsafe-bench 1.0.0, 15,499 files, 19 detectors.

Its licence (PolyForm Noncommercial) keeps every row out of this repository. Fetch the wheel yourself, `pip download --no-deps
deepsafe-bench==1.0.0`, and name its folder in DFWORKBENCH_SCORES. The expected figures were computed with scripts of their own:
fits by scikit-learn with class_weight="balanced", clusters by the win matrix with 20,000 draws.
"""

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dfworkbench import __main__ as cli
from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.audit import audit_scores

FOLDER = Path(os.environ.get("DFWORKBENCH_SCORES", "/nowhere"))
WHEEL = "deepsafe_bench-1.0.0-py3-none-any.whl"
SHA256 = "e96e75fde0ce0e9ad5df110fcc87beb6ca03603cb21599ec5a463a0e4e338ede"
MEMBER = "deepsafe/assets/predictions_medium.csv.gz"
LAVDF = dict.fromkeys(("lavdf_audio", "lavdf_both", "lavdf_video"), "lavdf")
CLOSE, DRAWN = 1e-6, 0.01

pytestmark = [
    pytest.mark.trials,
    pytest.mark.skipif(not (FOLDER / WHEEL).is_file(), reason=f"no {WHEEL} in the folder named by DFWORKBENCH_SCORES"),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    assert hashlib.sha256((FOLDER / WHEEL).read_bytes()).hexdigest() == SHA256
    path = tmp_path_factory.mktemp("deepsafe") / "predictions.csv.gz"
    path.write_bytes(zipfile.ZipFile(FOLDER / WHEEL).read(MEMBER))
    return path


@pytest.fixture(scope="module")
def tables(file):
    how = {"detectors": ["prob_*"], "columns": {"path": "id", "source": "generator"}}
    return {name: read_wide(file, Reading(**how, where=[f"modality={name}"])) for name in ("video", "images", "audio")}


@pytest.fixture(scope="module")
def audits(tables):
    return {name: audit_scores(table) for name, table in tables.items()}


def numbers(audit, code, detector=""):
    return audit.of(code, detector)[0].numbers


def test_the_table_is_read_as_published(tables):
    video = tables["video"]
    assert {name: len(table) for name, table in tables.items()} == {"video": 1999, "images": 10000, "audio": 3500}
    assert video.counts() == (1000, 999)
    sizes = np.bincount(video.source.code[video.labels == 0])
    assert sorted(sizes[sizes > 0].tolist()) == [19, 51, 464, 465]
    for name, auc in (("video", 0.669387), ("images", 0.946568), ("audio", 0.828987)):
        table = tables[name]
        assert Ranked(table.labels, table.columns["ensemble_score"]).auc == pytest.approx(auc, abs=CLOSE)


@pytest.mark.parametrize(
    ("modality", "detector", "auc", "raw", "a", "b", "least", "interval", "bounds"),
    [
        ("video", "sbi", 0.676049, 1.013812, 0.960885, 0.953011, 0.874779, (0.905, 1.028), (-0.11, 0.09)),
        ("video", "recce", 0.659312, 1.049423, 0.967106, 1.062185, 0.918391, (0.859, 1.196), (0, 0)),
        ("video", "npr_video", 0.798242, 6.585118, 0.872832, 0.912000, 0.853759, (0.756, 1.434), (0, 0)),
        ("video", "univfd_video", 0.679482, 2.896458, 0.929819, 0.928877, 0.880774, (0.882, 0.973), (-0.09, 0.07)),
        ("images", "fsd", 0.896087, 0.793903, 0.625077, 0.721346, 0.573890, (0.460, 0.806), (-0.67, 0.51)),
        ("images", "effort", 0.835288, 0.920272, 0.737096, 0.763464, 0.714308, (0.591, 0.866), (-0.58, 0.44)),
        ("audio", "nes2net", 0.840744, 1.530643, 0.723040, 0.732181, 0.671029, (0.604, 0.823), (-1.07, 0.54)),
    ],
)
def test_f11_likelihood_ratios(audits, modality, detector, auc, raw, a, b, least, interval, bounds):
    found = numbers(audits[modality], "F11", detector)
    assert audits[modality].figures[detector]["auc"] == pytest.approx(auc, abs=CLOSE)
    names = ("cllr", "cllr_new_generators", "cllr_new_sources", "cllr_min")
    assert [found[name] for name in names] == pytest.approx((raw, a, b, least), abs=CLOSE)
    assert found["cllr_interval"] == pytest.approx(interval, abs=DRAWN)
    assert found["log10_lr_bounds"] == pytest.approx(bounds, abs=1e-9)


def test_f11_slopes_of_folds(audits):
    sbi, recce = (numbers(audits["video"], "F11", name) for name in ("sbi", "recce"))
    assert sbi["slopes"] == pytest.approx((0.532815, 0.451824, 0.386620, 0.685687, 0.495742), abs=CLOSE)
    assert recce["slopes_new_sources"] == pytest.approx((0.592543, -0.012981, 0.796076, 0.518851), abs=CLOSE)


def test_f1_and_f3_of_video(audits):
    audit = audits["video"]
    assert sum(one.numbers["scored"] == 1978 for one in audit.of("F1")) == 7
    npr = numbers(audit, "F3", "npr_video")
    assert (npr["share_at_0"], npr["exactly_0"]) == pytest.approx((0.759, 0.470), abs=5e-4)
    assert (npr["auc"], npr["auc_clipped"]) == pytest.approx((0.798, 0.676), abs=5e-4)


def test_f2_defaults_of_video(audits):
    audit = audits["video"]
    expected = {
        "sbi": (0.687, 0.676), "lipfd": (0.687, 0.626), "mintime": (0.688, 0.581), "dfd_fcg": (0.689, 0.554),
        "pwtf_dvd": (0.640, 0.583), "recce": (0.622, 0.659),
    }  # fmt: skip
    for name, pair in expected.items():
        found = audit.of("F2", name)[0]
        assert found.numbers["value"] == 0.5
        assert (found.numbers["auc_of_indicator"], found.numbers["auc"]) == pytest.approx(pair, abs=5.1e-4)
        assert (found.severity == "red") == (name != "recce")
    sbi = numbers(audit, "F2", "sbi")
    assert (sbi["share"], sbi["share_of_fakes"], sbi["share_of_reals"]) == pytest.approx(
        (0.382, 0.571, 0.197), abs=5e-4
    )
    without = [numbers(audit, "F2", name)["auc_without"] for name in ("sbi", "lipfd")]
    assert without == pytest.approx([0.592, 0.391], abs=5e-4)


def test_f5_against_single_sources(audits):
    for name, ends in (("npr_video", (0.316, 0.878)), ("pwtf_dvd", (0.278, 0.878)), ("dfd_fcg", (0.288, 0.943))):
        against = numbers(audits["video"], "F5", name)["against"].values()
        assert (min(against), max(against)) == pytest.approx(ends, abs=5.1e-4)


def test_f6_and_f7_pooled_and_within(audits, tables):
    assert numbers(audits["video"], "F7")["share"] == 1
    assert audits["video"].of("F6") == []
    audit = audit_scores(tables["video"].same_source(LAVDF), audits["video"].settings.replace(draws=0))
    expected = {
        "sbi": (0.676, 0.446), "recce": (0.659, 0.553), "npr_video": (0.798, 0.499), "mintime": (0.581, 0.456),
        "lipfd": (0.626, 0.476), "fakestormer": (0.662, 0.530), "univfd_video": (0.679, 0.581), "dfd_fcg": (0.554, 0.565),
        "pwtf_dvd": (0.583, 0.669),
    }  # fmt: skip
    for name, pair in expected.items():
        found = numbers(audit, "F6", name)
        assert (found["pooled"], found["within"]) == pytest.approx(pair, abs=5.1e-4)
        assert found["sources"] == {"lavdf": [171, 465]}
    assert numbers(audit, "F6", "sbi")["share_of_pairs"] == pytest.approx(0.081, abs=5e-4)


def test_f8_clusters(audits):
    figures = audits["video"].figures
    npr = figures["npr_video"]
    assert (npr["file_low"], npr["file_high"]) == pytest.approx((0.778, 0.817), abs=DRAWN)
    assert (npr["cluster_low"], npr["cluster_high"]) == pytest.approx((0.416, 0.911), abs=DRAWN)
    assert (npr["left_out_low"], npr["left_out_high"]) == pytest.approx((0.729, 0.825), abs=5.1e-4)
    assert npr["jackknife_error"] == pytest.approx(0.084, abs=5e-4)
    assert (figures["recce"]["cluster_low"], figures["recce"]["cluster_high"]) == pytest.approx(
        (0.305, 0.833), abs=DRAWN
    )
    assert (figures["sbi"]["cluster_low"], figures["sbi"]["cluster_high"]) == pytest.approx((0.601, 0.743), abs=DRAWN)
    assert "Crude: 4 clusters" in audits["video"].of("F8", "sbi")[0].sentence


def test_f9_running_times(audits):
    for modality, column, auc in (("video", "lat_fakestormer", 0.836), ("images", "lat_sdxl_watermark", 0.838)):
        best = audits[modality].of("F9")[0]
        assert (best.severity, best.numbers["column"]) == ("red", column)
        assert best.numbers["auc"] == pytest.approx(auc, abs=5e-4)
    assert set(audits["video"].of("F9")[0].numbers["beats"]) == set(audits["video"].figures)
    order = next(one for one in audits["video"].of("F9") if "auc_of_order" in one.numbers)
    assert (order.severity, order.numbers["auc_of_order"]) == ("note", 1)


def test_f10_equal_rows_of_images(audits):
    found = next(one for one in audits["images"].of("F10") if "sets" in one.numbers).numbers
    assert (found["rows"], found["sets"], found["rows_across_sources"]) == (30, 15, 4)


@pytest.mark.parametrize(
    ("modality", "pairs", "delong", "uncorrected", "corrected"),
    [("video", 36, 23, 1, 0), ("images", 21, 21, 12, 9), ("audio", 3, 3, 2, 1)],
)
def test_f12_differences(audits, modality, pairs, delong, uncorrected, corrected):
    found = numbers(audits[modality], "F12")
    assert (found["pairs"], found["delong_holm_p"]) == (pairs, delong)
    assert (found["cluster_p"], found["cluster_holm_p"]) == (uncorrected, corrected)
    if modality == "video":
        assert found["smallest_cluster_p"] == pytest.approx(0.013, abs=0.001)


def test_f13_best_of_several(audits):
    assert numbers(audits["video"], "F13")["on_top"]["npr_video"] == pytest.approx(0.74, abs=DRAWN)
    on_top = numbers(audits["images"], "F13")["on_top"]
    assert (on_top["fsd"], on_top["effort"]) == pytest.approx((0.67, 0.26), abs=DRAWN)


def test_the_command_says_what_matters_first(file, capsys, tmp_path):
    words = ["judge", str(file), "--detectors", "prob_*", "--columns", "path=id,source=generator"]
    words += ["--where", "modality=video", "--same-source", "lavdf=lavdf_audio,lavdf_both,lavdf_video"]
    assert cli.main([*words, "--audit", str(tmp_path)]) == 0
    first = capsys.readouterr().out.partition("ALL FINDINGS")[0]
    assert "lat_fakestormer" in first
    assert pd.read_json(tmp_path / "audit.json", typ="series")["format"] == 1
