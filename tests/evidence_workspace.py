"""A workspace for case files without a face search: noisy clips taken as face crops, and a detector that measures their noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.names import FAKE, GENERATED_MARKER, REAL
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import write_csv
from dfworkbench.extraction import extract_table
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media import VideoWriter
from dfworkbench.models.prediction import Prediction
from dfworkbench.models.registry import register_detector
from dfworkbench.runs.checkpoints import save_detector
from dfworkbench.runs.layout import BEST, epoch_file

SIDE_PX, FRAMES, RUN, SET = 48, 10, "noise_run", "clips"
KINDS = ("grain", "speckle")
FACES = FaceSettings(frames=FRAMES, crops=True, context_max_px=64, identity_weights="off")


class NoiseMeter(nn.Module):
    """Log-odds of fake from the mean step between neighbouring pixels: manipulated clips are the noisier ones."""

    def __init__(self, *, size_px: int = 32) -> None:
        super().__init__()
        self.input_spec = InputSpec(size_px=size_px, crop_scale=1.0)
        self.scale = nn.Parameter(0.5 * Tensor([1.0]))

    def features(self, images: Tensor) -> Tensor:
        """`(B, 4)`: mean steps across and down, mean, spread."""
        across, down = images.diff(dim=-1).abs(), images.diff(dim=-2).abs()
        parts = [across.mean((1, 2, 3)), down.mean((1, 2, 3)), images.mean((1, 2, 3)), images.std((1, 2, 3))]
        return 255 * torch.stack(parts, dim=1)

    def forward(self, images: Tensor) -> Prediction:
        """Noisier than about 15 grey levels is fake."""
        return Prediction(self.scale * (self.features(images)[:, :2].mean(dim=1) - 14.0))


def write_clip(path: Path, noise: float, seed: int, frames: int = FRAMES, crf: int = 10) -> Path:
    """A clip of one colour with noise of so many grey levels."""
    rng = np.random.default_rng(seed)
    shade = rng.uniform(100, 150, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, SIDE_PX, SIDE_PX, crf=crf, tree=False) as writer:
        for _ in range(frames):
            image = shade + rng.normal(0, noise, (SIDE_PX, SIDE_PX, 3))
            writer.write(np.clip(image, 0, 255).astype(np.uint8))
    return path


def make_reference(space: Workspace, name: str = SET, people: int = 12, train: int = 2, seed: int = 0) -> Path:
    """Extract a generated set with one genuine and two manipulated clips of each person; returns its folder.

    Args:
        space: The workspace.
        name: Of the set.
        people: In the split test.
        train: People in the split train.
        seed: Of everything random.
    """
    root, rng, rows = space.data / name, np.random.default_rng(seed), []
    for number in range(people + train):
        person, split = f"{name}/p{number:02d}", "train" if number < train else "test"
        for kind in ("", *KINDS):
            path = f"{kind or 'genuine'}/p{number:02d}.mp4"
            write_clip(root / path, float(rng.normal(15.5 if kind else 11.0, 1.5)), seed=1000 * seed + len(rows))
            rows.append({
                "video_id": f"{name}/{path}", "dataset": name, "path": path, "label": FAKE if kind else REAL, "forgery": kind,
                "carrier": person, "group": person, "split": split,
            })  # fmt: skip
    (root / GENERATED_MARKER).write_text("{}")
    videos = pd.DataFrame(rows)
    data = extract_table(videos, root, name, space, FACES, progress=False)
    with data.writing("a test") as writer:
        writer.source(root, "folders", FACES)
    write_csv(videos[["video_id", "group", "split"]], data.folder / "splits.csv")
    return root


def make_run(space: Workspace, trained_on: str = "elsewhere", verdict: str | None = "green", name: str = RUN) -> Path:
    """Save the noise meter as a run that was trained on generated data.

    Args:
        space: The workspace.
        trained_on: Data set on record.
        verdict: Of its leakage audit; None for no audit.
        name: Of the run.
    """
    register_detector("noise_meter", NoiseMeter, check=False)
    folder = space.checkpoints / name
    audit = {} if verdict is None else {"audit": {"verdict": verdict, "counts": {"identity": 1}}}
    record = {"provenance": {"domain": "generated", "settings": {"dataset": trained_on}, **audit}}
    save_detector(epoch_file(folder, 1), NoiseMeter(), "noise_meter", {}, record)
    (folder / BEST).write_text('{"epoch": 1}')
    (folder / "settings.json").write_text(f'{{"dataset": "{trained_on}", "detector": "noise_meter"}}')
    return folder


def write_evidence(space: Workspace, name: str = "clip.mp4", noise: float = 16.0, seed: int = 99, **how: int) -> Path:
    """A clip to examine, in a folder of generated data of its own."""
    folder = space.root / "incoming"
    folder.mkdir(exist_ok=True)
    (folder / GENERATED_MARKER).write_text("{}")
    return write_clip(folder / name, noise, seed, **how)
