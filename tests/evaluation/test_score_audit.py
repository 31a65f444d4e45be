"""The audit of scores: everything it looks for is planted in a made table and found, and in clean tables nothing is red."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import TableError
from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
from dfworkbench.evaluation.exchange.wide_scores import Codes
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.audit import AuditSettings, audit_scores
from dfworkbench.evaluation.score_audit.findings import CODES, KINDS
from dfworkbench.evaluation.score_audit.sources import take_apart

FEW = AuditSettings(draws=1500)


def made(seed=0, n=720, sources=12):
    """Two good detectors and a better one; every source holds reals and fakes, and nothing else says anything of the label."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    table = pd.DataFrame({
        "path": [f"videos/{i:05d}.mp4" for i in rng.permutation(n)],
        "label": np.where(y == 1, "fake", "real"),
        "source": [f"s{k:02d}" for k in rng.integers(0, sources, n)],
        "seconds": rng.gamma(2.0, size=n),
    })  # fmt: skip
    for name, strength in (("a", 1.0), ("b", 1.1), ("c", 2.0)):
        logit = rng.normal(size=n) + strength * (y - 0.5)
        table[f"prob_{name}"] = 1 / (1 + np.exp(-1.5 * logit))
    return table, y, rng


def audited(table, tmp_path, settings=FEW, equal=None, **how):
    table.to_csv(tmp_path / "scores.csv", index=False)
    scores = read_wide(tmp_path / "scores.csv", Reading(**({"detectors": ["prob_*"]} | how)))
    return audit_scores(scores.same_source(equal) if equal else scores, settings)


def only(audit, code, severity="red", detector=""):
    found = [one for one in audit.of(code, detector) if one.severity == severity]
    assert len(found) == 1, [one.sentence for one in audit.of(code)]
    return found[0]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_red_in_a_clean_table(seed, tmp_path):
    table, *_ = made(seed)
    audit = audited(table, tmp_path, AuditSettings(draws=300))
    assert [one.sentence for one in audit.findings if one.severity == "red"] == []
    assert list(audit.figures) == ["a", "b", "c"]


def test_f1_scores_of_one_label_are_missing(tmp_path):
    table, y, rng = made()
    lost = (y == 1) & (rng.random(len(y)) < 0.1)
    table.loc[lost, "prob_a"] = np.nan
    found = only(audited(table, tmp_path), "F1", detector="a")
    assert len(found.rows) == lost.sum()
    assert found.numbers["share_of_reals"] == 1
    assert found.numbers["share_of_fakes"] == pytest.approx(1 - lost.sum() / (y == 1).sum())


def test_f2_a_default_that_beats_the_detector(tmp_path):
    table, y, rng = made()
    blind = rng.random(len(y)) < np.where(y == 1, 0.7, 0.1)
    table["prob_a"] = np.where(blind, 0.5, rng.random(len(y)))
    found = only(audited(table, tmp_path), "F2", detector="a")
    fakes, reals = blind[y == 1].mean(), blind[y == 0].mean()
    assert found.numbers["auc_of_indicator"] == pytest.approx(0.5 + (fakes - reals) / 2)
    assert found.numbers["auc_of_indicator"] == pytest.approx(roc_auc_score(y, blind))
    assert found.numbers["auc_without"] == pytest.approx(roc_auc_score(y[~blind], table["prob_a"][~blind]))
    assert len(found.rows) == blind.sum()


def test_f2_a_default_below_saturated_scores(tmp_path):
    """Many scores of exactly 0 do not hide the default: they are ends of the range."""
    table, y, rng = made()
    u = rng.random(len(y))
    table["prob_a"] = np.where(u < 0.3, 0.5, np.where(u < 0.5, 0.0, table["prob_a"]))
    values = {one.numbers["value"] for one in audited(table, tmp_path).of("F2", "a")}
    assert values == {0.5}


