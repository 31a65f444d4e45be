"""One self-contained HTML report of a benchmark: runs, results, evaluation protocol, and commands to reproduce them."""

import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

import dfworkbench
from dfworkbench.core.html import Link, figure_html, html_table, note_html, write_page
from dfworkbench.core.provenance import PACKAGES, git_state, package_version
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY, run_note
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import GENERATED, caveat, trained_on
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.evaluation.metrics.evaluate import row_interval
from dfworkbench.notebook.benchmark import LEVELS, first_tables, kinds_matrix, leaderboard, pair_table, seed_table
from dfworkbench.notebook.report import tables
from dfworkbench.notebook.report.runs import LeftOut, ReportRun, judge_command, run_names, tested_on
from dfworkbench.runs.run import Run
from dfworkbench.show.plots.matrix import plot_matrix
from dfworkbench.show.plots.scores import plot_roc
from dfworkbench.show.plots.training import training_curves

_CURVES = 6  # most curves in one chart; more cannot be told apart

_WORDS = {
    "runs": "The best epoch was picked on validation people; test people were used neither for training nor for picking. The "
    "commands below train each run again; a finished run is reused, not trained twice.",
    "levels": "Intervals: 95 %, by bootstrap. Figures of another level or protocol are not comparable.",
    "roc": "Every point is a threshold; the band is the 95 % interval over videos. Of several seeds the first is drawn.",
    "seeds": "Mean over runs that differ only in their seed, with a 95 % t interval: how much training again changes the figure. "
    "It says nothing about other people; the intervals above do.",
    "pairs": "Difference in video AUC of the first seeds on the same videos: 95 % paired bootstrap over people, and p-values with "
    "Holm's correction for the number of pairs. An interval that contains 0 means: no difference shown.",
    "matrix": "Genuine videos against the fakes of each kind, and of all kinds. A good average may hide a kind that is missed.",
    "generated": "Test data are generated ({names}): the figures show that methods and code work, not how detectors do on "
    "footage of real people.",
    "no audit": "Without a leakage audit on record: {unseen} of {all} runs. Nobody checked whether their splits share people or "
    "pictures.",
    "versions": "This report was computed with the following; below it, what each run was trained with.",
}


def write_report(
    runs: Sequence[ReportRun],
    path: Path,
    *,
    left_out: Sequence[LeftOut] = (),
    title: str = "Benchmark",
    command: str = "",
    pages: Mapping[str, Path] | None = None,
    workspace: Workspace | None = None,
) -> Path:
    """Write the report.

    Args:
        runs: From `report.runs.read_runs`; may be empty.
        path: The .html file to write.
        left_out: Runs without results, and why.
        title: Page heading.
        command: The terminal command that writes this report.
        pages: Link text -> further executed notebooks.
        workspace: Workspace with tables and runs.

    Returns:
        `path`.

    Raises:
        TableError: The scores of a run do not fit the protocol, see `judged.judge_by`.
        OutputError: `path` is not an .html file, or holds a file not written by dfworkbench.
    """
    space, path = workspace or find_workspace(), Path(path)
    boards = {(name, level): leaderboard(runs, name, level, space) for name in tested_on(runs) for level in LEVELS}
    sections = {"What was run": _runs(runs, path, command, pages or {})}
    for dataset in tested_on(runs):
        found = [boards[dataset, level] for level in LEVELS]
        sections[f"Held-out people of {dataset}"] = _figures(runs, dataset, found, space, command)
    if runs:
        matrix = plot_matrix(kinds_matrix(runs), title="AUC per detector and forgery")
        sections["Detectors by kinds of forgery"] = figure_html(matrix, _WORDS["matrix"], broad=True) + _made_by(
            command
        )
        sections["Training curves"] = _training(runs)
    if left_out:
        sections["Without figures"] = _left_out(left_out, path)
    sections["Versions"] = _versions(runs)
    links = "".join(f'<a href="#s{at}">{escape(name)}</a>' for at, name in enumerate(sections, 1))
    body = "".join(
        f'<section><h2 id="s{at}">{escape(name)}</h2>{part}</section>'
        for at, (name, part) in enumerate(sections.items(), 1)
    )
    head = f'<h1>{escape(title)}</h1><p class="lead">{escape(_lead(runs, boards, left_out))}</p>{_notes(runs, space)}'
    return write_page(path, title, f"<header>{head}<nav>{links}</nav></header><main>{body}</main>", "a report")


def _lead(runs: Sequence[ReportRun], boards: Mapping[tuple[str, str], Leaderboard], left_out: Sequence[LeftOut]) -> str:
    lost = f" {len(left_out)} without figures; the reasons are below." if left_out else ""
    if not runs:
        return f"Nothing was measured.{lost}"
    (dataset, _), board = next(iter(boards.items()))
    best = board.entries[0]
    row = best.rows.iloc[0]
    return (
        f"{len(runs)} trained {'run' if len(runs) == 1 else 'runs'}, judged on held-out people. Highest video AUC on {dataset}: "
        f"{best.name}, {row_interval(row).text()} (95 % interval), from {row['n']} videos, "
        f"{row['n_fake']} of them forged.{lost}"
    )


