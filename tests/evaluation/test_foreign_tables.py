"""Tables of other people: what several rows of a file are, which rows are meant, where labels come from, how text is written.

Kinds that were thought of. Rows of a file may be frames, clips, people; conditions (model, epoch, seed, compression, perturbation,
version), under a header that says so or not, also where it is called method or dataset; copies; contradictions. Labels: none, in a
file of their own under the same path, an end of it, or a name that several share; contradicting. Text: encodings, separators,
decimal commas, percentages, logits, headers that stand twice, rows that are too long.
"""

import pandas as pd
import pytest

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.datasets.tables import NOTES, SCORES, write_table
from dfworkbench.evaluation.exchange.interchange import read_scores
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge
from dfworkbench.evaluation.exchange.score_csv import write_score_csv
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging

FILES = 12


def crossed(header, values, frames=1, extra=""):
    """A row per value and file, in any order; the first value separates the files, the others turn them round."""
    lines = [f"path,label,score,{header}{',frame' if frames > 1 else ''}"]
    for number, value in enumerate(values):
        for i in range(FILES):
            score = 0.1 + 0.8 * ((i % 2) ^ (number > 0)) + 0.001 * i + 0.01 * number
            lines += [f"v{i}.mp4,{i % 2},{score:.4f},{value}" + (f",{k}" if frames > 1 else "") for k in range(frames)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def written(tmp_path):
    def write(text, name="scores.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def auc(table):
    return evaluate(table, ["video"], metrics=["auc"], judging=Judging(draws=0))["value"].iloc[0]


# -- conditions -------------------------------------------------------------------------------------------------------

CONDITIONS = [
    ("Model", ("a", "b")), ("epoch", (1, 2, 3)), ("global_step", (100, 200)), ("noise level", (0, 0.5)), ("rnd", (0, 1)),
    ("who", ("anna", "ben")), ("dataset version", ("v1", "v2")), ("dataset", ("FF-v1", "FF-v2")), ("method", ("xception", "meso")),
    ("split", ("test", "val")), ("quality", ("c23", "c40")),
]  # fmt: skip


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize(("header", "values"), CONDITIONS)
def test_a_column_that_splits_the_rows_of_a_file_must_be_chosen(written, header, values, frames):
    path = written(crossed(header, values, frames))
    with pytest.raises(
        TableError,
        match=rf"'{header}' \({FILES}.* files, values {values[0]}, {values[1]}.*--where '?{header}={values[0]}",
    ):
        read_scores(path)
    assert auc(read_scores(path, where=[f"{header.lower()}={values[0]}"])) == 1
    assert auc(read_scores(path, where=[f"{header}={values[1]}"])) == 0


def test_several_columns_are_named_together_and_chosen_one_by_one(written):
    rows = [f"v{i}.mp4,{i % 2},{0.1 + 0.1 * k + 0.01 * i:.2f},{m},{e}" for i in range(8) for k, (m, e) in enumerate(
        (m, e) for m in ("a", "b") for e in (1, 2))]  # fmt: skip
    path = written("\n".join(["path,label,score,model,epoch", *rows]))
    with pytest.raises(TableError, match=r"'model' .*and 'epoch'.*--where model=a,epoch=1"):
        read_scores(path)
    with pytest.raises(TableError, match=r"differ in 'epoch' \(8 files, values 1, 2\)\. "):
        read_scores(path, where=["model=b"])
    assert len(read_scores(path, where=["model=b", "epoch=2.0"])) == 8
    with pytest.raises(TableError, match=r"differ in 'epoch'"):
        read_scores(path, where=["epoch=1", "epoch=2", "model=a"])
    with pytest.raises(TableError, match=r"no row has model = c; its values are a, b"):
        read_scores(path, where=["model=c"])
    with pytest.raises(ParameterError, match=r"'modle=a' is not column=value with one of the columns path, label"):
        read_scores(path, where=["modle=a"])


def test_the_command_line_takes_choices_and_lists_what_was_not_used(written, capsys):
    path = str(written(crossed("model", ("a", "b")).replace("\n", ",x\n").replace("model,x", "model,remark")))
    assert cli.main(["judge", path, "--draws", "0"]) == 2
    assert "--where model=a" in capsys.readouterr().err
    assert cli.main(["judge", path, "--draws", "0", "--where", "model=b"]) == 0
    out = capsys.readouterr().out
    assert "video auc               0.000" in out
    assert out.count("columns that were not used: model, remark") == 1


def test_our_own_tables_of_two_runs_are_not_mixed(tmp_path):
    ours = SCORES.complete([
        {"row_id": f"v{i}", "video_id": f"v{i}", "label": i % 2, "fake_probability": (i % 2) * 0.5 + 0.1} for i in range(6)
    ])  # fmt: skip
    both = pd.concat([ours.assign(run="first"), ours.assign(run="second", fake_probability=0.5)])
    for name in ("both.csv", "both.parquet"):
        path = tmp_path / name
        both.to_csv(path, index=False) if name.endswith("csv") else both.to_parquet(path)
        with pytest.raises(TableError, match=r"'run' \(6 files, values first, second\).*--where run=first"):
            read_scores(path)
        assert auc(read_scores(path, where=["run=first"])) == 1
    half = write_table("score", ours.assign(split=["test", "val"] * 3), tmp_path / "half.parquet")
    assert len(read_scores(half, where=["split=val"])) == 3


def test_compressions_of_deepfake_workbench_are_not_mixed(written):
    rows = [f"d,k{i},{c},{i % 2},0.{i}{k},ok" for i in range(6) for k, c in enumerate(("c23", "c40"))]
    path = written("\n".join(["dataset,key,compression,label,score,status", *rows]))
    with pytest.raises(TableError, match=r"'compression' \(6 files, values c23, c40\)"):
        read_scores(path)
    assert len(read_scores(path, where=["compression=c40"])) == 6


# -- frames, clips, people, measurements ------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Clip", "frame_no", "segment"])
def test_frames_and_clips_are_known_by_their_header(written, header):
    table = read_scores(written(crossed(header, (0, 5, 9))))
    assert table.groupby("video_id")["frame"].apply(list).tolist() == [[0, 5, 9]] * FILES


def test_rows_that_are_measured_are_no_conditions(written):
    lines = [
        f"v{i}.mp4,{i % 2},0.{i}{k}{k},{0.31 * i + k:.3f},{'ab'[k % 2] * i}{i}" for i in range(8) for k in range(4)
    ]
    table = read_scores(written("\n".join(["video,label,score,blur,crop_file", *lines])))
    assert table.groupby("video_id")["frame"].apply(list).tolist() == [[0, 1, 2, 3]] * 8
    notes = " ".join(table.attrs[NOTES])
    assert "8 files have 4 rows each without a number: taken for their frames; their scores differ" in notes
    assert "columns that were not used: blur, crop_file" in notes


def test_a_number_of_another_name_can_be_said_to_be_the_frame(written):
    path = written(crossed("t", (0, 1, 2)))
    with pytest.raises(TableError, match=r"'t' .*--columns frame=t or track=t"):
        read_scores(path)
    assert read_scores(path, columns={"frame": "t"})["frame"].max() == 2


def test_different_files_of_one_name_under_several_forgeries_stay_apart(written):
    text = "path,method,label,score\n" + "".join(
        f"{i}.mp4,{m},{int(bool(m))},0.{i}{k}\n" for i in range(6) for k, m in enumerate(("", "DF", "F2F"))
    )
    assert read_scores(written(text))["video_id"].nunique() == 18


# -- copies and contradictions ----------------------------------------------------------------------------------------


def test_copies_of_numbered_rows_are_left_out_and_said(written):
    text = "path,frame,label,score\na,0,0,.1\na,1,0,.3\nb,0,1,.5\nb,1,1,.9\n"
    table = read_scores(written(text + "a,1,0,.3\n"))
    assert table["fake_probability"].tolist() == [0.1, 0.3, 0.5, 0.9]
    assert table.attrs[NOTES] == ["1 rows are exact copies of others, and are left out"]
    with pytest.raises(
        TableError, match=r"2 rows share their key with another one and contradict it \(first: 'a#t-1f1'\)"
    ):
        read_scores(written(text + "a,1,0,.4\n"))


def test_copies_of_unnumbered_rows_are_said(written):
    table = read_scores(written("path,label,score\na,0,1\na,0,1\nb,1,.5\nb,1,.9\n"))
    assert (
        "2 files have 2 rows each without a number: taken for their frames; 1 of these rows repeat"
        in table.attrs[NOTES][0]
    )


@pytest.mark.parametrize(("score", "words"), [("0.1", "repeat a score"), ("0.2", "their scores differ")])
def test_single_double_rows_among_files_with_one_row_are_refused(written, score, words):
    text = "path,label,score\n" + "".join(f"v{i},{i % 2},0.1\n" for i in range(9)) + f"v3,1,{score}\n"
    with pytest.raises(
        TableError, match=rf"1 of 9 files have several rows \(first: 'v3'\), the others have one, and .*{words}"
    ):
        read_scores(written(text))


# -- labels -----------------------------------------------------------------------------------------------------------


def unlabelled(tmp_path, names, tracks=1):
    rows = [
        {"row_id": f"{n}#t{t}f0", "video_id": n, "track": t, "frame": 0, "fake_probability": 0.2 + 0.1 * i}
        for i, n in enumerate(names) for t in range(tracks)
    ]  # fmt: skip
    return write_table("score", SCORES.complete(rows), tmp_path / "ours.csv")


NAMES = ["real/a.mp4", "real/b.mp4", "fake/c.mp4", "fake/d.mp4"]


def test_a_table_without_labels_is_refused_and_folders_are_no_labels(tmp_path, capsys):
    path = unlabelled(tmp_path, NAMES)
    assert cli.main(["judge", str(path)]) == 2
    err = capsys.readouterr().err
    assert "none of its 4 rows has a label" in err
    assert "--labels FILE" in err
    assert "Names of folders are not taken for labels" in err


@pytest.mark.parametrize(
    "labels",
    [
        "video_id,label\nreal/a.mp4,0\nreal/b.mp4,0\nfake/c.mp4,1\nfake/d.mp4,1\n",
        "Path;Label\n.\\real\\a.mp4;real\n.\\real\\b.mp4;REAL\n.\\fake\\c.mp4;fake\n.\\fake\\d.mp4;Fake\n",
        "name,label\na.mp4,0\nb.mp4,0\nc.mp4,1\nd.mp4,1\n",
        "name,label\na,0\nb,0\nc,1\nd,1\n",
        "video_id,path,label\n1,real/a.mp4,0\n2,real/b.mp4,0\n3,fake/c.mp4,1\n4,fake/d.mp4,1\n",
        "path,label\n/data/set/real/a.mp4,0\n/data/set/real/b.mp4,0\n/data/set/fake/c.mp4,1\n/data/set/fake/d.mp4,1\n",
    ],
)
def test_labels_of_a_file_of_their_own(tmp_path, written, labels):
    found = judge(unlabelled(tmp_path, NAMES), JudgeSettings(draws=0, labels=written(labels, "labels.csv")))
    assert found.scores["label"].tolist() == [0, 0, 1, 1]
    assert found.metrics.set_index("metric").loc["auc", "value"] == 1
    assert f"labels: 4 of 4 files have one in {tmp_path / 'labels.csv'}" in str(found)
    assert "no scored file" not in str(found)


def test_what_has_no_label_or_no_file_is_said(tmp_path, written):
    path = unlabelled(tmp_path, ["x/a.mp4", "y/a.mp4", "b.mp4", "c.mp4", "d.mp4"])
    labels = written("path,label\na.mp4,1\nz/b.mp4,0\nc.mp4,1\nother.mp4,0\nd.mp4,\n", "labels.csv")
    notes = str(judge(path, JudgeSettings(draws=0, labels=labels)))
    for words in (
        "labels: 2 of 5 files have one", "1 were matched by the end of their path (first: 'b.mp4')",
        "2 have a name that fits several labels or files, and do not count (first: 'x/a.mp4')",
        "1 have no label, and do not count (first: 'd.mp4')", "2 labels are of no scored file (first: 'a.mp4')",
    ):  # fmt: skip
        assert words in notes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("path,label\nreal/a.mp4,0\nreal/a.mp4,1\n", r"'real/a.mp4' is listed as real and as fake"),
        ("path,label\nnobody.mp4,0\n", r"none of its 1 labels \(first: 'nobody.mp4'\) is of a scored file"),
        ("path,kind\nreal/a.mp4,0\n", "no column is the label"),
        ("path,label\nreal/a.mp4,2\n", "line 2 has the label '2'"),
        ("path,label\na.avi,0\n", "none of its 1 labels"),
    ],
)
def test_labels_that_contradict_or_fit_nothing_are_refused(tmp_path, written, labels, message):
    with pytest.raises(TableError, match=message):
        read_scores(unlabelled(tmp_path, NAMES), labels=written(labels, "labels.csv"))


