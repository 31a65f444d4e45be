"""How fast is extraction? 16 frames of a 1280 x 720 clip against the plain way, in one process and one run.

The plain way is that of DeepfakeForensics-v1: decode every frame, convert the wanted ones to PIL pictures, run
facenet-pytorch's MTCNN with its defaults (all faces) on each, one after the other. Both ways have one thread for networks,
decode with as many as there are cores, and write their crops. Ours also searches and compresses beside the decoding, so the
ratio in CPU time, printed too, is smaller: it is what several extractions side by side gain.

    python benchmarks/extraction.py [--frames 16] [--repeats 3] [--growth]

The clip is generated: a call of three people, 300 frames, H.264 at CRF 23. With DFWORKBENCH_TRIALS set to a folder that
holds media/street.mp4, that real crowd is measured as well, scaled to 1280 x 720. The program fails unless extraction of
the generated clip is at least 4 times as fast with the same faces (IoU >= 0.8 for 99 %).
"""

import argparse
import contextlib
import itertools
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dfworkbench.core.geometry import iou_matrix
from dfworkbench.faces import FaceFinder, FaceSettings, faces_in_file
from dfworkbench.media import VideoSource, VideoWriter, sample_indices

WIDTH, HEIGHT, FPS, LENGTH = 1280, 720, 25, 300
WANTED_RATIO, WANTED_IOU, WANTED_SHARE = 4.0, 0.8, 0.99
PLAIN_MIN_PROBABILITY = 0.9
LENGTHS = (105, 420, 1680, 4200)  # of the clips for --growth


def make_call(path: Path) -> None:
    """Three people talking, each in a panel of another size."""
    from dfworkbench.synthetic.clip import make_person, record

    frames = np.full((LENGTH, HEIGHT, WIDTH, 3), 32, np.uint8)
    for seed, size, left, top in ((1, 640, 20, 40), (2, 380, 680, 40), (3, 260, 960, 440)):
        panel = record(make_person(seed, size), seed, size, LENGTH, FPS).frames
        frames[:, top : top + size, left : left + size] = np.stack(panel)
    write_clip(path, frames)


