"""One process or several: the device, the processes, and layers that make several compute what one would.

With several processes every process sees a slice of each batch. Two layers would then behave differently from one process:
batch norm, whose statistics would be those of the slice, and dropout, whose random masks would repeat. Both are replaced by
versions that act on the whole batch. Dropout that a network calls as a function is not reached.
"""

import logging
import os

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
    """Fabric for the device of the settings and the processes that torchrun started, launched.

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
        # its own environment: inside a cluster job Fabric would otherwise wait for processes that nobody started
        fabric = Fabric(
            accelerator=device.type, devices=1, precision=settings.precision, plugins=[LightningEnvironment()]
        )
    fabric.launch()
    return fabric


def leave_processes() -> None:
    """End the group of processes; without it, one that exits while gloo's threads still run may be aborted."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def replace_layers(method: nn.Module, fabric: Fabric) -> None:
    """Put exact batch norm, and dropout over all processes, in place of torch's; weights and their names stay."""
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
    """Dropout that draws the mask of the whole batch from the seed that all processes share, and applies its slice."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop entries of this process's slice, `(B / processes, …)`."""
        if not self.training or self.p == 0:
            return input
        rank, share = dist.get_rank(), len(input)
        mask = torch.empty((share * dist.get_world_size(), *input.shape[1:]), device=input.device).bernoulli_(
            1 - self.p
        )
        return input * (mask[rank * share : (rank + 1) * share] / (1 - self.p)).to(input.dtype)
