"""Score files of other programs: what they mean, what is refused, and that nothing in a pickle is executed."""

import logging
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import DataNotFoundError, ParameterError, TableError, UnknownNameError
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evaluation.exchange.deepfake_workbench import read_workbench_csv, write_workbench_csv
from dfworkbench.evaluation.exchange.deepfakebench import pool_by_folder_name, read_deepfakebench, write_deepfakebench
from dfworkbench.evaluation.exchange.interchange import read_scores, score_format
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge
from dfworkbench.evaluation.exchange.score_csv import read_score_csv, write_score_csv
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def written(tmp_path, text, name="scores.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


# -- plain CSV --------------------------------------------------------------------------------------------------------


def test_the_smallest_file_becomes_a_score_table(tmp_path):
    table = read_scores(written(tmp_path, "Path,Label,Score\na.mp4,0,0.25\nb.mp4,1,0.75\n"))
    assert SCORES.check(table) is not None
    assert table["video_id"].tolist() == table["row_id"].tolist() == ["a.mp4", "b.mp4"]
    assert table["label"].tolist() == [0, 1]
    assert table["logit"].to_numpy() == pytest.approx([-np.log(3), np.log(3)])
    assert evaluate(table, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"].tolist() == [1.0]


def test_polarity_scale_and_label_are_as_stated(tmp_path):
    path = written(tmp_path, "id;y_true;y_score\na;real;2\nb;fake;-1\nc;Fake;-3\n")
    table = read_score_csv(path, polarity="real", scale="logit")
    assert table["logit"].tolist() == [-2, 1, 3]
    assert table["fake_probability"].to_numpy() == pytest.approx(1 / (1 + np.exp([2, -1, -3])))
    assert table["label"].tolist() == [0, 1, 1]
    flipped = read_score_csv(written(tmp_path, "id\tgt\tprob\na\t1\t0.2\nb\t0\t0.9\n"), fake_label=0, polarity="real")
    assert flipped["label"].tolist() == [0, 1]
    assert flipped["fake_probability"].to_numpy() == pytest.approx([0.8, 0.1])
    named = read_score_csv(written(tmp_path, "id,label,logit\na,1,0\n"))
    assert named["fake_probability"].tolist() == [0.5]
    assert (
        read_score_csv(written(tmp_path, "id,label,prob_real\na,1,0.1\n"), polarity="real")["fake_probability"][0]
        == 0.9
    )


def test_certain_scores_have_finite_log_odds(tmp_path):
    table = read_score_csv(written(tmp_path, "id,label,score\na,0,0\nb,1,1\n"))
    assert np.isfinite(table["logit"]).all()
    assert table["fake_probability"].tolist() == [0, 1]


def test_rows_without_score_stay_and_lower_the_coverage(tmp_path):
    text = "path,label,score,status,reason\na,0,0.1,,\nb,1,,,\nc,1,0.7,no_face,none found\nd,1,NaN,,\n"
    table = read_scores(written(tmp_path, text))
    assert table["status"].tolist() == ["ok", "missing", "no_face", "missing"]
    assert table["reason"].tolist() == ["", "no score in the file", "none found", "no score in the file"]
    assert table["fake_probability"].isna().tolist() == [False, True, True, True]
    assert evaluate(table, ["video"], metrics=["accuracy"], judging=Judging(draws=0))["coverage"].tolist() == [0.25]


def test_frames_tracks_and_splits_are_taken_where_they_are(tmp_path):
    text = "video,frame,track,label,score,split,method\nv,0,0,0,.1,test,\nv,0,1,1,.9,test,DF\nv,5,1,1,.7,test,DF\n"
    table = read_scores(written(tmp_path, text))
    assert table["row_id"].tolist() == ["v#t0f0", "v#t1f0", "v#t1f5"]
    assert evaluate(table, ["track"], metrics=["auc"], judging=Judging(draws=0))["n"].tolist() == [2]
    assert table["split"].tolist() == ["test"] * 3
    unnumbered = read_scores(written(tmp_path, "video,label,score\nv,0,.1\nw,1,.5\nv,0,.2\n"))
    assert unnumbered["frame"].tolist() == [0, -1, 1]
    frames = written(tmp_path, "path,label,score\nDF/000/1.png,1,.9\nDF/000/2.png,1,.7\nreal/000/1.png,0,.2\n")
    assert read_score_csv(frames, frames_in_folders=True)["video_id"].tolist() == ["DF/000", "DF/000", "real/000"]


def test_equal_names_of_several_methods_are_not_pooled(tmp_path):
    text = "file,method,label,score\n000.mp4,,0,.1\n000.mp4,DF,1,.9\n000.mp4,F2F,1,.3\n001.mp4,DF,1,.8\n"
    table = read_scores(written(tmp_path, text))
    assert table["video_id"].tolist() == ["real/000.mp4", "DF/000.mp4", "F2F/000.mp4", "001.mp4"]
    one = read_scores(written(tmp_path, "dataset,path,label,score\na,x,0,.1\nb,x,1,.9\n"))
    assert one["video_id"].tolist() == ["a/x", "b/x"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "path,label,score,prob\na,0,1,1\n",
            {},
            r"'score' and 'prob' could both be the score.*columns=\{'score': 'score'\}",
        ),
        ("path,label,confidence\na,0,1\n", {}, r"no column is the score; there are 'path', 'label', 'confidence'"),
        ("path,score\na,0\n", {}, "no column is the label"),
        ("path,label,p_real\na,0,1\n", {}, r"'p_real' says that high means real, the stated polarity is 'fake'"),
        ("path,label,score\na,0,3.5\n", {}, r"from 3.5 to 3.5; expected probability from 0 to 1.*--scale logit"),
        ("path,label,score\na,0,0.5\nb,1,high\n", {}, r"'score' has 'high' in line 3"),
        ("path,label,score\na,0,inf\n", {}, "expected a finite number"),
        ("path,label,score\na,3,0.5\n", {}, r"line 2 has the label '3'.*'forgery'"),
        ("path,label,score\na,0,0.5\na,1,0.5\n", {}, r"'a' has rows that are real and rows that are fake"),
        (
            "path,frame,label,score\na,1,0,0.5\na,1,0,0.6\n",
            {},
            r"2 rows share their key with another one and contradict it \(first: 'a#t-1f1'",
        ),
        ("path,label,score\n,0,0.5\n", {}, "line 2 names no file"),
        ("a.png,label,score\n", {}, "no column is the path or video"),
        ("path,label,score\na.png,0,.5\n", {"frames_in_folders": True}, "names no folder"),
        ("", {}, "it is empty; expected a line of headers"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path, text, options, message):
    with pytest.raises(TableError, match=message):
        read_score_csv(written(tmp_path, text), **options)


def test_columns_may_be_named(tmp_path):
    path = written(tmp_path, "path,label,model a,score\na,0,.9,.1\n")
    assert read_score_csv(path, columns={"score": "model a"})["fake_probability"].tolist() == [0.9]
    with pytest.raises(ParameterError, match="expected roles among video, path"):
        read_score_csv(path, columns={"scoer": "score"})
    with pytest.raises(ParameterError, match="headers among path, label, model a"):
        read_score_csv(path, columns={"score": "model b"})
    with pytest.raises(ParameterError, match="polarity 'up'"):
        read_score_csv(path, polarity="up")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataNotFoundError, match="no file"):
        read_score_csv(tmp_path / "none.csv")


def test_decisions_are_named_as_such(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read_score_csv(written(tmp_path, "id,label,pred\na,0,0\nb,1,1\nc,1,0\n"))
    assert "look like decisions" in caplog.text


def random_scores(seed=0, videos=40, frames=4):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "video_id": np.repeat([f"set/{i:03d}.mp4" for i in range(videos)], frames), "frame": np.tile(np.arange(frames), videos),
        "label": np.repeat(np.arange(videos) % 2, frames), "track": 0, "dataset": "set", "split": "test",
        "method": np.repeat(np.where(np.arange(videos) % 2, "DF", ""), frames),
    })  # fmt: skip
    rows["fake_probability"] = np.clip(rng.normal(0.4 + 0.2 * rows["label"], 0.2), 0, 1)
    rows["row_id"] = rows["video_id"] + "#t0f" + rows["frame"].astype(str)
    rows.loc[3, ["status", "fake_probability"]] = ["no_face", np.nan]
    return SCORES.complete(rows)


