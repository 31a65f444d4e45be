"""Grad-CAM, integrated gradients and occlusion of one picture or clip, through captum, on the cells that have Shapley values.

Selvaraju et al.: Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization. ICCV 2017, arXiv:1610.02391.
Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks. ICML 2017, arXiv:1703.01365.
Zeiler, Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014, arXiv:1311.2901.
Kokhlikyan et al.: Captum: A Unified and Generic Model Interpretability Library for PyTorch. 2020, arXiv:2009.07896.

The explained number, the cells, and what hidden cells show are those of `shapley.image_game`. Preparing a picture is a shift and
a scale of each pixel, so the straight way between two prepared pictures is the one between the pictures.

Differences from the papers:
- All maps are signed, so that they can be set against Shapley values. Grad-CAM's own ReLU is an option.
- Occlusion hides each cell once, and no windows overlap.
- For a clip a cell is hidden in all frames at once; gradients are summed over the frames.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfworkbench.core.errors import InputError, MissingDependencyError, ParameterError
from dfworkbench.explain.last_map import find_map
from dfworkbench.explain.shapley.game import Floats
from dfworkbench.explain.shapley.image_game import ImageGame, cell_of_pixel
from dfworkbench.explain.shapley.values import Value, value_function, value_name
from dfworkbench.models.modes import evaluating
from dfworkbench.runs.checkpoints import LoadedDetector

#: Steps of integrated gradients: captum's default; `Explanation.gap` says whether they suffice.
STEPS = 50
#: Pictures per pass with gradients: all layers are kept for the way back, so fewer than without.
GRADIENT_BATCH = 16


@dataclass(frozen=True, eq=False)
class Explanation:
    """What one method says of one picture.

    Attributes:
        method: Name in `explanations.METHODS`.
        values: `(L, L)`; positive cells speak for the value. In the unit of the value (log-odds for "logit"); Grad-CAM has no
            unit.
        detector: Name of the detector.
        value: What is explained, in words.
        evaluations: Pictures, or clips, that the detector was shown.
        gap: Sum of the cells minus (full - empty), which is 0 but for errors: of rounding for Shapley values, of rounding and
            too few steps for integrated gradients. NaN for methods that promise no sum.
        standard_error: `(L, L)` of Shapley values; None for methods that draw nothing.
        details: What else was set, plain values for JSON.
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
        """Why the map points nowhere, else ""."""
        return "" if self.values.any() else "the map is 0 everywhere"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: all but the two maps, a gap of NaN as None."""
        return {
            "method": self.method,
            "detector": self.detector,
            "value": self.value,
            "evaluations": self.evaluations,
            "gap": self.gap if math.isfinite(self.gap) else None,
            "reason": self.reason,
            "details": dict(self.details),
        }


def grad_cam(
    detector: LoadedDetector | nn.Module,
    image: NDArray[np.uint8],
    *,
    grid: int = 16,
    value: Value = "logit",
    layer: str | None = None,
    relu: bool = False,
    device: str | None = None,
) -> Explanation:
    """Grad-CAM of the last map, enlarged to the cells (bilinear), or averaged over each where it is finer than they are.

    The map is sum over channels k of a_k A_k, where A_k is a channel and a_k its mean gradient (Selvaraju et al., equations 1 and
    2). It has no baseline, and its sum means nothing. The mean fits networks that average their last map (ResNet, EfficientNet, and
    CADDM); MesoNet and the LSTM detectors give each place of it weights of its own, which the mean mixes up.

    Args:
        detector: Loaded, or a module with `input_spec` that gives a `Prediction`. Its modes and gradients stay as they are.
        image: The crop that its InputSpec asks for, `(S, S, 3)` uint8 RGB, or `(T, S, S, 3)` for a detector of clips.
        grid: L, cells along a side.
        value: "logit" (log-odds of fake), or a function of the prediction that gives `(B,)`; see `shapley.values`.
        layer: Name of a module, such as "trunk.net.layer3"; None for the last map, see `last_map`.
        relu: Keep what speaks for the value alone, as the paper does. A picture without any is 0 everywhere.
        device: Where the detector is moved; None leaves it where it is.

    Returns:
        With `details["layer"]`. For a clip the sum over its frames.

    Raises:
        InputError: The picture is not what the detector must be fed, no layer makes a map, or the map is not finite.
        UnknownNameError: There is no such layer.
        ParameterError: A number is out of range.
        DeviceError: The device is not there.
        MissingDependencyError: captum is not installed.
    """
    attr = _captum()
    subject = _Subject(detector, image, grid=grid, baseline="black", value=value, device=device, batch_size=None)
    with _differentiable(subject.network):
        shown = subject.ends()[0].requires_grad_()
        name = find_map(subject.network, subject, shown, layer, f"explaining {subject.name} by Grad-CAM")
        cam = attr.LayerGradCam(subject, subject.network.get_submodule(name))
        maps = cam.attribute(shown, relu_attributions=relu).detach().double()  # (1 or T, 1, h, w)
        one = maps.sum(dim=0, keepdim=True)
        mode = "bilinear" if max(one.shape[2:]) <= grid else "area"
        values = nn.functional.interpolate(one, (grid, grid), mode=mode)[0, 0].cpu().numpy()
    return subject.explanation("grad_cam", values, details={"layer": name, "relu": relu})


def integrated_gradients(
    detector: LoadedDetector | nn.Module,
    image: NDArray[np.uint8],
    *,
    grid: int = 16,
    baseline: str = "black",
    value: Value = "logit",
    steps: int = STEPS,
    device: str | None = None,
    batch_size: int | None = None,
) -> Explanation:
    """Integrated gradients from the baseline to the picture, summed over the pixels, channels and frames of each cell.

    Sums and not means, so that the cells add up to full - empty (completeness, Sundararajan et al., proposition 1) as Shapley
    values do. The integral is taken by Gauss-Legendre quadrature.

    Args:
        detector: As in `grad_cam`.
        image: As in `grad_cam`.
        grid: L, cells along a side.
        baseline: Where the way begins: "black", "mean" or "blur", see `image_game.baseline_of`.
        value: As in `grad_cam`.
        steps: Points on the way.
        device: As in `grad_cam`.
        batch_size: Pictures per pass, or clips; None for 16.

    Returns:
        With `gap`, captum's convergence delta summed in float64: more steps bring it closer to 0.

    Raises:
        InputError: The picture is not what the detector must be fed, the value has no gradient, or the map is not finite.
        UnknownNameError: No such baseline.
        ParameterError: A number is out of range.
        DeviceError: The device is not there.
        MissingDependencyError: captum is not installed.
    """
    attr = _captum()
    if steps < 1:
        raise ParameterError(
            f"explaining a detector by integrated gradients: steps = {steps}; expected at least 1. Take {STEPS}."
        )
    subject = _Subject(detector, image, grid=grid, baseline=baseline, value=value, device=device, batch_size=batch_size)
    with _differentiable(subject.network):
        shown, hidden = subject.ends()
        pixels = attr.IntegratedGradients(subject).attribute(
            shown, hidden, n_steps=steps, internal_batch_size=batch_size or GRADIENT_BATCH
        )
        with torch.no_grad():
            added = float(subject(shown)) - float(subject(hidden))
    # (1, 3, S, S) or (1, T, 3, S, S)
    values = subject.cell_sums(pixels.detach().double().flatten(0, -3).sum(dim=0))
    return subject.explanation(
        "integrated_gradients", values, gap=float(values.sum()) - added, details={"baseline": baseline, "steps": steps}
    )


def occlusion(
    detector: LoadedDetector | nn.Module,
    image: NDArray[np.uint8],
    *,
    grid: int = 16,
    baseline: str = "black",
    value: Value = "logit",
    device: str | None = None,
    batch_size: int | None = None,
) -> Explanation:
    """How much the value falls when one cell is hidden and all others show: v(all) - v(all but i).

    captum's `Occlusion` moves a window of one size. Its parent `FeatureAblation` is used, which takes cells as they are: where L
    divides S the two give the same, and elsewhere cells need not be of one size.

    Args:
        detector: As in `grad_cam`.
        image: As in `grad_cam`.
        grid: L, cells along a side.
        baseline: What the hidden cell shows: "black", "mean" or "blur", see `image_game.baseline_of`.
        value: As in `grad_cam`.
        device: As in `grad_cam`.
        batch_size: Pictures per pass, or clips; None for what suits the device.

    Raises:
        InputError: The picture is not what the detector must be fed, or the map is not finite.
        UnknownNameError: No such baseline.
        ParameterError: A number is out of range.
        DeviceError: The device is not there.
        MissingDependencyError: captum is not installed.
    """
    attr = _captum()
    subject = _Subject(detector, image, grid=grid, baseline=baseline, value=value, device=device, batch_size=batch_size)
    with _differentiable(subject.network):
        shown, hidden = subject.ends()
        mask = torch.from_numpy(subject.cells).to(shown.device).view(*(1,) * (shown.ndim - 2), *subject.cells.shape)
        pixels = attr.FeatureAblation(subject).attribute(
            shown, hidden, feature_mask=mask, perturbations_per_eval=subject.batch_size
        )
    # every pixel of a cell has the cell's number
    _, first = np.unique(subject.cells, return_index=True)
    values = pixels.detach().flatten(0, -3)[0].flatten()[torch.from_numpy(first).to(pixels.device)]
    return subject.explanation(
        "occlusion", values.double().cpu().numpy().reshape(grid, grid), details={"baseline": baseline}
    )


class _Subject:
    """Detector, picture and value, as a function that captum can call: prepared pictures to `(B,)`."""

    def __init__(
        self, detector: LoadedDetector | nn.Module, image: NDArray[np.uint8], *, grid: int, baseline: str, value: Value,
        device: str | None, batch_size: int | None,
    ) -> None:  # fmt: skip
        self._game = ImageGame(
            detector, image, grid=grid, baseline=baseline, value=value, device=device, batch_size=batch_size
        )
        self._value, self.value_name = value_function(value), value_name(value)
        self.network: nn.Module = self._game.network
        self.name, self.grid, self.batch_size = self._game.name, grid, self._game.batch_size
        rows = cell_of_pixel(np.asarray(image).shape[-2], grid)
        self.cells = rows[:, None] * grid + rows
        self.evaluations = 0

    def __call__(self, images: Tensor) -> Tensor:
        self.evaluations += len(images)
        value = self._value(self.network(images))
        if value.shape != (len(images),):
            raise InputError(
                f"explaining {self.name}: the value of {len(images)} pictures has shape {tuple(value.shape)}, expected "
                f"({len(images)},). Choose one number per picture, such as prediction.aux['identity'][:, 3]."
            )
        if images.requires_grad and not value.requires_grad:
            raise InputError(
                f"explaining {self.name}: the value {self.value_name} has no gradient, which this method needs. Choose one that "
                "is computed by functions with a derivative (no argmax, no detach), or explain it by occlusion."
            )
        return value.float()

    def ends(self) -> tuple[Tensor, Tensor]:
        """The prepared picture and its baseline, `(1, 3, S, S)` or `(1, T, 3, S, S)` each."""
        both = self._game.masked(np.repeat([[True], [False]], self.grid**2, axis=1))
        return both[:1], both[1:]

    def cell_sums(self, pixels: Tensor) -> Floats:
        """`(S, S)` -> `(L, L)`."""
        weights = pixels.cpu().numpy().ravel()
        sums: Floats = np.bincount(self.cells.ravel(), weights, self.grid**2).astype(np.float64)
        return sums.reshape(self.grid, self.grid)

    def explanation(
        self, method: str, values: Floats, *, gap: float = math.nan, details: dict[str, Any]
    ) -> Explanation:
        """The map with its record."""
        if not np.isfinite(values).all():
            raise InputError(
                f"explaining {self.name} by {method}: {int((~np.isfinite(values)).sum())} of {values.size} cells are NaN or "
                "infinite, expected finite numbers. Look at the detector's weights."
            )
        return Explanation(method, values, self.name, self.value_name, self.evaluations, gap, details=details)


@contextmanager
def _differentiable(network: nn.Module) -> Iterator[None]:
    """Eval mode with gradients, also in a caller's `no_grad`; afterwards every module is in the mode it was in."""
    # cuDNN has no way back through a recurrent layer in eval mode
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
