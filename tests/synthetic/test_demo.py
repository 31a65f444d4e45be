import json

import av
import numpy as np
import pytest

from dfworkbench.core.errors import OutputError, ParameterError
from dfworkbench.core.names import COMPRESSIONS, FORGERY_KINDS
from dfworkbench.synthetic import CelebDemoSettings, DemoSettings, make_demo, make_demo_celebdf, preview
from dfworkbench.synthetic.celebdf import testing_videos as lines_of_test_list
from dfworkbench.synthetic.demo import list_pairs, render_pair

TINY = DemoSettings(pairs=2, val_pairs=0, test_pairs=1, frames=6, size_px=128, workers=1)
TINY_CELEB = CelebDemoSettings(identities=2, clips=1, youtube=2, frames=4, size_px=128, test_share=0.5, workers=1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("data") / "demo", TINY, progress=False)


@pytest.fixture(scope="module")
def celeb(tmp_path_factory):
    return make_demo_celebdf(tmp_path_factory.mktemp("data") / "celeb", TINY_CELEB, progress=False)


def decode(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def files_below(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_the_layout_is_that_of_faceforensics(demo):
    swaps = ["000_001", "001_000", "002_003", "003_002"]
    expected = {f"original_sequences/youtube/{c}/videos/{n:03d}.mp4" for c in COMPRESSIONS for n in range(4)}
    expected |= {
        f"manipulated_sequences/{k}/{c}/videos/{s}.mp4"
        for k in FORGERY_KINDS
        for c in (*COMPRESSIONS, "masks")
        for s in swaps
    }
    expected |= {f"original_sequences/youtube/landmarks/{n:03d}.npz" for n in range(4)}
    expected |= {f"manipulated_sequences/{k}/landmarks/{s}.npz" for k in FORGERY_KINDS for s in swaps}
    expected |= {f"splits/{s}.json" for s in ("train", "val", "test")} | {"manifest.json", "generated.json"}
    expected |= {f"extras/{n}" for n in ("two_people_one_forged.mp4", "no_face.mp4", "truncated.mp4", "extras.json",
                                         "masks/two_people_one_forged.mp4", "landmarks/two_people_one_forged.npz")}  # fmt: skip
    assert files_below(demo) == expected


def test_splits_are_pairs_of_identities_and_share_none(demo):
    splits = {s: json.loads((demo / "splits" / f"{s}.json").read_text()) for s in ("train", "val", "test")}
    assert splits == {"train": [["000", "001"]], "val": [], "test": [["002", "003"]]}
    pairs = list_pairs(DemoSettings())
    people = {s: {i for p in pairs if p.split == s for i in (p.first, p.second)} for s in ("train", "val", "test")}
    assert [len(people[s]) for s in ("train", "val", "test")] == [24, 6, 10]
    assert not people["train"] & people["val"] | people["train"] & people["test"] | people["val"] & people["test"]


def test_videos_are_h264_and_stronger_compression_loses_more(demo):
    clip, _ = render_pair(TINY, list_pairs(TINY)[0])
    loss = []
    for compression in COMPRESSIONS:
        path = demo / f"original_sequences/youtube/{compression}/videos/000.mp4"
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            assert (stream.width, stream.height, float(stream.average_rate)) == (128, 128, 25.0)
        frames = decode(path)
        assert len(frames) == TINY.frames
        loss.append(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(frames, clip.frames, strict=True)]))
    assert loss[0] < loss[1] < loss[2]
    assert loss[0] < 3


@pytest.mark.parametrize("kind", FORGERY_KINDS)
def test_masks_on_disk_are_the_masks_that_were_applied(demo, kind):
    real = decode(demo / "original_sequences/youtube/raw/videos/000.mp4")
    folder = demo / "manipulated_sequences" / kind
    fake, masks = decode(folder / "raw/videos/000_001.mp4"), decode(folder / "masks/videos/000_001.mp4")
    assert len(masks) == len(fake) == TINY.frames
    for a, b, mask in zip(real, fake, masks, strict=True):
        inside = mask[..., 0] > 127
        assert np.isin(mask, (0, 255)).all()
        difference = np.abs(a.astype(int) - b).mean(axis=2)
        assert difference[inside].mean() > 2 * difference[~inside].mean()  # outside is only coding noise


def test_landmarks_lie_in_the_frame_and_name_carrier_and_donor(demo):
    for path in sorted(demo.rglob("landmarks/*.npz")):
        with np.load(path) as truth:
            points, width = truth["landmarks"], 256 if "extras" in path.parts else 128
            assert points.shape == (TINY.frames, 81, 2)
            assert points.min() > -2
            assert points[..., 0].max() < width + 1
            if "_" in path.stem and "extras" not in path.parts:
                assert f"{truth['carrier']}_{truth['donor']}" == path.stem


def test_the_same_settings_give_the_same_frames_and_another_seed_does_not():
    pair = list_pairs(TINY)[0]
    small = TINY.replace(frames=2)
    first, again, other = (
        render_pair(s, pair)[0].frames for s in (small, small.replace(workers=2), small.replace(seed=1))
    )
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_the_number_of_workers_does_not_change_a_byte(demo, tmp_path):
    parallel = make_demo(tmp_path / "demo", TINY.replace(workers=2), progress=False)
    for name in sorted(files_below(demo) - {"manifest.json"}):
        if not name.endswith(".npz"):  # zip archives hold the time of writing
            assert (parallel / name).read_bytes() == (demo / name).read_bytes(), name