def test_what_is_written_is_read_as_the_same(tmp_path):
    scores = random_scores()
    path = write_score_csv(scores, tmp_path / "out.csv")
    assert path.read_text().partition("\n")[0] == "path,label,score,dataset,split,forgery,track,frame,status"
    again = read_scores(path)
    same = ["video_id", "row_id", "label", "forgery", "split", "track", "frame", "status", "fake_probability"]
    pd.testing.assert_frame_equal(again[same], scores[same])
    pd.testing.assert_frame_equal(
        evaluate(again, judging=Judging(draws=50)), evaluate(scores, judging=Judging(draws=50))
    )
    double = scores.assign(frame=-1)
    pd.testing.assert_frame_equal(read_scores(write_score_csv(double, tmp_path / "d.csv"))[same[:3]], double[same[:3]])


def test_our_own_tables_are_known_by_their_columns(tmp_path):
    scores = random_scores()
    for name in ("a.csv", "a.parquet"):
        path = write_table("score", scores, tmp_path / name)
        assert score_format(path) == "dfworkbench"
        pd.testing.assert_frame_equal(read_scores(path), scores)
    with pytest.raises(ParameterError, match=r"polarity='real' is for plain CSV; this is a score table of dfworkbench"):
        read_scores(path, polarity="real")
    with pytest.raises(UnknownNameError, match="format of score files"):
        read_scores(path, "cvs")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TableError, match=r"a folder without metric_dict_best\.pickle"):
        read_scores(tmp_path)


