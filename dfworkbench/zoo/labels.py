"""Find the fake class of an image classifier, from its labels or as given by the user."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import CheckpointError, ParameterError

FAKE_WORDS = frozenset(("fake", "deepfake", "ai", "artificial", "generated", "synthetic", "manipulated"))
REAL_WORDS = frozenset(("real", "realism", "human", "hum", "authentic", "natural"))
#: Repositories whose labels are known to be swapped, with the source of this claim.
SWAPPED = {"prithivMLmods/Deep-Fake-Detector-v2-Model": "its author admits it, according to third parties"}

#: More classes than any of these classifiers has; a file may state any number.
MOST_LABELS = 1000

_DOING = "importing hf_image_classifier"


def fake_of(labels: Mapping[int, str]) -> int | None:
    """Index of the one label with a word for fake, if exactly one other has a word for real; else None."""
    words = {index: _words(label) for index, label in labels.items()}
    fakes = [index for index, found in words.items() if found & FAKE_WORDS and not found & REAL_WORDS]
    reals = [index for index, found in words.items() if found & REAL_WORDS and not found & FAKE_WORDS]
    return fakes[0] if len(fakes) == len(reals) == 1 and len(labels) == 2 else None


def labels_of(config: Mapping[str, Any]) -> dict[int, str]:
    """The labels in a config.json by index; if there are none, the default names of transformers.

    Raises:
        CheckpointError: The indices do not run from 0.
    """
    found = config.get("id2label") or {f"{index}": f"LABEL_{index}" for index in range(_count(config))}
    texts = {str(index): str(label) for index, label in found.items()} if isinstance(found, Mapping) else {}
    indices = [str(index) for index in range(len(texts))]
    if not 0 < len(texts) <= MOST_LABELS or sorted(texts) != sorted(indices):
        seen = ", ".join(sorted(texts)[:10]) or "none"
        raise CheckpointError(
            f"{_DOING}: its labels have the indices {seen[:120]}; expected 0 and following, at most {MOST_LABELS}. Get it again."
        )
    labels = {int(index): texts[index] for index in indices}
    return labels


def fake_index(folder: Path, labels: Mapping[int, str], fake: int | str | None) -> int:
    """Index of the fake class; for a single logit, 0 if it means real.

    Args:
        folder: Folder of the classifier, whose name may be one of `SWAPPED`.
        labels: Label of each class.
        fake: The index, if given by the user.

    Raises:
        ParameterError: It follows neither from the labels nor from `fake`, or the index does not exist.
    """
    if fake is not None and str(fake) not in map(str, range(max(2, len(labels)))):
        raise ParameterError(f"{_DOING}: fake = {fake!r}; expected an index of {dict(labels)}. Correct it.")
    if fake is not None:
        return int(fake)
    advice = (
        "Give the index of the fake class (fake=0 or fake=1; on the command line -p fake 1), and check it with files of known "
        "truth"
    )
    place = folder.resolve().as_posix().replace("--", "/")
    if known := next((name for name in SWAPPED if name in place), ""):
        raise ParameterError(
            f"{_DOING}: the labels of {known} are known to be swapped ({SWAPPED[known]}): {dict(labels)}. {advice}."
        )
    found = fake_of(labels)
    if found is None:
        raise ParameterError(
            f"{_DOING}: its labels are {dict(labels)}; expected exactly one that says fake ({', '.join(sorted(FAKE_WORDS))}) "
            f"and one that says real ({', '.join(sorted(REAL_WORDS))}). {advice}."
        )
    return found


def _count(config: Mapping[str, Any]) -> int:
    count = config.get("num_labels", 2)
    return count if isinstance(count, int) and 0 < count <= MOST_LABELS else 0


def _words(label: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", label)}