def test_f3_an_auc_that_rests_on_tiny_scores(tmp_path):
    table, y, rng = made()
    table["prob_a"] = 10.0 ** (-30 + 10 * y + 5 * rng.normal(size=len(y)))
    found = only(audited(table, tmp_path), "F3", detector="a")
    assert found.numbers["auc"] > 0.8
    assert found.numbers["auc_clipped"] == pytest.approx(0.5, abs=0.01)


def test_f4_ties(tmp_path):
    table, y, _ = made()
    table["prob_a"] = (4 * table["prob_a"]).round() / 4
    found = only(audited(table, tmp_path), "F4", "amber", "a")
    s = table["prob_a"].to_numpy()
    tied = np.mean(s[y == 1][:, None] == s[y == 0])
    assert found.numbers["tied_pairs"] == pytest.approx(tied)
    assert found.numbers["auc_all_won"] - found.numbers["auc_all_lost"] == pytest.approx(tied)


def test_f5_a_detector_the_wrong_way_round(tmp_path):
    table, *_ = made()
    table["prob_a"] = 1 - table["prob_a"]
    assert "below 0.5" in only(audited(table, tmp_path), "F5", detector="a").sentence
    assert "over files" in only(audited(table.drop(columns="source"), tmp_path), "F5", detector="a").sentence


def test_f5_a_real_source_that_scores_above_the_fakes(tmp_path):
    table, y, _ = made()
    odd = (y == 0) & (table["source"] == "s03")
    table.loc[odd, "prob_a"] = 0.99
    found = only(audited(table, tmp_path), "F5", "amber", "a")
    assert found.numbers["against"]["s03"] < 0.2


def split_sources(table, y):
    """Half of the sources have fakes only, the others reals only; but for one, the fakes are of another name."""
    table["source"] = np.where(y == 1, "gen" + table["source"], table["source"])
    return table


def test_f6_and_f7_an_auc_of_sources(tmp_path):
    """Fakes of one source score like its reals; those of other generators are found."""
    table, y, rng = made()
    table = split_sources(table, y)
    same = (y == 1) & table["source"].isin(["gens01", "gens02", "gens03"])
    table.loc[same, "prob_a"] = rng.choice(table["prob_a"][(y == 0) & (table["source"] == "s01")], same.sum())
    alone = audited(table, tmp_path)
    assert only(alone, "F7").numbers["share"] == 1
    assert alone.of("F6") == []
    assert alone.headlines[0].code == "F7"
    audit = audited(table, tmp_path, equal=dict.fromkeys(("gens01", "gens02", "gens03"), "s01"))
    assert 0 < audit.of("F7")[0].numbers["share"] < 1
    parts = next(one for one in audit.of("F6", "a")).numbers
    assert parts["within"] < parts["pooled"] - 0.1
    share = parts["share_of_pairs"]
    assert parts["pooled"] == pytest.approx(share * parts["within"] + (1 - share) * parts["between"], abs=1e-12)


def test_f6_red_where_the_within_auc_is_surely_lower(tmp_path):
    """Sources differ in scores and in labels, and within each the detector knows nothing."""
    table, y, rng = made(n=1200)
    source = rng.integers(0, 12, len(y))
    fake = rng.random(len(y)) < np.where(source < 6, 0.85, 0.15)
    table["label"], table["source"] = np.where(fake, "fake", "real"), [f"s{k:02d}" for k in source]
    for name in "abc":
        table[f"prob_{name}"] = 1 / (1 + np.exp(-rng.normal(size=len(y)) - 2.0 * (source < 6)))
    audit = audited(table, tmp_path)
    assert {one.detector for one in audit.of("F6") if one.severity == "red"} == {"a", "b", "c"}


