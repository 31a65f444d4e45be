"""Published detectors: a file with seeded weights, imported by its card, gives the numbers of its authors' own class.

Each row was computed with the authors' code (their repositories as of 2025), torch 2.14, float32, one thread. G1: batch norm
normalises by the batch of two; G2: eval mode. Order of two logits as in the file.
"""

import pytest
import torch
from authors_files import (
    adjust_channel,
    dfb_meso4,
    dfb_mesoinception4,
    efficientnet_b4,
    linear,
    prefixed,
    timm_shapes,
    xception,
)
from seeded_weights import Shapes, by_batch, seeded_file, two_pictures

from dfworkbench.models.inputs import prepare
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.importing import build_network, fill


def _backbone(shapes: Shapes) -> Shapes:
    return prefixed(shapes, "backbone.")


FILES = {
    "commfor_384": lambda: prefixed(timm_shapes("vit_small_patch16_384", num_classes=1), "vit."),
    "commfor_224": lambda: prefixed(timm_shapes("vit_small_patch16_224", num_classes=1), "vit."),
    "dfb_xception": lambda: _backbone(xception("last_linear", 2) | adjust_channel()),
    "dfb_effnb4": lambda: _backbone(prefixed(efficientnet_b4(), "efficientnet.") | linear("last_layer", 2, 1792)),
    "dfb_meso4": lambda: _backbone(dfb_meso4()),
    "dfb_meso4inception": lambda: _backbone(dfb_mesoinception4()),
}
#: Card -> logits of the noise and the slope, G1 and G2.
GOLDEN = {
    "commfor_384": ([[0.439536], [0.246149]], None),
    "commfor_224": ([[1.160723], [0.235337]], None),
    "dfb_xception": ([[-0.711797, 0.558327], [-0.459491, 0.873113]], [[-0.406795, 0.001885], [-0.417167, 0.087665]]),
    "dfb_effnb4": ([[0.088483, 0.510299], [-0.159676, 0.276851]], [[-0.097385, -0.017493], [-0.097385, -0.017493]]),
    "dfb_meso4": ([[0.753598, 0.076317], [-0.010363, 1.005534]], [[-0.167424, 0.360144], [-0.079015, 0.500837]]),
    "dfb_meso4inception": (
        [[-0.270314, 0.445038], [-0.121058, -0.401766]],
        [[-0.369704, 0.481050], [-0.261626, 0.161406]],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_logits_are_those_of_the_authors_class(name):
    card = get_card(name)
    detector = build_network(card.network, card.input.size_px)
    fill(detector, card.network, seeded_file(FILES[name]()), "unfit", "a file")
    detector.input_spec = card.input
    # with channels last, batch norm in training mode adds up in another order and loses three digits
    pictures = prepare(two_pictures(card.input.size_px), card.input).contiguous()
    by_authors, evaluated = GOLDEN[name]
    with torch.no_grad():
        found = detector.eval()(pictures)
        torch.testing.assert_close(found.aux["logits"], torch.tensor(evaluated or by_authors), atol=1e-4, rtol=0)
        if evaluated:
            logits = by_batch(detector)(pictures).aux["logits"]
            torch.testing.assert_close(logits, torch.tensor(by_authors), atol=1e-4, rtol=0)
    own = found.aux["logits"]
    expected = own[:, 0] if card.network.logits == 1 else own[:, 1] - own[:, 0]
    torch.testing.assert_close(found.logit, expected)
