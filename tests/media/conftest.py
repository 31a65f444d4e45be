"""Fixtures of the tests of media."""

import socket
import threading

import pytest


@pytest.fixture
def listener():
    """A port on this machine and the connections that were made to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        made, stop = [], threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                made.append(address)
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], made
        stop.set()
        thread.join()
