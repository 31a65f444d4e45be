"""A14 of the specification of FST-Matching: networks that know nothing must not pass for a confirmation of hypothesis 1."""

import numpy as np
import pytest
import torch

from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.explain.shapley.maps import attribute_all
from dfworkbench.explain.shapley.values import ClassLogit
from dfworkbench.methods.fst_matching.hypothesis1 import overlap_study
from dfworkbench.models import build_detector

SETTINGS = AttributionSettings(grid=4, evaluations=100, relative_error=None)
COUNT = 12


@pytest.fixture(scope="module")
def maps():
    """Maps of random networks on noise, in the order carrier, donor, detector."""
    images = dict(enumerate(np.random.default_rng(0).integers(0, 256, (COUNT, 64, 64, 3), np.uint8)))
    images = {str(name): image for name, image in images.items()}
    found = []
    for seed, (name, options, aux) in enumerate((
        ("identity_resnet18", {"classes": 10, "authors_input": True}, "identity_logits"),
        ("identity_resnet18", {"classes": 10, "authors_input": True}, "identity_logits"),
        ("resnet18", {"two_logits": True, "authors_input": True}, "class_logits"),
    )):  # fmt: skip
        torch.manual_seed(seed)
        detector = build_detector(name, size_px=64, **options)
        made = attribute_all(detector, images, value=ClassLogit(aux, 1), settings=SETTINGS, progress=False)
        found.append(np.stack([one.values for one in made.values()]))
    return found


@pytest.mark.parametrize("null", ["cells", "shift", "images"])
def test_a14_nothing_speaks_for_the_hypothesis_where_nothing_is(maps, null):
    summary = overlap_study(by_name(*maps), null=null, seed=0).summary.set_index("form")
    assert (summary["p"] > 0.05).all()


def by_name(carrier, donor, detector):
    return {"carrier": carrier, "donor": donor, "detector": detector}


def test_a14_maps_of_other_pictures_are_the_null_that_knows_where_networks_look(maps):
    """Random networks share where they look (their borders); cells and shifts do not know this, other pictures do."""
    summary = overlap_study(by_name(*maps), null="images", seed=0).summary.set_index("form")
    assert summary["p"].between(0.025, 0.975).all()


def test_a14_the_published_q_is_far_from_0_all_the_same(maps):
    q = overlap_study(by_name(*maps), null="images", seed=0).summary.set_index("form").loc["q"]
    assert q["low"] > 0 or q["high"] < 0
    assert abs(q["null"]) > 0.5 * abs(q["value"])  # which is what networks have that know nothing