def test_labels_must_agree_with_those_of_the_scores(tmp_path, written):
    scores = written("path,label,score\na,0,.2\nb,1,.8\nc,,.5\n")
    assert read_scores(scores, labels=written("path,label\nb,1\nc,0\n", "l.csv"))["label"].tolist() == [0, 1, 0]
    with pytest.raises(TableError, match=r"1 files have another label in the scores than there \(first: 'b'\)"):
        read_scores(scores, labels=written("path,label\nb,0\n", "l.csv"))
    bare = written("path,score\na,.2\nb,.8\n", "bare.csv")
    with pytest.raises(TableError, match="Labels may also come from a file of their own: --labels FILE"):
        read_scores(bare)
    assert read_scores(bare, labels=written("path,label\na,1\nb,0\n", "l.csv"), fake_label=0)["label"].tolist() == [
        0,
        1,
    ]


def test_the_number_for_fake_is_also_that_of_the_labels(tmp_path, written):
    labels = written("path,label\n" + "".join(f"{name},{int(i < 2)}\n" for i, name in enumerate(NAMES)), "l.csv")
    assert read_scores(unlabelled(tmp_path, NAMES), labels=labels, fake_label=0)["label"].tolist() == [0, 0, 1, 1]


def test_labels_of_files_are_not_those_of_their_people(tmp_path, written):
    path = unlabelled(tmp_path, NAMES, tracks=2)
    labels = written("path,label\n" + "".join(f"{name},{int(i > 1)}\n" for i, name in enumerate(NAMES)), "labels.csv")
    found = judge(path, JudgeSettings(draws=0, labels=labels))
    assert set(found.metrics["level"]) == {"video"}
    assert "some hold several people: judged on video level only" in str(found)


