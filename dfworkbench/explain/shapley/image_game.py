"""A picture as a game: players are the cells of a grid; a coalition's worth is the detector's output when only its cells show.

Dong et al.: Explaining Deepfake Detection by Analysing Image Matching. ECCV 2022: 16 x 16 cells, hidden cells black.
Yao et al.: Towards Understanding the Generalization of Deepfake Detectors from a Game-Theoretical View. ICCV 2023: hidden cells
show the average pixel.

Cells are hidden in pixel space, before normalisation. Preparation acts on each pixel separately, so combining two prepared pictures
gives bit for bit the same as preparing the combined picture; both are prepared once.

Differences from the released code: value and baseline are options; coalitions are sent to the device as packed bits, 32 bytes for
256 cells, and expanded there. In a clip, a cell is hidden in all frames at once, so that a map has the same size as for a picture.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.names import require_name
from dfworkbench.explain.shapley.attribution_map import BASELINES, PRECISIONS
from dfworkbench.explain.shapley.game import Coalitions, Floats
from dfworkbench.explain.shapley.values import Value, value_function, value_name
from dfworkbench.models.devices import choose_device
from dfworkbench.models.inputs import prepare
from dfworkbench.models.memory import reuse_memory
from dfworkbench.models.modes import device_of, evaluating
from dfworkbench.runs.checkpoints import LoadedDetector

GPU_BATCH = 512
#: On a CPU a batch should fit its cache, but small pictures need larger batches to make loading the weights worthwhile.
_CPU_PIXELS, _CPU_BATCHES = 16 * 224**2, (16, 64)


class ImageGame:
    """A picture, or a clip, as a game.

    Args:
        detector: A loaded detector, or a module with `input_spec` that returns a `Prediction`. Its mode is restored after each
            call.
        image: `(S, S, 3)` uint8 RGB, the crop that the detector's InputSpec asks for; `(T, S, S, 3)` for a detector of clips.
        grid: L, cells along a side; player = row * L + column. If L does not divide S, pixel row r belongs to cell row floor(r L /
            S): sides differ by one pixel at most.
        baseline: What hidden cells show: "black", "mean" (the picture's mean colour, rounded to 0..255) or "blur" (the picture
            under a Gaussian as wide as a cell). A clip is averaged over all frames, and blurred frame by frame.
        value: "logit" (log-odds of fake), or a function of the prediction that returns `(B,)`; see `values`.
        device: Where the detector is moved; None leaves it where it is.
        batch_size: Pictures per forward pass, or clips; None for 512 on a GPU, and on a CPU for 16, or up to 64 pictures of
            less than 224 px (measured with MesoNet4 and ResNet-18: at 64 px, 64 are 1.5 times as fast as 16).
        precision: "32-true", or "bf16-mixed" for autocast; see `precision_gap`.

    Raises:
        InputError: The picture does not fit the detector's InputSpec.
        ParameterError: A number is out of range.
        UnknownNameError: No such baseline or precision.
        DeviceError: The device is not there.
    """

    def __init__(
        self,
        detector: LoadedDetector | nn.Module,
        image: NDArray[np.uint8],
        *,
        grid: int = 16,
        baseline: str = "black",
        value: Value = "logit",
        device: str | None = None,
        batch_size: int | None = None,
        precision: str = "32-true",
    ) -> None:
        network: Any = detector.detector if isinstance(detector, LoadedDetector) else detector
        self.name = detector.name if isinstance(detector, LoadedDetector) else type(network).__name__
        self.network, self.grid = network, grid
        self.precision = require_name("precision", precision, PRECISIONS)
        self.value, self._value, self.baseline = value_name(value), value_function(value), baseline
        image = _checked(image, grid, batch_size, self.name)
        if device is not None:
            network.to(choose_device(device))
        self.device = device_of(network)
        on_cpu = self.device.type == "cpu"
        if on_cpu:
            reuse_memory()
        self.batch_size = batch_size or (_cpu_batch(image.shape[-2]) if on_cpu else GPU_BATCH)
        self._shape, self.size_px = image.shape, image.shape[-2]  # (S, S, 3) or (T, S, S, 3)
        self._shown, self._hidden = (self._prepared(picture) for picture in (image, baseline_of(image, baseline, grid)))
        cells = cell_of_pixel(image.shape[-2], grid)
        self._rows = torch.from_numpy(cells).to(self.device)
        self._columns = self._rows.repeat_interleave(3)  # channels side by side

    @property
    def players(self) -> int:
        """Number of cells, L * L."""
        return self.grid**2

    def values(self, coalitions: Coalitions, /) -> Floats:
        """The detector's value when only the cells of each coalition show: `(K, L * L)` bool -> `(K,)` float64."""
        bits = self._packed(coalitions)
        with evaluating(self.network), torch.inference_mode():
            # one transfer at the end, so that a GPU is never waited for between batches
            parts = [self._batch(part) for part in bits.split(self.batch_size)]
            return torch.cat(parts).cpu().numpy().astype(np.float64)

    def masked(self, coalitions: Coalitions) -> Tensor:
        """The prepared pictures shown to the detector.

        Args:
            coalitions: `(K, L * L)` bool.

        Returns:
            `(K, 3, S, S)` or `(K, T, 3, S, S)` float32 on the game's device.
        """
        return self._mixed(self._packed(coalitions))

    def precision_gap(self, coalitions: int = 16, seed: int = 0) -> float:
        """How far this game's precision changes v: largest difference over largest |v| in float32.

        Args:
            coalitions: Number of coalitions to compare, of all sizes, besides empty and full.
            seed: Seed of the coalitions.

        Returns:
            0 for "32-true"; a map from "bf16-mixed" can be trusted where this is below 0.01.
        """
        random = np.random.default_rng(seed)
        some = random.random((coalitions, self.players)) < random.random((coalitions, 1))
        some = np.concatenate([some, np.zeros_like(some[:1]), np.ones_like(some[:1])])
        own, precision = self.values(some), self.precision
        self.precision = "32-true"
        try:
            full = self.values(some)
        finally:
            self.precision = precision
        scale = np.abs(full).max()
        return float(np.abs(own - full).max() / scale) if scale else float(np.abs(own).max())

    def _packed(self, coalitions: Coalitions) -> Tensor:
        """On the device, eight players per byte."""
        if coalitions.ndim != 2 or coalitions.shape[1] != self.players or coalitions.dtype != np.bool_:
            raise InputError(
                f"showing {self.name} parts of a picture: got coalitions of shape {coalitions.shape} and type "
                f"{coalitions.dtype}, expected (K, {self.players}) bool: one per cell of {self.grid} x {self.grid}, row by row."
            )
        return torch.from_numpy(np.packbits(coalitions, axis=1, bitorder="little")).to(self.device)

    def value_of(self, images: Tensor) -> Tensor:
        """Value of prepared pictures, `(B,)` float32, in the network's current mode and precision."""
        value = self._value(self.network(images))
        if value.shape != (len(images),):
            raise InputError(
                f"explaining {self.name}: the value of {len(images)} pictures has shape {tuple(value.shape)}, expected "
                f"({len(images)},). Choose one number per picture, such as prediction.aux['identity'][:, 3]."
            )
        return value.float()

    def _batch(self, bits: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            return self.value_of(self._mixed(bits))

    def _mixed(self, bits: Tensor) -> Tensor:
        places = torch.arange(8, device=bits.device, dtype=torch.uint8)
        shown = (bits[:, :, None] >> places & 1).flatten(1)[:, : self.players].bool()
        mask = shown.view(-1, self.grid, self.grid).index_select(2, self._columns).index_select(1, self._rows)
        frames = mask[:, None] if len(self._shape) == 4 else mask
        # channels last in memory, faster for convolutions of few channels
        return torch.where(frames, self._shown, self._hidden).view(-1, *self._shape).movedim(-1, -3)

    def _prepared(self, image: NDArray[np.uint8]) -> Tensor:
        """Values before the first layer with channels side by side: `(S, 3 S)` or `(T, S, 3 S)`."""
        pixels = torch.tensor(image).to(self.device).movedim(-1, -3)
        return prepare(pixels[None], self.network.input_spec, self.name)[0].movedim(-3, -1).flatten(-2).contiguous()


def cell_of_pixel(size_px: int, grid: int) -> NDArray[np.int64]:
    """The cell row that each pixel row belongs to, `(size_px,)`; the same for columns. As even as possible."""
    return np.arange(size_px) * grid // size_px


def baseline_of(image: NDArray[np.uint8], baseline: str = "black", grid: int = 16) -> NDArray[np.uint8]:
    """The picture shown in hidden cells.

    Args:
        image: `(S, S, 3)` or `(T, S, S, 3)` uint8.
        baseline: Name in `BASELINES`.
        grid: Cells along a side; "blur" takes a cell's side as the standard deviation.

    Returns:
        The same shape, uint8.
    """
    require_name("baseline", baseline, BASELINES)
    if baseline == "black":
        return np.zeros_like(image)
    if baseline == "mean":
        mean = image.mean(axis=tuple(range(image.ndim - 1)))
        return np.broadcast_to(np.rint(mean).astype(np.uint8), image.shape).copy()
    import cv2

    sigma = image.shape[-2] / grid
    frames = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in image.reshape(-1, *image.shape[-3:])]
    return np.stack(frames).reshape(image.shape).astype(np.uint8)


def _cpu_batch(size_px: int) -> int:
    least, most = _CPU_BATCHES
    return min(max(_CPU_PIXELS // size_px**2, least), most)


def _checked(image: NDArray[np.uint8], grid: int, batch_size: int | None, name: str) -> NDArray[np.uint8]:
    image = np.asarray(image)
    if (
        image.dtype != np.uint8
        or image.ndim not in (3, 4)
        or image.shape[-1] != 3
        or image.shape[-3] != image.shape[-2]
    ):
        raise InputError(
            f"explaining {name}: got an image of shape {image.shape} and type {image.dtype}, expected (S, S, 3) uint8 RGB, or "
            "(T, S, S, 3) for a clip. Take the crop as cut_for gives it, before it is prepared."
        )
    if not 1 <= grid <= image.shape[-2] or (batch_size is not None and batch_size < 1):
        raise ParameterError(
            f"explaining {name}: grid = {grid}, batch_size = {batch_size}; expected 1 to {image.shape[-2]} cells along a side of "
            f"{image.shape[-2]} px, and at least one picture per batch."
        )
    return image
