"""LiveCurves, redrawn after each epoch, and LiveProgress, a progress bar for a job in a thread."""

import io
import time
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML, display
from tqdm import tqdm

from dfworkbench.core.html import picture, wrap
from dfworkbench.show.tables import table_html

#: Largest share of training time spent on drawing: a figure takes a third of a second, and epochs may be just as short.
DRAWING_SHARE = 0.1


class LiveCurves:
    """Loss and validation curves with a table of epochs, updated in place.

        live = LiveCurves()
        for epoch in train(settings):
            live.update(epoch)

    The first and last epochs are always drawn; those between only while drawing takes at most a tenth of the time.

    Args:
        draw: Turns the history (one row per epoch) into a figure; the default is in `dfworkbench.show.plots`.
        show: Called once with the first picture and returns a handle with `.update`; `IPython.display.display` by default.
    """

    def __init__(
        self, draw: Callable[[pd.DataFrame], Any] | None = None, show: Callable[[Any], Any] | None = None
    ) -> None:
        self._draw = draw or _default_draw()
        self._show = show or _display
        self._handle: Any = None
        self._rows: list[dict[str, Any]] = []
        self._rest_until = 0.0

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch seen so far."""
        return pd.DataFrame(self._rows)

    def update(self, epoch: Any) -> None:
        """Add an `Epoch`, and redraw if it is time."""
        # a resumed run may yield an epoch again: the later one counts
        self._rows = [row for row in self._rows if row["epoch"] != epoch.number] + [epoch_row(epoch)]
        start = time.monotonic()
        if self._handle is not None and epoch.number < epoch.epochs and start < self._rest_until:
            return
        picture = HTML(self._html(epoch))
        if self._handle is None:
            self._handle = self._show(picture)
        else:
            self._handle.update(picture)
        end = time.monotonic()
        self._rest_until = end + (end - start) * (1 - DRAWING_SHARE) / DRAWING_SHARE

    def _html(self, epoch: Any) -> str:
        left = (epoch.epochs - epoch.number) * epoch.seconds
        state = f"epoch {epoch.number} of {epoch.epochs}" + (
            f", about {_duration(left)} left" if left else ", finished"
        )
        curves = picture(self._draw(self.history), "training curves")
        return wrap(f'<div class="dfw-title">{state}</div>{curves}{_table(self.history)}')


def epoch_row(epoch: Any) -> dict[str, Any]:
    """One flat row of an `Epoch`: number, train_…, val_…, seconds, best."""
    row: dict[str, Any] = {"epoch": epoch.number}
    row |= {f"train_{name}": value for name, value in epoch.train.items()}
    row |= {f"val_{name}": value for name, value in epoch.val.items()}
    return row | {"seconds": epoch.seconds, "best": epoch.best}


def _table(history: pd.DataFrame, last: int = 8) -> str:
    hidden = {"epoch", "best"}
    for name in history:
        # where a loss has a single part, the part equals the loss
        if str(name).startswith("train_") and name != "train_loss" and history[name].equals(history["train_loss"]):
            hidden.add(name)
    table = history.set_index("epoch")[[name for name in history if name not in hidden]].tail(last)
    best = history.loc[history["best"].astype(bool), "epoch"].max()
    table = table.assign(
        seconds=table["seconds"].round(1), mark=["★\u00a0best" if epoch == best else "" for epoch in table.index]
    )
    return table_html(table.rename(columns=_column_name))


def _column_name(name: str) -> str:
    """`val_auc_video` -> "validation AUC video"."""
    words = {"val": "validation", "train": "training", "auc": "AUC", "eer": "EER", "mark": ""}
    return " ".join(words.get(word, word) for word in name.split("_"))


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _display(picture: Any) -> Any:
    return display(picture, display_id=True)


def _default_draw() -> Callable[[pd.DataFrame], Any]:
    from dfworkbench.show.plots.training import training_curves

    return training_curves


class StoppedError(Exception):
    """Raised when the user presses Stop. Not a failure of the job: what it has done so far is kept."""


class LiveProgress:
    """A progress bar with the remaining time, for a job that runs in a thread and can be stopped.

    Pass `bar` to the job in place of the class `tqdm`: what the job reports is shown in `box`.
    """

    def __init__(self) -> None:
        self._bar = w.FloatProgress(0, min=0, max=1, layout=w.Layout(width="260px"))
        self._words = w.HTML()
        self.box = w.HBox([self._bar, self._words], layout=w.Layout(align_items="center", grid_gap="10px"))
        self.stopped = False
        self.clear()

    def clear(self) -> None:
        """Hide the bar until something is reported, and reset Stop."""
        self.stopped = False
        self.box.layout.display = "none"

    def stop(self) -> None:
        """Make the job end with `StoppedError` at its next report."""
        self.stopped = True

    def bar(self, *args: Any, **kwargs: Any) -> tqdm:
        """A `tqdm` bar shown in this widget."""
        return _WidgetBar(self, *args, **kwargs)

    def show(self, done: float, total: float | None, words: str) -> None:
        """Update the bar.

        Args:
            done: How much is done.
            total: How much there is to do; None if unknown.
            words: Text beside the bar.
        """
        self.box.layout.display = ""
        self._bar.value = done / total if total else 0
        self._words.value = f'<span class="dfw-hint">{escape(words)}</span>'


class _WidgetBar(tqdm):
    """tqdm measures time and limits the redraw rate; we do the drawing."""

    def __init__(self, live: LiveProgress, *args: Any, **kwargs: Any) -> None:
        self._live = live
        super().__init__(*args, **kwargs | {"file": io.StringIO(), "leave": False, "mininterval": 0.2})

    def update(self, n: float | None = 1) -> bool | None:
        if self._live.stopped:
            raise StoppedError
        return super().update(n)

    def display(self, *_: Any, **__: Any) -> bool:
        state = self.format_dict
        done, total, rate = state["n"], state["total"], state["rate"]
        of = f" of {self._amount(total)}" if total else ""
        left = f", about {_duration((total - done) / rate)} left" if total and rate else ""
        self._live.show(done, total, f"{self._amount(done)}{of}{left}")
        return True

    def _amount(self, number: float) -> str:
        """A number with its unit, such as 1.52 MB."""
        text = self.format_sizeof(number)
        digits = text.rstrip("kMGTPEZY")
        return f"{digits} {text[len(digits) :]}{self.unit}"
