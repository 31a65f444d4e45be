"""Choose the device, and the precision it computes fastest with."""

from typing import Literal

import torch

from dfworkbench.core.errors import DeviceError


def choose_device(name: str = "auto") -> torch.device:
    """Choose an available device.

    Args:
        name: "cpu", "cuda", "cuda:1" …, or "auto" for a GPU if there is one, else the CPU.

    Raises:
        DeviceError: The device is not available.
    """
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(
            f"choosing a device: {name!r} is not a device. Expected 'auto', 'cpu', 'cuda' or 'cuda:1'."
        ) from None
    if device.type == "cuda" and (device.index or 0) >= available:
        raise DeviceError(
            f"choosing a device: {name!r} was asked for, but torch {torch.__version__} sees {available} GPU(s) on this machine. "
            "Use device='auto' or 'cpu'; `dfworkbench doctor` shows what torch sees."
        )
    return device


def fast_precision(device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """The fastest precision that a device supports natively: "bf16-mixed" or "32-true".

    CPUs without bfloat16 instructions are slower with it. Those with matrix units (AMX) gain most; with the dot
    product of AVX-512 alone (AMD from Zen 4, Intel from Cooper Lake) a training step is 1.4 to 1.8 times as fast, but not one of
    MobileNet (0.75), whose depthwise convolutions do not gain: `benchmarks/precision.py`.
    """
    if device.type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 does not know it
    known = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return "bf16-mixed" if known else "32-true"


def resolve_precision(
    precision: Literal["auto", "32-true", "bf16-mixed"], device: str
) -> Literal["32-true", "bf16-mixed"]:
    """Resolve "auto" to the precision for a device (a name that `choose_device` takes); others are returned unchanged."""
    return fast_precision(choose_device(device)) if precision == "auto" else precision
