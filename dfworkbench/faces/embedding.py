"""Face embeddings for telling people apart, and where their weights are found.

InceptionResnetV1 of facenet-pytorch 2.5.3, whose weights D. Sandberg trained on VGGFace2 or CASIA-WebFace
(github.com/davidsandberg/facenet) after F. Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering",
CVPR 2015. The weights (about 110 MB) are in no package and are never downloaded unasked: without them, a person who
reappears gets a new track from `tracking.link` (docs/decisions/0006-identity.md).

Differences from facenet-pytorch: its MTCNN clips the face box at the border of a frame, while our crops repeat the border.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, InputError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.faces.crops import cut_for
from dfworkbench.faces.face_tile import FaceTile
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.media.foreign import load_torch

_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"

#: Name -> address, the better one first (99.65 % and 99.05 % on LFW, README of davidsandberg/facenet).
WEIGHT_URLS = {
    "vggface2": _RELEASE + "20180402-114759-vggface2.pt",
    "casia-webface": _RELEASE + "20180408-102900-casia-webface.pt",
}
_SIZE_PX = 160
_MARGIN_PX = 14  # of _SIZE_PX: best for the published weights, according to the author (facenet-pytorch, issue 62)
_BATCH = 64  # limits memory

SettingsT = TypeVar("SettingsT", bound=FaceSettings)


@dataclass(frozen=True)
class Embedder:
    """InceptionResnetV1 in eval mode on the CPU."""

    net: torch.nn.Module

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed faces.

        Args:
            crops: `(n, 160, 160, 3)` uint8 RGB, from `cut_face`.

        Returns:
            `(n, 512)` unit vectors; the cosine distance of two people is large, that of one person's faces small.

        Raises:
            InputError: Crops of another shape or type.
        """
        crops = np.asarray(crops)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (_SIZE_PX, _SIZE_PX, 3):
            raise InputError(
                f"embedding faces: got {crops.dtype} {crops.shape}, expected uint8 (n, {_SIZE_PX}, {_SIZE_PX}, 3) in RGB. "
                "Cut them with dfworkbench.faces.embedding.cut_face."
            )
        with torch.inference_mode():
            parts = [self.net(_standardise(part)) for part in torch.from_numpy(crops).split(_BATCH) if len(part)]
        return torch.cat(parts).numpy() if parts else np.empty((0, 512), np.float32)


def load_embedder(weights: str | Path = "auto") -> Embedder | None:
    """The network with the weights of `find_weights`, or None if there are none and none were requested.

    Raises:
        DataNotFoundError: A name or a path was given and there is no such file.

        CheckpointError: The file is damaged or belongs to something else.
    """
    file = find_weights(weights)
    return None if file is None else load_file(file)


