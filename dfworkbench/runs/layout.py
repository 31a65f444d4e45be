"""File names in a run's folder; no module outside `runs/` spells them out.

checkpoints/<name>/
    settings.json  provenance.json        written when training starts; imported weights have no settings
    epoch_001.safetensors …               weights with their record, one file per epoch; epoch_000 is an import
    scores/val_epoch_001.parquet …        validation scores, written by training
    scores/test_demo_epoch_001.parquet …  scores of a split of an extracted data set
    evidence/test_demo_epoch_001_tracks.parquet …  its tracks as the reference of case files, with _frames and how they were made
    history.csv  best.json                all epochs so far; the best one by validation
    README.md  fetched.json               of a fetched run: its model card, and its source with hashes
    resume.pt                             training state, written last: an epoch counts once this file knows it
    notebook.ipynb                        the executed notebook that trained the run
"""

import re
from pathlib import Path

SETTINGS, PROVENANCE = "settings.json", "provenance.json"
HISTORY, BEST, RESUME = "history.csv", "best.json", "resume.pt"
SCORES, NOTEBOOK, WEIGHTS = "scores", "notebook.ipynb", ".safetensors"
EVIDENCE = "evidence"
#: In a shared run: the model card, the list of files with their hashes, and the suffix of weights stored as a difference from a
#: base.
CARD, MANIFEST, DELTA = "README.md", "share.json", ".delta.safetensors"
#: In a fetched run: that list, and where it came from.
FETCHED = "fetched.json"
#: Epoch number of published weights; trained epochs count from 1.
IMPORTED_EPOCH = 0


def epoch_file(folder: Path, epoch: int) -> Path:
    """Weight file of an epoch."""
    return folder / f"epoch_{epoch:03d}{WEIGHTS}"


def delta_file(folder: Path, epoch: int) -> Path:
    """File of a shared run that holds only those weights of an epoch that differ from a base."""
    return folder / f"epoch_{epoch:03d}{DELTA}"


def parse_weights(name: str) -> tuple[int, str] | None:
    """Epoch and suffix (`WEIGHTS` or `DELTA`) from the name of a weight file; None for any other name."""
    match = re.fullmatch(rf"epoch_(\d{{3,6}})({re.escape(DELTA)}|{re.escape(WEIGHTS)})", name, re.ASCII)
    return (int(match[1]), match[2]) if match and match[1] == f"{int(match[1]):03d}" else None


def score_file(weights: Path, split: str, dataset: str = "") -> Path:
    """Score table of a weight file, in `scores/` beside the weights.

    Args:
        weights: The weight file.
        split: "train", "val" or "test".
        dataset: Extracted data set; empty for the validation scores that training writes.
    """
    return weights.parent / SCORES / ("_".join(filter(None, (split, dataset, weights.stem))) + ".parquet")


def scored_sets(weights: Path, split: str = "test") -> dict[str, Path]:
    """Existing score tables of a split for a weight file: data set -> table, in alphabetical order."""
    begin, end = f"{split}_", f"_{weights.stem}.parquet"
    found = sorted((weights.parent / SCORES).glob(f"{begin}*{end}"))
    return {file.name[len(begin) : -len(end)]: file for file in found}


def reference_file(weights: Path, split: str, dataset: str, suffix: str) -> Path:
    """A file with the scores of a case file's reference set: per frame, per track, or how they were made.

    Args:
        weights: The weight file.
        split: "val" or "test".
        dataset: Extracted data set.
        suffix: End of the file name, such as "_tracks.parquet".
    """
    return weights.parent / EVIDENCE / f"{split}_{dataset}_{weights.stem}{suffix}"
