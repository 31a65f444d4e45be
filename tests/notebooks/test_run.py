"""Notebooks 00 to 04, executed in order in a fresh workspace on a tiny demo set. Asserts on files, not on printed text.

Every notebook is run once as software, by the strict runner; what needs its cells once more runs them in this process.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import torch
from authors_files import dfb_meso4, prefixed
from cells import pictures, run_cells
from seeded_weights import seeded_file

from dfworkbench.core.errors import DataNotFoundError
from dfworkbench.core.workspace import Workspace
from dfworkbench.datasets.tables import read_table
from dfworkbench.notebook.runner import run_notebook
from dfworkbench.training import TrainSettings, train
from dfworkbench.zoo.cache import target_path
from dfworkbench.zoo.card import get_card
from dfworkbench.zoo.licences import require_accepted

pytestmark = pytest.mark.notebook

#: Three pairs of people, small frames, one epoch; a clip of a recurrent detector has five frames. No worker process beside the one
#: that extraction needs: each would import everything again. Tests of generation and of extraction have several.
TINY = {
    "00_start_here": {
        "pairs": 3,
        "val_pairs": 1,
        "test_pairs": 1,
        "frames": 6,
        "size_px": 160,
        "identities": 2,
        "workers": 1,
    },
    "01_data_extraction": {"frames": 6, "workers": 1},
    "02_train": {"name": "tiny", "epochs": 1, "batch_size": 8, "frames_per_video": 4, "device": "cpu"},
    "03_inference": {"frames": 6, "annotate": True, "device": "cpu"},
    "04_evaluation": {
        "runs": ["tiny", "tiny_other"],
        "perturbations": ["jpeg"],
        "levels": [3],
        "perturbed_frames": 1,
        "device": "cpu",
    },
}
#: A second run for 04 to compare with; 03 has then taken the one that was trained last.
OTHER = TrainSettings(**TINY["02_train"] | {"name": "tiny_other", "seed": 1})


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Name -> executed notebook; runs in a working directory that is not the workspace."""
    space = Workspace(tmp_path_factory.mktemp("workspace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        patch.setenv("OMP_NUM_THREADS", "1")
        done = {}
        for name, values in TINY.items():
            if name == "04_evaluation":
                list(train(OTHER, space, progress=False))
            done[name] = run_notebook(name, values, workspace=space)
        yield space, done
    shutil.rmtree(space.root)  # hundreds of megabytes of checkpoints


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


def test_what_was_executed_can_be_given_to_others(executed):
    """Opened elsewhere, without a kernel: nothing needs a widget, no path of this machine is left, no output is huge."""
    space, notebooks = executed
    machine = [str(space.root), sys.prefix, str(Path.home()), tempfile.gettempdir()]
    for path in notebooks.values():
        outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
        assert max(len(json.dumps(output)) for output in outputs) < 2_000_000, path.name
        assert not [output for output in outputs if any("widget" in kind for kind in output.get("data", {}))], path.name
        for file in (path, path.with_suffix(".html")):
            words = re.sub(r"[A-Za-z0-9+/=\\n]{200,}", "", file.read_text(encoding="utf-8"))  # pictures
            assert [place for place in machine if f"{place}/" in words] == [], file.name


@pytest.mark.parametrize(
    ("name", "least"),
    [("00_start_here", 1), ("01_data_extraction", 2), ("02_train", 4), ("03_inference", 4), ("04_evaluation", 7)],
)
def test_notebooks_show_pictures(executed, name, least):
    assert pictures(executed[1][name]) >= least


def test_00_makes_both_demo_sets(executed):
    space, _ = executed
    assert len(list(space.data.glob("demo/original_sequences/youtube/c23/videos/*.mp4"))) == 6
    assert len(list(space.data.glob("demo/manipulated_sequences/*/c40/videos/*.mp4"))) == 30
    assert list(space.data.glob("demo_celebdf/Celeb-synthesis/*.mp4"))


def test_01_makes_tables_crops_and_splits(executed):
    space, _ = executed
    videos = read_table("video", space.labels / "demo" / "videos.csv")
    faces = read_table("face", space.labels / "demo" / "faces.parquet")
    assert len(videos) == 36
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
    assert "tiny minus tiny_other" in executed[1]["04_evaluation"].read_text()


def test_a_finished_run_is_taken_up_and_not_trained_again(executed):
    space, _ = executed
    weights = space.checkpoints / "tiny" / "epoch_001.safetensors"
    before = weights.stat().st_mtime_ns
    assert [epoch.number for epoch in train(TrainSettings(**TINY["02_train"]), space, progress=False)] == [1]
    assert weights.stat().st_mtime_ns == before


# notebooks hold no code for single detectors, and tests/contracts trains every one: here one of clips, whose samples are shown
# otherwise; 03 with one that has a training method of its own is in test_07_leakage.py
def test_a_detector_of_clips_trains_and_infers(executed, tmp_path):
    space, _ = executed
    name = "tiny_clips"
    values = TINY["02_train"] | {"name": name, "detector": "mesonet4_lstm", "epochs": 2, "frames_per_video": 1}
    run_cells("02_train", values, space, tmp_path)
    run = space.checkpoints / name
    assert sorted(path.name for path in run.glob("*.safetensors")) == ["epoch_001.safetensors", "epoch_002.safetensors"]
    values = TINY["03_inference"] | {"checkpoint": name, "annotate": False}
    text, _ = run_cells("03_inference", values, space, tmp_path)
    assert f"{name}/epoch_00" in text
    scores = read_table("score", next((run / "scores").glob("test_demo_epoch_*.parquet")))
    assert scores["video_id"].nunique() == 12
    assert scores["fake_probability"].notna().mean() > 0.9


def test_03_scores_with_a_published_detector_beside_a_run(executed, tmp_path, monkeypatch):
    space, _ = executed
    monkeypatch.delenv("DFWORKBENCH_WEIGHTS", raising=False)
    card = get_card("dfb_meso4")
    require_accepted(card, accept=True, workspace=space)
    values = TINY["03_inference"] | {
        "checkpoint": f"zoo:{card.name}",
        "compare": ["tiny"],
        "path": str(space.data / "demo" / "extras" / "two_people_one_forged.mp4"),
        "annotate": False,
    }
    with pytest.raises(DataNotFoundError, match="dfworkbench zoo get dfb_meso4"):
        run_cells("03_inference", values, space, tmp_path)
    torch.save(
        seeded_file(prefixed(dfb_meso4(), "backbone.")), target_path(card, card.files[0], space)
    )  # in the authors' format
    text, _ = run_cells("03_inference", values, space, tmp_path)
    for words in (card.title, "dfb_meso4, authors' rule", "tiny", card.caveats[0], "perhaps not held out"):
        assert words in text
    scores = read_table("score", space.checkpoints / card.name / "scores" / "test_demo_epoch_000.parquet")
    assert scores["video_id"].nunique() == 12
