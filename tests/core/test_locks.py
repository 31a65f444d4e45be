"""A folder is written by one process at a time, and names may be as long as the file system allows."""

import subprocess
import sys

import pytest

from dfworkbench.core.errors import OutputError
from dfworkbench.core.locks import held
from dfworkbench.core.workspace import atomic_path, leftovers

HOLD = """
import sys, time
from dfworkbench.core.locks import held
with held(__import__("pathlib").Path(sys.argv[1]), "testing"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_held_once_and_free_again_when_its_process_was_killed(tmp_path):
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        with pytest.raises(OutputError) as refused, held(tmp_path, "training the run 'a'"):
            pass
        assert f"process {other.pid} on " in str(refused.value)
        assert "training the run 'a'" in str(refused.value)
    finally:
        other.kill()
        other.wait()
    with held(tmp_path, "testing"):
        assert (tmp_path / ".lock.json").is_file()
    assert not (tmp_path / ".lock.json").exists()


def test_two_folders_can_be_held_at_once(tmp_path):
    with held(tmp_path / "a", "testing"), held(tmp_path / "b", "testing"):
        pass


@pytest.mark.parametrize("length", [200, 242, 255])
@pytest.mark.parametrize("suffix", [".csv", ".safetensors"])
def test_names_of_any_allowed_length_are_written(tmp_path, length, suffix):
    path = tmp_path / ("n" * (length - len(suffix)) + suffix)
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert not leftovers(tmp_path)


def test_leftovers_are_those_of_unfinished_writes_only(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".hidden.csv").touch()
    with atomic_path(tmp_path / "a.csv") as temporary:
        assert leftovers(tmp_path) == [temporary]
        temporary.write_text("whole")
    assert not leftovers(tmp_path)
