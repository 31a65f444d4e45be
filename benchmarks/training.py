"""How fast is a training step, and can the loader keep up? CADDM and its plain twin, on the CPU and on a GPU if there is one.

Rates of our loop's parts: one step (forward, backward, AdamW) on a batch that is at hand, and the reading of such batches by one
process, facial swap included, from crops in memory. A plain PyTorch step of the same network stands beside it: channels first,
32-bit numbers, torch's own batch norm. Runs on data/demo as `make demo` leaves it.

    python benchmarks/training.py [--batch 32] [--steps 6]

The program fails where the loader is slower than the step that waits for it.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dfworkbench.methods import build_method
from dfworkbench.models import build_detector
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.models.memory import reuse_memory
from dfworkbench.training import TrainSettings, prepare
from dfworkbench.training.batches import make_loader
from dfworkbench.training.loop import to_device_layout
from dfworkbench.training.processes import make_fabric, replace_layers

OPTIONS = {"resnet34": ["alignment=five_points", "crop_scale=1.0"], "caddm_resnet34": []}


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


def loader_rate(data: Any, size: int) -> float:
    """Batches per second of one process, crops in memory."""
    data.preload()
    rows = [list(range(start, start + size)) for start in range(0, min(len(data), 6 * size) - size + 1, size)]
    begin = time.perf_counter()
    for _ in make_loader(data, rows, workers=0, pin=False):
        pass
    return len(rows) / (time.perf_counter() - begin)


def main() -> int:
    """Print the rates; 1 where the loader is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    arguments = parser.parse_args()
    reuse_memory()
    slow = False
    print(f"{'':32}{'steps/s':>9}{'images/s':>10}{'against plain':>15}")
    for detector in OPTIONS:
        data = prepare(settings(detector, "cpu", "32-true", arguments.batch)).train
        reading = loader_rate(data, arguments.batch)
        batch = next(iter(make_loader(data, [list(range(arguments.batch))], workers=0, pin=False)))
        print(f"{detector}, loader, one process{'':3}{reading:9.2f}{reading * arguments.batch:10.0f}")
        for name in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
            device = choose_device(name)
            base = plain(settings(detector, name, "32-true", arguments.batch), batch, device, arguments.steps)
            print(f"{detector}, plain step, {name:11}{base:9.2f}{base * arguments.batch:10.0f}{1:15.2f}")
            for precision in sorted({"32-true", fast_precision(device)}):
                rate = ours(settings(detector, name, precision, arguments.batch), batch, device, arguments.steps)
                words = f"{detector}, {name}, {precision}"
                print(f"{words:32}{rate:9.2f}{rate * arguments.batch:10.0f}{rate / base:15.2f}")
                slow |= name == "cpu" and reading < rate
    print("FAILED: the loader is slower than a step on the CPU" if slow else "passed")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
