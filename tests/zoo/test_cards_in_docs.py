"""The table of published detectors in docs/detectors.md is that of the cards."""

from pathlib import Path

from dfworkbench.zoo.card import Card, list_cards

DOCS = Path(__file__).parents[2] / "docs" / "detectors.md"


def size_of(card: Card) -> str:
    """What the network is fed."""
    if card.importer == "hf_image_classifier":
        return "as its files say"
    if card.importer:
        return "as its importer says"
    kind = {
        "box": "face",
        "five_points": "aligned face",
        "whole": "whole picture, its middle",
        "whole_resized": "whole picture",
    }
    return f"{kind[card.input.alignment]}, {card.input.size_px} px"


def row(card: Card) -> str:
    hashed = sum(file.sha256 is not None for file in card.files)
    files = f"{len(card.files)}, {hashed} with a hash" if card.files else "a folder"
    cells = (f"[`{card.name}`]({card.code})", card.title, card.licence_weights, card.trained_on, size_of(card), files)
    return f"| {' | '.join(cells)} |"


def test_every_card_has_its_row():
    text = DOCS.read_text(encoding="utf-8")
    rows = [row(card) for card in list_cards()]
    found = [line for line in text.splitlines() if line.startswith("| [`")]
    assert found == rows, "docs/detectors.md: put these rows in:\n" + "\n".join(rows)
