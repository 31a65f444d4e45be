"""The study of forgery clues: what all heads say, what single blocks add and where, and the study on tiny data."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from toy import make_workspace

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.core.input_spec import InputSpec
from dfworkbench.core.workspace import HOME_VARIABLE
from dfworkbench.datasets.dataset import DataSet
from dfworkbench.explain.explanations import explain
from dfworkbench.explain.shapley.attribution_map import AttributionSettings
from dfworkbench.explain.study import SEEN, UNSEEN
from dfworkbench.methods.mi_net.head_outputs import BlockShare, head_outputs
from dfworkbench.methods.mi_net.information import information_measures
from dfworkbench.methods.mi_net.settings import ClueStudySettings
from dfworkbench.methods.mi_net.study import Study, other_pictures
from dfworkbench.models import build_detector
from dfworkbench.models.inputs import prepare
from dfworkbench.models.prediction import Prediction
from dfworkbench.runs.checkpoints import load_detector
from dfworkbench.training import train

SETTINGS = ClueStudySettings(
    dataset="toy", second="toy2", forgeries=["fake0"], variants=["both", "global", "none"], size_px=32, blocks=2, epochs=2,
    batch_size=8, frames_per_video=1, frames=2, pictures=3, grid=2, precision="32-true", device="cpu",
)  # fmt: skip


class Halves(nn.Module):
    """Two blocks: the first sees how bright the left half of the picture is, the second the right half."""

    def __init__(self):
        super().__init__()
        self.input_spec = InputSpec(size_px=16)
        self.drop = nn.Dropout(0.5)

    def forward(self, images):
        brightness = self.drop(images).mean(dim=(1, 2)).unflatten(1, (2, 8)).mean(dim=2)  # (B, 2)
        clues = brightness * torch.tensor([3.0, 5.0])
        pair = lambda x: torch.stack([torch.ones_like(x), 1 + x], dim=-1)  # noqa: E731
        joint, left_out = pair(clues.sum(dim=1)), pair(clues.flip(1))
        decision = pair(clues.sum(dim=1) / 2)
        aux = {"class_logits": decision, "joint_logits": joint, "left_out_logits": left_out, "block_shares": clues}
        return Prediction(decision[:, 1] - decision[:, 0], aux)


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    root = tmp_path_factory.mktemp("clues")
    make_workspace(root, fakes=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(root))
        yield make_workspace(root, "toy2", frames=2, seed=1)


@pytest.fixture(scope="module")
def study(space):
    for training in SETTINGS.trainings().values():
        list(train(training, progress=False))
    return Study(SETTINGS, progress=False)


def samples(space, detector, **options):
    data = DataSet.open("toy", space)
    return data.samples(detector.input_spec, data.videos[data.videos["split"] == "test"], options.get("frames", 2))


def test_all_heads_answer_in_the_order_of_the_rows(space):
    network = Halves().train()
    data = samples(space, network)
    found = head_outputs(network, data, batch_size=5, progress=False)
    assert network.training, "the mode is restored"
    assert found.rows.equals(data.rows)
    assert (found.logits.joint.shape, found.logits.left_out.shape) == ((24, 2), (24, 2, 2))
    network.eval()
    for row in (0, 11, 23):
        aux = network(prepare(data[row]["images"][None], network.input_spec, "halves")).aux
        heads = {"decision": "class_logits", "joint": "joint_logits", "left_out": "left_out_logits"}
        for name, head in heads.items():
            assert getattr(found.logits, name)[row] == pytest.approx(aux[head][0].numpy(), abs=1e-6)
    part = found.where(data.rows["label"] == 0)
    assert len(part.rows) == len(part.logits.joint) == 8
    assert part.rows["label"].eq(0).all()


def test_a_detector_without_blocks_is_refused(space):
    plain = build_detector("mesonet4", size_px=64)
    with pytest.raises(
        InputError, match="asking all heads of MesoNet4: its prediction has no class_logits, joint_logits"
    ):
        head_outputs(plain, samples(space, plain), progress=False)
    with pytest.raises(InputError, match="size_px 64 instead of 16"):
        head_outputs(Halves(), samples(space, plain), progress=False)
    data = DataSet.open("toy", space)
    with pytest.raises(InputError, match="the data set has no samples"):
        head_outputs(Halves(), data.samples(Halves().input_spec, data.videos[:0], 1), progress=False)
    with pytest.raises(InputError, match="explaining block 0: the prediction has no blocks"):
        explain(plain, np.zeros((64, 64, 3), np.uint8), "occlusion", value=BlockShare(0))


@pytest.mark.parametrize("method", ["occlusion", "shapley"])
def test_the_share_of_a_block_lies_where_it_looks(method):
    network = Halves().eval()
    picture = np.full((16, 16, 3), 51, np.uint8)  # 0.2 of white
    picture[8:, 8:] = 102
    settings = AttributionSettings(grid=2)
    left, right = (
        explain(network, picture, method, value=BlockShare(i), settings=settings)[method].values for i in (0, 1)
    )
    # each cell is half of its half
    assert left == pytest.approx(np.array([[3 * 0.2 / 2, 0], [3 * 0.2 / 2, 0]]), abs=1e-5)
    assert right == pytest.approx(np.array([[0, 5 * 0.2 / 2], [0, 5 * 0.4 / 2]]), abs=1e-5)
    with pytest.raises(InputError, match="explaining block 2: the prediction has 2 blocks"):
        explain(network, picture, method, value=BlockShare(2), settings=settings)


def test_maps_of_other_pictures_by_hand():
    maps = np.zeros((2, 3, 2, 2))
    maps[0, :, 0, 0] = 1, 2, 3  # always the same cell
    maps[1, 0, 0, 0] = maps[1, 1, 0, 1] = 1  # never, and the third map is flat
    found = other_pictures(maps, 0.25)
    assert found["cosine"] == pytest.approx([1, 0])
    assert found["iou"] == pytest.approx([1, 0])
    assert np.isnan(other_pictures(maps[:, :1])["cosine"]).all()
    assert other_pictures(np.zeros((0, 0, 1, 1)))["iou"].shape == (0,)


def test_variants_differ_by_their_losses_alone():
    trainings = SETTINGS.replace(variants=["none", "global", "local", "both"]).trainings()
    assert len({training.model_name for training in trainings.values()}) == 4
    same = {training.replace(method_options={}).model_name for training in trainings.values()}
    assert len(same) == 1
    assert trainings["local"].method_options == {
        "local_loss": True, "global_loss": False, "weighting": "automatic", "mixup": 0, "distance": "kl",
    }  # fmt: skip
    heads = SETTINGS.training("heads")
    assert heads.method_options == {
        "local_loss": True, "global_loss": True, "weighting": "scales", "mixup": 0, "scales": {"global": 0, "local": 0},
    }  # fmt: skip
    assert SETTINGS.replace(weighting="sum", distance="wasserstein").training("heads") == heads
    other = SETTINGS.replace(distance="wasserstein")
    assert other.training("none") == SETTINGS.training("none"), "it has no distance: it is not trained again"
    assert other.training("both") != SETTINGS.training("both")
    with pytest.raises(ParameterError, match="a variant is named twice"):
        SETTINGS.replace(variants=["both", "both"])
    with pytest.raises(ParameterError, match="variants"):
        SETTINGS.replace(variants=["locl"])
    with pytest.raises(ParameterError, match="at least 1 item"):
        SETTINGS.replace(variants=[])


def test_auc_of_every_condition_beside_none(study):
    table = study.auc_table()
    assert list(table) == ["both", "global", "none", "both minus none", "global minus none"]
    assert list(table.index) == [SEEN, UNSEEN, "toy2"]
    assert set(study.scores["both"][SEEN]["forgery"]) == {"", "fake0"}
    assert set(study.scores["both"][UNSEEN]["forgery"]) == {"", "fake1"}
    results = study.results().set_index(["detector", "condition"])["value"]
    difference = float(table.loc["toy2", "both minus none"].split(" ")[0])
    assert difference == pytest.approx(results["both", "toy2"] - results["none", "toy2"], abs=6e-4)
    everything = Study(SETTINGS.replace(second="not extracted", variants=["none"]), progress=False)
    assert list(everything.scores["none"]) == [SEEN, UNSEEN]
    assert list(everything.auc_table()) == ["none"]


def test_only_heads_that_were_trained_are_measured(study):
    information = {variant: [m.name for m in measures] for variant, measures in study.information().items()}
    blocks = [f"information only block {i} has (nats)" for i in (1, 2)]
    lost = "information lost by the global vector (nats)"
    assert information == {"both": [*blocks, lost], "global": [lost]}
    accuracies = {variant: [m.name for m in measures] for variant, measures in study.accuracies().items()}
    heads = ["accuracy of the decision", "accuracy of all blocks together"]
    without = [f"accuracy without block {i}" for i in (1, 2)]
    assert accuracies == {"both": heads + without, "global": heads, "none": heads[:1]}
    assert {m.n for m in study.accuracies()["both"]} == {4 * 2 * 2}  # real and one of two kinds, two frames each
    assert set(study.accuracy_table()) >= {f"none, {SEEN}", f"none, {UNSEEN}"}
    assert study.most_information == pytest.approx(np.log(2))


def test_information_over_epochs_ends_where_the_weights_are(study):
    curves = study.curves
    assert sorted(curves["variant"].unique()) == ["both", "global"]
    assert (curves.groupby(["variant", "epoch"]).size() == pd.Series([3, 3, 1, 1]).to_numpy()).all()
    best = study.runs["both"].metadata["epoch"]
    now = curves[(curves["variant"] == "both") & (curves["epoch"] == best)].set_index("measure")
    for measure in study.information()["both"]:
        assert now.loc[measure.name, "value"] == pytest.approx(measure.value, rel=1e-4)
        assert now.loc[measure.name, "low"] == pytest.approx(measure.low, rel=1e-4, nan_ok=True)
    other = load_detector(study.names["both"], epoch=3 - best)
    found = study._heads(other, study.test)
    wanted = information_measures(found.where(study._of(SEEN, found.rows)).logits)[0].value
    then = curves[(curves["variant"] == "both") & (curves["epoch"] == 3 - best)]
    assert then["value"].iloc[0] == pytest.approx(wanted, rel=1e-4)
    assert abs(wanted - now["value"].iloc[0]) > 1e-6


def test_weights_of_losses_are_in_the_histories(study):
    histories = study.histories()
    weights = {v: [n for n in history if n.startswith("train_weight_")] for v, history in histories.items()}
    assert weights["none"] == ["train_weight_classification"]
    assert set(weights["both"]) == {f"train_weight_{name}" for name in ("classification", "global", "local")}
    assert histories["both"]["train_weight_local"].between(0.4, 0.7).all()


def test_blocks_are_explained_on_fakes_drawn_by_seed(study):
    examples = study.examples
    assert study.explained == "both"
    assert examples["maps"].shape == (2, 3, 2, 2)
    assert (examples["images"].shape, examples["images"].dtype) == ((3, 32, 32, 3), np.uint8)
    assert set(examples["titles"]) == {"fake0", "fake1"}
    assert examples["masks"] == [None] * 3  # the toy has none
    settings = AttributionSettings(grid=2, baseline="mean")
    again = explain(study.runs["both"], examples["images"][1], "occlusion", value=BlockShare(1), settings=settings)
    assert again["occlusion"].values == pytest.approx(examples["maps"][1, 1], abs=1e-6)
    overlap = study.overlap()
    assert [values.shape for values in overlap["likeness"].values()] == [(2, 2)] * 2
    assert overlap["likeness"].keys() == overlap["others"].keys()


def test_without_information_losses_no_block_is_explained(study):
    assert Study(SETTINGS.replace(variants=["none", "global"]), progress=False).explained == "global"
    without = Study(SETTINGS.replace(variants=["none"]), progress=False)
    assert without.explained == ""
    assert len(without.examples["images"]) == 0
    assert [values.shape for values in without.overlap()["likeness"].values()] == [(0, 0)] * 2
    assert Study(SETTINGS.replace(variants=["none"]), progress=False).curves.empty
