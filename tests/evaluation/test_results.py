from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from boxes import set_matrix

from dfworkbench.core.errors import MediaError, OutputError, ParameterError
from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.core.palette import FAKE_RGB, NOTHING_RGB, REAL_RGB, score_hex, score_rgb
from dfworkbench.core.timeline import spans, stretches
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED, UNKNOWN, caveat, is_generated
from dfworkbench.evaluation.scoring.aggregate import RULES, Rule
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore, distinct_names
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.media import VideoSource, VideoWriter, read_image, write_png
from dfworkbench.notebook import inference
from dfworkbench.show.annotate import Panel, annotate, draw_tracks, faces_at

NAN = float("nan")


def track(number=0, frames=(0, 10, 20), probabilities=(0.1, 0.2, 0.3), boxes=None, fps=10.0):
    n = len(frames)
    boxes = np.array(boxes if boxes is not None else [[10 + f, 20, 40 + f, 60] for f in frames], dtype=float)
    pictures = np.full((n, 16, 16, 3), 120, np.uint8)
    p = np.array(probabilities, dtype=float)
    return TrackScore(
        number, float(p.mean()), np.array(frames), np.array(frames) / fps, p, boxes, pictures, np.arange(n)
    )  # fmt: skip


def file(tracks, kind="video", path="folder/clip.mp4", caveat="", frames=30):
    best = max(t.fake_probability for t in tracks)
    fps = 10.0 if kind == "video" else NAN
    return FileScore(
        Path(path), path, kind, "ok", "", best, "max_track_mean", tracks, caveat, frames if kind == "video" else 1, fps, 128, 96
    )  # fmt: skip


FAILED = FileScore(Path("d/<b>.mp4"), "d/<b>.mp4", "video", "no_face", "nobody & nothing", NAN, "mean")


def test_colours_run_from_green_to_vermilion():
    assert score_rgb([0, 1, NAN]).tolist() == [list(REAL_RGB), list(FAKE_RGB), list(NOTHING_RGB)]
    assert score_hex(1.0) == "#d55e00"
    ramp = score_rgb(np.linspace(0, 1, 50)).astype(int)
    assert (np.diff(ramp[:25, 0]) >= 0).all()  # ever more red up to the middle
    assert (np.diff(ramp[25:, 1]) <= 0).all()  # ever less green after it


def test_stretches_break_at_gaps():
    assert stretches([0, 1, 2, 10, 11]) == [slice(0, 3), slice(3, 5)]
    assert stretches([4]) == [slice(0, 1)]
    assert stretches([]) == [slice(0, 0)]


def test_spans_meet_half_way_and_stop_at_gaps():
    assert spans([0, 2, 4, 20]).tolist() == [[-1, 1], [1, 3], [3, 5], [19, 21]]
    assert spans([7], lone=2).tolist() == [[6, 8]]


def test_boxes_are_interpolated_linearly():
    one = track(frames=(0, 10), probabilities=(0.2, 0.8), boxes=[[0, 0, 10, 10], [20, 40, 30, 50]])
    box, p = faces_at(one, 5)
    assert box.tolist() == [10, 20, 20, 30]
    assert p == pytest.approx(0.5)
    box, p = faces_at(one, 12)  # her movement goes on for half a step, her score does not
    assert box.tolist() == [24, 48, 34, 58]
    assert p == pytest.approx(0.8)
    assert faces_at(one, 16) is None


def test_nobody_is_drawn_where_nobody_was_seen():
    one = track(frames=(0, 5, 10, 60, 65), probabilities=(0.5,) * 5)
    assert faces_at(one, 30) is None
    assert faces_at(one, 61) is not None


def test_text_says_the_same_as_colours():
    text = repr(file([track(0), track(1, probabilities=(0.8, 0.9, 1.0))], caveat="Mind the gap."))
    assert "clip.mp4: fake probability 0.90 (maximum over tracks of the mean over frames)" in text
    assert "track 0   fake probability 0.20" in text
    assert "3 faces, 0.0-2.0 s" in text
    assert "NOTE: Mind the gap." in text


def test_a_failed_file_gives_its_reason():
    assert repr(FAILED) == "<b>.mp4: no score (no_face)\n  nobody & nothing"
    assert "nobody &amp; nothing" in FAILED._repr_html_()
    assert "<b>.mp4" not in FAILED._repr_html_()


