"""Which device to compute on."""

import torch

from dfworkbench.errors import DeviceError


def choose_device(name: str = "auto") -> torch.device:
    """A device that is there.

    Args:
        name: "auto" takes a GPU if there is one; else "cpu", "cuda", "cuda:1" …

    Raises:
        DeviceError: The device asked for is not there.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if there else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"choosing a device: {name!r} is none. Expected 'auto', 'cpu', 'cuda' or 'cuda:1'.") from None
    if device.type == "cuda" and (device.index or 0) >= there:
        raise DeviceError(
            f"choosing a device: {name!r} was asked for, but torch {torch.__version__} sees {there} GPU(s) on this machine. "
            "Use device='auto' or 'cpu'; `dfworkbench doctor` shows what torch sees."
        )
    return device
