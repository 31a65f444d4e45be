"""Sharpness-aware minimisation (SAM): gradients at the worst weights in a neighbourhood.

Foret, Kleiner, Mobahi, Neyshabur: Sharpness-Aware Minimization for Efficiently Improving Generalization. ICLR 2021,
arXiv:2010.01412, equations 2 and 3 with p = 2: the gradient is that of the loss at w + rho g / |g|, g being the gradient at w. The
optimiser then steps from w. Weight decay has no part in g.

The norm is over all weights together. With several processes, g is the gradient of the whole batch, so that all processes perturb
their weights equally and the step equals that of a single process. With bf16-mixed, weights and gradients remain float32.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

_LEAST_NORM = 1e-12  # a zero gradient moves nothing


@contextlib.contextmanager
def uphill(module: nn.Module, rho: float) -> Iterator[None]:
    """Context manager that moves the weights by `rho` along their gradients, and restores them bit for bit afterwards.

    Buffers are restored too: a batch norm counts a batch once, with the statistics at the unperturbed weights. Gradients stay as
    the caller leaves them.

    Args:
        module: Module with gradients; weights without a gradient are not moved.
        rho: Norm of the perturbation over all weights together.
    """
    weights = [p for p in module.parameters() if p.grad is not None]
    before = [p.detach().clone() for p in weights]
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    with torch.no_grad():
        gradients = [p.grad for p in weights if p.grad is not None]
        if weights:
            norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
            scale = rho / norm.clamp(min=_LEAST_NORM)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.addcmul_(gradient, scale.to(gradient.dtype))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])
