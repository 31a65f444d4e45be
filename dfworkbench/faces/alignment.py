"""Face alignment: rotate, scale and shift a picture so that five landmarks lie at fixed places.

The places and the random changes are those of CADDM (Dong et al., CVPR 2023, and its released code): a canvas of 224 px on
which the eyes lie on row 224 / 2.42 and, at scale 0.9, 72 px apart. Other sizes are the same canvas, scaled.

Other releases use templates of their own for the same five points (`InputSpec.template`); `crop_matrix` supports both.

Differences from CADDM's released code: mapped landmarks are divided by their homogeneous coordinate, and a matrix without
stretching keeps an exact last row (0, 0, 1), so that the faster affine warp can be used.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfworkbench.core.errors import InputError
from dfworkbench.core.input_spec import InputSpec

CANVAS_PX = 224  #: size in which translations are given
AUTHORS_SCALE = 0.9  #: size of the face on the canvas when CADDM is tested
_FACE_WIDTH_PX = 80
_MEAN_FACE_WIDTH = 0.34967
_EYE_ROW = 2.42  # the height of the canvas over the row of the left eye
# left eye, right eye, nose, left and right corner of the mouth; left means left in the picture
_MEAN_FACE = np.array(
    [(-0.17607, -0.172844), (0.1736, -0.17356), (-0.00182, 0.0357164), (-0.14617, 0.20185), (0.14496, 0.19943)]
)
_LEFT_EYE, _RIGHT_EYE, _NOSE, _MOUTH = slice(36, 42), slice(42, 48), 30, (48, 54)
_CORNERS = [0, 1, 3, 4]  # eyes and mouth corners: they define the perspective change


def five_points(dense: ArrayLike, *, whole_eyes: bool = False) -> NDArray[np.float64]:
    """Eyes, tip of the nose and corners of the mouth from dense landmarks.

    Args:
        dense: `(81, 2)` or `(68, 2)`; 0-67 as in the iBUG 68-point scheme.
        whole_eyes: Cut the centres of the eyes to whole pixels, as the released code of CADDM does.

    Returns:
        `(5, 2)`, in the order left eye, right eye, nose, left and right corner of the mouth.
    """
    points = np.asarray(dense, dtype=np.float64)
    eyes = np.stack([points[_LEFT_EYE].mean(axis=0), points[_RIGHT_EYE].mean(axis=0)])
    return np.concatenate([np.trunc(eyes) if whole_eyes else eyes, points[[_NOSE, *_MOUTH]]])


def canvas_points(size_px: int = CANVAS_PX, scale: float = AUTHORS_SCALE) -> NDArray[np.float64]:
    """Target positions of the five points in a crop of `size_px`, `(5, 2)` pixels."""
    ratio = _FACE_WIDTH_PX / (CANVAS_PX * _MEAN_FACE_WIDTH)
    share = _MEAN_FACE * scale * ratio + 0.5
    share[:, 1] /= share[0, 1] * _EYE_ROW
    return share * size_px


def alignment_matrix(
    landmarks: ArrayLike,
    size_px: int = CANVAS_PX,
    *,
    scale: float = AUTHORS_SCALE,
    translation_px: tuple[float, float] = (0.0, 0.0),
    rotation_deg: float = 0.0,
    eye_stretch: float = 1.0,
    side_stretch: float = 1.0,
) -> NDArray[np.float64]:
    """Matrix from pixels of a picture to pixels of the aligned crop.

    First a similarity that brings the landmarks closest to `canvas_points`, then a rotation about the centre, then a perspective
    change that stretches the eyes against the mouth, and the left side against the right.

    Args:
        landmarks: `(5, 2)` in pixels: left eye, right eye, nose, left and right corner of the mouth.
        size_px: Side of the crop.
        scale: Size of the face on the canvas; 0.9 is that of CADDM at test time.
        translation_px: Right and down, in pixels of a crop of 224.
        rotation_deg: Counter-clockwise.
        eye_stretch: Factor of the distance between the eyes; the corners of the mouth get its inverse.
        side_stretch: Factor of the distance from eye to mouth on the left; the right side gets its inverse.

    Returns:
        `(3, 3)`; its last row is exactly (0, 0, 1) unless something is stretched.

    Raises:
        InputError: The landmarks are not five finite points that differ.
    """
    canvas = canvas_points(size_px, scale)
    shift = np.asarray(translation_px, dtype=np.float64) * size_px / CANVAS_PX
    matrix = _rotation(rotation_deg, size_px) @ similarity(landmarks, canvas)
    if eye_stretch == side_stretch == 1:
        matrix[:2, 2] += shift
        return matrix
    corners = canvas[_CORNERS]
    moved = _stretched(corners, eye_stretch, side_stretch) + shift
    return cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32)) @ matrix


def crop_matrix(spec: InputSpec, landmarks: ArrayLike, size_px: int) -> NDArray[np.float64]:
    """Matrix `(3, 3)` from pixels of a picture to pixels of the aligned crop that a detector takes.

    Args:
        spec: `template` and `crop_scale` define the positions of the five points.
        landmarks: `(5, 2)` in pixels: left eye, right eye, nose, left and right corner of the mouth.
        size_px: Side of the crop.

    Raises:
        InputError: The landmarks are not five finite points that differ.
    """
    if spec.template is None:
        return alignment_matrix(landmarks, size_px, scale=AUTHORS_SCALE / spec.crop_scale)
    shares = (np.array(spec.template) - 0.5) / spec.crop_scale + 0.5
    return similarity(landmarks, shares * size_px)


def native_size(spec: InputSpec, landmarks: ArrayLike) -> int:
    """Side of the aligned crop in which a face keeps its resolution, in pixels, at least 1.

    It is the mean, over the ten pairs of points, of their distance in the picture divided by their distance in a crop of side 1, as
    in GenD (Yermakov et al., WACV 2026).

    Args:
        spec: An InputSpec with a `template`.
        landmarks: `(5, 2)` in pixels of the picture.
    """
    pairs = np.triu_indices(5, 1)
    shares = np.array(spec.template) / spec.crop_scale
    seen, meant = (
        np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
        for points in (np.asarray(landmarks, np.float64), shares)
    )
    return max(round(float((seen / meant).mean())), 1)


def similarity(points: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Least-squares similarity (scale, rotation and shift, no reflection) from `points` to `targets`.

    Args:
        points: `(n, 2)`.
        targets: `(n, 2)`.

    Returns:
        `(3, 3)`.

    Raises:
        InputError: The points do not determine it.
    """
    p, q = (np.asarray(array, dtype=np.float64) for array in (points, targets))
    if p.shape != q.shape or not np.isfinite(p).all() or np.ptp(p, axis=0).max(initial=0) < 1e-6:
        raise InputError(
            f"aligning a face: its landmarks are {p.tolist()}, but {len(q)} finite points (x, y) that differ are needed. "
            "Landmarks come with the face table of an extraction; extract again if it has none."
        )
    z, w = p @ (1, 1j), q @ (1, 1j)  # with complex numbers, rotation and scaling are one product
    z0, w0 = z.mean(), w.mean()
    factor = np.vdot(z - z0, w - w0) / np.vdot(z - z0, z - z0).real
    offset = w0 - factor * z0
    return np.array(
        [[factor.real, -factor.imag, offset.real], [factor.imag, factor.real, offset.imag], [0.0, 0.0, 1.0]]
    )


