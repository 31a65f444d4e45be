"""A red table is refused; allowed, it is trained and every result of the run carries a warning."""

import json
import shutil

import pandas as pd
import pytest
from toy import make_workspace

from dfworkbench.core.errors import SplitLeakError
from dfworkbench.datasets.audit.leak_note import leak_note, table_note
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.datasets.face_dataset import FaceDataset
from dfworkbench.datasets.tables import read_table
from dfworkbench.evaluation.scoring.score import score, score_rows
from dfworkbench.evaluation.scoring.settings import ScoreSettings
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import TrainSettings, prepare, train

SETTINGS = TrainSettings(dataset="toy", size_px=64, epochs=1, batch_size=8, threads=1, name="run", device="cpu")


@pytest.fixture
def leaky(toy):
    path = toy.labels / "toy/splits.csv"
    splits = pd.read_csv(path, dtype="str")
    splits.loc[splits["video_id"] == "toy/real/train00.mp4", "split"] = "val"
    splits.to_csv(path, index=False)
    return toy


def fit(space, **changes):
    list(train(SETTINGS.replace(**changes), space, progress=False))
    return space.checkpoints / changes.get("name", "run")


def test_a_clean_run_says_green_and_nothing_else(toy):
    folder = fit(toy)
    record = json.loads((folder / "provenance.json").read_text())
    assert record["audit"]["verdict"] == "green"
    assert not record["audit"]["pictures"]
    assert leak_note(load_detector("run", workspace=toy).metadata) == ""
    assert "note" not in read_table("score", folder / "scores/val_epoch_001.parquet")


def test_red_is_refused_with_its_rows(leaky):
    with pytest.raises(SplitLeakError, match=r"(?s)audit is red: 1 identity .*allow_leaks = True") as error:
        prepare(SETTINGS, leaky)
    assert "toy/fake0/train00.mp4 / toy/real/train00.mp4" in str(error.value)


def test_red_and_allowed_says_so_everywhere(leaky):
    folder = fit(leaky, allow_leaks=True)
    record = json.loads((folder / "provenance.json").read_text())
    assert record["audit"] == {
        "verdict": "red", "counts": {"identity": 1, "source": 0, "pair": 2, "path": 0}, "pictures": False,
    }  # fmt: skip
    loaded = load_detector("run", workspace=leaky)
    assert "people and groups: 1" in leak_note(loaded.metadata)
    assert table_note(read_table("score", folder / "scores/val_epoch_001.parquet")) == leak_note(loaded.metadata)
    videos = read_table("video", leaky.labels / "toy/videos.csv")
    faces = read_table("face", leaky.labels / "toy/faces.parquet")
    data = FaceDataset(faces, videos[videos["split"] == "test"], loaded.input_spec, leaky.extracted)
    assert table_note(score_rows(loaded, data, progress=False)) == leak_note(loaded.metadata)


def test_once_red_always_red(leaky):
    folder = fit(leaky, allow_leaks=True)
    videos = pd.read_csv(leaky.labels / "toy/videos.csv", dtype="str")
    videos[["video_id", "group", "split"]].to_csv(leaky.labels / "toy/splits.csv", index=False)  # mended
    (folder / "resume.pt").unlink()  # so that it is begun again, in the same folder
    fit(leaky, allow_leaks=True)
    assert json.loads((folder / "provenance.json").read_text())["audit"]["verdict"] == "red"
    assert leak_note(load_detector("run", workspace=leaky).metadata)


def test_what_starts_from_a_leaky_run_says_so_too(leaky):
    fit(leaky, allow_leaks=True)
    videos = pd.read_csv(leaky.labels / "toy/videos.csv", dtype="str")
    videos[["video_id", "group", "split"]].to_csv(leaky.labels / "toy/splits.csv", index=False)
    fit(leaky, name="second", start_from="run")
    fit(leaky, name="third", start_from="second")
    for name in ("second", "third"):
        assert "Made from a run (start_from) with leaks." in leak_note(load_detector(name, workspace=leaky).metadata)


def test_what_pictures_told_counts_while_the_tables_are_the_same(tmp_path):
    space = make_workspace(tmp_path)
    faces = read_table("face", space.labels / "toy/faces.parquet").set_index("face_id")["crop_path"]
    one, other = (space.extracted / faces[f"toy/real/{name}.mp4#t0f0"] for name in ("train00", "test00"))
    shutil.copy(one, other)
    prepare(SETTINGS, space)  # nobody has looked at the pictures
    DataSet.open("toy", space).run_audit(progress=False)
    with pytest.raises(SplitLeakError, match="1 exact_frame"):
        prepare(SETTINGS, space)
    assert prepare(SETTINGS.replace(allow_leaks=True), space).run.provenance["audit"]["pictures"]


def test_the_name_says_it_and_a_clean_name_is_unchanged():
    plain = TrainSettings(dataset="toy", epochs=2)
    assert plain.replace(allow_leaks=True).model_name.endswith("_leaky")
    assert plain.model_name == plain.replace(allow_leaks=False).model_name
    assert not plain.model_name.endswith("_leaky")
    assert (
        TrainSettings(epochs=12).model_name == "mesonet4_demo_a57ab39f"
    )  # as runs were named before there was the field


def test_encoders_of_identity_train_across_splits_by_design(leaky):
    # noise has no people to learn: what counts is that training is prepared, and that no verdict is recorded
    chosen = SETTINGS.replace(
        detector="identity_resnet18", size_px=32, detector_options={"alignment": "box"}, balance="none"
    )
    assert "audit" not in prepare(chosen, leaky).run.provenance


def test_a_card_of_a_scored_file_says_it(leaky):
    fit(leaky, allow_leaks=True)
    faces = read_table("face", leaky.labels / "toy/faces.parquet")
    scored = score(leaky.extracted / faces["crop_path"].iloc[0], "run", ScoreSettings(whole=True), progress=False)
    note = leak_note(load_detector("run", workspace=leaky).metadata)
    assert table_note(scored.table) == note
    assert scored[0].caveat.startswith(f"{note} Trained on toy: 7 genuine and 8 forged files (fake0).")
    assert note in scored._repr_html_()
