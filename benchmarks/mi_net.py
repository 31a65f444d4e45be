"""What do the blocks of MI_Net cost, and would one batched computation be faster? On the CPU, with random pictures and weights.

First, n trunks on the same pictures, with their outputs compared:

- loop: one after another, as `methods.mi_net.network` has it
- grouped: one network n times as wide; its convolutions have n groups
- vmap: torch.func.vmap over stacked weights (evaluation only: in training batch norms write statistics in place)

Then the detector: inference, and a training step (forward, losses of the method, backward, AdamW), against the same of n single
networks of its kind with a linear head each; and what share of the step the losses take.

    python benchmarks/mi_net.py [--backbone resnet34 mobilenet] [--sizes 64 224] [--batches 1 8 32] [--blocks 4] [--repeats 3]

The program fails where a batched way is 1.2 times as fast as the loop (geometric mean over sizes and batches, in evaluation or in
training of any backbone), where a detector takes more than 1.15 times what n single networks take, or losses more than a fiftieth
of a step.
"""

import argparse
import copy
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from dfworkbench.methods.mi_net.network import backbone_trunk
from dfworkbench.models import build_detector
from dfworkbench.models.memory import reuse_memory
from dfworkbench.training.registry import build_method

FASTER, DEARER, LOSSES = 1.2, 1.15, 0.02


def widened(trunks: list[Any]) -> Any:
    """One network that computes all trunks, with n groups of channels."""
    first, n = trunks[0], len(trunks)
    if not isinstance(first, nn.Conv2d | nn.BatchNorm2d):
        wide = copy.copy(first)
        wide._modules = {name: widened([trunk._modules[name] for trunk in trunks]) for name in first._modules}
        return wide
    wide = copy.deepcopy(first)
    if isinstance(wide, nn.BatchNorm2d):
        wide.num_features *= n
    else:
        wide.out_channels *= n
        if wide.in_channels > 3:  # all see the same picture
            wide.in_channels, wide.groups = wide.in_channels * n, wide.groups * n
    for name, value in [*first.named_parameters(), *first.named_buffers()]:
        if value.ndim:
            joined = torch.cat([getattr(trunk, name).detach() for trunk in trunks])
            setattr(wide, name, nn.Parameter(joined) if isinstance(value, nn.Parameter) else joined)
    return wide


def ways(trunks: list[Any], training: bool) -> dict[str, Callable[[Tensor], Tensor]]:
    """Each gives `(B, n, d)` of pictures `(B, 3, S, S)`."""
    n, wide = len(trunks), widened(trunks)
    for net in (*trunks, wide):
        net.train(training)
    found: dict[str, Callable[[Tensor], Tensor]] = {
        "loop": lambda x: torch.stack([trunk(x).mean(dim=(2, 3)) for trunk in trunks], dim=1),
        "grouped": lambda x: wide(x).mean(dim=(2, 3)).view(len(x), n, -1),
    }
    if not training:
        parameters, buffers = stack_module_state(trunks)
        shell = copy.deepcopy(trunks[0]).to("meta")

        def batched(x: Tensor) -> Tensor:
            one = vmap(lambda p, b: functional_call(shell, (p, b), (x,)).mean(dim=(2, 3)), out_dims=1)
            return one(parameters, buffers)

        found["vmap"] = batched
    return found


