"""Operating points: two thresholds at chosen error rates, set on validation rows, and verdicts (real, fake, inconclusive).

Moving the operating point only needs score tables. The thresholds are order statistics with the finite-sample rule of split
conformal prediction (V. Vovk, A. Gammerman and G. Shafer, "Algorithmic learning in a random world", 2005): with n real rows, a
new real one is called fake with probability at most alpha, if it is exchangeable with them. The smallest rate that n reals can
guarantee is 1 / (n + 1); below it nothing is called fake, and the operating point notes this. Exchangeability fails for another
data set, and n files of few people are worth less than n.
"""

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.evaluation.judging.calibration import Fitted, fitting_rows
from dfworkbench.evaluation.metrics.bootstrap import unit_codes
from dfworkbench.evaluation.metrics.interval import binomial_interval
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule, to_level

VERDICTS = ("real", "inconclusive", "fake", "no score")


class OperatingPoint(Fitted):
    """Two thresholds, and the rows they were set on."""

    called: ClassVar[str] = "an operating point"

    false_alarm_rate: float = Field(ge=0, le=1, description="Alpha: share of reals that may be called fake")
    miss_rate: float = Field(ge=0, le=1, description="Beta: share of fakes that may be called real")
    fake_above: float | None = Field(description="Fake above this score. None: no score is called fake")
    real_below: float | None = Field(description="Real below this score. None: no score is called real")
    level: str = Field(default="video", description="Level of the rows it was set on and applies to")
    rule: Rule = Field(default=DEFAULT_RULE, description="How the rows of a file are aggregated")
    n_real: int = Field(ge=1, description="Real rows it was set on")
    n_fake: int = Field(ge=1, description="Fake rows it was set on")
    real_people: int = Field(default=0, ge=0, description="Identity groups of the real rows")
    fake_people: int = Field(default=0, ge=0, description="Identity groups of the fake rows")

    def judge(self, probabilities: NDArray[np.float64]) -> NDArray[np.str_]:
        """Verdict for each fake probability: "real", "fake" or "inconclusive"; "no score" for NaN."""
        p = np.asarray(probabilities, dtype=np.float64)
        fake = p > (np.inf if self.fake_above is None else self.fake_above)
        real = p < (-np.inf if self.real_below is None else self.real_below)
        return np.select([np.isnan(p), fake, real], ["no score", "fake", "real"], "inconclusive")

    def sentences(self) -> list[str]:
        """Describe the thresholds, the rows they were set on, and the notes."""
        above = "never fake" if self.fake_above is None else f"fake above {self.fake_above:.3f}"
        below = "never real" if self.real_below is None else f"real below {self.real_below:.3f}"
        return [
            f"{above} (at most {self.false_alarm_rate:.1%} of reals), {below} (at most {self.miss_rate:.1%} of fakes)",
            f"set on {self.n_real} real and {self.n_fake} fake validation rows",
            *self.notes(),
        ]

    def notes(self) -> list[str]:
        """Warnings that accompany the verdicts of this operating point."""
        sides = (
            ("fake", "false-alarm", self.false_alarm_rate, self.fake_above, self.n_real, self.real_people, "real"),
            ("real", "miss", self.miss_rate, self.real_below, self.n_fake, self.fake_people, "fake"),
        )
        out = []
        for verdict, rate, asked, threshold, n, people, kind in sides:
            if threshold is None:
                out.append(
                    f"nothing is called {verdict}: {n} {kind} rows can vouch for a {rate} rate of {1 / (n + 1):.2%} or more, "
                    f"{asked:.2%} was asked"
                )
            if people < n:
                out.append(
                    f"the {n} {kind} rows are of {people} people or groups: the {rate} rate is less certain than {n} rows suggest"
                )
        return out