# -- text -------------------------------------------------------------------------------------------------------------

PLAIN = "path,label,score\nmüller.mp4,0,0.25\nb c.mp4,1,0.5\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "utf-8-sig"),
        (PLAIN, "utf-16"),
        (PLAIN, "cp1252"),
        (PLAIN.replace("\n", "\r\n"), "utf-8"),
        (PLAIN.replace(",", ";"), "utf-8"),
        (PLAIN.replace(",", "\t"), "utf-8"),
        ("sep=;\n" + PLAIN.replace(",", ";"), "utf-8"),
        (PLAIN.replace(",", ";").replace("0.", "0,"), "cp1252"),
        ('"Path, full";LABEL;" Score "\nmüller.mp4;real;25 %\nb c.mp4;fake;50%\n', "utf-8"),
        ('file name,Label,Score\n"müller.mp4",0,"0,25"\n"b c.mp4",1,"0,5"\n', "utf-8"),
        (PLAIN.replace("0.25", "0.25,"), "utf-8"),
    ],
)
def test_dialects_of_csv_mean_the_same(written, text, encoding):
    columns = {"path": "Path, full"} if "full" in text else {}
    if "0.25,\n" in text:  # a row with an empty cell too many says nothing else
        text = text.replace("0.5\n", "0.5,\n").replace("score\n", "score,\n")
    table = read_scores(written(text, encoding=encoding), columns=columns)
    assert table["video_id"].tolist() == ["müller.mp4", "b c.mp4"]
    assert table["label"].tolist() == [0, 1]
    assert table["fake_probability"].tolist() == [0.25, 0.5]


