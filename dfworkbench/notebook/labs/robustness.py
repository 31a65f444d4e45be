"""Lab 4, robustness: two small detectors, one of texture and one of colour, under rising perturbations."""

from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.datasets.perturb.perturbations import LEVELS, Perturb, strengths_at
from dfworkbench.evaluation.judging.robustness import CLEAN, robustness_of
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.notebook.labs.detail import bands, corners, skin
from dfworkbench.notebook.labs.faces import Pixels, Shot, Studio
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number
from dfworkbench.notebook.labs.robustness_figures import plot_steps
from dfworkbench.show.plots.robustness import plot_robustness
from dfworkbench.show.tables import ReadableTable
from dfworkbench.synthetic.forgeries.blend import face_height, hull
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

SIZE_PX, PEOPLE_COUNT = 128, 60  #: half of the people are trained on
DETECTORS = ("texture", "colour")
PERTURBED = ("noise", "blur", "jpeg", "resize", "grey")
LEVEL = 3  #: of the first, third and fourth question
LIMIT = 0.05  #: share of unperturbed genuine pictures that may be flagged
PLATFORM = "resize>jpeg"  #: what happens to an uploaded picture
_FORGER = ForgerySettings(grain=(0.0, 0.3), colour_error=22.0)

_JUDGING = Judging(unit="group", draws=300)  # of people; a thousand draws would take most of the time

Matrix = NDArray[np.float64]


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


class RobustnessLab(Lab[RobustnessAnswers]):
    """Face swaps by a forger who is careless about colour, and two detectors that look at different traces."""

    name = "lab_4_robustness"
    answers_class = RobustnessAnswers

    @cached_property
    def shots(self) -> list[Shot]:
        """A genuine and a forged picture of each person; the people of the first half are trained on."""
        studio = Studio(self.seed, SIZE_PX, 0.8)
        return [
            shot
            for person in range(PEOPLE_COUNT)
            for shot in (studio.genuine(person, 0), studio.forged(person, _donor(person), 1, "Deepfakes", _FORGER))
        ]

    @cached_property
    def _regions(self) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
        return [(skin(shot), _neck(shot)) for shot in self.shots]

    def _features(self, pictures: list[Pixels], places: range) -> dict[str, Matrix]:
        regions = [self._regions[place] for place in places]
        return {
            "texture": np.array(
                [_texture(picture, face) for picture, (face, _) in zip(pictures, regions, strict=True)]
            ),
            "colour": np.array([_colour(picture, *both) for picture, both in zip(pictures, regions, strict=True)]),
        }

    @property
    def _test(self) -> range:
        return range(PEOPLE_COUNT, 2 * PEOPLE_COUNT)

    @cached_property
    def _detectors(self):
        trained = range(PEOPLE_COUNT)
        features = self._features([self.shots[place].picture for place in trained], trained)
        labels = [int(self.shots[place].is_fake) for place in trained]
        return {
            name: make_pipeline(StandardScaler(), LogisticRegression()).fit(features[name], labels)
            for name in DETECTORS
        }

    def changed(self, chain: str, level: int, place: int) -> Pixels:
        """A picture after a perturbation, or a chain of them; level 0 leaves it as it is."""
        if not level:
            return self.shots[place].picture
        change = Perturb(chain, *strengths_at(chain, level))
        return change.picture(self.shots[place].picture, np.random.default_rng((self.seed, place, 404)))

    def _scores(self, chain: str, level: int) -> dict[str, pd.DataFrame]:
        """Score table of each detector on the test people under a condition."""
        places = self._test
        features = self._features([self.changed(chain, level, place) for place in places], places)
        shots = [self.shots[place] for place in places]
        names = [f"p{shot.person:03d}_{'fake' if shot.is_fake else 'real'}.png" for shot in shots]
        about = {
            "row_id": names, "video_id": names, "dataset": "lab 4", "split": "test", "group": [name[:4] for name in names],
            "forgery": [shot.kind for shot in shots], "label": [FAKE if shot.is_fake else REAL for shot in shots],
            "track": 0, "frame": 0, "status": STATUS_OK, "perturbation": chain if level else CLEAN, "level": level,
        }  # fmt: skip
        return {
            name: pd.DataFrame(about | {"fake_probability": model.predict_proba(features[name])[:, 1]})
            for name, model in self._detectors.items()
        }

    @cached_property
    def scores(self) -> dict[str, pd.DataFrame]:
        """Detector -> its score tables under all conditions of the charts."""
        conditions = [("", 0), *((name, level) for name in PERTURBED for level in LEVELS)]
        tables = [self._scores(*condition) for condition in conditions]
        return {name: pd.concat([table[name] for table in tables], ignore_index=True) for name in DETECTORS}

    @cached_property
    def curves(self) -> pd.DataFrame:
        """AUC of both detectors under all conditions, with intervals over people."""
        return pd.concat(
            [robustness_of(self.scores[name], name, _JUDGING).curves for name in DETECTORS], ignore_index=True
        )

    @cached_property
    def _platform_curves(self) -> pd.DataFrame:
        conditions = [self._scores(PLATFORM, level) for level in (0, *LEVELS)]
        tables = {name: pd.concat([tables[name] for tables in conditions], ignore_index=True) for name in DETECTORS}
        curves = [robustness_of(table, name, _JUDGING).curves for name, table in tables.items()]
        return pd.concat(curves, ignore_index=True)

    def auc(self, detector: str, chain: str, level: int) -> float:
        """AUC of a detector under one condition, as the table of AUCs shows it; `PLATFORM` counts as one."""
        rows = self.curves if chain in PERTURBED else self._platform_curves
        found = rows[(rows["detector"] == detector) & (rows["perturbation"] == chain) & (rows["level"] == level)]
        return round(float(found["value"].iloc[0]), 3)

    def flagged(self, detector: str, chain: str, level: int) -> tuple[int, int]:
        """Genuine and forged pictures above the threshold that flags 5 % of the unperturbed genuine ones."""
        table = self.scores[detector]
        threshold = table[(table["level"] == 0) & (table["label"] == REAL)]["fake_probability"].quantile(1 - LIMIT)
        rows = table[(table["perturbation"] == (chain if level else CLEAN)) & (table["level"] == level)]
        above = rows[rows["fake_probability"] > threshold]
        return int((above["label"] == REAL).sum()), int((above["label"] == FAKE).sum())

    # what the notebook shows

    def steps_figure(self) -> Figure:
        """A forged test picture under every perturbation at three levels."""
        place = self._test[1]
        return plot_steps({name: [self.changed(name, level, place) for level in (0, 1, 3, 5)] for name in PERTURBED})

    def curves_figure(self) -> Figure:
        """AUC over the strength of each perturbation."""
        return plot_robustness(self.curves, columns=3, title="AUC on people who were not trained on")

    def auc_table(self) -> ReadableTable:
        """The figures of the charts."""
        rows = {
            f"{name}, {detector}": {
                "clean" if not level else f"level {level}": self.auc(detector, name, level) for level in (0, *LEVELS)
            }
            for name in PERTURBED
            for detector in DETECTORS
        }
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("perturbation, detector"))

    def flagged_table(self) -> ReadableTable:
        """What the texture detector flags at level 3, with the threshold of unperturbed pictures."""
        rows = {}
        for name, level in ((CLEAN, 0), *((name, LEVEL) for name in PERTURBED)):
            genuine, forged = self.flagged("texture", name, level)
            rows[name] = {"genuine pictures": PEOPLE_COUNT // 2, "of them flagged": genuine, "forged pictures": PEOPLE_COUNT // 2,
                          "flagged": forged}  # fmt: skip
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis(f"level {LEVEL} of"))

    def platform_figure(self) -> Figure:
        """The chain of the platform for both detectors; for after the check."""
        return plot_robustness(self._platform_curves, title="What the platform does: halved, then JPEG")

    # what is right

    def questions(self, answers: RobustnessAnswers) -> list[Question]:
        """The last one is about the detector that was chosen before."""
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


