"""The package side of notebook 04 on a toy data set: one trained run, and another one beside it."""

import json
import shutil

import ipywidgets as w
import numpy as np
import pandas as pd
import pytest
from IPython.display import HTML
from toy import make_workspace

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.notebook import atlas as notebook_atlas
from dfworkbench.notebook import evaluation
from dfworkbench.notebook.evaluation import Evaluation, EvaluationSettings
from dfworkbench.runs.run import Run
from dfworkbench.show.tables import ReadableTable
from dfworkbench.training import TrainSettings, train

FAST = {
    "dataset": "toy", "draws": 50, "perturbations": ["jpeg"], "levels": [5], "perturbed_frames": 1, "device": "cpu"
}  # fmt: skip


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    space = make_workspace(tmp_path_factory.mktemp("evaluation"), fakes=2, test=6)
    settings = TrainSettings(
        dataset="toy", detector="mesonet4", name="first", epochs=2, batch_size=8, frames_per_video=2, device="cpu",
        detector_options={"size_px": 64},
    )  # fmt: skip
    for _ in train(settings, space):
        pass
    shutil.copytree(space.checkpoints / "first", space.checkpoints / "second")
    other = 1 if json.loads((space.checkpoints / "first" / "best.json").read_text())["epoch"] == 2 else 2
    record = {"epoch": other, "file": f"epoch_{other:03d}.safetensors"}
    (space.checkpoints / "second" / "best.json").write_text(json.dumps(record))
    return space


@pytest.fixture
def at_home(space, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(space.root))
    return space


def study(**values):
    return Evaluation(EvaluationSettings(**{**FAST, **values}), progress=False)


def test_the_newest_run_of_the_data_set_is_judged(at_home):
    assert study().names in (["first"], ["second"])
    assert study(runs=["second", "first", "second"]).names == ["second", "first"]
    with pytest.raises(DataNotFoundError, match=r"trained on 'other' \(runs there: .*02_train"):
        Run.newest(dataset="other")


def test_metrics_are_those_of_the_score_table(at_home):
    judged = study(runs=["first"])
    scores = judged.test["first"]
    assert set(scores["split"]) == {"test"}
    assert set(judged.tables["first"].val["split"]) == {"val"}
    table = judged.metrics()
    assert table.index.tolist() == ["frame", "video"]
    row = evaluate(scores, ["video"], metrics=["auc"], judging=Judging(missing="as_chance", draws=50)).iloc[0]
    text = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    assert table.loc["video", "AUC"] == judged.leaderboard.table()["auc"].iloc[0] == text
    two = study(runs=["first", "second"]).metrics()
    assert two.index.tolist() == ["frame, first", "video, first", "frame, second", "video, second"]


def test_a_split_is_scored_once_until_its_faces_change(at_home, monkeypatch):
    before = study(runs=["first"]).test["first"]
    counted = []
    score = evaluation.score_split
    monkeypatch.setattr(evaluation, "score_split", lambda *args, **how: counted.append(args[2]) or score(*args, **how))
    pd.testing.assert_frame_equal(study(runs=["first"]).test["first"], before)
    assert counted == []
    (at_home.labels / "toy" / "faces.parquet").touch()
    pd.testing.assert_frame_equal(study(runs=["first"]).test["first"], before)
    assert counted == ["val", "test"]


def test_protocol_and_audit_are_kept(at_home):
    judged = study(runs=["first"])
    assert judged.audit.verdict == "green"
    assert (at_home.labels / "toy" / "audit.json").is_file()
    table = judged.protocol_table()
    assert (at_home.labels / "toy" / "protocols" / f"{table.loc['id', '']}.json").is_file()
    assert judged.protocol.sha256.startswith(table.loc["SHA-256 of all this", ""].rstrip("…"))
    assert study(runs=["first"], missing="drop").protocol.id != judged.protocol.id


def test_runs_stand_side_by_side(at_home):
    alone = study(runs=["first"])
    sentence = alone.differences()
    assert isinstance(sentence, HTML)
    assert "nothing to compare" in str(sentence.data)
    both = study(runs=["first", "second"])
    assert sorted(entry.name for entry in both.leaderboard.entries) == ["first", "second"]
    pairs = both.differences()
    assert isinstance(pairs, ReadableTable)
    assert pairs.index.tolist() == ["first minus second"]
    aucs = {entry.name: entry.rows.set_index("metric").loc["auc", "value"] for entry in both.leaderboard.entries}
    assert pairs["AUC difference"].iloc[0].startswith(f"{aucs['first'] - aucs['second']:.3f}")
    assert set(both.matrix()["detector"]) == {"first", "second"}
    assert set(both.matrix()["kind"]) == {"fake0", "fake1", "all kinds"}


