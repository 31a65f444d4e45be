"""The training loop: a generator that yields one `Epoch` after another and knows no method and no detector.

Stopping is `break`: every epoch that was yielded is complete on disk. The same code runs in a notebook, and under torchrun
with several processes.

Randomness of an epoch follows from (seed, epoch), so that a run which is killed and started again needs no random state to
end with the same weights, bit for bit on a CPU.
"""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor
from tqdm.auto import tqdm

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.models.memory import reuse_memory
from dfworkbench.runs.layout import epoch_file
from dfworkbench.runs.writer import RunWriter, best_entry
from dfworkbench.training.batches import epoch_order, make_loader, split_batches
from dfworkbench.training.processes import replace_layers
from dfworkbench.training.rates import halvings, learning_rate
from dfworkbench.training.settings import TrainSettings


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: Counted from 1.
        epochs: How many the run has in all.
        train: Means over the training batches: loss, the parts of the loss, accuracy, grad_norm where it is limited, and the
            shares of samples that the method counts.
        val: loss, auc_video, auc_frame, eer_video (where the method tells real from fake), and shares as in `train`.
        seconds: Wall time.
        best: Whether it was the best one so far by validation.
        checkpoint: Its weight file.
    """

    number: int
    epochs: int
    train: dict[str, float]
    val: dict[str, float]
    seconds: float
    best: bool
    checkpoint: Path


def fit(
    method: Any,
    train: FaceDataset,
    val: FaceDataset,
    settings: TrainSettings,
    run: RunWriter,
    fabric: Fabric,
    *,
    progress: bool = True,
) -> Iterator[Epoch]:
    """Train, validate and save, epoch by epoch; continue where the run's folder ends.

    Args:
        method: A training method with its detector.
        train: Training samples.
        val: Validation samples; all of them are scored after every epoch.
        settings: Of the run.
        run: Its folder.
        fabric: Launched, see `processes.make_fabric`.
        progress: Whether to show a bar with the time that is left.

    Yields:
        Epochs that an earlier call finished, at once; then the others, each when it is on disk.

    Raises:
        OutputError: Another process is training this run.
        ParameterError: The mean loss of an epoch is not finite.
    """
    stored = _resume(run, settings)
    finished = stored is not None and len(stored["history"]) >= settings.epochs  # read only, so it may be on any disk
    with run.lock() if fabric.is_global_zero and not finished else contextlib.nullcontext():
        yield from _fit(method, train, val, settings, run, fabric, progress)


def _fit(
    method: Any,
    train: FaceDataset,
    val: FaceDataset,
    settings: TrainSettings,
    run: RunWriter,
    fabric: Fabric,
    progress: bool,
) -> Iterator[Epoch]:
    stored = _resume(run, settings)  # again: now nobody else can change it
    history: list[dict[str, Any]] = stored["history"] if stored else []
    for entry in history[: settings.epochs]:
        yield _epoch(entry, settings, run)
    if len(history) >= settings.epochs:
        return
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if fabric.device.type == "cpu":
        reuse_memory()
    fabric.barrier()
    if fabric.is_global_zero:
        run.start(len(history) + 1)
    replace_layers(method, fabric)
    to_device_layout(method, fabric.device)
    optimizer = _optimizer(settings, method.parameter_groups(settings.learning_rate, settings.weight_decay))
    model, wrapped = fabric.setup(method, optimizer)
    if stored:
        method.load_state_dict(stored["method"])
        optimizer.load_state_dict(stored["optimizer"])
    if settings.workers:
        train.preload()
        val.preload()
    for number in range(len(history) + 1, settings.epochs + 1):
        began = time.perf_counter()
        with _seeded(settings.seed, number, fabric.device):
            share = 0.5 ** halvings([done["val"]["loss"] for done in history]) if settings.halve_rate else 1.0
            rate, trained = _train(model, wrapped, train, settings, fabric, number, share, progress)
        if not math.isfinite(trained["loss"]):
            raise ParameterError(
                f"training {settings.model_name}: the mean loss of epoch {number} is {trained['loss']}; this epoch is not kept, "
                f"those before it are. Lower learning_rate (now {settings.learning_rate:g}) or limit gradients, such as "
                "gradient_clip=1."
            )
        validated, scores = _validate(method, val, settings, fabric, progress)
        entry = {"epoch": number, "learning_rate": rate, "train": trained, "val": validated, "best": False}
        history.append({**entry, "seconds": time.perf_counter() - began})
        history[-1]["best"] = best_entry(history)["epoch"] == number
        if fabric.is_global_zero:
            run.commit(history, scores, method, optimizer)
        fabric.barrier()
        yield _epoch(history[-1], settings, run)


def _resume(run: RunWriter, settings: TrainSettings) -> dict[str, Any] | None:
    stored = run.resume()
    if stored:
        run.require_same(stored, settings.changed_fields(stored["settings"]))
    return stored


def _train(
    model: Any,
    optimizer: Any,
    data: FaceDataset,
    settings: TrainSettings,
    fabric: Fabric,
    number: int,
    share: float,
    progress: bool,
) -> tuple[float, dict[str, float]]:
    """One pass over the training samples at a share of the rates; returns the last learning rate and the means over the pass."""
    data.set_epoch(number)
    order = epoch_order(data.rows["label"].to_numpy(), settings.balance, settings.seed, number)
    batches = split_batches(order, settings.batch_size, fabric.global_rank, fabric.world_size)
    model.train()
    means = _Means()
    rate = settings.learning_rate
    steps = _bar(data, batches, settings, fabric, f"epoch {number}/{settings.epochs}", progress)
    for index, batch in enumerate(steps):
        rate = share * learning_rate(settings, (number - 1) * len(batches) + index, settings.epochs * len(batches))
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("first_lr", group["lr"]) * rate / settings.learning_rate
        step = model(batch)
        optimizer.zero_grad()
        fabric.backward(step.loss)
        if settings.value_clip:
            fabric.clip_gradients(model, optimizer, clip_val=settings.value_clip)
        if settings.gradient_clip:
            norm = fabric.clip_gradients(model, optimizer, max_norm=settings.gradient_clip, error_if_nonfinite=False)
            means.add({"grad_norm": torch.as_tensor(norm)}, 1)
        optimizer.step()
        means.add(_measures(step, batch), len(batch["label"]))
    return rate, means.over_processes(fabric)


def _validate(
    method: Any, data: FaceDataset, settings: TrainSettings, fabric: Fabric, progress: bool
) -> tuple[dict[str, float], pd.DataFrame | None]:
    """Score every validation sample once; returns the means and the score table."""
    mine = np.arange(len(data))[fabric.global_rank :: fabric.world_size]
    batches = [mine[i : i + settings.batch_size].tolist() for i in range(0, len(mine), settings.batch_size)]
    method.eval()
    means = _Means()
    rows, logits = [torch.empty(0, dtype=torch.int64)], [torch.empty(0)]
    # the method itself, not the wrapped one: processes may have different numbers of batches here
    with torch.inference_mode(), fabric.autocast():
        for batch in _bar(data, batches, settings, fabric, "validation", progress):
            step = method(batch)
            means.add({"loss": step.loss, **step.shares}, len(batch["label"]))
            if step.logit is not None:
                rows.append(batch["row"].cpu())
                logits.append(step.logit.float().cpu())
    measured = means.over_processes(fabric)
    row, logit = _gather(torch.cat(rows), torch.cat(logits), fabric)
    if not len(row):
        return measured, None
    scores = score_table(data.rows, row, logit)
    return measured | _metrics(scores), scores


def score_table(known: pd.DataFrame, row: np.ndarray, logit: np.ndarray) -> pd.DataFrame:
    """A score table from logits.

    Args:
        known: `FaceDataset.rows`.
        row: Which of them, `(N,)`; a row that two processes scored counts once.
        logit: Log-odds of fake, `(N,)`.
    """
    row, first = np.unique(row, return_index=True)
    logit = logit[first].astype(np.float64)
    frame = known.iloc[row].reset_index(drop=True)
    return SCORES.complete(frame.assign(logit=logit, fake_probability=1 / (1 + np.exp(-logit))))


def to_device_layout(method: torch.nn.Module, device: torch.device) -> None:
    """Put filters channels last on a GPU, where convolutions of such images then need no copies of either."""
    if device.type == "cuda":
        method.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _optimizer(settings: TrainSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer](groups)


class _Means:
    """Weighted means of scalars, summed on their device, so that the GPU is not waited for at every step."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._weights: dict[str, float] = {}

    def add(self, values: dict[str, Tensor], weight: float) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double() * weight
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def over_processes(self, fabric: Fabric) -> dict[str, float]:
        names = sorted(self._sums, key=lambda name: (name != "loss", name))
        if fabric.world_size > 1:  # a process may have had no batch
            names = sorted({n for ns in _collect(names, fabric) for n in ns}, key=lambda name: (name != "loss", name))
        pairs = [[float(self._sums.get(name, 0.0)), self._weights.get(name, 0.0)] for name in names]
        total = np.sum(_collect(pairs, fabric), axis=0)
        return {name: float(value / weight) for name, (value, weight) in zip(names, total, strict=True)}


