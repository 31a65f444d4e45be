"""Run jobs on Dask, on this machine or on a remote scheduler; a worker that dies loses only one job.

Anyone who can talk to a Dask scheduler or worker can run code in it. Processes on this machine therefore use TLS with a key
that is made for the run and never written to disk, and their HTTP servers have no pages. For remote schedulers see
`scheduler_security` and docs/guides/extract_on_a_cluster.md.
"""

import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dfworkbench.core.errors import ParameterError, WorkbenchError

_log = logging.getLogger(__name__)
_LOOPBACK = ("localhost", "::1")
_ENVIRONMENT = {
    # spinning threads make a loaded machine several times slower
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": "1",
}
_CONFIG = {
    "distributed.scheduler.allowed-failures": 0,  # we retry a job whose worker died, alone
    "distributed.worker.memory.spill": False,  # nothing is pickled to disk
    "distributed.worker.profile.enabled": False,  # unused here, and costs a few per cent of every core
    # a loaded machine starts processes slowly; do not give up on a worker that is being replaced
    "distributed.comm.timeouts.connect": "60s",
    "distributed.deploy.lost-worker-timeout": "600s",
    "distributed.scheduler.http.routes": [],  # Dask always starts these servers, without authentication
    "distributed.worker.http.routes": [],
}
_TASK_S = 0.5  # target duration of a task of several jobs
_MOST = 64  # most jobs in one task
_PATIENCE_S = 60  # without a result before we check that there are any workers


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
    """Call `function(job)` for every job, one at a time in each process, and yield results as they finish.

    Args:
        function: Must be importable by name, so that other machines can load it.
        jobs: Arguments of `function`, one per call.
        workers: Processes on this machine.
        scheduler: Address of a running scheduler whose workers are used instead; "" for none.
        lost: Result reported for a job whose process died twice.
        task: Name of the work in messages, such as "the extraction".
        environment: Environment variables of processes on this machine, besides those that stop threads from spinning.

    Yields:
        Index of a job, and its result.

    Raises:
        ParameterError: The scheduler's address is refused; see `scheduler_security`.
        WorkbenchError: The scheduler cannot be reached, or has no workers.
    """
    from dask import config
    from distributed import Client, LocalCluster, Security

    with contextlib.ExitStack() as stack:
        stack.enter_context(config.set(_CONFIG))
        if scheduler:
            client = stack.enter_context(_connect(scheduler, scheduler_security(scheduler), task))
        else:
            stack.enter_context(_quiet_nannies())
            security = Security.temporary()
            cluster = LocalCluster(
                n_workers=workers, threads_per_worker=1, processes=True, env={**_ENVIRONMENT, **(environment or {})},
                silence_logs=logging.CRITICAL, security=security, scheduler_kwargs={"dashboard": False},
                dashboard_address="localhost:0",  # of the HTTP server; leaves port 8787 free
            )  # fmt: skip
            client = stack.enter_context(Client(stack.enter_context(cluster), security=security))
        yield from _run(client, function, jobs, lost, task)


@contextlib.contextmanager
def _quiet_nannies() -> Iterator[None]:
    """Suppress warnings about processes that end slowly, and a traceback from each of them on Ctrl-C.

    `silence_logs` does not do that: LocalCluster undoes it before its processes have ended.
    """
    log = logging.getLogger("distributed.nanny")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def scheduler_security(address: str) -> Any:
    """Connection security for a scheduler, with the client certificates from Dask's configuration.

    They are named in `distributed.comm.tls` of Dask's configuration files, or in environment variables such as
    DASK_DISTRIBUTED__COMM__TLS__CA_FILE. A plain connection to another machine needs
    DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=false, which declares the network to be private.

    Raises:
        ParameterError: The address asks for TLS without certificates, or for a plain connection to another machine.
    """
    from dask import config
    from distributed import Security

    security = Security()
    if not address.startswith("tls://"):
        _allow_plain(address, config.get("distributed.comm.require-encryption", None))
        return security
    names = {
        "ca-file": security.tls_ca_file, "client.key": security.tls_client_key, "client.cert": security.tls_client_cert,
    }  # fmt: skip
    missing = [f"distributed.comm.tls.{name}" for name, value in names.items() if not value]
    if missing:
        raise ParameterError(
            f"connecting to the Dask scheduler {address}: Dask's configuration has no {', '.join(missing)}. Expected the files of "
            "the scheduler's certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__TLS__CLIENT__KEY and "
            "…__TLS__CLIENT__CERT (docs/guides/extract_on_a_cluster.md)."
        )
    return security


