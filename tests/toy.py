"""A tiny extracted data set, made without video or face detector: tables, splits and face tiles."""

from pathlib import Path

import numpy as np
import pandas as pd

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import BOX_COLUMNS, read_table, write_table
from dfworkbench.datasets.tables.schemas import LANDMARK_COLUMNS
from dfworkbench.media.pictures.images import write_png

CONTEXT_PX = 64
LANDMARKS = (126.0, 77.0, 138.0, 77.0, 132.0, 84.0, 127.0, 91.0, 137.0, 91.0)
SPLIT_SIZES = {"train": 8, "val": 6, "test": 4}


def make_workspace(
    root: Path,
    name: str = "toy",
    *,
    frames: int = 3,
    fakes: int = 1,
    signal: float = 40.0,
    seed: int = 0,
    test: int = SPLIT_SIZES["test"],
) -> Workspace:
    """Write a data set whose fakes have a weak checkerboard.

    Args:
        root: Folder of the workspace.
        name: Of the data set.
        frames: Faces per video.
        fakes: Fake videos per real one.
        signal: Height of the checkerboard in grey levels; 0 makes real and fake alike.
        seed: Of the pictures.
        test: People of the test split; below five there are no intervals.
    """
    workspace = Workspace(root)
    rng = np.random.default_rng(seed)
    videos, faces = [], []
    for split, count in (SPLIT_SIZES | {"test": test}).items():
        for i in range(count):
            identity, other = (f"{name}/{split}{k:02d}" for k in (i, (i + 1) % count))
            for kind in ["real", *(f"fake{k}" for k in range(fakes))]:
                path = f"{kind}/{split}{i:02d}.mp4"
                video_id = f"{name}/{path}"
                label = int(kind != "real")
                videos.append({
                    "video_id": video_id, "dataset": name, "path": path, "label": label, "forgery": kind if label else "",
                    "carrier": identity, "donor": other if label else "", "group": identity,
                    "genuine_id": f"{name}/real/{split}{i:02d}.mp4" if label else "",
                    "split": split, "status": "ok", "frames": frames, "tracks": 1, "faces": frames,
                })  # fmt: skip
                pictures = make_pictures(rng, frames, signal if label else 0.0)
                faces += [_face(workspace, name, video_id, path, frame, image) for frame, image in enumerate(pictures)]
    table = write_table("video", pd.DataFrame(videos), workspace.labels / name / "videos.csv")
    write_table("face", pd.DataFrame(faces), workspace.labels / name / "faces.parquet")
    pd.DataFrame(videos)[["video_id", "group", "split"]].to_csv(table.parent / "splits.csv", index=False)
    workspace.checkpoints.mkdir(parents=True, exist_ok=True)
    return workspace


def make_pictures(rng: np.random.Generator, frames: int, signal: float) -> np.ndarray:
    """`(frames, 64, 64, 3)` uint8: noise over a random shade, with a checkerboard of 2 px fields of height `signal`."""
    shade = rng.uniform(90, 160, size=3)
    images = shade + rng.normal(0, 12, size=(frames, CONTEXT_PX, CONTEXT_PX, 3))
    board = (np.indices((CONTEXT_PX, CONTEXT_PX)) // 2).sum(axis=0) % 2
    return np.clip(images + signal * (board - 0.5)[..., None], 0, 255).astype(np.uint8)


def _face(workspace: Workspace, name: str, video_id: str, path: str, frame: int, image: np.ndarray) -> dict:
    crop = f"{name}/{path}/t00_f{frame:06d}.png"
    write_png(workspace.extracted / crop, image)
    # a face of 32 px in the middle of a face tile of 64 px that starts at (100, 50) of the frame
    box = (116.0, 66.0, 148.0, 98.0)
    return {
        "face_id": f"{video_id}#t0f{frame}", "video_id": video_id, "track": 0, "frame": frame, "time_s": frame / 25,
        **dict(zip(BOX_COLUMNS, box, strict=True)), "probability": 0.999, **dict(zip(LANDMARK_COLUMNS, LANDMARKS, strict=True)),
        "crop_path": crop, "crop_x0": 100.0, "crop_y0": 50.0, "crop_side": 64.0, "crop_size_px": CONTEXT_PX,
    }  # fmt: skip


def as_found_by_mtcnn(workspace: Workspace, name: str = "toy") -> None:
    """Say of a toy set that its boxes are those of facenet-pytorch's MTCNN, and how large its frames are."""
    folder = workspace.labels / name
    write_table("face", read_table("face", folder / "faces.parquet").assign(exact=True), folder / "faces.parquet")
    write_table(
        "video", read_table("video", folder / "videos.csv").assign(width_px=640, height_px=480), folder / "videos.csv"
    )
