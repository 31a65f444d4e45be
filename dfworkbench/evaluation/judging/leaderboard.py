"""Leaderboard: detectors compared under one protocol."""

import math
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.html import html_table, note_html, wrap, write_page
from dfworkbench.core.outputs import LEADERBOARD, require_replaceable
from dfworkbench.datasets.tables import write_csv
from dfworkbench.evaluation.judging.by_protocol import Judged
from dfworkbench.evaluation.judging.protocol import Protocol
from dfworkbench.evaluation.metrics.evaluate import lost_intervals, row_interval

LOWER_IS_BETTER = frozenset({"aurc", "brier", "ece", "eer", "log_loss"})
_FIRST = ("name", "protocol", "metric", "value", "low", "high")

_HEADS = {"auc": "AUC", "eer": "EER", "partial_auc": "partial AUC", "tpr_at_5_percent_fpr": "TPR at 5 % FPR"}


class Leaderboard:
    """Judged detectors, sorted by the protocol's first metric; ties by name.

    Args:
        judged: From `judge_by`, all under one protocol.
    """

    def __init__(self, judged: Iterable[Judged] = ()) -> None:
        self._judged: list[Judged] = []
        for one in judged:
            self.add(one)

    def add(self, judged: Judged) -> None:
        """Add a detector.

        Raises:
            ParameterError: It was judged under another protocol (the message names the fields that differ), or its name is taken.
        """
        protocol = self.protocol
        if protocol is not None and judged.protocol.sha256 != protocol.sha256:
            raise ParameterError(_refusal(judged, protocol))
        if any(one.name == judged.name for one in self._judged):
            raise ParameterError(
                f"adding {judged.name!r} to a leaderboard: an entry has this name already. Expected one entry per name: give "
                "this one another, such as that of its run."
            )
        self._judged.append(judged)

    @property
    def protocol(self) -> Protocol | None:
        """The protocol of all entries; None if there are none."""
        return self._judged[0].protocol if self._judged else None

    @property
    def entries(self) -> list[Judged]:
        """Entries sorted by the first metric, independent of insertion order."""
        return sorted(self._judged, key=_rank)

    def frame(self) -> pd.DataFrame:
        """Numbers: one row per entry and metric: name, protocol, metric, value, low, high, other columns of `evaluate`."""
        parts = [one.rows for one in self.entries]
        if not parts:
            return pd.DataFrame(columns=list(_FIRST))
        rows = pd.concat(parts, ignore_index=True)
        return rows[[*_FIRST, *(name for name in rows if name not in _FIRST)]]

    def table(self) -> pd.DataFrame:
        """Text: one row per entry; rank, name, a column per metric with its interval, files, coverage, protocol, note."""
        rows = []
        for rank, one in enumerate(self.entries, 1):
            first = one.rows.iloc[0]
            cells: dict[str, Any] = {"rank": rank, "name": one.name}
            cells |= {row.metric: _cell(row) for row in one.rows.itertuples()}
            cells |= {"files": int(first["videos"]), "coverage": f"{first['coverage']:.1%}"}
            rows.append({**cells, "protocol": one.protocol.id, "note": " ".join(filter(None, _notes(one)))})
        return pd.DataFrame(rows)

    def to_csv(self, path: Path | str) -> Path:
        """Write the numbers as CSV; only an existing leaderboard is overwritten."""
        require_replaceable(Path(path), LEADERBOARD)
        write_csv(self.frame(), path, "a leaderboard")
        return Path(path)

    def to_html(self, path: Path | str) -> Path:
        """Write a standalone HTML page; only a page written by dfworkbench is overwritten."""
        return write_page(Path(path), "Leaderboard", self._repr_html_(), "a leaderboard")

    def __len__(self) -> int:
        return len(self._judged)

    def __repr__(self) -> str:
        return "empty leaderboard" if not self._judged else f"{self.protocol}\n{self.table().to_string(index=False)}"

    def _repr_html_(self) -> str:
        if not self._judged:
            return wrap("empty leaderboard")
        table, confidence = self.table(), 100 * self._judged[0].protocol.confidence
        shown = table.drop(columns=["note", "protocol"])
        notes = "".join(note_html(f"{one.name}: {note}") for one in self.entries for note in _notes(one) if note)
        rows = shown.itertuples(index=False, name=None)
        words = f'<div class="dfw-hint">{escape(str(self.protocol))}; {confidence:g} % intervals</div>'
        heads = [_HEADS.get(name, name.replace("_", " ")) for name in map(str, shown)]
        return wrap(f"{html_table(heads, rows)}{words}{notes}")


def _notes(judged: Judged) -> list[str]:
    return [judged.note, *lost_intervals(judged.rows)]


def _rank(judged: Judged) -> tuple[float, str]:
    first = judged.rows.iloc[0]
    value = float(first["value"])
    sign = 1.0 if first["metric"] in LOWER_IS_BETTER else -1.0
    return (math.inf if math.isnan(value) else sign * value, judged.name)


def _cell(row: Any) -> str:
    if math.isnan(row.value):
        return f"not defined ({row.reason})"
    return row_interval(row).text()


def _refusal(judged: Judged, protocol: Protocol) -> str:
    changed = protocol.differences(judged.protocol)
    lines = "\n".join(
        f"  {name}: {_short(here)} here, {_short(there)} there" for name, (here, there) in changed.items()
    )
    return (
        f"adding {judged.name!r} to a leaderboard of protocol {protocol.id}: it was judged under {judged.protocol.id}, which "
        f"differs in {len(changed)} field(s):\n{lines}\nFigures of different protocols are not comparable. Judge it under this "
        "protocol, or start a new leaderboard."
    )


def _short(value: Any) -> str:
    return repr(value[:10] + "…") if isinstance(value, str) and len(value) == 64 else repr(value)