def test_calibration_is_fitted_on_validation_and_keeps_the_order(at_home):
    judged = study(runs=["first"], calibration="temperature")
    assert judged.calibrators["first"].splits == ("val",)
    before, after = judged.before_and_after().values()
    aucs = [
        evaluate(table, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"].iloc[0]
        for table in (before, after)
    ]
    assert aucs[0] == pytest.approx(aucs[1], abs=1e-12)
    assert "of val" in judged.calibration_table()["fitted on"].iloc[0]


def test_selection_can_be_left_out_and_is_never_better_than_looking(at_home):
    assert study(runs=["first"], selection=False).selections() == {}
    found = study(runs=["first"]).selections()["first"]
    assert found.optimism.value >= 0
    assert found.epochs["epoch"].tolist() == [1, 2]


def test_robustness_stands_per_run(at_home):
    judged = study(runs=["first", "second"])
    assert judged.robustness.curves["detector"].unique().tolist() == ["first", "second"]
    table = judged.area_table()
    assert table.index.tolist() == ["first", "second"]
    assert np.isfinite([float(text.split()[0]) for text in table["area under AUC"]]).all()


def test_the_explorer_judges_calibrated_test_files(at_home):
    shown = study(runs=["first"], false_alarm_rate=0.3).explorer()
    assert shown.point.n_real == 6  # of validation
    assert shown.point.false_alarm_rate == 0.3
    table = shown.table()
    assert isinstance(table, ReadableTable)
    assert table["files"].tolist() == [6, 12]


def test_too_few_validation_files_leave_scores_as_they_are_and_the_table_says_so(at_home):
    judged = study(runs=["first"], calibration="temperature")
    assert "not calibrated: 6 real files, temperature needs 10" in judged.calibration_table().to_string()
    before, after = judged.before_and_after().values()
    means = before.groupby("video_id")["fake_probability"].mean()
    assert after.set_index("video_id")["fake_probability"].to_numpy() == pytest.approx(
        means[after["video_id"]].to_numpy()
    )


def test_the_atlas_shows_the_errors_of_a_run_and_opens_their_frames(at_home, monkeypatch):
    judged = study(runs=["first"])
    atlas = judged.atlas("first")
    cases = atlas.atlas.cases
    scores = judged.test["first"].set_index("row_id")
    assert len(cases)  # after two epochs on a toy
    for row in cases.itertuples():
        assert (scores.at[row.row_id, "fake_probability"] > 0.5) != bool(row.label)
    assert atlas.atlas.grouped_by == "features of mesonet4"
    assert list(atlas.table().index) == list(atlas.atlas.clusters["cluster"])
    assert "first: where it is wrong" in [text.get_text() for text in atlas.figure().texts]

    shown = []
    monkeypatch.setattr(notebook_atlas, "display", lambda value, **_: shown.append(value))
    atlas._ipython_display_()
    menu = next(value for value in shown if isinstance(value, w.Dropdown))
    assert [row for _, row in menu.options] == cases["row_id"].tolist()
    assert "frames of" in shown[-1].data
    last = cases["row_id"].iloc[-1]
    faces = judged.test["first"]
    same = faces[(faces["video_id"] == scores.at[last, "video_id"]) & (faces["track"] == scores.at[last, "track"])]
    titles = [axes.get_title() for axes in atlas.case(last).axes if axes.get_title()]
    wanted = [f"{row.time_s:.2f} s\n{row.fake_probability:.3f}" for row in same.sort_values("frame").itertuples()]
    assert titles == wanted


def test_intervals_of_matrix_and_robustness_draw_what_is_asked_for(at_home):
    cells = {unit: study(runs=["first"], unit=unit).matrix() for unit in ("video", "group")}
    assert (cells["video"]["value"] == cells["group"]["value"]).all()
    assert cells["video"]["unit"].unique().tolist() == ["video"]
    assert not cells["video"]["low"].equals(cells["group"]["low"])
    curves = {unit: study(runs=["first"], unit=unit, draws=200).robustness.curves for unit in ("video", "group")}
    assert (curves["video"]["value"] == curves["group"]["value"]).all()
    assert {unit: set(table["drawn"]) for unit, table in curves.items()} == {"video": {"video"}, "group": {"group"}}
    clean = {unit: table.iloc[0] for unit, table in curves.items()}
    judged = study(runs=["first"])
    samples = judged.robustness.scores.query("level == 0").drop(columns=["perturbation", "level"])
    for unit, row in clean.items():
        row_of = evaluate(samples, ["video"], metrics=["auc"], judging=Judging(draws=200, unit=unit)).iloc[0]
        assert (row["low"], row["high"]) == (row_of["low"], row_of["high"])


def test_another_case_of_the_menu_takes_the_place_of_the_first(at_home, monkeypatch):
    pages, menus = [], []

    class Handle:
        def update(self, page):
            pages.append(page.data)

    def display(what, display_id=False):
        if isinstance(what, w.Dropdown):
            menus.append(what)
        if display_id:
            pages.append(what.data)
        return Handle() if display_id else None

    monkeypatch.setattr(notebook_atlas, "display", display)
    atlas = study(runs=["first"]).atlas("first")
    atlas._ipython_display_()
    (menu,) = menus
    assert len(menu.options) > 1
    assert len(pages) == 1
    menu.value = menu.options[-1][1]
    assert len(set(pages)) == len(pages) == 2
    assert all("data:image/png;base64," in page for page in pages)  # stays without widgets
    assert f'alt="frames of {menu.options[-1][0]}"' in pages[1]