def scale_clip(source: Path, path: Path) -> None:
    """A real clip at 1280 x 720."""
    frames = VideoSource(source).iterate()
    write_clip(path, (cv2.resize(f.rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for f in frames))


def write_clip(path: Path, frames: Any) -> None:
    """H.264 at CRF 23."""
    with VideoWriter(path, FPS, WIDTH, HEIGHT, crf=23) as writer:
        for frame in frames:
            writer.write(frame)


class PlainWay:
    """Every frame grabbed, wanted ones as PIL pictures, full-size MTCNN frame by frame, crops of 224 px as JPEG."""

    def __init__(self) -> None:
        from facenet_pytorch import MTCNN

        self.mtcnn = MTCNN(image_size=224, margin=10, keep_all=True, post_process=False)

    def __call__(self, path: Path, count: int, out: Path) -> dict[int, NDArray[np.float64]]:
        """Boxes per frame; crops go to `out`."""
        capture = cv2.VideoCapture(str(path))
        total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        wanted = set(sample_indices(total, count))
        found = {}
        for index in range(total):
            capture.grab()
            if index in wanted:
                picture = Image.fromarray(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
                found[index] = self._detect(picture, out / f"{index}")
        return found

    def _detect(self, picture: Image.Image, name: Path) -> NDArray[np.float64]:
        boxes, probabilities = self.mtcnn.detect(picture)  # pyright: ignore[reportAssignmentType]
        if boxes is None:
            return np.zeros((0, 4))
        keep = np.asarray(probabilities, dtype=np.float64) >= PLAIN_MIN_PROBABILITY
        boxes = np.asarray(boxes, dtype=np.float64)[keep]
        for number, box in enumerate(boxes):
            picture.crop(tuple(box)).resize((224, 224)).save(f"{name}_{number}.jpg")
        return boxes


class OurWay:
    """`faces_in_file`, as extraction and scoring call it, and lossless face tiles."""

    def __init__(self, settings: FaceSettings, threads: int = 0) -> None:
        self.finder, self.threads = FaceFinder(settings), threads

    def __call__(self, path: Path, count: int, out: Path) -> dict[int, NDArray[np.float64]]:
        """Boxes per frame; crops go to `out`."""
        faces = faces_in_file(path, self.finder.settings, self.finder, self.threads, png=True).detections
        for face in faces:
            (out / f"t{face.track:02d}_f{face.frame:06d}.png").write_bytes(face.tile.png)
        total = VideoSource(path).frames_expected
        found = {index: [f.box for f in faces if f.frame == index] for index in sample_indices(total, count)}
        return {index: np.reshape(boxes, (-1, 4)) for index, boxes in found.items()}


def measure(way: Callable, path: Path, count: int) -> tuple[float, float, dict[int, NDArray[np.float64]]]:
    """Wall-clock seconds, CPU seconds, and the boxes."""
    with tempfile.TemporaryDirectory() as folder:
        start, start_cpu = time.perf_counter(), time.process_time()
        boxes = way(path, count, Path(folder))
        return time.perf_counter() - start, time.process_time() - start_cpu, boxes


def agreement(plain: dict, ours: dict, min_height: float) -> tuple[NDArray[np.float64], int, int]:
    """Best IoU for each plain face of at least `min_height`; how many plain faces are smaller; how many of ours are new."""
    ious, small, new = [], 0, 0
    for index, boxes in plain.items():
        overlap = iou_matrix(boxes, ours[index])
        large = boxes[:, 3] - boxes[:, 1] >= min_height
        small += int((~large).sum())
        ious.extend(overlap.max(axis=1, initial=0)[large])
        new += int((overlap.max(axis=0, initial=0) < 0.5).sum())
    return np.array(ious), small, new


@contextlib.contextmanager
def stopwatches() -> Iterator[dict[str, float]]:
    """CPU seconds in each step of our way while the block runs; a step within a step counts for itself only."""
    from dfworkbench.faces import crops, mtcnn, pyramid, search
    from dfworkbench.media.video import decoding, display, frame_reader, streams

    seconds: dict[str, float] = defaultdict(float)
    inner: dict[int, list[float]] = defaultdict(
        lambda: [0.0]
    )  # per thread: time of watched steps within the current one
    undo = []

    def watch(owner: Any, name: str, label: Callable[..., str]) -> None:
        original = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            stack = inner[threading.get_ident()]
            stack.append(0.0)
            try:
                return original(*args, **kwargs)
            finally:
                spent = time.thread_time() - start
                seconds[label(*args)] += spent - stack.pop()
                stack[-1] += spent

        setattr(owner, name, timed)
        undo.append((owner, name, original))

    watch(frame_reader, "decode", lambda *_: "decode")
    watch(decoding, "decode", lambda *_: "decode")
    watch(streams, "_list_packets", lambda *_: "list packets")
    watch(vars(display.Frame)["rgb"], "func", lambda *_: "convert to RGB")
    watch(pyramid, "_resize", lambda *_: "resample pyramid")
    watch(pyramid.FastPyramid, "crops", lambda *_: "resample candidates")
    watch(mtcnn, "propose", lambda *_: "P-Net")
    watch(mtcnn, "judge", lambda net, crops: "R-Net" if crops.shape[1] == 24 else "O-Net")
    watch(mtcnn, "_nms", lambda *_: "suppress overlaps")
    watch(search, "colour_histogram", lambda *_: "colours (cuts)")
    watch(search, "cut_tile", lambda *_: "cut crops")
    watch(crops, "encode_png", lambda *_: "write PNG")
    try:
        yield seconds
    finally:
        for owner, name, original in undo:
            setattr(owner, name, original)


def compare(title: str, path: Path, settings: FaceSettings, repeats: int) -> tuple[float, float]:
    """Print both ways side by side; return the ratio of times and the share of faces that agree."""
    count = settings.frames
    plain_way, our_way = PlainWay(), OurWay(settings)
    # in turns, so that a busy machine hits both; the best of each counts
    runs = [(measure(plain_way, path, count), measure(our_way, path, count)) for _ in range(repeats)]
    plain, ours = runs[-1][0][2], runs[-1][1][2]
    plain_s, our_s = (min(run[way][0] for run in runs) for way in (0, 1))
    plain_cpu, our_cpu = (min(run[way][1] for run in runs) for way in (0, 1))
    ious, small, new = agreement(plain, ours, settings.smallest_face_px(WIDTH, HEIGHT))
    share, ratio = float((ious >= WANTED_IOU).mean()), plain_s / our_s
    print(f"\n{title}: {count} of {VideoSource(path).frames_expected} frames, {WIDTH} x {HEIGHT}, best of {repeats}")
    print(f"  plain way  {plain_s:6.2f} s   ({plain_cpu:.2f} s CPU)   {sum(map(len, plain.values()))} faces")
    print(f"  our way    {our_s:6.2f} s   ({our_cpu:.2f} s CPU)   {sum(map(len, ours.values()))} faces")
    print(f"  ratio      {ratio:6.2f}     ({plain_cpu / our_cpu:.2f} in CPU time)")
    print(
        f"  same faces {share:6.1%}   IoU >= {WANTED_IOU} for {int((ious >= WANTED_IOU).sum())} of {len(ious)} plain faces of "
        f"{settings.min_face_px} px or more (mean IoU {ious.mean():.3f}, least {ious.min():.2f}, found at IoU >= 0.5: "
        f"{(ious >= 0.5).mean():.1%}); {small} smaller plain faces not looked for, {new} of ours new"
    )
    with stopwatches() as seconds:  # with one thread: FFmpeg's own threads bear no watch
        total = measure(OurWay(settings, threads=1), path, count)[1]
    seconds["everything else"] = total - sum(seconds.values())
    print("  where our CPU time goes (with one thread):")
    for step, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"    {step:20s} {1000 * spent:7.0f} ms {spent / total:6.1%}")
    return ratio, share


def growth(street: Path, folder: Path, frames: int) -> None:
    """Print what following a crowd costs in ever longer clips: the street walked forwards and backwards."""
    pictures = [frame.rgb for frame in VideoSource(street).iterate()]
    there_and_back = pictures + pictures[-2:0:-1]
    print(f"\na crowd, {frames} sampled frames, one thread: searches and CPU seconds by length")
    for length in LENGTHS:
        path = folder / f"street_{length}.mp4"
        write_clip(path, itertools.islice(itertools.cycle(there_and_back), length))
        finder, start = CountingFinder(FaceSettings(frames=frames)), time.process_time()
        faces = faces_in_file(path, finder.settings, finder, threads=1).detections
        print(
            f"  {length:5d} frames: {finder.whole} whole pictures, {finder.around} parts of pictures, "
            f"{time.process_time() - start:.1f} s CPU; {len(faces)} faces in {len({face.track for face in faces})} tracks"
        )


class CountingFinder(FaceFinder):
    """Counts searches of whole pictures and of the parts around known faces."""

    whole = around = 0

    def find(self, image: Any) -> Any:
        """See `FaceFinder`."""
        self.whole += 1
        return super().find(image)

    def find_around(self, image: Any, boxes: Any) -> Any:
        """See `FaceFinder`."""
        self.around += 1
        return super().find_around(image, boxes)


def main() -> int:
    """Run the benchmark; 0 if it reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--growth", action="store_true", help="also follow the real crowd through longer and longer clips"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        call = Path(folder) / "call.mp4"
        make_call(call)
        ratio, share = compare("generated call of three", call, FaceSettings(frames=options.frames), options.repeats)
        street = Path(os.environ.get("DFWORKBENCH_TRIALS", "")) / "media" / "street.mp4"
        if os.environ.get("DFWORKBENCH_TRIALS") and street.is_file():
            small = Path(folder) / "street.mp4"
            scale_clip(street, small)
            crowd = FaceSettings(frames=options.frames)
            compare("real crowd, everybody followed between the sampled frames", small, crowd, options.repeats)
            compare("real crowd, sampled frames only", small, crowd.replace(bridge_gaps=False), options.repeats)
            if options.growth:
                growth(small, Path(folder), options.frames)
    passed = ratio >= WANTED_RATIO and share >= WANTED_SHARE
    print(
        f"\n{'passed' if passed else 'FAILED'}: wanted a ratio of {WANTED_RATIO:g} and {WANTED_SHARE:.0%} of the faces"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
