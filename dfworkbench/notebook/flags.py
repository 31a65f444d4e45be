"""Command-line parsing: subcommands, flags from settings classes, and settings from the given flags."""

import argparse
import importlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from dfworkbench import __version__
from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import did_you_mean
from dfworkbench.core.safe_paths import printable
from dfworkbench.core.settings import Settings
from dfworkbench.notebook.commands import SUBCOMMANDS
from dfworkbench.notebook.fields import Field, build_settings, read_fields, write_value

_log = logging.getLogger(__name__)
_NEGATIVE = re.compile(r"-\.?\d|-(inf|nan)$")
_DEST = "setting."
#: The flag -p NAME VALUE, any number of times.
PAIRS: dict[str, Any] = {"nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE")}


class Command(NamedTuple):
    """A subcommand: its help line, its function, and its arguments besides the fields of its settings class.

    `arguments` are passed to `ArgumentParser.add_argument`; "help" may be a function, called for the chosen command only.
    """

    line: str
    run: Callable[[argparse.Namespace], int]
    arguments: Mapping[str, dict[str, Any]] = {}


class _PrintableFormatter(logging.Formatter):
    """A formatter for the terminal that neutralises control characters, which file names may contain."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises `ParameterError`."""

    def error(self, message: str) -> NoReturn:
        raise ParameterError(f"{self.prog}: {message}. See {self.prog} --help.")


def parse_command(words: list[str], pairs: dict[str, str], commands: Mapping[str, Command]) -> argparse.Namespace:
    """Parse a command line; prints the help if there is no command.

    Args:
        words: The words, without `-p NAME VALUE`, see `take_pairs`.
        pairs: The `-p` pairs; they become `p`.
        commands: Name -> command; the names of a group, such as "zoo list" and "zoo get", have two words.

    Raises:
        ParameterError: A command or flag does not exist (the message names the closest one), or a value is missing.
    """
    words, commands = _one_command(words, commands)
    parser = _Parser(
        prog="dfworkbench", description="An interactive workbench for deepfake forensics.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"dfworkbench {__version__}")
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    epilog = "--traceback shows the full Python traceback of an error."
    for name, command in commands.items():
        added = parsers.add_parser(name, help=command.line, description=command.line, allow_abbrev=False, epilog=epilog)
        if words[:1] != [name]:  # only the chosen command's settings class is imported: the others may load torch
            continue
        for argument, options in command.arguments.items():
            text, shown = options["help"], {} if argument.startswith("-") else {"metavar": argument.upper()}
            added.add_argument(argument, **{**shown, **options, "help": text() if callable(text) else text})
        if name in SUBCOMMANDS:
            _add_flags(added, name)
    if words and not words[0].startswith("-"):
        _require_known("command", words[0], list(commands))
    given, unknown = parser.parse_known_args(_joined(words))
    if getattr(given, "p", None):  # -pNAME, which argparse split
        raise ParameterError(
            f"dfworkbench {given.command}: -p must stand alone; expected -p NAME VALUE, separated by spaces."
        )
    given.p = pairs
    if given.command is None:
        parser.print_help()
        return given
    if unknown:
        known = [flag for action in parsers.choices[given.command]._actions for flag in action.option_strings]
        _require_known(f"flag of dfworkbench {given.command}", unknown[0].partition("=")[0], known)
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)  # on the handler: distributed sets the levels of its own loggers
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    return given


def _one_command(words: list[str], commands: Mapping[str, Command]) -> tuple[list[str], Mapping[str, Command]]:
    """Join a two-word command name into one word; a group name alone keeps only that group's commands."""
    group = {name: command for name, command in commands.items() if words and name.split()[0] == words[0]}
    if not group or words[0] in group:
        return words, commands
    if words[1:2] in ([], ["-h"], ["--help"]):
        return [], group
    return [" ".join(words[:2]), *words[2:]], commands


def _require_known(kind: str, name: str, known: list[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known).strip() or f"Known: {', '.join(sorted(known))}."
        raise ParameterError(f"there is no {kind} {name!r}. {hint}")


def take_pairs(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Separate words from `-p NAME VALUE` pairs; argparse would take values such as -1e-3 for flags.

    Raises:
        ParameterError: A pair is not complete, or a name is given twice.
    """
    rest: list[str] = []
    pairs: dict[str, str] = {}
    named = [word for word in words if not word.startswith("-")]
    command = " ".join(named[: 2 if named[:1] == ["zoo"] else 1])
    if command not in ("run", "app", "import", "zoo import"):
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


def _joined(words: list[str]) -> list[str]:
    """Turn `--flag -1e-3` into `--flag=-1e-3`: argparse takes such numbers for flags."""
    out: list[str] = []
    for word in words:
        if _NEGATIVE.match(word) and out and out[-1].startswith("--") and "=" not in out[-1]:
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


def settings_class(command: str) -> type[Settings]:
    """The settings class that defines the flags of a command."""
    module, _, name = SUBCOMMANDS[command].partition(":")
    return getattr(importlib.import_module(module), name)


def _add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Add a flag for each field of the command's settings class; former names still work, but are hidden."""
    cls = settings_class(command)
    fields = read_fields(cls)
    for name, field in fields.items():
        shown = f"{field.description} (default: {write_value(field.default) or 'none'})".replace("%", "%%")
        _add_flag(parser, name, field, field.flag, shown)
    for former, name in cls.renamed.items():
        _add_flag(parser, former, fields[name], "--" + former.replace("_", "-"), argparse.SUPPRESS)


def _add_flag(parser: argparse.ArgumentParser, name: str, field: Field, flag: str, shown: str) -> None:
    options: dict[str, Any] = {"dest": _DEST + name, "default": argparse.SUPPRESS, "help": shown}
    if field.kind == "bool" and not field.optional:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, **options)
    elif field.kind in ("list", "options"):  # may also be repeated
        metavar = "LIST" if field.kind == "list" else "NAME=VALUE"
        parser.add_argument(flag, metavar=metavar, action="append", **options)
    else:  # values are validated by the settings class, whose messages name the setting
        parser.add_argument(flag, metavar=field.kind.upper(), **options)


def _given_values(command: str, given: argparse.Namespace) -> dict[str, Any]:
    cls = settings_class(command)
    fields = read_fields(cls)
    values: dict[str, Any] = {}
    for key, value in vars(given).items():
        if not key.startswith(_DEST):
            continue
        name = key.removeprefix(_DEST)
        if name in cls.renamed:
            _log.warning("--%s is now called %s", name.replace("_", "-"), fields[cls.renamed[name]].flag)
            name = cls.renamed[name]
        values[name] = _value(fields[name], value)
    return values


def given_settings(command: str, given: argparse.Namespace, base: Mapping[str, Any] | None = None) -> Any:
    """The command's settings from its flags; everything else comes from `base` or keeps its default."""
    return build_settings(settings_class(command), {**(base or {}), **_given_values(command, given)})


def _value(field: Field, value: Any) -> Any:
    if field.optional and value in ("", "none"):
        return None
    if field.kind == "list":
        return [part.strip() for text in value for part in text.split(",") if part.strip()]
    return ",".join(value) if field.kind == "options" else value
