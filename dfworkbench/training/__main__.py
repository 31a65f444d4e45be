"""Training without a notebook: `python -m dfworkbench.training --settings FILE.json`, also under torchrun."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dfworkbench.core.errors import DataNotFoundError, ParameterError, WorkbenchError
from dfworkbench.media.foreign.bounds import read_json
from dfworkbench.training.settings import TrainSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as a settings file says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dfworkbench.training", description=__doc__)
    parser.add_argument(
        "--settings", type=Path, required=True, help="JSON file of TrainSettings, such as a run's settings.json"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        settings = read_settings(options.settings)
        from dfworkbench.training.processes import leave_processes
        from dfworkbench.training.start import train

        for epoch in train(settings, progress=not options.quiet):
            if os.environ.get("RANK", "0") == "0":
                sys.stdout.write(
                    f"epoch {epoch.number}/{epoch.epochs}: train loss {epoch.train['loss']:.4f}, val loss {epoch.val['loss']:.4f}, "
                    f"val video AUC {epoch.val.get('auc_video', float('nan')):.3f}, {epoch.seconds:.1f} s"
                    f"{' (best so far)' if epoch.best else ''}\n"
                )
                sys.stdout.flush()
        leave_processes()
    except WorkbenchError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def read_settings(path: Path) -> TrainSettings:
    """Settings from a JSON file."""
    if not path.is_file():
        raise DataNotFoundError(f"reading settings: there is no file {path}.")
    try:
        values = read_json(path)
    except ValueError as error:
        raise ParameterError(f"reading settings: {path} is no JSON ({error}).") from None
    if not isinstance(values, dict):
        raise ParameterError(
            f"reading settings: {path} holds a {type(values).__name__}, expected an object of names and values."
        )
    return TrainSettings(**values)


if __name__ == "__main__":
    sys.exit(main())
