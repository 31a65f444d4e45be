"""`share`: write a run to a folder, a zip archive or a Hugging Face repository for others to fetch."""

import hashlib
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from dfworkbench.core.errors import OutputError, WorkbenchError
from dfworkbench.core.locks import held
from dfworkbench.core.outputs import OutputKind, require_replaceable
from dfworkbench.core.workspace import Workspace, atomic_path, explain_write, find_workspace
from dfworkbench.runs.layout import MANIFEST
from dfworkbench.runs.run import Run
from dfworkbench.sharing.manifest import Manifest
from dfworkbench.sharing.packing import DEFAULT, Packing, pack
from dfworkbench.sharing.repository import is_repository, upload
from dfworkbench.sharing.sources import FolderSource, manifest_of, open_source

#: Timestamp of all files in an archive, so that equal runs give equal archives.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Shared:
    """What was shared.

    Attributes:
        target: Folder, archive or repository.
        manifest: Its manifest.
        sha256: SHA-256 of the manifest, which covers all files; `fetch` can check it.
    """

    target: str
    manifest: Manifest
    sha256: str


def share(
    run: Run | str,
    target: Path | str = "",
    packing: Packing = DEFAULT,
    *,
    public: bool = False,
    workspace: Workspace | None = None,
) -> Shared:
    """Share a run.

    Args:
        run: A run or its name.
        target: A folder, a .zip file, or hf:OWNER/NAME; empty: report/shared/<run> in the workspace. An earlier share is
            replaced, anything else is refused.
        packing: What is included.
        public: Whether a new repository is public.
        workspace: The workspace.

    Raises:
        DataNotFoundError: There is no such run or base.
        CheckpointError: The run is damaged, or has no tensor in common with the base.
        OutputError: The target cannot be written, or holds something else; an interrupted share leaves it unchanged.
    """
    space = workspace or find_workspace()
    found = run if isinstance(run, Run) else Run.open(run, space)
    if is_repository(str(target)):
        with tempfile.TemporaryDirectory(prefix="dfworkbench-share-") as folder:
            manifest = pack(found, Path(folder), packing, space)
            upload(Path(folder), manifest, str(target), public=public)
        return _shared(str(target), manifest)
    path = Path(target) if target else space.root / "report" / "shared" / found.name
    if path.suffix == ".zip":
        return _shared(str(path), _to_archive(found, path, packing, space))
    if path.suffix in (".tar", ".gz", ".tgz", ".7z"):
        raise OutputError(
            f"sharing the run {found.name!r} as {path}: archives of the kind {path.suffix!r} are not written. Expected a folder, a "
            "name that ends in .zip, or hf:OWNER/NAME. Choose one of them."
        )
    return _shared(str(path), _to_folder(found, path, packing, space))


def _shared(target: str, manifest: Manifest) -> Shared:
    return Shared(target, manifest, hashlib.sha256(manifest.to_bytes()).hexdigest())


def _to_archive(run: Run, path: Path, packing: Packing, space: Workspace) -> Manifest:
    require_replaceable(path, ARCHIVE)
    with tempfile.TemporaryDirectory(prefix="dfworkbench-share-") as name:
        folder = Path(name)
        manifest = pack(run, folder, packing, space)
        with atomic_path(path, ARCHIVE.words) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for file in (MANIFEST, *sorted(manifest.files)):
                entry = zipfile.ZipInfo(f"{run.name}/{file}", _TIME)
                # weights do not compress
                entry.compress_type = zipfile.ZIP_STORED if file.endswith(".safetensors") else zipfile.ZIP_DEFLATED
                entry.file_size = (folder / file).stat().st_size  # entries beyond 4 GB have another format
                with (folder / file).open("rb") as stream, archive.open(entry, "w") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
    return manifest


def _to_folder(run: Run, path: Path, packing: Packing, space: Workspace) -> Manifest:
    doing = f"sharing the run {run.name!r}"
    _require_ours(path, doing)
    staging = path.absolute().parent / f".share-{path.name}"
    with held(staging, doing):
        try:
            made, old = staging / "new", staging / "old"
            for left in (made, old):  # left by a share that was killed
                shutil.rmtree(left, ignore_errors=True)
            manifest = pack(run, made, packing, space)
            with explain_write(path, "a shared run"):
                if path.exists():
                    path.rename(old)
                made.rename(path)
            return manifest
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _require_ours(path: Path, doing: str) -> None:
    """Refuse a target that holds anything but an earlier share, because it would be lost."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    problem = "it is a file"
    if path.is_dir():
        try:
            manifest, _ = manifest_of(FolderSource(path))
            names = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
            strangers = sorted(names - set(manifest.files) - {MANIFEST})
            problem = f"it holds {strangers[0]}, which no share wrote" if strangers else ""
        except WorkbenchError:
            problem = "it holds other files than a shared run"
    if problem:
        raise OutputError(
            f"{doing}: {path} already exists, and {problem}. Expected a new folder, a .zip file or an earlier share. It was "
            "left as it was: choose another name."
        )


def _is_archive(path: Path) -> bool:
    try:
        with open_source(path) as source:
            manifest_of(source)
    except WorkbenchError:
        return False
    return True


ARCHIVE = OutputKind("a shared run", (".zip",), _is_archive)
