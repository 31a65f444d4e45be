"""Lab 3, thresholds and base rates: set a threshold, and find out what its alarms are worth when fakes are rare."""

from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from dfworkbench.evaluation.judging.verdicts import thresholds
from dfworkbench.notebook.labs.choices import Choices
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number
from dfworkbench.notebook.labs.threshold_figures import plot_crowd, plot_precision, plot_rates, plot_two_classes
from dfworkbench.show.tables import ReadableTable

Floats = NDArray[np.float64]

LIMIT = 0.05  #: share of genuine clips that may be flagged
CLIPS = 100_000  #: clips uploaded per day
VALIDATION, TEST = 500, 2000  #: clips of each class
ONE_IN = (500, 1000, 2000, 4000)  #: one in this many clips is a fake; the seed chooses
EXAMPLE_ONE_IN = 10  #: one in this many, in the worked example
_SLACK = 0.02  # how many fewer fakes a threshold may find than the best one, as a share


class ThresholdAnswers(LabSettings):
    """Seed and answers of lab 3."""

    answer_1: float | None = Field(default=None, ge=0, le=1, description="Threshold: fake above it")
    answer_2: float | None = Field(default=None, ge=0, le=1, description="Share of the fake test clips that it finds")
    answer_3: int | None = Field(default=None, ge=0, description="Genuine clips that are flagged on a day")
    answer_4: float | None = Field(default=None, ge=0, le=1, description="Share of the flagged clips that are fakes")
    answer_5: Literal["a", "b", "c", "d"] | None = Field(default=None, description="The true sentence")


