"""Import a published weight file by its card: read safely, match strictly, and write a self-contained run."""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.core.provenance import file_hash
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.media.foreign import is_safetensors, read_safetensors, read_tensors
from dfworkbench.models.empty import empty_weights
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.matching import shapes_of
from dfworkbench.runs.released import code_record, default_run_name, load_released, require_run_name
from dfworkbench.runs.writer import new_run, write_imported
from dfworkbench.zoo.beside import with_files_beside
from dfworkbench.zoo.card import Card, CardNetwork, get_card
from dfworkbench.zoo.detector import PublishedDetector
from dfworkbench.zoo.hf_classifier import describe
from dfworkbench.zoo.weights import fit

HF_CLASSIFIER = "hf_image_classifier"


def import_card(
    card: Card | str, file: Path | str, name: str = "", workspace: Workspace | None = None, **options: Any
) -> Path:
    """Import a published file as a run that can be scored, compared and trained further.

    Args:
        card: A card, or its name.
        file: The file as published by its authors; for "hf_image_classifier", a folder.
        name: Name of the run; if empty, that of the card, plus that of the file if a card has several.
        workspace: The workspace to write to.
        **options: Options of the card: files of further parts (`backbone`), or options of its importer.

    Returns:
        The folder of the run.

    Raises:
        UnknownNameError: There is no such card, or it has no such option.
        ParameterError: There is a run of this name, the name is not a valid folder name, or a part is missing.
        DataNotFoundError: There is no such file; the message says where to get it.
        CheckpointError: The file is damaged, contains code, or does not match the card.
        OutputError: Another process is importing this run, or it cannot be written.
    """
    card = get_card(card) if isinstance(card, str) else card
    path = Path(file)
    name = require_run_name(name, path) if name else _run_name(card, path)
    folder = (workspace or find_workspace()).checkpoints / name
    with new_run(folder) as made:
        loaded = load_card(card, path, **options)
        record = code_record()
        write_imported(made, loaded, record | {"detector": loaded.name, "source": loaded.metadata["source"]})
    return folder


def load_card(card: Card | str, file: Path | str, **options: Any) -> LoadedDetector:
    """Load a published detector from its file, without writing a run; see `import_card`."""
    card = get_card(card) if isinstance(card, str) else card
    path = Path(file)
    if card.importer == HF_CLASSIFIER:
        for option in options:
            require_name(f"option of the card {card.name!r}", option, ("crop", "fake"))
        found = describe(path, **options)
        card = card.model_copy(update={"network": found.network, "input": found.input})
        path, options = found.weights, {}
    elif card.importer:
        loaded = load_released(card.importer, path, **card.importer_options | options)
        source = _source(card, {"": path}, loaded.metadata["options"])
        return dataclasses.replace(loaded, metadata={**loaded.metadata, "source": source})
    if card.importer != HF_CLASSIFIER:
        card = with_files_beside(card, path)
    network: Any = card.network
    parts = _parts(card, path, options)
    detector = build_network(network, card.input.size_px)
    tensors: dict[str, Tensor] = {}
    for part, file_of_part in parts.items():
        prefix = f"{part}." if part else ""  # names in several files do not clash
        tensors |= {prefix + key: value for key, value in _read(card, network, file_of_part, part).items()}
    fill(detector, network, tensors, _unfit(card, path), _expected(card))
    detector.input_spec = card.input
    built = detector_options(network, card.input.size_px)
    record = {"detector": "published", "options": built, "source": _source(card, parts)}
    return LoadedDetector(detector.eval(), "published", card.input, record, path)


def detector_options(network: CardNetwork, size_px: int) -> dict[str, Any]:
    """Options of `PublishedDetector` that build a card's network: plain values, which a run stores."""
    fake = network.fake if isinstance(network.fake, int) else list(network.fake)
    return {
        "trunk": network.trunk, "library": network.library, "trunk_options": dict(network.trunk_options),
        "pooling": network.pooling, "before_head": network.before_head, "logits": network.logits, "fake": fake,
        "size_px": size_px,
    }  # fmt: skip


