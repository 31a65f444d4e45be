"""The set of pictures: layout, splits, reuse; and that the trace gives generators away and trivial cues do not.

`python tests/synthetic/test_demo_pictures.py data/demo_pictures` prints the table of docs/decisions/0012 for a whole set.
"""

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dfworkbench.core.errors import OutputError, ParameterError
from dfworkbench.evaluation.judging.baselines import baselines
from dfworkbench.media.pictures.images import read_image
from dfworkbench.synthetic.pictures import make_demo_pictures, preview_pictures, split_of_people
from dfworkbench.synthetic.settings import PictureDemoSettings
from dfworkbench.synthetic.upsamplers import UPSAMPLERS

TINY = PictureDemoSettings(people=3, val_people=1, test_people=1, pictures=2, size_px=64, workers=1)
SMALL = PictureDemoSettings(people=12, val_people=0, test_people=6, pictures=3, workers=1)
LUMA = np.array([0.299, 0.587, 0.114])
#: The cue that finds each generator; each follows from its kernels.
MATCHED = {"transposed": "peak", "nearest": "pairs", "bilinear": "pairs", "pixel_shuffle": "phases"}


def residual(luma):
    return luma - np.stack([cv2.GaussianBlur(picture, (0, 0), 1.0) for picture in luma])


def sharpness(luma):
    """Variance of the Laplacian."""
    return np.array([cv2.Laplacian(picture, cv2.CV_64F).var() for picture in luma])


def finest(luma):
    """Energy of the highest octave but for its last bin."""
    frequency = np.abs(np.fft.fftfreq(luma.shape[1]))
    high = np.maximum(frequency[:, None], frequency) > 0.25
    return (np.abs(np.fft.fft2(residual(luma))) ** 2)[:, high].sum(axis=1)


def phases(luma):
    """How far the log energies of the four phases of 2 x 2 pixels lie apart."""
    energy = np.log(np.square(residual(luma)) + 0.05)
    return np.ptp([energy[:, a::2, b::2].mean(axis=(1, 2)) for a in (0, 1) for b in (0, 1)], axis=0)


def pairs(luma):
    """How much more neighbours of different pairs differ than those of one."""
    down, across = (np.log(np.square(np.diff(luma, axis=axis)) + 0.05) for axis in (1, 2))
    rows = down[:, 1::2].mean(axis=(1, 2)) - down[:, ::2].mean(axis=(1, 2))
    return rows + across[:, :, 1::2].mean(axis=(1, 2)) - across[:, :, ::2].mean(axis=(1, 2))


