"""Train in child processes that are killed at random moments; used by test_training_kill.py.

One process imports torch once and forks the others, so that a kill costs little.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas  # noqa: F401
import pyarrow.parquet  # noqa: F401 - both would otherwise be imported again in every child

from dfworkbench.core.workspace import Workspace
from dfworkbench.training import TrainSettings
from dfworkbench.training.start import train


def child(settings: TrainSettings, workspace: Workspace) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for _ in train(settings, workspace, progress=False):
            pass
        status = 0
    finally:
        os._exit(status)


def train_to_the_end(settings: TrainSettings, workspace: Workspace) -> None:
    assert os.waitpid(child(settings, workspace), 0)[1] == 0


def epochs_done(settings: TrainSettings, workspace: Workspace) -> list[float]:
    """Seconds of each finished epoch."""
    history = workspace.checkpoints / settings.name / "history.csv"
    return pd.read_csv(history)["seconds"].tolist() if history.is_file() else []


def main(undisturbed: str, root: str, kills: str, seed: str, text: str) -> None:
    settings, workspace = TrainSettings(**json.loads(text)), Workspace(Path(root))
    whole = Workspace(Path(undisturbed))
    train_to_the_end(settings, whole)
    epoch = sum(epochs_done(settings, whole)) / settings.epochs
    rng = np.random.default_rng(int(seed))
    killed, resumed = 0, 0
    while killed < int(kills):
        before = len(epochs_done(settings, workspace))
        pid = child(settings, workspace)
        # every other child dies while it starts, or in its first epoch; the others after 0, 1 or 2 epochs more
        further = rng.integers(3) if killed % 2 else 0
        while len(epochs_done(settings, workspace)) < before + further:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 2 * epoch)))
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1]), "the child ended before it was killed: train for more epochs"
        killed += 1
        resumed += len(epochs_done(settings, workspace)) > 0
    train_to_the_end(settings, workspace)
    sys.stdout.write(json.dumps({"killed": killed, "resumed": resumed}))


if __name__ == "__main__":
    main(*sys.argv[1:])
