"""Tables of many detectors: what a column means, CSV, gzip and Parquet alike, filters, and what is refused."""

import gzip

import numpy as np
import pandas as pd
import pytest

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import DataNotFoundError, ParameterError, TableError
from dfworkbench.datasets.tables import SCORES, write_table
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings, judge
from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
from dfworkbench.evaluation.metrics.ranked import Ranked
from dfworkbench.evaluation.score_audit.audit import audit_scores
from dfworkbench.evaluation.score_audit.from_files import audit_files
from dfworkbench.evaluation.score_audit.own_runs import wide_of_tables
from dfworkbench.evaluation.score_audit.sources import take_apart

TEXT = """id,kind,label,generator,p_one,p_two,ms,words
a/1.mp4,video,real,cam,0.1,,5,x
a/2.mp4,video,fake,gan,0.9,0.8,7,y
a/3.mp4,image,fake,gan,0.4,0.7,7,y
b/4.mp4,video,,gan,0.5,0.5,1,z
b/5.mp4,video,fake,vae,0.3,NaN,2,z
b/6.mp4,video,real,cam,0.2,0.3,,z
"""
COLUMNS = {"source": "generator"}


def written(tmp_path, text=TEXT, name="scores.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(path, *detectors, **how):
    return read_wide(path, Reading(**{"detectors": detectors or ("p_*",), "columns": COLUMNS, **how}))


def test_one_table_has_many_detectors(tmp_path):
    table = read(written(tmp_path))
    assert table.names.to_pylist() == ["a/1.mp4", "a/2.mp4", "a/3.mp4", "b/5.mp4", "b/6.mp4"], "one row has no label"
    assert table.labels.tolist() == [0, 1, 1, 1, 0]
    assert list(table.detectors) == ["one", "two"], "without what the pattern has before its star"
    assert table.detectors["two"].values == pytest.approx([np.nan, 0.8, 0.7, np.nan, 0.3], nan_ok=True)
    assert table.source.names == ("cam", "gan", "vae")
    assert table.order.tolist() == [0, 1, 2, 4, 5]
    assert list(table.columns) == ["ms"]
    assert any("words" in note for note in table.notes)
    assert any("no label" in note for note in table.notes)


@pytest.mark.parametrize("name", ["scores.csv.gz", "scores.parquet", "semicolon.csv"])
def test_other_files_give_the_same(name, tmp_path):
    plain, path = read(written(tmp_path)), tmp_path / name
    frame = pd.read_csv(tmp_path / "scores.csv")
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    elif name.endswith(".gz"):
        frame.to_csv(path, index=False)
    else:
        path.write_text(TEXT.replace(",", ";").replace("0.", "0,"), encoding="utf-16")
    other = read(path)
    assert other.names.equals(plain.names)
    for kind in ("detectors", "columns"):
        assert list(getattr(other, kind)) == list(getattr(plain, kind))
    for detector in plain.detectors:
        np.testing.assert_array_equal(other.detectors[detector].values, plain.detectors[detector].values)


def test_rows_are_chosen(tmp_path):
    table = read(written(tmp_path), where=["kind=video", "generator=cam", "generator=vae"])
    assert table.names.to_pylist() == ["a/1.mp4", "b/5.mp4", "b/6.mp4"]
    with pytest.raises(TableError, match="video, image"):
        read(written(tmp_path), where=["kind=audio"])
    with pytest.raises(TableError, match="0 fake and 2 real"):
        read(written(tmp_path), where=["generator=cam"])
    with pytest.raises(ParameterError, match="'sort=x'"):
        read(written(tmp_path), where=["sort=x"])


def test_polarity_and_scale_of_each_detector(tmp_path):
    text = "path,label,up,down,odds,share\na,0,0.1,0.9,-2,10%\nb,1,0.8,0.2,4,80%\nc,1,0.7,0.3,-5,70%\n"
    table = read_wide(written(tmp_path, text), Reading(["up", "down:real", "odds:logit", "share"]))
    up, down, odds, share = (one.values for one in table.detectors.values())
    assert down == pytest.approx(up)
    assert share == pytest.approx(up)
    assert odds.tolist() == [-2, 4, -5], "ranked as they are"
    assert table.detectors["odds"].log_odds(np.arange(3)) == pytest.approx([-2, 4, -5])
    turned = read_wide(written(tmp_path, text), Reading(["odds:real:logit"]))
    assert turned.detectors["odds"].values.tolist() == [2, -4, 5]
    with pytest.raises(TableError, match="-5 to 4"):
        read_wide(written(tmp_path, text), Reading(["odds"]))
    with pytest.raises(TableError, match="high means real"):
        read_wide(written(tmp_path, "path,label,prob_real\na,0,0.9\nb,1,0.1\n"), Reading(["prob_*"]))


def test_percent_signs_in_a_column_of_percentages_are_read_once(tmp_path):
    text = TEXT.replace(",0.1,", ",10 %,").replace(",0.9,", ",90%,")
    for old in ("0.4", "0.5", "0.3", "0.2"):
        text = text.replace(f",{old},", f",{float(old) * 100:g}%,", 1)
    table = read(written(tmp_path, text), "p_one:percent", where=["kind=video"])
    assert table.detectors["p_one"].values == pytest.approx([0.1, 0.9, 0.3, 0.2])


def test_numbers_of_other_columns_may_have_decimal_commas(tmp_path):
    text = "id;label;p a;seconds;words\n1;0;0,1;1,5;x\n2;1;0,9;2,5;2,5\n"
    table = read(written(tmp_path, text), "p*", columns={})
    assert table.columns["seconds"].tolist() == [1.5, 2.5]
    assert "words" not in table.columns
    assert list(table.detectors) == ["a"], "no blank is left of the pattern"


def test_a_star_takes_no_path_or_label(tmp_path):
    assert list(read(written(tmp_path, "id,label,a,b\n1,0,.1,.2\n2,1,.3,.4\n"), "*", columns={}).detectors) == [
        "a",
        "b",
    ]


def test_a_scale_is_stated_for_one_detector(tmp_path):
    with pytest.raises(TableError, match="p_one:logit"):
        read(written(tmp_path, TEXT.replace("0.4,0.7", "-4,0.7")))


def test_rows_without_source_are_no_source_and_files_without_group_their_own(tmp_path):
    text = TEXT.replace("cam", "").replace("words", "group")
    text = text.replace("a/3.mp4,image,fake,gan", "a/3.mp4,image,fake,").replace(",7,y", ",7,")
    table = read(written(tmp_path, text))
    assert table.source.names == ("(unnamed)", "gan", "vae")
    assert any("3 rows name no source" in note for note in table.notes)
    parts = take_apart(Ranked(table.labels, [0.1, 0.9, 0.4, 0.3, 0.2]), table.source)
    assert parts.pairs == {}, "the unnamed fake and reals are not of one source"
    assert sorted(table.people.names) == ["file a/2.mp4", "file a/3.mp4", "x", "z"]


def test_one_score_column_needs_no_pattern(tmp_path):
    table = read_wide(written(tmp_path, "path,label,score,seconds\na,0,0.1,3\nb,1,0.9,4\n"))
    assert list(table.detectors) == ["score"]
    assert list(table.columns) == ["seconds"]


def test_several_rows_of_a_file_are_averaged(tmp_path):
    table = read_wide(written(tmp_path, "path,label,score\na,0,0.1\nb,1,0.9\nb,1,0.7\nb,1,\na,1,0.6\n"))
    assert table.names.to_pylist() == ["a", "b", "a"], "one path under two labels stays two rows"
    assert table.detectors["score"].values == pytest.approx([0.1, 0.8, 0.6])
    assert any("averaged" in note for note in table.notes)


def test_sources_are_merged_only_where_somebody_says_so(tmp_path):
    table = read(written(tmp_path))
    settings = JudgeSettings(same_source=["cam=gan", "vae"])
    assert settings.equal_sources == {"gan": "cam", "vae": "cam"}
    assert table.merged.names == table.source.names
    assert table.same_source(settings.equal_sources).merged.names == ("cam",)
    with pytest.raises(TableError, match="'gone'"):
        table.same_source({"gone": "cam"})
    with pytest.raises(ParameterError, match="NAME=OTHER"):
        JudgeSettings(same_source=["cam"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT.replace("0.4,0.7", "0.4,seven"), "'seven' in line 4"),
        (TEXT.replace("0.4,0.7", "0.4"), "as many cells"),
        (TEXT.replace("0.4,0.7", "0.4,inf"), "'inf' in line 4"),
        (TEXT.replace("0.4,0.7", "1.4,0.7"), "1.4"),
        (TEXT.replace("fake,gan,0.9", "forgd,gan,0.9"), "'forgd'"),
        (TEXT.replace("a/2.mp4", ""), "name no file"),
        (TEXT.splitlines()[0] + "\n", "no row"),
        ("", "empty"),
    ],
)
def test_what_is_no_table_is_refused(text, said, tmp_path):
    with pytest.raises(TableError, match=said):
        read(written(tmp_path, text))