def operating_point(
    scores: pd.DataFrame,
    false_alarm_rate: float = 0.05,
    miss_rate: float = 0.05,
    level: str = "video",
    *,
    rule: Rule = DEFAULT_RULE,
    allow_test: bool = False,
) -> OperatingPoint:
    """Set `thresholds` for given error rates on the labelled and scored rows of a validation table.

    Args:
        scores: A score table of validation files, calibrated or not; verdicts need the same kind.
        false_alarm_rate: Alpha, 0..1.
        miss_rate: Beta, 0..1; share of fakes called real. An inconclusive fake is not a miss.
        level: Level of the verdicts.
        rule: How the rows of a file are aggregated.
        allow_test: Whether to allow rows of split "test".

    Raises:
        ParameterError: A rate is outside 0..1.
        InputError: Rows are of split "test", of one class, or there are none.
    """
    for name, rate in (("false_alarm_rate", false_alarm_rate), ("miss_rate", miss_rate)):
        if not 0 <= rate <= 1:
            raise ParameterError(f"setting an operating point: {name} {rate}, expected a share from 0 to 1.")
    rows = fitting_rows(scores, level, rule, "setting an operating point", allow_test=allow_test)
    kinds = [rows[rows["label"] == label] for label in (REAL, FAKE)]
    reals, fakes = (kind["fake_probability"].to_numpy(dtype=np.float64) for kind in kinds)
    above, below = thresholds(reals, fakes, false_alarm_rate, miss_rate)
    return OperatingPoint(
        false_alarm_rate=false_alarm_rate, miss_rate=miss_rate, fake_above=above, real_below=below, level=level, rule=rule,
        n_real=len(reals), n_fake=len(fakes), real_people=unit_codes(kinds[0], "group")[1],
        fake_people=unit_codes(kinds[1], "group")[1],
    )  # fmt: skip


def thresholds(
    reals: NDArray[np.float64], fakes: NDArray[np.float64], false_alarm_rate: float, miss_rate: float
) -> tuple[float | None, float | None]:
    """The scores above which to call fake and below which to call real; None if the rate cannot be guaranteed.

    Scores above the k-th highest real, k = floor(alpha (n + 1)), are fake; those below the k-th lowest fake, computed in the
    same way, are real. If the detector is so good that these regions overlap, both thresholds move to the midpoint: this raises
    neither error rate, and only ties remain inconclusive.

    Args:
        reals: `(n,)`, scores of real rows.
        fakes: `(m,)`, scores of fake rows.
        false_alarm_rate: Alpha.
        miss_rate: Beta.
    """
    above, below = _bound(-reals, false_alarm_rate), _bound(fakes, miss_rate)
    above = None if above is None else -above
    if above is not None and below is not None and above < below:
        above = below = (above + below) / 2
    return above, below


def _bound(values: NDArray[np.float64], rate: float) -> float | None:
    """The value below which a new value falls with probability at most `rate`; None if there is none."""
    k = int(rate * (len(values) + 1) + 1e-9)  # 0.29 * 100 is 28.999999999999996
    return float(np.sort(values)[min(k, len(values)) - 1]) if k else None


def verdicts(scores: pd.DataFrame, point: OperatingPoint) -> pd.DataFrame:
    """Rows of `to_level` at the level of an operating point, with a column `verdict` (one of `VERDICTS`).

    Args:
        scores: A score table, calibrated if the operating point was set on calibrated scores.
        point: From `operating_point`.
    """
    rows = to_level(scores, point.level, point.rule)
    return rows.assign(verdict=point.judge(rows["fake_probability"].to_numpy(dtype=np.float64)))


def verdict_rates(judged: pd.DataFrame) -> pd.DataFrame:
    """Rates of verdicts over the labelled rows of `verdicts`.

    Returns:
        One row for "real" and one for "fake" files: kind, n, a count per verdict (columns real, inconclusive, fake, no_score),
        wrong_rate (reals called fake, fakes called real; among those with a score), low and high (95 %, exact Clopper-Pearson
        binomial; treats rows as independent), inconclusive_rate.
    """
    out = []
    for label, kind, wrong in ((REAL, "real", "fake"), (FAKE, "fake", "real")):
        seen = judged.loc[judged["label"] == label, "verdict"].value_counts()
        counts = {name.replace(" ", "_"): int(seen.get(name, 0)) for name in VERDICTS}
        n = sum(counts.values())
        scored = n - counts["no_score"]
        rate = binomial_interval(counts[wrong], scored)
        open_rate = counts["inconclusive"] / scored if scored else float("nan")
        row = {"kind": kind, "n": n, **counts, "wrong_rate": rate.value, "low": rate.low, "high": rate.high}
        out.append({**row, "inconclusive_rate": open_rate})
    return pd.DataFrame(out)
