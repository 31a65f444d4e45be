"""Which numbers a CPU computes with by itself."""

import pytest
import torch

from dfworkbench.models.devices import fast_precision


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bf16-mixed"),  # AMD from Zen 4
        ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_bfloat16_where_the_processor_has_instructions_for_it(monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fast_precision(torch.device("cpu")) == precision


def test_an_older_torch_that_cannot_say_takes_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert fast_precision(torch.device("cpu")) == "32-true"
