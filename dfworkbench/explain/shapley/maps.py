"""Attribution maps: which cells of a picture drive a detector's output, with error bars and all settings.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022; estimators and their papers in `permutations`
and `kernel`.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from dfworkbench.core.errors import InputError
from dfworkbench.explain.shapley.attribution_map import AttributionMap, AttributionSettings
from dfworkbench.explain.shapley.estimators import estimate, random_for
from dfworkbench.explain.shapley.image_game import ImageGame
from dfworkbench.explain.shapley.map_files import load_map, map_file, save_map
from dfworkbench.explain.shapley.result import Attribution
from dfworkbench.explain.shapley.values import Value, value_name
from dfworkbench.runs.checkpoints import LoadedDetector

Images = Mapping[str, NDArray[np.uint8]] | Iterable[tuple[str, NDArray[np.uint8]]]


def attribute(
    detector: LoadedDetector | nn.Module,
    image: NDArray[np.uint8],
    *,
    row_id: str = "",
    value: Value = "logit",
    settings: AttributionSettings | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    on_progress: Callable[[AttributionMap], None] | None = None,
) -> AttributionMap:
    """Shapley values of the cells of one picture or clip.

    Args:
        detector: A loaded detector, or a module with `input_spec` that returns a `Prediction`.
        image: The crop that its InputSpec asks for, `(S, S, 3)` uint8 RGB, or `(T, S, S, 3)` for a detector of clips.
        row_id: Seeds the coalitions, together with `settings.seed`. Give models, and compressions of one picture, the same
            one (common random numbers): their maps then differ only by what they see.
        value: "logit" (log-odds of fake), or a function of the prediction that returns `(B,)`, such as `values.ClassLogOdds`.
        settings: Grid, baseline, estimator, when to stop.
        device: Where the detector is moved; None leaves it where it is.
        batch_size: Pictures per forward pass, None for a value that suits the device; affects rounding only.
        on_progress: Called with successive estimates of the map, including the last.

    Raises:
        InputError: The picture does not fit the detector's InputSpec, or the value is not finite.
        ParameterError: The budget is too small for the estimator.
        DeviceError: The device is not there.
    """
    settings = settings or AttributionSettings()
    game = ImageGame(
        detector, image, grid=settings.grid, baseline=settings.baseline, value=value, device=device,
        batch_size=batch_size, precision=settings.precision,
    )  # fmt: skip

    def as_map(result: Attribution) -> AttributionMap:
        return _map_of(result, game, row_id, value_name(value), settings)

    def show(result: Attribution) -> None:
        if on_progress is not None:
            on_progress(as_map(result))

    random = random_for(row_id, settings.seed)
    return as_map(estimate(game, random, settings.stop_rule(), estimator=settings.estimator, on_progress=show))


def attribute_all(
    detector: LoadedDetector | nn.Module,
    images: Images,
    *,
    value: Value | Mapping[str, Value] = "logit",
    settings: AttributionSettings | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    folder: Path | None = None,
    progress: bool = True,
) -> dict[str, AttributionMap]:
    """Maps of several pictures.

    Args:
        detector: As in `attribute`.
        images: Row id -> picture, or pairs of both, which may be read lazily. A row's map depends only on its id and picture, not
            on other rows.
        value: As in `attribute`; or row id -> value, for encoders whose class differs between rows.
        settings: As in `attribute`.
        device: As in `attribute`.
        batch_size: As in `attribute`.
        folder: Folder for finished maps of exactly these weights; existing ones are read, not recomputed.
        progress: Whether to show a progress bar, with evaluations and error of the current row.

    Returns:
        Row id -> map, in the order of `images`.

    Raises:
        InputError: A row id is repeated, or has no value; also as `attribute`.
        CheckpointError: A map in `folder` is damaged.
    """
    settings = settings or AttributionSettings()
    pairs = cast("Iterable[tuple[str, NDArray[np.uint8]]]", images.items() if isinstance(images, Mapping) else images)
    total = len(images) if isinstance(images, Mapping | list | tuple) else None
    maps: dict[str, AttributionMap] = {}
    with tqdm(total=total, desc="attributions", unit="image", disable=not progress, leave=False) as bar:
        for row_id, image in pairs:
            _require_new(row_id, maps)
            own = _value_of(value, row_id)
            file = None if folder is None else map_file(folder, image, row_id, value_name(own), settings)
            if file is not None and file.is_file():
                maps[row_id] = load_map(file)
            else:
                maps[row_id] = attribute(
                    detector, image, row_id=row_id, value=own, settings=settings, device=device, batch_size=batch_size,
                    on_progress=lambda found: bar.set_postfix_str(_state(found)),
                )  # fmt: skip
                if file is not None:
                    save_map(file, maps[row_id])
            bar.update()
    return maps


def _map_of(
    result: Attribution, game: ImageGame, row_id: str, value: str, settings: AttributionSettings
) -> AttributionMap:
    shape = settings.grid, settings.grid
    return AttributionMap(
        values=result.values.reshape(shape),
        standard_error=result.standard_error.reshape(shape),
        row_id=row_id,
        detector=game.name,
        value=value,
        settings=settings,
        evaluations=result.evaluations,
        samples=result.samples,
        empty=result.empty,
        full=result.full,
        stopped=result.stopped,
    )


def _value_of(value: Value | Mapping[str, Value], row_id: str) -> Value:
    if not isinstance(value, Mapping):
        return value
    if row_id not in value:
        raise InputError(
            f"explaining several pictures: there is no value for the row id {row_id!r}, expected one per picture. Add it."
        )
    return value[row_id]


def _require_new(row_id: str, maps: Mapping[str, AttributionMap]) -> None:
    if row_id in maps:
        raise InputError(
            f"explaining several pictures: the row id {row_id!r} occurs twice, expected distinct ones. Rename one."
        )


def _state(found: AttributionMap) -> str:
    return f"{found.evaluations} evaluations, error {found.relative_error:.1%}"
