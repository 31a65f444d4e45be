"""Running jobs on Dask: processes on this machine, or a scheduler at an address. A worker that dies loses one job only."""

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dfworkbench.cores import available_cores
from dfworkbench.errors import WorkbenchError
from dfworkbench.extraction.part import Job, Part, extract_video, failed, read_part

_ENVIRONMENT = {
    # waiting threads that spin make a loaded machine several times slower
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
}
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # a job whose worker dies is tried again by us, alone
    "distributed.worker.memory.spill": False,  # nothing is pickled to disk
    "distributed.worker.profile.enabled": False,  # nobody looks at it, and it takes some per cent of every core
    # a loaded machine starts processes slowly, and a worker that is being replaced must not be given up meanwhile
    "distributed.comm.timeouts.connect": "60s",
    "distributed.deploy.lost-worker-timeout": "600s",
}
_PATIENCE_S = 60  # without a result, before it is asked whether there are workers at all


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


def run_on_workers(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    workers: int,
    scheduler: str,
    *,
    lost: Any,
    task: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, Any]]:
    """`function(job)` for every job, each alone in a process of its own, in whatever order they finish.

    Args:
        function: Importable by name, so that other machines can load it.
        jobs: What it is called with.
        workers: Processes on this machine.
        scheduler: Address of a running scheduler, whose workers are taken instead; "" for none.
        lost: Stands for the result of a job whose process died twice.
        task: For messages, such as "the extraction".
        environment: Variables of processes on this machine, beside those that keep waiting threads still.

    Yields:
        The number of a job and its result.

    Raises:
        WorkbenchError: The scheduler has no workers.
    """
    from dask import config
    from distributed import Client, LocalCluster

    with contextlib.ExitStack() as stack:
        stack.enter_context(config.set(_CONFIG))
        if scheduler:
            client = stack.enter_context(Client(scheduler))
        else:
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, env={**_ENVIRONMENT, **(environment or {})},
                silence_logs=logging.CRITICAL,
                dashboard_address="localhost:0",  # no dashboard is installed; this keeps port 8787 free
            )  # fmt: skip
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        yield from _run(client, function, jobs, lost, task)


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


def _run(
    client: Any, function: Callable[[Any], Any], jobs: Sequence[Any], lost: Any, task: str
) -> Iterator[tuple[int, Any]]:
    from distributed.scheduler import KilledWorker

    slots = max(sum(client.nthreads().values()), 1)
    suspects = []
    for number, future in _finished(client, function, enumerate(jobs), slots, task):
        try:
            yield number, future.result()
        except KilledWorker:
            suspects.append(number)
    # While workers are being replaced, two jobs may share one, and the death of one is blamed on both. So each suspect is
    # tried once more, with all workers to itself.
    again = ((number, jobs[number]) for number in suspects)
    for number, future in _finished(client, function, again, 1, task):
        try:
            result = future.result()
        except KilledWorker:
            result = lost
        yield number, result


def _finished(
    client: Any, function: Callable[[Any], Any], jobs: Iterable[tuple[int, Any]], slots: int, task: str
) -> Iterator[tuple[int, Any]]:
    """Numbers and futures of jobs as they finish; at most `slots` are out at a time."""
    waiting = iter(jobs)
    running: dict[Any, int] = {}
    while True:
        for number, job in itertools.islice(waiting, slots - len(running)):
            running[client.submit(function, job, pure=False)] = number
        if not running:
            return
        for future in _wait_for_some(client, list(running), task):
            yield running.pop(future), future


def _wait_for_some(client: Any, futures: list[Any], task: str) -> list[Any]:
    """Those that are done, at least one; an error instead of waiting for ever where no worker is left."""
    from distributed import wait

    for alone in itertools.count():
        try:
            finished: Any = wait(futures, timeout=_PATIENCE_S, return_when="FIRST_COMPLETED")
            return list(finished.done)
        except TimeoutError:
            if alone and not client.nthreads():
                break
    raise WorkbenchError(
        f"running {task} on Dask: the scheduler {client.scheduler.address} has had no worker for {_PATIENCE_S} s. Start its "
        f"workers and run {task} again: what is done is kept."
    )
