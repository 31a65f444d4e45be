"""Run under torchrun: one training step of each pair on two processes against the same step on one."""

import copy
import json
import sys

import torch
from lightning_fabric import Fabric
from pairs import make_batch, small_method
from torch import nn

from dfworkbench.training.processes import leave_processes, make_fabric, replace_layers
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
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        with torch.no_grad():
            losses.append(float(copy.deepcopy(still).train()(batch).loss))
    return len(set(losses)) > 1


def check(fabric: Fabric, method_name: str, detector_name: str) -> str:
    method = small_method(method_name, detector_name)
    for module in method.modules():
        if isinstance(module, nn.LSTM):
            module.dropout = 0.0  # drawn inside the layer
    whole = make_batch(method.detector.input_spec, [0, 1, 1, 0])
    random = is_random_inside(method, whole)
    alone = copy.deepcopy(method)
    expected = one_step(alone, alone, whole, lambda loss: loss.backward())
    replace_layers(method, fabric)
    model = fabric.setup_module(method)
    share = slice(fabric.global_rank * 2, fabric.global_rank * 2 + 2)
    found = one_step(method, model, {k: v[share] for k, v in whole.items()}, fabric.backward)
    total = torch.cat([g.flatten() for g in found])
    everywhere = fabric.all_gather(total)
    if not torch.equal(everywhere[0], everywhere[1]):
        raise SystemExit(f"{method_name} with {detector_name}: the processes ended with different gradients")
    wanted = torch.cat([g.flatten() for g in expected])
    worst = float((total - wanted).norm() / wanted.norm())
    if not random and worst > 1e-3:
        raise SystemExit(f"{method_name} with {detector_name}: gradients differ by {worst:.1e} of their norm")
    return "same step in both (has randomness of its own)" if random else f"same step ({worst:.1e})"


def main(pairs: list[list[str]]) -> None:
    fabric = make_fabric(TrainSettings(device="cpu", batch_size=4, threads=1))
    for method_name, detector_name in pairs:
        result = check(fabric, method_name, detector_name)
        if fabric.is_global_zero:
            sys.stdout.write(f"{method_name} {detector_name}: {result}\n")
    leave_processes()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
