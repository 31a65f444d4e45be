"""How many jobs share a task: of quick ones many, none after a slow one; and each is done once."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from distributed import Client

from dfworkbench.core.dask_workers import _as_many_as, _run

DONE: Counter[Any] = Counter()


def note(job: Any) -> Any:
    """What a job gives: itself; a number sleeps for so many seconds."""
    DONE[job] += 1
    time.sleep(job if isinstance(job, float) else 0)
    return job


class Counting:
    """A client that counts what it sends."""

    def __init__(self, client: Client) -> None:
        self.client, self.sizes = client, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def submit(self, function: Any, work: Any, jobs: Sequence[Any], **options: Any) -> Any:
        self.sizes.append(len(jobs))
        return self.client.submit(function, work, jobs, **options)


@pytest.fixture(scope="module")
def client():
    with Client(processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None) as client:
        yield client


def run(client: Client, jobs: list[Any]) -> list[int]:
    """Sizes of the tasks, after every job was done once and gave its own result."""
    DONE.clear()
    counting = Counting(client)
    assert dict(_run(counting, note, jobs, None, "a test")) == dict(enumerate(jobs))
    assert set(DONE.values()) == {1}
    return counting.sizes


def test_quick_jobs_share_tasks_and_the_last_ones_are_dealt_out(client):
    sizes = run(client, list(range(2000)))
    assert len(sizes) < 100
    assert sizes[:2] == [1, 1]
    assert max(sizes) == 64
    assert max(sizes[-2:]) < 10


def test_a_slow_job_ends_its_task_and_the_others_are_sent_again(client):
    slow = [0.6 + number / 1000 for number in range(4)]
    sizes = run(client, [*range(40), *slow, *range(40, 80)])
    assert sum(sizes) > 84, "some were sent again"


def test_a_task_ends_in_time_with_at_least_one_job():
    assert _as_many_as(note, [0.6, 0.7]) == [0.6]
    assert _as_many_as(note, ["a", "b"]) == ["a", "b"]