# -- deepfake-workbench -----------------------------------------------------------------------------------------------


def test_scores_of_deepfake_workbench(tmp_path):
    text = (
        "dataset,key,compression,label,score,status,logit,label_key,method,n_clips,n_frames,x_note\n"
        "ffpp,youtube/000,c23,0,0.2,ok,,,,4,32,\nffpp,Deepfakes/000_003,c23,1,0.9,ok,,,Deepfakes,4,32,\n"
        "ffpp,Deepfakes/001_004,c40,1,,missing,,,Deepfakes,,,\ncelebdf,id0,,1,,error,,,,,,\n"
    )
    path = written(tmp_path, text, "a.scores.csv")
    assert score_format(path) == "deepfake_workbench"
    table = read_scores(path)
    assert table["video_id"].tolist() == [
        "ffpp/youtube/000@c23", "ffpp/Deepfakes/000_003@c23", "ffpp/Deepfakes/001_004@c40", "celebdf/id0",
    ]  # fmt: skip
    assert table["status"].tolist() == ["ok", "ok", "missing", "error"]
    assert table["fake_probability"].tolist()[:2] == [0.2, 0.9]
    assert evaluate(table, ["video"], metrics=["auc"], judging=Judging(draws=0))[
        ["value", "coverage"]
    ].to_numpy().tolist() == [[1.0, 0.5]]
    with pytest.raises(TableError, match=r"no column 'compression'"):
        read_workbench_csv(written(tmp_path, "dataset,key,label,score,status\n"))
    with pytest.raises(TableError, match=r"a label is 4; expected 0 and 1"):
        read_workbench_csv(written(tmp_path, text.replace(",c23,1,", ",c23,4,")))


def test_what_is_written_for_deepfake_workbench_is_read_as_the_same_videos(tmp_path):
    scores = random_scores()
    lost = scores.iloc[0].copy()
    lost[["row_id", "video_id", "status", "fake_probability", "logit"]] = ["v/z", "v/z", "no_face", np.nan, np.nan]
    scores = SCORES.complete(pd.concat([scores, lost.to_frame().T], ignore_index=True).infer_objects())
    path = write_workbench_csv(scores, tmp_path / "mine.scores.csv", rule="mean")
    assert score_format(path) == "deepfake_workbench"
    again = read_scores(path)
    assert len(again) == scores["video_id"].nunique()
    assert again["status"].value_counts().to_dict() == {"ok": len(again) - 1, "error": 1}
    for metric in ("auc", "average_precision"):
        mine, theirs = (
            evaluate(table, ["video"], judging=Judging(rule="mean", draws=0), metrics=[metric])[
                ["value", "coverage", "n"]
            ]
            for table in (scores, again)
        )
        pd.testing.assert_frame_equal(mine, theirs)
    first = tmp_path / "first.scores.csv"
    first.write_text("dataset,key,compression,label,score,status\nffpp,a/000,c23,0,0.2,ok\nffpp,b/1,,1,,missing\n")
    written_again = pd.read_csv(write_workbench_csv(read_scores(first), tmp_path / "b.csv"), keep_default_na=False)
    assert written_again.drop(columns="method").to_csv(index=False) == first.read_text()
    for video, dataset, key in (
        ("demo/me@home/x.mp4", "demo", ["demo", "me@home/x.mp4", ""]),
        ("x/y.mp4", "", ["x", "y.mp4", ""]),
        ("y.mp4", "", ["files", "y.mp4", ""]),
    ):
        one = scores.iloc[[1]].assign(video_id=video, dataset=dataset)
        row = pd.read_csv(write_workbench_csv(one, tmp_path / "c.csv"), keep_default_na=False).iloc[0]
        assert row[["dataset", "key", "compression"]].tolist() == key
    with pytest.raises(TableError, match=r"none of 1 rows has a label"):
        write_workbench_csv(scores.iloc[[1]].assign(label=-1), tmp_path / "d.csv")


# -- DeepfakeBench ----------------------------------------------------------------------------------------------------


def their_video_auc(names, pred, label):
    """What DeepfakeBench computes, said again in a slow way: means per folder name, a label that is rounded down."""
    groups = {}
    for name, score, truth in zip(names, pred, label, strict=True):
        groups.setdefault(name.replace("\\", "/").split("/")[-2], []).append((float(score), int(truth)))
    truths = [int(sum(t for _, t in rows) / len(rows)) for rows in groups.values()]
    return roc_auc_score(truths, [sum(s for s, _ in rows) / len(rows) for rows in groups.values()])


@pytest.fixture
def bench(tmp_path):
    """A test of DeepfakeBench on FaceForensics++ whose methods are unequally hard, as its trainer saves it."""
    rng = np.random.default_rng(3)
    base, rows = "FaceForensics++", []
    for video in range(20):
        for frame in range(4):
            rows.append(
                (f"{base}/original_sequences/youtube/c23/frames/{video:03d}/{frame:03d}.png", 0, rng.normal(0.45, 0.15))
            )
            for k, method in enumerate(METHODS):
                name = f"{base}/manipulated_sequences/{method}/c23/frames/{video:03d}_{video ^ 1:03d}/{frame:03d}.png"
                rows.append((name, 1, rng.normal((0.8, 0.5, 0.4, 0.6)[k], 0.15)))
    rows = [rows[i] for i in rng.permutation(len(rows))]
    names, label, pred = (tuple(column) for column in zip(*rows, strict=True))
    pred = np.clip(np.array(pred), 0, 1).astype(np.float32)
    video_auc = their_video_auc(names, pred, label)
    metrics = {"acc": 0.5, "auc": np.float64(0.7), "eer": np.float64(0.3), "ap": np.float64(0.8), "pred": pred,
               "video_auc": video_auc, "label": np.array(label)}  # fmt: skip
    folder = tmp_path / "test" / "FaceForensics++"
    folder.mkdir(parents=True)
    (folder / "metric_dict_best.pickle").write_bytes(pickle.dumps(metrics))
    (folder / "data_dict_test.pickle").write_bytes(pickle.dumps({"image": names, "label": label}))
    return folder, names, pred, np.array(label), video_auc


