"""A workspace without any weights, and a mirror on the loopback address in place of the authors' servers."""

import pytest
from weight_server import serving

from dfworkbench.core.workspace import HOME_VARIABLE

_ELSEWHERE = (
    "DFWORKBENCH_WEIGHTS", "DFWORKBENCH_OFFLINE", "HF_HUB_OFFLINE", "TORCH_HOME", "HF_HOME", "HF_HUB_CACHE",
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in _ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user_cache"))
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    (tmp_path / "home" / "checkpoints").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def mirror(monkeypatch):
    with serving() as state:
        monkeypatch.setenv("DFWORKBENCH_MIRROR", state.url)
        yield state
