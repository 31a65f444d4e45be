"""`fetch`: install a shared run from a folder, an archive or a Hugging Face repository into `checkpoints/`, atomically."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, OutputError, WorkbenchError
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import Workspace, explain_write, find_workspace
from dfworkbench.runs.layout import BEST, FETCHED, IMPORTED_EPOCH, MANIFEST, epoch_file
from dfworkbench.runs.released import require_run_name
from dfworkbench.runs.run import Run, find_checkpoint
from dfworkbench.runs.weight_delta import content_hash, rebuild
from dfworkbench.runs.weight_file import read_header
from dfworkbench.runs.writer import new_run, require_free
from dfworkbench.sharing.manifest import Base, Manifest
from dfworkbench.sharing.repository import download, fetch_file, is_address, is_repository
from dfworkbench.sharing.sources import Source, copy_file, manifest_of, open_source
from dfworkbench.zoo.cache import size_text

if TYPE_CHECKING:
    from dfworkbench.zoo.transfer import Patience, Progress

_ARCHIVE = "run.zip"
#: By how much the size of a file with the base's weights may differ, because its record differs.
_RECORD_BYTES = 1_000_000


def fetch(
    source: Path | str,
    name: str = "",
    *,
    base: str = "",
    sha256: str = "",
    workspace: Workspace | None = None,
    progress: "Progress" = True,
    patience: "Patience | None" = None,
) -> Path:
    """Install a shared run in the workspace; every file is checked against its hash, and nothing is executed.

    Args:
        source: A folder, a .zip file or its https URL, hf:OWNER/NAME[@REVISION], or the URL of a repository.
        name: Name of the run here; empty: the name it was shared under.
        base: Run or weight file with the tensors that are not shared; empty: searched for among the runs.
        sha256: Expected SHA-256 of the list of files, as `share` printed it; "": any.
        workspace: The workspace.
        progress: Whether downloads show a progress bar.
        patience: Timeouts and retries for servers.

    Returns:
        The folder of the run.

    Raises:
        DataNotFoundError: There is no such source, it is not a shared run, or the base is missing.
        CheckpointError: A file is missing, damaged or not the one listed; or the base has other weights.
        ParameterError: There is a run of this name, or it cannot be the name of a folder.
        DownloadError: Connections are forbidden, or a download failed; downloaded parts are kept, and the next call continues.
        OutputError: The workspace is not writable, or another process is fetching the run.
    """
    space = workspace or find_workspace()

    def check(manifest: Manifest) -> tuple[str, Path | None]:
        """Local name and base of the run; refuses an impossible request before anything large is fetched or copied."""
        own = require_run_name(name or manifest.run, Path(manifest.run))
        require_free(space.checkpoints / own, f"fetching {manifest.run!r} as the run {own!r}")
        return own, _find_base(manifest, base, space) if manifest.deltas else None

    with _here(str(source), space, _Transfer(progress, patience, check)) as path, open_source(path) as opened:
        manifest, content = manifest_of(opened)
        found = hashlib.sha256(content).hexdigest()
        if sha256 and sha256.lower() != found:
            raise CheckpointError(
                f"fetching a run from {source}: the SHA-256 of its {MANIFEST} is {found}, expected {sha256}. It is another run "
                "or another version of it: ask who shared it."
            )
        own, base_file = check(manifest)
        with new_run(space.checkpoints / own, f"fetching {manifest.run!r}") as made:
            _install(opened, manifest, made, base_file)
            about = {"source": _named(str(source)), "date": f"{datetime.now(UTC):%Y-%m-%d}", "sha256": found}
            with explain_write(made, "a fetched run"):
                (made / FETCHED).write_text(json.dumps({**about, "manifest": json.loads(content)}, indent=1) + "\n")
    return space.checkpoints / own


class _Transfer(NamedTuple):
    """Options of a download: progress bar, patience, and the check of its list of files."""

    progress: "Progress"
    patience: "Patience | None"
    check: Callable[[Manifest], Any]


def _named(source: str) -> str:
    """The source as recorded in the run; for a local path only its name, because runs are shown to others."""
    return source if is_repository(source) or is_address(source) else Path(source).absolute().name


@contextmanager
def _here(source: str, space: Workspace, how: _Transfer) -> Iterator[Path]:
    """Local path of the source. A download is removed on success, else kept if it can be continued."""
    if not is_repository(source) and not is_address(source):
        yield Path(source).expanduser()
        return
    staging = space.checkpoints / f".fetch-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    files = staging / "files"  # too deep to show up in lists of runs
    with held(staging, f"fetching a run from {source}"):
        try:
            with explain_write(files, "a download"):
                files.mkdir(exist_ok=True)
            if is_repository(source):
                download(source, files, how.check, progress=how.progress, patience=how.patience)
                yield files
            else:
                fetch_file(source, files / _ARCHIVE, progress=how.progress, patience=how.patience)
                yield files / _ARCHIVE
        except WorkbenchError:
            useless = (MANIFEST, _ARCHIVE)  # the list is fetched again anyway, and a complete archive was rejected
            if not any(file.is_file() and file.name not in useless for file in files.rglob("*")):
                shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(staging, ignore_errors=True)


def _install(source: Source, manifest: Manifest, folder: Path, base: Path | None) -> None:
    """Copy all files of a shared run and rebuild the weights that need a base."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if manifest.size > free:
        raise OutputError(
            f"fetching the run {manifest.run!r} from {source.place}: it has {size_text(manifest.size)}, and {size_text(free)} "
            f"are free at {folder.parent.parent}. Expected room for all of it: free some space, or choose another workspace "
            "(DFWORKBENCH_HOME)."
        )
    for name, about in manifest.files.items():
        copy_file(source, name, about, folder / name)
    for name, epoch in manifest.deltas.items():
        assert base is not None
        rebuild(epoch_file(folder, epoch), folder / name, base)
        (folder / name).unlink()
    run = Run(folder)
    for epoch in run.epochs:
        read_header(epoch_file(folder, epoch))
    if run.best not in run.epochs:
        raise CheckpointError(
            f"fetching the run {manifest.run!r} from {source.place}: {BEST} names epoch {run.best}, and there are weights of "
            f"{', '.join(map(str, run.epochs))}. Expected those of the best epoch: get it again from who shared it."
        )


