"""The command line: `dfworkbench doctor | demo | demo-data | extract | train | score | judge | import | run`.

Every command does what a notebook does, with the same settings: the flags of extract, train, score, judge and demo-data
are the fields of their settings classes. Heavy imports stand inside the command that needs them.
"""

import argparse
import difflib
import importlib
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from dfworkbench import __version__
from dfworkbench.core.errors import ParameterError, WorkbenchError
from dfworkbench.core.outputs import SCORE_TABLE, require_replaceable
from dfworkbench.core.safe_paths import printable
from dfworkbench.core.settings import Settings, parse_options

#: Exit codes: a doctor's finding, and an error that the user can put right.
FOUND, REFUSED = 1, 2
_NEGATIVE = re.compile(r"-\.?\d|-(inf|nan)$")
_EPILOG = "--traceback shows the full Python traceback of an error."


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that reports in our words."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{self.prog}: {message}. See {self.prog} --help.")


class _PrintableFormatter(logging.Formatter):
    """A formatter for a terminal: names of files of strangers may hold control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 1 if the doctor found something; 2 if the input was refused, with the message on standard error.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    want_traceback = False
    try:
        words, pairs = _take_pairs(words)
        want_traceback = "--traceback" in words
        return _dispatch([word for word in words if word != "--traceback"], pairs)
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


def _take_pairs(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Words without `-p NAME VALUE`, and these pairs. argparse would take values such as -1e-3 for flags.

    Raises:
        ParameterError: A pair is not complete, or a name is given twice.
    """
    rest: list[str] = []
    pairs: dict[str, str] = {}
    command = next((word for word in words if not word.startswith("-")), "")
    if command not in ("run", "import"):
        return words, pairs
    left = iter(words)
    for word in left:
        if word != "-p":
            rest.append(word)
            continue
        name, value = next(left, None), next(left, None)
        if name is None or value is None:
            raise ParameterError(f"dfworkbench {command}: -p {name or ''} is not complete; expected -p NAME VALUE.")
        if name in pairs:
            raise ParameterError(
                f"dfworkbench {command}: -p {name} is given twice, as {pairs[name]!r} and {value!r}; expected one value. Give one."
            )
        pairs[name] = value
    return rest, pairs


def _dispatch(words: list[str], pairs: dict[str, str]) -> int:
    parser = _Parser(
        prog="dfworkbench", description="An interactive workbench for deepfake forensics.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"dfworkbench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, (line, add_arguments, _) in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=line, allow_abbrev=False, epilog=_EPILOG)
        # only the chosen command's settings class is imported: the others may load torch
        if words[:1] == [name]:
            add_arguments(command)
    if words and not words[0].startswith("-"):
        _require("command", words[0], list(COMMANDS))
    given, unknown = parser.parse_known_args(_joined(words))
    if getattr(given, "p", None):  # -pNAME, which argparse took apart
        raise ParameterError(
            f"dfworkbench {given.command}: -p must stand alone; expected -p NAME VALUE, with blanks between."
        )
    given.p = pairs
    if given.command is None:
        parser.print_help()
        return 0
    if unknown:
        known = [flag for action in commands.choices[given.command]._actions for flag in action.option_strings]
        _require(f"flag of dfworkbench {given.command}", unknown[0].partition("=")[0], known)
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)  # on the handler: distributed sets the levels of its own loggers
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    return COMMANDS[given.command][2](given)


def _joined(words: list[str]) -> list[str]:
    """`--flag -1e-3` as `--flag=-1e-3`: argparse takes numbers such as this one for flags."""
    out: list[str] = []
    for word in words:
        if _NEGATIVE.match(word) and out and out[-1].startswith("--") and "=" not in out[-1]:
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


def _require(kind: str, name: str, known: list[str]) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(sorted(known))}."
    raise ParameterError(f"there is no {kind} {name!r}. {hint}")


# -- settings as flags ------------------------------------------------------------------------------------------------


def settings_class(command: str) -> type[Settings]:
    """The settings class whose fields are the flags of a command."""
    from dfworkbench.notebook.commands import SUBCOMMANDS

    module, _, name = SUBCOMMANDS[command].partition(":")
    return getattr(importlib.import_module(module), name)


