"""What do parts of a training method contribute? The same network trained with and without them, several seeds each, tested alike.

- interaction: FST-Matching as published (its interaction term is 0), with a hidden layer on top, and with that and our
  interaction term
- information: Exposing the Deception without information losses, with the global one, the local one, both, and both as
  Wasserstein distances

All are trained on Deepfakes, Face2Face and FaceSwap of the demo set and tested on people whom they have never seen: on the same
kinds, on FaceShifter and NeuralTextures, and on the second set. Video AUC and frame AUC are means over the seeds, with 95 %
intervals over people; differences are paired, against the first variant. Finished runs are taken up. Needs the data sets that
`make demo` and `dfworkbench run 07_identity_leakage` extract.

    python benchmarks/ablation.py interaction [--seeds 3] [--epochs 8] [--size 112] [--device auto]

The tables also go to report/ablation_<name>.csv.
"""

import argparse
import json
import sys
from typing import Any, NamedTuple

import pandas as pd

from dfworkbench.analysis.comparison import compare_auc, mean_auc
from dfworkbench.analysis.extracted import Extracted
from dfworkbench.checkpoints import load_detector
from dfworkbench.datasets.facial_swap import SwapSettings
from dfworkbench.evaluation.metrics import evaluate
from dfworkbench.evaluation.scoring import score_rows
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.names import REAL
from dfworkbench.training import TrainSettings, train
from dfworkbench.training.start import with_splits
from dfworkbench.workspace import find_workspace

KINDS = ["Deepfakes", "Face2Face", "FaceSwap"]
FRAMES = 8


class Ablation(NamedTuple):
    """Settings that all variants share, and those of each; the first variant is what the others are compared with."""

    shared: dict[str, Any]
    variants: dict[str, dict[str, Any]]


ABLATIONS = {
    "interaction": Ablation(
        # without the published changes of quality: they hide the traces of the demo set's small fakes (see compressions.py)
        {
            "detector": "fst_matching", "weight_decay": 4e-3,
            "method_options": [f"swap={json.dumps(SwapSettings.weaker(0))}"],
        },
        {
            "linear, as published": {},
            "hidden layer": {"detector_options": ["nonlinear=true"]},
            "hidden layer + interaction": {
                "detector_options": ["nonlinear=true"], "method_options": ["interaction_weight=1"]
            },
        },
    ),
    "information": Ablation(
        {"detector": "mi_net_mobilenet", "weight_decay": 1e-6, "optimizer": "adam"},
        {
            "none": {"method_options": ["local_loss=false", "global_loss=false"]},
            "global": {"method_options": ["local_loss=false"]},
            "local": {"method_options": ["global_loss=false"]},
            "both": {},
            "both, Wasserstein": {"method_options": ["distance=wasserstein"]},
        },
    ),
}  # fmt: skip


def trainings(ablation: Ablation, options: argparse.Namespace) -> dict[str, list[TrainSettings]]:
    """Variant -> its settings for every seed."""
    common = {
        "dataset": "demo", "kinds": KINDS, "size_px": options.size, "epochs": options.epochs, "batch_size": 32,
        "learning_rate": 1e-3, "frames_per_video": FRAMES, "device": options.device,
        "precision": fast_precision(choose_device(options.device)),
    } | ablation.shared  # fmt: skip
    return {
        variant: [TrainSettings(**common | _joined(common, own), seed=seed) for seed in range(options.seeds)]
        for variant, own in ablation.variants.items()
    }


def _joined(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lists of options of a variant go behind those that all share."""
    return {name: [*common.get(name, []), *values] for name, values in own.items()}


def conditions(run: str, sets: dict[str, Extracted], device: str) -> dict[str, pd.DataFrame]:
    """Score tables of people whom the run has never seen."""
    loaded, found = load_detector(run, device), {}
    for name, data in sets.items():
        videos = data.videos[data.videos["split"] == "test"] if name == "demo" else data.videos
        scores = score_rows(loaded, data.samples(loaded, videos, FRAMES), videos=videos, progress=False)
        if name != "demo":
            found[name] = scores
            continue
        own = scores["method"].isin(KINDS)
        found |= {"trained kinds": scores[(scores["label"] == REAL) | own], "other kinds": scores[~own]}
    return found


def frame_auc(tables: list[pd.DataFrame]) -> float:
    """Mean over the seeds."""
    found = [evaluate(table, levels=("frame",), metrics=("auc",), draws=0) for table in tables]
    return float(sum(table["value"].iloc[0] for table in found) / len(found))


def main() -> int:
    """Train what is missing, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", choices=list(ABLATIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    space = find_workspace()
    demo = Extracted.read("demo", space)
    sets = {"demo": demo._replace(videos=with_splits(demo.videos, space.labels / "demo" / "splits.csv"))}
    if (space.labels / "demo_celebdf").is_dir():
        sets["demo_celebdf"] = Extracted.read("demo_celebdf", space)
    scores: dict[str, list[dict[str, pd.DataFrame]]] = {}
    for variant, runs in trainings(ABLATIONS[options.name], options).items():
        for run in runs:
            for epoch in train(run):
                print(f"{variant}, seed {run.seed}, epoch {epoch.number}: validation {epoch.val['auc_video']:.3f}, "
                      f"{epoch.seconds:.0f} s", flush=True)  # fmt: skip
        scores[variant] = [conditions(run.model_name, sets, options.device) for run in runs]
    first, rows = next(iter(scores)), []
    for variant, seeds in scores.items():
        for condition in seeds[0]:
            own, base = ([tables[condition] for tables in scores[name]] for name in (variant, first))
            value, gain = mean_auc(condition, own)[0], compare_auc(condition, own, base)
            rows.append({
                "variant": variant, "condition": condition, "video AUC": f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]",
                f"minus {first}": "" if variant == first else f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]",
                "frame AUC": round(frame_auc(own), 3),
            })  # fmt: skip
    table = pd.DataFrame(rows)
    folder = space.root / "report"
    folder.mkdir(exist_ok=True)
    table.to_csv(folder / f"ablation_{options.name}.csv", index=False)
    print(f"\n{options.name}: means over {options.seeds} seeds, {options.epochs} epochs at {options.size} px")
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
