"""FaceForensics++ (Roessler et al., ICCV 2019) as its download script writes it, and sets generated in the same layout.

original_sequences/{youtube,actors}/{raw,c23,c40}/videos/000.mp4
manipulated_sequences/{kind}/{raw,c23,c40}/videos/000_003.mp4     target (carrier) first, source (donor) second
manipulated_sequences/{kind}/masks/videos/000_003.mp4             ground-truth forgery masks, if downloaded
splits/{train,val,test}.json                                      lists of identity pairs
conversion_dict.json                                              000 -> YouTube video and clip number: "ab_CD-12345 0"
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

from dfworkbench.core.errors import TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, require_name
from dfworkbench.datasets.layouts.layout import DataCard, Layout, nothing_found, video_row
from dfworkbench.datasets.layouts.official import official_splits
from dfworkbench.media import first_names, list_folder
from dfworkbench.media.foreign import read_json

_log = logging.getLogger(__name__)
_CLIPS = ("conversion_dict.json", "splits/conversion_dict.json")
_FORGED = "manipulated_sequences"
_ACTOR_SETS = ("actors", "DeepFakeDetection")


def read_faceforensics(root: Path, dataset: str, *, compression: str = "c23") -> list[dict[str, Any]]:
    """Rows for all originals and all manipulated videos at one compression.

    Identities are `<data set>/000` for the YouTube originals and `<data set>/actor01` for the actors of
    DeepFakeDetection. The same file name exists in every forgery, so the path is the key, not the name.

    If the authors' conversion_dict.json is in `root` or in splits/, clips of one YouTube video count as one identity, that of
    the first clip. Official splits are kept unchanged; a warning names such clips in different splits.

    Raises:
        DataNotFoundError: There are no such videos, or the official splits name none of their identities.
        TableError: A split file or the conversion dictionary is damaged, or two split files name the same identity.
    """
    require_name("compression", compression, COMPRESSIONS)
    found = list(_videos(root, compression))
    if not found:
        raise nothing_found(
            "faceforensics", root, f"original_sequences/*/{compression}/videos/*.mp4 or manipulated_sequences/*/…"
        )
    people = [_identities(dataset, kind, file.stem, file.is_relative_to(root / _FORGED)) for kind, file in found]
    names = [name.split("/")[-1] for pair in people for name in pair if name]
    pairs = official_splits(root, "splits/{}.json", _names, dict(zip(names, names, strict=True)))
    first = _first_clips(root, dataset, names, pairs)
    rows = []
    for (kind, file), pair in zip(found, people, strict=True):
        carrier, donor = (first.get(name, name) for name in pair)
        forged = file.is_relative_to(root / _FORGED)
        mask = root / _FORGED / kind / "masks" / "videos" / file.name
        landmarks = (root / file.relative_to(root)).parent.parent.parent / "landmarks" / f"{file.stem}.npz"
        rows.append(
            video_row(
                dataset, root, file, FAKE if forged else REAL,
                forgery=kind if forged else "", compression=compression, carrier=carrier, donor=donor,
                genuine_id=_genuine(dataset, kind, file, compression) if forged else "",
                split=pairs.get(carrier.split("/")[-1], ""),
                mask_path=mask.relative_to(root).as_posix() if forged and mask.is_file() else "",
                landmarks_path=landmarks.relative_to(root).as_posix() if landmarks.is_file() else "",
            )
        )  # fmt: skip
    return rows


def _videos(root: Path, compression: str) -> Iterator[tuple[str, Path]]:
    for part in ("original_sequences", _FORGED):
        for file in list_folder(root / part).videos:
            folders = file.relative_to(root / part).parts[:-1]
            if folders[1:] == (compression, "videos"):
                yield folders[0], file


def values_of_path(dataset: str, path: PurePath) -> dict[str, str]:
    """Method, compression, carrier and donor from the folders above a video or a folder of its frames.

    Empty if the path does not contain original_sequences or manipulated_sequences; the forgery is "" for originals.
    """
    for part, kind in pairwise(path.parts[:-1]):
        if part in ("original_sequences", _FORGED):
            forged = part == _FORGED
            carrier, donor = _identities(dataset, kind, path.stem, forged)
            compression = next((name for name in path.parts if name in COMPRESSIONS), "")
            return {
                "forgery": kind if forged else "", "compression": compression, "carrier": carrier, "donor": donor
            }  # fmt: skip
    return {}


def _genuine(dataset: str, kind: str, file: Path, compression: str) -> str:
    """The genuine video of a fake: 000_003 -> 000; for actors 01_02__scene__YVGY8LOK -> 01__scene."""
    person, *scene = file.stem.split("__")
    stem = "__".join([person.split("_")[0], *scene[:1]])
    folder = "actors" if kind in _ACTOR_SETS else "youtube"
    return f"{dataset}/original_sequences/{folder}/{compression}/videos/{stem}{file.suffix}"


def _identities(dataset: str, kind: str, stem: str, forged: bool) -> tuple[str, str]:
    # "000" / "000_003"; actors: "01__walking_outside_cafe" / "01_02__walking_outside_cafe__YVGY8LOK"
    names = stem.split("__")[0].split("_")
    prefix = "actor" if kind in _ACTOR_SETS else ""
    carrier = f"{dataset}/{prefix}{names[0]}"
    donor = f"{dataset}/{prefix}{names[1]}" if forged and len(names) > 1 else ""
    return carrier, donor


def _first_clips(root: Path, dataset: str, names: Iterable[str], split_of: Mapping[str, str]) -> dict[str, str]:
    """Identity -> identity of the first clip of the same YouTube video, if it differs and is in the same split."""
    file = next((root / name for name in _CLIPS if (root / name).is_file()), None)
    if file is None:
        return {}
    videos: defaultdict[str, list[str]] = defaultdict(list)
    youtube = _youtube_videos(file)
    for name in sorted(set(names) & set(youtube)):
        videos[youtube[name]].append(name)
    parted = []
    first: dict[str, str] = {}
    for clips in videos.values():
        if len({split_of.get(clip, "") for clip in clips}) > 1:
            parted.append(" and ".join(f"{clip} ({split_of.get(clip) or 'no split'})" for clip in clips))
        else:
            first |= {f"{dataset}/{clip}": f"{dataset}/{clips[0]}" for clip in clips[1:]}
    if parted:
        _log.warning(
            "%s: the official splits separate clips of %d YouTube video(s), which may show the same person: %s. They are kept, so "
            "that figures stay comparable with published ones.", root, len(parted), first_names(parted),
        )  # fmt: skip
    return first


def _youtube_videos(file: Path) -> dict[str, str]:
    """Identity -> YouTube video, from "000": "ab_CD-12345 0"."""
    try:
        entries = read_json(file)
        problem = (
            "" if isinstance(entries, dict) and all(isinstance(text, str) for text in entries.values()) else "no texts"
        )
    except ValueError as error:
        problem, entries = str(error), {}
    if problem:
        raise TableError(
            f"reading which YouTube videos clips are from: {file} does not map names of clips to texts such as 'ab_CD-12345 0' "
            f"({problem}). Download it again, or remove it."
        )
    return {name: text.rpartition(" ")[0] or text for name, text in entries.items()}


def _names(file: Path) -> list[str]:
    """The identities in a file of pairs."""
    try:
        return [str(name) for pair in read_json(file) for name in pair]
    except (ValueError, TypeError) as error:
        raise TableError(
            f"reading official splits: {file} is not a list of identity pairs such as [['000', '003'], …] ({error}). "
            "Download it again, or remove it to split by identity."
        ) from error


FACEFORENSICS = Layout(
    name="faceforensics",
    read=read_faceforensics,
    compressions=COMPRESSIONS,
    card=DataCard(
        title="FaceForensics++ and DeepFakeDetection",
        what="1,000 YouTube originals, each forged by five methods, at three compressions; 363 + 3,068 clips of actors.",
        home="https://github.com/ondyari/FaceForensics",
        licence="Terms of use by request form; research only.",
        traps=(
            "The same file name occurs in all five methods: never pool scores by file name.",
            "Official splits are pairs of identities; a fake carries one identity and shows another of the same pair.",
            "DeepFakeDetection videos often show two people: use the masks to choose the forged face.",
        ),
    ),
)
