"""All attributions of a picture in one call: Shapley values, Grad-CAM, integrated gradients and occlusion, on the same cells.

For the papers see `shapley.maps` and `captum_maps`. `deletion` evaluates maps without a mask, `map_scores` against one.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.explain.captum_maps import STEPS, Explanation, grad_cam, integrated_gradients, occlusion
from dfworkbench.explain.shapley.attribution_map import AttributionMap, AttributionSettings
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.shapley.maps import attribute
from dfworkbench.explain.shapley.values import Value
from dfworkbench.runs.checkpoints import LoadedDetector

#: Name -> how it is written in a caption.
METHODS = {
    "shapley": "Shapley values",
    "grad_cam": "Grad-CAM",
    "integrated_gradients": "Integrated gradients",
    "occlusion": "Occlusion",
}


def explain(
    detector: LoadedDetector | nn.Module,
    image: NDArray[np.uint8],
    methods: Sequence[str] = tuple(METHODS),
    *,
    row_id: str = "",
    value: Value = "logit",
    settings: AttributionSettings | None = None,
    steps: int = STEPS,
    layer: str | None = None,
    relu: bool = False,
    device: str | None = None,
    batch_size: int | None = None,
    on_progress: Callable[[AttributionMap], None] | None = None,
) -> dict[str, Explanation]:
    """Explain one picture or clip by several methods.

    Args:
        detector: A loaded detector, or a module with `input_spec` that returns a `Prediction`.
        image: The crop that its InputSpec asks for, `(S, S, 3)` uint8 RGB, or `(T, S, S, 3)` for a detector of clips.
        methods: Names in `METHODS`, or one of them.
        row_id: Seeds the coalitions of Shapley values, see `attribute`.
        value: "logit" (log-odds of fake), or a function of the prediction that returns `(B,)`; see `shapley.values`.
        settings: The grid applies to all methods, the baseline to all but Grad-CAM, which has none, and the rest to Shapley values
            only. The other methods compute in float32, even with precision "bf16-mixed".
        steps: See `integrated_gradients`.
        layer: See `grad_cam`.
        relu: See `grad_cam`.
        device: Where the detector is moved; None leaves it where it is.
        batch_size: Pictures per pass, or clips; None for a value that suits method and device.
        on_progress: Called with successive estimates of the Shapley values.

    Returns:
        Method -> explanation, in the order of `methods`.

    Raises:
        UnknownNameError: No such method, or no such layer.
        InputError: The picture does not fit the detector's InputSpec, or a method cannot explain this detector.
        ParameterError: A number is out of range, or there is no method.
        DeviceError: The device is not there.
        MissingDependencyError: captum, which all methods but Shapley values need, is not installed.
    """
    names = [methods] if isinstance(methods, str) else list(methods)
    if not names:
        raise ParameterError(
            f"explaining a picture: methods is empty, expected some of {', '.join(METHODS)}. Name one."
        )
    for name in names:
        require_name("attribution method", name, METHODS)
    settings = settings or AttributionSettings()
    game = ImageGame(
        detector,
        image,
        grid=settings.grid,
        baseline=settings.baseline,
        value=value,
        device=device,
        batch_size=batch_size,
    )

    def shapley() -> Explanation:
        found = attribute(
            detector, image, row_id=row_id, value=value, settings=settings, device=device, batch_size=batch_size,
            on_progress=on_progress,
        )  # fmt: skip
        return of_shapley(found)

    ways: dict[str, Callable[[], Explanation]] = {
        "shapley": shapley,
        "grad_cam": lambda: grad_cam(game, layer=layer, relu=relu),
        "integrated_gradients": lambda: integrated_gradients(game, steps=steps),
        "occlusion": lambda: occlusion(game),
    }
    return {name: ways[name]() for name in names}


def of_shapley(found: AttributionMap) -> Explanation:
    """Convert existing Shapley values to the result type of `explain`."""
    return Explanation(
        method="shapley",
        values=found.values,
        detector=found.detector,
        value=found.value,
        evaluations=found.evaluations,
        gap=found.efficiency_gap,
        standard_error=found.standard_error,
        details=found.to_dict(),
    )
