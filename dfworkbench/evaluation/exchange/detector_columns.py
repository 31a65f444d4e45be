"""Choose the detector columns of a wide score table by headers or patterns, with polarity and scale."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean
from dfworkbench.evaluation.exchange.score_columns import names_no_score
from dfworkbench.evaluation.exchange.score_csv import Polarity, Scale

_POLARITIES: dict[str, Polarity] = {"fake": "fake", "real": "real"}
_SCALES: dict[str, Scale] = {"probability": "probability", "percent": "percent", "logit": "logit"}


class DetectorColumn(NamedTuple):
    """A column of scores.

    Attributes:
        header: Header in the file.
        name: Display name: the header without the part before the star of its pattern.
        polarity: What a high score means.
        scale: Scale of its scores.
    """

    header: str
    name: str
    polarity: Polarity
    scale: Scale


def choose_detectors(
    headers: Sequence[str],
    patterns: Sequence[str],
    columns: Mapping[str, str],
    usual: tuple[Polarity, Scale],
    source: Path,
) -> list[DetectorColumn]:
    """The columns that match the patterns, in file order.

    Args:
        headers: Headers of the table.
        patterns: Headers, or patterns such as "prob_*", which skip columns that are not scores by their headers, such as the
            path; a suffix ":real", ":fake", ":logit", ":percent" or ":probability" states what the scores mean. Later entries
            override earlier ones.
        columns: Role -> header; these are not detectors.
        usual: Default polarity and scale.
        source: The file, for messages.

    Raises:
        ParameterError: A pattern matches no column.
    """
    free = [header for header in headers if header and header not in columns.values()]
    found: dict[str, DetectorColumn] = {}
    for text in patterns:
        pattern, (polarity, scale) = _parse(text, usual, free)
        fitting = [
            header
            for header in free
            if header == pattern or (fnmatchcase(header.lower(), pattern.lower()) and not names_no_score(header))
        ]
        if not fitting:
            raise ParameterError(
                f"choosing detectors of {source}: no column fits {pattern!r}; there are {', '.join(map(repr, headers))}."
                f"{did_you_mean(pattern, headers)} Correct --detectors."
            )
        prefix = re.match(r"[^*?\[]*", pattern)[0] if "*" in pattern else ""  # pyright: ignore[reportOptionalSubscript]
        for header in fitting:
            rest = header[len(prefix) :].strip()
            found[header] = DetectorColumn(header, rest if re.search(r"\w", rest) else header, polarity, scale)
    names = [one.name for one in found.values()]
    plain = [one if names.count(one.name) == 1 else one._replace(name=one.header) for one in found.values()]
    return sorted(plain, key=lambda one: headers.index(one.header))


def _parse(text: str, usual: tuple[Polarity, Scale], headers: Sequence[str]) -> tuple[str, tuple[Polarity, Scale]]:
    pattern, (polarity, scale) = text.strip(), usual
    while ":" in pattern and pattern not in headers:
        before, _, word = pattern.rpartition(":")
        if word in _POLARITIES:
            polarity = _POLARITIES[word]
        elif word in _SCALES:
            scale = _SCALES[word]
        else:
            break
        pattern = before
    return pattern, (polarity, scale)