@pytest.mark.parametrize("seed", range(3))
def test_the_identity_of_pooled_and_within(seed):
    rng = np.random.default_rng(seed)
    y, source, scores = rng.integers(0, 2, 500), rng.integers(0, 6, 500), np.round(rng.normal(size=500), 1)
    parts = take_apart(Ranked(y, scores), Codes(source.astype(np.int32), tuple("abcdef")))
    pairs = [((y == 1) & (source == s)).sum() * ((y == 0) & (source == s)).sum() for s in range(6)]
    within = [roc_auc_score(y[source == s], scores[source == s]) for s in range(6)]
    f, r = np.flatnonzero(y == 1)[:, None], np.flatnonzero(y == 0)
    won = ((scores[f] > scores[r]) + (scores[f] == scores[r]) / 2)[source[f] != source[r]]
    assert parts.within == pytest.approx(np.average(within, weights=pairs))
    assert parts.between == pytest.approx(won.mean())
    assert parts.auc == pytest.approx(parts.share * parts.within + (1 - parts.share) * parts.between, abs=1e-12)


def test_f8_few_clusters_that_differ(tmp_path):
    table, y, rng = made(sources=4)
    shift = {"s00": 3, "s01": -3, "s02": 0, "s03": 0}
    logit = np.log(table["prob_a"] / (1 - table["prob_a"])) + np.where(y == 0, table["source"].map(shift), 0)
    table["prob_a"] = 1 / (1 + np.exp(-logit))
    found = only(audited(split_sources(table, y), tmp_path), "F8", "amber", "a")
    low, high = found.numbers["by_cluster"]
    assert high - low > 2 * (found.numbers["by_file"][1] - found.numbers["by_file"][0])
    assert "Crude" in found.sentence
    assert found.sentence.index("left out") < found.sentence.index("independent"), (
        "the range stands first below five clusters"
    )


def test_f8_few_files(tmp_path):
    found = audited(made(n=16)[0], tmp_path)
    assert found.of("F8")[0].severity == "amber"
    assert "8 fakes and 8 reals" in found.of("F8")[0].sentence
    assert not any("are few" in one.sentence for one in audited(made(n=20)[0], tmp_path).of("F8"))


def test_f8_says_why_there_is_no_interval(tmp_path):
    text = str(audited(made(sources=1)[0], tmp_path))
    assert "under two clusters in a class (1 generator and 1 real source)" in re.sub(r"\s+", " ", text)


def test_f9_a_running_time_that_beats_detectors(tmp_path):
    table, y, rng = made()
    table["seconds"] = rng.gamma(2.0, size=len(y)) - 3 * y
    table["other_score"] = y + rng.normal(size=len(y)) / 10
    table["path"] = [f"{'longer/' if fake else ''}{path}" for path, fake in zip(table["path"], y, strict=True)]
    audit = audited(table, tmp_path)
    columns = {one.numbers.get("column"): one.numbers["auc"] for one in audit.of("F9") if one.severity == "red"}
    assert columns["seconds"] == pytest.approx(1 - roc_auc_score(y, table["seconds"]))
    assert columns["length of the path"] == 1
    assert "other_score" not in columns, "its name says that it is a score"
    assert "why" not in " ".join(one.sentence for one in audit.of("F9"))


def test_f9_the_order_of_rows_is_a_note(tmp_path):
    table, y, _ = made()
    audit = audited(table.iloc[np.argsort(y, kind="stable")], tmp_path)
    assert [one.severity for one in audit.of("F9") if "auc_of_order" in one.numbers] == ["note"]


def test_f10_hints(tmp_path):
    table, y, _ = made()
    table["split"] = np.where(np.arange(len(y)) < 30, "train", "test")
    f, r = np.flatnonzero(y == 1)[40], np.flatnonzero(y == 0)[40]
    table.loc[f, "path"], table.loc[r, "path"] = "x/same.mp4", "y/same.mp4"
    table.loc[r, ["prob_a", "prob_b", "prob_c"]] = table.loc[f, ["prob_a", "prob_b", "prob_c"]].to_numpy()
    table["copy"] = table["prob_b"]
    found = audited(table, tmp_path).of("F10")
    assert all(one.sentence.startswith("Hint: ") for one in found)
    assert next(one for one in found if one.severity == "red").numbers["rows"] == 30
    by = {key: one for one in found for key in one.numbers}
    assert by["names_under_two_labels"].numbers["names_under_two_labels"] == 1
    assert by["rows_across_labels"].numbers["rows"] == 2
    assert by["rows_across_labels"].rows.tolist() == sorted((f, r))
    assert by["columns"].numbers["columns"] == ["b", "copy"]


