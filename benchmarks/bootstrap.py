"""Bootstrap intervals over videos: ours against the plain loop over scikit-learn, in the same process.

Both give the AUC's 95 % interval on frame level, so that each draw must keep the frames of a video together. The plain way
gathers the rows of the drawn videos and calls `roc_auc_score`; it runs fewer draws and its time is scaled up.

    python benchmarks/bootstrap.py [--videos 5000] [--faces 32] [--draws 2000] [--plain-draws 20]
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from dfworkbench.evaluation.metrics.curves import draw_counts
from dfworkbench.evaluation.metrics.evaluate import evaluate
from dfworkbench.evaluation.metrics.interval import Judging


def make_table(videos: int, faces: int) -> pd.DataFrame:
    """Random scores; the faces of a video resemble one another."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(videos) % 2, faces)
    logit = np.repeat(rng.normal(size=videos), faces) + rng.normal(size=videos * faces) + label
    video = np.repeat([f"d/{i}.mp4" for i in range(videos)], faces)
    return pd.DataFrame(
        {"row_id": np.arange(len(label)).astype(str), "video_id": video, "label": label, "track": 0,
         "frame": np.tile(np.arange(faces), videos), "fake_probability": 1 / (1 + np.exp(-logit)), "status": "ok"}
    )  # fmt: skip


def plain_interval(table: pd.DataFrame, counts: np.ndarray) -> tuple[float, float]:
    """The slow reference."""
    rows = list(table.groupby("video_id").indices.values())
    label, score = table["label"].to_numpy(), table["fake_probability"].to_numpy()
    aucs = []
    for draw in counts:
        index = np.concatenate([np.tile(rows[v], n) for v, n in enumerate(draw) if n])
        aucs.append(roc_auc_score(label[index], score[index]))
    low, high = np.quantile(aucs, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Time both (processor time of one thread, so that other work on the machine does not count) and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("videos", 5000), ("faces", 32), ("draws", 2000), ("plain-draws", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    table = make_table(given.videos, given.faces)

    start = time.process_time()
    plain = plain_interval(table, draw_counts(given.videos, given.plain_draws, seed=0))
    plain_s = (time.process_time() - start) / given.plain_draws * given.draws
    same = evaluate(table, ["frame"], Judging(draws=given.plain_draws), metrics=["auc"]).iloc[0]
    print(f"{given.videos} videos x {given.faces} faces, {given.draws} draws, AUC")
    print(f"  plain loop, frame level : {plain_s:8.1f} s ({given.plain_draws} draws timed)")
    for level in ("frame", "video"):
        start = time.process_time()
        evaluate(table, [level], Judging(draws=given.draws), metrics=["auc"])
        ours = time.process_time() - start
        note = f", {plain_s / ours:.0f} times faster" if level == "frame" else ""
        print(f"  dfworkbench, {level} level: {ours:8.1f} s{note}")
    print(f"  same draws, same interval: {np.allclose(plain, (same['low'], same['high']), atol=1e-12)}")


if __name__ == "__main__":
    main()
