"""Tables of the benchmark report, as text: one row per run, detector or pair."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfworkbench.datasets.audit.leak_note import AUDIT_KEY
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.notebook.report.runs import ReportRun

_NAMES = {"auc": "AUC", "eer": "EER", "average_precision": "AP", "accuracy": "accuracy at 0.5"}


def runs_table(runs: Sequence[ReportRun], names: Mapping[Path, str], links: Sequence[object]) -> pd.DataFrame:
    """What was trained on which data, and where it is."""
    return pd.DataFrame([
        {
            "detector": names[run.folder], "trained on": run.settings.dataset, "seed": run.settings.seed,
            "epoch": f"{run.epoch} of {run.settings.epochs}", "crop": run.crop, "leakage audit": _audit(run),
            "run": run.folder.name, "executed": link,
        }
        for run, link in zip(runs, links, strict=True)
    ])  # fmt: skip


def board_table(board: Leaderboard) -> pd.DataFrame:
    """A leaderboard: one column per metric with its interval, row counts, coverage and warnings."""
    rows = []
    for rank, one in enumerate(board.entries, 1):
        first = one.rows.iloc[0]
        figures = {
            _NAMES[row.metric]: _interval(row.value, row.low, row.high, row.reason) for row in one.rows.itertuples()
        }
        counts = f"{first['n']}\n{first['n_fake']} fake, {first['n_real']} real"
        row = {"": rank, "detector": one.name, **figures, "n": counts, "coverage": f"{first['coverage']:.1%}"}
        rows.append({**row, **({"note": one.note} if any(entry.note for entry in board.entries) else {})})
    return pd.DataFrame(rows)


def seeds_text(found: pd.DataFrame) -> pd.DataFrame:
    """`benchmark.seed_table` as text: one row per detector, metrics of both levels side by side."""
    rows = []
    for detector, part in found.groupby("detector", sort=False):
        figures = {
            f"{_NAMES[str(row.metric)]}, {row.level} level": _interval(row.mean, row.low, row.high)
            for row in part.itertuples()
        }
        first = part.iloc[0]
        spread = "-" if np.isnan(first["sd"]) else f"{first['sd']:.3f}"
        seeds = f"{first['seeds']}" + (f" of {first['asked']}" if first["seeds"] < first["asked"] else "")
        rows.append(
            {"detector": detector, "seeds": seeds, **figures, "sd of video AUC": spread,
             "worst coverage": f"{part['worst_coverage'].min():.1%}", "note": first["reason"]}
        )  # fmt: skip
    return pd.DataFrame(rows)


def pairs_text(found: pd.DataFrame) -> pd.DataFrame:
    """`compare.compare_detectors` as text: one row per pair."""
    return pd.DataFrame([
        {
            "pair": f"{row.first} minus {row.second}", "AUC": f"{_number(row.auc_first)} and {_number(row.auc_second)}",
            "difference": _interval(row.difference, row.low, row.high), "p, bootstrap": p_text(row.bootstrap_holm_p),
            "p, DeLong": p_text(row.holm_p), "n": f"{row.n}\n{row.n_fake} fake, {row.n_real} real",
            "drawn": f"{row.units} {row.unit}s", "notes": row.notes,
        }
        for row in found.itertuples()
    ])  # fmt: skip


def made_with(runs: Sequence[ReportRun], names: Mapping[Path, str]) -> pd.DataFrame:
    """Code and data of each run, by provenance."""
    return pd.DataFrame([
        {
            "run": names[run.folder], "dfworkbench": run.provenance.get("dfworkbench", "not known"),
            "commit": _commit(run.provenance), "Python": run.provenance.get("python", "not known"),
            "torch": _entry(run.provenance, "packages", "torch"), "video table": _entry(run.provenance, "tables", "videos")[:10],
            "splits": str(run.provenance.get("splits", ""))[:10],
        }
        for run in runs
    ])  # fmt: skip


def _audit(run: ReportRun) -> str:
    audit = run.provenance.get(AUDIT_KEY)
    return str(audit.get("verdict", "not known")) if isinstance(audit, Mapping) else "not on record"


def _commit(record: Mapping[str, Any]) -> str:
    return str(record.get("git_commit") or "not known")[:10] + (
        "\nuncommitted changes" if record.get("git_dirty") else ""
    )


def _entry(record: Mapping[str, Any], part: str, name: str) -> str:
    found = record.get(part)
    return str(found.get(name, "not known")) if isinstance(found, Mapping) else "not known"


def _interval(value: float, low: float, high: float, reason: str = "") -> str:
    if np.isnan(value):
        return f"not defined\n{reason}".strip()
    return _number(value) + (f"\n{reason}".rstrip() if np.isnan(low) else f"\n{_number(low)} to {_number(high)}")


def _number(value: float) -> str:
    return "not defined" if np.isnan(value) else f"{value:.3f}".replace("-", "\u2212")


def p_text(value: float) -> str:
    """A p-value as text: "0.012", or "< 0.001"."""
    return "not defined" if np.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
