"""Data of lab 2: clips of genuine and swapped people, splits of them, and a detector on small faces."""

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.splits import identity_groups
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.notebook.labs.faces import Shot, Studio, face_crop

SIZE_PX, THUMB_PX = 64, 16
PEOPLE, CLIPS = 24, 8  #: half of the people are shown genuine, the others forged
RINGS = (5, 3, 2, 2)  #: sizes of the rings within which people were swapped
SPLITS = 20  #: number of splits of each kind
TEST_SHARE = 1 / 3
SHARE_A = 1 / 6  #: share of the clips that split A tests on


class IdentityData:
    """Clips of 24 people, half of them genuine and half swapped within rings, and a detector on small pictures of them.

    Args:
        seed: Seed of the people, swaps and splits.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @cached_property
    def names(self) -> list[str]:
        """The people."""
        return [f"p{number:02d}" for number in range(1, PEOPLE + 1)]

    @cached_property
    def donors(self) -> dict[int, int]:
        """Carrier -> donor, for the swapped people."""
        order = np.random.default_rng((self.seed, 202)).permutation(PEOPLE)[: sum(RINGS)]
        rings = np.split(order, np.cumsum(RINGS)[:-1])
        return {
            int(carrier): int(donor) for ring in rings for carrier, donor in zip(ring, np.roll(ring, 1), strict=True)
        }

    @cached_property
    def shots(self) -> list[Shot]:
        """All clips of the data set, ordered by person."""
        studio = Studio(self.seed, SIZE_PX)
        return [
            studio.genuine(person, scene) if donor is None else studio.forged(person, donor, scene, "FaceSwap")
            for person in range(PEOPLE)
            for donor in (self.donors.get(person),)
            for scene in range(CLIPS)
        ]

    @cached_property
    def _others(self) -> list[Shot]:
        """Genuine clips of the people who appear only forged in the data set."""
        studio = Studio(self.seed, SIZE_PX)
        return [studio.genuine(person, scene) for person in sorted(self.donors) for scene in range(CLIPS, CLIPS + 2)]

    @cached_property
    def videos(self) -> pd.DataFrame:
        """The clips as a video table: video_id, carrier, donor ("" for genuine clips), label, group."""
        rows = [
            {
                "video_id": f"{self.names[shot.person]}_{number % CLIPS}",
                "carrier": self.names[shot.person],
                "donor": self.names[shot.donor] if shot.is_fake else "",
                "label": FAKE if shot.is_fake else REAL,
            }
            for number, shot in enumerate(self.shots)
        ]
        table = pd.DataFrame(rows)
        return table.assign(group=identity_groups(table))

    # the detector

    @cached_property
    def _features(self) -> NDArray[np.float64]:
        return _features(self.shots)

    def _fit(self, rows: NDArray[np.bool_]):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        return model.fit(self._features[rows], self.videos["label"][rows])

    def _test_rows(self, column: str, number: int, share: float = TEST_SHARE) -> NDArray[np.bool_]:
        """A random share of the clips, or of the people or rings, of each class, for testing."""
        rng = np.random.default_rng((self.seed, number, 203))
        chosen = []
        for _, part in self.videos.groupby("label"):
            units = part[column].unique()
            chosen += rng.permutation(units)[: max(1, round(share * len(units)))].tolist()
        return self.videos[column].isin(chosen).to_numpy()

    def _auc(self, test: NDArray[np.bool_]) -> float:
        scores = self._fit(~test).decision_function(self._features[test])
        return metric_of("auc", self.videos["label"][test], scores)

    @cached_property
    def aucs(self) -> dict[str, list[float]]:
        """AUC over random splits by clip, and by group of people."""
        return {
            word: [self._auc(self._test_rows(column, number)) for number in range(SPLITS)]
            for word, column in (("by clip", "video_id"), ("by person", "group"))
        }

    @cached_property
    def means(self) -> tuple[float, float]:
        """Mean AUC by clip and by person, rounded as in the table."""
        by_clip, by_person = (round(float(np.mean(values)), 3) for values in self.aucs.values())
        return by_clip, by_person

    @cached_property
    def split_a(self) -> pd.DataFrame:
        """A split by clip: the video table with a column `split`."""
        return self.videos.assign(split=np.where(self._test_rows("video_id", 0, SHARE_A), "test", "train"))

    @cached_property
    def on_both_sides(self) -> list[str]:
        """People in both the training and the test part of split A."""
        sides = self.split_a.groupby("carrier")["split"].nunique()
        return sides.index[sides > 1].tolist()

    @cached_property
    def new_scores(self) -> dict[str, NDArray[np.float64]]:
        """Fake probabilities of clips that the detector trained on split A has not seen."""
        test = (self.split_a["split"] == "test").to_numpy()
        model = self._fit(~test)
        fake = self.videos["label"].to_numpy() == FAKE
        return {
            "genuine clips of people shown genuine": model.predict_proba(self._features[test & ~fake])[:, 1],
            "forged clips of swapped people": model.predict_proba(self._features[test & fake])[:, 1],
            "genuine clips of swapped people": model.predict_proba(_features(self._others))[:, 1],
        }

    @cached_property
    def asked_person(self) -> str:
        """A person from the largest ring."""
        sizes = self.videos.groupby("group")["carrier"].nunique()
        members = self.members(str(sizes.idxmax()))
        return members[self.seed % len(members)]

    def members(self, group: str) -> list[str]:
        """The people of a group."""
        return sorted(self.videos.loc[self.videos["group"] == group, "carrier"].unique())

    @cached_property
    def partners(self) -> list[str]:
        """Who must be on the same side of a split as the person in question."""
        group = self.videos.loc[self.videos["carrier"] == self.asked_person, "group"].iloc[0]
        return [name for name in self.members(group) if name != self.asked_person]


def _features(shots: list[Shot]) -> NDArray[np.float64]:
    """All pixels of the small faces, `(N, 3 x 16 x 16)`, 0..1."""
    return np.stack([face_crop(shot, THUMB_PX, 1.5) for shot in shots]).reshape(len(shots), -1) / 255
