"""The card of a run: figures of `evaluate`, hashes of the provenance, limits, and metadata that Hugging Face reads."""

import json
import math
import re
import shutil

import pytest
import torch
from huggingface_hub import ModelCard

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.evaluation.metrics.evaluate import evaluate, row_interval
from dfworkbench.models import build_detector
from dfworkbench.runs.checkpoints import load_detector, read_record, save_detector
from dfworkbench.runs.released import save_released
from dfworkbench.runs.run import Run
from dfworkbench.runs.writer import write_imported
from dfworkbench.sharing.model_card import card_text, model_card
from dfworkbench.sharing.packing import Packing
from dfworkbench.sharing.targets import share


@pytest.fixture
def run(space):
    return Run.open("tuned", space)


def test_figures_are_those_of_evaluate(run):
    text = model_card(run)
    for split, dataset in (("val", ""), ("test", "toy")):
        for row in evaluate(run.scores(split, dataset=dataset), ("video",), metrics=("auc", "eer")).itertuples():
            name = {"auc": "AUC", "eer": "equal error rate"}[row.metric]
            value, _, ends = row_interval(row).text().partition(" ")
            assert f"| toy, {split} | {name} | {value} | {ends} | {row.n_real} real, {row.n_fake} fake |" in text


def test_metadata_are_read_back(run):
    data = ModelCard(model_card(run, licence="apache-2.0")).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "dfworkbench", "image-classification")
    found = {(result.dataset_split, result.metric_type): result.metric_value for result in data.eval_results}
    table = evaluate(run.scores("test", dataset="toy"), ("video",), metrics=("auc",))
    assert found["test", "roc_auc"] == pytest.approx(table["value"].iloc[0], abs=1e-4)
    assert not any(isinstance(value, float) and math.isnan(value) for value in found.values())


def test_data_and_input(run):
    text = card_text(run)
    for kept in (run.provenance["splits"], *run.provenance["tables"].values(), run.provenance["start_from"]["sha256"]):
        assert f"`{kept}`" in text
    assert "8 genuine, 8 forged" in text
    (spec,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert InputSpec.from_dict(json.loads(spec)) == InputSpec.from_dict(read_record(run.weights())["input_spec"])


def test_limits(run, space):
    text = card_text(run)
    assert "It was not measured on any data set other than toy." in text
    assert "not measured on a test split" not in text
    assert "It was not measured on a test split." in card_text(Run.open("base", space))
    shutil.rmtree(run.folder / "scores")
    assert "no figures are known" in card_text(run)
    provenance = json.loads((run.folder / "provenance.json").read_text())
    leaky = provenance | {"domain": "generated", "audit": {"verdict": "red", "counts": {"identity": 3}}}
    (run.folder / "provenance.json").write_text(json.dumps(leaky))
    text = card_text(run)
    for warning in run.caveats:
        assert f"> **{warning}**" in text
    assert len(run.caveats) == 2, "of leaks, and of generated data"
    assert "red (identity: 3)" in text


def test_a_damaged_table_is_left_out(run, space, tmp_path, caplog):
    (damaged,) = (run.folder / "scores").glob("test_*")
    damaged.write_bytes(b"no parquet")
    shared = share(run, tmp_path / "shared", Packing(base=None), workspace=space)
    assert f"scores/{damaged.name}" not in shared.manifest.files
    assert f"{damaged.name} is left out" in caplog.text
    assert "toy, val" in (tmp_path / "shared" / "README.md").read_text()


def test_imported_weights(space, tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "published" / "checkpoint-39.pth.tar"
    file.parent.mkdir()
    torch.save({"model": build_detector("mesonet4").state_dict()}, file)
    save_released("dfforensics", file, "paper", workspace=space)
    text = model_card(Run.open("paper", space))
    assert "| imported from | checkpoint-39.pth.tar |" in text
    assert "| trained by its authors on | unknown |" in text
    assert "unknown training data" in text
    assert ModelCard(text).data.eval_results is None


def test_networks_that_score_nothing(space, tmp_path):
    """Encoders and re-synthesisers are shared too; their cards hold no advice on scores."""
    encoder = build_detector("identity_resnet18", size_px=32, identities=["a", "b"])
    file = save_detector(
        tmp_path / "a.safetensors", encoder, "identity_resnet18", {"size_px": 32, "identities": ["a", "b"]}
    )
    write_imported(space.checkpoints / "encoder", load_detector(file), {})
    text = card_text(Run.open("encoder", space))
    assert "It scores nothing by itself" in text
    assert "## Metrics" not in text
    assert "## Limits" not in text
    assert "dfworkbench score" not in text


def test_the_base_of_a_difference_is_named(run, space, tmp_path):
    shared = share(run, tmp_path / "shared", workspace=space)
    base = shared.manifest.base
    assert base is not None
    assert f"of the run `{base.run}`" in (tmp_path / "shared" / "README.md").read_text()
    assert base.content in (tmp_path / "shared" / "README.md").read_text()
