"""LiveCurves: one output that is redrawn after every epoch. Works in JupyterLab, under papermill and in a terminal."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from IPython.display import HTML, display

from dfworkbench.core.html import picture, wrap
from dfworkbench.show.tables import table_html


class LiveCurves:
    """Loss and validation curves with a table of epochs, in one place that is updated.

        live = LiveCurves()
        for epoch in train(settings):
            live.update(epoch)

    Args:
        draw: Turns the history (one row per epoch) into a figure; `dfworkbench.show.plots` has the default.
        show: Called once with the first picture and returns a handle with `.update`; `IPython.display.display` by default.
    """

    def __init__(
        self, draw: Callable[[pd.DataFrame], Any] | None = None, show: Callable[[Any], Any] | None = None
    ) -> None:
        self._draw = draw or _default_draw()
        self._show = show or _display
        self._handle: Any = None
        self._rows: list[dict[str, Any]] = []

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch seen so far."""
        return pd.DataFrame(self._rows)

    def update(self, epoch: Any) -> None:
        """Add an `Epoch` and redraw."""
        # a resumed run may show an epoch again: the later one counts
        self._rows = [row for row in self._rows if row["epoch"] != epoch.number] + [epoch_row(epoch)]
        picture = HTML(self._html(epoch))
        if self._handle is None:
            self._handle = self._show(picture)
        else:
            self._handle.update(picture)

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
        # where a loss has one part, the part says the same as the loss
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
