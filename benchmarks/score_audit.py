"""Time and peak memory of the audit of a wide table: 10^4, 10^5 and 10^6 rows of 20 detectors, 40 generators and 12 real sources.

Each size runs in a process of its own, from a CSV that it wrote before. A plain alternative stands beside it for one step: 100
draws of clusters with the AUC of weighted rows by scikit-learn, scaled to 20,000 draws, against the win matrix.

    python benchmarks/score_audit.py [--rows 10000,100000,1000000] [--detectors 20]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import Table
from pyarrow.csv import write_csv


def write_table(path: Path, rows: int, detectors: int) -> None:
    """Random scores of detectors of different quality; every generator and source has its own shift."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    source = np.where(y == 1, rng.integers(0, 40, rows), rng.integers(40, 52, rows))
    table = pd.DataFrame({
        "path": [f"videos/{i:07d}.mp4" for i in range(rows)], "label": np.where(y == 1, "fake", "real"),
        "source": [f"s{k:02d}" for k in source], "seconds": rng.gamma(2.0, size=rows).round(3),
    })  # fmt: skip
    for k in range(detectors):
        shift = rng.normal(size=52)[source] / 2
        logit = rng.normal(size=rows) + shift + y * (0.5 + 2 * k / detectors)
        table[f"prob_{k:02d}"] = (1 / (1 + np.exp(-logit))).round(7)
    write_csv(Table.from_pandas(table, preserve_index=False), path)


def audit(path: Path) -> None:
    """Audit a table and print the time of each part and the peak of memory."""
    from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
    from dfworkbench.evaluation.score_audit.audit import audit_scores

    start = time.perf_counter(), time.process_time()
    table = read_wide(path, Reading(["prob_*"]))
    read_s = time.perf_counter() - start[0]
    found = audit_scores(table)
    wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{len(table):>9,} rows x {len(found.figures)} detectors: read {read_s:6.1f} s, all {wall:7.1f} s ({cpu:.1f} "
        f"s of processor time), peak {peak / 1024:,.0f} MB"
    )


def compare(path: Path) -> None:
    """20,000 draws of clusters for one detector: the win matrix against weighting rows."""
    from sklearn.metrics import roc_auc_score

    from dfworkbench.evaluation.exchange.wide_reader import Reading, read_wide
    from dfworkbench.evaluation.metrics.clusters import draw_within_classes, drawn_aucs
    from dfworkbench.evaluation.score_audit.prepare import Judged, find_clusters

    table = read_wide(path, Reading(["prob_00"]))
    clusters, _ = find_clusters(table)
    assert clusters is not None
    start = time.process_time()
    one = Judged("prob_00", table, clusters)
    drawn = draw_within_classes(*clusters.sizes, 20_000, 0)
    aucs = drawn_aucs([one.wins], drawn)[:, 0]
    fast = time.process_time() - start
    start = time.process_time()
    for at in range(100):
        y, code = table.labels, clusters.code
        weights = np.where(y == 1, drawn.fakes[at][np.minimum(code, 39)], drawn.reals[at][np.minimum(code, 11)])
        assert abs(roc_auc_score(y, one.values, sample_weight=weights) - aucs[at]) < 1e-9
    slow = (time.process_time() - start) * 200
    print(
        f"20,000 draws of one detector, {len(table):,} rows: {fast:.2f} s, weighting rows {slow:.0f} s: {slow / fast:.0f}x"
    )


def main() -> None:
    """Measure every size in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--detectors", type=int, default=20)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--compare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.table:
        (compare if given.compare else audit)(given.table)
        return
    with tempfile.TemporaryDirectory() as folder:
        for place, rows in enumerate(map(int, given.rows.split(","))):
            path = Path(folder) / "scores.csv"
            write_table(path, rows, given.detectors)
            for more in ([], ["--compare"]) if not place else ([],):
                subprocess.run([sys.executable, __file__, "--table", str(path), *more], check=True)


if __name__ == "__main__":
    main()
