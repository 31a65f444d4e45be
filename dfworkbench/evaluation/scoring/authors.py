"""File scores by the aggregation rule of the authors of imported weights, read from the weights' record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.audit.leak_note import source_of
from dfworkbench.evaluation.scoring.aggregate import RULES, Rule, to_level
from dfworkbench.evaluation.scoring.rules import made_of

#: Word for people in a card -> our word in `rules.made_of`, and a remark.
_PEOPLE = {
    "maximum": ("tracks", ""),
    "largest": ("largest", ""),
    "most_confident": ("largest", "which stands in for the face that their face finder is surest of"),
    "frame_maximum": ("frame_maximum", ""),
    "pooled": ("all", ""),
    "none": ("all", ""),
}
_WHOLE = {"mean": "mean over frames", "mean_logit": "sigmoid of the mean logit over frames"}  # for whole pictures


@dataclass(frozen=True)
class AuthorsScore:
    """Score of one file by the authors' rule.

    Attributes:
        rule: Name in `RULES`.
        words: The rule in words, including the number of frames that the authors sample.
        fake_probability: NaN without a score.
    """

    rule: Rule
    words: str
    fake_probability: float

    def __str__(self) -> str:
        number = "no score" if np.isnan(self.fake_probability) else f"{self.fake_probability:.2f}"
        return f"authors' rule: {self.words}: {number}"


@dataclass(frozen=True)
class AuthorsRule:
    """How the authors of imported weights aggregate a file.

    Attributes:
        rule: Name in `RULES`.
        words: The same in words, with "frames" as a placeholder for the number of frames.
        frames: Frames that they sample from a video; 0 if not on record.
        no_face: Their score for a file in which no face is found.
    """

    rule: Rule
    words: str
    frames: int = 0
    no_face: float = 0.5

    def scores(self, table: pd.DataFrame, sampled: int, *, benchmark: bool = False) -> dict[str, AuthorsScore]:
        """The authors' score of each file, by video_id.

        Args:
            table: A score table.
            sampled: Number of frames requested from each video.
            benchmark: Whether a file without a score counts as the authors count it.

        Returns:
            Empty if the table lacks columns that the rule needs.
        """
        try:
            files = to_level(table, "video", self.rule)
        except TableError:  # an error here must not affect our own rule
            return {}
        words = self._say(sampled)
        numbers = files["fake_probability"].fillna(self.no_face if benchmark else np.nan)
        return {
            video_id: AuthorsScore(self.rule, words, float(number))
            for video_id, number in zip(files["video_id"], numbers, strict=True)
        }

    def _say(self, sampled: int) -> str:
        if not self.frames:
            return self.words
        count = f"{self.frames} frames"
        named = "over frames" in self.words
        words = self.words.replace("over frames", f"over {count}", 1) if named else f"{self.words}, {count}"
        return words if sampled == self.frames else f"{words} ({sampled} were sampled here)"


def authors_rule(metadata: Mapping[str, Any]) -> AuthorsRule | None:
    """The authors' rule in the record of imported weights; None if there is none or it is unknown."""
    card = source_of(metadata).get("card")
    video = card.get("video") if isinstance(card, Mapping) else None
    if not isinstance(video, Mapping):
        return None
    people, remark = _PEOPLE.get(str(video.get("people", "")), ("", ""))
    over_frames = str(video.get("rule", ""))
    rule = made_of(people, over_frames)
    if rule is None:
        return None
    words = _WHOLE.get(over_frames, RULES[rule]) if video["people"] == "none" else RULES[rule]
    frames, no_face = video.get("frames"), video.get("no_face")
    return AuthorsRule(
        rule,
        f"{words}, {remark}" if remark else words,
        frames if isinstance(frames, int) else 0,
        float(no_face) if isinstance(no_face, int | float) and 0 <= no_face <= 1 else 0.5,
    )
