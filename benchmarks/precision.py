"""Is bfloat16 faster than float32 on this processor? Training steps of several networks, random pictures and weights, on the CPU.

    python benchmarks/precision.py [--repeats 4]

A step is forward, backward and AdamW with channels last; the best of the repeats counts. The table says whether
`models.devices.fast_precision` would take bfloat16 here; CPUs without instructions for it are expected to be slower with it.
"""

import argparse
import sys
import time
from typing import Any

import torch

from dfworkbench.models import build_detector
from dfworkbench.models.devices import fast_precision

NETWORKS: dict[str, tuple[dict[str, Any], int]] = {
    "mesonet4": ({"size_px": 256}, 32),
    "resnet18": ({"size_px": 112}, 32),
    "fst_matching": ({"size_px": 112}, 32),
    "caddm_resnet34": ({}, 8),
    "mi_net_mobilenet": ({"size_px": 64}, 32),
}


def seconds(name: str, options: dict[str, Any], batch: int, fast: bool, repeats: int) -> float:
    """Of the fastest step."""
    torch.manual_seed(0)
    network: Any = build_detector(name, **options).train().to(memory_format=torch.channels_last)
    size = network.input_spec.size_px
    images = torch.rand(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
    optimiser, taken = torch.optim.AdamW(network.parameters(), 1e-4), []
    for _ in range(repeats + 1):  # the first one warms up
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            loss = network(images).logit.float().sum()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=4)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads; by itself: {fast_precision(torch.device('cpu'))}")
    for name, (made, batch) in NETWORKS.items():
        slow, fast = (seconds(name, made, batch, way, options.repeats) for way in (False, True))
        print(f"{name:18s} float32 {slow:.3f} s, bfloat16 {fast:.3f} s: {slow / fast:.2f} times as fast", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
