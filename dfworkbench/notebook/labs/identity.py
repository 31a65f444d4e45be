"""Lab 2, identity leakage: a detector that recognises people scores well on a split that shares them."""

import pandas as pd
from matplotlib.figure import Figure
from pydantic import Field

from dfworkbench.core.names import FAKE, REAL
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number, judge_set
from dfworkbench.notebook.labs.identity_data import CLIPS, PEOPLE, RINGS, IdentityData
from dfworkbench.notebook.labs.identity_figures import plot_aucs, plot_people, plot_split, plot_strips
from dfworkbench.show.tables import ReadableTable

FEWEST = 3  #: people of each class required in the test part of the student's own split


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


class IdentityLab(IdentityData, Lab[IdentityAnswers]):
    """Questions about clips of 24 people and a detector that recognises them."""

    name = "lab_2_leakage_by_identity"
    answers_class = IdentityAnswers

    # what the notebook shows

    def people_figure(self) -> Figure:
        """One clip of every person, framed in the colour of its label."""
        firsts = [self.shots[number] for number in range(0, len(self.shots), CLIPS)]
        return plot_people([shot.picture for shot in firsts], [int(shot.is_fake) for shot in firsts], self.names)

    def split_figure(self) -> Figure:
        """Which clips of each person split A trains and tests on."""
        return plot_split(self.split_a)

    def auc_figure(self) -> Figure:
        """AUC over many splits of both kinds."""
        return plot_aucs(self.aucs)

    def auc_table(self) -> ReadableTable:
        """Mean AUC of each kind of split."""
        return ReadableTable(pd.DataFrame({"mean AUC": self.means}, index=pd.Index(list(self.aucs), name="split")))

    def strips_figure(self) -> Figure:
        """Scores of clips that the detector has not seen."""
        return plot_strips(self.new_scores)

    def counts(self) -> ReadableTable:
        """How many of them are called fake."""
        rows = {word: {"clips": len(p), "called fake": int((p > 0.5).sum())} for word, p in self.new_scores.items()}
        return ReadableTable(pd.DataFrame.from_dict(rows, orient="index").rename_axis("clips that were not trained on"))

    def swaps(self) -> ReadableTable:
        """Whose face was inserted into whose clips."""
        fakes = self.videos[self.videos["label"] == FAKE].drop_duplicates("carrier")
        columns = {"carrier": "whose clip (carrier)", "donor": "whose face (donor)"}
        return ReadableTable(fakes[list(columns)].rename(columns=columns).set_index(columns["carrier"]))

    # what is right

    def questions(self, answers: IdentityAnswers) -> list[Question]:
        """None depends on another answer."""
        by_clip, by_person = self.means
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
                    "Count the rows of the figure in which both colours appear.",
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
                        "The sign is reversed: take the AUC by clip minus the AUC by person.": by_person - by_clip,
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
                        "An answer between 0 and 1 was asked for, not per cent.": 100 * share,
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
            return (
                f"{len(torn)} ring(s) of swapped people are partly in your test split: the others would be trained on."
            )
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
        genuine = [name for number, name in enumerate(self.names) if number not in self.donors]
        ring = next(
            self.members(str(group))
            for group, part in self.videos.groupby("group")
            if part["carrier"].nunique() == RINGS[1]
        )
        return tuple(genuine[:FEWEST] + ring)
