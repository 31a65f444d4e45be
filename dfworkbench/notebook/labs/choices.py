"""Multiple-choice questions whose order of answers follows from a seed."""

from collections.abc import Mapping

import numpy as np

from dfworkbench.core.html import html_table, wrap

_LETTERS = "abcdefgh"


class Choices:
    """A multiple-choice question; a cell of a notebook shows it as a table.

    Args:
        sentences: Answer -> the hint for choosing it; "" for the right answer.
        seed: Seed of the order of answers.
    """

    def __init__(self, sentences: Mapping[str, str], seed: int) -> None:
        order = np.random.default_rng((seed, len(sentences), 300)).permutation(len(sentences))
        shuffled = [list(sentences)[place] for place in order]
        self._hints = {letter: sentences[sentence] for letter, sentence in zip(_LETTERS, shuffled, strict=False)}
        self._sentences = dict(zip(_LETTERS, shuffled, strict=False))

    @property
    def right(self) -> str:
        """The letter of the right answer."""
        return next(letter for letter, hint in self._hints.items() if not hint)

    def meaning(self, letter: str) -> str:
        """The answer behind a letter."""
        return self._sentences[letter]

    def judge(self, letter: str) -> str:
        """The hint for a letter; "" if it is right."""
        return self._hints[letter]

    def __repr__(self) -> str:
        return "\n".join(f"{letter}  {sentence}" for letter, sentence in self._sentences.items())

    def _repr_html_(self) -> str:
        return wrap(html_table((), self._sentences.items()))
