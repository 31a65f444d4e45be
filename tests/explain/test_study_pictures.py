"""Pictures for the hypotheses: which fakes and frames, the same faces in other compressions, and maps that are kept."""

import numpy as np
import pandas as pd
import pytest
import torch
from toy import make_workspace

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, InputError, TableError, UnknownNameError
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.people import first_part, last_part
from dfworkbench.datasets.recut import cut_again
from dfworkbench.datasets.rows import pick
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.explain.shapley.map_files import load_map, map_file, save_map
from dfworkbench.explain.shapley.maps import attribute_all
from dfworkbench.explain.study_pictures import choose_pictures, hide, named
from dfworkbench.media.pictures.images import read_image, write_png
from dfworkbench.methods.fst_matching.compressions import compressed_crops
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import LoadedDetector

SMALL = AttributionSettings(grid=2, evaluations=100, relative_error=None)


def loaded(tmp_path, name="identity_resnet18", **options):
    torch.manual_seed(0)
    detector = build_detector(name, size_px=32, alignment="box", **options).eval()
    return LoadedDetector(detector, name, detector.input_spec, {}, tmp_path / "weights")


@pytest.fixture
def data(tmp_path):
    return DataSet.open("toy", make_workspace(tmp_path, frames=10, fakes=2))


def test_parts_of_time_are_by_extracted_frames():
    frames = {"a": [0, 3, 7, 9, 20], "b": [1, 2], "c": [5], "d": [4, 4, 8, 8, 9, 9]}
    faces = pd.DataFrame([{"video_id": video, "frame": f} for video, numbers in frames.items() for f in numbers])
    late = last_part(faces).groupby("video_id")["frame"].agg(list).to_dict()
    assert late == {"a": [20], "b": [2], "d": [9, 9]}
    assert len(first_part(faces)) + len(last_part(faces)) == len(faces)


def test_chosen_are_late_frames_of_fakes_of_the_split_each_of_other_people(data, tmp_path):
    found = choose_pictures(data, loaded(tmp_path), per_kind=3)
    assert found.rows["forgery"].tolist() == ["fake0"] * 3 + ["fake1"] * 3
    assert set(found.rows["split"]) == {"test"}
    assert found.rows["frame"].min() >= 8
    assert found.rows.groupby("forgery")["group"].nunique().tolist() == [3, 3]
    assert found.images.shape == (6, 32, 32, 3)
    assert not found.has_mask.any()  # the toy set has no masks
    videos = data.videos.set_index("video_id")
    assert found.rows["carrier"].tolist() == videos.loc[found.rows["video_id"], "carrier"].tolist()
    again = choose_pictures(data, loaded(tmp_path), per_kind=3)
    assert again.rows.equals(found.rows)
    assert found.take(found.rows["forgery"].to_numpy() == "fake1").rows.index.tolist() == [0, 1, 2]
    assert np.array_equal(found.take(np.array([4])).images[0], found.images[4])


def test_the_choice_follows_the_seed_and_the_kinds(data, tmp_path):
    drawn = {tuple(choose_pictures(data, loaded(tmp_path), per_kind=1, seed=s).rows["video_id"]) for s in range(8)}
    assert len(drawn) > 1
    assert set(choose_pictures(data, loaded(tmp_path), kinds=["fake1"]).rows["forgery"]) == {"fake1"}
    with pytest.raises(UnknownNameError, match="Did you mean"):
        choose_pictures(data, loaded(tmp_path), kinds=["fakes1"])
    with pytest.raises(InputError, match="none of 8 fakes of the test split has a face in its last frames"):
        choose_pictures(data.with_tables(faces=first_part(data.faces).groupby("video_id").head(1)), loaded(tmp_path))


def test_encoders_name_people(tmp_path):
    encoder = loaded(tmp_path, identities=["ann", "bob", "cid"])
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
    torch.nn.init.zeros_(encoder.detector.head.weight)
    with torch.no_grad():
        encoder.detector.head.bias.copy_(torch.tensor([0.0, 2.0, 1.0]))
    assert named(encoder, images, batch_size=2) == ["bob"] * 5


def test_hidden_is_black_and_the_rest_as_it_was():
    images = np.full((1, 4, 4, 3), 7, np.uint8)
    mask = np.zeros((1, 4, 4), bool)
    mask[0, :2] = True
    assert hide(images, mask)[0, :, :, 0].tolist() == [[0] * 4] * 2 + [[7] * 4] * 2


def test_shown_pictures_are_of_all_kinds():
    rows = pd.DataFrame({"forgery": list("aaaab")})
    assert 4 in pick(rows, 2)
    assert len(pick(rows, 9)) == 5


