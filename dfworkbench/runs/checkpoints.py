"""Detector checkpoints: safetensors files whose header records how to build the detector and which input it expects.

Nothing is unpickled. A detector is built from the record in its own file, so it cannot be given the crops of another detector.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from dfworkbench.core.errors import CheckpointError, UnknownNameError, WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace
from dfworkbench.models import build_detector
from dfworkbench.models.devices import choose_device
from dfworkbench.models.empty import empty_weights
from dfworkbench.models.registry import BUILT_IN, ENTRY_POINTS, home_of
from dfworkbench.models.timm_names import PREFIX
from dfworkbench.runs.run import Run, find_checkpoint
from dfworkbench.runs.weight_file import FORMAT, Shapes, fill_from, read_header, write_weights


@dataclass(frozen=True)
class LoadedDetector:
    """A detector from a file.

    Attributes:
        detector: The network, in eval mode.
        name: Name under which `build_detector` builds it.
        input_spec: The input that it expects.
        metadata: The record in the file: format, detector, options, input_spec, and what training added (epoch, metrics,
            settings, provenance).
        path: The weight file.
    """

    detector: nn.Module
    name: str
    input_spec: InputSpec
    metadata: dict[str, Any]
    path: Path

    @property
    def run(self) -> str:
        """Display name of the weights: the run, with the epoch if it is not the best; or the file name of a file outside a run."""
        return Run(self.path.parent).title(self.path) if self.path.is_file() else self.name

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Code, packages, data and settings that produced the weights; empty if not recorded."""
        found = self.metadata.get("provenance")
        return found if isinstance(found, Mapping) else {}

    @property
    def trained_on(self) -> str:
        """Data set that the weights were trained on; "" if not recorded, as for imported weights."""
        settings = self.provenance.get("settings")
        return str(settings.get("dataset", "")) if isinstance(settings, Mapping) else ""


def save_detector(
    path: Path, detector: nn.Module, name: str, options: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
) -> Path:
    """Write weights with their record, atomically.

    Args:
        path: The file; ends with .safetensors.
        detector: A network with an `input_spec`.
        name: Name under which `build_detector` builds it.
        options: Options with which `build_detector` builds it.
        metadata: Further entries for the record, plain values.
    """
    record = {
        **(metadata or {}),
        "format": FORMAT,
        "detector": name,
        "options": dict(options),
        "input_spec": detector.input_spec.to_dict(),  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        **({"registered_from": home} if (home := home_of(name)) else {}),
    }
    write_weights(Path(path), detector.state_dict(), record)
    return Path(path)


def read_record(path: Path) -> dict[str, Any]:
    """The record of a weight file, without its weights.

    Raises:
        CheckpointError: The file is damaged or not written by dfworkbench.
    """
    return read_header(Path(path))[0]


def load_detector(
    source: Path | str,
    device: str = "cpu",
    *,
    epoch: int | None = None,
    expect: str | None = None,
    workspace: Workspace | None = None,
) -> LoadedDetector:
    """Build the detector of a checkpoint and load its weights, holding only one copy in memory.

    Args:
        source: A weight file, a run folder, or the name of a run in the workspace.
        device: "cpu", "cuda" or "auto".
        epoch: Epoch of a run; None: the best one on validation.
        expect: Name that the detector must have; None: any.
        workspace: Workspace in which run names are looked up.

    Raises:
        DataNotFoundError: There is no such file, folder or run.
        CheckpointError: The file is damaged, was not written by dfworkbench, or holds another detector.
        DeviceError: The device is not available.
    """
    target = choose_device(device)
    path = find_checkpoint(source, epoch=epoch, workspace=workspace)
    record, shapes = read_header(path)
    name = record["detector"]
    if expect is not None and name != expect:
        raise CheckpointError(
            f"{path} was saved for the detector {name!r}; you asked for {expect!r}. Use load_detector(path) without "
            f"expect=, which reads the detector from the file, or choose a run of {expect!r}."
        )
    detector = _build(record, path)
    _compare(detector, shapes, name, path)
    fill_from(path, detector)
    return LoadedDetector(detector.to(target).eval(), name, detector.input_spec, record, path)


def _build(record: dict[str, Any], path: Path) -> Any:
    try:
        # the file's own weights are loaded below; the initial weights of training need not exist any more
        options = {name: value for name, value in record["options"].items() if not name.endswith("weights")}
        detector = _built(record["detector"], options)
        spec = InputSpec.from_dict(record["input_spec"])
    except UnknownNameError as error:
        raise CheckpointError(f"loading {path}: {error} {_how_to_register(record)}") from None
    except (WorkbenchError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"loading {path}: its record cannot be used ({error}). Was it saved by another version?"
        ) from None
    if spec.sample_shape() != detector.input_spec.sample_shape():
        raise CheckpointError(
            f"loading {path}: its record contradicts itself: input {spec.sample_shape()}, but options {record['options']} build "
            f"a {record['detector']} for {detector.input_spec.sample_shape()}. The header was changed; take the original file."
        )
    detector.input_spec = spec  # the input used in training wins, even if the current default differs
    return detector


def _built(name: str, options: dict[str, Any]) -> Any:
    """Build a detector whose weights are loaded next, without random initialisation, which takes seconds for large networks."""
    if name in BUILT_IN or name.startswith(PREFIX):
        with empty_weights():
            detector = build_detector(name, **options)
        if {key for key, _ in detector.named_parameters(remove_duplicate=False)} <= detector.state_dict().keys():
            return detector
    return build_detector(name, **options)


def _how_to_register(record: dict[str, Any]) -> str:
    """Advice for a detector that is not registered here."""
    name, home = record["detector"], str(record.get("registered_from", ""))
    if name.startswith(PREFIX):
        return "Install the timm that it was trained with; provenance.json of its run has the version."
    module, _, builder = home.partition(":")
    if not home:
        return f"If it is one of your own, call register_detector({name!r}, …) before loading."
    if module == "__main__":
        cell = f"run the cell that calls register_detector({name!r}, …) before loading"
        return f"It was registered in a notebook or script ({builder}): {cell}."
    return (
        f"It was registered from {home}: import the module that calls register_detector({name!r}, …) before loading, or install "
        f"the package that brings it (entry point group {ENTRY_POINTS})."
    )


def _compare(detector: nn.Module, found: Shapes, name: str, path: Path) -> None:
    expected = {key: tuple(value.shape) for key, value in detector.state_dict().items()}
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"loading {path}: its weights are not those of {name!r} with its recorded options: {len(wrong)} of {len(expected)} "
            f"entries differ (first: {key!r} is {found.get(key, 'missing')}, expected {expected.get(key, 'none')}). It belongs to "
            "another detector or another version of it; use a checkpoint of this one, or train again."
        )