def test_f10_a_generator_that_is_found_alone(tmp_path):
    table, y, rng = made()
    table = split_sources(table, y)
    table["prob_a"] = rng.random(len(y)) * 0.9
    table.loc[table["source"] == "gens05", "prob_a"] = 0.99
    found = only(audited(table, tmp_path), "F10", "amber", "a")
    assert found.numbers["source"] == "gens05"


def test_a_sentence_begins_with_the_detector_only_once(tmp_path):
    table, y, rng = made()
    table.loc[y == 1, "source"] = rng.choice(["easy", "hard", "harder"], (y == 1).sum())
    table["prob_a"] = np.where(table["source"] == "easy", 1 - 1e-4 * rng.random(len(y)), rng.random(len(y)) * 0.9)
    found = audited(table, tmp_path)
    assert any(one.sentence.startswith("Hint: a has") for one in found.of("F10", "a"))
    assert "aHint" not in str(found)
    assert "amber  Hint: a has" in str(found)


def test_f11_probabilities_that_cost_more_than_nothing(tmp_path):
    table, *_ = made()
    table["prob_a"] = 1 / (1 + np.exp(-8 * np.log(table["prob_a"] / (1 - table["prob_a"]))))
    numbers = only(audited(table, tmp_path), "F11", "amber", "a").numbers
    assert numbers["cllr"] > 1 > numbers["cllr_new_generators"] > numbers["cllr_min"]


def test_f12_and_f13_differences_that_clusters_do_not_carry(tmp_path):
    """Each detector is good on fakes of its own four generators: DeLong is sure of differences, clusters are not."""
    table, y, rng = made(n=1500)
    table = split_sources(table, y)
    number = table["source"].str[-2:].astype(int)
    for at, name in enumerate("abc"):
        good = (y == 1) & (number % 3 == at)
        logit = rng.normal(size=len(y)) + np.where(good, (4.0, 1.5, 0.5)[at], 0)
        table[f"prob_{name}"] = 1 / (1 + np.exp(-logit))
    audit = audited(table, tmp_path, AuditSettings(draws=3000))
    numbers = only(audit, "F12").numbers
    assert numbers["delong_holm_p"] >= 2 > numbers["cluster_holm_p"] == 0
    assert numbers["draws"] == 3000
    best = audit.of("F13")[0]
    assert best.severity == "amber"
    assert sum(best.numbers["on_top"].values()) == pytest.approx(1)


def test_f13_equal_detectors_share_the_top(tmp_path):
    table = made()[0]
    table["prob_d"] = table["prob_c"]
    on_top = audited(table, tmp_path).of("F13")[0].numbers["on_top"]
    assert on_top["c"] == on_top["d"]
    assert sum(on_top.values()) == pytest.approx(1)


def test_holm_gets_the_draws_that_it_needs(tmp_path):
    table, *_ = made()
    audit = audited(table, tmp_path, AuditSettings(draws=10))
    assert audit.of("F12")[0].numbers["draws"] == 1200
    assert audited(table, tmp_path, AuditSettings(draws=0)).of("F12")[0].numbers["draws"] == 0


