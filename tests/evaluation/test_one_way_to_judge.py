"""The same score table gives the same interval, whatever public function is asked, and no function is left out of this test."""

import importlib
import inspect
import pkgutil
import re

import numpy as np
import pandas as pd
import pytest

from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge
from dfworkbench.evaluation.judging.by_protocol import judge_by
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.evaluation.judging.protocol import Protocol, split_hash
from dfworkbench.evaluation.judging.robustness import CLEAN, frank_auc, robustness_of
from dfworkbench.evaluation.judging.selection import compare_selection
from dfworkbench.evaluation.judging.verdicts import OperatingPoint, verdict_rates, verdicts
from dfworkbench.evaluation.metrics.bootstrap import draw_metrics, judged_rows
from dfworkbench.evaluation.metrics.compare import compare_auc, compare_detectors, drawn_metric, mean_auc
from dfworkbench.evaluation.metrics.curve_tables import reliability_table, roc_band
from dfworkbench.evaluation.metrics.evaluate import evaluate, evaluate_seeds, mean_over_seeds, row_interval
from dfworkbench.evaluation.metrics.interval import PEOPLE, Interval, Judging, binomial_interval
from dfworkbench.evaluation.metrics.matrix import ALL_KINDS, score_matrix
from dfworkbench.evaluation.metrics.measures import Measure, group_means, group_measure, mean_measure
from dfworkbench.methods.caddm.generalisation import identity_gap
from dfworkbench.show.plots.scores import plot_roc


