"""Cards as text: the list of all, one card as a page, and what would be fetched."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dfworkbench.core.workspace import Workspace
from dfworkbench.zoo.addresses import fetch_address
from dfworkbench.zoo.cache import size_of, target_path
from dfworkbench.zoo.card import list_cards
from dfworkbench.zoo.card_runs import find_run, imported_runs, whole_files, with_parts

if TYPE_CHECKING:
    from dfworkbench.core.input_spec import InputSpec
    from dfworkbench.zoo.card import Card, CardFile

_WIDTH = 110
_LOOKS_AT = {"box": "face", "five_points": "aligned face"}
_PEOPLE = {
    "maximum": "the highest person",
    "frame_maximum": "of each frame the highest face",
    "largest": "of each frame the largest face",
    "most_confident": "of each frame the face that its finder is most sure of",
    "pooled": "the faces of all people together",
    "none": "each taken whole",
}
_RULES = {
    "mean": "mean of the fake probabilities",
    "mean_logit": "sigmoid of the mean logit",
    "confident": "mean of the confident frames, where there are enough of them",
}


def cards_table(workspace: Workspace | None = None) -> pd.DataFrame:
    """All cards, the most useful first.

    Returns:
        One row per card: name, title, size (of what is fetched), licence (of the weights), terms ("to accept" if there are any),
            looks at ("face", "aligned face", "whole picture"), trained on, here ("imported", "file", "").
    """
    runs = imported_runs(workspace)
    rows = [
        {
            "name": card.name,
            "title": card.title,
            "size": " + ".join(map(size_of, with_parts(card))) if card.files else "",
            "licence": card.licence_weights.partition(" (")[0],
            "terms": "to accept" if card.accept else "",
            "looks at": looks_at(card),
            "trained on": card.trained_on,
            "here": _here(card, workspace, runs),
        }
        for card in list_cards()
    ]
    return pd.DataFrame(rows)


def looks_at(card: "Card") -> str:
    """What a detector sees: "face", "aligned face" or "whole picture"."""
    return _LOOKS_AT.get(card.input.alignment, "whole picture")


def cards_text(table: pd.DataFrame) -> str:
    """`cards_table` for a terminal: long cells are truncated, `card_text` shows them whole."""
    shown = table.drop(columns="title")
    cells = [list(shown.columns), *(list(map(_short, row)) for row in shown.to_numpy().tolist())]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def card_text(card: "Card", workspace: Workspace | None = None) -> str:
    """A card as text: licences, files with hashes, input and rule in words, figures, caveats."""
    lines = [f"{card.name}: {card.title}"]
    facts = {
        "paper": card.paper,
        "code": f"{card.code} ({card.licence_code})",
        "weights": card.licence_weights,
        "terms": card.accept,
        "trained on": card.trained_on,
        "input": input_text(card.input) if card.network else "",
        "faces": card.detector,
        "video": video_text(card),
    }
    for name, text in facts.items():
        lines += _entry(name, text)
    for file in card.files:
        lines += _entry("file", f"{file.name}, {_file_facts(file)}")
        lines += _entry("", file.url)
        lines += _entry("", _where(card, file, workspace))
    for figure in card.figures:
        lines += _entry(
            "figure", f"{figure.data}: {figure.measure} {figure.value:g} per {figure.level} ({figure.source})"
        )
    for caveat in card.caveats:
        lines += _entry("caveat", caveat)
    return "\n".join(lines)


def file_text(card: "Card", file: "CardFile", workspace: Workspace | None = None) -> str:
    """What is shown before a file is fetched: what it is, its size, licences and terms, and who states the hash."""
    part = f" ({file.part})" if file.part else ""
    lines = [f"{card.title}: {file.name}{part}, {_file_facts(file)}"]
    facts = {
        "from": fetch_address(file.url),
        "to": str(target_path(card, file, workspace)),
        "code": card.licence_code,
        "weights": card.licence_weights,
        "terms": card.accept,
    }
    for name, text in facts.items():
        lines += _entry(name, text)
    return "\n".join(lines)


def input_text(spec: "InputSpec") -> str:
    """A network's input, in words."""
    return ", ".join(_input_words(spec))


def video_text(card: "Card") -> str:
    """The authors' rule for aggregating frames and people, in words."""
    video = card.video
    empty = "" if video.no_face is None else f"; a video without a face scores {video.no_face:g}"
    return f"{video.frames} frames, {_PEOPLE[video.people]}, {_RULES[video.rule]}{empty}"


def _input_words(spec: "InputSpec") -> Iterator[str]:
    if spec.alignment == "whole":
        yield "whole picture without resizing"
    elif spec.alignment == "whole_resized":
        yield "whole picture"
    elif spec.alignment == "five_points":
        yield "face aligned by five landmarks" + (" onto the authors' template" if spec.template else "")
    elif spec.margins:
        shares = " ".join(f"{margin:.3g}" for margin in spec.margins)
        yield f"face box widened by {shares} (left, top, right, bottom) of its {spec.margin_of.replace('_', ' ')}"
    else:
        yield f"face box, {'each side' if spec.region == 'sides' else 'a square of'} {spec.crop_scale:g} times its side"
    if spec.square_after_margins:
        yield "made square"
    if spec.of_faces:
        beyond = {"repeat": "border repeated", "black": "black", "clip": "clipped", "shift": "moved inside"}
        yield f"{beyond[spec.border]} at the edge of the frame"
    if spec.alignment != "whole":
        fit = {"stretch": "resized", "letterbox": "letterboxed", "shortest_edge": "shortest side"}[spec.fit]
        how = f"{spec.interpolation.replace('_', ' ')}{' with antialiasing' if spec.antialias else ''}"
        yield f"{fit} to {spec.resize_px or spec.size_px} px ({how})"
    if spec.resize_px or spec.alignment == "whole":
        yield f"centre crop {spec.size_px} px"
    yield spec.channel_order.upper()
    yield f"mean {_numbers(spec.mean)}, std {_numbers(spec.std)}"


def _numbers(values: tuple[float, ...]) -> str:
    shown = values[:1] if len(set(values)) == 1 else values
    return " ".join(f"{value:.4g}" for value in shown)


def _file_facts(file: "CardFile") -> str:
    sha256 = f"SHA-256 {file.sha256}" if file.sha256 else "SHA-256 not known: that of the first download is recorded"
    source = f" (source: {file.says})" if file.says else ""
    return f"{size_of(file)}, {sha256}{source}{'; by hand only' if file.by_hand else ''}"


def _where(card: "Card", file: "CardFile", workspace: Workspace | None) -> str:
    target = target_path(card, file, workspace)
    return f"here: {target}" if target.is_file() else f"belongs at {target}"


def _here(card: "Card", workspace: Workspace | None, runs: dict[Path, dict[str, Any]]) -> str:
    files = [file.name for file in whole_files(card)]
    if any(find_run(card, name, runs=runs) for name in files or [""]):
        return "imported"
    return "file" if any(target_path(card, card.file(name), workspace).is_file() for name in files) else ""


def _entry(name: str, text: str) -> list[str]:
    """A labelled fact with its label in a column; empty without text."""
    if not text:
        return []
    indent = " " * 13
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"  {name:<11}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _short(text: str) -> str:
    return textwrap.shorten(text, 36, placeholder=" …")
