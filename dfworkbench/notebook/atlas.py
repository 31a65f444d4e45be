"""Failure atlas of notebook 04: the worst errors in clusters, with a menu to open the frames of one."""

from functools import cached_property
from typing import Any

import ipywidgets as w
import pandas as pd
from IPython.display import HTML, display
from matplotlib.figure import Figure

from dfworkbench.core.html import picture, wrap
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.judging.failure_frames import case_pictures, failure_atlas, open_case
from dfworkbench.evaluation.judging.failures import Atlas
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.show.plots.failures import plot_case, plot_failures
from dfworkbench.show.tables import ReadableTable, table_html


class FailureAtlas:
    """The worst-scored row of every misclassified file, clustered, beside controls; plus all frames of a selected case.

    Shown as the last value of a cell; without a notebook, `figure`, `table` and `case` give the same.

    Args:
        name: Name of the detector, for titles.
        scores: Its score table.
        data: The extracted set that was scored.
        detector: Detector whose features the cases are clustered by; None: by forgery kind, person and log-odds.
        worst: Maximum number of misses, and of false alarms.
        clusters: Number of clusters of each.
        seed: Seed of controls and clusters.
        progress: Whether to show a bar.
    """

    def __init__(
        self,
        name: str,
        scores: pd.DataFrame,
        data: DataSet,
        detector: LoadedDetector | None = None,
        *,
        worst: int = 24,
        clusters: int = 3,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        self.name, self.scores, self.data, self.detector = name, scores, data, detector
        self._chosen: dict[str, Any] = {"worst": worst, "clusters": clusters, "seed": seed, "progress": progress}
        self._shown: Any = None

    @cached_property
    def atlas(self) -> Atlas:
        """Cases, clusters and controls."""
        return failure_atlas(self.scores, self.data, self.detector, **self._chosen)

    def figure(self) -> Figure:
        """A strip of faces per cluster, and the controls."""
        rows = pd.concat([self.atlas.cases, self.atlas.controls], ignore_index=True)
        return plot_failures(self.atlas, case_pictures(rows, self.data), title=f"{self.name}: where it is wrong")

    def table(self) -> ReadableTable:
        """Composition of each cluster."""
        rows = self.atlas.clusters.set_index("cluster")
        shown = rows[["outcome", "cases", "people", "kinds"]].assign(
            **{
                "fake probability": [f"{row.lowest:.2f} to {row.highest:.2f}" for row in rows.itertuples()],
                "silhouette": ["" if pd.isna(value) else f"{value:.2f}" for value in rows["silhouette"]],
            }
        )
        return ReadableTable(shown)

    def case(self, row_id: str) -> Figure:
        """All extracted faces of the person in a case, in order of time, with their scores."""
        return plot_case(open_case(row_id, self.scores, self.data), row_id, title=self._cases[row_id])

    @cached_property
    def _cases(self) -> dict[str, str]:
        """row_id -> label in the menu, misses first."""
        return {
            row.row_id: f"{row.outcome}, cluster {row.cluster}: {row.forgery or 'genuine'} of {row.group or row.video_id}, "
            f"p(fake) {row.fake_probability:.3f}"
            for row in self.atlas.cases.itertuples()
        }

    def _page(self, row_id: str) -> HTML:
        return HTML(wrap(picture(self.case(row_id), f"frames of {self._cases[row_id]}")))

    def _draw(self, change: Any) -> None:
        if self._shown is not None:
            self._shown.update(self._page(change["new"]))

    def _ipython_display_(self) -> None:
        display(self.figure())
        if self.atlas.cases.empty:
            return
        display(HTML(wrap(table_html(self.table()))))
        menu = w.Dropdown(
            options=[(words, row_id) for row_id, words in self._cases.items()], description="Open",
            layout=w.Layout(width="560px"),
        )  # fmt: skip
        menu.observe(self._draw, names="value")
        display(menu)
        # a plain output without widget: it stays visible in a stored notebook that has lost its widgets
        self._shown = display(self._page(menu.value), display_id=True)
