"""The demo set in the layout of FaceForensics++.

```
original_sequences/youtube/{raw,c23,c40}/videos/000.mp4          original_sequences/youtube/landmarks/000.npz
manipulated_sequences/<kind>/{raw,c23,c40}/videos/000_001.mp4    carrier (target) first, donor (source) second
manipulated_sequences/<kind>/masks/videos/000_001.mp4            manipulated_sequences/<kind>/landmarks/000_001.npz
splits/{train,val,test}.json                                     lists of pairs of identities
extras/                                                          see `extras`
manifest.json                                                    settings, hash, every file with its facts
```
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import COMPRESSIONS, FORGERY_KINDS
from dfworkbench.synthetic.clip import Clip, make_person, record
from dfworkbench.synthetic.extras import write_extras
from dfworkbench.synthetic.files import write_clip, write_json, write_masks, write_truth
from dfworkbench.synthetic.forgeries import forge
from dfworkbench.synthetic.jobs import finish, is_finished, run_jobs
from dfworkbench.synthetic.settings import DemoSettings

CRF = {"c23": 23, "c40": 40}


@dataclass(frozen=True)
class Pair:
    """Two identities that are swapped with each other, and the split of both."""

    first: int
    second: int
    split: str

    @property
    def names(self) -> tuple[str, str]:
        """Names as in file names."""
        return f"{self.first:03d}", f"{self.second:03d}"


def make_demo(root: Path | str, settings: DemoSettings | None = None, progress: bool = True) -> Path:
    """Generate the demo set below `root`; existing files made with the same settings are kept.

    Returns:
        The folder, for convenience.

    Raises:
        ParameterError: If the splits need more pairs than there are.
        OutputError: If the folder cannot be written.
    """
    settings, root = settings or DemoSettings(), Path(root)
    pairs = list_pairs(settings)
    if is_finished(root, settings):
        return root
    jobs = [partial(_write_pair, root, settings, pair) for pair in pairs]
    if settings.extras:
        jobs.append(partial(write_extras, root / "extras", settings))
    files = run_jobs(jobs, root, settings, settings.workers, progress)
    for split in ("train", "val", "test"):
        write_json(root / "splits" / f"{split}.json", [list(p.names) for p in pairs if p.split == split])
    finish(root, settings, files)
    return root


def list_pairs(settings: DemoSettings) -> list[Pair]:
    """All pairs with their splits: identities 0 and 1, 2 and 3, …; train first, then val, then test."""
    val, test = _held_out(settings)
    train = settings.pairs - val - test
    if train < 0:
        raise ParameterError(
            f"DemoSettings: {val} validation and {test} test pairs are more than the {settings.pairs} pairs there are. "
            "Raise `pairs` or lower the others."
        )
    splits = ["train"] * train + ["val"] * val + ["test"] * test
    return [Pair(2 * n, 2 * n + 1, split) for n, split in enumerate(splits)]


def _held_out(settings: DemoSettings) -> tuple[int, int]:
    """Pairs for validation and testing: as set; if only `pairs` was lowered, the same shares of it."""
    defaults, chosen = DemoSettings(), (settings.val_pairs, settings.test_pairs)
    if chosen != (defaults.val_pairs, defaults.test_pairs) or sum(chosen) <= settings.pairs:
        return chosen
    least = 1 if settings.pairs >= 3 else 0  # one of each split
    val, test = (max(least, settings.pairs * count // defaults.pairs) for count in chosen)
    return val, test


def render_pair(settings: DemoSettings, pair: Pair) -> tuple[Clip, Clip]:
    """The real clips of both identities of a pair."""
    first, second = (_film(settings, identity) for identity in (pair.first, pair.second))
    return first, second


def identity_seed(settings: DemoSettings, identity: int) -> int:
    """Seed of an identity's person."""
    return settings.seed * 100_003 + identity


