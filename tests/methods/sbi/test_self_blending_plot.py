"""The figure of self-blended images shows what it is given."""

import numpy as np
import pytest

from dfworkbench.core.errors import InputError
from dfworkbench.methods.sbi.figures import difference_picture, plot_self_blended


def pairs(n):
    rng = np.random.default_rng(0)
    genuine = rng.integers(0, 256, size=(n, 16, 16, 3)).astype(np.uint8)
    masks = np.zeros((n, 16, 16), np.uint8)
    masks[:, 4:12, 4:12] = 64  # a blend ratio of 1/4
    return genuine, genuine // 2, masks


def test_a_column_for_each_pair_with_the_outline_of_faint_masks_too():
    genuine, blended, masks = pairs(3)
    figure = plot_self_blended(genuine, blended, masks, title="t")
    assert len(figure.axes) == 12
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(shown[0], genuine[0])
    assert np.array_equal(shown[4], blended[1])
    assert np.array_equal(shown[8], masks[2])
    assert [bool(axes.collections) for axes in figure.axes] == [False] * 3 + [True] * 3 + [False] * 6
    assert plot_self_blended([], [], []).axes


def test_differences_are_around_grey():
    one = np.full((2, 2, 3), 100, np.uint8)
    assert (difference_picture(one, one) == 128).all()
    assert (difference_picture(one, one + 10) == 168).all()
    assert (difference_picture(one, one - 100) == 0).all()


def test_incomplete_pairs_are_refused():
    genuine, blended, masks = pairs(2)
    with pytest.raises(InputError, match="2 images and 1 blended"):
        plot_self_blended(genuine, blended[:1], masks)
    with pytest.raises(InputError, match="uint8 RGB"):
        plot_self_blended(genuine, blended.astype(float), masks)
