"""MTCNN: face detection with five landmarks in pictures of any size.

The three networks come from facenet-pytorch 2.5.3; the cascade is our own. Differences from its `MTCNN.detect`:

* plain float arrays, empty if there is no face; grey, RGBA, tiny and mixed-size pictures are handled;
* by default a fast pyramid (OpenCV on bytes) from 40 px faces up and p >= 0.9; `FaceSettings(exact=True)` searches as it
  does and gives its numbers (tests/golden/test_mtcnn.py); smaller and less probable faces are left out afterwards;
* by default a box is the mean of all boxes that non-maximum suppression would drop for it, weighted by their probability (box
  voting: Gidaris and Komodakis, 2015): candidates for one face vary by chance, their mean hardly does;
* `find_near` searches only the surroundings of known faces, for faces of about their size, and `find_around` the part of a
  picture that holds them; both always by the fast pyramid.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.geometry import box_area, iou_matrix
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.networks import judge, load_networks, propose
from dfworkbench.faces.nms import nms
from dfworkbench.faces.pyramid import ANCHOR_PX, CELL, ExactPyramid, FastPyramid, Pixels, Pyramid
from dfworkbench.faces.settings import FaceSettings

_STRIDE = 2  # of P-Net
_P_THRESHOLD, _R_THRESHOLD, _O_THRESHOLD = 0.6, 0.7, 0.7
_VOTE_IOU = 0.5  # boxes that overlap this much are votes for the same face
_NEAR_SIZES = (0.6, 1.1)  # P-Net's cell over a known face: candidates come from cells a little smaller than the face
_NEAR_REGION = 1.8  # side of the region that is searched over the side of the known face
_AROUND = 5.0  # the same for the region that must hold everybody who could be taken for the known face
_LEAST_AROUND = 0.5  # a face this much smaller than all known ones is not one of them
_FloatArray = NDArray[np.floating[Any]]  # float32 throughout


class FaceFinder:
    """Finds faces in pictures.

    Args:
        settings: Smallest face, least probability, and whether to search exactly as facenet-pytorch does; the defaults of
            `FaceSettings` if omitted.
    """

    def __init__(self, settings: FaceSettings | None = None) -> None:
        self.settings = settings or FaceSettings()
        self._nets = load_networks()

    def find(self, image: Any) -> Faces:
        """Find all faces of a picture.

        Args:
            image: `(H, W, 3)` uint8 RGB; grey `(H, W)`, RGBA and PIL pictures are converted.
        """
        rgb = as_rgb(image)
        height, width = rgb.shape[:2]
        least = self.settings.smallest_face_px(width, height)
        if not self.settings.exact:
            pyramid = FastPyramid(rgb)
            candidates = _propose(self._nets.pnet, pyramid.levels(least))
            return self._decide(pyramid, candidates, (width, height))
        pyramid = ExactPyramid(rgb)
        # smaller candidates take part in non-maximum suppression: they are dropped at the end, not at the beginning
        candidates = _propose(self._nets.pnet, pyramid.levels(min(least, ANCHOR_PX)))
        found = self._decide(pyramid, candidates, (width, height), vote=False)
        return found if least <= ANCHOR_PX else _at_least(found, least)

    def find_near(self, image: Any, boxes: ArrayLike) -> Faces:
        """Find the faces at or near known boxes `(n, 4)`, in a small fraction of the time of `find`.

        A face is found if it has about the size of one of the boxes and its centre is within about a third of a box side.
        """
        rgb = as_rgb(image)
        height, width = rgb.shape[:2]
        pyramid = FastPyramid(rgb)
        boxes = _square(np.asarray(boxes, dtype=np.float32).reshape(-1, 4))
        found = [np.zeros((0, 4), np.float32)]
        for box, region in zip(boxes, _regions(boxes, width, height, _NEAR_REGION), strict=True):
            least, most = (share * (box[2] - box[0]) for share in _NEAR_SIZES)
            found.append(_propose(self._nets.pnet, pyramid.levels(least, most, region), region[:2]))
        return self._decide(pyramid, np.concatenate(found), (width, height))

    def find_around(self, image: Any, boxes: ArrayLike) -> Faces:
        """Find all faces in the rectangle that contains known boxes `(n, 4)` and two of their sides around them.

        Everybody who could be taken for one of them is in it; people elsewhere, and faces less than half the size of the smallest,
        may be missed.
        """
        rgb = as_rgb(image)
        height, width = rgb.shape[:2]
        pyramid = FastPyramid(rgb)
        boxes = _square(np.asarray(boxes, dtype=np.float32).reshape(-1, 4))
        if not len(boxes):
            return _sorted_faces(boxes, boxes[:, 0], np.zeros((0, 10), np.float32))
        regions = _regions(boxes, width, height, _AROUND)
        region = np.concatenate([regions[:, :2].min(axis=0), regions[:, 2:].max(axis=0)])
        smallest = _LEAST_AROUND * float((boxes[:, 2] - boxes[:, 0]).min())
        levels = pyramid.levels(max(self.settings.smallest_face_px(width, height), smallest), region=region)
        return self._decide(pyramid, _propose(self._nets.pnet, levels, region[:2]), (width, height))

    def _decide(self, pyramid: Pyramid, boxes: _FloatArray, size: tuple[int, int], *, vote: bool = True) -> Faces:
        """Stages 2 and 3 on square candidates `(n, 4)`."""
        boxes, corners = _inside(boxes, *size)
        if not len(boxes):
            return _sorted_faces(boxes, boxes[:, 0], np.zeros((0, 10), np.float32))
        probability, regression = judge(self._nets.rnet, pyramid.crops(corners, 24))
        keep = np.flatnonzero(probability > _R_THRESHOLD)
        keep = keep[_nms(boxes[keep], probability[keep], 0.7)]
        boxes, corners = _inside(_square(_regress(boxes[keep], regression[keep])), *size)
        if not len(boxes):
            return _sorted_faces(boxes, boxes[:, 0], np.zeros((0, 10), np.float32))
        probability, regression, points = judge(self._nets.onet, pyramid.crops(corners, 48))
        least = max(_O_THRESHOLD, self.settings.min_probability)
        keep = np.flatnonzero(probability > least)
        boxes, probability, points = boxes[keep], probability[keep], points[keep]
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        landmarks = points * np.repeat(sides, 5, axis=1) + np.repeat(boxes[:, :2], 5, axis=1) - 1
        boxes = _regress(boxes, regression[keep])
        keep = _nms_over_smaller(boxes, probability, 0.7, last_of_equal=not vote)
        if vote:
            votes = np.where(iou_matrix(boxes[keep], boxes) > _VOTE_IOU, probability, 0)
            votes = (votes / votes.sum(axis=1, keepdims=True)).astype(np.float32)
            boxes[keep], landmarks[keep] = votes @ boxes, votes @ landmarks
        return _sorted_faces(boxes[keep], probability[keep], landmarks[keep])


def as_rgb(image: Any) -> NDArray[np.uint8]:
    """Convert a picture to contiguous `(H, W, 3)` uint8: grey is repeated, an alpha channel dropped.

    Raises:
        InputError: It is not a uint8 picture.
    """
    if getattr(image, "mode", "RGB") not in ("RGB", "RGBA", "L"):
        image = image.convert("RGB")  # a PIL picture with a palette, CMYK, …
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise InputError(
            f"looking for faces: got an array {array.dtype} {np.asarray(image).shape}, expected a picture, uint8 "
            "(H, W, 3) RGB with values 0..255. Read files with dfworkbench.media.read_image."
        )
    array = np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[:, :, :3]
    return np.ascontiguousarray(array)


def _propose(pnet: torch.nn.Module, levels: Iterable[tuple[float, Pixels]], offset: ArrayLike = (0, 0)) -> _FloatArray:
    """Stage 1: `(n, 4)` square candidates; `offset` is the position in the picture where the levels begin."""
    found = [np.zeros((0, 9), np.float32)]
    for scale, level in levels:
        cells = _candidates(*propose(pnet, level), scale)
        found.append(cells[_nms(cells, cells[:, 4], 0.5)])
    cells = np.concatenate(found)
    cells = cells[_nms(cells, cells[:, 4], 0.7)]
    sides = np.tile(cells[:, 2:4] - cells[:, :2], 2)
    return _square(cells[:, :4] + cells[:, 5:] * sides + np.tile(np.asarray(offset, np.float32), 2))


def _regions(boxes: _FloatArray, width: int, height: int, sides: float) -> NDArray[np.int64]:
    """Pixel regions around square boxes, a number of their sides wide, clipped to the picture; empty for a box far outside."""
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, sides / 2 * (boxes[:, 2:] - boxes[:, :2])
    edges = np.concatenate([np.floor(centre - half), np.ceil(centre + half)], axis=1).astype(np.int64)
    return np.clip(edges, 0, (width, height, width, height))


def _candidates(probability: _FloatArray, regression: _FloatArray, scale: float) -> _FloatArray:
    """Cells above the threshold as rows x0, y0, x1, y1, p, dx0, dy0, dx1, dy1 in pixels of the picture."""
    rows, columns = np.nonzero(probability >= _P_THRESHOLD)
    cell = np.stack([columns, rows], axis=1).astype(np.float32)
    # float32 throughout: in float64, some of these floors differ from facenet-pytorch's
    first = np.floor((_STRIDE * cell + 1) / np.float32(scale))
    last = np.floor((_STRIDE * cell + CELL) / np.float32(scale))
    return np.concatenate(
        [first, last, probability[rows, columns, None], regression[:, rows, columns].T], axis=1, dtype=np.float32
    )


def _square(boxes: _FloatArray) -> _FloatArray:
    """Boxes widened to squares around their centres."""
    sides = boxes[:, 2:4] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    first = boxes[:, :2] + sides * np.float32(0.5) - longer * np.float32(0.5)
    return np.concatenate([first, first + longer], axis=1)


def _regress(boxes: _FloatArray, regression: _FloatArray) -> _FloatArray:
    sides = np.tile(boxes[:, 2:4] - boxes[:, :2] + 1, 2)
    return boxes + regression * sides


def _inside(boxes: _FloatArray, width: int, height: int) -> tuple[_FloatArray, NDArray[np.int64]]:
    """Boxes that overlap the picture, and the pixels to cut for them; a crop at the border is clipped, not padded."""
    corners = np.trunc(boxes).astype(np.int64)
    first = np.maximum(corners[:, :2], 1) - 1
    last = np.minimum(corners[:, 2:], (width, height))
    keep = (last > first).all(axis=1)
    return boxes[keep], np.concatenate([first, last], axis=1)[keep]


def _nms(boxes: _FloatArray, scores: _FloatArray, threshold: float) -> NDArray[np.int64]:
    order = nms(torch.from_numpy(np.ascontiguousarray(boxes[:, :4])), torch.from_numpy(scores.copy()), threshold)
    return order.numpy()


def _nms_over_smaller(
    boxes: _FloatArray, scores: _FloatArray, threshold: float, *, last_of_equal: bool = False
) -> list[int]:
    """Non-maximum suppression by intersection over the smaller area, which also removes a box inside another."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    kept: list[int] = []
    # among equal scores, facenet-pytorch takes the last
    for index in np.argsort(scores)[::-1] if last_of_equal else np.argsort(-scores, kind="stable"):
        sides = np.minimum(boxes[kept, 2:], boxes[index, 2:]) - np.maximum(boxes[kept, :2], boxes[index, :2]) + 1
        shared = np.prod(np.clip(sides, 0, None), axis=1)
        if not (shared > threshold * np.minimum(areas[kept], areas[index])).any():
            kept.append(int(index))
    return kept


def _at_least(faces: Faces, side_px: float) -> Faces:
    """Faces whose longer side is at least this long."""
    keep = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1, initial=0) >= side_px
    return Faces(faces.boxes[keep], faces.probabilities[keep], faces.landmarks[keep])


def _sorted_faces(boxes: _FloatArray, probabilities: _FloatArray, points: _FloatArray) -> Faces:
    order = np.argsort(-box_area(boxes), kind="stable")
    landmarks = points[order].reshape(-1, 2, 5).transpose(0, 2, 1)
    return Faces(boxes[order].astype(np.float64), probabilities[order].astype(np.float64), landmarks.astype(np.float64))