def _notes(runs: Sequence[ReportRun], space: Workspace) -> str:
    bad = dict.fromkeys(run_note(run.record) for run in runs)
    generated = [name for name in tested_on(runs) if DataSet(name, space).domain == GENERATED]
    notes = [_WORDS["generated"].format(names=", ".join(generated))] if generated else []
    notes += dict.fromkeys(caveat(run.record) or trained_on(run.record) for run in runs)
    unseen = sum(not run.provenance.get(AUDIT_KEY) for run in runs)
    notes += [_WORDS["no audit"].format(unseen=unseen, all=len(runs))] if unseen else []
    return "".join([*(note_html(text, bad=True) for text in bad), *map(note_html, notes)])


def _runs(runs: Sequence[ReportRun], path: Path, command: str, pages: Mapping[str, Path]) -> str:
    names = run_names(runs)
    body = _text("runs")
    if runs:
        body += _table(tables.runs_table(runs, names, [_link(run.page, path, "notebook") for run in runs]))
        lines = "\n".join(f"# {names[run.folder]}\n{run.command}" for run in runs)
        body += _made_by(lines, "each run, from a terminal in the workspace")
    items = [Link(_href(file, path), words).html() for words, file in pages.items() if file.is_file()]
    body += f"<p>Executed notebooks: {', '.join(items)}.</p>" if items else ""
    return body + _made_by(command, "this report")


def _figures(
    runs: Sequence[ReportRun], dataset: str, boards: Sequence[Leaderboard], space: Workspace, command: str
) -> str:
    body, made_by = "", _made_by(command)
    for level, board in zip(LEVELS, boards, strict=True):
        words = escape(f"{board.protocol}. {_WORDS['levels']}")
        body += f'<h3>{level.capitalize()} level</h3>{_table(tables.board_table(board))}<p class="soft">{words}</p>'
    scored = [run for run in runs if dataset in run.scores]
    names = run_names(scored)
    judged = "\n".join(f"# {names[run.folder]}\n{judge_command(run, dataset, space.root)}" for run in scored)
    body += _made_by(
        f"{command}\n{judged}".strip(),
        "both tables; then each row from its stored scores: equal values, intervals from other draws",
    )
    body += "<h3>ROC curves</h3>"
    firsts = list(first_tables(scored, dataset).items())
    for at in range(0, len(firsts), _CURVES):
        figure = plot_roc(dict(firsts[at : at + _CURVES]), title=f"ROC on {dataset}, video level")
        body += figure_html(figure, _WORDS["roc"])
    seeds = _table(tables.seeds_text(seed_table(scored, dataset)))
    body += f"{made_by}<h3>Seeds</h3>{_text('seeds')}{seeds}{made_by}"
    pairs = pair_table(scored, dataset)
    if len(pairs):
        body += f"<h3>Pairs of detectors</h3>{_text('pairs')}{_table(tables.pairs_text(pairs))}{made_by}"
    return body


def _training(runs: Sequence[ReportRun]) -> str:
    names, body = run_names(runs), ""
    for run in runs:
        history = Run(run.folder).history
        if len(history):
            figure = training_curves(history, title=names[run.folder])
            body += figure_html(figure, f"Training of {run.folder.name}.", broad=True) + _made_by(run.command)
    return body


def _left_out(left_out: Sequence[LeftOut], path: Path) -> str:
    rows = [(item.name, item.reason, _link(item.page, path, "notebook")) for item in left_out]
    commands = "\n".join(f"# {item.name}\n{item.command}" for item in left_out if item.command)
    return html_table(("run", "reason", "as far as it ran"), rows) + _made_by(commands, "to try again")


def _versions(runs: Sequence[ReportRun]) -> str:
    commit, dirty = git_state()
    here = {
        "dfworkbench": dfworkbench.__version__,
        "commit": f"{(commit or 'not known')[:10]}{' with uncommitted changes' if dirty else ''}",
        "Python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: package_version(name) or "not installed" for name in PACKAGES},
    }
    trained = _table(tables.made_with(runs, run_names(runs))) if runs else ""
    return _text("versions") + html_table(("", "version"), here.items()) + trained


def _text(key: str) -> str:
    return f"<p>{escape(_WORDS[key])}</p>"


def _table(frame: pd.DataFrame) -> str:
    return html_table([str(name) for name in frame], frame.itertuples(index=False, name=None))


def _made_by(command: str, words: str = "made by") -> str:
    return f"<pre><b>{escape(words)}</b>{escape(command)}</pre>" if command else ""


def _link(target: Path | None, report: Path, words: str) -> Link | str:
    return Link(_href(target, report), words) if target else ""


def _href(target: Path, report: Path) -> str:
    """Path relative to the report, so that the folder can be moved."""
    shown = target.with_suffix(".html") if target.with_suffix(".html").is_file() else target
    return quote(Path(os.path.relpath(shown.resolve(), report.parent.resolve())).as_posix())
