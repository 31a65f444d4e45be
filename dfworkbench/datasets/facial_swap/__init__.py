"""Multi-scale facial swap: training fakes with a known location of the forgery.

Given a fake frame and its genuine source frame, part of one is pasted over the other: the whole face in either direction, or
one window of the fake onto the genuine frame, at four sizes. The detector CADDM learns to locate that window, which keeps it
from recognising fakes by identity (Dong et al., "Implicit Identity Leakage", CVPR 2023, and its released code,
github.com/megvii-research/CADDM, Apache-2.0; this implementation is our own).

Pixels are uint8 RGB throughout, where the released code has BGR; only the conversions to HSV and JPEG depend on it, and the
colours of `tone` are drawn from the same distribution for all channels. Boxes are (x0, y0, x1, y1), x to the right, y down.

Differences from the released code; `mode="released"` undoes those marked (*):

- (*) The window of a partial swap is given as x, y; the released code reads rows as columns, so its targets are mirrored along
  the diagonal.
- (*) A window is pasted where it was found; the released code adds the corner of the face box, not that of the enlarged cut in
  which it searched, and ends up about a tenth of the face too far right and down. Both are clamped to the picture.
- (*) Poisson blending keeps the position of its mask. The released code passes OpenCV the centre with x and y swapped. Blending
  in place uses our own `poisson`, equal to OpenCV's up to the last rounding and ten times as fast.
- (*) Poisson blending also handles distorted outlines and windows, with a mask of 0 and 255 (thresholded at one half). In the
  released code OpenCV refuses those masks, and alpha blending is used instead. Where nothing can be solved, alpha blending is
  used here too.
- (*) Half of the pictures are mirrored, with their windows; the released code mirrors them and discards the result.
- (*) The rescaling step of the quality changes is applied; the released code discards its result too.
- (*) Landmarks of half-resolution pictures keep their fractions.
- (*) Distorted masks keep fractional levels.
- (*) The amplitude of the distortion is multiplied by (height / 384)². Frames here are the stored face tiles, a face and its
  surroundings, not whole video frames, and with the published numbers an outline moves farther the smaller the picture is (the
  smoothed noise moves it by 0.163 amplitude / sigma pixels, and sigma is 0.08 x height): by 13 px in a crop of 64 px. With the
  square, the outline moves by the same share of the face at every resolution, and at 384 px exactly as published; that is about
  0.5 % of the crop, or 1 % of the face, as in the released code on frames of 640 x 480 with a face of 150 px. Sigma stays at
  0.08 of the height, now that of the crop, so the waves of an outline are slightly shorter relative to the face.
- A failed partial swap returns the unchanged fake, marked FAILED; the released code drops the sample and shrinks the batch. A
  fake without a genuine frame is PLAIN; a genuine frame of another size is resized to the fake's, and a swap never changes its
  kind.
- All random numbers come from the generator that is passed in; the released code mixes three, one of them never seeded. The
  size of the face in the crop, normally distributed, is truncated at four standard deviations.
- Crops are aligned by the detector's five points, as for scoring, not by means of 81 points truncated to whole pixels. If a
  data set has no dense landmarks, `faces.dense.fit_dense` estimates them.
- Outside the stored face tile (twice the face) aligned crops are black; the released code has the rest of the frame there.
- Quality changes round to whole levels after each step; the released code keeps fractions through some of them.
- Only the window is returned; the box of the whole crop, the first box of the released code, is added by the method that makes
  targets.
"""

from dfworkbench.datasets.facial_swap.compose import Swap, SwapKind, swap, swap_window
from dfworkbench.datasets.facial_swap.settings import WINDOWS, CropSettings, QualitySettings, SwapSettings
from dfworkbench.datasets.facial_swap.ssim import dssim
from dfworkbench.datasets.facial_swap.transform import FacialSwap, draw_alignment
from dfworkbench.datasets.facial_swap.windows import artifact_window

__all__ = [
    "WINDOWS", "CropSettings", "FacialSwap", "QualitySettings", "Swap", "SwapKind", "SwapSettings", "artifact_window",
    "draw_alignment", "dssim", "swap", "swap_window",
]  # fmt: skip
