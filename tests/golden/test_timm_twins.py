"""Networks of papers against an independent implementation: timm's, with the same weights.

They are not replaced by timm's: names of MobileNetV1's weights would change, and with timm's blocks the order of parameters,
by which the state of a stopped run finds its optimiser's moments, as well as the first weights of a seed.
"""

import pytest
import timm
import torch
from torch import nn

from dfworkbench.methods.mi_net.mobilenet_v1 import MobileNetV1Trunk
from dfworkbench.methods.resynthesis.deep_stem_resnet import DeepStemResNet


def randomise(net: nn.Module) -> None:
    """Batch norms like those of a trained network: at their start they would hide a wrong order."""
    draw = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5), (module.weight, 0.7, 1.3),
                (module.bias, -0.3, 0.3),
            ):  # fmt: skip
                tensor.data.uniform_(low, high, generator=draw)


@pytest.mark.parametrize("size_px", [64, 75])
def test_mobilenet_v1_is_timm_s_with_plain_relu(size_px):
    torch.manual_seed(0)
    ours = MobileNetV1Trunk().eval()
    randomise(ours)
    theirs = timm.create_model("mobilenetv1_100", num_classes=0, act_layer=nn.ReLU).eval()  # its own is ReLU6
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    images = 3 * torch.randn(2, 3, size_px, size_px)
    with torch.inference_mode():
        found, expected = ours(images), theirs.forward_features(images)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert float(expected.std()) > 0.01


@pytest.mark.parametrize(
    ("depth", "block", "counts"), [(18, "BasicBlock", (2, 2, 2, 2)), (50, "Bottleneck", (3, 4, 6, 3))]
)
def test_deep_stem_resnet_is_timm_s_with_other_strides(depth, block, counts):
    torch.manual_seed(0)
    ours = DeepStemResNet(depth).eval()
    randomise(ours)
    theirs = timm.models.ResNet(
        getattr(timm.models.resnet, block), counts, num_classes=2, stem_width=64, stem_type="deep"
    ).eval()
    theirs.load_state_dict(ours.state_dict())  # by name
    theirs.conv1[3].stride = (2, 2)
    for number, stride in ((1, 2), (3, 1), (4, 1)):
        first = theirs.get_submodule(f"layer{number}")[0]
        (first.conv1 if block == "BasicBlock" else first.conv2).stride = (stride, stride)
        first.downsample[0].stride = (stride, stride)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        found, expected = ours(images), theirs(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert float(expected.std()) > 0.01
