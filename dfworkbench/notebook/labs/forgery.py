"""Lab 1, spot the forgery: guess by eye, then use a map of fine detail, then meet a forger who hides the traces."""

from collections.abc import Callable
from functools import cached_property
from itertools import count

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field
from scipy.stats import hypergeom

from dfworkbench.notebook.fields import write_value
from dfworkbench.notebook.labs.detail import around_mouth, detail_map, detail_of, skin
from dfworkbench.notebook.labs.faces import Shot, Studio
from dfworkbench.notebook.labs.forgery_figures import plot_gallery, plot_guesses, plot_maps, plot_rows, plot_truth
from dfworkbench.notebook.labs.grading import Lab, LabSettings, Question, judge_number, judge_set
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

SIZE_PX, PICTURES = 160, 12
FORGED = (5, 6, 7)  #: number of forged pictures; the seed chooses
WHOLE_FACE = ("Deepfakes", "FaceShifter")
FURTHER = 16  #: people of the last part
LEVEL = 0.05  #: the probability that guessing gives the required number of hits is at most this
_QUALITY = 0.6  # cameras with enough noise that its absence shows
_NO_GRAIN = ForgerySettings(grain=(0.0, 0.0))
_DONORS, _POOL, _FURTHER = 500, 4, 300  # first donor of the gallery, how many there are, first person of the last part
_SMOOTH, _PLAIN = -0.2, -0.12  # detail of a face that shows a trace, and of one that does not
_UNCLEAR = 0.012  # dots this close to the line may or may not be counted
_MOST_TRIED = 30  # people tried for one place of the gallery

Answer = tuple[int, ...]


class ForgeryAnswers(LabSettings):
    """Seed and answers of lab 1."""

    answer_1: Answer = Field(default=(), description="Your guess: numbers of the forged pictures")
    answer_2: Answer = Field(default=(), description="Numbers of the forged pictures, by their detail maps")
    answer_3: int | None = Field(
        default=None, ge=1, description="Number of the picture in which only the mouth is forged"
    )
    answer_4: int | None = Field(
        default=None, ge=0, description="Forged faces with grain that the map still gives away"
    )
    answer_5: int | None = Field(default=None, ge=0, description="Hits that a guesser hardly reaches")