class ThresholdLab(Lab[ThresholdAnswers]):
    """Scores of a calibrated detector on validation and test clips, and a platform where few clips are fakes.

    Figures use the threshold from the answers, or 0.5 if there is none.
    """

    name = "lab_3_thresholds"
    answers_class = ThresholdAnswers

    @cached_property
    def _drawn(self) -> tuple[dict[str, tuple[Floats, Floats]], int]:
        rng = np.random.default_rng((self.seed, 303))
        apart = rng.uniform(
            2.3, 2.7
        )  # standard deviations between the classes: binormal, and so calibrated at equal shares
        draw = {
            split: tuple(
                np.round(expit(apart * (sign * apart / 2 + rng.standard_normal(count))), 4) for sign in (-1, 1)
            )
            for split, count in (("validation", VALIDATION), ("test", TEST))
        }
        return draw, int(rng.choice(ONE_IN))  # pyright: ignore[reportReturnType]

    @property
    def validation(self) -> tuple[Floats, Floats]:
        """Fake probabilities of the genuine and of the fake validation clips."""
        return self._drawn[0]["validation"]

    @property
    def test(self) -> tuple[Floats, Floats]:
        """Fake probabilities of the genuine and of the fake test clips."""
        return self._drawn[0]["test"]

    @property
    def one_in(self) -> int:
        """One in this many uploaded clips is a fake."""
        return self._drawn[1]

    @cached_property
    def threshold(self) -> float:
        """The threshold of the workbench: the k-th highest genuine score with k = floor(5 % of n + 1)."""
        above = thresholds(*self.validation, LIMIT, 0.0)[0]
        assert above is not None  # 500 genuine clips suffice for 5 %
        return above

    def rates(self, threshold: float, split: str = "test") -> tuple[float, float]:
        """Shares of genuine and of fake clips above a threshold."""
        genuine, fake = self._drawn[0][split]
        return float((genuine > threshold).mean()), float((fake > threshold).mean())

    def flagged(self, threshold: float, one_in: int) -> tuple[float, float]:
        """How many genuine clips and how many fakes are flagged per day, at the rates of the test clips."""
        alarms, hits = self.rates(threshold)
        return CLIPS * (1 - 1 / one_in) * alarms, CLIPS / one_in * hits

    @cached_property
    def sentences(self) -> Choices:
        """Statements about a flagged clip; exactly one is true."""
        return Choices(
            {
                "Of the genuine clips, about 5 % are flagged too.": "",
                "This clip is fake with a probability of about 95 %.": "That reverses the sentence: the threshold limits how "
                "many genuine clips are flagged, not how many flagged clips are genuine.",
                "Of the flagged clips, about 5 % are genuine.": "5 % of what? Compare it with your fourth answer.",
                "Of the clips that are not flagged, about 5 % are fakes.": "Fakes are rare before the detector looks. How "
                "could they be that frequent among clips that it did not flag?",
            },
            self.seed,
        )

    # what the notebook shows

    def _shown(self, answers: ThresholdAnswers) -> float:
        return 0.5 if answers.answer_1 is None else answers.answer_1

    def scores_figure(self, answers: ThresholdAnswers) -> Figure:
        """Validation scores of both classes around the answered threshold."""
        return plot_two_classes(self.validation, self._shown(answers), self.rates(self._shown(answers), "validation"))

    def rates_figure(self) -> Figure:
        """Share of each class above every threshold."""
        return plot_rates(self.validation, LIMIT)

    def counts(self, answers: ThresholdAnswers) -> ReadableTable:
        """How many test clips lie on either side of the answered threshold."""
        threshold = self._shown(answers)
        rows = {
            f"{word} clips": {
                "flagged": int((scores > threshold).sum()),
                "not flagged": int((scores <= threshold).sum()),
            }
            for word, scores in zip(("genuine", "fake"), self.test, strict=True)
        }
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"threshold {threshold:g}"))

    def example_figure(self, answers: ThresholdAnswers) -> Figure:
        """A thousand clips of which one in ten is a fake, with the flagged ones marked."""
        return plot_crowd(EXAMPLE_ONE_IN, self.rates(self._shown(answers)))

    def precision_figure(self, answers: ThresholdAnswers) -> Figure:
        """Share of fakes among flagged clips over the base rate; to be shown after the check."""
        return plot_precision(self.rates(self._shown(answers)), self.one_in)

    # what is right

    def questions(self, answers: ThresholdAnswers) -> list[Question]:
        """All answers depend on the answered threshold."""
        threshold = self.threshold if answers.answer_1 is None else answers.answer_1
        alarms, hits = self.rates(threshold)
        wrong_alarms, right_alarms = self.flagged(threshold, self.one_in)
        total = wrong_alarms + right_alarms
        worth = right_alarms / total if total else 0.0
        return [
            Question(
                f"the threshold that finds most fakes while at most {LIMIT:.0%} of the genuine validation clips are flagged",
                self._judge_threshold,
                self.threshold,
                f"the k-th highest genuine validation score, k = floor({LIMIT} x {VALIDATION + 1}) = "
                f"{int(LIMIT * (VALIDATION + 1))}; thresholds beside it pass too",
            ),
            Question(
                "the share of the fake test clips that it finds",
                lambda given: judge_number(
                    given,
                    hits,
                    0.005,
                    {
                        "That is the share of genuine clips that are flagged.": alarms,
                        "That is the share on the validation clips, on which the threshold was chosen.": self.rates(
                            threshold, "validation"
                        )[1],
                        "That is the share of fakes that are missed.": 1 - hits,
                    },
                    f"Divide the flagged fake test clips at your threshold by all {TEST} fake test clips.",
                ),
                round(hits, 4),
                f"flagged fake test clips / {TEST}",
            ),
            Question(
                f"the genuine clips flagged on a day, of {CLIPS:,} clips of which one in {self.one_in} is a fake",
                lambda given: judge_number(
                    given,
                    wrong_alarms,
                    0.02 * wrong_alarms + 1,
                    {
                        "That is the number of fakes that are flagged.": right_alarms,
                        "That is the number of all flagged clips.": total,
                        "That is how many would be flagged if half of all clips were genuine.": CLIPS / 2 * alarms,
                    },
                    "Multiply the number of genuine clips on a day by the share of genuine test clips that are flagged.",
                ),
                round(wrong_alarms),
                f"{CLIPS:,} x (1 - 1/{self.one_in}) x the false-alarm rate on the test clips",
            ),
            Question(
                "the share of the flagged clips that are fakes",
                lambda given: judge_number(
                    given,
                    worth,
                    0.05 * worth,
                    {
                        "That is the share of fakes that are flagged, not the share of flagged clips that are fakes.": hits,
                        "That is the share if half of all clips were fakes, as in the test set.": hits
                        / (hits + alarms or 1),
                        "That is the share of flagged clips that are genuine.": 1 - worth,
                    },
                    "Divide the flagged fakes of a day by all flagged clips of that day, the genuine ones included.",
                ),
                float(f"{worth:.3g}"),
                "flagged fakes / (flagged fakes + flagged genuine clips), by the rates on the test clips",
            ),
            Question(
                "the sentence about a flagged clip that is true",
                self.sentences.judge,
                self.sentences.right,
                self.sentences.meaning(self.sentences.right),
            ),
        ]

    def _judge_threshold(self, given: float) -> str:
        alarms, hits = self.rates(given, "validation")
        if alarms > LIMIT:
            return (
                f"Above {given:g} lie {alarms:.1%} of the genuine validation clips; at most {LIMIT:.0%} may be flagged."
            )
        if hits < self.rates(self.threshold, "validation")[1] - _SLACK:
            return (
                f"Above {given:g} lie only {alarms:.1%} of the genuine validation clips, and {hits:.1%} of the fakes. "
                "The limit leaves room to find more."
            )
        return ""
