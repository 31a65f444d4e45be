"""HTML card of a data set: audit verdict, source, counts by split and forgery, and shortcuts that separate the classes."""

from html import escape

from dfworkbench.core.html import html_table, note_html, wrap
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.audit.html import verdict_html
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED
from dfworkbench.datasets.shortcuts import shortcuts

_GENERATED = (
    "Generated faces of no real people: figures on this data set show that methods and code work, not how detectors do on "
    "footage of real people."
)
_NO_PEOPLE = "It is not known who is shown: one person may be in several splits, and intervals count every file as another person."


def dataset_html(data: DataSet) -> str:
    """Plain HTML without scripts."""
    title = f"Data set {escape(data.name)}"
    if not data.is_extracted:
        words = f"not extracted: there are no tables in {data.folder}. Run 01_data_extraction."
        return wrap(
            f'<div class="dfw-title">{title}</div><div class="dfw-hint">{escape(words)}</div>', "dfw-card plain"
        )
    counts = data.counts()
    rows = [(split, *values) for split, values in zip(counts.index, counts.to_numpy().tolist(), strict=True)]
    if len(rows) > 1:
        rows.append(("all", *counts.sum().tolist()))
    bold = [split == "all" for split, *_ in rows]
    notes = note_html(_GENERATED) if data.domain == GENERATED else ""
    if not data.has_splits:
        notes += note_html(
            "There are no splits yet, so nothing can be trained or tested on it. Run 01_data_extraction."
        )
    if data.domain != GENERATED and (data.videos["carrier"] == "").all():
        notes += note_html(_NO_PEOPLE)
    table = html_table(("split", *map(str, counts.columns)), rows, bold)
    verdict = f"<small>{verdict_html(data.audit, 'audit: ')}</small>"
    head = f'<div class="dfw-title">{title} {verdict}</div><div class="dfw-hint">{escape(_summary(data))}</div>'
    return wrap(f"{head}{table}{notes}{'' if data.domain == GENERATED else _shortcuts(data)}", "dfw-card plain")


def _shortcuts(data: DataSet) -> str:
    """File properties that may separate the classes, with a warning for those that do."""
    found = shortcuts(data.videos, data.faces, data.root)
    if not found:
        return ""
    rows = [(s.measure, f"{s.real:.4g}", f"{s.fake:.4g}", f"{s.auc:.2f}") for s in found]
    heads = ("files compared by", "genuine (median)", "forged (median)", "AUC of this alone")
    given_away = ", ".join(f"{s.measure} ({s.auc:.2f})" for s in found if s.tells)
    warning = (
        f"The classes can be told apart without looking at pixels: AUC of {given_away}. A detector may learn that instead of "
        "forgeries; judge it on another data set before you believe a figure."
    )
    table = html_table(heads, rows, [s.tells for s in found])
    return f"{table}{note_html(warning) if given_away else ''}"


def _summary(data: DataSet) -> str:
    labels, card = data.videos["label"], data.card
    files = ", ".join(
        f"{count:,} {word}"
        for word, count in (
            ("real", int((labels == REAL).sum())),
            ("fake", int((labels == FAKE).sum())),
            ("not labelled", int((~labels.isin((REAL, FAKE))).sum())),
        )
        if count
    )
    frames = len(data.faces[["video_id", "frame"]].drop_duplicates())
    parts = [card.title] if card else []
    parts += [f"{len(labels):,} files ({files})", f"{len(data.faces):,} faces in {frames:,} frames"]
    return " · ".join([*parts, f"from {data.root}" if data.root else "its source folder is not there"])
