"""Read the tensors of third-party weight files (safetensors or torch) without executing anything."""

from pathlib import Path

from torch import Tensor

from dfworkbench.core.errors import CheckpointError
from dfworkbench.media.foreign import is_safetensors, read_safetensors, read_tensors
from dfworkbench.models.finite import all_finite

#: Keys under which training scripts store the network's tensors, averaged weights first.
_ENTRIES = ("state_dict_ema", "model_ema", "state_dict", "model")


def read_weights(path: Path, *, doing: str, expected: str, where_to_get: str) -> dict[str, Tensor]:
    """Tensors of a file by name, without wrapper prefixes.

    Args:
        path: A safetensors file, or one written by torch.save.
        doing: The current action, with which messages begin.
        expected: What such a file should contain.
        where_to_get: A sentence without full stop on how to get the file.

    Raises:
        DataNotFoundError: There is no such file.
        CheckpointError: It is damaged, contains code, contains no network, or has values that are not finite.
    """
    words = {"doing": doing, "expected": expected, "where_to_get": where_to_get}
    if path.is_file() and is_safetensors(path):
        state = read_safetensors(path, **words)
    else:
        state = read_tensors(path, entries=_ENTRIES, numpy_scalars=True, namespaces=True, **words)
    bad = [name for name, value in state.items() if not all_finite(value)]
    if bad:
        raise CheckpointError(
            f"{doing}: {len(bad)} of the {len(state)} tensors in {path} hold values that are not numbers (first: {bad[0]!r}). "
            f"Expected {expected}, all finite. {where_to_get}."
        )
    return state
