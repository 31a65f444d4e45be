"""What tells the classes of a data set apart besides forgeries, and the card that says so."""

import numpy as np
import pandas as pd
import pytest

from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.shortcuts import JPEG_SHARE, shortcuts
from dfworkbench.datasets.tables import VIDEOS, read_table, write_table


def files(sizes, labels, *, width=100, suffix=".jpg", folder=None):
    """A video table, and a face table with one face of half the width in each picture; files of these sizes in `folder`."""
    rows = [
        {"video_id": f"d/{i}{suffix}", "dataset": "d", "path": f"{i}{suffix}", "label": label, "status": "ok"}
        for i, label in enumerate(labels)
    ]
    videos = VIDEOS.complete(rows).assign(width_px=width, height_px=50, frames=1)
    faces = pd.DataFrame({"video_id": videos["video_id"], "box_x0": 0.0, "box_y0": 0.0, "box_x1": 50.0, "box_y1": 50.0})
    for row, size in zip(rows, sizes, strict=True):
        (folder / row["path"]).write_bytes(b"x" * size)
    return videos, faces


def test_auc_is_the_share_of_pairs_in_which_the_fake_is_larger(tmp_path):
    rng = np.random.default_rng(0)
    labels, sizes = rng.integers(0, 2, 40), rng.integers(1, 9, 40) * 1000
    found = {s.measure: s for s in shortcuts(*files(sizes, labels, folder=tmp_path), tmp_path)}
    real, fake = sizes[labels == 0], sizes[labels == 1]
    pairs = (fake[:, None] > real).mean() + 0.5 * (fake[:, None] == real).mean()
    per_pixel = found["bytes per pixel and frame"]
    assert per_pixel.auc == pytest.approx(pairs)
    assert (per_pixel.real, per_pixel.fake) == pytest.approx((np.median(real) / 5000, np.median(fake) / 5000))
    assert (found["width, px"].auc, found["largest face, px"].auc) == (0.5, 0.5)
    assert found["largest face, px"].real == 50
    assert JPEG_SHARE not in found, "all files are of one type"


def test_what_gives_the_classes_away_is_told_from_chance(tmp_path):
    labels = np.arange(80) % 2
    videos, faces = files(1000 + 500 * labels, labels, folder=tmp_path)
    assert [s.measure for s in shortcuts(videos, faces, tmp_path) if s.tells] == ["bytes per pixel and frame"]
    assert not any(s.tells for s in shortcuts(videos.iloc[:6], faces, tmp_path)), (
        "three files of each class prove nothing"
    )
    videos.loc[videos["label"] == 1, "path"] = videos["path"].str.replace(".jpg", ".png")
    jpeg = next(s for s in shortcuts(videos, faces, None) if s.measure == JPEG_SHARE)
    assert (jpeg.real, jpeg.fake, jpeg.auc, jpeg.tells) == (1, 0, 0, True)


def test_what_is_not_known_is_left_out(tmp_path):
    videos, faces = files([9, 9], [0, 1], folder=tmp_path)
    videos["width_px"] = [-1, 100]
    (tmp_path / "1.jpg").unlink()
    names = [s.measure for s in shortcuts(videos, faces.iloc[:0], tmp_path)]
    assert names == ["height, px"], "no width of a real file, no size of a fake one, no faces"
    assert shortcuts(videos[videos["label"] == 0], faces, tmp_path) == []


def test_the_card_of_a_set_warns(toy):
    file = toy.labels / "toy/videos.csv"
    videos = read_table("video", file)
    sizes = {"width_px": 300 + 40 * videos["label"], "height_px": 300}
    write_table("video", videos.assign(**sizes, carrier="", donor=""), file)
    card = DataSet.open("toy", toy)._repr_html_()
    assert "AUC of width, px (1.00)" in card
    assert "It is not known who is shown" in card
    write_table("video", videos.assign(**sizes | {"width_px": 300}), file)
    card = DataSet.open("toy", toy)._repr_html_()
    assert "width, px" in card
    assert "told apart" not in card
    assert "It is not known who is shown" not in card


def test_a_generated_set_needs_no_such_warning(toy):
    (toy.labels / "toy/source.json").write_text('{"root": "", "layout": "folders", "domain": "generated"}')
    card = DataSet.open("toy", toy)._repr_html_()
    assert "Generated faces" in card
    assert "largest face" not in card
