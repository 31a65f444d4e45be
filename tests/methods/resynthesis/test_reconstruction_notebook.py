"""What notebook 06 says that it shows."""

from typing import Any

import pandas as pd
import pytest

from dfworkbench.methods.resynthesis.settings import ReconstructionSettings
from dfworkbench.methods.resynthesis.study import Study


@pytest.mark.parametrize(
    ("fakes", "title", "shown"),
    [
        (["nearest"], "nearest (trained on)", {"", "nearest"}),
        (["nearest", "bilinear", "other"], "other generators", {"", "bilinear", "other"}),
        (["bilinear"], "other generators", {"", "bilinear"}),
    ],
)
def test_titles_name_the_generators_that_are_shown(fakes, title, shown):
    study = Study.__new__(Study)  # nothing is trained
    values: dict[str, Any] = {"generator": "nearest"}
    study.settings = ReconstructionSettings(**values)
    study.test = pd.DataFrame({"forgery": ["", *fakes], "label": [0, *(1 for _ in fakes)]})
    assert study.tested == title
    assert set(study._perturbed["forgery"]) == shown
