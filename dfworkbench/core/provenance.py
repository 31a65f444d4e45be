"""Provenance records: the code, packages, data and settings behind a result."""

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import dfworkbench

PACKAGES = (
    "torch", "torchvision", "facenet-pytorch", "lightning-fabric", "safetensors", "numpy", "pandas", "opencv-python-headless",
    "scikit-learn", "timm",
)  # fmt: skip


def provenance(settings: Mapping[str, Any], *, seed: int, tables: Mapping[str, str], splits: str) -> dict[str, Any]:
    """Build a record of plain values, identical for the same code, data and settings (no times, no paths).

    Args:
        settings: Settings of the run.
        seed: Its random seed.
        tables: Name -> content hash of each table that was read (`tables.table_hash`).
        splits: Hash of the split file.
    """
    commit, dirty = git_state()
    return {
        "dfworkbench": dfworkbench.__version__,
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: package_version(name) for name in PACKAGES},
        "seed": seed,
        "tables": dict(tables),
        "splits": splits,
        "settings": dict(settings),
    }


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of the source tree and whether it has uncommitted changes; (None, None) for an installed package."""
    root = Path(dfworkbench.__file__).parent.parent
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=no")
    return (commit or None), (None if status is None else bool(status))


def package_version(name: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in chunks."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _git(root: Path, *arguments: str) -> str | None:
    try:
        out = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return out.stdout.strip()
