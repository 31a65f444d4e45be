from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
from facenet_pytorch.models.mtcnn import fixed_image_standardization
from facenet_pytorch.models.utils.detect_face import extract_face
from heads import Head, frame_of, portrait

from dfworkbench.core.errors import CheckpointError, DataNotFoundError, InputError
from dfworkbench.faces import FaceFinder, FaceSettings, cut_tile
from dfworkbench.faces.embedding import (
    WEIGHT_URLS,
    Embedder,
    cut_face,
    describe_weights,
    find_weights,
    load_embedder,
    resolve_weights,
)
from dfworkbench.faces.files import follow_faces
from dfworkbench.faces.identity import join_tracks, people
from dfworkbench.faces.search import sampled
from dfworkbench.faces.tracking import link
from dfworkbench.media import VideoSource, VideoWriter

NAME = "20180402-114759-vggface2.pt"


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = InceptionResnetV1(classify=True, num_classes=3)  # with a classifier, as the published file
    net.train()
    with torch.no_grad():  # running means of real values, so that outputs differ between faces
        net(torch.randn(8, 3, 160, 160))
    net.classify = False
    return net.eval()


@pytest.fixture(scope="module")
def weights(net, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "made.pt"
    torch.save(net.state_dict(), file)
    return file


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of torch's."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch" / "hub"))
    (tmp_path / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "torch" / "checkpoints").mkdir()
    return tmp_path / "torch"


@pytest.fixture(scope="module")
def faces():
    """Seven different crops."""
    frames = [frame_of([Head(96, 100, 0.5, mirrored=bool(n % 2), speed=n)], n, 192, 192, n) for n in range(7)]
    box = (56, 50, 136, 150)
    return np.stack([cut_face(cut_tile(frame, box, FaceSettings()), box) for frame in frames])


def test_embeddings_are_those_of_facenet_pytorch(net, weights, faces):
    ours = load_embedder(weights)(faces)
    with torch.inference_mode():
        theirs = net(fixed_image_standardization(torch.from_numpy(faces).permute(0, 3, 1, 2).float())).numpy()
    assert (ours.dtype, ours.shape) == (np.float32, (7, 512))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert np.abs(ours[0] - ours[1]).max() > 1e-4  # the comparison could have failed


def test_the_network_sees_standardised_pixels(faces):
    seen = Embedder(torch.nn.Identity())(faces)  # made weights hardly notice their scale
    theirs = fixed_image_standardization(torch.from_numpy(faces).permute(0, 3, 1, 2).float())
    np.testing.assert_array_equal(seen, theirs.numpy())


def test_batches_change_nothing(weights, faces, monkeypatch):
    embedder = load_embedder(weights)
    whole = embedder(faces)
    monkeypatch.setattr("dfworkbench.faces.embedding._BATCH", 3)
    np.testing.assert_allclose(embedder(faces), whole, atol=1e-5)
    assert embedder(faces[:0]).shape == (0, 512)


def test_loading_uses_no_random_numbers_and_happens_once(weights):
    before = torch.get_rng_state()
    assert load_embedder(weights) is load_embedder(str(weights))
    assert torch.equal(before, torch.get_rng_state())


def test_other_crops_are_refused(weights, faces):
    for wrong in (faces[0], faces[:, :100], faces.astype(np.float32)):
        with pytest.raises(InputError, match=r"expected uint8 \(n, 160, 160, 3\) in RGB\. Cut them with"):
            load_embedder(weights)(wrong)


def test_the_crop_is_that_of_mtcnn_with_margin_14():
    picture = portrait()
    box = np.array([180.0, 110.0, 330.0, 310.0])
    theirs = extract_face(picture, box, image_size=160, margin=14).permute(1, 2, 0).numpy()
    ours = cut_face(cut_tile(picture, box, FaceSettings()), box).astype(np.float32)
    assert np.abs(ours - theirs).mean() < 2  # of 255: the edges are rounded differently
    without = extract_face(picture, box, image_size=160, margin=0).permute(1, 2, 0).numpy()
    assert np.abs(ours - without).mean() > 6


def test_nothing_in_the_cache_means_nothing_to_say_and_no_download(cache, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *a, **k: pytest.fail("downloads"))
    assert load_embedder() is None
    assert load_embedder("off") is None
    assert resolve_weights(FaceSettings()).identity_weights == "off"
    assert describe_weights().startswith("no weights: a person who returns gets a new track. Put https://")


@pytest.mark.parametrize("folder", ["hub/checkpoints", "checkpoints"])  # torch's own, and that of facenet-pytorch 2.5.3
def test_weights_in_the_cache_are_found(cache, folder):
    (cache / folder / "20180408-102900-casia-webface.pt").touch()
    assert resolve_weights(FaceSettings()).identity_weights == "casia-webface"
    (cache / folder / NAME).touch()
    assert find_weights() == find_weights("vggface2") == cache / folder / NAME
    settled = resolve_weights(FaceSettings(frames=5))
    assert settled == FaceSettings(frames=5, identity_weights="vggface2")
    assert settled.content_hash() != FaceSettings(frames=5, identity_weights="off").content_hash()
    assert describe_weights() == f"vggface2 ({cache / folder / NAME})"
    assert find_weights("off") is None


def test_facenet_pytorch_itself_would_look_in_one_of_the_folders(monkeypatch, tmp_path):
    from facenet_pytorch.models.inception_resnet_v1 import get_torch_home

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / NAME).touch()
    assert find_weights() == Path(get_torch_home()) / "checkpoints" / NAME


