"""Difficult extra files for the demo set: two people with one forged, a clip without a face, a truncated file."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.workspace import atomic_path
from dfworkbench.media.video.containers import open_video
from dfworkbench.synthetic.clip import Clip, make_person, record
from dfworkbench.synthetic.files import write_clip, write_json, write_masks, write_truth
from dfworkbench.synthetic.forgeries import forge
from dfworkbench.synthetic.noise import fractal_noise, smooth_track
from dfworkbench.synthetic.scene import paint_background
from dfworkbench.synthetic.settings import DemoSettings

TWO_PEOPLE, NO_FACE, TRUNCATED = "two_people_one_forged.mp4", "no_face.mp4", "truncated.mp4"
KIND = "Deepfakes"
_PEOPLE = (9001, 9002, 9003)  # in no split


def write_extras(folder: Path, settings: DemoSettings) -> list[dict[str, Any]]:
    """Write all extras; returns their manifest entries."""
    frames, truth = two_people(settings)
    write_clip(folder / TWO_PEOPLE, frames, settings.fps, crf=18)
    write_masks(folder / "masks" / TWO_PEOPLE, truth["masks"], settings.fps)
    write_truth(
        folder / "landmarks" / "two_people_one_forged.npz", truth["landmarks"], real_landmarks=truth["real_landmarks"]
    )
    write_clip(folder / NO_FACE, room(settings), settings.fps, crf=23)
    _write_truncated(folder, frames, settings.fps)
    facts = {
        TWO_PEOPLE: {"faces": 2, "forged": "right", "forgery": KIND, "mask": f"masks/{TWO_PEOPLE}",
                     "left_box": _box(truth["real_landmarks"]), "right_box": _box(truth["landmarks"])},
        NO_FACE: {"faces": 0, "forged": ""},
        TRUNCATED: {"faces": 2, "forged": "right", "note": "cut in the middle; cannot be decoded to its end"},
    }  # fmt: skip
    write_json(folder / "extras.json", facts)
    return [{"path": f"extras/{name}", "kind": "extra", **fact} for name, fact in facts.items()]


def two_people(settings: DemoSettings) -> tuple[list[NDArray[np.uint8]], dict[str, Any]]:
    """Two people side by side; the face on the right is forged.

    Returns:
        Frames `(H, 2 H, 3)` uint8; and landmarks of the forged face, of the real one, and masks, all in the wide frame.
    """
    left, right, donor = (_clip(settings, person) for person in _PEOPLE)
    forged = forge(KIND, right, donor, settings.seed, settings.forgery)
    size = settings.size_px
    frames = [np.concatenate(pair, axis=1) for pair in zip(left.frames, forged.frames, strict=True)]
    masks = [np.concatenate([np.zeros_like(mask), mask], axis=1) for mask in forged.masks]
    return frames, {
        "masks": masks,
        "landmarks": np.array(forged.landmarks) + np.array([size, 0]),
        "real_landmarks": left.landmarks,
    }


def _clip(settings: DemoSettings, person: int) -> Clip:
    painted = make_person(settings.seed * 100_003 + person, settings.size_px)
    return record(painted, settings.seed, settings.size_px, settings.frames, settings.fps, settings.camera_quality)


def room(settings: DemoSettings) -> list[NDArray[np.uint8]]:
    """A slow pan across an empty room."""
    rng, size = np.random.default_rng((settings.seed, 108)), settings.size_px
    wide = np.sqrt(paint_background(rng, 2 * size))
    wide *= 1 + 0.05 * fractal_noise(rng, (2 * size, 2 * size), size / 10)[..., None]
    path = size * (0.5 + 0.2 * np.stack([smooth_track(rng, settings.frames, settings.fps, 2.0) for _ in range(2)], 1))
    frames = []
    for x, y in np.clip(path, 0, size - 1):
        frames.append(
            cv2.getRectSubPix(wide.astype(np.float32), (size, size), (float(x + size / 2), float(y + size / 2)))
        )
    return [np.round(np.clip(frame, 0, 1) * 255).astype(np.uint8) for frame in frames]


def _write_truncated(folder: Path, frames: list[NDArray[np.uint8]], fps: float) -> None:
    if (folder / TRUNCATED).exists():
        return
    whole = folder / ".whole.mp4"
    write_clip(whole, frames, fps, crf=18)
    _cut(whole, folder / TRUNCATED)
    whole.unlink()


def _cut(source: Path, target: Path) -> None:
    """Copy a file up to the middle of its middle frame; its index is moved to the front, so that the first half plays."""
    with open_video(source) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    packets = sorted((position or 0, size) for position, size in packets)
    position, size = packets[len(packets) // 2]
    data = _index_first(source.read_bytes())
    moved = len(data) - source.stat().st_size + _index_size(data)
    with atomic_path(target, "a truncated file") as temporary:
        temporary.write_bytes(data[: position + moved + size // 2])


def _index_size(data: bytes) -> int:
    return int.from_bytes(data[data.find(b"moov") - 4 : data.find(b"moov")], "big")


def _index_first(data: bytes) -> bytes:
    """An .mp4 with its `moov` box moved before `mdat`, and chunk offsets corrected."""
    boxes, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        boxes.append((data[at + 4 : at + 8], data[at : at + size]))
        at += size
    parts = dict(boxes)
    moov = bytearray(parts[b"moov"])
    place = moov.find(b"stco")
    count = int.from_bytes(moov[place + 8 : place + 12], "big")
    for k in range(count):
        where = place + 12 + 4 * k
        moov[where : where + 4] = (int.from_bytes(moov[where : where + 4], "big") + len(moov)).to_bytes(4, "big")
    front = [content for name, content in boxes if name not in (b"moov", b"mdat")]
    return front[0] + bytes(moov) + b"".join(front[1:]) + parts[b"mdat"]


def _box(landmarks: NDArray) -> list[list[float]]:
    """Box around the landmarks in each frame, x0, y0, x1, y1 in pixels."""
    return [[round(float(v), 1) for v in (*points.min(axis=0), *points.max(axis=0))] for points in landmarks]
