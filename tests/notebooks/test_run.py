"""All notebooks, executed in order in a fresh workspace on a tiny demo set. Asserts on files, not on printed text."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest

from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import read_table
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.synthetic import PictureDemoSettings, make_demo_pictures

pytestmark = pytest.mark.notebook

#: Four pairs of people, small frames, one epoch: about a minute and a half on two cores.
TINY = {
    "00_start_here": {"pairs": 4, "val_pairs": 1, "test_pairs": 1, "frames": 8, "size_px": 160, "identities": 2},
    "01_data_extraction": {"frames": 6, "workers": 2},
    "02_train": {"name": "tiny", "epochs": 1, "batch_size": 8, "frames_per_video": 4, "device": "cpu"},
    "03_inference": {"frames": 6, "annotate": True, "device": "cpu"},
    "04_evaluation": {"perturbations": ["jpeg"], "levels": [3], "perturbed_frames": 1, "device": "cpu"},
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Name -> executed notebook; runs in a working directory that is not the workspace."""
    space = Workspace(tmp_path_factory.mktemp("workspace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("OMP_NUM_THREADS", "1")
        return space, {name: run_notebook(name, values, workspace=space) for name, values in TINY.items()}


def pictures(path):
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    embedded = sum("data:image/" in str(output.get("data", {}).get("text/html", "")) for output in outputs)
    return sum("image/png" in output.get("data", {}) for output in outputs) + embedded


def test_every_cell_ran_and_nothing_was_printed_as_error(executed):
    _, notebooks = executed
    for path in notebooks.values():
        notebook = nbformat.read(path, as_version=4)
        assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert not [output for output in outputs if output.output_type == "error"]
        assert "Traceback" not in "".join(o.get("text", "") for o in outputs if o.output_type == "stream")
        assert "widgets" not in notebook.metadata
        assert path.with_suffix(".html").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("name", "least"),
    [("00_start_here", 1), ("01_data_extraction", 2), ("02_train", 4), ("03_inference", 4), ("04_evaluation", 7)],
)
def test_notebooks_show_pictures(executed, name, least):
    assert pictures(executed[1][name]) >= least


def test_00_makes_both_demo_sets(executed):
    space, _ = executed
    assert len(list(space.data.glob("demo/original_sequences/youtube/c23/videos/*.mp4"))) == 8
    assert len(list(space.data.glob("demo/manipulated_sequences/*/c40/videos/*.mp4"))) == 40
    assert list(space.data.glob("demo_celebdf/Celeb-synthesis/*.mp4"))


def test_01_makes_tables_crops_and_splits(executed):
    space, _ = executed
    videos = read_table("video", space.labels / "demo" / "videos.csv")
    faces = read_table("face", space.labels / "demo" / "faces.parquet")
    assert len(videos) == 48
    assert (videos["status"] == "ok").mean() > 0.9
    assert all((space.extracted / path).is_file() for path in faces["crop_path"])
    assert videos.groupby("group")["split"].nunique().max() == 1
    assert json.loads((space.labels / "demo" / "splits.json").read_text())["videos"]["test"] == 12


def test_02_trains_and_keeps_the_record(executed):
    space, notebooks = executed
    run = space.checkpoints / "tiny"
    history = pd.read_csv(run / "history.csv")
    assert history["epoch"].tolist() == [1]
    assert 0 <= history["val_auc_video"].iloc[0] <= 1
    assert (run / "epoch_001.safetensors").is_file()
    assert json.loads((run / "settings.json").read_text())["epochs"] == 1
    assert (run / "notebook.ipynb").read_bytes() == notebooks["02_train"].read_bytes()
    scores = read_table("score", run / "scores" / "test_demo_epoch_001.parquet")
    assert scores["video_id"].nunique() == 12
    assert set(scores["split"]) == {"test"}


def test_03_takes_the_newest_run_and_annotates(executed):
    space, notebooks = executed
    assert "tiny/epoch_001.safetensors" in notebooks["03_inference"].read_text()
    written = sorted(path.name for path in (space.root / "report" / "annotated").rglob("*.mp4"))
    assert len(written) == 7  # a real video, one of each forgery kind, and the clip with two people
    assert "two_people_one_forged_annotated.mp4" in written


def test_04_keeps_audit_protocol_and_scores(executed):
    space, notebooks = executed
    labels, scores = space.labels / "demo", space.checkpoints / "tiny" / "scores"
    assert json.loads((labels / "audit.json").read_text())["verdict"] == "green"
    protocol = json.loads(next((labels / "protocols").glob("*.json")).read_text())
    assert protocol["protocol"]["videos"] == 12
    val = read_table("score", scores / "val_demo_epoch_001.parquet")
    assert set(val["split"]) == {"val"}
    text = notebooks["04_evaluation"].read_text()
    for word in ("tiny", protocol["sha256"][:10], "called fake", "of val", "area under AUC"):
        assert word in text


def test_04_compares_two_runs(executed):
    space, _ = executed
    values = TINY["02_train"] | {"name": "tiny_other", "seed": 1}
    run_notebook("02_train", values, space.root / "other.ipynb", workspace=space)
    values = TINY["04_evaluation"] | {"runs": ["tiny", "tiny_other"], "perturbations": [], "selection": False}
    done = run_notebook("04_evaluation", values, space.root / "04.ipynb", workspace=space)
    assert "tiny minus tiny_other" in done.read_text()


def test_running_again_changes_nothing(executed):
    """Finished extraction and training are taken up, not done twice."""
    space, _ = executed
    weights = space.checkpoints / "tiny" / "epoch_001.safetensors"
    before = weights.stat().st_mtime_ns
    run_notebook("02_train", TINY["02_train"], space.root / "again.ipynb", workspace=space)
    assert weights.stat().st_mtime_ns == before


# one of single pictures, one of clips, one with a training method of its own: notebooks hold no code for single detectors,
# and tests/contracts trains every one
@pytest.mark.parametrize("detector", ["efficientnet_b0", "mesonet4_lstm", "caddm_resnet34"])
def test_every_kind_of_detector_trains_and_infers(executed, detector):
    space, _ = executed
    name = f"tiny_{detector}"
    values = TINY["02_train"] | {"name": name, "detector": detector, "epochs": 2, "frames_per_video": 1}
    out = space.root / detector
    run_notebook("02_train", values, out / "02.ipynb", workspace=space)
    run = space.checkpoints / name
    assert sorted(path.name for path in run.glob("*.safetensors")) == ["epoch_001.safetensors", "epoch_002.safetensors"]
    values = TINY["03_inference"] | {"checkpoint": name, "annotate": False}
    done = run_notebook("03_inference", values, out / "03.ipynb", workspace=space)
    assert f"{name}/epoch_00" in done.read_text()
    scores = read_table("score", next((run / "scores").glob("test_demo_epoch_*.parquet")))
    assert scores["video_id"].nunique() == 12
    assert scores["fake_probability"].notna().mean() > 0.9


def test_07_trains_both_and_measures_leakage(executed):
    space, _ = executed
    values = {"epochs": 1, "batch_size": 8, "frames_per_video": 2, "frames": 2, "runs": ["tiny"], "device": "cpu"}
    done = run_notebook("07_identity_leakage", values, space.root / "07.ipynb", workspace=space)
    assert pictures(done) >= 6  # swaps, two runs' curves, comparison, measures, boxes
    runs = {path.name.split("_demo_")[0] for path in space.checkpoints.glob("*resnet34_demo_*")}
    assert runs == {"resnet34", "caddm_resnet34"}
    text = done.read_text()
    for word in ("CADDM minus plain", "random weights", "identity probe", "centre prior", "demo_celebdf"):
        assert word in text
    assert (space.labels / "demo_celebdf" / "videos.csv").is_file()


@pytest.mark.parametrize("hypothesis", [1, 2, 3])
def test_05_tests_a_hypothesis_and_keeps_what_it_found(executed, hypothesis):
    space, _ = executed
    values = {
        "hypothesis": hypothesis, "size_px": 32, "encoder_epochs": 1, "epochs": 1, "pairings": 1, "images": 1, "grid": 2,
        "evaluations": 100, "keep_wrong": True, "device": "cpu",
    }  # fmt: skip
    done = run_notebook("05_hypotheses", values, space.root / f"05_{hypothesis}.ipynb", workspace=space)
    assert pictures(done) >= 4  # curves of the runs, faces, cells, the test
    folder = next(space.checkpoints.glob(f"resnet18_demo_*/hypotheses/{hypothesis}_*"))
    record = json.loads((folder / "results.json").read_text())
    assert record["settings"]["hypothesis"] == hypothesis
    models = {1: {"carrier", "donor", "detector"}, 2: {"carrier", "donor", "paired 1", "unpaired 1"}}
    assert set(record["runs"]) == models.get(hypothesis, models[1])
    rows = pd.read_csv(folder / "pictures.csv")
    with np.load(folder / "maps.npz") as maps:
        assert maps["carrier"].shape == (len(rows), 2, 2)
    assert {"measures.csv", "named.csv", "test.png", "faces.png"} <= {path.name for path in folder.iterdir()}
    assert pd.read_csv(folder / "measures.csv")["value"].notna().any()


def test_06_trains_three_stages_and_measures_errors(executed):
    space, _ = executed
    few = PictureDemoSettings(people=6, val_people=2, test_people=2, pictures=2, size_px=64, workers=1)
    make_demo_pictures(space.data / "demo_pictures", few, progress=False)
    values = {
        "size_px": 32, "first_epochs": 1, "epochs": 1, "joint_epochs": 1, "trial": True, "batch_size": 4, "device": "cpu",
        "perturbations": ["jpeg", "noise>blur"], "levels": [3],
    }  # fmt: skip
    done = run_notebook("06_reconstruction_error", values, space.root / "06.ipynb", workspace=space)
    assert pictures(done) >= 10  # five runs' curves, errors, two distributions, spectra, robustness, explorer
    text = done.read_text()
    for word in (
        "transposed (trained on)",
        "other generators",
        "pixel, joint",
        "fused",
        "area under AUC",
        "one_of_all",
        "as it is and under jpeg",  # the explorer's picture, which must outlive its widgets
    ):
        assert word in text
    assert len(list(space.checkpoints.glob("resynthesis_pixel_demo_pictures_*/epoch_001.safetensors"))) == 2


def test_08_trains_variants_and_explains_blocks(executed):
    space, _ = executed
    values = {
        "size_px": 48, "blocks": 2, "epochs": 1, "batch_size": 8, "frames": 2, "pictures": 2, "grid": 4, "device": "cpu"
    }  # fmt: skip
    done = run_notebook("08_forgery_clues", values, space.root / "08.ipynb", workspace=space)
    assert pictures(done) >= 8  # two runs' curves, AUC, information, accuracy, weights, maps, overlap
    text = done.read_text()
    for word in ("both minus none", "information only block 1 has", "accuracy without block 2"):
        assert word in text


def test_09_runs_a_grid_and_writes_the_report(executed):
    space, _ = executed
    values = {"epochs": 1, "batch_size": 8, "frames_per_video": 2, "device": "cpu", "name": "tiny", "seeds": 2}
    done = run_notebook("09_benchmark", values, space.root / "09.ipynb", workspace=space)
    assert pictures(done) >= 1  # the matrix
    folder = space.root / "report" / "sweeps" / "tiny"
    status = pd.read_csv(folder / "status.csv")
    assert status["status"].tolist() == ["done", "done"]
    assert all((space.root / run).is_dir() for run in status["runs"])
    page = (folder / "index.html").read_text(encoding="utf-8")
    for word in ("mesonet4, seed 1", "dfworkbench run 09_benchmark", "protocol", "data:image/svg+xml"):
        assert word in page
    for notebook in status["notebook"]:
        assert f'href="cells/{notebook.rpartition("/")[2].removesuffix(".ipynb")}.html"' in page
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.glob("cells/*"))
    run_notebook("09_benchmark", values, space.root / "09.ipynb", workspace=space)
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.glob("cells/*")) == before  # nothing is run twice