def _donor(person: int) -> int:
    """The next person of the same half, so that no face is trained on and tested."""
    half = PEOPLE_COUNT // 2
    return person // half * half + (person + 1) % half


def _texture(picture: Pixels, face: NDArray[np.bool_]) -> list[float]:
    """Log energy of the skin and of the upper corners in three bands of detail, `(6,)`."""
    pairs = ((energy[face].mean(), corners(energy).mean()) for energy in bands(picture, (0, 1, 2, 4)))
    return [float(np.log(value + 0.05)) for pair in pairs for value in pair]


def _colour(picture: Pixels, face: NDArray[np.bool_], neck: NDArray[np.bool_]) -> list[float]:
    """Difference of the mean colours of face and neck in CIELAB, and its squares, `(6,)`."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float64)
    difference = lab[face].mean(axis=0) - lab[neck].mean(axis=0)
    return [*difference, *difference**2]


def _neck(shot: Shot) -> NDArray[np.bool_]:
    """A patch below the chin, `(H, W)`."""
    chin, height = shot.landmarks[8], face_height(shot.landmarks)
    down = chin - shot.landmarks[27]
    down = down / np.linalg.norm(down)
    aside = np.array([-down[1], down[0]])
    corners_px = [
        chin + height * (d * down + s * aside) for d, s in ((0.12, 0.28), (0.12, -0.28), (0.3, 0.25), (0.3, -0.25))
    ]
    return hull(np.array(corners_px), shot.picture.shape) > 0.5
