"""The audit of scores in notebook 04: a selector over its findings, as it is stored without widgets."""

import numpy as np
import pandas as pd

from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.score_audit.audit import AuditSettings, audit_scores
from dfworkbench.evaluation.score_audit.own_runs import wide_of_tables
from dfworkbench.notebook.audit_view import AuditExplorer


def scores(seed, videos=40):
    rng = np.random.default_rng(seed)
    label = np.arange(videos) % 2
    names = [f"d/{v}" for v in range(videos)]
    return SCORES.complete(pd.DataFrame({
        "row_id": names, "video_id": names, "label": label, "dataset": "d", "forgery": np.where(label == 1, "swap", ""),
        "group": [f"p{v // 4}" for v in range(videos)], "status": "ok", "split": "test",
        "fake_probability": np.clip(rng.normal(0.4 + 0.2 * label, 0.2), 0, 1),
    }))  # fmt: skip


def test_findings_of_the_chosen_detector():
    audit = audit_scores(wide_of_tables({"first": scores(0), "second": scores(1)}), AuditSettings(draws=200))
    shown = AuditExplorer(audit)
    assert shown.detector.options == ("all detectors", *audit.figure_table().index)
    everything = shown.page().data
    assert "data:image/png" in everything
    assert "Clusters: 10 people" in everything
    shown.detector.value = "second"
    of_second = shown.page().data
    assert len(audit.of("F11", "first")) == 1
    assert audit.of("F11", "first")[0].sentence[:20] in everything
    assert audit.of("F11", "first")[0].sentence[:20] not in of_second
    assert audit.of("F12")[0].sentence[:20] in of_second, "findings about all detectors stay"
