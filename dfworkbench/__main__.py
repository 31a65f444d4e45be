"""The command line: `dfworkbench lab | app | doctor | demo | extract | train | score | zoo | judge | report | share | run | …`.

Every command does what a notebook does, with the same settings. If a command has a settings class
(`notebook.commands.SUBCOMMANDS`), its fields are the flags. Heavy imports are made inside the command that needs them.
"""

import argparse
import contextlib
import gc
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import DataNotFoundError, ParameterError, WorkbenchError
from dfworkbench.core.outputs import SCORE_TABLE, require_replaceable
from dfworkbench.core.safe_paths import printable, say
from dfworkbench.core.settings import parse_options
from dfworkbench.notebook.flags import PAIRS, Command, given_settings, parse_command, settings_class, take_pairs
from dfworkbench.notebook.notebook_commands import NOTEBOOK_COMMANDS
from dfworkbench.notebook.share_commands import SHARE_COMMANDS
from dfworkbench.notebook.zoo_commands import ZOO_COMMANDS

#: Exit codes: `doctor` found a problem or a case differs from its record; an error that the user can fix.
FOUND, REFUSED = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 1 if `doctor` found a problem or a case differs from its record; 2 if the input was refused (the message goes to
        standard error).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    want_traceback = False
    try:
        words, pairs = take_pairs(words)
        want_traceback = "--traceback" in words
        given = parse_command([word for word in words if word != "--traceback"], pairs, COMMANDS)
        return COMMANDS[given.command].run(given) if given.command else 0
    except WorkbenchError as error:
        if want_traceback:
            traceback.print_exc()
        sys.stderr.write(printable(f"dfworkbench: {error}\n"))
        return REFUSED
    except KeyboardInterrupt:
        sys.stderr.write("dfworkbench: stopped. The same command continues where it was.\n")
        return 130
    except BrokenPipeError:  # `dfworkbench doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _doctor(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.doctor import examine

    doctor = examine()
    say(str(doctor))
    return 0 if doctor.healthy else FOUND


