"""Get the run of a card: an existing import, an import of a local file, or of a file that is fetched first."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfworkbench.core.errors import DataNotFoundError, UnknownNameError
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.runs.layout import PROVENANCE
from dfworkbench.zoo.cache import find_cached, record_by_hand, require_hash, target_path
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.fetching import by_hand_text, get, require_files
from dfworkbench.zoo.licences import require_accepted

if TYPE_CHECKING:
    from dfworkbench.zoo.card import Card, CardFile


def whole_files(card: "Card") -> tuple["CardFile", ...]:
    """The files of a card to choose from: each one, with any further parts, makes a run."""
    return tuple(file for file in card.files if file.part == card.files[0].part)


def split_name(text: str) -> tuple["Card", str]:
    """Split CARD or CARD:FILE into a card and the name of one of its files, or "".

    Raises:
        UnknownNameError: There is no such card, or it has no such file; the message names the closest.
    """
    name, _, file = text.partition(":")
    card = get_card(name)
    if file:
        card.file(file)
    return card, file


def imported_runs(workspace: Workspace | None = None) -> dict[Path, dict[str, Any]]:
    """Folder -> source of every run imported from a card, newest first."""
    paths = (workspace or find_workspace()).checkpoints.glob(f"*/{PROVENANCE}")
    found = {path.parent: source for path in paths if isinstance((source := _source(path)).get("card"), dict)}
    return dict(sorted(found.items(), key=lambda item: (-item[0].stat().st_mtime, item[0].name)))


def find_run(
    card: "Card", file: str = "", workspace: Workspace | None = None, *, runs: dict[Path, dict[str, Any]] | None = None
) -> Path | None:
    """The newest run imported from a file of a card; None if there is none.

    Args:
        card: The card.
        file: Name of one of its files; the first by default.
        workspace: Workspace to search.
        runs: Result of `imported_runs`, if already known.
    """
    files = whole_files(card)
    wanted = card.file(file) if files else None
    for folder, source in (imported_runs(workspace) if runs is None else runs).items():
        if source["card"].get("name") != card.name:
            continue
        # if there is only one file, it may have had any name
        if wanted is None or len(files) == 1 or wanted.name == source.get("file"):
            return folder
    return None


def require_no_bare_card(name: str, workspace: Workspace | None = None) -> None:
    """Refuse the name of a card if a run is expected, and say how to get one; any other name passes.

    Raises:
        DataNotFoundError: The name is that of a card, but not of a file or a run.
    """
    if Path(name).exists() or ((workspace or find_workspace()).checkpoints / name).is_dir():
        return
    try:
        card, file = split_name(name)
    except UnknownNameError:
        return
    run = find_run(card, file, workspace)
    if run:
        cure = f"It was imported as the run {run.name!r}: use that name."
    elif card.files:
        cure = f"Get it with dfworkbench zoo get {name}; dfworkbench zoo score {name} PATH then imports and scores it."
    else:
        cure = (
            f"Import one with dfworkbench zoo import {card.name} FOLDER, and use the name of the run that this makes."
        )
    raise DataNotFoundError(
        f"opening the run {name!r}: it is the card of a published detector ({card.title}), not a run. Expected a run. {cure}"
    )


def import_file(
    card: "Card | str",
    path: Path,
    name: str = "",
    *,
    accept: bool = False,
    workspace: Workspace | None = None,
    **options: Any,
) -> Path:
    """Import a local file, after its terms were accepted and its hash compared with that of the card.

    Args:
        card: A card or its name.
        path: The file as published by its authors.
        name: Name of the run; see `import_card`.
        accept: Accept the terms of the card; this is remembered.
        workspace: The workspace to write to.
        options: See `import_card`.

    Returns:
        The folder of the run.

    Raises:
        ParameterError: The terms were not accepted; also as `import_card`.
        DownloadError: The file is not the one described by the card.
    """
    from dfworkbench.zoo.importing import import_card  # torch

    card = get_card(card) if isinstance(card, str) else card
    require_accepted(card, accept, workspace)
    path, item = Path(path), _item_of(card, Path(path))
    # a file with another name may be the user's own training of the same network, unless the card states its hash
    known = item if item is not None and path.is_file() and (item.sha256 or path.name == item.name) else None
    if known is not None:
        cure = f"{path} is another file or a damaged one: get it again, from the address that `dfworkbench zoo show {card.name}` "
        cure += "gives. In Python, dfworkbench.zoo.import_card takes any file that fits the network."
        require_hash(card, known, target_path(card, known, workspace), file_hash(path), cure)
    run = import_card(card, path, name, workspace, **options)
    if known is not None:  # only now: what does not fit the card was not published by its authors
        record_by_hand(known, target_path(card, known, workspace), path)
    return run


def run_of(
    card: "Card | str",
    file: str = "",
    *,
    fetch: bool = False,
    accept: bool = False,
    progress: bool = True,
    workspace: Workspace | None = None,
) -> Path:
    """The run of a card: imported once, from its file if that is on this machine.

    Args:
        card: A card or its name.
        file: Name of one of its files; the first by default.
        fetch: Whether to fetch missing files.
        accept: Accept the terms of the card; this is remembered.
        progress: Whether to show progress bars of downloads.
        workspace: The workspace.

    Returns:
        The folder of the run.

    Raises:
        DataNotFoundError: Its file is not on this machine, and `fetch` is false, or it can only be fetched by hand.
        ParameterError: The terms were not accepted.
        DownloadError: It could not be fetched.
        CheckpointError: It cannot be imported.
    """
    from dfworkbench.zoo.importing import import_card  # torch

    card = get_card(card) if isinstance(card, str) else card
    if (run := find_run(card, file, workspace)) is not None:
        return run
    require_accepted(card, accept, workspace)
    items = with_parts(card, file)
    paths = [_path(card, item, fetch, progress, workspace) for item in items]
    parts = {item.part: path for item, path in zip(items[1:], paths[1:], strict=True)}
    run = import_card(card, paths[0], "", workspace, **parts)
    for item, path in zip(items, paths, strict=True):
        record_by_hand(item, target_path(card, item, workspace), path)
    return run


def with_parts(card: "Card", file: str = "") -> list["CardFile"]:
    """A file of a card, the first by default, and the first file of each further part that it needs."""
    require_files(card)
    first = card.file(file)
    further = {item.part: item for item in reversed(card.files) if item.part != first.part}
    return [first, *reversed(further.values())]


def _path(card: "Card", item: "CardFile", fetch: bool, progress: bool, workspace: Workspace | None) -> Path:
    if fetch:
        return get(card, item.name, progress=progress, workspace=workspace)
    found = find_cached(card, item, workspace)
    if found is None:
        named = card.name if item == card.files[0] else f"{card.name}:{item.name}"
        others = [f"{card.name}:{file.name}" for file in whole_files(card) if find_run(card, file.name, workspace)]
        hint = f"Imported and ready to use instead: {', '.join(others)}. " if others else ""
        raise DataNotFoundError(
            f"using the card {card.name!r}: {item.name} is not on this machine, and nothing is fetched unasked. {hint}Get it with "
            f"dfworkbench zoo get {named}, or add --get; in notebook 03, choose it and press Get. "
            f"{by_hand_text(card, item, target_path(card, item, workspace))}"
        )
    return found


def _item_of(card: "Card", path: Path) -> "CardFile | None":
    """The card's entry for a local file: by its name, or the only one."""
    files = whole_files(card)
    return files[0] if len(files) == 1 else next((item for item in files if item.name == path.name), None)


def _source(path: Path) -> dict[str, Any]:
    try:
        source = json.loads(path.read_text(encoding="utf-8")).get("source")
    except (OSError, ValueError, AttributeError):  # a damaged run is reported when it is opened
        return {}
    return source if isinstance(source, dict) else {}
