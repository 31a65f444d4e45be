"""What do Shapley values of 16 x 16 cells cost? Evaluations and seconds to 5 % relative standard error, for six estimators.

Each estimator spends the same budget on the same pictures, with several seeds. Its error is taken against a long run of
antithetic walks with a seed of its own (the noise of that run is taken off, and stated), not from its own standard error, which
is shown beside. Errors fall with one over the root of the evaluations; the evaluations for 5 % are extrapolated by this. As a
check the default estimator is then left to stop by itself.

- published: permutations of its own for each player, as in the code of FST-Matching (100 of them are 51,200 evaluations)
- captum: ShapleyValueSampling, with the same pictures per forward pass as ours
- walk, antithetic, rotated, kernel: dfworkbench.explain.shapley
- fast: antithetic walks in the precision that notebook 05 chooses: bfloat16 where the hardware has it and where it moves no value
  by a hundredth of the largest (`ImageGame.precision_gap`), else float32 as all others

Detectors are runs of the workspace where there are any (MesoNet4 and a ResNet trained on the demo set, or --run), else networks
with seeded random weights, which is said; pictures are fakes of the demo set's test split, or, without it, drawn blobs.

Two cores take about 5 minutes for MesoNet4 at 224 px or ResNet-18 at 64 px with the defaults.

    python benchmarks/shapley.py [--run RUN] [--evaluations 6402] [--reference 51202] [--images 2] [--repeats 1] [--device auto]

The program fails unless, for every detector, antithetic walks need at most a quarter of the published estimator's evaluations,
and (fast) are at least twice as fast as captum at equal evaluations.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dfworkbench import load_detector
from dfworkbench.core.errors import WorkbenchError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import Workspace, find_workspace
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.explain.shapley.estimators import ESTIMATORS, estimate, random_for
from dfworkbench.explain.shapley.image_game import ImageGame, cell_of_pixel
from dfworkbench.explain.shapley.permutations import published
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.stopping import StopRule
from dfworkbench.models import build_detector
from dfworkbench.models.devices import choose_device, fast_precision
from dfworkbench.runs.checkpoints import LoadedDetector
from dfworkbench.runs.run import Run

WANTED_ERROR, WANTED_SHARE, WANTED_SPEED, MOST_GAP = 0.05, 0.25, 2.0, 0.01
METHODS = ("published", "captum", "walk", "antithetic", "rotated", "kernel", "fast")
#: What is looked for among the runs, and what is built where there is none.
DETECTORS = {"mesonet4": ("mesonet4_demo_*",), "resnet18": ("resnet18_demo_*", "resnet34_demo_*")}


class Estimate(NamedTuple):
    """One run of one estimator: its values, the length of its standard errors (NaN if it has none), and what it cost."""

    values: NDArray[np.float64]
    own_error: float
    evaluations: int
    seconds: float


def find_detector(name: str, patterns: tuple[str, ...], space: Workspace) -> tuple[LoadedDetector, str]:
    """The newest run that fits, or a network with seeded weights; and which of the two it is."""
    for run in Run.names(space):  # the newest first
        if any(fnmatch(run, pattern) for pattern in patterns):
            return load_detector(run, workspace=space), f"trained, run {run}"
    torch.manual_seed(0)
    network: Any = build_detector(name).eval()
    return LoadedDetector(network, name, network.input_spec, {}, Path()), "NOT trained: seeded random weights"


def find_pictures(spec: InputSpec, count: int, space: Workspace) -> tuple[dict[str, NDArray[np.uint8]], str]:
    """Crops of fakes of the test split, chosen by seed; or drawn ones."""
    random = np.random.default_rng(0)
    try:
        data = DataSet.open("demo", space).samples(spec, "test", 1, tracks="all")
        fakes = np.flatnonzero(data.rows["label"] == 1)
        chosen = random.permutation(fakes)[:count]
        found = {str(data.rows["row_id"][row]): data[row]["images"].movedim(-3, -1).numpy() for row in chosen}
        return found, "fakes of the demo set's test split"
    except (WorkbenchError, OSError):
        place = np.indices((spec.size_px, spec.size_px)) / spec.size_px
        drawn = {}
        for number in range(count):
            blobs = [np.exp(-((place[0] - y) ** 2 + (place[1] - x) ** 2) / 0.05) for y, x in random.random((3, 2))]
            drawn[f"drawn {number}"] = (np.stack(blobs, axis=-1) * 255).astype(np.uint8)
        return drawn, "drawn"


def by_captum(game: ImageGame, budget: int, seed: int) -> Estimate:
    """ShapleyValueSampling on prepared pictures, with as many pictures per forward pass."""
    from captum.attr import ShapleyValueSampling

    ends = np.array([[True] * game.players, [False] * game.players])
    full, empty = game.masked(ends).split(1)
    cells = torch.from_numpy(cell_of_pixel(full.shape[-1], game.grid)).to(game.device)
    samples = (budget - 1) // game.players
    torch.manual_seed(seed)
    method = ShapleyValueSampling(lambda images: game.network(images).logit)
    start = time.perf_counter()
    with torch.inference_mode():
        found = method.attribute(
            full, baselines=empty, feature_mask=(cells[:, None] * game.grid + cells)[None, None], n_samples=samples,
            perturbations_per_eval=game.batch_size,
        )  # fmt: skip
        picture = found[0, 0].cpu().numpy()  # waits for the device
    seconds = time.perf_counter() - start
    first = np.searchsorted(cells.cpu().numpy(), np.arange(game.grid))
    return Estimate(picture[np.ix_(first, first)].ravel().astype(float), np.nan, samples * game.players + 1, seconds)


def by_ours(method: str) -> Callable[[ImageGame, int, int], Estimate]:
    """One of our estimators, which spends its budget."""

    def run(game: ImageGame, budget: int, seed: int) -> Estimate:
        stop, random = StopRule(relative_error=None, evaluations=budget), random_for("benchmark", seed)
        start = time.perf_counter()
        if method == "published":  # all in one round, as released
            *_, last = published(game, random, stop, samples=(budget - 2) // (2 * game.players))
        else:
            *_, last = ESTIMATORS["antithetic" if method == "fast" else method](game, random, stop)
        return Estimate(
            last.values, float(np.linalg.norm(last.standard_error)), last.evaluations, time.perf_counter() - start
        )

    return run


RUN = {method: by_captum if method == "captum" else by_ours(method) for method in METHODS}


def benchmark(loaded: LoadedDetector, pictures: dict[str, NDArray[np.uint8]], options: argparse.Namespace) -> bool:
    """Print what each estimator reached; True if both targets are met."""
    squares: dict[str, list[float]] = defaultdict(list)
    owns: dict[str, list[float]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)  # per evaluation
    spent: dict[str, int] = {}
    noises: list[float] = []
    for row_id, picture in pictures.items():
        game = ImageGame(loaded, picture, grid=options.grid, batch_size=options.batch_size)
        faster = ImageGame(
            loaded, picture, grid=options.grid, batch_size=options.batch_size, precision=fast_precision(game.device)
        )  # fmt: skip
        gap = faster.precision_gap()
        faster = faster if gap < MOST_GAP else game
        for one in (game, faster):
            one.values(np.ones((2 * one.batch_size, one.players), dtype=bool))  # warm up
        reference = estimate(
            game, random_for(row_id, 1_000_003), StopRule(relative_error=None, evaluations=options.reference)
        )
        noise = float((reference.standard_error**2).sum())
        length2 = float((reference.values**2).sum()) - noise  # the square of a noisy map is too large by its variance
        if length2 <= 0:
            sys.exit(
                f"{row_id}: {reference.evaluations:,} evaluations give nothing but noise; take a longer --reference"
            )
        print(f"  {row_id}: v(empty) {reference.empty:.3f}, v(full) {reference.full:.3f}, length of the map {length2**0.5:.3f}, "
              f"reference's own error {(noise / length2) ** 0.5:.2%}; fast in {faster.precision} (gap {gap:.4f})")  # fmt: skip
        noises.append(noise / length2)
        for seed in range(options.repeats):
            for method in METHODS:  # in turns, so that a busy machine hits all
                got = RUN[method](faster if method == "fast" else game, options.evaluations, seed)
                squares[method].append((float(((got.values - reference.values) ** 2).sum()) - noise) / length2)
                owns[method].append(got.own_error**2 / length2)
                seconds[method].append(got.seconds / got.evaluations)
                spent[method] = got.evaluations
        check_default(game, row_id, reference, options.reference)
    if min(np.mean(squares[method]) for method in METHODS) < np.mean(noises):
        print("  the reference is no surer than the estimates, so they cannot be told apart: take a longer --reference")
        return False
    return report(squares, owns, seconds, spent)


def check_default(game: ImageGame, row_id: str, reference: Attribution, budget: int) -> None:
    """What the default does when it is left to stop by itself, where that is not beyond the budget."""
    needed = reference.evaluations * (reference.relative_error / WANTED_ERROR) ** 2
    if needed > 0.9 * budget:
        print(
            f"  by the reference's own error, 5 % take about {needed:,.0f} evaluations: more than --reference, not tried"
        )
        return
    got = estimate(game, random_for(row_id), StopRule(WANTED_ERROR, budget))
    wrong = np.linalg.norm(got.values - reference.values) / np.linalg.norm(reference.values)
    print(f"  left to itself, antithetic stops ({got.stopped}) at {got.evaluations:,} evaluations, own error "
          f"{got.relative_error:.1%}, against the reference {wrong:.1%}")  # fmt: skip


def report(
    squares: dict[str, list[float]],
    owns: dict[str, list[float]],
    seconds: dict[str, list[float]],
    spent: dict[str, int],
) -> bool:
    """Print the table and the verdict."""
    error = {method: float(np.sqrt(np.mean(squares[method]))) for method in METHODS}
    needed = {method: spent[method] * (error[method] / WANTED_ERROR) ** 2 for method in METHODS}
    pace = {method: min(seconds[method]) for method in METHODS}
    print(f"  {'':12}{'evaluations':>12}{'error':>9}{'own s.e.':>10}{'evaluations for 5 %':>21}{'of published':>14}"
          f"{'per second':>12}{'s for 5 %':>11}")  # fmt: skip
    for method in METHODS:
        own = f"{np.sqrt(np.mean(owns[method])):.2%}"
        print(f"  {method:12}{spent[method]:12,}{error[method]:9.2%}{own:>10}{needed[method]:21,.0f}"
              f"{needed[method] / needed['published']:14.2f}{1 / pace[method]:12.0f}"
              f"{needed[method] * pace[method]:11.1f}")  # fmt: skip
    share, speed = needed["antithetic"] / needed["published"], pace["captum"] / pace["fast"]
    print(f"  antithetic needs {share:.2f} of the published estimator's evaluations (wanted: at most {WANTED_SHARE:g})")
    print(f"  antithetic is {pace['captum'] / pace['antithetic']:.2f} times as fast as captum, fast {speed:.2f} times (wanted: "
          f"{WANTED_SPEED:g})")  # fmt: skip
    return share <= WANTED_SHARE and speed >= WANTED_SPEED


def main() -> int:
    """Run the benchmark; 0 if it reaches what is wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--run", action="append", default=[], help="name of a run instead of those looked for; repeatable"
    )
    parser.add_argument("--detector", choices=list(DETECTORS), help="only this one of those looked for")
    parser.add_argument("--evaluations", type=int, default=6_402, help="budget of each estimator")
    parser.add_argument("--reference", type=int, default=51_202, help="budget of the reference")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--grid", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=None, help="of all methods; by default what suits the device")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    space, device = find_workspace(), choose_device(options.device)
    names = [name for name in DETECTORS if options.detector in (None, name)]
    found = [(load_detector(run), f"trained, run {run}") for run in options.run] or [
        find_detector(name, DETECTORS[name], space) for name in names
    ]
    passed = []
    for loaded, origin in found:
        loaded.detector.to(device)
        pictures, kind = find_pictures(loaded.input_spec, options.images, space)
        print(f"\n{loaded.name} ({origin}), {loaded.input_spec.size_px} px, {options.grid} x {options.grid} cells, {device.type}, "
              f"{torch.get_num_threads()} threads; {len(pictures)} pictures ({kind}), {options.repeats} seeds")  # fmt: skip
        passed.append(benchmark(loaded, pictures, options))
    print(f"\n{'passed' if all(passed) else 'FAILED'}: wanted at most {WANTED_SHARE:g} of the published evaluations at equal "
          f"error, and {WANTED_SPEED:g} times captum's speed at equal evaluations")  # fmt: skip
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