def _find_base(manifest: Manifest, wanted: str, space: Workspace) -> Path:
    """The weight file with the tensors that a shared run does not include: the one given, or one with the right hash.

    Raises:
        DataNotFoundError: There is none.
    """
    if wanted:
        return find_checkpoint(wanted, workspace=space)  # `rebuild` refuses a wrong one
    if manifest.base is None:
        raise CheckpointError(
            f"fetching the run {manifest.run!r}: it carries a part of its weights, and its {MANIFEST} names no base. Expected "
            "one: get it again, or name the base with --base."
        )
    for file in _candidates(manifest.base, space):
        try:
            if content_hash(file) == manifest.base.content:
                return file
        except WorkbenchError:  # some other run is damaged
            continue
    raise DataNotFoundError(_missing(manifest, manifest.base, space))


def _candidates(base: Base, space: Workspace) -> Iterator[Path]:
    """Candidates for the base: first the run of its name, then imports and best epochs of all runs."""
    named = space.checkpoints / base.run / base.file
    if named.parent.parent == space.checkpoints and named.is_file():  # the names come from an untrusted file
        yield named
    for name in Run.names(space):
        run = Run(space.checkpoints / name)
        try:
            files = {run.weights(), epoch_file(run.folder, IMPORTED_EPOCH)}
        except WorkbenchError:
            continue
        for file in files - {named}:
            if file.is_file() and abs(file.stat().st_size - base.bytes) <= _RECORD_BYTES:
                yield file


def _missing(manifest: Manifest, base: Base, space: Workspace) -> str:
    names = ", ".join(Run.names(space)) or "none"
    if base.card:
        get = f"import it with `dfworkbench zoo get {base.card}` and `dfworkbench zoo score {base.card} PATH`"
    else:
        get = "fetch it first"
    return (
        f"fetching the run {manifest.run!r}: it carries only the tensors that differ from its base {base.run}/{base.file} "
        f"(content hash {base.content[:16]}…), and no run in {space.checkpoints} has those weights (runs there: {names}). "
        f"Expected the base: {get}, or name its weight file with --base."
    )
