"""What the figures of local blocks must hold; how they look was checked by eye."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.metrics.measures import measures_frame
from dfworkbench.methods.mi_net.figures import (
    plot_block_information,
    plot_block_maps,
    plot_loss_weights,
    plot_map_overlap,
)
from dfworkbench.show.plots.style import INK, SERIES

RNG = np.random.default_rng(0)


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def curves(variant, measures):
    return pd.DataFrame([
        {"variant": variant, "epoch": epoch, "measure": name, "value": k + epoch / 10, "low": k, "high": k + 0.5}
        for k, name in enumerate(measures)
        for epoch in (1, 2, 3)
    ])  # fmt: skip


BLOCKS = [f"information only block {i} has (nats)" for i in (1, 2)]
LOST = "information lost by the global vector (nats)"


def test_information_has_a_chart_per_variant_and_a_line_per_measure():
    figure = plot_block_information(pd.concat([curves("both", [*BLOCKS, LOST]), curves("global", [LOST])]), 0.69)
    both, whole = figure.axes
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["both", "global"]
    lines = [line for line in both.lines if len(line.get_xdata()) == 3]
    assert [to_hex(line.get_color()) for line in lines] == [to_hex(c) for c in (*SERIES[:2], INK)]
    assert lines[1].get_ydata() == pytest.approx([1.1, 1.2, 1.3])
    assert (len(both.collections), len(whole.collections)) == (3, 1)
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
    for axes in figure.axes:
        assert axes.lines[-1].get_ydata() == pytest.approx([0.69, 0.69])
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["only block 1", "only block 2", "lost by the\nglobal vector"]
    assert "all that the labels hold" not in words(plot_block_information(curves("both", BLOCKS)))
    nothing = measures_frame({}).assign(epoch=0).rename(columns={"detector": "variant"})
    assert "no information loss was trained" in words(plot_block_information(nothing))
    with pytest.raises(InputError, match="plotting information over epochs: the table has no column low, high"):
        plot_block_information(curves("both", BLOCKS).drop(columns=["low", "high"]))


def test_weights_say_whether_they_were_learned():
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_weight_classification": [0.5, 0.4], "train_weight_local": [0.5, 0.6]}
    )
    figure = plot_loss_weights({"local": history, "none": history[["epoch", "train_weight_classification"]]})
    assert [len(axes.lines) for axes in figure.axes] == [2, 1]
    assert figure.axes[0].lines[1].get_ydata() == pytest.approx([0.5, 0.6])
    assert figure.axes[0].lines[0].get_color() == figure.axes[1].lines[0].get_color()
    assert figure.axes[0].get_yscale() == "linear"
    assert "the network learns these weights" in words(figure)
    fixed = plot_loss_weights({"local": history.assign(train_weight_local=50.0)}, learned=False)
    assert "these weights are fixed" in words(fixed)
    assert fixed.axes[0].get_yscale() == "log"
    with pytest.raises(InputError, match=r"the weights of 'plain': the history has no column train_weight_…"):
        plot_loss_weights({"plain": pd.DataFrame({"epoch": [1], "train_loss": [0.7]})})
    assert "no runs" in words(plot_loss_weights({}))


def test_maps_of_all_blocks_share_one_scale():
    images = RNG.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    maps = RNG.normal(size=(2, 3, 4, 4))
    mask = np.zeros((16, 16), bool)
    mask[4:9, 4:9] = True
    figure = plot_block_maps(images, maps, ["Deepfakes", "Face2Face", "FaceSwap"], [mask, None, mask])
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 3 * 3
    assert np.array_equal(shown[3].images[0].get_array(), images[1])
    assert np.array_equal(shown[5].images[0].get_array(), maps[1, 1])
    limit = float(np.quantile(np.abs(maps), 0.99))
    assert {axes.images[0].get_clim() for axes in (*shown[1:3], *shown[4:6], *shown[7:])} == {(-limit, limit)}
    assert [bool(axes.collections) for axes in shown] == [True] * 3 + [False] * 3 + [True] * 3
    text = words(figure)
    assert all(word in text for word in ("block 1", "block 2", "Face2Face", "outline: true forged area"))
    assert "outline" not in words(plot_block_maps(images, np.zeros_like(maps), masks=[None] * 3))
    assert "no images" in words(plot_block_maps([], np.zeros((0, 0, 1, 1))))
    with pytest.raises(InputError, match=r"3 images and maps of shape \(3, 2, 4, 4\); expected \(n, 3, L, L\)"):
        plot_block_maps(images, maps.swapaxes(0, 1))


def test_every_pair_of_blocks_has_its_number():
    table = np.array([[1, 0.81, np.nan], [0.81, 1, -0.25], [np.nan, -0.25, 1]])
    figure = plot_map_overlap(
        {"cosine": table, "IoU": table / 2}, {"cosine": [0.11, 0.22, 0.33], "IoU": [0, 0, np.nan]}
    )
    cosine = figure.axes[0]
    texts = {(text.get_position()): text.get_text() for text in cosine.texts}
    assert len(texts) == 3 * 2 + 3
    assert (texts[1, 0], texts[0, 1], texts[2, 0], texts[1, 2]) == ("0.81", "0.81", "-", "-0.25")
    assert [texts[3.25, i] for i in range(3)] == ["0.11", "0.22", "0.33"]
    assert np.isnan(np.diag(np.asarray(cosine.images[0].get_array(), dtype=float))).all()
    assert [label.get_text() for label in cosine.get_xticklabels()] == ["1", "2", "3", "other\npicture"]
    assert "no blocks to compare" in words(plot_map_overlap({"cosine": np.zeros((0, 0))}, {"cosine": []}))
    with pytest.raises(InputError, match=r"'cosine' is \(3, 3\) and that of other pictures \(2,\)"):
        plot_map_overlap({"cosine": table}, {"cosine": [0, 0]})
    with pytest.raises(InputError, match="that of other pictures missing"):
        plot_map_overlap({"cosine": table}, {})
