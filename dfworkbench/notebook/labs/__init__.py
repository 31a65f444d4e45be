"""Graded labs of `notebooks/labs/`: seeded data, questions with hints, and grading of submission folders.

See `docs/guides/teaching.md` for how to use them in a course.
"""

import importlib
from functools import lru_cache
from typing import Any

from dfworkbench.core.names import require_name

#: Name of a lab (that of its notebook) -> its class.
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
    """Open a lab with the data of a seed; results are cached, so that cells can be rerun at once.

    Args:
        name: With or without its folder: "labs/lab_3_thresholds".
        seed: Seed of the lab's data.

    Raises:
        UnknownNameError: There is no such lab.
    """
    return _kept(name.removeprefix("labs/"), seed)


@lru_cache(maxsize=16)
def _kept(name: str, seed: int) -> Any:
    return lab_class(name)(seed)