def _film(settings: DemoSettings, identity: int) -> Clip:
    person = make_person(identity_seed(settings, identity), settings.size_px)
    return record(person, settings.seed, settings.size_px, settings.frames, settings.fps, settings.camera_quality)


def _write_pair(root: Path, settings: DemoSettings, pair: Pair) -> list[dict[str, Any]]:
    """Write both real clips and all fakes of a pair; returns one manifest entry per clip."""
    expected = list(_expected(root, pair))
    if all(path.exists() for path in expected):
        return _entries(settings, pair)
    clips = render_pair(settings, pair)
    originals = root / "original_sequences" / "youtube"
    for name, clip in zip(pair.names, clips, strict=True):
        _write_versions(originals, name, clip.frames, settings)
        write_truth(originals / "landmarks" / f"{name}.npz", clip.landmarks, carrier=name)
    for kind in FORGERY_KINDS:
        for at in (0, 1):
            _write_fake(root, settings, pair, kind, clips, at)
    return _entries(settings, pair)


def _write_fake(root: Path, settings: DemoSettings, pair: Pair, kind: str, clips: tuple[Clip, Clip], at: int) -> None:
    carrier, donor = pair.names[at], pair.names[1 - at]
    folder, name = root / "manipulated_sequences" / kind, f"{carrier}_{donor}"
    if all(path.exists() for path in _fake_files(folder, name)):
        return
    forged = forge(kind, clips[at], clips[1 - at], settings.seed, settings.forgery)
    _write_versions(folder, name, forged.frames, settings)
    write_masks(folder / "masks" / "videos" / f"{name}.mp4", forged.masks, settings.fps)
    write_truth(folder / "landmarks" / f"{name}.npz", forged.landmarks, carrier=carrier, donor=donor, kind=kind)


def _write_versions(folder: Path, name: str, frames: list, settings: DemoSettings) -> None:
    for compression in COMPRESSIONS:
        crf = CRF.get(compression, settings.raw_crf)
        write_clip(folder / compression / "videos" / f"{name}.mp4", frames, settings.fps, crf)


def _fake_files(folder: Path, name: str) -> Iterator[Path]:
    for version in (*COMPRESSIONS, "masks"):
        yield folder / version / "videos" / f"{name}.mp4"
    yield folder / "landmarks" / f"{name}.npz"


def _expected(root: Path, pair: Pair) -> Iterator[Path]:
    first, second = pair.names
    originals = root / "original_sequences" / "youtube"
    for name in pair.names:
        yield from (originals / c / "videos" / f"{name}.mp4" for c in COMPRESSIONS)
        yield originals / "landmarks" / f"{name}.npz"
    for kind in FORGERY_KINDS:
        for name in (f"{first}_{second}", f"{second}_{first}"):
            yield from _fake_files(root / "manipulated_sequences" / kind, name)


def _entries(settings: DemoSettings, pair: Pair) -> list[dict[str, Any]]:
    first, second = pair.names
    seeds = {name: identity_seed(settings, int(name)) for name in pair.names}
    real = [
        {"path": f"original_sequences/youtube/{{compression}}/videos/{name}.mp4", "carrier": name, "donor": "", "kind": "",
         "split": pair.split, "landmarks": f"original_sequences/youtube/landmarks/{name}.npz", "mask": "",
         "identity_seed": seeds[name]}
        for name in pair.names
    ]  # fmt: skip
    fake = [
        {"path": f"manipulated_sequences/{kind}/{{compression}}/videos/{a}_{b}.mp4", "carrier": a, "donor": b, "kind": kind,
         "split": pair.split, "landmarks": f"manipulated_sequences/{kind}/landmarks/{a}_{b}.npz",
         "mask": f"manipulated_sequences/{kind}/masks/videos/{a}_{b}.mp4", "identity_seed": seeds[a]}
        for kind in FORGERY_KINDS for a, b in ((first, second), (second, first))
    ]  # fmt: skip
    return real + fake
