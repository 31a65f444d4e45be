"""How many searches a clip costs, and whose face is whose, in generated crowds: a finder that knows where everybody is and counts.

The "faces" are boxes of 8 px in frames of 64 px, whose first pixel tells the stub which frame it is.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from dfworkbench.faces import FaceSettings
from dfworkbench.faces.faces import Faces
from dfworkbench.faces.search import between, sampled
from dfworkbench.faces.tracking import link
from dfworkbench.media import sample_indices

SIDE = 8.0
LENGTHS = (105, 420, 1680, 4200)
SAMPLES = 16
MOST = 7 * SAMPLES  # looks between sampled frames; a sampled frame costs one or two itself


class Person(NamedTuple):
    """Where somebody is: x at frame 0, row, pixels per frame, and the frame from which he moves."""

    x: float
    y: float
    speed: float = 0.0
    leaves: int = 0
    stops: int = 10**9

    def box(self, at):
        x = self.x + self.speed * (min(max(at, self.leaves), self.stops) - self.leaves)
        return np.array([x, self.y, x + SIDE, self.y + SIDE])


class Toy(NamedTuple):
    index: int
    time_s: float
    rgb: np.ndarray


@dataclass
class Clip:
    """A source of toy frames that notes how many were asked for."""

    frames_expected: int
    asked: int = 0
    path: Path = Path("toy.mp4")
    fps: float = 25.0
    width_px: int = 64
    height_px: int = 64

    def iterate(self, wanted=None, threads=1):
        for index in wanted:
            self.asked += 1
            rgb = np.full((64, 64, 3), 90, np.uint8)
            rgb[0, 0] = index // 65536, index // 256 % 256, index % 256
            yield Toy(index, index / self.fps, rgb)


@dataclass
class KnowingFinder:
    """Finds exactly who is in the picture, and counts."""

    people: list
    settings: FaceSettings = field(default_factory=lambda: FaceSettings(frames=SAMPLES))
    whole: int = 0
    near: int = 0
    around: int = 0

    def find(self, rgb):
        self.whole += 1
        return self._seen(rgb, lambda box: True)

    def find_near(self, rgb, boxes):
        self.near += 1
        return self._seen(rgb, lambda box: np.abs(boxes - box).max(axis=1, initial=0).min(initial=99) <= SIDE / 3)

    def find_around(self, rgb, boxes):
        self.around += 1
        if not len(boxes):
            return self._seen(rgb, lambda box: False)
        low, high = boxes[:, :2].min(axis=0) - 2 * SIDE, boxes[:, 2:].max(axis=0) + 2 * SIDE
        return self._seen(rgb, lambda box: bool((box[:2] >= low).all() and (box[2:] <= high).all()))

    def _seen(self, rgb, wanted):
        red, green, blue = map(int, rgb[0, 0])
        boxes = [person.box(red * 65536 + green * 256 + blue) for person in self.people]
        boxes = [box for box in boxes if 0 <= box[0] <= 64 - SIDE and wanted(box)]
        stacked = np.reshape(boxes, (-1, 4))
        return Faces(stacked, np.ones(len(stacked)), np.zeros((len(stacked), 5, 2)))


def follow(people, frames, samples=SAMPLES):
    clip, finder = Clip(frames), KnowingFinder(people)
    keys = between(clip, sampled(clip, sample_indices(frames, samples), finder, threads=1), finder, threads=1)
    return clip, finder, keys, link(keys)


def owners(people, keys, track, *, sampled_only=True):
    """Who is seen in a track: for each of its key frames the number of the person."""
    found = []
    for number, face in zip(track.keys, track.faces, strict=True):
        key = keys[number]
        if key.tiles is not None or not sampled_only:
            found.append(
                next(p for p, person in enumerate(people) if (person.box(key.index) == key.faces.boxes[face]).all())
            )
    return found


def walkers(seed, frames, rows=3):
    """People who cross the picture behind one another in a few rows, each row at its own pace and in its own direction."""
    rng = np.random.default_rng(seed)
    people = []
    for row in range(rows):
        speed = float(rng.uniform(0.2, 1.6) * rng.choice([-1, 1]))
        start = -70 / abs(speed)
        while start < frames:
            people.append(Person(-SIDE if speed > 0 else 64.0, 12.0 * row, speed, round(start)))
            start += rng.uniform(16, 40) / abs(speed)
    return people


@pytest.mark.parametrize("frames", LENGTHS)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_crowd_costs_no_more_searches_in_a_longer_clip(frames, rows):
    clip, finder, keys, _ = follow(walkers(0, frames, rows=rows), frames)
    assert finder.whole <= SAMPLES
    assert len(keys) == SAMPLES + finder.around
    assert finder.near <= SAMPLES
    assert finder.around <= MOST
    assert clip.asked <= SAMPLES + 64 * (SAMPLES - 1), "frames are not decoded for nothing"


def test_searches_grow_with_the_sampled_frames():
    counts = [follow(walkers(1, 4200), 4200, samples)[1].around for samples in (4, 8, 16)]
    assert counts == sorted(counts)
    assert all(count <= 7 * samples for count, samples in zip(counts, (4, 8, 16), strict=True))


@pytest.mark.parametrize("frames", LENGTHS)
def test_people_who_stay_cost_no_search_between_sampled_frames(frames):
    _, finder, _, tracks = follow([Person(8, 10), Person(40, 12), Person(24, 40)], frames)
    assert (finder.whole, finder.around, len(tracks)) == (4, 0, 3)


@pytest.mark.parametrize("frames", [105, 420, 1680])
def test_one_who_stays_among_walkers_is_one_track(frames):
    people = [Person(28, 48), *walkers(2, frames)]
    _, _, keys, tracks = follow(people, frames)
    seen = [owners(people, keys, track) for track in tracks]
    assert sum(0 in own for own in seen) == 1
    assert next(own for own in seen if 0 in own) == [0] * SAMPLES


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("frames", LENGTHS)
def test_no_track_holds_two_people(frames, seed):
    """Nobody hides anybody here, so what mixes people is guessing across gaps in which nobody looked."""
    people = walkers(seed, frames)
    _, _, keys, tracks = follow(people, frames)
    mixed = [own for track in tracks if len(set(own := owners(people, keys, track))) > 1]
    assert not mixed


def test_a_fast_walker_is_followed_between_close_samples():
    """0.4 sides per frame, 2.8 sides between two sampled frames; two others stay."""
    people = [Person(0, 20, 3.2, 7), Person(4, 48), Person(50, 48)]
    _, _, keys, tracks = follow(people, 105)
    seen = [owners(people, keys, track, sampled_only=False) for track in tracks]
    assert sum(0 in own for own in seen) == 1


@pytest.mark.parametrize("moves_for", [40, 100])
def test_a_single_move_in_a_long_clip_gets_the_searches_that_the_others_do_not_need(moves_for):
    """Somebody changes chairs once, somewhere in 4,200 frames."""
    mover = Person(6, 12, 40 / moves_for, 2000, 2000 + moves_for)
    _, finder, _, tracks = follow([mover, Person(28, 44)], 4200)
    assert len(tracks) == 2
    assert 4 <= finder.around <= 64


def test_two_who_change_chairs_out_of_sight_are_not_taken_for_one_another():
    """Both leave and come back on the other's chair while nobody looks: tracks end where people were not seen to go."""
    people = [Person(6, 12, 0.9, 1000), Person(40, 12, -0.9, 1000, 1036), Person(20, 44)]
    _, _, keys, tracks = follow(people, 1680)
    assert all(len(set(owners(people, keys, track))) == 1 for track in tracks)
