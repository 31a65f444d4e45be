"""Run the audit of a table of scores: `audit_scores` gives an `Audit` with its findings and a table of figures per detector."""

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

#: Version of `Audit.record`.
FORMAT = 1
_FIRST_ROWS = 20


class AuditSettings(Settings):
    """How an audit draws."""

    draws: int = Field(
        default=20_000, ge=0, le=1_000_000,
        description="Draws of clusters; more are made where Holm's correction needs them. 0: no cluster intervals.",
    )  # fmt: skip
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Seed of the draws.")


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a table of scores.

    Attributes:
        table: The table.
        settings: How it was drawn.
        findings: The most severe first.
        figures: Detector -> its figures: scored, auc, file_low, file_high, cluster_low, cluster_high, cllr and more.
        left_out: Detector that cannot be judged -> why.
        clusters: What was drawn, in words.
        pairs: F12, a row per pair of detectors.
        against: Detector -> real source -> AUC of all fakes against its reals.
        fitted_on: Whose other rows calibrations were fitted on: generators, people or files.
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
        """The three findings that matter most, of different kinds; none where nothing is red or amber."""
        return headlines(self.findings)

    def likewise(self, one: Finding) -> str:
        """A sentence that names the further detectors of which the same kind of finding is as severe; "" if there are none."""
        same = [other.detector for other in self.of(one.code) if other.severity == one.severity]
        names = [name for name in dict.fromkeys(same) if name and name != one.detector]
        return f" Likewise: {listed(names)}." if one.detector and names else ""

    def counts(self) -> dict[str, int]:
        """Findings of each severity."""
        return {name: sum(one.severity == name for one in self.findings) for name in SEVERITIES}

    def counted(self) -> str:
        """The findings of each severity in words."""
        counts = self.counts()
        return f"{counts['red']} red, {counts['amber']} amber, {counts['note']} note{'s' * (counts['note'] != 1)}"

    def codes(self) -> list[str]:
        """The kinds that were found, F1 to F13."""
        return [code for code in CODES if self.of(code)]

    def of(self, code: str = "", detector: str = "") -> list[Finding]:
        """Findings of a kind, or of a detector."""
        return [one for one in self.findings if code in ("", one.code) and detector in ("", one.detector)]

    def frame(self, detector: str = "") -> pd.DataFrame:
        """A row per finding: code, title, severity, detector, sentence, rows concerned; of one detector those about all stay."""
        chosen = [one for one in self.findings if not detector or one.detector in ("", detector)]
        rows = [(one.code, one.title, one.severity, one.detector, one.sentence, len(one.rows)) for one in chosen]
        return pd.DataFrame(rows, columns=["code", "about", "severity", "detector", "finding", "rows"])

    def figure_table(self) -> pd.DataFrame:
        """A row per detector that was judged, the highest AUC first."""
        table = pd.DataFrame.from_dict(self.figures, orient="index").rename_axis("detector")
        return table.sort_values("auc", ascending=False, kind="stable")

    def record(self) -> dict[str, Any]:
        """All of it as JSON values; NaN is null."""
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
    """Look for everything that a table of AUCs hides.

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
    for name in good:  # one at a time: ranks and wins of the others need no memory meanwhile
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
    """JSON values: numpy's numbers as numbers, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
