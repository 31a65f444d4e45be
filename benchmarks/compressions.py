"""How well do FST-Matching and a plain ResNet-18 hold up under compression? Trained on one compression, tested on all three.

Each compression of the demo set is extracted under a name of its own (demo_raw, demo_c23, demo_c40; the same splits), each detector
is trained on each, and scored on held-out people of all of them: AUC per forgery kind and pooled, per video and frame, with 95 %
intervals over people. Runs and extractions that are finished are taken up. Needs data/demo, as `make demo` leaves it.

    python benchmarks/compressions.py [--detectors resnet18 fst_matching] [--size 112] [--epochs 10] [--changes 1] [--seed 0]
        [--compressions raw c23 c40] [--device auto]

--changes is the share of the published changes of quality (noise, blur, JPEG, colour) that FST-Matching trains with; ResNet-18 has
its own. Two cores that compute in bfloat16 take about 15 minutes. The tables also go to report/compressions.csv.
"""

import argparse
import sys
from typing import Any

import pandas as pd

from dfworkbench.core.names import COMPRESSIONS, REAL
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.facial_swap import SwapSettings
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.extraction import ExtractSettings, extract
from dfworkbench.models import detector_options
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

POOLED = "all kinds"


def extracted(compression: str) -> DataSet:
    """The test split of the demo set in one compression."""
    space, name = find_workspace(), f"demo_{compression}"
    if not DataSet(name, space).has_splits:
        print(f"extracting {name}", flush=True)
        extract(ExtractSettings(name=name, root=space.data / "demo", compression=compression))
    return DataSet.open(name, space)


def training(detector: str, compression: str, options: argparse.Namespace) -> TrainSettings:
    """Alike for all detectors and compressions."""
    known = detector_options(detector)
    own = detector == "fst_matching" and options.changes != 1
    crops = {"alignment": "five_points", "crop_scale": 1.0}
    return TrainSettings(
        dataset=f"demo_{compression}", detector=detector, size_px=options.size, epochs=options.epochs, batch_size=32,
        learning_rate=options.rate, weight_decay=4e-3, frames_per_video=8, seed=options.seed, device=options.device,
        detector_options={name: value for name, value in crops.items() if name in known},
        method_options={"swap": SwapSettings.weaker(options.changes)} if own else {},
        precision=fast_precision(choose_device(options.device)),
    )  # fmt: skip


def rows_of(scores: pd.DataFrame, known: dict[str, Any]) -> list[dict[str, Any]]:
    """AUC per kind and pooled, at both levels."""
    real, kinds = scores["label"] == REAL, sorted(set(scores["forgery"]) - {""})
    parts = {POOLED: scores} | {kind: scores[real | (scores["forgery"] == kind)] for kind in kinds}
    found = []
    for kind, part in parts.items():
        table = evaluate(part, ("video", "frame"), Judging(unit="group"), metrics=("auc",))
        found += [
            known | {"kind": kind, **row} for row in table[["level", "value", "low", "high", "n"]].to_dict("records")
        ]
    return found


def main() -> int:
    """Train what is missing, score, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--detectors", nargs="+", default=["resnet18", "fst_matching"])
    parser.add_argument("--compressions", nargs="+", default=list(COMPRESSIONS), choices=COMPRESSIONS)
    parser.add_argument("--changes", type=float, default=1.0)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    sets = {compression: extracted(compression) for compression in COMPRESSIONS}
    rows: list[dict[str, Any]] = []
    for detector in options.detectors:
        for trained in options.compressions:
            settings = training(detector, trained, options)
            for epoch in train(settings):
                seconds, value = epoch.seconds, epoch.val["auc_video"]
                print(
                    f"{detector} on {trained}, epoch {epoch.number}: validation {value:.3f}, {seconds:.0f} s",
                    flush=True,
                )
            loaded = load_detector(settings.model_name, options.device)
            for tested, data in sets.items():
                samples = data.samples(loaded.input_spec, data.videos[data.videos["split"] == "test"], 8)
                rows += rows_of(
                    score_rows(loaded, samples), {"detector": detector, "trained": trained, "tested": tested}
                )
    table = pd.DataFrame(rows)
    folder = find_workspace().root / "report"
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / "compressions.csv", index=False)
    cells = [f"{row.value:.3f} [{row.low:.2f}, {row.high:.2f}]" for row in table.itertuples()]
    for level in ("video", "frame"):
        shown = table.assign(auc=cells)[table["level"] == level]
        pooled = shown[shown["kind"] == POOLED].pivot(index=["detector", "trained"], columns="tested", values="auc")
        print(f"\n{level} AUC, {POOLED} pooled\n{pooled[list(COMPRESSIONS)].to_string()}")
        own = shown[(shown["trained"] == shown["tested"]) & (shown["kind"] != POOLED)]
        print(f"\n{level} AUC per kind, trained and tested on the same compression")
        print(own.pivot(index=["detector", "trained"], columns="kind", values="auc").to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
