"""Convert tensors of a published file to the state dict of a `PublishedDetector`: names, joins, folding, strict comparison."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dfworkbench.core.errors import CheckpointError
from dfworkbench.models.finite import all_finite
from dfworkbench.runs.matching import Shapes, shape_differences
from dfworkbench.zoo.card import CardNetwork
from dfworkbench.zoo.names import SCHEMES, renamed

_SHOWN = 5
_PART = re.compile(r"^(.*)\[(\d)\](.*)$")
#: Name suffixes of a layer whose weight is the sum of a main part and a low-rank residual.
_FOLDED = ("weight_main", "U_residual", "S_residual", "V_residual")
_FOLD_UNUSED = (r".*\.[USV]_r",)


class Source(NamedTuple):
    """Sources of an entry of our network: names in the file, in order, and whether the tensor is transposed."""

    names: tuple[str, ...]
    transposed: bool = False


def fit(
    network: CardNetwork, tensors: Mapping[str, Tensor], own: Shapes, unfit: str, expected: str
) -> Iterator[tuple[str, Tensor]]:
    """Yield the entries of a detector from the tensors of a file, which must match them exactly.

    Args:
        network: Network description of the card.
        tensors: Tensors of the file; unmodified entries remain views of it.
        own: Shapes of the detector's state dict.
        unfit: How an error message begins: "importing X: a.pth does not fit its card".
        expected: What such a file should be.

    Yields:
        Name in our state dict, and tensor.

    Raises:
        CheckpointError: Names or shapes differ (the message lists the first five), or a value is not finite.
    """
    stripped, originals = _stripped(network, tensors)
    if network.fold == "svd_residual":
        stripped = folded(stripped)
    sources = _sources(network, stripped)
    seen = {name: _shape(source, stripped, own.get(name)) for name, source in sources.items()}
    zeros = [f"trunk.{name}" for name in network.zeros if f"trunk.{name}" in own and f"trunk.{name}" not in seen]
    given = {name: shape for name, shape in own.items() if name not in zeros}
    differences = shape_differences(given, seen)
    if differences:
        named = [_with_source(text, sources, originals) for text in differences[:_SHOWN]]
        more = "; …" if len(differences) > _SHOWN else ""
        raise CheckpointError(
            f"{unfit}: {len(differences)} of {len(own)} entries differ: {'; '.join(named)}{more}. Expected {expected}."
        )
    for name, source in sources.items():
        value = _made(source, stripped, own[name])
        if value.is_floating_point() and not all_finite(value.float()):  # in the precision the network will use
            theirs = ", ".join(originals.get(part, part) for part in source.names)
            raise CheckpointError(
                f"{unfit}: its entry {theirs} holds values that are not numbers. Expected {expected}, with finite weights: the "
                "file is damaged, or its training diverged. Get it again."
            )
        yield name, value
    for name in zeros:
        yield name, torch.zeros(own[name])


def _stripped(network: CardNetwork, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by their names without wrapper prefixes and unused entries; and the names in the file."""
    unused = [*network.ignore, *(name for key in network.schemes for name in SCHEMES[key].ignore)]
    unused += _FOLD_UNUSED if network.fold == "svd_residual" else ()
    found: dict[str, Tensor] = {}
    originals: dict[str, str] = {}
    for original, value in tensors.items():
        name = original
        for beginning in network.strip:
            name = name.removeprefix(beginning)
        if not any(re.fullmatch(pattern, name) for pattern in unused):
            name = name if name not in found else original  # a second one is left over, and reported as a difference
            found[name], originals[name] = value, original
    return found, originals


def folded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights W + U diag(S) V of layers that store `weight_main` (W) and a low-rank residual; nothing is decomposed.

    Yan et al.: Orthogonal Subspace Decomposition for Generalizable AI-Generated Image Detection (Effort). ICML 2025,
    arXiv:2411.15633.
    """
    main = [name.removesuffix("weight_main") for name in tensors if name.endswith(".weight_main")]
    found = {name: value for name, value in tensors.items() if name.rsplit(".", 1)[-1] not in _FOLDED}
    for layer in main:
        parts = [tensors.get(layer + part) for part in _FOLDED]
        if any(part is None for part in parts):  # left as they are, they are reported as differences
            found |= {layer + part: tensors[layer + part] for part in _FOLDED if layer + part in tensors}
            continue
        weight, left, values, right = (part.float() for part in parts if part is not None)
        found[layer + "weight"] = weight + (left * values) @ right
    return found


def _sources(network: CardNetwork, tensors: Mapping[str, Tensor]) -> dict[str, Source]:
    """Our names, and the sources of each."""
    renames = [*network.renames, *(pair for key in network.schemes for pair in SCHEMES[key].renames)]
    found: dict[str, Source] = {}
    parts: dict[str, dict[int, str]] = {}
    for name in tensors:
        ours = _ours(name, network, renames)
        if part := _PART.match(ours):
            parts.setdefault(part[1] + part[3], {})[int(part[2])] = name
            continue
        plain = ours.removesuffix(".T")
        # if two entries have one name, the second is left over, and reported as a difference
        found[plain if plain not in found else name] = Source((name,), plain != ours)
    for ours, numbered in parts.items():
        whole = sorted(numbered) == [0, 1, 2]
        found |= (
            {ours: Source(tuple(numbered[i] for i in range(3)))}
            if whole
            else {n: Source((n,)) for n in numbered.values()}
        )
    return found


def _ours(name: str, network: CardNetwork, renames: Sequence[tuple[str, str]]) -> str:
    for theirs, ours in ((network.head, "head"), (network.batch_norm, "norm")):
        if theirs and name.startswith(f"{theirs}."):
            return ours + name.removeprefix(theirs)
    return f"trunk.{renamed(name, renames)}"


def _shape(source: Source, tensors: Mapping[str, Tensor], own: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape of a source's result: joined, transposed, and with leading ones if only these are missing."""
    shapes = [tuple(tensors[name].shape) for name in source.names]
    if len(shapes) > 1:
        same = len({shape[1:] for shape in shapes}) == 1 and all(shapes)
        return (sum(shape[0] for shape in shapes), *shapes[0][1:]) if same else shapes[0]
    shape = shapes[0][::-1] if source.transposed else shapes[0]
    lacking = len(own or ()) - len(shape)
    return own if own and lacking > 0 and own == (1,) * lacking + shape else shape


def _with_source(difference: str, sources: Mapping[str, Source], originals: Mapping[str, str]) -> str:
    """A difference, with the name of the entry in the file."""
    for word in difference.split(" ")[:2]:
        if word in sources:
            names = ", ".join(originals.get(name, name) for name in sources[word].names)
            return difference.replace(word, f"{word} (in the file {names})"[:250], 1)
    return difference


def _made(source: Source, tensors: Mapping[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    values: list[Any] = [tensors[name] for name in source.names]
    value = torch.cat(values) if len(values) > 1 else values[0]
    return (value.T if source.transposed else value).reshape(shape)
