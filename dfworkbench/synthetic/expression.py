"""Expressions as displacement fields: where each point of the expressive face lies on the resting face.

The fields are coarse and smooth except at the lips, which part along the line of the mouth; these are computed where needed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from dfworkbench.synthetic.motion import Expression
from dfworkbench.synthetic.noise import Field, bump, smoothstep
from dfworkbench.synthetic.shape import EXTENT, X0, Y0, HeadShape, eye_point, lid_curves

UPPER_SHARE, LOWER_SHARE = 0.22, 0.78  #: how the opening is shared between the lips
_GRID = 96
_UPPER = np.array([*range(48, 55), *range(60, 65)])
_LOWER = np.array([*range(55, 60), *range(65, 68)])


class ExpressionFields:
    """Displacement fields of one head."""

    def __init__(self, shape: HeadShape) -> None:
        self.identity = shape.identity
        axis = (np.arange(_GRID, dtype=np.float32) + 0.5) * EXTENT / _GRID
        x, y = np.meshgrid(X0 + axis, Y0 + axis)
        self._basis = np.stack(self._draw_basis(x, y)).astype(np.float32)

    def _draw_basis(self, x: Field, y: Field) -> list[NDArray]:
        """Draw the fields (dx, dy, jaw drop, 0) of smile, pucker, brow and jaw, `(96, 96, 4)` each."""
        i, side, sign, zero = self.identity, np.abs(x), np.sign(x), np.zeros_like(x)
        corner = bump(side, y, (i.mouth_width, i.mouth_y), (0.11, 0.10))
        cheek = bump(side, y, (0.40, 0.27), (0.15, 0.12))
        smile = np.stack([sign * (0.050 * corner + 0.012 * cheek), -0.038 * corner - 0.030 * cheek, zero, zero], -1)
        lips = bump(x, y, (0, i.mouth_y), (0.20, 0.12))
        pucker = np.stack([-0.24 * x * lips, zero, zero, zero], -1)
        brows = bump(side, y, (i.eye_x - 0.03, i.brow_y - 0.02), (0.20, 0.075))
        brow = np.stack([zero, -0.055 * brows, zero, zero], -1)
        drop = smoothstep(i.mouth_y, i.mouth_y + 0.24, y) * np.exp(-0.5 * (x / 0.42) ** 2)
        narrow = -0.25 * x * bump(side, y, (0.45, i.mouth_y), (0.2, 0.25))
        jaw = np.stack([narrow, zero, 0.80 * drop, zero], -1)
        return [smile, pucker, brow, jaw]

    def combine(self, e: Expression) -> NDArray[np.float32]:
        """The summed field of one expression, `(96, 96, 4)`: dx, dy, jaw drop, 0."""
        weights = np.array([e.smile, e.pucker, e.brow - 0.25 * e.blink, e.jaw], np.float32)
        return np.tensordot(weights, self._basis, 1)

    def opening(self, x: NDArray, jaw: float) -> NDArray:
        """How far apart the lips are at `x` (resting coordinates), face units."""
        t = x / (0.94 * self.identity.mouth_width)
        return jaw * np.maximum(1 - t * t, 0) ** 0.7

    def to_rest(
        self, x: NDArray, y: NDArray, e: Expression, below: NDArray | None = None
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Map points of the expressive face to the resting face.

        Args:
            x: Face units to the right, any 2-D shape.
            y: Face units down, the same shape.
            e: The expression.
            below: True for points of the lower lip; by default decided by the middle of the opening.

        Returns:
            Resting x and y; and x and y with everything undone except the parting of the lips (there the opening is an ellipse-like
            shape around the line of the mouth).
        """
        field = cv2.remap(self.combine(e), *_grid_coordinates(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mouth_x, mouth_y = x - field[..., 0], y - field[..., 1]
        shift = field[..., 2]
        if e.jaw > 1e-4:
            shift = self._part_lips(shift, mouth_x, mouth_y, e.jaw, below)
        return mouth_x, mouth_y - shift, mouth_x, mouth_y

    def _part_lips(self, drop: NDArray, x: NDArray, y: NDArray, jaw: float, below: NDArray | None) -> NDArray:
        """The shift of the jaw, except at the lips, where it is that of the opening's edges."""
        shift = drop.copy()
        near = (np.abs(x) < self.identity.mouth_width) & (np.abs(y - self.identity.mouth_y) < 0.55)
        if not near.any():
            return shift
        dy, opening = y[near] - self.identity.mouth_y, self.opening(x[near], jaw)
        if below is None:
            under = dy > (LOWER_SHARE - UPPER_SHARE) / 2 * opening
        else:
            under = np.broadcast_to(below, y.shape)[near]
        edge_low, edge_up = LOWER_SHARE * opening, UPPER_SHARE * opening
        lip = np.exp(-0.5 * (np.maximum(dy - edge_low, 0) / 0.11) ** 2)
        lip = lip * smoothstep(1.0, 0.75, np.abs(x[near]) / self.identity.mouth_width)
        low = edge_low * lip + drop[near] * (1 - lip)
        up = -edge_up * np.exp(-0.5 * (np.maximum(-dy - edge_up, 0) / 0.09) ** 2)
        shift[near] = np.where(under, low, up)
        return shift

    def move(self, points: NDArray, e: Expression) -> NDArray[np.float64]:
        """The 81 landmarks of the resting face, moved by an expression: the inverse of `to_rest`, `(81, 2)`."""
        rest = points.astype(np.float32)[None]
        below = np.zeros((1, len(points)), bool)
        below[0, _LOWER] = True
        below[0, 6:11] = True
        moved = rest.copy()
        for _ in range(12):
            x, y, _, _ = self.to_rest(moved[..., 0], moved[..., 1], e, below)
            moved += rest - np.stack([x, y], -1)
        moved = moved[0].astype(np.float64)
        moved[36:48] = self._eyes(e)
        return moved

    def _eyes(self, e: Expression) -> NDArray[np.float64]:
        t = np.array([-1, -0.38, 0.38, 1, 0.38, -0.38])
        upper, lower = lids(self, t, e)
        v = np.array([0, upper[1], upper[2], 0, lower[4], lower[5]])
        right = eye_point(self.identity, t, v)
        left = (right * (-1, 1))[::-1][[2, 3, 4, 5, 0, 1]]
        return np.concatenate([left, right])


def lids(fields: ExpressionFields, t: NDArray, e: Expression) -> tuple[NDArray, NDArray]:
    """Upper and lower eyelid under an expression, in half eye widths over `t` = -1..1."""
    upper, lower = lid_curves(fields.identity, t)
    lower = lower * (1 - 0.22 * max(e.smile, 0.0)) - 0.02 * e.blink
    wide = 1 + 0.10 * e.brow + 0.25 * min(e.gaze[1], 0.0) - 0.10 * max(e.smile, 0.0)
    return lower + (upper * wide - lower) * (1 - e.blink) - 0.02, lower


def _grid_coordinates(x: NDArray, y: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale = np.float32(_GRID / EXTENT)
    return ((x - X0) * scale - 0.5).astype(np.float32), ((y - Y0) * scale - 0.5).astype(np.float32)
