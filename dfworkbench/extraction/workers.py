"""Extraction of videos in worker processes, see `core.dask_workers`."""

from collections.abc import Iterator, Sequence

from dfworkbench.core.cores import available_cores
from dfworkbench.core.dask_workers import run_on_workers
from dfworkbench.extraction.part import Job, Part, extract_video, failed, read_part


def run_jobs(jobs: Sequence[Job], workers: int, scheduler: str) -> Iterator[tuple[int, Part]]:
    """Extract videos, in whatever order they finish.

    Args:
        jobs: One per video.
        workers: Processes on this machine; 0 for one per core.
        scheduler: Address of a running scheduler; "" for processes on this machine.

    Yields:
        The number of a job and its part.

    Raises:
        OutputError: From the first job that cannot write; the others are given up.
    """
    count = min(workers or available_cores(), len(jobs))
    lost = failed("its worker process died twice while extracting it (out of memory?)")
    yield from run_on_workers(extract_alone, jobs, count, scheduler, lost=lost, task="the extraction")


def extract_alone(job: Job) -> Part:
    """`extract_video` with one thread: the processes share the cores among themselves."""
    import cv2
    import torch

    from dfworkbench.models.memory import reuse_memory

    reuse_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # a worker that dies also loses what it had just finished, and Dask asks for it again
    return read_part(job) or extract_video(job, threads=1)
