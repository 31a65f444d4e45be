"""Tensors of a file under their authors' names, beside those that a network of ours wants."""

import re
from collections.abc import Mapping, Sequence

Shapes = Mapping[str, tuple[int, ...]]


def renamed(key: str, renames: Sequence[tuple[str, str]]) -> str:
    """The authors' name of an entry of our state dict.

    Args:
        key: Ours.
        renames: Pattern and replacement, each applied to the beginning of the name, in this order.
    """
    for pattern, replacement in renames:
        key = re.sub(f"^{pattern}", replacement, key)
    return key


def shape_differences(wanted: Shapes, seen: Shapes) -> list[str]:
    """In words, how the shapes in a file differ from those that a network wants; empty where they fit."""
    wrong = [
        f"{key} is {seen[key]}, expected {wanted[key]}" for key in wanted if seen.get(key, wanted[key]) != wanted[key]
    ]
    missing = [f"missing {key} {shape}" for key, shape in wanted.items() if key not in seen]
    # names of a file may be of any length
    return wrong + missing + [f"unexpected {key[:80]} {shape}" for key, shape in seen.items() if key not in wanted]