# -- compressions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def versions(data, tmp_path):
    """Three late faces of one fake, whose frames lie in two compressions; the stored crops are those of c23."""
    faces = last_part(data.faces)
    video = faces["video_id"].iloc[0]
    faces, root = faces[faces["video_id"] == video], tmp_path / "set"
    rng = np.random.default_rng(1)
    for compression in ("raw", "c23"):
        for number in range(10):
            write_png(root / compression / "clip" / f"{number:03d}.png", rng.integers(0, 256, (200, 220, 3), np.uint8))
    videos = data.videos[data.videos["video_id"] == video].assign(path="c23/clip", compression="c23")
    return root, videos, faces


def test_a_face_is_cut_at_the_same_place_in_every_compression(versions, tmp_path):
    root, videos, faces = versions
    spec = loaded(tmp_path).input_spec
    found = compressed_crops(root, videos, faces, spec, ["raw", "c23"])
    assert found["raw"].shape == (2, 32, 32, 3)
    for compression, images in found.items():
        for image, (_, face) in zip(images, faces.iterrows(), strict=True):
            frame = read_image(root / compression / "clip" / f"{face['frame']:03d}.png")
            assert np.array_equal(image, cut_again(frame, face, spec))
    assert not np.array_equal(found["raw"], found["c23"])


def test_cutting_again_gives_what_the_data_set_gives(versions, data, tmp_path):
    root, videos, faces = versions
    spec = loaded(tmp_path).input_spec
    crops = tmp_path / "crops"
    for _, face in faces.iterrows():
        frame = read_image(root / "c23" / "clip" / f"{face['frame']:03d}.png")
        x0, y0, side = (int(face[name]) for name in ("crop_x0", "crop_y0", "crop_side"))
        write_png(crops / face["crop_path"], frame[y0 : y0 + side, x0 : x0 + side])
    samples = FaceDataset(faces, videos, spec, crops)
    again = compressed_crops(root, videos, faces, spec, ["c23"])["c23"]
    assert np.array_equal(np.stack([samples[i]["images"].movedim(0, -1) for i in range(len(samples))]), again)


def test_compressions_that_are_not_there_are_named(versions, tmp_path):
    root, videos, faces = versions
    spec = loaded(tmp_path).input_spec
    with pytest.raises(DataNotFoundError, match=r"there is no .*c40.*FaceForensics\+\+ offers all three"):
        compressed_crops(root, videos, faces, spec, ["raw", "c40"])
    (root / "raw/clip/009.png").unlink()
    with pytest.raises(DataNotFoundError, match="has no frame 9"):
        compressed_crops(root, videos, faces, spec, ["raw"])
    with pytest.raises(TableError, match="is not a folder of its path"):
        compressed_crops(root, videos.assign(path="clip"), faces, spec, ["raw"])


# -- kept maps ---------------------------------------------------------------------------------------------------------


def test_finished_maps_are_kept_and_not_made_again(tmp_path, monkeypatch):
    detector = loaded(tmp_path, "resnet18")
    images = dict(zip("ab", np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8), strict=True))
    made = attribute_all(detector, images, settings=SMALL, folder=tmp_path / "maps", progress=False)
    assert len(list((tmp_path / "maps").glob("*.npz"))) == 2
    monkeypatch.setattr("dfworkbench.explain.shapley.maps.attribute", None)  # would fail if it were called
    again = attribute_all(detector, images, settings=SMALL, folder=tmp_path / "maps", progress=False)
    for name in images:
        assert again[name].to_dict() == made[name].to_dict()
        assert np.array_equal(again[name].values, made[name].values)
        assert np.array_equal(again[name].standard_error, made[name].standard_error)


def test_another_picture_value_or_setting_is_another_map(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    known = map_file(tmp_path, image, "a", "logit", SMALL)
    others = {
        map_file(tmp_path, image + np.uint8(1), "a", "logit", SMALL),
        map_file(tmp_path, image, "b", "logit", SMALL),
        map_file(tmp_path, image, "a", "ClassLogit", SMALL),
        map_file(tmp_path, image, "a", "logit", AttributionSettings(grid=2, evaluations=101, relative_error=None)),
    }
    assert len(others - {known}) == 4


def test_a_damaged_map_is_named(tmp_path):
    detector = loaded(tmp_path, "resnet18")
    (made,) = attribute_all(detector, {"a": np.zeros((32, 32, 3), np.uint8)}, settings=SMALL, progress=False).values()
    path = tmp_path / "map.npz"
    save_map(path, made)
    assert load_map(path).row_id == "a"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="Delete it; it is then made again"):
        load_map(path)
