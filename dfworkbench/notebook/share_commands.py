"""`dfworkbench share | fetch | export`: commands to share runs with other people and other tools."""

import argparse
import shlex
from pathlib import Path

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.safe_paths import say
from dfworkbench.notebook.flags import Command


def _share(given: argparse.Namespace) -> int:
    if given.whole and given.base:
        raise ParameterError(
            f"dfworkbench share: --base {given.base} and --whole were given; expected one of them. Leave one out: --whole shares "
            "all tensors, --base only those that differ."
        )
    from dfworkbench.sharing.packing import Packing
    from dfworkbench.sharing.targets import share
    from dfworkbench.zoo.cache import size_text

    packing = Packing(base=None if given.whole else given.base, scores=not given.no_scores, licence=given.licence)
    shared = share(given.run, given.target, packing, public=given.public)
    manifest = shared.manifest
    for name, file in sorted(manifest.files.items()):
        say(f"  {name:<40} {size_text(file.bytes):>10}")
    say(f"shared: {shared.target} ({size_text(manifest.size)})")
    if manifest.base:
        say(f"base:   {manifest.base.run}/{manifest.base.file}; whoever fetches needs that run, and no other will do")
    if any(name.startswith("scores/") for name in manifest.files):
        say("scores: name the files of the data sets; --no-scores leaves them out")
    for note in _notes(given.run, whole=manifest.base is None):
        say(f"NOTE: {note}")
    say(f"fetch:  dfworkbench fetch {shlex.quote(shared.target)} --sha256 {shared.sha256}")
    return 0


def _notes(name: str, *, whole: bool) -> list[str]:
    """What to know before sharing these weights: licences of the weights and of those they were trained from."""
    from dfworkbench.core.workspace import find_workspace
    from dfworkbench.datasets.audit.leak_note import source_of
    from dfworkbench.runs.run import Run

    run = Run.open(name)
    start = run.provenance.get("start_from")
    origin = str(start.get("file", "")) if whole and isinstance(start, dict) else ""
    runs = [run, *([Run(find_workspace().checkpoints / Path(origin).parent.name)] if origin else [])]
    notes = []
    for source in filter(None, (source_of(found.provenance) for found in runs)):
        card = source.get("card")
        licence = card.get("licence_weights") if isinstance(card, dict) else ""
        notes.append(
            f"the weights are, or were trained from, those of {source.get('file')}, licence: {licence or 'not known'}. Share them "
            "only if it allows that."
        )
    return notes


def _fetch(given: argparse.Namespace) -> int:
    from dfworkbench.models.registry import HELPERS
    from dfworkbench.runs.run import Run
    from dfworkbench.sharing.fetching import fetch

    run = Run(fetch(given.source, given.name, base=given.base, sha256=given.sha256))
    say(f"fetched: {run.folder}\ncard:    {run.folder / 'README.md'}")
    for text in run.caveats:
        say(f"NOTE: {text}")
    if run.detector_name not in HELPERS:
        say(f"score:   dfworkbench score PATH --checkpoint {run.name}")
    return 0


def _export(given: argparse.Namespace) -> int:
    from dfworkbench.sharing.exporting import export

    done = export(given.run, given.to, given.output)
    say(f"exported: {done.epochs} epochs of {given.run} to {done.target}\nlook:     {done.look}")
    return 0


_RUN = {"help": "a run in checkpoints/, or its folder"}
#: Commands for runs that are shared.
SHARE_COMMANDS: dict[str, Command] = {
    "share": Command(
        "write a run for others: weights, model card, figures, hashes; no path of this machine",
        _share,
        {
            "run": _RUN,
            "target": {
                "nargs": "?",
                "default": "",
                "help": "a folder, NAME.zip or hf:OWNER/NAME (default: report/shared/RUN in the workspace)",
            },
            "--base": {
                "default": "",
                "metavar": "RUN",
                "help": "share only what differs from this run (default: the run it was started from, if that saves a quarter)",
            },
            "--whole": {"action": "store_true", "help": "share all tensors"},
            "--no-scores": {"action": "store_true", "help": "leave out the score tables, which name the files of data sets"},
            "--licence": {"default": "", "metavar": "ID", "help": "licence of the weights, such as apache-2.0 or cc-by-nc-4.0"},
            "--public": {"action": "store_true", "help": "make a new repository public (default: private)"},
        },
    ),
    "fetch": Command(
        "bring a shared run into the workspace, every file checked against its hash",
        _fetch,
        {
            "source": {"help": "a folder, NAME.zip, its https address, or hf:OWNER/NAME"},
            "--name": {"default": "", "help": "folder in checkpoints/ (default: the name it was shared under)"},
            "--base": {"default": "", "metavar": "RUN", "help": "the run that has the other tensors (default: looked for by hash)"},
            "--sha256": {"default": "", "metavar": "HASH", "help": "what the hash of share.json must be, as `share` printed it"},
        },
    ),
    "export": Command(
        "write the history of a run for TensorBoard or MLflow",
        _export,
        {
            "run": _RUN,
            "--to": {"required": True, "choices": ["tensorboard", "mlflow"], "help": "which program"},
            "--output": {
                "default": "",
                "metavar": "PLACE",
                "help": "a folder; for mlflow also the address of a server (default: report/ in the workspace)",
            },
        },
    ),
}  # fmt: skip
