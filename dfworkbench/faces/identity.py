"""Join the tracks of one person across gaps and cuts, by the distance of face embeddings (`embedding`)."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dfworkbench.faces.embedding import cut_face, find_weights, load_file
from dfworkbench.faces.face_tile import FaceTile
from dfworkbench.faces.settings import FaceSettings
from dfworkbench.faces.tracking import KeyFrame, Track

#: Cosine distance, 0..2. That of deepface (config/threshold.py, "Facenet512": 0.30), whose Facenet512 is 20180402-114759, our
#: VGGFace2 weights (its issue 1252). Stricter than the 0.62 that is best on LFW in the FaceNet paper (squared distance 1.242,
#: half of which is the cosine distance of unit vectors): merging two people costs more than missing that one returns.
#: It does not apply to other weights.
THRESHOLD = 0.30

_FACES = 5  # number of faces of a track that are embedded

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def people(tracks: list[Track], keys: Sequence[KeyFrame], settings: FaceSettings) -> list[Track]:
    """The tracks of `tracking.link`, merged to one per person as far as `settings.identity_weights` allows.

    The network is loaded once per process, when somebody may first have returned.

    Raises:
        DataNotFoundError: The requested weights are not there.
        CheckpointError: Their file is damaged or belongs to something else.
    """
    file = find_weights(settings.identity_weights)
    return tracks if file is None else join_tracks(tracks, keys, lambda crops: load_file(file)(crops))


def join_tracks(
    tracks: Sequence[Track], keys: Sequence[KeyFrame], embed: Embed, threshold: float = THRESHOLD
) -> list[Track]:
    """Join the tracks of one person, the closest first.

    A track's embedding is the mean over up to five of its faces, spread evenly, at unit length; the distance of two persons
    is the mean cosine distance between their tracks (average linkage). Nobody appears twice in a key frame: tracks that share one,
    and groups containing such tracks, are never joined. Tracks without a face tile stay as they are, and a track that cannot be
    joined with any other is not embedded.

    Args:
        tracks: From `tracking.link`.
        keys: The key frames that they refer to.
        embed: Maps `(n, 160, 160, 3)` uint8 RGB faces to `(n, d)` unit vectors, such as an `Embedder`.
        threshold: Tracks closer than this are one person.

    Returns:
        New tracks in order of their first appearance (larger faces first); every face is in exactly one.
    """
    present = np.zeros((len(tracks), len(keys)), np.float32)
    for number, track in enumerate(tracks):
        present[number, track.keys] = 1
    unseen = np.array([not _seen(track, keys) for track in tracks], dtype=bool)
    apart = (present @ present.T > 0) | unseen[:, None] | unseen[None]  # a track must not be joined with itself either
    open_ones = np.flatnonzero(~apart.all(axis=1)).tolist()
    distance = np.full(apart.shape, np.inf)
    if open_ones:
        vectors = np.stack([_embedding(tracks[number], keys, embed) for number in open_ones])
        distance[np.ix_(open_ones, open_ones)] = 1 - vectors @ vectors.T
    distance[apart] = np.inf
    joined = [_merge([tracks[number] for number in group]) for group in _group(distance, threshold)]
    return sorted(joined, key=lambda track: (track.keys[0], track.faces[0]))


def _group(distance: NDArray[np.float64], threshold: float) -> list[list[int]]:
    """Average linkage of a symmetric `(n, n)` matrix that is infinite where two must stay apart (and on its diagonal)."""
    groups = [[number] for number in range(len(distance))]
    while len(groups) > 1:
        a, b = divmod(int(distance.argmin()), len(distance))
        if not distance[a, b] < threshold:
            break
        # a mean with an infinite distance is infinite: what must stay apart from one must stay apart from the merged two
        row = np.average(distance[[a, b]], axis=0, weights=[len(groups[a]), len(groups[b])])
        distance[a], distance[:, a] = row, row
        distance = np.delete(np.delete(distance, b, axis=0), b, axis=1)
        groups[a] += groups[b]
        del groups[b]
    return groups


def _merge(tracks: Sequence[Track]) -> Track:
    pairs = sorted(pair for track in tracks for pair in zip(track.keys, track.faces, strict=True))
    return Track([key for key, _ in pairs], [face for _, face in pairs], any(track.torn for track in tracks))


def _seen(track: Track, keys: Sequence[KeyFrame]) -> list[tuple[FaceTile, NDArray[np.float64]]]:
    """Face tiles and boxes of a track, where there are crops."""
    return [
        (tiles[face], keys[number].faces.boxes[face])
        for number, face in zip(track.keys, track.faces, strict=True)
        if (tiles := keys[number].tiles) is not None
    ]


def _embedding(track: Track, keys: Sequence[KeyFrame], embed: Embed) -> NDArray[np.float64]:
    seen = _seen(track, keys)
    chosen = np.unique(np.linspace(0, len(seen) - 1, _FACES).round().astype(int)).tolist()
    mean = embed(np.stack([cut_face(*seen[number]) for number in chosen])).mean(axis=0, dtype=np.float64)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)
