"""Notebook 10: a case that ends in a statement and one that must not, on noisy clips taken as face crops."""

import json

import pytest
from cells import run_cells
from evidence_workspace import RUN, SET, make_reference, make_run, write_evidence
from made_case import visible_text

from dfworkbench.core.workspace import Workspace
from dfworkbench.evidence.rules.forbidden_words import forbidden_words

pytestmark = pytest.mark.notebook

CLIP = "incoming/clip.mp4"


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    from demo_set import extract_here

    space = Workspace(tmp_path_factory.mktemp("evidence_notebook"))
    with pytest.MonkeyPatch.context() as patch:
        extract_here(patch)
        make_reference(space)
    make_run(space)
    make_run(space, name="without_audit", verdict=None)
    write_evidence(space)
    return space


def run(space, scratch, **values):
    """What the notebook shows, as HTML, and how many of its outputs hold pictures."""
    given = {
        "evidence": [str(space.root / CLIP)],
        "checkpoint": RUN,
        "reference": SET,
        "draws": 100,
        "pdf": "no",
        **values,
    }
    return run_cells("10_evidence_report", given, space, scratch)


def test_a_statement_with_its_figures_and_no_word_too_many(space, tmp_path):
    shown, pictures = run(space, tmp_path, case="yes")
    assert "times more probable if H1 is true" in shown
    assert "Your odds, not a finding" in shown
    assert "differ from the record" in shown
    assert pictures >= 4
    case = json.loads((space.root / "report" / "cases" / "yes" / "case.json").read_text(encoding="utf-8"))
    assert case["outcome"] == "statement"
    assert forbidden_words(visible_text(shown), quoted=case["limits"]) == []


def test_no_statement_is_an_outcome_too(space, tmp_path):
    shown, _ = run(space, tmp_path, checkpoint="without_audit", case="no")
    assert "No statement will be possible (R6)" in shown
    assert "No statement can be made about person 1" in shown
    case = json.loads((space.root / "report" / "cases" / "no" / "case.json").read_text(encoding="utf-8"))
    assert case["outcome"] == "no statement"
    assert case["files"][0]["people"][0]["lr"] is None
    assert forbidden_words(visible_text(shown), quoted=case["limits"]) == []
