"""Run under torchrun: one training step of each pair on two processes against the same step on one."""

import copy
import json
import sys

import torch
from pairs import make_batch, small_method

from dfworkbench.training.batch_norm import ExactBatchNorm
from dfworkbench.training.processes import make_fabric, replace_layers
from dfworkbench.training.settings import TrainSettings


def one_step(method, model, batch, backward) -> list[torch.Tensor]:
    torch.manual_seed(1)  # the loop seeds every epoch alike in all processes
    model.train()
    backward(model(batch).loss)
    return [p.grad.clone() for p in method.parameters() if p.requires_grad]


def main(pairs: list[list[str]]) -> None:
    fabric = make_fabric(TrainSettings(device="cpu", batch_size=4, threads=1))
    for method_name, detector_name in pairs:
        method = small_method(method_name, detector_name)
        whole = make_batch(method.detector.input_spec, [0, 1, 1, 0])
        alone = copy.deepcopy(method)
        expected = one_step(alone, alone, whole, lambda loss: loss.backward())
        replace_layers(method, fabric)
        model = fabric.setup_module(method)
        share = slice(fabric.global_rank * 2, fabric.global_rank * 2 + 2)
        found = one_step(method, model, {k: v[share] for k, v in whole.items()}, fabric.backward)
        largest = max(float(g.abs().max()) for g in expected)
        worst = max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True)) / largest
        has_norm = any(isinstance(m, ExactBatchNorm) for m in method.modules())
        if worst > 1e-3:
            raise SystemExit(
                f"{method_name} with {detector_name}: gradients differ by {worst:.1e} of the largest ({has_norm=})"
            )
        if fabric.is_global_zero:
            sys.stdout.write(f"{method_name} {detector_name}: same step ({worst:.1e})\n")
        fabric.barrier()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
