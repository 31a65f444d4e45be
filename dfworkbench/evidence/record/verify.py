"""`verify_case`: hash the files of a case again, check its log, and report whether each file matches the record."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from dfworkbench.core.errors import DataNotFoundError, ParameterError
from dfworkbench.core.hash_chain import Checked, check_chain
from dfworkbench.core.html import html_table, note_html, wrap
from dfworkbench.core.safe_paths import printable
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.evidence.record.checks import Finding, check_heads, check_inputs, check_outputs
from dfworkbench.evidence.record.folder import FORMAT, LOG, cases_folder
from dfworkbench.evidence.record.rerun import check_rerun


@dataclass(frozen=True)
class Verification:
    """Result of verifying a case folder. Its text has one line per finding and the outcome in words.

    Attributes:
        folder: The case.
        findings: One per file, then one per cross-check between files, then the inputs.
        closing_head: Current head of the log.
    """

    folder: Path
    findings: tuple[Finding, ...]
    closing_head: str

    @property
    def holds(self) -> bool:
        """Whether nothing differs from the record."""
        return not any(finding.differs for finding in self.findings)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        differing = sum(finding.differs for finding in self.findings)
        if differing:
            return f"{differing} of {len(self.findings)} lines differ from the record of the case."
        return (
            f"Nothing differs from the record of the case. Its closing head is {self.closing_head}: compare it with the one that "
            "was sent or time-stamped when the case was closed, since a whole record can be written anew."
        )

    def __str__(self) -> str:
        return "\n".join([*map(str, self.findings), self.sentence])

    def _repr_html_(self) -> str:
        rows = [(printable(f.name), f.status, printable(f.why)) for f in self.findings]
        title = f'<div class="dfw-title">Check of the case {escape(printable(self.folder.name))}</div>'
        return wrap(
            title
            + note_html(self.sentence, bad=not self.holds)
            + html_table(["file", "status", "what differs"], rows, bold=[finding.differs for finding in self.findings])
        )


def verify_case(
    folder: Path | str,
    evidence: Sequence[Path | str] = (),
    closing_head: str = "",
    rerun: Path | str | None = None,
) -> Verification:
    """Hash everything again and compare with the record.

    Inputs are searched for at the paths in the log, relative to the workspace. Evidence can be given explicitly, since it may
    have moved.

    Args:
        folder: The case.
        evidence: Files, or folders of files, claimed to be its evidence.
        closing_head: Closing head that was sent or time-stamped; "": not compared.
        rerun: Case folder of a rerun whose results are compared.

    Raises:
        DataNotFoundError: The folder has no log, or a case to compare has no results.
        ParameterError: The log was written by a newer version of dfworkbench.
    """
    folder = Path(folder)
    log = check_chain(_read_log(folder))
    _require_known_format(log, folder)
    findings = (
        *check_outputs(folder, log),
        *check_heads(folder, log, closing_head.strip().lower()),
        *check_inputs(log, [Path(path) for path in evidence], _workspace_of(folder)),
        *(() if rerun is None else check_rerun(folder, Path(rerun))),
    )
    return Verification(folder, findings, log.head)


def _workspace_of(folder: Path) -> Path:
    """The workspace whose report/cases/ contains the case, else the current workspace."""
    above = folder.absolute().parents
    return above[2] if len(above) > 2 and above[0] == cases_folder(Workspace(above[2])) else find_workspace().root


def _read_log(folder: Path) -> bytes:
    path = folder / LOG
    try:
        if path.is_file():
            return path.read_bytes()
        why = "there is no such file"
    except OSError as error:
        why = error.strerror or str(error)
    raise DataNotFoundError(
        f"verifying the case {folder}: it has no {LOG} that can be read ({why}). Expected the folder of a case, as `dfworkbench "
        "report` writes it to report/cases/. Check the path."
    )


def _require_known_format(log: Checked, folder: Path) -> None:
    """Raise if the record has a newer format. A modified first line does not count, because it is not an intact entry."""
    found = log.entries[0].data.get("format") if log.entries else None
    if isinstance(found, int) and found > FORMAT:
        raise ParameterError(
            f"verifying the case {folder}: its record has format {found}, and this version of dfworkbench knows formats up to "
            f"{FORMAT}. Expected a record that is not newer: update dfworkbench."
        )
