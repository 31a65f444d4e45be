"""How far apart are the picture hashes of frames that have nothing to do with each other, and of copies of one frame?

Frames of different splits of a data set share neither people nor sources: pairs of them within the threshold of the leakage audit
are false alarms. Copies (recompressed, halved, noisy, brighter, cropped) that lie beyond it are misses. Then the search itself, on
random hashes, against the plain loop over one side. Needs an extracted data set.

    python benchmarks/near_frames.py [--dataset demo] [--frames 16] [--hashes 100000]
"""

import argparse
import itertools
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.names import SPLITS
from dfworkbench.datasets.audit.audit import AuditSettings
from dfworkbench.datasets.audit.frame_leaks import hash_frames
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.media.pictures.images import read_image
from dfworkbench.media.pictures.perceptual_hash import BITS, WORDS, near_pairs, picture_hash

Picture = NDArray[np.uint8]


def _jpeg(rgb: Picture) -> Picture:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1), np.uint8)


def _half(rgb: Picture) -> Picture:
    return np.asarray(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _noise(rgb: Picture) -> Picture:
    return np.clip(rgb + np.random.default_rng(0).normal(0, 8, rgb.shape), 0, 255).astype(np.uint8)


def _bright(rgb: Picture) -> Picture:
    return np.clip(rgb * 1.15 + 10, 0, 255).astype(np.uint8)


def _crop(rgb: Picture) -> Picture:
    edge = round(0.02 * rgb.shape[0])
    return np.ascontiguousarray(rgb[edge:, edge:])


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG quality 30": _jpeg, "half size": _half, "noise of 8 levels": _noise, "15 % brighter": _bright, "cropped by 2 %": _crop,
}  # fmt: skip


def false_alarms(dataset: str, frames: int, bits: int) -> None:
    """Distances of frames of different splits."""
    data = DataSet.open(dataset)
    hashes = hash_frames(data.videos, data.faces, data.crops_root, frames, progress=True)
    split = hashes.frames["split"].to_numpy()
    counts = np.zeros(BITS + 1, np.int64)
    for a, b in itertools.combinations(SPLITS, 2):
        for _, _, distance in near_pairs(hashes.likeness[split == a], hashes.likeness[split == b], BITS):
            counts += np.bincount(distance, minlength=BITS + 1)
    print(f"{counts.sum():,} pairs of frames from different splits: {counts[: bits + 1].sum()} within {bits} bits, nearest "
          f"{np.flatnonzero(counts)[0]}")  # fmt: skip


def misses(dataset: str, bits: int, every: int = 4) -> None:
    """Distances of frames and their copies."""
    data = DataSet.open(dataset)
    pictures = [read_image(data.crops_root / path) for path in data.faces["crop_path"].iloc[::every]]
    plain = [picture_hash(rgb) for rgb in pictures]
    for name, change in COPIES.items():
        far = np.array(
            [np.bitwise_count(picture_hash(change(rgb)) ^ own).sum() for rgb, own in zip(pictures, plain, strict=True)]
        )
        print(
            f"{len(far)} copies, {name}: {(far > bits).mean():.1%} missed, median {np.median(far):g}, largest {far.max()}"
        )


def speed(count: int, bits: int, rows: int = 100) -> None:
    """The search on random hashes, 70 % on one side, against one pass of numpy per hash."""
    hashes = np.random.default_rng(0).integers(0, 2**63, (count, WORDS), dtype=np.uint64)
    left, right = hashes[: 7 * count // 10], hashes[7 * count // 10 :]
    began = time.perf_counter()
    found = sum(len(a) for a, _, _ in near_pairs(left, right, bits))
    blocks = time.perf_counter() - began
    began = time.perf_counter()
    for one in left[:rows]:
        found += int((np.bitwise_count(right ^ one).sum(axis=1) <= bits).sum())
    loop = (time.perf_counter() - began) * len(left) / rows
    print(
        f"{len(left):,} x {len(right):,} hashes: {blocks:.1f} s, {loop / blocks:.1f} times as fast as a loop ({found} found)"
    )


def main() -> None:
    """Read the options and print all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--hashes", type=int, default=100_000)
    options = parser.parse_args()
    bits = AuditSettings().near_bits
    false_alarms(options.dataset, options.frames, bits)
    misses(options.dataset, bits)
    speed(options.hashes, bits)


if __name__ == "__main__":
    main()
