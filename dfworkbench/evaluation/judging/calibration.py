"""Probability calibration: fit a score transform on validation rows, apply it to other tables.

Three transforms of the log-odds z: temperature sigmoid(z / T) (C. Guo et al., "On calibration of modern neural networks", ICML
2017); Platt sigmoid(a z + b) with his smoothed targets (J. Platt, "Probabilistic outputs for support vector machines", 1999);
and isotonic regression (B. Zadrozny and C. Elkan, KDD 2002). The first preserves the ranking and thus every AUC, the second
does if its slope is above 0, the third introduces ties and needs the most rows. They are fitted and applied on the same level:
the mean of calibrated frames is not a calibrated video.

Difference from scikit-learn's `CalibratedClassifierCV`: no folds, because the detector has not been trained on the validation rows.
"""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

from dfworkbench.core.errors import DataNotFoundError, InputError, ParameterError
from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.core.settings import Settings
from dfworkbench.core.workspace import atomic_path
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.bootstrap import FEWEST, too_few, usable_rows
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.evaluation.metrics.probability_metrics import CLIP
from dfworkbench.evaluation.scoring.aggregate import DEFAULT_RULE, Rule, to_level
from dfworkbench.media.foreign import read_json

Floats = NDArray[np.float64]

METHODS = ("temperature", "platt", "isotonic")
_FEW = 10  # number of files of a class below which a calibration is flagged as uncertain
#: Files of each class that a transform needs: with fewer, log loss got worse on average (docs/decisions/0018-small-samples.md).
FEWEST_FILES = {"temperature": _FEW, "platt": FEWEST, "isotonic": _FEW}
_TEMPERATURES = (0.01, 100.0)  # rows perfectly separated at 0.5 would give 0


class Fitted(Settings):
    """Base class of models fitted on validation rows and stored as JSON."""

    called: ClassVar[str]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        with atomic_path(path, self.called) as temporary:
            temporary.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DataNotFoundError: There is no such file.
            ParameterError: It holds something else.
        """
        doing = f"reading {cls.called}"
        try:
            values = read_json(Path(path))
        except FileNotFoundError:
            raise DataNotFoundError(f"{doing}: there is no file {path}. Fit one and save it there.") from None
        except ValueError as error:
            raise ParameterError(f"{doing}: {path} is not JSON ({error}); expected what save() writes.") from None
        if not isinstance(values, dict):
            raise ParameterError(f"{doing}: {path} holds a {type(values).__name__}, expected what save() writes.")
        return cls(**values)


class Calibrator(Fitted):
    """A fitted score transform, with facts about the rows it was fitted on."""

    called: ClassVar[str] = "a calibrator"

    method: Literal["temperature", "platt", "isotonic"] = Field(description="Kind of transform")
    level: str = Field(description="Level of the rows it was fitted on and applies to")
    rule: Rule = Field(default=DEFAULT_RULE, description="How the rows of a file are aggregated")
    slope: float = Field(default=1.0, description="Slope of the log-odds; 1 / temperature")
    offset: float = Field(default=0.0, description="Intercept of the log-odds")
    knots_from: tuple[float, ...] = Field(default=(), description="Isotonic: fake probabilities, increasing")
    knots_to: tuple[float, ...] = Field(default=(), description="Isotonic: calibrated values at these, linear between")
    datasets: tuple[str, ...] = Field(default=(), description="Data sets of the rows it was fitted on")
    splits: tuple[str, ...] = Field(default=(), description="Splits of these rows")
    n_real: int = Field(default=0, ge=0, description="Real rows it was fitted on")
    n_fake: int = Field(default=0, ge=0, description="Fake rows it was fitted on")
    log_loss_before: float = Field(default=0.0, description="Log loss before calibration on these rows, nats")
    log_loss_after: float = Field(
        default=0.0,
        description="Log loss after calibration on these rows, nats; optimistic, because it was fitted on them",
    )
    note: str = Field(default="", description="Remarks about the fit")

    def probabilities(self, raw: Floats, log_odds: Floats | None = None) -> Floats:
        """Calibrated fake probabilities.

        Args:
            raw: Fake probabilities; NaN is kept.
            log_odds: The same as log-odds, if known more precisely than a probability near 1 allows.
        """
        if self.method == "isotonic":
            return np.where(np.isnan(raw), np.nan, np.interp(raw, self.knots_from, self.knots_to))
        return expit(self._line(_log_odds(raw) if log_odds is None else log_odds))

    def _line(self, log_odds: Floats) -> Floats:
        return self.slope * log_odds + self.offset

    def apply(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Return a score table with one row per entry of the calibrator's level, with calibrated probabilities and logits.

        Rows without a score are unchanged. The result can be evaluated on its level, judged and saved like any other table.

        Args:
            scores: A score table with uncalibrated scores.
        """
        rows = to_level(scores, self.level, self.rule)
        z = log_odds_of(rows)
        values = self.probabilities(rows["fake_probability"].to_numpy(dtype=np.float64), z)
        logits = _log_odds(values) if self.method == "isotonic" else self._line(z)
        return SCORES.complete(rows.assign(fake_probability=values, logit=logits))


