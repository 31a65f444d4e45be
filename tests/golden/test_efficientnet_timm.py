"""EfficientNet against an independent implementation: timm's `tf_efficientnet_*` with the same weights."""

import pytest
import torch
from torch import nn

from dfworkbench.models import build_detector

timm = pytest.importorskip("timm", reason="timm is not installed; it is in requirements.txt for this test only")


def randomise(net: nn.Module) -> None:
    """Batch norms like those of a trained network: at their start they would hide a wrong epsilon or order."""
    draw = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.3, 0.3), (module.running_var, 0.2, 1.5), (module.weight, 0.7, 1.3),
                (module.bias, -0.3, 0.3),
            ):  # fmt: skip
                tensor.data.uniform_(low, high, generator=draw)


# 224 px halves evenly, so every stride pads more at the bottom right; 75 px is odd at some stages and pads both sides there
@pytest.mark.parametrize(("variant", "size_px"), [("b0", 224), ("b0", 75), ("b3", 224)])
def test_same_weights_give_the_same_features_and_logits(variant, size_px):
    torch.manual_seed(0)
    ours = build_detector(f"efficientnet_{variant}", size_px=size_px).eval()
    randomise(ours)
    theirs = timm.create_model(f"tf_efficientnet_{variant}", pretrained=False, num_classes=0).eval()
    own, other = ours.trunk.net.state_dict(), theirs.state_dict()
    assert [value.shape for value in own.values()] == [value.shape for value in other.values()]
    theirs.load_state_dict(dict(zip(other, own.values(), strict=True)))
    images = torch.randn(2, 3, size_px, size_px)
    with torch.inference_mode():
        features, expected = ours.trunk(images), theirs.forward_features(images)
        logit, pooled = ours(images).logit, theirs(images)
        torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
        torch.testing.assert_close(ours.features(images), pooled, rtol=1e-4, atol=1e-4 * float(pooled.abs().max()))
        torch.testing.assert_close(logit, ours.head(pooled).squeeze(1), rtol=1e-4, atol=1e-5)
    assert float(expected.std()) > 0.01, "a dead network would agree with anything"


@pytest.mark.parametrize("variant", ["b0", "b3"])
def test_batch_norm_is_that_of_the_paper_s_code(variant):
    norms = [m for m in build_detector(f"efficientnet_{variant}").modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, round(norm.momentum, 6)) for norm in norms} == {(1e-3, 0.01)}