def test_a_pattern_that_fits_nothing_names_the_headers(tmp_path):
    with pytest.raises(ParameterError, match=r"'q_\*'.*'p_one'"):
        read(written(tmp_path), "q_*")
    with pytest.raises(DataNotFoundError):
        read(tmp_path / "none.csv")
    broken = written(tmp_path, TEXT * 50, "cut.csv.gz")
    broken.write_bytes(broken.read_bytes()[:-20])
    with pytest.raises(TableError):
        read(broken)


@pytest.mark.parametrize(
    "given", [{"missing": "as_chance"}, {"unit": "group"}, {"rule": "mean"}, {"labels": "labels.csv"}]
)
def test_settings_that_an_audit_would_not_heed_are_refused(given, tmp_path):
    with pytest.raises(ParameterError, match=next(iter(given))):
        audit_files([written(tmp_path)], JudgeSettings(detectors=["p_*"], **given))


def test_a_packed_file_with_one_score_is_judged_as_ever(tmp_path):
    text = "path,label,score\n" + "".join(f"{i},{i % 2},0.{i}\n" for i in range(1, 9))
    plain = judge(written(tmp_path, text), JudgeSettings(draws=10))
    packed = judge(written(tmp_path, text, "scores.csv.gz"), JudgeSettings(draws=10))
    pd.testing.assert_frame_equal(packed.metrics, plain.metrics)