def fit_calibrator(
    scores: pd.DataFrame,
    method: str = "platt",
    level: str = "video",
    *,
    rule: Rule = DEFAULT_RULE,
    allow_test: bool = False,
    fewest: int | None = None,
    leave_few: bool = False,
) -> Calibrator:
    """Fit a score transform on the labelled and scored rows of a table.

    With few files, calibration may be far worse than none: a temperature fitted on one real and one fake file makes log loss
    nine times as high (docs/decisions/0018-small-samples.md).

    Args:
        scores: A score table of validation files.
        method: "temperature" (one parameter; enough for an overconfident network), "platt" (two; also shifts the threshold,
            needed if the share of fakes differs between training and validation) or "isotonic" (any increasing function).
        level: Level on which the probabilities are calibrated.
        rule: How the rows of a file are aggregated.
        allow_test: Whether to allow rows of split "test".
        fewest: Minimum files per class; None: `FEWEST_FILES` of the method.
        leave_few: Whether to leave scores unchanged if there are fewer; the note then says so.

    Raises:
        InputError: Rows are of split "test", of one class, of too few files, or there are none.
    """
    require_name("calibration", method, METHODS)
    rows = fitting_rows(scores, level, rule, f"fitting {method} calibration", allow_test=allow_test)
    labels, raw = rows["label"].to_numpy(), rows["fake_probability"].to_numpy(dtype=np.float64)
    z = log_odds_of(rows)
    fit = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}[method]
    known: dict[str, Any] = {
        "method": method, "level": level, "rule": rule, "datasets": _named(rows["dataset"]), "splits": _named(rows["split"]),
        "n_real": int((labels == REAL).sum()), "n_fake": int((labels == FAKE).sum()),
        "log_loss_before": metric_of("log_loss", labels, raw),
    }  # fmt: skip
    files, fewest = pd.factorize(rows["video_id"])[0], FEWEST_FILES[method] if fewest is None else fewest
    few = too_few(labels, files, "file", fewest)
    if few and not leave_few:
        raise InputError(
            f"fitting {method} calibration: {few.partition(':')[0]}, expected at least {fewest} of each class, or the map may be "
            "worse than none. Score more validation files, or leave the probabilities as they are."
        )
    if few:
        known |= {"method": "temperature", "log_loss_after": known["log_loss_before"]}
        return Calibrator(**known, note=f"not calibrated: {few.partition(':')[0]}, {method} needs {fewest}")
    fitted = Calibrator(**known, **fit(labels, raw if method == "isotonic" else z))
    unsure = too_few(labels, files, "file", _FEW).partition(":")[0]
    note = "; ".join(filter(None, (fitted.note, f"fitted on {unsure} only: may be worse than none" if unsure else "")))
    return fitted.replace(log_loss_after=metric_of("log_loss", labels, fitted.probabilities(raw, z)), note=note)


