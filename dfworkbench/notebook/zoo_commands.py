"""`dfworkbench zoo list | show | get | import | score | check`: commands for published detectors."""

import argparse
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.safe_paths import say
from dfworkbench.core.settings import parse_options
from dfworkbench.notebook.flags import Command, given_settings


def _list(given: argparse.Namespace) -> int:
    from dfworkbench.zoo.describe import cards_table, cards_text

    say(cards_text(cards_table()))
    say(
        "\nOne of them: dfworkbench zoo show CARD. Here: imported = ready to score, file = fetched and not imported yet."
    )
    return 0


def _show(given: argparse.Namespace) -> int:
    from dfworkbench.zoo.card_runs import split_name
    from dfworkbench.zoo.describe import card_text

    say(card_text(split_name(given.card)[0]))
    return 0


def _get(given: argparse.Namespace) -> int:
    from dfworkbench.zoo.card_runs import split_name, with_parts
    from dfworkbench.zoo.describe import file_text
    from dfworkbench.zoo.fetching import get

    card, file = split_name(given.card)
    accept = _accepts(given, [card.name])
    wanted = with_parts(card, file)
    for item in wanted:
        say(file_text(card, item))
    for item in wanted:
        say(f"here: {get(card, item.name, accept=accept)}")
    say(f"score: dfworkbench zoo score {given.card} PATH")
    return 0


def _import(given: argparse.Namespace) -> int:
    from dfworkbench.zoo.card_runs import import_file, split_name

    card, _ = split_name(given.card)
    accept = _accepts(given, [card.name])
    options = parse_options([f"{name}={value}" for name, value in given.p.items()])
    folder = import_file(card, given.file, given.name, accept=accept, **options)
    say(f"imported: {folder}\nscore:    dfworkbench zoo score {folder.name} PATH")
    return 0


def _score(given: argparse.Namespace) -> int:
    settings = given_settings("zoo score", given)
    names = [name for name in given.card.split(",") if name]
    _accepts(given, [name.partition(":")[0] for name in names])
    from dfworkbench.evaluation.scoring.media_files import find_files
    from dfworkbench.evaluation.scoring.side_by_side import side_by_side
    from dfworkbench.runs.run import Run
    from dfworkbench.zoo.scoring import find_all_weights, score_to_tables

    find_files(given.path)  # before anything is fetched
    runs = find_all_weights(names, fetch=given.get, accept=given.accept_licence)
    results = []
    for scored, table in score_to_tables(runs, given.path, settings):
        results.append(scored)
        say(repr(scored))
        if table:
            say(f"score table: {table}")
        say("")
    if len(results) > 1:
        say(repr(side_by_side(results)))
    for run in map(Run, runs):
        if licence := _licence(run.provenance):
            say(f"licence of the weights of {run.name}: {licence}")
    return 0


def _check(given: argparse.Namespace) -> int:
    settings = given_settings("zoo check", given)
    accept = _accepts(given, [given.card.partition(":")[0]])
    from dfworkbench.zoo.scoring import check

    say(str(check(given.card, given.real, given.fake, settings, fetch=given.get, accept=accept)))
    return 0


def _accepts(given: argparse.Namespace, cards: list[str]) -> bool:
    """Whether the user accepts the terms; cards must be named and in use, so that no other terms are accepted by mistake."""
    for name in given.accept_licence:
        if name not in cards:
            raise ParameterError(
                f"dfworkbench {given.command}: --accept-licence {name} names a card that is not used; expected "
                f"{' or '.join(cards)}. Terms are accepted card by card."
            )
    return bool(given.accept_licence)


def _licence(provenance: dict[str, Any]) -> str:
    source = provenance.get("source")
    card = source.get("card") if isinstance(source, dict) else None
    return str(card.get("licence_weights", "")) if isinstance(card, dict) else ""


_CARD = {"help": "name of a card, see `dfworkbench zoo list`; CARD:FILE for one of several files"}
_ACCEPT: dict[str, Any] = {
    "action": "append",
    "default": [],
    "metavar": "CARD",
    "help": "accept the terms that this card asks for, shown by `zoo show`; remembered",
}
_GET: dict[str, Any] = {"action": "store_true", "help": "fetch what is not on this machine"}
#: Commands of the group "zoo".
ZOO_COMMANDS: dict[str, Command] = {
    "zoo list": Command("list the published detectors: size, licence, what they look at, what they were trained on", _list),
    "zoo show": Command("show a published detector: files, input, figures, caveats", _show, {"card": _CARD}),
    "zoo get": Command(
        "fetch the weights of a published detector, and check their hash",
        _get,
        {"card": _CARD, "--accept-licence": _ACCEPT},
    ),
    "zoo import": Command(
        "import weights of a published detector from a file that you have",
        _import,
        {
            "card": {"help": "name of a card, see `dfworkbench zoo list`"},
            "file": {"type": Path, "help": "the file as its authors published it; of hf_image_classifier the folder"},
            "--name": {"default": "", "help": "folder in checkpoints/ (default: from card and file)"},
            "-p": {
                "nargs": 2, "action": "append", "default": [], "metavar": ("NAME", "VALUE"),
                "help": "an option of the card: fake INDEX and crop face|whole (hf_image_classifier), backbone FILE (univfd)",
            },
            "--accept-licence": _ACCEPT,
        },
    ),
    "zoo score": Command(
        "score pictures and videos with published detectors, and your runs beside them",
        _score,
        {
            "card": {"help": "names of cards (CARD or CARD:FILE) or runs, separated by commas"},
            "path": {"nargs": "+", "type": Path, "help": "pictures, videos or folders"},
            "--get": _GET,
            "--accept-licence": _ACCEPT,
        },
    ),
    "zoo check": Command(
        "AUC of a published detector on a folder of real and one of fake files; warns where its labels seem swapped",
        _check,
        {
            "card": {"help": "name of a card (CARD or CARD:FILE) or run"},
            "real": {"type": Path, "help": "folder of real pictures and videos"},
            "fake": {"type": Path, "help": "folder of fake ones"},
            "--get": _GET,
            "--accept-licence": _ACCEPT,
        },
    ),
}  # fmt: skip
