"""How fast are self-blended images made? Pairs per second on one core, by stage; and what fewer landmarks cost.

The faces are generated (`synthetic`), in tiles of 41 sizes around `--size` px, twice the face; the detector's crop is 224 px. A
pair is a genuine picture and its self-blended image, two samples: both cut and changed, and half of them compressed. The mask is
compared with the plain way in the same run, which smooths noise over the whole tile with SciPy, in double precision, reads the hull
through it and filters it twice, as the method is described.

    python benchmarks/self_blending.py [--size 288] [--pairs 240] [--repeats 3] [--people 20]

The second part compares masks from five points (`faces.dense.fit_dense`) and from dlib's 68 (`faces.landmark_schemes.to_dense`)
with masks from the exact landmarks of generated people whom the mean face does not know, everything else being drawn alike. The
program fails below 300 samples per second, or unless our mask takes at most half of the plain way's time.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from facial_swap import Stopwatch, make_samples
from numpy.typing import NDArray
from scipy import ndimage

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.facial_swap.masks import hull_mask
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces.alignment import five_points
from dfworkbench.faces.dense import fit_dense
from dfworkbench.faces.landmark_schemes import to_dense
from dfworkbench.methods.sbi import blending, transform
from dfworkbench.methods.sbi.colour import Colour
from dfworkbench.methods.sbi.masks import blend_mask
from dfworkbench.methods.sbi.settings import BlendSettings, MaskSettings
from dfworkbench.methods.sbi.transform import SelfBlending
from dfworkbench.synthetic.clip import make_person, record

WANTED_PER_S, WANTED_RATIO = 300.0, 2.0
SPEC = InputSpec(size_px=224, crop_scale=1.3)
STAGES = ("mask", "colour and sharpness", "blend", "cut", "changes of the pair", "the rest")
FIRST_PERSON = 1000  # the mean face of `faces.dense` is that of the demo set's people, whose seeds are smaller


def make_faces(size_px: int) -> list[FaceSample]:
    """Genuine samples: tiles of twice the face."""
    out = []
    for sample in make_samples(size_px):
        side = sample.tiles[0].side
        box = np.array([[side / 4, side / 4, 3 * side / 4, 3 * side / 4]])
        out.append(dataclasses.replace(sample, spec=SPEC, label=0, genuine=[None], boxes=box))
    return out


def seconds_per_call(call: Callable[[int], object], count: int) -> float:
    """CPU time of one call, `count` calls with numbers from 0."""
    began = time.thread_time()
    for number in range(count):
        call(number)
    return (time.thread_time() - began) / count


def plain_mask(
    landmarks: NDArray, size_px: int, rng: np.random.Generator, settings: MaskSettings
) -> NDArray[np.float64]:
    """The mask as the method is described, over the whole tile in double precision."""
    hull = hull_mask(landmarks, size_px, size_px).astype(np.float64) / 255
    noise = rng.uniform(-1, 1, size=(2, size_px, size_px))
    dx, dy = (settings.elastic_alpha * ndimage.gaussian_filter(field, settings.elastic_sigma) for field in noise)
    y, x = np.mgrid[:size_px, :size_px]
    moved = ndimage.map_coordinates(hull, [y + dy, x + dx], order=1, mode="grid-constant")
    first, second = (2 * rng.integers(2, 13, size=2) + 1).tolist()
    kept = (cv2.GaussianBlur(moved, (first, first), 0) > 1 - 1e-9).astype(np.float64)
    return cv2.GaussianBlur(kept, (second, second), 0)


def stages(transformer: SelfBlending, samples: list[FaceSample], count: int) -> dict[str, float]:
    """Milliseconds of CPU time per pair and stage."""
    watch = Stopwatch()
    for owner, name, stage in (
        (blending, "blend_mask", "mask"), (blending, "change_sharpness", "colour and sharpness"),
        (blending, "blend_moved", "blend"), (transform, "_cut", "cut"), (SelfBlending, "change_pair", "changes of the pair"),
        (Colour, "apply", "colour and sharpness"), (transform, "self_blend", "the rest"),
    ):  # fmt: skip
        watch.watch(owner, name, stage)
    seconds_per_call(lambda n: transformer(samples[n % len(samples)], np.random.default_rng(n)), count)
    watch.stop()
    return {stage: 1000 * spent / count for stage, spent in watch.seconds.items()}


def landmark_cost(people: int, size_px: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU of hulls, and mean difference of finished masks over their union, of landmarks from 5 or 68 points and exact ones."""
    ious, differences = [], []
    for seed in range(people):
        exact = record(make_person(FIRST_PERSON + seed, size_px), seed, size_px, 1, 25.0).landmarks[0]
        fitted = fit_dense(five_points(exact)) if count == 5 else to_dense(exact[:count])
        hulls = [hull_mask(points, size_px, size_px) > 0 for points in (exact, fitted)]
        ious.append((hulls[0] & hulls[1]).sum() / (hulls[0] | hulls[1]).sum())
        for draw in range(10):
            one, other = (
                blend_mask(points, size_px, np.random.default_rng((seed, draw)), MaskSettings())
                for points in (exact, fitted)
            )
            differences.append(np.abs(one - other).sum() / np.maximum(one, other).sum())
    return np.array(ious), np.array(differences)


def main() -> int:
    """Run the benchmark; 0 if it reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=288)
    parser.add_argument("--pairs", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    samples, ours, settings = make_faces(options.size), SelfBlending(BlendSettings()), MaskSettings()

    def masks(make: Callable[..., object]) -> Callable[[int], object]:
        dense = [sample.tiles[0].from_frame(sample.dense[0]) for sample in samples]
        sizes = [sample.tiles[0].image.shape[0] for sample in samples]
        return lambda n: make(dense[n % 41], sizes[n % 41], np.random.default_rng(n), settings)

    ways = (
        lambda n: ours(samples[n % len(samples)], np.random.default_rng(n)), masks(plain_mask), masks(blend_mask)
    )  # fmt: skip
    runs = [[seconds_per_call(way, options.pairs) for way in ways] for _ in range(options.repeats)]
    pair_s, plain_s, mask_s = np.min(runs, axis=0)
    per_s = 2 / pair_s
    print(
        f"{options.pairs} pairs, tiles of about {options.size} px, crops of 224 px, one core, best of {options.repeats}"
    )
    print(f"  {1 / pair_s:.0f} pairs/s, {per_s:.0f} samples/s, {1000 * pair_s:.2f} ms a pair")
    found = stages(ours, samples, options.pairs)
    for stage in STAGES:
        print(f"    {stage:24s} {found[stage]:6.2f} ms")
    print(f"  mask: plain {1000 * plain_s:.2f} ms, ours {1000 * mask_s:.2f} ms, ratio {plain_s / mask_s:.1f}")
    if options.people:
        print(f"81 landmarks from fewer, {options.people} generated people, frames of {options.size} px")
        for count in (5, 68):
            ious, differences = landmark_cost(options.people, options.size, count)
            print(
                f"  {count:2d} points: IoU of hulls {ious.mean():.3f} (least {ious.min():.3f}); masks differ by "
                f"{differences.mean():.1%} of their area"
            )
    passed = per_s >= WANTED_PER_S and plain_s / mask_s >= WANTED_RATIO
    print(
        f"{'passed' if passed else 'FAILED'}: wanted {WANTED_PER_S:g} samples/s and a ratio of {WANTED_RATIO:g} for the mask"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
