"""Data of lab 4: face swaps with smooth skin and wrong colour, two small detectors, and their scores under perturbations."""

from functools import cached_property

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.names import FAKE, REAL, STATUS_OK
from dfworkbench.datasets.perturb.perturbations import LEVELS, Perturb, strengths_at
from dfworkbench.evaluation.judging.robustness import CLEAN, robustness_of
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.notebook.labs.detail import bands, corners, skin
from dfworkbench.notebook.labs.faces import Pixels, Shot, Studio
from dfworkbench.synthetic.forgeries.blend import face_height, hull
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

SIZE_PX, PEOPLE_COUNT = 128, 60  #: half of the people are used for training
DETECTORS = ("texture", "colour")
PERTURBED = ("noise", "blur", "jpeg", "resize", "grey")
LIMIT = 0.05  #: share of unperturbed genuine pictures that may be flagged
PLATFORM = "resize>jpeg"  #: processing of an uploaded picture
_FORGER = ForgerySettings(grain=(0.0, 0.3), colour_error=22.0)
_JUDGING = Judging(unit="group", draws=300)  # bootstrap over people; a thousand draws would take most of the time

Matrix = NDArray[np.float64]


class RobustnessData:
    """Face swaps by a forger who is careless about colour, and two detectors that look at different traces.

    Args:
        seed: Seed of people, swaps and perturbations.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def shots(self) -> list[Shot]:
        """A genuine and a forged picture of each person; the first half of the people are for training."""
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
    def tested(self) -> range:
        """Indices of the test pictures in `shots`."""
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
        """A picture after a perturbation, or a chain of them; level 0 leaves it unchanged."""
        if not level:
            return self.shots[place].picture
        change = Perturb(chain, *strengths_at(chain, level))
        return change.picture(self.shots[place].picture, np.random.default_rng((self.seed, place, 404)))

    def _scores(self, chain: str, level: int) -> dict[str, pd.DataFrame]:
        """Score table of each detector on the test people under one condition."""
        places = self.tested
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
        """Detector -> its score tables under all conditions in the charts."""
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
    def platform_curves(self) -> pd.DataFrame:
        """AUC of both detectors under the platform's chain."""
        conditions = [self._scores(PLATFORM, level) for level in (0, *LEVELS)]
        tables = {name: pd.concat([tables[name] for tables in conditions], ignore_index=True) for name in DETECTORS}
        curves = [robustness_of(table, name, _JUDGING).curves for name, table in tables.items()]
        return pd.concat(curves, ignore_index=True)

    @cached_property
    def _aucs(self) -> dict[tuple[str, str, int], float]:
        rows = pd.concat([self.curves, self.platform_curves])
        keys = zip(rows["detector"], rows["perturbation"], rows["level"], strict=True)
        return {key: round(float(value), 3) for key, value in zip(keys, rows["value"], strict=True)}

    def auc(self, detector: str, chain: str, level: int) -> float:
        """AUC of a detector under one condition, as in the AUC table; `PLATFORM` is also a condition."""
        return self._aucs[detector, chain, level]

    def flagged(self, detector: str, chain: str, level: int) -> tuple[int, int]:
        """Number of genuine and forged pictures above the threshold that flags 5 % of unperturbed genuine ones."""
        table = self.scores[detector]
        threshold = table[(table["level"] == 0) & (table["label"] == REAL)]["fake_probability"].quantile(1 - LIMIT)
        rows = table[(table["perturbation"] == (chain if level else CLEAN)) & (table["level"] == level)]
        above = rows[rows["fake_probability"] > threshold]
        return int((above["label"] == REAL).sum()), int((above["label"] == FAKE).sum())


def _donor(person: int) -> int:
    """The next person of the same half, so that no face is in both training and test."""
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
