"""Recognise the columns of another program's score file by their headers.

Headers are compared in lower case, with `_` for blanks, hyphens and dots. Unknown headers are not guessed; name them with
`columns={"score": "its header"}`.
"""

import re
from collections.abc import Mapping, Sequence

from dfworkbench.core.errors import ParameterError, TableError

#: Headers that imply that high means fake, or real; they must agree with the given polarity.
SAYS_FAKE = ("fake_probability", "fake_prob", "prob_fake", "p_fake", "fake_score")
SAYS_REAL = ("real_probability", "real_prob", "prob_real", "p_real", "real_score")

#: Label headers for which 1, or true, means fake, or real.
ONE_IS_FAKE = (
    "is_fake", "fake", "is_forged", "forged", "is_deepfake", "deepfake", "is_manipulated", "manipulated", "is_spoof",
)  # fmt: skip
ONE_IS_REAL = ("is_real", "real", "is_genuine", "genuine", "is_original", "is_pristine", "is_bonafide", "bonafide")

#: Role -> headers recognised for it.
ROLES: dict[str, tuple[str, ...]] = {
    "video": ("video_id", "video", "video_path", "video_name", "key"),
    "path": (
        "path", "id", "row_id", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img", "img_path",
        "img_name", "image_name", "name",
    ),
    "label": ("label", "labels", "target", "y_true", "ground_truth", "gt", "is_fake"),
    "score": ("score", "scores", "probability", "prob", "pred", "prediction", "y_score", "y_pred", *SAYS_FAKE, *SAYS_REAL),
    "logit": ("logit", "logits"),
    "split": ("split", "subset", "partition"),
    "forgery": ("forgery", "method", "forgery_kind", "manipulation", "generator"),
    "track": ("track", "track_id", "person"),
    "frame": (
        "frame", "frame_index", "frame_idx", "frame_number", "frame_no", "frame_num", "frame_id", "clip", "clip_id", "clip_index",
        "clip_idx", "segment", "chunk",
    ),
    "dataset": ("dataset", "data_set"),
    "group": ("group", "identity_group"),
    "source": ("source",),
    "status": ("status",),
    "reason": ("reason",),
}  # fmt: skip


#: Required roles of a score file.
NEEDED = ("path", "label", "score")

_ALIKE = {"path": ("path", "video"), "score": ("score", "logit")}


def find_columns(
    headers: Sequence[str], columns: Mapping[str, str], source: object, needed: Sequence[str] = NEEDED
) -> dict[str, str]:
    """Role -> header; `columns` overrides. A video column can replace the path, and a logit column the score.

    Raises:
        ParameterError: `columns` names an unknown role or a missing header.
        TableError: Two headers match one role, or one of `needed` is missing.
    """
    for role, header in columns.items():
        if role not in ROLES or header not in headers:
            raise ParameterError(
                f"reading scores from {source}: columns has {role!r}: {header!r}; expected roles among {', '.join(ROLES)} and "
                f"headers among {', '.join(headers)}. Correct the pair."
            )
    found = dict(columns)
    taken = set(columns.values())
    for role, names in ROLES.items():
        fitting = [header for header in headers if _plain(header) in names and header not in taken]
        if role in found or not fitting:
            continue
        if len(fitting) > 1:
            raise TableError(
                f"reading scores from {source}: the columns {' and '.join(map(repr, fitting))} could both be the {role}. One was "
                f"expected: say which with --columns {role}={fitting[0]!r} (columns={{{role!r}: {fitting[0]!r}}} in Python), "
                "or rename the other."
            )
        found[role] = fitting[0]
    _require_needed(found, headers, source, needed)
    return found


def names_no_score(header: str) -> bool:
    """Whether a header is recognised as a role other than a score, such as the path or the label."""
    return any(_plain(header) in names for role, names in ROLES.items() if role not in _ALIKE["score"])


def require_polarity(header: str, polarity: str, source: object) -> None:
    """Raise `TableError` if the score header contradicts the given polarity."""
    says = "fake" if _plain(header) in SAYS_FAKE else "real" if _plain(header) in SAYS_REAL else polarity
    if says != polarity:
        raise TableError(
            f"reading scores from {source}: the column {header!r} says that high means {says}, the stated polarity is "
            f"{polarity!r}. Both must agree: state polarity={says!r}, or name another column with columns={{'score': …}}."
        )


def require_fake_label(header: str, fake_label: int, source: object) -> None:
    """Raise `TableError` if the label header contradicts the given `fake_label`."""
    name = _plain(header)
    says = 1 if name in ONE_IS_FAKE else 0 if name in ONE_IS_REAL else fake_label
    if says != fake_label:
        raise TableError(
            f"reading scores from {source}: the column {header!r} says that {says} means fake, the stated number is {fake_label}. "
            f"Both must agree: state --fake-label {says} (fake_label={says} in Python), or rename the column."
        )


def _require_needed(found: Mapping[str, str], headers: Sequence[str], source: object, needed: Sequence[str]) -> None:
    for role in needed:
        roles = _ALIKE.get(role, (role,))
        if not any(role in found for role in roles):
            known = ", ".join(name for role in roles for name in ROLES[role])
            beside = " Labels may also come from a file of their own: --labels FILE." if role == "label" else ""
            raise TableError(
                f"reading scores from {source}: no column is the {'path or video' if role == 'path' else role}; there are "
                f"{', '.join(map(repr, headers)) or 'none'}. Names that are understood: {known}. Rename one, or say it with "
                f"--columns {roles[0]}=HEADER (columns={{{roles[0]!r}: HEADER}} in Python).{beside}"
            )


def _plain(header: str) -> str:
    return re.sub(r"[\s.\-]+", "_", header.strip().lower())
