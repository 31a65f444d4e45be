"""Running jobs on Dask: processes on this machine, or a scheduler at an address. A worker that dies loses one video only."""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence

from dfworkbench.extraction.part import Job, Part, extract_video, failed, read_part

_ENVIRONMENT = {
    # waiting threads that spin make a loaded machine several times slower
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
}
_CONFIG = {
    "distributed.scheduler.allowed-failures": 1,  # a video that kills its worker is tried once more
    "distributed.worker.memory.spill": False,  # nothing is pickled to disk
    "distributed.comm.timeouts.connect": "60s",  # a loaded machine starts processes slowly
}


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
    from dask import config
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        stack.enter_context(config.set(_CONFIG))
        if scheduler:
            client = stack.enter_context(Client(scheduler))
        else:
            count = min(workers or available_cores(), len(jobs))
            cluster = LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, env=_ENVIRONMENT, silence_logs=logging.CRITICAL,
                dashboard_address="localhost:0",  # no dashboard is installed; this keeps port 8787 free
            )  # fmt: skip
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        yield from _run(client, jobs)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def extract_alone(job: Job) -> Part:
    """`extract_video` with one thread: the processes share the cores among themselves."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # a worker that dies also loses what it had just finished, and Dask asks for it again
    return read_part(job) or extract_video(job)


def _run(client, jobs: Sequence[Job]) -> Iterator[tuple[int, Part]]:
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    waiting = iter(enumerate(jobs))
    numbers = {}

    def submit_next():
        for number, job in waiting:
            future = client.submit(extract_alone, job, key=f"extract-{number}-{job.video_id}", pure=False)
            numbers[future] = number
            return future
        return None

    # no more jobs than workers are out: a worker that dies then takes no innocent job down with it
    slots = max(sum(client.nthreads().values()), 1)
    done = as_completed([future for _ in range(slots) if (future := submit_next()) is not None])
    for future in done:
        number = numbers.pop(future)
        try:
            part = future.result()
        except KilledWorker:
            part = failed("its worker process died twice while extracting it (out of memory?)")
        following = submit_next()
        if following is not None:
            done.add(following)
        yield number, part
