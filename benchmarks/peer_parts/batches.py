"""Training batches of face crops: ours against torchvision with PIL, and against WebDataset reading tar files.

All read the same PNG tiles, cut the face with a box that is moved a little, resize, mirror, change the colours, degrade 30 % of
the pictures, and give normalised float batches of 32. WebDataset reads the same PNG files from one tar file, shuffles them in a
buffer of 1,000, and does the rest with torchvision. Loading by worker processes is left out: one process, one thread each.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from batches import AUGMENT, BATCH, PlainFaces, ours
from torch.utils.data import DataLoader

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.perturb.augment import FaceAugment
from dfworkbench.datasets.tables import VIDEOS
from dfworkbench.extraction.extract import extract_table
from dfworkbench.faces import FaceSettings
from dfworkbench.models import build_detector
from peer_parts.clips import make_call_once
from peer_parts.measuring import OURS, Way, alternate, print_table
from peer_parts.packages import load

_DETECTORS = {"mesonet4": {"size_px": 256}, "efficientnet_b0": {}}


def write_tar(path: Path, faces: pd.DataFrame, root: Path) -> None:
    """The tiles and their rows as WebDataset wants them: files of one sample one after the other, under one name."""
    with tarfile.open(path, "w") as tar:
        for number, face in enumerate(faces.to_dict("records")):
            row = json.dumps({str(name): value for name, value in face.items()}, default=float).encode()
            for suffix, data in (("png", (root / face["crop_path"]).read_bytes()), ("json", row)):
                entry = tarfile.TarInfo(f"{number:06d}.{suffix}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


class TarFaces(PlainFaces):
    """The same samples read by WebDataset."""

    def __init__(self, package: Any, tar: Path, spec: InputSpec) -> None:
        super().__init__(pd.DataFrame(), tar.parent, spec)
        read = package.WebDataset(str(tar), shardshuffle=False).shuffle(1000).decode("pil").to_tuple("png", "json")
        self.samples = read.map(lambda sample: (self.cut(sample[0].convert("RGB"), sample[1]), 0))

    def batches(self) -> Iterator[Any]:
        """Batches of 32, the last incomplete one left out."""
        yield from DataLoader(self.samples, batch_size=BATCH, drop_last=True)


def read_all(batches: Iterable[Any]) -> int:
    """Go through all batches; how many there were."""
    return sum(1 for _ in batches)


def compare(folder: Path, runs: int, only: str) -> None:
    """Print a table for each detector."""
    call = make_call_once(folder)
    table = VIDEOS.complete([{"video_id": "call/call.mp4", "dataset": "call", "path": call.name, "label": 0}])
    workspace = Workspace(folder / "batches")
    found = extract_table(table, folder, "call", workspace, FaceSettings(frames=64), workers=1, progress=False)
    for name, options in _DETECTORS.items():
        if only not in name:
            continue
        spec = build_detector(name, **options).input_spec
        ways = _ways(found.faces, found.videos, spec, workspace.extracted)
        measured = alternate({way: Way(lambda read=read: read_all(read())) for way, read in ways.items()}, runs)
        assert len({one.result for one in measured.values()}) == 1, "not all ways read the same number of batches"
        count = len(found.faces) // BATCH * BATCH
        rate = {way: f"{count / np.median(one.cpu_s):.3g}" for way, one in measured.items()}
        title = f"batches for {name}, {spec.size_px} px: {count} crops of {found.faces['crop_size_px'].mean():.0f} px"
        print_table(title, measured, {"pictures per CPU second": rate})


def _ways(faces: pd.DataFrame, videos: pd.DataFrame, spec: InputSpec, root: Path) -> dict[str, Any]:
    augment = FaceAugment(AUGMENT)
    cold, warm = (FaceDataset(faces, videos, spec, root, transform=augment, cache_mb=size) for size in (0, 2000))
    warm.preload()
    plain = DataLoader(PlainFaces(faces, root, spec), batch_size=BATCH, drop_last=True, shuffle=True)
    ways = {
        OURS: lambda: ours(cold, spec),
        f"{OURS}, crops in memory": lambda: ours(warm, spec),
        "torchvision and PIL": lambda: plain,
    }
    if package := load("webdataset", "webdataset"):
        tar = root / "tiles.tar"
        write_tar(tar, faces, root)
        ways["WebDataset, torchvision and PIL"] = TarFaces(package, tar, spec).batches
    return ways
