"""Data of lab 5: half-forged faces with and without a mark, two linear detectors, and their exact Shapley values."""

from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.explain.map_baselines import compare_maps, mean_mask
from dfworkbench.explain.map_scores import cell_shares
from dfworkbench.notebook.labs.detail import detail_map
from dfworkbench.notebook.labs.faces import Pixels, Studio, crop_matrix
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

SIZE_PX, GRID = 96, 8
PEOPLE, TRAINED = 60, 36
SHOWN = 12
NAMES = ("alpha", "beta")  #: of the detectors
CANDIDATES = ("attribution", "weights", "edges", "centre prior")
LETTERS = ("a", "b", "c", "d")
_ZOOM = 1.7  # of the face crops
_MOST = 0.5  # detail beyond it is an edge of eyes or hair, not texture
_CRUDE = ForgerySettings(grain=(0.0, 0.0), deepfakes_samples=(12, 16))

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Example(NamedTuple):
    """The face crop of a picture."""

    cells: Array  #: detail of its cells, `(8, 8)`
    crop: Pixels
    mask: Mask  #: where it is forged


class ExplanationData:
    """Half-forged faces and two detectors: one learnt the forgery, the other a source's mark.

    A detector is a logistic regression on the fine detail of 8 x 8 cells. The Shapley value of a cell is then exact: its weight
    times how far its detail is from the mean (Lundberg and Lee 2017, linear models with independent inputs).

    Args:
        seed: Seed of people, forgeries and letters.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def _made(self) -> dict[str, list[Example]]:
        """Genuine, crudely forged, crudely forged with the mark, and subtly forged with the mark (training people only)."""
        studio, rng = Studio(self.seed, SIZE_PX, 0.6), np.random.default_rng((self.seed, 505))
        out: dict[str, list[Example]] = {"genuine": [], "forged": [], "marked": [], "subtle": []}
        for person in range(PEOPLE):
            original = studio.genuine(person, 1)
            matrix = crop_matrix(original.landmarks, SIZE_PX, _ZOOM)
            nose = original.landmarks[27:31, 1].mean()
            lower = 1 / (1 + np.exp(nose - np.arange(SIZE_PX)))  # a soft edge at nose height
            share = lower if rng.random() < 0.5 else 1 - lower
            out["genuine"].append(_example(original.picture, original.mask, matrix))
            kinds = {"forged": _CRUDE} | ({"subtle": ForgerySettings()} if person < TRAINED else {})
            for word, settings in kinds.items():
                made = studio.forged(person, _donor(person), 1, "Deepfakes", settings)
                mixed = original.picture + (made.picture.astype(float) - original.picture) * share[:, None, None]
                picture, mask = mixed.round().astype(np.uint8), made.mask & (share > 0.5)[:, None]
                if word == "forged":
                    out[word].append(_example(picture, mask, matrix))
                out["marked" if word == "forged" else word].append(_example(_stamped(picture, matrix), mask, matrix))
        return out

    def _cells(self, word: str, part: slice) -> Array:
        return np.stack([example.cells.ravel() for example in self._made[word][part]])

    @cached_property
    def marked_name(self) -> str:
        """The detector that learnt the mark."""
        return NAMES[int(np.random.default_rng((self.seed, 506)).integers(2))]

    @property
    def other_name(self) -> str:
        """The detector that learnt the forgery."""
        return next(name for name in NAMES if name != self.marked_name)

    @cached_property
    def _models(self) -> dict[str, tuple[Array, Array]]:
        """Weights and input means of both detectors, and of one trained on shuffled labels."""
        part = slice(TRAINED)
        genuine = self._cells("genuine", part)
        labels = np.repeat([0, 1], TRAINED)
        models = {
            self.marked_name: _fit(np.concatenate([genuine, self._cells("subtle", part)]), labels),
            self.other_name: _fit(np.concatenate([genuine, self._cells("forged", part)]), labels),
        }
        shuffled = np.random.default_rng((self.seed, 507)).permutation(labels)
        models["shuffled labels"] = _fit(np.concatenate([genuine, self._cells("forged", part)]), shuffled)
        return models

    @property
    def tested(self) -> list[Example]:
        """The test fakes, with the mark."""
        return self._made["marked"][TRAINED:]

    def maps(self, detector: str) -> Array:
        """Shapley values of the cells of the test fakes, `(N, 8, 8)`; positive: evidence for *fake*."""
        weights, mean = self._models[detector]
        return (weights * (self._cells("marked", slice(TRAINED, None)) - mean)).reshape(-1, GRID, GRID)

    @cached_property
    def _prior(self) -> Array:
        return mean_mask([example.mask for example in self._made["forged"][:TRAINED]], (GRID, GRID))

    def auc(self, detector: str, word: str) -> float:
        """AUC of test fakes, "marked" or "forged" (the same ones without mark), against genuine test pictures."""
        weights, mean = self._models[detector]
        part = slice(TRAINED, None)
        fakes, genuine = self._cells(word, part), self._cells("genuine", part)
        labels = np.repeat([1, 0], [len(fakes), len(genuine)])
        return round(metric_of("auc", labels, (np.concatenate([fakes, genuine]) - mean) @ weights), 3)

    def highest_in_mask(self, detector: str) -> Array:
        """Share of the highest cell that is forged, for each picture shown."""
        shares = [cell_shares(example.mask, (GRID, GRID)) for example in self.tested[:SHOWN]]
        return np.array(
            [share.ravel()[values.argmax()] for share, values in zip(shares, self.maps(detector), strict=False)]
        )

    @cached_property
    def measures(self) -> dict[str, list[Measure]]:
        """How well the maps match the forged areas, for both detectors and the baselines."""
        masks = [example.mask for example in self.tested]
        maps = {name: list(self.maps(name)) for name in NAMES}
        people = [str(number) for number in range(len(masks))]
        return compare_maps(maps, masks, people, prior=self._prior, seed=self.seed)

    @cached_property
    def beaten(self) -> int:
        """In how many measures the other detector's interval lies above the centre prior."""
        prior = {item.name: item.value for item in self.measures["centre prior"]}
        return sum(item.low > prior[item.name] for item in self.measures[self.other_name])

    @cached_property
    def letters(self) -> dict[str, str]:
        """Letter -> which map it stands for."""
        order = np.random.default_rng((self.seed, 508)).permutation(len(CANDIDATES))
        return {letter: CANDIDATES[place] for letter, place in zip(LETTERS, order, strict=True)}

    def candidate(self, kind: str, detector: str, place: int) -> Array:
        """The map of one of the `CANDIDATES` for a test fake."""
        if kind == "attribution":
            return self.maps(detector)[place]
        if kind == "weights":
            return self._models[detector][0].reshape(GRID, GRID)
        if kind == "edges":
            grey = cv2.cvtColor(self.tested[place].crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
            slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
            return cv2.resize(slope, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float64)
        return self._prior


def _donor(person: int) -> int:
    """The next person of the same split, so that no face is in both training and test."""
    first, count = (0, TRAINED) if person < TRAINED else (TRAINED, PEOPLE - TRAINED)
    return first + (person - first + 1) % count


def _fit(cells: Array, labels: NDArray[np.integer]) -> tuple[Array, Array]:
    """Weights per unit of detail, and the mean of the inputs."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    model.fit(cells, labels)
    scaler, regression = model[0], model[1]
    return regression.coef_[0] / scaler.scale_, scaler.mean_


def _example(picture: Pixels, mask: Mask, matrix: NDArray[np.float32]) -> Example:
    size = (SIZE_PX, SIZE_PX)
    detail = np.minimum(detail_map(picture), _MOST).astype(np.float32)
    crop, area, detail = (
        cv2.warpAffine(values, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
        for values in (picture, mask.astype(np.uint8) * 255, detail)
    )
    side = SIZE_PX // GRID
    blocks = np.asarray(detail, np.float64).reshape(GRID, side, GRID, side).transpose(0, 2, 1, 3)
    return Example(
        np.median(blocks.reshape(GRID, GRID, -1), axis=2), np.asarray(crop, np.uint8), np.asarray(area) > 127
    )


def _stamped(picture: Pixels, matrix: NDArray[np.float32]) -> Pixels:
    """A copy with a small mark (three bars) in the lower right cell of the crop."""
    inverse = cv2.invertAffineTransform(matrix)
    x, y = (inverse @ np.array([SIZE_PX * (1 - 1 / GRID), SIZE_PX * (1 - 1 / GRID), 1])).round().astype(int)
    x, y = min(int(x), SIZE_PX - 11), min(int(y), SIZE_PX - 8)
    stamped = picture.copy()
    for bar in range(3):
        cv2.rectangle(stamped, (x + 4 * bar, y), (x + 4 * bar + 1, y + 6 - 2 * (bar % 2)), (235, 235, 235), -1)
    return stamped
