"""Faces of pictures: ours against facenet-pytorch's MTCNN, dlib's HOG detector and MediaPipe's short-range detector.

All but MediaPipe are asked for faces from 40 px on and, where they give a probability, keep 0.9 and more. A face counts as found
if the centre of a box lies in the place where it is known to be. Of the people in the real crowd only four, in eight positions
that were checked by hand, are counted; what else is found there is not judged.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from dfworkbench.faces import FaceFinder, FaceSettings
from dfworkbench.media import VideoSource, read_image, sample_indices
from peer_parts.clips import make_call_once
from peer_parts.measuring import OURS, Way, alternate, print_table
from peer_parts.packages import load

Picture = NDArray[np.uint8]
Boxes = NDArray[np.float64]
Finder = Callable[[Sequence[Picture]], list[Boxes]]

_LEAST_PX, _LEAST_PROBABILITY, _BATCH = 40, 0.9, 8
_PANELS = [[20, 40, 660, 680], [680, 40, 1060, 420], [960, 440, 1220, 700]]  # of `extraction.make_call`
#: Frame of media/street.mp4 to boxes x0, y0, x1, y1 of four people.
_STREET = {
    0: [[286, 720, 378, 835], [911, 633, 980, 721], [275, 618, 340, 699], [675, 561, 738, 636]],
    48: [[968, 709, 1043, 810], [581, 639, 656, 724]],
    90: [[218, 661, 290, 754], [451, 596, 531, 704]],
}


class Pictures(NamedTuple):
    """Pictures, and for each of them the places x0, y0, x1, y1 with one face each."""

    pictures: list[Picture]
    places: list[ArrayLike]
    only: bool = True
    """Whether there are no other faces."""


def generated(folder: Path, count: int = 3) -> Pictures:
    """Frames of the generated call: three people, each in a panel."""
    source = VideoSource(make_call_once(folder))
    frames = [frame.rgb for frame in source.iterate(sample_indices(source.frames_expected, count))]
    return Pictures(frames, [_PANELS] * len(frames))


def real(media: Path) -> dict[str, Pictures]:
    """What the folder for trials has: a crowd, clips of one person each, and crops of 256 px of a face each."""
    crowd = [frame.rgb for frame in VideoSource(media / "street.mp4").iterate(list(_STREET))]
    found = {"a real crowd, 1920 x 1080": Pictures(crowd, list(_STREET.values()), only=False)}
    heads = []
    for source in map(VideoSource, sorted((media / "clips").glob("*.mp4"))):
        heads += [frame.rgb for frame in source.iterate([source.frames_expected // 2])]
    found["real talking heads, 480 to 1280 px"] = Pictures(heads, [_whole(rgb) for rgb in heads])
    faces = [
        read_image(path)
        for kind in ("openforensics/test", "stylegan")
        for path in sorted((media / "real_faces" / kind / "real").glob("*.jpg"))[:30]
    ]
    found["real photographs of a face, 256 px"] = Pictures(faces, [_whole(rgb) for rgb in faces])
    return found


def _whole(rgb: Picture) -> list[list[int]]:
    return [[0, 0, rgb.shape[1], rgb.shape[0]]]


def finders() -> dict[str, Finder]:
    """All ways that can be measured here."""
    fast, exact = FaceFinder(FaceSettings()), FaceFinder(FaceSettings(exact=True))
    found: dict[str, Finder] = {
        OURS: lambda pictures: [fast.find(rgb).boxes for rgb in pictures],
        f"{OURS}, exact": lambda pictures: [exact.find(rgb).boxes for rgb in pictures],
    }
    if package := load("facenet-pytorch", "facenet_pytorch"):
        usual, larger = (package.MTCNN(keep_all=True, min_face_size=size) for size in (20, _LEAST_PX))
        found["facenet-pytorch, as it comes (20 px)"] = partial(_mtcnn, usual, 1)
        found["facenet-pytorch"] = partial(_mtcnn, larger, 1)
        found[f"facenet-pytorch, batches of {_BATCH}"] = partial(_mtcnn, larger, _BATCH)
    if package := load("dlib-bin", "dlib"):
        found["dlib HOG (enlarged once)"] = partial(_hog, package.get_frontal_face_detector(), 1)
        found["dlib HOG (not enlarged: from 80 px)"] = partial(_hog, package.get_frontal_face_detector(), 0)
    if package := load("mediapipe", "mediapipe.python.solutions.face_detection"):
        detector = package.FaceDetection(min_detection_confidence=0.5, model_selection=0)
        found["MediaPipe, short range"] = partial(_mediapipe, detector)
    return found


def _mtcnn(mtcnn: Any, batch: int, pictures: Sequence[Picture]) -> list[Boxes]:
    found = []
    for group in _same_size(pictures, batch):
        if batch == 1:
            each = [mtcnn.detect(Image.fromarray(group[0]))]
        else:
            each = zip(*mtcnn.detect(np.stack(group)), strict=True)
        for own, probability in each:
            none = own is None or probability[0] is None
            found.append(_rows([] if none else own[np.asarray(probability, np.float64) >= _LEAST_PROBABILITY]))
    return found


def _same_size(pictures: Sequence[Picture], most: int) -> list[list[Picture]]:
    groups: list[list[Picture]] = []
    for rgb in pictures:
        if groups and len(groups[-1]) < most and groups[-1][0].shape == rgb.shape:
            groups[-1].append(rgb)
        else:
            groups.append([rgb])
    return groups


def _hog(detector: Any, enlarge: int, pictures: Sequence[Picture]) -> list[Boxes]:
    return [
        _rows([[box.left(), box.top(), box.right(), box.bottom()] for box in detector(rgb, enlarge)])
        for rgb in pictures
    ]


def _mediapipe(detector: Any, pictures: Sequence[Picture]) -> list[Boxes]:
    found = []
    for rgb in pictures:
        boxes = [face.location_data.relative_bounding_box for face in detector.process(rgb).detections or ()]
        corners = [[box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height] for box in boxes]
        found.append(_rows(corners) * np.tile(rgb.shape[1::-1], 2))
    return found


def _rows(boxes: ArrayLike) -> Boxes:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def judge(known: Pictures, found: list[Boxes]) -> str:
    """How many of the known faces were found, and how many further boxes there are."""
    hits = total = boxes = 0
    for places, own in zip(known.places, found, strict=True):
        centres = (own[:, :2] + own[:, 2:]) / 2
        for x0, y0, x1, y1 in np.asarray(places):
            inside = (centres >= (x0, y0)).all(axis=1) & (centres <= (x1, y1)).all(axis=1)
            hits, total = hits + bool(inside.any()), total + 1
        boxes += len(own)
    further = f"; {boxes - hits} further" if known.only else f"; {boxes} boxes in all"
    return f"{hits} of {total}{further}"


def compare(folder: Path, runs: int, only: str) -> None:
    """Print a table for each kind of pictures."""
    ways, sets = finders(), {"the generated call, 1280 x 720": generated(folder)}
    trials = os.environ.get("DFWORKBENCH_TRIALS")
    if trials:
        sets |= real(Path(trials) / "media")
    for title, known in sets.items():
        if only not in title:
            continue
        measured = alternate({name: Way(partial(find, known.pictures)) for name, find in ways.items()}, runs)
        rate = {name: f"{len(known.pictures) / np.median(one.cpu_s):.3g}" for name, one in measured.items()}
        faces = {name: judge(known, one.result) for name, one in measured.items()}
        columns = {"pictures per CPU second": rate, "faces found": faces}
        print_table(f"faces in {len(known.pictures)} pictures: {title}", measured, columns)
