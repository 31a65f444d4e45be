"""Labels of scored files: words for real and fake, and label tables for scores without labels."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.tables import read_cells
from dfworkbench.evaluation.exchange.score_columns import find_columns, require_fake_label

_WORDS = {
    **dict.fromkeys(("real", "genuine", "original", "pristine", "bonafide"), REAL),
    **dict.fromkeys(("fake", "forged", "manipulated", "deepfake", "spoof"), FAKE),
    "": -1,
}
_NUMBERS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


def parse_labels(texts: pd.Series, fake_label: int, source: object) -> pd.Series:
    """Parse labels: 0 for real, 1 for fake, -1 for unknown.

    Cells are stripped, with line numbers as index and the header as name. Numbers are read according to `fake_label`, true is
    1; words such as real and fake are understood.

    Raises:
        TableError: A cell is not a label, or the header, such as is_real, contradicts `fake_label`.
    """
    lower = texts.str.lower()
    values = {word: int(fake_label == number) for word, number in _NUMBERS.items()}
    if lower.isin(list(values)).any():
        require_fake_label(str(texts.name), fake_label, source)
    labels = lower.map(_WORDS | values | {"-1": -1, "-1.0": -1})
    if labels.isna().any():
        row = int(labels.isna().to_numpy().argmax())
        raise TableError(
            f"reading scores from {source}: line {texts.index[row]} has the label {texts.iloc[row]!r}; expected 0 or 1, real or "
            "fake, or nothing where it is not known. Correct it, or choose rows without it (judge: --where). "
            "If other numbers are kinds of forgery, put them into a column 'forgery'."
        )
    return labels.astype("int64")


def read_labels(path: Path | str, fake_label: int = FAKE) -> list[dict[str, int]]:
    """Path or id -> label, one dict per column that names files, read from a CSV such as `labels/<data set>/videos.csv`.

    Raises:
        DataNotFoundError: There is no such file.
        TableError: It has no such columns, or a file has two labels.
    """
    source = Path(path)
    cells = read_cells(source, "reading labels")
    found = find_columns(list(cells), {}, source, needed=("path", "label"))
    labels = parse_labels(cells[found["label"]].str.strip(), fake_label, source)
    return [_known(cells[found[role]], labels, source) for role in ("video", "path") if role in found]


def _known(names: pd.Series, labels: pd.Series, source: Path) -> dict[str, int]:
    known: dict[str, int] = {}
    for text, label in zip(names, labels, strict=True):
        key = _plain(text)
        if known.setdefault(key, int(label)) != label:
            raise TableError(
                f"reading labels from {source}: {key!r} is listed as real and as fake, or with and without a label; expected one "
                "label per file. Correct it, or give paths that differ."
            )
    return {key: label for key, label in known.items() if key and label >= 0}


class _Matches(NamedTuple):
    exact: dict[str, str]  # file -> key of its label
    by_end: dict[str, str]
    unclear: list[str]  # files whose name matches several labels, or shares one with other files
    without: list[str]


def with_labels(
    scores: pd.DataFrame, known: Sequence[Mapping[str, int]], source: object
) -> tuple[pd.DataFrame, list[str]]:
    """Add labels to a score table, and return notes on what matched and what did not.

    A label belongs to the file with the same path or, if unambiguous, to one where either path ends with the other: `a.mp4` and
    `clips/a.mp4`. Of the dicts from `read_labels`, the one that matches most files is used. Folder names such as real or fake
    are ignored.

    Raises:
        TableError: None matches, or a label contradicts one in the scores.
    """
    found = [(_match(scores["video_id"].drop_duplicates(), labels), labels) for labels in known]
    matches, labels = max(found, key=lambda pair: len(pair[0].exact) + len(pair[0].by_end))
    keys = matches.exact | matches.by_end
    if not keys:
        raise TableError(
            f"labelling scores by {source}: none of its {len(labels)} labels (first: {next(iter(labels), '')!r}) is of a scored "
            f"file (first: {scores['video_id'].iloc[0]!r}). Expected equal paths, or ends of them: write them as they are scored."
        )
    given = scores["video_id"].map({video: labels[key] for video, key in keys.items()})
    of_file = scores.groupby("video_id")["label"].transform("max")  # a forged video may also show real people
    wrong = given.notna() & (of_file >= 0) & (of_file != given)
    if wrong.any():
        raise TableError(
            f"labelling scores by {source}: {scores.loc[wrong, 'video_id'].nunique()} files have another label in the scores than "
            f"there (first: {scores.loc[wrong, 'video_id'].iloc[0]!r}); expected equal labels. Correct one of the two."
        )
    filled = scores["label"].where(scores["label"] >= 0, given.fillna(-1)).astype("int64")
    return scores.assign(label=filled), _sentences(matches, set(labels) - set(keys.values()), source)


def _match(videos: Iterable[str], labels: Mapping[str, int]) -> _Matches:
    exact = {video: _plain(video) for video in videos if _plain(video) in labels}
    by_name: dict[str, list[str]] = {}
    for key in labels:
        by_name.setdefault(PurePosixPath(key).stem, []).append(key)
    found: dict[str, list[str]] = {}
    for video in videos:
        if video not in exact:
            fitting = by_name.get(PurePosixPath(_plain(video)).stem, [])
            found[video] = [key for key in fitting if _ends_alike(_plain(video), key)]
    taken = pd.Series([*exact.values(), *(keys[0] for keys in found.values() if len(keys) == 1)]).value_counts()
    by_end = {video: keys[0] for video, keys in found.items() if len(keys) == 1 and taken[keys[0]] == 1}
    unclear = [video for video, keys in found.items() if keys and video not in by_end]
    return _Matches(exact, by_end, unclear, [video for video, keys in found.items() if not keys])


def _ends_alike(one: str, other: str) -> bool:
    """Whether one path ends with the other; a name without a suffix matches any suffix."""
    a, b = PurePosixPath(one), PurePosixPath(other)
    if not a.suffix or not b.suffix:
        a, b = (path.with_name(path.stem) for path in (a, b))
    short, long = sorted((a.parts, b.parts), key=len)
    return long[-len(short) :] == short


def _sentences(matches: _Matches, unused: set[str], source: object) -> list[str]:
    total = sum(map(len, matches))
    out = [f"labels: {len(matches.exact) + len(matches.by_end)} of {total} files have one in {source}"]
    for count, words in (
        (matches.by_end, "were matched by the end of their path"),
        (matches.unclear, "have a name that fits several labels or files, and do not count"),
        (matches.without, "have no label, and do not count"),
        (sorted(unused), "labels are of no scored file"),
    ):
        if count:
            out.append(f"labels: {len(count)} {words} (first: {next(iter(count))!r})")
    return out


def _plain(text: str) -> str:
    return text.strip().replace("\\", "/").removeprefix("./")