def _demo(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.demo import run_demo

    run_demo(say)
    return 0


def _demo_data(given: argparse.Namespace) -> int:
    settings = given_settings("demo-data", given)
    from dfworkbench.core.workspace import find_workspace
    from dfworkbench.synthetic import make_demo

    say(f"generated: {make_demo(given.folder or find_workspace().data / 'demo', settings)}")
    return 0


def _extract(given: argparse.Namespace) -> int:
    settings = given_settings("extract", given)
    from dfworkbench.extraction import extract

    found = extract(settings)
    counts = found.videos["status"].value_counts()
    say(f"{len(found.faces)} faces from {len(found.videos)} files: " + ", ".join(f"{n} {s}" for s, n in counts.items()))
    return 0


def _train(given: argparse.Namespace) -> int:
    if given.settings:
        cls: Any = settings_class("train")
        settings = given_settings("train", given, cls.read(given.settings).model_dump())
    else:
        settings = given_settings("train", given)
    from dfworkbench.training import train

    for epoch in train(settings):
        values = {
            "train loss": epoch.train["loss"],
            "val loss": epoch.val["loss"],
            "val AUC": epoch.val.get("auc_video"),
        }
        words = ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
        if os.environ.get("RANK", "0") == "0":  # under torchrun only one process prints
            say(
                f"epoch {epoch.number}/{epoch.epochs}: {words}{' (best so far)' if epoch.best else ''} -> {epoch.checkpoint}"
            )
    if os.environ.get("WORLD_SIZE", "1") != "1":
        from dfworkbench.training.processes import leave_processes

        leave_processes()
    return 0


def _score(given: argparse.Namespace) -> int:
    with _quick_imports():
        settings = given_settings("score", given)
        if given.table:  # fail before computing anything
            require_replaceable(given.table, SCORE_TABLE)
        from dfworkbench.evaluation.scoring.score import score_to_table
    try:
        scored, table = score_to_table(given.path, given.checkpoint, settings, given.table)
    except DataNotFoundError:
        from dfworkbench.zoo.card_runs import require_no_bare_card

        require_no_bare_card(given.checkpoint)
        raise
    say(repr(scored))
    if table:
        say(f"score table: {table}")
    return 0


@contextlib.contextmanager
def _quick_imports() -> Iterator[None]:
    """Keep the garbage collector off while torch and pandas are imported.

    They create half a million objects that stay alive; scanning them repeatedly costs one second of a command that takes eight.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what has been imported stays
        gc.enable()


def _judge(given: argparse.Namespace) -> int:
    from dfworkbench.evaluation.exchange.interchange import write_scores
    from dfworkbench.evaluation.exchange.judge_file import judge

    settings = given_settings("judge", given)
    if settings.audits or len(given.file) > 1:
        return _audit(given, settings)
    judgement = judge(given.file[0], settings)
    say(str(judgement))
    if given.write:
        say(f"written: {write_scores(judgement.scores, given.write)}")
    return 0


def _audit(given: argparse.Namespace, settings: Any) -> int:
    from dfworkbench.evaluation.score_audit.from_files import audit_files
    from dfworkbench.show.score_audit_page import require_audit_folder, write_audit

    if given.write:
        raise ParameterError(
            "dfworkbench judge: --write is for one score file without an audit. Leave one of them out."
        )
    if settings.audit is not None:  # fail before computing anything
        require_audit_folder(settings.audit)
    found = audit_files(given.file, settings)
    say(str(found))
    if settings.audit is not None:
        page, record = write_audit(found, settings.audit)
        say(f"page:   {page}\nrecord: {record}")
    return 0


def _report(given: argparse.Namespace) -> int:
    settings = given_settings("report", given)
    evidence = [*map(str, given.path), *settings.evidence]
    if given.verify is not None:
        from dfworkbench.evidence.record.verify import verify_case

        found = verify_case(given.verify, evidence, given.closing_head, given.rerun)
        say(str(found))
        return 0 if found.holds else FOUND
    if given.closing_head or given.rerun:
        raise ParameterError(
            "dfworkbench report: --closing-head and --rerun are for --verify FOLDER. Leave them out, or name the folder."
        )
    from dfworkbench.evidence.examine import examine
    from dfworkbench.zoo.card_runs import require_no_bare_card

    require_no_bare_card(settings.checkpoint)
    examine(settings.replace(evidence=evidence), say=say)
    return 0


def _whose_weights() -> str:
    from dfworkbench.runs.released import IMPORTERS

    return f"whose weights: {', '.join(sorted(IMPORTERS))}"


def _import(given: argparse.Namespace) -> int:
    from dfworkbench.models import HELPERS
    from dfworkbench.runs.checkpoints import load_detector
    from dfworkbench.runs.released import save_released

    options = parse_options([f"{name}={value}" for name, value in given.p.items()])
    folder = save_released(given.kind, given.file, given.name, **options)
    loaded = load_detector(folder)
    say(f"imported: {folder} ({loaded.name})")
    if loaded.name in HELPERS:  # no detector, cannot score
        return 0
    say(
        f"score:    dfworkbench score PATH --checkpoint {folder.name}\n"
        f"train on: dfworkbench train --start-from {folder.name} --detector {loaded.name} --learning-rate 0.0001"
    )
    return 0


COMMANDS: dict[str, Command] = {
    **NOTEBOOK_COMMANDS,
    "doctor": Command("check versions, machine and conflicting packages, and suggest fixes", _doctor),
    "demo": Command("run the whole workflow on the generated demo set: notebooks 00 to 04 and a report", _demo),
    "demo-data": Command(
        "generate the demo set",
        _demo_data,
        {"folder": {"nargs": "?", "type": Path, "help": "output folder (default: data/demo in the workspace)"}},
    ),
    "extract": Command("find, track and crop all faces in a data set", _extract),
    "train": Command(
        "train a detector, one checkpoint per epoch",
        _train,
        {"--settings": {"type": Path, "help": "start from the settings.json of a run; other flags override it"}},
    ),
    "score": Command(
        "score an image, a video or a folder",
        _score,
        {
            "path": {"nargs": "+", "type": Path, "help": "pictures, videos or folders"},
            "--checkpoint": {"required": True, "help": "a run in checkpoints/, or a weight file"},
            "--table": {
                "type": Path,
                "help": "score table to write, .csv or .parquet (default: report/scores/ in the workspace, for several files)",
            },
        },
    ),
    **ZOO_COMMANDS,
    "judge": Command(
        "metrics with intervals for the score file of any detector, and the audit of a table of detectors",
        _judge,
        {
            "file": {
                "nargs": "+",
                "type": Path,
                "help": "score file of any detector: CSV (also .gz), Parquet, or a result pickle; several files, or runs "
                "in checkpoints/, are audited together",
            },
            "--write": {
                "type": Path,
                "metavar": "PATH",
                "help": "also write the scores in another format: NAME.csv plain, NAME.scores.csv for deepfake-workbench, "
                "NAME.parquet for dfworkbench, a folder for DeepfakeBench",
            },
        },
    ),
    "report": Command(
        "examine evidence against a reference set and write a case file; or verify a case",
        _report,
        {
            "path": {"nargs": "*", "type": Path, "help": "pictures, videos or folders"},
            "--verify": {
                "type": Path,
                "metavar": "FOLDER",
                "help": "verify a case against its record instead, and the files of --evidence against those examined",
            },
            "--closing-head": {
                "default": "",
                "metavar": "HASH",
                "help": "for --verify: the closing head that was sent or time-stamped",
            },
            "--rerun": {
                "type": Path,
                "metavar": "FOLDER",
                "help": "for --verify: the case folder of a rerun whose results are compared",
            },
        },
    ),
    "import": Command(
        "turn published weights into a checkpoint",
        _import,
        {
            "kind": {"help": _whose_weights},
            "file": {"type": Path, "help": "the file as its authors published it"},
            "--name": {"default": "", "help": "name of the run in checkpoints/ (default: from kind and file)"},
            "-p": {**PAIRS, "help": "an option of the importer"},
        },
    ),
    **SHARE_COMMANDS,
}

if __name__ == "__main__":
    sys.exit(main())
