"""`get`: fetch the weight file of a published detector, with its terms accepted and its hash checked."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dfworkbench.core.errors import DataNotFoundError, DownloadError
from dfworkbench.core.locks import held
from dfworkbench.core.offline import offline
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, explain_write
from dfworkbench.zoo.addresses import fetch_address, require_safe
from dfworkbench.zoo.cache import find_cached, record_by_hand, require_hash, size_of, target_path, write_record
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.licences import require_accepted

if TYPE_CHECKING:
    from dfworkbench.zoo.card import Card, CardFile
    from dfworkbench.zoo.transfer import Fetched, Patience, Progress, Wanted


def get(
    card: "Card | str",
    file: str = "",
    *,
    accept: bool = False,
    progress: "Progress" = True,
    workspace: Workspace | None = None,
    patience: "Patience | None" = None,
) -> Path:
    """The local file of a card, fetched if it is not on this machine.

    An interrupted download continues when this is called again. A file with the right hash in the caches of torch or Hugging Face
    is used from there. `zoo.describe.file_text` says what would be fetched.

    Args:
        card: A card or its name.
        file: Name of one of its files; the first one by default.
        accept: Accept the terms of the card; this is remembered.
        progress: Whether to show a progress bar; or a class to use in place of `tqdm`.
        workspace: Workspace whose weights folder is used, unless DFWORKBENCH_WEIGHTS names another one.
        patience: How long to wait for the server.

    Returns:
        The file, as published by its authors.

    Raises:
        UnknownNameError: There is no such card or file.
        ParameterError: The card's terms were not accepted.
        DataNotFoundError: The authors offer the file on a web page only; the message says where to put it.
        DownloadError: There is no connection, or the received file is not the expected one.
        OutputError: The disk is full, or another process is fetching the file.
    """
    card = get_card(card) if isinstance(card, str) else card
    require_files(card)
    item = card.file(file)
    target = target_path(card, item, workspace)
    require_accepted(card, accept, workspace)
    found = find_cached(card, item, workspace)
    if found is None:
        _require_possible(card, item, target)
        _fetch(card, item, target, progress, patience)
        return target
    if found == target:
        record_by_hand(item, target, target)
    return found


def require_files(card: "Card") -> None:
    """Refuse a card that stands for a kind of release and lists no files.

    Raises:
        DataNotFoundError: It lists none; the message says how to import one.
    """
    if not card.files:
        raise DataNotFoundError(
            f"getting the weights of the card {card.name!r}: it stands for any release of its kind and names no file. Expected one "
            f"that you chose: download all its files into a folder, and dfworkbench zoo import {card.name} FOLDER."
        )


def by_hand_text(card: "Card", file: "CardFile", target: Path) -> str:
    """How to bring a file here by hand, from another machine or a page: address, size, hash, and where it belongs."""
    sha256 = f"SHA-256 {file.sha256}" if file.sha256 else "SHA-256 not known"
    return (
        f"To bring it by hand, get {file.url} ({size_of(file)}, {sha256}) in a browser or on another machine and put it at "
        f"{target}, or import it from where it is: dfworkbench zoo import {card.name} FILE"
    )


def _require_possible(card: "Card", file: "CardFile", target: Path) -> None:
    if file.by_hand:
        raise DataNotFoundError(
            f"getting {file.name} of the card {card.name!r}: its authors offer it on a page that no program can fetch it from. "
            f"{by_hand_text(card, file, target)}"
        )
    if switch := offline():
        raise DownloadError(
            f"getting {file.name} of the card {card.name!r}: it is not on this machine, and {switch} forbids connections. "
            f"{by_hand_text(card, file, target)}"
        )
    require_safe(fetch_address(file.url))


def _fetch(card: "Card", file: "CardFile", target: Path, progress: "Progress", patience: "Patience | None") -> None:
    from dfworkbench.zoo.transfer import Patience, Wanted, transfer  # httpx is only needed here

    lock = target.with_name(f".fetch-{target.name}")
    with explain_write(target, "a download"):
        target.parent.mkdir(parents=True, exist_ok=True)
    with held(lock, f"fetching {file.name} of the card {card.name!r}"):
        try:
            if target.is_file():  # another process was faster
                require_hash(card, file, target, file_hash(target), f"Delete {target} and get it again.")
                return
            wanted = Wanted(fetch_address(file.url), target, file.bytes, file.sha256 or "")
            fetched = transfer(wanted, progress=progress, patience=patience or Patience())
            _keep(card, file, wanted, fetched)
        except DownloadError as error:
            raise DownloadError(f"{error} {by_hand_text(card, file, target)}") from error
        finally:
            shutil.rmtree(lock, ignore_errors=True)


def _keep(card: "Card", file: "CardFile", wanted: "Wanted", fetched: "Fetched") -> None:
    """Move the received file into place, unless a hash recorded earlier shows that it is another file."""
    part = fetched.part
    try:
        require_hash(card, file, wanted.target, part.sha256, "What was received was deleted.")
    except DownloadError:
        part.restart()
        raise
    revision = {"revision": fetched.announced["revision"]} if "revision" in fetched.announced else {}
    write_record(wanted.target, part.sha256, {"bytes": part.size, "address": wanted.address, **revision})
    part.become(wanted.target)
