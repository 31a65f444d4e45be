"""Small files published beside weights: what they say about head and input is used for the import, or becomes a caveat."""

import dataclasses
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import CheckpointError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.media.foreign import read_json
from dfworkbench.zoo.card import Card
from dfworkbench.zoo.hf_classifier import input_of

_CONFIG, _STATISTICS, _PREPROCESSOR = "config.json", "pretrain_ds_mean_std.txt", "preprocessor_config.json"


def with_files_beside(card: Card, file: Path) -> Card:
    """The card adjusted to the files beside its weights; the same card if there are none.

    Args:
        card: A card with a network.
        file: Its weight file.

    Returns:
        The card with the head that config.json names (`CardNetwork.head_words`), mean and std from pretrain_ds_mean_std.txt, and a
        caveat if preprocessor_config.json describes another input than the card.

    Raises:
        CheckpointError: A file cannot be read, or names an unknown head.
    """
    network: Any = card.network
    if network.head_words and (found := _table(card, file.parent / _CONFIG)):
        word = str(found.get("head", ""))
        if word not in network.head_words:
            raise CheckpointError(
                f"importing {card.name}: {file.parent / _CONFIG} names the head {word[:80]!r}; expected one of "
                f"{', '.join(network.head_words)}. Get the file of this release, or remove it: the card then says which."
            )
        card = card.model_copy(update={"network": network.model_copy(update={"before_head": network.head_words[word]})})
    if found := _table(card, file.parent / _STATISTICS):
        card = card.model_copy(update={"input": _with_statistics(card, found)})
    if card.input.alignment == "whole_resized" and (found := _table(card, file.parent / _PREPROCESSOR)):
        card = card.model_copy(update={"caveats": (*card.caveats, *_difference(card.input, found))})
    return card


def _with_statistics(card: Card, found: dict[str, Any]) -> InputSpec:
    try:
        mean, std = (tuple(float(value) for value in found[name]) for name in ("mean", "std"))
        if len(mean) != 3 or len(std) != 3:
            raise ValueError(f"{len(mean)} means and {len(std)} stds")
        return dataclasses.replace(card.input, mean=mean, std=std)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"importing {card.name}: {_STATISTICS} beside the weights makes no sense ({error!r:.120}). Expected mean and std of "
            "three channels: get it again, or remove it."
        ) from None


def _difference(card_input: InputSpec, found: dict[str, Any]) -> list[str]:
    """A caveat if a preprocessor describes another input."""
    advice = "This card follows the code of the network's authors."
    try:
        theirs = input_of(found, card_input.size_px, "whole").to_dict()
    except WorkbenchError:
        return [f"{_PREPROCESSOR} beside the weights describes an input that cannot be prepared here. {advice}"]
    ours = card_input.to_dict()
    differ = [f"{name} {theirs[name]!r} instead of {ours[name]!r}" for name in ours if ours[name] != theirs[name]]
    return [f"{_PREPROCESSOR} beside the weights says {', '.join(differ)}. {advice}"] if differ else []


def _table(card: Card, path: Path) -> dict[str, Any]:
    """A JSON table, or an empty one if there is no file."""
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"importing {card.name}: {path} cannot be read ({error}). Expected JSON: get it again, or remove it."
        ) from None
    return found if isinstance(found, dict) else {}