def own(seed, videos=60):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "row_id": f"d/{v}.mp4#{f}", "video_id": f"d/{v}.mp4", "label": v % 2, "track": 0, "frame": f, "group": f"p{v // 4}",
            "fake_probability": float(np.clip(rng.normal(0.4 + 0.2 * (v % 2), 0.2), 0, 1)), "status": "ok", "dataset": "d",
            "split": "test", "forgery": ("swap", "lips")[v // 2 % 2] if v % 2 else "",
        }
        for v in range(videos)
        for f in range(2)
    ]  # fmt: skip
    return SCORES.complete(rows)


def test_our_own_tables_stand_under_the_same_light(tmp_path, capsys):
    tables = {"first": own(0), "second": own(1)}
    wide = wide_of_tables(tables)
    assert len(wide) == 60
    assert wide.source.names == ("d", "d/lips", "d/swap")
    assert wide.merged.names == ("d",)
    audit = audit_scores(wide)
    assert audit.clusters == "15 people"
    assert audit.of("F7")[0].severity == "note"
    assert audit.figures["first"]["cluster_low"] < audit.figures["first"]["auc"]
    for name, table in tables.items():
        write_table("score", table, tmp_path / f"{name}.parquet")
    assert cli.main(["judge", *(str(tmp_path / f"{name}.parquet") for name in tables)]) == 0
    assert "Audit of 2 detectors: 60 rows" in capsys.readouterr().out
    both = audit_files([tmp_path / "first.parquet", tmp_path / "second.parquet"], JudgeSettings())
    assert both.figures == audit.figures
    wrong = own(0).assign(label=lambda rows: 1 - rows["label"])
    with pytest.raises(TableError, match="two labels"):
        wide_of_tables({"first": own(0), "wrong": wrong})
    with pytest.raises(DataNotFoundError):
        audit_files(["no_such_run"], JudgeSettings(audit=tmp_path))