def transform_points(matrix: NDArray[np.float64], points: ArrayLike) -> NDArray[np.float64]:
    """Apply a `(3, 3)` map to points `(n, 2)`, with the homogeneous division."""
    mapped = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return mapped[:, :2] / mapped[:, 2:]


def align(image: NDArray[np.uint8], matrix: NDArray[np.float64], size_px: int = CANVAS_PX) -> NDArray[np.uint8]:
    """Warp a picture into an aligned crop: bilinear, black outside.

    Args:
        image: `(H, W, 3)` uint8.
        matrix: From `alignment_matrix` or `crop_matrix`.
        size_px: Side of the crop.

    Returns:
        `(size_px, size_px, 3)` uint8.
    """
    size = (size_px, size_px)
    if np.array_equal(matrix[2], (0, 0, 1)):
        return np.asarray(cv2.warpAffine(image, matrix[:2], size, flags=cv2.INTER_LINEAR), dtype=np.uint8)
    return np.asarray(cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_LINEAR), dtype=np.uint8)


def _rotation(degrees: float, size_px: int) -> NDArray[np.float64]:
    """Rotation about the centre of the canvas, `(3, 3)`."""
    matrix = np.eye(3)
    if degrees:
        matrix[:2] = cv2.getRotationMatrix2D((size_px / 2, size_px / 2), degrees, 1)
    return matrix


def _stretched(corners: NDArray[np.float64], eyes: float, sides: float) -> NDArray[np.float64]:
    """The eyes and mouth corners after moving pairs of them apart by a factor about their midpoints, one after the other."""
    moved = corners.copy()
    for pair, factor in (([0, 1], eyes), ([2, 3], 1 / eyes), ([0, 2], sides), ([1, 3], 1 / sides)):
        centre = moved[pair].mean(axis=0)
        moved[pair] = centre + factor * (moved[pair] - centre)
    return moved
