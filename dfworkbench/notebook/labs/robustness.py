"""Lab 4, robustness: two small detectors, one of texture and one of colour, under increasing perturbations."""

from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from dfworkbench.datasets.perturb.perturbations import LEVELS
from dfworkbench.evaluation.judging.robustness import CLEAN
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number
from dfworkbench.notebook.labs.robustness_data import DETECTORS, PEOPLE_COUNT, PERTURBED, PLATFORM, RobustnessData
from dfworkbench.notebook.labs.robustness_figures import plot_steps
from dfworkbench.show.plots.robustness import plot_robustness
from dfworkbench.show.tables import ReadableTable

LEVEL = 3  #: of the first, third and fourth question


class RobustnessAnswers(LabSettings):
    """Seed and answers of lab 4."""

    answer_1: Literal["noise", "blur", "jpeg", "resize", "grey"] | None = Field(
        default=None, description="What lowers the AUC of the texture detector most at level 3"
    )
    answer_2: int | None = Field(
        default=None, ge=0, le=5, description="First level of JPEG at which colour beats texture; 0: none"
    )
    answer_3: float | None = Field(
        default=None, ge=0, le=1, description="Share of the blurred genuine pictures that are flagged"
    )
    answer_4: Literal["texture", "colour"] | None = Field(default=None, description="Detector for the platform")
    answer_5: float | None = Field(
        default=None, ge=0, le=1, description="Lowest AUC of the chosen detector in the charts"
    )


class RobustnessLab(RobustnessData, Lab[RobustnessAnswers]):
    """Questions about two detectors of the same forgeries."""

    name = "lab_4_robustness"
    answers_class = RobustnessAnswers

    # what the notebook shows

    def steps_figure(self) -> Figure:
        """A forged test picture under every perturbation at three levels."""
        place = self.tested[1]
        return plot_steps({name: [self.changed(name, level, place) for level in (0, 1, 3, 5)] for name in PERTURBED})

    def curves_figure(self) -> Figure:
        """AUC over the strength of each perturbation."""
        return plot_robustness(self.curves, columns=3, title="AUC on people who were not trained on")

    def auc_table(self) -> ReadableTable:
        """The values in the charts."""
        rows = {
            f"{name}, {detector}": {
                "clean" if not level else f"level {level}": self.auc(detector, name, level) for level in (0, *LEVELS)
            }
            for name in PERTURBED
            for detector in DETECTORS
        }
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("perturbation, detector"))

    def flagged_table(self) -> ReadableTable:
        """What the texture detector flags at level 3, at the threshold set on unperturbed pictures."""
        rows = {}
        for name, level in ((CLEAN, 0), *((name, LEVEL) for name in PERTURBED)):
            genuine, forged = self.flagged("texture", name, level)
            rows[name] = {"genuine pictures": PEOPLE_COUNT // 2, "of them flagged": genuine, "forged pictures": PEOPLE_COUNT // 2,
                          "flagged": forged}  # fmt: skip
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"level {LEVEL} of"))

    def platform_figure(self) -> Figure:
        """Both detectors under the platform's processing chain; to be shown after the check."""
        return plot_robustness(self.platform_curves, title="What the platform does: halved, then JPEG")

    # what is right

    def questions(self, answers: RobustnessAnswers) -> list[Question]:
        """The last question is about the detector chosen before."""
        falls = {name: self.auc("texture", name, 0) - self.auc("texture", name, LEVEL) for name in PERTURBED}
        worst = max(falls, key=falls.__getitem__)
        overtaken = next((n for n in LEVELS if self.auc("colour", "jpeg", n) > self.auc("texture", "jpeg", n)), 0)
        genuine, forged = (count / (PEOPLE_COUNT // 2) for count in self.flagged("texture", "blur", LEVEL))
        platform = {name: self.auc(name, PLATFORM, LEVEL) for name in DETECTORS}
        best = max(platform, key=platform.__getitem__)
        chosen = answers.answer_4 or best
        lowest = {
            name: min(self.auc(name, chain, n) for chain in PERTURBED for n in (0, *LEVELS)) for name in DETECTORS
        }
        return [
            Question(
                f"the perturbation that lowers the AUC of the texture detector most at level {LEVEL}",
                lambda given: (
                    "" if falls[given] > falls[worst] - 0.005
                    else f"Another one lowers it more. Compare the texture rows at level {LEVEL} of the table."
                ),
                worst,
                f"the texture row with the lowest value at level {LEVEL}",
            ),
            Question(
                "the first level of JPEG at which the colour detector has the higher AUC (0: at none)",
                lambda given: "" if given == overtaken else self._jpeg_hint(given),
                overtaken,
                "the two JPEG rows, from left to right",
            ),
            Question(
                f"the share of genuine pictures that the texture detector flags after blur of level {LEVEL}",
                lambda given: judge_number(
                    given, genuine, 0.006,
                    {"That is the share of the forged pictures.": forged, "That is the share that is not flagged.": 1 - genuine},
                    "Divide the flagged genuine pictures in the row of blur by all genuine pictures.",
                ),
                round(genuine, 3),
                "row blur of the second table: flagged genuine pictures / genuine pictures",
            ),
            Question(
                "the detector for a platform that halves pictures and stores them as JPEG of quality 60",
                lambda given: (
                    "" if given == best else "Which of the two still works on pictures that were resized, and then compressed?"
                ),
                best,
                f'lab.auc("texture", "{PLATFORM}", {LEVEL}) against lab.auc("colour", "{PLATFORM}", {LEVEL})',
            ),
            Question(
                f"the lowest AUC of the {chosen} detector in the charts",
                lambda given: judge_number(
                    given, lowest[chosen], 0.006,
                    {"That is the lowest one of the other detector.": lowest[next(name for name in DETECTORS if name != chosen)],
                     "That is its AUC on pictures as they are.": self.auc(chosen, "noise", 0)},
                    "Look for the smallest number in the rows of the detector you chose, whatever the perturbation.",
                ),
                lowest[chosen],
                "the smallest number in its rows of the table",
            ),
        ]  # fmt: skip

    def _jpeg_hint(self, given: int) -> str:
        if not given:
            return "There is a level at which it does."
        texture, colour = (self.auc(name, "jpeg", given) for name in DETECTORS)
        if colour <= texture:
            return f"At level {given} the texture detector still has {texture:.3f}, the colour detector {colour:.3f}."
        return f"At level {given} it does, but not for the first time."
