"""Data sets with the JSON files of DeepfakeBench (Yan et al., NeurIPS 2023), which name frames, labels and splits.

FF-DF.json, Celeb-DF-v2.json, DFD.json …                               beside the folders that they name
FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/000.png     with either slash
FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4         read if the frames are missing
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dfworkbench.core.errors import ParameterError, TableError
from dfworkbench.core.names import COMPRESSIONS, FAKE, REAL, SPLITS, require_name
from dfworkbench.datasets.layouts.bench_json import BenchFile, BenchVideo
from dfworkbench.datasets.layouts.celebdf import identities_of_name
from dfworkbench.datasets.layouts.faceforensics import values_of_path
from dfworkbench.datasets.layouts.found import storable
from dfworkbench.datasets.layouts.layout import DataCard, Layout, leading_parts, nothing_found, outer_folder, video_row
from dfworkbench.media import VIDEO_SUFFIXES, first_names, is_missing, readable

_log = logging.getLogger(__name__)
#: Label -> forgery, as named by the layouts of these data sets. Other labels lose their "_fake".
_FORGERIES = {
    "FF-DF": "Deepfakes", "FF-F2F": "Face2Face", "FF-FS": "FaceSwap", "FF-NT": "NeuralTextures", "FF-FH": "FaceShifter",
    "FF-SH": "FaceShifter", "DFD_fake": "DeepFakeDetection", "CelebDFv1_fake": "Celeb-synthesis",
    "CelebDFv2_fake": "Celeb-synthesis", "DFDCP_FakeA": "method_A", "DFDCP_FakeB": "method_B",
}  # fmt: skip
_NESTED, _REPEATED = "a folder inside another sequence", "the folder of another video"
_BOTH, _AGAINST = "a folder that is named real and fake", "a label against the folders of its path"
_OUTSIDE = "a path that is not below the first folders of the others"
#: Path below the root -> the entry that names it first, and all splits that name it.
_Merged = dict[PurePosixPath, tuple[BenchVideo, set[str]]]


def read_deepfakebench(
    root: Path, dataset: str, *, compression: str = "c23", file: str = "*.json"
) -> list[dict[str, Any]]:
    """Rows for every video named by a data set file in `root`: its folder of frames, or else a video in videos/.

    Files with several compression levels are read at one of them. A video in several splits, as most are outside
    FaceForensics++, is a test video if it is in test, else a training video. Splits that share people cannot be used both to
    train a detector and to evaluate it: for such a data set only the test split is kept. Invalid entries are left out and
    logged, one line per kind.

    Args:
        root: Folder that holds the data set files and what they name.
        dataset: Its name.
        compression: Compression level to read if a file has several.
        file: Name or pattern of the data set files in `root`.

    Raises:
        DataNotFoundError: There is no such file, or none of the named files exists.
        TableError: A file is not JSON, or no file has a usable entry.
    """
    require_name("compression", compression, COMPRESSIONS)
    files = {found: BenchFile(found, compression) for found in _files(root, file)}
    odd: defaultdict[str, list[str]] = defaultdict(list)
    merged: _Merged = {}
    for found, bench in files.items():
        for problem, names in bench.odd.items():
            odd[problem] += names
        paths = [video.path for video in bench.videos]
        dropped = leading_parts(
            "deepfakebench", found, root, paths, lambda path: _on_disk(path) is not None, "folder(s) of frames"
        )
        _merge(root, bench.videos, dropped, merged, odd)
    if not merged:
        raise _no_entry(root, files, odd, compression)
    for path in [path for path in merged if outer_folder(path, merged)]:
        odd[_NESTED].append(str(path))
        del merged[path]
    _report(root, files, odd)
    return _rows(root, dataset, merged)


def _files(root: Path, pattern: str) -> list[Path]:
    path = PurePosixPath(str(pattern))
    if not path.parts or path.is_absolute() or ".." in path.parts or "**" in str(path):
        raise ParameterError(
            f"reading {root} as 'deepfakebench': the option file is {pattern!r}. Expected a name such as DFD.json, or a pattern, "
            "of files in this folder: put the data set file there."
        )
    files = sorted(found for found in root.glob(str(path)) if found.is_file()) if root.is_dir() else []
    if not files:
        raise nothing_found("deepfakebench", root, f"{pattern} of DeepfakeBench beside the frames or videos it names")
    return files


def _on_disk(path: Path) -> Path | None:
    """The frames or the file if present, else a video such as videos/000.mp4 for frames/000/."""
    if not is_missing(path):
        return path
    videos = path.parent.parent / "videos"
    if path.parent.name != "frames" or not videos.is_dir():
        return None
    named = (videos / f"{path.name}{suffix}" for suffix in VIDEO_SUFFIXES)
    return next((video for video in named if video.is_file()), None)


def _merge(
    root: Path, videos: Iterable[BenchVideo], dropped: int, merged: _Merged, odd: Mapping[str, list[str]]
) -> None:
    """Merge entries with those of other entries and files."""
    both = set()
    for video in videos:
        parts = video.path.parts[dropped:]
        values = values_of_path("", video.path)
        if not parts or (values and bool(values["forgery"]) != (video.label == FAKE)):
            odd[_AGAINST if parts else _OUTSIDE].append(f"{video.path} ({video.kind})")
            continue
        there = _on_disk(root.joinpath(*parts)) or root.joinpath(*parts)
        path = PurePosixPath(there.relative_to(root).as_posix())
        first, splits = merged.setdefault(path, (video, set()))
        if first.label != video.label:
            both.add(path)
        elif first.name != video.name:
            odd[_REPEATED].append(f"{path} ({first.name}, {video.name})")
        else:
            splits.add(video.split)
    for path in sorted(both):
        odd[_BOTH].append(str(path))
        del merged[path]


def _rows(root: Path, dataset: str, merged: _Merged) -> list[dict[str, Any]]:
    genuine = {(video.family, video.name): path for path, (video, _) in merged.items() if video.label == REAL}
    rows, families = [], []
    for path, (video, splits) in merged.items():
        values = _values(dataset, video)
        original = genuine.get((video.family, _original(video.name))) if video.label == FAKE else None
        values["genuine_id"] = f"{dataset}/{original}" if original else ""
        split = next(name for name in ("test", "train", "val") if name in splits)
        rows.append(video_row(dataset, root, root / path, video.label, **values, split=split))
        families.append(video.family)
    several = Counter(" and ".join(name for name in SPLITS if name in splits) for _, splits in merged.values())
    if said := [f"{count} in {names}" for names, count in several.items() if " and " in names]:
        _log.warning(
            "%s: videos are in several splits (%s). They are test videos where test names them, else training videos.",
            root, ", ".join(said),
        )  # fmt: skip
    _keep_disjoint(root, rows, families)
    return rows


def _values(dataset: str, video: BenchVideo) -> dict[str, str]:
    """Forgery, compression, carrier and donor, from the folders of FaceForensics++ or else from label and name."""
    forgery = "" if video.label == REAL else _FORGERIES.get(video.kind) or video.kind.lower().removesuffix("_fake")
    if values := values_of_path(dataset, video.path):
        return values
    values = {"forgery": forgery, "compression": video.compression, "carrier": "", "donor": ""}
    if video.kind.startswith("CelebDF"):
        folder = forgery or ("YouTube-real" if video.name.isdigit() else "Celeb-real")
        values["carrier"], values["donor"] = identities_of_name(dataset, folder, video.name)
    elif video.kind.startswith(("FF-", "DFD_")):
        kind = forgery or ("actors" if video.kind.startswith("DFD_") else "youtube")
        part = "manipulated_sequences" if forgery else "original_sequences"
        found = values_of_path(dataset, PurePosixPath(part, kind, "frames", video.name))
        values |= {name: found[name] for name in ("carrier", "donor")}
    return values


def _original(name: str) -> str:
    """Name of the genuine video of a fake: 000_003 -> 000, 01_02__scene__AB -> 01__scene, id0_id1_0000 -> id0_0000."""
    person, *scene = name.split("__")
    if scene:
        return "__".join([person.split("_")[0], scene[0]])
    parts = name.split("_")
    return f"{parts[0]}_{parts[-1]}" if name.startswith("id") else parts[0]


def _keep_disjoint(root: Path, rows: list[dict[str, Any]], families: list[str]) -> None:
    """Keep only the test split of data sets whose splits share people."""
    from dfworkbench.datasets.splits import identity_groups

    columns = ["video_id", "carrier", "donor", "split"]
    table = pd.DataFrame(storable(rows), columns=columns).assign(family=families)
    table["group"] = identity_groups(table)
    shared = table.groupby("group")["split"].nunique()
    for family in table.loc[table["group"].isin(shared.index[shared > 1]), "family"].unique():
        own = [row for row, name in zip(rows, families, strict=True) if name == family]
        kept = "test" if any(row["split"] == "test" for row in own) else "train"
        given_up = [row for row in own if row["split"] != kept]
        for row in given_up:
            row["split"] = ""
        _log.warning(
            "%s: the splits of %s share people. Its %s split is kept; %d videos of the others have no split, because a detector "
            "trained on them would be judged on people that it knows.", root, family, kept, len(given_up),
        )  # fmt: skip


def _report(root: Path, files: Mapping[Path, BenchFile], odd: Mapping[str, list[str]]) -> None:
    if others := [found.name for found, bench in files.items() if not bench.videos and not bench.odd]:
        _log.info("%s: these name no video, and are not used: %s", root, first_names(others))
    for problem, names in odd.items():
        shown = readable(first_names(names))
        _log.warning("%s: %d entry(s) left out, with %s: %s", root, len(names), problem, shown)


def _no_entry(
    root: Path, files: Mapping[Path, BenchFile], odd: Mapping[str, list[str]], compression: str
) -> TableError:
    levels = sorted({level for bench in files.values() for level in bench.compressions})
    if levels and compression not in levels:
        seen = f"they have compression {', '.join(levels)}, not {compression}: choose one of these"
    else:
        seen = "; ".join(f"{len(names)} with {problem}: {first_names(names)}" for problem, names in odd.items())
        seen = f"{readable(seen) or 'they name no video'}. Get them again, or name others with the layout option file"
    return TableError(
        f"reading {root} as 'deepfakebench': no entry of {first_names([found.name for found in files])} can be used. Expected "
        f"{{data set: {{label: {{split: {{video: {{'label', 'frames'}}}}}}}}}}; {seen}."
    )


DEEPFAKEBENCH = Layout(
    name="deepfakebench",
    read=read_deepfakebench,
    compressions=COMPRESSIONS,
    card=DataCard(
        title="Data set files of DeepfakeBench",
        what="FF-DF.json, Celeb-DF-v2.json, DFD.json …: data set, label, split, maybe compression, and for every video its label "
        "and its frames. Every folder of frames is one sequence.",
        home="https://github.com/SCLBD/DeepfakeBench",
        licence="That of the data set that is listed; DeepfakeBench: CC BY-NC 4.0.",
        traps=(
            "The JSON files must be in the folder that contains the frames or videos. Paths from another machine, with either "
            "slash, are matched by their ends. Without frames/, videos/ is read.",
            "DeepfakeBench's frames are cropped and aligned faces (256 px): use them unchanged with crops=true.",
            "Outside FaceForensics++ its splits overlap: in Celeb-DF the training split holds all test videos and val is test; in "
            "DeepFakeDetection and UADFV all three are the same videos. Here such a video is a test video.",
            "Where splits share people, as in Celeb-DF and DeepFakeDetection, only the test split is kept.",
            "DFD.json of some copies names folders of Celeb-DF-v2, and has other splits: check the paths of the frames.",
            "All pictures of a folder are read, including unlisted ones. Masks and landmarks are not read.",
            "Times count 25 pictures a second, although the frames are spread over the whole video.",
        ),
    ),
)