def fitting_rows(scores: pd.DataFrame, level: str, rule: str, doing: str, *, allow_test: bool) -> pd.DataFrame:
    """The labelled and scored rows of a level, after checking that they may be fitted on."""
    rows = usable_rows(to_level(scores, level, rule))[0]
    tested = rows[rows["split"] == "test"]
    if len(tested) and not allow_test:
        raise InputError(
            f"{doing}: {len(tested)} of {len(rows)} rows are of split 'test' (first: {tested['video_id'].iloc[0]!r}); expected "
            "rows of 'val', or figures on the test split would be of rows that were fitted on. Give scores of the validation "
            "split, or allow_test=True if you do not test on these files."
        )
    fakes = int((rows["label"] == FAKE).sum())
    if fakes in (0, len(rows)):
        raise InputError(
            f"{doing}: {fakes} fake and {len(rows) - fakes} real rows with a score on {level} level; expected some of both, "
            "since one kind alone says nothing about the other. Score a validation split that holds real and fake files."
        )
    return rows


def log_odds_of(rows: pd.DataFrame) -> Floats:
    """Log-odds of rows from `to_level`: their logit if consistent with the probability, otherwise computed from it.

    In floating point, a logit of 50 is a probability of exactly 1. Aggregated rows have no logit of their own.
    """
    raw = rows["fake_probability"].to_numpy(dtype=np.float64)
    if "logit" not in rows:
        return _log_odds(raw)
    given = rows["logit"].to_numpy(dtype=np.float64)
    own = np.isfinite(given) & (np.abs(expit(given) - raw) < 1e-6)
    return np.where(own, given, _log_odds(raw))


def _log_odds(probabilities: Floats) -> Floats:
    return logit(np.clip(probabilities, CLIP, 1 - CLIP))


def _named(column: pd.Series) -> tuple[str, ...]:
    return tuple(sorted({str(name) for name in column} - {""}))


def _temperature(labels: NDArray, z: Floats) -> dict[str, Any]:
    signed = np.where(labels == FAKE, z, -z)
    low, high = (float(np.log(1 / value)) for value in reversed(_TEMPERATURES))
    best = minimize_scalar(
        lambda x: -log_expit(np.exp(x) * signed).mean(), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    slope = float(np.exp(best.x))
    note = ""
    if slope > 0.99 / _TEMPERATURES[0]:
        note = "0.5 separates the rows fully: the temperature is the lowest allowed, and its probabilities are overconfident"
    elif slope < 1.01 / _TEMPERATURES[1]:
        note = "the scores say nothing about the labels: all probabilities are near 0.5"
    return {"slope": slope, "note": note}


def _platt(labels: NDArray, z: Floats) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression

    n_fake = int((labels == FAKE).sum())
    # Platt's smoothed targets instead of 1 and 0, which keep the fit finite for separable rows
    target = np.where(labels == FAKE, (n_fake + 1) / (n_fake + 2), 1 / (len(labels) - n_fake + 2))
    scale = max(float(np.abs(z).max()), 1.0)  # the solver works best with numbers near 1
    model = LogisticRegression(C=np.inf, tol=1e-9, max_iter=2000)
    model.fit(np.tile(z / scale, 2)[:, None], np.repeat([1, 0], len(z)), np.concatenate([target, 1 - target]))
    slope, offset = float(model.coef_[0, 0]) / scale, float(model.intercept_[0])
    note = "the slope is not above 0: on these rows a higher score means real, and the ranking is reversed"
    return {"slope": slope, "offset": offset, "note": "" if slope > 0 else note}


def _isotonic(labels: NDArray, raw: Floats) -> dict[str, Any]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1).fit(raw, labels)
    to = tuple(float(value) for value in model.y_thresholds_)
    certain = "some scores become 0 or 1: a single file on the wrong side then costs 36 nats of log loss"
    return {
        "knots_from": tuple(float(value) for value in model.X_thresholds_), "knots_to": to,
        "note": certain if min(to) == 0 or max(to) == 1 else "",
    }  # fmt: skip
