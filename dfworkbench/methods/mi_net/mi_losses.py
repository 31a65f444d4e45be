"""Information losses of Exposing the Deception, for the local blocks and the global vector.

Ba et al.: Exposing the Deception: Uncovering More Forgery Clues for Deepfake Detection. AAAI 2024, arXiv:2403.01786. With Z all
local vectors, z_i one of them and G the global vector, the paper maximises sum_i I(z_i; y | Z without z_i), so that each block
knows something that the others do not, and minimises I(Z; y) - I(G; y), so that nothing is lost on the way to G. Where posteriors
are exact, both are Kullback-Leibler divergences from the posterior of Z: E KL(p(y|Z) || p(y|Z without z_i)) and
E KL(p(y|Z) || p(y|G)). A linear head estimates each posterior; these losses never change that of Z.

The published losses are D(G), the global one, and exp(-sum_i D(Z without z_i)), the local one, where D is the reverse divergence
of posteriors at temperature 1.5, divided by the number of classes.

Differences from the released code:
- Everything is computed from log-probabilities of at least 32 bits; there, logits of several hundred give infinities and NaN.
- `direction="forward"` with `reduction="batchmean"` and temperature 1 is the divergence that equals the information.
- `distance="sinkhorn"` is the Wasserstein mode as published: it treats the rows of a batch as points, log-probabilities of one side
  and probabilities of the other, so that the local loss is about 1e-6 and has no effect. `distance="wasserstein"` is ours: the
  exact distance of two posteriors over two classes.
"""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name

Distance = Literal["kl", "wasserstein", "sinkhorn"]
Direction = Literal["published", "forward"]
Reduction = Literal["published", "batchmean"]


def posterior_distances(
    logits: Tensor,
    joint_logits: Tensor,
    *,
    distance: Distance = "kl",
    direction: Direction = "published",
    reduction: Reduction = "published",
    temperature: float = 1.5,
) -> Tensor:
    """Distance of the posteriors of H heads from the posterior of all blocks together.

    Args:
        logits: `(B, H, 2)`, logits of the trained heads.
        joint_logits: `(B, 2)`; they get no gradient.
        distance: "kl", "wasserstein" (mean of |P - Q|, 0..1) or "sinkhorn" (see `sinkhorn`).
        direction: Direction of "kl". "published": KL(head || joint). "forward": KL(joint || head).
        reduction: Reduction of "kl". "published": mean over samples and classes. "batchmean": mean over samples.
        temperature: Both sides' logits are divided by it.

    Returns:
        `(H,)`, at least float32; in nats for "kl".

    Raises:
        UnknownNameError: No distance, direction or reduction has this name.
        ParameterError: The temperature is not above 0.
    """
    require_name("distance of posteriors", distance, get_args(Distance))
    require_name("direction of the divergence", direction, get_args(Direction))
    require_name("reduction of the divergence", reduction, get_args(Reduction))
    if not temperature > 0:
        raise ParameterError(f"comparing posteriors: temperature = {temperature}; expected above 0. Published: 1.5.")
    log_q = F.log_softmax(_exact(joint_logits.detach()) / temperature, dim=-1)[:, None]
    log_p = F.log_softmax(_exact(logits) / temperature, dim=-1)
    if distance == "wasserstein":
        return (log_p.exp() - log_q.exp())[..., 1].abs().mean(dim=0)
    if distance == "sinkhorn":
        return torch.stack([sinkhorn(log_q[:, 0], p) for p in log_p.exp().unbind(dim=1)])
    ratio = log_p - log_q
    per_class = log_p.exp() * ratio if direction == "published" else -log_q.exp() * ratio
    found = per_class.sum(dim=-1).mean(dim=0)
    return found / logits.shape[-1] if reduction == "published" else found


def local_information_loss(distances: Tensor) -> Tensor:
    """exp(-sum of the distances): 1 if no block is missed, towards 0 the more each is; scalar.

    Args:
        distances: `(n,)` of `posterior_distances`, one for each block that was left out.
    """
    return torch.exp(-distances.sum())


def cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each head, mean over the samples, `(H,)`, at least float32.

    Args:
        logits: `(B, H, 2)`.
        targets: `(B, 2)`, share of each class; need not sum to 1, so they may include sample weights.
    """
    log_p = F.log_softmax(_exact(logits), dim=-1)
    return -(targets.to(log_p.dtype)[:, None] * log_p).sum(dim=-1).mean(dim=0)


def sinkhorn(x: Tensor, y: Tensor, *, epsilon: float = 0.01, iterations: int = 100, tolerance: float = 0.1) -> Tensor:
    """Entropic cost of moving one point cloud onto another, squared Euclidean, as published; scalar.

    The small constants inside the logarithms and the early stop are the authors': two equal clouds do not cost 0.

    Args:
        x: `(n, F)` points of equal weight.
        y: `(m, F)`.
        epsilon: Strength of the entropy.
        iterations: Maximum number of rounds.
        tolerance: Stop when the summed change of the potentials of `x` is smaller.
    """
    cost = (x[:, None] - y[None]).square().sum(dim=-1)
    shares = [torch.log(cost.new_tensor(1 / count + 1e-8)) for count in cost.shape]
    u, v = cost.new_zeros(len(x)), cost.new_zeros(len(y))
    for _ in range(iterations):
        before = u
        u = epsilon * (shares[0] - _log_sum(cost, u, v, epsilon, dim=1)) + u
        v = epsilon * (shares[1] - _log_sum(cost, u, v, epsilon, dim=0)) + v
        if (u - before).detach().abs().sum() < tolerance:
            break
    return (_plan(cost, u, v, epsilon) * cost).sum()


def _log_sum(cost: Tensor, u: Tensor, v: Tensor, epsilon: float, dim: int) -> Tensor:
    return torch.log(_plan(cost, u, v, epsilon).sum(dim=dim) + 1e-6)


def _plan(cost: Tensor, u: Tensor, v: Tensor, epsilon: float) -> Tensor:
    return torch.exp((u[:, None] + v[None] - cost) / epsilon)


def _exact(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
