"""Reconstruction error of real and generated pictures: error maps, their means and spectra, and how well these alone separate.

The idea of He, Yu, Keuper and Fritz, "Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis", IJCAI 2021 (arXiv:2105.14376):
a network that has learned to re-synthesise real pictures makes other errors on generated ones. The detector uses whole error maps;
the measures here show how much the mean of a map alone reveals, without a classifier. This baseline is ours, not the paper's: if it
separates the pictures by itself, the classifier had an easy task.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.face_dataset import FaceDataset, collate
from dfworkbench.evaluation.metrics.compare import drawn_metric
from dfworkbench.evaluation.metrics.interval import Judging, interval_ends
from dfworkbench.evaluation.metrics.measures import group_means
from dfworkbench.methods.resynthesis.network import Resynthesis, stage_name
from dfworkbench.methods.resynthesis.spectra import HALF_NYQUIST, NYQUIST, Spectra, azimuthal_average, peak_excess
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.runs.checkpoints import LoadedDetector

ALL_GENERATED = "all generated"
PICTURE = "picture"

_PEAKS = {"nyquist": NYQUIST, "half_nyquist": HALF_NYQUIST}
_SMALLEST = 4  # pixels along a side needed for a spectrum


class PictureErrors(NamedTuple):
    """The errors of N pictures.

    Attributes:
        rows: `FaceDataset.rows` with further columns. kind: "real", or the name of the generator. residual_<stage>: mean error.
            nyquist_picture, half_nyquist_picture: `peak_excess` in dB of the picture itself, nyquist_pixel and
            half_nyquist_pixel of its error map at pixel level; NaN if a picture is too small.
        spectra: "picture" and each stage -> azimuthal averages of the N pictures; stages whose maps are too small are omitted.
    """

    rows: pd.DataFrame
    spectra: dict[str, Spectra]


def reconstruction_errors(
    detector: LoadedDetector | nn.Module,
    images: NDArray[np.uint8] | Tensor,
    stages: Sequence[int] | None = None,
    *,
    batch_size: int = 16,
    progress: bool = False,
) -> dict[int, NDArray[np.float32]]:
    """Error maps of pictures, averaged over channels.

    Args:
        detector: A detector of the re-synthesis family. Its device and mode are not changed.
        images: `(N, 3, S, S)` uint8 RGB; S may differ from the detector's own size if it is a multiple of 4.
        stages: 0 for pixels (differences of values in 0..1), 1 to 5 for stages of VGG-19; None for those of the detector.
        batch_size: Pictures per forward pass.
        progress: Whether to show a progress bar.

    Returns:
        Stage -> `(N, h, w)` float32; h = w = S at pixel level and stage 1, halved by each further stage.

    Raises:
        InputError: The detector does not re-synthesise, or pictures have another shape or type.
        ParameterError: The detector has no such stage.
    """
    network, stages = _network(detector, stages)
    pictures = torch.as_tensor(images)
    _require_pictures(pictures)
    parts: dict[int, list[NDArray[np.float32]]] = {stage: [] for stage in stages}
    with evaluating(network), torch.inference_mode():
        for start in _starts(len(pictures), batch_size, progress):
            for stage, maps in _errors(network, pictures[start : start + batch_size], stages).items():
                parts[stage].append(maps)
    return {stage: np.concatenate(maps) for stage, maps in parts.items()}


def resynthesised(
    detector: LoadedDetector | nn.Module, images: NDArray[np.uint8] | Tensor, *, batch_size: int = 16
) -> NDArray[np.uint8]:
    """Re-syntheses as pictures, for figures: rounded and clipped, unlike in the error maps.

    Args:
        detector: As for `reconstruction_errors`.
        images: `(N, 3, S, S)` uint8 RGB.
        batch_size: Pictures per forward pass.

    Returns:
        `(N, 3, S, S)` uint8 RGB.

    Raises:
        InputError: As for `reconstruction_errors`.
    """
    network, _ = _network(detector, (0,))
    pictures = torch.as_tensor(images)
    _require_pictures(pictures)
    parts = []
    with evaluating(network), torch.inference_mode():
        for start in _starts(len(pictures), batch_size, False):
            made = network.resynthesise(_prepared(network, pictures[start : start + batch_size]))
            parts.append((made.float() * 255).round().clamp(0, 255).byte().cpu().numpy())
    return np.concatenate(parts)


def picture_errors(
    detector: LoadedDetector | nn.Module,
    dataset: FaceDataset,
    stages: Sequence[int] | None = None,
    *,
    batch_size: int = 16,
    progress: bool = True,
) -> PictureErrors:
    """Mean errors and spectra of every sample of a data set; the maps themselves are not kept.

    Args:
        detector: As for `reconstruction_errors`.
        dataset: Single pictures, cut for the detector's InputSpec.
        stages: As for `reconstruction_errors`.
        batch_size: Pictures per forward pass.
        progress: Whether to show a progress bar.

    Raises:
        InputError: The detector does not re-synthesise, or the data set has no samples or was cut for another InputSpec.
        ParameterError: The detector has no such stage.
    """
    network, stages = _network(detector, stages)
    network.input_spec.require_same(dataset.spec, f"measuring reconstruction errors with {_name(detector)}")
    columns: dict[str, list[NDArray]] = {}
    profiles: dict[str, list[Spectra]] = {}
    with evaluating(network), torch.inference_mode():
        for start in _starts(len(dataset), batch_size, progress):
            batch = collate([dataset[row] for row in range(start, min(start + batch_size, len(dataset)))])["images"]
            grey = {PICTURE: batch.float().mean(dim=1).numpy() / 255}
            grey |= {stage_name(stage): maps for stage, maps in _errors(network, batch, stages).items()}
            for name, maps in grey.items():
                for column, values in _figures(name, maps).items():
                    columns.setdefault(column, []).append(values)
                if min(maps.shape[1:]) >= _SMALLEST:
                    profiles.setdefault(name, []).append(azimuthal_average(maps))
    method = dataset.rows["forgery"]
    kind = method.where(dataset.rows["label"] == FAKE, "real").where(lambda names: names != "", "fake")
    rows = dataset.rows.assign(kind=kind, **{name: np.concatenate(parts) for name, parts in columns.items()})
    spectra = {name: Spectra(p[0].frequency, np.concatenate([s.power for s in p])) for name, p in profiles.items()}
    return PictureErrors(rows, spectra)


def compare_kinds(rows: pd.DataFrame, column: str, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Compare a value per picture, such as its mean residual, between kinds: means, and how well it separates real from generated.

    The AUC treats higher values as generated: below 0.5, generated pictures have lower values. Faces of one file are averaged
    first. All intervals are 95 % bootstrap intervals over identity groups; files without a group form their own.

    Args:
        rows: Rows of `PictureErrors`, or a table with video_id, label, kind, group and the value.
        column: Column of the value.
        draws: Bootstrap resamplings; 0 for no intervals.
        seed: Seed of the resampling.

    Returns:
        Rows: real, then each generator alphabetically, then "all generated" if there are several. Columns: kind, n
        (files), mean, low, high, auc, auc_low, auc_high (against all real files; NaN for real), reason.

    Raises:
        InputError: A column is missing, or a value is NaN.
    """
    files = _per_file(rows, column)
    generators = sorted(files.loc[files["label"] == FAKE, "kind"].unique())
    parts = [("real", files["label"] == REAL), *((kind, files["kind"] == kind) for kind in generators)]
    if len(generators) > 1:
        parts.append((ALL_GENERATED, files["label"] == FAKE))
    out = []
    for kind, mine in parts:
        part = files[mine]
        means = group_means(part[[column]].to_numpy().T, part["unit"], Judging(draws=draws, seed=seed))
        low, high = interval_ends(means.drawn[:, 0])
        row = {"kind": kind, "n": len(part), "mean": means.value[0], "low": low, "high": high, "reason": means.reason}
        if kind != "real":
            scores = files[mine | (files["label"] == REAL)]
            people = Judging(unit="group", draws=draws, seed=seed)
            auc, _ = drawn_metric("AUC", scores.assign(fake_probability=scores[column]), people)
            row |= {"auc": auc.value, "auc_low": auc.low, "auc_high": auc.high, "reason": auc.reason or means.reason}
        out.append(row)
    columns = ["kind", "n", "mean", "low", "high", "auc", "auc_low", "auc_high", "reason"]
    return pd.DataFrame(out).reindex(columns=columns)


