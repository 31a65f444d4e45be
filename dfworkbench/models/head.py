"""The small classifier of MesoNet and DeepfakeForensics-v1."""

from torch import nn


def small_head(features: int, dropout: float) -> nn.Sequential:
    """Two linear layers, `(B, features)` -> 16 -> `(B, 1)`, with dropout before each and a leaky ReLU between."""
    return nn.Sequential(
        nn.Dropout(dropout), nn.Linear(features, 16), nn.LeakyReLU(0.1), nn.Dropout(dropout), nn.Linear(16, 1)
    )
