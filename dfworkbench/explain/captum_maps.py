"""Grad-CAM, integrated gradients and occlusion for one picture or clip, through captum, on the same cells as Shapley values.

Selvaraju et al.: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV 2017, arXiv:1610.02391.
Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks. ICML 2017, arXiv:1703.01365.
Zeiler, Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014, arXiv:1311.2901.
Kokhlikyan et al.: Captum: A Unified and Generic Model Interpretability Library for PyTorch. 2020, arXiv:2009.07896.

The explained value, the cells and the baseline are those of an `ImageGame`. Preparing a picture shifts and scales each pixel, so
the straight path between two prepared pictures corresponds to that between the pictures.

Differences from the papers:
- All maps are signed, for comparison with Shapley values. Grad-CAM's own ReLU is optional.
- Occlusion hides each cell once, without overlapping windows.
- For a clip a cell is hidden in all frames at once; gradients are summed over the frames.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfworkbench.core.errors import InputError, MissingDependencyError, ParameterError
from dfworkbench.explain.last_map import find_map
from dfworkbench.explain.shapley.game import Floats
from dfworkbench.explain.shapley.image_game import ImageGame, cell_of_pixel
from dfworkbench.models.modes import evaluating

#: Steps of integrated gradients: captum's default; `Explanation.gap` says whether they suffice.
STEPS = 50
#: Pictures per pass with gradients: all activations are kept for the backward pass, so fewer than without.
GRADIENT_BATCH = 16


@dataclass(frozen=True, eq=False)
class Explanation:
    """Attribution map of one picture by one method.

    Attributes:
        method: Name in `explanations.METHODS`.
        values: `(L, L)`; positive cells raise the value. In the unit of the value (log-odds for "logit"); Grad-CAM has no unit.
        detector: Name of the detector.
        value: What is explained, in words.
        evaluations: Number of pictures, or clips, shown to the detector.
        gap: Sum of the cells minus (full - empty), which is 0 up to errors: of rounding for Shapley values, of rounding and too few
            steps for integrated gradients. NaN for methods without this property.
        standard_error: `(L, L)` for Shapley values; None for deterministic methods.
        details: Further settings, plain values for JSON.
    """

    method: str
    values: Floats
    detector: str
    value: str
    evaluations: int
    gap: float = math.nan
    standard_error: Floats | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why the map is empty, else ""."""
        return "" if self.values.any() else "the map is 0 everywhere"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: everything but the two maps; a NaN gap becomes None."""
        return {
            "method": self.method,
            "detector": self.detector,
            "value": self.value,
            "evaluations": self.evaluations,
            "gap": self.gap if math.isfinite(self.gap) else None,
            "reason": self.reason,
            "details": dict(self.details),
        }


def grad_cam(game: ImageGame, *, layer: str | None = None, relu: bool = False) -> Explanation:
    """Grad-CAM of the last map, enlarged to the cells (bilinear), or averaged over each cell if the map is finer.

    The map is sum over channels k of a_k A_k, where A_k is a channel and a_k its mean gradient (Selvaraju et al., equations 1 and
    2). It has no baseline, and its sum has no meaning. The mean suits networks that average their last map (ResNet, EfficientNet,
    and CADDM); MesoNet and the LSTM detectors have separate weights for each position, which the mean mixes up.

    Args:
        game: Detector, picture and value. The network's modes and gradients stay as they are.
        layer: Name of a module, such as "trunk.net.layer3"; None for the last map, see `last_map`.
        relu: Keep only positive evidence for the value, as the paper does. A picture without any is 0 everywhere.

    Returns:
        The map, with `details["layer"]`. For a clip, the sum over its frames.

    Raises:
        InputError: No layer produces a map, or the map is not finite.
        UnknownNameError: There is no such layer.
        MissingDependencyError: captum is not installed.
    """
    attr, subject = _captum(), _Subject(game)
    with _differentiable(game.network):
        shown = subject.ends()[0].requires_grad_()
        name = find_map(game.network, subject, shown, layer, f"explaining {game.name} by Grad-CAM")
        cam = attr.LayerGradCam(subject, game.network.get_submodule(name))
        maps = cam.attribute(shown, relu_attributions=relu).detach().double()  # (1 or T, 1, h, w)
        one = maps.sum(dim=0, keepdim=True)
        mode = "bilinear" if max(one.shape[2:]) <= game.grid else "area"
        values = nn.functional.interpolate(one, (game.grid, game.grid), mode=mode)[0, 0].cpu().numpy()
    return subject.explanation("grad_cam", values, layer=name, relu=relu)


def integrated_gradients(game: ImageGame, *, steps: int = STEPS) -> Explanation:
    """Integrated gradients from the baseline to the picture, summed over the pixels, channels and frames of each cell.

    Sums rather than means, so that the cells add up to full - empty (completeness, Sundararajan et al., proposition 1), as Shapley
    values do. The integral is computed by Gauss-Legendre quadrature.

    Args:
        game: Detector, picture, baseline and value; at most `GRADIENT_BATCH` pictures go through the network at once.
        steps: Points between baseline and picture.

    Returns:
        The map, with `gap`: captum's convergence delta summed in float64; more steps bring it closer to 0.

    Raises:
        InputError: The value has no gradient, or the map is not finite.
        ParameterError: No steps.
        MissingDependencyError: captum is not installed.
    """
    attr, subject = _captum(), _Subject(game)
    if steps < 1:
        raise ParameterError(
            f"explaining a detector by integrated gradients: steps = {steps}; expected at least 1. Take {STEPS}."
        )
    with _differentiable(game.network):
        shown, hidden = subject.ends()
        pixels = attr.IntegratedGradients(subject).attribute(
            shown, hidden, n_steps=steps, internal_batch_size=min(game.batch_size, GRADIENT_BATCH)
        )
        with torch.no_grad():
            added = float(subject(shown)) - float(subject(hidden))
    # (1, 3, S, S) or (1, T, 3, S, S)
    weights = pixels.detach().double().flatten(0, -3).sum(dim=0).cpu().numpy().ravel()
    values: Floats = np.bincount(subject.cells.ravel(), weights, game.players).astype(np.float64)
    values = values.reshape(game.grid, game.grid)
    gap = float(values.sum()) - added
    return subject.explanation("integrated_gradients", values, gap, baseline=game.baseline, steps=steps)


def occlusion(game: ImageGame) -> Explanation:
    """How much the value falls when one cell is hidden and all others are shown: v(all) - v(all but i).

    captum's `Occlusion` moves a window of fixed size. Its parent `FeatureAblation` is used here, because it takes any cells: if L
    divides S the two agree, otherwise cells differ in size.

    Args:
        game: Detector, picture, baseline and value.

    Raises:
        InputError: The map is not finite.
        MissingDependencyError: captum is not installed.
    """
    attr, subject = _captum(), _Subject(game)
    with _differentiable(game.network):
        shown, hidden = subject.ends()
        mask = torch.from_numpy(subject.cells).to(shown.device).view(*(1,) * (shown.ndim - 2), *subject.cells.shape)
        pixels = attr.FeatureAblation(subject).attribute(
            shown, hidden, feature_mask=mask, perturbations_per_eval=game.batch_size
        )
    # every pixel of a cell has the cell's number
    _, first = np.unique(subject.cells, return_index=True)
    values = pixels.detach().flatten(0, -3)[0].flatten()[torch.from_numpy(first).to(pixels.device)]
    values = values.double().cpu().numpy().reshape(game.grid, game.grid)
    return subject.explanation("occlusion", values, baseline=game.baseline)


class _Subject:
    """A game as a function for captum: prepared pictures to `(B,)`."""

    def __init__(self, game: ImageGame) -> None:
        self._game = game
        rows = cell_of_pixel(game.size_px, game.grid)
        self.cells = rows[:, None] * game.grid + rows
        self.evaluations = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.evaluations += len(images)
        value = self._game.value_of(images)
        if images.requires_grad and not value.requires_grad:
            raise InputError(
                f"explaining {self._game.name}: the value {self._game.value} has no gradient, which this method needs. Choose one "
                "that is computed by functions with a derivative (no argmax, no detach), or explain it by occlusion."
            )
        return value

    def ends(self) -> tuple[Tensor, Tensor]:
        """The prepared picture and its baseline, `(1, 3, S, S)` or `(1, T, 3, S, S)` each."""
        both = self._game.masked(np.repeat([[True], [False]], self._game.players, axis=1))
        return both[:1], both[1:]

    def explanation(self, method: str, values: Floats, gap: float = math.nan, **details: Any) -> Explanation:
        """Combine a map with its record."""
        if not np.isfinite(values).all():
            raise InputError(
                f"explaining {self._game.name} by {method}: {int((~np.isfinite(values)).sum())} of {values.size} cells are NaN or "
                "infinite, expected finite numbers. Look at the detector's weights."
            )
        return Explanation(method, values, self._game.name, self._game.value, self.evaluations, gap, details=details)


@contextmanager
def _differentiable(network: nn.Module) -> Iterator[None]:
    """Eval mode with gradients, even in a caller's `no_grad`; every module returns to its former mode afterwards."""
    # cuDNN has no backward pass for a recurrent layer in eval mode
    recurrent = any(isinstance(module, nn.RNNBase) for module in network.modules())
    with (
        evaluating(network),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext(),
    ):
        yield


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError:
        raise MissingDependencyError(
            "explaining a detector by Grad-CAM, integrated gradients or occlusion needs captum, which is not installed: "
            "pip install captum"
        ) from None
    return captum.attr
