"""HTML card of a `Run` in notebooks: facts, warnings, and a table of epochs."""

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from dfworkbench.core.html import html_table, note_html, wrap

#: Column of a run's history -> heading.
_COLUMNS = {"train_loss": "train loss", "val_loss": "validation loss", "val_auc_video": "validation video AUC"}


def card_html(name: str, facts: Mapping[str, str], notes: Sequence[str], history: pd.DataFrame, best: int) -> str:
    """A run as HTML.

    Args:
        name: Name of the run.
        facts: Heading -> text.
        notes: Warnings.
        history: One row per epoch, as `Run.history`.
        best: The epoch to highlight; -1 for none.
    """
    head = f'<div class="dfw-title">Run {escape(name)}</div>{html_table((), facts.items())}'
    return wrap(f"{head}{''.join(map(note_html, notes))}{_epochs(history, best)}", "dfw-card plain")


def epoch_words(row: pd.Series) -> str:
    """An epoch in words: its number and its validation metrics."""
    known = [
        f"{words} {row[key]:.3f}" for key, words in _COLUMNS.items() if key != "train_loss" and pd.notna(row.get(key))
    ]
    return ", ".join([f"{row['epoch']:.0f}", *known])


def _epochs(history: pd.DataFrame, best: int) -> str:
    if history.empty:
        return ""
    shown = [key for key in _COLUMNS if key in history]
    marked = (history["epoch"] == best).tolist()
    rows = [
        [
            f"{row['epoch']:.0f}",
            *("-" if pd.isna(row[key]) else f"{row[key]:.4f}" for key in shown),
            "★ best" if mark else "",
        ]
        for (_, row), mark in zip(history.iterrows(), marked, strict=True)
    ]
    table = html_table(["epoch", *(_COLUMNS[key] for key in shown), ""], rows, marked)
    return f'<div style="max-height:340px;overflow:auto">{table}</div>'
