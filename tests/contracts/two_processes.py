"""Run under torchrun: one training step of each pair on two processes against the same step on one."""

import copy
import json
import sys
from hashlib import sha256
from unittest import mock

import torch
from lightning_fabric import Fabric
from pairs import make_batch, small_method
from torch import nn

from dfworkbench.training.processes import collect, leave_processes, make_fabric, replace_layers
from dfworkbench.training.settings import TrainSettings


def one_step(method, model, batch, backward, seed=1) -> list[torch.Tensor]:
    torch.manual_seed(seed)  # the loop seeds every epoch alike in all processes
    model.train()
    backward(model(batch).loss)
    return [p.grad.clone() for p in method.parameters() if p.requires_grad]


def is_random_inside(method, batch) -> bool:
    """Whether a step depends on chance other than that of nn.Dropout, such as stochastic depth: no slice can repeat that."""
    still = copy.deepcopy(method)
    for module in still.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            losses.append(float(copy.deepcopy(still).train()(batch).loss))
    return len(set(losses)) > 1


def check(fabric: Fabric, method_name: str, detector_name: str, options: dict | None = None) -> str:
    """Compare, on other pictures where they differ: a ReLU may lie so near 0 that rounding opens it, but not on all pictures."""
    worst = []
    for seed in range(3):
        random, off = compare(fabric, small_method(method_name, detector_name, **options or {}), seed)
        worst.append(off)
        if random:
            return "same step in both (has randomness of its own)"
        if off <= 1:
            return f"same step ({off:.2f} of what is allowed)"
    times = ", ".join(f"{off:.1f}" for off in worst)
    raise SystemExit(f"{method_name} with {detector_name}: a gradient is off by {times} times what is allowed")


def compare(fabric: Fabric, method: nn.Module, seed: int) -> tuple[bool, float]:
    """Whether the method is random inside, and by how many times what is allowed its gradients differ."""
    name = type(method).__name__
    for module in method.modules():
        if isinstance(module, nn.LSTM):
            module.dropout = 0.0  # drawn inside the layer
    whole = make_batch(method.detector.input_spec, [0, 1, 1, 0], seed)
    untouched = copy.deepcopy(method)
    replace_layers(method, fabric)
    model = fabric.setup_module(method)
    share = slice(fabric.global_rank * 2, fabric.global_rank * 2 + 2)
    found = one_step(method, model, {k: v[share] for k, v in whole.items()}, fabric.backward)
    # bit for bit; the gradients themselves would be sent for longer than they took to compute
    if len(set(collect(sha256(b"".join(gradient.numpy().tobytes() for gradient in found)).hexdigest(), fabric))) > 1:
        raise SystemExit(f"{name}: the processes ended with different gradients")
    random, worst = 0.0, 0.0
    if fabric.is_global_zero:  # the other one waits, and does not share these steps
        with mock.patch("torch.distributed.is_initialized", return_value=False):
            alone = copy.deepcopy(untouched)
            expected = one_step(alone, alone, whole, lambda loss: loss.backward())
            worst = max(excess(*pair) for pair in zip(found, expected, strict=True))
            if worst > 1:  # only then it matters what rounding does
                turned = torch.tensor([2, 3, 0, 1])
                alone.zero_grad()
                noise = one_step(alone, alone, {k: v[turned] for k, v in whole.items()}, lambda loss: loss.backward())
                worst = max(map(excess, found, expected, noise))
            if worst > 1:  # and only then whether chance is at play
                random = float(is_random_inside(untouched, whole))
    random, worst = fabric.all_reduce(torch.tensor([random, worst]), reduce_op="max").tolist()  # both must go on alike
    return bool(random), worst


def excess(found: torch.Tensor, expected: torch.Tensor, noise: torch.Tensor | None = None) -> float:
    """How far a gradient is off, in units of what is allowed.

    Allowed is a thousandth, or ten times what turning the batch round in one process does, which ought to do nothing: in deep
    networks the rounding of the first layers' gradients grows, in CADDM's at 224 px to nearly a hundredth.
    """
    length = expected.norm()
    if length == 0:
        return float(found.norm() > 0)
    allowed = 1e-3 if noise is None else max(1e-3, 10 * float((noise - expected).norm() / length))
    return float((found - expected).norm() / length) / allowed


def main(pairs: list[list]) -> None:
    fabric = make_fabric(TrainSettings(device="cpu", batch_size=4, threads=1))
    for method_name, detector_name, *options in pairs:
        result = check(fabric, method_name, detector_name, *options)
        if fabric.is_global_zero:
            sys.stdout.write(f"{method_name} {detector_name}: {result}\n")
    leave_processes()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
