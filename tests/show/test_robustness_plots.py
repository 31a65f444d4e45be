"""What the figure of robustness must hold; how it looks was checked by eye."""

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from dfworkbench.core.errors import InputError
from dfworkbench.show.plots.robustness import plot_robustness
from dfworkbench.show.plots.style import SERIES


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def drawn_lines(axes):
    return [line for line in axes.lines if len(line.get_xdata()) > 2]


def curves(detector, names):
    return pd.DataFrame([
        {
            "detector": detector, "perturbation": name, "unit": unit, "level": level, "strength": strength,
            "value": 0.9 - level / 20, "low": 0.8 - level / 20, "high": 0.95, "drawn": "group",
        }
        for name, unit, strengths in names
        for level, strength in enumerate(["", *strengths])
    ])  # fmt: skip


def test_robustness_has_a_chart_per_perturbation_and_a_line_per_detector():
    names = [
        ("jpeg", "quality", ["95", "60"]),
        ("crop", "share", ["0.05", "0.3"]),
        ("jpeg>blur", "level", ["95, 3", "60, 7"]),
    ]
    figure = plot_robustness(pd.concat([curves("pixel", names), curves("resnet18", names)]), columns=2)
    *shown, legend = figure.axes
    assert [text.get_text() for text in legend.get_legend().get_texts()] == ["pixel", "resnet18"]
    assert [axes.get_title(loc="left") for axes in shown] == ["jpeg", "crop", "jpeg > blur"]
    for axes in shown:
        lines = drawn_lines(axes)
        assert [to_hex(line.get_color()) for line in lines] == [c.lower() for c in SERIES[:2]]
        assert lines[0].get_ydata() == pytest.approx([0.9, 0.85, 0.8])
        assert len(axes.collections) == 2
    ticks = [[label.get_text() for label in axes.get_xticklabels()] for axes in shown]
    assert ticks == [["clean", "95", "60"], ["clean", ".05", ".3"], ["clean", "1", "2"]]
    assert {"resnet18", "quality"} <= set(words(figure).split())
    assert "95 % interval over people" in words(figure)
    alone = plot_robustness(curves("pixel", names[:1]).assign(drawn="video"))
    assert "95 % interval over videos" in words(alone)
    assert len(alone.axes) == 1
    with pytest.raises(InputError, match="plotting robustness: the table has no column unit"):
        plot_robustness(curves("pixel", names).drop(columns="unit"))
    assert "nothing was scored" in words(plot_robustness(curves("pixel", names)[:0]))