def _add_settings(command: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        from dfworkbench.notebook.fields import read_fields, write_value

        for name, field in read_fields(settings_class(command)).items():
            words = {
                "help": f"{field.description} (default: {write_value(field.default) or 'none'})".replace("%", "%%")
            }
            options: dict[str, Any] = {"dest": f"setting.{name}", "default": argparse.SUPPRESS, **words}
            if field.kind == "bool" and not field.optional:
                parser.add_argument(field.flag, action=argparse.BooleanOptionalAction, **options)
            elif field.kind == "list":  # also given several times
                parser.add_argument(field.flag, metavar="LIST", action="append", **options)
            else:
                # values are checked by the settings class, whose messages name the setting
                parser.add_argument(field.flag, metavar=field.kind.upper(), **options)

    return add


def _settings(command: str, given: argparse.Namespace) -> Any:
    from dfworkbench.notebook.fields import build_settings, read_fields

    cls = settings_class(command)
    fields = read_fields(cls)
    values = {}
    for key, value in vars(given).items():
        name = key.removeprefix("setting.")
        if name == key:
            continue
        if fields[name].optional and value in ("", "none"):
            value = None
        elif fields[name].kind == "list":
            value = [part.strip() for text in value for part in text.split(",") if part.strip()]
        values[name] = value
    return build_settings(cls, values)


# -- commands ---------------------------------------------------------------------------------------------------------


def _doctor(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.doctor import examine

    doctor = examine()
    _say(str(doctor))
    return 0 if doctor.healthy else FOUND


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", metavar="NOTEBOOK", help="a name such as 02_train, or a path")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    parser.add_argument("--output", type=Path, help="the executed notebook (default: report/notebooks/NOTEBOOK.ipynb)")


def _run(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.runner import run_notebook

    executed = run_notebook(given.notebook, given.p, given.output)
    _say(f"executed notebook: {executed}\npage:              {executed.with_suffix('.html')}")
    return 0


def _demo(given: argparse.Namespace) -> int:
    from dfworkbench.notebook.demo import run_demo

    run_demo(_say)
    return 0


def _add_demo_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", type=Path, help="where (default: data/demo in the workspace)"
    )
    _add_settings("demo-data")(parser)


def _demo_data(given: argparse.Namespace) -> int:
    settings = _settings("demo-data", given)
    from dfworkbench.core.workspace import find_workspace
    from dfworkbench.synthetic import make_demo

    _say(f"generated: {make_demo(given.folder or find_workspace().data / 'demo', settings)}")
    return 0


def _extract(given: argparse.Namespace) -> int:
    settings = _settings("extract", given)
    from dfworkbench.extraction import extract

    found = extract(settings)
    counts = found.videos["status"].value_counts()
    _say(
        f"{len(found.faces)} faces from {len(found.videos)} files: " + ", ".join(f"{n} {s}" for s, n in counts.items())
    )
    return 0


def _train(given: argparse.Namespace) -> int:
    settings = _settings("train", given)
    from dfworkbench.training import train

    for epoch in train(settings):
        values = {
            "train loss": epoch.train["loss"],
            "val loss": epoch.val["loss"],
            "val AUC": epoch.val.get("auc_video"),
        }
        words = ", ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
        _say(
            f"epoch {epoch.number}/{epoch.epochs}: {words}{' (best so far)' if epoch.best else ''} -> {epoch.checkpoint}"
        )
    return 0


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", nargs="+", type=Path, help="pictures, videos or folders")
    parser.add_argument("--checkpoint", required=True, help="a run in checkpoints/, or a weight file")
    parser.add_argument(
        "--table",
        type=Path,
        help="write the score table here, .csv or .parquet (default: report/scores/ in the workspace, for several files)",
    )
    _add_settings("score")(parser)


def _score(given: argparse.Namespace) -> int:
    settings = _settings("score", given)
    if given.table:  # before anything is computed
        require_replaceable(given.table, SCORE_TABLE)
    from dfworkbench.evaluation.scoring.score import score_to_table

    scored, table = score_to_table(given.path, given.checkpoint, settings, given.table)
    _say(repr(scored))
    if table:
        _say(f"score table: {table}")
    return 0


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", type=Path, help="scores of any detector: CSV, Parquet, or a result pickle"
    )
    _add_settings("judge")(parser)


def _judge(given: argparse.Namespace) -> int:
    from dfworkbench.evaluation.exchange.judge_file import judge

    _say(str(judge(given.file, _settings("judge", given))))
    return 0


def _add_import(parser: argparse.ArgumentParser) -> None:
    from dfworkbench.runs.released import IMPORTERS

    parser.add_argument("kind", metavar="KIND", help=f"whose weights: {', '.join(sorted(IMPORTERS))}")
    parser.add_argument("file", metavar="FILE", type=Path, help="the file as its authors published it")
    parser.add_argument("--name", default="", help="folder in checkpoints/ (default: from kind and file)")
    parser.add_argument(
        "-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="an option of the importer"
    )


def _import(given: argparse.Namespace) -> int:
    from dfworkbench.models import HELPERS
    from dfworkbench.runs.checkpoints import load_detector
    from dfworkbench.runs.import_run import save_released

    options = parse_options([f"{name}={value}" for name, value in given.p.items()])
    folder = save_released(given.kind, given.file, given.name, **options)
    loaded = load_detector(folder)
    _say(f"imported: {folder} ({loaded.name})")
    if loaded.name in HELPERS:  # scores nothing
        return 0
    _say(
        f"score:    dfworkbench score PATH --checkpoint {folder.name}\n"
        f"train on: dfworkbench train --start-from {folder.name} --detector {loaded.name} --learning-rate 0.0001"
    )
    return 0


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


def _say(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")
    sys.stdout.flush()  # long commands are watched through pipes


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "doctor": ("versions, machine, and packages that break each other, with the cure", _nothing, _doctor),
    "demo": ("the main job on the generated demo set: notebooks 00 to 04 and a report", _nothing, _demo),
    "demo-data": ("generate the demo set", _add_demo_data, _demo_data),
    "extract": ("find, track and cut out all faces of a data set", _add_settings("extract"), _extract),
    "train": ("train a detector, one checkpoint per epoch", _add_settings("train"), _train),
    "score": ("score an image, a video or a folder", _add_score, _score),
    "judge": ("metrics with intervals of anybody's score file", _add_judge, _judge),
    "import": ("turn published weights into a checkpoint", _add_import, _import),
    "run": ("execute a notebook with parameters", _add_run, _run),
}

if __name__ == "__main__":
    sys.exit(main())
