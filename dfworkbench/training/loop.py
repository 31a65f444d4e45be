"""The training loop: a generator of epochs, independent of method and detector.

Use `break` to stop: every yielded epoch is complete on disk. The same code runs in a notebook, and under torchrun with several
processes.

The randomness of an epoch depends only on (seed, epoch), so a run that is killed and restarted ends with the same weights without a
stored random state, bit for bit on a CPU.
"""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm.auto import tqdm

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import SCORES
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.models.finite import all_finite
from dfworkbench.models.memory import reuse_memory
from dfworkbench.runs.layout import epoch_file
from dfworkbench.runs.writer import RunWriter, best_entry
from dfworkbench.training.averaging import average_of
from dfworkbench.training.batches import epoch_order, make_loader, paired_order, split_batches
from dfworkbench.training.processes import Means, collect, replace_layers
from dfworkbench.training.rates import halvings, learning_rate
from dfworkbench.training.settings import TrainSettings
from dfworkbench.training.sharpness import uphill
from dfworkbench.training.step import Step
from dfworkbench.training.trainable import keep_frozen_still


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: Counted from 1.
        epochs: Total number of epochs of the run.
        train: Means over the training batches: loss, its parts, accuracy, grad_norm if it is clipped, and the shares that the
            method measures.
        val: loss, auc_video, auc_frame, eer_video (if the method classifies real and fake), and shares as in `train`.
        seconds: Wall time.
        best: Whether it is the best epoch so far on validation.
        checkpoint: Its weight file.
    """

    number: int
    epochs: int
    train: dict[str, float]
    val: dict[str, float]
    seconds: float
    best: bool
    checkpoint: Path


class Prepared(NamedTuple):
    """Everything a run needs."""

    method: Any
    train: FaceDataset
    val: FaceDataset
    run: RunWriter


def fit(prepared: Prepared, settings: TrainSettings, fabric: Fabric, *, progress: bool = True) -> Iterator[Epoch]:
    """Train, validate and save, epoch by epoch, continuing from what the run's folder contains.

    Args:
        prepared: Training method with its detector, samples, and the run; all validation samples are scored after every epoch.
        settings: Settings of the run.
        fabric: Launched Fabric, see `processes.make_fabric`.
        progress: Whether to show a progress bar.

    Yields:
        First the epochs that an earlier call finished; then new ones, each once it is on disk.

    Raises:
        OutputError: Another process is training this run.
        ParameterError: The mean loss of an epoch is not finite.
    """
    loop, run = _Loop(prepared, settings, fabric, progress), prepared.run
    finished = len(loop.stored()["history"]) >= settings.epochs  # read only, so it may be on any disk
    with run.lock() if fabric.is_global_zero and not finished else contextlib.nullcontext():
        yield from loop.epochs()


class _Trained(NamedTuple):
    """State that a step changes: the wrapped method, its wrapped optimiser, and the average of its weights, if any."""

    model: Any
    optimizer: Any
    average: AveragedModel | None


@dataclass(frozen=True)
class _Loop:
    prepared: Prepared
    settings: TrainSettings
    fabric: Fabric
    progress: bool

    def stored(self) -> dict[str, Any]:
        """The state that the run committed last; an empty history if no epoch was finished."""
        run = self.prepared.run
        state = run.resume()
        if state is None:
            return {"history": []}
        run.require_same(state, self.settings.changed_fields(state["settings"]))
        return state

    def epochs(self) -> Iterator[Epoch]:
        method, train, val, run = self.prepared
        settings, fabric = self.settings, self.fabric
        stored = self.stored()  # again: from here on, nobody else can change it
        history: list[dict[str, Any]] = stored["history"]
        for entry in history[: settings.epochs]:
            yield self._epoch(entry)
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
        average = average_of(method, settings.ema_decay) if settings.ema_decay else None
        if history:
            method.load_state_dict(stored["method"])
            optimizer.load_state_dict(stored["optimizer"])
            if average:
                average.load_state_dict(stored["average"])
        if settings.workers:
            train.preload()
            val.preload()
        for number in range(len(history) + 1, settings.epochs + 1):
            began = time.perf_counter()
            with _seeded(settings.seed, number, fabric.device):
                share = 0.5 ** halvings([done["val"]["loss"] for done in history]) if settings.halve_rate else 1.0
                rate, trained = self._train(_Trained(model, wrapped, average), number, share)
            self._require_finite(number, trained["loss"])
            validated, scores = self._validate(average.module if average else method)
            entry = {"epoch": number, "learning_rate": rate, "train": trained, "val": validated, "best": False}
            history.append({**entry, "seconds": time.perf_counter() - began})
            history[-1]["best"] = best_entry(history)["epoch"] == number
            if fabric.is_global_zero:
                run.commit(history, scores, method, optimizer, average)
            fabric.barrier()
            yield self._epoch(history[-1])

    def _require_finite(self, number: int, loss: float) -> None:
        settings, found = self.settings, f"the mean loss of epoch {number} is {loss}"
        if math.isfinite(loss):  # the last step of an epoch can break weights before any loss has seen them
            weights = self.prepared.method.named_parameters()
            broken = next((name for name, weight in weights if not all_finite(weight)), "")
            if not broken:
                return
            found = f"after epoch {number}, weights are not finite (first: {broken})"
        reduced = "" if settings.precision == "32-true" else ", precision=32-true"
        raise ParameterError(
            f"training {settings.model_name}: {found}; this epoch is not kept, those before it are. Lower learning_rate (now "
            f"{settings.learning_rate:g}) or limit gradients, such as gradient_clip=1{reduced}."
        )

    def _train(self, trained: _Trained, number: int, share: float) -> tuple[float, dict[str, float]]:
        """Train one epoch with learning rates scaled by `share`; returns the last rate and the means over the epoch."""
        settings, fabric, data = self.settings, self.fabric, self.prepared.train
        model, optimizer, average = trained
        data.set_epoch(number)
        batches = split_batches(self._order(number), settings.batch_size, fabric.global_rank, fabric.world_size)
        model.train()
        keep_frozen_still(self.prepared.method.detector, settings.trainable)
        means = Means()
        rate = settings.learning_rate
        for index, batch in enumerate(self._bar(data, batches, f"epoch {number}/{settings.epochs}")):
            rate = share * learning_rate(settings, (number - 1) * len(batches) + index, settings.epochs * len(batches))
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("first_lr", group["lr"]) * rate / settings.learning_rate
            step = self._gradients(model, optimizer, batch)
            if settings.value_clip:
                fabric.clip_gradients(model, optimizer, clip_val=settings.value_clip)
            if settings.gradient_clip:
                norm = fabric.clip_gradients(
                    model, optimizer, max_norm=settings.gradient_clip, error_if_nonfinite=False
                )
                means.add({"grad_norm": torch.as_tensor(norm)}, 1)
            optimizer.step()
            if average:
                average.update_parameters(self.prepared.method)
            means.add(_measures(step, batch), len(batch["label"]))
        return rate, means.over_processes(fabric)

    def _order(self, number: int) -> NDArray[np.int64]:
        data, settings = self.prepared.train, self.settings
        if settings.paired_batches:
            return paired_order(data.genuine_samples(), settings.seed, number)
        return epoch_order(data.rows["label"].to_numpy(), settings.balance, settings.seed, number)

    def _gradients(self, model: Any, optimizer: Any, batch: dict[str, Tensor]) -> Step:
        """Compute the gradients of a batch, at the weights required by sharpness-aware minimisation if it is on.

        Returns:
            The step at the unperturbed weights.
        """
        fabric, rho = self.fabric, self.settings.sam_rho
        # with a second pass to come, the random state is restored in between: both passes must see the same loss
        with _same_numbers_again(fabric.device) if rho else contextlib.nullcontext():
            step = model(batch)
            optimizer.zero_grad()
            fabric.backward(step.loss)
        if rho:
            with uphill(self.prepared.method, rho):
                loss = model(batch).loss
                optimizer.zero_grad()
                fabric.backward(loss)
        return step

    def _validate(self, method: Any) -> tuple[dict[str, float], pd.DataFrame | None]:
        """Score every validation sample once; returns the means and the score table."""
        data, fabric, size = self.prepared.val, self.fabric, self.settings.batch_size
        mine = np.arange(len(data))[fabric.global_rank :: fabric.world_size]
        batches = [mine[i : i + size].tolist() for i in range(0, len(mine), size)]
        method.eval()
        means = Means()
        rows, logits = [torch.empty(0, dtype=torch.int64)], [torch.empty(0)]
        # the method itself, not the wrapped one: processes may have different numbers of batches here
        with torch.inference_mode(), fabric.autocast():
            for batch in self._bar(data, batches, "validation"):
                step = method(batch)
                means.add({"loss": step.loss, **step.shares}, len(batch["label"]))
                if step.logit is not None:
                    rows.append(batch["row"].cpu())
                    logits.append(step.logit.float().cpu())
        measured = means.over_processes(fabric)
        parts = collect((torch.cat(rows).numpy(), torch.cat(logits).numpy()), fabric)
        row, logit = (np.concatenate(values) for values in zip(*parts, strict=True))
        if not len(row):
            return measured, None
        scores = score_table(data.rows, row, logit)
        return measured | _metrics(scores), scores

    def _bar(self, data: FaceDataset, batches: list[list[int]], title: str) -> Iterator[dict[str, Tensor]]:
        fabric = self.fabric
        loader = make_loader(data, batches, workers=self.settings.workers, pin=fabric.device.type == "cuda")
        hidden = not self.progress or not fabric.is_global_zero
        for batch in tqdm(loader, desc=title, unit="batch", leave=False, disable=hidden):
            yield fabric.to_device(batch)

    def _epoch(self, entry: dict[str, Any]) -> Epoch:
        known = {name: entry[name] for name in ("train", "val", "seconds", "best")}
        path = epoch_file(self.prepared.run.folder, entry["epoch"])
        return Epoch(number=entry["epoch"], epochs=self.settings.epochs, checkpoint=path, **known)


def score_table(known: pd.DataFrame, row: np.ndarray, logit: np.ndarray) -> pd.DataFrame:
    """A score table from logits.

    Args:
        known: `FaceDataset.rows`.
        row: Row indices, `(N,)`; a row scored by two processes counts once.
        logit: Log-odds of fake, `(N,)`.
    """
    row, first = np.unique(row, return_index=True)
    logit = logit[first].astype(np.float64)
    frame = known.iloc[row].reset_index(drop=True)
    return SCORES.complete(frame.assign(logit=logit, fake_probability=1 / (1 + np.exp(-logit))))


def to_device_layout(method: torch.nn.Module, device: torch.device) -> None:
    """Store filters channels last on a GPU, so that convolutions of such images need no copies of either."""
    if device.type == "cuda":
        method.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _optimizer(settings: TrainSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimizer](groups)


def _measures(step: Any, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    out = {"loss": step.loss, **step.parts, **step.shares}
    if step.logit is not None:
        out["accuracy"] = ((step.logit.detach() > 0) == (batch["label"] > 0)).double().mean()
    return out


def _metrics(scores: pd.DataFrame) -> dict[str, float]:
    found = evaluate(scores, ("video", "frame"), Judging(draws=0), metrics=("auc", "eer"))
    values = {(row.level, row.metric): float(row.value) for row in found.itertuples()}  # pyright: ignore[reportAttributeAccessIssue]
    return {f"{m}_{level}": values[level, m] for m, level in (("auc", "video"), ("auc", "frame"), ("eer", "video"))}


def _same_numbers_again(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Restore the state of torch's random numbers at the end of the block."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


@contextlib.contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers for one epoch, and restore the caller's state afterwards."""
    with _same_numbers_again(device):
        torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0]))
        yield