class ForgeryLab(Lab[ForgeryAnswers]):
    """A gallery of genuine and forged faces whose traces show in a detail map, and more faces with hidden traces."""

    name = "lab_1_spot_the_forgery"
    answers_class = ForgeryAnswers

    @cached_property
    def _rng(self) -> np.random.Generator:
        return np.random.default_rng((self.seed, 101))

    @cached_property
    def shots(self) -> list[Shot]:
        """The gallery, in numbered order."""
        forged = int(self._rng.choice(FORGED))
        kinds = ["NeuralTextures", *(WHOLE_FACE[n % 2] for n in range(forged - 1)), *[""] * (PICTURES - forged)]
        studio, people = Studio(self.seed, SIZE_PX, _QUALITY), count()
        return [_clear_case(studio, kinds[place], people) for place in self._rng.permutation(PICTURES)]

    @cached_property
    def forged(self) -> Answer:
        """Numbers of the forged pictures, from 1."""
        return tuple(number for number, shot in enumerate(self.shots, 1) if shot.is_fake)

    @cached_property
    def mouth_only(self) -> int:
        """Number of the picture in which only the mouth is forged."""
        return next(number for number, shot in enumerate(self.shots, 1) if shot.kind == "NeuralTextures")

    @cached_property
    def detail(self) -> dict[str, list[float]]:
        """Skin detail of more people: genuine, forged without grain, and forged with grain."""
        studio = Studio(self.seed, SIZE_PX, _QUALITY)
        people = range(_FURTHER, _FURTHER + FURTHER)

        def forge(person: int, settings: ForgerySettings) -> Shot:
            return studio.forged(person, _FURTHER + (person + 1 - _FURTHER) % FURTHER, 0, "Deepfakes", settings)

        rows: dict[str, Callable[[int], Shot]] = {
            "genuine": lambda person: studio.genuine(person, 0),
            "forged, no grain": lambda person: forge(person, _NO_GRAIN),
            "forged, with grain": lambda person: forge(person, ForgerySettings()),
        }
        shots = {word: [make(person) for person in people] for word, make in rows.items()}
        return {word: [round(detail_of(shot, skin(shot)), 3) for shot in row] for word, row in shots.items()}

    @cached_property
    def given_away(self) -> int:
        """How many faces forged with grain have less detail than every genuine face."""
        return sum(value < min(self.detail["genuine"]) for value in self.detail["forged, with grain"])

    @cached_property
    def chances(self) -> list[float]:
        """Probability of 0, 1, 2 … hits when guessing as many numbers as there are forged pictures."""
        forged = len(self.forged)
        return [float(p) for p in hypergeom.pmf(np.arange(forged + 1), PICTURES, forged, forged)]

    @cached_property
    def beyond_guessing(self) -> int:
        """The smallest number of hits that guessing reaches with at most 5 % probability."""
        return next(hits for hits in range(len(self.chances)) if sum(self.chances[hits:]) <= LEVEL)

    # what the notebook shows

    def gallery_figure(self) -> Figure:
        """The pictures with their numbers."""
        return plot_gallery([shot.picture for shot in self.shots], len(self.forged))

    def maps_figure(self) -> Figure:
        """The same pictures beside their detail maps."""
        return plot_maps([shot.picture for shot in self.shots], [detail_map(shot.picture) for shot in self.shots])

    def detail_figure(self) -> Figure:
        """Skin detail of more people."""
        return plot_rows(self.detail)

    def guesses_figure(self) -> Figure:
        """Probability of each number of hits when guessing."""
        return plot_guesses(self.chances)

    def truth_figure(self) -> Figure:
        """The gallery with its forged areas; to be shown after the check."""
        kinds = [shot.kind or "genuine" for shot in self.shots]
        return plot_truth([shot.picture for shot in self.shots], [shot.mask for shot in self.shots], kinds)

    # what is right

    def remark(self, answers: ForgeryAnswers) -> str:
        """How good the guess was, once the answers are complete."""
        if self._judge_guess(answers.answer_1):
            return ""
        hits = len(set(answers.answer_1) & set(self.forged))
        return (
            f"Your guess by eye had {hits} of {len(self.forged)} hits. Random guessing gives as many or more with a "
            f"probability of {sum(self.chances[hits:]):.0%}. No number of hits was asked for."
        )

    def questions(self, answers: ForgeryAnswers) -> list[Question]:
        """None depends on another answer."""
        row = self.detail["forged, with grain"]
        lowest = min(self.detail["genuine"])
        on_the_line = sum(abs(value - lowest) < _UNCLEAR for value in row)
        return [
            Question(
                f"your guess by eye: {len(self.forged)} numbers (any will do)",
                self._judge_guess,
                self.forged,
                f"any {len(self.forged)} different numbers pass: the guess is compared with chance, not graded",
            ),
            Question(
                "the forged pictures, by their detail maps",
                lambda given: judge_set(
                    given,
                    self.forged,
                    range(1, PICTURES + 1),
                    (
                        "A genuine picture is among them: its skin is as noisy as the background.",
                        "Look for skin that is smoother than the background, also in a small part of the face.",
                    ),
                ),
                self.forged,
                "faces with a dark area in the map, where skin is smoother than the noise of the camera",
            ),
            Question(
                "the picture in which only the mouth is forged",
                self._judge_mouth,
                self.mouth_only,
                "the one forged face whose map is dark around the mouth only (NeuralTextures)",
            ),
            Question(
                "the faces forged with grain that the map still gives away",
                lambda given: judge_number(
                    given,
                    self.given_away,
                    on_the_line,
                    {
                        "Those are the faces forged without grain; the question is about the lowest row.": sum(
                            value < lowest for value in self.detail["forged, no grain"]
                        ),
                        "Those are the ones it does not give away.": len(row) - self.given_away,
                    },
                    "Count the dots of the lowest row to the left of the line through the smoothest genuine face.",
                ),
                self.given_away,
                "dots of the lowest row to the left of the line",
            ),
            Question(
                f"the fewest hits that somebody who guesses reaches with a probability of at most {LEVEL:.0%}",
                self._judge_hits,
                self.beyond_guessing,
                f"add up the bars from the right, as long as the sum is at most {LEVEL:.0%} (hypergeometric law)",
            ),
        ]

    def _judge_guess(self, given: Answer) -> str:
        hint = judge_set(given, given, range(1, PICTURES + 1), ("", ""))
        if not hint and len(given) != len(self.forged):
            hint = f"You named {len(given)} pictures; {len(self.forged)} are forged, so name as many, even if you must guess."
        return hint

    def _judge_mouth(self, given: int) -> str:
        if given == self.mouth_only:
            return ""
        if given in self.forged:
            return f"In picture {given} more than the mouth is forged."
        return f"There is no trace in picture {given}." if given <= PICTURES else f"There are {PICTURES} pictures only."

    def _judge_hits(self, given: int) -> str:
        if given == self.beyond_guessing:
            return ""
        reached = sum(self.chances[given:])
        if reached > LEVEL:
            return f"Somebody who guesses has {given} or more hits with a probability of {reached:.1%}."
        return (
            f"Rarer than {LEVEL:.0%}, but so are fewer hits than {write_value(given)}. Add up the bars from the right."
        )


def _clear_case(studio: Studio, kind: str, people: "count[int]") -> Shot:
    """The next person whose picture is unambiguous: a visible trace, or skin as noisy as the background."""
    tried = []
    for _ in range(_MOST_TRIED):
        person = next(people)
        shot = (
            studio.forged(person, _DONORS + person % _POOL, 0, kind, _NO_GRAIN) if kind else studio.genuine(person, 0)
        )
        face, mouth = detail_of(shot, skin(shot)), detail_of(shot, around_mouth(shot))
        if kind == "NeuralTextures":
            lacking = max(mouth - _SMOOTH, _PLAIN - face)
        elif kind:
            lacking = face - _SMOOTH
        else:
            lacking = max(_PLAIN - face, _PLAIN - mouth, face - 0.4)
        if lacking <= 0:
            return shot
        tried.append((lacking, person, shot))
    return min(tried)[2]
