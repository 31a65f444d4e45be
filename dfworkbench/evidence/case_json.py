"""Write a case file as JSON, and hash its results."""

import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfworkbench.evidence.case import CaseFile


def to_json(case: CaseFile) -> dict[str, Any]:
    """The case as JSON values for `case.json`: `results` as hashed, their hash, and everything else except pictures.

    NaN becomes None. Numbers in `results` are strings made by `repr`, so that equal results give equal bytes.
    """
    whole = _plain(case, exact=False)
    del whole["log"]
    return {**whole, "results": results(case)}


def results(case: CaseFile) -> dict[str, Any]:
    """What a rerun must reproduce: scores, LRs, checks, validation; without times, and with file names instead of paths."""
    left_out = {"path", "folder", "thumbnail", "container", "credentials", "nearest"}
    chosen = {
        name: getattr(case, name) for name in ("h1", "h2", "reference", "validation", "files", "checks", "outcome")
    }
    return {name: _plain(value, exact=True, left_out=left_out) for name, value in chosen.items()}


def results_sha256(case: CaseFile) -> str:
    """SHA-256 of the canonical JSON of `results`."""
    return hash_results(results(case))


def hash_results(block: dict[str, Any]) -> str:
    """SHA-256 of a results block as stored in `case.json`: sorted keys, no blanks, UTF-8."""
    text = json.dumps(block, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any, exact: bool, left_out: set[str] | frozenset[str] = frozenset({"thumbnail"})) -> Any:
    """Convert to JSON values; `exact` writes floats as strings."""

    def plain(inner: Any) -> Any:
        return _plain(inner, exact, left_out)

    if isinstance(value, pd.DataFrame):
        return [plain(row) for row in value.to_dict("records")]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value) if f.name not in left_out]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return [plain(inner) for inner in value.tolist()]
    return _scalar(value, exact)


def _scalar(value: Any, exact: bool) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return repr(value) if exact or math.isinf(value) else value
    return value.name if isinstance(value, Path) else value  # cases are passed on, so their local path is left out
