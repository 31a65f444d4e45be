"""How fast is a training step, and can the loader keep up? CADDM and its plain twin, on the CPU and on a GPU if there is one.

Rates of our loop's parts: one step (forward, backward, AdamW) on a batch that is at hand, and the reading of such batches, real
and fake as training mixes them, facial swap included, from crops in memory: by the training process itself, and by worker
processes. A plain PyTorch step of the same network stands beside it: channels first, 32-bit numbers, torch's own batch norm.
Runs on data/demo as `make demo` leaves it.

    python benchmarks/training.py [--batch 32] [--steps 6] [--workers 2]

The program fails where reading costs more than a tenth of a step on the CPU (both share the cores there), or where the workers
are slower than a step on a GPU.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from dfworkbench.models import build_detector
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.models.memory import reuse_memory
from dfworkbench.training import TrainSettings, prepare
from dfworkbench.training.batches import epoch_order, make_loader, split_batches
from dfworkbench.training.loop import to_device_layout
from dfworkbench.training.processes import make_fabric, replace_layers
from dfworkbench.training.registry import build_method

OPTIONS = {"resnet34": {"alignment": "five_points", "crop_scale": 1.0}, "caddm_resnet34": {}}


def settings(detector: str, device: str, precision: str, batch: int) -> TrainSettings:
    """Of a run that is never started."""
    return TrainSettings(
        detector=detector, detector_options=OPTIONS[detector], device=device, precision=precision, batch_size=batch,
        frames_per_video=8, learning_rate=1e-4,
    )  # fmt: skip


def steps_per_second(step: Callable[[], None], device: torch.device, count: int) -> float:
    """The median of single steps, after two that warm up."""
    times = []
    for _ in range(count + 2):
        begin = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return 1 / statistics.median(times[2:])


def ours(chosen: TrainSettings, batch: dict[str, Any], device: torch.device, count: int) -> float:
    """Steps per second of the parts of our training loop."""
    fabric = make_fabric(chosen)
    method = prepare(chosen).method
    replace_layers(method, fabric)
    to_device_layout(method, fabric.device)
    optimizer = torch.optim.AdamW(method.parameter_groups(1e-4, 4e-3))
    model, wrapped = fabric.setup(method, optimizer)
    batch = fabric.to_device(batch)
    model.train()

    def step() -> None:
        wrapped.zero_grad()
        fabric.backward(model(batch).loss)
        wrapped.step()

    return steps_per_second(step, device, count)


def plain(chosen: TrainSettings, batch: dict[str, Any], device: torch.device, count: int) -> float:
    """Steps per second of the same network without them."""
    method: nn.Module = build_method(chosen.method_name, build_detector(chosen.detector, **chosen.build_options()))
    method.to(device).train()
    method.detector.register_forward_pre_hook(lambda _, images: (images[0].contiguous(),))
    batch = {name: value.to(device) for name, value in batch.items()}
    optimizer = torch.optim.AdamW(method.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        method(batch).loss.backward()
        optimizer.step()

    return steps_per_second(step, device, count)


def mixed_batches(data: Any, size: int, count: int) -> list[list[int]]:
    """Batches as an epoch has them, real and fake."""
    order = epoch_order(data.rows["label"].to_numpy(), "none", seed=0, epoch=1)
    return split_batches(np.resize(order, count * size), size)


def loader_rate(data: Any, size: int, workers: int) -> float:
    """Batches per second, crops in memory; the start of worker processes is left out."""
    data.preload()
    count = 8 * max(workers, 1)
    batches = iter(make_loader(data, mixed_batches(data, size, count + 1), workers=workers, pin=False))
    next(batches)
    begin = time.perf_counter()
    read = sum(1 for _ in batches)
    return read / (time.perf_counter() - begin)


def main() -> int:
    """Print the rates; 1 where the loader is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    reuse_memory()
    slow = False
    print(f"{'':32}{'steps/s':>9}{'images/s':>10}{'against plain':>15}")
    for detector in OPTIONS:
        data = prepare(settings(detector, "cpu", "32-true", arguments.batch)).train
        reading = {workers: loader_rate(data, arguments.batch, workers) for workers in (0, arguments.workers)}
        for workers, rate in reading.items():
            words = f"{detector}, reading, {workers or 'no'} workers"
            print(f"{words:32}{rate:9.2f}{rate * arguments.batch:10.0f}")
        batch = next(iter(make_loader(data, mixed_batches(data, arguments.batch, 1), workers=0, pin=False)))
        for name in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
            device = choose_device(name)
            base = plain(settings(detector, name, "32-true", arguments.batch), batch, device, arguments.steps)
            print(f"{detector}, plain step, {name:11}{base:9.2f}{base * arguments.batch:10.0f}{1:15.2f}")
            for precision in sorted({"32-true", fast_precision(device)}):
                rate = ours(settings(detector, name, precision, arguments.batch), batch, device, arguments.steps)
                words = f"{detector}, {name}, {precision}"
                print(f"{words:32}{rate:9.2f}{rate * arguments.batch:10.0f}{rate / base:15.2f}")
                slow |= rate > reading[0] / 10 if name == "cpu" else rate > reading[arguments.workers]
    print("FAILED: steps wait for the loader" if slow else "passed")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
