"""What do parts of a training method contribute? The same network trained with and without them, several seeds each, tested alike.

- interaction: FST-Matching as published (its interaction term is 0), with a hidden layer on top, and with that and our
  interaction term
- information: Exposing the Deception without information losses; with all heads that they need, but not them; with the global one,
  the local one, both, and both as Wasserstein distances

All are trained on Deepfakes, Face2Face and FaceSwap of the demo set and tested on people whom they have never seen: on the same
kinds, on FaceShifter and NeuralTextures, and on the second set. Video AUC and frame AUC are means over the seeds, with 95 %
intervals over people, which say nothing about other seeds; gains are paired, against the first variant. Finished runs are taken up.
Needs `make demo` and `dfworkbench extract --name demo_celebdf --layout celebdf`; without the latter there is no second set.

    python benchmarks/ablation.py interaction [--seeds 3] [--variants …] [--epochs 8] [--size 112] [--device auto]

The table is printed after each run, and goes to report/ablation_<name>.csv.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable

import pandas as pd

from dfworkbench.core.names import REAL
from dfworkbench.core.workspace import find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.facial_swap import SwapSettings
from dfworkbench.evaluation.metrics.compare import compare_auc, mean_auc
from dfworkbench.evaluation.metrics.interval import PEOPLE
from dfworkbench.evaluation.metrics.measures import Measure
from dfworkbench.evaluation.scoring.score import score_rows
from dfworkbench.methods.mi_net.settings import VARIANTS, ClueStudySettings
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, train

KINDS = ["Deepfakes", "Face2Face", "FaceSwap"]
FRAMES = 8
LEVELS = ("video", "frame")


def interaction(options: argparse.Namespace, seed: int) -> dict[str, TrainSettings]:
    """Variant -> settings of one seed."""
    # without the published changes of quality: they hide the traces of the demo set's small fakes (see compressions.py)
    linear = TrainSettings(
        dataset="demo", forgeries=KINDS, detector="fst_matching", size_px=options.size, epochs=options.epochs, batch_size=32,
        learning_rate=1e-3, weight_decay=4e-3, frames_per_video=FRAMES, device=options.device,
        precision=fast_precision(choose_device(options.device)), seed=seed,
        method_options={"swap": SwapSettings.weaker(0)},
    )  # fmt: skip
    hidden = linear.replace(detector_options={"nonlinear": True})
    term = hidden.replace(method_options={**linear.method_options, "interaction_weight": 1})
    return {"linear, as published": linear, "hidden layer": hidden, "hidden layer + interaction": term}


def information(options: argparse.Namespace, seed: int) -> dict[str, TrainSettings]:
    """Variant -> settings of one seed, those of notebook 08 with the preset *thorough*."""
    study = ClueStudySettings(
        preset="thorough", forgeries=KINDS, size_px=options.size, epochs=options.epochs, frames_per_video=FRAMES, seed=seed,
        device=options.device,
    )  # fmt: skip
    kl = {variant: study.training(variant) for variant in VARIANTS}
    return {**kl, "both, Wasserstein": study.replace(distance="wasserstein").training("both")}


#: Name -> what gives the settings of all variants; the first variant is what the others are compared with.
ABLATIONS: dict[str, Callable[[argparse.Namespace, int], dict[str, TrainSettings]]] = {
    "interaction": interaction, "information": information
}  # fmt: skip


def conditions(run: str, sets: dict[str, DataSet], device: str) -> dict[str, pd.DataFrame]:
    """Score tables of people whom the run has never seen."""
    loaded, found = load_detector(run, device), {}
    for name, data in sets.items():
        videos = data.videos[data.videos["split"] == "test"] if name == "demo" else data.videos
        scores = score_rows(loaded, data.samples(loaded.input_spec, videos, FRAMES), videos=videos, progress=False)
        if name != "demo":
            found[name] = scores
            continue
        own = scores["forgery"].isin(KINDS)
        found |= {"trained kinds": scores[(scores["label"] == REAL) | own], "other kinds": scores[~own]}
    return found


def results(scores: dict[str, list[dict[str, pd.DataFrame]]]) -> pd.DataFrame:
    """A row per condition and variant; `scores` holds, for each variant, the tables of each seed by condition.

    A variant with fewer seeds than the first is compared with the same seeds of that.
    """
    first, rows = next(iter(scores)), []
    for condition in scores[first][0]:
        for variant, seeds in scores.items():
            own, base = ([tables[condition] for tables in found] for found in (seeds, scores[first]))
            rows.append(row(variant, condition, own, None if variant == first else base[: len(own)]))
    return pd.DataFrame(rows)


def row(name: str, condition: str, own: list[pd.DataFrame], base: list[pd.DataFrame] | None) -> dict[str, str]:
    """Means of one variant over its seeds, and what they gain over `base`."""
    found = {"variant": name, "condition": condition, "seeds": str(len(own))}
    for level in LEVELS:
        how = PEOPLE.replace(level=level)
        found[f"{level} AUC"] = in_words(mean_auc(condition, own, how)[0])
        found[f"{level} gain"] = "" if base is None else in_words(compare_auc(condition, own, base, how), "+")
    return found


def in_words(measure: Measure, sign: str = "") -> str:
    """Value and interval."""
    return f"{measure.value:{sign}.3f} [{measure.low:{sign}.3f}, {measure.high:{sign}.3f}]"


def main() -> int:
    """Train what is missing, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("name", choices=list(ABLATIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", nargs="*", help="only these; compared with the first of them")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    space = find_workspace()
    sets = {"demo": DataSet.open("demo", space)}
    if DataSet("demo_celebdf", space).is_extracted:
        sets["demo_celebdf"] = DataSet.open("demo_celebdf", space)
    scores: dict[str, list[dict[str, pd.DataFrame]]] = defaultdict(list)
    for seed in range(options.seeds):
        for variant, run in ABLATIONS[options.name](options, seed).items():
            if options.variants and variant not in options.variants:
                continue
            for epoch in train(run):
                print(f"{variant}, seed {seed}, epoch {epoch.number}: validation {epoch.val['auc_video']:.3f}, "
                      f"{epoch.seconds:.0f} s", flush=True)  # fmt: skip
            scores[variant].append(conditions(run.model_name, sets, options.device))
            table = results(scores)
            print(f"\n{options.name} so far: means over seeds, {options.epochs} epochs at {options.size} px")
            print(table.to_string(index=False), flush=True)
            (space.root / "report").mkdir(exist_ok=True)
            table.to_csv(space.root / "report" / f"ablation_{options.name}.csv", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
