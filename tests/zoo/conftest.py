"""A workspace without any weights, and a mirror on the loopback address in place of the authors' servers."""

import pytest
from weight_server import bare_home, serving


@pytest.fixture
def home(tmp_path, monkeypatch):
    return bare_home(tmp_path, monkeypatch)


@pytest.fixture
def mirror(monkeypatch):
    with serving() as state:
        monkeypatch.setenv("DFWORKBENCH_MIRROR", state.url)
        yield state
