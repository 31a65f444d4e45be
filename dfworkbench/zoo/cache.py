"""Cache of downloaded weights: file locations, records of each file, and caches of other programs that may contain it.

```
<weights>/<card>/FILE                 as published by its authors
<weights>/<card>/FILE.record.json     its SHA-256 and size when first seen, its address, and the date
<weights>/<card>/licence.json         the terms that were accepted (`zoo.licences`)
```

`<weights>` is the folder named by DFWORKBENCH_WEIGHTS, else weights/ in the workspace. The caches of torch and of Hugging Face are
read, never written.
"""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dfworkbench.core.errors import DownloadError
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, atomic_path, find_workspace

if TYPE_CHECKING:
    from dfworkbench.zoo.card import Card, CardFile

WEIGHTS_VARIABLE = "DFWORKBENCH_WEIGHTS"


def card_folder(card: "Card", workspace: Workspace | None = None) -> Path:
    """Folder of a card's downloaded files; it need not exist."""
    named = os.environ.get(WEIGHTS_VARIABLE)
    root = Path(named).expanduser().absolute() if named else (workspace or find_workspace()).root / "weights"
    return root / card.name


def target_path(card: "Card", file: "CardFile", workspace: Workspace | None = None) -> Path:
    """Where a file of a card belongs, whether or not it exists."""
    return card_folder(card, workspace) / Path(file.name).name


def find_cached(card: "Card", file: "CardFile", workspace: Workspace | None = None) -> Path | None:
    """A file of a card that is already on this machine, with the right hash; None if there is none.

    Raises:
        DownloadError: The cache contains a file of this name with an unexpected hash; it is not touched.
    """
    target = target_path(card, file, workspace)
    if target.is_file():
        require_hash(card, file, target, file_hash(target), f"Delete {target} and get it again.")
        return target
    return next((path for path in _elsewhere(file) if file_hash(path) == file.sha256), None) if file.sha256 else None


def require_hash(card: "Card", file: "CardFile", target: Path, found: str, cure: str) -> None:
    """Compare a hash with that of the card; for a card without one, with the hash recorded at the first download, if any.

    Args:
        card: The card.
        file: One of its files.
        target: Where the file belongs; its record is beside it.
        found: SHA-256 of the file.
        cure: What to do if the hash differs.

    Raises:
        DownloadError: The hashes differ.
    """
    if file.sha256:
        known, source = file.sha256, f"stated by {file.says}" if file.says else "of the card"
    else:
        record = read_record(target)
        known = str(record.get("sha256", "")) or found
        source = f"recorded {record.get('date', '')}; the card states none"
        cure += f" If the authors published another file and you trust it, delete {record_path(target)} too."
    if found.lower() != known.lower():
        raise DownloadError(
            f"checking {file.name} of the card {card.name!r}: its SHA-256 is {found}, expected {known} ({source}). {cure}"
        )


def record_path(target: Path) -> Path:
    """Path of the record of a downloaded file."""
    return target.with_name(f"{target.name}.record.json")


def read_record(target: Path) -> dict[str, Any]:
    """The record of a file from when it was first seen; empty if there is none."""
    return read_object(record_path(target))


def write_record(target: Path, sha256: str, about: Mapping[str, Any]) -> None:
    """Record a file that was seen for the first time; an existing record is kept."""
    if not read_record(target):
        write_object(record_path(target), {"sha256": sha256, "date": today(), **about})


def record_by_hand(file: "CardFile", target: Path, path: Path) -> None:
    """Record a file that was supplied by hand, if its card states no hash; an existing record is kept.

    Args:
        file: The file of the card.
        target: Where it belongs; its record is beside it.
        path: Where it is.
    """
    if not file.sha256 and not read_record(target):
        write_record(target, file_hash(path), {"bytes": path.stat().st_size, "address": "brought by hand"})


def size_of(file: "CardFile") -> str:
    """Size of a file, as far as known, such as "266 MB", "about 266 MB" or "size not known"."""
    if file.bytes is not None:
        return size_text(file.bytes)
    return f"about {size_text(file.about_bytes)}" if file.about_bytes else "size not known"


def size_text(size: int) -> str:
    """A number of bytes in readable form, such as 1.22 GB."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= 0.9995 * step:  # which three digits round up
            return f"{size / step:.3g} {unit}"
    return f"{size} bytes"


def today() -> str:
    """The date in the format of records."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from this cache; empty if there is none.

    Raises:
        DownloadError: The file is damaged: its checks must not be skipped.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        values = error
    if not isinstance(values, dict):
        raise DownloadError(
            f"reading {path}: it is damaged ({values if isinstance(values, Exception) else type(values).__name__}); expected a "
            "JSON object that dfworkbench wrote. Delete it; what it recorded is then asked for or recorded again."
        )
    return values


def write_object(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object into this cache."""
    with atomic_path(path, "a record of downloaded weights") as temporary:
        temporary.write_text(json.dumps(dict(values), indent=1) + "\n")


def _elsewhere(file: "CardFile") -> Iterator[Path]:
    """Files of this name in the caches of torch and Hugging Face, whatever their contents."""
    name = Path(unquote(urlsplit(file.url).path)).name or file.name
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    torch_home = Path(os.environ.get("TORCH_HOME") or user / "torch").expanduser()
    yield from filter(Path.is_file, [torch_home / "hub" / "checkpoints" / name])
    parts = unquote(urlsplit(file.url).path).strip("/").split("/")
    if urlsplit(file.url).netloc == "huggingface.co" and len(parts) > 4 and parts[2] == "resolve":
        home = Path(os.environ.get("HF_HOME") or user / "huggingface").expanduser()
        hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
        snapshots = hub / f"models--{parts[0]}--{parts[1]}" / "snapshots"
        yield from filter(Path.is_file, sorted(snapshots.glob(f"*/{_literal('/'.join(parts[4:]))}")))


def _literal(path: str) -> str:
    """A path as a pattern that matches only itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
