"""The second demo set, in the layout of Celeb-DF-v2.

`Celeb-real/id0_0000.mp4`, `YouTube-real/00000.mp4`, `Celeb-synthesis/id0_id1_0000.mp4` (carrier first, donor second) and
`List_of_testing_videos.txt`, whose flag is 1 for real files as in the original. In addition to the original: `masks/` and
`landmarks/` with the ground truth.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dfworkbench.core.workspace import atomic_path
from dfworkbench.synthetic.clip import Clip, make_person, record
from dfworkbench.synthetic.files import write_clip, write_masks, write_truth
from dfworkbench.synthetic.forgeries import forge
from dfworkbench.synthetic.jobs import finish, is_finished, run_jobs
from dfworkbench.synthetic.settings import CelebDemoSettings

TEST_LIST = "List_of_testing_videos.txt"
#: Celeb-DF's own forgery is an autoencoder swap, improved in colour and mask; these two kinds of swap stand in for it.
KINDS = ("Deepfakes", "FaceShifter")
_YOUTUBE = 5000  # identities of YouTube-real start here


def make_demo_celebdf(root: Path | str, settings: CelebDemoSettings | None = None, progress: bool = True) -> Path:
    """Generate the second demo set below `root`; existing files made with the same settings are kept."""
    settings, root = settings or CelebDemoSettings(), Path(root)
    if is_finished(root, settings):
        return root
    jobs = [partial(_write_person, root, settings, person) for person in range(settings.identities)]
    jobs += [partial(_write_youtube, root, settings, n) for n in range(settings.youtube)]
    files = run_jobs(jobs, root, settings, settings.workers, progress)
    with atomic_path(root / TEST_LIST, "the list of testing videos") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in testing_videos(settings)))
    finish(root, settings, files)
    return root


def testing_videos(settings: CelebDemoSettings) -> list[str]:
    """Lines of the list of testing videos: the last people of the set, so that no identity is on both sides."""
    count = max(2, round(settings.identities * settings.test_share / 2) * 2)
    people = range(max(0, settings.identities - count), settings.identities)
    lines = [f"1 Celeb-real/{name}.mp4" for p in people for name in _real_names(settings, p)]
    first = settings.youtube - round(settings.youtube * settings.test_share)
    lines += [f"1 YouTube-real/{n:05d}.mp4" for n in range(first, settings.youtube)]
    return lines + [f"0 Celeb-synthesis/{name}.mp4" for p in people for name in _fake_names(settings, p)]


def partner(settings: CelebDemoSettings, person: int) -> int:
    """Swap partner of a person: 0 with 1, 2 with 3; an odd last person gets the face of the one before."""
    other = person ^ 1
    return other if other < settings.identities else person - 1


def _real_names(settings: CelebDemoSettings, person: int) -> list[str]:
    return [f"id{person}_{n:04d}" for n in range(settings.clips)]


def _fake_names(settings: CelebDemoSettings, person: int) -> list[str]:
    return [f"id{person}_id{partner(settings, person)}_{n:04d}" for n in range(settings.clips)]


def _film(settings: CelebDemoSettings, identity: int, n: int) -> Clip:
    person = make_person(settings.seed * 100_003 + 50_000 + identity, settings.size_px)
    seed = 1000 * (settings.seed + 1) + n
    return record(
        person, seed, settings.size_px, settings.frames, settings.fps, settings.camera_quality, liveliness=1.3
    )


def _write_person(root: Path, settings: CelebDemoSettings, person: int) -> list[dict[str, Any]]:
    entries = []
    donor: Clip | None = None
    for n, (real, fake) in enumerate(zip(_real_names(settings, person), _fake_names(settings, person), strict=True)):
        kind, other = KINDS[(person + n) % len(KINDS)], f"id{partner(settings, person)}"
        entries.append(_entry(f"Celeb-real/{real}.mp4", f"id{person}", "", "", f"landmarks/Celeb-real/{real}.npz", ""))
        mask, truth = f"masks/Celeb-synthesis/{fake}.mp4", f"landmarks/Celeb-synthesis/{fake}.npz"
        entries.append(_entry(f"Celeb-synthesis/{fake}.mp4", f"id{person}", other, kind, truth, mask))
        wanted = [entries[-2]["path"], entries[-2]["landmarks"], entries[-1]["path"], truth, mask]
        if all((root / path).exists() for path in wanted):
            continue
        clip = _film(settings, person, n)
        donor = donor or _film(settings, partner(settings, person), 0)
        write_clip(root / "Celeb-real" / f"{real}.mp4", clip.frames, settings.fps, settings.crf)
        write_truth(root / entries[-2]["landmarks"], clip.landmarks, carrier=f"id{person}")
        forged = forge(kind, clip, donor, settings.seed * 1000 + n, settings.forgery)
        write_clip(root / "Celeb-synthesis" / f"{fake}.mp4", forged.frames, settings.fps, settings.crf)
        write_masks(root / mask, forged.masks, settings.fps)
        write_truth(root / truth, np.array(forged.landmarks), carrier=f"id{person}", donor=other, kind=kind)
    return entries


def _write_youtube(root: Path, settings: CelebDemoSettings, n: int) -> list[dict[str, Any]]:
    path, truth = f"YouTube-real/{n:05d}.mp4", f"landmarks/YouTube-real/{n:05d}.npz"
    if not ((root / path).exists() and (root / truth).exists()):
        clip = _film(settings, _YOUTUBE + n, 0)
        write_clip(root / path, clip.frames, settings.fps, settings.crf)
        write_truth(root / truth, clip.landmarks, carrier=f"youtube{n}")
    return [_entry(path, f"youtube{n}", "", "", truth, "")]


def _entry(path: str, carrier: str, donor: str, kind: str, landmarks: str, mask: str) -> dict[str, Any]:
    return {"path": path, "carrier": carrier, "donor": donor, "kind": kind, "landmarks": landmarks, "mask": mask}
