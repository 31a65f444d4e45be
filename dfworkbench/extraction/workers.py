"""Extract videos in worker processes, see `core.dask_workers`."""

from collections.abc import Iterator, Sequence

from dfworkbench.core.cores import available_cores
from dfworkbench.core.dask_workers import run_on_workers
from dfworkbench.extraction.part import Job, Part, extract_video, failed, read_part


def run_jobs(jobs: Sequence[Job], workers: int, scheduler: str) -> Iterator[tuple[int, Part]]:
    """Extract videos; results come in the order in which they finish.

    Args:
        jobs: One job per video.
        workers: Processes on this machine; 0 for one per core.
        scheduler: Address of a running Dask scheduler; "" for processes on this machine.

    Yields:
        Index of a job, and its part.

    Raises:
        OutputError: Raised by the first job that cannot write; the others are abandoned.
    """
    count = min(workers or available_cores(), len(jobs))
    lost = failed("its worker process died twice while extracting it (out of memory?)")
    yield from run_on_workers(extract_alone, jobs, count, scheduler, lost=lost, task="the extraction")


def extract_alone(job: Job) -> Part:
    """`extract_video` with one thread, because the processes share the cores."""
    import cv2
    import torch

    from dfworkbench.models.memory import reuse_memory

    reuse_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # a worker that dies loses its just-finished result too, and Dask asks for it again
    return read_part(job) or extract_video(job, threads=1)
