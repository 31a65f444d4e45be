"""Weight deltas: only the tensors that differ from a base run, with the base's content hash.

A delta is a safetensors file. Its record holds the base's content hash, the names of the tensors taken from the base, and the
complete record of the weight file to rebuild. Tensors are compared bit by bit and stored whole, so the rebuilt file is
identical bit for bit. `content_hash` covers only names, types, shapes and bytes of the tensors: the record of an imported file
holds package versions, so two machines that import the same published file write different bytes around the same weights.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from dfworkbench.core.errors import CheckpointError
from dfworkbench.runs.weight_file import explained, read_header, read_record_as, write_weights

DELTA_FORMAT = "dfworkbench-delta-1"


@dataclass(frozen=True)
class Difference:
    """How a weight file differs from a base.

    Attributes:
        same: Names of the tensors that are identical bit for bit.
        changed: Names of all others.
        same_bytes: Size of the equal tensors.
        total_bytes: Size of all tensors of the file.
    """

    same: tuple[str, ...]
    changed: tuple[str, ...]
    same_bytes: int
    total_bytes: int

    @property
    def saved(self) -> float:
        """Fraction of the bytes that the base already has, 0 to 1."""
        return self.same_bytes / self.total_bytes if self.total_bytes else 0.0


def content_hash(path: Path) -> str:
    """SHA-256 over name, type, shape and bytes of all tensors of a safetensors file, in the order of their names.

    Raises:
        CheckpointError: The file is damaged.
    """
    total = hashlib.sha256()
    with explained(path), safe_open(path, "pt") as file:
        for name in sorted(file.keys()):
            value = file.get_tensor(name)
            total.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
            total.update(_bytes_of(value))
    return total.hexdigest()


def compare(path: Path, base: Path) -> Difference:
    """Compare the tensors of a weight file with those of a base, bit by bit.

    Raises:
        CheckpointError: One of the files is damaged.
    """
    same, changed, same_bytes, total = [], [], 0, 0
    with explained(path), safe_open(path, "pt") as ours, explained(base), safe_open(base, "pt") as theirs:
        known = set(theirs.keys())
        for name in sorted(ours.keys()):
            value = ours.get_tensor(name)
            size = value.numel() * value.element_size()
            total += size
            if name in known and _equal(value, theirs.get_tensor(name)):
                same.append(name)
                same_bytes += size
            else:
                changed.append(name)
    return Difference(tuple(same), tuple(changed), same_bytes, total)


def write_delta(
    target: Path, path: Path, difference: Difference, base: Mapping[str, str], record: Mapping[str, Any]
) -> None:
    """Write the changed tensors of a weight file.

    Args:
        target: The delta file.
        path: The weight file.
        difference: From `compare`.
        base: Name of the base's "run" and "file", and its "content" hash.
        record: Record for the rebuilt file.
    """
    head = {
        "format": DELTA_FORMAT,
        "base": dict(base),
        "from_base": list(difference.same),
        "content": content_hash(path),
        "record": dict(record),
    }
    with explained(path), safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in difference.changed}
    write_weights(target, tensors, head)


def read_delta(path: Path) -> dict[str, Any]:
    """The record of a delta: format, base, from_base, content, record.

    Raises:
        CheckpointError: The file is damaged or not a delta.
    """
    head, _ = read_record_as(path, DELTA_FORMAT)
    base, names = head.get("base"), head.get("from_base")
    whole = isinstance(base, dict) and isinstance(base.get("content"), str) and isinstance(head.get("record"), dict)
    if not (whole and isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise CheckpointError(
            f"reading the weights {path}: the record of this delta lacks its base, names or record. Expected a delta that "
            "`dfworkbench share` wrote. Fetch it again."
        )
    return head


def rebuild(target: Path, delta: Path, base: Path) -> None:
    """Rebuild a weight file from a delta and its base, identical bit for bit to the one that was shared.

    Args:
        target: The weight file.
        delta: From `write_delta`.
        base: The weight file of the base.

    Raises:
        CheckpointError: The delta was made from other base weights, or a file is damaged.
    """
    head = read_delta(delta)
    found, wanted = content_hash(base), head["base"]["content"]
    doing = f"rebuilding {target.name} from a delta"
    if found != wanted:
        named = "/".join(str(head["base"].get(key, "?")) for key in ("run", "file"))
        raise CheckpointError(
            f"{doing}: the weights of {base.parent.name}/{base.name} have the content hash {found[:16]}…; expected those of "
            f"{named}, {wanted[:16]}…, which the delta was made from. It would give another network: get that base, and name it "
            "with --base."
        )
    with explained(base), safe_open(base, "pt") as theirs, explained(delta), safe_open(delta, "pt") as ours:
        tensors: dict[str, Tensor] = {name: theirs.get_tensor(name) for name in head["from_base"]}
        tensors |= {name: ours.get_tensor(name) for name in ours.keys()}
    write_weights(target, tensors, head["record"])
    if (made := content_hash(target)) != head.get("content"):
        target.unlink(missing_ok=True)
        raise CheckpointError(
            f"{doing}: the result has the content hash {made[:16]}…; expected {str(head.get('content'))[:16]}…, that of the "
            "weights which were shared. The delta is damaged or was changed: fetch it again."
        )
    read_header(target)  # detect a bad record now, not when the run is used


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors have the same bits: 0.0 is not -0.0, and a NaN equals itself."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(_flat(a), _flat(b))


def _flat(value: Tensor) -> Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)


def _bytes_of(value: Tensor) -> memoryview:
    return _flat(value).numpy().data
