"""From pixels to the first layer."""

import pytest
import torch

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.models.inputs import prepare


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_range_mean_and_std(images):
    spec = InputSpec(size_px=8, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    out = prepare(images, spec)
    for channel in range(3):
        expected = (images[:, channel].double() / 255 - spec.mean[channel]) / spec.std[channel]
        assert torch.allclose(out[:, channel].double(), expected, atol=1e-6)
    assert out.dtype == torch.float32


@pytest.mark.parametrize(("low", "high"), [(0.0, 255.0), (-1.0, 1.0), (0.0, 1.0)])
def test_black_and_white_become_the_ends_of_the_range(low, high):
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 8, 8)
    out = prepare(ends, InputSpec(size_px=8, value_range=(low, high)))
    assert out[0].unique().tolist() == pytest.approx([low])
    assert out[1].unique().tolist() == pytest.approx([high])


def test_bgr_swaps_channels_before_mean_and_std(images):
    spec = InputSpec(size_px=8, channel_order="bgr", value_range=(0, 255), mean=(104.0, 117.0, 123.0))
    out = prepare(images, spec)
    for channel, source in enumerate((2, 1, 0)):
        assert torch.allclose(out[:, channel], images[:, source].float() - spec.mean[channel], atol=1e-4)


def test_clips_are_prepared_like_images(images):
    one, clip = InputSpec(size_px=8, channel_order="bgr"), InputSpec(size_px=8, channel_order="bgr", clip_length=2)
    assert torch.equal(prepare(images[None], clip)[0], prepare(images, one))


def test_pixels_are_not_changed_in_place(images):
    before = images.clone()
    prepare(images, InputSpec(size_px=8))
    assert torch.equal(images, before)


def test_prepared_images_are_refused(images):
    with pytest.raises(InputError, match=r"torch.float32, expected torch.uint8"):
        prepare(images.float(), InputSpec(size_px=8), "mesonet4")
    with pytest.raises(InputError, match=r"mesonet4 takes \(B, 3, 9, 9\) RGB"):
        prepare(images, InputSpec(size_px=9), "mesonet4")
