"""Side-by-side table of several detectors on the same files: a row per file and person, a column per detector and rule."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from dfworkbench.core.errors import InputError
from dfworkbench.core.html import html_table, note_html, wrap
from dfworkbench.evaluation.scoring.aggregate import RULES
from dfworkbench.evaluation.scoring.results import FileScore, Scored, TrackScore, distinct_names

_SAME_FACE = 0.4  # minimum mean overlap (IoU) of two tracks of one person from different face searches
_AUTHORS = "authors' rule"


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Scores of several detectors, as a table for terminal and notebook.

    Attributes:
        table: `video_id`, `who` ("" for the file, else a person's track or "whole picture"), and for each detector a column of
            fake probabilities; a second one, "<detector>, authors' rule", if its authors have their own rule. NaN for no score.
        rules: One sentence per applied rule.
        notes: Notes on the scores, with the detectors' names.
        failures: (video_id, column) -> why there is no score, in a few words.
    """

    table: pd.DataFrame
    rules: tuple[str, ...]
    notes: tuple[str, ...]
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def texts(self) -> pd.DataFrame:
        """The table as text: short file names, people below their file, probabilities with two digits."""
        names = distinct_names(list(dict.fromkeys(self.table["video_id"])))
        detectors = list(self.table.columns[2:])
        rows = []
        for row in self.table.to_dict("records"):
            head = f"- {row['who']}" if row["who"] else names[row["video_id"]]
            rows.append([head, *(self._cell(row, name) for name in detectors)])
        return pd.DataFrame(rows, columns=["", *detectors])

    def _cell(self, row: dict, column: str) -> str:
        if not np.isnan(row[column]):
            return f"{row[column]:.2f}"
        return self.failures.get((row["video_id"], column), "-") if not row["who"] else "-"

    def __repr__(self) -> str:
        texts = self.texts()
        cells = [list(map(str, texts.columns)), *texts.to_numpy().tolist()]
        heads, cells = _wrapped_heads(cells[0]), cells[1:]
        widths = [max(len(line[place]) for line in (*heads, *cells)) for place in range(len(texts.columns))]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
            for line in (*heads, *cells)
        ]
        return "\n".join([*(line.rstrip() for line in lines), *self.rules, *(f"NOTE: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        texts = self.texts()
        heads = list(texts.columns)
        files = [not who for who in self.table["who"]]
        table = html_table(heads, texts.to_numpy().tolist(), files, right=[False, *[True] * (len(heads) - 1)])
        rules = "".join(f'<div class="dfw-hint">{escape(text)}</div>' for text in self.rules)
        return wrap(f"{table}{rules}{''.join(map(note_html, self.notes))}", "dfw-side")


def side_by_side(scored: Sequence[Scored]) -> SideBySide:
    """Combine the scores of several detectors on the same files into one table.

    People are matched between detectors by their boxes, because detectors may need different face searches.

    Args:
        scored: Results of `score`, one per detector, in column order.

    Raises:
        InputError: There is nothing to show.
    """
    if not scored:
        raise InputError("putting scores side by side: no scores were given. Expected those of at least one detector.")
    names = _distinct([one.detector or "detector" for one in scored])
    theirs = [f"{name}, {_AUTHORS}" if any(file.authors for file in one) else "" for name, one in _zip(names, scored)]
    rows, failures = [], {}
    for video_id in dict.fromkeys(file.video_id for one in scored for file in one):
        found = [next((file for file in one if file.video_id == video_id), None) for one in scored]
        own: dict[str, float] = {}
        for name, their, file in zip(names, theirs, found, strict=True):
            own |= _numbers(name, their, file)
            failures |= {(video_id, column): _why(file) for column in (name, their) if column}
        rows.append({"video_id": video_id, "who": "", **own})
        for people in _people(found):
            numbers = {name: track.fake_probability for name, track in _zip(names, people) if track is not None}
            rows.append({"video_id": video_id, "who": _called(people), **numbers})
    columns = [column for pair in _zip(names, theirs) for column in pair if column]
    table = pd.DataFrame(rows, columns=["video_id", "who", *columns])
    table[columns] = table[columns].astype("float64")
    return SideBySide(table, _rules(names, scored), _notes(names, scored), failures)


def _zip(names: Sequence, others: Sequence) -> Iterator[tuple]:
    return zip(names, others, strict=True)


def _numbers(name: str, theirs: str, file: FileScore | None) -> dict[str, float]:
    if file is None:
        return {}
    beside = {theirs: file.authors.fake_probability} if theirs and file.authors else {}
    return {name: file.fake_probability, **beside}


def _why(file: FileScore | None) -> str:
    return "not scored" if file is None else "-" if file.ok else file.status.replace("_", " ")


def _people(found: Sequence[FileScore | None]) -> list[list[TrackScore | None]]:
    """Tracks per person, one per detector or None; people in order of first occurrence."""
    people: list[list[TrackScore | None]] = []
    for place, file in enumerate(found):
        free = list(people)
        for track in file.tracks if file else []:
            overlaps = [_overlap(next(filter(None, person)), track) for person in free]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] >= _SAME_FACE:
                free.pop(best)[place] = track
            else:
                people.append([track if at == place else None for at in range(len(found))])
    return people


def _overlap(one: TrackScore, other: TrackScore) -> float:
    """Mean overlap (IoU) of the boxes in shared frames; 0 if there are none or the tracks show different things."""
    if one.shows != other.shows:
        return 0.0
    _, here, there = np.intersect1d(one.frames, other.frames, return_indices=True)
    if not len(here):
        return 0.0
    a, b = one.boxes[here], other.boxes[there]
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1)
    return float(np.mean(shared / np.maximum(areas - shared, 1e-9)))


def _called(people: Sequence[TrackScore | None]) -> str:
    first = next(filter(None, people))
    if first.shows == "picture":
        return "whole picture" if len(first) == 1 else f"whole picture ({len(first)} frames)"
    when = f", {first.times[0]:.1f}-{first.times[-1]:.1f} s" if len(first) > 1 else ""
    return f"track {first.track} ({first.count}{when}{', doubtful' if first.doubt else ''})"


def _rules(names: Sequence[str], scored: Sequence[Scored]) -> tuple[str, ...]:
    """Our rule, once if all share it, and each authors' rule."""
    own = {name: RULES[one[0].rule] for name, one in _zip(names, scored) if len(one)}
    same = len(set(own.values())) == 1
    lines = [f"score of a file: {words}" if same else f"{name}: {words}" for name, words in own.items()]
    for name, one in _zip(names, scored):
        lines += [f"{name}, {_AUTHORS}: {file.authors.words}" for file in one if file.authors]
    return tuple(dict.fromkeys(lines))


def _notes(names: Sequence[str], scored: Sequence[Scored]) -> tuple[str, ...]:
    """Each note once, prefixed with the names of its detectors."""
    by_text: dict[str, dict[str, None]] = {}
    for name, one in _zip(names, scored):
        for file in one:
            for text in filter(None, (file.caveat, f"{file.title}: {file.doubt}" if file.doubt else "")):
                by_text.setdefault(text, {})[name] = None
    return tuple(f"{', '.join(of)}: {text}" for text, of in by_text.items())


def _distinct(names: Sequence[str]) -> list[str]:
    """Unique names: repeated ones get a number."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


def _wrapped_heads(heads: Sequence[str]) -> list[list[str]]:
    """Two-line headings: the detector, and below it the rule if it is the authors'."""
    parts = [head.partition(", ") for head in heads]
    return (
        [[first for first, _, _ in parts], [last for _, _, last in parts]] if any(p[2] for p in parts) else [[*heads]]
    )
