"""Pack a run for sharing: weights, settings, provenance, history, scores and a model card, without local paths.

Not included: the training state (`resume.pt`, a pickle), the executed notebook (it shows faces), other epochs, attributions and
files that case files refer to.
"""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from dfworkbench.core.errors import CheckpointError, ParameterError, TableError
from dfworkbench.core.local_paths import map_texts, without_machine
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, explain_write, find_workspace
from dfworkbench.datasets.audit.leak_note import source_of
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.media.foreign import read_json
from dfworkbench.runs.layout import (
    BEST,
    CARD,
    HISTORY,
    MANIFEST,
    PROVENANCE,
    SETTINGS,
    delta_file,
    score_file,
    scored_sets,
)
from dfworkbench.runs.run import Run, find_checkpoint
from dfworkbench.runs.weight_delta import Difference, compare, content_hash, write_delta
from dfworkbench.runs.weight_file import explained, read_header, write_weights
from dfworkbench.sharing.manifest import Base, Manifest, list_files
from dfworkbench.sharing.model_card import model_card

_log = logging.getLogger(__name__)
#: Fraction of the bytes that a base must save before a shared run depends on it by default.
_WORTH_IT = 0.25


@dataclass(frozen=True)
class Packing:
    """What is shared of a run, and how.

    Attributes:
        base: Run or weight file that the receivers have; "": the one that the run was started from, used if it provides a
            quarter of the bytes or more; None: share whole weights.
        scores: Whether score tables are included. They name the files of the data sets.
        licence: Licence of the weights, as Hugging Face names it; "" if not stated.
    """

    base: str | None = ""
    scores: bool = True
    licence: str = ""


#: Defaults: whole weights or only those that differ, whichever pays off; with scores; without a licence.
DEFAULT = Packing()


def pack(run: Run, folder: Path, packing: Packing = DEFAULT, workspace: Workspace | None = None) -> Manifest:
    """Write the shared files of a run into an empty folder: the weights of its best epoch and everything that describes them.

    Args:
        run: The run.
        folder: Created if missing.
        packing: What is included.
        workspace: Where the base is searched for; paths below it become relative.

    Returns:
        The manifest, which is also written.

    Raises:
        CheckpointError: The run or the base is damaged, or they have no tensor in common.
        DataNotFoundError: There is no such base.
        OutputError: The folder cannot be written.
    """
    space = workspace or find_workspace()
    clean = without_machine(space.root)
    weights = run.weights()
    base, difference = _base(run, weights, packing.base, space)
    record, _ = read_header(weights)
    with explain_write(folder, "a shared run"):
        folder.mkdir(parents=True, exist_ok=True)
        _write_weights(folder, weights, map_texts(record, clean), record, base, difference)
        for name in (SETTINGS, PROVENANCE, BEST):
            if (run.folder / name).is_file():
                _write_json(folder / name, map_texts(_read(run, name), clean))
        if (run.folder / HISTORY).is_file():
            shutil.copyfile(run.folder / HISTORY, folder / HISTORY)
        if packing.scores:
            for file in [
                score_file(weights, "val"),
                *scored_sets(weights, "val").values(),
                *scored_sets(weights).values(),
            ]:
                if file.is_file():
                    _write_scores(folder / file.relative_to(run.folder), file, clean)
        card = model_card(run, licence=packing.licence, base=base)
        (folder / CARD).write_text(clean(card), encoding="utf-8")
        manifest = list_files(folder, run.name, base)
        (folder / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def _base(run: Run, weights: Path, wanted: str | None, space: Workspace) -> tuple[Base | None, Difference | None]:
    """The base run and how the weights differ from its own; None, None for whole weights."""
    if wanted is None:
        return None, None
    file = find_checkpoint(wanted, workspace=space) if wanted else _started_from(run, space)
    if file is None:
        return None, None
    if file.samefile(weights):
        raise ParameterError(
            f"sharing the run {run.name!r}: the base {wanted!r} is the same weight file. Expected the run that it was fine-tuned "
            "from. Name that one, or share whole weights."
        )
    difference = compare(weights, file)
    if wanted and not difference.same:
        raise CheckpointError(
            f"sharing the run {run.name!r} as a difference from {wanted!r}: none of its {len(difference.changed)} tensors is "
            "equal to one of that base. Expected the run that it was fine-tuned from, with some layers frozen (trainable = norm "
            "or head). Name that base, or share whole weights (--whole)."
        )
    if not wanted and difference.saved < _WORTH_IT:
        return None, None
    return _described(file), difference


def _described(file: Path) -> Base:
    """Describe a weight file as a base. A folder that is not a run is not named: it may contain a person's name."""
    run = Run(file.parent)
    card = source_of({"provenance": run.provenance}).get("card")
    return Base(
        run=run.name if (run.folder / BEST).is_file() else file.stem,
        file=file.name,
        content=content_hash(file),
        bytes=file.stat().st_size,
        card=str(card.get("name", "")) if isinstance(card, dict) else "",
    )


def _started_from(run: Run, space: Workspace) -> Path | None:
    """The weight file that a run was started from, if it still exists unchanged."""
    start = run.provenance.get("start_from")
    if not isinstance(start, dict):
        return None
    file = space.checkpoints / str(start.get("file", ""))
    return file if file.is_file() and file_hash(file) == start.get("sha256") else None


def _write_weights(
    folder: Path,
    weights: Path,
    record: dict[str, Any],
    stored: dict[str, Any],
    base: Base | None,
    difference: Difference | None,
) -> None:
    if base is not None and difference is not None:
        write_delta(delta_file(folder, Run(weights.parent).best), weights, difference, base.model_dump(), record)
    elif record == stored:
        shutil.copyfile(weights, folder / weights.name)
    else:
        with explained(weights), safe_open(weights, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        write_weights(folder / weights.name, tensors, record)


def _write_scores(target: Path, file: Path, clean: Callable[[str], str]) -> None:
    """Copy a score table without local paths; an unreadable one is left out, because the run is useful without it."""
    try:
        _copy_scores(target, file, clean)
    except TableError as error:
        _log.warning("%s is left out: %s", file.name, error)


def _copy_scores(target: Path, file: Path, clean: Callable[[str], str]) -> None:
    scores = read_table("score", file)
    cleaned = scores.copy()
    for column in scores.columns:
        if not len(scores) or not isinstance(scores[column].iloc[0], str):
            continue
        texts = {text: clean(text) for text in scores[column].unique() if isinstance(text, str)}
        cleaned[column] = scores[column].map(lambda text, texts=texts: texts.get(text, text))
    target.parent.mkdir(exist_ok=True)
    if cleaned.equals(scores):
        shutil.copyfile(file, target)
    else:
        write_table("score", cleaned, target)


def _read(run: Run, name: str) -> dict[str, Any]:
    if name == BEST:
        return {"epoch": run.best, **read_json(run.folder / BEST)}
    return run.settings if name == SETTINGS else run.provenance


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
