"""Published detectors as checkpoints of a notebook: `zoo:CARD` or `zoo:CARD:FILE`, and the runs imported from them."""

from collections.abc import Sequence

from dfworkbench.core.offline import offline
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.visit import visit
from dfworkbench.runs.run import Run
from dfworkbench.zoo import card_runs
from dfworkbench.zoo.card import CardFile
from dfworkbench.zoo.describe import cards_table

#: Prefix of a checkpoint that is a published detector; a card name follows, optionally with one of its files.
PREFIX = "zoo:"


def checkpoints(workspace: Workspace | None = None) -> list[str]:
    """Runs, newest first, then published detectors, recommended ones first; visitors see only those already on this machine."""
    cards = cards_table(workspace)
    if visit():
        cards = cards[cards["here"] != ""]
    return [*Run.names(workspace), *(PREFIX + name for name in cards["name"])]


def checkpoint_labels(names: Sequence[str], workspace: Workspace | None = None) -> list[str]:
    """Labels for checkpoints: runs by name, published detectors with what is on this machine."""
    here = cards_table(workspace).set_index("name")["here"].to_dict()
    words = {"imported": "imported", "file": "file is here", "": "not fetched"}
    return [f"{name} ({words[here.get(_card(name), '')]})" if name.startswith(PREFIX) else name for name in names]


def run_of(name: str, workspace: Workspace | None = None) -> str:
    """The run for a checkpoint; a published detector whose file is here is imported first. Nothing is downloaded.

    Raises:
        UnknownNameError: There is no such card or file.
        DataNotFoundError: The file of a published detector is not on this machine; the message says how to get it.
        ParameterError: Its terms were not accepted yet.
        CheckpointError: The file is damaged, or is not the expected file.
    """
    if not name.startswith(PREFIX):
        return name
    card, file = card_runs.split_name(name.removeprefix(PREFIX))
    return card_runs.run_of(card, file, workspace=workspace).name


def card_of_run(name: str, workspace: Workspace | None = None) -> str:
    """The card that a run was imported from; "" for other runs."""
    sources = {folder.name: source for folder, source in card_runs.imported_runs(workspace).items()}
    return str(sources[name]["card"].get("name", "")) if name in sources else ""


def why_by_hand(files: Sequence[CardFile]) -> str:
    """Why these files cannot be fetched by a program; "" if they can, or if there are none."""
    if files and (switch := offline()):
        return f"{switch} forbids connections"
    return "only people can fetch it, from its page" if any(file.by_hand for file in files) else ""


def _card(name: str) -> str:
    return name.removeprefix(PREFIX).partition(":")[0]
