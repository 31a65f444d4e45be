"""Lab 2, leakage by identity: a detector that recognises people scores well on a split that shares them."""

from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.splits import identity_groups
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.notebook.labs.faces import Shot, Studio, face_crop
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number, judge_set
from dfworkbench.notebook.labs.identity_figures import plot_aucs, plot_people, plot_split, plot_strips
from dfworkbench.show.tables import ReadableTable

SIZE_PX, THUMB_PX = 64, 16
PEOPLE, CLIPS = 24, 8  #: half of the people are shown genuine, the others forged
RINGS = (5, 3, 2, 2)  #: sizes of the rings within which people were swapped
SPLITS = 20  #: of either kind
TEST_SHARE = 1 / 3
SHARE_A = 1 / 6  #: of the clips, that split A tests on
FEWEST = 3  #: people of either class whom a split of one's own must test on


class IdentityAnswers(LabSettings):
    """Seed and answers of lab 2."""

    answer_1: int | None = Field(default=None, ge=0, description="People on both sides of split A")
    answer_2: float | None = Field(default=None, ge=-1, le=1, description="Mean AUC by clip minus mean AUC by person")
    answer_3: float | None = Field(
        default=None, ge=0, le=1, description="Share of the genuine clips of swapped people that are called fake"
    )
    answer_4: tuple[str, ...] = Field(
        default=(), description="People who must be on the side of the person named below"
    )
    answer_5: tuple[str, ...] = Field(default=(), description="People of a test split without a leak")


