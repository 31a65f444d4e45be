"""Shared runs on Hugging Face: upload in one commit, download file by file from one revision.

Uploads use `huggingface_hub`. Downloads use `zoo.transfer`, like published weights: resumed, hashed, https only, and never in
offline mode.
"""

import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from dfworkbench.core.errors import DownloadError, OutputError, ParameterError
from dfworkbench.core.offline import offline
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import explain_write
from dfworkbench.runs.layout import MANIFEST
from dfworkbench.sharing.manifest import MOST_MANIFEST_BYTES, Manifest, may_be_shared, read_manifest
from dfworkbench.zoo.addresses import HUB, endpoint, fetch_address, require_safe

if TYPE_CHECKING:
    from dfworkbench.zoo.transfer import Patience, Progress

PREFIX = "hf:"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPOSITORY = re.compile(rf"({_PART}/{_PART})(?:@([\w./-]{{1,100}}))?")


def is_repository(text: str) -> bool:
    """Whether a source or target is a Hugging Face repository: hf:OWNER/NAME or its URL."""
    return text.startswith(PREFIX) or (text.startswith(HUB + "/") and not text.endswith(".zip"))


def parse_repository(text: str, doing: str) -> tuple[str, str]:
    """OWNER/NAME and revision ("main" by default) from hf:OWNER/NAME[@REVISION] or the URL of a repository.

    Raises:
        ParameterError: It is neither.
    """
    name = text.removeprefix(PREFIX).removeprefix(HUB + "/").strip("/")
    match = _REPOSITORY.fullmatch(name)
    if not match or ".." in name:
        raise ParameterError(
            f"{doing}: {text!r} is not a repository; expected hf:OWNER/NAME, such as hf:ann/mesonet4_demo, with @REVISION behind "
            "it if another than main is meant. Correct it."
        )
    return match[1], match[2] or "main"


def upload(folder: Path, manifest: Manifest, target: str, *, public: bool = False) -> None:
    """Upload a packed run in one commit, which also removes files of an earlier upload.

    Args:
        folder: From `packing.pack`.
        manifest: Its manifest.
        target: hf:OWNER/NAME; created if missing.
        public: Whether a new repository is public; the visibility of an existing one is not changed.

    Raises:
        ParameterError: The target is not a repository, or names a revision.
        OutputError: Connections are forbidden, or the upload failed; the repository is then unchanged.
    """
    doing = f"sharing the run {manifest.run!r} as {target}"
    name, revision = parse_repository(target, doing)
    if revision != "main":
        raise ParameterError(
            f"{doing}: it names the revision {revision!r}; expected none, because a share is added to main. Leave it out."
        )
    if switch := offline():
        raise OutputError(
            f"{doing}: {switch} forbids connections. Expected a network: share into a folder or .zip file, and carry it."
        )
    require_safe(endpoint())
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    with _explained(doing), warnings.catch_warnings():
        # score tables are stored with the weights on purpose
        warnings.filterwarnings("ignore", message=".*commit a data file", category=UserWarning)
        api = HfApi(endpoint=endpoint(), library_name="dfworkbench")
        api.create_repo(name, private=not public, exist_ok=True)
        new = (MANIFEST, *manifest.files)
        old = [file for file in api.list_repo_files(name) if may_be_shared(file) and file not in new]
        files = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=folder / file) for file in new]
        gone = [CommitOperationDelete(path_in_repo=file) for file in old]
        api.create_commit(name, [*files, *gone], commit_message=f"Share the run {manifest.run}")


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the library raises the exceptions of its HTTP client, which differ between versions
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise OutputError(
            f"{doing}: {first.rstrip('.')}. Expected a repository that you may write to: check its name, and set HF_TOKEN to a "
            "token with the right to write (huggingface.co/settings/tokens). No file was changed there."
        ) from error


def download(
    source: str,
    folder: Path,
    check: Callable[[Manifest], Any],
    *,
    progress: "Progress" = True,
    patience: "Patience | None" = None,
) -> None:
    """Download a shared run from a repository into a folder, continuing an earlier attempt.

    Args:
        source: hf:OWNER/NAME[@REVISION], or the URL of a repository.
        folder: Where the files are stored; locked by the caller.
        check: Called with the manifest before any other file is downloaded; may raise.
        progress: Whether and how to show a progress bar.
        patience: When to give up waiting for the server.

    Raises:
        ParameterError: The source is not a repository.
        DownloadError: Connections are forbidden, or a file is missing or not the one listed.
        CheckpointError: Its manifest is damaged.
        OutputError: The disk is full.
    """
    doing = f"fetching a run from {source}"
    name, revision = parse_repository(source, doing)

    def address(file: str, at: str) -> str:
        return fetch_address(f"{HUB}/{name}/resolve/{quote(at, safe='')}/{quote(file)}")

    (folder / MANIFEST).unlink(missing_ok=True)  # the repository may have changed since an earlier attempt
    announced = fetch_file(address(MANIFEST, revision), folder / MANIFEST, progress=False, patience=patience)
    with (folder / MANIFEST).open("rb") as stream:
        manifest = read_manifest(stream.read(MOST_MANIFEST_BYTES + 1), source)
    check(manifest)
    fixed = announced.get("revision", revision)  # somebody may upload during the download
    for file, about in manifest.files.items():
        target = folder / file
        if target.is_file() and file_hash(target) == about.sha256:
            continue
        fetch_file(address(file, fixed), target, (about.bytes, about.sha256), progress=progress, patience=patience)


def fetch_file(
    address: str,
    target: Path,
    known: tuple[int | None, str] = (None, ""),
    *,
    progress: "Progress" = True,
    patience: "Patience | None" = None,
) -> dict[str, str]:
    """Download a file, continuing a partial download.

    Args:
        address: URL of the file.
        target: Where to store it.
        known: Its size and SHA-256, if known.
        progress: Whether and how to show a progress bar.
        patience: When to give up waiting for the server.

    Returns:
        Metadata that Hugging Face reports, such as "revision".
    """
    from dfworkbench.zoo.transfer import Patience, Wanted, transfer

    if switch := offline():
        raise DownloadError(
            f"fetching {address}: {switch} forbids connections. Expected a network: fetch the run on another machine, and carry "
            "its folder or archive over."
        )
    require_safe(address)
    with explain_write(target, "a download"):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
    found = transfer(Wanted(address, target, *known), progress=progress, patience=patience or Patience())
    found.part.become(target)
    return found.announced


def is_address(text: str) -> bool:
    """Whether a source is a web address."""
    return urlsplit(text).scheme in ("http", "https")
