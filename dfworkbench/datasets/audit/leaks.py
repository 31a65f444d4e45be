"""Leakage audit of tables and files: people, source videos, pairs, paths and file contents in more than one split.

Every function returns a table of `LEAK_COLUMNS`, one row per leaking item and pair of splits, with one example video from each
split. Files without a split are skipped. Pictures are compared in `frame_leaks`.
"""

import hashlib
import itertools
import posixpath
from pathlib import Path

import pandas as pd

from dfworkbench.core.names import FAKE, REAL, SPLITS
from dfworkbench.media import walk

LEAK_COLUMNS = ("kind", "split_a", "video_a", "split_b", "video_b", "detail")


def leak_rows(rows: list[tuple[str, ...]]) -> pd.DataFrame:
    """Rows in the order of `LEAK_COLUMNS` as a table, sorted, so that equal leaks make equal tables."""
    frame = pd.DataFrame(rows, columns=list(LEAK_COLUMNS), dtype="str")
    return frame.sort_values(list(LEAK_COLUMNS), ignore_index=True)


def shared_identities(videos: pd.DataFrame) -> pd.DataFrame:
    """People (carriers, donors) and groups in more than one split: kind "identity"."""
    used = _split(videos)
    parts = [used[["video_id", "split"]].assign(thing=used[name]) for name in ("carrier", "donor", "group")]
    return _shared("identity", pd.concat(parts).drop_duplicates())


def shared_sources(videos: pd.DataFrame) -> pd.DataFrame:
    """Genuine videos that are the source of fakes in more than one split: kind "source"."""
    used = _split(videos)
    fakes = used[used["label"] == FAKE]
    return _shared("source", fakes[["video_id", "split"]].assign(thing=fakes["genuine_id"]))


def shared_paths(videos: pd.DataFrame) -> pd.DataFrame:
    """One file under two names, such as `a/../b.mp4` and `b.mp4`, in more than one split: kind "path"."""
    used = _split(videos)
    places = used["dataset"] + "/" + used["path"].map(posixpath.normpath)
    return _shared("path", used[["video_id", "split"]].assign(thing=places))


def crossing_pairs(videos: pd.DataFrame) -> pd.DataFrame:
    """Fakes with their genuine video, or one of their carrier or donor, in another split: kind "pair".

    Returns:
        One row per fake, role and other split; of a person's genuine videos, the first by name.
    """
    used = _split(videos)
    fakes, real = used[used["label"] == FAKE], used[used["label"] == REAL]
    sides = (
        ("genuine_id", used, "video_id", "genuine video"),
        ("carrier", real, "carrier", "genuine video of its carrier"),
    )
    found: dict[tuple[str, ...], str] = {}
    rows = []
    for column, others, key, role in (*sides, ("donor", real, "carrier", "genuine video of its donor")):
        right = others[others[key] != ""].sort_values("video_id")
        right = pd.DataFrame({"thing": right[key], "video_b": right["video_id"], "split_b": right["split"]})
        left = pd.DataFrame({"thing": fakes[column], "video_a": fakes["video_id"], "split_a": fakes["split"]})
        pairs = left.merge(right.drop_duplicates(["thing", "split_b"]), on="thing")
        for row in pairs[pairs["split_a"] != pairs["split_b"]].itertuples(index=False):
            pair = (row.split_a, row.video_a, row.split_b, row.video_b)
            if found.setdefault(pair, role) == role:  # the genuine video also shows the carrier
                rows.append(("pair", *pair, f"the second is the {role}"))
    return leak_rows(rows)


def same_files(videos: pd.DataFrame, root: Path) -> pd.DataFrame:
    """Files of more than one split with the same content: kind "content".

    Only files of equal size are read, so a data set without copies costs one stat call per file. A folder of frames counts as
    the list of its files. Missing files are skipped.
    """
    used = _split(videos)
    sizes = {video: _length(root / path) for video, path in zip(used["video_id"], used["path"], strict=True)}
    used = used.assign(size=used["video_id"].map(sizes))
    used = used[used["size"] > 0]
    alike = used[used.groupby("size")["split"].transform("nunique") > 1]
    hashes = [_content(root / path) for path in alike["path"]]
    return _shared("content", alike[["video_id", "split"]].assign(thing=hashes), short=12)


def _split(videos: pd.DataFrame) -> pd.DataFrame:
    return videos[videos["split"] != ""]


def _shared(kind: str, rows: pd.DataFrame, short: int | None = None) -> pd.DataFrame:
    """Items in more than one split, from rows with video_id, split and item; "" is not an item."""
    rows = rows[rows["thing"] != ""]
    spread = rows[rows.groupby("thing")["split"].transform("nunique") > 1]
    found = []
    for thing, group in spread.groupby("thing", sort=True):
        sides = group.groupby("split")["video_id"].agg(["min", "nunique"])
        for a, b in itertools.combinations([split for split in SPLITS if split in sides.index], 2):
            counts = f"{sides.loc[a, 'nunique']} and {sides.loc[b, 'nunique']} files"
            detail = f"{str(thing)[:short]!r} in {a}, {b}: {counts}"
            found.append((kind, a, str(sides.loc[a, "min"]), b, str(sides.loc[b, "min"]), detail))
    return leak_rows(found)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return walk(path).files
    return [path] if path.is_file() else []


def _length(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path))


def _content(path: Path) -> str:
    hashes = []
    for file in _files(path):
        with file.open("rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
