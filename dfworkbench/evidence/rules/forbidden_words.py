"""Forbidden words in case files: they turn an LR into a probability that a face is fake, or claim too much.

A reader who takes "the findings are 13 times more probable if H1 is true" for "H1 is 13 times more probable" commits the
fallacy of the transposed conditional. The workbench's own words *fake probability* and *verdict* invite it; a case file says
*score*.
"""

import re
from collections.abc import Iterable

_PATTERNS = (
    r"(?:probability|likelihood|chance|confidence)\s+that\b[^.;]*?\b(?:is|are|was|were)\s+(?:a\s+)?(?:fake|real|genuine|manipulated)",
    r"\d+(?:[.,]\d+)?\s*%\s+(?:fake|real|genuine|manipulated)",
    r"(?:likely|probably)\s+(?:fake|real|genuine|manipulated)",
    r"is\s+a\s+deepfake",
    r"authentic",
    r"verified",
    r"proves",
    r"certain",
    r"match",
    r"cannot\s+be\s+excluded",
    r"false\s+positive\s+probability",
    r"fake\s+probability",
    r"verdict",
)
_FORBIDDEN = re.compile(r"\b(?:" + "|".join(_PATTERNS) + r")\b", re.IGNORECASE)
_CONSISTENT = re.compile(r"[^.]*\bconsistent\s+with\b[^.]*", re.IGNORECASE)


def forbidden_words(text: str, quoted: Iterable[str] = ()) -> list[str]:
    """Find forbidden passages in a text, in order.

    "Consistent with" is allowed if the sentence names both H1 and H2.

    Args:
        text: Plain text, without tags.
        quoted: Passages that are printed verbatim and not checked, such as the caveat of a run, or examples quoted as warnings.
    """
    for passage in filter(None, quoted):
        text = text.replace(passage, " ")
    found = [(hit.start(), hit.group()) for hit in _FORBIDDEN.finditer(text)]
    for sentence in _CONSISTENT.finditer(text):
        if not all(name in sentence.group() for name in ("H1", "H2")):
            found.append((sentence.start(), sentence.group().strip()))
    return [passage for _, passage in sorted(found)]
