"""Text of strangers in pages: names of files, runs, people and columns are shown, never run."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.html import Link, html_table, note_html, picture
from dfworkbench.datasets.audit.audit import audit
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.evaluation.scoring.cards import file_html, scored_html
from dfworkbench.evaluation.scoring.results import FileScore, Scored
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.show.plots.style import house_style, new_figure
from dfworkbench.show.tables import ReadableTable
from dfworkbench.training.settings import TrainSettings

EVIL = "<script>x</script><img src=x onerror=y>\"'&"


class Tags(HTMLParser):
    """Tags and attributes of a page as a browser sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen |= {tag, *(name for name, _ in attrs)}


def videos() -> pd.DataFrame:
    names = {"dataset": "x", "carrier": EVIL, "group": EVIL, "forgery": EVIL}
    rows = [{**names, "video_id": f"x/{EVIL.replace('/', '')}{i}", "path": f"{i}", "label": i % 2} for i in range(3)]
    return VIDEOS.complete([{**row, "split": split} for row, split in zip(rows, ("train", "test", "val"), strict=True)])


def scored_file(status: str = "ok") -> FileScore:
    return FileScore(Path("a") / "b.mp4", EVIL, "video", status, EVIL, 0.5, "mean", caveat=EVIL)


def frame() -> pd.DataFrame:
    return pd.DataFrame({EVIL: [EVIL, "a"], "n": [1.5, np.nan]}, index=[EVIL, "b"]).rename_axis(EVIL)


PAGES = {
    "card": lambda: file_html(scored_file()),
    "card without score": lambda: file_html(scored_file("no_face")),
    "cards": lambda: scored_html(Scored([scored_file()], table=None, detector=EVIL)),
    "table of evaluation": lambda: html_table((EVIL,), [(EVIL,)]),
    "note": lambda: note_html(EVIL),
    "readable table": lambda: ReadableTable(frame())._repr_html_(),
    "audit": lambda: audit(videos(), name=EVIL)._repr_html_(),
    "link": lambda: html_table(("a",), [(Link(EVIL, EVIL),)]),
    "wide cell": lambda: html_table(("a",), [(2 * EVIL,)]),
    "small print": lambda: html_table(("a",), [(f"a\n{EVIL}",)]),
    "panel": lambda: SettingsPanel(TrainSettings(dataset=EVIL, start_from=EVIL), title=EVIL)._repr_html_(),
}


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_and_do_not_run(page):
    text = PAGES[page]()
    assert not Tags(text).seen & {"script", "onerror", "iframe"}
    assert "&lt;script&gt;" in text


def test_a_picture_has_words_that_do_not_end_its_tag():
    assert "onerror" not in Tags(picture(new_figure(1, 1), EVIL)).seen


@pytest.mark.parametrize("name", ["$x^.mp4", "$", r"\$\frac{", "a$b$c"])
def test_dollar_signs_in_names_are_no_mathematics(name):
    from matplotlib.figure import Figure

    @house_style
    def draw() -> Figure:
        figure = Figure(figsize=(2, 2))
        figure.subplots().set(title=name, xlabel=name)
        figure.canvas.draw()
        return figure

    assert draw().axes[0].get_title(loc="left") == name
