"""Published detectors as checkpoints of a notebook: `zoo:CARD` or `zoo:CARD:FILE`, and the runs that they become."""

from collections.abc import Sequence

from dfworkbench.core.offline import offline
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.visit import visit
from dfworkbench.runs.run import Run
from dfworkbench.zoo import card_runs
from dfworkbench.zoo.card import CardFile
from dfworkbench.zoo.describe import cards_table

#: How a checkpoint that is a published detector begins; the rest is the name of its card, and perhaps of one of its files.
PREFIX = "zoo:"


def checkpoints(workspace: Workspace | None = None) -> list[str]:
    """Runs, the newest first, and then the published detectors, the first to try at the top; for visitors those that are here."""
    cards = cards_table(workspace)
    if visit():
        cards = cards[cards["here"] != ""]
    return [*Run.names(workspace), *(PREFIX + name for name in cards["name"])]


def checkpoint_labels(names: Sequence[str], workspace: Workspace | None = None) -> list[str]:
    """What a list shows for checkpoints: runs by their names, published detectors with what is here of them."""
    here = cards_table(workspace).set_index("name")["here"].to_dict()
    words = {"imported": "imported", "file": "file is here", "": "not fetched"}
    return [f"{name} ({words[here.get(_card(name), '')]})" if name.startswith(PREFIX) else name for name in names]


def run_of(name: str, workspace: Workspace | None = None) -> str:
    """The run that a checkpoint stands for; a published detector whose file is here is imported first. Nothing is downloaded.

    Raises:
        UnknownNameError: There is no such card or file.
        DataNotFoundError: The file of a published detector is not on this machine; says how to get it.
        ParameterError: Its terms were not accepted yet.
        CheckpointError: The file is damaged, or something else.
    """
    if not name.startswith(PREFIX):
        return name
    card, file = card_runs.split_name(name.removeprefix(PREFIX))
    return card_runs.run_of(card, file, workspace=workspace).name


def card_of_run(name: str, workspace: Workspace | None = None) -> str:
    """The card that a run was imported by; "" for other runs."""
    sources = {folder.name: source for folder, source in card_runs.imported_runs(workspace).items()}
    return str(sources[name]["card"].get("name", "")) if name in sources else ""


def why_by_hand(files: Sequence[CardFile]) -> str:
    """Why no program can fetch these files now; "" if one can, or there are none."""
    if files and (switch := offline()):
        return f"{switch} forbids connections"
    return "only people can fetch it, from its page" if any(file.by_hand for file in files) else ""


def _card(name: str) -> str:
    return name.removeprefix(PREFIX).partition(":")[0]
