"""Training what learns who is shown: encoders on all people in the first part of time, FST-Matching on the training split."""

import json

import numpy as np
import pytest
from toy import make_workspace

from dfworkbench.core.errors import InputError, ParameterError, TableError
from dfworkbench.datasets.pairing import paired_and_unpaired
from dfworkbench.datasets.tables import read_table, write_table
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.runs.run import Run
from dfworkbench.training import TrainSettings, prepare, train

ENCODER = TrainSettings(
    dataset="toy", detector="identity_resnet18", size_px=32, epochs=2, batch_size=16, learning_rate=1e-3, balance="none",
    schedule="constant", frames_per_video=10, threads=1, name="encoder", device="cpu", flip=0, box_jitter=0, colour_jitter=0,
    degrade=0, detector_options={"alignment": "box"},
)  # fmt: skip
# three networks: fewer faces
MATCHING = ENCODER.replace(
    detector="fst_matching", balance="loss", name="matching", detector_options={}, frames_per_video=2
)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("people"), frames=10)


def run(settings, workspace):
    return list(train(settings, workspace, progress=False))


def test_an_encoder_learns_people_of_all_splits_and_is_judged_on_later_frames(people):
    prepared = prepare(ENCODER, people)
    videos = read_table("video", people.labels / "toy/videos.csv")
    assert prepared.method.detector.identities == sorted(videos["carrier"].unique())
    for data, frames in ((prepared.train, range(8)), (prepared.val, range(8, 10))):
        assert set(data.rows["frame"]) == set(frames)
        assert set(data.rows["split"]) == {"train", "val", "test"}
    epochs = run(ENCODER, people)
    assert set(epochs[-1].val) == {"loss", "accuracy"}
    assert epochs[-1].train["loss"] < epochs[0].train["loss"]
    best = json.loads((people.checkpoints / "encoder/best.json").read_text())["epoch"]
    assert best == 1 + int(np.argmin([epoch.val["loss"] for epoch in epochs]))


@pytest.mark.parametrize("role", ["carrier", "donor"])
def test_a_fake_counts_as_its_carrier_or_as_its_donor(people, role):
    method = prepare(ENCODER.replace(method_options={"role": role}), people)
    rows, videos = method.train.rows, read_table("video", people.labels / "toy/videos.csv").set_index("video_id")
    row = int(np.flatnonzero(rows["label"] == 1)[0])
    item, fake = method.train[row], videos.loc[rows["video_id"].iloc[row]]
    assert method.method.settings.role == role
    assert method.method.detector.identities[item[role]] == fake[role]


def test_an_encoder_comes_back_with_its_people_and_cannot_score(people):
    run(ENCODER, people)
    loaded = load_detector("encoder", workspace=people)
    assert len(loaded.detector.identities) == 18
    assert loaded.detector.head.out_features == 18
    with pytest.raises(InputError, match="names people and cannot tell real from fake"):
        score(people.extracted, loaded, progress=False)
    with pytest.raises(InputError, match="names people"):
        score_rows(loaded, prepare(ENCODER, people).val, progress=False)
    with pytest.raises(InputError, match="names people"):
        score_rows(loaded.detector, prepare(ENCODER, people).val, progress=False)
    assert "encoder" not in Run.names(people)


def test_fst_matching_knows_the_people_of_its_training_split(people):
    epochs = run(MATCHING, people)
    assert {"loss", "bce", "carrier", "donor", "accuracy", "carrier_accuracy", "donor_accuracy"} <= set(
        epochs[-1].train
    )
    assert set(epochs[-1].val) == {"loss", "auc_video", "auc_frame", "eer_video"}
    assert load_detector("matching", workspace=people).detector.identities == [f"toy/train{i:02d}" for i in range(8)]
    assert "matching" in Run.names(people)


def test_weights_that_know_other_people_are_refused(people):
    run(MATCHING, people)
    settings = MATCHING.replace(name="again", start_from="matching")
    assert prepare(settings, people).method.detector.identities  # the same people
    others = make_workspace(people.root, "others", frames=3)
    with pytest.raises(ParameterError, match="16 of 16 videos show people whom its weights do not know"):
        prepare(settings.replace(dataset="others"), others)


def test_videos_without_names_are_refused(tmp_path):
    workspace = make_workspace(tmp_path)
    path = workspace.labels / "toy/videos.csv"
    videos = read_table("video", path)
    write_table("video", videos.assign(donor=""), path)
    with pytest.raises(TableError, match=r"the carrier or donor of 18 of 36 videos is not known \(first: 'toy/fake0"):
        prepare(ENCODER, workspace)


def test_a_paired_and_an_unpaired_set(tmp_path):
    workspace = make_workspace(tmp_path)
    path = workspace.labels / "toy/videos.csv"
    videos = read_table("video", path)
    # pairs of people, as in FaceForensics++: the units that can be halved
    number = videos["carrier"].str[-2:].astype(int)
    videos["donor"] = [
        f"{carrier[:-2]}{at ^ 1:02d}" if label else ""
        for carrier, at, label in zip(videos["carrier"], number, videos["label"], strict=True)
    ]
    write_table("video", videos, path)
    paired, unpaired = paired_and_unpaired(videos, 3)
    for pairing, expected in (("paired", paired), ("unpaired", unpaired)):
        settings = TrainSettings(dataset="toy", size_px=64, pairing=pairing, pairing_seed=3, name=pairing)
        data = prepare(settings, workspace)
        assert set(data.train.rows["video_id"]) == set(expected)
        assert set(data.val.rows["split"]) == {"val"}
    assert set(paired) != set(unpaired)


def test_a_new_setting_at_its_default_renames_no_run():
    known = TrainSettings(learning_rate=0.01)
    assert known.model_name == known.replace(pairing="all", pairing_seed=0).model_name
    assert known.model_name != known.replace(pairing="paired").model_name