def test_a_second_call_makes_nothing_and_a_lost_file_is_made_again(demo):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()}
    make_demo(demo, TINY.replace(workers=2), progress=False)
    assert {path: path.stat().st_mtime_ns for path in demo.rglob("*") if path.is_file()} == before


def test_an_interrupted_set_is_finished_without_making_its_files_again(tmp_path, demo):
    settings = TINY.replace(pairs=1, test_pairs=0, extras=False, frames=3)
    root = make_demo(tmp_path / "demo", settings, progress=False)
    kept = root / "original_sequences/youtube/c23/videos/000.mp4"
    lost = root / "manipulated_sequences/FaceSwap/c40/videos/001_000.mp4"
    content, stamp = lost.read_bytes(), kept.stat().st_mtime_ns
    manifest = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").unlink()  # as if the run had been killed
    (root / "unfinished.json").write_text(json.dumps({"hash": manifest["hash"]}))
    lost.unlink()
    make_demo(root, settings, progress=False)
    assert lost.read_bytes() == content
    assert kept.stat().st_mtime_ns == stamp
    assert json.loads((root / "manifest.json").read_text()) == manifest


def test_other_settings_replace_the_set(tmp_path):
    settings = TINY.replace(pairs=1, test_pairs=0, extras=False, frames=2)
    root = make_demo(tmp_path / "demo", settings, progress=False)
    before = (root / "original_sequences/youtube/raw/videos/000.mp4").read_bytes()
    make_demo(root, settings.replace(seed=5), progress=False)
    assert (root / "original_sequences/youtube/raw/videos/000.mp4").read_bytes() != before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not a generated set"):
        make_demo(tmp_path, TINY, progress=False)
    assert files_below(tmp_path) == {"thesis.txt"}


def test_more_held_out_pairs_than_pairs_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="more than the 2 pairs"):
        make_demo(tmp_path / "demo", TINY.replace(test_pairs=3), progress=False)


@pytest.mark.parametrize(
    ("pairs", "counts"),
    [(20, (12, 3, 5)), (8, (0, 3, 5)), (7, (5, 1, 1)), (6, (4, 1, 1)), (3, (1, 1, 1)), (1, (1, 0, 0))],
)
def test_where_only_the_pairs_are_lowered_the_held_out_ones_follow(pairs, counts):
    splits = [pair.split for pair in list_pairs(DemoSettings(pairs=pairs))]
    assert tuple(map(splits.count, ("train", "val", "test"))) == counts


def test_the_truncated_file_plays_at_first_and_then_breaks(demo):
    whole = len(decode(demo / "extras/two_people_one_forged.mp4"))
    with av.open(str(demo / "extras/truncated.mp4")) as container:
        assert container.streams.video[0].frames == whole
        decoded = 0
        try:
            for _ in container.decode(video=0):
                decoded += 1
        except av.FFmpegError:
            pass
    assert 0 < decoded < whole


def test_one_of_the_two_people_is_forged(demo):
    facts = json.loads((demo / "extras/extras.json").read_text())["two_people_one_forged.mp4"]
    masks = decode(demo / "extras/masks/two_people_one_forged.mp4")
    assert facts["forged"] == "right"
    for mask, box in zip(masks, facts["right_box"], strict=True):
        assert not mask[:, :128].any()
        rows, columns = np.nonzero(mask[..., 0])
        assert (columns.min() > box[0] - 10) & (columns.max() < box[2] + 10) & (rows.max() < box[3] + 10)


def test_the_celebdf_layout(celeb):
    expected = {"Celeb-real/id0_0000.mp4", "Celeb-real/id1_0000.mp4", "YouTube-real/00000.mp4", "YouTube-real/00001.mp4",
                "Celeb-synthesis/id0_id1_0000.mp4", "Celeb-synthesis/id1_id0_0000.mp4", "List_of_testing_videos.txt"}  # fmt: skip
    assert {
        f for f in files_below(celeb) if not f.startswith(("masks/", "landmarks/", "manifest", "generated"))
    } == expected
    for line in (celeb / "List_of_testing_videos.txt").read_text().splitlines():
        flag, path = line.split(" ")
        assert (celeb / path).exists()
        assert (flag == "1") == ("real" in path)


def test_identities_of_the_celebdf_test_list_appear_nowhere_else():
    settings = CelebDemoSettings()
    listed = {line.split(" ")[1] for line in lines_of_test_list(settings)}
    people = {
        part
        for path in listed
        if path.startswith("Celeb")
        for part in path.split("/")[1].split("_")
        if part.startswith("id")
    }
    assert people == {"id4", "id5", "id6", "id7"}
    assert len([path for path in listed if path.startswith("Celeb-synthesis")]) == 8


def test_preview_shows_one_frame(demo):
    shown = preview(TINY, kind="FaceShifter", frame=2)
    changed = (shown["real"] != shown["fake"]).any(axis=2)
    assert shown["real"].shape == (128, 128, 3)
    assert shown["landmarks"].shape == (81, 2)
    assert changed.any()
    assert not changed[shown["mask"] == 0].any()