def _measures(step: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {"loss": step.loss, **step.parts, **step.shares}
    if step.logit is not None:
        out["accuracy"] = ((step.logit.detach() > 0) == (batch["label"] > 0)).double().mean()
    return out


def _metrics(scores: pd.DataFrame) -> dict[str, float]:
    found = evaluate(scores, ("video", "frame"), Judging(draws=0), metrics=("auc", "eer"))
    values = {(row.level, row.metric): float(row.value) for row in found.itertuples()}  # pyright: ignore[reportAttributeAccessIssue]
    return {f"{m}_{level}": values[level, m] for m, level in (("auc", "video"), ("auc", "frame"), ("eer", "video"))}


def _gather(rows: Tensor, logits: Tensor, fabric: Fabric) -> tuple[np.ndarray, np.ndarray]:
    parts = _collect((rows.numpy(), logits.numpy()), fabric)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _collect(value: Any, fabric: Fabric) -> list[Any]:
    """The values of all processes, in the order of their ranks."""
    if fabric.world_size == 1:
        return [value]
    out: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(out, value)
    return out


def _bar(
    data: FaceDataset, batches: list[list[int]], settings: TrainSettings, fabric: Fabric, title: str, progress: bool
) -> Iterator[dict[str, Tensor]]:
    loader = make_loader(data, batches, workers=settings.workers, pin=fabric.device.type == "cuda")
    hidden = not progress or not fabric.is_global_zero
    for batch in tqdm(loader, desc=title, unit="batch", leave=False, disable=hidden):
        yield fabric.to_device(batch)


@contextlib.contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Torch's random numbers for one epoch; the state of the caller comes back afterwards."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
        yield


def _epoch(entry: dict[str, Any], settings: TrainSettings, run: RunWriter) -> Epoch:
    return Epoch(
        number=entry["epoch"],
        epochs=settings.epochs,
        train=entry["train"],
        val=entry["val"],
        seconds=entry["seconds"],
        best=entry["best"],
        checkpoint=epoch_file(run.folder, entry["epoch"]),
    )
