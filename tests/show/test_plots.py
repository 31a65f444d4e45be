"""What figures must hold; how they look was checked by eye."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.tables import FACES, SCORES, VIDEOS
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore
from dfworkbench.show.plots.extraction import plot_extraction
from dfworkbench.show.plots.faces import plot_faces, plot_forgeries
from dfworkbench.show.plots.scores import plot_roc, plot_scores
from dfworkbench.show.plots.style import FAKE_COLOUR, REAL_COLOUR
from dfworkbench.show.plots.tracks import plot_tracks
from dfworkbench.show.plots.training import training_curves


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def history(epochs=5):
    e = np.arange(1, epochs + 1)
    val = 0.6 + 0.05 * np.minimum(e, 3)
    return pd.DataFrame(
        {"epoch": e, "train_loss": 1 / e, "val_loss": 1.2 / e, "train_accuracy": 0.7, "val_auc_video": val,
         "val_auc_frame": val - 0.1, "best": e <= 3}
    )  # fmt: skip


def scores(videos=24, kinds=("", "Deepfakes", "FaceSwap")):
    rng = np.random.default_rng(0)
    return SCORES.complete(
        [
            {
                "row_id": f"d/{v}#{f}", "video_id": f"d/{v}", "label": int(v % len(kinds) > 0), "forgery": kinds[v % len(kinds)],
                "track": 0, "frame": f, "fake_probability": float(np.clip(0.3 + 0.2 * (v % len(kinds)) + rng.normal(0, 0.2), 0, 1)),
            }
            for v in range(videos)
            for f in range(3)
        ]
    )  # fmt: skip


def track(number, n=8, probability=None, start=0.0, thumbnails=6):
    p = np.full(n, probability) if probability is not None else np.linspace(0.2, 0.9, n)
    shown = np.linspace(0, n - 1, min(n, thumbnails)).astype(int)
    times = start + np.arange(n) * 0.2
    pictures = np.full((len(shown), 24, 24, 3), 100, np.uint8)
    return TrackScore(
        number, float(p.mean()), (times * 25).astype(int), times, p, np.tile([1.0, 2, 30, 40], (n, 1)), pictures, shown
    )


def file_score(tracks, kind="video", caveat="", status="ok", reason=""):
    best = max((t.fake_probability for t in tracks), default=float("nan"))
    fps = 25.0 if kind == "video" else float("nan")
    return FileScore(
        Path("x/clip.mp4"), "x/clip.mp4", kind, status, reason, best, "max_track_mean", tracks, caveat, 100, fps, 640, 480
    )  # fmt: skip


def test_training_curves_mark_the_best_epoch():
    figure = training_curves(history())
    loss, auc = figure.axes
    assert "best epoch 3: 0.750" in words(figure)
    assert [line.get_label() for line in auc.lines][:2] == ["validation, video level", "validation, frame level"]
    assert loss.lines[0].get_ydata().tolist() == history()["train_loss"].tolist()


def test_training_curves_take_what_is_there():
    assert "best epoch" not in words(training_curves(pd.DataFrame({"epoch": [1], "train_loss": [0.5]})))
    assert "no accuracy yet" in words(training_curves(pd.DataFrame({"epoch": [1], "train_loss": [0.5]})))
    assert "best epoch 2" in words(training_curves(pd.DataFrame({"epoch": [1, 2], "val_auc": [0.5, 0.6]})))
    one_class = history().assign(val_auc_video=np.nan, val_auc_frame=np.nan)
    assert "no auc yet" in words(training_curves(one_class))


def test_roc_shows_the_auc_with_its_interval():
    figure = plot_roc(scores(), judging=Judging(draws=50))
    assert "AUC 0." in words(figure)
    assert "24 videos" in words(figure)
    assert len(figure.axes[0].collections) == 1  # the band
    two = plot_roc({"a": scores(), "b": scores(12)}, judging=Judging(draws=20))
    assert len(two.axes[0].collections) == 2
    assert "b: AUC" in words(two)


def test_roc_of_one_class_says_why_there_is_none():
    table = scores()
    assert "needs both classes" in words(plot_roc(table[table["label"] == 1], judging=Judging(draws=20)))


def test_scores_have_a_row_per_kind():
    figure = plot_scores(scores())
    assert [axes.get_ylabel() for axes in figure.axes] == ["real", "Deepfakes", "FaceSwap"]
    colours = [axes.patches[0].get_facecolor()[:3] for axes in figure.axes]
    assert colours == [REAL_COLOUR, FAKE_COLOUR, FAKE_COLOUR]
    assert "n = 8" in words(figure)
    assert sum(patch.get_height() for patch in figure.axes[1].patches) == pytest.approx(1)


def test_scores_without_labels():
    assert "no labelled scores" in words(plot_scores(scores().assign(label=-1)))


@pytest.mark.parametrize("count", [1, 2, 12])
def test_tracks_have_aligned_rows(count):
    figure = plot_tracks(file_score([track(i, start=0.1 * i) for i in range(count)]))
    figure.draw_without_rendering()
    charts = [axes for axes in figure.axes if axes.collections]
    assert len(charts) == count
    assert len({axes.get_xlim() for axes in charts}) == 1
    assert len({round(axes.get_position().x0, 6) for axes in charts}) == 1
    assert len({round(axes.get_position().height, 3) for axes in charts}) == 1
    assert charts[-1].get_xlabel() == "time in s"


def test_of_many_tracks_the_most_suspicious_are_shown():
    figure = plot_tracks(file_score([track(i, probability=0.02 * i) for i in range(20)]), max_tracks=3)
    assert "track 19" in words(figure)
    assert "track 16" not in words(figure)
    assert "17 with the lowest scores are not shown" in words(figure)


def test_tracks_of_a_picture_have_bars():
    figure = plot_tracks(file_score([track(0, 1), track(1, 1)], "image"))
    assert "fake probability" in words(figure)
    assert "time in s" not in words(figure)


def test_the_caveat_stands_in_the_figure():
    assert "Mind the gap." in words(plot_tracks(file_score([track(0)], caveat="Mind the gap.")))


def test_a_track_without_score_or_thumbnails():
    plot_tracks(file_score([track(0, probability=np.nan, thumbnails=0), track(1)])).draw_without_rendering()


def test_a_file_without_score_says_why():
    assert "nobody there" in words(plot_tracks(file_score([], status="no_face", reason="nobody there")))


def test_faces_are_framed_by_label():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    figure = plot_faces(images, [0, 1, -1])
    frames = [axes.spines["left"].get_edgecolor()[:3] for axes in figure.axes[:3]]
    assert frames[:2] == [REAL_COLOUR, FAKE_COLOUR]
    assert frames[2] not in (REAL_COLOUR, FAKE_COLOUR)
    assert words(figure).split() == ["real", "fake"]
    channels_first = plot_faces(images.transpose(0, 3, 1, 2), titles=["one", "two", "three"])
    assert "three" in words(channels_first)


def test_prepared_images_are_no_faces():
    with pytest.raises(InputError, match=r"before models\.inputs\.prepare"):
        plot_faces(np.zeros((2, 3, 8, 8), np.float32))


def test_clips_are_strips():
    clips = np.arange(3 * 5 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 5, 8, 8, 3)
    figure = plot_faces(clips.transpose(0, 1, 4, 2, 3), [0, 1, 1])
    strips = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(strips) == 3
    np.testing.assert_array_equal(strips[1], np.concatenate(list(clips[1]), axis=1))


def test_forgeries_show_the_mask():
    real, fake = np.zeros((2, 16, 20, 3), np.uint8)
    mask = np.zeros((16, 20), np.uint8)
    mask[4:12, 5:15] = 255
    figure = plot_forgeries({"Deepfakes": (real, fake, mask), "FaceSwap": (real, fake, mask // 255)})
    assert len(figure.axes) == 6
    overlay = figure.axes[4].images[1].get_array()
    assert overlay[8, 10, :3].tolist() == pytest.approx(list(to_rgb(FAKE_COLOUR)))
    assert (overlay[8, 10, 3] > 0.2, overlay[0, 0, 3]) == (True, 0)
    np.testing.assert_array_equal(overlay, figure.axes[5].images[1].get_array())


def test_extraction_counts():
    rows = [("ok", 1)] * 5 + [("ok", 2)] * 2 + [("no_face", 0)]
    videos = VIDEOS.complete(
        [
            {"video_id": f"d/{i}", "dataset": "d", "path": str(i), "label": 0, "status": status, "tracks": tracks}
            for i, (status, tracks) in enumerate(rows)
        ]
    )
    faces = pd.DataFrame({"box_x0": 0.0, "box_y0": 0.0, "box_x1": 30.0, "box_y1": np.full(9, 50.0)})
    figure = plot_extraction(videos, faces)
    assert sorted(patch.get_width() for patch in figure.axes[0].patches) == [1, 7]
    assert [patch.get_height() for patch in figure.axes[1].patches] == [5, 2, 0]
    assert "median 50 px" in words(figure)
    assert "no faces yet" in words(plot_extraction(videos.iloc[:0], FACES.empty()))


def test_figures_leave_no_trace():
    import matplotlib.pyplot as plt

    before = dict(mpl.rcParams)
    figure = plot_scores(scores())
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