def _per_file(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per file, in the form required by `to_level`."""
    missing = [name for name in ("video_id", "label", "kind", "group", column) if name not in rows]
    if missing or rows[column].isna().any():
        seen = (
            f"no column {', '.join(missing)}" if missing else f"{rows[column].isna().sum()} pictures without {column}"
        )
        raise InputError(
            f"comparing {column} of real and generated pictures: the table has {seen}; expected a figure of every picture. Take "
            "the rows of picture_errors, and leave out those without the figure."
        )
    known = {name: (name, "first") for name in ("label", "kind", "group")}
    files = rows.groupby("video_id", sort=False).agg(**known, **{column: (column, "mean")}).reset_index()
    files["unit"] = files["group"].where(files["group"] != "", files["video_id"])
    return files.assign(row_id=files["video_id"], track=0, frame=0, status="ok")


def _figures(name: str, maps: NDArray) -> dict[str, NDArray]:
    """Columns for one batch: mean of the error map, and peaks of pictures and of pixel-level errors."""
    out = {} if name == PICTURE else {f"residual_{name}": maps.mean(axis=(1, 2), dtype=np.float64)}
    for word, frequency in _PEAKS.items() if name in (PICTURE, stage_name(0)) else ():
        fits = min(maps.shape[1:]) * frequency >= 8
        out[f"{word}_{name}"] = peak_excess(maps, frequency) if fits else np.full(len(maps), np.nan)
    return out


def _name(detector: LoadedDetector | nn.Module) -> str:
    return detector.name if isinstance(detector, LoadedDetector) else type(detector).__name__


def _network(detector: LoadedDetector | nn.Module, stages: Sequence[int] | None) -> tuple[Resynthesis, tuple[int, ...]]:
    """The module, and the requested stages."""
    network = detector.detector if isinstance(detector, LoadedDetector) else detector
    if not isinstance(network, Resynthesis):
        raise InputError(
            f"measuring reconstruction errors with {_name(detector)}: it does not re-synthesise pictures. Expected a detector of "
            "the re-synthesis family, such as resynthesis_pixel; choose a run of one."
        )
    return network, tuple(network.stages if stages is None else stages)


def _require_pictures(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3] or images.dtype != torch.uint8:
        raise InputError(
            f"measuring reconstruction errors: got {images.dtype} {tuple(images.shape)}, expected uint8 RGB (N, 3, S, S), at "
            "least one. Stack pictures of one size as the data set gives them, before models.inputs.prepare."
        )
    if not len(images):
        raise InputError("measuring reconstruction errors: there are no pictures, at least one was expected.")


def _starts(count: int, batch_size: int, progress: bool) -> Any:
    if not count:
        raise InputError("measuring reconstruction errors: the data set has no samples, at least one was expected.")
    return tqdm(range(0, count, batch_size), desc="errors", unit="batch", disable=not progress, leave=False)


def _prepared(network: Resynthesis, images: Tensor) -> Tensor:
    device = device_of(network)
    if device.type == "cpu":
        reuse_memory()
    return prepare(images.to(device), replace(network.input_spec, size_px=images.shape[-1]), type(network).__name__)


def _errors(network: Resynthesis, images: Tensor, stages: Sequence[int]) -> dict[int, NDArray[np.float32]]:
    """Channel means of one batch at each stage; pictures are re-synthesised once."""
    x = _prepared(network, images)
    made = network.resynthesise(x)
    return {stage: network.residual(x, stage, made).float().mean(dim=1).cpu().numpy() for stage in stages}
