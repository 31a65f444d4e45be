"""What a loss over some samples of a batch is divided by where several processes share the batch."""

import torch.distributed as dist
from torch import Tensor


def share_of_processes(count: Tensor) -> Tensor:
    """The count over all processes, at least 1, over their number; float64.

    A sum over some samples of each process, divided by this, becomes their mean over the whole batch: gradients are averaged
    over processes.
    """
    total, world = count.double(), 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(total)
        world = dist.get_world_size()
    return total.clamp(min=1) / world
