"""`audit_scores`: audit a table of scores, returning an `Audit` with findings and metrics per detector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from dfworkbench.core.settings import Settings
from dfworkbench.evaluation.exchange.wide_scores import WideScores
from dfworkbench.evaluation.score_audit import (
    baselines,
    calibration,
    coverage,
    differences,
    hints,
    intervals,
    sources,
    values,
)
from dfworkbench.evaluation.score_audit.findings import CODES, SEVERITIES, Finding, by_weight, headlines, listed
from dfworkbench.evaluation.score_audit.prepare import Judged, find_clusters, judgeable

#: Format version of `Audit.record`.
FORMAT = 1
_FIRST_ROWS = 20


class AuditSettings(Settings):
    """Bootstrap settings of an audit."""

    draws: int = Field(
        default=20_000, ge=0, le=1_000_000,
        description="Bootstrap draws of clusters; more are made if Holm's correction needs them. 0: no cluster intervals.",
    )  # fmt: skip
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Random seed of the draws.")


@dataclass(frozen=True, eq=False)
class Audit:
    """Result of an audit of a score table.

    Attributes:
        table: The audited table.
        settings: Bootstrap settings.
        findings: Sorted by severity, most severe first.
        figures: Detector -> its metrics: scored, auc, file_low, file_high, cluster_low, cluster_high, cllr and more.
        left_out: Detector that cannot be judged -> reason.
        clusters: Description of the clusters that were drawn.
        pairs: F12, one row per pair of detectors.
        against: Detector -> real source -> AUC of all fakes against the reals of the source.
        fitted_on: What calibrations were cross-fitted over: generators, people or files.
    """

    table: WideScores
    settings: AuditSettings
    findings: tuple[Finding, ...]
    figures: Mapping[str, Mapping[str, Any]]
    left_out: Mapping[str, str]
    clusters: str
    pairs: pd.DataFrame
    against: Mapping[str, Mapping[str, float]]
    fitted_on: str

    @property
    def headlines(self) -> list[Finding]:
        """The three most important findings, of different kinds; empty if nothing is red or amber."""
        return headlines(self.findings)

    def likewise(self, one: Finding) -> str:
        """A sentence naming other detectors with an equally severe finding of the same kind; "" if there are none."""
        same = [other.detector for other in self.of(one.code) if other.severity == one.severity]
        names = [name for name in dict.fromkeys(same) if name and name != one.detector]
        return f" Likewise: {listed(names)}." if one.detector and names else ""

    def counts(self) -> dict[str, int]:
        """Number of findings of each severity."""
        return {name: sum(one.severity == name for one in self.findings) for name in SEVERITIES}

    def counted(self) -> str:
        """Number of findings of each severity, in words."""
        counts = self.counts()
        return f"{counts['red']} red, {counts['amber']} amber, {counts['note']} note{'s' * (counts['note'] != 1)}"

    def codes(self) -> list[str]:
        """The kinds that were found, F1 to F13."""
        return [code for code in CODES if self.of(code)]

    def of(self, code: str = "", detector: str = "") -> list[Finding]:
        """Findings of one kind or one detector."""
        return [one for one in self.findings if code in ("", one.code) and detector in ("", one.detector)]

    def frame(self, detector: str = "") -> pd.DataFrame:
        """One row per finding: code, title, severity, detector, sentence, rows; for one detector, general findings are kept."""
        chosen = [one for one in self.findings if not detector or one.detector in ("", detector)]
        rows = [(one.code, one.title, one.severity, one.detector, one.sentence, len(one.rows)) for one in chosen]
        return pd.DataFrame(rows, columns=["code", "about", "severity", "detector", "finding", "rows"])

    def figure_table(self) -> pd.DataFrame:
        """One row per judged detector, highest AUC first."""
        table = pd.DataFrame.from_dict(self.figures, orient="index").rename_axis("detector")
        return table.sort_values("auc", ascending=False, kind="stable")

    def record(self) -> dict[str, Any]:
        """The whole audit as JSON values; NaN becomes null."""
        fakes, reals = self.table.counts()
        return _plain({
            "format": FORMAT, "read": {**self.table.read, "title": self.table.title, "rows": len(self.table), "fakes": fakes,
            "reals": reals, "notes": list(self.table.notes)}, "settings": self.settings.model_dump(), "clusters": self.clusters,
            "detectors": dict(self.figures), "against_real_sources": dict(self.against),
            "left_out": dict(self.left_out), "counts": self.counts(),
            "headlines": [self.findings.index(one) for one in self.headlines],
            "findings": [
                {
                    "code": one.code, "about": one.title, "severity": one.severity, "detector": one.detector,
                    "sentence": one.sentence, "numbers": dict(one.numbers), "rows": self._rows(one),
                }
                for one in self.findings
            ],
        })  # fmt: skip

    def _rows(self, one: Finding) -> dict[str, Any]:
        first = one.rows[:_FIRST_ROWS]
        return {"count": len(one.rows), "first": [self.table.names[int(at)].as_py() for at in first]}

    def __str__(self) -> str:
        from dfworkbench.evaluation.score_audit.text import audit_text

        return audit_text(self)


def audit_scores(table: WideScores, settings: AuditSettings | None = None) -> Audit:
    """Run all audit checks on a score table.

    Args:
        table: From `wide_reader.read_wide` or `own_runs.wide_of_tables`.
        settings: How clusters are drawn.

    Raises:
        TableError: No detector can be judged.
    """
    settings = settings or AuditSettings()
    good, left_out = judgeable(table)
    clusters, why = find_clusters(table)
    places = calibration.name_places(table)
    found: list[Finding] = [*coverage.coverage(table, good)]
    figures: dict[str, dict[str, Any]] = {}
    against: dict[str, dict[str, float]] = {}
    for name in good:  # one at a time, so that only one detector's ranks and wins are in memory
        one = Judged(name, table, clusters)
        figures[name], more = _of_detector(one, settings, places)
        against[name] = sources.against_sources(one)
        found += more
    found += [*sources.one_label(table), *intervals.few_files(table), *hints.table_hints(table, good)]
    found += baselines.baselines(table, {name: row["auc"] for name, row in figures.items()})
    pairs: list[differences.Pair] = []
    if len(good) > 1:
        compared = differences.compare_all(table, good, clusters, settings.draws, settings.seed)
        pairs = compared.pairs
        found += [*differences.differences(compared, clusters), *differences.best_of(compared, clusters)]
        for name, share in compared.on_top.items():
            figures[name]["on_top"] = share
    words = why if clusters is None else clusters.counted(*clusters.sizes)
    frame = pd.DataFrame(pairs, columns=list(differences.Pair._fields))
    return Audit(
        table,
        settings,
        tuple(by_weight(found)),
        figures,
        left_out,
        words,
        frame,
        against,
        calibration.fitted_on(clusters),
    )


def _of_detector(one: Judged, settings: AuditSettings, places: np.ndarray) -> tuple[dict[str, Any], list[Finding]]:
    by_cluster = intervals.over_clusters(one, settings.draws, settings.seed)
    lr = calibration.lr_figures(one, places, settings.seed)
    found = [
        *values.default_value(one), *values.saturation(one), *values.ties(one), *sources.polarity(one, by_cluster.interval),
        *sources.pooled_and_within(one), *intervals.clusters(one, by_cluster), *hints.source_hints(one),
        *calibration.calibration(one, lr),
    ]  # fmt: skip
    fakes, reals = one.table.counts(one.rows)
    figures = {
        "scored": len(one.rows), "fakes": fakes, "reals": reals, "auc": one.auc, "file_low": one.by_file.low,
        "file_high": one.by_file.high, "cluster_low": by_cluster.interval.low, "cluster_high": by_cluster.interval.high,
        "left_out_low": by_cluster.left_out[0], "left_out_high": by_cluster.left_out[1], "jackknife_error": by_cluster.error,
        "cllr": lr.raw, "cllr_new_generators": lr.new_generators, "cllr_new_sources": lr.new_sources, "cllr_min": lr.least,
    }  # fmt: skip
    return figures, found


def _plain(value: Any) -> Any:
    """Convert to JSON values: numpy scalars to numbers, NaN and infinity to null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
