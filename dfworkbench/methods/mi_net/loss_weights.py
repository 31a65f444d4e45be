"""Weights of several losses, learned or fixed.

Learned weights follow the released code of Ba et al., Exposing the Deception (AAAI 2024, arXiv:2403.01786), after
Liebel and Koerner: Auxiliary Tasks in Multi-task Learning (arXiv:1805.06334): L = sum_k L_k / (2 p_k^2) + ln(1 + p_k^2). For a loss
that stays constant, p_k^2 converges to (L_k + sqrt(L_k^2 + 8 L_k)) / 4.

Differences from the released code: the weights are saved with the state of the method, so that a resumed run keeps them; |p| is at
least 1e-3 as a divisor, because p goes to 0 with its loss.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

#: Smallest |p| that a loss is divided by.
FLOOR = 1e-3


class AutomaticWeights(nn.Module):
    """Learned weights.

    Args:
        names: Names of the losses, in the order of `p`.

    Attributes:
        p: `(K,)`, initially 1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.p = nn.Parameter(torch.ones(len(self.names)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum to minimise, scalar; `losses` are scalars, one per name."""
        p = self._safe()
        return (torch.stack([losses[name] for name in self.names]) / (2 * p**2) + torch.log1p(p**2)).sum()

    def factors(self) -> dict[str, Tensor]:
        """Current factor of each loss: 1 / (2 p^2)."""
        return dict(zip(self.names, (0.5 / self._safe().detach() ** 2).unbind(), strict=True))

    def _safe(self) -> Tensor:
        # the gradient passes as if nothing were clamped: one that stopped at the limit would hold p there forever
        safe = torch.copysign(self.p.abs().clamp(min=FLOOR), self.p)
        return self.p + (safe - self.p).detach()


class FixedWeights(nn.Module):
    """Fixed weights.

    Args:
        factors: Name of each loss -> its factor.
    """

    def __init__(self, factors: Mapping[str, float]) -> None:
        super().__init__()
        self._factors = dict(factors)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum, scalar."""
        return torch.stack([factor * losses[name] for name, factor in self._factors.items()]).sum()

    def factors(self) -> dict[str, Tensor]:
        """Factor of each loss."""
        return {name: torch.tensor(factor) for name, factor in self._factors.items()}
