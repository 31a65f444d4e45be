"""Perceptual hash of pictures, and search for near-duplicates.

The hash keeps the signs of the lowest frequencies of a picture, which survive recompression, resizing, noise and changes of
brightness. It is the DCT hash of Zauner (*Implementation and Benchmarking of Perceptual Image Hash Functions*, 2010) with 256
bits instead of 64: face crops all have a face in the middle, and 64 bits hardly distinguish them.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

WORDS = 4  # of 64 bits
BITS = 64 * WORDS
_SIDE_PX = 64
_KEPT = 16  # lowest frequencies on each axis

_LEFT, _RIGHT = 64, 4096  # hashes compared at a time: the block stays in the processor's cache


def picture_hash(rgb: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """256-bit hash of a picture's appearance, `(4,)`; bit k says whether frequency k is above the median of all.

    Args:
        rgb: `(H, W, 3)` uint8.
    """
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = np.asarray(cv2.dct(small))[:_KEPT, :_KEPT].ravel()
    bits = lowest > np.median(lowest[1:])  # the first is the mean brightness, which carries no information
    return np.packbits(bits).view(np.uint64)


def contrast(rgb: NDArray[np.uint8]) -> float:
    """Standard deviation of the grey levels, 0 to 127.5: the hash of a flat picture is that of its noise."""
    return float(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).std())


def near_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64], bits: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of hashes that differ in at most `bits` bits, block by block.

    Every pair is compared, 64 x 4096 at a time, so the search is exact.

    Args:
        left: `(n, 4)`.
        right: `(m, 4)`.
        bits: Largest Hamming distance.

    Yields:
        Indices into `left`, indices into `right`, and distances, for the pairs of each block that has any.
    """
    columns = np.ascontiguousarray(right.T)
    for i in range(0, len(left), _LEFT):
        block = left[i : i + _LEFT]
        for j in range(0, len(right), _RIGHT):
            distance = np.zeros((len(block), min(_RIGHT, len(right) - j)), np.uint16)
            for word in range(WORDS):
                distance += np.bitwise_count(block[:, word, None] ^ columns[word, None, j : j + _RIGHT])
            if distance.min() <= bits:
                a, b = np.nonzero(distance <= bits)
                yield a + i, b + j, distance[a, b].astype(np.int64)
