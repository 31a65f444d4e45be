"""Tiled re-synthesis of large pictures, to save memory.

In theory a pixel depends on others up to 500 px away; in practice, the reach is much shorter. Largest difference from a picture of
192 px made as a whole, measured in the published geometry, on a scale of 0..1, for tiles of 96 px:

    overlap_px                      0         16        32        48        64
    first weights               1.9e-01   3.3e-03   2.0e-05   2.5e-07   2.8e-07
    trained for 120 steps       4.5e-01   3.0e-02   4.5e-04   2.2e-06   7.7e-07

A network trained for longer may have a larger reach; compare a picture or two before relying on the default of 64 px. This is
float32. With bfloat16, rounding differs between tiles, by up to 0.4 grey levels (0.0015) at 512 px.

Tiles inside a picture take (1 + 2 overlap_px / tile_px) squared times the work. Measured at 512 px with bfloat16 and tiles of 256
px (`benchmarks/resynthesis.py`): peak memory is 0.85 GB instead of 0.97 GB, of which 0.74 GB are needed even at 128 px.

The residual of a tiled re-synthesis is `detector.residual(images, stage, resynthesise_tiled(detector.resynthesiser, images))`.
"""

import torch
from torch import Tensor

from dfworkbench.core.errors import ParameterError
from dfworkbench.methods.resynthesis.rdn import Rdn, box_down


def resynthesise_tiled(rdn: Rdn, images: Tensor, tile_px: int = 256, overlap_px: int = 64) -> Tensor:
    """Re-synthesise pictures tile by tile.

    Args:
        rdn: The re-synthesiser.
        images: `(B, 3, H, W)` in 0..1; height and width are multiples of `rdn.scale`.
        tile_px: Side of the kept part of a tile; the last ones of a row and column may be smaller. A multiple of `rdn.scale`.
        overlap_px: Margin beyond the tile that the network sees on each side. A multiple of `rdn.scale`.

    Returns:
        The same shape.

    Raises:
        ParameterError: Tile or overlap is not a multiple of the scale.
        InputError: Height or width is not a multiple of the scale.
    """
    scale = rdn.scale
    if tile_px < scale or overlap_px < 0 or tile_px % scale or overlap_px % scale:
        raise ParameterError(
            f"re-synthesis in tiles: tile_px = {tile_px}, overlap_px = {overlap_px}; both must be multiples of {scale}, the "
            f"tile at least {scale} and the overlap at least 0."
        )
    low = box_down(images, scale)
    tile, overlap = tile_px // scale, overlap_px // scale
    height, width = low.shape[-2:]
    rows = []
    for top in range(0, height, tile):
        row = []
        for left in range(0, width, tile):
            y, x = max(0, top - overlap), max(0, left - overlap)
            made = rdn(low[..., y : top + tile + overlap, x : left + tile + overlap])
            y, x = (top - y) * scale, (left - x) * scale
            row.append(made[..., y : y + tile_px, x : x + tile_px])
        rows.append(torch.cat(row, dim=-1))
    return torch.cat(rows, dim=-2)
