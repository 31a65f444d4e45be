"""One self-contained HTML report of a benchmark: what was run, how good it is under which protocol, and how to make it again."""

import os
import platform
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

import dfworkbench
from dfworkbench.core.provenance import PACKAGES, git_state, package_version
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY, run_note
from dfworkbench.datasets.domain import GENERATED, caveat, dataset_domain
from dfworkbench.evaluation.judging.leaderboard import Leaderboard
from dfworkbench.evaluation.metrics.evaluate import row_interval
from dfworkbench.notebook import report_html as page
from dfworkbench.notebook import report_tables as tables
from dfworkbench.notebook.benchmark import LEVELS, kinds_matrix, leaderboard, pair_table, seed_table
from dfworkbench.notebook.report_runs import LeftOut, ReportRun, by_label, judge_command, run_names, tested_on
from dfworkbench.show.plots.matrix import plot_matrix
from dfworkbench.show.plots.scores import plot_roc
from dfworkbench.show.plots.training import training_curves

_CURVES = 6  # in one chart; more cannot be told apart


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
        runs: Of `report_runs.read_runs`; may be empty.
        path: Of the page.
        left_out: What has no figures, and why.
        title: Of the page.
        command: That writes this very report, from a terminal.
        pages: Words -> further executed notebooks to link.
        workspace: Where tables and runs lie.

    Returns:
        `path`.

    Raises:
        TableError: The scores of a run do not fit the protocol, see `by_protocol.judge_by`.
    """
    space, path = workspace or find_workspace(), Path(path)
    datasets = tested_on(runs)
    boards = {(name, level): leaderboard(runs, name, level, space) for name in datasets for level in LEVELS}
    sections = [_runs(runs, path, command, pages or {})]
    for dataset in datasets:
        sections.append(_figures(runs, dataset, [boards[dataset, level] for level in LEVELS], space, command))
    if runs:
        sections += [_matrix(runs, command), _training(runs)]
    if left_out:
        sections.append(_left_out(left_out, path))
    sections.append(_versions(runs))
    notes = _notes(runs, datasets, space)
    return page.write_page(path, page.page_html(title, _lead(runs, boards, left_out), notes, sections))


def _lead(runs: Sequence[ReportRun], boards: Mapping[tuple[str, str], Leaderboard], left_out: Sequence[LeftOut]) -> str:
    lost = f" {len(left_out)} without figures; the reasons stand below." if left_out else ""
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


def _notes(runs: Sequence[ReportRun], datasets: Sequence[str], space: Workspace) -> list[str]:
    notes = [page.note_html(text, bad=True) for text in dict.fromkeys(filter(None, (run_note(r.record) for r in runs)))]
    generated = [name for name in datasets if dataset_domain(space.labels / name) == GENERATED]
    if generated:
        notes.append(page.note_html(
            f"Test data are generated ({', '.join(generated)}): the figures show that methods and code work, not how detectors "
            "do on footage of real people."
        ))  # fmt: skip
    notes += [page.note_html(text) for text in dict.fromkeys(filter(None, (caveat(run.record) for run in runs)))]
    unseen = sum(not run.provenance.get(AUDIT_KEY) for run in runs)
    if unseen:
        notes.append(page.note_html(
            f"Without a leakage audit on record: {unseen} of {len(runs)} runs. Whether splits share people or pictures was not "
            "looked at when they were trained."
        ))  # fmt: skip
    return notes


def _runs(runs: Sequence[ReportRun], path: Path, command: str, pages: Mapping[str, Path]) -> page.Section:
    names = run_names(runs)
    links = [page.Link(_href(run.page, path), "notebook") if run.page else "" for run in runs]
    body = page.words_html(
        "The best epoch was picked on validation people; test people were neither trained on nor used for picking. Below the "
        "table stands the command that trains each run again; a run that is finished is taken up, not trained twice."
    )
    if runs:
        body += page.table_html(tables.runs_table(runs, names, links))
        lines = "\n".join(f"# {names[run.folder]}\n{run.command}" for run in runs)
        body += page.command_html(lines, "each run, from a terminal in the workspace")
    if pages:
        items = ", ".join(page.Link(_href(file, path), words).html() for words, file in pages.items() if file.is_file())
        body += f"<p>Executed notebooks: {items}.</p>"
    return page.Section("What was run", body + page.command_html(command, "this report"))


def _figures(
    runs: Sequence[ReportRun], dataset: str, boards: Sequence[Leaderboard], space: Workspace, command: str
) -> page.Section:
    scored = [run for run in runs if dataset in run.scores]
    names, body = run_names(scored), ""
    for level, board in zip(LEVELS, boards, strict=True):
        body += f"<h3>{level.capitalize()} level</h3>"
        body += page.table_html(tables.board_table(board), wide=("note",))
        words = (
            f"{board.protocol}. Intervals: 95 %, by bootstrap. Figures of another level or protocol are not comparable."
        )
        body += f'<p class="soft">{escape(words)}</p>'
    judged = "\n".join(f"# {names[run.folder]}\n{judge_command(run, dataset, space.root)}" for run in scored)
    body += page.command_html(
        f"{command}\n{judged}".strip(),
        "both tables; then each row from its stored scores: equal values, intervals from other draws",
    )
    body += _roc(scored, dataset, command) + _seeds(scored, dataset, command) + _pairs(scored, dataset, command)
    return page.Section(f"Held-out people of {dataset}", body)


def _roc(runs: Sequence[ReportRun], dataset: str, command: str) -> str:
    firsts = {label: group[0].scores[dataset] for label, group in by_label(runs).items()}
    body, names = "<h3>ROC curves</h3>", list(firsts)
    for at in range(0, len(names), _CURVES):
        some = {name: firsts[name] for name in names[at : at + _CURVES]}
        words = "Every point is a threshold; the band is the 95 % interval over videos. Of several seeds the first is drawn."
        body += page.figure_html(plot_roc(some, title=f"ROC on {dataset}, video level"), words)
    return body + page.command_html(command)


def _seeds(runs: Sequence[ReportRun], dataset: str, command: str) -> str:
    found = seed_table(runs, dataset)
    words = (
        "Mean over runs that differ in their seed only, with a 95 % t interval: how much training again changes the figure. It "
        "says nothing about other people; the intervals above do."
    )
    return (
        f"<h3>Seeds</h3>{page.words_html(words)}{page.table_html(tables.seeds_text(found), wide=('note',))}"
        f"{page.command_html(command)}"
    )


def _pairs(runs: Sequence[ReportRun], dataset: str, command: str) -> str:
    found = pair_table(runs, dataset)
    if found.empty:
        return ""
    words = (
        "Difference in video AUC of the first seeds on the same videos: 95 % paired bootstrap over people, and p-values corrected "
        "after Holm for the number of pairs. An interval that holds 0 means: not told apart."
    )
    return (
        f"<h3>Pairs of detectors</h3>{page.words_html(words)}{page.table_html(tables.pairs_text(found), wide=('notes',))}"
        f"{page.command_html(command)}"
    )


def _matrix(runs: Sequence[ReportRun], command: str) -> page.Section:
    cells = kinds_matrix(runs)
    words = "Genuine videos against the fakes of each kind, and of all kinds. A good average may hide a kind that is missed."
    body = page.figure_html(plot_matrix(cells, title="Who finds what"), words, broad=True) + page.command_html(command)
    return page.Section("Detectors by kinds of forgery", body)


def _training(runs: Sequence[ReportRun]) -> page.Section:
    names, body = run_names(runs), ""
    for run in runs:
        history = run.folder / "history.csv"
        if history.is_file():
            figure = training_curves(pd.read_csv(history), title=names[run.folder])
            body += page.figure_html(figure, f"Training of {run.folder.name}.", broad=True)
            body += page.command_html(run.command)
    return page.Section("Training curves", body)


def _left_out(left_out: Sequence[LeftOut], path: Path) -> page.Section:
    rows = [
        {
            "run": item.name,
            "reason": item.reason,
            "as far as it ran": page.Link(_href(item.page, path), "notebook") if item.page else "",
        }
        for item in left_out
    ]
    commands = "\n".join(f"# {item.name}\n{item.command}" for item in left_out if item.command)
    body = page.table_html(pd.DataFrame(rows), wide=("reason",)) + page.command_html(commands, "to try again")
    return page.Section("Without figures", body)


def _versions(runs: Sequence[ReportRun]) -> page.Section:
    commit, dirty = git_state()
    here = {
        "dfworkbench": dfworkbench.__version__,
        "commit": f"{(commit or 'not known')[:10]}{' with uncommitted changes' if dirty else ''}",
        "Python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        **{name: package_version(name) or "not installed" for name in PACKAGES},
    }
    body = page.words_html("This report was computed with the following; below it, what each run was trained with.")
    body += page.table_html(pd.DataFrame({"": list(here), "version": list(here.values())}))
    if runs:
        body += page.table_html(tables.made_with(runs, run_names(runs)))
    return page.Section("Versions", body)


def _href(target: Path, report: Path) -> str:
    """Relative to the report, so that the folder can be moved."""
    shown = target.with_suffix(".html") if target.with_suffix(".html").is_file() else target
    return quote(Path(os.path.relpath(shown.resolve(), report.parent.resolve())).as_posix())
