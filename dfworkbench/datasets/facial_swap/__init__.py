"""Multi-scale facial swap: fakes of which it is known where they were forged.

From a fake frame and the genuine frame it was made from, parts of one are laid over the other: the whole face either way
round, or one window of the fake over the genuine frame, at four sizes. The detector CADDM learns to point at that window, which
keeps it from telling fakes by who is in them (Dong et al., "Implicit Identity Leakage", CVPR 2023, and its released code,
github.com/megvii-research/CADDM, Apache-2.0; every line here is our own).

Pixels are uint8 RGB throughout, where the released code has BGR; only the conversions to HSV and JPEG depend on it, and the
colours of `tone` are drawn alike for all channels. Boxes are (x0, y0, x1, y1), x to the right, y down.

Differences from the released code. With `mode="released"` those marked (*) are undone:

- (*) The window of a partial swap is given as x, y; the released code reads rows as columns, so that its targets are mirrored
  at the diagonal.
- (*) A window is laid where it was found; the released code adds the corner of the face's box, not that of the enlarged cut in
  which it searched, and lands about a tenth of the face too far to the right and down. Both are clamped to the picture.
- (*) Poisson blending stays where its mask is. The released code hands OpenCV the centre with x and y exchanged. What is in
  place is solved by our own `poisson`, equal to OpenCV's to the last rounding and ten times as fast.
- (*) Poisson blending also serves distorted outlines and windows, with a mask of 0 and 255 (cut at one half). In the released
  code OpenCV refuses those masks, and shares are mixed instead. Where nothing can be solved, shares are mixed here too.
- (*) Pictures are mirrored, half of them, with their windows; the released code mirrors and throws the result away.
- (*) The rescaling among the changes of quality is made; likewise thrown away in the released code.
- (*) Landmarks of halved pictures keep their fractions.
- (*) Distorted masks keep fractions of levels.
- (*) The amplitude of the distortion is multiplied by (height / 384)². Frames here are the stored face tiles, a face and its
  surroundings, not whole video frames, and the published numbers let an outline move farther the smaller the picture is (the
  smoothed noise moves it by 0.163 amplitude / sigma pixels, and sigma is 0.08 x height): by 13 px in a crop of 64 px. With the
  square, the outline moves by the same share of the face at every resolution, and at 384 px exactly as published; that is about
  0.5 % of the crop, or 1 % of the face, as in the released code on frames of 640 x 480 with a face of 150 px. Sigma stays at
  0.08 of the height, now of the crop's, so that the waves of an outline are a little shorter, seen from the face.
- A failed partial swap gives the fake as it is, marked FAILED; the released code drops the sample and shrinks the batch. A
  fake without a genuine frame is PLAIN; one of another size is resized to the fake's, and a swap never changes its kind.
- All random numbers come from the one generator that is passed in; the released code mixes three, one of them never seeded.
  The size of the face in the crop, a normal number, is cut at four standard deviations.
- Crops are aligned by the detector's five points, as for scoring, and not by means of 81 points cut to whole pixels. Where a
  data set has no dense landmarks, `faces.dense.fit_dense` guesses them.
- Outside the stored face tile (twice the face) aligned crops are black; the released code has the rest of the frame there.
- Changes of quality give whole levels after each step; the released code keeps fractions through some of them.
- The window is returned alone; that the whole crop of a fake is fake too, the first box of the released code, is left to the
  method that makes targets.
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