def test_the_addresses_are_those_of_facenet_pytorch():
    import inspect

    from facenet_pytorch.models.inception_resnet_v1 import load_weights

    assert all(url in inspect.getsource(load_weights) for url in WEIGHT_URLS.values())


@pytest.mark.parametrize("wanted", ["vggface2", "nowhere/mine.pt"])
def test_a_missing_file_is_named_with_its_address_and_place(cache, wanted):
    for call in (load_embedder, lambda name: resolve_weights(FaceSettings(identity_weights=name))):
        with pytest.raises(DataNotFoundError) as caught:
            call(wanted)
        message = str(caught.value)
        assert f"there is no file {NAME if wanted == 'vggface2' else wanted}" in message
        assert WEIGHT_URLS["vggface2"] in message
        assert f"put it into {cache / 'hub' / 'checkpoints'}" in message


def test_damaged_and_foreign_files_are_refused(weights, tmp_path):
    (tmp_path / "cut.pt").write_bytes(weights.read_bytes()[:100_000])
    (tmp_path / "text.pt").write_text("<html>404</html>")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "pickled.pt")
    for name in ("cut.pt", "text.pt", "pickled.pt"):
        with pytest.raises(
            CheckpointError, match=rf"{name} is not a readable file of weights .*Get it again from https"
        ):
            load_embedder(tmp_path / name)


def test_weights_of_something_else_are_refused(net, tmp_path):
    wrong = {**net.state_dict(), "last_linear.weight": torch.zeros(128, 1792)}  # an older model of 128 numbers
    for name, content, said in (
        ("linear.pt", torch.nn.Linear(2, 2).state_dict(), r"of 714 entries are missing, 0 have"),
        ("list.pt", [1, 2], r"of 714 entries are missing, 0 have"),
        ("other.pt", wrong, r"\(0 of 714 entries are missing, 1 have another shape; first: last_linear\.weight\)"),
    ):
        torch.save(content, tmp_path / name)
        with pytest.raises(CheckpointError, match=f"{name} belongs to another network .*{said}"):
            load_embedder(tmp_path / name)


@pytest.fixture(scope="module")
def returning(tmp_path_factory):
    """Key frames of three shots: a head, nobody before a bright wall, and the head again, elsewhere."""
    path = tmp_path_factory.mktemp("clips") / "returning.mp4"
    with VideoWriter(path, 25, 256, 192, 18) as writer:
        for at in range(48):
            heads = [Head(90, 100, 0.5)] if at < 16 else [Head(160, 100, 0.45)] if at >= 32 else []
            frame = frame_of(heads, at, 256, 192, 0)
            writer.write(255 - frame // 3 if not heads else frame)
    return sampled(VideoSource(path), range(0, 48, 4), FaceFinder(FaceSettings()))


def test_a_head_that_leaves_and_returns_is_one_person_where_the_embeddings_say_so(returning, weights):
    tracks = link(returning)
    assert [[returning[k].index for k in track.keys] for track in tracks] == [[0, 4, 8, 12], [32, 36, 40, 44]]

    def alike(crops):
        return np.tile(np.float32([1, 0]), (len(crops), 1))

    turns = iter(np.eye(2, dtype=np.float32))

    def different(crops):
        return np.tile(next(turns), (len(crops), 1))

    assert [track.keys for track in join_tracks(tracks, returning, alike)] == [tracks[0].keys + tracks[1].keys]
    assert join_tracks(tracks, returning, different) == tracks
    assert people(tracks, returning, FaceSettings(identity_weights="off")) == tracks
    # the whole way with the made weights, whose vectors mean nothing but hardly differ between faces
    assert len(people(tracks, returning, FaceSettings(identity_weights=str(weights)))) == 1
    with pytest.raises(DataNotFoundError):
        people(tracks, returning, FaceSettings(identity_weights="nowhere.pt"))


def test_two_heads_side_by_side_stay_two_people_although_embeddings_call_them_one(tmp_path, weights):
    with VideoWriter(tmp_path / "a.mp4", 25, 340, 200, 18) as writer:
        for at in range(24):
            writer.write(frame_of([Head(90, 100, 0.5), Head(250, 100, 0.45, mirrored=True)], at, 340, 200, 0))
    keys, tracks = follow_faces(VideoSource(tmp_path / "a.mp4"), FaceFinder(FaceSettings(frames=6)))
    assert people(tracks, keys, FaceSettings(identity_weights=str(weights))) == tracks
    assert len(tracks) == 2
