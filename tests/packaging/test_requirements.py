"""requirements.txt, environment.yml and pyproject.toml ask for the same packages."""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED = {
    requirement.name: requirement
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if (text := line.partition("#")[0].strip())
    for requirement in [Requirement(text)]
}
#: Extras that `make setup` installs; others, such as weights and the peers of the benchmarks, are for those who ask for them.
INSTALLED = ("evidence", "docs", "app", "dev")


def ranges(*extras):
    lists = [PROJECT["dependencies"], *(EXTRAS[extra] for extra in extras)]
    return {requirement.name: requirement for texts in lists for requirement in map(Requirement, texts)}


def test_every_pin_is_a_version():
    for name, requirement in PINNED.items():
        (pin,) = requirement.specifier
        assert pin.operator == "==", name


def test_requirements_are_the_project_and_its_extras():
    assert set(PINNED) == set(ranges(*INSTALLED))


@pytest.mark.parametrize("name", sorted(PINNED))
def test_a_pin_is_in_the_range_that_is_supported(name):
    (pin,) = PINNED[name].specifier
    wanted = ranges(*INSTALLED)[name]
    assert Version(pin.version) in wanted.specifier
    assert PINNED[name].extras == wanted.extras


def test_extras():
    assert {"zoo", "evidence", "docs", "dev"} <= set(EXTRAS)
    core = ranges()
    for extra, texts in EXTRAS.items():
        assert not {Requirement(text).name for text in texts} & set(core), f"[{extra}] repeats what is always installed"


def test_environment_yml_installs_the_requirements():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = {
        part.partition("=")[0]: part.partition("=")[2] for part in environment["dependencies"] if isinstance(part, str)
    }
    (pip,) = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert set(conda) == {"python", "pip"}, "everything else is from requirements.txt"
    assert Version(conda["python"]) in Requirement(f"python{PROJECT['requires-python']}").specifier
    assert pip == ["-r requirements.txt"]