def seconds(work: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Least time of each, in turns, after one round that warms up."""
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(repeats + 1):
        for name, run in work.items():
            begin = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begin)
    return {name: min(found[1:]) for name, found in times.items()}


def pictures(batch: int, size: int) -> Tensor:
    """In the layout that `prepare` gives."""
    return torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)


def time_ways(trunks: list[Any], images: Tensor, training: bool, repeats: int) -> dict[str, float]:
    """Seconds of each way for these pictures; prints them, and how far the outputs are apart."""
    known = ways(trunks, training)

    def call(way: Callable[[Tensor], Tensor]) -> Tensor:
        out = way(images)
        if training:
            out.square().mean().backward()
        return out.detach()

    with torch.set_grad_enabled(training):
        took = seconds({name: partial(call, way) for name, way in known.items()}, repeats)
        outputs = {name: call(way) for name, way in known.items()}
    # torch's maximum, unlike Python's, lets NaN through
    off = (
        torch.stack([(out - outputs["loop"]).abs().max() for out in outputs.values()]).max()
        / outputs["loop"].abs().max()
    )
    words = ", ".join(f"{name} {value * 1e3:.0f} ms" for name, value in took.items())
    mode = "training" if training else "evaluation"
    print(f"  {mode}, {images.shape[-1]} px, batch {len(images)}: {words}; outputs differ by {off:.0e}", flush=True)
    return took


def compare_ways(backbone: str, options: argparse.Namespace) -> bool:
    """Print times of the trunks; whether the loop may stay."""
    torch.manual_seed(0)
    trunks = [backbone_trunk(backbone) for _ in range(options.blocks)]
    keep = True
    for training in (False, True):
        # MI_Net has batch norms of single numbers: it cannot be trained on one picture
        cases = [(size, batch) for size in options.sizes for batch in options.batches if batch > 1 or not training]
        times = [time_ways(trunks, pictures(batch, size), training, options.repeats) for size, batch in cases]
        for name in times[0] if times else ():
            gain = statistics.geometric_mean(took["loop"] / took[name] for took in times)
            print(f"  {'training' if training else 'evaluation'}, {name}: {gain:.2f} times the speed of the loop")
            keep &= gain < FASTER
    return keep


class Single(nn.Module):
    """One network with a linear head."""

    def __init__(self, backbone: str) -> None:
        super().__init__()
        self.trunk = backbone_trunk(backbone)
        self.head = nn.Linear(self.trunk.channels, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Logits `(B, 2)`."""
        return self.head(self.trunk(images).mean(dim=(2, 3)))


def step_of(modules: list[nn.Module], loss: Callable[[], Tensor]) -> Callable[[], None]:
    """A training step."""
    parameters = [p for module in modules for p in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def compare_detector(backbone: str, size: int, batch: int, options: argparse.Namespace) -> bool:
    """Print times of the detector, its twins and its losses; whether they are within bounds."""
    torch.manual_seed(0)
    detector = build_detector(f"mi_net_{backbone}", size_px=size, blocks=options.blocks)
    method: Any = build_method("mi_net", detector, mixup=0.0)
    singles: list[nn.Module] = [Single(backbone) for _ in range(options.blocks)]
    images, labels = pictures(batch, size), torch.arange(batch) % 2
    raw = {"images": torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8), "label": labels}

    def single_loss() -> Tensor:
        return torch.stack([nn.functional.cross_entropy(net(images), labels) for net in singles]).sum()

    for net in (method, *singles):
        net.eval()
    with torch.inference_mode():
        scoring = seconds(
            {"detector": lambda: detector(images), "singles": lambda: [net(images) for net in singles]}, options.repeats
        )
    for net in (method, *singles):
        net.train()
    # the method without the detector: its answers are at hand, so what is left is the losses and their gradients
    with torch.no_grad():
        answers = detector(images)
    leaves = {name: value.clone().requires_grad_() for name, value in answers.aux.items()}
    bare: Any = build_method("mi_net", copy.deepcopy(detector), mixup=0.0).train()
    bare.detector.forward = lambda _: answers._replace(aux=leaves)
    training = seconds(
        {
            "detector": step_of([method], lambda: method(raw).loss),
            "singles": step_of(singles, single_loss),
            "losses": lambda: bare(raw).loss.backward(),
        },
        options.repeats,
    )
    share = training["losses"] / training["detector"]
    ratios = [took["detector"] / took["singles"] for took in (scoring, training)]
    for words, took, ratio in zip(("inference", "training step"), (scoring, training), ratios, strict=True):
        print(f"  {words}, {size} px, batch {batch}: {took['detector'] * 1e3:.0f} ms, {options.blocks} single networks "
              f"{took['singles'] * 1e3:.0f} ms, {ratio:.2f} times")  # fmt: skip
    print(f"  losses: {training['losses'] * 1e3:.1f} ms, {share:.1%} of a step", flush=True)
    return max(ratios) <= DEARER and share <= LOSSES


def main() -> int:
    """Print the times; 1 where something is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--backbone", nargs="+", default=["resnet34", "mobilenet"], choices=["resnet34", "mobilenet"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 224])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    reuse_memory()
    passed = True
    for backbone in options.backbone:
        print(f"\n{backbone}, {options.blocks} blocks, {torch.get_num_threads()} threads")
        passed &= compare_ways(backbone, options)
        passed &= compare_detector(backbone, max(options.sizes), max(options.batches), options)
    print("passed" if passed else "FAILED")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
