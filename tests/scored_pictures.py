"""A small detector, and a folder of face crops for it to score."""

from pathlib import Path

import torch
from heads import Head, frame_of

from dfworkbench.media import write_png
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import save_detector


def make_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Weights of a MesoNet4 for 32 px that nothing has trained."""
    torch.manual_seed(seed)
    return save_detector(
        folder / f"m{seed}.safetensors", build_detector("mesonet4", size_px=32), "mesonet4", {"size_px": 32}
    )


def make_pictures(folder: Path, count: int) -> Path:
    """A folder with so many face crops of 64 px, and a file that is no picture."""
    for number in range(count):
        write_png(folder / f"p{number:03d}.png", frame_of([Head(32, 32, 0.2)], number, 64, 64, number))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder
