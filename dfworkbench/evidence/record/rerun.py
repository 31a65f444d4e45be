"""Compare the results of a case with those of a rerun, with the difference in each log10 LR."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.evidence.record.checks import CHANGED, MISSING, SAME, UNKNOWN, Finding
from dfworkbench.evidence.record.folder import CASE
from dfworkbench.media.foreign import read_json

#: Largest difference in log10 LR allowed for another processor or library version; a factor of 1.023.
TOLERANCE = 0.01


def check_rerun(folder: Path, other: Path) -> Iterator[Finding]:
    """One finding for the results as a whole and, if they differ, one per person.

    Args:
        folder: The case.
        other: Case folder of the rerun.

    Raises:
        DataNotFoundError: One of them has no results.
    """
    first, second = _read(folder), _read(other)
    if first == second:
        yield Finding(f"results of {other.name}", SAME)
        return
    before, after = _llrs(first), _llrs(second)
    found = [_compare(name, before, after) for name in (*before, *(name for name in after if name not in before))]
    near = all(finding.status == SAME for finding in found)
    why = (
        f"not equal in every digit, as between processors; each log10 LR within {TOLERANCE}"
        if near
        else "other results"
    )
    yield Finding(f"results of {other.name}", SAME if near else CHANGED, why)
    yield from found


def _compare(name: str, before: Mapping[str, float | None], after: Mapping[str, float | None]) -> Finding:
    if name not in after:
        return Finding(name, MISSING, "the rerun has no such face")
    if name not in before:
        return Finding(name, UNKNOWN, "only the rerun has this face")
    one, two = before[name], after[name]
    if one is None or two is None:
        return Finding(name, SAME if one is two else CHANGED, f"log10 LR {_word(one)}, in the rerun {_word(two)}")
    away = abs(two - one)
    status = SAME if away <= TOLERANCE else CHANGED
    return Finding(
        name, status, f"log10 LR {one:.4f}, in the rerun {two:.4f}: {away:.4f} away, at most {TOLERANCE} expected"
    )


def _word(llr: float | None) -> str:
    return "no statement" if llr is None else f"{llr:.4f}"


def _read(folder: Path) -> dict[str, Any]:
    try:
        results = read_json(folder / CASE)["results"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataNotFoundError(
            f"comparing results: {folder / CASE} cannot be read ({error}). Expected the folder of a case, as `dfworkbench report` "
            "writes it to report/cases/. Check the path."
        ) from error
    return results if isinstance(results, dict) else {}


def _llrs(results: Mapping[str, Any]) -> dict[str, float | None]:
    """Log10 LR of each person, by name and file; None without a statement."""
    found: dict[str, float | None] = {}
    for file in results.get("files") or ():
        for person in file.get("people") or ():
            lr = person.get("lr")
            found[f"{person.get('name')} in {file.get('name')}"] = None if lr is None else float(lr["llr"])
    return found
