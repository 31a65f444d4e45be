"""What does a large published network cost? Time and peak memory of scoring a 10 s clip with a ViT-L/14 trunk on a CPU.

    python benchmarks/large_networks.py [--card gend_clip] [--precision 32-true bf16-true] [--threads 2] [--keep FOLDER]

The network is that of a card of a published detector, with seeded weights instead of the published ones: they cost the same. The
clip is generated: one person talking, 1280 x 720, 250 frames at 25 per second; 32 frames of it are scored. Each precision is
measured in a process of its own, so that peak memory (resident set) is its own:

- imports: until `score` can be called;
- load: the weights from disk, as float32 or bfloat16;
- decode and faces: decoding, finding, tracking and cutting faces;
- network: all forward passes;
- other: hashing of weights, thumbnails, tables.

The last line says how far the logits of two precisions are apart, and how far those of the frames. Nothing is compared with a plain
way: the program states what to expect, and always ends with 0.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
WIDTH, HEIGHT, FPS, SECONDS = 1280, 720, 25, 10
RUN = "large"


def make_clip(path: Path) -> None:
    """One person talking in the middle of the frame."""
    import numpy as np

    from dfworkbench.media import VideoWriter
    from dfworkbench.synthetic.clip import make_person, record

    size = 640
    top, left = (HEIGHT - size) // 2, (WIDTH - size) // 2
    with VideoWriter(path, FPS, WIDTH, HEIGHT, crf=23) as writer:
        for face in record(make_person(1, size), 1, size, FPS * SECONDS, FPS).frames:
            frame = np.full((HEIGHT, WIDTH, 3), 32, np.uint8)
            frame[top : top + size, left : left + size] = face
            writer.write(frame)


def make_weights(card_name: str, path: Path) -> None:
    """The network of a card with seeded weights, saved as an imported one is."""
    import torch

    from dfworkbench.models import build_detector
    from dfworkbench.runs.checkpoints import save_detector
    from dfworkbench.zoo.card import get_card
    from dfworkbench.zoo.importing import detector_options

    card: Any = get_card(card_name)
    options = detector_options(card.network, card.input.size_px)
    torch.manual_seed(0)
    network: Any = build_detector("published", **options)
    network.input_spec = card.input
    save_detector(path, network, "published", options)


def measure(weights: Path, clip: Path, precision: str, threads: int) -> dict[str, Any]:
    """Seconds of each step, peak memory and logits, in this very process."""
    start = time.perf_counter()
    import torch

    from dfworkbench.evaluation.scoring import file_scorer, score
    from dfworkbench.evaluation.scoring.settings import ScoreSettings

    torch.set_num_threads(threads)
    seconds: dict[str, float] = {"imports": time.perf_counter() - start}

    def watch(module: Any, name: str, step: str) -> None:
        original = getattr(module, name)

        def timed(*args: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return original(*args, **options)
            finally:
                seconds[step] = seconds.get(step, 0.0) + time.perf_counter() - begun

        setattr(module, name, timed)

    watch(score, "_in_precision", "load")
    watch(score, "FaceFinder", "decode and faces")
    watch(file_scorer, "faces_in_file", "decode and faces")
    watch(file_scorer, "forward", "network")
    settings = ScoreSettings(precision=precision, sampling="both_ends", device="cpu")  # pyright: ignore[reportArgumentType]
    begun = time.perf_counter()
    scored = score.score(clip, weights, settings, progress=False)
    total = time.perf_counter() - begun
    seconds["other"] = total + seconds["imports"] - sum(seconds.values())
    return {
        "seconds": seconds,
        "total": total + seconds["imports"],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "faces": len(scored.table),
        "logits": scored.table["logit"].tolist(),
    }


def in_process(*arguments: str) -> str:
    """This program again with other arguments; what it prints."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compare(folder: Path, given: argparse.Namespace) -> None:
    """Measure each precision and print a table."""
    weights, clip = folder / f"{given.card}.safetensors", folder / "clip.mp4"
    if not weights.is_file():
        in_process("--step", "weights", "--card", given.card, "--keep", str(folder))
    if not clip.is_file():
        in_process("--step", "clip", "--keep", str(folder))
    print(
        f"{given.card} ({weights.stat().st_size / 1e9:.2f} GB), {SECONDS} s of {WIDTH} x {HEIGHT}, {given.threads} threads"
    )
    steps = ("imports", "load", "decode and faces", "network", "other")
    print(f"{'':10} {'total':>8} " + " ".join(f"{step:>17}" for step in steps) + f" {'peak memory':>12}")
    results = {}
    for precision in given.precision:
        told = ["--step", "score", "--card", given.card, "--keep", str(folder), "--threads", str(given.threads)]
        found = results[precision] = json.loads(in_process(*told, "--precision", precision).splitlines()[-1])
        times = " ".join(f"{found['seconds'].get(step, 0.0):15.1f} s" for step in steps)
        print(f"{precision:10} {found['total']:6.1f} s {times} {found['peak_gb']:9.2f} GB   {found['faces']} faces")
    if len(results) > 1:
        first, other = (found["logits"] for found in list(results.values())[:2])
        gap = max(abs(a - b) for a, b in zip(first, other, strict=True))
        print(
            f"largest difference of a logit: {gap:.2g}; the logits of the clip run from {min(first):.4g} to {max(first):.4g}"
        )


def main() -> int:
    """Run the benchmark, or one step of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", default="gend_clip", help="card whose network is built")
    parser.add_argument("--precision", nargs="+", default=["32-true", "bf16-true"], help="what is measured")
    parser.add_argument("--threads", type=int, default=2, help="threads of the network")
    parser.add_argument("--keep", type=Path, help="folder that keeps weights and clip for the next call")
    parser.add_argument("--step", choices=("weights", "clip", "score"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step == "weights":
        make_weights(given.card, given.keep / f"{given.card}.safetensors")
    elif given.step == "clip":
        make_clip(given.keep / "clip.mp4")
    elif given.step == "score":
        weights, clip = given.keep / f"{given.card}.safetensors", given.keep / "clip.mp4"
        print(json.dumps(measure(weights, clip, given.precision[0], given.threads)))
    elif given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
        compare(given.keep, given)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
