"""Notebook 10_evidence_report: desk for a dropped file, requirements of a statement, case file parts, odds, tamper test."""

import base64
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w
from IPython.display import display

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.html import html_table, wrap
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED
from dfworkbench.evidence.case import CaseFile
from dfworkbench.evidence.examine import examine
from dfworkbench.evidence.intake import needs
from dfworkbench.evidence.numbers.validation import people_needed
from dfworkbench.evidence.page.first import first_page
from dfworkbench.evidence.page.pdf import PDF_NAME
from dfworkbench.evidence.page.report import SECTIONS
from dfworkbench.evidence.page.style import PART_STYLE
from dfworkbench.evidence.record.folder import PAGE, files_of
from dfworkbench.evidence.record.verify import Verification, verify_case
from dfworkbench.evidence.rules.words import rounded_lr
from dfworkbench.evidence.settings import EvidenceSettings
from dfworkbench.notebook.desk import file_desk
from dfworkbench.notebook.panel import SettingsPanel
from dfworkbench.notebook.pickers import Choice, datasets
from dfworkbench.runs.run import Run
from dfworkbench.synthetic import DemoSettings, make_demo

EXAMPLE = "unseen"  # subfolder of data/ for a generated clip of people who are in no set
#: Settings that visitors of `dfworkbench app` may choose.
VISITOR_FIELDS = ("checkpoint", "reference", "question", "examiner", "evidence_domain")
REFERENCE_CHOICE = Choice("data set", datasets, closed=False)
_EXAMPLE_SEED = 1000  # added to the seed of the reference set
_EXAMPLE_CLIP = "manipulated_sequences/Deepfakes/c23/videos/000_001.mp4"
_STRENGTHS = ((10, "moderate support"), (100, "moderately strong support"))
_ODDS = 4.0  # log10, on both sides of the slider


class Shown:
    """HTML that is displayed and stored in the notebook."""

    def __init__(self, html: str) -> None:
        self.html = html

    def _repr_html_(self) -> str:
        return wrap(PART_STYLE + self.html)


def with_examples(settings: EvidenceSettings, workspace: Workspace | None = None) -> EvidenceSettings:
    """Fill empty settings with examples: the most recent run, and a generated clip of people who are in no set.

    Raises:
        DataNotFoundError: There is no run; or no evidence is named and the reference set is not generated.
    """
    space = workspace or find_workspace()
    checkpoint = settings.checkpoint or Run.newest(space).name
    evidence = settings.evidence or [str(example_clip(settings.reference, space))]
    return settings.replace(checkpoint=checkpoint, evidence=evidence)


def example_clip(reference: str, workspace: Workspace) -> Path:
    """A forged clip of people who are in no set, generated with the settings of the reference set.

    Raises:
        DataNotFoundError: The reference set is not extracted, or holds real people.
    """
    if DataSet.open(reference, workspace).domain != GENERATED:
        raise DataNotFoundError(
            f"choosing evidence: none is named, and the reference set {reference!r} is not a generated one, for which an example "
            "could be made. Expected a picture, a video or a folder: name it as evidence."
        )
    made = DemoSettings()
    manifest = workspace.data / reference / "manifest.json"
    if manifest.is_file():
        stored: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["settings"]
        made = DemoSettings(**{name: value for name, value in stored.items() if name in DemoSettings.model_fields})
    made = made.replace(seed=made.seed + _EXAMPLE_SEED, pairs=1, val_pairs=0, test_pairs=1, extras=False, workers=1)
    return make_demo(workspace.data / EXAMPLE, made, progress=False) / _EXAMPLE_CLIP


def what_a_statement_needs(settings: EvidenceSettings, workspace: Workspace | None = None) -> Shown:
    """Requirements that can be checked before scoring, each met or not, and how many people stronger wording would need."""
    rows = [("not met" if check.holds else "met", check.code, check.sentence) for check in needs(settings, workspace)]
    body = html_table(["", "rule", "what was found"], rows, bold=[row[0] == "not met" for row in rows])
    lines = []
    for lr, words in _STRENGTHS:
        least, good = people_needed(lr)
        lines.append(
            (words, f"LR above {lr}", f"{least} in each class at the very least, about {good} with a good detector")
        )
    table = html_table(["words", "LR", "reference people needed"], lines, row_heads=True)
    return Shown(f"{body}<h4>How many reference people stronger words would need</h4>{table}")


