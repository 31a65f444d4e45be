"""The graded labs of `notebooks/labs/`: data from a seed, questions, hints, and grading of a folder of submissions.

`docs/guides/teaching.md` says how a course uses them.
"""

import importlib
from functools import lru_cache
from typing import Any

from dfworkbench.core.names import require_name

#: Name of a lab, as its notebook is called -> its class.
LABS = {
    "lab_1_spot_the_forgery": "dfworkbench.notebook.labs.forgery:ForgeryLab",
    "lab_2_leakage_by_identity": "dfworkbench.notebook.labs.identity:IdentityLab",
    "lab_3_thresholds": "dfworkbench.notebook.labs.thresholds:ThresholdLab",
    "lab_4_robustness": "dfworkbench.notebook.labs.robustness:RobustnessLab",
    "lab_5_explanations": "dfworkbench.notebook.labs.explanation:ExplanationLab",
}


def lab_class(name: str) -> Any:
    """The class of a lab.

    Raises:
        UnknownNameError: There is no such lab.
    """
    module, _, cls = LABS[require_name("lab", name, LABS)].partition(":")
    return getattr(importlib.import_module(module), cls)


def open_lab(name: str, seed: int = 0) -> Any:
    """A lab with the data of a seed; what it has computed is kept, so that cells can be run again at once.

    Args:
        name: With or without its folder: "labs/lab_3_thresholds".
        seed: Of the data.

    Raises:
        UnknownNameError: There is no such lab.
    """
    return _kept(name.removeprefix("labs/"), seed)


@lru_cache(maxsize=16)
def _kept(name: str, seed: int) -> Any:
    return lab_class(name)(seed)
