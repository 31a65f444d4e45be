"""`train` and `prepare`: build method, samples and run from settings and tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import FAKE, REAL, require_name
from dfworkbench.core.provenance import file_hash, provenance
from dfworkbench.core.safe_paths import require_below
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.audit.leak_note import AUDIT_KEY, LEAKY_START_KEY, run_note
from dfworkbench.datasets.audit.training_gate import audited, keep_red
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.domain import DOMAIN_KEY, FILES_KEY, training_files
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.pairing import paired_and_unpaired
from dfworkbench.datasets.people import first_part, identity_classes, known_people, last_part
from dfworkbench.models import build_detector, detector_options
from dfworkbench.models.registry import detector_trait
from dfworkbench.runs.checkpoints import load_detector, read_record
from dfworkbench.runs.run import Run, find_checkpoint
from dfworkbench.runs.writer import RunWriter
from dfworkbench.training.loop import Epoch, Prepared, fit
from dfworkbench.training.processes import make_fabric
from dfworkbench.training.registry import build_method, load_method, method_options
from dfworkbench.training.settings import TrainSettings
from dfworkbench.training.trainable import freeze_others


class TrainingPart(NamedTuple):
    """Videos, and the faces of these (and other) videos that samples are made from."""

    videos: pd.DataFrame
    faces: pd.DataFrame


def train(settings: TrainSettings, workspace: Workspace | None = None, *, progress: bool = True) -> Iterator[Epoch]:
    """Start or continue a training run; see `fit`. Errors in the settings are raised at once.

    Returns:
        Iterator over epochs. `break` stops; calling again with the same settings continues.
    """
    fabric = make_fabric(settings)
    return fit(prepare(settings, workspace), settings, fabric, progress=progress)


def prepare(settings: TrainSettings, workspace: Workspace | None = None) -> Prepared:
    """Read the tables, build detector and method, and select samples.

    Raises:
        DataNotFoundError: The data set was not extracted, or there is no checkpoint `start_from`.
        SplitLeakError: The leakage audit failed, and `allow_leaks` is not set.
        TableError: A split has no faces, or none of one class; or the method or paired_batches needs the genuine video of each
            fake, and some have none.
        UnknownNameError: No detector or method has this name, or there are no fakes of a kind.
        ParameterError: An option does not exist, or `start_from` contains another detector.
        CheckpointError: The checkpoint `start_from` cannot be used.
    """
    workspace = workspace or find_workspace()
    data = DataSet.open(settings.dataset, workspace)
    data.require_splits()
    clean = _audit(settings, data)
    parts = training_parts(settings, data)
    with torch.random.fork_rng([]):
        torch.manual_seed(settings.seed)
        detector, options, source = _detector(settings, workspace, parts["train"].videos)
        method, runs = _build_method(settings, detector, workspace)
    freeze_others(detector, settings.trainable)
    train_data, val_data = (_dataset(settings, method, parts[split], data, split) for split in ("train", "val"))
    if settings.paired_batches:
        _require_pairs(settings, train_data)
    elif settings.balance == "loss":
        method.balance_classes(train_data.rows["label"].tolist())
    record = provenance(
        settings.model_dump(mode="json"), seed=settings.seed, tables=data.hashes, splits=data.splits_hash
    )
    record |= clean
    record |= {DOMAIN_KEY: data.domain, FILES_KEY: training_files(train_data.rows)}
    if train_data.dense_faces:  # masks of the facial swap are derived from them
        record["dense_landmarks"] = train_data.dense_faces
    if source:
        runs["start_from"] = source
    for name, file in runs.items():
        record[name] = _origin(file)
    folder = workspace.checkpoints / settings.model_name
    require_below(folder, workspace.checkpoints, f"training the run {settings.model_name!r}")
    writer = RunWriter(
        folder, settings.detector, options, settings.method_name, settings.model_dump(mode="json"),
        keep_red(Run(folder).provenance, record),
    )  # fmt: skip
    return Prepared(method, train_data, val_data, writer)


def _require_pairs(settings: TrainSettings, samples: FaceDataset) -> None:
    """Check before training whether batches of pairs can be made."""
    method = load_method(settings.method_name)
    if method.real_only or method.closed_set:
        raise ParameterError(
            f"training with paired_batches: the method {settings.method_name!r} does not learn from the fakes of the data set, so "
            "there are no pairs of them. Set paired_batches=false, or choose a method such as binary."
        )
    if settings.batch_size % 2:
        raise ParameterError(
            f"training with paired_batches: batch_size = {settings.batch_size}, but pairs fill only even batches. Choose an even "
            "number."
        )
    samples.genuine_samples()


def _audit(settings: TrainSettings, data: DataSet) -> dict[str, Any]:
    """The audit for the provenance record; None for methods that train across the splits by design (decision 0011)."""
    method = load_method(settings.method_name)
    if method.closed_set:
        return {}
    return {AUDIT_KEY: audited(data, leaky=settings.allow_leaks)}


def _origin(file: Path) -> dict[str, str]:
    """Provenance of the weights that a run starts from: file, hash, and the warning that its results inherit, if any."""
    note = run_note(read_record(file))
    return {"file": f"{file.parent.name}/{file.name}", "sha256": file_hash(file)} | (
        {LEAKY_START_KEY: note} if note else {}
    )


def of_kinds(videos: pd.DataFrame, kinds: list[str]) -> pd.DataFrame:
    """All real videos and the fakes of these kinds; all videos if no kinds are given.

    Raises:
        UnknownNameError: The table has no fakes of a kind.
    """
    if not kinds:
        return videos
    fake = videos["label"] == FAKE
    for kind in kinds:
        require_name("forgery kind", kind, sorted(videos["forgery"][fake].unique()))
    return videos[~fake | videos["forgery"].isin(kinds)]


def training_parts(settings: TrainSettings, data: DataSet) -> dict[str, TrainingPart]:
    """The videos and faces to train and validate on.

    These are the splits; for a method that learns from real files alone, only their real files; and for a method that identifies
    people, consecutive parts of all videos.

    Raises:
        UnknownNameError: There are no fakes of a kind.
        ParameterError: The people cannot be halved for `pairing`.
    """
    videos = of_kinds(data.videos, settings.forgeries)
    videos = videos[videos["label"].isin((REAL, FAKE)) & (videos["split"] != "")]
    method = load_method(settings.method_name)
    if method.closed_set:
        return {
            "train": TrainingPart(videos, first_part(data.faces)),
            "val": TrainingPart(videos, last_part(data.faces)),
        }
    if method.real_only:
        videos = videos[videos["label"] == REAL]
    train = videos[videos["split"] == "train"]
    if settings.pairing != "all":
        paired, unpaired = paired_and_unpaired(train, settings.pairing_seed, swap=settings.pairing_swap)
        train = train[train["video_id"].isin(paired if settings.pairing == "paired" else unpaired)]
    val = videos[videos["split"] == "val"]
    return {"train": TrainingPart(train, data.faces), "val": TrainingPart(val, data.faces)}


def _detector(
    settings: TrainSettings, workspace: Workspace, videos: pd.DataFrame
) -> tuple[Any, dict[str, Any], Path | None]:
    """The detector with its initial weights, the options that build it, and the file the weights are from, if any."""
    options = settings.build_options()
    if not settings.start_from:
        if "identities" in detector_options(settings.detector):
            options.setdefault("identities", known_people(videos))
        return build_detector(settings.detector, **options), options, None
    loaded = load_detector(settings.start_from, workspace=workspace)
    # options not set are those of the checkpoint: its weights fit nothing else
    stored = loaded.metadata["options"]
    theirs = {**detector_options(loaded.name), **stored}
    if loaded.name != settings.detector or any(theirs.get(name) != value for name, value in options.items()):
        raise ParameterError(
            f"starting from the weights of {settings.start_from!r}: they are of the detector {loaded.name!r} with {theirs}; the "
            f"settings ask for {settings.detector!r} with {options or 'no options'}. Set detector = {loaded.name!r}, and leave "
            "out the options that differ (size_px, detector_options), or choose another checkpoint."
        )
    return loaded.detector, stored, loaded.path


def _build_method(settings: TrainSettings, detector: Any, workspace: Workspace) -> tuple[Any, dict[str, Path]]:
    """The method, and the weight files of the runs named in its options."""
    name = settings.method_name
    own = settings.method_options
    options: dict[str, Any] = {"augment": settings.augmentation()} if "augment" in method_options(name) else {}
    if settings.label_smoothing:
        options["label_smoothing"] = settings.label_smoothing
    named = [option for option in load_method(name).run_options if own.get(option)]
    runs = {option: find_checkpoint(own[option], workspace=workspace) for option in named}
    paths = {option: str(file) for option, file in runs.items()}
    return build_method(name, detector, **options | own | paths), runs


def _dataset(settings: TrainSettings, method: Any, part: TrainingPart, data: DataSet, split: str) -> FaceDataset:
    identities = detector_trait(method.detector, "identities")
    if split == "train" and identities:
        _require_known(settings, part.videos, identities)
    samples = FaceDataset(
        part.faces,
        part.videos,
        method.detector.input_spec,
        data.crops_root,
        transform=method.train_transform() if split == "train" else method.eval_transform(),
        frames_per_video=settings.frames_per_video,
        tracks=settings.tracks,
        identities=identities,
        root=data.root,
        seed=settings.seed,
        cache_mb=settings.cache_mb,
    )
    counts = {name: int((samples.rows["label"] == value).sum()) for name, value in (("real", REAL), ("fake", FAKE))}
    if not len(samples) or (split == "train" and 0 in counts.values() and not method.real_only):
        counted = data.videos["split"].value_counts()
        seen = ", ".join(f"{name or '(none)'}: {n} files" for name, n in counted.items())
        needed = "real ones are needed" if method.real_only else "both are needed"
        raise TableError(
            f"training on data set {settings.dataset!r}: its {split} split has {counts['real']} real and {counts['fake']} fake "
            f"samples; {needed}. Splits: {seen}. Extract more files, or split again, in 01_data_extraction."
        )
    return samples


def _require_known(settings: TrainSettings, videos: pd.DataFrame, identities: Sequence[str]) -> None:
    unknown = (identity_classes(videos, identities) < 0).any(axis=1)
    if unknown.any():
        raise ParameterError(
            f"training {settings.detector} on data set {settings.dataset!r}: {int(unknown.sum())} of {len(unknown)} videos show "
            f"people whom its weights do not know (first: {unknown.idxmax()!r}); it knows {len(identities)}. An encoder cannot "
            "learn more people later: train it anew, without start_from."
        )
