"""The history of a run for other tools: named values per epoch with timestamps, and settings under flat names."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.runs.run import Run
from dfworkbench.training.settings import FREE_FIELDS

#: Columns that are not metrics.
_OTHERS = ("epoch", "best")
_SPLITS = ("train", "val")
#: Settings listed first, because tools show the first ones as columns.
_FIRST = ("detector", "dataset", "method", "epochs", "learning_rate", "batch_size", "seed", "start_from", "trainable")


@dataclass(frozen=True)
class EpochFigures:
    """The values of an epoch.

    Attributes:
        epoch: Counted from 1.
        time_s: When it ended, in seconds since 1970: the start of the session plus the duration of its epochs, not counting
            validation and writing.
        values: Name -> value, such as "loss/train", "loss/val", "learning_rate"; numeric columns only.
    """

    epoch: int
    time_s: float
    values: dict[str, float]


def figures_per_epoch(run: Run) -> list[EpochFigures]:
    """The history of a run, one entry per finished epoch.

    Raises:
        DataNotFoundError: It has no history: imported weights, or no finished epoch.
    """
    history = run.history
    if history.empty:
        raise DataNotFoundError(
            f"exporting the run {run.name!r}: it has no history. Expected a run with at least one trained epoch; imported weights "
            "have none. Name another run."
        )
    starts = dict(_sessions(run))
    found, now = [], min(starts.values(), default=0.0)
    for row in history.to_dict("records"):
        epoch = int(row["epoch"])
        now = starts.get(epoch, now) + float(row.get("seconds", 0.0))
        values = {
            _tag(str(name)): float(value) for name, value in row.items() if name not in _OTHERS and _is_number(value)
        }
        found.append(EpochFigures(epoch, now, values))
    return found


def flat_settings(run: Run) -> dict[str, str | int | float | bool]:
    """Settings of a run under flat names such as "detector_options.stages", the most important ones first.

    Lists become JSON. Empty values are left out, as are settings that cannot change what is learned.
    """
    settings = run.settings
    names = [name for name in _FIRST if name in settings]
    names += [name for name in settings if name not in (*names, *FREE_FIELDS)]
    return dict(_flat("", {name: settings[name] for name in names}))


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float | bool]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        elif value is not None and value not in ("", []):
            yield f"{prefix}{name}", value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _tag(column: str) -> str:
    """`train_loss` as "loss/train": tools group names with the same prefix."""
    split, _, name = column.partition("_")
    return f"{name}/{split}" if split in _SPLITS and name else column


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _sessions(run: Run) -> Iterator[tuple[int, float]]:
    """First epoch and start time of each session in which the run was trained or continued."""
    sessions = run.provenance.get("sessions")
    for session in sessions if isinstance(sessions, list) else []:
        try:
            yield int(session["first_epoch"]), datetime.fromisoformat(session["started"]).timestamp()
        except (KeyError, TypeError, ValueError):  # shared by others, or trained before sessions were recorded
            continue
