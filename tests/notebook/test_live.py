import re
from types import SimpleNamespace

import pandas as pd
import pytest

from dfworkbench.notebook import live as live_module
from dfworkbench.notebook.live import LiveCurves
from dfworkbench.show.tables import ReadableTable


def epoch(number, loss, auc, best, epochs=3):
    return SimpleNamespace(
        number=number, epochs=epochs, train={"loss": loss, "bce": loss}, val={"loss": loss + 0.1, "auc_video": auc},
        seconds=60.0, best=best,
    )  # fmt: skip


class Output:
    """What `display(…, display_id=True)` gives."""

    def __init__(self):
        self.pages = []

    def __call__(self, page):
        assert not self.pages, "displayed twice"
        self.pages.append(page.data)
        return self

    def update(self, page):
        self.pages.append(page.data)


def test_one_output_is_updated_each_epoch():
    output, drawn = Output(), []

    def draw(history):
        drawn.append(history)
        return SimpleNamespace(savefig=lambda buffer, **_: buffer.write(b"png"))

    live = LiveCurves(draw, output)
    live.update(epoch(1, 0.7, 0.6, True))
    live.update(epoch(3, 0.6, 0.8, True))
    assert len(output.pages) == 2
    assert "epoch 1 of 3, about 2 min left" in output.pages[0]
    assert "data:image/png;base64,cG5n" in output.pages[0]
    assert drawn[1]["val_auc_video"].tolist() == [0.6, 0.8]
    assert output.pages[1].count("★") == 1, "only the best so far is marked"
    assert "bce" not in output.pages[1], "the only part of the loss says the same as the loss"


def test_the_last_epoch_says_finished_and_a_repeated_one_counts_once():
    live = LiveCurves(lambda history: SimpleNamespace(savefig=lambda buffer, **_: None), Output())
    for number, auc in ((1, 0.5), (2, 0.6), (2, 0.7), (3, 0.8)):
        live.update(epoch(number, 0.5, auc, False))
    assert live.history["epoch"].tolist() == [1, 2, 3]
    assert live.history["val_auc_video"].tolist() == [0.5, 0.7, 0.8]
    assert "epoch 3 of 3, finished" in live._show.pages[-1]


def test_drawing_takes_a_tenth_of_the_time_at_most(monkeypatch):
    now, drawn = [100.0], []

    def draw(history):
        now[0] += 0.3
        drawn.append(len(history))
        return SimpleNamespace(savefig=lambda buffer, **_: None)

    monkeypatch.setattr(live_module.time, "monotonic", lambda: now[0])
    live = LiveCurves(draw, Output())
    for number in range(1, 21):
        now[0] += 0.5
        live.update(epoch(number, 0.5, 0.6, False, epochs=20))
    # 2.7 seconds of rest after each: six epochs of half a second; and the last one, whenever it comes
    assert drawn == [1, 7, 13, 19, 20]
    assert "epoch 20 of 20, finished" in live._show.pages[-1]


def test_the_house_figure_can_be_drawn():
    output = Output()
    live = LiveCurves(show=output)
    live.update(epoch(1, 0.7, 0.6, True))
    assert len(output.pages[0]) > 5000


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([0.404, 0.95, 0.033333, float("nan"), 0.0], ["0.4040", "0.9500", "0.0333", "-", "0.0000"]),
        ([15.7, 13.0], ["15.7", "13.0"]),
        ([999.96, 50.5], ["1000.0", "50.5"]),
        ([12.5, 1234.0], ["12.5", "1234.0"]),
        ([1.0, 2.0], ["1", "2"]),
        ([0.9, 0.001234], ["0.9", "0.001234"]),  # four digits of both, or none would be left of the small one
        ([1e-9, 2e-9], ["1e-09", "2e-09"]),
        ([64600.123, 2.5], ["6.46e+04", "2.5"]),
        ([float("inf"), 0.25], ["inf", "0.25"]),
        (["x", 1.5], ["x", "1.5"]),
    ],
)
def test_numbers_of_a_column_line_up(numbers, expected):
    page = ReadableTable({"number": numbers})._repr_html_()
    assert re.findall(r"<td[^>]*>(.*?)</td>", page)[1::2] == expected


def test_readable_table_shows_everything():
    table = ReadableTable({"number": [1.23456, float("nan")], "word": ["<b>" + "x" * 200, "y"]}, index=["a", "b"])
    page = table._repr_html_()
    assert "&lt;b&gt;" + "x" * 200 in page
    assert '<td class="number">1.235</td>' in page
    assert '<td class="number">-</td>' in page
    assert type(table.loc[["a"]]) is pd.DataFrame
