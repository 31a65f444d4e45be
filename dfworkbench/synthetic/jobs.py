"""Run the jobs that generate a set in processes, and distinguish finished sets from unfinished ones."""

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import cv2
from tqdm.auto import tqdm

from dfworkbench.core.cores import available_cores
from dfworkbench.core.errors import OutputError
from dfworkbench.core.names import GENERATED_MARKER
from dfworkbench.core.settings import Settings
from dfworkbench.synthetic.files import write_json
from dfworkbench.synthetic.settings import SPEED_ONLY

FORMAT = 5  #: increase it when the same settings give different pictures
MANIFEST, UNFINISHED = "manifest.json", "unfinished.json"

Job = Callable[[], list[dict[str, Any]]]


def set_hash(settings: Settings) -> str:
    """Hash of a set: settings that affect the pictures, and the version of the generator."""
    return f"{FORMAT}-{settings.content_hash(without=SPEED_ONLY)}"


def is_finished(root: Path, settings: Settings) -> bool:
    """Whether `root` contains the whole set for these settings."""
    return _hash_in(root / MANIFEST) == set_hash(settings)


def _hash_in(path: Path) -> str:
    try:
        return str(json.loads(path.read_text()).get("hash", ""))
    except (OSError, ValueError):
        return ""


def run_jobs(jobs: Sequence[Job], root: Path, settings: Settings, workers: int, progress: bool) -> list[dict[str, Any]]:
    """Run all jobs; returns their files in the order of `jobs`, whatever finished first."""
    _make_room(root, settings)
    results: list[list[dict[str, Any]]] = [[] for _ in jobs]
    with tqdm(total=len(jobs), desc=f"demo set {root.name}", unit="part", disable=not progress) as bar:
        for index, result in _run(jobs, workers or available_cores()):
            results[index] = result
            bar.update()
    return [file for files in results for file in files]


def finish(root: Path, settings: Settings, files: list[dict[str, Any]]) -> None:
    """Write the manifest, which marks the set as finished."""
    write_json(root / GENERATED_MARKER, {"by": "dfworkbench.synthetic"})
    write_json(
        root / MANIFEST, {"hash": set_hash(settings), "settings": settings.model_dump(mode="json"), "files": files}
    )
    (root / UNFINISHED).unlink(missing_ok=True)


def _make_room(root: Path, settings: Settings) -> None:
    """Keep files of an unfinished set with the same settings, remove those of other settings, and refuse an unrelated folder."""
    marker = root / UNFINISHED
    if _hash_in(marker) == set_hash(settings):
        return
    if root.exists() and any(root.iterdir()):
        if not (marker.exists() or (root / MANIFEST).exists()):
            raise OutputError(
                f"cannot generate a demo set in {root}: the folder holds files that are not a generated set. "
                "Choose an empty or new folder."
            )
        for name in ("original_sequences", "manipulated_sequences", "splits", "extras", "Celeb-real", "Celeb-synthesis",
                     "YouTube-real", "masks", "landmarks"):  # fmt: skip
            shutil.rmtree(root / name, ignore_errors=True)
        for name in (MANIFEST, "List_of_testing_videos.txt"):
            (root / name).unlink(missing_ok=True)
    write_json(marker, {"hash": set_hash(settings)})


def _run(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    if min(workers, len(jobs)) <= 1:
        before = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield from ((index, job()) for index, job in enumerate(jobs))
        finally:
            cv2.setNumThreads(before)
        return
    # Fresh processes: a fork of a notebook's process, with its threads, can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        futures = {pool.submit(job): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)
