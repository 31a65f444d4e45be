"""Networks with bfloat16 weights."""

import pytest
import torch
from torch import nn

from dfworkbench.core.errors import InputError
from dfworkbench.evaluation.scoring.file_scorer import forward
from dfworkbench.models import build_detector
from dfworkbench.models.half_precision import in_bfloat16, own_precision


def trained(name, **options):
    """A network whose outputs depend on the picture: batch norms have seen some pictures."""
    torch.manual_seed(0)
    network = build_detector(name, **options)
    for _ in range(3):
        network.train()(torch.rand(8, *network.input_spec.sample_shape()))
    return network.eval()


@pytest.mark.parametrize(("name", "options"), [("mesonet4", {"size_px": 64}), ("resnet18", {"size_px": 64})])
def test_scores_agree_and_weights_take_half_the_memory(name, options):
    network = trained(name, **options)
    images = torch.randint(0, 256, (16, *network.input_spec.sample_shape()), dtype=torch.uint8)
    exact = forward(network, network.input_spec, name, images)
    half = in_bfloat16(network)
    rounded = forward(half, network.input_spec, name, images)
    spread = exact.std()
    assert 0 < abs(rounded - exact).max() < 0.1 * spread + 0.01
    assert len({*rounded.tolist()}) == 16  # logits themselves are not rounded
    assert torch.equal(half.state_dict()[_head(half)], network.state_dict()[_head(half)])
    sizes = [sum(p.numel() * p.element_size() for p in net.parameters()) for net in (network, half)]
    assert sizes[1] < 0.55 * sizes[0]
    assert abs(forward(network, network.input_spec, name, images) - exact).max() == 0  # the given one is as it was


def _head(network):
    return next(n for n, p in network.named_parameters() if p.dtype == torch.float32 and p.ndim == 2)


def test_without_a_copy_the_network_itself_is_changed():
    network = trained("mesonet4", size_px=64)
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    copied = forward(in_bfloat16(network), network.input_spec, "mesonet4", images)
    changed = in_bfloat16(network, keep=False)
    assert changed is network
    assert in_bfloat16(changed) is network  # nothing is left to do
    assert abs(forward(network, network.input_spec, "mesonet4", images) - copied).max() == 0


def test_a_network_that_cannot_says_so():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Conv2d(3, 4, 1)

        def forward(self, images):
            return self.mix(images).detach().numpy()  # NumPy has no bfloat16

    half = in_bfloat16(Plain())
    with pytest.raises(InputError, match=r"plain in bfloat16.*precision=32-true"), own_precision(half, "plain"):
        half(torch.rand(1, 3, 8, 8))
    with own_precision(Plain(), "plain"), pytest.raises(RuntimeError):  # other errors stay as they are
        raise RuntimeError
