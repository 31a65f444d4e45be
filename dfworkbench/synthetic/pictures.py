"""Demo set of still pictures, real and generated, in the layout `generated_images`.

```
{train,val,test}/real/p012_03.png                 picture 3 of person 12, as recorded
{train,val,test}/fake/<generator>/p012_03.png     another scene with the same person, generated: see `upsamplers`
groups.csv                                        path,group; the group is the person, p012
manifest.json                                     settings, hash, every file with its facts
```

Every picture has its own scene and camera, drawn from the same distributions for real and generated ones.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfworkbench.core.errors import ParameterError
from dfworkbench.core.names import SPLITS
from dfworkbench.core.workspace import atomic_path
from dfworkbench.media import encode_png
from dfworkbench.synthetic.camera import Camera, Sensor, draw_camera
from dfworkbench.synthetic.clip import Person, make_person
from dfworkbench.synthetic.head import View
from dfworkbench.synthetic.jobs import finish, is_finished, run_jobs
from dfworkbench.synthetic.motion import draw_motion
from dfworkbench.synthetic.scene import paint_background
from dfworkbench.synthetic.settings import PictureDemoSettings
from dfworkbench.synthetic.upsamplers import UPSAMPLERS, generate

GROUPS = "groups.csv"
SOURCES = ("real", *UPSAMPLERS)
_PEOPLE = 80_000  # identities of this set start here, so that they are in no other demo set
_FPS = 25.0  # expressions are drawn as moments of a clip

Picture = NDArray[np.uint8]


def make_demo_pictures(root: Path | str, settings: PictureDemoSettings | None = None, progress: bool = True) -> Path:
    """Generate the picture set below `root`; a finished set with the same settings is kept, any other replaced.

    Returns:
        The folder, for convenience.

    Raises:
        ParameterError: If the splits need more people than there are.
        OutputError: If the folder cannot be written, or holds something else.
    """
    settings, root = settings or PictureDemoSettings(), Path(root)
    splits = split_of_people(settings)
    if is_finished(root, settings):
        return root
    jobs = [partial(_write_person, root, settings, number, split) for number, split in enumerate(splits)]
    files = run_jobs(jobs, root, settings, settings.workers, progress)
    _remove_others(root, {entry["path"] for entry in files})
    with atomic_path(root / GROUPS, "the groups of the pictures") as temporary:
        temporary.write_text("path,group\n" + "".join(f"{entry['path']},{entry['group']}\n" for entry in files))
    finish(root, settings, files)
    return root


def split_of_people(settings: PictureDemoSettings) -> list[str]:
    """The split of each person: train first, then val, then test."""
    train = settings.people - settings.val_people - settings.test_people
    if train < 0:
        raise ParameterError(
            f"PictureDemoSettings: {settings.val_people} validation and {settings.test_people} test people are more than "
            f"the {settings.people} people there are. Raise `people` or lower the others."
        )
    return ["train"] * train + ["val"] * settings.val_people + ["test"] * settings.test_people


def preview_pictures(
    settings: PictureDemoSettings | None = None, person: int = 0, scene: int = 0
) -> dict[str, Picture]:
    """One scene as recorded ("real") and as every generator makes it, for figures; in the set, no scene is shared."""
    settings = settings or PictureDemoSettings()
    shown = _person(settings, person)
    return {source: _take(settings, shown, source, (0, scene)) for source in SOURCES}


def _person(settings: PictureDemoSettings, number: int) -> Person:
    return make_person(settings.seed * 100_003 + _PEOPLE + number, settings.size_px)


def _take(settings: PictureDemoSettings, person: Person, source: str, scene: tuple[int, int]) -> Picture:
    """A picture of a person, recorded or generated; pose, light, background and camera follow from `scene`."""
    rng = np.random.default_rng((settings.seed, person.head.identity.seed, *scene, 107))
    canvas, camera = _set_scene(person, rng, settings)
    if source == "real":
        return Sensor(camera, settings.size_px, 1, _FPS).take(canvas, 0)
    # A generator draws noise and sharpness itself, having learnt both from pictures of such cameras.
    clean = Sensor(replace(camera, noise=0.0, sharpen=0.0), settings.size_px, 1, _FPS).take(canvas, 0)
    return generate(clean, UPSAMPLERS[source], rng, camera.noise, camera.chroma_noise, camera.sharpen)


def _set_scene(
    person: Person, rng: np.random.Generator, settings: PictureDemoSettings
) -> tuple[NDArray[np.floating], Camera]:
    """Linear light before the camera, `(S, S, 3)`, and the camera."""
    size = settings.size_px
    motion = draw_motion(rng, 1, _FPS, size)
    pose, expression, light = motion.poses[0], motion.expressions[0], motion.lights[0]
    camera = draw_camera(rng, size, settings.camera_quality)
    canvas = paint_background(rng, size) * np.float32(0.55 + 0.45 * light.key[1])
    person.body.lay_back(canvas, pose, light)
    person.body.lay_torso(canvas, pose, light)
    drawn = person.head.draw(pose, expression, light, View(size, size))
    return canvas + (drawn.rgb - canvas) * drawn.alpha[..., None], camera


def _write_person(root: Path, settings: PictureDemoSettings, number: int, split: str) -> list[dict[str, Any]]:
    """Write all pictures of a person; returns one manifest entry per picture."""
    person = _person(settings, number)
    entries = list(_entries(settings, number, split))
    for entry in entries:
        scene = SOURCES.index(entry["source"]), entry["picture"]
        with atomic_path(root / entry["path"], "a picture of the demo set") as temporary:
            temporary.write_bytes(encode_png(_take(settings, person, entry["source"], scene)))
    return entries


def _entries(settings: PictureDemoSettings, number: int, split: str) -> Iterator[dict[str, Any]]:
    for source in SOURCES:
        folder = f"{split}/real" if source == "real" else f"{split}/fake/{source}"
        for n in range(settings.pictures):
            path = f"{folder}/p{number:03d}_{n:02d}.png"
            yield {"path": path, "group": f"p{number:03d}", "split": split, "source": source, "picture": n}


def _remove_others(root: Path, paths: set[str]) -> None:
    """Remove pictures left in the folder by a set with other settings."""
    for split in SPLITS:
        for path in (root / split).rglob("*.png"):
            if path.relative_to(root).as_posix() not in paths:
                path.unlink()
