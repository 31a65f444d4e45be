"""How fast are batches read for training? Images per second and core: our FaceDataset against PIL and torchvision.

Both read the same face tiles (lossless PNG, as extraction leaves them), cut the face with a box that is moved a little,
resize, mirror, change the colours, degrade 30 % of the pictures (JPEG, blur, shrinking or noise), and give normalised float
batches of 32. One thread, no worker processes. Nothing is kept in memory unless it says so.

    python benchmarks/batches.py [--frames 64] [--repeats 3]

The program fails unless reading is at least twice as fast for MesoNet4 (256 px) and for EfficientNet (224 px).
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from extraction import make_call
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from dfworkbench.core.geometry import square_around
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction.extract import extract_table
from dfworkbench.faces import FaceSettings
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.training.batches import make_loader, split_batches

BATCH, WANTED = 32, 2.0
AUGMENT = AugmentSettings()
RNG = np.random.default_rng(0)


class PlainFaces(Dataset):
    """The same samples with PIL and torchvision, as training scripts write it."""

    def __init__(self, faces: pd.DataFrame, root: Path, spec: InputSpec) -> None:
        self.faces, self.root, self.spec = faces.to_dict("records"), root, spec
        jitter = AUGMENT.colour_jitter
        self.before = transforms.Compose(
            [
                transforms.Resize((spec.size_px, spec.size_px)),
                transforms.RandomHorizontalFlip(AUGMENT.flip),
                transforms.ColorJitter(jitter, jitter, jitter),
                transforms.RandomApply([transforms.Lambda(degrade)], AUGMENT.degrade),
            ]
        )
        self.after = transforms.Compose([transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        face = self.faces[row]
        return self.cut(Image.open(self.root / face["crop_path"]).convert("RGB"), face), 0

    def cut(self, picture: Image.Image, face: dict[Any, Any]) -> torch.Tensor:
        """The face of a tile, changed at random."""
        x0, y0, side = square_around([face[f"box_{name}"] for name in ("x0", "y0", "x1", "y1")], self.spec.crop_scale)
        scale, amount = face["crop_size_px"] / face["crop_side"], AUGMENT.box_jitter
        side *= np.exp(RNG.uniform(-amount, amount))
        shift = RNG.uniform(-amount / 2, amount / 2, size=2) * side
        left, top = (x0 + shift[0] - face["crop_x0"]) * scale, (y0 + shift[1] - face["crop_y0"]) * scale
        picture = picture.crop((round(left), round(top), round(left + side * scale), round(top + side * scale)))
        return self.after(self.before(picture))


def degrade(picture: Image.Image) -> Image.Image:
    """One of four, as `dfworkbench.datasets.perturb.augment.degrade`."""
    kind, strength = RNG.integers(4), RNG.random()
    if kind == 0:
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=int(95 - 55 * strength))
        return Image.open(data).convert("RGB")
    if kind == 1:
        return transforms.functional.gaussian_blur(picture, 5, [0.3 + 0.9 * strength])  # pyright: ignore[reportReturnType]
    if kind == 2:
        width, height = picture.size
        small = picture.resize((int(width * (1 - 0.5 * strength)), int(height * (1 - 0.5 * strength))))
        return small.resize((width, height))
    noisy = np.asarray(picture, np.float32) + RNG.normal(0, 2 + 6 * strength, (*picture.size[::-1], 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def images_per_second(batches: Iterable[Any], count: int) -> float:
    """Of one pass."""
    start = time.perf_counter()
    for _ in batches:
        pass
    return count / (time.perf_counter() - start)


def ours(data: FaceDataset, spec: InputSpec) -> Iterable[torch.Tensor]:
    """Normalised batches, as training feeds them to a detector."""
    for batch in make_loader(data, split_batches(np.arange(len(data)), BATCH), workers=0, pin=False):
        yield prepare(batch["images"], spec)


def compare(detector: str, options: dict, faces: pd.DataFrame, videos: pd.DataFrame, root: Path, repeats: int) -> float:
    """Print both ways; return the ratio without a cache."""
    spec = build_detector(detector, **options).input_spec
    plain = DataLoader(PlainFaces(faces, root, spec), batch_size=BATCH, drop_last=True)
    cold, warm = (
        FaceDataset(faces, videos, spec, root, transform=FaceAugment(AUGMENT), cache_mb=cache_mb)
        for cache_mb in (0, 2000)
    )
    warm.preload()
    count = len(cold) // BATCH * BATCH
    # in turns, so that a busy machine hits all; the best of each counts
    runs = [
        [images_per_second(way, count) for way in (plain, ours(cold, spec), ours(warm, spec))] for _ in range(repeats)
    ]
    plain_rate, cold_rate, warm_rate = np.max(runs, axis=0)
    print(f"\n{detector}, {spec.size_px} px, {count} crops of {faces['crop_size_px'].mean():.0f} px, best of {repeats}")
    print(f"  PIL and torchvision    {plain_rate:6.0f} images/s")
    print(f"  ours                   {cold_rate:6.0f} images/s   ratio {cold_rate / plain_rate:.2f}")
    print(f"  ours, crops in memory  {warm_rate:6.0f} images/s   ratio {warm_rate / plain_rate:.2f}")
    return cold_rate / plain_rate


def main() -> int:
    """Run the benchmark; 0 if it reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_call(Path(folder) / "call.mp4")
        table = VIDEOS.complete([{"video_id": "call/call.mp4", "dataset": "call", "path": "call.mp4", "label": 0}])
        workspace = Workspace(Path(folder))
        settings = FaceSettings(frames=options.frames)
        found = extract_table(table, Path(folder), "call", workspace, settings, workers=1, progress=False)
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        ratios = [
            compare(name, detector_options, found.faces, found.videos, workspace.extracted, options.repeats)
            for name, detector_options in (("mesonet4", {"size_px": 256}), ("efficientnet_b0", {}))
        ]
    passed = min(ratios) >= WANTED
    print(f"\n{'passed' if passed else 'FAILED'}: wanted a ratio of {WANTED:g} for both")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