def test_what_was_unusual_is_said(written):
    notes = " ".join(read_scores(written("path;label;score\nü;0;0,5\nb;1;1\n", encoding="cp1252")).attrs[NOTES])
    assert "read as cp1252" in notes
    assert "decimal commas" in notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label,score\na,0,0,25\nb,1,0,5\n", r"line 2 has 4 cells \('a \| 0 \| 0 \| 25'\); expected 3"),
        ("path,label,score,score\na,0,1,0\n", "the header 'score' occurs 2 times"),
        ('path,label,score\na,0,"0,5"\nb,1,0.7\n', "written in one way"),
        ("path,label,score\na,0,50%\nb,1,0.7\n", "written in one way"),
        ("path,label,score\na,0,-3\nb,1,4\n", r"look like log-odds.*--scale logit"),
        ("path,label,score\na,0,12\nb,1,97.5\n", r"look like percentages or log-odds.*--scale percent"),
        ("path,label,score\n\0\xff,0,.1\n", "not a readable CSV file"),
    ],
)
def test_text_that_may_mean_two_things_is_refused(written, text, message):
    with pytest.raises(TableError, match=message):
        read_scores(written(text, encoding="latin-1"))


def test_percentages_without_a_sign_are_stated(written, caplog):
    path = written("path,label,score\na,0,12\nb,1,97.5\n")
    assert read_scores(path, scale="percent")["fake_probability"].tolist() == [0.12, 0.975]
    read_scores(written("path,label,logit\na,0,.1\nb,1,.9\nc,1,.5\n"))
    assert "they look like probabilities" in caplog.text


def test_score_files_replace_score_files_only(written, tmp_path):
    table = read_scores(written("path,label,score\na,0,.1\n"))
    write_score_csv(table, tmp_path / "scores.csv")
    mine = written("month,euros\n", "mine.csv")
    with pytest.raises(OSError, match="did not write as a score file"):
        write_score_csv(table, mine)
