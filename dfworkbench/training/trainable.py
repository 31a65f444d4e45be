"""Choose which weights of a detector are trained: all, normalisation layers and classifier, or the classifier alone.

Yermakov, Cech, Matas, Fritz: Deepfake Detection that Generalizes Across Benchmarks. WACV 2026, arXiv:2508.06248: of a pretrained
vision transformer only the layer norms (0.03 % of its weights) and the classifier are trained, so that it keeps what it knows.

Only weights of the detector are frozen; other parts of a method are trained as usual. With "head", the rest of the detector also
stays in eval mode: its batch norms keep their statistics, and there is no dropout.
"""

from typing import Any

from torch import nn

from dfworkbench.core.errors import ParameterError

#: Names that detectors use for their classifiers.
_HEADS = ("head", "classifier", "classifiers")
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def freeze_others(detector: Any, trainable: str) -> None:
    """Freeze the weights of a detector that are not to be trained.

    Args:
        detector: The network, before its optimiser is created. Parts that are already frozen stay frozen.
        trainable: "all", "norm" or "head", see `TrainSettings.trainable`.

    Raises:
        ParameterError: The detector has no classifier of its own, or no normalisation layers.
    """
    if trainable == "all":
        return
    kept = [_require_head(detector, trainable)]
    if trainable == "norm":
        norms = [module for module in detector.modules() if _is_norm(module) and any(True for _ in module.parameters())]
        if not norms:
            raise ParameterError(
                f"training with trainable = 'norm': {type(detector).__name__} has no normalisation layers with weights. Choose "
                "trainable = 'all' or 'head'."
            )
        kept += norms
    trained = {id(weight) for module in kept for weight in module.parameters()}
    for weight in detector.parameters():
        if id(weight) not in trained:
            weight.requires_grad_(False)


def keep_frozen_still(detector: Any, trainable: str) -> None:
    """After `train()`, put the frozen parts of a detector back into eval mode if only its classifier is trained."""
    if trainable == "head":
        detector.eval()
        _require_head(detector, trainable).train()


def _require_head(detector: Any, trainable: str) -> nn.Module:
    head = next((found for name in _HEADS if isinstance(found := getattr(detector, name, None), nn.Module)), None)
    if head is None:
        raise ParameterError(
            f"training with trainable = {trainable!r}: {type(detector).__name__} has no part named {' or '.join(_HEADS)}, so its "
            "classifier is not known. Choose trainable = 'all', or give that name to the classifier of your detector."
        )
    return head


def _is_norm(module: nn.Module) -> bool:
    # timm has norms of its own besides torch's; blocks such as ConvNormAct contain other layers
    named = "norm" in type(module).__name__.lower() and not any(True for _ in module.children())
    return isinstance(module, _NORMS) or named
