"""Dockerfile and .devcontainer, as far as they can be checked without Docker: stages, files, commands and versions."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dfworkbench.__main__ import COMMANDS
from dfworkbench.notebook.flags import parse_command

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())


def instructions(name):
    """The arguments of every instruction of this name, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{name} ")]


STAGES = {words.split()[-1]: words.split()[0] for words in instructions("FROM")}


def test_stages_stand_on_python_or_on_each_other():
    assert list(STAGES) == ["packages", "wheel", "workbench"]
    assert [base for base in STAGES.values() if base not in STAGES] == ["python:3.11-slim"]


def test_what_is_copied_is_there():
    for words in map(str.split, instructions("COPY")):
        if words[0].startswith("--from="):
            assert words[0].removeprefix("--from=") in STAGES
        else:
            assert (ROOT / words[0]).exists()
    kept_out = (ROOT / ".dockerignore").read_text().split()
    needed = ["dfworkbench", "notebooks", "pyproject.toml", "README.md", "LICENSE", "requirements.txt"]
    assert not {*kept_out} & {*needed}


@pytest.mark.parametrize("command", instructions("RUN"))
def test_commands_are_shell(command):
    subprocess.run(["sh", "-n", "-c", command], check=True)


def test_torch_comes_from_one_index_in_the_tested_versions():
    (command,) = (command for command in instructions("RUN") if "--index-url" in command)
    pattern = re.search(r"grep -oE '(.+?)'", command)
    assert pattern
    pins = [
        found.group()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if (found := re.match(pattern[1], line))
    ]
    assert [pin.partition("==")[0] for pin in pins] == ["torch", "torchvision"]


def test_the_image_starts_a_lab_on_its_volume():
    (command,) = instructions("CMD")
    program, *words = json.loads(command)
    assert program == "dfworkbench"
    given = parse_command(words, {}, COMMANDS)
    assert (given.command, given.no_browser, given.ip) == ("lab", True, "0.0.0.0")
    assert str(given.folder) in instructions("VOLUME")
    assert str(given.port) in instructions("EXPOSE")


def test_the_dev_container_is_the_same_image_with_the_clone():
    build = DEVCONTAINER["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert build["target"] in STAGES
    shell, script = shlex.split(DEVCONTAINER["postCreateCommand"])
    subprocess.run([shell, "-n", ROOT / script], check=True)
