"""Score files in worker processes (`core.dask_workers`); each loads the detector once and uses one thread."""

import dataclasses
import logging
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfworkbench.core.cores import available_cores
from dfworkbench.core.dask_workers import run_on_workers
from dfworkbench.core.errors import CheckpointError, WorkbenchError
from dfworkbench.evaluation.scoring.file_scorer import FileScorer
from dfworkbench.evaluation.scoring.journal import Finished, weights_hash
from dfworkbench.evaluation.scoring.loading import load_for_scoring
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.faces import FaceFinder, FaceSettings
from dfworkbench.media import media_kind
from dfworkbench.models.modes import device_of
from dfworkbench.runs.checkpoints import LoadedDetector

_log = logging.getLogger(__name__)
#: Seconds to start worker processes, and seconds per core for a video frame and a picture with face search, and for ready-made
#: crops. Rough, because they only decide whether worker processes save time.
_START_S, _FRAME_S, _PICTURE_S, _READY_S = 8.0, 0.03, 0.15, 0.01
#: Memory of a worker besides its detector's weights: torch, decoded frames, faces.
_WORKER_BYTES = 700_000_000
_LOST = "its worker process died twice while scoring it (out of memory, or a fault in a decoder)"
_scorers: dict[str, FileScorer] = {}


class DetectorNotSharedError(Exception):
    """Worker processes cannot load the parent process's detector; the message says why."""


@dataclass(frozen=True)
class Job:
    """What a worker needs to score one file.

    Attributes:
        video_id: Key of the file.
        file: The file.
        weights: The detector's weight file.
        digest: Expected `weights_hash` of its detector.
        settings: How faces are found and displayed.
        faces: Face settings adapted to the detector.
    """

    video_id: str
    file: Path
    weights: Path
    digest: str
    settings: ScoreSettings
    faces: FaceSettings


@dataclass(frozen=True)
class Unloadable:
    """Reason why a worker cannot load the detector."""

    reason: str


def count_workers(files: Sequence[Path], scorer: FileScorer) -> int:
    """Number of worker processes for these files; 0 to score in this process.

    With `settings.workers` = 0, processes are started if they save time: for many files, on a CPU with several cores. Each
    holds the detector in memory, which limits their number.
    """
    settings = scorer.settings
    if len(files) < 2 or settings.workers == 1:
        return 0
    if settings.workers:
        return min(settings.workers, len(files))
    alone_s = sum(_seconds(file, scorer) for file in files)
    count = min(available_cores(), len(files))
    if count < 2 or alone_s * (1 - 1 / count) < _START_S or device_of(scorer.loaded.detector).type != "cpu":
        return 0
    count = min(count, _fitting(scorer.loaded))
    return count if count > 1 and _may_start_processes() else 0


def score_on_workers(
    files: Sequence[tuple[str, Path]], scorer: FileScorer, workers: int
) -> Iterator[tuple[str, Finished]]:
    """Score files in worker processes, of `scorer.settings.scheduler` or on this machine.

    Args:
        files: By video_id and path.
        scorer: Its finder is not used.
        workers: Processes on this machine, if no scheduler is given.

    Yields:
        The video_id of a file, with the file and its rows, as they finish. A file whose worker died twice has the status
        "error". Results equal those of one process with one thread bit for bit. With several threads, torch sums in another
        order, so boxes differ in the last bit of float32 (1.5e-5 px); scores then differ only if that moves a crop.

    Raises:
        DetectorNotSharedError: Workers on this machine cannot load the detector: it was changed in memory, or is built by a
            function defined only in this program.
        CheckpointError: Workers of the scheduler cannot load it.
        ParameterError: The scheduler's address is refused.
        WorkbenchError: The scheduler cannot be reached, or has no workers.
    """
    settings, loaded = scorer.settings, scorer.loaded
    scheduler, digest = settings.scheduler, weights_hash(loaded)
    jobs = [
        Job(
            video_id, file.absolute() if scheduler else file, loaded.path.absolute(), digest, settings, scorer.faces
        )
        for video_id, file in files
    ]  # fmt: skip
    for number, found in run_on_workers(score_alone, jobs, workers, scheduler, lost=None, task="the scoring"):
        video_id, file = files[number]
        if isinstance(found, Unloadable):
            raise _not_shared(found.reason, loaded, scheduler)
        if found is None:
            yield video_id, scorer.failed(file, video_id, _LOST)
        else:
            yield video_id, (dataclasses.replace(found[0], path=file), found[1])


def score_alone(job: Job) -> Finished | Unloadable:
    """Score one file with one thread, because the processes share the cores. Runs in a worker."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        scorer = _scorer(job)
    except WorkbenchError as error:
        return Unloadable(str(error))
    return scorer.score(job.file, job.video_id)


def _scorer(job: Job) -> FileScorer:
    """The detector and face finder of a job, cached for later jobs of the same scoring."""
    key = f"{job.digest} {job.settings.model_dump_json()} {job.faces.model_dump_json()}"
    if key not in _scorers:
        _scorers.clear()  # a worker started by somebody else lives on, and should hold only one detector
        loaded = load_for_scoring(job.weights, job.settings)
        if weights_hash(loaded) != job.digest:
            raise CheckpointError(
                f"the detector of {job.weights} is not the one in memory. Save it with save_detector and score with that file"
            )
        finder = FaceFinder(job.faces) if job.faces.finds_faces else None
        _scorers[key] = FileScorer(loaded, job.settings, job.faces, finder, threads=1)
    return _scorers[key]


def _not_shared(reason: str, loaded: LoadedDetector, scheduler: str) -> Exception:
    if not scheduler:
        return DetectorNotSharedError(reason)
    return CheckpointError(
        f"scoring on the Dask scheduler {scheduler}: its workers cannot load the detector {loaded.path} ({reason}). Expected the "
        "same dfworkbench, workspace and weights on all machines, under the same paths: put them there, or leave out scheduler, "
        "so that this machine scores."
    )


def _seconds(file: Path, scorer: FileScorer) -> float:
    """Estimated seconds of one core for a file."""
    video = media_kind(file) == "video"
    each_s = _READY_S if not scorer.faces.finds_faces else _FRAME_S if video else _PICTURE_S
    return each_s * (scorer.settings.frames if video else 1)


def _fitting(loaded: LoadedDetector) -> int:
    """Number of workers whose detectors fit into the memory of this machine or its container."""
    from distributed.system import MEMORY_LIMIT

    weights = sum(tensor.nbytes for tensor in loaded.detector.state_dict().values())
    return int(MEMORY_LIMIT * 0.8 // (_WORKER_BYTES + 2 * weights))  # twice, while it is loaded and hashed


def _may_start_processes() -> bool:
    """Whether processes can be started: each imports this program's main module again, which would run a plain script."""
    if multiprocessing.current_process().daemon:  # daemons may not have children
        return False
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if file is None or not Path(file).is_file():  # a notebook, or an interactive Python
        return True
    guarded = "__name__" in Path(file).read_text(errors="replace")
    if not guarded:
        _log.info(
            "scoring in one process, because %s has no line `if __name__ == '__main__':`. Put what it does below one to score on "
            "all cores.",
            file,
        )
    return guarded
