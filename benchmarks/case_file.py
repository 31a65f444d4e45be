"""Thresholds of a case file, measured by simulation: interval of an LR, reservation S4, rules R7 and S6; and the speed of refits.

- interval: how often the nominal 95 % interval of an LR holds the true one (LR 20; scores are true log LRs of two normal
  distributions with means -2 and 2; three files a person and class, intraclass correlation 0.7), drawing people and drawing rows
- calibration: how often a well-specified LR system has a cost of calibration above 0.05 (S4)
- applicability: how often R7 refuses a face that fits, and faces that are off; how often S6 reserves one that fits (eight numbers
  with heavy tails, three vectors of 12, 6 and 40 dimensions)
- speed: 2,000 refits of 600 rows at once, against a call of scikit-learn for each, processor time

    python benchmarks/case_file.py [interval calibration applicability speed] [--repeats 150]
"""

import argparse
import time
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from dfworkbench.evaluation.metrics.likelihood_ratios import fit_lr
from dfworkbench.evidence.numbers.applicability import Applicability, fit_applicability
from dfworkbench.evidence.numbers.lr_system import fit_system
from dfworkbench.evidence.numbers.validation import validate
from dfworkbench.evidence.reference.scores import ReferenceScores, reference_scores
from dfworkbench.evidence.rules.refusals import r7_applicability
from dfworkbench.evidence.rules.reservations import s4_calibration, s6_applicability

PEOPLE = (10, 20, 40, 80)
NUMBERS = tuple(f"number {k}" for k in range(8))
VECTORS = {"blocks": 12, "colours": 6, "detector features": 40}


def interval(people: int, repeats: int) -> dict[str, float]:
    """Share of intervals that hold the true LR, and of those that lie wholly too far from 1."""
    true, held, rows_held, far = 20.0, [], [], []
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        labels, person = np.repeat([0, 1], 3 * people), np.repeat(np.arange(2 * people), 3)
        noise = np.sqrt(0.7) * rng.normal(size=2 * people)[person] + np.sqrt(0.3) * rng.normal(size=6 * people)
        scores = 2 * (2 * labels - 1) + 2 * noise
        for groups, out in ((person, held), (np.arange(6 * people), rows_held)):
            drawn = fit_system(reference_scores(scores, labels, groups), draws=400, seed=seed).drawn
            low, high = np.quantile(drawn.llr([np.log(true)]), [0.025, 0.975])
            out.append(low <= np.log10(true) <= high)
            if out is held:
                far.append(low > np.log10(true))
    return {"people": people, "held": np.mean(held), "by rows": np.mean(rows_held), "too far": np.mean(far)}


def simulated_people(people: int, apart: float, kinds: int, seed: int) -> ReferenceScores:
    """Scores of people with two genuine tracks and one of each kind; a person's scores share a fifth of their variance."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat([0, 1], [2, kinds]), people)
    person = np.repeat(np.arange(people), 2 + kinds)
    scores = rng.normal(0, 0.5, people)[person] + rng.normal((2 * labels - 1) * apart, 1)
    return reference_scores(scores, labels, person)


def calibration(people: int, apart: float, kinds: int, repeats: int) -> dict[str, float]:
    """Share of well-specified systems with S4, and the median cost of calibration."""
    systems = (fit_system(simulated_people(people, apart, kinds, seed), draws=0) for seed in range(repeats))
    found = [validate(system, draws=0) for system in systems]
    cost = [one.cllr_cal for one in found]
    return {
        "people": people, "tracks a person": 2 + kinds, "Cllr": np.median([one.cllr for one in found]),
        "Cllr-cal": np.median(cost), "S4": np.mean([s4_calibration(one).holds for one in cost]),
    }  # fmt: skip


def faces(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Quantities of people with a track of each class."""
    rows = [(f"p{k:02d}", label) for k in range(count) for label in (0, 1)]
    table = pd.DataFrame(rows, columns=["group", "label"]).assign(score=rng.normal(size=len(rows)))
    for name in NUMBERS:
        table[name] = rng.standard_t(2, size=len(rows))
    for name, size in VECTORS.items():
        table[name] = list(rng.normal(size=(len(rows), size)))
    return table


def applicability(people: int, repeats: int) -> dict[str, float]:
    """Share of faces that R7 refuses: fitting ones, ones off in every vector, and in one number; S6 of fitting ones."""
    fitting, reserved, off = [], [], {0.0: [], 1.0: [], 3.0: []}
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        reference = fit_applicability(faces(people, rng), NUMBERS, tuple(VECTORS), ())
        for _, face in faces(5, rng).iterrows():
            refused, unusual = _rules(reference, face)
            fitting.append(refused)
            if not refused:
                reserved.append(unusual)
            for distance, out in off.items():
                moved = face.copy()
                for name in VECTORS:
                    moved[name] = face[name] + distance
                moved[NUMBERS[0]] = face[NUMBERS[0]] if distance else 50.0
                out.append(_rules(reference, moved)[0])
    return {
        "people": people, "R7 in vain": np.mean(fitting), "S6 of fitting": np.mean(reserved), "R7 1 sd off": np.mean(off[1.0]),
        "R7 3 sd off": np.mean(off[3.0]), "R7 one number off": np.mean(off[0.0]),
    }  # fmt: skip


def _rules(reference: Applicability, face: pd.Series) -> tuple[bool, bool]:
    found = reference.compare(face)
    return (
        r7_applicability(found.p, found.people, found.far).holds,
        s6_applicability(found.p, found.people, found.odd).holds,
    )


def speed() -> dict[str, float]:
    """Processor time of 2,000 refits, and of scikit-learn for as many, taken from a tenth of them."""
    rows = simulated_people(50, 1.5, 10, 0)
    start = time.process_time()
    fit_system(rows, draws=2000)
    ours = time.process_time() - start
    start = time.process_time()
    for _ in range(200):
        fit_lr(rows.scores, rows.labels, rows.codes)
    plain = 10 * (time.process_time() - start)
    return {"rows": len(rows.scores), "at once (s)": ours, "one by one (s)": plain, "ratio": plain / ours}


def show(title: str, rows: Iterable[dict]) -> None:
    """Print a table."""
    print(f"\n{title}\n{pd.DataFrame(rows).to_string(index=False, float_format='{:.3f}'.format)}", flush=True)


def main(words: Sequence[str] | None = None) -> None:
    """Print the chosen tables."""
    tables = ("interval", "calibration", "applicability", "speed")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="table", help=f"of {', '.join(tables)}; all without")
    parser.add_argument("--repeats", type=int, default=150)
    given = parser.parse_args(words)
    chosen, repeats = given.tables or tables, given.repeats
    if "interval" in chosen:
        show("interval of an LR of 20", (interval(people, repeats) for people in PEOPLE))
    if "calibration" in chosen:
        sets = [(people, apart, kinds) for people in (20, 50, 100) for apart in (1.5, 2.5) for kinds in (2, 5)]
        show("well-specified LR systems", (calibration(*one, max(1, repeats // 7)) for one in sets))
    if "applicability" in chosen:
        show("applicability", (applicability(people, max(1, repeats // 7)) for people in (10, 20, 50)))
    if "speed" in chosen:
        show("refits", [speed()])


if __name__ == "__main__":
    main()
