"""FacialSwap: the facial swap as a transform of training samples."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.datasets.facial_swap.compose import Swap, SwapKind, swap, untouched
from dfworkbench.datasets.facial_swap.quality import change_quality
from dfworkbench.datasets.facial_swap.settings import CropSettings, SwapSettings
from dfworkbench.datasets.facial_swap.ssim import Pixels
from dfworkbench.datasets.facial_swap.windows import artifact_window
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces.alignment import align, alignment_matrix
from dfworkbench.faces.dense import fit_dense

_FARTHEST = 4.0  # standard deviations: bounds the normally distributed face size


class FacialSwap:
    """Multi-scale facial swap: fakes with a known location of the forgery (Dong et al., CVPR 2023).

    A `dfworkbench.datasets.sample.Transform` for single frames, for detectors whose InputSpec aligns by five points.

    Attributes:
        settings: Which swaps are made how often, and how crop and quality are changed.
        needs_genuine: True unless all swap shares are 0.
        with_masks: Whether samples include the mask of the swapped-in region, for figures.
    """

    def __init__(self, settings: SwapSettings | None = None, *, with_masks: bool = False) -> None:
        self.settings, self.with_masks = settings or SwapSettings(), with_masks
        swaps = (self.settings.genuine_on_fake, self.settings.fake_on_genuine, self.settings.partial)
        self.needs_genuine = any(swaps)

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """Swap, align, mirror and degrade one sample.

        Args:
            sample: One frame. A fake without its genuine frame stays unchanged; missing dense landmarks are estimated from the
                five points.
            rng: The only source of randomness.

        Returns:
            `images`: `(1, S, S, 3)` uint8 RGB. `window`: `(4,)` float32, x0, y0, x1, y1 of a partial swap in 0..1 of the crop,
            otherwise NaN; the box of a whole fake is not included. `swap`: a `SwapKind` as an int. `mask`, if requested: `(S,
            S)` uint8, 255 where the other frame was pasted.

        Raises:
            ParameterError: The sample is a clip, or the detector's crops are not aligned by five points.
            InputError: The five landmarks are all the same, or not finite.
        """
        _check(sample)
        settings = self.settings
        fake, genuine, five, dense = _in_crop(sample)
        if rng.random() < settings.halve:
            fake, genuine, five, dense = _halve(fake, genuine, five, dense, whole=settings.released)
        made = swap(fake, genuine, dense, rng, settings) if sample.label else untouched(fake, SwapKind.REAL)
        matrix = draw_alignment(five, sample.spec.size_px, sample.spec.crop_scale, settings.crop, rng)
        crop, window, kind = _finish(made, fake, matrix, sample.spec.size_px)
        mask = _mask(made, kind, matrix, sample.spec.size_px) if self.with_masks else None
        if settings.released:
            window = window[[1, 0, 3, 2]]  # rows read as columns
        elif rng.random() < settings.flip:
            crop, window = _mirrored(crop, window)
            mask = None if mask is None else mask[:, ::-1]
        crop = change_quality(crop, settings.quality, rng, rescale=not settings.released)
        item = {"images": crop[None], "window": window, "swap": int(kind)}
        return item if mask is None else {**item, "mask": np.ascontiguousarray(mask)}


def _finish(
    made: Swap, fake: Pixels, matrix: NDArray[np.float64], size_px: int
) -> tuple[Pixels, NDArray[np.float32], SwapKind]:
    """The aligned crop, its window in 0..1, and the swap; the unchanged fake if a partial swap is not visible."""
    crop, nowhere = align(made.image, matrix, size_px), np.full(4, np.nan, np.float32)
    if made.window is None:
        return crop, nowhere, made.kind
    box = artifact_window(crop, align(made.background, matrix, size_px), made.window)
    if box is None:
        return align(fake, matrix, size_px), nowhere, SwapKind.FAILED
    return crop, np.array(box, np.float32) / np.float32(size_px), made.kind


def _mask(made: Swap, kind: SwapKind, matrix: NDArray[np.float64], size_px: int) -> NDArray[np.uint8]:
    levels = np.rint(made.mask * (255 if kind == made.kind else 0)).astype(np.uint8)
    return align(np.repeat(levels[..., None], 3, axis=2), matrix, size_px)[..., 0]


def draw_alignment(
    five: NDArray[np.float64], size_px: int, crop_scale: float, settings: CropSettings, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a random alignment, as the `(3, 3)` matrix of `faces.alignment.alignment_matrix`.

    Args:
        five: `(5, 2)` pixels of the picture.
        size_px: Side of the crop.
        crop_scale: As in the InputSpec; larger values make faces smaller.
        settings: Strength of the changes.
        rng: The only source of randomness.
    """
    scale = settings.scale + settings.scale_spread * float(np.clip(rng.standard_normal(), -_FARTHEST, _FARTHEST))
    shift_x, shift_y = rng.uniform(-settings.translation_px, settings.translation_px, size=2)
    rotation = settings.rotation_deg * rng.uniform(-1, 1) ** 3
    eyes, sides = (
        1 + rng.uniform(-settings.stretch, settings.stretch) if rng.random() < settings.stretch_share else 1.0
        for _ in range(2)
    )
    return alignment_matrix(
        five,
        size_px,
        scale=max(scale, 0.1) / crop_scale,
        translation_px=(shift_x, shift_y),
        rotation_deg=rotation,
        eye_stretch=eyes,
        side_stretch=sides,
    )


def _check(sample: FaceSample) -> None:
    if len(sample.tiles) != 1:
        raise ParameterError(
            f"facial swap: the sample is a clip of {len(sample.tiles)} frames, but swaps are made in single frames. Train "
            "with a detector whose InputSpec has clip_length=1."
        )
    if sample.spec.alignment != "five_points":
        raise ParameterError(
            f"facial swap: the detector's InputSpec has alignment={sample.spec.alignment!r}, but its windows are defined on "
            "crops aligned by five points. Build the detector with InputSpec(alignment='five_points'), or train with "
            "another method."
        )
    if sample.spec.template is not None:
        raise ParameterError(
            "facial swap: the detector's InputSpec has a template of its own, but the windows are defined on CADDM's. Train with "
            "a detector without a template, or with another method."
        )


def _in_crop(sample: FaceSample) -> tuple[Pixels, Pixels | None, NDArray[np.float64], NDArray[np.float64]]:
    """The stored crop, its genuine counterpart, five and dense landmarks in pixels of the crop."""
    tile, dense = sample.tiles[0], sample.dense[0]
    if not np.isfinite(dense).all():
        dense = fit_dense(sample.landmarks[0])
    five, dense = tile.from_frame(sample.landmarks[0]), tile.from_frame(dense)
    return tile.image, sample.genuine[0], five, dense


def _halve(
    fake: Pixels, genuine: Pixels | None, five: NDArray[np.float64], dense: NDArray[np.float64], *, whole: bool
) -> tuple[Pixels, Pixels | None, NDArray[np.float64], NDArray[np.float64]]:
    """Everything at half the resolution; `whole` truncates the dense landmarks to whole pixels."""
    half = dense / 2
    return (_half(fake), None if genuine is None else _half(genuine), five / 2, np.trunc(half) if whole else half)


def _half(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    size = max(width // 2, 1), max(height // 2, 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _mirrored(crop: Pixels, window: NDArray[np.float32]) -> tuple[Pixels, NDArray[np.float32]]:
    """Mirror a crop left to right, with its window."""
    x0, y0, x1, y1 = window
    return np.asarray(cv2.flip(crop, 1), dtype=np.uint8), np.array([1 - x1, y0, 1 - x0, y1], np.float32)
