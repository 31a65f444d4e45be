"""SelfBlending: turn genuine faces into pairs of a genuine and a self-blended picture, as a transform of samples."""

import dataclasses
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.datasets.perturb.augment import AugmentSettings, FaceAugment
from dfworkbench.datasets.sample import FaceSample
from dfworkbench.faces.dense import fit_dense
from dfworkbench.media.pictures.operations import Pixels, jpeg
from dfworkbench.methods.sbi.blending import self_blend
from dfworkbench.methods.sbi.colour import draw_colour
from dfworkbench.methods.sbi.settings import BlendSettings


class SelfBlending:
    """Pairs a genuine face with a fake made from it (Shiohara and Yamasaki, CVPR 2022).

    A `dfworkbench.datasets.sample.Transform` for single frames of genuine faces.

    Attributes:
        settings: How pairs are made and augmented.
        needs_genuine: Always True, because it needs dense landmarks.
        changes: Whether pairs are randomly cropped, mirrored, recoloured and compressed; not for validation.
        with_masks: Whether items include the mask, for figures.
    """

    needs_genuine = True

    def __init__(
        self, settings: BlendSettings | None = None, *, changes: bool = True, with_masks: bool = False
    ) -> None:
        self.settings, self.changes, self.with_masks = settings or BlendSettings(), changes, with_masks
        self._jitter = FaceAugment(AugmentSettings(box_jitter=self.settings.box_jitter))

    def __call__(self, sample: FaceSample, rng: np.random.Generator) -> dict[str, Any]:
        """Make the pair of one sample.

        Args:
            sample: One frame of a real file. Missing dense landmarks are fitted to the five.
            rng: The only source of randomness.

        Returns:
            `images`: `(1, S, S, 3)` uint8 RGB, the genuine picture. `blended`: `(S, S, 3)`, the fake. `is_blended`: 1, or 0
            where blending changed nothing, because no part of the hull is in the picture or its pixels are all equal. `mask`, if
            requested: `(S, S)` uint8, 255 where the fake shows the source alone.

        Raises:
            InputError: The five landmarks are all the same, or not finite, and there are no dense ones.
        """
        tile = sample.tiles[0]
        width, height = (sample.boxes[0, 2:] - sample.boxes[0, :2]) * (tile.image.shape[0] / tile.side)
        made = self_blend(tile.image, _dense(sample), (width, height), rng, self.settings)
        boxes = self._jitter.move_boxes(sample.boxes, rng) if self.changes else None
        pair = np.concatenate([_cut(sample, picture, boxes) for picture in (made.genuine, made.blended)])
        mirrored = self.changes and bool(rng.random() < self.settings.flip)
        if self.changes:
            pair = self.change_pair(pair, mirrored, rng)
        genuine, blended = np.split(pair, 2)
        is_blended = int(not np.array_equal(made.genuine, made.blended))
        item = {"images": genuine[None], "blended": blended, "is_blended": is_blended}
        if self.with_masks:
            levels = np.rint(made.mask * 255).astype(np.uint8)
            mask = _cut(sample, np.repeat(levels[..., None], 3, axis=2), boxes)[..., 0]
            item["mask"] = np.ascontiguousarray(mask[:, ::-1] if mirrored else mask)
        return item

    def change_pair(self, pair: Pixels, mirror: bool, rng: np.random.Generator) -> Pixels:
        """Mirror, recolour and compress both pictures in the same way.

        Args:
            pair: `(2 S, S, 3)` uint8 RGB, one picture above the other; not modified.
            mirror: Whether to flip left and right.
            rng: The only source of randomness.
        """
        settings = self.settings
        if mirror:
            pair = np.asarray(cv2.flip(pair, 1), dtype=np.uint8)
        pair = draw_colour(settings.pair_colour, rng).apply(pair)
        compressed = rng.random() < settings.jpeg
        quality = int(rng.integers(settings.jpeg_quality[0], settings.jpeg_quality[1] + 1))
        if compressed:  # each by itself: blocks must not extend from one picture into the other
            pair = np.concatenate([jpeg(picture, quality) for picture in np.split(pair, 2)])
        return pair


def _dense(sample: FaceSample) -> NDArray[np.float64]:
    """Dense landmarks in pixels of the stored tile."""
    dense = sample.dense[0]
    if not np.isfinite(dense).all():
        if not np.isfinite(sample.landmarks[0]).all():
            raise InputError(
                f"making a self-blended image: the face has no dense landmarks, and its five points are "
                f"{sample.landmarks[0].tolist()}, but the mask needs either. Extract the data set again and let faces be looked "
                "for (crops=false, whole=false)."
            )
        dense = fit_dense(sample.landmarks[0])
    return sample.tiles[0].from_frame(dense)


def _cut(sample: FaceSample, picture: Pixels, boxes: NDArray[np.float64] | None) -> Pixels:
    """The detector's crop of a picture that replaces the sample's tile."""
    tile = dataclasses.replace(sample.tiles[0], image=picture)
    return dataclasses.replace(sample, tiles=[tile]).cut(boxes)[0]