def peak(luma):
    """Log magnitude at the Nyquist frequencies above that of their surroundings."""
    size = luma.shape[1]
    power = np.log(np.abs(np.fft.fft2(np.clip(residual(luma), -8, 8))) + 1)
    near = [(i, j) for i in range(-4, 5) for j in range(-4, 5) if i or j]
    return sum(
        power[:, r, c] - np.median([power[:, (r + i) % size, (c + j) % size] for i, j in near], axis=0)
        for r, c in ((size // 2, 0), (0, size // 2), (size // 2, size // 2))
    )


CUES = {f.__name__: f for f in (sharpness, finest, phases, pairs, peak)}


def measure(root):
    """Per generator: AUC of the baselines (fitted on train, measured on test) and of each cue as it is, on test."""
    files = json.loads((root / "manifest.json").read_text())["files"]
    pictures = {f["path"]: read_image(root / f["path"]) for f in files if f["split"] != "val"}
    table = {}
    for generator in UPSAMPLERS:
        chosen = [f for f in files if f["source"] in ("real", generator) and f["split"] != "val"]
        labels, split = [int(f["source"] != "real") for f in chosen], [f["split"] for f in chosen]
        groups = [f["group"] for f in chosen]
        table[generator] = dict(baselines([pictures[f["path"]][None] for f in chosen], labels, split, groups))
        test = [f for f in chosen if f["split"] == "test"]
        luma = np.stack([pictures[f["path"]] @ LUMA for f in test])
        truth = [f["source"] != "real" for f in test]
        table[generator] |= {name: float(roc_auc_score(truth, cue(luma))) for name, cue in CUES.items()}
    return table


def files_below(root):
    return {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_demo_pictures(tmp_path_factory.mktemp("data") / "pictures", TINY, progress=False)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return measure(make_demo_pictures(tmp_path_factory.mktemp("data") / "small", SMALL, progress=False))


def test_the_layout(tiny):
    folders = ["real", *(f"fake/{name}" for name in UPSAMPLERS)]
    pictures = {
        f"{split}/{folder}/p{person:03d}_{n:02d}.png"
        for person, split in enumerate(("train", "val", "test"))
        for folder in folders
        for n in (0, 1)
    }
    files = files_below(tiny)
    assert set(files) == pictures | {"groups.csv", "manifest.json", "generated.json"}
    with (tiny / "groups.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["path"]: row["group"] for row in rows} == {path: Path(path).name[:4] for path in pictures}
    made = [read_image(files[path]) for path in sorted(pictures)]
    assert {(picture.shape, picture.dtype) for picture in made} == {((64, 64, 3), np.dtype(np.uint8))}
    assert len({picture.tobytes() for picture in made}) == len(made)


def test_a_person_stands_in_one_split_only():
    splits = split_of_people(PictureDemoSettings())
    assert [splits.count(name) for name in ("train", "val", "test")] == [40, 10, 20]
    with pytest.raises(ParameterError, match="more than the 3 people"):
        split_of_people(TINY.replace(test_people=3))


def test_the_bytes_follow_from_the_settings(tiny, tmp_path):
    again = make_demo_pictures(tmp_path / "again", TINY.replace(workers=2), progress=False)
    manifests = [json.loads((root / "manifest.json").read_text()) for root in (tiny, again)]
    assert manifests[0]["hash"] == manifests[1]["hash"]
    for path, file in files_below(tiny).items():
        assert path == "manifest.json" or file.read_bytes() == (again / path).read_bytes()


def test_a_finished_set_is_kept_and_other_settings_replace_it(tmp_path):
    settings = TINY.replace(people=2, val_people=0, pictures=1)
    root = make_demo_pictures(tmp_path / "demo", settings, progress=False)
    stamps = {path: file.stat().st_mtime_ns for path, file in files_below(root).items()}
    make_demo_pictures(root, settings, progress=False)
    assert {path: file.stat().st_mtime_ns for path, file in files_below(root).items()} == stamps
    before = (root / "test/real/p001_00.png").read_bytes()
    make_demo_pictures(root, settings.replace(people=1, test_people=1, seed=5), progress=False)
    assert {path for path in files_below(root) if path.endswith(".png")} == {
        "test/real/p000_00.png", *(f"test/fake/{name}/p000_00.png" for name in UPSAMPLERS)
    }  # fmt: skip
    assert (root / "test/real/p000_00.png").read_bytes() != before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not a generated set"):
        make_demo_pictures(tmp_path, TINY, progress=False)
    assert set(files_below(tmp_path)) == {"thesis.txt"}


def test_the_preview_shows_one_scene():
    shown = preview_pictures(TINY, person=1)
    assert list(shown) == ["real", *UPSAMPLERS]
    for name, picture in shown.items():
        assert np.abs(cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA).astype(float)
                      - cv2.resize(shown["real"], (16, 16), interpolation=cv2.INTER_AREA)).mean() < 4  # fmt: skip
        assert name == "real" or (picture != shown["real"]).any()


@pytest.mark.parametrize("name", list(UPSAMPLERS))
def test_the_trace_gives_a_generator_away(table, name):
    assert table[name][MATCHED[name]] > 0.9


@pytest.mark.parametrize("name", list(UPSAMPLERS))
def test_sharpness_and_energy_do_not(table, name):
    low, high = (0.2, 0.8) if name == "bilinear" else (0.3, 0.7)
    assert low < table[name]["sharpness"] < high
    assert low < table[name]["finest"] < high


if __name__ == "__main__":
    for generator, row in measure(Path(sys.argv[1])).items():
        sys.stdout.write(f"{generator:14}" + "  ".join(f"{name} {auc:.2f}" for name, auc in row.items()) + "\n")
