"""Cards of scored files: the timeline is a picture whose colours are the scores, and shows in viewers that leave out SVG."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dfworkbench.core.palette import score_rgb
from dfworkbench.evaluation.scoring.cards import file_html, timeline_html
from dfworkbench.evaluation.scoring.results import FileScore, TrackScore


def track_of(times, probabilities, mean=0.5):
    n = len(times)
    nothing = np.empty((0, 8, 8, 3), dtype=np.uint8)
    return TrackScore(
        3, mean, np.arange(n), np.asarray(times, float), np.asarray(probabilities, float), np.zeros((n, 4)), nothing,
        np.empty(0, dtype=np.int64),
    )  # fmt: skip


def file_of(track, kind="video"):
    return FileScore(Path("a.mp4"), "a.mp4", kind, "ok", "", 0.5, "max_track_mean", [track], frames=100, fps=10.0)


def bar(html):
    data = re.search(r'src="data:image/png;base64,([^"]+)"', html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1]))))


def test_a_timeline_has_the_colour_of_the_score_at_each_time_and_none_where_nobody_is_seen():
    track = track_of([0.5, 1.5, 2.5, 7.5, 8.5], [0.0, 0.5, 1.0, 0.9, np.nan])
    html = timeline_html(track, file_of(track))
    pixels = bar(html)  # 640 columns are 10 s
    assert pixels.shape == (32, 640, 4)
    for second, probability in zip((0, 1, 2, 7, 8), track.probabilities, strict=True):
        part = pixels[:, 64 * second + 1 : 64 * second + 63]
        assert (part == (*score_rgb(probability), 255)).all(), second
    assert (pixels[:, 200:440, 3] < 128).all()
    assert 'alt="timeline of track 3: 5 faces, fake probability 0.00 to 1.00"' in html
    assert "10.0 s" in html


@pytest.mark.parametrize(("probability", "columns"), [(0.25, 160), (1.0, 640), (float("nan"), 0)])
def test_of_a_picture_the_bar_is_filled_to_the_probability(probability, columns):
    track = track_of([0.0], [probability], probability)
    pixels = bar(timeline_html(track, file_of(track, "image")))
    filled = (pixels[0, :, :3] == score_rgb(probability)).all(axis=-1).sum()
    assert filled in (columns, columns - 2)  # the mark at 0.5 covers two


def test_a_card_needs_no_svg_and_no_script():
    html = file_html(file_of(track_of([0.5], [0.2])))
    assert "<svg" not in html
    assert "<script" not in html