def test_equally_named_videos_of_deepfakebench_stay_apart(bench, caplog):
    folder, names, pred, label, theirs = bench
    with caplog.at_level(logging.WARNING):
        table = read_scores(folder)
    assert not caplog.text
    assert table["video_id"].nunique() == 100
    assert set(table.loc[table["label"] == 1, "forgery"]) == set(METHODS)
    assert set(table.loc[table["label"] == 0, "forgery"]) == {""}
    assert table["fake_probability"].to_numpy() == pytest.approx(pred.astype(float))
    first = table.iloc[0]
    assert first["row_id"] == "FaceForensics++/" + names[0].partition("/")[2]
    assert first["frame"] == int(Path(names[0]).stem)
    metrics = evaluate(table, ["frame", "video"], judging=Judging(rule="mean", draws=0), metrics=["auc"])[
        "value"
    ].tolist()
    assert metrics[0] == pytest.approx(roc_auc_score(label, pred))
    means = pd.Series(pred, dtype=float).groupby([n.rpartition("/")[0] for n in names]).mean()
    assert metrics[1] == pytest.approx(roc_auc_score(["original" not in n for n in means.index], means))
    pooled = read_deepfakebench(folder, deepfakebench_pooling=True)
    assert len(pooled) == 40
    assert evaluate(pooled, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"][0] == pytest.approx(theirs)
    assert theirs > metrics[1] + 0.05, "pooling must matter on this set, or the test says nothing"


def test_what_is_written_for_deepfakebench_is_read_as_the_same_frames(bench, tmp_path):
    folder, _, pred, label, theirs = bench
    scores = read_scores(folder)
    unscored = scores.iloc[[0]].assign(row_id="x", fake_probability=np.nan, logit=np.nan, status="no_face", frame=99)
    again_at = write_deepfakebench(pd.concat([scores, unscored]), tmp_path / "again" / "FaceForensics++")
    again = read_scores(again_at)
    same = ["label", "forgery", "frame", "fake_probability"]
    pd.testing.assert_frame_equal(again[same], scores[same])
    assert again["video_id"].nunique() == scores["video_id"].nunique()
    metrics = pickle.loads((again_at / "metric_dict_best.pickle").read_bytes())
    names = pickle.loads((again_at / "data_dict_test.pickle").read_bytes())["image"]
    assert metrics["auc"] == pytest.approx(roc_auc_score(label, pred))
    assert their_video_auc(names, metrics["pred"], metrics["label"]) == pytest.approx(theirs)
    with pytest.raises(TableError, match=r"none of 1 rows has a label and a score"):
        write_deepfakebench(unscored, tmp_path / "none")
    other = scores.iloc[[0]].assign(row_id="y", track=1)
    with pytest.raises(TableError, match=r"1 videos have several people .* one score per frame"):
        write_deepfakebench(pd.concat([scores, other]), tmp_path / "none")


def test_pools_that_hold_a_real_row_count_as_real_as_in_their_code():
    rows = {
        "row_id": ["a", "b", "c"],
        "video_id": ["r/x", "f/x", "f/y"],
        "label": [0, 1, 1],
        "fake_probability": [0.2, 0.6, 0.9],
    }
    pooled = pool_by_folder_name(SCORES.complete(pd.DataFrame(rows)))
    assert pooled[["video_id", "label"]].to_numpy().tolist() == [["x", 0], ["y", 1]]
    assert pooled["fake_probability"].to_numpy() == pytest.approx([0.4, 0.9])


def test_one_file_clips_and_windows_paths(tmp_path):
    clips = [[f"D\\fake\\v{i}\\{frame:03d}.png" for frame in range(4)] for i in range(2)] + [["D\\real\\v0\\000.png"]]
    file = tmp_path / "all.pkl"
    file.write_bytes(
        pickle.dumps({"pred": np.array([[0.9], [0.8], [0.2]]), "label": [2, 1, 0], "img_names": clips}, protocol=2)
    )
    table = read_scores(file, dataset="D")
    assert table["video_id"].tolist() == ["D/fake/v0", "D/fake/v1", "D/real/v0"]
    assert table["label"].tolist() == [1, 1, 0]
    assert table["forgery"].tolist() == ["fake", "fake", ""]


def test_files_that_do_not_belong_together_are_refused(bench, caplog):
    folder, names, pred, label, _ = bench
    beside = folder / "data_dict_test.pickle"
    beside.write_bytes(pickle.dumps({"image": names[:-1], "label": tuple(label[:-1])}))
    with pytest.raises(TableError, match="400 scores and 400 labels, the list of frames has 399 paths"):
        read_scores(folder)
    beside.write_bytes(pickle.dumps({"image": names, "label": tuple(1 - label)}))
    with pytest.raises(TableError, match="and the labels differ"):
        read_scores(folder)
    fakes, mixed = np.flatnonzero(label), np.array(names)
    mixed[fakes] = np.roll(mixed[fakes], 7)
    beside.write_bytes(pickle.dumps({"image": mixed.tolist(), "label": tuple(label)}))
    with caplog.at_level(logging.WARNING):
        read_scores(folder)
    assert "may be in another order" in caplog.text
    beside.unlink()
    with pytest.raises(DataNotFoundError, match=r"no data_dict_test\.pickle beside it"):
        read_scores(folder)
    (folder / "metric_dict_best.pickle").write_bytes(pickle.dumps({"auc": 0.5}))
    with pytest.raises(TableError, match="has no 'pred', only auc"):
        read_scores(folder)
    odd = {"pred": pred * 9, "label": label, "image": list(names)}
    (folder / "metric_dict_best.pickle").write_bytes(pickle.dumps(odd))
    with pytest.raises(TableError, match="expected probabilities of fake"):
        read_scores(folder)


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_nothing_in_a_pickle_is_executed(tmp_path):
    marker = tmp_path / "ran"
    for number, content in enumerate(
        (Evil(marker), {"pred": Evil(marker)}, {"pred": [1.0], "label": [[Evil(marker)]]})
    ):
        file = tmp_path / f"{number}.pickle"
        file.write_bytes(pickle.dumps(content))
        with pytest.raises(TableError, match="unpickling that could run any program"):
            read_scores(file)
    assert not marker.exists()


def test_small_files_do_not_become_large(tmp_path):
    inner = ["x"] * 2000
    file = tmp_path / "bomb.pickle"
    file.write_bytes(pickle.dumps({"pred": [[inner] * 2000] * 2000}))
    with pytest.raises(TableError, match="more than 1,000,000 values"):
        read_scores(file)
    endless = []
    endless.append(endless)
    file.write_bytes(pickle.dumps({"pred": endless}))
    with pytest.raises(TableError, match="too deep inside"):
        read_scores(file)


# -- judging ----------------------------------------------------------------------------------------------------------


def test_judging_prints_metrics_with_intervals(tmp_path, capsys):
    path = write_score_csv(random_scores(), tmp_path / "scores.csv")
    assert cli.main(["judge", str(path), "--draws", "100"]) == 0
    out = capsys.readouterr().out
    value = evaluate(random_scores(), ["video"], metrics=["auc"], judging=Judging(draws=100)).iloc[0]
    assert f"video auc               {value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]" in out
    assert "frame auc" in out
    assert "track" not in out.replace("over tracks", "")
    assert "coverage 99.4%" in out
    assert cli.main(["judge", str(path), "--polarity", "up"]) == 2
    assert "JudgeSettings.polarity" in capsys.readouterr().err


def test_a_wrong_polarity_is_noticed(tmp_path):
    path = write_score_csv(random_scores(), tmp_path / "scores.csv")
    found = judge(path, JudgeSettings(polarity="real", draws=200, columns=["score=score"]))
    assert any("below chance" in note for note in found.notes)
    assert not any("below chance" in note for note in judge(path, JudgeSettings(draws=200)).notes)
    with pytest.raises(ParameterError, match="not a role=header pair"):
        JudgeSettings(columns=["score"])


def test_what_deepfakebench_pools_is_said(bench):
    found = judge(bench[0], JudgeSettings(draws=50))
    assert f"takes the 100 videos for 40, because folders share names; its video AUC is {bench[4]:.3f}" in str(found)
    assert set(found.metrics["level"]) == {"frame", "video"}


def test_judge_writes_the_scores_for_other_programs(tmp_path, capsys):
    source = write_score_csv(random_scores(), tmp_path / "scores.csv")
    for name in ("a.csv", "b.scores.csv", "c.parquet", "bench"):
        assert cli.main(["judge", str(source), "--draws", "0", "--write", str(tmp_path / name)]) == 0
        assert capsys.readouterr().out.endswith(f"written: {tmp_path / name}\n")
        assert read_scores(tmp_path / name)["video_id"].nunique() == 40
    assert [score_format(tmp_path / name) for name in ("a.csv", "b.scores.csv", "c.parquet", "bench")] == [
        "csv",
        "deepfake_workbench",
        "dfworkbench",
        "deepfakebench",
    ]
    (tmp_path / "text.csv").write_text("mine")
    assert cli.main(["judge", str(source), "--draws", "0", "--write", str(tmp_path / "text.csv")]) == 2
