"""Case files as values: what goes into case.json, and which results are hashed."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd

from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds
from dfworkbench.evidence.case import (
    NO_STATEMENT,
    CaseFile,
    Check,
    EvidenceFile,
    LrValue,
    Person,
    Reference,
)
from dfworkbench.evidence.case_json import hash_results, results, results_sha256, to_json


def _case(**changes: object) -> CaseFile:
    rows = pd.DataFrame({"video_id": ["a"], "group": ["1"], "label": [0], "score": [np.float64(-1.5)]})
    reference = Reference("demo", "test", {"genuine": 1}, {"genuine": 1}, {}, ("cam",), "generated", {}, (), rows)
    person = Person("<b>.mp4", 0, "person 1", 9, float("nan"), thumbnail=b"png", refusals=(Check("R4", True, "few"),))
    lr = LrValue(0.5, 0.1, 1 / 3, 0.5, Bounds(-1.0, 0.5, 9, 9))
    file = EvidenceFile(Path("/x/<b>.mp4"), "<b>.mp4", 3, "00", "00", {}, {}, "ok", "", (person,), lr)
    case = CaseFile(
        "2026-017", "", "one", "two", "", reference, None, (file,), (Check("R4", True, "few"), Check("S1", True, "s")), (), {}, {},
        "ab", "", Path("/y"), NO_STATEMENT,
    )  # fmt: skip
    return dataclasses.replace(case, **changes)  # pyright: ignore[reportArgumentType]


def test_json_holds_everything_but_pictures_and_no_nan():
    text = json.dumps(to_json(_case()), allow_nan=False)
    out = json.loads(text)
    assert out["files"][0]["people"][0]["score"] is None
    assert out["files"][0]["lr"]["bound"] == {"low": -1.0, "high": 0.5, "fake_groups": 9, "real_groups": 9}
    assert out["reference"]["rows"] == [{"video_id": "a", "group": "1", "label": 0, "score": -1.5}]
    assert "thumbnail" not in text


def test_results_are_hashed_from_what_case_json_holds():
    case = _case()
    stored = json.loads(json.dumps(to_json(case)))["results"]
    assert hash_results(stored) == results_sha256(case)
    assert stored["files"][0]["lr"]["high"] == repr(1 / 3)


def test_results_depend_on_numbers_but_not_on_places_and_times():
    case = _case()
    elsewhere = dataclasses.replace(case.files[0], path=Path("/z/<b>.mp4"))
    assert results_sha256(dataclasses.replace(case, folder=None, date="now", files=(elsewhere,))) == results_sha256(
        case
    )
    assert results(case) != results(dataclasses.replace(case, outcome="statement"))
    person = dataclasses.replace(case.people[0], score=1e-17)
    changed = dataclasses.replace(case.files[0], people=(person,))
    assert results_sha256(dataclasses.replace(case, files=(changed,))) != results_sha256(case)


def test_rules_that_refuse_are_told_from_reservations():
    case = _case(checks=(Check("R4", True, "few"), Check("R6", False, "fine"), Check("S1", True, "s")))
    assert [check.code for check in case.refusals] == ["R4"]


def test_shown_in_a_notebook_with_names_escaped():
    assert "&lt;b&gt;" in _case()._repr_html_()
    assert "<b>.mp4" not in _case()._repr_html_()
