"""Loss normaliser for distributed batches."""

import torch.distributed as dist
from torch import Tensor


def share_of_processes(count: Tensor) -> Tensor:
    """Count summed over all processes, at least 1, divided by the number of processes; float64.

    Divide each process's sum over samples by this to get the mean over the whole batch, because gradients are averaged over
    processes.
    """
    total, world = count.double(), 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(total)
        world = dist.get_world_size()
    return total.clamp(min=1) / world