def cut_face(tile: FaceTile, box: ArrayLike) -> NDArray[np.uint8]:
    """Cut the embedder's crop, `(160, 160, 3)` uint8 RGB, as MTCNN(image_size=160, margin=14) of facenet-pytorch does.

    The face box is stretched to a square, as in the network's training; the margin is smaller where the tile has less.

    Args:
        tile: The face's face tile.
        box: x0, y0, x1, y1 in pixels of the frame.
    """
    x0, y0, x1, y1 = np.asarray(box, dtype=np.float64)
    longer = max(x1 - x0, y1 - y0)
    scale = min(_SIZE_PX / (_SIZE_PX - _MARGIN_PX), tile.side / longer)
    twice = 2 * _SIZE_PX  # a box half as wide as high still has all the pixels it needs
    square = cut_for(InputSpec(size_px=twice, crop_scale=scale), tile, box)
    width, height = (max(round(twice * side / longer), 1) for side in (x1 - x0, y1 - y0))
    left, top = (twice - width) // 2, (twice - height) // 2
    face = square[top : top + height, left : left + width]
    return np.asarray(cv2.resize(face, (_SIZE_PX, _SIZE_PX), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def resolve_weights(settings: SettingsT) -> SettingsT:
    """Resolve `identity_weights="auto"` to the weights on this machine, or "off", so that the settings' hash says what was done.

    Raises:
        DataNotFoundError: The requested weights are not there; better to fail now than once per video.
    """
    if settings.identity_weights == "auto":
        return settings.replace(identity_weights=_available())
    find_weights(settings.identity_weights)
    return settings


def describe_weights() -> str:
    """One line for the doctor: which weights "auto" uses, or where to put them."""
    name = _available()
    if name == "off":
        return f"no weights: a person who returns gets a new track. Put {WEIGHT_URLS['vggface2']} into {_folders()[0]}"
    return f"{name} ({_cached(name)})"


def find_weights(weights: str | Path = "auto") -> Path | None:
    """The file of the weights, or None if none are to be used.

    Args:
        weights: "auto" (torch's cache, VGGFace2 first), "off", a key of `WEIGHT_URLS` (torch's cache), or a path.

    Raises:
        DataNotFoundError: A name or a path was given and there is no such file; the message says where to get it.
    """
    name = _available() if weights == "auto" else str(weights)
    if name == "off":
        return None
    if name in WEIGHT_URLS:
        file, looked = _cached(name), f"{_file_name(name)} in {' or '.join(map(str, _folders()))}"
    else:
        file, looked = Path(name).expanduser(), name
    if file is None or not file.is_file():
        raise DataNotFoundError(
            f"loading weights of face embeddings: there is no file {looked}. Expected weights of InceptionResnetV1: get "
            f"{WEIGHT_URLS.get(name, WEIGHT_URLS['vggface2'])} and put it into {_folders()[0]}, or give its path as "
            "identity_weights; with 'auto' or 'off' a person who returns gets a new track instead."
        )
    return file


@functools.cache
def load_file(file: Path) -> Embedder:
    """The network with the weights of a file; loaded once per process."""
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

    try:
        state = load_torch(file)
    except Exception as error:  # torch raises many exception types for a damaged file
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"loading weights of face embeddings: {file} is not a readable file of weights ({reason}). Get it again from "
            f"{WEIGHT_URLS['vggface2']}."
        ) from error
    with torch.device("meta"):  # saves time and random numbers for weights that are replaced at once
        net = InceptionResnetV1()
    own = net.state_dict()
    # omitted: the classifier `logits`, which only training needs
    wanted = {key: state[key] for key in own if key in state} if isinstance(state, Mapping) else {}
    missing = [key for key in own if key not in wanted and not key.endswith("num_batches_tracked")]  # of no use here
    wrong = [key for key, value in wanted.items() if getattr(value, "shape", None) != own[key].shape]
    if missing or wrong:
        raise CheckpointError(
            f"loading weights of face embeddings: {file} belongs to another network ({len(missing)} of {len(own)} entries are "
            f"missing, {len(wrong)} have another shape; first: {(missing or wrong)[0]}). Expected InceptionResnetV1, as in "
            f"{WEIGHT_URLS['vggface2']}."
        )
    net.load_state_dict(wanted, strict=False, assign=True)
    return Embedder(net.float().eval().requires_grad_(False))


def _standardise(crops: torch.Tensor) -> torch.Tensor:
    """`fixed_image_standardization` of facenet-pytorch, channels first."""
    return (crops.permute(0, 3, 1, 2).float() - 127.5) / 128


def _available() -> str:
    """The first name whose file is in torch's cache, or "off"."""
    return next((name for name in WEIGHT_URLS if _cached(name)), "off")


def _cached(name: str) -> Path | None:
    return next((file for folder in _folders() if (file := folder / _file_name(name)).is_file()), None)


def _folders() -> list[Path]:
    """The checkpoint cache of torch, and the folder beside it to which facenet-pytorch 2.5.3 downloads."""
    hub = Path(torch.hub.get_dir())
    return [hub / "checkpoints", hub.parent / "checkpoints"]


def _file_name(name: str) -> str:
    return WEIGHT_URLS[name].rsplit("/", 1)[-1]