def scores(seed=0, videos=60):
    """Two frames of each video, two videos of each person, some without a score, rows in no order."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "row_id": f"d/{v}.mp4#{f}", "video_id": f"d/{v}.mp4", "label": v // 2 % 2, "track": 0, "frame": f,
            "group": f"p{v // 2}",
            "fake_probability": np.nan if v in (7, 12) else float(np.clip(rng.normal(0.4 + 0.15 * (v // 2 % 2), 0.2), 0, 1)),
            "status": "no_face" if v in (7, 12) else "ok", "dataset": "d", "split": "test", "forgery": "x" if v // 2 % 2 else "",
        }
        for v in range(videos)
        for f in range(2)
    ]  # fmt: skip
    return SCORES.complete(rows).sample(frac=1, random_state=5).reset_index(drop=True)


TABLE, OTHER = scores(0), scores(1)


def conditions(first, second):
    return pd.concat(
        [first.assign(perturbation=CLEAN, level=0), second.assign(perturbation="jpeg", level=1)], ignore_index=True
    )


def judged(table, how):
    videos = table.drop_duplicates("video_id").sort_values("video_id", ignore_index=True)
    fields = {"dataset": "d", "split_hash": split_hash(videos), "videos": len(videos), "metrics": ("auc",)}
    return judge_by(Protocol(**fields, **how.model_dump()), table, videos, name="a", selected="only")


def of_row(rows):
    return row_interval(next(rows.itertuples()))


#: Function -> the AUC of a table by it.
AUC = {
    evaluate: lambda t, how: of_row(evaluate(t, [how.level], how, metrics=["eer", "auc"]).iloc[1:]),
    draw_metrics: lambda t, how: draw_metrics(judged_rows(t, how)[0], how, ("auc", "eer")).interval("auc"),
    drawn_metric: lambda t, how: drawn_metric("", t, how)[0],
    mean_auc: lambda t, how: mean_auc("", [t], how)[0],
    score_matrix: lambda t, how: of_row(score_matrix({"a": t}, how).query(f"kind == '{ALL_KINDS}'")),
    compare_selection: lambda t, how: compare_selection({1: OTHER}, {1: t}, judging=how).honest,
    robustness_of: lambda t, how: of_row(robustness_of(conditions(OTHER, t), "a", how).curves.query("level == 1")),
    frank_auc: lambda t, how: of_row(frank_auc(conditions(OTHER, t), "a", how).query("condition == 'jpeg'")),
    identity_gap: lambda t, how: identity_gap(elsewhere(OTHER), t, judging=how).unseen,
    judge_by: lambda t, how: of_row(judged(t, how).rows),
    Leaderboard.frame: lambda t, how: of_row(Leaderboard([judged(t, how)]).frame()),
}

#: Function -> the AUC of one table minus that of another by it, paired.
DIFFERENCE = {
    compare_auc: lambda a, b, how: compare_auc("", [a], [b], how),
    compare_detectors: lambda a, b, how: of_row(compare_detectors({"a": a, "b": b}, how).rename(columns={"difference": "value"})),
    robustness_of: lambda a, b, how: change(robustness_of(conditions(b, a), "a", how).curves.query("level == 1")),
    frank_auc: lambda a, b, how: change(frank_auc(conditions(b, a), "a", how).query("condition == 'jpeg'")),
    compare_selection: lambda a, b, how: compare_selection({1: a, 2: b}, {1: a, 2: b}, picked=2, judging=how).optimism,
}  # fmt: skip

#: Functions that give intervals of other figures, each with the test of this file (or the module of tests) that has them.
OTHERS = {
    "mean_over_seeds": "seeds", "evaluate_seeds": "seeds", "mean_measure": "means", "group_means": "means",
    "group_measure": "means", "binomial_interval": "shares", "verdict_rates": "shares", "reliability_table": "shares",
    "roc_band": "band", "plot_roc": "band", "row_interval": "the interval of a row", "judged_rows": "no interval",
    "risk_coverage": "no interval", "plot_reliability": "draws reliability_table", "plot_risk_coverage": "no interval",
    "plot_scores": "no interval", "selection_optimism": "compare_selection of a run",
    "robustness": "robustness_of of a detector",
}  # fmt: skip

#: Papers' own figures: means over images and shares by `group_means` and `mean_measure`, AUC by `drawn_metric` or `identity_gap`.
STUDIES = {
    "accuracy_measures", "compare_boxes", "compare_kinds", "compare_maps", "form_measures", "gap_measures",
    "information_measures", "mean_spectra", "missed_measures", "pairing_measures", "people_measures", "summarise",
    "summarise_maps",
}  # fmt: skip


def elsewhere(table):
    return table.assign(**{name: "e" + table[name] for name in ("video_id", "row_id", "group")})


def change(rows):
    row = next(rows.itertuples())
    return Interval(row.change, row.change_low, row.change_high)


def three(found):
    return found.value, found.low, found.high


HOWS = {
    "default": Judging(),
    "people": PEOPLE,
    "all else": Judging(level="frame", rule="mean", missing="as_fake", draws=300, seed=4, confidence=0.8),
}


@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
def test_an_auc_has_one_interval(how):
    expected = three(AUC[evaluate](TABLE, how))
    assert expected[1] < expected[0] < expected[2]
    for function, ask in AUC.items():
        for table in (TABLE, TABLE.sort_values("row_id", ascending=False)):
            assert three(ask(table, how)) == expected, function.__name__


@pytest.mark.parametrize("how", HOWS.values(), ids=HOWS)
def test_a_difference_has_one_interval(how):
    first, second = sorted((TABLE, OTHER), key=lambda t: -AUC[evaluate](t, how).value)
    expected = three(compare_auc("", [first], [second], how))
    assert expected[1] < expected[0] < expected[2]
    for function, ask in DIFFERENCE.items():
        assert three(ask(first, second, how)) == pytest.approx(expected, abs=1e-12), function.__name__


def test_every_field_of_judging_changes_the_interval_or_the_figure():
    plain = three(AUC[evaluate](TABLE, Judging()))
    for change in (
        {"level": "frame"},
        {"missing": "as_fake"},
        {"unit": "group"},
        {"draws": 500},
        {"seed": 1},
        {"confidence": 0.8},
    ):
        assert three(AUC[drawn_metric](TABLE, Judging(**change))) != plain, change


def test_a_file_of_scores_is_judged_like_its_table(tmp_path):
    rows = judged_rows(TABLE, Judging())[0].rename(columns={"video_id": "path", "fake_probability": "score"})
    rows[["path", "label", "score"]].to_csv(tmp_path / "scores.csv", index=False)
    found = judge(tmp_path / "scores.csv", JudgeSettings(draws=200)).metrics.query(
        "metric == 'auc' and level == 'video'"
    )
    assert three(of_row(found)) == three(AUC[evaluate](TABLE, Judging(draws=200)))


def test_the_band_and_the_label_of_a_roc_curve_are_drawn_like_its_auc():
    for how in (Judging(draws=200), PEOPLE.replace(draws=200)):
        band = roc_band(TABLE, how)
        assert (band["low"] <= band["high"]).all()
        (label,) = (text.get_text() for text in plot_roc(TABLE, how).axes[0].get_legend().get_texts())
        assert AUC[evaluate](TABLE, how).text() in label
    assert not roc_band(TABLE, Judging()).equals(roc_band(TABLE, PEOPLE))


def test_means_have_one_interval_and_none_below_five_groups():
    values, groups = np.random.default_rng(0).random(40), np.arange(40) % 8
    one, many = mean_measure("m", values, groups), group_means(values[None], groups)
    assert three(one) == three(many.interval(0)) == three(group_measure("m", many, 0))
    for found in (mean_measure("m", values, groups % 4), group_measure("m", group_means(values[None], groups % 4), 0)):
        assert (found.value, np.isnan(found.low)) == (one.value, True)
        assert "no interval below 5" in found.reason
    assert np.isnan(mean_measure("m", [1.0] * 8, groups[:8] % 4).low)


def test_shares_have_one_interval():
    point = OperatingPoint(false_alarm_rate=0.1, miss_rate=0.1, fake_above=0.5, real_below=0.5, n_real=1, n_fake=1)
    rates = verdict_rates(verdicts(TABLE, point)).set_index("kind").loc["fake"]
    expected = binomial_interval(int(rates["real"]), int(rates["n"] - rates["no_score"]))
    assert (rates["wrong_rate"], rates["low"], rates["high"]) == three(expected)
    used = judged_rows(TABLE, Judging())[0]
    (row,) = reliability_table(TABLE, bins=1).itertuples()
    assert (row.fake_share, row.low, row.high) == three(binomial_interval(int(used["label"].sum()), len(used)))


def test_seeds_have_one_interval():
    tables = [scores(seed) for seed in range(4)]
    found = evaluate_seeds(tables, metrics=["auc"]).iloc[0]
    expected = mean_over_seeds([AUC[evaluate](table, Judging(draws=0)).value for table in tables])
    assert tuple(found[["mean", "low", "high"]]) == three(expected)


def public_functions():
    for room in ("evaluation", "methods", "explain", "show"):
        package = importlib.import_module(f"dfworkbench.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, thing in vars(module).items():
                if inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_"):
                    yield name, thing


def gives_intervals(function):
    """By what it takes, what it returns, or the columns that it says it returns."""
    signature = inspect.signature(function)
    notes = " ".join(map(str, [signature.return_annotation, *(p.annotation for p in signature.parameters.values())]))
    says = re.search(r"Returns:.*", inspect.getdoc(function) or "", re.S)
    columns = says is not None and {"low", "high"} <= set(re.findall(r"\w+", says[0]))
    gives = re.search(r"\b(Interval|Measure)\b", str(signature.return_annotation))
    return bool(columns or gives or re.search(r"\bJudging\b", notes))


def test_no_function_with_intervals_is_left_out():
    known = {function.__name__ for function in (*AUC, *DIFFERENCE)} | set(OTHERS) | STUDIES
    found = {name for name, function in public_functions() if gives_intervals(function)}
    assert found <= known, "add them to this test"
    assert set(OTHERS) | STUDIES <= found, "these are gone"


def test_an_interval_in_words():
    assert Measure("m", 0.5, 0.4, 0.6).text() == Interval(0.5, 0.4, 0.6).text(2) == "0.50 [0.40, 0.60]"
    assert Interval(0.5, 0.4, 0.6).text(1, percent=True) == "50.0% [40.0%, 60.0%]"
    assert (Interval(0.5).text(), Interval(np.nan).text()) == ("0.500", "not defined")
