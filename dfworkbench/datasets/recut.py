"""Cut a face crop from another version of its frame, such as a forgery mask or another compression."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.tables import BOX_COLUMNS, LANDMARK_COLUMNS
from dfworkbench.faces import cut_for, spec_for, tile_at


def cut_again(rgb: NDArray[np.uint8], face: pd.Series, spec: InputSpec) -> NDArray[np.uint8]:
    """The detector's crop of a face from another version of its frame.

    Args:
        rgb: `(H, W, 3)` uint8, of the same size as the frame.
        face: Row of the face table.
        spec: How faces are cut for the detector.

    Returns:
        `(S, S, 3)` uint8 RGB, as `FaceDataset` would cut it from this picture.
    """
    place = (round(float(face[name])) for name in ("crop_x0", "crop_y0", "crop_side", "crop_size_px"))
    box = face[list(BOX_COLUMNS)].to_numpy(np.float64)
    landmarks = face[list(LANDMARK_COLUMNS)].to_numpy(np.float64).reshape(5, 2)
    return cut_for(spec_for(spec, face.get("shows", "")), tile_at(rgb, *place), box, landmarks)
