"""Score audit in a notebook: the most important findings, the figure, and all findings of a selected detector."""

from typing import Any

import ipywidgets as w
from IPython.display import HTML, display

from dfworkbench.core.html import html_table, picture, wrap
from dfworkbench.evaluation.score_audit.audit import Audit
from dfworkbench.show.plots.score_audit import plot_audit
from dfworkbench.show.score_audit_page import headlines_html

_ALL = "all detectors"


class AuditExplorer:
    """Select a detector and show what the audit found about it.

    Shown as the last value of a cell; without a notebook, `audit` and `page` give the same.

    Args:
        audit: From `score_audit.audit.audit_scores`.
    """

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        names = [str(name) for name in audit.figure_table().index]
        self.detector = w.Dropdown(options=[_ALL, *names], description="Detector")
        self._shown: Any = None
        self.detector.observe(self._draw, names="value")

    def page(self) -> HTML:
        """Headlines, figure, and the findings about the selected detector and about all detectors."""
        audit, chosen = self.audit, self.detector.value
        rows = audit.frame("" if chosen == _ALL else chosen)
        cells = [[row.severity, row.code, row.about, row.finding] for row in rows.itertuples()]
        bold = [row.severity == "red" for row in rows.itertuples()]
        figure = picture(plot_audit(audit), "AUC of every detector with 95 % intervals over files and over clusters")
        clusters = f"<p class='dfw-hint'>Clusters: {audit.clusters}.</p>"
        return HTML(
            wrap(
                f"{headlines_html(audit)}{figure}{clusters}{html_table(['', 'kind', 'about', 'finding'], cells, bold)}"
            )
        )

    def _draw(self, _: Any = None) -> None:
        if self._shown is not None:
            self._shown.update(self.page())

    def _ipython_display_(self) -> None:
        if len(self.audit.figures) > 1:
            display(self.detector)
        self._shown = display(self.page(), display_id=True)
