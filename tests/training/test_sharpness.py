"""Sharpness-aware minimisation against closed forms, and as part of a training step."""

import numpy as np
import pytest
import torch
from torch import nn

from dfworkbench.datasets.face_dataset import collate
from dfworkbench.training import TrainSettings, prepare
from dfworkbench.training.loop import _Loop, _optimizer
from dfworkbench.training.processes import make_fabric
from dfworkbench.training.sharpness import uphill

CURVATURE = torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)


class Bowl(nn.Module):
    """Half of the sum of curvature x weight², over two parameters."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([3.0, -1.0], dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor([0.5], dtype=torch.float64))
        self.unused = nn.Parameter(torch.ones(2))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def loss(self):
        self.calls += 1
        return 0.5 * (CURVATURE * torch.cat([self.a, self.b]) ** 2).sum()


def test_gradient_of_a_quadratic_is_that_of_the_paper():
    bowl, rho = Bowl(), 0.3
    weights = torch.cat([bowl.a, bowl.b]).detach()
    gradient = CURVATURE * weights
    expected = CURVATURE * (weights + rho * gradient / gradient.norm())
    bowl.loss().backward()
    with uphill(bowl, rho):
        assert (torch.cat([bowl.a, bowl.b]) - weights).norm().item() == pytest.approx(rho, rel=1e-12)
        bowl.zero_grad()
        bowl.loss().backward()
    assert torch.allclose(torch.cat([bowl.a.grad, bowl.b.grad]), expected, rtol=1e-12)
    assert torch.equal(torch.cat([bowl.a, bowl.b]), weights), "bit for bit"
    assert torch.equal(bowl.unused, torch.ones(2))
    assert bowl.calls == 1, "the second pass does not count"


def test_a_flat_place_is_not_left():
    bowl = Bowl()
    with torch.no_grad():
        bowl.a.zero_()
        bowl.b.zero_()
    bowl.loss().backward()
    with uphill(bowl, 1.0):
        assert not torch.cat([bowl.a, bowl.b]).any()


def test_weights_come_back_after_an_error():
    bowl = Bowl()
    before = {name: value.clone() for name, value in bowl.state_dict().items()}
    bowl.loss().backward()
    bowl.calls.zero_()
    with pytest.raises(KeyboardInterrupt), uphill(bowl, 1.0):
        raise KeyboardInterrupt
    assert all(torch.equal(value, before[name]) for name, value in bowl.state_dict().items())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_step_sees_one_loss_and_one_batch(toy, precision):
    """With dropout and batch norm: both passes drop the same, and the running statistics are those of one pass."""
    settings = TrainSettings(
        dataset="toy", size_px=64, batch_size=4, sam_rho=0.05, device="cpu", name="sam", precision=precision
    )
    prepared = prepare(settings, toy)
    loop = _Loop(prepared, settings, make_fabric(settings), False)
    method = prepared.method
    batch = collate([prepared.train[row] for row in range(4)])
    optimizer = _optimizer(settings, method.parameter_groups(1e-3, 0.0))
    wrapped, wrapped_optimizer = loop.fabric.setup(method, optimizer)
    wrapped.train()
    start = {name: value.clone() for name, value in method.state_dict().items()}

    def gradients():
        torch.manual_seed(7)
        method.zero_grad()
        loop.fabric.backward(wrapped(batch).loss)
        return {name: p.grad.clone() for name, p in method.named_parameters()}

    plain = gradients()
    after_one = {name: value.clone() for name, value in method.named_buffers()}
    norm = np.sqrt(sum(float(g.double().square().sum()) for g in plain.values()))
    method.load_state_dict(
        {name: start[name] + 0.05 * plain[name] / norm if name in plain else start[name] for name in start}
    )
    expected = gradients()
    method.load_state_dict(start)

    torch.manual_seed(7)
    step = loop._gradients(wrapped, wrapped_optimizer, batch)
    assert step.loss.isfinite()
    tolerance = (
        1e-4 if precision == "32-true" else 0.05
    )  # bfloat16 has 8 bits, and weights that differ by one of float32's
    for name, p in method.named_parameters():
        assert (p.grad - expected[name]).norm() <= tolerance * expected[name].norm() + 1e-6, name
    assert any(not torch.allclose(expected[name], plain[name], rtol=1e-2) for name in plain), "it does something"
    assert all(torch.equal(value, after_one[name]) for name, value in method.named_buffers())
    assert all(torch.equal(p, start[name]) for name, p in method.named_parameters())
