"""Read and write a run's safetensors file: record, shapes, and weights copied into an existing network."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dfworkbench.core.errors import CheckpointError
from dfworkbench.core.workspace import atomic_path
from dfworkbench.media.foreign import parse_json
from dfworkbench.models.finite import all_finite

FORMAT = "dfworkbench-detector-1"
#: One key holds everything: safetensors writes metadata in random order, and equal runs must give equal bytes.
_KEY = "dfworkbench"
#: The file is memory-mapped; pages that were read count as memory of this process until the mapping is closed.
_MAPPED_BYTES = 1 << 26

Shapes = dict[str, tuple[int, ...]]


def write_weights(path: Path, weights: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write tensors with their record, atomically and without copying the tensors."""
    written: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, value in weights.items():
        plain = value.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        # the format cannot store two names for the same memory (tied weights)
        written[name] = plain.clone() if storage in seen else plain
        seen.add(storage)
    with atomic_path(path, "a checkpoint") as temporary:
        save_file(written, temporary, metadata={_KEY: json.dumps(dict(record), sort_keys=True)})


def read_header(path: Path) -> tuple[dict[str, Any], Shapes]:
    """The record of a weight file and the shapes of its tensors, without reading the tensors.

    Raises:
        CheckpointError: The file is damaged or not written by dfworkbench.
    """
    return read_record_as(path, FORMAT)


def read_record_as(path: Path, expected: str) -> tuple[dict[str, Any], Shapes]:
    """`read_header` of a file whose record names a given format."""
    with explained(path), safe_open(path, "pt") as file:
        record = parse_json((file.metadata() or {}).get(_KEY, "null"))
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}
    if not isinstance(record, dict) or record.get("format") != expected:
        seen = record.get("format") if isinstance(record, dict) else None
        raise CheckpointError(
            f"loading {path}: it is a safetensors file, but its record says format {seen!r} instead of {expected!r}. It was "
            "written by another program or a newer dfworkbench; only weights saved by dfworkbench say what they must be fed."
        )
    return record, shapes


def fill_from(path: Path, network: nn.Module) -> None:
    """Copy the tensors of a file into a network with the same names and shapes, using 64 MB besides the network.

    Raises:
        CheckpointError: The file is damaged, or some values are not finite, as after training that diverged.
    """
    own = network.state_dict()
    bad: list[str] = []
    with explained(path):
        for names in _portions(own):
            with safe_open(path, "pt") as file:
                for name in names:
                    value = file.get_tensor(name)
                    if not all_finite(value):
                        bad.append(name)
                    own[name].copy_(value)
                    del value
    if bad:
        raise CheckpointError(
            f"loading {path}: {len(bad)} of its {len(own)} tensors hold values that are not numbers (first: {bad[0]!r}). "
            "Expected finite weights: the training diverged or the file is damaged. Take an earlier epoch, or train again."
        )


def _portions(tensors: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """Names in batches of about `_MAPPED_BYTES`."""
    names: list[str] = []
    total = 0
    for name, value in tensors.items():
        names.append(name)
        total += value.numel() * value.element_size()
        if total >= _MAPPED_BYTES:
            yield names
            names, total = [], 0
    if names:
        yield names


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors while reading a weight file into a `CheckpointError`."""
    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"loading {path}: it is damaged or not a safetensors file ({error}). Expected weights that dfworkbench saved, such as "
            "checkpoints/<run>/epoch_001.safetensors."
        ) from None
