"""Pictures for testing hypotheses: fakes of people known to the encoders, in frames that were not used for training."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.names import FAKE, require_name
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.people import last_part
from dfworkbench.datasets.sample_people import with_people
from dfworkbench.models.inputs import prepare
from dfworkbench.runs.checkpoints import LoadedDetector


class Pictures(NamedTuple):
    """N fakes.

    Attributes:
        rows: One row per fake, indexed from 0: row_id, video_id, method, group, frame, carrier, donor and so on.
        images: `(N, S, S, 3)` uint8 RGB.
        masks: `(N, S, S)` bool, True where each is forged; empty if unknown.
        has_mask: `(N,)`, whether the mask is known.
    """

    rows: pd.DataFrame
    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    has_mask: NDArray[np.bool_]

    def take(self, which: NDArray) -> "Pictures":
        """A subset, by a boolean mask or by indices."""
        rows = self.rows[which] if np.asarray(which).dtype == bool else self.rows.iloc[which]
        return Pictures(rows.reset_index(drop=True), self.images[which], self.masks[which], self.has_mask[which])


def choose_pictures(
    data: DataSet,
    detector: LoadedDetector,
    *,
    split: str = "test",
    kinds: Sequence[str] = (),
    per_kind: int = 4,
    seed: int = 0,
) -> Pictures:
    """One late frame from each of some fakes, selected by seed and not by eye.

    Args:
        data: Data set whose video table has splits.
        detector: Detector whose InputSpec the pictures are cut for.
        split: Split that the fakes are from.
        kinds: Forgery kinds; empty for all.
        per_kind: Fakes of each kind, with as many different people as possible.
        seed: Seed of the choice.

    Raises:
        InputError: There is no such fake with faces in the last part of its video.
        UnknownNameError: There are no fakes of a kind.
    """
    fakes = data.videos[(data.videos["split"] == split) & (data.videos["label"] == FAKE)]
    for kind in kinds:
        require_name("forgery kind", kind, sorted(fakes["forgery"].unique()))
    late = data.with_tables(faces=last_part(data.faces))
    wanted = fakes[fakes["forgery"].isin(list(kinds))] if kinds else fakes
    samples = late.samples(detector.input_spec, _spread(wanted, per_kind, seed), 1)
    if not len(samples):
        raise InputError(
            f"choosing fakes of {data.name!r}: none of {len(wanted)} fakes of the {split} split has a face in its last frames, at "
            "least one was expected. Extract more frames per video, or choose another split."
        )
    rows = with_people(samples.rows, data.videos).rename(columns={"identity": "carrier"}).reset_index(drop=True)
    images = np.stack([np.asarray(samples[row]["images"].movedim(0, -1)) for row in range(len(samples))])
    return Pictures(rows, images, *data.masks(detector.input_spec, rows))


def named(encoder: LoadedDetector, images: NDArray[np.uint8], batch_size: int = 32) -> list[str]:
    """The person an encoder recognises in each picture, by name.

    Args:
        encoder: An encoder of identity, with the names of its people.
        images: `(N, S, S, 3)` uint8 RGB.
        batch_size: Pictures per forward pass.
    """
    network: Any = encoder.detector
    device = next(network.parameters()).device
    found: list[int] = []
    for start in range(0, len(images), batch_size):
        pixels = torch.tensor(images[start : start + batch_size]).movedim(-1, 1).to(device)
        with torch.inference_mode():
            logits = network(prepare(pixels, encoder.input_spec, encoder.name)).aux["identity_logits"]
        found += logits.argmax(dim=1).tolist()
    return [network.identities[at] for at in found]


def hide(images: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The pictures `(N, S, S, 3)` with the area of `masks` `(N, S, S)` made black."""
    return np.where(masks[..., None], np.uint8(0), images)


def _spread(videos: pd.DataFrame, per_kind: int, seed: int) -> pd.DataFrame:
    """Some videos of each kind, from as many different groups of people as possible."""
    order = np.random.default_rng(seed).permutation(len(videos))
    drawn = videos.iloc[order]
    # within a kind, first one video of every group, then a second one of each
    turn = drawn.groupby(["forgery", "group"], sort=False).cumcount()
    drawn = drawn.assign(_turn=turn).sort_values("_turn", kind="stable")
    return (
        drawn.groupby("forgery", sort=False).head(per_kind).drop(columns="_turn").sort_values(["forgery", "video_id"])
    )
