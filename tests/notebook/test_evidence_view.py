"""What notebook 10 shows besides the page: the reader's odds, parts of a case, the example, the tamper test."""

import base64
import io
import json
import re
import zipfile

import pytest
from evidence_workspace import RUN, SET, make_reference, make_run, write_evidence
from made_case import made_case

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.datasets.domain import is_generated
from dfworkbench.evidence.examine import case_file
from dfworkbench.evidence.page.report import SECTIONS
from dfworkbench.evidence.record.verify import verify_case
from dfworkbench.evidence.settings import EvidenceSettings
from dfworkbench.notebook.evidence import (
    ReaderOdds,
    case_desk,
    example_clip,
    odds_text,
    part,
    report,
    short,
    tamper_test,
    what_a_statement_needs,
    with_examples,
)
from dfworkbench.notebook.panel import SettingsPanel


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    from demo_set import extract_here

    space = Workspace(tmp_path_factory.mktemp("evidence_view"))
    with pytest.MonkeyPatch.context() as patch:
        extract_here(patch)
        patch.setenv(HOME_VARIABLE, str(space.root))
        make_reference(space)
        make_run(space)
        write_evidence(space)
        yield space


@pytest.fixture(scope="module")
def examined(space):
    path = space.root / "incoming" / "clip.mp4"
    return case_file(path, RUN, SET, workspace=space, progress=False, pdf="no", draws=100, case="view")


def test_odds_times_lr_and_nothing_of_it_is_stored(examined):
    odds = ReaderOdds(made_case(scores=(0.2,)))
    assert "odds of 1 to 100 for H1" in odds._words().html
    assert "Your odds, not a finding" in odds._words().html
    odds.slider.value = 0
    assert "odds of 1 to 1 for H1" in odds._words().html
    assert odds.sentence(0).endswith(" to 1.")  # a score of 0.2 speaks for H1
    assert "no reason to change" in ReaderOdds(made_case(refused=True)).sentence(0)


@pytest.mark.parametrize(
    ("log_odds", "words"), [(0, "1 to 1"), (2, "100 to 1"), (-2, "1 to 100"), (0.5, "3.2 to 1"), (-3.25, "1 to 1,778")]
)
def test_odds_in_words(log_odds, words):
    assert odds_text(log_odds) == words


def test_each_part_is_that_of_the_page(examined):
    page = (examined.folder / "report.html").read_text(encoding="utf-8")
    for name, (title, _) in SECTIONS.items():
        shown = part(examined, name)
        assert f"<h3>{title}</h3>" in shown.html
        assert shown.html.partition("</h3>")[2] in page
    assert "<style>" in part(examined, "limits")._repr_html_()
    first = short(examined).html
    assert "#limits" in page
    assert "#limits" not in first, "the limits are on another page of the report"
    assert first in page.replace('<a href="#limits">Limits</a>', "Limits")


def test_the_report_is_shown_as_it_was_written(examined):
    shown = report(examined).html
    assert "srcdoc=" in shown
    assert "report/cases/view/log.jsonl" in shown
    assert "report.pdf" not in shown  # it was left out


def test_a_flipped_bit_in_a_copy_is_found_and_the_case_is_left_alone(examined):
    before = (examined.folder / "report.html").read_bytes()
    found = tamper_test(examined)
    assert next(line.name for line in found.findings if line.differs) == "report.html"
    assert not found.holds
    assert (examined.folder / "report.html").read_bytes() == before


def test_a_dropped_clip_becomes_a_case_that_can_be_taken_along(space, tmp_path):
    pytest.importorskip("anywidget", reason="anywidget, of the extra [app], is not installed")
    panel = SettingsPanel(EvidenceSettings(checkpoint=RUN, reference=SET, pdf="no", draws=100), title="Evidence")
    desk = case_desk(panel)
    desk.drop.path = write_evidence(space, "dropped.mp4")
    desk.wait(120)
    shown = desk.result.value
    assert "person 1" in shown
    assert str(space.root) not in shown
    packed = re.search(r'download="([^"]+)" href="data:application/zip;base64,([^"]+)"', shown)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed[2]))) as archive:
        archive.extractall(tmp_path)
    found = verify_case(tmp_path / packed[1].removesuffix(".zip"), [desk.drop.path])
    assert found.holds
    assert "srcdoc=" in shown


def test_what_a_statement_needs_is_listed_before_anything_is_scored(space):
    settings = EvidenceSettings(evidence=[str(space.root / "incoming" / "clip.mp4")], checkpoint=RUN, reference=SET)
    shown = what_a_statement_needs(settings, space).html
    for words in ("R2", "R4", "R6", "met", "moderate support", "101 in each class"):
        assert words in shown


def test_empty_fields_take_the_newest_run_and_a_clip_of_nobody_in_any_set(space):
    (space.data / SET / "manifest.json").write_text(json.dumps({"settings": {"frames": 2, "size_px": 64, "seed": 3}}))
    settings = with_examples(EvidenceSettings(reference=SET), space)
    assert settings.checkpoint == RUN
    (clip,) = settings.evidence
    assert is_generated(clip)
    assert json.loads((space.data / "unseen" / "manifest.json").read_text())["settings"]["seed"] == 1003
    assert with_examples(settings, space) == settings


def test_without_evidence_a_set_of_real_people_offers_no_example(space):
    source = space.labels / SET / "source.json"
    before = source.read_text()
    source.write_text(json.dumps({**json.loads(before), "domain": ""}))
    try:
        with pytest.raises(DataNotFoundError, match="name it as evidence"):
            example_clip(SET, space)
    finally:
        source.write_text(before)
