"""Who can talk to the processes of an extraction: nobody without the key of the run, on any socket that listens."""

import contextlib
import http.client
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable

import psutil
import pytest
from distributed import Security
from test_extraction_scheduler import free_port, started

from dfworkbench.core import dask_workers
from dfworkbench.core.dask_workers import run_on_workers, scheduler_security
from dfworkbench.core.errors import ParameterError, WorkbenchError

PAGES = ("/", "/info/main/workers.html", "/json/identity.json", "/metrics", "/health", "/api/v1/workers", "/status")


def listening() -> set[int]:
    """Ports on which this process and all that it started listen."""
    me = psutil.Process()
    sockets = [connection for process in (me, *me.children(recursive=True)) for connection in process.net_connections()]
    return {one.laddr.port for one in sockets if one.status == psutil.CONN_LISTEN}


def answers_http(port: int, page: str) -> int:
    """The status of a page, 0 where no HTTP is spoken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", page)
        return connection.getresponse().status
    return 0


ATTEMPT = """
import os, sys
from threading import Thread
from distributed import Client, Security

def attempt(address, certificates):
    security = Security.temporary() if certificates == "certificates of another run" else None
    Client(address, timeout=8, security=security).run_on_scheduler(os.getpid)
    os.write(1, f"{address} with {certificates}\\n".encode())

tries = [line.split(" ", 1) for line in sys.stdin.read().splitlines()]
threads = [Thread(target=attempt, args=one, daemon=True) for one in tries]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(20)
os._exit(0)
"""


def lets_strangers_in(host: str, ports: Iterable[int | str]) -> list[str]:
    """What was tried with success: without TLS, with TLS and no certificates, with those of another run.

    In a process of their own: clients that find nobody may hang while they are closed.
    """
    ways = [("tcp", "none"), ("tls", "none"), ("tls", "certificates of another run")]
    tries = [f"{protocol}://{host}:{port} {certificates}" for port in ports for protocol, certificates in ways]
    # our own certificates stand in variables of Dask's configuration
    nobody = {name: value for name, value in os.environ.items() if not name.startswith("DASK_")}
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPT], input="\n".join(tries), env=nobody, text=True, timeout=120 + 20 * len(tries),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.slow
def test_every_socket_of_a_run_on_this_machine_is_closed_to_strangers():
    before = listening()
    jobs = run_on_workers(abs, [-1, -2, -3], 1, "", lost=None, task="a test")
    with contextlib.closing(jobs):
        results = [next(jobs)[1]]
        ports = listening() - before
        pages = {port: [answers_http(port, page) for page in PAGES] for port in ports}
        web = {port for port, found in pages.items() if any(found)}
        assert len(ports - web) >= 3, "scheduler, nanny and worker listen"
        assert all(status == 404 for port in web for status in pages[port]), pages
        assert not lets_strangers_in("127.0.0.1", ports - web)
        results += [result for _, result in jobs]
    assert sorted(results) == [1, 2, 3]  # the run went on undisturbed
    assert listening() <= before


@pytest.mark.slow
def test_an_open_scheduler_would_be_found():
    port = free_port()
    with started("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"):
        end = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < end:
            time.sleep(0.1)
        assert lets_strangers_in("127.0.0.1", [port]) == [f"tcp://127.0.0.1:{port} with none"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, str]:
    """Variables of Dask's configuration that name certificates for all roles."""
    folder, made = tmp_path_factory.mktemp("certificates"), Security.temporary()
    key, cert = folder / "key.pem", folder / "cert.pem"
    key.write_text(made.tls_client_key)
    cert.write_text(made.tls_client_cert)
    key.chmod(0o600)
    roles = {f"{role}__{name}": file for role in ("CLIENT", "SCHEDULER", "WORKER") for name, file in
             {"KEY": key, "CERT": cert}.items()}  # fmt: skip
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(file) for name, file in {"CA_FILE": cert, **roles}.items()}


@pytest.mark.slow
def test_a_scheduler_with_certificates(certificates, tmp_path, monkeypatch):
    for name, value in certificates.items():
        monkeypatch.setenv(name, value)
    address = f"tls://127.0.0.1:{free_port()}"
    host, port = address.removeprefix("tls://").split(":")
    code = "import sys; from dfworkbench.core.dask_workers import run_on_workers as r; " + (
        "print(sorted(n for _, n in r(abs, [-1, -2], 1, sys.argv[1], lost=None, task='a test')))"
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(started("scheduler", "--protocol", "tls", "--host", host, "--port", port, "--no-dashboard"))
        worker = ("worker", address, "--nthreads", "1", "--local-directory", str(tmp_path), "--no-dashboard")
        stack.enter_context(started(*worker))
        done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, timeout=120)
        assert done.stdout.strip() == "[1, 2]", done.stderr
        assert not lets_strangers_in(host, [port])


@pytest.mark.parametrize(
    "address", ["tcp://10.1.2.3:8786", "10.1.2.3:8786", "tcp://[2001:db8::1]:8786", "ws://there:1"]
)
def test_plain_connections_to_other_machines_are_refused(address):
    from dask import config

    with pytest.raises(ParameterError, match=r"not encrypted.*tls://.*REQUIRE_ENCRYPTION=false"):
        scheduler_security(address)
    with config.set({"distributed.comm.require-encryption": False}):
        assert not scheduler_security(address).require_encryption


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "localhost:8786", "tcp://[::1]:8786"])
def test_plain_connections_on_this_machine_are_warned_about(address, caplog):
    with caplog.at_level(logging.WARNING):
        scheduler_security(address)
    assert "every user of this machine" in caplog.text


def test_tls_needs_certificates():
    with pytest.raises(ParameterError, match=r"no distributed\.comm\.tls\.ca-file.*CLIENT__CERT"):
        scheduler_security("tls://10.1.2.3:8786")


def test_a_scheduler_that_is_not_there():
    from dask import config

    with (
        config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(WorkbenchError, match="cannot be reached"),
    ):
        dask_workers._connect(f"tcp://127.0.0.1:{free_port()}", Security(), "a test")
