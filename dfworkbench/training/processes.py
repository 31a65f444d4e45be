"""Distributed training: device and processes, layers that act on the whole batch, and means over processes.

With several processes, each sees a slice of every batch. Two layers would then differ from a single process: batch norm would use
the statistics of the slice, and dropout would repeat its random masks. Both are replaced by versions that act on the whole batch.
Functional dropout is not replaced.
"""

import logging
import os
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.models.devices import choose_device
from dfworkbench.training.batch_norm import ExactBatchNorm
from dfworkbench.training.settings import TrainSettings


def make_fabric(settings: TrainSettings) -> Fabric:
    """Fabric for the device in the settings and the processes that torchrun started, launched.

    Raises:
        DeviceError: The device is not there.
        ParameterError: The batch cannot be shared equally by the processes.
    """
    device = choose_device(settings.device)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    if settings.batch_size % world:
        raise ParameterError(
            f"batch_size = {settings.batch_size} cannot be shared equally by {world} processes. Choose a multiple of {world}."
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces the precision, which is a setting
    if world > 1:
        fabric = Fabric(
            accelerator=device.type,
            devices=local,
            num_nodes=world // local,
            strategy="ddp",
            precision=settings.precision,
        )
    else:
        # its own environment: in a cluster job, Fabric would otherwise wait for processes that nobody started
        fabric = Fabric(
            accelerator=device.type, devices=1, precision=settings.precision, plugins=[LightningEnvironment()]
        )
    fabric.launch()
    return fabric


def leave_processes() -> None:
    """End the process group; without this, a process that exits while gloo's threads still run may be aborted."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def replace_layers(method: nn.Module, fabric: Fabric) -> None:
    """Replace batch norm by exact batch norm, and dropout by dropout over all processes; weights and their names stay."""
    cpu, several = fabric.device.type == "cpu", fabric.world_size > 1
    for parent in list(method.modules()):
        for name, child in list(parent.named_children()):
            if cpu and type(child) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
                setattr(parent, name, ExactBatchNorm(child))  # pyright: ignore[reportArgumentType]
            elif several and type(child) is nn.Dropout:
                setattr(parent, name, GlobalDropout(child.p))
            elif (
                several and isinstance(child, nn.modules.batchnorm._BatchNorm) and not isinstance(child, ExactBatchNorm)
            ):
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))


class GlobalDropout(nn.Dropout):
    """Dropout that draws the mask of the whole batch from a seed shared by all processes, and applies its slice."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop entries of this process's slice, `(B / processes, …)`."""
        if not self.training or self.p == 0:
            return input
        rank, share = dist.get_rank(), len(input)
        mask = torch.empty((share * dist.get_world_size(), *input.shape[1:]), device=input.device).bernoulli_(
            1 - self.p
        )
        return input * (mask[rank * share : (rank + 1) * share] / (1 - self.p)).to(input.dtype)


def collect(value: Any, fabric: Fabric) -> list[Any]:
    """Gather the values of all processes, in rank order."""
    if fabric.world_size == 1:
        return [value]
    out: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(out, value)
    return out


class Means:
    """Weighted means of scalars, accumulated on their device to avoid synchronising with the GPU at every step."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._weights: dict[str, float] = {}

    def add(self, values: dict[str, Tensor], weight: float) -> None:
        """Add the means of one batch."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double() * weight
            self._weights[name] = self._weights.get(name, 0.0) + weight

    def over_processes(self, fabric: Fabric) -> dict[str, float]:
        """The means over all batches of all processes, loss first."""
        names = sorted(self._sums, key=lambda name: (name != "loss", name))
        if fabric.world_size > 1:  # a process may have had no batch
            names = sorted({n for ns in collect(names, fabric) for n in ns}, key=lambda name: (name != "loss", name))
        pairs = [[float(self._sums.get(name, 0.0)), self._weights.get(name, 0.0)] for name in names]
        total = np.sum(collect(pairs, fabric), axis=0)
        return {name: float(value / weight) for name, (value, weight) in zip(names, total, strict=True)}