def _allow_plain(address: str, required: bool | None) -> None:
    """Refuse a connection without TLS to another machine unless Dask's configuration allows it."""
    if address.startswith("inproc://"):  # within this process; no network involved
        return
    host = address.rpartition("://")[2].rpartition(":")[0].strip("[]")
    if required is None and host not in _LOOPBACK and not host.startswith("127."):
        raise ParameterError(
            f"connecting to the Dask scheduler {address}: it is on another machine and not encrypted, so anybody in that "
            "network can run programs in its workers. Expected an address that begins with tls:// (see "
            "docs/guides/extract_on_a_cluster.md). If nobody else is in that network, set "
            "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=false."
        )
    if required is None:
        _log.warning(
            "the Dask scheduler %s takes connections without certificates: every user of this machine can run programs in its "
            "workers. See docs/guides/extract_on_a_cluster.md for one with certificates.",
            address,
        )


def _connect(address: str, security: Any, task: str) -> Any:
    from distributed import Client

    try:
        return Client(address, security=security)
    except (OSError, ValueError, RuntimeError) as error:
        raise WorkbenchError(
            f"running {task} on Dask: the scheduler {address} cannot be reached ({error}). Expected a running scheduler "
            "whose certificates fit those of Dask's configuration: check the address, and that it begins with tls:// or tcp:// "
            "as the scheduler says."
        ) from error


def _run(
    client: Any, function: Callable[[Any], Any], jobs: Sequence[Any], lost: Any, task: str
) -> Iterator[tuple[int, Any]]:
    suspects: list[int] = []
    slots = max(sum(client.nthreads().values()), 1)
    yield from _finished(client, function, dict(enumerate(jobs)), suspects, task, slots=slots, most=_MOST)
    # While workers are being replaced, two jobs may share one, and quick jobs share a task, so one death is blamed on several
    # jobs. Each suspect is therefore retried once, with all workers to itself.
    dead: list[int] = []
    yield from _finished(client, function, {number: jobs[number] for number in suspects}, dead, task, slots=1, most=1)
    yield from ((number, lost) for number in dead)


def _finished(
    client: Any,
    function: Callable[[Any], Any],
    jobs: Mapping[int, Any],
    killed: list[int],
    task: str,
    *,
    slots: int,
    most: int,
) -> Iterator[tuple[int, Any]]:
    """Yield indices and results as they finish; indices whose worker died are appended to `killed`.

    At most `slots` tasks of at most `most` jobs are running at a time. A round trip to a worker takes longer than a small
    picture, so a task gets as many jobs as were done in the time of the last one; those it does not get to are sent again.
    """
    from distributed.scheduler import KilledWorker

    left, running, size = deque(jobs), {}, 1
    while left or running:
        while left and len(running) < slots:
            share = max(min(size, len(left) // slots), 1)  # so that all workers finish at about the same time
            numbers = [left.popleft() for _ in range(share)]
            running[client.submit(_as_many_as, function, [jobs[number] for number in numbers], pure=False)] = numbers
        for future in _wait_for_some(client, list(running), task):
            numbers = running.pop(future)
            try:
                results = future.result()
            except KilledWorker:
                killed += numbers
                continue
            left.extendleft(reversed(numbers[len(results) :]))
            size = min(2 * len(results), most)
            yield from zip(numbers, results, strict=False)


def _as_many_as(function: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """Runs in a worker: results of the first jobs, as many as can be started within `_TASK_S`."""
    end, results = time.monotonic() + _TASK_S, []
    for job in jobs:
        results.append(function(job))
        if time.monotonic() > end:
            break
    return results


def _wait_for_some(client: Any, futures: list[Any], task: str) -> list[Any]:
    """Wait for at least one future and return those that are done; raise if no worker is left."""
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
