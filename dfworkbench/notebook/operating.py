"""Operating point explorer of notebook 04: sliders for error rates, and the resulting verdicts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import ipywidgets as w
import pandas as pd
from IPython.display import HTML, display
from matplotlib.figure import Figure

from dfworkbench.core.errors import InputError
from dfworkbench.core.html import picture, wrap
from dfworkbench.evaluation.judging.verdicts import OperatingPoint, operating_point, verdict_rates, verdicts
from dfworkbench.evaluation.metrics.interval import Interval
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule
from dfworkbench.show.plots.calibration import plot_operating_point
from dfworkbench.show.tables import ReadableTable, table_html

_MOST = 0.5  # beyond this rate, a verdict says nothing
_HINT = (
    "The share of reals that may be called fake, and of fakes that may be called real. The verdicts below follow; no file is "
    "scored again."
)


class Tables(NamedTuple):
    """Score tables of one detector; both calibrated or neither."""

    val: pd.DataFrame
    test: pd.DataFrame


class OperatingPointExplorer:
    """Sliders for the two required error rates, over the resulting verdicts on other files.

    Shown as the last value of a cell; without a notebook, `point`, `figure` and `table` give the same.

    Args:
        tables: Detector -> its tables; thresholds are set on `val`, verdicts are given on `test`.
        false_alarm_rate: Initial position of its slider, 0..1.
        miss_rate: Initial position of its slider, 0..1.
        level: Whether frames, tracks or videos are judged.
        rule: How the faces of a file become one number.

    Raises:
        InputError: There is no detector, or a table from which no threshold can be derived.
    """

    def __init__(
        self,
        tables: Mapping[str, Tables],
        false_alarm_rate: float = 0.05,
        miss_rate: float = 0.05,
        level: str = "video",
        *,
        rule: Rule = DEFAULT_RULE,
    ) -> None:
        if not tables:
            raise InputError("showing verdicts: no detector was given; expected name -> its tables. Score one first.")
        self.tables, self.level = dict(tables), level
        self.rule: Rule = rule
        self.detector = w.Dropdown(options=list(self.tables), description="Detector")
        self.false_alarms, self.misses = (
            _slider(rate, words)
            for rate, words in ((false_alarm_rate, "False alarms up to"), (miss_rate, "Misses up to"))
        )
        self._shown: Any = None
        for control in (self.detector, self.false_alarms, self.misses):
            control.observe(self._draw, names="value")

    @property
    def point(self) -> OperatingPoint:
        """Thresholds at the chosen rates."""
        val = self.tables[self.detector.value].val
        return operating_point(val, self.false_alarms.value, self.misses.value, self.level, rule=self.rule)

    def figure(self) -> Figure:
        """Scores of real and fake test files, and what each is called."""
        name = self.detector.value
        return plot_operating_point(self.tables[name].test, self.point, title=f"{name}: verdicts on {self.level} level")

    def table(self) -> ReadableTable:
        """How many test files of each kind got each verdict, and the share of wrong ones with its exact 95 % interval."""
        rates = verdict_rates(verdicts(self.tables[self.detector.value].test, self.point)).set_index("kind")
        wrong = [Interval(r.wrong_rate, r.low, r.high).text(1, percent=True) for r in rates.itertuples()]
        words = {"n": "files", "real": "called real", "fake": "called fake", "no_score": "without score"}
        shown = rates[["n", "real", "inconclusive", "fake", "no_score"]].rename(columns=words)
        return ReadableTable(shown.assign(wrong=wrong).rename_axis("they are"))

    def _page(self) -> HTML:
        words = "; ".join(self.point.sentences())  # they are drawn in the figure, where no screen reader sees them
        return HTML(wrap(picture(self.figure(), f"verdicts: {words}") + table_html(self.table())))

    def _draw(self, _: Any = None) -> None:
        if self._shown is not None:
            self._shown.update(self._page())

    def _ipython_display_(self) -> None:
        rows = [self.detector] if len(self.tables) > 1 else []
        controls = w.HBox([*rows, self.false_alarms, self.misses], layout=w.Layout(flex_flow="row wrap"))
        display(w.VBox([w.HTML(f"<span>{_HINT}</span>"), controls]))
        # a plain output without widget: it stays visible in a stored notebook that has lost its widgets
        self._shown = display(self._page(), display_id=True)


def _slider(rate: float, words: str) -> w.FloatSlider:
    layout, style = w.Layout(width="380px"), {"description_width": "130px"}
    most = max(_MOST, rate)
    return w.FloatSlider(
        rate, min=0.0, max=most, step=0.01, description=words, readout_format=".0%", continuous_update=False, layout=layout,
        style=style,
    )  # fmt: skip
