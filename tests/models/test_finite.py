"""`all_finite` against torch's own check, which is slow."""

import pytest
import torch

from dfworkbench.models.finite import all_finite


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_bad_value_anywhere_is_found(kind, bad):
    values = torch.linspace(-3, 3, 1000)
    assert all_finite(values.to(kind))
    for place in (0, 7, 500, 999):
        broken = values.clone()
        broken[place] = bad
        assert not broken.to(kind).isfinite().all()
        assert not all_finite(broken.to(kind))


def test_views_empty_tensors_integers_and_parameters():
    parameter = torch.nn.Parameter(torch.ones(4, 6))
    assert all_finite(parameter)
    assert all_finite(torch.ones(()))
    assert all_finite(torch.zeros(0, 3))
    assert all_finite(torch.arange(3))
    values = torch.ones(4, 6)
    values[1, 1] = float("nan")
    assert all_finite(values[:, ::2])
    assert not all_finite(values.T[1])
