"""The rule by which the authors of imported weights sum up a file, read from the weights' record, and the number it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dfworkbench.core.errors import TableError
from dfworkbench.datasets.audit.leak_note import source_of
from dfworkbench.evaluation.scoring.aggregate import RULES, Rule, to_level
from dfworkbench.evaluation.scoring.rules import made_of

#: Word for people in a card -> ours of `rules.made_of`, and what must be said of it.
_PEOPLE = {
    "maximum": ("tracks", ""),
    "largest": ("largest", ""),
    "most_confident": ("largest", "which stands in for the face that their face finder is surest of"),
    "frame_maximum": ("frame_maximum", ""),
    "pooled": ("all", ""),
    "none": ("all", ""),
}
_WHOLE = {"mean": "mean over frames", "mean_logit": "sigmoid of the mean logit over frames"}  # no faces in these words


@dataclass(frozen=True)
class AuthorsScore:
    """What the authors' rule makes of one file.

    Attributes:
        rule: Name in `RULES`.
        words: The rule in words, with the number of frames that the authors sample.
        fake_probability: NaN without score.
    """

    rule: Rule
    words: str
    fake_probability: float

    def __str__(self) -> str:
        number = "no score" if np.isnan(self.fake_probability) else f"{self.fake_probability:.2f}"
        return f"authors' rule: {self.words}: {number}"


@dataclass(frozen=True)
class AuthorsRule:
    """How the authors of imported weights sum up a file.

    Attributes:
        rule: Name in `RULES`.
        words: The same in words; "frames" stands for the number of frames.
        frames: Frames that they sample from a video; 0 if that is not on record.
        no_face: What they score a file in which no face is found.
    """

    rule: Rule
    words: str
    frames: int = 0
    no_face: float = 0.5

    def scores(self, table: pd.DataFrame, sampled: int, *, benchmark: bool = False) -> dict[str, AuthorsScore]:
        """The number of each file, by video_id.

        Args:
            table: A score table.
            sampled: Frames that were asked for from each video.
            benchmark: Whether a file without score counts as the authors count it.

        Returns:
            Nothing where the table lacks what the rule needs.
        """
        try:
            files = to_level(table, "video", self.rule)
        except TableError:  # the rule stands beside ours and must not cost us that
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
    """The authors' rule that the record of imported weights states; None where it states none, or one that is not known."""
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