def build_network(network: CardNetwork, size_px: int) -> PublishedDetector:
    """The network of a card with uninitialised weights."""
    with empty_weights():
        return PublishedDetector(**detector_options(network, size_px))


def fill(detector: nn.Module, network: CardNetwork, tensors: Mapping[str, Tensor], unfit: str, expected: str) -> None:
    """Load the tensors of a published file into a detector; they must match exactly, and are copied.

    Args:
        detector: From `build_network`.
        network: Network description of the card.
        tensors: Tensors by their names in the file.
        unfit: How an error message begins.
        expected: What such a file should be.

    Raises:
        CheckpointError: Names or shapes differ, or values are not finite.
    """
    own = detector.state_dict()
    for name, value in fit(network, tensors, shapes_of(own), unfit, expected):
        own[name].copy_(value)


def _read(card: Card, network: CardNetwork, path: Path, part: str) -> dict[str, Tensor]:
    """Tensors of a file in its actual format: the published weights may have been re-saved in another."""
    words = {"doing": f"importing {card.name}", "where_to_get": _where(card, part), "expected": _expected(card, part)}
    safe = is_safetensors(path) if path.is_file() else network.container == "safetensors"
    if safe or (network.container == "safetensors" and not zipfile.is_zipfile(path)):
        return read_safetensors(path, **words)
    return read_tensors(path, entries=network.entries, numpy_scalars=True, namespaces=True, **words)


def _parts(card: Card, path: Path, options: Mapping[str, Any]) -> dict[str, Path]:
    """The file of each part; one not given is looked for beside the first, under the names given by the card."""
    wanted = sorted({file.part for file in card.files if file.part} - {card.files[0].part}) if card.files else []
    for option in options:
        require_name(f"option of the card {card.name!r}", option, wanted)
    found = {card.files[0].part if card.files else "": path}
    for part in wanted:
        beside = [path.parent / file.name for file in card.files if file.part == part]
        given = [Path(options[part])] if options.get(part) else [other for other in beside if other.is_file()]
        if not given:
            addresses = " or ".join(file.url for file in card.files if file.part == part)
            raise ParameterError(
                f"importing {card.name}: {path.name} is a part of this detector, and its {part} is not beside it. Expected the "
                f"{part} too: get {addresses}, and give it as {part}= (on the command line -p {part} FILE)."
            )
        found[part] = given[0]
    return found


def _source(card: Card, parts: Mapping[str, Path], options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Origin of the weights, for the provenance record and the notes beside scores."""
    first, *others = parts.values()
    further = {path.name: file_hash(path) for path in others}
    return {
        "kind": "zoo",
        "file": first.name,
        "sha256": file_hash(first),
        **({"further_files": further} if further else {}),
        "card": {
            "name": card.name,
            "title": card.title,
            "trained_on": card.trained_on,
            "licence_weights": card.licence_weights,
            "caveats": list(card.caveats),
            "video": card.video.model_dump(mode="json"),
        },
    }


def _run_name(card: Card, path: Path) -> str:
    whole = [file for file in card.files if file.part in ("", card.files[0].part)]
    if card.importer == HF_CLASSIFIER:
        return default_run_name(card.name, path.resolve() if path.is_dir() else path.resolve().parent)
    return default_run_name(card.name, path) if len(whole) > 1 else card.name


def _where(card: Card, part: str) -> str:
    if not card.files:
        return f"See {card.code}"
    file = next(file for file in card.files if file.part == part)
    return f"Get {file.name} from {file.url}, or with dfworkbench zoo get {card.name}"


def _expected(card: Card, part: str = "") -> str:
    names = [file.name for file in card.files if not part or file.part == part]
    return f"{', '.join(names[:3])}{', …' if len(names) > 3 else ''} of the card {card.name}"


def _unfit(card: Card, path: Path) -> str:
    return f"importing {card.name}: {path} is not the network of this card"