class IdentityLab(Lab[IdentityAnswers]):
    """Clips of 24 people, half of them genuine and half swapped within rings, and a detector on small pictures of them."""

    name = "lab_2_leakage_by_identity"
    answers_class = IdentityAnswers

    @cached_property
    def names(self) -> list[str]:
        """The people."""
        return [f"p{number:02d}" for number in range(1, PEOPLE + 1)]

    @cached_property
    def _donors(self) -> dict[int, int]:
        """Carrier -> donor, of the people who are swapped."""
        order = np.random.default_rng((self.seed, 202)).permutation(PEOPLE)[: sum(RINGS)]
        rings = np.split(order, np.cumsum(RINGS)[:-1])
        return {
            int(carrier): int(donor) for ring in rings for carrier, donor in zip(ring, np.roll(ring, 1), strict=True)
        }

    @cached_property
    def _shots(self) -> list[Shot]:
        studio = Studio(self.seed, SIZE_PX)
        return [
            studio.genuine(person, scene) if donor is None else studio.forged(person, donor, scene, "FaceSwap")
            for person in range(PEOPLE)
            for donor in (self._donors.get(person),)
            for scene in range(CLIPS)
        ]

    @cached_property
    def _others(self) -> list[Shot]:
        """Genuine clips of the people who are shown forged only."""
        studio = Studio(self.seed, SIZE_PX)
        return [studio.genuine(person, scene) for person in sorted(self._donors) for scene in range(CLIPS, CLIPS + 2)]

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
            for number, shot in enumerate(self._shots)
        ]
        table = pd.DataFrame(rows)
        return table.assign(group=identity_groups(table))

    # the detector

    @cached_property
    def _features(self) -> NDArray[np.float64]:
        return _features(self._shots)

    def _fit(self, rows: NDArray[np.bool_]):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        return model.fit(self._features[rows], self.videos["label"][rows])

    def _test_rows(self, column: str, number: int, share: float = TEST_SHARE) -> NDArray[np.bool_]:
        """A random share of the clips, or of the people or rings, of either class."""
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
        """AUC of random splits by clip, and by group of people."""
        return {
            word: [self._auc(self._test_rows(column, number)) for number in range(SPLITS)]
            for word, column in (("by clip", "video_id"), ("by person", "group"))
        }

    @cached_property
    def _means(self) -> tuple[float, float]:
        by_clip, by_person = (round(float(np.mean(values)), 3) for values in self.aucs.values())
        return by_clip, by_person

    @cached_property
    def split_a(self) -> pd.DataFrame:
        """A split by clip: the video table with a column `split`."""
        return self.videos.assign(split=np.where(self._test_rows("video_id", 0, SHARE_A), "test", "train"))

    @cached_property
    def on_both_sides(self) -> list[str]:
        """People whom split A trains and tests on."""
        sides = self.split_a.groupby("carrier")["split"].nunique()
        return sides.index[sides > 1].tolist()

    @cached_property
    def new_scores(self) -> dict[str, NDArray[np.float64]]:
        """Fake probabilities of clips that a detector trained on split A has not seen."""
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
        """Somebody of the largest ring."""
        sizes = self.videos.groupby("group")["carrier"].nunique()
        members = self._members(str(sizes.idxmax()))
        return members[self.seed % len(members)]

    def _members(self, group: str) -> list[str]:
        return sorted(self.videos.loc[self.videos["group"] == group, "carrier"].unique())

    @cached_property
    def partners(self) -> list[str]:
        """Who must be on the same side as the person who is asked about."""
        group = self.videos.loc[self.videos["carrier"] == self.asked_person, "group"].iloc[0]
        return [name for name in self._members(group) if name != self.asked_person]

    # what the notebook shows

    def people_figure(self) -> Figure:
        """A clip of every person, framed by its label."""
        firsts = [self._shots[number] for number in range(0, len(self._shots), CLIPS)]
        return plot_people([shot.picture for shot in firsts], [int(shot.is_fake) for shot in firsts], self.names)

    def split_figure(self) -> Figure:
        """Which clips of each person split A trains and tests on."""
        return plot_split(self.split_a)

    def auc_figure(self) -> Figure:
        """AUC of many splits of both kinds."""
        return plot_aucs(self.aucs)

    def auc_table(self) -> ReadableTable:
        """Mean AUC of the splits of either kind."""
        return ReadableTable(pd.DataFrame({"mean AUC": self._means}, index=pd.Index(list(self.aucs), name="split")))

    def strips_figure(self) -> Figure:
        """Scores of clips that the detector has not seen."""
        return plot_strips(self.new_scores)

    def counts(self) -> ReadableTable:
        """How many of them are called fake."""
        rows = {word: {"clips": len(p), "called fake": int((p > 0.5).sum())} for word, p in self.new_scores.items()}
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("clips that were not trained on"))

    def swaps(self) -> ReadableTable:
        """Whose face was put into whose clips."""
        fakes = self.videos[self.videos["label"] == FAKE].drop_duplicates("carrier")
        columns = {"carrier": "whose clip (carrier)", "donor": "whose face (donor)"}
        return ReadableTable(fakes[list(columns)].rename(columns=columns).set_index(columns["carrier"]))

    # what is right

    def questions(self, answers: IdentityAnswers) -> list[Question]:
        """None depends on another answer."""
        by_clip, by_person = self._means
        share = float((self.new_scores["genuine clips of swapped people"] > 0.5).mean())
        forged = float((self.new_scores["forged clips of swapped people"] > 0.5).mean())
        both = len(self.on_both_sides)
        return [
            Question(
                "people whom split A trains on and tests on",
                lambda given: judge_number(
                    given,
                    both,
                    0,
                    {
                        "Those are on one side only.": PEOPLE - both,
                        "Those are all people. Is everybody on both sides?": PEOPLE,
                    },
                    "Count the rows of the figure in which both colours stand.",
                ),
                both,
                "rows of the figure with both colours; in pandas: "
                'sum(lab.split_a.groupby("carrier")["split"].nunique() == 2)',
            ),
            Question(
                "by how much the mean AUC falls when whole people are held out",
                lambda given: judge_number(
                    given,
                    by_clip - by_person,
                    0.011,
                    {
                        "The sign is turned round: take the AUC by clip minus the AUC by person.": by_person - by_clip,
                        "That is one of the two AUCs, not their difference.": by_clip,
                        "That is one of the two AUCs, and not their difference.": by_person,
                    },
                    "Subtract one mean AUC of the table from the other.",
                ),
                round(by_clip - by_person, 3),
                "the difference of the two rows of the table",
            ),
            Question(
                "the share of genuine clips of swapped people that are called fake",
                lambda given: judge_number(
                    given,
                    share,
                    0.011,
                    {
                        "That is the share of their forged clips.": forged,
                        "That is the share that is called genuine.": 1 - share,
                        "An answer between 0 and 1 was asked, not per cent.": 100 * share,
                    },
                    "Divide the two numbers in the last row of the table.",
                ),
                round(share, 3),
                "the last row of the table: called fake / clips",
            ),
            Question(
                f"the people who must be on the same side of a split as {self.asked_person}",
                self._judge_partners,
                tuple(self.partners),
                "follow the table of swaps from carrier to donor until it comes back: the connected component, as "
                "datasets.splits.identity_groups computes it",
            ),
            Question(
                f"people of a test split without a leak, with at least {FEWEST} shown genuine and {FEWEST} swapped",
                self._judge_split,
                self._own_split(),
                "whole rings of swapped people, and anybody of the others; many answers are right",
            ),
        ]

    def _judge_partners(self, given: tuple[str, ...]) -> str:
        if self.asked_person in given:
            return f"{self.asked_person} need not be named."
        return judge_set(
            given,
            self.partners,
            self.names,
            (
                "Somebody is not linked to this person by swaps.",
                "The people you named are linked to others: follow the swaps until nobody new comes.",
            ),
        )

    def _judge_split(self, given: tuple[str, ...]) -> str:
        hint = judge_set(given, given, self.names, ("", ""))
        if hint:
            return hint
        people = self.videos.drop_duplicates("carrier")
        chosen = people["carrier"].isin(given)
        torn = people.groupby("group")["carrier"].count() - people[chosen].groupby("group")["carrier"].count()
        torn = torn[torn > 0].dropna()
        if len(torn):
            return f"{len(torn)} ring(s) of swapped people stand partly in your test split: the others would be trained on."
        counts = people[chosen]["label"].value_counts()
        for label, word in ((REAL, "shown genuine"), (FAKE, "swapped")):
            if counts.get(label, 0) < FEWEST:
                return (
                    f"Your test split has {counts.get(label, 0)} people who are {word}; at least {FEWEST} are needed."
                )
        if len(given) > PEOPLE // 2:
            return f"{len(given)} of {PEOPLE} people are tested on; leave at least half for training."
        return ""

    def _own_split(self) -> tuple[str, ...]:
        genuine = [name for number, name in enumerate(self.names) if number not in self._donors]
        ring = next(
            self._members(str(group))
            for group, part in self.videos.groupby("group")
            if part["carrier"].nunique() == RINGS[1]
        )
        return tuple(genuine[:FEWEST] + ring)


def _features(shots: list[Shot]) -> NDArray[np.float64]:
    """All pixels of the small faces, `(N, 3 x 16 x 16)`, 0..1."""
    return np.stack([face_crop(shot, THUMB_PX, 1.5) for shot in shots]).reshape(len(shots), -1) / 255
