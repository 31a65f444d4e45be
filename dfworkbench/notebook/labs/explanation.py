"""Lab 5, explanations against ground truth: Shapley values of two detectors are compared with forged areas."""

from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from dfworkbench.evaluation.metrics.measures import measures_table
from dfworkbench.notebook.labs.explanation_data import LETTERS, NAMES, SHOWN, ExplanationData
from dfworkbench.notebook.labs.explanation_figures import plot_attributions, plot_candidates
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number, judge_set
from dfworkbench.show.plots.comparison import plot_measures
from dfworkbench.show.tables import ReadableTable


class ExplanationAnswers(LabSettings):
    """Seed and answers of lab 5."""

    answer_1: Literal["alpha", "beta"] | None = Field(default=None, description="The detector that looks at the mark")
    answer_2: int | None = Field(
        default=None, ge=0, le=SHOWN, description="Pictures in which the highest cell of the other one is forged"
    )
    answer_3: float | None = Field(default=None, ge=-1, le=1, description="By how much the AUC falls without the mark")
    answer_4: int | None = Field(
        default=None, ge=0, le=4, description="Measures in which the other one beats the centre prior"
    )
    answer_5: tuple[str, ...] = Field(default=(), description="Letters of the maps that do not depend on the detector")


class ExplanationLab(ExplanationData, Lab[ExplanationAnswers]):
    """Questions about two detectors and the maps that explain them."""

    name = "lab_5_explanations"
    answers_class = ExplanationAnswers

    # what the notebook shows

    def attributions_figure(self, detector: str) -> Figure:
        """Twelve test fakes with the detector's Shapley values, its highest cell and the true outline."""
        shown = self.tested[:SHOWN]
        return plot_attributions(
            [example.crop for example in shown],
            list(self.maps(detector)[:SHOWN]),
            [example.mask for example in shown],
            detector,
        )

    def auc_table(self) -> ReadableTable:
        """AUC of both detectors on test fakes with and without the mark."""
        words = {"fakes with the mark": "marked", "the same without it": "forged"}
        rows = {name: {head: self.auc(name, word) for head, word in words.items()} for name in NAMES}
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("AUC of detector"))

    def measures_figure(self) -> Figure:
        """The measures as dots with intervals."""
        return plot_measures(self.measures, title="Do the maps show what is forged?")

    def measures_table(self) -> ReadableTable:
        """The measures as numbers."""
        return ReadableTable(measures_table(self.measures))

    def candidates_figure(self) -> Figure:
        """Four maps of two pictures, from the detector that learnt the forgery and from one trained on shuffled labels."""
        detectors = {"trained": self.other_name, "shuffled labels": "shuffled labels"}
        rows = {
            (word, place): {letter: self.candidate(kind, name, place) for letter, kind in self.letters.items()}
            for place in (0, 1)
            for word, name in detectors.items()
        }
        return plot_candidates({place: self.tested[place].crop for place in (0, 1)}, rows)

    # what is right

    def questions(self, answers: ExplanationAnswers) -> list[Question]:
        """None depends on another answer."""
        inside = self.highest_in_mask(self.other_name)
        clear, unclear = int((inside >= 0.5).sum()), int(((inside > 0.2) & (inside < 0.8)).sum())
        fall, other_fall = (
            self.auc(name, "marked") - self.auc(name, "forged") for name in (self.marked_name, self.other_name)
        )
        fixed = tuple(letter for letter, kind in self.letters.items() if kind in ("edges", "centre prior"))
        return [
            Question(
                "the detector that looks at the mark",
                lambda given: "" if given == self.marked_name else "Where are the highest cells of this detector, mostly?",
                self.marked_name,
                "its highest cells lie at the lower right, where the mark is",
            ),
            Question(
                f"in how many of the {SHOWN} pictures the highest cell of the other detector is forged",
                lambda given: judge_number(
                    given, clear, unclear,
                    {"Those are the pictures in which it is not.": SHOWN - clear},
                    "Count the pictures of the other detector in which the framed cell lies within the outline.",
                ),
                clear,
                f"framed cells of which at least half is forged; {unclear} unclear ones may be counted or not",
            ),
            Question(
                "by how much the AUC of the first detector falls when the mark is left out",
                lambda given: judge_number(
                    given, fall, 0.006,
                    {"That is the fall of the other detector.": other_fall,
                     "That is its AUC without the mark, not the difference.": self.auc(self.marked_name, "forged"),
                     "The sign is reversed: a fall is positive.": -fall},
                    "Subtract the two AUCs in the row of the detector that looks at the mark.",
                ),
                round(fall, 3),
                "the difference of the two numbers in its row",
            ),
            Question(
                "in how many of the four measures the other detector is surely better than the centre prior",
                lambda given: "" if given == self.beaten else self._prior_hint(given),
                self.beaten,
                "measures in which the lower end of its interval is above the value of the centre prior",
            ),
            Question(
                "the maps that do not depend on the detector",
                lambda given: judge_set(
                    given, fixed, LETTERS,
                    ("One of these maps changes when the detector does.", "Another map stays the same as well."),
                ),
                fixed,
                "the two that look the same in the rows of both detectors: edges of the picture, and the centre prior",
            ),
        ]  # fmt: skip

    def _prior_hint(self, given: int) -> str:
        prior = {item.name: item.value for item in self.measures["centre prior"]}
        if given == sum(item.value > prior[item.name] for item in self.measures[self.other_name]):
            return "In so many its value is higher. Surely better means that the whole interval lies above the centre prior."
        return "Compare the lower ends of its intervals with the values in the column of the centre prior."
