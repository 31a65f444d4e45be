"""Audit score files: one wide table of many detectors, or score tables and runs with one detector each."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dfworkbench.core.errors import ParameterError
from dfworkbench.evaluation.exchange.interchange import read_scores, score_format
from dfworkbench.evaluation.exchange.judge_file import JudgeSettings
from dfworkbench.evaluation.exchange.unpack import unpacked
from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.score_audit.audit import Audit, AuditSettings, audit_scores
from dfworkbench.evaluation.score_audit.own_runs import wide_of_tables
from dfworkbench.runs.run import Run


def audit_files(files: Sequence[Path | str], settings: JudgeSettings) -> Audit:
    """Audit one table of many detectors, or several score files or runs with one detector each.

    Args:
        files: Paths; anything that is not a file is treated as a run in `checkpoints/`, with its stored scores of the test split.
        settings: How files are read and resampled.

    Raises:
        DataNotFoundError: There is no such file or run, or the run has no stored scores.
        TableError: A table cannot be understood or judged.
        ParameterError: A setting does not apply.
    """
    _require_usual(
        settings, ("missing", "unit"), "draws clusters, and leaves rows without a score out of a detector's figures"
    )
    return audit_scores(_table(files, settings), AuditSettings(draws=settings.cluster_draws, seed=settings.seed))


def _table(files: Sequence[Path | str], settings: JudgeSettings) -> WideScores:
    if len(files) == 1 and (settings.detectors or _is_plain(Path(files[0]), settings)):
        _require_usual(
            settings,
            ("labels", "frames_in_folders", "rule"),
            "of one table takes its labels from it, and a row as a file",
        )
        table = read_wide(files[0], Reading(
            settings.detectors, dict(pair.split("=", 1) for pair in settings.columns), settings.where, settings.polarity,
            settings.scale, settings.fake_label,
        ))  # fmt: skip
    elif settings.detectors:
        raise ParameterError(
            f"auditing {len(files)} files: --detectors names columns of one table. Expected one file: leave "
            "--detectors out, or audit the tables one by one."
        )
    else:
        tables: dict[str, pd.DataFrame] = {}
        for file in files:
            name = Path(file).name.removesuffix(".gz").rpartition(".")[0] or Path(file).name
            if not Path(file).is_file():
                name = Path(file).name
            tables[name if name not in tables else str(file)] = _score_table(Path(file), settings)
        table = wide_of_tables(tables, settings.rule)
    return table.same_source(settings.equal_sources) if settings.same_source else table


def _is_plain(path: Path, settings: JudgeSettings) -> bool:
    """Whether a file is a plain table with a column of scores."""
    if not path.is_file() or settings.labels is not None or settings.frames_in_folders:
        return False
    with unpacked(path) as plain:
        return (score_format(plain) if settings.format == "auto" else settings.format) == "csv"


def _require_usual(settings: JudgeSettings, names: Sequence[str], why: str) -> None:
    """Raise `ParameterError` if a setting was changed that this audit would ignore."""
    for name in names:
        value, usual = getattr(settings, name), JudgeSettings.model_fields[name].default
        if value != usual:
            raise ParameterError(
                f"auditing scores: {name} is {value}, but the audit {why}. Expected {usual}: leave --{name.replace('_', '-')} out."
            )


def _score_table(path: Path, settings: JudgeSettings) -> pd.DataFrame:
    if not path.exists() or (path.is_dir() and path.name in Run.names()):
        return Run.open(str(path)).scores("test")
    with unpacked(path) as plain:
        kind = score_format(plain) if settings.format == "auto" else settings.format
        own = ("polarity", "scale", "fake_label", "frames_in_folders")
        plain_csv = {name: getattr(settings, name) for name in own} if kind == "csv" else {}
        columns = dict(pair.split("=", 1) for pair in settings.columns) if kind == "csv" else {}
        return read_scores(
            plain, kind, columns=columns, where=settings.where, labels=settings.labels, **plain_csv,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
