"""The built wheel, installed where the clone is not: it brings the notebooks, opens a lab, runs notebooks and scores.

The environment is fresh and gets the wheel alone; the packages that it needs are those of this one, by a .pth file. Notebook 00 is
run with small pictures.
"""

import json
import os
import re
import signal
import site
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
import torch
from heads import Head, frame_of

from dfworkbench.media import write_png
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import save_detector

pytest.importorskip("hatchling", reason="hatchling is not installed; it is in requirements.txt for this test only")
ROOT = Path(__file__).parents[2]


class Installed:
    """The wheel in an environment of its own, and a folder to work in that is outside of the clone."""

    def __init__(self, scratch: Path) -> None:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(scratch)]
        subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
        (self.wheel,) = scratch.glob("*.whl")
        self.folder = scratch / "empty"
        self.folder.mkdir()
        venv.create(scratch / "venv", with_pip=False, symlinks=True)
        self.python = scratch / "venv" / "bin" / "python"
        install = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q"]
        install += ["--no-deps", "--no-index", "--no-compile"]
        subprocess.run([*install, str(self.wheel)], check=True, capture_output=True)
        (packages,) = (scratch / "venv" / "lib").glob("python*/site-packages")
        # a folder of a .pth file is put on the path, but .pth files in it are not read: so the clone is not
        (packages / "packages.pth").write_text("\n".join(site.getsitepackages()))

    def run(self, *words: str) -> subprocess.CompletedProcess:
        command = [str(self.python), *words]
        return subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)

    def workbench(self, *words: str) -> subprocess.CompletedProcess:
        return self.run("-m", "dfworkbench", *words)

    def environment(self) -> dict[str, str]:
        ours = ("DFWORKBENCH_", "PYTHON", "JUPYTER")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        # JupyterLab's pages lie in the environment that it was installed into
        share = Path(sys.prefix) / "share" / "jupyter"
        folders = {"JUPYTERLAB_DIR": str(share / "lab"), "JUPYTER_PATH": str(share)}
        own = {name: str(self.folder.parent / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
        return kept | folders | own | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_holds_the_notebooks_and_nothing_of_the_clone(installed):
    names = zipfile.ZipFile(installed.wheel).namelist()
    stored = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").rglob("*.ipynb"))
    assert sorted(name for name in names if name.startswith("dfworkbench/notebooks/")) == [
        f"dfworkbench/{n}" for n in stored
    ]
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dfworkbench"}


def test_run_finds_the_notebooks_of_the_wheel(installed):
    refused = installed.workbench("run", "00_start_here", "-p", "pears", "6")
    assert refused.returncode == 2
    assert "Did you mean 'pairs'" in refused.stderr


def test_lab_makes_a_workspace_and_prints_an_address_that_answers(installed):
    words = [str(installed.python), "-m", "dfworkbench", "lab", "--no-browser", "--port", "0"]
    process = subprocess.Popen(
        words,
        cwd=installed.folder,
        env=installed.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = read_address(process)
        assert address["page"] == "lab/tree/notebooks/00_start_here.ipynb"
        listing = f"{address['server']}/api/contents/notebooks?token={address['token']}"
        names = {entry["name"] for entry in read_json(listing)["content"]}
        assert {"00_start_here.ipynb", "02_train.ipynb"} <= names
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert {path.name for path in installed.folder.iterdir()} >= {
        "notebooks",
        "checkpoints",
        "labels",
        "extracted",
        "data",
    }


def read_json(address: str, seconds: float = 30) -> dict:
    """What a server answers; Jupyter prints its address a moment before it listens."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=seconds) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > end:
                raise
            time.sleep(0.1)


def read_address(process: subprocess.Popen, seconds: float = 120) -> re.Match:
    end, seen = time.monotonic() + seconds, []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        found = re.search(r"(?P<server>http://127\.0\.0\.1:\d+)/(?P<page>\S+)\?token=(?P<token>\w+)", line)
        if found:
            return found
        if time.monotonic() > end:
            break
    raise AssertionError("".join(seen))


def test_the_package_is_that_of_the_wheel(installed):
    imported = installed.run("-c", "import dfworkbench; print(dfworkbench.__file__)")
    assert Path(imported.stdout.strip()).is_relative_to(installed.python.parents[1])


def test_the_first_notebook_runs_in_a_folder_of_its_own(installed):
    tiny = {"pairs": 3, "val_pairs": 1, "test_pairs": 1, "frames": 6, "size_px": 96, "identities": 2, "workers": 1}
    done = installed.workbench(
        "run", "00_start_here", *(word for name, value in tiny.items() for word in ("-p", name, str(value)))
    )
    assert done.returncode == 0, done.stderr
    assert (installed.folder / "report" / "notebooks" / "00_start_here.html").is_file()
    assert list(installed.folder.glob("data/demo/manipulated_sequences/*/c40/videos/*.mp4"))


def test_score_a_picture(installed):
    torch.manual_seed(0)
    network = build_detector("mesonet4", size_px=32)
    save_detector(installed.folder / "seeded.safetensors", network, "mesonet4", {"size_px": 32})
    write_png(installed.folder / "face.png", frame_of([Head(48, 48, 0.3)], 0, 96, 96, 0))
    done = installed.workbench("score", "face.png", "--checkpoint", "seeded.safetensors", "--crops")
    assert done.returncode == 0, done.stderr
    assert re.search(r"face\.png: fake probability \d\.\d\d", done.stdout)