def case_desk(panel: SettingsPanel[EvidenceSettings]) -> Any:
    """Field for a file to examine with the panel's settings: a case file is written, shown, and offered for download."""

    def work(path: Path, tell: Callable[[str], None]) -> str:
        case = examine(with_examples(panel.settings.replace(evidence=[str(path)])), say=tell)
        whole = f"<details><summary>The whole report</summary>{report(case).html}</details>"
        return wrap(PART_STYLE + first_page(case) + _download_html(case) + whole)

    hint = (
        "A case file is written about it: a likelihood ratio for each face, measured against the reference set, or "
        "<i>no statement</i> and its reasons. It takes a minute, and longer when the reference set was not scored before. The case "
        "file, with pictures of the faces, is kept in <code>report/cases/</code> of the workspace."
    )
    return file_desk("Evidence", hint, "Examine it again", work)


def _download_html(case: CaseFile) -> str:
    """A link that contains all files of a case as one archive, so nothing has to be served."""
    folder = case.folder
    assert folder is not None  # an examined case always has one
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(folder):
            archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    source = "data:application/zip;base64," + base64.b64encode(packed.getvalue()).decode()
    size = f"{len(packed.getvalue()) / 1e6:.1f} MB"
    look = "color:#2f6db5;text-decoration:underline;font-weight:600"  # JupyterLab shows links as text
    name = f"{escape(folder.name)}.zip"
    return f'<p><a style="{look}" download="{name}" href="{source}">Download the case file</a> ({size})</p>'


def short(case: CaseFile) -> Shown:
    """Question, propositions and findings, as on the first page of the report."""
    # links to later pages would lead nowhere in a notebook
    return Shown(re.sub(r'<a href="#[^"]*">(.*?)</a>', r"\1", first_page(case)))


def part(case: CaseFile, *names: str) -> Shown:
    """Sections of the case file by their keys in `page.SECTIONS`, such as "validation"."""
    return Shown("".join(f"<h3>{escape(SECTIONS[name][0])}</h3>{SECTIONS[name][1](case)}" for name in names))


def report(case: CaseFile) -> Shown:
    """The written report in an iframe, and where its files are."""
    folder = case.folder
    assert folder is not None  # an examined case always has one
    page = (folder / PAGE).read_text(encoding="utf-8")
    names = [name for name in (PAGE, PDF_NAME, "case.json", "log.jsonl", "head.txt") if (folder / name).is_file()]
    rows = [(name, f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}/{name}") for name in names]
    style = "width: 100%; height: 720px; border: 1px solid #d9dee4; background: #fff"
    frame = f'<iframe title="The report" style="{style}" srcdoc="{escape(page)}"></iframe>'
    return Shown(frame + html_table(["file", "where"], rows, row_heads=True))


class ReaderOdds:
    """Posterior odds for prior odds set by the reader: odds times LR. None of it enters the report.

    Shown as the last value of a cell; without a notebook, `sentence` gives the same.
    """

    def __init__(self, case: CaseFile) -> None:
        self.case = case
        self.slider = w.FloatSlider(
            value=-2, min=-_ODDS, max=_ODDS, step=0.25, readout=False, description="your odds for H1",
            style={"description_width": "130px"}, layout=w.Layout(width="420px"),
        )  # fmt: skip
        self._shown: Any = None
        self.slider.observe(lambda _: self._draw(), names="value")

    def _ipython_display_(self) -> None:
        display(self.slider)
        # a plain output without widget: it stays visible in a stored notebook that has lost its widgets
        self._shown = display(self._words(), display_id=True)

    def _draw(self) -> None:
        if self._shown is not None:
            self._shown.update(self._words())

    def _words(self) -> Shown:
        title = '<div class="dfw-title">Your odds, not a finding</div>'
        return Shown(f"{title}<p>{escape(self.sentence(self.slider.value))}</p>")

    def sentence(self, log_odds: float) -> str:
        """Posterior odds for H1 from prior odds (log10) and the LRs of the case, as a sentence."""
        people = [(person.name, person.lr.llr) for person in self.case.people if person.lr]
        if not people:
            return "There is no LR in this case, so whatever odds you hold for H1, the report gives no reason to change them."
        after = "; ".join(
            f"with the LR of {name} ({rounded_lr(llr)}) they become {odds_text(log_odds + llr)}" for name, llr in people
        )
        return f"Say that you hold odds of {odds_text(log_odds)} for H1 before you know the findings: {after}."


def odds_text(log_odds: float) -> str:
    """Log10 odds as "1 to 100"."""
    number = f"{10 ** abs(log_odds):,.0f}" if abs(log_odds) >= 1 else f"{10 ** abs(log_odds):.2g}"
    return f"{number} to 1" if log_odds > 0 else f"1 to {number}"


def tamper_test(case: CaseFile, name: str = PAGE) -> Verification:
    """Flip one bit of one file in a copy of the case, and verify the copy; the case itself is not touched."""
    folder = case.folder
    assert folder is not None  # an examined case always has one
    with tempfile.TemporaryDirectory(prefix="dfworkbench-") as temporary:
        copy = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
        return verify_case(copy)
