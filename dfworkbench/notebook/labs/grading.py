"""Grading of labs: questions with hints for wrong answers, and the result card of a check.

A lab generates its data from a seed and computes the right answers from them, so each seed has its own answers. A hint says what
went wrong, never what the answer is.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar, Generic, TypeVar

from IPython.display import display
from pydantic import Field

from dfworkbench.core.errors import AnswerError, ParameterError
from dfworkbench.core.html import wrap
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.fields import write_value


class LabSettings(Settings):
    """Settings of a lab: the seed of its data. Subclasses add the answers as fields `answer_1`, `answer_2` …, unset by default."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Your number: data and answers follow from it")


S = TypeVar("S", bound=LabSettings)
_NEAR = 0.02  # relative: a number that shows a known mistake may have been rounded


@dataclass(frozen=True)
class Question:
    """A question of a lab.

    Attributes:
        asks: The question, in a few words.
        judge: Maps an answer to a hint; "" if the answer is right.
        right: A right answer, computed from the data.
        why: Explanation of the answer, for the teacher.
    """

    asks: str
    judge: Callable[[Any], str]
    right: Any
    why: str


@dataclass(frozen=True)
class Judged:
    """A graded answer.

    Attributes:
        name: Name of the field, such as "answer_1".
        asks: The question.
        given: The answer; None or () if missing.
        hint: What went wrong; "" if the answer is right.
    """

    name: str
    asks: str
    given: Any
    hint: str

    @property
    def is_missing(self) -> bool:
        """Whether the question was left unanswered."""
        return self.given is None or self.given == ()

    @property
    def word(self) -> str:
        """The result in a word: right, wrong or missing."""
        return "missing" if self.is_missing else "wrong" if self.hint else "right"


class Grades:
    """The result of a check: which answers are right, and a hint for each other one.

    Args:
        lab: Name of the lab.
        judged: All graded answers, in order.
        remark: A sentence shown below the answers on the card, or "".
    """

    def __init__(self, lab: str, judged: Sequence[Judged], remark: str = "") -> None:
        self.lab, self.judged, self.remark = lab, tuple(judged), remark

    @property
    def points(self) -> int:
        """Number of right answers."""
        return sum(not answer.hint for answer in self.judged)

    @property
    def passed(self) -> bool:
        """Whether all answers are right."""
        return self.points == len(self.judged)

    def hints(self) -> dict[str, str]:
        """Name -> hint, for the answers that are not right."""
        return {answer.name: answer.hint for answer in self.judged if answer.hint}

    def __str__(self) -> str:
        lines = [f"{self.lab}: {self.points} of {len(self.judged)} answers are right."]
        lines += [f"{name}: {hint}" for name, hint in self.hints().items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        colours = {"right": "#1d7f4c", "wrong": "#b3401f", "missing": "#69737f"}
        rows = ""
        for answer in self.judged:
            chip = f'<span class="dfw-chip" style="background:{colours[answer.word]}">{answer.word}</span>'
            given = "" if answer.is_missing else f"<br><code>{escape(write_value(answer.given))}</code>"
            hint = f'<div class="dfw-hint">{escape(answer.hint)}</div>' if answer.hint else ""
            rows += f"<tr><td>{answer.name}{given}</td><td>{chip}</td><td>{escape(answer.asks)}{hint}</td></tr>"
        head = f"{self.points} of {len(self.judged)} answers are right"
        note = f'<div class="dfw-hint" style="margin-top:8px">{escape(self.remark)}</div>' if self.remark else ""
        return wrap(
            f'<div class="dfw-title">{escape(head)}</div><div class="dfw-scroll"><table>{rows}</table></div>{note}',
            "dfw-card",
        )


class Lab(ABC, Generic[S]):
    """Base class of labs: data generated from a seed on first use, and questions about them.

    Args:
        seed: Seed of the data.
    """

    name: ClassVar[str]  #: name of its notebook, such as "lab_1_spot_the_forgery"
    answers_class: ClassVar[type[LabSettings]]  #: settings class with seed and answers

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def questions(self, answers: S) -> Sequence[Question]:
        """The questions in field order; the right answer may depend on earlier answers."""

    def remark(self, answers: S) -> str:
        """A sentence below the answers, such as how good an ungraded guess was."""
        return ""

    def key(self) -> dict[str, Any]:
        """A right answer to each question, by field name."""
        answers: Any = self.answers_class(seed=self.seed)
        for number, name in enumerate(answer_names(self.answers_class)):  # a later one may depend on earlier ones
            answers = answers.replace(**{name: self.questions(answers)[number].right})
        return {name: getattr(answers, name) for name in answer_names(self.answers_class)}

    def grade(self, answers: S) -> Grades:
        """Grade answers about this lab's data.

        Raises:
            ParameterError: The answers are for another seed.
        """
        if answers.seed != self.seed:
            raise ParameterError(
                f"checking {self.name}: the answers are about seed {answers.seed}, the data above were made from seed "
                f"{self.seed}; expected the same. Run all cells again."
            )
        judged = []
        for name, question in zip(answer_names(type(answers)), self.questions(answers), strict=True):
            given = getattr(answers, name)
            blank = Judged(name, question.asks, given, "")
            hint = "No answer yet." if blank.is_missing else question.judge(given)
            judged.append(Judged(name, question.asks, given, hint))
        return Grades(self.name, judged, self.remark(answers))

    def check(self, answers: S) -> Grades:
        """Like `grade`, for the last cell of a notebook: shows the card, and fails unless all answers are right.

        Raises:
            AnswerError: An answer is missing or wrong; the message has a hint for each.
        """
        grades = self.grade(answers)
        if grades.passed:
            return grades
        display(grades)
        lines = "\n".join(f"  {name}: {hint}" for name, hint in grades.hints().items())
        raise AnswerError(
            f"checking the answers of {self.name}: {grades.points} of {len(grades.judged)} are right; all were expected.\n{lines}\n"
            "Correct them in the parameters cell, and run the cells again."
        )


def judge_number(given: float, right: float, within: float, mistakes: Mapping[str, float], otherwise: str) -> str:
    """The hint for a numeric answer.

    Args:
        given: The answer.
        right: What is right.
        within: Tolerance.
        mistakes: Hint -> the number that results from this mistake.
        otherwise: The hint for any other wrong number: how to get the right one.
    """
    if abs(given - right) <= within * (1 + 1e-9):
        return ""
    seen = (hint for hint, value in mistakes.items() if abs(given - value) <= max(_NEAR * abs(value), 1e-9))
    return next(seen, otherwise)


def judge_set(given: Sequence[Any], right: Sequence[Any], known: Sequence[Any], hints: tuple[str, str]) -> str:
    """The hint for a set of names or numbers.

    Args:
        given: The answer, in any order.
        right: What is right.
        known: Everything that may be named.
        hints: The hint for an answer with wrong entries, and the hint for one with missing entries only.
    """
    strangers = [item for item in given if item not in known]
    if strangers:
        return f"{write_value(strangers)} cannot be chosen; choose among {write_value(list(known))}."
    if len(set(given)) < len(given):
        return "You named one twice."
    if set(given) == set(right):
        return ""
    extra, missing = set(given) - set(right), set(right) - set(given)
    counts = f"{len(extra)} too many" if extra else ""
    counts += (" and " if extra and missing else "") + (f"{len(missing)} missing" if missing else "")
    return f"{hints[0] if extra else hints[1]} ({counts})"


def answer_names(cls: type[Settings]) -> list[str]:
    """Names of the answer fields, in order."""
    return [name for name in cls.model_fields if name.startswith("answer_")]