def test_detectors_that_cannot_be_judged_are_listed(tmp_path):
    table, y, _ = made()
    table["prob_none"], table["prob_one"], table["prob_half"], table["prob_fakes"] = (
        np.nan,
        0.5,
        table["prob_a"],
        table["prob_a"],
    )
    table.loc[np.arange(len(y)) % 3 > 0, "prob_half"] = np.nan
    table.loc[y == 0, "prob_fakes"] = np.nan
    audit = audited(table, tmp_path)
    assert set(audit.left_out) == {"none", "one", "half", "fakes"}
    assert "0.5" in audit.left_out["one"]
    with pytest.raises(TableError, match="none of 2 detectors"):
        audited(table[["path", "label", "source", "prob_none", "prob_one"]], tmp_path)


def test_without_sources_files_are_all_there_is(tmp_path):
    table, *_ = made()
    audit = audited(table.drop(columns="source"), tmp_path)
    assert audit.of("F8") == audit.of("F13") == []
    assert audit.of("F7")[0].severity == "note"
    assert np.isnan(audit.figures["a"]["cluster_low"])
    assert audit.figures["a"]["cllr_new_generators"] > 0


def test_lines_end_at_no_hyphen_and_in_no_interval(tmp_path):
    table, y, rng = made()
    table["source"] = np.where(y == 1, rng.choice(["gan-1", "gan-2"], len(y)), rng.choice(["cam-1", "cam-2"], len(y)))
    table = table.rename(columns={f"prob_{one}": f"prob_network-with-a-long-name-{one}-{one}" for one in "abc"})
    for line in str(audited(table, tmp_path)).splitlines():
        assert not line.endswith("-")
        assert line.count("[") == line.count("]")
        assert not line.strip().startswith("%")


def test_every_kind_is_explained():
    assert CODES == tuple(f"F{at}" for at in range(1, 14))
    assert all(all(kind) for kind in KINDS.values())


def test_the_command_writes_text_page_and_record(tmp_path, capsys):
    table, y, rng = made()
    table["prob_a"] = np.where(y == 1, 0.5, rng.random(len(y)) * 0.9)
    table.to_csv(tmp_path / "scores.csv.gz", index=False)
    words = ["judge", str(tmp_path / "scores.csv.gz"), "--detectors", "prob_*", "--cluster-draws", "500"]
    assert cli.main([*words, "--audit", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    first, _, rest = said.partition("ALL FINDINGS")
    assert first.count(". RED") + first.count(". AMBER") + first.count(". NOTE") == 3
    assert "F2 default value" in first
    assert "FIGURES" in rest
    record = json.loads((tmp_path / "out/audit.json").read_text())
    assert record["read"]["rows"] == len(y)
    assert set(record["findings"][0]) == {"code", "about", "severity", "detector", "sentence", "numbers", "rows"}
    assert record["findings"][record["headlines"][0]]["severity"] == "red"
    page = (tmp_path / "out/audit.html").read_text()
    assert "What matters most" in page
    assert "<script" not in page
    again = (tmp_path / "out/audit.json").read_bytes(), (tmp_path / "out/audit.html").read_bytes()
    assert cli.main([*words, "--audit", str(tmp_path / "out")]) == 0
    assert again == ((tmp_path / "out/audit.json").read_bytes(), (tmp_path / "out/audit.html").read_bytes())
    (tmp_path / "out/audit.json").write_text("[]")
    assert cli.main([*words, "--audit", str(tmp_path / "out")]) == 2, "a file of another origin stays"


def test_the_guide_explains_every_kind_and_its_example_is_as_printed(tmp_path, monkeypatch, capsys):
    guide = (Path(__file__).parents[2] / "docs/guides/judge_your_scores.md").read_text(encoding="utf-8")
    for code, kind in KINDS.items():
        assert f"| {code} | {kind.title} | {kind.says} | {kind.not_said} |" in guide
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1], {})
    assert cli.main(["judge", "scores.csv", "--detectors", "prob_*"]) == 0
    said = capsys.readouterr().out.partition("ALL FINDINGS")[0].rstrip()
    assert f"```\n{said}\n```" in guide
