"""Read (without executing anything) and write result pickles of DeepfakeBench (SCLBD).

Its trainer writes two files into `<log>/test/<data set>/`: `metric_dict_best.pickle` with `pred` (probabilities of fake),
`label` and its own metrics, and `data_dict_test.pickle` with `image` (paths of the frames) and `label`, in the same order.
Both are needed, because only the paths tell which frames belong to a video. A single file with all of it is accepted too.

Its `video_auc` identifies a video by the name of the frame folder. In FaceForensics++ the four methods have folders of equal
names (`Deepfakes/…/000_003`, `Face2Face/…/000_003`), so the scores of four videos are averaged into one. Here the key is the
path. `pool_by_folder_name` reproduces the pooling, to show the difference.

The format was derived from the published code; none of that code is used here.
"""

import logging
import pickle
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, STATUS_OK
from dfworkbench.core.workspace import atomic_path, explain_write
from dfworkbench.datasets.tables import NOTES, SCORES
from dfworkbench.evaluation.exchange.score_csv import finished, log_odds
from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.media.foreign import read_values

_log = logging.getLogger(__name__)

METRICS_FILE, NAMES_FILE = "metric_dict_best.pickle", "data_dict_test.pickle"
_NAMES = ("image", "img_names", "image_names")
#: Folder names that do not name the method.
_DULL = {"manipulated_sequences", "original_sequences", "frames", *COMPRESSIONS}
_TOLERATED = 1e-4  # tolerance of an AUC: scores were converted to text and back


def read_deepfakebench(path: Path | str, *, dataset: str = "", deepfakebench_pooling: bool = False) -> pd.DataFrame:
    """Read DeepfakeBench test results.

    Args:
        path: The folder of a data set with both pickles, its metric file, or one pickle with pred, label and image.
        dataset: Name of the data set; by default that of the folder.
        deepfakebench_pooling: Whether to pool equally named videos as DeepfakeBench does; only for comparing results.

    Returns:
        A score table (`tables.SCORES`) with one row per frame, or per clip for clip detectors.

    Raises:
        DataNotFoundError: A file is missing.
        TableError: A file is damaged, contains code or something else, or the two do not belong together.
    """
    path = Path(path)
    file = path / METRICS_FILE if path.is_dir() else path
    scores = _read(file)
    for name in ("pred", "label"):
        if name not in scores:
            raise TableError(
                f"reading results of DeepfakeBench: {file} has no {name!r}, only {', '.join(scores) or 'nothing'}. Expected pred "
                f"and label, as in {METRICS_FILE}."
            )
    known = next((scores[name] for name in _NAMES if name in scores), None)
    names, labels = (known, scores["label"]) if known is not None else _names_beside(file)
    table = _table(names, scores["pred"], scores["label"], labels, dataset or file.absolute().parent.name, file)
    pooled = pool_by_folder_name(table)
    _compare_pooled(scores, names, pooled, file)
    return pooled if deepfakebench_pooling else table


def write_deepfakebench(scores: pd.DataFrame, folder: Path | str) -> Path:
    """Write DeepfakeBench's two pickles into a folder: one row per face with a label and a score.

    Their format cannot hold files without a score, which are left out, nor several people per video. Frames become
    `<video_id>/<frame>.png`. Readers use the folder's name as the name of the data set.

    Raises:
        TableError: It is not a score table, has no labelled score, or has several tracks in one video.
        OutputError: The files cannot be written.
    """
    rows = SCORES.complete(scores, "the scores to be written")
    rows = rows[(rows["status"] == STATUS_OK) & rows["label"].isin((REAL, FAKE)) & rows["fake_probability"].notna()]
    if rows.empty:
        raise TableError(
            f"writing results for DeepfakeBench to {folder}: none of {len(scores)} rows has a label and a score. Score labelled "
            "files first."
        )
    people = rows.groupby("video_id")["track"].nunique()
    if (people > 1).any():
        raise TableError(
            f"writing results for DeepfakeBench to {folder}: {int((people > 1).sum())} videos have several people (first: "
            f"{people.idxmax()!r}), but the format has one score per frame, and its readers would average them. Expected one track "
            "per video: choose one, or write a table of aggregate.to_level(scores, 'video')."
        )
    frames = rows["frame"].clip(lower=0)
    names = [f"{video}/{frame:03d}.png" for video, frame in zip(rows["video_id"], frames, strict=True)]
    label, pred = rows["label"].to_numpy(), rows["fake_probability"].to_numpy()
    folder = Path(folder)
    for name, values in (
        (METRICS_FILE, {"pred": pred, "label": label, "auc": metric_of("auc", label, pred)}),
        (NAMES_FILE, {"image": names, "label": label.tolist()}),
    ):
        with explain_write(folder / name, "results for DeepfakeBench"):
            folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / name, "results for DeepfakeBench") as temporary:
            temporary.write_bytes(pickle.dumps(values))
    return folder


