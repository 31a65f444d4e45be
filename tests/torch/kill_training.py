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

from dfworkbench.training import TrainSettings
from dfworkbench.training.start import train
from dfworkbench.workspace import Workspace


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


def main(undisturbed: str, root: str, kills: str, seed: str, text: str) -> None:
    settings, workspace = TrainSettings(**json.loads(text)), Workspace(Path(root))
    began = time.perf_counter()
    assert os.waitpid(child(settings, Workspace(Path(undisturbed))), 0)[1] == 0
    per_epoch = (time.perf_counter() - began) / settings.epochs
    rng = np.random.default_rng(int(seed))
    moments = []
    # below one epoch on average, so that some children die in the first epoch after a start and some later
    for _ in range(int(kills)):
        pid = child(settings, workspace)
        wait = float(rng.uniform(0, 1.6 * per_epoch))
        time.sleep(wait)
        os.kill(pid, signal.SIGKILL)
        if os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
            moments.append(wait)
    history = workspace.checkpoints / settings.name / "history.csv"
    before = len(history.read_text().splitlines()) - 1 if history.is_file() else 0
    assert os.waitpid(child(settings, workspace), 0)[1] == 0
    sys.stdout.write(json.dumps({"killed": len(moments), "epochs_before_last_start": before, "per_epoch": per_epoch}))


if __name__ == "__main__":
    main(*sys.argv[1:])