def test_html_of_a_folder():
    scored = Scored([file([track(0), track(1)], caveat="<Mind> the gap."), FAILED], table=None, detector="mesonet4")
    page = scored._repr_html_()
    assert page.count("<img") == 2 * 2  # of each person faces and a timeline
    assert page.count("&lt;Mind&gt; the gap.") == 1
    assert "1 of 2 files scored" in page
    assert "0.20 fake" in page


def test_many_files_make_a_short_page():
    scored = Scored([file([track(i) for i in range(15)])] * 60, table=None)
    assert "and 40 more files" in scored._repr_html_()
    assert "and 3 more tracks" in scored[0]._repr_html_()
    assert "and 10 more files" in repr(scored)


def test_summary_has_one_row_per_file():
    summary = Scored([file([track(0), track(1)]), FAILED], table=None).summary
    assert summary[["tracks", "faces"]].to_numpy().tolist() == [[2, 6], [0, 0]]
    assert summary["status"].tolist() == ["ok", "no_face"]


def test_an_annotated_video_keeps_its_frames_and_shows_the_boxes(tmp_path):
    source = tmp_path / "clip.mp4"
    with VideoWriter(source, 10, 128, 96, crf=10) as writer:
        for _ in range(30):
            writer.write(np.full((96, 128, 3), 255, np.uint8))
    scored = file(
        [track(0, probabilities=(0, 0, 0)), track(1, probabilities=(1, 1, 1), boxes=[[80, 20, 110, 60]] * 3)],
        path=str(source),
    )
    target = annotate(scored, tmp_path, crf=1, progress=False)
    assert target.name == "clip_annotated.mp4"
    frames = [frame.rgb.astype(int) for frame in VideoSource(target).iterate()]
    assert len(frames) == 30
    panel = Panel(scored, 128)
    assert frames[0].shape == ((96 + panel.height + 1) // 2 * 2, 128, 3)
    left, right = frames[12][40, 20:25].min(axis=0), frames[12][40, 78:84].min(axis=0)
    assert left[0] < 90  # green has little red ...
    assert right[2] < 90  # ... and vermilion little blue
    assert right[0] > 150
    assert (frames[29][30:60, 20:120] > 200).all()  # she was last seen in frame 20


def test_an_annotated_video_may_have_odd_sides(tmp_path):
    source = tmp_path / "clip.mp4"
    with VideoWriter(source, 10, 127, 95, crf=10, pix_fmt="yuv444p") as writer:
        for _ in range(5):
            writer.write(np.full((95, 127, 3), 255, np.uint8))
    target = annotate(file([track()], path=str(source), frames=5), tmp_path / "out.mp4", progress=False)
    assert VideoSource(target).width_px == 128


@pytest.mark.parametrize(
    ("turn", "size"), [((0, 1, -1, 0), (96, 128)), ((0, 1, 1, 0), (96, 128)), ((-1, 0, 0, 1), (128, 96))], ids=str
)
def test_an_annotated_video_is_as_upright_as_its_source_is_seen(tmp_path, turn, size):
    source = tmp_path / "phone.mp4"
    left_half_dark = np.full((96, 128, 3), 255, np.uint8)
    left_half_dark[:, :64] = 0
    with VideoWriter(source, 10, 128, 96, crf=10) as writer:
        for _ in range(5):
            writer.write(left_half_dark)
    set_matrix(source, *turn)
    seen = VideoSource(source)
    assert (seen.width_px, seen.height_px) == size
    target = annotate(file([track(boxes=[[10, 20, 40, 60]] * 3)], path=str(source), frames=5), tmp_path, progress=False)
    copy = next(VideoSource(target).iterate()).rgb
    assert copy.shape[1] == size[0]
    assert copy.shape[0] >= size[1] + Panel(file([track()]), size[0]).height
    away = np.abs(copy[70:90, 50:].astype(int) - next(seen.iterate()).rgb[70:90, 50:])  # beside the box
    assert np.median(away) < 5


def test_an_annotated_video_keeps_the_times_of_its_frames(tmp_path):
    times = [0, 0.04, 0.08, 0.6, 0.64, 1.2, 1.24]
    source = tmp_path / "clip.mp4"
    with VideoWriter(source, 25, 128, 96, crf=10, timed=True) as writer:
        for at, time_s in enumerate(times):
            writer.write(np.full((96, 128, 3), 30 * at, np.uint8), time_s)
    target = annotate(file([track()], path=str(source), frames=7), tmp_path, progress=False)
    np.testing.assert_allclose([frame.time_s for frame in VideoSource(target).iterate()], times, atol=1e-3)


def test_a_video_whose_size_changes_is_annotated_in_its_first_size(tmp_path):
    source, parts = tmp_path / "two.h264", [(128, 96), (192, 160)]
    for width, height in parts:
        with VideoWriter(tmp_path / "part.h264", 10, width, height, crf=10) as writer:
            for _ in range(5):
                writer.write(np.full((height, width, 3), width, np.uint8))
        with source.open("ab") as whole:
            whole.write((tmp_path / "part.h264").read_bytes())
    target = annotate(file([track()], path=str(source), frames=10), tmp_path / "out.mp4", progress=False)
    frames = [frame.rgb for frame in VideoSource(target).iterate()]
    assert [frame.shape[1] for frame in frames] == [128] * 10
    assert [round(float(frame[80, 100].mean()), -1) for frame in (frames[0], frames[9])] == [130, 190]


def test_an_annotated_picture(tmp_path):
    write_png(tmp_path / "a.png", np.full((96, 128, 3), 255, np.uint8))
    scored = file([track(0, (0,), (1.0,))], "image", str(tmp_path / "a.png"), caveat="Mind the gap. " * 10)
    picture = read_image(annotate(scored, tmp_path / "out.png"))
    assert picture.shape[0] > 96 + Panel(file([track(0, (0,), (1.0,))], "image"), 128).height  # the caveat takes lines
    assert (picture[40, 10:13] == FAKE_RGB).all(axis=1).any()


def test_boxes_beyond_the_picture_are_no_trouble():
    rgb = np.zeros((50, 60, 3), np.uint8)
    one = track(0, (0,), (NAN,), [[-20, -30, 90, 80]])
    assert draw_tracks(rgb, file([one], "image"), 0).shape == rgb.shape
    assert not rgb.any()  # the frame itself is left alone


def test_a_file_without_score_cannot_be_annotated(tmp_path):
    with pytest.raises(MediaError, match="nobody & nothing"):
        annotate(FAILED, tmp_path)


def test_domain_of_training_data(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / GENERATED_MARKER).write_text("{}")
    data = DataSet("x", Workspace(tmp_path))
    assert data.domain == UNKNOWN
    with data.writing("extracting") as writer:
        writer.source(tmp_path / "data", "folders")
        assert data.domain == GENERATED
        writer.source(tmp_path, "folders")
    assert data.domain == UNKNOWN
    assert is_generated(tmp_path / "data" / "a" / "b.mp4")
    assert not is_generated(tmp_path.parent / "b.mp4")


def test_caveat_only_where_it_is_due():
    assert caveat({}) == caveat({"domain": UNKNOWN, "provenance": None}) == ""
    assert "generated data only" in caveat({"provenance": {"domain": GENERATED}})
    assert caveat({"provenance": {"domain": UNKNOWN}}) == ""


def test_settings_know_the_rules():
    assert set(Rule.__args__) == set(RULES)
    with pytest.raises(ParameterError, match=r"ScoreSettings\.rule"):
        ScoreSettings(rule="max")
    with pytest.raises(ParameterError, match="Did you mean 'batch_size'"):
        ScoreSettings(batchsize=3)


def test_an_annotated_copy_replaces_no_file_of_others(tmp_path):
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    scored = file([track()], path=str(mine), kind="image", frames=1)
    (tmp_path / "link.png").symlink_to(mine)
    for target in (mine, tmp_path / "link.png"):
        with pytest.raises(OutputError, match="that is the file being read"):
            annotate(scored, target)
    (tmp_path / "other.png").write_bytes(b"other")
    with pytest.raises(OutputError, match="did not write as an annotated copy"):
        annotate(scored, tmp_path / "other.png")
    assert mine.read_bytes() == b"mine"


# -- doubtful tracks, names ---------------------------------------------------------------------------------------------

FALSE_BOX = "seen in 1 of 16 sampled frames"


def doubted(*doubts):
    tracks = [replace(track(i, probabilities=(0.2 + 0.3 * i,) * 3), doubt=doubt) for i, doubt in enumerate(doubts)]
    return file(tracks, caveat="Mind the gap.")


def test_a_doubtful_track_is_shown_and_marked_everywhere():
    one = doubted("", FALSE_BOX, "still picture")
    assert one.doubt == "2 doubtful tracks do not count for the file."
    assert one.note == "2 doubtful tracks do not count for the file. Mind the gap."
    assert "3 faces, 0.0-2.0 s  doubtful: seen in 1 of 16 sampled frames\n" in repr(one)
    assert "NOTE: 2 doubtful tracks" in repr(one)
    assert "doubtful: still picture" in one._repr_html_()
    assert one._repr_html_().count("opacity:.6") == 2
    folder = Scored([one, doubted("")], table=None)
    assert "2 doubtful tracks do not count" in folder._repr_html_()
    assert folder.summary["doubtful"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("doubts", "words"),
    [
        (("",), ""),
        (("", ""), ""),
        (("", "still picture"), "1 doubtful track does not count for the file."),
        (
            ("still picture",),
            "The file's number is in doubt: it rests on doubtful tracks alone (still picture), because",
        ),
        ((FALSE_BOX, "still picture", FALSE_BOX), f"doubtful tracks alone ({FALSE_BOX}; still picture), because"),
    ],
)
def test_what_doubtful_tracks_mean_for_the_file(doubts, words):
    assert words in doubted(*doubts).doubt
    assert bool(doubted(*doubts).doubt) == bool(words)


def test_a_sure_track_without_score_leaves_the_file_in_doubt():
    one = doubted("", FALSE_BOX)
    silent = replace(one.tracks[0], fake_probability=NAN)
    assert "rests on doubtful tracks alone" in replace(one, tracks=[silent, one.tracks[1]]).doubt


def test_doubtful_boxes_are_thin_and_named():
    white = np.full((96, 128, 3), 255, np.uint8)
    sure, doubtful = (draw_tracks(white, doubted(doubt), 10) for doubt in ("", FALSE_BOX))
    inked = [
        (picture[40:50, 15:45] != 255).any(axis=-1).sum() for picture in (sure, doubtful)
    ]  # the left edge of the box
    assert 0 < inked[1] < inked[0]
    assert any("rests on doubtful tracks" in line for line in Panel(doubted(FALSE_BOX), 1200)._lines)


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["d/x.mp4"], ["x.mp4"]),
        (["d/x.mp4", "d/y.mp4"], ["x.mp4", "y.mp4"]),
        (["d/a/x.mp4", "d/b/x.mp4", "d/b/y.mp4"], ["a/x.mp4", "b/x.mp4", "y.mp4"]),
        (["d/a/v/x.mp4", "d/b/v/x.mp4"], ["a/v/x.mp4", "b/v/x.mp4"]),
        (["x.mp4", "d/x.mp4"], ["x.mp4", "d/x.mp4"]),
        (["d/a/x.mp4", "d/b/x.mp4", "d/a/c/x.mp4"], ["a/x.mp4", "b/x.mp4", "c/x.mp4"]),
        ([], []),
    ],
)
def test_equal_names_are_told_apart_by_the_shortest_end(ids, names):
    found = distinct_names(ids)
    assert [found[video_id] for video_id in ids] == names


def test_listings_use_the_name_that_tells_files_apart():
    one = replace(doubted(""), name="a/clip.mp4")
    assert repr(one).startswith("a/clip.mp4: ")
    assert repr(doubted("")).startswith("clip.mp4: ")
    assert repr(replace(FAILED, name="b/x.mp4")).startswith("b/x.mp4: no score")
    assert Panel(one, 400)._lines[0].startswith("a/clip.mp4")


def test_annotated_copies_of_one_stem_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("DFWORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(inference, "annotate", lambda one, target: target)
    names = ("a/x.mp4", "a/x.mov", "b/x.mp4", "a/y.mp4")
    files = [replace(doubted(""), path=tmp_path / name, video_id=f"set/{name}") for name in names]
    written = inference.write_annotated(Scored([*files, FAILED], table=None))
    below = [path.relative_to(tmp_path / "home" / "report" / "annotated").as_posix() for path in written]
    assert below == [
        "set/a/x.mp4_annotated.mp4", "set/a/x.mov_annotated.mp4", "set/b/x_annotated.mp4", "set/a/y_annotated.mp4",
    ]  # fmt: skip