def pool_by_folder_name(scores: pd.DataFrame) -> pd.DataFrame:
    """Pool files whose last folder has the same name into one video, as DeepfakeBench does for `video_auc`.

    The score is the mean over all rows. A pool with any real row counts as real, as in its code. For comparison only.
    """
    rows = scores[(scores["status"] == STATUS_OK) & scores["label"].isin((REAL, FAKE))]
    names = rows["video_id"].str.rpartition("/")[2].rename("video_id")
    out = rows.groupby(names, sort=False).agg(
        dataset=("dataset", "first"), split=("split", "first"), label=("label", "min"),
        fake_probability=("fake_probability", "mean"),
    ).reset_index()  # fmt: skip
    out["logit"] = log_odds(out["fake_probability"].to_numpy())
    return SCORES.complete(out.assign(row_id=out["video_id"]), "pooled videos")


def _read(file: Path) -> dict[str, Any]:
    expected = "a pickled dict of arrays, numbers and lists of paths"
    where = f"DeepfakeBench writes {METRICS_FILE} and {NAMES_FILE} into the folder of a test set; copy both"
    try:
        return read_values(file, doing="reading results of DeepfakeBench", where_to_get=where, expected=expected)
    except CheckpointError as error:
        raise TableError(str(error)) from None


def _names_beside(file: Path) -> tuple[Any, Any]:
    beside = file.with_name(NAMES_FILE)
    if not beside.is_file():
        raise DataNotFoundError(
            f"reading results of DeepfakeBench: {file} has scores but no paths of frames, and there is no {beside.name} beside it. "
            "Without them it is not known which frames make a video: copy that file from the folder of the test set too."
        )
    data = _read(beside)
    if "image" not in data or "label" not in data:
        raise TableError(
            f"reading results of DeepfakeBench: {beside} has {', '.join(data) or 'nothing'}; expected image and label. Copy it "
            "again."
        )
    return data["image"], data["label"]


def _table(names: Any, pred: Any, label: Any, other: Any, dataset: str, file: Path) -> pd.DataFrame:
    first = [
        PurePosixPath(str(name[0] if isinstance(name, list) and name else name).replace("\\", "/")) for name in names
    ]
    scores = np.asarray(pred, dtype=np.float64).ravel()
    labels, theirs = ((np.asarray(values).ravel() != 0).astype("int64") for values in (label, other))
    if not len(first) == len(scores) == len(labels) == len(theirs) or not np.array_equal(labels, theirs):
        differ = ", and the labels differ" if len(labels) == len(theirs) else ""
        raise TableError(
            f"reading results of DeepfakeBench: {file} has {len(scores)} scores and {len(labels)} labels, the list of frames has "
            f"{len(first)} paths and {len(theirs)} labels{differ}. Expected files of one run, in one order: copy both "
            "from the same folder."
        )
    if len(scores) and not (scores.min() >= 0 and scores.max() <= 1):  # false for NaN
        raise TableError(
            f"reading results of DeepfakeBench: pred in {file} ranges from {scores.min():g} to {scores.max():g}; expected "
            "probabilities of fake from 0 to 1. Turn logits into probabilities before they are saved."
        )
    above = _shared_folders([name.parent for name in first])
    below = [PurePosixPath(*name.parts[above:]) for name in first]
    rows = pd.DataFrame({
        "video_id": [f"{dataset}/{name.parent}" for name in below], "dataset": dataset, "split": "test", "label": labels,
        "forgery": [_method(name) if fake else "" for name, fake in zip(below, labels, strict=True)],
        "frame": [int(name.stem) if name.stem.isdecimal() else -1 for name in below],
        "fake_probability": scores, "logit": log_odds(scores),
    })  # fmt: skip
    keys = pd.Series([f"{dataset}/{name}" for name in below])
    again = keys.groupby(keys).cumcount()  # clips may start at the same frame
    rows["row_id"] = keys.where(again == 0, keys + "#" + again.astype(str))
    table = finished(rows.assign(track=0), file)
    copies = int(pd.DataFrame({"key": keys, "score": scores}).duplicated().sum())
    table.attrs[NOTES] = [f"{copies} rows repeat a path with the same score, and count as often"] if copies else []
    return table


def _shared_folders(folders: list[PurePosixPath]) -> int:
    """Number of leading path parts shared by all video folders, not counting the video's own name."""
    parents = {folder.parts[:-1] for folder in folders}
    shared = 0
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return shared


def _method(name: PurePosixPath) -> str:
    """The first folder above the video that names a method, such as Deepfakes or Celeb-synthesis; "" for none."""
    return next((part for part in name.parts[:-2] if part not in _DULL), "")


def _compare_pooled(scores: dict[str, Any], names: Any, pooled: pd.DataFrame, file: Path) -> None:
    """Warn if the stored video AUC does not match these paths, which may then belong to another run."""
    stored = scores.get("video_auc")
    if not isinstance(stored, float) or not len(names) or isinstance(names[0], list) or pooled["label"].nunique() < 2:
        return
    ours = metric_of("auc", pooled["label"], pooled["fake_probability"])
    if abs(ours - stored) > _TOLERATED:
        _log.warning(
            "%s says video_auc %.4f; pooled by folder name, its scores and the listed paths give %.4f. The paths may be in another "
            "order, of another run.", file, stored, ours,
        )  # fmt: skip
