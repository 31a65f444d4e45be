"""Published detectors as HTML in a notebook: a single card, and the list of all."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from dfworkbench.core.html import Link, html_table, note_html
from dfworkbench.zoo.addresses import fetch_address
from dfworkbench.zoo.cache import size_of, target_path
from dfworkbench.zoo.card import Card, CardFile
from dfworkbench.zoo.describe import input_text, looks_at, video_text

_SHOWN = ["name", "licence", "size", "looks at", "trained on", "here"]


def card_html(card: Card) -> str:
    """Card of a published detector: paper, licences, training data, input, aggregation rule, reported results, caveats."""
    facts = {
        "paper": _link(card.paper),
        "code": _link(card.code),
        "licence": f"code: {card.licence_code}; weights: {card.licence_weights}",
        "trained on": card.trained_on,
        "looks at": _input(card),
        "face finder of its authors": card.detector,
        "rule of its authors": video_text(card),
        "files": ", ".join(f"{file.name} ({size_of(file)}{_here(card, file)})" for file in card.files),
    }
    body = html_table((), [(name, value) for name, value in facts.items() if value])
    notes = "".join(note_html(text) for text in card.caveats)
    return f'<div class="dfw-title">{escape(card.title)}</div>{body}{_figures_html(card)}{notes}'


def file_html(card: Card, file: CardFile) -> str:
    """Everything needed to copy a file over by hand: address, size, hash, and where it belongs."""
    known = file.sha256 or "not known: that of the first download is recorded, and later ones must equal it"
    facts = {
        "file": file.name + (f" ({file.part})" if file.part else ""),
        "address": Link(file.url, file.url) if fetch_address(file.url) == file.url else fetch_address(file.url),
        "size": size_of(file),
        "SHA-256": known,
        "stated by": file.says,
        "belongs at": str(target_path(card, file)),
    }
    return html_table((), [(name, value) for name, value in facts.items() if value])


def list_html(table: pd.DataFrame) -> str:
    """Scrollable list of all published detectors, recommended ones at the top.

    Args:
        table: From `zoo.describe.cards_table`.
    """
    shown = table[_SHOWN].assign(size=table["size"].replace("size not known", "-"))
    return f'<div style="max-height:420px;overflow-y:auto">{html_table(_SHOWN, shown.to_numpy().tolist())}</div>'


def sizes(files: Sequence[CardFile]) -> str:
    """Download size: "156 kB", or "4.1 kB + about 1.7 GB" for a detector in two parts."""
    return " + ".join(map(size_of, files))


def _link(address: str) -> Link | str:
    return Link(address, address.removeprefix("https://")) if address.startswith("https://") else address


def _input(card: Card) -> str:
    """Input of the detector and how it is cut; for cards with an importer, only the importer knows."""
    kind, words = looks_at(card), input_text(card.input) if card.network else ""
    return words if words.startswith(kind) else ": ".join(filter(None, [kind, words]))


def _here(card: Card, file: CardFile) -> str:
    return ", here" if target_path(card, file).is_file() else ""


def _figures_html(card: Card) -> str:
    if not card.figures:
        return '<div class="dfw-hint">No figures of its authors are on record.</div>'
    rows = [(f.data, f.level, f.measure, f"{f.value:g}", f.source) for f in card.figures]
    table = html_table(("data", "level", "measure", "value", "source"), rows, right=(False, False, False, True, False))
    return table + '<div class="dfw-hint">Figures as their source states them; none was measured here.</div>'
