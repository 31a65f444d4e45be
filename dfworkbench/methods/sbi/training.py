"""Training with self-blended images: genuine faces alone, with a fake made from each of them.

Shiohara, Yamasaki: Detecting Deepfakes with Self-Blended Images. CVPR 2022, arXiv:2204.08376. A detector trained on the forgeries
of one program learns to recognise that program. A self-blended image has only what most forgeries share, a face blended into a
picture that does not quite match: a face is blended into itself, after source or target was changed slightly (`blending`). Both
pictures of a pair are in the same batch and get the same augmentation, so that they differ only in the blending.

Differences from the publication are in the README of this folder.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import FAKE, REAL
from dfworkbench.datasets.sample import Transform
from dfworkbench.methods.sbi.settings import BlendSettings
from dfworkbench.methods.sbi.transform import SelfBlending
from dfworkbench.training.binary import Binary, ClassifierSettings
from dfworkbench.training.step import Step


def linear_tail(rate: float, epochs: int, begin: float = 0.75) -> list[str]:
    """Learning rates as `rate_steps`: constant up to a share `begin` of the epochs, then linear towards 0, epoch by epoch.

    >>> linear_tail(1.0, 4, 0.5)
    ['3=1.0', '4=0.5']
    """
    first = round(begin * epochs)
    return [f"{done + 1}={rate * (epochs - done) / (epochs - first)!r}" for done in range(first, epochs)]


class SbiSettings(ClassifierSettings):
    """Options of the method sbi; defaults are as published."""

    blend: BlendSettings = Field(default=BlendSettings(), description="How self-blended images are made.")


class Sbi(Binary):
    """Cross-entropy over genuine faces and their self-blended images. Options: `SbiSettings`.

    `batch["blended"]`, `(B, S, S, 3)` uint8, and `batch["is_blended"]`, `(B,)`, come from `transform.SelfBlending`. A batch without
    them is plain training. Validation measures the same loss on fixed pairs from the validation split; the epoch with the lowest
    loss is the best. Forgeries of the data set are never used.
    """

    Settings = SbiSettings
    settings: SbiSettings
    real_only = True
    published = {
        "method": "sbi", "detector": "efficientnet_b4", "size_px": 380, "detector_options": {"weights": "imagenet"},
        "epochs": 100, "batch_size": 16, "optimizer": "sgd", "sam_rho": 0.05, "learning_rate": 1e-3, "schedule": "steps",
        "rate_steps": linear_tail(1e-3, 100), "weight_decay": 0.0, "balance": "none", "frames_per_video": 8,
    }  # fmt: skip

    def forward(self, batch: dict[str, Tensor]) -> Step:
        """Loss of a batch; see `training.step`.

        Part: bce, the mean over both pictures of every pair. Shares: "accuracy" over both; "ordered", pairs whose fake scores above
        its genuine picture; "not_blended", pairs whose fake equals the genuine picture and is labelled genuine.
        """
        if "blended" not in batch:
            return self.classify(batch)
        is_blended = batch["is_blended"] > 0
        # pair by pair, so that processes sharing a batch have the pictures in the order of a single process
        pictures = torch.stack([batch["images"], batch["blended"].movedim(-1, -3)], dim=1).flatten(0, 1)
        label = torch.stack([torch.full_like(batch["label"], REAL), torch.where(is_blended, FAKE, REAL)], dim=1)
        logit = self.predict({"images": pictures}).logit
        loss = self.cross_entropy(logit, label.flatten())
        of_genuine, of_blended = logit.detach().unflatten(0, (-1, 2)).unbind(1)
        shares = {
            "accuracy": ((logit.detach() > 0) == (label.flatten() == FAKE)).double().mean(),
            "ordered": (of_blended > of_genuine).double().mean(),
            "not_blended": (~is_blended).double().mean(),
        }
        # in validation, logits of the genuine files are kept, which show how many false alarms a threshold gives
        return Step(loss, {"bce": loss}, None if self.training else of_genuine, shares)

    def balance_classes(self, labels: Sequence[int]) -> None:
        """No-op: every batch has as many self-blended images as genuine faces."""

    def train_transform(self) -> Transform:
        """Randomly augmented pairs.

        Raises:
            ParameterError: The detector does not take single faces.
        """
        spec = self.detector.input_spec
        if spec.clip_length != 1 or not spec.of_faces:
            raise ParameterError(
                f"the method sbi with {type(self.detector).__name__}: its InputSpec has alignment={spec.alignment!r} and "
                f"clip_length={spec.clip_length}, but self-blended images are made of single faces. Choose a detector of "
                "alignment 'box' or 'five_points' and clip_length 1, such as efficientnet_b4."
            )
        return SelfBlending(self.settings.blend)

    def eval_transform(self) -> Transform:
        """Pairs without further augmentation; equal in every epoch, because the samples' random numbers are."""
        return SelfBlending(self.settings.blend, changes=False)
