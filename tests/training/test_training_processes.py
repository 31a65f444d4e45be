"""Training on two processes, started by torchrun on CPUs, and the layers that make it equal to one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.tables import read_table
from dfworkbench.training import TrainSettings, train
from dfworkbench.training.batch_norm import ExactBatchNorm
from dfworkbench.training.processes import make_fabric

SETTINGS = TrainSettings(
    dataset="toy", size_px=64, epochs=2, batch_size=8, learning_rate=3e-3, threads=1, name="one", device="cpu"
)


def torchrun(toy, settings):
    file = toy.root / "settings.json"
    file.write_text(settings.model_dump_json())
    command = "-m torch.distributed.run --standalone --nproc-per-node 2 -m dfworkbench train --settings"
    return subprocess.run(
        [sys.executable, *command.split(), str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_two_processes_give_the_scores_of_one(toy):
    """With SAM, which takes two gradients for each step; plain steps are compared in `contracts/test_methods.py`."""
    settings = SETTINGS.replace(method="sbi", sam_rho=0.05, frames_per_video=2)
    alone = list(train(settings, toy, progress=False))
    out = torchrun(toy, settings.replace(name="two"))
    assert out.returncode == 0, out.stderr[-3000:]
    assert out.stdout.count("epoch 1/2") == 1, "one process speaks for both"
    for epoch in (1, 2):
        one, two = (
            read_table("score", toy.checkpoints / name / f"scores/val_epoch_{epoch:03d}.parquet")
            for name in ("one", "two")
        )
        assert one["row_id"].tolist() == two["row_id"].tolist()
        assert np.abs(one["fake_probability"] - two["fake_probability"]).max() < 1e-5
    best = json.loads((toy.checkpoints / "two/best.json").read_text())
    assert best["val"]["loss"] == pytest.approx(
        next(e for e in alone if e.number == best["epoch"]).val["loss"], abs=1e-5
    )
    # one process can go on where two stopped
    assert len(list(train(settings.replace(name="two"), toy, progress=False))) == 2


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ParameterError, match="batch_size = 7 cannot be shared equally by 2 processes"):
        make_fabric(SETTINGS.replace(batch_size=7))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_exact_batch_norm_equals_torch_in_double(layout, momentum):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5, momentum=momentum)
    nn.init.uniform_(norm.weight, -2, 2)
    nn.init.uniform_(norm.bias, -2, 2)
    exact = ExactBatchNorm(nn.BatchNorm2d(5, momentum=momentum))
    exact.load_state_dict(norm.state_dict())
    norm = norm.double()
    for _ in range(2):
        x = (torch.randn(6, 5, 50, 50) * 3 + 7).contiguous(memory_format=layout)
        a, b = x.clone().requires_grad_(), x.double().requires_grad_()
        mix = torch.randn_like(x)
        (exact(a) * mix).sum().backward()
        (norm(b) * mix.double()).sum().backward()
        assert torch.allclose(exact(x).double(), norm(x.double()), atol=2e-5)
        assert torch.allclose(a.grad.double(), b.grad, atol=2e-5)
        assert torch.allclose(exact.weight.grad.double(), norm.weight.grad, rtol=1e-4, atol=1e-3)
        assert torch.allclose(exact.bias.grad.double(), norm.bias.grad, rtol=1e-4, atol=1e-3)
    assert torch.allclose(exact.running_mean.double(), norm.running_mean, atol=1e-5)
    assert torch.allclose(exact.running_var.double(), norm.running_var, atol=1e-4)
    assert exact.num_batches_tracked == norm.num_batches_tracked
    exact.eval(), norm.eval()
    assert torch.allclose(exact(x).double(), norm(x.double()), atol=2e-5)


def test_exact_batch_norm_shares_weights_and_statistics():
    norm = nn.BatchNorm1d(3)
    exact = ExactBatchNorm(norm)
    assert exact.weight is norm.weight
    exact(torch.randn(8, 3) + 5)
    assert norm.running_mean.min() > 0.3
    assert list(exact.state_dict()) == list(norm.state_dict())
