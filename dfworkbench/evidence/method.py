"""Method and reproduction sections of a case: detector, weights, input, settings, formulas; command, versions, platform."""

import platform
import shlex
from pathlib import Path
from typing import Any

import dfworkbench
from dfworkbench.core.provenance import PACKAGES, git_state, package_version
from dfworkbench.evidence.intake import Setup, detector_domain
from dfworkbench.evidence.record.folder import place_of
from dfworkbench.evidence.reference.scored import NOT_ON_RECORD
from dfworkbench.evidence.settings import EvidenceSettings

FORMULAS = {
    "track score": "mean over the frames of the log-odds of the detector, clipped to -13.8155 and 13.8155",
    "LR": "log10 LR = (slope x score + offset) / ln 10; logistic regression with C = 1, weighted so that every person counts once "
    "in each class and both classes count the same",
    "validation": "each person left out, with genuine and manipulated faces (leave-one-group-out); Cllr: Br\u00fcmmer 2006",
    "bound": "normalised Bayes error with one misleading person added to each class (ELUB): Vergeer et al. 2016",
    "interval": "2.5 and 97.5 % percentiles over draws of reference people with all their rows, refitted each time",
    "file": "mean of the LRs of its people: exactly one of them manipulated, each equally likely beforehand, against none",
    "applicability": "conformal p of the largest scaled oddness over all quantities; of the two classes the larger",
}


def method_of(setup: Setup, processing: dict[str, str]) -> dict[str, Any]:
    """Facts on the detector, its input, formulas with names and sources, and all settings."""
    loaded = setup.loaded
    return {
        "detector": f"{loaded.run} ({loaded.name})",
        "domain": detector_domain(loaded),
        "trained on": loaded.trained_on or NOT_ON_RECORD,
        "SHA-256 of the weights": processing["weights"],
        "input": loaded.input_spec.to_dict(),
        "faces": setup.faces.model_dump(mode="json") if setup.faces else NOT_ON_RECORD,
        "formulas": FORMULAS,
        "settings": _plain_settings(setup),
    }


def reproduction_of(setup: Setup) -> dict[str, Any]:
    """The command, versions, commit and platform."""
    commit, dirty = git_state()
    return {
        "command": command_of(setup),
        "dfworkbench": dfworkbench.__version__,
        "commit": commit or NOT_ON_RECORD,
        "uncommitted changes": dirty,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: version for name in PACKAGES if (version := package_version(name))},
    }


def placed_settings(setup: Setup) -> EvidenceSettings:
    """The settings of a case, with paths as written in a case (`record.folder.place_of`)."""
    settings, root = setup.settings, setup.workspace.root
    return settings.replace(
        evidence=[place_of(path, root) for path in settings.evidence], checkpoint=place_of(settings.checkpoint, root)
    )


def command_of(setup: Setup) -> str:
    """The command that reproduces this case, with non-default settings; files by name, not by path."""
    settings = placed_settings(setup)
    words = ["dfworkbench", "report", *(Path(path).name for path in settings.evidence)]
    for name, field in EvidenceSettings.model_fields.items():
        value = getattr(settings, name)
        if name == "evidence" or (value == field.default and name != "reference"):
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def _plain_settings(setup: Setup) -> dict[str, Any]:
    settings = placed_settings(setup)
    return {**settings.model_dump(mode="json"), "evidence": [Path(path).name for path in settings.evidence]}
